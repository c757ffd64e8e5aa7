"""P11: which resources a call touches, with the condition keys that each brings. Judges nothing.

One entry for each pair of action and resource that AWS would check; a call passes when all of them do. Actions that
are not listed have no resource of their own and are checked against `*`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from moto.autoscaling.models import autoscaling_backends
from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends
from moto.utilities.utils import get_partition

from overlay import linked_roles
from overlay.calls import Call
from overlay.launching import is_spot, merged, place_of, plain, template_version


class Check(NamedTuple):
    """One thing that has to be allowed."""

    action: str
    resource: str
    keys: dict[str, Any]


def checks(call: Call) -> list[Check]:
    """All that a call needs."""
    find = _FINDERS.get(call.name)
    if find is not None:
        return find(call)
    if call.service == "autoscaling" and call.params.get("AutoScalingGroupName") and not _is_read(call):
        return _group(call)
    if call.service in _SERVICES:
        return _SERVICES[call.service](call)
    if call.service in _BY_NAME:
        return [Check(call.name, _BY_NAME[call.service](call), {})]
    return [Check(call.name, "*", {})]


def _is_read(call: Call) -> bool:
    return call.action.startswith("Describe")


def _arn(call: Call, service: str, rest: str, account: str | None = None, region: str | None = None) -> str:
    where = call.region if region is None else region
    whose = call.account if account is None else account
    return f"arn:{get_partition(call.region)}:{service}:{where}:{whose}:{rest}"


def tag_keys(prefixes: tuple[str, ...], tags: dict[str, str]) -> dict[str, str]:
    """Tags as condition keys."""
    return {f"{prefix}/{key}".lower(): value for prefix in prefixes for key, value in tags.items()}


def _tags_of(specs: list[dict[str, Any]], kind: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for spec in specs:
        if spec.get("ResourceType") == kind:
            found.update({tag["Key"]: tag.get("Value") or "" for tag in spec.get("Tags") or []})
    return found


def _request_tags(tags: dict[str, str]) -> dict[str, Any]:
    return {**tag_keys(("aws:RequestTag",), tags), "aws:tagkeys": list(tags)} if tags else {}


def _on_instances(call: Call) -> list[Check]:
    backend = ec2_backends[call.account][call.region]
    found = []
    for ident in call.params.get("InstanceIds") or []:
        instance = backend.get_instance_by_id(ident)
        keys: dict[str, Any] = {}
        if instance is not None:
            keys = tag_keys(("aws:ResourceTag", "ec2:ResourceTag"), backend.tags.get(ident, {}))
            keys["ec2:instancetype"] = instance.instance_type
        found.append(Check(call.name, _arn(call, "ec2", f"instance/{ident}"), keys))
    return found or [Check(call.name, _arn(call, "ec2", "instance/*"), {})]


_KINDS = {
    "i": "instance", "vol": "volume", "eni": "network-interface", "sir": "spot-instances-request", "ami": "image",
    "subnet": "subnet", "sg": "security-group", "lt": "launch-template", "vpc": "vpc", "snap": "snapshot",
}  # fmt: skip


def _tagging(call: Call) -> list[Check]:
    backend = ec2_backends[call.account][call.region]
    given = {tag["Key"]: tag.get("Value") or "" for tag in call.params.get("Tags") or []}
    found = []
    for ident in call.params.get("Resources") or []:
        kind = _KINDS.get(ident.split("-", 1)[0], "*")
        has = tag_keys(("aws:ResourceTag", "ec2:ResourceTag"), backend.tags.get(ident, {}))
        keys = {**has, **_request_tags(given)}
        found.append(Check(call.name, _arn(call, "ec2", f"{kind}/{ident}"), keys))
    return found


def _run(call: Call) -> list[Check]:
    backend = ec2_backends[call.account][call.region]
    params = plain(call.params)
    asked = merged(backend, params)
    return _launch(call, backend, asked, params, "RunInstances")


def _launch(call: Call, backend: Any, asked: dict[str, Any], own: dict[str, Any], creating: str) -> list[Check]:
    """Everything that RunInstances touches, what it tags, and the role that it passes on.

    `asked` is the request with its template's fields, `own` what the caller wrote.
    """
    place = place_of(backend, asked)
    specs = own.get("TagSpecifications") or []
    template = asked.get("LaunchTemplate") or {}
    shared: dict[str, Any] = {}
    if template:
        shared["ec2:launchtemplate"] = _arn(call, "ec2", f"launch-template/{template['LaunchTemplateId']}")

    def given_by(field: str) -> dict[str, str]:
        return {"ec2:islaunchtemplateresource": str(bool(template) and field not in own).lower()}

    nics = asked.get("NetworkInterfaces") or []
    groups = list(asked.get("SecurityGroupIds") or []) + [g for nic in nics for g in nic.get("Groups") or []]
    subnet = asked.get("SubnetId") or next((nic["SubnetId"] for nic in nics if nic.get("SubnetId")), None)
    instance = {
        "ec2:instancetype": place.type,
        "ec2:availabilityzone": place.zone,
        "ec2:tenancy": (asked.get("Placement") or {}).get("Tenancy", "default"),
        "ec2:instancemarkettype": "spot" if is_spot(asked) else "on-demand",
        "ec2:ebsoptimized": str(bool(asked.get("EbsOptimized"))).lower(),
        "ec2:metadatahttptokens": (asked.get("MetadataOptions") or {}).get("HttpTokens", "optional"),
    }
    wanted: list[tuple[str, dict[str, Any]]] = [
        ("instance/*", {**instance, **given_by("InstanceType"), **_request_tags(_tags_of(specs, "instance"))}),
        ("volume/*", _request_tags(_tags_of(specs, "volume"))),
        ("network-interface/*", _request_tags(_tags_of(specs, "network-interface"))),
    ]
    wanted += [(f"security-group/{group}", given_by("SecurityGroupIds")) for group in groups or ["*"]]
    wanted.append((f"subnet/{subnet or '*'}", given_by("SubnetId")))
    if asked.get("KeyName"):
        wanted.append((f"key-pair/{asked['KeyName']}", given_by("KeyName")))
    if template:
        wanted.append((f"launch-template/{template['LaunchTemplateId']}", {}))
    spot_tags = _tags_of(specs, "spot-instances-request")
    if is_spot(asked) and spot_tags:
        wanted.append(("spot-instances-request/*", _request_tags(spot_tags)))
    found = [Check("ec2:RunInstances", _arn(call, "ec2", rest), {**shared, **keys}) for rest, keys in wanted]
    image = _arn(call, "ec2", f"image/{asked.get('ImageId')}", account="")
    found.append(Check("ec2:RunInstances", image, {**shared, **given_by("ImageId")}))
    for kind in ("instance", "volume", "network-interface", "spot-instances-request"):
        tags = _tags_of(specs, kind)
        if tags:
            keys = {**_request_tags(tags), "ec2:createaction": creating}
            found.append(Check("ec2:CreateTags", _arn(call, "ec2", f"{kind}/*"), keys))
    if is_spot(asked) and not linked_roles.exists(call.account, call.region, linked_roles.SPOT):
        found.append(_linked(call, linked_roles.SPOT))
    return found + _passing(call, asked.get("IamInstanceProfile") or {})


def _passing(call: Call, profile: dict[str, str]) -> list[Check]:
    name = profile.get("Name") or (profile.get("Arn") or "").rsplit("/", 1)[-1]
    profiles = iam_backends[call.account][get_partition(call.region)].instance_profiles.values()
    roles = [role for known in profiles if known.name == name for role in known.roles]
    return [Check("iam:PassRole", role.arn, {"iam:passedtoservice": "ec2.amazonaws.com"}) for role in roles]


def _fleet(call: Call) -> list[Check]:
    from overlay.fleets import candidates

    backend = ec2_backends[call.account][call.region]
    params = plain(call.params)
    specs = params.get("TagSpecifications") or []
    market = (params.get("TargetCapacitySpecification") or {}).get("DefaultTargetCapacityType") or "on-demand"
    found = [Check("ec2:CreateFleet", _arn(call, "ec2", "fleet/*"), _request_tags(_tags_of(specs, "fleet")))]
    if _tags_of(specs, "fleet"):
        keys = {**_request_tags(_tags_of(specs, "fleet")), "ec2:createaction": "CreateFleet"}
        found.append(Check("ec2:CreateTags", _arn(call, "ec2", "fleet/*"), keys))
    for config in params.get("LaunchTemplateConfigs") or []:
        ident = template_version(backend, config.get("LaunchTemplateSpecification") or {}).template.id
        found.append(Check("ec2:CreateFleet", _arn(call, "ec2", f"launch-template/{ident}"), {}))
    for candidate in candidates(backend, params.get("LaunchTemplateConfigs") or [], market):
        own = {**candidate.override, "TagSpecifications": specs}
        found += _fleet_parts(call, candidate.params, specs)
        found += _launch(call, backend, candidate.params, own, "CreateFleet")
    return found


def _fleet_parts(call: Call, asked: dict[str, Any], specs: list[dict[str, Any]]) -> list[Check]:
    """What CreateFleet itself is checked on, besides the fleet and its template."""
    subnets = [asked.get("SubnetId"), *(nic.get("SubnetId") for nic in asked.get("NetworkInterfaces") or [])]
    wanted = [
        (_arn(call, "ec2", "instance/*"), _request_tags(_tags_of(specs, "instance"))),
        (_arn(call, "ec2", "volume/*"), _request_tags(_tags_of(specs, "volume"))),
        (_arn(call, "ec2", f"image/{asked.get('ImageId')}", account=""), {}),
    ]
    wanted += [(_arn(call, "ec2", f"subnet/{subnet}"), {}) for subnet in subnets if subnet]
    return [Check("ec2:CreateFleet", arn, keys) for arn, keys in wanted]


def _group(call: Call) -> list[Check]:
    names = [call.params["AutoScalingGroupName"]] if call.params.get("AutoScalingGroupName") else []
    return [_group_check(call, name, {}) for name in names]


def _group_check(call: Call, name: str, keys: dict[str, Any]) -> Check:
    group = autoscaling_backends[call.account][call.region].autoscaling_groups.get(name)
    if group is None:
        return Check(call.name, _arn(call, "autoscaling", f"autoScalingGroup:*:autoScalingGroupName/{name}"), keys)
    tags = {tag["Key"]: tag.get("Value") or "" for tag in group.tags}
    return Check(call.name, group.arn, {**tag_keys(("aws:ResourceTag", "autoscaling:ResourceTag"), tags), **keys})


def _group_of_instance(call: Call) -> list[Check]:
    wanted = {call.params.get("InstanceId"), *(call.params.get("InstanceIds") or [])}
    backend = autoscaling_backends[call.account][call.region]
    names = [g.name for g in backend.autoscaling_groups.values() if wanted & {m.instance.id for m in g.instance_states}]
    names = names or [call.params.get("AutoScalingGroupName") or "*"]
    return [_group_check(call, name, {}) for name in names]


def _group_update(call: Call) -> list[Check]:
    """Each key is there only where the request has the parameter."""
    params = call.params
    keys: dict[str, Any] = {
        f"autoscaling:{name}".lower(): params[name]
        for name in ("MaxSize", "MinSize", "LaunchConfigurationName")
        if name in params
    }
    if "VPCZoneIdentifier" in params:
        keys["autoscaling:vpczoneidentifiers"] = params["VPCZoneIdentifier"].split(",")
    mixed = (params.get("MixedInstancesPolicy") or {}).get("LaunchTemplate") or {}
    template = params.get("LaunchTemplate") or mixed.get("LaunchTemplateSpecification")
    if template is not None:
        keys["autoscaling:launchtemplateversionspecified"] = str(bool(template.get("Version"))).lower()
    types = [one["InstanceType"] for one in mixed.get("Overrides") or [] if one.get("InstanceType")]
    if types:
        keys["autoscaling:instancetypes"] = types
    target = (params.get("CapacityReservationSpecification") or {}).get("CapacityReservationTarget") or {}
    for name in ("CapacityReservationIds", "CapacityReservationResourceGroupArns"):
        if target.get(name):
            keys[f"autoscaling:{name}".lower()] = target[name]
    return [_group_check(call, params.get("AutoScalingGroupName", "*"), keys)]


def _assume(call: Call) -> list[Check]:
    from overlay.trust import organization_of

    arn = call.params.get("RoleArn", "")
    account = arn.split(":")[4] if arn.count(":") >= 5 else call.account
    keys: dict[str, Any] = {"aws:resourceaccount": account}
    organization = organization_of(account)
    if organization:
        keys["aws:resourceorgid"] = organization
    if call.params.get("ExternalId"):
        keys["sts:externalid"] = call.params["ExternalId"]
    actions = ["sts:AssumeRole"] + ["sts:TagSession"] * bool(call.params.get("Tags"))
    return [Check(action, arn, keys) for action in actions]


def _put_events(call: Call) -> list[Check]:
    found = []
    for entry in call.params.get("Entries") or []:
        bus = entry.get("EventBusName") or "default"
        arn = bus if bus.startswith("arn:") else _arn(call, "events", f"event-bus/{bus}")
        keys = {"events:source": entry.get("Source", ""), "events:detail-type": entry.get("DetailType", "")}
        found.append(Check(call.name, arn, keys))
    return found


def _put_rule(call: Call) -> list[Check]:
    keys: dict[str, Any] = {}
    try:
        pattern = json.loads(call.params.get("EventPattern") or "{}")
    except ValueError:
        pattern = {}
    for key, name in (("events:source", "source"), ("events:detail-type", "detail-type")):
        if isinstance(pattern.get(name), list):
            keys[key] = [value for value in pattern[name] if isinstance(value, str)]
    found = [Check(call.name, _rule(call), keys)]
    if call.params.get("RoleArn"):
        found.append(_passed(call.params["RoleArn"], "events.amazonaws.com"))
    return found


def _put_targets(call: Call) -> list[Check]:
    targets = call.params.get("Targets") or []
    found = [Check(call.name, _rule(call), {"events:targetarn": [target["Arn"] for target in targets]})]
    roles = {target["RoleArn"] for target in targets if target.get("RoleArn")}
    return found + [_passed(role, "events.amazonaws.com") for role in sorted(roles)]


def _passed(role: str, service: str) -> Check:
    return Check("iam:PassRole", role, {"iam:passedtoservice": service})


def _bus(call: Call) -> list[Check]:
    name = (call.params.get("Name") or "default").rsplit("/", 1)[-1]
    return [Check(call.name, _arn(call, "events", f"event-bus/{name}"), {})]


def _anything(call: Call) -> list[Check]:
    return [Check(call.name, "*", {})]


def _iam(call: Call) -> list[Check]:
    """Roles, profiles and policies by name, with their path where they are there."""
    params, backend = call.params, iam_backends[call.account][get_partition(call.region)]
    account = f"arn:{get_partition(call.region)}:iam::{call.account}"
    keys: dict[str, Any] = {}
    if params.get("PolicyArn") and "RoleName" in params:
        keys["iam:policyarn"] = params["PolicyArn"]
    if params.get("PermissionsBoundary"):
        keys["iam:permissionsboundary"] = params["PermissionsBoundary"]
    if "Tags" in params:
        keys.update(_request_tags({tag["Key"]: tag.get("Value") or "" for tag in params["Tags"]}))
    if "RoleName" in params:
        name = params["RoleName"]
        role = next((one for one in backend.roles.values() if one.name == name), None)
        if role is None:
            return [Check(call.name, f"{account}:role{params.get('Path', '/')}{name}", keys)]
        tags = role.tags if isinstance(role.tags, list) else []
        named = {tag["Key"]: tag["Value"] for tag in tags}
        if role.permissions_boundary_arn:
            keys.setdefault("iam:permissionsboundary", role.permissions_boundary_arn)
        return [Check(call.name, role.arn, {**tag_keys(("aws:ResourceTag", "iam:ResourceTag"), named), **keys})]
    if "InstanceProfileName" in params:
        name = params["InstanceProfileName"]
        profile = next((one for one in backend.instance_profiles.values() if one.name == name), None)
        arn = profile.arn if profile is not None else f"{account}:instance-profile{params.get('Path', '/')}{name}"
        return [Check(call.name, arn, keys)]
    if "AWSServiceName" in params:
        service = params["AWSServiceName"]
        return [_linked(call, service)]
    if params.get("PolicyArn"):
        return [Check(call.name, params["PolicyArn"], keys)]
    if "PolicyName" in params:
        return [Check(call.name, f"{account}:policy{params.get('Path', '/')}{params['PolicyName']}", keys)]
    return [Check(call.name, "*", keys)]


def _linked(call: Call, service: str) -> Check:
    name = linked_roles.role_name(service) or "*"
    arn = _arn(call, "iam", f"role/aws-service-role/{service}/{name}", region="")
    return Check("iam:CreateServiceLinkedRole", arn, {"iam:awsservicename": service})


def _unit(call: Call) -> list[Check]:
    """Units, roots and accounts of the organization."""
    from overlay.stacks.organization import backend_of

    params = call.params
    ident = params.get("ParentId") or params.get("OrganizationalUnitId") or params.get("ResourceId")
    ident = ident or params.get("ChildId") or params.get("AccountId")
    backend = backend_of(call.account)
    if not ident or backend is None:
        return _anything(call)
    kind = "root" if ident.startswith("r-") else "ou" if ident.startswith("ou-") else "account"
    place = f"arn:{get_partition(call.region)}:organizations::{backend.org.master_account_id}"
    return [Check(call.name, f"{place}:{kind}/{backend.org.id}/{ident}", {})]


def _stack(call: Call) -> list[Check]:
    """Stacks and stack sets by their ARNs; the set of a delegated administrator is the management account's."""
    from overlay.stacks import organization, records
    from overlay.stacks.sets import SETS

    params = call.params
    keys: dict[str, Any] = {}
    for key, name in (("cloudformation:templateurl", "TemplateURL"), ("cloudformation:rolearn", "RoleARN")):
        if params.get(name):
            keys[key] = params[name]
    if params.get("ChangeSetName"):
        keys["cloudformation:changesetname"] = params["ChangeSetName"]
    if "Tags" in params:
        keys.update(_request_tags({tag["Key"]: tag.get("Value") or "" for tag in params["Tags"]}))
    found: list[Check] = []
    if params.get("RoleARN"):
        found.append(_passed(params["RoleARN"], "cloudformation.amazonaws.com"))
    name = params.get("StackName")
    if name:
        stack = records.find(call.account, call.region, name)
        arn = stack.id if stack is not None else _arn(call, "cloudformation", f"stack/{name}/*")
        return [Check(call.name, name if name.startswith("arn:") else arn, keys), *found]
    name = params.get("StackSetName")
    if not name or call.action == "CreateStackSet":
        return [Check(call.name, "*", keys), *found]
    owner = call.account
    if params.get("CallAs") == "DELEGATED_ADMIN":
        owner = organization.management_of(call.account) or owner
    known = next((one for one in SETS if one.account == owner and name in (one.name, one.id, one.arn)), None)
    arn = known.arn if known is not None else _arn(call, "cloudformation", f"stackset/{name}:*", account=owner)
    return [Check(call.name, arn, keys), *found]


def _quota(call: Call) -> list[Check]:
    rest = f"{call.params.get('ServiceCode')}/{call.params.get('QuotaCode')}"
    return [Check(call.name, _arn(call, "servicequotas", rest), {})]


def _parameters(call: Call) -> list[Check]:
    names = [str(name).split(":")[0].lstrip("/") for name in call.params.get("Names") or []]
    return [Check(call.name, _arn(call, "ssm", f"parameter/{name}"), {}) for name in names]


def owner_of(call: Call) -> str | None:
    """The account of the queue or table that a call names, where another than its own may be named."""
    if call.service == "sqs":
        parts = (call.params.get("QueueUrl") or "").rstrip("/").split("/")
        owner = parts[-2] if len(parts) >= 2 else call.params.get("QueueOwnerAWSAccountId")
        return owner if owner and str(owner).isdigit() else None
    if call.service == "dynamodb":
        name = str(call.params.get("TableName") or "")
        return name.split(":")[4] if name.startswith("arn:") and name.count(":") >= 5 else None
    return None


def _cluster(call: Call) -> list[Check]:
    name = str(call.params.get("cluster") or "default").rsplit("/", 1)[-1]
    return [Check(call.name, _arn(call, "ecs", f"cluster/{name}"), {})]


def _container_instances(call: Call) -> list[Check]:
    return [Check(call.name, arn, {}) for arn in call.params.get("containerInstances") or []]


def _queue(call: Call) -> str:
    url = call.params.get("QueueUrl") or ""
    parts = url.rstrip("/").split("/")
    if len(parts) >= 2 and parts[-2].isdigit():
        return _arn(call, "sqs", parts[-1], account=parts[-2])
    owner = call.params.get("QueueOwnerAWSAccountId")
    return _arn(call, "sqs", call.params.get("QueueName") or "*", account=owner)


def _topic(call: Call) -> str:
    return str(call.params.get("TopicArn") or call.params.get("TargetArn") or "*")


def _table(call: Call) -> str:
    name = call.params.get("TableName")
    if str(name).startswith("arn:"):
        return str(name)
    return _arn(call, "dynamodb", f"table/{name}") if name else "*"


def _transaction(call: Call) -> list[Check]:
    """A transaction needs the right of each of its parts."""
    actions = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}
    found = []
    for item in call.params.get("TransactItems") or []:
        for part, asked in item.items():
            name = str(asked.get("TableName"))
            arn = name if name.startswith("arn:") else _arn(call, "dynamodb", f"table/{name}")
            found.append(Check(f"dynamodb:{actions.get(part, part)}", arn, {}))
    return found


def _parameter(call: Call) -> str:
    name = call.params.get("Name") or call.params.get("Path")
    return _arn(call, "ssm", f"parameter/{name.lstrip('/')}") if name else "*"


def _object(call: Call) -> str:
    place = "/".join(call.params[name] for name in ("Bucket", "Key") if name in call.params)
    return f"arn:{get_partition(call.region)}:s3:::{place or '*'}"


def _rule(call: Call) -> str:
    name = call.params.get("Rule") or call.params.get("Name")
    bus = call.params.get("EventBusName") or "default"
    bus = bus.rsplit("/", 1)[-1]
    return _arn(call, "events", f"rule/{name}" if bus == "default" else f"rule/{bus}/{name}") if name else "*"


_BY_NAME: dict[str, Callable[[Call], str]] = {
    "sqs": _queue,
    "sns": _topic,
    "dynamodb": _table,
    "ssm": _parameter,
    "s3": _object,
    "events": _rule,
}
_SERVICES: dict[str, Callable[[Call], list[Check]]] = {
    "cloudformation": _stack,
    "iam": _iam,
    "organizations": _unit,
}
_FINDERS: dict[str, Callable[[Call], list[Check]]] = {
    "ec2:RunInstances": _run,
    "dynamodb:TransactWriteItems": _transaction,
    "ec2:CreateFleet": _fleet,
    "ec2:TerminateInstances": _on_instances,
    "ec2:StopInstances": _on_instances,
    "ec2:StartInstances": _on_instances,
    "ec2:RebootInstances": _on_instances,
    "ec2:CreateTags": _tagging,
    "ec2:DeleteTags": _tagging,
    "autoscaling:TerminateInstanceInAutoScalingGroup": _group_of_instance,
    "autoscaling:SetInstanceHealth": _group_of_instance,
    "autoscaling:UpdateAutoScalingGroup": _group_update,
    "ecs:DescribeContainerInstances": _container_instances,
    "ecs:ListContainerInstances": _cluster,
    "ecs:UpdateContainerInstancesState": _container_instances,
    "sts:AssumeRole": _assume,
    "events:CreateEventBus": _bus,
    "events:DeleteEventBus": _bus,
    "events:DescribeEventBus": _bus,
    "events:ListRules": _anything,
    "events:PutEvents": _put_events,
    "events:PutPermission": _anything,
    "events:PutRule": _put_rule,
    "events:PutTargets": _put_targets,
    "events:RemovePermission": _anything,
    "servicequotas:GetServiceQuota": _quota,
    "ssm:DescribeParameters": _anything,
    "ssm:GetParameters": _parameters,
}
