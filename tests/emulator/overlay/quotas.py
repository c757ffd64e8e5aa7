"""P7, second half: service quotas, settable by account and region. Knows values; no launch is held to them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from moto.utilities.utils import get_partition

from overlay import wire
from overlay.calls import Call
from overlay.world import on_reset

Answer = dict[str, Any]

#: Code: name and value of quotas by service. AWS starts new accounts with less.
KNOWN: dict[str, dict[str, tuple[str, float]]] = {
    "ec2": {
        "L-1216C47A": ("Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances", 1024),
        "L-DB2E81BA": ("Running On-Demand G and VT instances", 256),
        "L-417A185B": ("Running On-Demand P instances", 256),
        "L-74FC7D96": ("Running On-Demand F instances", 128),
        "L-1945791B": ("Running On-Demand Inf instances", 256),
        "L-2C3B7624": ("Running On-Demand Trn instances", 256),
        "L-7295265B": ("Running On-Demand X instances", 256),
        "L-43DA4232": ("Running On-Demand High Memory instances", 448),
        "L-34B43A08": ("All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests", 1024),
        "L-3819A6DF": ("All G and VT Spot Instance Requests", 256),
        "L-7212CCBC": ("All P4, P3 and P2 Spot Instance Requests", 256),
        "L-C4BD4855": ("All P5 Spot Instance Requests", 256),
        "L-88CF9481": ("All F Spot Instance Requests", 128),
        "L-B5D1601B": ("All Inf Spot Instance Requests", 256),
        "L-6B0D517C": ("All Trn Spot Instance Requests", 256),
        "L-E3A00192": ("All X Spot Instance Requests", 256),
        "L-0E3CBAB9": ("EC2-VPC Elastic IPs", 5),
    },
    "autoscaling": {
        "L-CDE20ADC": ("Auto Scaling groups per region", 500),
        "L-6B80B8FA": ("Launch configurations per region", 200),
    },
}
_NAMES = {"ec2": "Amazon Elastic Compute Cloud (Amazon EC2)", "autoscaling": "Amazon EC2 Auto Scaling"}
_set: dict[tuple[str, str, str, str], float] = {}
on_reset(_set.clear)


def set_value(account: str, region: str, service: str, code: str, value: float | None) -> None:
    """Another value of a quota in an account and region; none is the default again."""
    if code not in KNOWN.get(service, {}):
        raise ValueError(f"{service} has no quota {code} here; known: {', '.join(KNOWN.get(service, {}))}")
    if value is None:
        _set.pop((account, region, service, code), None)
    else:
        _set[(account, region, service, code)] = float(value)


def told() -> list[Answer]:
    """The values that were set."""
    names = ("account", "region", "service", "code")
    return [{**dict(zip(names, key, strict=True)), "value": value} for key, value in _set.items()]


def _row(call: Call, service: str, code: str, default: bool) -> Answer:
    name, usual = KNOWN[service][code]
    partition = get_partition(call.region)
    account = "" if default else call.account
    value = usual if default else _set.get((call.account, call.region, service, code), usual)
    return {
        "ServiceCode": service,
        "ServiceName": _NAMES[service],
        "QuotaArn": f"arn:{partition}:servicequotas:{call.region}:{account}:{service}/{code}",
        "QuotaCode": code,
        "QuotaName": name,
        "Value": float(value),
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
    }


def _listed(call: Call, default: bool) -> wire.Answer:
    service = call.params.get("ServiceCode")
    if service not in KNOWN:
        return wire.error(call, "NoSuchResourceException", f"The service {service} is not known.")
    size, token = call.params.get("MaxResults", 100), call.params.get("NextToken", "0")
    if not 1 <= size <= 100 or not token.isdigit():
        return wire.error(call, "IllegalArgumentException", "MaxResults must lie between 1 and 100.")
    codes = list(KNOWN[service])
    start, end = int(token), int(token) + size
    rows = [_row(call, service, code, default) for code in codes[start:end]]
    return _json({"Quotas": rows, **({"NextToken": str(end)} if end < len(codes) else {})})


def _got(call: Call, default: bool) -> wire.Answer:
    service, code = call.params.get("ServiceCode"), call.params.get("QuotaCode")
    if code not in KNOWN.get(service, {}):
        return wire.error(call, "NoSuchResourceException", f"The quota {code} of {service} is not known.")
    return _json({"Quota": _row(call, service, code, default)})


def _json(what: Answer) -> wire.Answer:
    return wire.Answer(200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(what).encode())


ANSWERS: dict[str, Callable[[Call], wire.Answer]] = {
    "servicequotas:ListServiceQuotas": lambda call: _listed(call, False),
    "servicequotas:ListAWSDefaultServiceQuotas": lambda call: _listed(call, True),
    "servicequotas:GetServiceQuota": lambda call: _got(call, False),
    "servicequotas:GetAWSDefaultServiceQuota": lambda call: _got(call, True),
}
