"""Scaling activities of groups: recorded when something happens, told newest first. Decides nothing."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

from moto.autoscaling.models import AutoScalingBackend, FakeAutoScalingGroup
from moto.ec2.models.instances import Instance

from overlay import event_bus
from overlay.world import SWITCHES, iso, utc


def all_of(backend: AutoScalingBackend) -> list[dict[str, Any]]:
    """The activities of an account's region, oldest first; moto forgets them with the rest on a reset."""
    kept: list[dict[str, Any]] = backend.__dict__.setdefault("harness_activities", [])
    return kept


def record(
    group: FakeAutoScalingGroup,
    description: str,
    cause: str,
    instance: Instance | None = None,
    failed: str | None = None,
) -> dict[str, Any]:
    """Notes an activity that is over, and tells it as an event where events are on."""
    now = utc()
    details: dict[str, str] = {}
    if instance is not None:
        details = {"Subnet ID": instance.subnet_id or "", "Availability Zone": instance.placement.zone or ""}
    activity = {
        "ActivityId": str(uuid4()),
        "AutoScalingGroupName": group.name,
        "AutoScalingGroupARN": group.arn,
        "Description": description,
        "Cause": cause,
        "StartTime": now,
        "EndTime": now,
        "StatusCode": "Failed" if failed else "Successful",
        "Progress": 100,
        "Details": json.dumps(details),
    }
    if failed:
        activity["StatusMessage"] = failed
    all_of(group.autoscaling_backend).append(activity)
    if SWITCHES.service_events:
        _tell(group, activity, details, instance)
    return activity


def _tell(
    group: FakeAutoScalingGroup, activity: dict[str, Any], details: dict[str, str], instance: Instance | None
) -> None:
    description = activity["Description"]
    kind = "Launch" if description.startswith(("Launching", "Attaching")) else "Terminate"
    if not description.startswith(("Launching", "Attaching", "Terminating", "Detaching")):
        return
    failed = activity["StatusCode"] == "Failed"
    ident = instance.id if instance is not None else ""
    detail = {
        "StatusCode": "Failed" if failed else "InProgress",
        "Description": description,
        "AutoScalingGroupName": group.name,
        "ActivityId": activity["ActivityId"],
        "Details": details,
        "RequestId": activity["ActivityId"],
        "StatusMessage": activity.get("StatusMessage", ""),
        "StartTime": iso(activity["StartTime"]),
        "EndTime": iso(activity["EndTime"]),
        "EC2InstanceId": ident,
        "Cause": activity["Cause"],
    }
    resources = [group.arn]
    if ident:
        resources.append(f"arn:aws:ec2:{group.region}:{group.account_id}:instance/{ident}")
    event_bus.put_service_event(
        group.account_id,
        group.region,
        {
            "source": "aws.autoscaling",
            "detail-type": f"EC2 Instance {kind} {'Unsuccessful' if failed else 'Successful'}",
            "resources": resources,
            "detail": detail,
        },
    )


def described(backend: AutoScalingBackend, params: dict[str, Any]) -> tuple[list[dict[str, Any]], str | None]:
    """DescribeScalingActivities: one page, newest first, and the token of the next."""
    found = list(reversed(all_of(backend)))
    name, ids = params.get("AutoScalingGroupName"), params.get("ActivityIds") or []
    if name:
        found = [activity for activity in found if activity["AutoScalingGroupName"] == name]
    elif not params.get("IncludeDeletedGroups"):
        found = [activity for activity in found if activity["AutoScalingGroupName"] in backend.autoscaling_groups]
    if ids:
        found = [activity for activity in found if activity["ActivityId"] in ids]
    size = min(int(params.get("MaxRecords") or 100), 100)
    begin = int(params.get("NextToken") or 0)
    more = begin + size < len(found)
    return found[begin : begin + size], str(begin + size) if more else None
