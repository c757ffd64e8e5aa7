"""Changes of groups, under each guard."""

from __future__ import annotations

from typing import Any

from templates.asking import ALL, ALLOW, DENY, OUT, Row, group, let_in, member
from templates.places import OTHER
from templates.worlds import Options

#: Everything else that UpdateAutoScalingGroup could change and IAM can tell.
BESIDES_MAX: dict[str, Any] = {
    "MinSize": "0",
    "LaunchConfigurationName": "evil",
    "LaunchTemplateVersionSpecified": "true",
    "InstanceTypes": "m5.large",
    "TargetCapacityTypes": ("spot",),
    "VPCZoneIdentifiers": ("subnet-1",),
    "CapacityReservationIds": ("cr-1",),
    "CapacityReservationResourceGroupArns": ("arn:aws:resource-groups:eu-west-1:111122223333:group/a",),
}
MOVES = ("AttachInstances", "TerminateInstanceInAutoScalingGroup")


def groups() -> list[Row]:
    """Changes of groups, under each guard."""
    found = []
    for options, answers in (
        (Options(), {"true": ALLOW, "TRUE": ALLOW, None: DENY, "false": DENY, "yes": DENY}),
        (OUT, {"true": ALLOW, "True": ALLOW, None: ALLOW, "false": DENY, "False": DENY, "no": DENY, "": DENY}),
        (ALL, {"true": ALLOW, None: ALLOW, "false": ALLOW}),
    ):
        for says, allowed in answers.items():
            told = "has no tag" if says is None else f"says {says!r}"
            for action in MOVES:
                found.append(
                    Row(
                        f"{options.guard}: {action} where the group {told}",
                        member,
                        group(action, says),
                        allowed,
                        options,
                    )
                )
            found.append(
                Row(
                    f"{options.guard}: set MaxSize where the group {told}",
                    member,
                    group("UpdateAutoScalingGroup", says, MaxSize="3"),
                    allowed,
                    options,
                )
            )
        for key, value in BESIDES_MAX.items():
            found.append(
                Row(
                    f"{options.guard}: set MaxSize and {key}",
                    member,
                    group("UpdateAutoScalingGroup", "true", MaxSize="3", **{key: value}),
                    DENY,
                    options,
                )
            )
        found.append(
            Row(
                f"{options.guard}: update a group without MaxSize",
                member,
                group("UpdateAutoScalingGroup", "true"),
                DENY,
                options,
            )
        )
        for action in (
            "DeleteAutoScalingGroup",
            "SetDesiredCapacity",
            "SuspendProcesses",
            "CreateOrUpdateTags",
            "DetachInstances",
        ):
            found.append(Row(f"{options.guard}: {action}", member, group(action, "true"), DENY, options))
        there = {action: let_in(group(action, "true", OTHER.account)) for action in MOVES}
        there["UpdateAutoScalingGroup"] = let_in(group("UpdateAutoScalingGroup", "true", OTHER.account, MaxSize="3"))
        for action, checks in there.items():
            found.append(Row(f"{options.guard}: {action} in another account", member, checks, DENY, options))
    return found
