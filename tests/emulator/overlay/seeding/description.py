"""The description of an organization: its fields, their defaults, and what is wrong with it. Makes nothing."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields
from typing import Any

#: The image of the emulator that is Linux on x86_64.
LINUX = "ami-0aaaaaaaaaaaaaaa1"
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


@dataclass
class Group:
    """An Auto Scaling group, made in each region of its account unless one is named."""

    name: str
    #: How many of it; from the second on the name ends with its number.
    count: int = 1
    region: str | None = None
    min: int = 1
    max: int = 4
    desired: int = 2
    #: `template` or `configuration`.
    launch: str = "template"
    type: str = "m5.large"
    image: str = LINUX
    #: Further fields of the launch template's data or of the launch configuration.
    data: dict[str, Any] = field(default_factory=dict)
    #: The version that the group names: a number, `$Latest` or `$Default`.
    version: str = "$Latest"
    #: The group's tags; they are propagated to members.
    tags: dict[str, str] = field(default_factory=dict)
    target_groups: int = 0
    grace: int = 0
    suspended: list[str] = field(default_factory=list)
    #: Further parameters of CreateAutoScalingGroup.
    more: dict[str, Any] = field(default_factory=dict)


@dataclass
class Account:
    """A member account."""

    name: str
    count: int = 1
    ou: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    regions: list[str] = field(default_factory=list)
    #: Zones that get a subnet, in each region.
    zones: int = 2
    #: Whether the member role is there.
    role: bool = True
    #: Another external id than the organization's.
    external_id: str | None = None
    #: Whether events of its regions are forwarded to the hub.
    forward: bool = True
    #: Closed once everything is made.
    closed: bool = False
    groups: list[Group] = field(default_factory=list)


@dataclass
class Description:
    """An organization."""

    endpoint: str
    home_region: str = "us-east-1"
    regions: list[str] = field(default_factory=lambda: ["us-east-1", "eu-west-1"])
    external_id: str = "spothub-external-id"
    member_role: str = "spothub-member"
    member_policy: dict[str, Any] = field(default_factory=lambda: EVERYTHING)
    #: The name of the account that is the hub; by itself the management account.
    hub_account: str | None = None
    hub_role: str = "spothub-hub"
    hub_policy: dict[str, Any] = field(default_factory=lambda: EVERYTHING)
    #: Members trust the hub's role only, and not its whole account.
    trust_hub_role_only: bool = False
    bus: str = "spothub"
    #: Nothing of spothub is made, neither at the hub nor in members: accounts, networks and groups only.
    bare: bool = False
    accounts: list[Account] = field(default_factory=list)


def read(given: dict[str, Any]) -> Description:
    """The description with all defaults; an unknown or missing field is an error."""
    given = dict(given)
    given.setdefault("endpoint", os.environ.get("AWS_ENDPOINT_URL"))
    if not given["endpoint"]:
        raise ValueError("endpoint: missing, and AWS_ENDPOINT_URL is not set")
    if not given["endpoint"].startswith("http://127.0.0.1:"):
        raise ValueError(f"endpoint: {given['endpoint']} is not on loopback")
    rows = given.pop("accounts", [])
    told = _of(Description, given, "organization")
    for row in rows:
        row = dict(row)
        groups = [_of(Group, group, f"group of {row.get('name')}") for group in row.pop("groups", [])]
        for group in groups:
            if group.launch not in ("template", "configuration"):
                raise ValueError(f"group {group.name}: launch is template or configuration, not {group.launch}")
        for number in range(int(row.get("count", 1))):
            account = _of(Account, row, "account")
            account.name += f"-{number + 1}" if account.count > 1 else ""
            account.regions = account.regions or list(told.regions)
            account.groups = groups
            told.accounts.append(account)
    return told


def _of(kind: type, given: dict[str, Any], what: str) -> Any:
    known = {known.name for known in fields(kind)}
    unknown = sorted(set(given) - known)
    if unknown:
        raise ValueError(f"{what}: unknown {', '.join(unknown)}; known: {', '.join(sorted(known))}")
    try:
        return kind(**given)
    except TypeError as error:
        raise ValueError(f"{what}: {error}") from error
