"""Capacity pools, and what a client token was used for. Knows pools by zone id, type and market; launches nothing."""

from __future__ import annotations

import itertools
import json
from dataclasses import asdict, dataclass, fields
from fnmatch import fnmatchcase
from typing import Any

from overlay.world import on_reset

#: Codes of answers that concern the account's quota, with AWS's own words where they are known.
MESSAGES = {
    "InsufficientInstanceCapacity": (
        "We currently do not have sufficient {type} capacity in the Availability Zone you requested ({zone}). Our "
        "system will be working on provisioning additional capacity. There is no Spot capacity available that "
        "matches your request."
    ),
    "UnfulfillableCapacity": "Unable to fulfill capacity due to your request configuration.",
    "MaxSpotInstanceCountExceeded": "Max spot instance count exceeded",
    "VcpuLimitExceeded": (
        "You have requested more vCPU capacity than your current vCPU limit allows for the instance bucket that the "
        "specified instance type belongs to."
    ),
}


@dataclass
class Rule:
    """What is left in the pools that fit. The rule that was set last is asked first."""

    id: int = 0
    account: str = "*"
    region: str = "*"
    #: A zone's name or id.
    zone: str = "*"
    type: str = "*"
    #: `spot` or `on-demand`.
    market: str = "*"
    #: Instances that can still be launched; none means no bound.
    available: int | None = 0
    #: The answer where nothing is left.
    code: str = "InsufficientInstanceCapacity"
    message: str | None = None


@dataclass(frozen=True)
class Place:
    """Where and as what an instance is to be launched."""

    account: str
    region: str
    zone: str
    zone_id: str
    type: str
    market: str


class Capacity:
    """The rules. Where none fits there is no bound."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []
        self._ids = itertools.count(1)

    def clear(self, number: int | None = None) -> None:
        """Drops one rule, or all."""
        self._rules = [rule for rule in self._rules if number is not None and rule.id != number]

    def add(self, given: dict[str, Any]) -> dict[str, Any]:
        """A new rule, asked before those that are there."""
        known = {field.name for field in fields(Rule)} - {"id"}
        unknown = set(given) - known
        if unknown:
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(sorted(known))}")
        rule = Rule(**given)
        rule.id = next(self._ids)
        self._rules.insert(0, rule)
        return asdict(rule)

    def told(self) -> list[dict[str, Any]]:
        """All rules with what is left."""
        return [asdict(rule) for rule in self._rules]

    def rule(self, place: Place) -> Rule | None:
        """The rule that binds a place."""
        for rule in self._rules:
            pairs = ((place.account, rule.account), (place.region, rule.region), (place.type, rule.type))
            if not all(fnmatchcase(value, pattern) for value, pattern in pairs):
                continue
            if not any(fnmatchcase(name, rule.zone) for name in (place.zone, place.zone_id)):
                continue
            if fnmatchcase(place.market, rule.market):
                return rule
        return None

    def left(self, place: Place) -> int | None:
        """How many instances a place can still take; none means no bound."""
        rule = self.rule(place)
        return None if rule is None else rule.available

    def take(self, place: Place) -> tuple[str, str] | None:
        """Takes one instance's capacity, or says with which code and words it is refused."""
        rule = self.rule(place)
        if rule is None or rule.available is None:
            return None
        if rule.available <= 0:
            words = rule.message or MESSAGES.get(rule.code, "There is no capacity.")
            return rule.code, words.replace("{type}", place.type).replace("{zone}", place.zone)
        rule.available -= 1
        return None

    def give_back(self, place: Place) -> None:
        """Undoes a take that came to nothing."""
        rule = self.rule(place)
        if rule is not None and rule.available is not None:
            rule.available += 1


class Mismatch(Exception):
    """The token was used with other parameters."""


class Tokens:
    """What was answered to each client token, by account, region and action."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str, str, str], tuple[str, Any]] = {}

    def clear(self) -> None:
        """Forgets all tokens."""
        self._seen.clear()

    def recall(self, account: str, region: str, action: str, params: dict[str, Any]) -> Any:
        """The answer that the same token with the same parameters got before, if any."""
        token = params.get("ClientToken")
        seen = self._seen.get((account, region, action, token)) if token else None
        if seen is None:
            return None
        if seen[0] != _print(params):
            raise Mismatch(token)
        return seen[1]

    def remember(self, account: str, region: str, action: str, params: dict[str, Any], answer: Any) -> None:
        """Notes what was answered."""
        if params.get("ClientToken"):
            self._seen[(account, region, action, params["ClientToken"])] = (_print(params), answer)


def _print(params: dict[str, Any]) -> str:
    return json.dumps({k: v for k, v in params.items() if k != "ClientToken"}, sort_keys=True, default=str)


CAPACITY = Capacity()
TOKENS = Tokens()
on_reset(CAPACITY.clear)
on_reset(TOKENS.clear)
