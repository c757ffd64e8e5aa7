"""P8, second half: the calls that read and change groups, as requests and answers of moto.

Knows parameters and answers; what a change is checked for and does is next door.
"""

from __future__ import annotations

from typing import Any

from moto.autoscaling.exceptions import AutoscalingClientError, ValidationError
from moto.autoscaling.models import AutoScalingBackend, FakeAutoScalingGroup, InstanceState
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult, EmptyResult

from overlay import activities
from overlay import group_changes as changes
from overlay.declared import Patch, replace
from overlay.groups import settle, sync_load_balancers, take_out
from overlay.world import iso

#: Fields of a group that moto does not store, with the name it would serialize them by.
_STORED = {
    "DefaultInstanceWarmup": "default_instance_warmup",
    "MaxInstanceLifetime": "max_instance_lifetime",
    "HealthCheckGracePeriod": "health_check_grace_period",
    "DefaultCooldown": "default_cooldown",
    "CapacityRebalance": "capacity_rebalance",
    "TerminationPolicies": "termination_policies",
    "PlacementGroup": "placement_group",
    "DesiredCapacityType": "desired_capacity_type",
    "Context": "context",
}


def _create(self: AutoScalingResponse) -> ActionResult:
    params, backend = self.params, self.autoscaling_backend
    name = params.get("AutoScalingGroupName")
    if name in backend.autoscaling_groups:
        raise AutoscalingClientError(
            "AlreadyExists",
            f"AutoScalingGroup by this name already exists - A group with the name {name} already exists",
        )
    changes.check_bounds(int(params["MinSize"]), int(params["MaxSize"]), params.get("DesiredCapacity"))
    wanted = params.get("DesiredCapacity", params["MinSize"])
    # The group is made empty and then told what it wants, so that it is complete when it launches.
    self.params["DesiredCapacity"] = 0
    _vanilla["create_auto_scaling_group"](self)
    group = backend.autoscaling_groups[name]
    group.health_check_grace_period = 0
    # moto takes the local time for it.
    group.created_time = iso()
    _store(group, params)
    changes.desire(group, int(wanted), "a user request created an AutoScalingGroup")
    return EmptyResult()


def _update(self: AutoScalingResponse) -> ActionResult:
    params, backend = self.params, self.autoscaling_backend
    group = backend.autoscaling_groups[params.get("AutoScalingGroupName")]
    least = int(params.get("MinSize", group.min_size))
    most = int(params.get("MaxSize", group.max_size))
    desired = params.get("DesiredCapacity")
    changes.check_bounds(least, most, int(desired) if desired is not None else None)
    # Bounds that pass the capacity take it along.
    wanted = int(desired) if desired is not None else min(max(group.desired_capacity, least), most)
    policy = group.mixed_instances_policy
    before = group.desired_capacity
    params["DesiredCapacity"] = before
    suspended, group._suspended_processes = group._suspended_processes, ["Launch", "Terminate"]
    try:
        _vanilla["update_auto_scaling_group"](self)
    finally:
        group._suspended_processes = suspended
    if not any(params.get(name) for name in ("MixedInstancesPolicy", "LaunchTemplate", "LaunchConfigurationName")):
        group.mixed_instances_policy = policy
    elif params.get("LaunchConfigurationName"):
        group.ec2_launch_template = None
    _store(group, params)
    why = f"a user request update of AutoScalingGroup constraints to min: {least}, max: {most}, desired: {wanted}"
    changes.desire(group, wanted, why)
    return EmptyResult()


def _store(group: FakeAutoScalingGroup, params: dict[str, Any]) -> None:
    for name, attribute in _STORED.items():
        if params.get(name) is not None:
            setattr(group, attribute, params[name])


def _delete(self: AutoScalingResponse) -> ActionResult:
    backend, name = self.autoscaling_backend, self._get_param("AutoScalingGroupName")
    group = backend.autoscaling_groups[name]
    if group.instance_states and not self._get_bool_param("ForceDelete", False):
        raise AutoscalingClientError(
            "ResourceInUse", "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance "
            "request(s) still in the group."
        )  # fmt: skip
    group.min_size = group.desired_capacity = 0
    for member in list(group.instance_states):
        take_out(group, member, f"At {iso()} an instance was taken out of service as its group is deleted.")
    backend.autoscaling_groups.pop(name)
    return EmptyResult()


class _WithoutInstances:
    """A group as DescribeAutoScalingGroups tells it with IncludeInstances=false."""

    def __init__(self, group: FakeAutoScalingGroup) -> None:
        self._group = group
        self.instances: list[InstanceState] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._group, name)


def _describe_groups(self: AutoScalingResponse) -> ActionResult:
    if len(self._get_param("AutoScalingGroupNames", [])) > 100:
        raise ValidationError("At most 100 group names can be given")
    result = _vanilla["describe_auto_scaling_groups"](self)
    if self._get_bool_param("IncludeInstances", True) is False:
        told = result.result
        told["AutoScalingGroups"] = [_WithoutInstances(group) for group in told["AutoScalingGroups"]]
    return result


def _describe_instances(self: AutoScalingResponse) -> ActionResult:
    ids = self._get_param("InstanceIds", [])
    if len(ids) > 50:
        raise ValidationError("The number of instance ids exceeds the limit of 50")
    found = self.autoscaling_backend.describe_auto_scaling_instances(instance_ids=ids)
    size = min(self._get_int_param("MaxRecords", 50), 50)
    begin = int(self._get_param("NextToken") or 0)
    token = str(begin + size) if begin + size < len(found) else None
    return ActionResult({"AutoScalingInstances": found[begin : begin + size], "NextToken": token})


def _describe_activities(self: AutoScalingResponse) -> ActionResult:
    found, token = activities.described(self.autoscaling_backend, dict(self.params))
    return ActionResult({"Activities": found, "NextToken": token})


def _describe_refreshes(self: AutoScalingResponse) -> ActionResult:
    name = self._get_param("AutoScalingGroupName")
    self.autoscaling_backend.autoscaling_groups[name]
    return ActionResult({"InstanceRefreshes": changes.REFRESHES.get((self.current_account, self.region, name), [])})


def _terminate(self: AutoScalingResponse) -> ActionResult:
    one, several = self._get_param("InstanceId"), self._get_param("InstanceIds", [])
    decrement = self._get_bool_param("ShouldDecrementDesiredCapacity")
    if decrement is None:
        raise ValidationError("ShouldDecrementDesiredCapacity must be given")
    name = self._get_param("AutoScalingGroupName")
    told = changes.terminate(self.autoscaling_backend, [one] if one else several, decrement, name)
    return ActionResult({"Activity": told[0]} if one else {"Activities": told})


def _set_desired(self: AutoScalingResponse) -> ActionResult:
    changes.set_desired(
        self.autoscaling_backend, self._get_param("AutoScalingGroupName"), self._get_int_param("DesiredCapacity")
    )
    return EmptyResult()


_vanilla: dict[str, Any] = {}


def _apply() -> None:
    vanilla_init, vanilla_resume = AutoScalingBackend.__init__, AutoScalingBackend.resume_processes
    vanilla_protect = AutoScalingBackend.set_instance_protection

    def init(self: AutoScalingBackend, region_name: str, account_id: str) -> None:
        vanilla_init(self, region_name, account_id)
        self.autoscaling_groups = changes.NamedGroups()
        self.launch_configurations = changes.NamedConfigurations()

    def clamped(self: AutoScalingBackend, group_name: str, desired_capacity: int | None) -> None:
        group = self.autoscaling_groups[group_name]
        wanted = min(max(desired_capacity or 0, group.min_size or 0), group.max_size or 0)
        changes.desire(group, wanted, "a policy was executed,")

    def resume(self: AutoScalingBackend, group_name: str, scaling_processes: list[str]) -> None:
        vanilla_resume(self, group_name, scaling_processes)
        settle(self.autoscaling_groups[group_name])

    def protect(self: AutoScalingBackend, group_name: str, instance_ids: list[str], protected: bool | None) -> None:
        changes.members(self.autoscaling_groups[group_name], instance_ids)
        vanilla_protect(self, group_name, instance_ids, protected)

    backend = {
        "__init__": init,
        "attach_instances": changes.attach,
        "detach_instances": changes.detach,
        "enter_standby_instances": changes.enter_standby,
        "exit_standby_instances": changes.exit_standby,
        "set_desired_capacity": clamped,
        "notify_terminate_instances": changes.terminated_outside,
        "set_instance_health": changes.set_health,
        "resume_processes": resume,
        "set_instance_protection": protect,
        "update_attached_target_groups": lambda self, name: sync_load_balancers_of(self, name),
    }
    response = {
        "create_auto_scaling_group": _create,
        "update_auto_scaling_group": _update,
        "delete_auto_scaling_group": _delete,
        "describe_auto_scaling_groups": _describe_groups,
        "describe_auto_scaling_instances": _describe_instances,
        "describe_scaling_activities": _describe_activities,
        "terminate_instance_in_auto_scaling_group": _terminate,
        "set_desired_capacity": _set_desired,
    }
    for name, new in backend.items():
        replace(AutoScalingBackend, name, new)
    for name, new in response.items():
        _vanilla[name] = replace(AutoScalingResponse, name, new)
    AutoScalingResponse.describe_instance_refreshes = _describe_refreshes


def sync_load_balancers_of(backend: AutoScalingBackend, name: str) -> None:
    """Registers what is in service, by the group's name."""
    sync_load_balancers(backend.autoscaling_groups[name])


PATCH = Patch(
    name="P8-calls",
    gap=(
        "unknown groups crash, bounds are ignored, attach sets desired from the number of members and takes members of"
        " other groups, MaxSize does not lower desired, an update without a mixed policy drops it, the grace period"
        " cannot be 0, activities and refreshes are missing"
    ),
    touches=(
        "moto.autoscaling.models:AutoScalingBackend.attach_instances",
        "moto.autoscaling.models:AutoScalingBackend.notify_terminate_instances",
        "moto.autoscaling.models:AutoScalingBackend.update_attached_target_groups",
        "moto.autoscaling.responses:AutoScalingResponse.create_auto_scaling_group",
        "moto.autoscaling.responses:AutoScalingResponse.update_auto_scaling_group",
        "moto.autoscaling.responses:AutoScalingResponse.describe_scaling_activities",
    ),
    apply=_apply,
)
