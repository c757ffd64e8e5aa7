"""IAM: roles with their policies, managed policies, instance profiles, service-linked roles."""

from __future__ import annotations

import json
from typing import Any

from overlay.stacks.kinds.kind import Kind, Place, Props, differs, pairs, some


def _document(given: Any) -> str:
    return given if isinstance(given, str) else json.dumps(given)


def _inline(props: Props) -> dict[str, str]:
    return {one["PolicyName"]: _document(one["PolicyDocument"]) for one in props.get("Policies") or []}


class Role(Kind):
    """AWS::IAM::Role."""

    known = frozenset(
        "AssumeRolePolicyDocument Description ManagedPolicyArns MaxSessionDuration Path PermissionsBoundary Policies"
        " RoleName Tags".split()
    )
    fixed = frozenset({"RoleName", "Path"})
    name = "RoleName"
    tags = "Tags"

    def create(self, at: Place, props: Props) -> str:
        name = str(props.get("RoleName") or at.named())
        at.call(
            "iam",
            "create_role",
            RoleName=name,
            AssumeRolePolicyDocument=_document(props["AssumeRolePolicyDocument"]),
            **some(
                props,
                Description="Description",
                MaxSessionDuration="MaxSessionDuration",
                Path="Path",
                PermissionsBoundary="PermissionsBoundary",
                Tags="Tags",
            ),
        )
        at.born(name)
        self._policies(at, name, {}, props)
        return name

    def _policies(self, at: Place, name: str, old: Props, new: Props) -> None:
        was, now = _inline(old), _inline(new)
        for policy, document in now.items():
            if was.get(policy) != document:
                at.call("iam", "put_role_policy", RoleName=name, PolicyName=policy, PolicyDocument=document)
        for policy in set(was) - set(now):
            at.call("iam", "delete_role_policy", RoleName=name, PolicyName=policy)
        attached, wanted = old.get("ManagedPolicyArns") or [], new.get("ManagedPolicyArns") or []
        for arn in wanted:
            if arn not in attached:
                at.call("iam", "attach_role_policy", RoleName=name, PolicyArn=arn)
        for arn in attached:
            if arn not in wanted:
                at.call("iam", "detach_role_policy", RoleName=name, PolicyArn=arn)

    def update(self, at: Place, physical: str, old: Props, new: Props) -> None:
        if differs(old, new, "AssumeRolePolicyDocument"):
            document = _document(new["AssumeRolePolicyDocument"])
            at.call("iam", "update_assume_role_policy", RoleName=physical, PolicyDocument=document)
        if differs(old, new, "Description", "MaxSessionDuration"):
            at.call(
                "iam",
                "update_role",
                RoleName=physical,
                Description=new.get("Description", ""),
                MaxSessionDuration=new.get("MaxSessionDuration", 3600),
            )
        if differs(old, new, "PermissionsBoundary"):
            if new.get("PermissionsBoundary"):
                boundary = new["PermissionsBoundary"]
                at.call("iam", "put_role_permissions_boundary", RoleName=physical, PermissionsBoundary=boundary)
            else:
                at.call("iam", "delete_role_permissions_boundary", RoleName=physical)
        self._policies(at, physical, old, new)
        was, now = pairs(old.get("Tags")), pairs(new.get("Tags"))
        if was != now:
            if set(was) - set(now):
                at.call("iam", "untag_role", RoleName=physical, TagKeys=sorted(set(was) - set(now)))
            if now:
                at.call("iam", "tag_role", RoleName=physical, Tags=new["Tags"])

    def delete(self, at: Place, physical: str, props: Props) -> None:
        there = at.look("iam", "list_role_policies", RoleName=physical)["PolicyNames"]
        for policy in _inline(props):
            if policy in there:
                at.call("iam", "delete_role_policy", RoleName=physical, PolicyName=policy)
        attached = at.look("iam", "list_attached_role_policies", RoleName=physical)["AttachedPolicies"]
        for policy in attached:
            if policy["PolicyArn"] in (props.get("ManagedPolicyArns") or []):
                at.call("iam", "detach_role_policy", RoleName=physical, PolicyArn=policy["PolicyArn"])
        at.call("iam", "delete_role", RoleName=physical)

    def attributes(self, at: Place, physical: str, props: Props) -> Props:
        role = at.look("iam", "get_role", RoleName=physical)["Role"]
        return {"Arn": role["Arn"], "RoleId": role["RoleId"]}


class Policy(Kind):
    """AWS::IAM::Policy: an inline policy of roles and users."""

    known = frozenset("PolicyDocument PolicyName Roles Users".split())
    fixed = frozenset({"PolicyName"})

    def create(self, at: Place, props: Props) -> str:
        at.born(props["PolicyName"])
        self.update(at, props["PolicyName"], {}, props)
        return str(props["PolicyName"])

    def update(self, at: Place, physical: str, old: Props, new: Props) -> None:
        for kind in ("Role", "User"):
            holders = new.get(f"{kind}s") or []
            for holder in holders:
                at.call(
                    "iam",
                    f"put_{kind.lower()}_policy",
                    PolicyName=physical,
                    PolicyDocument=_document(new["PolicyDocument"]),
                    **{f"{kind}Name": holder},
                )
            for holder in set(old.get(f"{kind}s") or []) - set(holders):
                at.call("iam", f"delete_{kind.lower()}_policy", PolicyName=physical, **{f"{kind}Name": holder})

    def delete(self, at: Place, physical: str, props: Props) -> None:
        self.update(at, physical, props, {})


class ManagedPolicy(Kind):
    """AWS::IAM::ManagedPolicy."""

    known = frozenset("Description ManagedPolicyName Path PolicyDocument Roles Users".split())
    fixed = frozenset({"Description", "ManagedPolicyName", "Path"})
    name = "ManagedPolicyName"

    def create(self, at: Place, props: Props) -> str:
        told = at.call(
            "iam",
            "create_policy",
            PolicyName=str(props.get("ManagedPolicyName") or at.named(128)),
            PolicyDocument=_document(props["PolicyDocument"]),
            **some(props, Description="Description", Path="Path"),
        )
        arn = str(told["Policy"]["Arn"])
        at.born(arn)
        self._holders(at, arn, {}, props)
        return arn

    def _holders(self, at: Place, arn: str, old: Props, new: Props) -> None:
        for kind in ("Role", "User"):
            was, now = old.get(f"{kind}s") or [], new.get(f"{kind}s") or []
            for holder in now:
                if holder not in was:
                    at.call("iam", f"attach_{kind.lower()}_policy", PolicyArn=arn, **{f"{kind}Name": holder})
            for holder in was:
                if holder not in now:
                    at.call("iam", f"detach_{kind.lower()}_policy", PolicyArn=arn, **{f"{kind}Name": holder})

    def update(self, at: Place, physical: str, old: Props, new: Props) -> None:
        if differs(old, new, "PolicyDocument"):
            for version in at.look("iam", "list_policy_versions", PolicyArn=physical)["Versions"]:
                if not version["IsDefaultVersion"]:
                    at.call("iam", "delete_policy_version", PolicyArn=physical, VersionId=version["VersionId"])
            document = _document(new["PolicyDocument"])
            at.call("iam", "create_policy_version", PolicyArn=physical, PolicyDocument=document, SetAsDefault=True)
        self._holders(at, physical, old, new)

    def delete(self, at: Place, physical: str, props: Props) -> None:
        self._holders(at, physical, props, {})
        for version in at.look("iam", "list_policy_versions", PolicyArn=physical)["Versions"]:
            if not version["IsDefaultVersion"]:
                at.call("iam", "delete_policy_version", PolicyArn=physical, VersionId=version["VersionId"])
        at.call("iam", "delete_policy", PolicyArn=physical)

    def attributes(self, at: Place, physical: str, props: Props) -> Props:
        return {"PolicyArn": physical}


class InstanceProfile(Kind):
    """AWS::IAM::InstanceProfile."""

    known = frozenset("InstanceProfileName Path Roles".split())
    fixed = frozenset({"InstanceProfileName", "Path"})
    name = "InstanceProfileName"

    def create(self, at: Place, props: Props) -> str:
        name = str(props.get("InstanceProfileName") or at.named(128))
        at.call("iam", "create_instance_profile", InstanceProfileName=name, **some(props, Path="Path"))
        at.born(name)
        self.update(at, name, {}, props)
        return name

    def update(self, at: Place, physical: str, old: Props, new: Props) -> None:
        was, now = old.get("Roles") or [], new.get("Roles") or []
        for role in was:
            if role not in now:
                at.call("iam", "remove_role_from_instance_profile", InstanceProfileName=physical, RoleName=role)
        for role in now:
            if role not in was:
                at.call("iam", "add_role_to_instance_profile", InstanceProfileName=physical, RoleName=role)

    def delete(self, at: Place, physical: str, props: Props) -> None:
        self.update(at, physical, props, {})
        at.call("iam", "delete_instance_profile", InstanceProfileName=physical)

    def attributes(self, at: Place, physical: str, props: Props) -> Props:
        told = at.look("iam", "get_instance_profile", InstanceProfileName=physical)["InstanceProfile"]
        return {"Arn": told["Arn"]}


class ServiceLinkedRole(Kind):
    """AWS::IAM::ServiceLinkedRole."""

    known = frozenset("AWSServiceName CustomSuffix Description".split())
    fixed = frozenset({"AWSServiceName", "CustomSuffix"})

    def create(self, at: Place, props: Props) -> str:
        return str(at.call("iam", "create_service_linked_role", **props)["Role"]["RoleName"])

    def delete(self, at: Place, physical: str, props: Props) -> None:
        at.call("iam", "delete_service_linked_role", RoleName=physical)


KINDS: dict[str, Kind] = {
    "AWS::IAM::Role": Role(),
    "AWS::IAM::Policy": Policy(),
    "AWS::IAM::ManagedPolicy": ManagedPolicy(),
    "AWS::IAM::InstanceProfile": InstanceProfile(),
    "AWS::IAM::ServiceLinkedRole": ServiceLinkedRole(),
}
