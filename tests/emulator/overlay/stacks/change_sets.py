"""Change sets: what a stack would become, told before it does. Knows stacks by what `stack_calls` does to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import uuid4

from moto.utilities.utils import get_partition

from overlay.calls import Call
from overlay.stacks.acting import Failed
from overlay.stacks.deploying import Change, Deployment
from overlay.stacks.pages import page, paged
from overlay.stacks.records import GONE, Stack, find, need, stacks_in
from overlay.stacks.refused import Refused, invalid
from overlay.stacks.source import template_of
from overlay.stacks.stack_calls import (
    Answer,
    check_name,
    check_updatable,
    evaluated,
    new_stack,
    start_update,
    told_parameters,
    unchanged,
    wanted,
)
from overlay.stacks.template import Template
from overlay.world import LATER, TIMINGS, utc

NO_CHANGES = "The submitted information didn't contain changes. Submit different information to create a change set."


@dataclass
class ChangeSet:
    """One change set."""

    name: str
    id: str
    kind: str
    stack: Stack
    template: Template
    values: dict[str, str]
    tags: dict[str, str]
    #: The call that made it; carrying it out has the rights of whoever asks for that.
    capabilities: list[str]
    description: str | None = None
    changes: list[Change] = field(default_factory=list)
    status: str = "CREATE_COMPLETE"
    reason: str | None = None
    execution: str = "AVAILABLE"
    created: datetime = field(default_factory=utc)
    on_failure: str | None = None


def _sets(call: Call) -> list[ChangeSet]:
    name = call.params.get("StackName")
    if name:
        return list(need(call.account, call.region, name).change_sets)
    return [one for stack in stacks_in(call.account, call.region) for one in stack.change_sets]


def find_change_set(call: Call) -> ChangeSet:
    """The change set that a request names."""
    name = call.params["ChangeSetName"]
    for one in _sets(call):
        if name == one.id or (call.params.get("StackName") and name == one.name):
            return one
    raise Refused("ChangeSetNotFound", f"ChangeSet [{name}] does not exist")


def create_change_set(call: Call) -> Answer:
    """CreateChangeSet."""
    params = call.params
    kind = params.get("ChangeSetType", "UPDATE")
    there = find(call.account, call.region, params["StackName"])
    if kind == "IMPORT":
        raise invalid("Change sets of type IMPORT are not supported by this emulator")
    if kind == "CREATE":
        stack, template = _reviewed(call, there)
        values, tags = stack.values, stack.tags
    else:
        if there is None or there.status == GONE:
            raise invalid(f"Stack [{params['StackName']}] does not exist")
        stack = there
        check_updatable(stack)
        template, values, tags = wanted(call, stack)
    if any(one.name == params["ChangeSetName"] for one in stack.change_sets):
        raise Refused("AlreadyExistsException", f"ChangeSet {params['ChangeSetName']} already exists")
    arn = f"arn:{get_partition(call.region)}:cloudformation:{call.region}:{call.account}:changeSet"
    made = ChangeSet(
        params["ChangeSetName"], f"{arn}/{params['ChangeSetName']}/{uuid4()}", kind, stack, template, values, tags,
        params.get("Capabilities") or [], params.get("Description"), on_failure=params.get("OnStackFailure"),
    )  # fmt: skip
    try:
        evaluated(stack, template, values, tags)
        made.changes = Deployment(stack, template, values, tags, dry=True).changes()
    except (Refused, Failed) as error:
        made.status, made.execution, made.reason = "FAILED", "UNAVAILABLE", str(error)
    else:
        if kind == "UPDATE" and not made.changes and unchanged(stack, template, values, tags):
            made.status, made.execution, made.reason = "FAILED", "UNAVAILABLE", NO_CHANGES
    stack.change_sets.append(made)
    return {"Id": made.id, "StackId": stack.id}


def _reviewed(call: Call, there: Stack | None) -> tuple[Stack, Template]:
    check_name(call.params["StackName"])
    template = template_of(call, call.params)
    if there is not None and there.status != "REVIEW_IN_PROGRESS":
        raise invalid(f"Stack [{there.name}] already exists and cannot be created again with the changeSet "
                      f"[{call.params['ChangeSetName']}].")
    stack = new_stack(call, template)
    if there is not None:
        there.template, there.values, there.tags = stack.template, stack.values, stack.tags
        return there, template
    stack.enter("REVIEW_IN_PROGRESS", "User Initiated")
    stacks_in(call.account, call.region).append(stack)
    return stack, template


def describe_change_set(call: Call) -> Answer:
    """DescribeChangeSet."""
    one = find_change_set(call)
    rows, token = page([{"Type": "Resource", "ResourceChange": _told(change)} for change in one.changes], call.params)
    return {
        **_summary(one),
        "ChangeSetName": one.name,
        "Parameters": told_parameters(one.template, one.values),
        "Capabilities": one.capabilities,
        "Tags": [{"Key": key, "Value": value} for key, value in one.tags.items()],
        "NotificationARNs": [],
        "Changes": rows,
        "OnStackFailure": one.on_failure,
        "IncludeNestedStacks": False,
        **({"NextToken": token} if token else {}),
    }


def _summary(one: ChangeSet) -> Answer:
    return {
        "StackId": one.stack.id,
        "StackName": one.stack.name,
        "ChangeSetId": one.id,
        "ChangeSetName": one.name,
        "ExecutionStatus": one.execution,
        "Status": one.status,
        "StatusReason": one.reason,
        "CreationTime": one.created,
        "Description": one.description,
    }


def _told(change: Change) -> Answer:
    told: Answer = {
        "Action": change.action,
        "LogicalResourceId": change.logical,
        "ResourceType": change.type,
        "Scope": list(change.scope),
        "Details": [],
    }
    if change.physical is not None:
        told["PhysicalResourceId"] = change.physical
    if change.replacement is not None:
        told["Replacement"] = change.replacement
        recreated = "Always" if change.replacement == "True" else "Never"
        told["Details"] = [
            {
                "Target": {"Attribute": "Properties", "Name": name, "RequiresRecreation": recreated},
                "Evaluation": "Static",
                "ChangeSource": "DirectModification",
            }
            for name in change.properties
        ]
    return told


def execute_change_set(call: Call) -> Answer:
    """ExecuteChangeSet."""
    one = find_change_set(call)
    if one.execution != "AVAILABLE":
        raise Refused(
            "InvalidChangeSetStatus",
            f"ChangeSet [{one.id}] cannot be executed in its current execution status of [{one.execution}]",
        )
    stack = one.stack
    call.params["Capabilities"] = one.capabilities
    for other in stack.change_sets:
        other.execution = "OBSOLETE"
    one.execution = "EXECUTE_COMPLETE"
    stack.change_set = one.id
    if one.kind == "CREATE":
        stack.on_failure = one.on_failure or ("DO_NOTHING" if call.params.get("DisableRollback") else "ROLLBACK")
        stack.enter("CREATE_IN_PROGRESS", "User Initiated")
        LATER.after(TIMINGS.stack, Deployment(stack, one.template, one.values, one.tags).create)
    else:
        check_updatable(stack)
        start_update(call, stack, one.template, one.values, one.tags)
    stack.change_sets = [other for other in stack.change_sets if other is one]
    return {}


def delete_change_set(call: Call) -> Answer:
    """DeleteChangeSet; one that is not there is deleted."""
    need(call.account, call.region, call.params["StackName"]) if call.params.get("StackName") else None
    try:
        one = find_change_set(call)
    except Refused:
        return {}
    one.stack.change_sets.remove(one)
    return {}


def list_change_sets(call: Call) -> Answer:
    """ListChangeSets."""
    return paged("Summaries", [_summary(one) for one in _sets(call)], call.params)


ACTIONS: dict[str, Callable[[Call], Answer]] = {
    "CreateChangeSet": create_change_set,
    "DescribeChangeSet": describe_change_set,
    "ExecuteChangeSet": execute_change_set,
    "DeleteChangeSet": delete_change_set,
    "ListChangeSets": list_change_sets,
}
