"""What each kind of resource does when it is made, changed and deleted, by calls to its own service."""

from __future__ import annotations

import importlib
from functools import cache

from overlay.stacks.kinds.kind import Kind

#: Types that are accepted and have no effect at all. All others are carried out, or make the template invalid.
WITHOUT_EFFECT = ("AWS::CloudFormation::WaitConditionHandle",)


@cache
def kinds() -> dict[str, Kind]:
    """All kinds by the name of their type."""
    found: dict[str, Kind] = {name: Kind() for name in WITHOUT_EFFECT}
    for module in ("roles", "events", "messages", "storage", "running"):
        found.update(importlib.import_module(f"overlay.stacks.kinds.{module}").KINDS)
    return found
