"""Faults that tests ask for: which calls they hit, and what happens to those. Does not perform them."""

from __future__ import annotations

import itertools
import json
import threading
from dataclasses import asdict, dataclass, fields
from fnmatch import fnmatchcase
from typing import Any

from overlay.calls import Call, short
from overlay.world import on_reset


@dataclass
class Fault:
    """One rule. Names may hold `*` and `?`; what is not given fits everything."""

    id: int = 0
    service: str = "*"
    action: str = "*"
    account: str = "*"
    region: str = "*"
    #: A text that must occur in the parameters, written as JSON.
    contains: str | None = None
    #: A text that must occur in the user agent.
    agent: str | None = None
    #: Calls that fit but are let through first.
    skip: int = 0
    #: Calls to hit; none means all.
    count: int | None = 1
    #: Seconds to wait before the call is looked at, and after it was performed.
    delay: float = 0.0
    delay_after: float = 0.0
    #: `error`, `close` (the connection ends without an answer) or `normal`; by itself `error` where a code is given.
    answer: str | None = None
    #: Whether the call is performed all the same; by itself only where the answer is normal.
    effect: bool | None = None
    code: str | None = None
    message: str = "This fault was asked for by a test."
    status: int | None = None
    #: Calls hit so far.
    hit: int = 0

    def __post_init__(self) -> None:
        if self.answer is None:
            self.answer = "error" if self.code else "normal"
        if self.answer not in ("error", "close", "normal"):
            raise ValueError(f"answer: {self.answer!r} is none of error, close, normal")
        if self.answer == "error" and not self.code:
            raise ValueError("an error needs a code")
        if self.effect is None:
            self.effect = self.answer == "normal"
        if self.answer == "normal" and not self.effect:
            raise ValueError("a normal answer has its effect")

    def fits(self, call: Call) -> bool:
        """Whether the rule is about such a call."""
        names = (("service", call.service), ("action", call.action), ("account", call.account), ("region", call.region))
        if not all(fnmatchcase(value, getattr(self, name)) for name, value in names):
            return False
        if self.agent is not None and self.agent not in call.agent:
            return False
        return self.contains is None or self.contains in json.dumps(short(call.params, 100_000, 10_000))


class Faults:
    """The rules in force; the first that fits is taken."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[Fault] = []
        self._ids = itertools.count(1)

    def add(self, given: dict[str, Any]) -> dict[str, Any]:
        """A new rule; an unknown field is an error."""
        known = {field.name for field in fields(Fault)} - {"id", "hit"}
        unknown = set(given) - known
        if unknown:
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(sorted(known))}")
        rule = Fault(**given)
        with self._lock:
            rule.id = next(self._ids)
            self._rules.append(rule)
        return asdict(rule)

    def told(self) -> list[dict[str, Any]]:
        """All rules, spent ones too, with how often each hit."""
        with self._lock:
            return [asdict(rule) for rule in self._rules]

    def clear(self, number: int | None = None) -> None:
        """Drops one rule, or all."""
        with self._lock:
            self._rules = [rule for rule in self._rules if number is not None and rule.id != number]

    def take(self, call: Call) -> Fault | None:
        """The rule that hits this call, counted as used."""
        with self._lock:
            for rule in self._rules:
                if rule.count is not None and rule.hit >= rule.count:
                    continue
                if not rule.fits(call):
                    continue
                if rule.skip > 0:
                    rule.skip -= 1
                    continue
                rule.hit += 1
                return rule
        return None


FAULTS = Faults()
on_reset(FAULTS.clear)
