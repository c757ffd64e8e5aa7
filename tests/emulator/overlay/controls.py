"""The controls under /harness: JSON in, JSON out. Knows what can be asked for, and asks the parts that do it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from moto.autoscaling.models import autoscaling_backends
from moto.core.base_backend import BackendDict
from moto.core.model_instances import reset_model_data

from overlay import (
    declared,
    event_bus,
    instance_states,
    interruptions,
    metering,
    price_list,
    quotas,
    placement_scores,
    reserved_instances,
    savings_plans,
    spot_prices,
    trust,
    wire,
    world,
)
from overlay.call_log import LOG, counts
from overlay.capacity import CAPACITY
from overlay.faults import FAULTS
from overlay.group_changes import REFRESHES
from overlay.groups import settle
from overlay.stacks.records import Stack, find, stacks_in
from overlay.stacks.template import Template
from overlay.zones import zone_id, zone_name

Query = dict[str, str]
Control = Callable[[Query, Any], Any]


def handle(method: str, path: str, query: str, body: bytes) -> wire.Answer:
    """One request to a control; what is wrong with it is told with 400, an unknown control with 404."""
    control = _CONTROLS.get((method, path.rstrip("/")))
    if control is None:
        known = sorted(f"{verb} {where}" for verb, where in _CONTROLS)
        return _told(404, {"error": f"no control {method} {path}", "known": known})
    try:
        given = json.loads(body) if body.strip() else {}
        with world.LOCK:
            return _told(200, control(dict(parse_qsl(query)), given))
    except (ValueError, KeyError, TypeError) as error:
        missing = f"missing: {error}" if isinstance(error, KeyError) else str(error)
        return _told(400, {"error": missing})


def _told(status: int, what: Any) -> wire.Answer:
    return wire.Answer(status, {"Content-Type": "application/json"}, json.dumps(what, default=str).encode())


def _reset(_: Query, __: Any) -> Any:
    BackendDict.reset()
    reset_model_data()
    world.reset()
    return {}


def _patches(_: Query, __: Any) -> Any:
    return {
        "moto": declared.MOTO,
        "patches": [
            {"name": patch.name, "gap": patch.gap, "touches": patch.touches} for patch in declared.all_patches()
        ],
    }


def _calls(query: Query, _: Any) -> Any:
    entries, cursor = LOG.since(int(query.pop("after", 0)), query)
    return {"calls": [entry.told() for entry in entries], "cursor": cursor}


def _call_counts(query: Query, _: Any) -> Any:
    entries, cursor = LOG.since(int(query.pop("after", 0)), query)
    return {"counts": counts(entries), "cursor": cursor}


def _clear_calls(_: Query, __: Any) -> Any:
    LOG.clear()
    return {}


def _add_fault(_: Query, given: Any) -> Any:
    return FAULTS.add(given)


def _list_faults(_: Query, __: Any) -> Any:
    return {"faults": FAULTS.told()}


def _clear_faults(query: Query, _: Any) -> Any:
    FAULTS.clear(int(query["id"]) if "id" in query else None)
    return {}


def _event(_: Query, given: Any) -> Any:
    event = dict(given["event"])
    if not event.get("source") or not event.get("detail-type"):
        raise ValueError("an event needs source and detail-type")
    put = event_bus.put_service_event(given["account"], given["region"], event)
    for _copy in range(int(given.get("copies", 1)) - 1):
        event_bus.put_service_event(given["account"], given["region"], put)
    return {"event": put}


def _deliveries(_: Query, __: Any) -> Any:
    return {"deliveries": list(event_bus.DELIVERIES)}


def _interrupt(_: Query, given: Any) -> Any:
    return interruptions.interrupt(given)


def _interruptions(_: Query, __: Any) -> Any:
    return {"interruptions": list(interruptions.ASKED.values())}


def _set_spot_prices(_: Query, given: Any) -> Any:
    rows = given.get("prices", [given])
    points = []
    for row in rows:
        ident = zone_id(row["region"], row["zone"])
        if ident is None:
            raise ValueError(f"{row['region']} has no zone {row['zone']}")
        product = row.get("product", "Linux/UNIX")
        if product not in spot_prices.PRODUCTS:
            raise ValueError(f"{product} is none of {', '.join(spot_prices.PRODUCTS)}")
        usd = row["usd"]
        at = spot_prices.naive(row.get("at"))
        price = None if usd is None else str(float(usd)) if isinstance(usd, str) else f"{float(usd):.6f}"
        points.append((spot_prices.Pool(row["region"], ident, row["type"], product), price, at))
    for pool, price, at in points:
        spot_prices.PRICES.set(pool, price, at)
    return {"set": len(points)}


def _spot_prices(query: Query, _: Any) -> Any:
    if "type" not in query:
        return {"set": spot_prices.PRICES.told()}
    region = query["region"]
    pool = spot_prices.Pool(
        region, zone_id(region, query["zone"]) or "", query["type"], query.get("product", "Linux/UNIX")
    )
    return {"usd": spot_prices.PRICES.in_force(pool), "zone": zone_name(region, pool.zone_id), "zone_id": pool.zone_id}


def _set_list_prices(_: Query, given: Any) -> Any:
    rows = given.get("prices", [given])
    for row in rows:
        if row.get("product", "Linux/UNIX") not in price_list.SYSTEMS:
            raise ValueError(f"{row['product']} is none of {', '.join(price_list.SYSTEMS)}")
    for row in rows:
        usd = None if row["usd"] is None else float(row["usd"])
        price_list.PRICES.set(row["region"], row["type"], row.get("product", "Linux/UNIX"), usd)
    return {"set": len(rows)}


def _list_prices(query: Query, _: Any) -> Any:
    if "type" not in query:
        return {"set": price_list.PRICES.told()}
    product = query.get("product", "Linux/UNIX")
    return {"usd": price_list.PRICES.listed(query["region"], query["type"], product)}


def _set_capacity(_: Query, given: Any) -> Any:
    added = CAPACITY.add(given)
    _settle_all()
    return added


def _capacity(_: Query, __: Any) -> Any:
    return {"capacity": CAPACITY.told()}


def _clear_capacity(query: Query, _: Any) -> Any:
    CAPACITY.clear(int(query["id"]) if "id" in query else None)
    _settle_all()
    return {}


def _settle_all() -> None:
    """Groups that could not launch try again when capacity changes."""
    for regions in list(autoscaling_backends.values()):
        for backend in list(regions.values()):
            for group in list(backend.autoscaling_groups.values()):
                settle(group)


def _switches(_: Query, given: Any) -> Any:
    return world.update(world.SWITCHES, given)


def _read_switches(_: Query, __: Any) -> Any:
    return asdict(world.SWITCHES)


def _timings(_: Query, given: Any) -> Any:
    return world.update(world.TIMINGS, given)


def _read_timings(_: Query, __: Any) -> Any:
    return asdict(world.TIMINGS)


def _set_statuses(known: dict[str, str], allowed: tuple[str, ...]) -> Control:
    def set_them(_: Query, given: Any) -> Any:
        for ident, status in given.items():
            if status is not None and status not in allowed:
                raise ValueError(f"{ident}: {status!r} is none of {', '.join(allowed)}")
        for ident, status in given.items():
            if status is None:
                known.pop(ident, None)
            else:
                known[ident] = status
        return dict(known)

    return set_them


def _end_sessions(_: Query, given: Any) -> Any:
    return {"ended": trust.end_sessions(given.get("account"))}


def _refreshes(_: Query, given: Any) -> Any:
    rows = [
        {"InstanceRefreshId": f"refresh-{at}", "AutoScalingGroupName": given["group"], "Status": "InProgress", **row}
        if isinstance(row, dict)
        else {"InstanceRefreshId": f"refresh-{at}", "AutoScalingGroupName": given["group"], "Status": row}
        for at, row in enumerate(given["refreshes"])
    ]
    REFRESHES[(given["account"], given["region"], given["group"])] = rows
    return {"refreshes": rows}


def _stack(_: Query, given: Any) -> Any:
    """Makes a stack without resources in a state, or brings it into another; tells its id."""
    account, region, name = given["account"], given["region"], given["name"]
    stack = find(account, region, name)
    if stack is None:
        stack = Stack(account, region, name, Template("{}", {}))
        stacks_in(account, region).append(stack)
    stack.enter(given["status"])
    return {"id": stack.id}


def _group(_: Query, given: Any) -> Any:
    """Sets fields of a group that no call can, such as its operator or its creation time."""
    group = autoscaling_backends[given["account"]][given["region"]].autoscaling_groups.get(given["group"])
    if group is None:
        raise ValueError(f"no group {given['group']} in {given['account']} {given['region']}")
    for name, value in given["set"].items():
        if name == "CreatedTime":
            value = datetime.fromisoformat(value.replace("Z", "+00:00")).isoformat()
            group.created_time = value
        elif name in ("Operator", "Status", "InstanceLifecyclePolicy", "Context", "DesiredCapacityType"):
            setattr(group, name, value)
        else:
            raise ValueError(f"{name} cannot be set here")
    return {}


def _set_quotas(_: Query, given: Any) -> Any:
    rows = given.get("quotas", [given])
    for row in rows:
        value = row["value"]
        place = (row["account"], row["region"], row.get("service", "ec2"), row["code"])
        quotas.set_value(*place, None if value is None else float(value))
    return {"set": len(rows)}


def _quotas(_: Query, __: Any) -> Any:
    return {"set": quotas.told(), "known": quotas.KNOWN}


def _set_placement_limit(_: Query, given: Any) -> Any:
    placement_scores.set_limit(int(given["a-day"]))
    return {}


def _set_reserved_instances(_: Query, given: Any) -> Any:
    reserved_instances.set_rows(given["account"], given["region"], given["rows"])
    return {}


def _set_savings_plans(_: Query, given: Any) -> Any:
    savings_plans.set_plans(given["account"], given["plans"])
    return {}


def _metering(_: Query, __: Any) -> Any:
    return {"records": metering.told()}


def _subscription(_: Query, given: Any) -> Any:
    metering.end(given["product"], bool(given["ended"]))
    return {}


def _health(_: Query, __: Any) -> Any:
    return {"ok": True}


_CHECKS = _set_statuses(instance_states.CHECKS, ("ok", "impaired", "initializing", "insufficient-data"))
_TARGETS = _set_statuses(instance_states.TARGETS, ("healthy", "unhealthy", "initial", "draining"))

_CONTROLS: dict[tuple[str, str], Control] = {
    ("GET", "/harness"): _health,
    ("POST", "/harness/reset"): _reset,
    ("GET", "/harness/patches"): _patches,
    ("GET", "/harness/calls"): _calls,
    ("DELETE", "/harness/calls"): _clear_calls,
    ("GET", "/harness/calls/counts"): _call_counts,
    ("POST", "/harness/faults"): _add_fault,
    ("GET", "/harness/faults"): _list_faults,
    ("DELETE", "/harness/faults"): _clear_faults,
    ("POST", "/harness/events"): _event,
    ("GET", "/harness/events"): _deliveries,
    ("POST", "/harness/interruptions"): _interrupt,
    ("GET", "/harness/interruptions"): _interruptions,
    ("POST", "/harness/spot-prices"): _set_spot_prices,
    ("GET", "/harness/spot-prices"): _spot_prices,
    ("POST", "/harness/list-prices"): _set_list_prices,
    ("GET", "/harness/list-prices"): _list_prices,
    ("POST", "/harness/capacity"): _set_capacity,
    ("GET", "/harness/capacity"): _capacity,
    ("DELETE", "/harness/capacity"): _clear_capacity,
    ("POST", "/harness/switches"): _switches,
    ("GET", "/harness/switches"): _read_switches,
    ("POST", "/harness/timings"): _timings,
    ("GET", "/harness/timings"): _read_timings,
    ("POST", "/harness/status-checks"): _CHECKS,
    ("POST", "/harness/target-health"): _TARGETS,
    ("POST", "/harness/sessions/end"): _end_sessions,
    ("POST", "/harness/instance-refreshes"): _refreshes,
    ("POST", "/harness/group"): _group,
    ("POST", "/harness/stack"): _stack,
    ("POST", "/harness/quotas"): _set_quotas,
    ("GET", "/harness/quotas"): _quotas,
    ("GET", "/harness/metering"): _metering,
    ("POST", "/harness/placement-limit"): _set_placement_limit,
    ("POST", "/harness/reserved-instances"): _set_reserved_instances,
    ("POST", "/harness/savings-plans"): _set_savings_plans,
    ("POST", "/harness/subscriptions"): _subscription,
}
