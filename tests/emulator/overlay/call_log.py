"""The log of every call with its answer, read by a cursor. Knows calls, nothing of what they did."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from overlay.calls import Call, short
from overlay.world import on_reset

#: Older entries are dropped; a journey makes some thousands of calls.
KEPT = 200_000


@dataclass
class Entry:
    """A call, and what became of it."""

    seq: int
    at: float
    call: Call
    status: int | None = None
    error: str | None = None
    message: str | None = None
    fault: int | None = None
    principal: str | None = None
    millis: float | None = None

    def told(self) -> dict[str, Any]:
        """The entry as JSON."""
        call = self.call
        return {
            "seq": self.seq,
            "at": round(self.at, 3),
            "service": call.service,
            "action": call.action,
            "account": call.account,
            "region": call.region,
            "changing": call.changing,
            "params": short(call.params),
            "principal": self.principal or call.access_key,
            "agent": call.agent[:300],
            "status": self.status,
            "error": self.error,
            "message": self.message,
            "fault": self.fault,
            "ms": self.millis,
        }


class CallLog:
    """Entries in the order in which the calls came in; numbers go on after a clear, so a cursor stays good."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: list[Entry] = []
        self._next = 1

    def begin(self, call: Call) -> Entry:
        """Notes a call that came in."""
        with self._lock:
            entry = Entry(self._next, time.time(), call)
            self._next += 1
            self._entries.append(entry)
            if len(self._entries) > KEPT:
                del self._entries[: KEPT // 10]
            return entry

    def clear(self) -> None:
        """Forgets the entries, not the number reached."""
        with self._lock:
            self._entries.clear()

    def since(self, after: int, wanted: dict[str, str]) -> tuple[list[Entry], int]:
        """Entries with a greater number that fit, and the cursor to go on from."""
        with self._lock:
            entries = [entry for entry in self._entries if entry.seq > after]
            cursor = self._next - 1
        return [entry for entry in entries if _fits(entry, wanted)], cursor


def counts(entries: list[Entry]) -> list[dict[str, Any]]:
    """How many calls there were of each action in each account and region, and how many of them failed."""
    total: Counter[tuple[str, str, str, bool]] = Counter()
    failed: Counter[tuple[str, str, str, bool]] = Counter()
    for entry in entries:
        key = (entry.call.account, entry.call.region, entry.call.name, entry.call.changing)
        total[key] += 1
        failed[key] += entry.error is not None
    return [
        {"account": key[0], "region": key[1], "action": key[2], "changing": key[3], "calls": n, "failed": failed[key]}
        for key, n in sorted(total.items())
    ]


def _fits(entry: Entry, wanted: dict[str, str]) -> bool:
    call = entry.call
    for name, value in wanted.items():
        if name in ("service", "action", "account", "region"):
            if getattr(call, name) != value:
                return False
        elif name == "changing":
            if call.changing != (value == "true"):
                return False
        elif name == "agent":
            if value not in call.agent:
                return False
        elif name == "error":
            if entry.error != value:
                return False
        elif name == "principal":
            if value not in (entry.principal or call.access_key):
                return False
        else:
            raise ValueError(f"unknown filter {name}")
    return True


LOG = CallLog()
on_reset(LOG.clear)
