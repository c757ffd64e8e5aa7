"""What every kind of resource has in common: its names, its properties, and where its calls are made."""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from overlay.stacks.acting import Actor, Failed, call

Props = dict[str, Any]


@dataclass
class Place:
    """One resource of one stack: where its calls are made, and by whom."""

    account: str
    region: str
    actor: Actor
    stack: str
    logical: str
    #: Told the physical name as soon as there is something to delete.
    born: Callable[[str], None] = field(default=lambda _: None)

    @property
    def partition(self) -> str:
        """`aws` but for China and others."""
        from moto.utilities.utils import get_partition

        return get_partition(self.region)

    def call(self, service: str, operation: str, /, **params: Any) -> Props:
        """A call with the rights that the stack has."""
        return call(self.account, self.region, self.actor, service, operation, **params)

    def look(self, service: str, operation: str, /, **params: Any) -> Props:
        """A call that only reads; it needs no rights."""
        return call(self.account, self.region, Actor(), service, operation, **params)

    def named(self, most: int = 64, lower: bool = False) -> str:
        """A name for what has none in the template."""
        tail = "".join(random.choices(string.ascii_letters + string.digits, k=12))
        head = f"{self.stack}-{self.logical}"[: most - 13]
        name = f"{head}-{tail}"
        return name.lower() if lower else name


class Kind:
    """One type of resource; as it is here it has no effect."""

    #: The properties that are carried out; others are refused.
    known: frozenset[str] | None = None
    #: A change of these makes a new thing.
    fixed: frozenset[str] = frozenset()
    #: The property that names it; a named thing cannot be replaced by one of the same name.
    name: str | None = None
    #: The property that takes the stack's tags, if it has one.
    tags: str | None = None

    def check(self, props: Props) -> None:
        """Refuses properties that are not known here."""
        unknown = sorted(set(props) - self.known) if self.known is not None else []
        if unknown:
            listed = ", ".join(f"#: extraneous key [{name}] is not permitted" for name in unknown)
            raise Failed(f"Properties validation failed for resource with message: {listed}")

    def create(self, at: Place, props: Props) -> str:
        """Makes it; returns its physical name."""
        return at.named()

    def update(self, at: Place, physical: str, old: Props, new: Props) -> None:
        """Changes it in place."""

    def delete(self, at: Place, physical: str, props: Props) -> None:
        """Deletes it."""

    def reference(self, at: Place, physical: str, props: Props) -> Any:
        """What `Ref` gives."""
        return physical

    def attributes(self, at: Place, physical: str, props: Props) -> Props:
        """What `GetAtt` gives."""
        return {}


def already(at: Place, what: str, name: str) -> Failed:
    """The failure of a name that is taken."""
    return Failed(
        f"Resource handler returned message: \"Resource of type '{what}' with identifier '{name}' already exists.\""
        " (HandlerErrorCode: AlreadyExists)",
        "AlreadyExists",
    )


def differs(old: Props, new: Props, *names: str) -> bool:
    """Whether one of these properties changed."""
    return any(old.get(name) != new.get(name) for name in names)


def some(props: Props, **names: str) -> Props:
    """Parameters from the properties that are there: `Parameter="Property"`."""
    return {param: props[prop] for param, prop in names.items() if prop in props}


def retag(at: Place, service: str, arn_name: str, arn: str, old: Props, new: Props) -> None:
    """Brings the tags of a thing to what they should be, where its service has TagResource."""
    was, now = pairs(old.get("Tags")), pairs(new.get("Tags"))
    if set(was) - set(now):
        at.call(service, "untag_resource", TagKeys=sorted(set(was) - set(now)), **{arn_name: arn})
    if now and was != now:
        rows = [{"Key": key, "Value": value} for key, value in now.items()]
        at.call(service, "tag_resource", Tags=rows, **{arn_name: arn})


def pairs(tags: Any) -> dict[str, str]:
    """Tags as a map."""
    if isinstance(tags, dict):
        return {str(key): str(value) for key, value in tags.items()}
    return {str(tag["Key"]): str(tag["Value"]) for tag in tags or []}
