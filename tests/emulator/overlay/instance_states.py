"""Instance states and status checks that take time or fail by control, zone ids, and Spot requests that close.

Knows one instance at a time, not who launched it or which group it belongs to.
"""

from __future__ import annotations

from typing import Any

from moto.ec2.models.instances import Instance, InstancePlacement, InstanceState, StateReason
from moto.elbv2.models import FakeHealthStatus, FakeTargetGroup

from overlay.declared import Patch, replace
from overlay.world import TIMINGS, on_reset, utc
from overlay.zones import zone_id

#: Status of checks set by control, by instance id: `ok`, `impaired`, `initializing`, `insufficient-data`.
CHECKS: dict[str, str] = {}
#: Health of targets set by control, by instance id: `healthy`, `unhealthy`, `initial`, `draining`.
TARGETS: dict[str, str] = {}
on_reset(CHECKS.clear)
on_reset(TARGETS.clear)

SPOT_ENDED = "Server.SpotInstanceTermination"
_REASONS = {
    "initial": ("Elb.InitialHealthChecking", "Initial health checks in progress"),
    "unhealthy": ("Target.FailedHealthChecks", "Health checks failed"),
    "draining": ("Target.DeregistrationInProgress", "Target deregistration is in progress"),
}


def age(instance: Instance) -> float:
    """Seconds since launch."""
    return (utc() - instance.launch_time).total_seconds()


def _is_pending(instance: Instance) -> bool:
    return instance._state.name == "running" and age(instance) < TIMINGS.pending


def _state(instance: Instance) -> InstanceState:
    return InstanceState("pending", 0) if _is_pending(instance) else instance._state


def _status(instance: Instance) -> dict[str, Any]:
    if _state(instance).code != 16:
        return {"Status": "not-applicable"}
    status = CHECKS.get(instance.id)
    if status is None:
        status = "initializing" if age(instance) < TIMINGS.pending + TIMINGS.status_checks else "ok"
    detail = {"ok": "passed", "impaired": "failed"}.get(status, status)
    return {"Status": status, "Details": [{"Name": "reachability", "Status": detail}]}


def mark_interrupted(instance: Instance) -> None:
    """Has the instance end as one that EC2 takes back; told at once by its Spot request."""
    instance.harness_interrupted = True
    request = spot_request(instance)
    if request is not None:
        if request._status_code != "marked-for-termination":
            request.harness_status_since = utc()
        request._status_code = "marked-for-termination"


def spot_request(instance: Instance) -> Any:
    """The Spot request of an instance, if it has one."""
    ident = getattr(instance, "spot_instance_request_id", None)
    return instance.ec2_backend.spot_instance_requests.get(ident) if ident else None


def _apply() -> None:
    vanilla = Instance.terminate

    def terminate(self: Instance) -> InstanceState:
        if self._state.name == "terminated":
            return InstanceState("terminated", 48)
        before = vanilla(self)
        taken = getattr(self, "harness_interrupted", False)
        if taken:
            self.state_reason = StateReason(f"{SPOT_ENDED}: Spot instance termination", SPOT_ENDED)
            self._reason = "Server.SpotInstanceTermination"
        request = spot_request(self)
        if request is not None:
            request.state = "closed"
            request._status_code = "instance-terminated-no-capacity" if taken else "instance-terminated-by-user"
        return before

    replace(Instance, "terminate", terminate)
    replace(Instance, "instance_state", property(_state))
    replace(Instance, "state", property(lambda self: _state(self).name))
    replace(Instance, "state_code", property(lambda self: _state(self).code))
    replace(Instance, "is_running", lambda self: _state(self).name == "running")
    replace(Instance, "instance_status", property(_status))
    replace(Instance, "system_status", property(_status))
    Instance.attached_ebs_status = property(_status)
    InstancePlacement.availability_zone_id = property(
        lambda self: zone_id(self.zone[:-1], self.zone) if self.zone else None
    )
    _apply_target_health()


def _apply_target_health() -> None:
    vanilla = FakeTargetGroup.health_for
    register = FakeTargetGroup.register

    def registered(self: FakeTargetGroup, targets: list[dict[str, Any]]) -> None:
        known = set(self.targets)
        register(self, targets)
        since = self.__dict__.setdefault("harness_since", {})
        since.update({target["Id"]: utc() for target in targets if target["Id"] not in known})

    def health_for(self: FakeTargetGroup, target: dict[str, Any], ec2_backend: Any) -> FakeHealthStatus:
        health = vanilla(self, target, ec2_backend)
        if target["Id"] not in self.targets or health.status != "healthy":
            return health
        since = self.__dict__.get("harness_since", {}).get(target["Id"])
        fresh = since is not None and (utc() - since).total_seconds() < TIMINGS.target_healthy
        status = TARGETS.get(target["Id"], "initial" if fresh else "healthy")
        if status != "healthy":
            health.status = status
            health.reason, health.description = _REASONS.get(status, (None, None))
        return health

    replace(FakeTargetGroup, "register", registered)
    replace(FakeTargetGroup, "health_for", health_for)


PATCH = Patch(
    name="C-states",
    gap="an instance is running with checks ok at once and for good; its placement has no zone id",
    touches=(
        "moto.ec2.models.instances:Instance.terminate",
        "moto.ec2.models.instances:Instance.instance_state",
        "moto.ec2.models.instances:Instance.instance_status",
        "moto.ec2.models.instances:InstancePlacement",
        "moto.elbv2.models:FakeTargetGroup.health_for",
        "moto.elbv2.models:FakeTargetGroup.register",
    ),
    apply=_apply,
)
