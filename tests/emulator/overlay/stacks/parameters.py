"""The values of a template's parameters, with their constraints. Knows nothing of what they are used for."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from overlay.stacks.refused import invalid
from overlay.stacks.template import Template

#: How `NoEcho` values are told.
HIDDEN = "****"


def values_of(
    template: Template,
    given: list[dict[str, Any]],
    before: dict[str, str] | None,
    stored: Callable[[str], str],
) -> dict[str, str]:
    """The text of each parameter; `before` is what they were, `stored` reads a parameter of Systems Manager."""
    told: dict[str, str] = {}
    for one in given:
        name = one["ParameterKey"]
        if one.get("UsePreviousValue"):
            if before is None or name not in before:
                raise invalid(f"Invalid input for parameter key {name}. Cannot specify usePreviousValue as true for it")
            told[name] = before[name]
        elif "ParameterValue" in one:
            told[name] = str(one["ParameterValue"])
    unknown = [name for name in told if name not in template.parameters]
    if unknown:
        raise invalid(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    for name, one in template.parameters.items():
        if name not in told and "Default" in one:
            told[name] = _text(one["Default"])
    missing = [name for name in template.parameters if name not in told]
    if missing:
        raise invalid(f"Parameters: [{', '.join(missing)}] must have values")
    for name, one in template.parameters.items():
        check(name, one, told[name], stored)
    return told


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(_text(one) for one in value) if isinstance(value, list) else str(value)


def check(name: str, one: dict[str, Any], value: str, stored: Callable[[str], str]) -> None:
    """Refuses a value that the parameter does not allow."""
    if is_stored(one):
        stored(value)
    items = [part.strip() for part in value.split(",")] if is_list(one) else [value]
    if value == "" and is_list(one):
        items = [""]
    why = one.get("ConstraintDescription")
    for item in items:
        problem = _problem(name, one, item)
        if problem:
            raise invalid(f"Parameter {name} failed to satisfy constraint: {why}" if why else problem)


def _problem(name: str, one: dict[str, Any], value: str) -> str | None:
    allowed = one.get("AllowedValues")
    if allowed is not None and value not in [_text(known) for known in allowed]:
        return f"Parameter '{name}' must be one of AllowedValues"
    pattern = one.get("AllowedPattern")
    if pattern is not None and not re.fullmatch(f"(?:{pattern})", value):
        return f"Parameter '{name}' must match pattern {pattern}"
    if "MinLength" in one and len(value) < int(one["MinLength"]):
        return f"Parameter '{name}' must contain at least {one['MinLength']} characters"
    if "MaxLength" in one and len(value) > int(one["MaxLength"]):
        return f"Parameter '{name}' must contain at most {one['MaxLength']} characters"
    if one["Type"] in ("Number", "List<Number>"):
        try:
            number = float(value)
        except ValueError:
            return f"Parameter '{name}' must be a number."
        if "MinValue" in one and number < float(one["MinValue"]):
            return f"Parameter '{name}' must be a number not less than {one['MinValue']}"
        if "MaxValue" in one and number > float(one["MaxValue"]):
            return f"Parameter '{name}' must be a number not greater than {one['MaxValue']}"
    return None


def is_list(one: dict[str, Any]) -> bool:
    """Whether the parameter's value is a list."""
    return one["Type"] == "CommaDelimitedList" or "List<" in one["Type"]


def is_stored(one: dict[str, Any]) -> bool:
    """Whether the value is the name of a parameter of Systems Manager."""
    return str(one["Type"]).startswith("AWS::SSM::Parameter::Value<")


def referred(one: dict[str, Any], value: str, stored: Callable[[str], str]) -> Any:
    """What `Ref` gives for the parameter."""
    text = stored(value) if is_stored(one) else value
    return [part.strip() for part in text.split(",")] if is_list(one) else text
