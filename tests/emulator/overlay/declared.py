"""The list of patches: what each closes and what of moto it touches, checked before anything is served.

Knows moto's version and the names of its parts; what a patch does stands in the patch's own module.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

#: The only version that the patches were written against.
MOTO = "5.2.5"


class Mismatch(RuntimeError):
    """moto is not what the overlay was written for."""


@dataclass(frozen=True)
class Patch:
    """One declared change of moto."""

    #: Its name in the documents, such as `P8`.
    name: str
    #: What moto does without it.
    gap: str
    #: Parts of moto that it replaces or relies on, `module:Class.attribute`.
    touches: tuple[str, ...]
    #: Puts it in place; called once.
    apply: Callable[[], None]


def find(path: str) -> Any:
    """The part of moto that `module:Class.attribute` names."""
    module, _, rest = path.partition(":")
    found: Any = importlib.import_module(module)
    for name in filter(None, rest.split(".")):
        found = getattr(found, name)
    return found


def replace(owner: Any, name: str, new: Any) -> Any:
    """Puts `new` in the place of an attribute that must exist, and returns what was there."""
    if name not in vars(owner):
        raise Mismatch(f"{owner!r} has no {name} of its own")
    old = vars(owner)[name]
    setattr(owner, name, new)
    return old


def check_version() -> None:
    """Fails unless moto is exactly the pinned version."""
    found = importlib.metadata.version("moto")
    if found != MOTO:
        raise Mismatch(f"moto {found} is installed; the overlay is written for {MOTO} and for no other")


def all_patches() -> list[Patch]:
    """The patches in the order in which they are put in place."""
    names = (
        "spot_prices instance_filters instance_states launching fleets event_bus price_list groups group_calls trust"
        " identity linked_roles cbor_protocol gateway organization key_value"
        " type_catalog parameters buckets stacks.service stacks.deployment_targets stacks.delegation"
    )
    return [importlib.import_module(f"overlay.{name}").PATCH for name in names.split()]


def apply_all() -> list[Patch]:
    """Checks moto, then puts all patches in place."""
    check_version()
    patches = all_patches()
    for patch in patches:
        for path in patch.touches:
            try:
                find(path)
            except (ImportError, AttributeError) as error:
                raise Mismatch(f"{patch.name}: moto has no {path}") from error
    for patch in patches:
        patch.apply()
    return patches
