"""The page of actions says what the documents say."""

from __future__ import annotations

import re
import unittest

from templates import documents, rollouts
from templates.places import DOCUMENTS, TEMPLATES

_ROW = re.compile(r"^\| `([a-z0-9-]+:[A-Za-z]+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)


class Actions(unittest.TestCase):
    """policies/iam/README.md."""

    def test_each_action_has_its_row(self) -> None:
        page = (DOCUMENTS / "README.md").read_text(encoding="utf-8")
        told: dict[str, set[str]] = {}
        for action, holders, why, limit in _ROW.findall(page):
            self.assertNotIn(action, told)
            self.assertGreater(min(len(why.strip()), len(limit.strip())), 7, action)
            told[action] = set(re.findall(r"`([a-z-]+)`", holders))
        held: dict[str, set[str]] = {}
        for name in documents.names():
            for action in documents.allowed(documents.load(name)):
                held.setdefault(action, set()).add(name)
        self.assertEqual(told, held)

    def test_each_document_is_introduced(self) -> None:
        page = (DOCUMENTS / "README.md").read_text(encoding="utf-8").split("## Who may become what")[0]
        told = set(re.findall(r"`([a-z-]+)`", page.split("| document |")[1]))
        self.assertEqual(told & set(documents.names()), set(documents.names()))


class Parameters(unittest.TestCase):
    """member-stackset/README.md."""

    def test_each_parameter_has_its_row(self) -> None:
        page = (TEMPLATES / "README.md").read_text(encoding="utf-8")
        for name in ("hub", "member-global", "member-regional"):
            (part,) = [part for part in page.split("\n## ") if part.startswith(f"`{name}.yaml`")]
            rows = re.findall(r"^\| `([A-Za-z]+)` \| ([^|]+) \| ([^|]+) \|$", part, re.MULTILINE)
            parameters = rollouts.template(name)["Parameters"]
            self.assertEqual({row[0] for row in rows}, set(parameters), name)
            for parameter, default, _ in rows:
                wanted = parameters[parameter].get("Default")
                told = {"needed": None, "empty": ""}.get(default, default.strip("`"))
                self.assertEqual(told, None if wanted is None else str(wanted), parameter)
