"""Reserved instances of accounts, settable, as DescribeReservedInstances tells them. Bills nothing with them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4
from xml.sax.saxutils import escape

from overlay import wire
from overlay.calls import Call
from overlay.world import on_reset, utc

Row = dict[str, Any]

#: Rows by account and region, in the API's own words.
_rows: dict[tuple[str, str], list[Row]] = {}
on_reset(_rows.clear)

#: How a row is written, with what stands where nothing was set.
_FIELDS: dict[str, Any] = {
    "reservedInstancesId": "",
    "instanceType": "m5.large",
    "instanceCount": 1,
    "productDescription": "Linux/UNIX (Amazon VPC)",
    "state": "active",
    "instanceTenancy": "default",
    "scope": "Region",
    "availabilityZone": "",
    "end": "",
}


def set_rows(account: str, region: str, rows: list[Row]) -> None:
    """The reserved instances of an account in a region, instead of those that it had."""
    for row in rows:
        unknown = set(row) - set(_FIELDS)
        if unknown:
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(_FIELDS)}")
    _rows[account, region] = [
        {**_FIELDS, "reservedInstancesId": str(uuid4()), "end": (utc() + timedelta(days=365)).isoformat() + "Z", **row}
        for row in rows
    ]


def _described(call: Call) -> wire.Answer:
    filters = call.params.get("Filters") or []
    rows = _rows.get((call.account, call.region), [])
    for one in filters:
        if one["Name"] != "state":
            return wire.error(call, "InvalidParameterValue", f"The filter '{one['Name']}' is invalid")
        rows = [row for row in rows if row["state"] in one["Values"]]
    items = "".join(
        "<item>" + "".join(f"<{name}>{escape(str(row[name]))}</{name}>" for name in _FIELDS if row[name] != "") + "</item>"
        for row in rows
    )
    body = (
        '<DescribeReservedInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">'
        f"<requestId>{uuid4()}</requestId><reservedInstancesSet>{items}</reservedInstancesSet>"
        "</DescribeReservedInstancesResponse>"
    )
    return wire.Answer(200, {"Content-Type": "text/xml;charset=UTF-8"}, body.encode())


ANSWERS: dict[str, Callable[[Call], wire.Answer]] = {"ec2:DescribeReservedInstances": _described}
