"""A template as text and as structure: YAML with short forms or JSON, its sections, and what is wrong with it.

Knows the language; nothing of stacks, accounts or what the resources do.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import yaml

from overlay.stacks.refused import Refused, invalid

#: Bytes of a template in a request, and of one in a bucket.
MAX_BODY = 51_200
MAX_STORED = 1_048_576

_SECTIONS = {
    "AWSTemplateFormatVersion", "Conditions", "Description", "Mappings", "Metadata", "Outputs", "Parameters",
    "Resources", "Rules", "Transform",
}  # fmt: skip
_RESOURCE = {
    "Condition", "CreationPolicy", "DeletionPolicy", "DependsOn", "Metadata", "Properties", "Type", "UpdatePolicy",
    "UpdateReplacePolicy",
}  # fmt: skip
_FUNCTIONS = {
    "And", "Base64", "Cidr", "Contains", "EachMemberEquals", "EachMemberIn", "Equals", "FindInMap", "GetAtt", "GetAZs",
    "If", "ImportValue", "Join", "Not", "Or", "RefAll", "Select", "Split", "Sub", "ValueOf", "ValueOfAll",
}  # fmt: skip
#: Names in `${...}` of Sub; `${!x}` is a text.
SUBSTITUTED = re.compile(r"\$\{([^!${}][^${}]*)\}")
_NAMED = {
    "AWS::IAM::Role": "RoleName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::User": "UserName",
    "AWS::IAM::Group": "GroupName",
    "AWS::IAM::InstanceProfile": "InstanceProfileName",
}
_IAM = {*_NAMED, "AWS::IAM::Policy", "AWS::IAM::AccessKey", "AWS::IAM::UserToGroupAddition"}


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML as CloudFormation reads it: short forms of functions, and dates stay texts."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rows if tag != "tag:yaml.org,2002:timestamp"]
    for first, rows in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key, deep=True) for key, _ in node.value]
    doubled = {str(key) for key in keys if keys.count(key) > 1}
    if doubled:
        raise yaml.constructor.ConstructorError(
            None, None, f"duplicate key {', '.join(sorted(doubled))}", node.start_mark
        )
    loader.flatten_mapping(node)
    return loader.construct_mapping(node, deep=True)


def _short(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if suffix in ("Ref", "Condition"):
        return {suffix: value}
    if suffix not in _FUNCTIONS:
        raise yaml.constructor.ConstructorError(None, None, f"unknown tag !{suffix}", node.start_mark)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {f"Fn::{suffix}": value}


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Loader.add_multi_constructor("!", _short)


@dataclass
class Template:
    """A template that could be read."""

    text: str
    read: dict[str, Any]
    resources: dict[str, dict[str, Any]] = field(default_factory=dict)
    parameters: dict[str, dict[str, Any]] = field(default_factory=dict)

    def section(self, name: str) -> dict[str, Any]:
        """A section, empty where it is missing."""
        return self.read.get(name) or {}

    @property
    def description(self) -> str | None:
        """What it says of itself."""
        return self.read.get("Description")

    def capabilities(self) -> tuple[list[str], list[str]]:
        """What has to be acknowledged, and the resources that are the reason."""
        found = {name: one for name, one in self.resources.items() if one["Type"] in _IAM}
        if not found:
            return [], []
        named = any(_NAMED.get(one["Type"]) in (one.get("Properties") or {}) for one in found.values())
        kinds = sorted({str(one["Type"]) for one in found.values()})
        return ["CAPABILITY_NAMED_IAM" if named else "CAPABILITY_IAM"], kinds

    def check_capabilities(self, given: list[str]) -> None:
        """Refuses what was not acknowledged."""
        needed, _ = self.capabilities()
        enough = {"CAPABILITY_IAM": {"CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"}}
        for capability in needed:
            if not enough.get(capability, {capability}) & set(given):
                raise Refused("InsufficientCapabilitiesException", f"Requires capabilities : [{capability}]")


@lru_cache(maxsize=64)
def read(text: str) -> Template:
    """Reads and checks a template; nobody changes what it gives."""
    try:
        found = json.loads(text) if text.lstrip().startswith("{") else yaml.load(text, Loader=_Loader)
    except (ValueError, yaml.YAMLError) as error:
        raise invalid(f"Template format error: {' '.join(str(error).split())}") from error
    if not isinstance(found, dict):
        raise invalid("Template format error: unsupported structure.")
    unknown = sorted(set(found) - _SECTIONS)
    if unknown:
        raise invalid(f"Invalid template property or properties [{', '.join(map(str, unknown))}]")
    if found.get("Transform"):
        raise invalid("Transforms are not supported by this emulator")
    resources = found.get("Resources")
    if not isinstance(resources, dict) or not resources:
        raise invalid("Template format error: At least one Resources member must be defined.")
    for name, one in resources.items():
        _check_resource(name, one)
    parameters = found.get("Parameters") or {}
    for name, one in parameters.items():
        if not isinstance(one, dict) or "Type" not in one:
            raise invalid(f"Template format error: Every Parameters object must contain a Type member. {name}")
    template = Template(text, found, resources, parameters)
    _check_references(template)
    return template


def _check_resource(name: str, one: Any) -> None:
    if not re.fullmatch(r"[A-Za-z0-9]{1,255}", str(name)):
        raise invalid(f"Template format error: Resource name {name} is non alphanumeric.")
    if not isinstance(one, dict) or not isinstance(one.get("Type"), str):
        raise invalid("Template format error: [/Resources] Every Resources object must contain a Type member.")
    unknown = sorted(set(one) - _RESOURCE)
    if unknown:
        raise invalid(f"Invalid template resource property '{unknown[0]}'")
    for policy in ("DeletionPolicy", "UpdateReplacePolicy"):
        if one.get(policy, "Delete") not in ("Delete", "Retain", "RetainExceptOnCreate", "Snapshot"):
            raise invalid(f"Template error: {policy} must be one of Delete, Retain, RetainExceptOnCreate, Snapshot")


def references(what: Any) -> set[str]:
    """All logical names that a value refers to, whichever branch is taken."""
    found: set[str] = set()
    _walk(what, found)
    return found


def _walk(what: Any, found: set[str]) -> None:
    if isinstance(what, list):
        for one in what:
            _walk(one, found)
    elif isinstance(what, dict):
        for key, value in what.items():
            if key == "Ref" and isinstance(value, str):
                found.add(value)
            elif key == "Fn::GetAtt":
                found.add(value.split(".", 1)[0] if isinstance(value, str) else value[0])
            elif key == "Fn::Sub":
                text, own = (value[0], value[1]) if isinstance(value, list) else (value, {})
                names = {name.strip() for name in SUBSTITUTED.findall(text)} - set(own)
                found.update(name.split(".", 1)[0] for name in names)
                _walk(list(own.values()), found)
            else:
                _walk(value, found)


def _check_references(template: Template) -> None:
    known = {*template.resources, *template.parameters}
    for section in ("Resources", "Outputs"):
        missing = {
            name for name in references(template.section(section)) if name not in known and not name.startswith("AWS::")
        }
        if missing:
            listed = ", ".join(sorted(missing))
            raise invalid(
                f"Template format error: Unresolved resource dependencies [{listed}] in the {section} block of the"
                " template"
            )
    conditions = set(template.section("Conditions"))
    for name, one in {**template.resources, **template.section("Outputs")}.items():
        used = one.get("Condition")
        if used is not None and used not in conditions:
            raise invalid(f"Template format error: Unresolved dependencies [{used}]. Cannot reference {name}")
    for name, one in template.resources.items():
        after = one.get("DependsOn") or []
        for other in [after] if isinstance(after, str) else after:
            if other not in template.resources:
                raise invalid(
                    f"Template format error: Unresolved resource dependencies [{other}] in the Resources block of the"
                    f" template ({name})"
                )
