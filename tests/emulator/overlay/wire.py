"""Answers in each protocol's own form: errors written and read. Knows protocols, nothing of services' meaning."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from uuid import uuid4
from xml.sax.saxutils import escape

import cbor2

from overlay.calls import Call

_XML_CODE = re.compile(rb"<Code>([^<]+)</Code>")
_XML_MESSAGE = re.compile(rb"<Message>([^<]*)</Message>")

#: Status of codes where 400 would be wrong; SDKs decide by it whether they try again.
STATUS = {
    # EC2 lists a lack of capacity among its server errors.
    "InsufficientInstanceCapacity": 500,
    "InsufficientHostCapacity": 500,
    "InsufficientCapacity": 500,
    "InternalError": 500,
    "InternalFailure": 500,
    "InternalServiceErrorException": 500,
    "ResourceContention": 500,
    "RequestLimitExceeded": 503,
    "ServiceUnavailable": 503,
    "SlowDown": 503,
    "Unavailable": 503,
    "UnauthorizedOperation": 403,
    "AccessDenied": 403,
    "ExpiredToken": 403,
    "RequestExpired": 400,
    "InvalidClientTokenId": 403,
    "SignatureDoesNotMatch": 403,
    "RegionDisabledException": 403,
    "OptInRequired": 403,
    "AuthFailure": 401,
}


@dataclass
class Answer:
    """What goes back to the caller."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    #: The connection is closed without a word of this.
    lost: bool = False


def status_of(code: str) -> int:
    """The HTTP status that belongs to an error code."""
    return STATUS.get(code, 400)


def error(call: Call, code: str, message: str, status: int | None = None) -> Answer:
    """An error as the call's protocol writes it."""
    status = status or status_of(code)
    request = str(uuid4())
    if call.protocol == "ec2":
        body = (
            f"<Response><Errors><Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error></Errors>"
            f"<RequestID>{request}</RequestID></Response>"
        ).encode()
        return Answer(status, {"Content-Type": "text/xml;charset=UTF-8"}, body)
    if call.protocol == "json" or (call.protocol == "rest" and "json" in call.content_type):
        version = call.version if call.protocol == "json" else None
        headers = {
            "Content-Type": f"application/x-amz-json-{version}" if version else "application/json",
            "x-amzn-ErrorType": code,
            "x-amzn-RequestId": request,
        }
        if call.service == "sqs":
            headers["x-amzn-query-error"] = f"{code};{'Sender' if status < 500 else 'Receiver'}"
        return Answer(status, headers, json.dumps({"__type": code, "message": message}).encode())
    if call.protocol == "cbor":
        headers = {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor", "x-amzn-RequestId": request}
        return Answer(status, headers, cbor2.dumps({"__type": code, "message": message}))
    if call.service == "s3":
        body = (
            f"<Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message><RequestId>{request}</RequestId>"
            "</Error>"
        ).encode()
        return Answer(status, {"Content-Type": "application/xml"}, body)
    side = "Sender" if status < 500 else "Receiver"
    body = (
        f"<ErrorResponse><Error><Type>{side}</Type><Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
        f"</Error><RequestId>{request}</RequestId></ErrorResponse>"
    ).encode()
    return Answer(status, {"Content-Type": "text/xml"}, body)


def error_in(answer: Answer) -> tuple[str, str] | None:
    """Code and message of an answer that is an error, in whichever form."""
    if answer.status < 400:
        return None
    found = _XML_CODE.search(answer.body)
    if found:
        text = _XML_MESSAGE.search(answer.body)
        return found[1].decode(), text[1].decode("utf-8", "replace") if text else ""
    try:
        read = cbor2.loads(answer.body) if answer.headers.get("Content-Type", "").endswith("cbor") else None
        read = read or json.loads(answer.body)
        code = str(read.get("__type") or "").rsplit("#", 1)[-1]
        if code:
            return code, str(read.get("message") or read.get("Message") or "")
    except (ValueError, AttributeError, TypeError):
        pass
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return (headers.get("x-amzn-errortype") or f"HTTP{answer.status}"), ""
