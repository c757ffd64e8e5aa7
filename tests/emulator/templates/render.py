"""Renders a CloudFormation template with parameters into the resources that it makes.

Knows the intrinsic functions and the attributes that our templates use, as AWS documents them, and fails on any other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from templates.places import Place

_GONE = object()
_FUNCTIONS = {"Ref", "Condition"}


class RenderError(Exception):
    """A template that cannot be rendered, or something in it that is not known here."""


class _Loader(yaml.SafeLoader):
    """YAML with the short forms of intrinsic functions."""


def _short_form(loader: _Loader, tag: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if tag == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {tag if tag in _FUNCTIONS else f"Fn::{tag}": value}


_Loader.add_multi_constructor("!", _short_form)


def read(path: Path) -> dict[str, Any]:
    """A template as it stands, with the long forms of its functions."""
    return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - a SafeLoader


def _named(place: Place, service: str, rest: str, *, regional: bool = True) -> str:
    return f"arn:{place.partition}:{service}:{place.region if regional else ''}:{place.account}:{rest}"


def _rule(stack: Stack, properties: Mapping[str, Any]) -> str:
    bus = properties.get("EventBusName", "default")
    return _named(stack.place, "events", f"rule/{'' if bus == 'default' else bus + '/'}{properties['Name']}")


def _queue_url(stack: Stack, properties: Mapping[str, Any]) -> str:
    place = stack.place
    return f"https://sqs.{place.region}.{place.url_suffix}/{place.account}/{properties['QueueName']}"


#: What Ref gives, by type.
_REFERENCES: dict[str, Callable[[Stack, Mapping[str, Any]], str]] = {
    "AWS::DynamoDB::Table": lambda _, p: p["TableName"],
    "AWS::ECS::Cluster": lambda _, p: p["ClusterName"],
    "AWS::ECS::TaskDefinition": lambda s, p: _named(s.place, "ecs", f"task-definition/{p['Family']}:1"),
    "AWS::IAM::Role": lambda _, p: p["RoleName"],
    "AWS::Logs::LogGroup": lambda _, p: p["LogGroupName"],
    "AWS::S3::Bucket": lambda _, p: p["BucketName"],
    "AWS::SQS::Queue": _queue_url,
}
#: What GetAtt gives, by type and attribute.
_ATTRIBUTES: dict[tuple[str, str], Callable[[Stack, Mapping[str, Any]], str]] = {
    ("AWS::DynamoDB::Table", "Arn"): lambda s, p: _named(s.place, "dynamodb", f"table/{p['TableName']}"),
    ("AWS::ECS::Cluster", "Arn"): lambda s, p: _named(s.place, "ecs", f"cluster/{p['ClusterName']}"),
    ("AWS::ECS::Service", "Name"): lambda _, p: p["ServiceName"],
    ("AWS::Events::EventBus", "Arn"): lambda s, p: _named(s.place, "events", f"event-bus/{p['Name']}"),
    ("AWS::Events::EventBus", "Name"): lambda _, p: p["Name"],
    ("AWS::Events::Rule", "Arn"): _rule,
    ("AWS::IAM::Role", "Arn"): lambda s, p: _named(
        s.place, "iam", f"role{p.get('Path', '/')}{p['RoleName']}", regional=False
    ),
    ("AWS::SQS::Queue", "Arn"): lambda s, p: _named(s.place, "sqs", p["QueueName"]),
    ("AWS::SQS::Queue", "QueueName"): lambda _, p: p["QueueName"],
}


class Stack:
    """A template with the values of its parameters, in an account and region."""

    def __init__(self, template: dict[str, Any], given: Mapping[str, str], place: Place) -> None:
        unknown = set(template) - {
            "AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Rules", "Conditions", "Resources",
            "Outputs",
        }  # fmt: skip
        if unknown:
            raise RenderError(f"sections that are not known: {sorted(unknown)}")
        self.template = template
        self.place = place
        self._parameters = _parameters(template.get("Parameters", {}), given)
        self._conditions: dict[str, bool] = {}
        self._resources: dict[str, dict[str, Any]] = {}
        self._rendering: list[str] = []
        for name, rule in template.get("Rules", {}).items():
            if "RuleCondition" not in rule or self._is(rule["RuleCondition"]):
                for assertion in rule["Assertions"]:
                    if not self._is(assertion["Assert"]):
                        raise RenderError(f"{name}: {assertion['AssertDescription']}")
        self.resources = {
            name: self._resource(name) for name in template["Resources"] if self._is_made(template["Resources"][name])
        }
        self.outputs = {name: self._resolve(output["Value"]) for name, output in template.get("Outputs", {}).items()}

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """Properties of all resources of a type."""
        return {name: made["Properties"] for name, made in self.resources.items() if made["Type"] == kind}

    def _is_made(self, resource: Mapping[str, Any]) -> bool:
        return "Condition" not in resource or self._condition(resource["Condition"])

    def _resource(self, name: str) -> dict[str, Any]:
        if name not in self._resources:
            if name in self._rendering:
                raise RenderError(f"{name} refers to itself by {self._rendering}")
            found = self.template["Resources"].get(name)
            if found is None or not self._is_made(found):
                raise RenderError(f"{name} is not made, and is referred to by {self._rendering}")
            self._rendering.append(name)
            properties = self._resolve(found.get("Properties", {}))
            self._rendering.pop()
            self._resources[name] = {"Type": found["Type"], "Properties": properties}
        return self._resources[name]

    def _condition(self, name: str) -> bool:
        if name not in self._conditions:
            self._conditions[name] = self._is(self.template["Conditions"][name])
        return self._conditions[name]

    def _is(self, told: Any) -> bool:
        """A condition's own functions."""
        ((function, value),) = told.items()
        match function:
            case "Condition":
                return self._condition(value)
            case "Fn::Equals":
                one, other = (self._resolve(part) for part in value)
                return str(one) == str(other)
            case "Fn::Not":
                return not self._is(value[0])
            case "Fn::And":
                return all([self._is(part) for part in value])
            case "Fn::Or":
                return any([self._is(part) for part in value])
            case "Fn::Contains":
                return self._resolve(value[1]) in self._resolve(value[0])
            case _:
                raise RenderError(f"no condition that is known: {function}")

    def _resolve(self, value: Any) -> Any:
        if isinstance(value, list):
            return [found for found in map(self._resolve, value) if found is not _GONE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((function, argument),) = value.items()
            if function == "Ref":
                return self._ref(argument)
            if function.startswith("Fn::"):
                return self._call(function, argument)
        found = {key: self._resolve(part) for key, part in value.items()}
        return {key: part for key, part in found.items() if part is not _GONE}

    def _ref(self, name: str) -> Any:
        pseudo = {
            "AWS::AccountId": self.place.account,
            "AWS::NoValue": _GONE,
            "AWS::Partition": self.place.partition,
            "AWS::Region": self.place.region,
            "AWS::URLSuffix": self.place.url_suffix,
        }
        if name in pseudo:
            return pseudo[name]
        if name in self._parameters:
            return self._parameters[name]
        found = self._resource(name)
        if found["Type"] not in _REFERENCES:
            raise RenderError(f"Ref of {found['Type']} is not known")
        return _REFERENCES[found["Type"]](self, found["Properties"])

    def _attribute(self, name: str, attribute: str) -> str:
        found = self._resource(name)
        if (found["Type"], attribute) not in _ATTRIBUTES:
            raise RenderError(f"{attribute} of {found['Type']} is not known")
        return _ATTRIBUTES[(found["Type"], attribute)](self, found["Properties"])

    def _call(self, function: str, argument: Any) -> Any:
        match function:
            case "Fn::Sub":
                text, more = argument if isinstance(argument, list) else (argument, {})
                return re.sub(r"\$\{([^!}][^}]*)\}", lambda found: self._sub(found[1].strip(), more), text)
            case "Fn::GetAtt":
                return self._attribute(*argument)
            case "Fn::If":
                return self._resolve(argument[1 if self._condition(argument[0]) else 2])
            case "Fn::Join":
                return argument[0].join(str(part) for part in self._resolve(argument[1]))
            case "Fn::Split":
                return self._resolve(argument[1]).split(argument[0])
            case "Fn::Select":
                return self._resolve(argument[1])[int(argument[0])]
            case "Fn::FindInMap":
                names = [self._resolve(part) for part in argument]
                return self.template["Mappings"][names[0]][names[1]][names[2]]
            case _:
                raise RenderError(f"a function that is not known: {function}")

    def _sub(self, name: str, more: Mapping[str, Any]) -> str:
        if name in more:
            return str(self._resolve(more[name]))
        found = self._attribute(*name.split(".", 1)) if "." in name else self._ref(name)
        if not isinstance(found, str):
            raise RenderError(f"{name} is no text")
        return found


def _parameters(told: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, Any]:
    unknown = set(given) - set(told)
    if unknown:
        raise RenderError(f"parameters that are not known: {sorted(unknown)}")
    found: dict[str, Any] = {}
    for name, parameter in told.items():
        if name not in given and "Default" not in parameter:
            raise RenderError(f"{name} is needed")
        value = str(given.get(name, parameter.get("Default")))
        allowed = [str(one) for one in parameter.get("AllowedValues", [])]
        if allowed and value not in allowed:
            raise RenderError(f"{name}: {value!r} is none of {allowed}")
        pattern = parameter.get("AllowedPattern")
        if pattern is not None and not re.fullmatch(pattern, value):
            raise RenderError(f"{name}: {value!r} does not match {pattern}")
        match parameter["Type"]:
            case "String":
                found[name] = value
            case "Number":
                if not value.isdigit() or int(value) < parameter.get("MinValue", 0):
                    raise RenderError(f"{name}: {value!r} is no such number")
                found[name] = value
            case "CommaDelimitedList":
                found[name] = [part.strip() for part in value.split(",")]
            case other:
                raise RenderError(f"{name}: a type that is not known: {other}")
    return found
