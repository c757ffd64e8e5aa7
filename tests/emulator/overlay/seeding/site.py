"""One account in one region: its network, launch templates or configurations, and groups."""

from __future__ import annotations

from typing import Any
from zlib import crc32

from overlay.seeding.clients import Clients
from overlay.seeding.description import Account, Group


def build_site(clients: Clients, account: Account, region: str) -> dict[str, Any]:
    """Makes a network and all groups of the account that belong to the region; tells all ids."""
    ec2 = clients.of("ec2", region)
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    zones = [zone["ZoneName"] for zone in ec2.describe_availability_zones()["AvailabilityZones"]][: account.zones]
    subnets = {
        zone: ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{at * 16}.0/20", AvailabilityZone=zone)["Subnet"][
            "SubnetId"
        ]
        for at, zone in enumerate(zones)
    }
    security = ec2.create_security_group(GroupName="members", Description="members of groups", VpcId=vpc)["GroupId"]
    site = {"vpc": vpc, "subnets": subnets, "security_group": security}
    groups = []
    for group in account.groups:
        if group.region in (None, region):
            for number in range(group.count):
                name = group.name if group.count == 1 else f"{group.name}-{number + 1}"
                groups.append(_group(clients, group, name, region, site))
    return {**site, "groups": groups}


def _group(clients: Clients, group: Group, name: str, region: str, site: dict[str, Any]) -> dict[str, Any]:
    scaling = clients.of("autoscaling", region)
    told: dict[str, Any] = {"name": name, "target_groups": _target_groups(clients, group, name, region, site)}
    params: dict[str, Any] = {
        "AutoScalingGroupName": name,
        "MinSize": group.min,
        "MaxSize": group.max,
        "DesiredCapacity": group.desired,
        "VPCZoneIdentifier": ",".join(site["subnets"].values()),
        "HealthCheckGracePeriod": group.grace,
        "Tags": [{"Key": key, "Value": value, "PropagateAtLaunch": True} for key, value in group.tags.items()],
        **group.more,
    }
    if told["target_groups"]:
        params["TargetGroupARNs"] = told["target_groups"]
    if "MixedInstancesPolicy" not in group.more:
        params.update(_launch(clients, group, name, region, site, told))
    scaling.create_auto_scaling_group(**params)
    if group.suspended:
        scaling.suspend_processes(AutoScalingGroupName=name, ScalingProcesses=group.suspended)
    seen = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"][0]
    told["arn"] = seen["AutoScalingGroupARN"]
    told["instances"] = [member["InstanceId"] for member in seen["Instances"]]
    return told


def _launch(
    clients: Clients, group: Group, name: str, region: str, site: dict[str, Any], told: dict[str, Any]
) -> dict[str, Any]:
    """What the group launches from, made for it; its id or name is told."""
    if group.launch == "configuration":
        data = {"SecurityGroups": [site["security_group"]], **group.data}
        clients.of("autoscaling", region).create_launch_configuration(
            LaunchConfigurationName=name, ImageId=group.image, InstanceType=group.type, **data
        )
        told["launch_configuration"] = name
        return {"LaunchConfigurationName": name}
    data = {"ImageId": group.image, "InstanceType": group.type, **group.data}
    if "NetworkInterfaces" not in data:
        data.setdefault("SecurityGroupIds", [site["security_group"]])
    # Template names have a narrower alphabet than group names, so they are numbered by what they are for.
    safe = "".join(letter if letter.isalnum() or letter in "()./_-" else "-" for letter in name)[:100]
    made = clients.of("ec2", region).create_launch_template(
        LaunchTemplateName=f"{safe}-{crc32(name.encode()):08x}" if safe != name else safe, LaunchTemplateData=data
    )
    ident = made["LaunchTemplate"]["LaunchTemplateId"]
    told["launch_template"] = ident
    return {"LaunchTemplate": {"LaunchTemplateId": ident, "Version": group.version}}


def _target_groups(clients: Clients, group: Group, name: str, region: str, site: dict[str, Any]) -> list[str]:
    balancers = clients.of("elbv2", region)
    safe = "".join(letter if letter.isalnum() else "-" for letter in name)[:24].strip("-")
    return [
        balancers.create_target_group(
            Name=f"{safe}-{number + 1}", Protocol="HTTP", Port=80 + number, VpcId=site["vpc"]
        )["TargetGroups"][0]["TargetGroupArn"]
        for number in range(group.target_groups)
    ]
