"""Savings Plans of accounts, settable. Knows what was set; bills nothing with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from overlay import wire
from overlay.calls import Call
from overlay.world import on_reset

Answer = dict[str, Any]

#: Plans by account, in the API's own words.
_plans: dict[str, list[Answer]] = {}
on_reset(_plans.clear)


def set_plans(account: str, plans: list[Answer]) -> None:
    """The plans of an account, instead of those that it had."""
    _plans[account] = plans


def _described(call: Call) -> wire.Answer:
    asked = json.loads(call.body or b"{}")
    states = asked.get("states") or []
    plans = [plan for plan in _plans.get(call.account, []) if not states or plan.get("state") in states]
    return wire.Answer(200, {"Content-Type": "application/json"}, json.dumps({"savingsPlans": plans}).encode())


ANSWERS: dict[str, Callable[[Call], wire.Answer]] = {"savingsplans:DescribeSavingsPlans": _described}
