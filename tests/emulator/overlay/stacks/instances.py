"""What an operation does in one account and region: the stack there is made, changed, deleted, or let go.

Knows stacks and stack sets; the order in which accounts are worked on is `operating`'s.
"""

from __future__ import annotations

from uuid import uuid4

from moto.utilities.utils import get_partition

from overlay.calls import Call
from overlay.faults import FAULTS
from overlay.stacks.acting import AGENT, Actor, Failed
from overlay.stacks.deploying import Deployment, stored_parameter
from overlay.stacks.parameters import values_of
from overlay.stacks.records import GONE, Stack, find, stacks_in
from overlay.stacks.refused import Refused
from overlay.stacks.rights import session
from overlay.stacks.sets import Instance, StackSet
from overlay.stacks.stack_calls import evaluated, unchanged
from overlay.trust import Caller, find_role, trusts
from overlay.world import SWITCHES, utc

ADMINISTRATION = "AWSCloudFormationStackSetAdministrationRole"
EXECUTION = "AWSCloudFormationStackSetExecutionRole"


def deploy(own: StackSet, instance: Instance) -> str | None:
    """Brings the stack of an instance to what the stack set says; returns why it could not be."""
    try:
        actor = _actor(own, instance)
        _faulted(instance, "CreateStack" if instance.stack is None else "UpdateStack")
        stack = _stack(own, instance, actor)
    except (Refused, Failed) as error:
        return str(error)
    return None if stack.status in ("CREATE_COMPLETE", "UPDATE_COMPLETE") else stack.why()


def _faulted(instance: Instance, action: str) -> None:
    """Failures that a test asked for: faults on CreateStack, UpdateStack and DeleteStack in the target account."""
    call = Call("cloudformation", action, instance.account, instance.region, "", "query", b"", AGENT)
    fault = FAULTS.take(call)
    if fault is not None and fault.code:
        raise Failed(fault.message, fault.code)


def _actor(own: StackSet, instance: Instance) -> Actor:
    """Stack sets act in members with all rights, or with the execution role where they are self-managed."""
    if own.service_managed:
        return Actor()
    partition = get_partition(own.region)
    administration = own.administration or f"arn:{partition}:iam::{own.account}:role/{ADMINISTRATION}"
    execution = own.execution or EXECUTION
    arn = f"arn:{partition}:iam::{instance.account}:role/{execution}"
    first, second = find_role(administration, partition), find_role(arn, partition)
    service = Caller("service", "cloudformation.amazonaws.com", "")
    admitted = first is not None and trusts(first, service, "sts:AssumeRole", own.region, {})
    if not admitted:
        raise Failed(
            f"Account {own.account} should have '{administration.rsplit('/', 1)[-1]}' role with trust relationship to"
            " CloudFormation service."
        )
    caller = Caller("role", administration, own.account, administration, first)
    if second is None or not trusts(second, caller, "sts:AssumeRole", own.region, {}):
        raise Failed(
            f"Account {instance.account} should have '{execution}' role with trust relationship to Role"
            f" '{administration.rsplit('/', 1)[-1]}'."
        )
    return session(arn, instance.region, "StackSets") if SWITCHES.identity else Actor()


def _stack(own: StackSet, instance: Instance, actor: Actor) -> Stack:
    there = find(instance.account, instance.region, instance.stack) if instance.stack else None
    if there is not None and there.status in ("ROLLBACK_COMPLETE", "CREATE_FAILED", "ROLLBACK_FAILED"):
        # What never was made in full is made anew.
        Deployment(there, there.template, there.values, there.tags).delete([])
        there = None
    if there is not None and there.status == GONE:
        there = None
    stored = stored_parameter(instance.account, instance.region)
    overrides = {key: value for key, value in instance.overrides.items() if key in own.template.parameters}
    given = [{"ParameterKey": key, "ParameterValue": value} for key, value in {**own.values, **overrides}.items()]
    values = values_of(own.template, given, None, stored)
    own.template.check_capabilities(own.capabilities)
    if there is None:
        return _made(own, instance, actor, values)
    there.actor = actor
    if unchanged(there, own.template, values, own.tags) and there.status.endswith("E_COMPLETE"):
        there.template = own.template
        if there.status == "UPDATE_ROLLBACK_COMPLETE":
            there.enter("UPDATE_COMPLETE")
        return there
    evaluated(there, own.template, values, own.tags)
    before = (there.template, there.values, there.tags)
    there.template, there.values, there.tags, there.updated = own.template, values, own.tags, utc()
    there.enter("UPDATE_IN_PROGRESS", "User Initiated")
    Deployment(there, own.template, values, own.tags).update()
    if "ROLLBACK" in there.status:
        there.template, there.values, there.tags = before
    return there


def _made(own: StackSet, instance: Instance, actor: Actor, values: dict[str, str]) -> Stack:
    stack = Stack(
        instance.account,
        instance.region,
        f"StackSet-{own.name[:80]}-{uuid4()}",
        own.template,
        values,
        own.tags,
        own.capabilities,
        actor=actor,
        stack_set=own.arn,
    )
    instance.stack = stack.id
    deployment = evaluated(stack, own.template, values, own.tags)
    stacks_in(instance.account, instance.region).append(stack)
    stack.enter("CREATE_IN_PROGRESS", "User Initiated")
    deployment.create()
    return stack


def remove(own: StackSet, instance: Instance, retain: bool) -> str | None:
    """Deletes an instance with its stack, or only lets the stack go; returns why it could not be."""
    stack = find(instance.account, instance.region, instance.stack) if instance.stack else None
    if not retain and stack is not None and stack.status != GONE:
        try:
            stack.actor = _actor(own, instance)
            _faulted(instance, "DeleteStack")
        except Failed as error:
            return str(error)
        stack.enter("DELETE_IN_PROGRESS", "User Initiated")
        Deployment(stack, stack.template, stack.values, stack.tags).delete([])
        if stack.status != GONE:
            return stack.why()
    if stack is not None and retain:
        stack.stack_set = None
    own.instances.pop(instance.key, None)
    return None
