"""Stack sets as they are kept: instances, operations and results. Decides nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

from moto.utilities.utils import get_partition

from overlay.stacks.template import Template
from overlay.world import on_reset, utc

SERVICE_MANAGED = "SERVICE_MANAGED"
Key = tuple[str, str]


@dataclass
class Instance:
    """One account and region of a stack set."""

    account: str
    region: str
    #: The unit (or root) that was named when it was made.
    unit: str | None = None
    overrides: dict[str, str] = field(default_factory=dict)
    stack: str | None = None
    status: str = "OUTDATED"
    detailed: str = "PENDING"
    reason: str | None = None
    operation: str | None = None

    @property
    def key(self) -> Key:
        """What tells it from others."""
        return self.account, self.region


@dataclass
class Result:
    """What an operation did in one account and region."""

    account: str
    region: str
    unit: str | None = None
    status: str = "PENDING"
    reason: str | None = None


@dataclass
class Operation:
    """One operation of a stack set."""

    id: str
    action: str
    preferences: dict[str, Any]
    #: The instances to work on, as they were found when it was asked for.
    keys: list[Key]
    #: What is done to one of them; returns why it failed.
    work: Callable[[Instance], str | None]
    targets: dict[str, Any] | None = None
    retain: bool | None = None
    status: str = "RUNNING"
    reason: str | None = None
    created: datetime = field(default_factory=utc)
    ended: datetime | None = None
    results: dict[Key, Result] = field(default_factory=dict)
    #: By AWS itself, since an account came or went.
    automatic: bool = False
    #: Operations of other stack sets that have to succeed first.
    waits: list[Operation] = field(default_factory=list)
    #: Done when it ends.
    after: list[Callable[[], None]] = field(default_factory=list)

    @property
    def open(self) -> bool:
        """Whether it has not ended."""
        return self.status in ("RUNNING", "STOPPING", "QUEUED")


@dataclass
class StackSet:
    """One stack set, also one that is gone."""

    account: str
    region: str
    name: str
    template: Template
    model: str
    values: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    capabilities: list[str] = field(default_factory=list)
    description: str | None = None
    #: `Enabled`, `RetainStacksOnAccountRemoval`, `DependsOn`.
    automatic: dict[str, Any] = field(default_factory=dict)
    managed: bool = False
    administration: str | None = None
    execution: str | None = None
    status: str = "ACTIVE"
    id: str = ""
    instances: dict[Key, Instance] = field(default_factory=dict)
    operations: list[Operation] = field(default_factory=list)
    #: Units that it was deployed to, each with its regions; accounts that come into one are deployed to as well.
    units: dict[str, set[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.id = self.id or f"{self.name}:{uuid4()}"

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"arn:{get_partition(self.region)}:cloudformation:{self.region}:{self.account}:stackset/{self.id}"

    @property
    def service_managed(self) -> bool:
        """Whether it goes by the organization's units."""
        return self.model == SERVICE_MANAGED

    def running(self) -> list[Operation]:
        """The operations that have not ended."""
        return [one for one in self.operations if one.open]


SETS: list[StackSet] = []
on_reset(SETS.clear)
