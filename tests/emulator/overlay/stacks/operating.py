"""Operations of stack sets: accounts worked on by region, failures tolerated, the rest cancelled; queues and time.

Knows operations; what is done to one instance is told by whoever starts one.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from overlay.stacks.organization import suspended
from overlay.stacks.sets import Instance, Operation, Result, StackSet
from overlay.world import LATER, TIMINGS, utc

CANCELLED = "Cancelled since failure tolerance has exceeded"
STOPPED = "Cancelled since the operation was stopped"
BEFORE = "Cancelled since an operation that this one depends on did not succeed"


def start(own: StackSet, operation: Operation) -> None:
    """Begins an operation, or puts it behind those that have to end first."""
    for key in operation.keys:
        operation.results[key] = Result(*key, own.instances[key].unit)
    waiting = bool(own.running())
    own.operations.append(operation)
    operation.status = "QUEUED"
    for other in operation.waits:
        other.after.append(lambda: wake(own))
    if not waiting:
        wake(own)


def wake(own: StackSet) -> None:
    """Begins the next operation that waits, if it may."""
    if any(one.status in ("RUNNING", "STOPPING") for one in own.operations):
        return
    operation = next((one for one in own.operations if one.status == "QUEUED"), None)
    if operation is None or any(one.open for one in operation.waits):
        return
    if any(one.status != "SUCCEEDED" for one in operation.waits):
        for result in operation.results.values():
            result.status, result.reason = "CANCELLED", BEFORE
        operation.status, operation.reason, operation.ended = "FAILED", BEFORE, utc()
        wake(own)
        return
    operation.status = "RUNNING"
    operation.keys = [key for key in operation.keys if key in own.instances]
    for key in operation.keys:
        instance = own.instances[key]
        instance.status = "OUTDATED" if operation.action != "DELETE" else instance.status
        instance.detailed, instance.operation = "PENDING", operation.id
    _Run(own, operation).step()


def stop(operation: Operation) -> None:
    """Has an operation end after what is under way."""
    operation.status = "STOPPING"


class _Run:
    """One operation on its way, batch by batch."""

    def __init__(self, own: StackSet, operation: Operation) -> None:
        self.own = own
        self.operation = operation
        preferences = operation.preferences
        order = preferences.get("RegionOrder") or []
        regions = list(dict.fromkeys([*order, *(region for _, region in operation.keys)]))
        by_region = {region: [key for key in operation.keys if key[1] == region] for region in regions}
        self.waiting = {region: deque(keys) for region, keys in by_region.items() if keys}
        self.failed = dict.fromkeys(self.waiting, 0)
        self.tolerated = {region: _tolerated(preferences, len(keys)) for region, keys in self.waiting.items()}
        self.together = {region: _together(preferences, len(keys)) for region, keys in self.waiting.items()}
        self.strict = preferences.get("ConcurrencyMode", "STRICT_FAILURE_TOLERANCE") == "STRICT_FAILURE_TOLERANCE"
        self.parallel = preferences.get("RegionConcurrencyType") == "PARALLEL"
        #: Seconds for each instance, so that all of it takes as long as the timing says.
        self.seconds = TIMINGS.stack_set_operation / max(1, len(operation.keys))
        self.ended_regions: set[str] = set()

    def step(self) -> None:
        """Begins the next batch; it is done when its time is over."""
        while True:
            batch = self._next()
            if batch is None:
                self._end()
                return
            for key in batch:
                self._told(key, "RUNNING", None)
            if self.seconds > 0:
                LATER.after(self.seconds * len(batch), lambda: (self._do(batch), self.step()))
                return
            self._do(batch)

    def _next(self) -> list[tuple[str, str]] | None:
        if self.operation.status == "STOPPING":
            self._cancel(STOPPED)
            return None
        found: list[tuple[str, str]] = []
        for region, keys in self.waiting.items():
            if not keys:
                continue
            most = self.together[region]
            if self.strict:
                most = min(most, self.tolerated[region] + 1 - self.failed[region])
            for _ in range(min(len(keys), max(1, most))):
                found.append(keys.popleft())
            if not self.parallel:
                break
        return found or None

    def _do(self, batch: list[tuple[str, str]]) -> None:
        for key in batch:
            if self.operation.results[key].status == "CANCELLED":
                continue
            instance = self.own.instances.get(key)
            if instance is None:
                self._told(key, "SUCCEEDED", None)
                continue
            if suspended(instance.account) and not self.operation.retain:
                # AWS tells of it in the instance only; its result is no failure.
                instance.detailed, instance.status = "SKIPPED_SUSPENDED_ACCOUNT", "OUTDATED"
                instance.reason = f"Account {instance.account} is suspended"
                result = self.operation.results[key]
                result.status, result.reason = "SUCCEEDED", instance.reason
                continue
            reason = self.operation.work(instance)
            if reason is None:
                self._told(key, "SUCCEEDED", None)
                continue
            self._told(key, "FAILED", reason)
            self.failed[key[1]] += 1
            if self.failed[key[1]] > self.tolerated[key[1]]:
                self.ended_regions.add(key[1])
        if self.ended_regions:
            self._cancel(CANCELLED)

    def _cancel(self, why: str) -> None:
        regions = self.waiting if not self.parallel or why == STOPPED else self.ended_regions
        for region in regions:
            while self.waiting[region]:
                key = self.waiting[region].popleft()
                self._told(key, "CANCELLED", why)

    def _told(self, key: tuple[str, str], status: str, reason: str | None) -> None:
        result = self.operation.results[key]
        result.status, result.reason = status, reason
        instance = self.own.instances.get(key)
        if instance is not None:
            _mark(instance, self.operation, status, reason)

    def _end(self) -> None:
        operation = self.operation
        if operation.status == "STOPPING":
            operation.status = "STOPPED"
        else:
            operation.status = "FAILED" if self.ended_regions else "SUCCEEDED"
        if operation.status == "FAILED":
            operation.reason = "The failure tolerance was exceeded."
        operation.ended = utc()
        for after in operation.after:
            after()
        wake(self.own)


def _mark(instance: Instance, operation: Operation, status: str, reason: str | None) -> None:
    instance.detailed = status
    instance.reason = reason
    instance.operation = operation.id
    if status == "SUCCEEDED":
        instance.status = "CURRENT"
    elif operation.action == "DELETE" and status == "FAILED":
        instance.status = instance.detailed = "INOPERABLE"
    elif operation.action != "DELETE":
        instance.status = "OUTDATED"


def _tolerated(preferences: dict[str, Any], accounts: int) -> int:
    if "FailureTolerancePercentage" in preferences:
        return int(accounts * preferences["FailureTolerancePercentage"] / 100)
    return int(preferences.get("FailureToleranceCount", 0))


def _together(preferences: dict[str, Any], accounts: int) -> int:
    if "MaxConcurrentPercentage" in preferences:
        return max(1, int(accounts * preferences["MaxConcurrentPercentage"] / 100))
    return int(preferences.get("MaxConcurrentCount", 1))
