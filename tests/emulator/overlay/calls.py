"""A call as it came in: whose, where, which action, with which parameters. Reads requests, never answers them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

import cbor2
from moto.core import DEFAULT_ACCOUNT_ID
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.utils import get_service_model
from moto.iam.models import iam_backends
from werkzeug.datastructures import MultiDict

CBOR_PATH = re.compile(r"^/service/(?P<service>[^/]+)/operation/(?P<action>[^/]+)$")
_CREDENTIAL = re.compile(r"Credential=(?P<key>[^/]+)/[^/]+/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request")

#: Signing names that differ from the prefix that IAM uses.
_IAM_PREFIX = {"monitoring": "cloudwatch", "eventbridge": "events"}
_READS = ("Describe", "List", "Get", "BatchGet", "Search", "Lookup", "Head", "Test", "Simulate")
#: Actions that no prefix tells.
_ALSO_READS = {
    "sts:AssumeRole",
    "sts:DecodeAuthorizationMessage",
    "sqs:ReceiveMessage",
    "dynamodb:Query",
    "dynamodb:Scan",
    "dynamodb:TransactGetItems",
}


#: Actions of S3 as IAM names them, by method and by what is asked of: an object, one version of it, a bucket.
_S3 = {
    ("GET", "object"): "GetObject",
    ("HEAD", "object"): "GetObject",
    ("PUT", "object"): "PutObject",
    ("DELETE", "object"): "DeleteObject",
    ("GET", "version"): "GetObjectVersion",
    ("HEAD", "version"): "GetObjectVersion",
    ("DELETE", "version"): "DeleteObjectVersion",
    ("GET", "bucket"): "ListBucket",
    ("HEAD", "bucket"): "ListBucket",
    ("PUT", "bucket"): "CreateBucket",
    ("DELETE", "bucket"): "DeleteBucket",
    ("GET", "versioning"): "GetBucketVersioning",
    ("PUT", "versioning"): "PutBucketVersioning",
    ("GET", "versions"): "ListBucketVersions",
}


@dataclass
class Call:
    """One request, told apart but not yet judged."""

    service: str
    action: str
    account: str
    region: str
    access_key: str
    protocol: str
    body: bytes
    agent: str
    token: str | None = None
    version: str | None = None
    content_type: str = ""
    path: str = "/"
    query: str = ""

    @property
    def name(self) -> str:
        """The action as IAM writes it: batches of SQS have none of their own."""
        action = self.action.removesuffix("Batch") if self.service == "sqs" else self.action
        return f"{self.service}:{action}"

    @cached_property
    def params(self) -> dict[str, Any]:
        """All parameters by their names in the API model; empty where they cannot be read."""
        try:
            return _params(self)
        except Exception:  # a request may be as broken as a test likes; moto answers it
            return {}

    @property
    def changing(self) -> bool:
        """Whether AWS would count the call as one that changes something."""
        if self.name in _ALSO_READS or self.action.startswith(_READS):
            return False
        return self.params.get("DryRun") is not True


def model_name(call: Call) -> str:
    """The name of the service's model in botocore."""
    if call.service == "elasticloadbalancing":
        return "elb" if call.version == "2012-06-01" else "elbv2"
    return {"aws-marketplace": "meteringmarketplace"}.get(call.service, call.service)


def account_of(access_key: str) -> str:
    """The account that an access key belongs to; the management account for keys that the emulator did not mint."""
    for account, partitions in list(iam_backends.items()):
        # Only what is there: moto's own search makes the backends of all partitions in every account.
        if any(access_key in backend.access_keys for backend in list(partitions.values())):
            return str(account)
    return DEFAULT_ACCOUNT_ID


def _place(path: str, query: str) -> dict[str, str]:
    """The bucket, key and version that a request to S3 names; the bucket stands in the path."""
    bucket, _, key = path.encode("latin-1").decode("utf-8", "replace").lstrip("/").partition("/")
    version = dict(parse_qsl(query)).get("versionId", "")
    named = {"Bucket": bucket, "Key": key, "VersionId": version}
    return {name: value for name, value in named.items() if value}


def _s3_action(method: str, path: str, query: str) -> str:
    place, words = _place(path, query), {name for name, _ in parse_qsl(query, keep_blank_values=True)}
    asked = "version" if "VersionId" in place else "object" if "Key" in place else "bucket"
    # `x-id` repeats the operation's name; what else may stand there asks for something that is not in the list.
    rest = words - {"versionId", "x-id", "list-type", "prefix", "delimiter", "max-keys", "encoding-type"}
    if asked == "bucket" and len(rest) == 1:
        asked = rest.pop()
    return "" if rest else _S3.get((method, asked), "")


def identify(environ: dict[str, Any], body: bytes) -> Call:
    """Tells what a request is; parts that cannot be told are `unknown`."""
    found = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    key, region, service = found.group("key", "region", "service") if found else ("", "us-east-1", "unknown")
    service = _IAM_PREFIX.get(service.lower(), service.lower())
    path = environ.get("PATH_INFO", "/")
    content_type = environ.get("CONTENT_TYPE", "")
    target = environ.get("HTTP_X_AMZ_TARGET")
    version = None
    cbor = CBOR_PATH.match(path)
    if cbor:
        protocol, action = "cbor", cbor["action"]
    elif target:
        protocol, action = "json", target.rsplit(".", 1)[-1]
        version = "1.0" if "json-1.0" in content_type else "1.1"
    else:
        text = body.decode("utf-8", "replace") if "x-www-form-urlencoded" in content_type else ""
        form = dict(parse_qsl(text or environ.get("QUERY_STRING", ""), keep_blank_values=True))
        version = form.get("Version")
        if "Action" in form:
            protocol, action = ("ec2" if service == "ec2" else "query"), form["Action"]
        else:
            method = environ.get("REQUEST_METHOD", "GET")
            protocol, action = "rest", f"{method} {path}"
            if service == "s3":
                action = _s3_action(method, path, environ.get("QUERY_STRING", "")) or action
            elif service == "savingsplans" and method == "POST":
                # Each operation's path is its name.
                action = path.lstrip("/")
    return Call(
        service=service,
        action=action,
        account=environ.get("HTTP_X_MOTO_ACCOUNT_ID") or account_of(key),
        region=region,
        access_key=key,
        protocol=protocol,
        body=body,
        agent=environ.get("HTTP_USER_AGENT", ""),
        token=environ.get("HTTP_X_AMZ_SECURITY_TOKEN"),
        version=version,
        content_type=content_type,
        path=path,
        query=environ.get("QUERY_STRING", ""),
    )


def _params(call: Call) -> dict[str, Any]:
    if call.protocol == "cbor":
        read = cbor2.loads(call.body) if call.body else {}
    elif call.protocol == "json":
        read = json.loads(call.body or b"{}")
    elif call.protocol in ("query", "ec2"):
        values = MultiDict(parse_qsl(call.body.decode("utf-8", "replace"), keep_blank_values=True))
        operation = get_service_model(model_name(call)).operation_model(call.action)
        request = {
            "method": "POST",
            "values": values,
            "headers": {},
            "body": call.body,
            "url_path": call.path,
            "url_params": {},
        }
        read = PROTOCOL_PARSERS[call.protocol](operation, map_type=dict).parse(request)
    elif call.service == "s3":
        read = _place(call.path, call.query)
    else:
        read = {}
    return read if isinstance(read, dict) else {}


def short(value: Any, text: int = 200, items: int = 30) -> Any:
    """A value as JSON that stays readable in a log: long texts and lists are cut, other kinds written out."""
    if isinstance(value, dict):
        return {str(key): short(inner, text, items) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        kept = [short(inner, text, items) for inner in value[:items]]
        return kept if len(value) <= items else [*kept, f"... {len(value) - items} more"]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    written = value if isinstance(value, str) else str(value)
    return written if len(written) <= text else f"{written[:text]}... {len(written)} characters"
