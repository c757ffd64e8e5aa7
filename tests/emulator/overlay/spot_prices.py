"""P1: Spot prices by pool with their history, and DescribeSpotPriceHistory as documented.

Knows the market's prices; capacity is another module's.
"""

from __future__ import annotations

import base64
import json
from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from functools import cache
from typing import Any, NamedTuple
from uuid import uuid4
from xml.sax.saxutils import escape

from moto.ec2.exceptions import EC2ClientError

from overlay import price_list, wire
from overlay.calls import Call
from overlay.declared import Patch
from overlay.world import SWITCHES, on_reset, utc
from overlay.zones import instance_type, offered, zone_id, zone_name

PRODUCTS = ("Linux/UNIX", "Red Hat Enterprise Linux", "SUSE Linux", "Windows")
#: Part of the list price that a pool costs where nothing was set.
DERIVED_SHARE = 0.35
#: A page holds at most this many rows.
PAGE = 1000
_FILTERS = {
    "availability-zone": "AvailabilityZone",
    "availability-zone-id": "AvailabilityZoneId",
    "instance-type": "InstanceType",
    "product-description": "ProductDescription",
    "spot-price": "SpotPrice",
    "timestamp": "Timestamp",
}


class Pool(NamedTuple):
    """What has one Spot price at a time."""

    region: str
    zone_id: str
    type: str
    product: str


class SpotPrices:
    """Price points of each pool in order of time. A point without a price ends the pool's offer."""

    def __init__(self) -> None:
        self._points: dict[Pool, list[tuple[datetime, str | None]]] = {}
        self._began = utc() - timedelta(days=1)
        #: Rows of a request whose pages are being read; a region has some 20,000.
        self.open: dict[str, list[dict[str, Any]]] = {}

    def clear(self) -> None:
        """Back to no prices of its own."""
        self._points.clear()
        self.open.clear()
        self._began = utc() - timedelta(days=1)

    def set(self, pool: Pool, price: str | None, at: datetime | None = None) -> None:
        """From `at` (by itself now) the pool costs this; `None` ends the offer."""
        points = self._points.setdefault(pool, [])
        at = at or utc()
        points[:] = sorted([point for point in points if point[0] != at] + [(at, price)])

    def changes(self, pool: Pool) -> list[tuple[datetime, str | None]]:
        """All points; a derived one where none was set and the type is offered there for Spot."""
        if pool in self._points:
            return self._points[pool]
        if not SWITCHES.derived_spot_prices or not sold(pool):
            return []
        listed = price_list.PRICES.price(pool.region, pool.type, pool.product)
        return [(self._began, f"{listed * DERIVED_SHARE:.6f}")]

    def in_force(self, pool: Pool, at: datetime | None = None) -> float | None:
        """The price that holds at a time; none where the pool is not offered."""
        at = at or utc()
        price = next((p for when, p in reversed(self.changes(pool)) if when <= at), None)
        return float(price) if price is not None else None

    def pools(self, region: str) -> list[Pool]:
        """All pools of a region that have a price: those that were set, and those that are sold there."""
        found = {pool for pool in self._points if pool.region == region}
        return sorted(found | _sold_in(region)) if SWITCHES.derived_spot_prices else sorted(found)

    def told(self) -> list[dict[str, Any]]:
        """What was set."""
        return [
            {**pool._asdict(), "points": [{"at": when.isoformat() + "Z", "usd": price} for when, price in points]}
            for pool, points in sorted(self._points.items())
        ]


@cache
def _sold_in(region: str) -> frozenset[Pool]:
    idents = {zone: zone_id(region, zone) or "" for zone in offered(region)}
    every = (
        Pool(region, idents[zone], name, product)
        for zone, types in offered(region).items()
        for name in types
        for product in PRODUCTS
    )
    return frozenset(pool for pool in every if pool.zone_id and sold(pool))


@cache
def sold(pool: Pool) -> bool:
    """Whether moto's tables offer the type in that zone, for Spot and with that product."""
    facts = instance_type(pool.type)
    if facts is None or "spot" not in facts.get("SupportedUsageClasses", []):
        return False
    if pool.product == "Windows" and "x86_64" not in facts["ProcessorInfo"]["SupportedArchitectures"]:
        return False
    return pool.type in offered(pool.region).get(zone_name(pool.region, pool.zone_id) or "", ())


PRICES = SpotPrices()
on_reset(PRICES.clear)


def describe(region: str, params: dict[str, Any]) -> tuple[list[dict[str, Any]], str]:
    """The rows of one page, newest first, and the token of the next; an empty token at the end, as AWS sends it."""
    begin = _begin(params)
    key = json.dumps([region, {k: v for k, v in params.items() if k != "NextToken"}], sort_keys=True, default=str)
    rows = PRICES.open.get(key) if begin else None
    if rows is None:
        rows = _rows(region, params)
        if len(PRICES.open) >= 8:
            PRICES.open.clear()
        PRICES.open[key] = rows
    size = min(int(params.get("MaxResults") or PAGE), PAGE)
    token = base64.b64encode(json.dumps({"at": begin + size}).encode()).decode() if begin + size < len(rows) else ""
    return rows[begin : begin + size], token


def _rows(region: str, params: dict[str, Any]) -> list[dict[str, Any]]:
    now = utc()
    start = naive(params.get("StartTime")) or now - timedelta(days=90)
    end = naive(params.get("EndTime")) or now
    wanted = _wanted(region, params)
    rows: list[tuple[datetime, Pool, str]] = []
    for pool in PRICES.pools(region):
        fields = _fields(pool)
        if not all(_matches(fields[name], patterns) for name, patterns in wanted.items() if name in fields):
            continue
        points = PRICES.changes(pool)
        # The change in force at the start belongs to the answer, and those up to the end.
        first = max(bisect_right(points, start, key=lambda point: point[0]) - 1, 0)
        rows += [(when, pool, price) for when, price in points[first:] if when <= end and price is not None]
    rows.sort(key=lambda row: (-row[0].timestamp(), row[1]))
    told = [
        {**_fields(pool), "SpotPrice": price, "Timestamp": when.strftime("%Y-%m-%dT%H:%M:%S.000Z")}
        for when, pool, price in rows
    ]
    late = {name: wanted[name] for name in ("SpotPrice", "Timestamp") if name in wanted}
    return [row for row in told if all(_matches(row[name], patterns) for name, patterns in late.items())]


def _wanted(region: str, params: dict[str, Any]) -> dict[str, list[str]]:
    wanted: dict[str, list[str]] = {}
    for given in params.get("Filters") or params.get("Filter") or []:
        field = _FILTERS.get(given.get("Name", ""))
        if field is None:
            raise EC2ClientError("InvalidParameterValue", f"The filter '{given.get('Name')}' is invalid")
        wanted[field] = list(given.get("Values", []))
    for name, field in (("InstanceTypes", "InstanceType"), ("ProductDescriptions", "ProductDescription")):
        if params.get(name):
            wanted[field] = list(params[name])
    for name in ("AvailabilityZone", "AvailabilityZoneId"):
        if params.get(name):
            if zone_id(region, params[name]) is None:
                raise EC2ClientError("InvalidParameterValue", f"Invalid availability zone: [{params[name]}]")
            wanted[name] = [params[name]]
    if "ProductDescription" in wanted:
        # Each product has a twin for VPCs; today both names mean the same pool.
        wanted["ProductDescription"] = [name.removesuffix(" (Amazon VPC)") for name in wanted["ProductDescription"]]
    return wanted


def _fields(pool: Pool) -> dict[str, str]:
    return {
        "AvailabilityZone": zone_name(pool.region, pool.zone_id) or pool.zone_id,
        "AvailabilityZoneId": pool.zone_id,
        "InstanceType": pool.type,
        "ProductDescription": pool.product,
    }


def _matches(value: str, patterns: list[str]) -> bool:
    return any(fnmatchcase(value, pattern) for pattern in patterns)


def _begin(params: dict[str, Any]) -> int:
    if not params.get("NextToken"):
        return 0
    try:
        return int(json.loads(base64.b64decode(params["NextToken"]))["at"])
    except (ValueError, KeyError, TypeError) as error:
        raise EC2ClientError("InvalidNextToken", "The token is not valid.") from error


def naive(given: Any) -> datetime | None:
    """A time of a request in UTC without zone."""
    if given is None or given == "":
        return None
    when = given if isinstance(given, datetime) else datetime.fromisoformat(str(given).replace("Z", "+00:00"))
    return when.astimezone(UTC).replace(tzinfo=None) if when.tzinfo else when


def answer(call: Call) -> wire.Answer:
    """The call's answer, written here: moto's own serializer takes half a second for a page of a thousand."""
    try:
        rows, token = describe(call.region, call.params)
    except EC2ClientError as error:
        return wire.error(call, error.code, error.message)
    if call.params.get("DryRun"):
        return wire.error(call, "DryRunOperation", "Request would have succeeded, but DryRun flag is set", 412)
    # Not every answer of AWS tells the zone's id beside its name.
    written = [row for row in _WRITTEN if SWITCHES.price_zone_ids or row[1] != "AvailabilityZoneId"]
    items = "".join(
        "<item>" + "".join(f"<{name}>{escape(row[field])}</{name}>" for name, field in written) + "</item>"
        for row in rows
    )
    body = (
        '<DescribeSpotPriceHistoryResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">'
        f"<requestId>{uuid4()}</requestId><spotPriceHistorySet>{items}</spotPriceHistorySet>"
        f"<nextToken>{token}</nextToken></DescribeSpotPriceHistoryResponse>"
    )
    return wire.Answer(200, {"Content-Type": "text/xml;charset=UTF-8"}, body.encode())


_WRITTEN = tuple((name[0].lower() + name[1:], name) for name in _FILTERS.values())


def _apply() -> None:
    """Nothing of moto is replaced: the gateway has this call answered here."""


PATCH = Patch(
    name="P1",
    gap="Spot prices are one constant of 2006; product, zone and time filters are wrong or ignored; no zone ids",
    touches=(
        "moto.ec2.exceptions:EC2ClientError",
        "moto.ec2.models.instance_types:INSTANCE_TYPE_OFFERINGS",
        "moto.ec2.models.availability_zones_and_regions:RegionsAndZonesBackend.zones",
    ),
    apply=_apply,
)
