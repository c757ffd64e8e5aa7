"""The allow/deny table: each row holds, and no part of a document can go or widen without a row that tells."""

from __future__ import annotations

import copy
import functools
import unittest
from collections.abc import Iterator
from typing import Any

from templates import documents
from templates.asking import Row
from templates.judge import World
from templates.table import rows
from templates.worlds import Change, Options, built, changed

#: Documents for who rolls out: they are read by their users, and are not in the table.
BESIDE = {"rollout", "rollout-resources"}

#: What may be widened without a row that tells, with the reason.
NOT_TOLD = {
    ("member-trust", "Hub: for everybody"): "aws:PrincipalArn names the hub's account, too",
    ("operator-trust", "Operators: for everybody"): "aws:PrincipalArn names the hub's account, too",
}


class Table(unittest.TestCase):
    """Every row."""

    def test_rows(self) -> None:
        found = rows()
        names = [row.name for row in found]
        self.assertEqual(len(set(names)), len(names))
        self.assertGreaterEqual(len(found), 80)
        for row in found:
            with self.subTest(row.name):
                self.assertEqual(built(row.options).world.allows(row.caller, row.checks), row.allowed)
        print(f"table: {len(found)} rows, {sum(row.allowed for row in found)} allow")

    def test_no_part_of_a_statement_is_idle(self) -> None:
        """Without any action, resource, condition or value of any statement, or with a wider resource, a row fails."""
        idle, count, table = [], 0, rows()
        for name in documents.names():
            if name in BESIDE:
                continue
            for statement in documents.load(name)["Statement"]:
                touching = [row for row in table if any(_touches(statement, c.action) for c in row.checks)]
                for told, change in changes(statement):
                    count += 1
                    if (
                        not _is_told((name, statement["Sid"]), change, touching)
                        and (name, f"{statement['Sid']}: {told}") not in NOT_TOLD
                    ):
                        idle.append(f"{name} {statement['Sid']}: {told}")
        if idle:
            self.fail("no row tells:\n" + "\n".join(idle))
        print(f"table: {count} changes, each told by a row")


def _touches(statement: dict[str, Any], action: str) -> bool:
    return any(told in (action, action.split(":")[0] + ":*") for told in documents.listed(statement["Action"]))


def _is_told(where: tuple[str, str], change: Change, touching: list[Row]) -> bool:
    worlds: dict[Options, World] = {}
    for row in touching:
        if row.options not in worlds:
            worlds[row.options] = changed(row.options, where, change)
        if worlds[row.options].allows(row.caller, row.checks) != row.allowed:
            return True
    return False


def changes(statement: dict[str, Any]) -> Iterator[tuple[str, Change]]:
    """Every way in which a statement can lose a part, or its resource can widen."""
    yield "left out", lambda _: None
    for key in ("Action", "Resource"):
        told = statement.get(key)
        if isinstance(told, list) and len(told) > 1:
            for n, entry in enumerate(told):
                yield f"without {entry}", functools.partial(_shorter, key, n)
    # A policy on a resource speaks of no other, and a wider refusal is no wider right.
    if "Principal" not in statement and statement["Effect"] == "Allow" and statement["Resource"] != "*":
        yield "on every resource", functools.partial(_set, "Resource", "*")
    if statement.get("Principal") not in (None, "*", {"AWS": "*"}):
        yield "for everybody", functools.partial(_set, "Principal", "*")
    for operator, keys in statement.get("Condition", {}).items():
        for key, value in keys.items():
            yield f"without {operator} {key}", functools.partial(_without, operator, key)
            if isinstance(value, list) and len(value) > 1:
                for n, one in enumerate(value):
                    yield f"without {one} of {key}", functools.partial(_fewer, operator, key, n)


def _set(key: str, value: Any, statement: dict[str, Any]) -> dict[str, Any]:
    return {**statement, key: value}


def _shorter(key: str, n: int, statement: dict[str, Any]) -> dict[str, Any]:
    return {**statement, key: [entry for m, entry in enumerate(statement[key]) if m != n]}


def _without(operator: str, key: str, statement: dict[str, Any]) -> dict[str, Any]:
    left = copy.deepcopy(statement)
    del left["Condition"][operator][key]
    if not left["Condition"][operator]:
        del left["Condition"][operator]
    return left


def _fewer(operator: str, key: str, n: int, statement: dict[str, Any]) -> dict[str, Any]:
    left = copy.deepcopy(statement)
    del left["Condition"][operator][key][n]
    return left
