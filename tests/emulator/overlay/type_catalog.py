"""DescribeInstanceTypes in pages, of the types that a region offers. Knows moto's table of types and its serializer."""

from __future__ import annotations

from functools import cache
from typing import Any
from uuid import uuid4

from moto.core.serialize import SERIALIZERS, XFormedAttributePicker
from moto.core.utils import get_service_model
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import ec2_backends
from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS, InstanceType
from moto.ec2.responses import EC2Response

from overlay import wire
from overlay.calls import Call
from overlay.declared import Patch

PAGE = 100
#: What was written of each type. Writing all takes seconds, in which nothing else would be answered.
_WRITTEN: dict[str, str] = {}


def answer(call: Call) -> wire.Answer:
    """One page."""
    params = call.params
    names, size = params.get("InstanceTypes") or [], params.get("MaxResults")
    if names and size is not None:
        return wire.error(call, "InvalidParameterCombination", "InstanceTypes and MaxResults exclude each other")
    if len(names) > PAGE or (size is not None and not 5 <= int(size) <= PAGE):
        return wire.error(call, "InvalidParameterValue", "At most 100 types or results, at least 5 results")
    filters = {given["Name"]: given.get("Values", []) for given in params.get("Filters") or []}
    try:
        found = ec2_backends[call.account][call.region].describe_instance_types(names, filters)
        begin = int(params.get("NextToken") or 0)
    except EC2ClientError as error:
        return wire.error(call, error.code, error.message)
    except ValueError:
        return wire.error(call, "InvalidNextToken", "The token is not valid.")
    here = _offered(call.region)
    found = sorted((kind for kind in found if kind["InstanceType"] in here), key=lambda kind: kind["InstanceType"])
    end = begin + int(size or PAGE)
    token = f"<nextToken>{end}</nextToken>" if end < len(found) else ""
    body = (
        '<DescribeInstanceTypesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">'
        f"<requestId>{uuid4()}</requestId><instanceTypeSet>{''.join(_item(kind) for kind in found[begin:end])}"
        f"</instanceTypeSet>{token}</DescribeInstanceTypesResponse>"
    )
    return wire.Answer(200, {"Content-Type": "text/xml;charset=UTF-8"}, body.encode())


@cache
def _offered(region: str) -> frozenset[str]:
    return frozenset(offering["InstanceType"] for offering in INSTANCE_TYPE_OFFERINGS["region"].get(region, []))


@cache
def _serializer() -> Any:
    operation = get_service_model("ec2").operation_model("DescribeInstanceTypes")
    picker = XFormedAttributePicker(response_transformers=EC2Response.RESPONSE_KEY_PATH_TO_TRANSFORMER)
    return SERIALIZERS["ec2"](operation_model=operation, pretty_print=False, value_picker=picker)


def _item(kind: InstanceType) -> str:
    name = kind["InstanceType"]
    if name not in _WRITTEN:
        written = str(_serializer().serialize({"InstanceTypes": [kind]})["body"])
        _WRITTEN[name] = written.partition("<instanceTypeSet>")[2].rpartition("</instanceTypeSet>")[0]
    return _WRITTEN[name]


def _apply() -> None:
    """Nothing of moto is replaced: the gateway has this call answered here."""


PATCH = Patch(
    name="C-types",
    gap="DescribeInstanceTypes tells all types in every region, in one page of 6 MB that takes seconds",
    touches=(
        "moto.core.serialize:SERIALIZERS",
        "moto.core.serialize:XFormedAttributePicker",
        "moto.ec2.models.instance_types:InstanceTypeBackend.describe_instance_types",
    ),
    apply=_apply,
)
