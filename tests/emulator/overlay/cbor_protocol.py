"""P12: CloudWatch over rpc-v2-cbor, by way of the JSON protocol that moto speaks.

Knows the two protocols and the shapes of the answers; nothing of metrics.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import cbor2
from moto.core.model import OperationModel
from moto.core.utils import get_service_model

from overlay import wire
from overlay.calls import CBOR_PATH
from overlay.declared import Patch


def to_json(environ: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
    """The same request in JSON 1.0, for moto."""
    found = CBOR_PATH.match(environ["PATH_INFO"])
    assert found is not None
    params = cbor2.loads(body) if body else {}
    written = json.dumps(params, default=_seconds).encode()
    changed = {
        **environ,
        "PATH_INFO": "/",
        "RAW_URI": "/",
        "REQUEST_URI": "/",
        "CONTENT_TYPE": "application/x-amz-json-1.0",
        "CONTENT_LENGTH": str(len(written)),
        "HTTP_X_AMZ_TARGET": f"{found['service']}.{found['action']}",
    }
    changed.pop("HTTP_SMITHY_PROTOCOL", None)
    return changed, written


def _seconds(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, bytes):
        return value.decode()
    raise TypeError(f"{type(value).__name__} has no place in JSON")


def from_json(answer: wire.Answer, action: str) -> wire.Answer:
    """moto's answer as CBOR, with times, floats and integers as the model says."""
    headers = {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}
    given = {name.lower(): value for name, value in answer.headers.items()}
    if "x-amzn-query-error" in given:
        headers["x-amzn-query-error"] = given["x-amzn-query-error"]
    read = json.loads(answer.body) if answer.body.strip() else {}
    if answer.status < 400:
        operation = get_service_model("cloudwatch").operation_model(action)
        assert isinstance(operation, OperationModel)
        read = _shaped(read, operation.output_shape)
    return wire.Answer(answer.status, headers, cbor2.dumps(read))


def _shaped(value: Any, shape: Any) -> Any:
    if value is None or shape is None:
        return value if shape is not None else {}
    match shape.type_name:
        case "structure":
            members = shape.members
            return {
                name: _shaped(inner, members[name])
                for name, inner in value.items()
                if name in members and inner is not None
            }
        case "list":
            return [_shaped(inner, shape.member) for inner in value]
        case "map":
            return {name: _shaped(inner, shape.value) for name, inner in value.items()}
        case "timestamp":
            return _instant(value)
        case "float" | "double":
            return float(value)
        case "integer" | "long":
            return int(value)
        case _:
            return value


def _instant(value: Any) -> cbor2.CBORTag:
    if isinstance(value, str):
        read = datetime.fromisoformat(value.replace("Z", "+00:00"))
        value = (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
    # Tag 1 is a time in seconds since 1970; the protocol allows no other.
    return cbor2.CBORTag(1, float(value))


def _apply() -> None:
    """Nothing of moto is replaced: the gateway turns such requests into JSON and the answers back."""


PATCH = Patch(
    name="P12",
    gap="rpc-v2-cbor, the only protocol of the Rust SDK for CloudWatch, is answered with 404",
    touches=("moto.cloudwatch.responses:CloudWatchResponse", "moto.core.utils:get_service_model"),
    apply=_apply,
)
