"""Automatic deployment: what stack sets do when an account comes into a unit, or leaves one.

Knows stack sets and units; how an operation runs is `operating`'s.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from overlay.stacks import instances, operating, organization
from overlay.stacks.sets import SETS, Instance, Key, Operation, StackSet


def moved(management: str, account: str, above: set[str]) -> None:
    """An account is below these units now; none where it left the organization."""
    if not organization.enabled(management):
        return
    concerned = [
        own
        for own in SETS
        if own.status == "ACTIVE" and own.service_managed and own.account == management and own.automatic.get("Enabled")
    ]
    begun: dict[str, Operation] = {}
    for own in reversed(_ordered(concerned)):
        _leave(own, account, above)
    for own in _ordered(concerned):
        _enter(own, account, above, begun)


def _ordered(sets: list[StackSet]) -> list[StackSet]:
    """Each after those that it depends on."""
    done: list[StackSet] = []
    left = list(sets)
    while left:
        arns = {own.arn for own in left}
        ready = [own for own in left if not arns & set(own.automatic.get("DependsOn") or [])] or left
        done += ready
        left = [own for own in left if own not in ready]
    return done


def _regions(own: StackSet, above: set[str]) -> dict[str, str]:
    """The regions that an account below these units belongs to, each with the unit that says so."""
    return {region: unit for unit, regions in own.units.items() if unit in above for region in sorted(regions)}


def _leave(own: StackSet, account: str, above: set[str]) -> None:
    wanted = _regions(own, above)
    gone: list[Key] = []
    for key, instance in own.instances.items():
        if instance.account != account or instance.unit in above:
            continue
        if instance.region in wanted:
            instance.unit = wanted[instance.region]
        else:
            gone.append(key)
    retain = bool(own.automatic.get("RetainStacksOnAccountRemoval"))

    def work(instance: Instance) -> str | None:
        return instances.remove(own, instance, retain)

    if gone:
        operating.start(own, _operation("DELETE", gone, work, retain=retain))


def _enter(own: StackSet, account: str, above: set[str], begun: dict[str, Operation]) -> None:
    wanted = _regions(own, above)
    new = [(account, region) for region in wanted if (account, region) not in own.instances]
    if not new:
        return
    for key in new:
        # The set's own values, no overrides.
        own.instances[key] = Instance(*key, wanted[key[1]])
    operation = _operation("CREATE", new, lambda instance: instances.deploy(own, instance))
    operation.waits = [begun[arn] for arn in own.automatic.get("DependsOn") or [] if arn in begun]
    begun[own.arn] = operation
    operating.start(own, operation)


def _operation(action: str, keys: list[Key], work: Any, retain: bool | None = None) -> Operation:
    return Operation(
        str(uuid4()), action, {"RegionConcurrencyType": "PARALLEL"}, keys, work, retain=retain, automatic=True
    )
