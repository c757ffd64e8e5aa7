"""The world of the allow/deny table: what the three templates make in two accounts, and keys of customers."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from templates import documents, rollouts
from templates.judge import World
from templates.places import HUB, MEMBER, OTHER, Place
from templates.render import Stack

#: What a change does to a statement; nothing leaves it out.
Change = Callable[[dict[str, Any]], dict[str, Any] | None]

ROLE = "arn:aws:iam::{}:role/{}"
PASSABLE = ("arn:aws:iam::*:role/app/*", f"arn:aws:iam::{MEMBER.account}:role/web")
VOLUME_KEY = f"arn:aws:kms:{MEMBER.region}:{MEMBER.account}:key/volumes"
PLAIN_KEY = f"arn:aws:kms:{MEMBER.region}:{MEMBER.account}:key/plain"
OTHER_KEY = f"arn:aws:kms:{MEMBER.region}:{MEMBER.account}:key/payroll"
HUB_KEY = f"arn:aws:kms:{HUB.region}:{HUB.account}:key/hub"
DEAD_KEY = f"arn:aws:kms:{MEMBER.region}:{MEMBER.account}:key/dead"
OPERATORS = (ROLE.format(HUB.account, "ops"), ROLE.format(HUB.account, "ci/*"))
LOGS = f"arn:aws:logs:{HUB.region}:{HUB.account}:log-group:/spothub/hub"
REPOSITORY = f"arn:aws:ecr:{HUB.region}:{HUB.account}:repository/spothub"


class Options(NamedTuple):
    """Parameters of members that change rights."""

    guard: str = "opt-in-tag"
    configurations: bool = False
    on_demand: bool = False
    draining: bool = False
    passes: bool = True
    keys: bool = True


_TRUSTS = {
    "spothub-member": "member-trust",
    "spothub-forwarder": "forwarder-trust",
    "spothub-metering-schedule": "metering-schedule-trust",
}
_ADMIN = {"Statement": [{"Sid": "All", "Effect": "Allow", "Action": "*", "Resource": "*"}]}
#: A key's own first statement: it leaves the rest to identity policies.
_OWNER = "arn:aws:iam::{}:root"


def document_of(holder: str, name: str) -> str:
    """The document of `policies/iam` that stands behind a document in a template."""
    if name == "trust":
        return _TRUSTS.get(holder, "hub-trust")
    if name == "queue":
        return "dead-letter" if holder.endswith("-dead") else "queue"
    return name


def _values() -> dict[str, Any]:
    """What fills the documents that are in no template."""
    return {
        "partition": "aws",
        "region": HUB.region,
        "account": MEMBER.account,
        "hub_account": HUB.account,
        "url_suffix": "amazonaws.com",
        "hub_role_arn": ROLE.format(HUB.account, "spothub-hub"),
        "dashboard_role_arn": ROLE.format(HUB.account, "spothub-dashboard"),
        "metering_role_arn": ROLE.format(HUB.account, "spothub-metering"),
        "log_group_arn": LOGS,
        "role_path": "/",
        "member_role_name": "spothub-member",
    }


class Built(NamedTuple):
    """A world, and which document of `policies/iam` stands behind each of its documents."""

    world: World
    behind: dict[tuple[str, Any], str]


@functools.cache
def built(options: Options) -> Built:
    """The world with these options."""
    built = World(roles={}, resources={})
    behind: dict[tuple[str, Any], str] = {}

    def put(kind: str, key: Any, document: str, told: dict[str, Any]) -> None:
        getattr(built, kind)[key] = told
        behind[(kind, key)] = document

    def take(stack: Stack, place: Place) -> None:
        for (holder, name), told in rollouts.documents(stack).items():
            document = document_of(holder, name)
            match name:
                case "trust":
                    put("resources", ROLE.format(place.account, holder), document, told)
                case "queue":
                    put("resources", f"arn:aws:sqs:{place.region}:{place.account}:{holder}", document, told)
                case "bucket":
                    put("resources", f"arn:aws:s3:::{holder}", document, told)
                    put("resources", f"arn:aws:s3:::{holder}/*", document, told)
                case "bus":
                    bus = f"arn:aws:events:{place.region}:{place.account}:event-bus/{holder}"
                    put("resources", bus, document, told)
                case _:
                    put("roles", (f"{place.account}/{holder}", name), document, told)

    take(_hub(), HUB)
    for place in (MEMBER, OTHER):
        take(_global(place, options), place)
        take(_regional(place), place)
    values = _values()
    put("roles", (f"{HUB.account}/ops", "operator"), "operator", documents.fill("operator", values))
    built.roles[("admin", "admin")] = _ADMIN
    for key, name, owner in (
        (VOLUME_KEY, "volume-key", MEMBER),
        (DEAD_KEY, "dead-letter-key", MEMBER),
        (HUB_KEY, "key", HUB),
    ):
        told = documents.fill(name, {**values, "region": owner.region})
        told["Statement"].append(
            {"Sid": "Owner", "Effect": "Allow", "Principal": {"AWS": _OWNER.format(owner.account)},
             "Action": "kms:*", "Resource": "*"}
        )  # fmt: skip
        put("resources", key, name, told)
    for key in (PLAIN_KEY, OTHER_KEY):
        root = _OWNER.format(MEMBER.account)
        owner_alone = {
            "Sid": "Owner",
            "Effect": "Allow",
            "Principal": {"AWS": root},
            "Action": "kms:*",
            "Resource": "*",
        }
        built.resources[key] = {"Statement": [owner_alone]}
    built.others = {
        # What the program narrows an acting session to, in Ireland (control-plane/aws/src/session/policy.rs).
        "ireland": {
            "Statement": [
                {"Sid": "Region", "Effect": "Allow", "Action": "*", "Resource": "*",
                 "Condition": {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}},
                {"Sid": "Iam", "Effect": "Allow", "Action": ["iam:PassRole", "iam:CreateServiceLinkedRole"],
                 "Resource": "*"},
            ]
        },
        "without-fleets": {
            "Statement": [
                {"Sid": "All", "Effect": "Allow", "Action": ["ec2:RunInstances", "ec2:CreateTags", "autoscaling:*"],
                 "Resource": "*"},
            ]
        },
        "wide": _ADMIN,
    }  # fmt: skip
    return Built(built, behind)


def changed(options: Options, where: tuple[str, str], change: Change) -> World:
    """That world with a change to the statement of this document and name, wherever it stands."""
    before, behind = built(options)
    after = World(dict(before.roles), dict(before.resources), before.others)
    document, sid = where
    for (kind, key), of in behind.items():
        # Operators stand in the same trust as tasks, and in a document of their own.
        if of == document or (document == "operator-trust" and of == "hub-trust"):
            told = getattr(before, kind)[key]
            statements = [change(s) if s["Sid"] == sid else s for s in told["Statement"]]
            getattr(after, kind)[key] = {"Statement": [s for s in statements if s is not None]}
    return after


def _memo(key: Any, make: Callable[[], Stack]) -> Stack:
    if key not in _stacks:
        _stacks[key] = make()
    return _stacks[key]


_stacks: dict[Any, Stack] = {}


def _hub() -> Stack:
    return _memo(
        "hub",
        lambda: rollouts.hub(
            OperatorArns=",".join(OPERATORS),
            ImageUri="999988887777.dkr.ecr.us-east-1.amazonaws.com/spothub:1",
            SubnetIds="subnet-12345678",
            Dashboard="on",
            MeteringMode="marketplace",
        ),
    )


def _global(place: Place, options: Options) -> Stack:
    return _memo(
        (place, options),
        lambda: rollouts.member_global(
            place,
            GroupGuard=options.guard,
            AllowLaunchConfigurations=str(options.configurations).lower(),
            AllowOnDemandFallback=str(options.on_demand).lower(),
            AllowEcsDraining=str(options.draining).lower(),
            PassableRoleArns=",".join(PASSABLE) if options.passes else "",
            KmsKeyArns=f"{VOLUME_KEY},{PLAIN_KEY}" if options.keys else "",
        ),
    )


def _regional(place: Place) -> Stack:
    return _memo(("regional", place), lambda: rollouts.member_regional(place))
