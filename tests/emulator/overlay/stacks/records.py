"""Stacks as they are kept: their resources, their events, and where to find them. Decides nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

from moto.utilities.utils import get_partition

from overlay.stacks.acting import Actor
from overlay.stacks.refused import invalid
from overlay.stacks.template import Template
from overlay.world import on_reset, utc

STACK_TYPE = "AWS::CloudFormation::Stack"
GONE = "DELETE_COMPLETE"


@dataclass
class Resource:
    """One resource of a stack."""

    logical: str
    type: str
    #: Its part of the template.
    entry: dict[str, Any]
    props: dict[str, Any] = field(default_factory=dict)
    physical: str | None = None
    status: str = "CREATE_IN_PROGRESS"
    reason: str | None = None
    at: datetime = field(default_factory=utc)


@dataclass
class Stack:
    """One stack, also one that is gone."""

    account: str
    region: str
    name: str
    template: Template
    #: Texts of the parameters.
    values: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    capabilities: list[str] = field(default_factory=list)
    notifications: list[str] = field(default_factory=list)
    actor: Actor = field(default_factory=Actor)
    role_arn: str | None = None
    #: `ROLLBACK`, `DO_NOTHING` or `DELETE`.
    on_failure: str = "ROLLBACK"
    protected: bool = False
    #: The ARN of the stack set that it is an instance of.
    stack_set: str | None = None
    change_set: str | None = None
    change_sets: list[Any] = field(default_factory=list)
    id: str = ""
    status: str = "CREATE_IN_PROGRESS"
    reason: str | None = None
    created: datetime = field(default_factory=utc)
    updated: datetime | None = None
    deleted: datetime | None = None
    resources: dict[str, Resource] = field(default_factory=dict)
    outputs: list[dict[str, str]] = field(default_factory=list)
    #: The newest last.
    events: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.id:
            partition = get_partition(self.region)
            self.id = f"arn:{partition}:cloudformation:{self.region}:{self.account}:stack/{self.name}/{uuid4()}"

    @property
    def busy(self) -> bool:
        """Whether it is being worked on."""
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"

    def enter(self, status: str, reason: str | None = None) -> None:
        """Another status, which is an event."""
        self.status, self.reason = status, reason
        self._event(self.name, self.id, STACK_TYPE, status, reason, None)

    def note(self, one: Resource, status: str, reason: str | None = None) -> None:
        """Another status of a resource."""
        one.status, one.reason, one.at = status, reason, utc()
        self._event(one.logical, one.physical, one.type, status, reason, one.props)

    def _event(
        self, logical: str, physical: str | None, kind: str, status: str, reason: str | None, props: Any
    ) -> None:
        self.events.append(
            {
                "StackId": self.id,
                "EventId": str(uuid4()),
                "StackName": self.name,
                "LogicalResourceId": logical,
                "PhysicalResourceId": physical or "",
                "ResourceType": kind,
                "Timestamp": utc(),
                "ResourceStatus": status,
                "ResourceStatusReason": reason,
                "ResourceProperties": props,
            }
        )

    def why(self) -> str:
        """The first failure of the latest piece of work, as stack sets tell it."""
        told = "The stack failed."
        for event in reversed(self.events):
            status = str(event["ResourceStatus"])
            if event["ResourceType"] == STACK_TYPE and status in (
                "CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"
            ):  # fmt: skip
                break
            if status.endswith("_FAILED") and event["ResourceType"] != STACK_TYPE:
                told = (
                    f"ResourceLogicalId:{event['LogicalResourceId']}, ResourceType:{event['ResourceType']},"
                    f" ResourceStatusReason:{event['ResourceStatusReason']}."
                )
        return told


STACKS: dict[tuple[str, str], list[Stack]] = {}
on_reset(STACKS.clear)


def stacks_in(account: str, region: str) -> list[Stack]:
    """All stacks of an account and region, the oldest first."""
    return STACKS.setdefault((account, region), [])


def find(account: str, region: str, name: str) -> Stack | None:
    """A stack by its name, or by its id, by which also one that is gone is found."""
    if name.startswith("arn:"):
        parts = name.split(":")
        return next((one for one in stacks_in(parts[4], parts[3]) if one.id == name and parts[4] == account), None)
    known = stacks_in(account, region)
    return next((one for one in known if one.name == name and one.status != GONE), None)


def need(account: str, region: str, name: str) -> Stack:
    """The stack, or the refusal."""
    found = find(account, region, name)
    if found is None:
        raise invalid(f"Stack with id {name} does not exist")
    return found
