"""Instances that AWS takes back: recommendation, warning, the end, and what each tells on the default bus.

Knows one instance at a time; that a group replaces what it lost is the group's own business.
"""

from __future__ import annotations

import itertools
import time
from typing import Any

from moto.autoscaling.models import autoscaling_backends
from moto.ec2.models import ec2_backends
from moto.elbv2.models import elbv2_backends

from overlay.event_bus import put_service_event
from overlay.group_changes import terminated_outside
from overlay.instance_states import mark_interrupted
from overlay.world import LATER, on_reset

#: What was asked for and how far it is, by number.
ASKED: dict[int, dict[str, Any]] = {}
on_reset(ASKED.clear)
_numbers = itertools.count(1)

_FIELDS = {
    "account": None,
    "region": None,
    "instance": None,
    "recommendation": False,
    "warning": True,
    "terminate": True,
    "warning_after": 0.0,
    "terminate_after": 120.0,
    "action": "terminate",
    "copies": 1,
}


def interrupt(given: dict[str, Any]) -> dict[str, Any]:
    """Starts an interruption; what it has done so far can be asked for by its number."""
    unknown = set(given) - set(_FIELDS)
    if unknown:
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(_FIELDS)}")
    asked = {**_FIELDS, **given}
    account, region, ident = str(asked["account"]), str(asked["region"]), str(asked["instance"])
    instance = ec2_backends[account][region].get_instance_by_id(ident)
    if instance is None:
        raise ValueError(f"no instance {ident} in {account} {region}")
    if instance._state.name != "running":
        raise ValueError(f"{ident} is {instance._state.name}")
    number = next(_numbers)
    note = ASKED[number] = {"id": number, **asked, "done": []}
    arn = f"arn:aws:ec2:{region}:{account}:instance/{ident}"

    def tell(kind: str, detail: dict[str, Any]) -> None:
        event = {"source": "aws.ec2", "detail-type": kind, "resources": [arn], "detail": detail}
        event = put_service_event(account, region, event)
        for _ in range(int(asked["copies"]) - 1):
            put_service_event(account, region, event)
        note["done"].append({"at": time.time(), "what": kind, "event": event["id"]})

    def warn() -> None:
        mark_interrupted(instance)
        if not asked["warning"]:
            # AWS's events are best effort: this one was lost, and only the Spot request tells.
            note["done"].append({"at": time.time(), "what": "marked"})
            return
        detail = {"instance-id": ident, "instance-action": asked["action"]}
        tell("EC2 Spot Instance Interruption Warning", detail)

    def end() -> None:
        if instance._state.name == "terminated":
            note["done"].append({"at": time.time(), "what": "was gone before"})
            return
        take_back(account, region, ident)
        note["done"].append({"at": time.time(), "what": "terminated"})

    if asked["recommendation"]:
        LATER.after(0, lambda: tell("EC2 Instance Rebalance Recommendation", {"instance-id": ident}))
    LATER.after(float(asked["warning_after"]), warn)
    if asked["terminate"]:
        LATER.after(float(asked["warning_after"]) + float(asked["terminate_after"]), end)
    return note


def take_back(account: str, region: str, ident: str) -> None:
    """Ends an instance as EC2 does when it takes one back."""
    backend = ec2_backends[account][region]
    instance = backend.get_instance_by_id(ident)
    mark_interrupted(instance)
    instance.disable_api_termination = False
    backend.terminate_instances([ident])
    terminated_outside(autoscaling_backends[account][region], [ident])
    elbv2_backends[account][region].notify_terminate_instances([ident])
