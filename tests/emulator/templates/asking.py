"""Who asks in the allow/deny table, and for what: rows are put together from these."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any, NamedTuple

from templates.judge import Caller, Check
from templates.places import HUB, MEMBER, ORGANIZATION, OTHER, OTHER_ORGANIZATION, Place
from templates.worlds import (
    ROLE,
    Options,
)

ALLOW = True
DENY = False
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
    "member-launch-configurations", "member-on-demand-fallback", "member-ecs-draining", "member-pass-role",
    "member-kms",
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

OUT = Options(guard="opt-out-tag")
ALL = Options(guard="none")
CONFIGURED = Options(configurations=True)
FALLBACK = Options(on_demand=True)
DRAINING = Options(draining=True)
EVERYTHING = Options(configurations=True, on_demand=True, draining=True)
NOTHING = Options(passes=False, keys=False)
