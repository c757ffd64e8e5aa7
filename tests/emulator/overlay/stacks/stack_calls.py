"""The actions of CloudFormation on stacks: requests checked, work started, answers made.

Knows the API; how a template is carried out is `deploying`'s.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from overlay.calls import Call
from overlay.stacks import records
from overlay.stacks.acting import Actor
from overlay.stacks.deploying import Deployment, stored_parameter, written
from overlay.stacks.pages import paged
from overlay.stacks.parameters import HIDDEN, is_stored, values_of
from overlay.stacks.records import GONE, Stack, find, need, stacks_in
from overlay.stacks.refused import Refused, invalid
from overlay.stacks.rights import actor_of, service_role
from overlay.stacks.source import template_of
from overlay.stacks.template import Template
from overlay.world import LATER, TIMINGS, utc

Answer = dict[str, Any]
_NAME = re.compile(r"^[a-zA-Z][-a-zA-Z0-9]{0,127}$")
_UPDATABLE = {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE"}
NOTHING_TO_DO = "No updates are to be performed."


def check_name(name: str) -> None:
    """Refuses a name that no stack may have."""
    if not _NAME.match(name):
        raise invalid(
            f"1 validation error detected: Value '{name}' at 'stackName' failed to satisfy constraint: Member must"
            " satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
        )


def tags_of(given: Any) -> dict[str, str]:
    """Tags of a request as a map."""
    return {tag["Key"]: tag["Value"] for tag in given or []}


def evaluated(stack: Stack, template: Template, values: dict[str, str], tags: dict[str, str]) -> Deployment:
    """A template that passes its own rules, with its values, for a stack."""
    deployment = Deployment(stack, template, values, tags)
    deployment.evaluation.check_rules()
    deployment.evaluation.order()
    return deployment


def unchanged(stack: Stack, template: Template, values: dict[str, str], tags: dict[str, str]) -> bool:
    """Whether there is nothing to do."""
    if values != stack.values or tags != stack.tags:
        return False
    if template.section("Outputs") != stack.template.section("Outputs"):
        return False
    return not Deployment(stack, template, values, tags, dry=True).changes()


def create_stack(call: Call) -> Answer:
    """CreateStack."""
    params = call.params
    check_name(params["StackName"])
    there = find(call.account, call.region, params["StackName"])
    if there is not None:
        raise Refused("AlreadyExistsException", f"Stack [{params['StackName']}] already exists")
    stack = new_stack(call, template_of(call, params))
    if "OnFailure" in params and "DisableRollback" in params:
        raise invalid("Cannot specify both OnFailure and DisableRollback.")
    stack.on_failure = params.get("OnFailure") or ("DO_NOTHING" if params.get("DisableRollback") else "ROLLBACK")
    stack.protected = bool(params.get("EnableTerminationProtection"))
    deployment = evaluated(stack, stack.template, stack.values, stack.tags)
    stacks_in(call.account, call.region).append(stack)
    stack.enter("CREATE_IN_PROGRESS", "User Initiated")
    LATER.after(TIMINGS.stack, deployment.create)
    return {"StackId": stack.id}


def new_stack(call: Call, template: Template) -> Stack:
    """A stack as a request describes it, not yet made."""
    params = call.params
    template.check_capabilities(params.get("Capabilities") or [])
    stored = stored_parameter(call.account, call.region)
    stack = Stack(
        call.account,
        call.region,
        params["StackName"],
        template,
        values_of(template, params.get("Parameters") or [], None, stored),
        tags_of(params.get("Tags")),
        params.get("Capabilities") or [],
        params.get("NotificationARNs") or [],
        role_arn=params.get("RoleARN"),
    )
    stack.actor = _actor(call, stack)
    return stack


def _actor(call: Call, stack: Stack) -> Actor:
    """Who acts for the stack now; a role that was once given goes on acting."""
    stack.role_arn = call.params.get("RoleARN") or stack.role_arn
    return service_role(stack.role_arn, call.region) if stack.role_arn else actor_of(call)


def update_stack(call: Call) -> Answer:
    """UpdateStack."""
    params = call.params
    stack = need(call.account, call.region, params["StackName"])
    check_updatable(stack)
    template, values, tags = wanted(call, stack)
    evaluated(stack, template, values, tags)
    if unchanged(stack, template, values, tags):
        raise invalid(NOTHING_TO_DO)
    start_update(call, stack, template, values, tags)
    return {"StackId": stack.id}


def check_updatable(stack: Stack) -> None:
    """Refuses a stack in a state that cannot be updated."""
    if stack.status not in _UPDATABLE:
        raise invalid(f"Stack:{stack.id} is in {stack.status} state and can not be updated.")


def wanted(call: Call, stack: Stack) -> tuple[Template, dict[str, str], dict[str, str]]:
    """Template, values and tags that an update of a stack asks for."""
    params = call.params
    template = template_of(call, params, stack.template)
    template.check_capabilities(params.get("Capabilities") or [])
    stored = stored_parameter(call.account, call.region)
    values = values_of(template, params.get("Parameters") or [], stack.values, stored)
    tags = tags_of(params["Tags"]) if "Tags" in params else stack.tags
    return template, values, tags


def start_update(
    call: Call, stack: Stack, template: Template, values: dict[str, str], tags: dict[str, str]
) -> None:
    """Begins an update; it ends at once, or when the timing says."""
    stack.actor = _actor(call, stack)
    before = (stack.template, stack.values, stack.tags, stack.capabilities)
    stack.template, stack.values, stack.tags = template, values, tags
    stack.capabilities = call.params.get("Capabilities") or stack.capabilities
    stack.updated = utc()
    stack.enter("UPDATE_IN_PROGRESS", "User Initiated")

    def work() -> None:
        Deployment(stack, template, values, tags).update()
        if "ROLLBACK" in stack.status:
            stack.template, stack.values, stack.tags, stack.capabilities = before

    LATER.after(TIMINGS.stack, work)


def delete_stack(call: Call) -> Answer:
    """DeleteStack; what is not there is deleted."""
    params = call.params
    stack = find(call.account, call.region, params["StackName"])
    if stack is None or stack.status == GONE:
        return {}
    if stack.protected:
        raise invalid(f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled")
    if stack.status == "DELETE_IN_PROGRESS":
        return {}
    retained = params.get("RetainResources") or []
    if retained and stack.status != "DELETE_FAILED":
        raise invalid(f"Invalid operation on stack [{stack.id}]. Specify the resources to retain only when the stack"
                      " is in the DELETE_FAILED state.")
    used = [output["ExportName"] for output in stack.outputs if _imported(stack, output.get("ExportName"))]
    if used:
        raise invalid(f"Export {used[0]} cannot be deleted as it is in use by another stack")
    stack.actor = _actor(call, stack)
    stack.enter("DELETE_IN_PROGRESS", "User Initiated")
    LATER.after(TIMINGS.stack, lambda: Deployment(stack, stack.template, stack.values, stack.tags).delete(retained))
    return {}


def _imported(stack: Stack, export: str | None) -> bool:
    if export is None:
        return False
    others = (one for one in stacks_in(stack.account, stack.region) if one is not stack and one.status != GONE)
    return any(f"ImportValue\": \"{export}\"" in json.dumps(one.template.read, default=str) for one in others)


def describe_stacks(call: Call) -> Answer:
    """DescribeStacks: all that are there, or one by name or id."""
    name = call.params.get("StackName")
    if name:
        return {"Stacks": [_described(need(call.account, call.region, name))]}
    known = [stack for stack in reversed(stacks_in(call.account, call.region)) if stack.status != GONE]
    return paged("Stacks", [_described(stack) for stack in known], call.params)


def _described(stack: Stack) -> Answer:
    stored = stored_parameter(stack.account, stack.region)
    return {
        "StackId": stack.id,
        "StackName": stack.name,
        "ChangeSetId": stack.change_set,
        "Description": stack.template.description,
        "Parameters": told_parameters(stack.template, stack.values, stored),
        "CreationTime": stack.created,
        "LastUpdatedTime": stack.updated,
        "DeletionTime": stack.deleted,
        "StackStatus": stack.status,
        "StackStatusReason": stack.reason,
        "DisableRollback": stack.on_failure == "DO_NOTHING",
        "NotificationARNs": stack.notifications,
        "Capabilities": stack.capabilities,
        "Outputs": stack.outputs,
        "RoleARN": stack.role_arn,
        "Tags": [{"Key": key, "Value": value} for key, value in stack.tags.items()],
        "EnableTerminationProtection": stack.protected,
        "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"},
    }


def told_parameters(
    template: Template, values: dict[str, str], stored: Callable[[str], str] | None = None
) -> list[dict[str, str]]:
    """Parameters as answers tell them."""
    told = []
    for name, value in values.items():
        one = template.parameters.get(name, {"Type": "String"})
        hidden = str(one.get("NoEcho", "")).lower() == "true"
        row = {"ParameterKey": name, "ParameterValue": HIDDEN if hidden else value}
        if stored is not None and is_stored(one):
            row["ResolvedValue"] = stored(value)
        told.append(row)
    return told


def list_stacks(call: Call) -> Answer:
    """ListStacks: also those that are gone."""
    wanted_states = call.params.get("StackStatusFilter")
    rows = [
        {
            "StackId": stack.id,
            "StackName": stack.name,
            "TemplateDescription": stack.template.description,
            "CreationTime": stack.created,
            "LastUpdatedTime": stack.updated,
            "DeletionTime": stack.deleted,
            "StackStatus": stack.status,
            "StackStatusReason": stack.reason,
            "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"},
        }
        for stack in reversed(stacks_in(call.account, call.region))
        if not wanted_states or stack.status in wanted_states
    ]
    return paged("StackSummaries", rows, call.params)


def describe_stack_events(call: Call) -> Answer:
    """DescribeStackEvents: the newest first."""
    stack = need(call.account, call.region, call.params["StackName"])
    rows = [{**event, "ResourceProperties": written(event["ResourceProperties"])} for event in reversed(stack.events)]
    return paged("StackEvents", rows, call.params)


def _resource_row(one: records.Resource, at: str) -> Answer:
    return {
        "LogicalResourceId": one.logical,
        "PhysicalResourceId": one.physical,
        "ResourceType": one.type,
        at: one.at,
        "ResourceStatus": one.status,
        "ResourceStatusReason": one.reason,
        "DriftInformation": {"StackResourceDriftStatus": "NOT_CHECKED"},
    }


def list_stack_resources(call: Call) -> Answer:
    """ListStackResources."""
    stack = need(call.account, call.region, call.params["StackName"])
    rows = [_resource_row(one, "LastUpdatedTimestamp") for one in stack.resources.values()]
    return paged("StackResourceSummaries", rows, call.params)


def describe_stack_resources(call: Call) -> Answer:
    """DescribeStackResources."""
    if not call.params.get("StackName"):
        raise invalid("Either StackName or PhysicalResourceId must be specified; this emulator takes the first only.")
    stack = need(call.account, call.region, call.params["StackName"])
    logical = call.params.get("LogicalResourceId")
    rows = [
        {**_resource_row(one, "Timestamp"), "StackName": stack.name, "StackId": stack.id}
        for one in stack.resources.values()
        if logical in (None, one.logical)
    ]
    return {"StackResources": rows[:100]}


def describe_stack_resource(call: Call) -> Answer:
    """DescribeStackResource."""
    stack = need(call.account, call.region, call.params["StackName"])
    one = stack.resources.get(call.params["LogicalResourceId"])
    if one is None:
        raise invalid(f"Resource {call.params['LogicalResourceId']} does not exist for stack {stack.name}")
    metadata = json.dumps(one.entry["Metadata"], default=str) if "Metadata" in one.entry else None
    row = {**_resource_row(one, "LastUpdatedTimestamp"), "StackName": stack.name, "StackId": stack.id}
    return {"StackResourceDetail": {**row, "Metadata": metadata}}


def get_template(call: Call) -> Answer:
    """GetTemplate: the text as it was given."""
    params = call.params
    if params.get("ChangeSetName"):
        from overlay.stacks.change_sets import find_change_set

        template = find_change_set(call).template
    else:
        template = need(call.account, call.region, params["StackName"]).template
    return {"TemplateBody": template.text, "StagesAvailable": ["Original", "Processed"]}


def summary(template: Template) -> Answer:
    """What GetTemplateSummary and ValidateTemplate say of a template."""
    capabilities, kinds = template.capabilities()
    rows = []
    for name, one in template.parameters.items():
        row: Answer = {
            "ParameterKey": name,
            "ParameterType": one["Type"],
            "NoEcho": str(one.get("NoEcho", "")).lower() == "true",
            "Description": one.get("Description"),
        }
        if "Default" in one:
            default = one["Default"]
            row["DefaultValue"] = str(default).lower() if isinstance(default, bool) else str(default)
        if "AllowedValues" in one:
            row["ParameterConstraints"] = {"AllowedValues": [str(value) for value in one["AllowedValues"]]}
        rows.append(row)
    reason = f"The following resource(s) require capabilities: [{', '.join(kinds)}]" if kinds else None
    return {
        "Parameters": rows,
        "Description": template.description,
        "Capabilities": capabilities,
        "CapabilitiesReason": reason,
        "DeclaredTransforms": [],
    }


def get_template_summary(call: Call) -> Answer:
    """GetTemplateSummary, of a text, a stack or a stack set."""
    params = call.params
    if params.get("StackName"):
        template = need(call.account, call.region, params["StackName"]).template
    elif params.get("StackSetName"):
        from overlay.stacks.set_calls import need_set

        template = need_set(call).template
    else:
        template = template_of(call, params)
    types = sorted({str(one["Type"]) for one in template.resources.values()})
    metadata = json.dumps(template.section("Metadata"), default=str) if template.section("Metadata") else None
    return {**summary(template), "ResourceTypes": types, "Version": "2010-09-09", "Metadata": metadata}


def validate_template(call: Call) -> Answer:
    """ValidateTemplate."""
    told = summary(template_of(call, call.params))
    return {
        **told,
        "Parameters": [
            {key: row.get(key) for key in ("ParameterKey", "DefaultValue", "NoEcho", "Description")}
            for row in told["Parameters"]
        ],
    }


def update_termination_protection(call: Call) -> Answer:
    """UpdateTerminationProtection."""
    stack = need(call.account, call.region, call.params["StackName"])
    stack.protected = bool(call.params["EnableTerminationProtection"])
    return {"StackId": stack.id}


def list_exports(call: Call) -> Answer:
    """ListExports."""
    rows = [
        {"ExportingStackId": stack.id, "Name": output["ExportName"], "Value": output["OutputValue"]}
        for stack in stacks_in(call.account, call.region)
        if stack.status != GONE
        for output in stack.outputs
        if "ExportName" in output
    ]
    return paged("Exports", rows, call.params)


def continue_update_rollback(call: Call) -> Answer:
    """ContinueUpdateRollback: what could not be taken back is left as it is."""
    stack = need(call.account, call.region, call.params["StackName"])
    if stack.status != "UPDATE_ROLLBACK_FAILED":
        raise invalid(f"Stack:{stack.id} is in {stack.status} state and can not be rolled back.")
    stack.enter("UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated")
    stack.enter("UPDATE_ROLLBACK_COMPLETE")
    return {}


def cancel_update_stack(call: Call) -> Answer:
    """CancelUpdateStack: too late here, unless the update has not begun."""
    stack = need(call.account, call.region, call.params["StackName"])
    if stack.status != "UPDATE_IN_PROGRESS":
        raise invalid(f"CancelUpdateStack cannot be called from current stack status: {stack.status}")
    return {}


def set_stack_policy(call: Call) -> Answer:
    """SetStackPolicy: taken, without effect."""
    need(call.account, call.region, call.params["StackName"])
    return {}


def describe_account_limits(call: Call) -> Answer:
    """DescribeAccountLimits."""
    return {"AccountLimits": [{"Name": "StackLimit", "Value": 2000}, {"Name": "StackOutputsLimit", "Value": 200}]}


ACTIONS: dict[str, Callable[[Call], Answer]] = {
    "CreateStack": create_stack,
    "UpdateStack": update_stack,
    "DeleteStack": delete_stack,
    "DescribeStacks": describe_stacks,
    "ListStacks": list_stacks,
    "DescribeStackEvents": describe_stack_events,
    "ListStackResources": list_stack_resources,
    "DescribeStackResources": describe_stack_resources,
    "DescribeStackResource": describe_stack_resource,
    "GetTemplate": get_template,
    "GetTemplateSummary": get_template_summary,
    "ValidateTemplate": validate_template,
    "UpdateTerminationProtection": update_termination_protection,
    "ListExports": list_exports,
    "ContinueUpdateRollback": continue_update_rollback,
    "CancelUpdateStack": cancel_update_stack,
    "SetStackPolicy": set_stack_policy,
    "DescribeAccountLimits": describe_account_limits,
}
