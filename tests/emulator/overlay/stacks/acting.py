"""Calls that stacks make: ordinary calls of the SDK's own client, handed to the gateway without a connection.

Knows who acts and where; nothing of stacks and resources. Such calls are faulted and, where a caller's or role's keys
act, judged as all others are; they are not in the log of calls.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import boto3
from botocore import UNSIGNED
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError, ParamValidationError
from botocore.model import Shape

from overlay import wire

#: What the user agent of such calls says.
AGENT = "cloudformation.amazonaws.com"

#: Answers a request: WSGI environment, body, whether rights are judged. The gateway puts itself here.
PERFORM: list[Callable[[dict[str, Any], bytes, bool], wire.Answer]] = []
#: The address that clients know the server by; queue URLs hold it.
HOST = ["127.0.0.1"]

_HANDLER_CODES = (
    ("AlreadyExists", ("AlreadyExists", "AlreadyOwnedByYou", "ResourceInUse", "QueueNameExists")),
    ("AccessDenied", ("AccessDenied", "Unauthorized", "NotAuthorized")),
    ("NotFound", ("NotFound", "NoSuch", "NonExistent")),
    ("Throttling", ("Throttl", "RequestLimit", "TooManyRequests")),
    ("ServiceLimitExceeded", ("LimitExceeded",)),
    ("InvalidRequest", ("Invalid", "Validation", "Malformed", "DeleteConflict", "NotEmpty")),
)


class Failed(Exception):
    """A resource that could not be made, changed or deleted."""

    def __init__(self, reason: str, code: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code


class Missing(Failed):
    """The thing is not there."""


@dataclass(frozen=True)
class Actor:
    """Who makes the calls of a stack."""

    #: Keys that are judged; none acts with all rights, as the service itself.
    key: str | None = None
    token: str | None = None


class _Raw:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, *_: Any, **__: Any) -> Any:
        yield self._body


class _Clients:
    def __init__(self) -> None:
        self._session: Any = None
        self._made: dict[str, Any] = {}
        self.now: tuple[str, str, Actor] = ("", "", Actor())

    def of(self, service: str) -> Any:
        if service not in self._made:
            self._session = self._session or boto3.session.Session()
            made = self._session.client(
                service,
                region_name="us-east-1",
                endpoint_url="http://127.0.0.1",
                config=Config(
                    signature_version=UNSIGNED, retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}
                ),
            )
            made.meta.events.register("before-send", partial(self._send, made.meta.service_model.signing_name))
            self._made[service] = made
        return self._made[service]

    def _send(self, service: str, request: Any, **_: Any) -> AWSResponse:
        account, region, actor = self.now
        url = urlsplit(request.url)
        body = request.body or b""
        body = body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else body.read()
        key = actor.key or "service"
        environ: dict[str, Any] = {
            "REQUEST_METHOD": request.method,
            "PATH_INFO": url.path or "/",
            "RAW_URI": url.path + (f"?{url.query}" if url.query else ""),
            "QUERY_STRING": url.query,
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.url_scheme": "http",
        }
        for name, value in request.headers.items():
            text = value.decode() if isinstance(value, bytes) else str(value)
            environ["HTTP_" + name.upper().replace("-", "_")] = text
        environ["CONTENT_TYPE"] = environ.pop("HTTP_CONTENT_TYPE", "")
        scope = f"{key}/20260101/{region}/{service}/aws4_request"
        environ["HTTP_AUTHORIZATION"] = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=x"
        environ["HTTP_HOST"] = HOST[0]
        environ["HTTP_USER_AGENT"] = AGENT
        environ["HTTP_X_MOTO_ACCOUNT_ID"] = account
        if actor.token:
            environ["HTTP_X_AMZ_SECURITY_TOKEN"] = actor.token
        answer = PERFORM[0](environ, body, actor.key is not None)
        headers = {"Content-Type": "text/xml", **answer.headers}
        return AWSResponse(request.url, answer.status or 500, _headers(headers), _Raw(answer.body))


def _headers(given: dict[str, str]) -> Any:
    from botocore.compat import HTTPHeaders

    return HTTPHeaders.from_dict(given)


_CLIENTS = _Clients()


def call(account: str, region: str, actor: Actor, service: str, operation: str, /, **params: Any) -> dict[str, Any]:
    """One call; what the service refuses raises `Failed` with the words that a stack's event has."""
    client = _CLIENTS.of(service)
    shape = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[operation]).input_shape
    before, _CLIENTS.now = _CLIENTS.now, (account, region, actor)
    try:
        told: dict[str, Any] = getattr(client, operation)(**(cast(params, shape) if shape else params))
    except ClientError as error:
        raise failure(service, error) from error
    except ParamValidationError as error:
        words = " ".join(str(error).split())
        raise Failed(f"Properties validation failed: {words}", "InvalidRequest") from error
    finally:
        _CLIENTS.now = before
    return told


def failure(service: str, error: ClientError) -> Failed:
    """A refusal in the words of a resource handler."""
    told = error.response["Error"]
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    code = next((name for name, parts in _HANDLER_CODES if any(part in told["Code"] for part in parts)), "")
    words = (
        f'Resource handler returned message: "{told["Message"]} (Service: {service.title()}, Status Code: {status},'
        f' Request ID: {uuid4()})" (RequestToken: {uuid4()}, HandlerErrorCode: {code or "GeneralServiceException"})'
    )
    return (Missing if code == "NotFound" else Failed)(words, told["Code"])


def cast(value: Any, shape: Shape) -> Any:
    """A value as its API wants it.

    Templates hold numbers and truths as texts and the other way about, and names with other capitals than some APIs.
    """
    kind = shape.type_name
    if kind == "structure" and isinstance(value, dict):
        known = {name.lower(): name for name in shape.members}
        told = {}
        for name, one in value.items():
            own = name if name in shape.members else known.get(name.lower(), name)
            told[own] = cast(one, shape.members[own]) if own in shape.members else one
        return told
    if kind == "list":
        return [cast(one, shape.member) for one in (value if isinstance(value, list) else [value])]
    if kind == "map" and isinstance(value, dict):
        return {str(name): cast(one, shape.value) for name, one in value.items()}
    if kind == "string":
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, (dict, list)):
            return json.dumps(value)
        return str(value)
    try:
        if kind in ("integer", "long") and isinstance(value, str):
            return int(value)
        if kind in ("float", "double") and isinstance(value, (str, int)):
            return float(value)
    except ValueError:
        return value
    if kind == "boolean" and isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    return value
