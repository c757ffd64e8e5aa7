"""What all parts of the overlay share: one lock, the switches, the timings, delayed work and the reset.

Knows nothing of AWS and nothing of moto.
"""

from __future__ import annotations

import heapq
import itertools
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any

#: Held while moto works on a call. moto keeps no locks of its own and its operations read, compute and write back;
#: with the interpreter's own lock nothing is lost by it. SQS is excepted: a long poll would hold it for 20 seconds.
LOCK = threading.RLock()


@dataclass
class Switches:
    """What can be turned on and off; the defaults hold after each reset."""

    #: Identity and session policies of keys that the emulator minted are enforced.
    identity: bool = False
    #: AssumeRole needs a role that exists and whose trust policy admits the caller.
    trust: bool = True
    #: Pools whose Spot price was not set have one derived from the list price.
    derived_spot_prices: bool = True
    #: Spot prices tell the id of their zone, and not its name alone.
    price_zone_ids: bool = True
    #: The emulator itself puts EC2 and Auto Scaling events on the account's default bus.
    service_events: bool = False
    #: ListAccounts begins with an empty page that has a token, as AWS may answer.
    empty_pages: bool = False
    #: ListAccounts states the path of each account.
    account_paths: bool = False
    #: EventBridge forwards with the rights of roles, and delivers where buses and queues admit it.
    event_rights: bool = True
    #: A stack acts with the rights of who asked for it; otherwise with all.
    stacks_act_as_caller: bool = True


@dataclass
class Timings:
    """Seconds that things take; all nothing by default, so that tests wait only where they ask for it."""

    #: From launch until the state is `running`.
    pending: float = 0.0
    #: From `running` until both status checks are `ok`.
    status_checks: float = 0.0
    #: From attach or launch by a group until `InService`.
    in_service: float = 0.0
    #: From registration until a target is `healthy`.
    target_healthy: float = 0.0
    #: That a stack takes to be made, changed or deleted.
    stack: float = 0.0
    #: That an operation of a stack set takes, over all its accounts and regions.
    stack_set_operation: float = 0.0


SWITCHES = Switches()
TIMINGS = Timings()

_resets: list[Callable[[], None]] = []


def on_reset(forget: Callable[[], None]) -> Callable[[], None]:
    """Registers what has to be forgotten with each reset."""
    _resets.append(forget)
    return forget


def reset() -> None:
    """Back to the state after start, but for what moto keeps."""
    with LOCK:
        for target in (SWITCHES, TIMINGS):
            for field in fields(target):
                setattr(target, field.name, field.default)
        for forget in _resets:
            forget()


def update(target: Switches | Timings, values: dict[str, Any]) -> dict[str, Any]:
    """Sets named fields; an unknown name or a value of another kind is an error and changes nothing."""
    known = {field.name: field.default for field in fields(target)}
    for name, value in values.items():
        if name not in known:
            raise ValueError(f"unknown: {name}; known: {', '.join(known)}")
        wanted = bool if isinstance(known[name], bool) else (int, float)
        if not isinstance(value, wanted) or (wanted is not bool and isinstance(value, bool)):
            raise ValueError(f"{name}: {value!r} is not of the right kind")
    for name, value in values.items():
        setattr(target, name, value)
    return asdict(target)


def utc() -> datetime:
    """Now, without zone, as moto keeps its times."""
    return datetime.now(UTC).replace(tzinfo=None)


def iso(when: datetime | None = None) -> str:
    """A time as AWS writes it in events and causes."""
    return (when or utc()).strftime("%Y-%m-%dT%H:%M:%SZ")


class Later:
    """Runs work after a delay on one thread, under the lock; a reset forgets what has not run yet."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def after(self, seconds: float, work: Callable[[], None]) -> None:
        """Does the work once, `seconds` from now; at once in this thread where that is nothing."""
        if seconds <= 0:
            with LOCK:
                work()
            return
        with self._changed:
            heapq.heappush(self._due, (time.monotonic() + seconds, next(self._order), work))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="later", daemon=True)
                self._thread.start()
            self._changed.notify()

    def forget(self) -> None:
        """Drops all that is still to come."""
        with self._changed:
            self._due.clear()
            self._changed.notify()

    def _run(self) -> None:
        while True:
            # Work is taken under both locks, in this order, so that a reset cannot slip between taking and doing it.
            with LOCK:
                with self._changed:
                    work = None
                    if self._due and self._due[0][0] <= time.monotonic():
                        work = heapq.heappop(self._due)[2]
                if work is not None:
                    try:
                        work()
                    except Exception:  # one failed piece of work must not end all later ones
                        traceback.print_exc(file=sys.stderr)
                    continue
            with self._changed:
                wait = self._due[0][0] - time.monotonic() if self._due else None
                if wait is None or wait > 0:
                    self._changed.wait(wait)


LATER = Later()
on_reset(LATER.forget)
