"""The allow/deny table: who asks for what, and what AWS has to answer by our documents."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any, NamedTuple

from templates.judge import Caller, Check
from templates.places import EXTERNAL_ID, HUB, MEMBER, ORGANIZATION, OTHER, OTHER_ORGANIZATION, Place
from templates.rollouts import bus_arn
from templates.worlds import DEAD_KEY, HUB_KEY, LOGS, OPERATORS, OTHER_KEY, PLAIN_KEY, REPOSITORY, ROLE, VOLUME_KEY, Options

ALLOW, DENY = True, False
#: The account that shares its network with the others.
NETWORK = "121212121212"


class Row(NamedTuple):
    """One question, which may need several rights, and its answer."""

    name: str
    caller: Caller
    checks: tuple[Check, ...]
    allowed: bool
    options: Options = Options()


# Who asks.

_MEMBER_DOCUMENTS = (
    "member", "member-groups-opt-in-tag", "member-groups-opt-out-tag", "member-groups-none",
    "member-launch-configurations", "member-on-demand-fallback", "member-pass-role", "member-kms",
)  # fmt: skip


def role(place: Place, name: str, *names: str, organization: str = ORGANIZATION, **more: Any) -> Caller:
    """A role of an account of the organization, with its documents."""
    held = tuple((f"{place.account}/{name}", document) for document in names)
    return Caller(arn=ROLE.format(place.account, name), organization=organization, documents=held, **more)


def admin(place: Place, name: str = "admin", organization: str = ORGANIZATION) -> Caller:
    """Somebody who may do everything in an account."""
    arn = ROLE.format(place.account, name)
    return Caller(arn=arn, organization=organization, documents=(("admin", "admin"),))


member = role(MEMBER, "spothub-member", *_MEMBER_DOCUMENTS)
other_member = role(OTHER, "spothub-member", *_MEMBER_DOCUMENTS)
forwarder = role(MEMBER, "spothub-forwarder", "forwarder")
hub = role(HUB, "spothub-hub", "hub")
execution = role(HUB, "spothub-hub-execution", "hub-execution")
dashboard = role(HUB, "spothub-dashboard", "dashboard")
metering = role(HUB, "spothub-metering", "metering")
schedule = role(HUB, "spothub-metering-schedule", "metering-schedule")
operator = role(HUB, "ops", "operator")
stranger = role(Place("232323232323", "us-east-1"), "spothub-forwarder", organization=OTHER_ORGANIZATION)


def bounded(limit: str) -> Caller:
    """The member role below a permissions boundary."""
    return role(MEMBER, "spothub-member", *_MEMBER_DOCUMENTS, boundary=limit)


def narrowed(region: str) -> Caller:
    """A session of the member role as the program narrows it to Ireland, that calls in a region."""
    keys = (("aws:RequestedRegion", region),)
    return role(MEMBER, "spothub-member", *_MEMBER_DOCUMENTS, session="ireland", keys=keys)


def service(name: str, arn: str, account: str, **keys: str) -> Caller:
    """A service of AWS that acts for a resource of an account."""
    told = {"aws:SourceArn": arn, "aws:SourceAccount": account, **keys}
    return Caller(service=name, keys=tuple(told.items()))


def rule(place: Place, name: str, bus: str = "") -> str:
    """A rule's ARN."""
    return f"arn:aws:events:{place.region}:{place.account}:rule/{bus}{name}"


def events(place: Place, name: str, bus: str = "") -> Caller:
    """EventBridge, for a rule."""
    return service("events.amazonaws.com", rule(place, name, bus), place.account)


def task(place: Place) -> Caller:
    """ECS, for a task of an account."""
    arn = f"arn:aws:ecs:{place.region}:{place.account}:task/spothub/1"
    return service("ecs-tasks.amazonaws.com", arn, place.account)


# What is asked for.


def ask(action: str, resource: str = "*", owner: str = "", **keys: str | tuple[str, ...]) -> tuple[Check]:
    """One right. Underscores in keys stand for what a name cannot have: `aws__SourceArn` is `aws:SourceArn`."""
    told = tuple((key.replace("___", "/").replace("__", ":"), value) for key, value in keys.items())
    return (Check(action, resource, told, owner),)


def each(
    actions: Iterable[str], resource: str = "*", owner: str = "", **keys: str | tuple[str, ...]
) -> tuple[Check, ...]:
    """Several rights on one resource."""
    return tuple(check for action in actions for check in ask(action, resource, owner, **keys))


def ec2(kind: str, account: str = MEMBER.account) -> str:
    """Resources of EC2 in the member's region."""
    owner = "" if kind.split("/")[0] in ("image", "snapshot") else account
    return f"arn:aws:ec2:{MEMBER.region}:{owner}:{kind if '/' in kind else kind + '/*'}"


TEMPLATE = ec2("launch-template/lt-1")


def let_in(checks: Iterable[Check]) -> tuple[Check, ...]:
    """The same, where the resource's own policy lets everybody in: what the caller holds decides alone."""
    return tuple(dataclasses.replace(check, open=True) for check in checks)


def launch(
    *,
    template: str | None = TEMPLATE,
    market: str = "spot",
    tagged: bool = True,
    image_given: bool = False,
    key_given: bool = False,
    tags_too: Iterable[str] = (),
    network: str = MEMBER.account,
    by: str = "RunInstances",
    action: str = "ec2:RunInstances",
) -> tuple[Check, ...]:
    """What a launch needs: every resource that it touches, and every tag that it gives."""
    shared: dict[str, Any] = {"ec2:LaunchTemplate": template} if template else {}

    def touched(kind: str, owner: str = MEMBER.account, **keys: Any) -> Check:
        # What another account shares is ours to use, by its share.
        return Check(action, ec2(kind, owner), tuple({**shared, **keys}.items()), MEMBER.account)

    def of_template(given: bool) -> dict[str, str]:
        return {"ec2:IsLaunchTemplateResource": str(bool(template) and not given).lower()}

    managed = {"aws:RequestTag/spothub:managed": "true"} if tagged else {}
    found = [
        touched("instance", **{"ec2:InstanceMarketType": market, **managed, **of_template(True)}),
        touched("volume"), touched("network-interface"), touched("snapshot"), touched("placement-group", network),
        touched("security-group", network), touched("subnet", network, **of_template(True)),
        touched("image/ami-1", **of_template(image_given)), touched("key-pair/ops", **of_template(key_given)),
    ]  # fmt: skip
    if template:
        found.append(touched("launch-template/lt-1"))
    if "spot-instances-request" in tags_too:
        found.append(Check(action, ec2("spot-instances-request")))
    for kind in ("instance", *tags_too):
        found.append(Check("ec2:CreateTags", ec2(kind), (("ec2:CreateAction", by),)))
    return tuple(found)


def fleet(tagged: bool = True, **how: Any) -> tuple[Check, ...]:
    """What CreateFleet needs: its own rights, and those of the launch behind it."""
    managed = (("aws:RequestTag/spothub:managed", "true"),) if tagged else ()
    own = [Check("ec2:CreateFleet", ec2(kind), managed) for kind in ("fleet", "instance")]
    owners = {"placement-group": NETWORK, "subnet": NETWORK}
    for kind in ("image", "launch-template", "placement-group", "subnet", "volume"):
        own.append(Check("ec2:CreateFleet", ec2(kind, owners.get(kind, MEMBER.account)), (), MEMBER.account))
    own.append(Check("ec2:CreateTags", ec2("fleet"), (("ec2:CreateAction", "CreateFleet"),)))
    return (*own, *launch(by="CreateFleet", network=NETWORK, **how))


def group(action: str, says: str | None = None, account: str = MEMBER.account, **keys: str) -> tuple[Check]:
    """A change of a group whose tag says this."""
    arn = f"arn:aws:autoscaling:{MEMBER.region}:{account}:autoScalingGroup:1-2:autoScalingGroupName/web"
    told = {f"autoscaling:{key}": value for key, value in keys.items()}
    if says is not None:
        told["aws:ResourceTag/spothub:enabled"] = says
    return (Check(f"autoscaling:{action}", arn, tuple(told.items())),)


def queue(place: Place, name: str) -> str:
    """A queue's ARN."""
    return f"arn:aws:sqs:{place.region}:{place.account}:{name}"


TABLE = f"arn:aws:dynamodb:{HUB.region}:{HUB.account}:table/spothub"
POINTER = f"arn:aws:ssm:{HUB.region}:{HUB.account}:parameter/spothub/policy"
BUCKET = f"arn:aws:s3:::spothub-policy-{HUB.account}-{HUB.region}"
STORE = [f"dynamodb:{name}" for name in ("DescribeTable", "GetItem", "PutItem", "Query", "Scan")]
LANES = ("urgent", "normal", "probe")
MEMBER_ROLE = ROLE.format(MEMBER.account, "spothub-member")
HUB_ROLE = ROLE.format(HUB.account, "spothub-hub")
SPOT_ROLE = ROLE.format(MEMBER.account, "aws-service-role/spot.amazonaws.com/AWSServiceRoleForEC2Spot")
SCALING_ROLE = ROLE.format(MEMBER.account, "aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling")
UNITS = "arn:aws:organizations::343434343434:"

OUT, ALL = Options(guard="opt-out-tag"), Options(guard="none")
CONFIGURED, FALLBACK = Options(configurations=True), Options(on_demand=True)
EVERYTHING = Options(configurations=True, on_demand=True)
NOTHING = Options(passes=False, keys=False)


def launches() -> list[Row]:
    """Launching and ending instances."""
    plain = launch(template=None)
    also = ("network-interface", "spot-instances-request", "volume")
    tag = {"aws__ResourceTag___spothub__managed": "true"}
    asked = {"aws__RequestTag___spothub__managed": "true"}
    theirs = TEMPLATE.replace(MEMBER.account, OTHER.account)
    return [
        Row("run Spot from a template", member, launch(), ALLOW),
        Row("run Spot from a template that tags volumes, interfaces and the Spot request", member,
            launch(tags_too=also), ALLOW),
        Row("run Spot in a subnet, security group and placement group that another account shares", member,
            launch(network=NETWORK), ALLOW),
        Row("run Spot without our tag", member, launch(tagged=False), DENY),
        Row("run on demand from a template, without the fallback", member, launch(market="on-demand"), DENY),
        Row("run in a capacity block", member, launch(market="capacity-block"), DENY, EVERYTHING),
        Row("run another image than the template's", member, launch(image_given=True), DENY),
        Row("run with another key pair than the template's", member, launch(key_given=True), DENY),
        Row("run another image than the template's, with launch configurations", member, launch(image_given=True),
            DENY, CONFIGURED),
        Row("run from a template of another account", member,
            launch(template=theirs), DENY),
        Row("run Spot without a template", member, plain, DENY),
        Row("run Spot without a template, with launch configurations", member, plain, ALLOW, CONFIGURED),
        Row("run Spot without a template and our tag, with launch configurations", member,
            launch(template=None, tagged=False), DENY, CONFIGURED),
        Row("run on demand without a template, with launch configurations", member,
            launch(template=None, market="on-demand"), DENY, CONFIGURED),
        Row("run in a capacity reservation, with launch configurations", member,
            ask("ec2:RunInstances", ec2("capacity-reservation")), DENY, EVERYTHING),
        Row("run on demand from a template, with the fallback", member, launch(market="on-demand"), ALLOW, FALLBACK),
        Row("run on demand without our tag, with the fallback", member, launch(market="on-demand", tagged=False),
            DENY, FALLBACK),
        Row("run on demand without a template, with the fallback", member, launch(template=None, market="on-demand"),
            DENY, FALLBACK),
        Row("run on demand without a template, with the fallback and launch configurations", member,
            launch(template=None, market="on-demand"), ALLOW, EVERYTHING),
        Row("run on a template's licence configuration", member, ask("ec2:RunInstances", ec2("license-configuration"),
            ec2__LaunchTemplate=TEMPLATE, ec2__IsLaunchTemplateResource="true"), DENY, EVERYTHING),
        Row("have an instance, as one part of a launch, without a template", member, ask("ec2:RunInstances",
            ec2("instance"), ec2__InstanceMarketType="spot", **asked), DENY),
        Row("have an instance, as one part of a launch, from another account's template", member, ask(
            "ec2:RunInstances", ec2("instance"), ec2__InstanceMarketType="spot", ec2__LaunchTemplate=theirs, **asked),
            DENY, CONFIGURED),
        Row("use a subnet, as one part of a launch, without a template", member,
            ask("ec2:RunInstances", ec2("subnet")), DENY),
        Row("use an image, as one part of a launch, from another account's template", member, ask("ec2:RunInstances",
            ec2("image"), ec2__LaunchTemplate=theirs, ec2__IsLaunchTemplateResource="true"), DENY),
        Row("have an instance in another account", member, let_in(ask("ec2:RunInstances", ec2("instance", OTHER.account),
            ec2__InstanceMarketType="spot", ec2__LaunchTemplate=TEMPLATE, **asked)), DENY),
        Row("have an instance in another account, with launch configurations", member, let_in(ask("ec2:RunInstances",
            ec2("instance", OTHER.account), ec2__InstanceMarketType="spot", **asked)), DENY, CONFIGURED),
        Row("have an instance on demand in another account, with the fallback", member, let_in(ask("ec2:RunInstances",
            ec2("instance", OTHER.account), ec2__InstanceMarketType="on-demand", **asked)), DENY, FALLBACK),
        Row("ask for a fleet", member, fleet(), ALLOW),
        Row("ask for a fleet that tags volumes, interfaces and the Spot request", member, fleet(tags_too=also), ALLOW),
        Row("ask for a fleet without our tag", member, fleet(tagged=False), DENY),
        Row("ask for a fleet on demand, without the fallback", member, fleet(market="on-demand"), DENY),
        Row("ask for a fleet with another image", member, fleet(image_given=True), DENY),
        Row("ask for a fleet in a capacity reservation", member, ask("ec2:CreateFleet", ec2("capacity-reservation"),
            aws__RequestTag___spothub__managed="true"), DENY, EVERYTHING),
        Row("ask for a fleet below a boundary that knows no fleets", bounded("without-fleets"), fleet(), DENY),
        Row("run Spot below a boundary that knows no fleets", bounded("without-fleets"), launch(), ALLOW),
        Row("ask for a fleet below a wide boundary", bounded("wide"), fleet(), ALLOW),
        Row("terminate on demand below a wide boundary", bounded("wide"),
            ask("ec2:TerminateInstances", ec2("instance/i-1")), DENY),
        Row("tag an instance that runs already", member, ask("ec2:CreateTags", ec2("instance/i-1")), DENY, EVERYTHING),
        Row("tag a volume while it is made otherwise", member,
            ask("ec2:CreateTags", ec2("volume"), ec2__CreateAction="CreateVolume"), DENY, EVERYTHING),
        Row("tag an image at a launch", member, ask("ec2:CreateTags", ec2("image"), ec2__CreateAction="RunInstances"),
            DENY, EVERYTHING),
        Row("terminate an instance of ours", member, ask("ec2:TerminateInstances", ec2("instance/i-1"), **tag), ALLOW),
        Row("terminate an instance without our tag", member, ask("ec2:TerminateInstances", ec2("instance/i-1")), DENY),
        Row("terminate an instance whose tag says something else", member, ask("ec2:TerminateInstances",
            ec2("instance/i-1"), aws__ResourceTag___spothub__managed="yes"), DENY),
        Row("terminate an instance of ours in another account", member,
            let_in(ask("ec2:TerminateInstances", ec2("instance/i-1", OTHER.account), **tag)), DENY),
        Row("stop an instance of ours", member, ask("ec2:StopInstances", ec2("instance/i-1"), **tag), DENY),
        Row("run Spot by a session that is narrowed to Ireland, there", narrowed("eu-west-1"), launch(), ALLOW),
        Row("run Spot by a session that is narrowed to Ireland, elsewhere", narrowed("us-east-1"), launch(), DENY),
        Row("pass a role by a session that is narrowed to Ireland", narrowed("us-east-1"),
            ask("iam:PassRole", ROLE.format(MEMBER.account, "web"), iam__PassedToService="ec2.amazonaws.com"), ALLOW),
    ]  # fmt: skip


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
                found.append(Row(f"{options.guard}: {action} where the group {told}", member,
                                 group(action, says), allowed, options))  # fmt: skip
            found.append(Row(f"{options.guard}: set MaxSize where the group {told}", member,
                             group("UpdateAutoScalingGroup", says, MaxSize="3"), allowed, options))  # fmt: skip
        for key, value in BESIDES_MAX.items():
            found.append(Row(f"{options.guard}: set MaxSize and {key}", member,
                             group("UpdateAutoScalingGroup", "true", MaxSize="3", **{key: value}), DENY, options))  # fmt: skip
        found.append(Row(f"{options.guard}: update a group without MaxSize", member,
                         group("UpdateAutoScalingGroup", "true"), DENY, options))  # fmt: skip
        for action in ("DeleteAutoScalingGroup", "SetDesiredCapacity", "SuspendProcesses", "CreateOrUpdateTags",
                       "DetachInstances"):  # fmt: skip
            found.append(Row(f"{options.guard}: {action}", member, group(action, "true"), DENY, options))
        there = {action: let_in(group(action, "true", OTHER.account)) for action in MOVES}
        there["UpdateAutoScalingGroup"] = let_in(group("UpdateAutoScalingGroup", "true", OTHER.account, MaxSize="3"))
        for action, checks in there.items():
            found.append(Row(f"{options.guard}: {action} in another account", member, checks, DENY, options))
    return found


def passing() -> list[Row]:
    """Roles, keys and service-linked roles."""

    def handed(name: str, to: str = "ec2.amazonaws.com", account: str = MEMBER.account) -> tuple[Check]:
        return ask("iam:PassRole", ROLE.format(account, name), iam__PassedToService=to)

    def granted(key: str, for_aws: str = "true", via: str = "ec2.eu-west-1.amazonaws.com") -> tuple[Check]:
        told = {"kms__GrantIsForAWSResource": for_aws, "kms__ViaService": via, "kms__CallerAccount": MEMBER.account}
        return ask("kms:CreateGrant", key, **told)

    use = ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo"]
    through = {"kms__ViaService": "ec2.eu-west-1.amazonaws.com", "kms__CallerAccount": MEMBER.account}
    direct = {"kms__CallerAccount": MEMBER.account}
    spot = Caller(arn=SPOT_ROLE, organization=ORGANIZATION)
    own = ("autoscaling.amazonaws.com", "AutoScaling")
    return [
        Row("pass a listed role to EC2", member, handed("web"), ALLOW),
        Row("pass a role below a listed path to EC2", member, handed("app/api"), ALLOW),
        Row("pass a listed role to EC2 in China", member, handed("web", "ec2.amazonaws.com.cn"), ALLOW),
        Row("pass a role that is not listed", member, handed("administrator"), DENY),
        Row("pass a role whose name only begins like a listed one", member, handed("webmaster"), DENY),
        Row("pass a listed role to another service", member, handed("web", "lambda.amazonaws.com"), DENY),
        Row("pass a role of another account", member, handed("app/api", account=OTHER.account), DENY),
        Row("pass the member role itself", member, handed("spothub-member"), DENY),
        Row("pass a role where none is listed", member, handed("web"), DENY, NOTHING),
        Row("grant a listed key for a volume", member, granted(VOLUME_KEY), ALLOW),
        Row("grant a listed key to somebody", member, granted(VOLUME_KEY, "false"), DENY),
        Row("grant a listed key that leaves it to IAM", member, granted(PLAIN_KEY), ALLOW),
        Row("grant a listed key that leaves it to IAM to somebody", member, granted(PLAIN_KEY, "false"), DENY),
        Row("grant a key by its own policy, where none is listed", member, granted(VOLUME_KEY), ALLOW, NOTHING),
        Row("grant a key of the account that leaves it to IAM and is not listed", member, granted(OTHER_KEY), DENY),
        Row("grant a key where none is listed, and none speaks to the role", member, granted(OTHER_KEY), DENY, NOTHING),
        Row("use a listed key through EC2", member, each(use, VOLUME_KEY, **through), ALLOW),
        Row("use a listed key directly", member, each(use[:1], VOLUME_KEY, **direct), DENY),
        Row("use a listed key through Secrets Manager", member, each(use[:1], VOLUME_KEY,
            **{**through, "kms__ViaService": "secretsmanager.eu-west-1.amazonaws.com"}), DENY),
        Row("use a listed key through EC2 as somebody else", Caller(arn=ROLE.format(MEMBER.account, "web"),
            organization=ORGANIZATION), each(use[:1], VOLUME_KEY, **through), DENY),
        Row("Spot uses a volume's key", spot, each([*use, "kms:Encrypt", "kms:GenerateDataKey"], VOLUME_KEY, **direct),
            ALLOW),
        Row("Spot grants a volume's key", spot, granted(VOLUME_KEY), ALLOW),
        Row("Spot grants a volume's key to somebody", spot, granted(VOLUME_KEY, "false"), DENY),
        Row("another role grants a volume's key", Caller(arn=ROLE.format(MEMBER.account, "web"),
            organization=ORGANIZATION), granted(VOLUME_KEY), DENY),
        Row("a call from another account grants a volume's key as Spot", spot, ask("kms:CreateGrant", VOLUME_KEY,
            kms__GrantIsForAWSResource="true", kms__CallerAccount=OTHER.account), DENY),
        Row("a call from another account uses a volume's key as Spot", spot, ask("kms:Decrypt", VOLUME_KEY,
            kms__CallerAccount=OTHER.account), DENY),
        Row("a call from another account uses a volume's key through EC2", member, ask("kms:Decrypt", VOLUME_KEY,
            **{**through, "kms__CallerAccount": OTHER.account}), DENY),
        Row("create the role of Spot", member, ask("iam:CreateServiceLinkedRole", SPOT_ROLE,
            iam__AWSServiceName="spot.amazonaws.com"), ALLOW),
        Row("create the role of Spot for another service's name", member, ask("iam:CreateServiceLinkedRole", SPOT_ROLE,
            iam__AWSServiceName="ecs.amazonaws.com"), DENY),
        Row("create another service's role under Spot's name", member, ask("iam:CreateServiceLinkedRole",
            ROLE.format(MEMBER.account, f"aws-service-role/{own[0]}/AWSServiceRoleFor{own[1]}"),
            iam__AWSServiceName="spot.amazonaws.com"), DENY),
        Row("create a role", member, ask("iam:CreateRole", ROLE.format(MEMBER.account, "spothub-x")), DENY, EVERYTHING),
        Row("change the member role", member, ask("iam:PutRolePolicy", MEMBER_ROLE), DENY, EVERYTHING),
    ]  # fmt: skip


def reading() -> list[Row]:
    """What a member's role reads, and the probe that it sends."""
    reads = [
        "autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeInstanceRefreshes",
        "autoscaling:DescribeLaunchConfigurations", "autoscaling:DescribeLifecycleHooks",
        "autoscaling:DescribeScalingActivities", "cloudwatch:DescribeAlarms", "ec2:DescribeAvailabilityZones",
        "ec2:DescribeImages", "ec2:DescribeInstanceStatus", "ec2:DescribeInstances",
        "ec2:DescribeLaunchTemplateVersions", "elasticloadbalancing:DescribeTargetHealth",
        "servicequotas:ListServiceQuotas",
    ]  # fmt: skip
    bare = [ROLE.format(MEMBER.account, name) for name in ("AWSServiceRoleForEC2Spot", "AWSServiceRoleForAutoScaling")]
    roles = [MEMBER_ROLE, SPOT_ROLE, SCALING_ROLE, *bare]
    here = f"arn:aws:{{}}:{MEMBER.region}:{MEMBER.account}:{{}}"
    default = here.format("events", "event-bus/default")
    dead = queue(MEMBER, "spothub-forward-dead")
    image = "arn:aws:ssm:eu-west-1::parameter/aws/service/ami-amazon-linux-latest/al2023"
    secret = here.format("ssm", "parameter/payroll/password")
    return [
        Row("a member reads groups, instances, templates, alarms, health and quotas", member, each(reads), ALLOW),
        Row("a member reads user data of instances", member, ask("ec2:DescribeInstanceAttribute", ec2("instance/i-1")), DENY),
        Row("a member reads who it is, and the roles of Spot and Auto Scaling, also where they are missing", member,
            tuple(check for arn in roles for check in ask("iam:GetRole", arn)), ALLOW),
        Row("a member reads any other role", member, ask("iam:GetRole", ROLE.format(MEMBER.account, "web")), DENY),
        Row("a member reads an instance profile", member,
            ask("iam:GetInstanceProfile", f"arn:aws:iam::{MEMBER.account}:instance-profile/web"), ALLOW),
        Row("a member reads something else of IAM as a profile", member,
            ask("iam:GetInstanceProfile", f"arn:aws:iam::{MEMBER.account}:user/ann"), DENY),
        Row("a member reads its own rules", member, each(["events:DescribeRule", "events:ListTargetsByRule"],
            rule(MEMBER, "spothub-urgent")), ALLOW),
        Row("a member reads other rules", member, ask("events:DescribeRule", rule(MEMBER, "payroll")), DENY),
        Row("a member changes its own rule", member, ask("events:PutTargets", rule(MEMBER, "spothub-urgent")), DENY),
        Row("a member sends a probe", member, ask("events:PutEvents", default, events__source="spothub.probe"), ALLOW),
        Row("a member sends another event", member, ask("events:PutEvents", default, events__source="payroll"), DENY),
        Row("a member sends an event in the name of AWS", member,
            ask("events:PutEvents", default, events__source="aws.ec2"), DENY),
        Row("a member sends a probe to another bus of its account", member, ask("events:PutEvents",
            here.format("events", "event-bus/orders"), events__source="spothub.probe"), DENY),
        Row("a member sends a probe straight to the hub's bus", member,
            ask("events:PutEvents", bus_arn(), events__source="spothub.probe"), DENY),
        Row("a member reads how many events could not be sent", member,
            each(["sqs:GetQueueAttributes", "sqs:GetQueueUrl"], dead), ALLOW),
        Row("a member reads other queues' attributes", member, ask("sqs:GetQueueAttributes", queue(MEMBER, "orders")), DENY),
        Row("a member takes events that could not be sent", member, ask("sqs:ReceiveMessage", dead), DENY),
        Row("EC2 resolves a template's image for a member", member,
            ask("ssm:GetParameters", image, MEMBER.account, aws__ViaAWSService="true"), ALLOW),
        Row("a member reads parameters itself", member, ask("ssm:GetParameters", secret, aws__ViaAWSService="false"), DENY),
        Row("something else than a parameter is resolved for a member", member, ask("ssm:GetParameters",
            here.format("ssm", "document/x"), aws__ViaAWSService="true"), DENY),
    ]  # fmt: skip


def borders() -> list[Row]:
    """Who becomes what, and who reaches the hub."""

    def become(arn: str, external: str | None = EXTERNAL_ID, organization: str | None = ORGANIZATION) -> tuple[Check]:
        keys: dict[str, Any] = {"aws__ResourceOrgID": organization} if organization else {}
        return ask("sts:AssumeRole", arn, **keys, **({"sts__ExternalId": external} if external else {}))

    outside = ROLE.format("232323232323", "spothub-member")
    lost = role(HUB, "spothub-hub", "hub", organization=OTHER_ORGANIZATION)
    there = queue(HUB, "spothub-urgent")
    forwarding = ROLE.format(MEMBER.account, "spothub-forwarder")
    send = ask("events:PutEvents", bus_arn(), events__source="aws.ec2")
    same_name = admin(MEMBER, "spothub-forwarders")
    ci = Caller(arn=OPERATORS[1].replace("*", "deploy"), organization=ORGANIZATION, documents=(("999988887777/ops", "operator"),))
    return [
        Row("the hub becomes a member", hub, become(MEMBER_ROLE), ALLOW),
        Row("the hub becomes a member with a wrong external id", hub, become(MEMBER_ROLE, "guess"), DENY),
        Row("the hub becomes a member without an external id", hub, become(MEMBER_ROLE, None), DENY),
        Row("the hub becomes another role of a member, which trusts it", hub,
            let_in(become(ROLE.format(MEMBER.account, "admin"))), DENY),
        Row("the hub becomes a member of another organization, which trusts it", hub,
            let_in(become(outside, organization=OTHER_ORGANIZATION)), DENY),
        Row("the hub becomes a member by its account's root, which trusts it", hub,
            become(f"arn:aws:iam::{MEMBER.account}:root"), DENY),
        Row("the hub's role in another organization becomes a member", lost, become(MEMBER_ROLE), DENY),
        Row("an administrator of the hub's account becomes a member", admin(HUB), become(MEMBER_ROLE), DENY),
        Row("the dashboard becomes a member", role(HUB, "spothub-dashboard", "dashboard"), become(MEMBER_ROLE), DENY),
        Row("a role of the hub's name elsewhere becomes a member", admin(OTHER, "spothub-hub"), become(MEMBER_ROLE), DENY),
        Row("an administrator of a member becomes another member", admin(OTHER), become(MEMBER_ROLE), DENY),
        Row("a member becomes another member", member, become(ROLE.format(OTHER.account, "spothub-member")), DENY),
        Row("a member becomes the hub", member, become(HUB_ROLE), DENY),
        Row("an administrator of a member becomes the hub", admin(MEMBER), become(HUB_ROLE), DENY),
        Row("a listed operator becomes the hub", operator, become(HUB_ROLE, None), ALLOW),
        Row("a listed pipeline becomes the hub", ci, become(HUB_ROLE, None), ALLOW),
        Row("an operator becomes another role of the hub's account, which trusts everybody", operator,
            let_in(become(ROLE.format(HUB.account, "administrator"), None)), DENY),
        Row("an operator who is in the trust and lacks operator.json becomes the hub", role(HUB, "ops"),
            become(HUB_ROLE, None), DENY),
        Row("an administrator of the hub's account who is no operator becomes the hub", admin(HUB), become(HUB_ROLE), DENY),
        Row("an operator's name in a member becomes the hub", admin(MEMBER, "ops"), become(HUB_ROLE), DENY),
        Row("a task of the hub's account becomes the hub", task(HUB), become(HUB_ROLE, None, None), ALLOW),
        Row("a task of another account becomes the hub", task(MEMBER), become(HUB_ROLE, None, None), DENY),
        Row("a task with a forged account becomes the hub", service("ecs-tasks.amazonaws.com",
            f"arn:aws:ecs:us-east-1:{HUB.account}:task/x", MEMBER.account), become(HUB_ROLE, None, None), DENY),
        Row("a task for no resource of ECS becomes the hub", service("ecs-tasks.amazonaws.com", "x", HUB.account),
            become(HUB_ROLE, None, None), DENY),
        Row("another service becomes the hub", service("lambda.amazonaws.com", f"arn:aws:ecs:us-east-1:{HUB.account}:task/x",
            HUB.account), become(HUB_ROLE, None, None), DENY),
        Row("a task becomes a member", task(MEMBER), become(MEMBER_ROLE, None, None), DENY),
        Row("the rules' EventBridge becomes the forwarder", events(MEMBER, "spothub-urgent"), become(forwarding, None, None), ALLOW),
        Row("another rule's EventBridge becomes the forwarder", events(MEMBER, "payroll"), become(forwarding, None, None), DENY),
        Row("a rule of another account becomes the forwarder", events(OTHER, "spothub-urgent"),
            become(forwarding, None, None), DENY),
        Row("a rule with a forged account becomes the forwarder", service("events.amazonaws.com",
            rule(MEMBER, "spothub-urgent"), OTHER.account), become(forwarding, None, None), DENY),
        Row("another service becomes the forwarder", service("lambda.amazonaws.com", rule(MEMBER, "spothub-urgent"),
            MEMBER.account), become(forwarding, None, None), DENY),
        Row("an administrator of the member becomes the forwarder", admin(MEMBER), become(forwarding, None, None), DENY),
        Row("the forwarder sends to the hub", forwarder, send, ALLOW),
        Row("the forwarder sends to another bus of the hub's account", forwarder,
            ask("events:PutEvents", f"arn:aws:events:{HUB.region}:{HUB.account}:event-bus/default"), DENY),
        Row("the forwarder sends to its own account's bus", forwarder,
            ask("events:PutEvents", f"arn:aws:events:{MEMBER.region}:{MEMBER.account}:event-bus/default"), DENY),
        Row("the forwarder changes the hub's bus", forwarder, ask("events:PutRule", bus_arn()), DENY),
        Row("an administrator of a member sends to the hub", admin(MEMBER), send, DENY),
        Row("a role named almost like the forwarder sends to the hub", same_name, send, DENY),
        Row("a forwarder of another organization sends to the hub",
            Caller(arn=stranger.arn, organization=OTHER_ORGANIZATION, documents=(("admin", "admin"),)), send, DENY),
        Row("a forwarder of no organization sends to the hub", Caller(arn=stranger.arn, documents=(("admin", "admin"),)), send, DENY),
        Row("a service sends to the hub's bus by itself", service("events.amazonaws.com", rule(MEMBER, "x"), MEMBER.account),
            send, DENY),
        Row("an administrator of a member changes the hub's bus", admin(MEMBER), ask("events:PutPermission", bus_arn()), DENY),
        Row("an administrator of a member writes into the hub's queue", admin(MEMBER), ask("sqs:SendMessage", there), DENY),
        Row("an administrator of a member reads the hub's queue", admin(MEMBER), ask("sqs:ReceiveMessage", there), DENY),
        Row("an administrator of a member reads the hub's table", admin(MEMBER), ask("dynamodb:GetItem", TABLE), DENY),
        Row("a member reads the hub's table", member, ask("dynamodb:GetItem", TABLE), DENY, EVERYTHING),
        Row("an administrator of a member reads policy", admin(MEMBER),
            ask("s3:GetObjectVersion", f"{BUCKET}/policy.yaml", HUB.account), DENY),
        Row("an administrator of a member writes the policy's pointer", admin(MEMBER), ask("ssm:PutParameter", POINTER), DENY),
        Row("a member works on a group of another member", other_member, group("AttachInstances", "true"), DENY),
    ]  # fmt: skip


def deliveries() -> list[Row]:
    """EventBridge into queues, and encryption."""
    found = []
    for lane in LANES:
        into, dead = queue(HUB, f"spothub-{lane}"), queue(HUB, f"spothub-{lane}-dead")
        own = events(HUB, f"spothub-{lane}", "spothub/")
        for place, words in ((into, "its queue"), (dead, "its dead letters")):
            other = events(HUB, "spothub-other", "spothub/")
            plain = Caller(service=own.service, keys=(*own.keys, ("aws:SecureTransport", "false")))
            send = ask("sqs:SendMessage", place)
            found += [
                Row(f"the rule of {lane} fills {words}", own, send, ALLOW),
                Row(f"another rule fills what is {lane}'s: {words}", other, send, DENY),
                Row(f"the rule of {lane} empties {words}", own, ask("sqs:PurgeQueue", place), DENY),
                Row(f"the rule of {lane} fills {words} in the clear", plain, send, DENY),
                Row(f"another service fills what is {lane}'s: {words}",
                    service("sns.amazonaws.com", rule(HUB, f"spothub-{lane}", "spothub/"), HUB.account), send, DENY),
            ]  # fmt: skip
    dead = queue(MEMBER, "spothub-forward-dead")
    for lane in LANES:
        found.append(Row(f"a member's rule of {lane} leaves what it could not send", events(MEMBER, f"spothub-{lane}"),
                         ask("sqs:SendMessage", dead), ALLOW))  # fmt: skip
    clear = role(HUB, "spothub-hub", "hub", keys=(("aws:SecureTransport", "false"),))
    started = ask("sqs:SendMessage", queue(HUB, "spothub-metering-dead"))
    through = {"kms__CallerAccount": HUB.account, "kms__ViaService": "sqs.us-east-1.amazonaws.com"}
    use = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom", "kms:ReEncryptTo"]
    data = ["kms:Decrypt", "kms:GenerateDataKey"]
    logs = service("logs.us-east-1.amazonaws.com", "", HUB.account)
    context = "kms__EncryptionContext__aws__logs__arn"
    grant = {"kms__GrantIsForAWSResource": "true", "kms__CallerAccount": HUB.account,
             "kms__ViaService": "dynamodb.us-east-1.amazonaws.com"}  # fmt: skip
    found += [
        Row("another rule of the member fills its dead letters", events(MEMBER, "payroll"), ask("sqs:SendMessage", dead), DENY),
        Row("a rule of another member fills its dead letters", events(OTHER, "spothub-urgent"),
            ask("sqs:SendMessage", dead), DENY),
        Row("the metering schedule leaves what it could not start", events(HUB, "spothub-metering"), started, ALLOW),
        Row("the hub takes events in the clear", clear, ask("sqs:ReceiveMessage", queue(HUB, "spothub-urgent")), DENY),
        Row("the hub reads dead letters' depth in the clear", clear,
            ask("sqs:GetQueueAttributes", queue(HUB, "spothub-urgent-dead")), DENY),
        Row("the hub reads policy in the clear", clear, ask("s3:GetObjectVersion", f"{BUCKET}/p.yaml", HUB.account), DENY),
        Row("an administrator of the hub's account lists the bucket in the clear", Caller(arn=ROLE.format(HUB.account, "admin"),
            organization=ORGANIZATION, documents=(("admin", "admin"),), keys=(("aws:SecureTransport", "false"),)),
            ask("s3:ListBucket", BUCKET, HUB.account), DENY),
        Row("an administrator of the hub's account lists the bucket", admin(HUB), ask("s3:ListBucket", BUCKET, HUB.account), ALLOW),
        Row("a rule of the hub encrypts", events(HUB, "spothub-urgent", "spothub/"), each(data, HUB_KEY), ALLOW),
        Row("a rule of another account encrypts with the hub's key", events(MEMBER, "spothub-urgent"), each(data, HUB_KEY), DENY),
        Row("another service encrypts with the hub's key for its rule", service("sns.amazonaws.com",
            rule(HUB, "spothub-urgent"), HUB.account), each(data, HUB_KEY), DENY),
        Row("another service encrypts with a member's key for its rule", service("sns.amazonaws.com",
            rule(MEMBER, "spothub-urgent"), MEMBER.account), each(data, DEAD_KEY), DENY),
        Row("another service encrypts with the hub's key as its log", service("sns.amazonaws.com", "", HUB.account),
            each(use[:1], HUB_KEY, **{context: LOGS}), DENY),
        Row("a member's rule encrypts dead letters", events(MEMBER, "spothub-urgent"), each(data, DEAD_KEY), ALLOW),
        Row("another rule of the member encrypts with that key", events(MEMBER, "payroll"), each(data[:1], DEAD_KEY), DENY),
        Row("the hub decrypts through its queues", hub, each(use, HUB_KEY, **through), ALLOW),
        Row("the hub decrypts through its table", hub, each(use[:1], HUB_KEY,
            **{**through, "kms__ViaService": "dynamodb.us-east-1.amazonaws.com"}), ALLOW),
        Row("the dashboard decrypts through the table", dashboard, each(use[:1], HUB_KEY,
            **{**through, "kms__ViaService": "dynamodb.us-east-1.amazonaws.com"}), ALLOW),
        Row("metering decrypts through the table", metering, each(use[:1], HUB_KEY,
            **{**through, "kms__ViaService": "dynamodb.us-east-1.amazonaws.com"}), ALLOW),
        Row("the hub decrypts through its bucket", hub, each(use[:1], HUB_KEY,
            **{**through, "kms__ViaService": "s3.us-east-1.amazonaws.com"}), ALLOW),
        Row("the hub decrypts directly", hub, each(use[:1], HUB_KEY, kms__CallerAccount=HUB.account), DENY),
        Row("the hub decrypts from another account", hub, each(use[:1], HUB_KEY,
            **{**through, "kms__CallerAccount": MEMBER.account}), DENY),
        Row("another role decrypts through a queue", role(HUB, "ops"), each(use[:1], HUB_KEY, **through), DENY),
        Row("the hub grants its table's key", hub, ask("kms:CreateGrant", HUB_KEY, **grant), ALLOW),
        Row("the dashboard grants its table's key", dashboard, ask("kms:CreateGrant", HUB_KEY, **grant), ALLOW),
        Row("metering grants its table's key", metering, ask("kms:CreateGrant", HUB_KEY, **grant), ALLOW),
        Row("the hub grants its key to somebody", hub, ask("kms:CreateGrant", HUB_KEY,
            **{**grant, "kms__GrantIsForAWSResource": "false"}), DENY),
        Row("the hub grants its key through another service", hub, ask("kms:CreateGrant", HUB_KEY,
            **{**grant, "kms__ViaService": "ec2.us-east-1.amazonaws.com"}), DENY),
        Row("the hub grants its key from another account", hub, ask("kms:CreateGrant", HUB_KEY,
            **{**grant, "kms__CallerAccount": MEMBER.account}), DENY),
        Row("another role grants the table's key", role(HUB, "ops"), ask("kms:CreateGrant", HUB_KEY, **grant), DENY),
        Row("CloudWatch encrypts the hub's log", logs, each(use, HUB_KEY, **{context: LOGS}), ALLOW),
        Row("CloudWatch encrypts another log", logs, each(use[:1], HUB_KEY, **{context: LOGS + "x"}), DENY),
    ]  # fmt: skip
    return found


def work() -> list[Row]:
    """What the hub's own roles do in its account."""
    public = ["ec2:DescribeAvailabilityZones", "ec2:DescribeInstanceTypeOfferings", "ec2:DescribeInstanceTypes",
              "ec2:DescribeSpotPriceHistory", "pricing:GetProducts"]  # fmt: skip
    units = ["organizations:DescribeOrganizationalUnit", "organizations:ListAccountsForParent",
             "organizations:ListOrganizationalUnitsForParent"]  # fmt: skip
    take = ["sqs:DeleteMessage", "sqs:ReceiveMessage"]
    look = ["sqs:GetQueueAttributes", "sqs:GetQueueUrl"]
    queues = [f"spothub-{lane}" for lane in LANES]
    all_queues = [*queues, *(f"{name}-dead" for name in queues)]
    unit, root = f"{UNITS}ou/{ORGANIZATION}/ou-ab12-cdef3456", f"{UNITS}root/{ORGANIZATION}/r-ab12"
    account = f"{UNITS}account/{ORGANIZATION}/{MEMBER.account}"
    here = f"arn:aws:{{}}:{HUB.region}:{HUB.account}:{{}}"
    read = ["dynamodb:DescribeTable", "dynamodb:GetItem", "dynamodb:Query"]
    task_definition = here.format("ecs", "task-definition/spothub-metering:7")
    cluster = here.format("ecs", "cluster/spothub")
    pull = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    write = ["logs:CreateLogStream", "logs:PutLogEvents"]
    starting = ROLE.format(HUB.account, "spothub-metering-schedule")
    booked = {"dynamodb__LeadingKeys": ("metering/0",)}

    def on(actions: Iterable[str], names: Iterable[str]) -> tuple[Check, ...]:
        return tuple(check for name in names for check in each(actions, queue(HUB, name)))

    def handed(name: str, to: str = "ecs-tasks.amazonaws.com") -> tuple[Check]:
        return ask("iam:PassRole", ROLE.format(HUB.account, name), iam__PassedToService=to)

    return [
        Row("the hub reads types, zones and prices", hub, each(public), ALLOW),
        Row("the hub reads the organization", hub, (
            *each(["organizations:ListAccounts", "organizations:ListRoots"]),
            # Organizations answers for the whole of it, whoever owns the resource.
            *each(units, unit, HUB.account), *each(units[1:], root, HUB.account),
            *ask("organizations:ListTagsForResource", account, HUB.account)), ALLOW),
        Row("the hub reads units of another organization", hub,
            ask(units[1], unit.replace(ORGANIZATION, OTHER_ORGANIZATION), HUB.account), DENY),
        Row("the hub reads tags of a policy of the organization", hub, ask("organizations:ListTagsForResource",
            f"{UNITS}policy/{ORGANIZATION}/service_control_policy/p-1", HUB.account), DENY),
        Row("the hub changes the organization", hub, ask("organizations:MoveAccount", account, HUB.account), DENY),
        Row("the hub takes events from its queues", hub, on(take, queues), ALLOW),
        Row("the hub takes dead letters", hub, on(take, ["spothub-urgent-dead"]), DENY),
        Row("the hub takes from another queue", hub, on(take, ["orders"]), DENY),
        Row("the hub reads its queues' depth", hub, on(look, all_queues), ALLOW),
        Row("the hub reads another queue's depth", hub, on(look, ["orders"]), DENY),
        Row("the hub reads how old its messages are", hub, ask("cloudwatch:GetMetricStatistics"), ALLOW),
        Row("the hub wakes a worker later", hub, ask("sqs:SendMessage", queue(HUB, "spothub-normal")), ALLOW),
        Row("the hub writes a warning itself", hub, ask("sqs:SendMessage", queue(HUB, "spothub-urgent")), DENY),
        Row("the hub reads the rules of its bus", hub, ask("events:DescribeRule", rule(HUB, "spothub-urgent", "spothub/")), ALLOW),
        Row("the hub reads other rules", hub, ask("events:DescribeRule", rule(HUB, "payroll")), DENY),
        Row("the hub writes on its bus", hub, ask("events:PutRule", bus_arn()), DENY),
        Row("the hub keeps its state", hub, each(STORE, TABLE), ALLOW),
        Row("the hub reads another table", hub, each(STORE[1:2], TABLE + "-payroll"), DENY),
        Row("the hub deletes rows, or its table", hub, each(["dynamodb:DeleteItem", "dynamodb:DeleteTable"], TABLE), DENY),
        Row("the hub reads the policy's pointer and who wrote it", hub,
            each(["ssm:GetParameter", "ssm:GetParameterHistory"], POINTER), ALLOW),
        Row("the hub reads another parameter", hub, ask("ssm:GetParameter", POINTER + "2"), DENY),
        Row("the hub publishes policy", hub, ask("ssm:PutParameter", POINTER), DENY),
        Row("the hub reads policy", hub, ask("s3:GetObjectVersion", f"{BUCKET}/p.yaml", HUB.account), ALLOW),
        Row("the hub reads policy from a bucket that somebody else made under the name", hub,
            let_in(ask("s3:GetObjectVersion", f"{BUCKET}/p.yaml", OTHER.account)), DENY),
        Row("the hub reads another bucket", hub, ask("s3:GetObjectVersion", "arn:aws:s3:::payroll/x", HUB.account), DENY),
        Row("the hub writes policy", hub, ask("s3:PutObject", f"{BUCKET}/p.yaml", HUB.account), DENY),
        Row("the hub launches in its own account", hub, ask("ec2:RunInstances", ec2("instance", HUB.account)), DENY),
        Row("ECS writes the hub's log", execution, each(write, f"{LOGS}:log-stream:worker/1"), ALLOW),
        Row("ECS writes another log", execution, each(write[1:], f"{LOGS}2:log-stream:x"), DENY),
        Row("ECS pulls the image", execution, (*ask("ecr:GetAuthorizationToken"), *each(pull, REPOSITORY)), ALLOW),
        Row("ECS pulls another image", execution, each(pull[1:2], REPOSITORY.replace("spothub", "payroll")), DENY),
        Row("the execution role keeps state", execution, each(STORE[1:2], TABLE), DENY),
        Row("the dashboard reads the table", dashboard, each(read, TABLE), ALLOW),
        Row("the dashboard reads another table", dashboard, each(read[1:2], TABLE + "2"), DENY),
        Row("the dashboard writes", dashboard, each(["dynamodb:PutItem"], TABLE, **booked), DENY),
        Row("the dashboard takes events", dashboard, on(take, queues[:1]), DENY),
        Row("metering reads the ledger", metering, each(read, TABLE), ALLOW),
        Row("metering reads another table", metering, each(read[1:2], TABLE + "2"), DENY),
        Row("metering books what it reported", metering, each(["dynamodb:PutItem"], TABLE, **booked), ALLOW),
        Row("metering books under its bare family", metering, each(["dynamodb:PutItem"], TABLE,
            dynamodb__LeadingKeys=("metering",)), ALLOW),
        Row("metering writes leases of groups", metering, each(["dynamodb:PutItem"], TABLE,
            dynamodb__LeadingKeys=("group/0",)), DENY),
        Row("metering writes its row and a lease in one", metering, each(["dynamodb:PutItem"], TABLE,
            dynamodb__LeadingKeys=("metering/0", "group/0")), DENY),
        Row("metering writes where no key is told", metering, each(["dynamodb:PutItem"], TABLE), DENY),
        Row("metering books in another table", metering, each(["dynamodb:PutItem"], TABLE + "2", **booked), DENY),
        Row("metering reports usage", metering, ask("aws-marketplace:MeterUsage"), ALLOW),
        Row("the hub reports usage", hub, ask("aws-marketplace:MeterUsage"), DENY),
        Row("metering becomes a member", metering, ask("sts:AssumeRole", MEMBER_ROLE, aws__ResourceOrgID=ORGANIZATION,
            sts__ExternalId=EXTERNAL_ID), DENY),
        Row("the schedule's rule starts metering", events(HUB, "spothub-metering"), ask("sts:AssumeRole", starting), ALLOW),
        Row("another rule starts metering", events(HUB, "payroll"), ask("sts:AssumeRole", starting), DENY),
        Row("a rule with a forged account starts metering", service("events.amazonaws.com", rule(HUB, "spothub-metering"),
            MEMBER.account), ask("sts:AssumeRole", starting), DENY),
        Row("another service starts metering", service("lambda.amazonaws.com", rule(HUB, "spothub-metering"), HUB.account),
            ask("sts:AssumeRole", starting), DENY),
        Row("the schedule runs the metering task", schedule, ask("ecs:RunTask", task_definition, ecs__cluster=cluster), ALLOW),
        Row("the schedule runs it in another cluster", schedule, ask("ecs:RunTask", task_definition,
            ecs__cluster=cluster + "2"), DENY),
        Row("the schedule runs another task", schedule, ask("ecs:RunTask", task_definition.replace("metering", "worker"),
            ecs__cluster=cluster), DENY),
        Row("the schedule passes the task's roles", schedule, (*handed("spothub-metering"), *handed("spothub-hub-execution")),
            ALLOW),
        Row("the schedule passes the hub's role", schedule, handed("spothub-hub"), DENY),
        Row("the schedule passes a role to another service", schedule, handed("spothub-metering", "lambda.amazonaws.com"), DENY),
    ]  # fmt: skip


def rows() -> list[Row]:
    """The whole table."""
    return [*launches(), *groups(), *passing(), *reading(), *borders(), *deliveries(), *work()]
