"""Launching and ending instances."""

from __future__ import annotations

from templates.asking import (
    ALLOW,
    CONFIGURED,
    DENY,
    EVERYTHING,
    FALLBACK,
    NETWORK,
    TEMPLATE,
    Row,
    ask,
    bounded,
    ec2,
    fleet,
    launch,
    let_in,
    member,
    narrowed,
)
from templates.places import MEMBER, OTHER
from templates.worlds import ROLE


def launches() -> list[Row]:
    """Launching and ending instances."""
    plain = launch(template=None)
    also = ("network-interface", "spot-instances-request", "volume")
    tag = {"aws__ResourceTag___spothub__managed": "true"}
    asked = {"aws__RequestTag___spothub__managed": "true"}
    theirs = TEMPLATE.replace(MEMBER.account, OTHER.account)
    return [
        Row("run Spot from a template", member, launch(), ALLOW),
        Row(
            "run Spot from a template that tags volumes, interfaces and the Spot request",
            member,
            launch(tags_too=also),
            ALLOW,
        ),
        Row(
            "run Spot in a subnet, security group and placement group that another account shares",
            member,
            launch(network=NETWORK),
            ALLOW,
        ),
        Row("run Spot without our tag", member, launch(tagged=False), DENY),
        Row("run on demand from a template, without the fallback", member, launch(market="on-demand"), DENY),
        Row("run in a capacity block", member, launch(market="capacity-block"), DENY, EVERYTHING),
        Row("run another image than the template's", member, launch(image_given=True), DENY),
        Row("run with another key pair than the template's", member, launch(key_given=True), DENY),
        Row(
            "run another image than the template's, with launch configurations",
            member,
            launch(image_given=True),
            DENY,
            CONFIGURED,
        ),
        Row("run from a template of another account", member, launch(template=theirs), DENY),
        Row("run Spot without a template", member, plain, DENY),
        Row("run Spot without a template, with launch configurations", member, plain, ALLOW, CONFIGURED),
        Row(
            "run Spot without a template and our tag, with launch configurations",
            member,
            launch(template=None, tagged=False),
            DENY,
            CONFIGURED,
        ),
        Row(
            "run on demand without a template, with launch configurations",
            member,
            launch(template=None, market="on-demand"),
            DENY,
            CONFIGURED,
        ),
        Row(
            "run in a capacity reservation, with launch configurations",
            member,
            ask("ec2:RunInstances", ec2("capacity-reservation")),
            DENY,
            EVERYTHING,
        ),
        Row("run on demand from a template, with the fallback", member, launch(market="on-demand"), ALLOW, FALLBACK),
        Row(
            "run on demand without our tag, with the fallback",
            member,
            launch(market="on-demand", tagged=False),
            DENY,
            FALLBACK,
        ),
        Row(
            "run on demand without a template, with the fallback",
            member,
            launch(template=None, market="on-demand"),
            DENY,
            FALLBACK,
        ),
        Row(
            "run on demand without a template, with the fallback and launch configurations",
            member,
            launch(template=None, market="on-demand"),
            ALLOW,
            EVERYTHING,
        ),
        Row(
            "run on a template's licence configuration",
            member,
            ask(
                "ec2:RunInstances",
                ec2("license-configuration"),
                ec2__LaunchTemplate=TEMPLATE,
                ec2__IsLaunchTemplateResource="true",
            ),
            DENY,
            EVERYTHING,
        ),
        Row(
            "have an instance, as one part of a launch, without a template",
            member,
            ask("ec2:RunInstances", ec2("instance"), ec2__InstanceMarketType="spot", **asked),
            DENY,
        ),
        Row(
            "have an instance, as one part of a launch, from another account's template",
            member,
            ask(
                "ec2:RunInstances", ec2("instance"), ec2__InstanceMarketType="spot", ec2__LaunchTemplate=theirs, **asked
            ),
            DENY,
            CONFIGURED,
        ),
        Row(
            "use a subnet, as one part of a launch, without a template",
            member,
            ask("ec2:RunInstances", ec2("subnet")),
            DENY,
        ),
        Row(
            "use an image, as one part of a launch, from another account's template",
            member,
            ask("ec2:RunInstances", ec2("image"), ec2__LaunchTemplate=theirs, ec2__IsLaunchTemplateResource="true"),
            DENY,
        ),
        Row(
            "have an instance in another account",
            member,
            let_in(
                ask(
                    "ec2:RunInstances",
                    ec2("instance", OTHER.account),
                    ec2__InstanceMarketType="spot",
                    ec2__LaunchTemplate=TEMPLATE,
                    **asked,
                )
            ),
            DENY,
        ),
        Row(
            "have an instance in another account, with launch configurations",
            member,
            let_in(ask("ec2:RunInstances", ec2("instance", OTHER.account), ec2__InstanceMarketType="spot", **asked)),
            DENY,
            CONFIGURED,
        ),
        Row(
            "have an instance on demand in another account, with the fallback",
            member,
            let_in(
                ask("ec2:RunInstances", ec2("instance", OTHER.account), ec2__InstanceMarketType="on-demand", **asked)
            ),
            DENY,
            FALLBACK,
        ),
        Row("ask for a fleet", member, fleet(), ALLOW),
        Row("ask for a fleet that tags volumes, interfaces and the Spot request", member, fleet(tags_too=also), ALLOW),
        Row("ask for a fleet without our tag", member, fleet(tagged=False), DENY),
        Row("ask for a fleet on demand, without the fallback", member, fleet(market="on-demand"), DENY),
        Row("ask for a fleet with another image", member, fleet(image_given=True), DENY),
        Row(
            "ask for a fleet in a capacity reservation",
            member,
            ask("ec2:CreateFleet", ec2("capacity-reservation"), aws__RequestTag___spothub__managed="true"),
            DENY,
            EVERYTHING,
        ),
        Row("ask for a fleet below a boundary that knows no fleets", bounded("without-fleets"), fleet(), DENY),
        Row("run Spot below a boundary that knows no fleets", bounded("without-fleets"), launch(), ALLOW),
        Row("ask for a fleet below a wide boundary", bounded("wide"), fleet(), ALLOW),
        Row(
            "terminate on demand below a wide boundary",
            bounded("wide"),
            ask("ec2:TerminateInstances", ec2("instance/i-1")),
            DENY,
        ),
        Row("tag an instance that runs already", member, ask("ec2:CreateTags", ec2("instance/i-1")), DENY, EVERYTHING),
        Row(
            "tag a volume while it is made otherwise",
            member,
            ask("ec2:CreateTags", ec2("volume"), ec2__CreateAction="CreateVolume"),
            DENY,
            EVERYTHING,
        ),
        Row(
            "tag an image at a launch",
            member,
            ask("ec2:CreateTags", ec2("image"), ec2__CreateAction="RunInstances"),
            DENY,
            EVERYTHING,
        ),
        Row("terminate an instance of ours", member, ask("ec2:TerminateInstances", ec2("instance/i-1"), **tag), ALLOW),
        Row("terminate an instance without our tag", member, ask("ec2:TerminateInstances", ec2("instance/i-1")), DENY),
        Row(
            "terminate an instance whose tag says something else",
            member,
            ask("ec2:TerminateInstances", ec2("instance/i-1"), aws__ResourceTag___spothub__managed="yes"),
            DENY,
        ),
        Row(
            "terminate an instance of ours in another account",
            member,
            let_in(ask("ec2:TerminateInstances", ec2("instance/i-1", OTHER.account), **tag)),
            DENY,
        ),
        Row("stop an instance of ours", member, ask("ec2:StopInstances", ec2("instance/i-1"), **tag), DENY),
        Row("run Spot by a session that is narrowed to Ireland, there", narrowed("eu-west-1"), launch(), ALLOW),
        Row("run Spot by a session that is narrowed to Ireland, elsewhere", narrowed("us-east-1"), launch(), DENY),
        Row(
            "pass a role by a session that is narrowed to Ireland",
            narrowed("us-east-1"),
            ask("iam:PassRole", ROLE.format(MEMBER.account, "web"), iam__PassedToService="ec2.amazonaws.com"),
            ALLOW,
        ),
    ]
