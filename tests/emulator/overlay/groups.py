"""P8, first half: how a group comes to its desired capacity, and what its members are.

Knows members, launches, victims and load balancers of one group; the calls that change groups are next door.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from moto.autoscaling.models import ASG_NAME_TAG, FakeAutoScalingGroup, InstanceState
from moto.ec2.models.instances import Instance
from moto.elb.models import LoadBalancer

from overlay import activities
from overlay.capacity import CAPACITY
from overlay.declared import Patch, replace
from overlay.launching import Refused, check, launch, merged, place_of, plain
from overlay.world import TIMINGS, iso, utc


def is_suspended(group: FakeAutoScalingGroup, process: str) -> bool:
    """Whether a process of the group is suspended."""
    return process in group._suspended_processes


def counted(group: FakeAutoScalingGroup) -> list[InstanceState]:
    """The members that count towards desired: all but those on standby."""
    return [member for member in group.instance_states if member.lifecycle_state != "Standby"]


def settle(group: FakeAutoScalingGroup, because: str = "") -> None:
    """Launches or terminates until desired is met, as far as suspended processes, capacity and protection allow."""
    while len(counted(group)) < (group.desired_capacity or 0) and not is_suspended(group, "Launch"):
        if not _launch_member(group, because):
            break
    while len(counted(group)) > (group.desired_capacity or 0) and not is_suspended(group, "Terminate"):
        victim = _victim(group)
        if victim is None:
            break
        before = len(counted(group))
        cause = (
            f"{because}At {iso()} an instance was taken out of service in response to a difference between desired "
            f"and actual capacity, shrinking the capacity from {before} to {before - 1}. At {iso()} instance "
            f"{victim.instance.id} was selected for termination."
        )
        take_out(group, victim, cause)
    sync_load_balancers(group)


def take_out(group: FakeAutoScalingGroup, member: InstanceState, cause: str) -> dict[str, Any]:
    """Ends a member: out of the group, out of its load balancers, terminated."""
    instance = member.instance
    leave(group, member)
    if instance._state.name != "terminated":
        instance.disable_api_termination = False
        group.ec2_backend.terminate_instances([instance.id])
    return activities.record(group, f"Terminating EC2 instance: {instance.id}", cause, instance)


def leave(group: FakeAutoScalingGroup, member: InstanceState) -> None:
    """The member is none any more; the instance stays as it is."""
    group.instance_states = [other for other in group.instance_states if other is not member]
    deregister(group, member.instance.id)
    member.instance.__dict__.pop("autoscaling_group", None)


def join(group: FakeAutoScalingGroup, instance: Instance, attached: bool) -> InstanceState:
    """The instance is a member from now on, in service once that takes no more time."""
    instance.autoscaling_group = group
    member = InstanceState(
        instance,
        protected_from_scale_in=group.new_instances_protected_from_scale_in,
        autoscaling_group=group,
    )
    member.joined, member.attached = utc(), attached
    member.image_id, member.availability_zone_id = instance.image_id, instance.placement.availability_zone_id
    member.template = None
    if not attached and group.ec2_launch_template is not None:
        version = group.ec2_launch_template.get_version(group.launch_template_version)
        member.template = {
            "LaunchTemplateId": group.ec2_launch_template.id,
            "LaunchTemplateName": group.ec2_launch_template.name,
            "Version": str(version.number),
        }
    member.configuration = None
    if not attached and group.launch_config is not None and group.ec2_launch_template is None:
        member.configuration = group.launch_config.name
    group.instance_states.append(member)
    return member


def sync_load_balancers(group: FakeAutoScalingGroup) -> None:
    """Members in service are registered, unless that is suspended."""
    if is_suspended(group, "AddToLoadBalancer") or group.name not in group.autoscaling_backend.autoscaling_groups:
        return
    serving = [member.instance for member in counted(group) if member.instance._state.name == "running"]
    for arn in group.target_group_arns or []:
        target_group = group.autoscaling_backend.elbv2_backend.target_groups.get(arn)
        if target_group is not None:
            new = [i for i in serving if i.id not in target_group.targets and i.state == "running"]
            target_group.register([{"Id": i.id, "Port": target_group.port} for i in new])
    for balancer in _classic(group):
        known = set(balancer.instance_ids)
        balancer.instance_autoscaling_ids.extend(i.id for i in serving if i.id not in known and i.state == "running")


def _classic(group: FakeAutoScalingGroup) -> list[LoadBalancer]:
    """The group's classic load balancers that are there."""
    balancers = group.autoscaling_backend.elb_backend.load_balancers
    return [balancers[name] for name in group.load_balancer_names or [] if name in balancers]


def deregister(group: FakeAutoScalingGroup, instance_id: str) -> None:
    """Out of all load balancers of the group; told as draining by moto for those that end."""
    for balancer in _classic(group):
        balancer.instance_autoscaling_ids = [i for i in balancer.instance_autoscaling_ids if i != instance_id]
    for arn in group.target_group_arns or []:
        target_group = group.autoscaling_backend.elbv2_backend.target_groups.get(arn)
        if target_group is not None:
            target_group.deregister_terminated_instances([instance_id])


def propagated(group: FakeAutoScalingGroup) -> dict[str, str]:
    """Tags that new members get from the group."""
    tags = {
        tag["Key"]: tag.get("Value") or ""
        for tag in group.tags
        if str(tag.get("PropagateAtLaunch", False)).lower() == "true"
    }
    return {**tags, ASG_NAME_TAG: group.name}


def _launch_member(group: FakeAutoScalingGroup, because: str) -> bool:
    backend = group.ec2_backend
    before = len(counted(group))
    try:
        params = _launch_params(group)
        place = place_of(backend, params)
        check(backend, params, place)
        refusal = CAPACITY.take(place)
        if refusal is not None:
            raise Refused(*refusal)
    except Refused as refused:
        cause = f"{because}At {iso()} an instance was started in response to a difference between desired and actual "
        cause += f"capacity, increasing the capacity from {before} to {before + 1}."
        activities.record(group, "Launching a new EC2 instance.", cause, failed=f"{refused.message} Launching failed.")
        return False
    instance = launch(backend, params).instances[0]
    join(group, instance, attached=False)
    cause = (
        f"{because}At {iso()} an instance was started in response to a difference between desired and actual capacity,"
        f" increasing the capacity from {before} to {before + 1}."
    )
    activities.record(group, f"Launching a new EC2 instance: {instance.id}", cause, instance)
    return True


def _launch_params(group: FakeAutoScalingGroup) -> dict[str, Any]:
    """What the group would launch now, as a request: its template's or configuration's fields, zone and tags."""
    backend = group.ec2_backend
    if group.ec2_launch_template is not None:
        number = group.ec2_launch_template.get_version(group.launch_template_version).number
        given = {"LaunchTemplateId": group.ec2_launch_template.id, "Version": str(number)}
        params = merged(backend, {"LaunchTemplate": given})
    else:
        params = _of_configuration(group.launch_config)
    _mix(group, params)
    subnet, zone = _next_site(group)
    nics = params.get("NetworkInterfaces")
    if subnet and nics:
        nics[0]["SubnetId"] = subnet
    elif subnet:
        params["SubnetId"] = subnet
    else:
        params["Placement"] = {**(params.get("Placement") or {}), "AvailabilityZone": zone}
    tags = [{"Key": key, "Value": value} for key, value in propagated(group).items()]
    specs = [{"ResourceType": "instance", "Tags": tags}]
    params["TagSpecifications"] = (params.get("TagSpecifications") or []) + specs
    return params


def _of_configuration(config: Any) -> dict[str, Any]:
    groups = list(config.security_groups or [])
    ids = [name for name in groups if name.startswith("sg-")]
    params: dict[str, Any] = {
        "ImageId": config.image_id,
        "InstanceType": config.instance_type,
        "EbsOptimized": bool(config.ebs_optimized),
        "Monitoring": {"Enabled": bool(config.instance_monitoring_enabled)},
    }
    if config.key_name:
        params["KeyName"] = config.key_name
    if config.user_data:
        params["UserData"] = str(config.user_data)
    if config.metadata_options:
        params["MetadataOptions"] = plain(dict(config.metadata_options))
    if config.iam_instance_profile:
        profile = config.iam_instance_profile
        params["IamInstanceProfile"] = {"Arn" if profile.startswith("arn:") else "Name": profile}
    mappings = plain(config.block_device_mapping_dict or [])
    params["BlockDeviceMappings"] = [m for m in mappings if not m.pop("NoDevice", False)]
    if config.associate_public_ip_address:
        params["NetworkInterfaces"] = [
            {"DeviceIndex": 0, "Groups": ids, "AssociatePublicIpAddress": True, "DeleteOnTermination": True}
        ]
    else:
        params.update({"SecurityGroupIds": ids, "SecurityGroups": [name for name in groups if name not in ids]})
    if config.spot_price:
        options = {"MaxPrice": config.spot_price, "SpotInstanceType": "one-time"}
        params["InstanceMarketOptions"] = {"MarketType": "spot", "SpotOptions": options}
    return params


def _mix(group: FakeAutoScalingGroup, params: dict[str, Any]) -> None:
    """On-demand or Spot as a mixed instances policy divides them, always of the first override's type."""
    policy = group.mixed_instances_policy
    if not policy:
        return
    first = next(iter((policy.get("LaunchTemplate") or {}).get("Overrides") or []), {})
    if first.get("InstanceType"):
        params["InstanceType"] = first["InstanceType"]
    spread = policy.get("InstancesDistribution") or {}
    base = int(spread.get("OnDemandBaseCapacity") or 0)
    percent = spread.get("OnDemandPercentageAboveBaseCapacity")
    share = 100 if percent is None else int(percent)
    wanted = group.desired_capacity or 0
    on_demand = min(wanted, base + -(-max(wanted - base, 0) * share // 100))
    have = sum(1 for member in counted(group) if member.instance.lifecycle != "spot")
    if have >= on_demand:
        params["InstanceMarketOptions"] = {"MarketType": "spot"}


def _next_site(group: FakeAutoScalingGroup) -> tuple[str | None, str]:
    """The subnet and zone with the fewest members, in the order of the group."""
    members = Counter(member.instance.placement.zone for member in counted(group))
    if group.vpc_zone_identifier:
        subnets = [group.ec2_backend.get_subnet(s.strip()) for s in group.vpc_zone_identifier.split(",")]
        chosen = min(subnets, key=lambda subnet: members[subnet.availability_zone])
        return chosen.id, chosen.availability_zone
    return None, min(group.availability_zones, key=lambda zone: members[zone])


def _victim(group: FakeAutoScalingGroup) -> InstanceState | None:
    """The oldest unprotected member of the fullest zone."""
    open_to = [member for member in counted(group) if not member.protected_from_scale_in]
    if not open_to:
        return None
    members = Counter(member.instance.placement.zone for member in counted(group))
    return max(open_to, key=lambda m: (members[m.instance.placement.zone], -m.instance.launch_time.timestamp()))


def _lifecycle(member: InstanceState) -> str:
    state = member.__dict__.get("_lifecycle_state", "InService")
    joined = member.__dict__.get("joined")
    if state == "InService" and joined is not None and (utc() - joined).total_seconds() < TIMINGS.in_service:
        return "Pending"
    return str(state)


def _apply() -> None:
    def set_desired_capacity(self: FakeAutoScalingGroup, new: int | None) -> None:
        self.desired_capacity = self.min_size if new is None else new
        settle(self)

    def replace_instances(self: FakeAutoScalingGroup, count_needed: int, propagated_tags: dict[str, str]) -> None:
        settle(self)

    def set_lifecycle(member: InstanceState, state: str) -> None:
        member.__dict__["_lifecycle_state"] = state

    replace(FakeAutoScalingGroup, "set_desired_capacity", set_desired_capacity)
    replace(FakeAutoScalingGroup, "replace_autoscaling_group_instances", replace_instances)
    InstanceState.lifecycle_state = property(_lifecycle, set_lifecycle)
    replace(InstanceState, "launch_template", property(lambda self: self.__dict__.get("template")))
    replace(InstanceState, "launch_configuration_name", property(lambda self: self.__dict__.get("configuration")))


PATCH = Patch(
    name="P8",
    gap=(
        "suspended Launch and Terminate have no effect, all members go to the first subnet without their template's"
        " metadata options, network interfaces or profile; members name the default version; no activities"
    ),
    touches=(
        "moto.autoscaling.models:FakeAutoScalingGroup.set_desired_capacity",
        "moto.autoscaling.models:FakeAutoScalingGroup.replace_autoscaling_group_instances",
        "moto.autoscaling.models:InstanceState.launch_template",
        "moto.autoscaling.models:InstanceState.launch_configuration_name",
    ),
    apply=_apply,
)
