"""P8: what each change of a group is checked for and does, with the words of Auto Scaling.

Knows which changes are refused and what each does to desired. How a group settles, and how calls are read and
answered, is next door.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from moto.autoscaling.exceptions import ValidationError
from moto.autoscaling.models import AutoScalingBackend, FakeAutoScalingGroup, InstanceState
from moto.elbv2.models import elbv2_backends

from overlay import activities
from overlay.groups import is_suspended, join, leave, propagated, settle, take_out
from overlay.world import iso, on_reset

#: Instance refreshes that DescribeInstanceRefreshes tells, by account, region and group; set by control.
REFRESHES: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
on_reset(REFRESHES.clear)


class Named(OrderedDict[str, Any]):
    """Groups or configurations by name, with Auto Scaling's own words for a name that is not there."""

    kind = ""

    def __missing__(self, name: str) -> Any:
        raise ValidationError(f"{self.kind} name not found - {self.kind} {name} not found")


class NamedGroups(Named):
    """Groups by name."""

    kind = "AutoScalingGroup"


class NamedConfigurations(Named):
    """Launch configurations by name."""

    kind = "Launch configuration"


def attach(backend: AutoScalingBackend, name: str, ids: list[str]) -> None:
    """AttachInstances: desired rises by as many as are attached; nothing happens if one of them cannot be."""
    group = backend.autoscaling_groups[name]
    if is_suspended(group, "Launch"):
        raise ValidationError(
            f"The Launch process of AutoScalingGroup {name} is suspended. Resume it to attach instances."
        )
    if not 1 <= len(ids) <= 20:
        raise ValidationError("Between 1 and 20 instance ids must be given")
    found = [_attachable(backend, group, ident) for ident in ids]
    desired = group.desired_capacity or 0
    if desired + len(ids) > group.max_size:
        raise ValidationError(
            f"AutoScalingGroup by name {name} has min-size={group.min_size}, max-size={group.max_size}, "
            f"desired-size={desired}. To attach {len(ids)} more instance{'s' * (len(ids) > 1)}, please update the "
            "AutoScalingGroup sizes appropriately."
        )
    for instance in found:
        before = group.desired_capacity
        group.desired_capacity = before + 1
        join(group, instance, attached=True)
        backend.ec2_backend.create_tags([instance.id], propagated(group))
        cause = (
            f"At {iso()} an instance was attached in response to a user request, increasing the capacity from "
            f"{before} to {before + 1}."
        )
        activities.record(group, f"Attaching an existing EC2 instance: {instance.id}", cause, instance)
    settle(group)


def _attachable(backend: AutoScalingBackend, group: FakeAutoScalingGroup, ident: str) -> Any:
    instance = backend.ec2_backend.get_instance_by_id(ident)
    if instance is None or instance._state.name == "terminated":
        raise ValidationError(f"Invalid Instance ID(s): [{ident}] specified")
    for other in backend.autoscaling_groups.values():
        if any(member.instance.id == ident for member in other.instance_states):
            raise ValidationError(f"Instance {ident} is already part of AutoScalingGroup:{other.name}")
    if instance.state != "running":
        raise ValidationError(f"Instance {ident} is not in correct state")
    if instance.placement.zone not in group.availability_zones:
        raise ValidationError(
            f"The availability zone {instance.placement.zone} of instance {ident} is none of AutoScalingGroup "
            f"{group.name}"
        )
    if instance.image_id not in backend.ec2_backend.amis:
        raise ValidationError(f"The image {instance.image_id} of instance {ident} does not exist")
    return instance


def members(group: FakeAutoScalingGroup, ids: list[str]) -> list[InstanceState]:
    """The members by id; all must be members of this group."""
    by_id = {member.instance.id: member for member in group.instance_states}
    for ident in ids:
        if ident not in by_id:
            raise ValidationError(f"The instance {ident} is not part of Auto Scaling group {group.name}.")
    return [by_id[ident] for ident in ids]


def lower(group: FakeAutoScalingGroup, by: int, doing: str) -> str:
    """Lowers desired within the bounds, and returns the words for it."""
    before = group.desired_capacity or 0
    if before - by < (group.min_size or 0):
        raise ValidationError(
            f"Currently, desiredSize equals minSize ({group.min_size}). {doing} instance without replacement will "
            "violate group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower "
            "group's min size."
        )
    group.desired_capacity = before - by
    return f", shrinking the capacity from {before} to {before - by}."


def terminate(backend: AutoScalingBackend, ids: list[str], decrement: bool, name: str | None) -> list[dict[str, Any]]:
    """TerminateInstanceInAutoScalingGroup: protection does not help, a member that is not decremented is replaced."""
    found = []
    for ident in ids:
        groups = [g for g in backend.autoscaling_groups.values() if name is None or g.name == name]
        pairs = [(g, m) for g in groups for m in g.instance_states if m.instance.id == ident]
        if not pairs:
            raise ValidationError(f"Instance Id not found - No managed instance found for instance ID: {ident}")
        found.append(pairs[0])
    told = []
    for group, member in found:
        shrunk = "."
        if decrement and member.lifecycle_state != "Standby":
            shrunk = lower(group, 1, "Terminating")
        cause = f"At {iso()} instance {member.instance.id} was taken out of service in response to a user request"
        activity = take_out(group, member, f"{cause}{shrunk}")
        activity.update(StatusCode="Successful")
        # The answer of the call is the activity at its beginning.
        told.append({**activity, "StatusCode": "InProgress", "Progress": 0, "EndTime": None})
        settle(group)
    return told


def detach(backend: AutoScalingBackend, name: str, ids: list[str], decrement: bool) -> list[dict[str, Any]]:
    """DetachInstances: the instance stays, out of its load balancers and without the group's tag."""
    group = backend.autoscaling_groups[name]
    found = members(group, ids)
    shrunk = lower(group, len([m for m in found if m.lifecycle_state != "Standby"]), "Detaching") if decrement else "."
    told = []
    for member in found:
        instance = member.instance
        leave(group, member)
        backend.ec2_backend.delete_tags([instance.id], {"aws:autoscaling:groupName": group.name})
        cause = f"At {iso()} instance {instance.id} was detached in response to a user request{shrunk}"
        told.append(activities.record(group, f"Detaching EC2 instance: {instance.id}", cause, instance))
    settle(group)
    return told


def enter_standby(backend: AutoScalingBackend, name: str, ids: list[str], decrement: bool) -> list[dict[str, Any]]:
    """EnterStandby: out of the load balancers and out of the count."""
    group = backend.autoscaling_groups[name]
    found = members(group, ids)
    shrunk = lower(group, len(found), "Putting into standby an") if decrement else "."
    told = []
    for member in found:
        member.lifecycle_state = "Standby"
        for arn in group.target_group_arns or []:
            elbv2_backends[group.account_id][group.region].target_groups[arn].targets.pop(member.instance.id, None)
        ident = member.instance.id
        cause = f"At {iso()} instance {ident} was moved to standby in response to a user request{shrunk}"
        told.append(activities.record(group, f"Moving EC2 instance to Standby: {ident}", cause, member.instance))
    settle(group)
    return told


def exit_standby(backend: AutoScalingBackend, name: str, ids: list[str]) -> list[dict[str, Any]]:
    """ExitStandby: back in service, and desired rises."""
    group = backend.autoscaling_groups[name]
    found = members(group, ids)
    before = group.desired_capacity or 0
    if before + len(found) > group.max_size:
        raise ValidationError(f"AutoScalingGroup {name} would exceed its max-size {group.max_size}")
    group.desired_capacity = before + len(found)
    told = []
    for member in found:
        member.lifecycle_state = "InService"
        ident = member.instance.id
        cause = (
            f"At {iso()} instance {ident} was moved out of standby in response to a user request, increasing the "
            f"capacity from {before} to {group.desired_capacity}."
        )
        description = f"Moving EC2 instance out of Standby: {ident}"
        told.append(activities.record(group, description, cause, member.instance))
    settle(group)
    return told


def set_desired(backend: AutoScalingBackend, name: str, wanted: int) -> None:
    """SetDesiredCapacity within the bounds."""
    group = backend.autoscaling_groups[name]
    if wanted > group.max_size:
        raise ValidationError(
            f"New SetDesiredCapacity value {wanted} is above max value {group.max_size} for the AutoScalingGroup."
        )
    if wanted < group.min_size:
        raise ValidationError(
            f"New SetDesiredCapacity value {wanted} is below min value {group.min_size} for the AutoScalingGroup."
        )
    desire(group, wanted, "a user request explicitly set group desired capacity")


def desire(group: FakeAutoScalingGroup, wanted: int, why: str) -> None:
    """Sets desired and settles; the cause of what follows begins with why."""
    before = group.desired_capacity
    group.desired_capacity = wanted
    because = f"At {iso()} {why} changing the desired capacity from {before} to {wanted}. " if wanted != before else ""
    settle(group, because)


def terminated_outside(backend: AutoScalingBackend, ids: list[str]) -> None:
    """Members that EC2 ended: the group finds out by its health check and replaces them."""
    for group in list(backend.autoscaling_groups.values()):
        lost = [member for member in group.instance_states if member.instance.id in ids]
        if not lost or is_suspended(group, "HealthCheck") or is_suspended(group, "ReplaceUnhealthy"):
            for member in lost:
                member.health_status = "Unhealthy"
            continue
        for member in lost:
            cause = (
                f"At {iso()} an instance was taken out of service in response to an EC2 health check indicating it "
                "has been terminated or stopped."
            )
            take_out(group, member, cause)
        settle(group)


def set_health(backend: AutoScalingBackend, ident: str, status: str) -> None:
    """SetInstanceHealth: an unhealthy member is replaced, unless that is suspended."""
    for group in backend.autoscaling_groups.values():
        for member in group.instance_states:
            if member.instance.id != ident:
                continue
            member.health_status = status
            if status == "Unhealthy" and not is_suspended(group, "ReplaceUnhealthy"):
                cause = f"At {iso()} an instance was taken out of service in response to a user health-check."
                take_out(group, member, cause)
                settle(group)
            return
    raise ValidationError(f"Instance Id not found - No managed instance found for instance ID: {ident}")


def check_bounds(least: int, most: int, desired: int | None) -> None:
    """The bounds of CreateAutoScalingGroup and UpdateAutoScalingGroup."""
    if least > most:
        raise ValidationError(f"Max bound, {most}, must be greater than or equal to min bound, {least}")
    if desired is not None and not least <= desired <= most:
        raise ValidationError(
            f"Desired capacity:{desired} must be between the specified min size:{least} and max size:{most}"
        )
