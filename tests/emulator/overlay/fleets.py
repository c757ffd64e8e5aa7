"""P4, second half: CreateFleet of type instant with its pools, errors and idempotency.

Knows how a fleet chooses among its overrides; each instance is launched as by RunInstances.
"""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import ec2_backends
from moto.ec2.models.fleets import Fleet
from moto.ec2.responses.fleets import Fleets

from overlay import spot_prices
from overlay.capacity import CAPACITY, TOKENS, Mismatch, Place
from overlay.declared import Patch, replace
from overlay.launching import Refused, check, launch, place_of, plain, template_version
from overlay.price_list import PRICES, product_of

#: Fields of an override that replace the template's.
_OVERRIDES = ("InstanceType", "ImageId", "KeyName", "IamInstanceProfile", "MetadataOptions", "BlockDeviceMappings")


class Candidate:
    """One override of a fleet: where it would land, what it costs, and why it cannot be had."""

    def __init__(self, backend: Any, order: int, version: Any, override: dict[str, Any], market: str) -> None:
        self.order = order
        self.version = version
        self.override = override
        self.market = market
        self.priority = float(override.get("Priority", "inf"))
        self.weight = float(override.get("WeightedCapacity") or 1)
        self.params = _params(version, override, market)
        self.refusal: tuple[str, str] | None = None
        self.place: Place = place_of(backend, self.params)
        try:
            check(backend, self.params, self.place)
        except Refused as refused:
            self.refusal = (refused.code, refused.message)
        self.price = self._price(backend)
        self.ids: list[str] = []

    def _price(self, backend: Any) -> float:
        images = [ami for ami in backend.amis.values() if ami.id == self.params.get("ImageId")]
        product = product_of(images[0] if images else None)
        if self.market == "on-demand":
            return PRICES.price(self.place.region, self.place.type, product)
        pool = spot_prices.Pool(self.place.region, self.place.zone_id, self.place.type, product)
        price = spot_prices.PRICES.in_force(pool)
        return float("inf") if price is None else price

    def told(self) -> dict[str, Any]:
        """Template and override as answers name them."""
        specification = {
            "LaunchTemplateId": self.version.template.id,
            "Version": str(self.version.number),
        }
        overrides = {**self.override, "AvailabilityZone": self.place.zone}
        overrides.setdefault("InstanceType", self.place.type)
        return {"LaunchTemplateSpecification": specification, "Overrides": overrides}


def _params(version: Any, override: dict[str, Any], market: str) -> dict[str, Any]:
    params = plain(version.data)
    params["LaunchTemplate"] = {"LaunchTemplateId": version.template.id, "Version": str(version.number)}
    params.update({field: override[field] for field in _OVERRIDES if override.get(field)})
    if override.get("SubnetId"):
        if params.get("NetworkInterfaces"):
            params["NetworkInterfaces"][0]["SubnetId"] = override["SubnetId"]
        else:
            params["SubnetId"] = override["SubnetId"]
    placement = {**(params.get("Placement") or {}), **(override.get("Placement") or {})}
    for field in ("AvailabilityZone", "AvailabilityZoneId"):
        if override.get(field):
            placement[field] = override[field]
    if placement:
        params["Placement"] = placement
    params.pop("InstanceMarketOptions", None)
    if market == "spot":
        options = {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate"}
        if override.get("MaxPrice"):
            options["MaxPrice"] = override["MaxPrice"]
        params["InstanceMarketOptions"] = {"MarketType": "spot", "SpotOptions": options}
    return params


def candidates(backend: Any, configs: list[dict[str, Any]], market: str) -> list[Candidate]:
    """All overrides of all templates, in the order of the request."""
    found: list[Candidate] = []
    for config in configs:
        version = template_version(backend, config.get("LaunchTemplateSpecification") or {})
        for override in config.get("Overrides") or [{}]:
            found.append(Candidate(backend, len(found), version, override, market))
    return found


def ranked(found: list[Candidate], strategy: str) -> list[Candidate]:
    """In the order in which a strategy tries them. Capacity is known exactly here, so price decides."""
    if strategy in ("capacity-optimized-prioritized", "prioritized"):
        return sorted(found, key=lambda c: (c.priority, c.price, c.order))
    if strategy == "capacity-optimized":
        left = {c.order: CAPACITY.left(c.place) for c in found}
        return sorted(found, key=lambda c: (-(float("inf") if left[c.order] is None else left[c.order]), c.order))
    return sorted(found, key=lambda c: (c.price / c.weight, c.order))


def fill(found: list[Candidate], wanted: float, strategy: str) -> list[Candidate]:
    """Takes capacity until `wanted` is met; returns one entry for each instance to launch."""
    chosen: list[Candidate] = []
    got = 0.0
    order = ranked(found, strategy)
    at = 0
    while got < wanted and any(c.refusal is None for c in order):
        open_now = [c for c in order if c.refusal is None]
        candidate = open_now[at % len(open_now)] if strategy == "diversified" else open_now[0]
        refusal = CAPACITY.take(candidate.place)
        if refusal is not None:
            candidate.refusal = refusal
            continue
        chosen.append(candidate)
        got += candidate.weight
        at += 1
    return chosen


def _create(self: Fleets) -> ActionResult:
    params = plain(dict(self.params))
    if params.get("Type", "maintain") != "instant":
        if params.get("SpotOptions") is not None:
            self.params["SpotOptions"].setdefault("AllocationStrategy", "lowest-price")
        return _vanilla(self)
    backend = ec2_backends[self.current_account][self.region]
    where = (self.current_account, self.region, "CreateFleet")
    try:
        known = TOKENS.recall(*where, params)
    except Mismatch as error:
        raise EC2ClientError(
            "IdempotentParameterMismatch", f"The client token {error} was used with other parameters."
        ) from error
    if known is not None:
        return ActionResult(known)
    plan = _plan(backend, params)
    self.error_on_dryrun()
    told = _launch(backend, params, plan)
    TOKENS.remember(*where, params, told)
    return ActionResult(told)


def _plan(backend: Any, params: dict[str, Any]) -> list[tuple[str, float, list[Candidate], str, float]]:
    configs = params.get("LaunchTemplateConfigs") or []
    target = params.get("TargetCapacitySpecification") or {}
    total = float(target.get("TotalTargetCapacity") or 0)
    if not configs or total <= 0:
        raise EC2ClientError("MissingParameter", "A fleet needs LaunchTemplateConfigs and TotalTargetCapacity")
    parts = {"spot": float(target.get("SpotTargetCapacity") or 0)}
    parts["on-demand"] = float(target.get("OnDemandTargetCapacity") or 0)
    parts[target.get("DefaultTargetCapacityType") or "on-demand"] += max(total - sum(parts.values()), 0)
    plan = []
    for market, wanted in parts.items():
        if wanted:
            options = params.get("SpotOptions" if market == "spot" else "OnDemandOptions") or {}
            strategy = options.get("AllocationStrategy") or "lowest-price"
            least = float(options.get("MinTargetCapacity") or 0)
            plan.append((market, wanted, candidates(backend, configs, market), strategy, least))
    return plan


def _launch(backend: Any, params: dict[str, Any], plan: list[Any]) -> dict[str, Any]:
    fleet = _record(backend, params)
    specs = [spec for spec in params.get("TagSpecifications") or [] if spec.get("ResourceType") != "fleet"]
    instances: list[dict[str, Any]] = []
    errors: list[dict[str, Any]] = []
    for market, wanted, found, strategy, least in plan:
        chosen = fill(found, wanted, strategy)
        if sum(c.weight for c in chosen) < least:
            for candidate in chosen:
                CAPACITY.give_back(candidate.place)
            chosen = []
        for candidate in chosen:
            tags = (candidate.params.get("TagSpecifications") or []) + specs
            reservation = launch(backend, {**candidate.params, "TagSpecifications": tags})
            for instance in reservation.instances:
                instance.add_tags({"aws:ec2:fleet-id": fleet.id})
                candidate.ids.append(instance.id)
        instances += [_told(c, market) for c in found if c.ids]
        errors += [_error(c, market) for c in ranked(found, strategy) if c.refusal is not None]
        fleet.fulfilled_capacity += sum(c.weight for c in chosen)
    return {"FleetId": fleet.id, "Errors": errors, "Instances": instances}


def _record(backend: Any, params: dict[str, Any]) -> Fleet:
    """The fleet itself, made by moto with nothing to launch."""
    fleet: Fleet = backend.create_fleet(
        on_demand_options=params.get("OnDemandOptions") or {},
        spot_options={"AllocationStrategy": "lowest-price", **(params.get("SpotOptions") or {})},
        target_capacity_specification={"TotalTargetCapacity": 0},
        launch_template_configs=[],
        excess_capacity_termination_policy=params.get("ExcessCapacityTerminationPolicy") or "",
        replace_unhealthy_instances=False,
        terminate_instances_with_expiration=False,
        fleet_type="instant",
        valid_from=None,
        valid_until=None,
        tag_specifications=[
            spec for spec in params.get("TagSpecifications") or [] if spec.get("ResourceType") == "fleet"
        ],
    )
    fleet.target_capacity_specification = params.get("TargetCapacitySpecification") or {}
    fleet.launch_template_configs = params.get("LaunchTemplateConfigs") or []
    return fleet


def _told(candidate: Candidate, market: str) -> dict[str, Any]:
    return {
        "LaunchTemplateAndOverrides": candidate.told(),
        "Lifecycle": market,
        "InstanceIds": candidate.ids,
        "InstanceType": candidate.place.type,
        "AvailabilityZone": candidate.place.zone,
        "AvailabilityZoneId": candidate.place.zone_id,
        "SubnetId": candidate.params.get("SubnetId"),
    }


def _error(candidate: Candidate, market: str) -> dict[str, Any]:
    code, message = candidate.refusal or ("", "")
    return {
        "LaunchTemplateAndOverrides": candidate.told(),
        "Lifecycle": market,
        "ErrorCode": code,
        "ErrorMessage": message,
    }


_vanilla: Any = None


def _apply() -> None:
    global _vanilla
    _vanilla = replace(Fleets, "create_fleet", _create)


PATCH = Patch(
    name="P4-fleet",
    gap="CreateFleet takes the first override always, has no Errors, no capacity and no idempotency",
    touches=(
        "moto.ec2.responses.fleets:Fleets.create_fleet",
        "moto.ec2.models.fleets:FleetsBackend.create_fleet",
    ),
    apply=_apply,
)
