"""Functions, conditions and rules of a template, evaluated for one stack. Knows the language, changes nothing."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from overlay.stacks.refused import invalid
from overlay.stacks.template import SUBSTITUTED, Template, references

#: What `AWS::NoValue` gives; the property that holds it is left out.
NOTHING = object()


@dataclass
class Evaluation:
    """One template with values: what its functions give."""

    template: Template
    #: `Ref` of parameters and pseudo parameters.
    values: dict[str, Any]
    #: `Ref` and `GetAtt` of a resource.
    resource: Callable[[str, str | None], Any]
    #: `ImportValue`.
    imported: Callable[[str], str]
    #: Names of the zones of a region.
    zones: Callable[[str], list[str]]
    _conditions: dict[str, bool] = field(default_factory=dict)

    def condition(self, name: str) -> bool:
        """Whether a condition holds."""
        if name not in self._conditions:
            known = self.template.section("Conditions")
            if name not in known:
                raise invalid(f"Template error: unresolved condition dependency {name}")
            self._conditions[name] = False  # a circle ends here
            self._conditions[name] = truth(self.value(known[name]))
        return self._conditions[name]

    def resources(self) -> dict[str, dict[str, Any]]:
        """The resources whose conditions hold."""
        return {
            name: one
            for name, one in self.template.resources.items()
            if "Condition" not in one or self.condition(one["Condition"])
        }

    def check_rules(self) -> None:
        """Refuses what the template's rules do not admit."""
        for rule in self.template.section("Rules").values():
            if "RuleCondition" in rule and not truth(self.value(rule["RuleCondition"])):
                continue
            for assertion in rule.get("Assertions") or []:
                if not truth(self.value(assertion["Assert"])):
                    words = assertion.get("AssertDescription", "an assertion of its Rules failed")
                    raise invalid(f"Template error: {words}")

    def value(self, what: Any) -> Any:
        """A value with all functions done."""
        if isinstance(what, list):
            return [one for one in (self.value(one) for one in what) if one is not NOTHING]
        if not isinstance(what, dict):
            return what
        if len(what) == 1:
            (key, given), = what.items()
            if key == "Ref":
                return self._ref(given)
            if key == "Condition" and isinstance(given, str):
                return self.condition(given)
            function = _FUNCTIONS.get(key)
            if function is not None:
                return function(self, given)
            if str(key).startswith("Fn::"):
                raise invalid(f"Template error: the function {key} is not supported by this emulator")
        told = {key: self.value(given) for key, given in what.items()}
        return {key: given for key, given in told.items() if given is not NOTHING}

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return NOTHING
        return self.values[name] if name in self.values else self.resource(name, None)

    def needs(self, one: dict[str, Any]) -> set[str]:
        """The resources that one resource has to wait for."""
        after = one.get("DependsOn") or []
        named = {after} if isinstance(after, str) else set(after)
        taken = self._taken(one.get("Properties") or {})
        return {name for name in references(taken) | named if name in self.template.resources}

    def _taken(self, what: Any) -> Any:
        """The value with the branches of `If` that are taken."""
        if isinstance(what, list):
            return [self._taken(one) for one in what]
        if isinstance(what, dict):
            if set(what) == {"Fn::If"}:
                name, yes, no = what["Fn::If"]
                return self._taken(yes if self.condition(name) else no)
            return {key: self._taken(given) for key, given in what.items()}
        return what

    def order(self) -> list[str]:
        """The resources, each after what it needs."""
        wanted = self.resources()
        needs = {name: self.needs(one) for name, one in wanted.items()}
        for name, needed in needs.items():
            missing = sorted(needed - set(wanted))
            used = references(self._taken(wanted[name].get("Properties") or {}))
            if set(missing) & used:
                raise invalid(
                    f"Template format error: Unresolved resource dependencies [{', '.join(missing)}] in the Resources"
                    " block of the template"
                )
        done: list[str] = []
        while len(done) < len(wanted):
            ready = [name for name in wanted if name not in done and not needs[name] & set(wanted) - set(done)]
            if not ready:
                left = ", ".join(name for name in wanted if name not in done)
                raise invalid(f"Circular dependency between resources: [{left}]")
            done += ready
        return done


def truth(value: Any) -> bool:
    """A value as a condition."""
    return value if isinstance(value, bool) else str(value).lower() == "true"


def same(first: Any, second: Any) -> bool:
    """Whether two values are equal as texts."""
    return text(first) == text(second)


def text(value: Any) -> str:
    """A value as CloudFormation writes it into a text."""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(text(one) for one in value) if isinstance(value, list) else str(value)


def _join(own: Evaluation, given: Any) -> str:
    parts = own.value(given[1])
    if not isinstance(parts, list):
        raise invalid("Template error: every Fn::Join object requires two parameters, (1) a string delimiter and (2) a"
                      " list of strings to be joined")
    return str(given[0]).join(text(one) for one in parts)


def _sub(own: Evaluation, given: Any) -> str:
    pattern, extra = (given[0], own.value(given[1])) if isinstance(given, list) else (given, {})

    def put(found: Any) -> str:
        name = found[1].strip()
        if name in extra:
            return text(extra[name])
        if name in own.values:
            return text(own.values[name])
        head, _, attribute = name.partition(".")
        return text(own.resource(head, attribute or None))

    return SUBSTITUTED.sub(put, pattern).replace("${!", "${")


def _attribute(own: Evaluation, given: Any) -> Any:
    name, attribute = given.split(".", 1) if isinstance(given, str) else given
    return own.resource(name, own.value(attribute))


def _if(own: Evaluation, given: Any) -> Any:
    name, yes, no = given
    return own.value(yes if own.condition(name) else no)


def _select(own: Evaluation, given: Any) -> Any:
    at, items = int(own.value(given[0])), own.value(given[1])
    if not 0 <= at < len(items):
        raise invalid(f"Template error: Fn::Select cannot select nonexistent value at index {at}")
    return items[at]


def _in_map(own: Evaluation, given: Any) -> Any:
    name, first, second = (own.value(one) for one in given[:3])
    try:
        return own.template.section("Mappings")[name][first][second]
    except KeyError:
        raise invalid(f"Template error: Unable to get mapping for {name}::{first}::{second}") from None


def _split(own: Evaluation, given: Any) -> list[str]:
    return str(own.value(given[1])).split(given[0])


_FUNCTIONS: dict[str, Callable[[Evaluation, Any], Any]] = {
    "Fn::And": lambda own, given: all(truth(own.value(one)) for one in given),
    "Fn::Or": lambda own, given: any(truth(own.value(one)) for one in given),
    "Fn::Not": lambda own, given: not truth(own.value(given[0])),
    "Fn::Equals": lambda own, given: same(own.value(given[0]), own.value(given[1])),
    "Fn::If": _if,
    "Fn::Join": _join,
    "Fn::Sub": _sub,
    "Fn::GetAtt": _attribute,
    "Fn::Select": _select,
    "Fn::Split": _split,
    "Fn::FindInMap": _in_map,
    "Fn::Base64": lambda own, given: base64.b64encode(text(own.value(given)).encode()).decode(),
    "Fn::ImportValue": lambda own, given: own.imported(text(own.value(given))),
    "Fn::GetAZs": lambda own, given: own.zones(text(own.value(given)) or own.values["AWS::Region"]),
    "Fn::Contains": lambda own, given: text(own.value(given[1])) in [text(one) for one in own.value(given[0])],
    "Fn::EachMemberEquals": lambda own, given: all(same(one, own.value(given[1])) for one in own.value(given[0])),
    "Fn::EachMemberIn": lambda own, given: {text(one) for one in own.value(given[0])}
    <= {text(one) for one in own.value(given[1])},
}
