"""Names and ids of availability zones, and which instance types are offered where; from moto's own tables."""

from __future__ import annotations

from functools import cache
from typing import Any

from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend
from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS, INSTANCE_TYPES


def zone_id(region: str, name: str | None) -> str | None:
    """The id of a zone by its name; an id stays as it is."""
    for zone in RegionsAndZonesBackend.zones.get(region, []):
        if name in (zone.name, zone.zone_id):
            return zone.zone_id
    return None


def zone_name(region: str, zone: str | None) -> str | None:
    """The name of a zone by its id; a name stays as it is."""
    for known in RegionsAndZonesBackend.zones.get(region, []):
        if zone in (known.name, known.zone_id):
            return known.name
    return None


def zones_of(region: str) -> list[str]:
    """The names of a region's zones."""
    return [zone.name for zone in RegionsAndZonesBackend.zones.get(region, [])]


@cache
def offered(region: str) -> dict[str, frozenset[str]]:
    """Types offered in each zone of a region, by zone name."""
    found: dict[str, set[str]] = {}
    for offering in INSTANCE_TYPE_OFFERINGS["availability-zone"].get(region, []):
        found.setdefault(offering["Location"], set()).add(offering["InstanceType"])
    return {zone: frozenset(types) for zone, types in found.items()}


def instance_type(name: str | None) -> dict[str, Any] | None:
    """What DescribeInstanceTypes says of a type."""
    return INSTANCE_TYPES.get(name) if name else None
