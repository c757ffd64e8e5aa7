"""The actions of CloudFormation on stack sets: requests checked, operations started, answers made.

Knows the API and who may ask for what; how operations run is `operating`'s.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from overlay import identity
from overlay.calls import Call
from overlay.stacks import instances, operating, organization
from overlay.stacks.deploying import stored_parameter
from overlay.stacks.pages import paged
from overlay.stacks.parameters import values_of
from overlay.stacks.refused import Refused, invalid
from overlay.stacks.sets import SERVICE_MANAGED, SETS, Instance, Key, Operation, StackSet
from overlay.stacks.source import template_of
from overlay.stacks.stack_calls import tags_of, told_parameters
from overlay.zones import zones_of

Answer = dict[str, Any]
_NAME = re.compile(r"^[a-zA-Z][a-zA-Z0-9-]{0,127}$")
_NOT_ALLOWED = (
    "You must be the management account or delegated admin account of an organization before operating a"
    " SERVICE_MANAGED stack set"
)
_NOT_ENABLED = "You must enable organizations access to operate a service managed stack set"


def owner_of(call: Call) -> str:
    """The account whose stack sets a request is about: the caller's, or the management account's for a delegate."""
    if call.params.get("CallAs", "SELF") == "SELF":
        return call.account
    management = organization.management_of(call.account)
    registered = organization.delegated(call.account, organization.PRINCIPAL)
    # CloudFormation looks it up with the caller's own rights.
    seen = identity.allows(call, "organizations:ListDelegatedAdministrators")
    if management is None or management == call.account or not registered or not seen:
        raise invalid("Account used is not a delegated administrator")
    return management


def _as_delegate(call: Call) -> bool:
    return bool(call.params.get("CallAs") == "DELEGATED_ADMIN")


def _visible(call: Call) -> list[StackSet]:
    owner = owner_of(call)
    found = [one for one in SETS if (one.account, one.region) == (owner, call.region)]
    return [one for one in found if one.service_managed] if _as_delegate(call) else found


def need_set(call: Call) -> StackSet:
    """The stack set that a request names, by name, id or ARN."""
    name = call.params["StackSetName"]
    for one in _visible(call):
        if name in (one.id, one.arn) or (name == one.name and one.status == "ACTIVE"):
            return one
    raise Refused("StackSetNotFoundException", f"StackSet {name} not found")


def _usable(call: Call) -> StackSet:
    found = need_set(call)
    if found.status != "ACTIVE":
        raise Refused("StackSetNotFoundException", f"StackSet {call.params['StackSetName']} not found")
    if found.service_managed:
        _check_organization(call, found.account)
    return found


def _check_organization(call: Call, owner: str) -> None:
    if organization.management_of(owner) != owner:
        raise invalid(_NOT_ALLOWED)
    if not organization.enabled(owner):
        raise invalid(_NOT_ENABLED)


def _automatic(params: Answer, model: str) -> Answer:
    given: Answer = dict(params.get("AutoDeployment") or {})
    if model != SERVICE_MANAGED and given:
        raise invalid("AutoDeployment is only supported for the SERVICE_MANAGED permission model")
    if "RetainStacksOnAccountRemoval" in given and not given.get("Enabled"):
        raise invalid("RetainStacksOnAccountRemoval can only be specified if auto deployment is enabled")
    for arn in given.get("DependsOn") or []:
        if not any(one.arn == arn and one.status == "ACTIVE" for one in SETS):
            raise invalid(f"AutoDeployment DependsOn: StackSet {arn} not found")
    return given


def create_stack_set(call: Call) -> Answer:
    """CreateStackSet."""
    params = call.params
    if not _NAME.match(params["StackSetName"]):
        raise invalid(f"Value '{params['StackSetName']}' at 'stackSetName' failed to satisfy constraint")
    model = params.get("PermissionModel", "SELF_MANAGED")
    owner = owner_of(call)
    if _as_delegate(call) and model != SERVICE_MANAGED:
        raise invalid("SELF_MANAGED stack sets cannot be created as a delegated administrator")
    if model == SERVICE_MANAGED:
        _check_organization(call, owner)
        if params.get("AdministrationRoleARN") or params.get("ExecutionRoleName"):
            raise invalid("AdministrationRoleARN and ExecutionRoleName cannot be given for SERVICE_MANAGED stack sets")
        if "AutoDeployment" not in params:
            raise invalid("AutoDeployment is a required property for SERVICE_MANAGED permission model")
    if any(
        (one.account, one.region, one.name, one.status) == (owner, call.region, params["StackSetName"], "ACTIVE")
        for one in SETS
    ):
        raise Refused("NameAlreadyExistsException", f"StackSet {params['StackSetName']} already exists")
    template = template_of(call, params)
    template.check_capabilities(params.get("Capabilities") or [])
    stored = stored_parameter(owner, call.region)
    made = StackSet(
        owner,
        call.region,
        params["StackSetName"],
        template,
        model,
        values_of(template, params.get("Parameters") or [], None, stored),
        tags_of(params.get("Tags")),
        params.get("Capabilities") or [],
        params.get("Description"),
        _automatic(params, model),
        bool((params.get("ManagedExecution") or {}).get("Active")),
        params.get("AdministrationRoleARN"),
        params.get("ExecutionRoleName"),
    )
    SETS.append(made)
    return {"StackSetId": made.id}


def _free(own: StackSet, call: Call) -> str:
    """The id of a new operation, if one may begin now."""
    ident = call.params.get("OperationId") or str(uuid4())
    if any(one.id == ident for one in own.operations):
        raise Refused("OperationIdAlreadyExistsException", f"OperationId {ident} already exists")
    running = own.running()
    if running and not own.managed:
        raise Refused(
            "OperationInProgressException", f"Another Operation on StackSet {own.arn} is in progress: {running[0].id}"
        )
    _check_preferences(call.params.get("OperationPreferences") or {})
    return ident


def _check_preferences(given: Answer) -> None:
    for first, second in (
        ("FailureToleranceCount", "FailureTolerancePercentage"),
        ("MaxConcurrentCount", "MaxConcurrentPercentage"),
    ):
        if first in given and second in given:
            raise invalid(f"Either {first} or {second} can be specified, but not both")
    strict = given.get("ConcurrencyMode", "STRICT_FAILURE_TOLERANCE") == "STRICT_FAILURE_TOLERANCE"
    most, tolerated = given.get("MaxConcurrentCount"), given.get("FailureToleranceCount", 0)
    if strict and most is not None and "FailureTolerancePercentage" not in given and most > tolerated + 1:
        raise invalid("Maximum concurrent count cannot be more than one above the failure tolerance count")


def _regions(call: Call) -> list[str]:
    regions = list(dict.fromkeys(call.params.get("Regions") or []))
    for region in regions:
        if not zones_of(region):
            raise invalid(f"Region {region} is not supported")
    return regions


def _targets(own: StackSet, call: Call, creating: bool) -> dict[str, str | None]:
    """The accounts that a request names, each with the unit that it was named by."""
    params = call.params
    targets = params.get("DeploymentTargets") or {}
    if not own.service_managed:
        accounts = params.get("Accounts") or targets.get("Accounts") or []
        if targets.get("OrganizationalUnitIds"):
            raise invalid("Organizational units can only be given for SERVICE_MANAGED stack sets")
        if not accounts:
            raise invalid("Accounts list cannot be empty")
        return dict.fromkeys(accounts)
    if params.get("Accounts"):
        raise invalid("StackSets with SERVICE_MANAGED permission model can only have OrganizationalUnit as target")
    units, accounts = targets.get("OrganizationalUnitIds") or [], set(targets.get("Accounts") or [])
    kind = targets.get("AccountFilterType")
    if creating and not units:
        raise invalid("OrganizationalUnitIds are required")
    if creating and accounts and kind is None:
        raise invalid("AccountFilterType should be specified when both OrganizationalUnitIds and Accounts are provided")
    if creating and kind == "UNION":
        raise invalid("AccountFilterType UNION is not supported for CreateStackInstances")
    if kind in ("INTERSECTION", "DIFFERENCE") and not accounts:
        raise invalid(f"Accounts are required with AccountFilterType {kind}")
    if kind == "NONE" and accounts:
        raise invalid("Accounts cannot be given with AccountFilterType NONE")
    found: dict[str, str | None] = {}
    for unit in units:
        if not organization.has_unit(own.account, unit):
            raise invalid(f"Invalid OrganizationalUnitId {unit}")
        for account in organization.accounts_in(own.account, unit):
            found.setdefault(account, unit)
    if kind == "INTERSECTION":
        return {account: unit for account, unit in found.items() if account in accounts}
    if kind == "DIFFERENCE":
        return {account: unit for account, unit in found.items() if account not in accounts}
    # What is worked on already is found where its account was when it was made, or by its account.
    if not creating:
        for instance in own.instances.values():
            if instance.unit in units or instance.account in accounts:
                found.setdefault(instance.account, instance.unit)
    return found


def _overrides(own: StackSet, given: list[Answer] | None, before: dict[str, str]) -> dict[str, str]:
    if given is None:
        return before
    told = {}
    for one in given:
        key = one["ParameterKey"]
        if key not in own.template.parameters:
            raise invalid(f"Parameters: [{key}] do not exist in the template")
        if not one.get("UsePreviousValue"):
            told[key] = str(one.get("ParameterValue", ""))
        elif key in before:
            told[key] = before[key]
    return told


def _begin(
    own: StackSet,
    call: Call,
    ident: str,
    action: str,
    keys: list[Key],
    work: Callable[[Instance], str | None],
) -> Answer:
    params = call.params
    targets = params.get("DeploymentTargets")
    operation = Operation(
        ident, action, params.get("OperationPreferences") or {}, keys, work, targets, params.get("RetainStacks")
    )
    operating.start(own, operation)
    return {"OperationId": ident}


def create_stack_instances(call: Call) -> Answer:
    """CreateStackInstances."""
    own = _usable(call)
    regions, ident = _regions(call), _free(own, call)
    if not regions:
        raise invalid("Regions list cannot be empty")
    targets = _targets(own, call, creating=True)
    overrides = call.params.get("ParameterOverrides")
    _overrides(own, overrides, {})
    keys = [(account, region) for region in regions for account in targets]
    for unit in (call.params.get("DeploymentTargets") or {}).get("OrganizationalUnitIds") or []:
        own.units.setdefault(unit, set()).update(regions)
    for account, region in keys:
        instance = own.instances.setdefault((account, region), Instance(account, region, targets[account]))
        instance.overrides = _overrides(own, overrides, instance.overrides)
    return _begin(own, call, ident, "CREATE", keys, lambda instance: instances.deploy(own, instance))


def _existing(own: StackSet, call: Call) -> list[Key]:
    regions = _regions(call)
    targets = _targets(own, call, creating=False)
    return [key for region in regions for key in own.instances if key[1] == region and key[0] in targets]


def update_stack_instances(call: Call) -> Answer:
    """UpdateStackInstances."""
    own = _usable(call)
    keys, ident = _existing(own, call), _free(own, call)
    if not keys:
        raise Refused("StackInstanceNotFoundException", "No stack instances found in the given targets and regions")
    given = call.params.get("ParameterOverrides")
    wanted = {key: _overrides(own, given, own.instances[key].overrides) for key in keys}
    keys = [key for key in keys if own.instances[key].status != "INOPERABLE"]

    def work(instance: Instance) -> str | None:
        instance.overrides = wanted[instance.key]
        return instances.deploy(own, instance)

    return _begin(own, call, ident, "UPDATE", keys, work)


def delete_stack_instances(call: Call) -> Answer:
    """DeleteStackInstances."""
    own = _usable(call)
    keys, ident = _existing(own, call), _free(own, call)
    retain = bool(call.params["RetainStacks"])
    targets = call.params.get("DeploymentTargets") or {}
    if not targets.get("Accounts"):
        for unit in targets.get("OrganizationalUnitIds") or []:
            left = own.units.get(unit, set()) - set(_regions(call))
            own.units[unit] = left
            if not left:
                del own.units[unit]
    return _begin(own, call, ident, "DELETE", keys, lambda instance: instances.remove(own, instance, retain))


def update_stack_set(call: Call) -> Answer:
    """UpdateStackSet: the set itself at once, its instances by an operation."""
    own, params = _usable(call), call.params
    if params.get("AutoDeployment") and (params.get("DeploymentTargets") or params.get("Regions")):
        raise invalid("AutoDeployment cannot be given together with DeploymentTargets or Regions")
    some = bool(params.get("Regions"))
    keys = _existing(own, call) if some else list(own.instances)
    ident = _free(own, call)
    template = template_of(call, params, own.template)
    template.check_capabilities(params.get("Capabilities") or [])
    stored = stored_parameter(own.account, call.region)
    values = values_of(template, params.get("Parameters") or [], own.values, stored)
    automatic = _automatic(params, own.model) if "AutoDeployment" in params else own.automatic
    if params.get("PermissionModel", own.model) != own.model and own.instances:
        raise invalid("The permission model of a stack set with instances cannot be changed")
    if "ManagedExecution" in params and own.running():
        raise invalid("ManagedExecution cannot be changed while operations run")
    changed = template.text != own.template.text or values != own.values
    own.template, own.values, own.automatic = template, values, automatic
    own.tags = tags_of(params["Tags"]) if "Tags" in params else own.tags
    own.capabilities = params.get("Capabilities") or own.capabilities
    own.description = params.get("Description", own.description)
    own.administration = params.get("AdministrationRoleARN") or own.administration
    own.execution = params.get("ExecutionRoleName") or own.execution
    if "ManagedExecution" in params:
        own.managed = bool(params["ManagedExecution"].get("Active"))
    if changed:
        for instance in own.instances.values():
            instance.status = "OUTDATED" if instance.status != "INOPERABLE" else instance.status
    keys = [key for key in keys if own.instances[key].status != "INOPERABLE"]
    keys.sort(key=lambda key: list(own.instances).index(key))
    return _begin(own, call, ident, "UPDATE", keys, lambda instance: instances.deploy(own, instance))


def delete_stack_set(call: Call) -> Answer:
    """DeleteStackSet; one that is gone is deleted."""
    try:
        own = need_set(call)
    except Refused:
        return {}
    if own.running():
        raise Refused("OperationInProgressException", f"An operation on StackSet {own.arn} is in progress")
    if own.instances:
        raise Refused("StackSetNotEmptyException", "StackSet is not empty")
    own.status = "DELETED"
    return {}


def describe_stack_set(call: Call) -> Answer:
    """DescribeStackSet."""
    own = need_set(call)
    told: Answer = {
        "StackSetName": own.name,
        "StackSetId": own.id,
        "Description": own.description,
        "Status": own.status,
        "TemplateBody": own.template.text,
        "Parameters": told_parameters(own.template, own.values),
        "Capabilities": own.capabilities,
        "Tags": [{"Key": key, "Value": value} for key, value in own.tags.items()],
        "StackSetARN": own.arn,
        "PermissionModel": own.model,
        "ManagedExecution": {"Active": own.managed},
        "StackSetDriftDetectionDetails": _drift(own),
        "Regions": sorted({region for _, region in own.instances}),
    }
    if own.service_managed:
        told["AutoDeployment"] = _told_automatic(own)
        told["OrganizationalUnitIds"] = sorted(own.units)
    else:
        arn = own.arn.split(":")[1]
        default = f"arn:{arn}:iam::{own.account}:role/{instances.ADMINISTRATION}"
        told["AdministrationRoleARN"] = own.administration or default
        told["ExecutionRoleName"] = own.execution or instances.EXECUTION
    return {"StackSet": told}


def _drift(own: StackSet) -> Answer:
    return {
        "DriftStatus": "NOT_CHECKED",
        "TotalStackInstancesCount": len(own.instances),
        "DriftedStackInstancesCount": 0,
        "InSyncStackInstancesCount": 0,
        "InProgressStackInstancesCount": 0,
        "FailedStackInstancesCount": 0,
    }


def _told_automatic(own: StackSet) -> Answer:
    told = {"Enabled": bool(own.automatic.get("Enabled"))}
    if told["Enabled"]:
        told["RetainStacksOnAccountRemoval"] = bool(own.automatic.get("RetainStacksOnAccountRemoval"))
    depends = own.automatic.get("DependsOn")
    return {**told, **({"DependsOn": depends} if depends else {})}


def list_stack_sets(call: Call) -> Answer:
    """ListStackSets."""
    wanted = call.params.get("Status")
    rows = [
        {
            "StackSetName": own.name,
            "StackSetId": own.id,
            "Description": own.description,
            "Status": own.status,
            "PermissionModel": own.model,
            "DriftStatus": "NOT_CHECKED",
            "ManagedExecution": {"Active": own.managed},
            **({"AutoDeployment": _told_automatic(own)} if own.service_managed else {}),
        }
        for own in _visible(call)
        if wanted in (None, own.status)
    ]
    return paged("Summaries", rows, call.params)


def _told_instance(own: StackSet, one: Instance) -> Answer:
    told = {
        "StackSetId": own.id,
        "Region": one.region,
        "Account": one.account,
        "StackId": one.stack,
        "Status": one.status,
        "StatusReason": one.reason,
        "StackInstanceStatus": {"DetailedStatus": one.detailed},
        "DriftStatus": "NOT_CHECKED",
        "LastOperationId": one.operation,
    }
    return {**told, "OrganizationalUnitId": one.unit} if own.service_managed else told


def list_stack_instances(call: Call) -> Answer:
    """ListStackInstances."""
    own, params = need_set(call), call.params
    rows = []
    for one in own.instances.values():
        if params.get("StackInstanceAccount") not in (None, one.account):
            continue
        if params.get("StackInstanceRegion") not in (None, one.region):
            continue
        values = {"DETAILED_STATUS": one.detailed, "LAST_OPERATION_ID": one.operation, "DRIFT_STATUS": "NOT_CHECKED"}
        if all(values[each["Name"]] == each["Values"] for each in params.get("Filters") or []):
            rows.append(_told_instance(own, one))
    return paged("Summaries", rows, params)


def describe_stack_instance(call: Call) -> Answer:
    """DescribeStackInstance."""
    own, params = need_set(call), call.params
    one = own.instances.get((params["StackInstanceAccount"], params["StackInstanceRegion"]))
    if one is None:
        words = f"Stack instance for StackSet {own.name} not found in account {params['StackInstanceAccount']}"
        raise Refused("StackInstanceNotFoundException", f"{words} and region {params['StackInstanceRegion']}")
    overrides = [{"ParameterKey": key, "ParameterValue": value} for key, value in one.overrides.items()]
    return {"StackInstance": {**_told_instance(own, one), "ParameterOverrides": overrides}}


def _operation(own: StackSet, call: Call) -> Operation:
    for one in own.operations:
        if one.id == call.params["OperationId"]:
            return one
    raise Refused("OperationNotFoundException", f"Operation {call.params['OperationId']} not found")


def _told_operation(own: StackSet, one: Operation) -> Answer:
    failed = sum(1 for result in one.results.values() if result.status == "FAILED")
    return {
        "OperationId": one.id,
        "StackSetId": own.id,
        "Action": one.action,
        "Status": one.status,
        "StatusReason": one.reason,
        "CreationTimestamp": one.created,
        "EndTimestamp": one.ended,
        "OperationPreferences": {"RegionOrder": [], **one.preferences},
        "StatusDetails": {"FailedStackInstancesCount": failed},
    }


def describe_stack_set_operation(call: Call) -> Answer:
    """DescribeStackSetOperation."""
    own = need_set(call)
    one = _operation(own, call)
    told = {**_told_operation(own, one), "RetainStacks": one.retain}
    if own.service_managed:
        return {"StackSetOperation": {**told, "DeploymentTargets": one.targets}}
    roles = describe_stack_set(call)["StackSet"]
    more = {name: roles[name] for name in ("AdministrationRoleARN", "ExecutionRoleName")}
    return {"StackSetOperation": {**told, **more}}


def list_stack_set_operations(call: Call) -> Answer:
    """ListStackSetOperations: the newest first."""
    own = need_set(call)
    rows = [_told_operation(own, one) for one in reversed(own.operations)]
    return paged("Summaries", rows, call.params)


def list_stack_set_operation_results(call: Call) -> Answer:
    """ListStackSetOperationResults."""
    own = need_set(call)
    wanted = [each["Values"] for each in call.params.get("Filters") or []]
    rows = [
        {
            "Account": one.account,
            "Region": one.region,
            "Status": one.status,
            "StatusReason": one.reason,
            "AccountGateResult": {
                "Status": "SKIPPED",
                "StatusReason": f"Function not found: arn:aws:lambda:{one.region}:{one.account}:function:"
                "AWSCloudFormationStackSetAccountGate",
            },
            **({"OrganizationalUnitId": one.unit} if own.service_managed else {}),
        }
        for one in _operation(own, call).results.values()
        if not wanted or one.status in wanted
    ]
    return paged("Summaries", rows, call.params)


def stop_stack_set_operation(call: Call) -> Answer:
    """StopStackSetOperation."""
    own = need_set(call)
    one = _operation(own, call)
    if not one.open:
        raise Refused("InvalidOperationException", f"Operation {one.id} is not running")
    operating.stop(one)
    return {}


def list_auto_deployment_targets(call: Call) -> Answer:
    """ListStackSetAutoDeploymentTargets."""
    own = need_set(call)
    rows = [{"OrganizationalUnitId": unit, "Regions": sorted(regions)} for unit, regions in own.units.items()]
    return paged("Summaries", rows, call.params)


def _management(call: Call) -> Any:
    backend = organization.backend_of(call.account)
    if backend is None or backend.org.master_account_id != call.account:
        raise Refused("InvalidOperationException", "Only the management account of an organization can do this")
    return backend


def activate_organizations_access(call: Call) -> Answer:
    """ActivateOrganizationsAccess."""
    backend = _management(call)
    backend.enable_aws_service_access(ServicePrincipal=organization.PRINCIPAL)
    organization.ACTIVATED.add(call.account)
    return {}


def deactivate_organizations_access(call: Call) -> Answer:
    """DeactivateOrganizationsAccess."""
    backend = _management(call)
    backend.disable_aws_service_access(ServicePrincipal=organization.PRINCIPAL)
    organization.ACTIVATED.discard(call.account)
    return {}


def describe_organizations_access(call: Call) -> Answer:
    """DescribeOrganizationsAccess."""
    owner = owner_of(call)
    if organization.management_of(owner) != owner:
        raise Refused("InvalidOperationException", "Only the management account of an organization can do this")
    return {"Status": "ENABLED" if organization.enabled(owner) else "DISABLED"}


ACTIONS: dict[str, Callable[[Call], Answer]] = {
    "CreateStackSet": create_stack_set,
    "UpdateStackSet": update_stack_set,
    "DeleteStackSet": delete_stack_set,
    "DescribeStackSet": describe_stack_set,
    "ListStackSets": list_stack_sets,
    "CreateStackInstances": create_stack_instances,
    "UpdateStackInstances": update_stack_instances,
    "DeleteStackInstances": delete_stack_instances,
    "ListStackInstances": list_stack_instances,
    "DescribeStackInstance": describe_stack_instance,
    "DescribeStackSetOperation": describe_stack_set_operation,
    "ListStackSetOperations": list_stack_set_operations,
    "ListStackSetOperationResults": list_stack_set_operation_results,
    "StopStackSetOperation": stop_stack_set_operation,
    "ListStackSetAutoDeploymentTargets": list_auto_deployment_targets,
    "ActivateOrganizationsAccess": activate_organizations_access,
    "DeactivateOrganizationsAccess": deactivate_organizations_access,
    "DescribeOrganizationsAccess": describe_organizations_access,
}
