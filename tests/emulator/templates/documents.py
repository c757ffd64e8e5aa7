"""The IAM documents of `policies/iam`, and their placeholders."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from templates.places import DOCUMENTS

_PLACEHOLDER = re.compile(r"\$\{([a-z_]+)\}")


def names() -> list[str]:
    """All documents."""
    return sorted(path.stem for path in DOCUMENTS.glob("*.json"))


def load(name: str) -> dict[str, Any]:
    """A document with its placeholders."""
    return json.loads((DOCUMENTS / f"{name}.json").read_text(encoding="utf-8"))


def placeholders(name: str) -> set[str]:
    """The placeholders of a document."""
    return set(_PLACEHOLDER.findall((DOCUMENTS / f"{name}.json").read_text(encoding="utf-8")))


def fill(name: str, values: Mapping[str, str | list[str]]) -> dict[str, Any]:
    """A document with its placeholders filled. A list stands where the placeholder is the only entry of a list."""
    return _filled(load(name), values)


def _filled(part: Any, values: Mapping[str, str | list[str]]) -> Any:
    if isinstance(part, dict):
        return {key: _filled(value, values) for key, value in part.items()}
    if isinstance(part, list):
        if len(part) == 1 and isinstance(part[0], str) and (only := _PLACEHOLDER.fullmatch(part[0])):
            value = values[only[1]]
            return list(value) if isinstance(value, list) else [value]
        return [_filled(value, values) for value in part]
    if isinstance(part, str):
        return _PLACEHOLDER.sub(lambda found: _text(found[1], values), part)
    return part


def _text(name: str, values: Mapping[str, str | list[str]]) -> str:
    value = values[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is a list")
    return value


def listed(value: Any) -> list[Any]:
    """One or several, as a list."""
    return list(value) if isinstance(value, list) else [value]


def allowed(document: Mapping[str, Any]) -> Iterator[str]:
    """The actions that a document allows."""
    for statement in document["Statement"]:
        if statement["Effect"] == "Allow":
            yield from listed(statement["Action"])
