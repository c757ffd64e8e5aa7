"""P2: GetSpotPlacementScores, from the capacity that was set. Knows the day's limit; launches nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend

from overlay import wire
from overlay.calls import Call
from overlay.capacity import CAPACITY, Place
from overlay.world import on_reset, utc
from overlay.zones import instance_type, offered, zone_id, zones_of

#: Different questions of an account within a day; AWS has a limit and documents no number.
A_DAY = 10
_DAY = timedelta(days=1)
#: Below this many types AWS scores low, whatever there is.
_TYPES = 3
#: A region or zone is told where it is among the best so many.
_BEST = 10
_MOST_REGIONS = 10

#: When each account asked each question last.
_asked: dict[str, dict[str, datetime]] = {}
_limit = [A_DAY]


@on_reset
def _forget() -> None:
    _asked.clear()
    _limit[0] = A_DAY


def set_limit(limit: int) -> None:
    """How many different questions an account may ask within a day from now on."""
    _limit[0] = limit


class _Refused(Exception):
    """A code and its words."""


def _checked(call: Call) -> tuple[list[str], list[str], int]:
    params = call.params
    types, regions = params.get("InstanceTypes") or [], params.get("RegionNames") or []
    target = params.get("TargetCapacity")
    if not target or not 1 <= int(target) <= 2_000_000_000:
        raise _Refused("InvalidParameterValue", "TargetCapacity has to be between 1 and 2000000000")
    if not types:
        raise _Refused("MissingParameter", "The request must contain InstanceTypes or InstanceRequirements")
    unknown = [name for name in types if instance_type(name) is None]
    if unknown:
        raise _Refused("InvalidInstanceType", f"The instance type {unknown[0]} does not exist")
    regions = regions or sorted(RegionsAndZonesBackend.zones)
    if len(regions) > _MOST_REGIONS and params.get("RegionNames"):
        raise _Refused("InvalidParameterValue", f"at most {_MOST_REGIONS} regions")
    for region in regions:
        if region not in RegionsAndZonesBackend.zones:
            raise _Refused("InvalidParameterValue", f"Invalid region: {region}")
    return sorted(set(types)), sorted(set(regions)), int(target)


def _count(call: Call, question: str) -> None:
    now, asked = utc(), _asked.setdefault(call.account, {})
    for known in [known for known, at in asked.items() if now - at >= _DAY]:
        del asked[known]
    if question not in asked and len(asked) >= _limit[0]:
        raise _Refused("MaxConfigLimitExceeded", "You have exceeded your maximum allowed Spot placement configurations")
    asked[question] = now


def _score(call: Call, region: str, zones: list[str], types: list[str], target: int) -> int | None:
    """From 1 to 9: the part of the offered pools that could take all of the target. None where nothing is offered."""
    if len(types) < _TYPES:
        return 1
    pools = [(zone, kind) for zone in zones for kind in types if kind in offered(region).get(zone, frozenset())]
    if not pools:
        return None

    def room(zone: str, kind: str) -> bool:
        left = CAPACITY.left(Place(call.account, region, zone, zone_id(region, zone) or zone, kind, "spot"))
        return left is None or left >= target

    return 1 + 8 * sum(room(zone, kind) for zone, kind in pools) // len(pools)


def _scores(call: Call) -> list[tuple[str, str | None, int]]:
    types, regions, target = _checked(call)
    by_zone = call.params.get("SingleAvailabilityZone") is True
    unit = call.params.get("TargetCapacityUnitType") or "units"
    _count(call, json.dumps([types, regions, target, unit, by_zone]))
    found: list[tuple[str, str | None, int]] = []
    for region in regions:
        sets = [[zone] for zone in zones_of(region)] if by_zone else [zones_of(region)]
        for zones in sets:
            score = _score(call, region, zones, types, target)
            if score is not None:
                found.append((region, zone_id(region, zones[0]) if by_zone else None, score))
    return sorted(found, key=lambda row: -row[2])[:_BEST]


def _answer(call: Call) -> wire.Answer:
    if call.params.get("DryRun"):
        return wire.error(call, "DryRunOperation", "Request would have succeeded, but DryRun flag is set", 412)
    try:
        rows = _scores(call)
    except _Refused as refused:
        return wire.error(call, *refused.args)

    def item(region: str, zone: str | None, score: int) -> str:
        place = f"<availabilityZoneId>{zone}</availabilityZoneId>" if zone else ""
        return f"<item><region>{region}</region>{place}<score>{score}</score></item>"

    body = (
        '<GetSpotPlacementScoresResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">'
        f"<requestId>{uuid4()}</requestId><spotPlacementScoreSet>{''.join(item(*row) for row in rows)}"
        "</spotPlacementScoreSet></GetSpotPlacementScoresResponse>"
    )
    return wire.Answer(200, {"Content-Type": "text/xml;charset=UTF-8"}, body.encode())


ANSWERS: dict[str, Callable[[Call], Any]] = {"ec2:GetSpotPlacementScores": _answer}
