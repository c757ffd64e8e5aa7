"""P5: events from bus to rule to target, with their whole envelope, as EventBridge routes them.

Knows buses, rules and targets. What puts an event on a bus is told by others: PutEvents, or the emulator itself.
"""

from __future__ import annotations

import json
import re
import time
from collections import deque
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from moto.core.exceptions import ServiceException
from moto.events.exceptions import ResourceNotFoundException, ValidationException
from moto.events.models import EventBus, EventsBackend, Rule, events_backends
from moto.events.utils import EventTemplateParser
from moto.sqs import sqs_backends
from moto.utilities.utils import get_partition

from overlay.declared import Patch, replace
from overlay.evaluation import admitted, allowed
from overlay.trust import CALLING, Caller, find_role, trusts
from overlay.world import SWITCHES, iso, on_reset

_BUS = re.compile(r"^arn:[^:]+:events:(?P<region>[^:]+):(?P<account>\d{12}):event-bus/(?P<name>.+)$")
_QUEUE = re.compile(r"^arn:[^:]+:sqs:(?P<region>[^:]+):(?P<account>\d{12}):(?P<name>.+)$")

#: What became of each event at each target, the newest last.
DELIVERIES: deque[dict[str, Any]] = deque(maxlen=10_000)
on_reset(DELIVERIES.clear)


#: Who delivers.
EVENTS = Caller("service", "events.amazonaws.com", "")


class Forbidden(ServiceException):
    """A call that a resource's policy does not admit."""

    code = "AccessDeniedException"


class Undelivered(Exception):
    """A target did not take the event; the code is that of the dead-letter queue's message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def put_service_event(account: str, region: str, given: dict[str, Any]) -> dict[str, Any]:
    """Puts an event of an AWS service on the account's default bus; what is given of the envelope stays as it is."""
    event = {
        "version": "0",
        "id": str(uuid4()),
        "detail-type": "",
        "source": "",
        "account": account,
        "time": iso(),
        "region": region,
        "resources": [],
        "detail": {},
    }
    event.update(given)
    put(events_backends[account][region].event_buses["default"], event, None)
    return event


def put(bus: EventBus, event: dict[str, Any], came_from: str | None) -> None:
    """Offers an event to all rules of a bus. `came_from` is the bus that forwarded it, if one did."""
    for rule in list(bus.rules.values()):
        if rule.state == "DISABLED" or rule.scheduled_expression or not rule.event_pattern.matches_event(event):
            continue
        for target in list(rule.targets):
            _deliver(bus, rule, target, event, came_from)


def _deliver(bus: EventBus, rule: Rule, target: dict[str, Any], event: dict[str, Any], came_from: str | None) -> None:
    note = {
        "at": time.time(),
        "bus": bus.arn,
        "rule": rule.arn,
        "target": target["Arn"],
        "event": {key: event[key] for key in ("id", "account", "region", "source", "detail-type")},
        "outcome": "delivered",
    }
    try:
        _send(bus, rule, target, event, came_from)
    except Undelivered as failed:
        note.update(outcome=_dead_letter(rule, target, event, failed), code=failed.code, message=failed.message)
    DELIVERIES.append(note)


def _send(bus: EventBus, rule: Rule, target: dict[str, Any], event: dict[str, Any], came_from: str | None) -> None:
    arn = target["Arn"]
    to_bus = _BUS.match(arn)
    queue = _QUEUE.match(arn)
    if to_bus:
        _forward(bus, rule, target, to_bus, event, came_from)
    elif queue:
        if queue["region"] != rule.region_name:
            raise Undelivered("INVALID_TARGET", "A queue must be in the region of its rule")
        group = (target.get("SqsParameters") or {}).get("MessageGroupId")
        _to_queue(rule, queue, _input(target, event), group)
    else:
        # Other kinds of targets are moto's own business; it wants the time as a number.
        seconds = datetime.fromisoformat(event["time"].replace("Z", "+00:00")).timestamp()
        given = {**deepcopy(event), "time": seconds, "ingestion-time": seconds}
        single = Rule(
            rule.name, rule.account_id, rule.region_name, None, None, None, None, rule.event_bus_name, None,
            targets=[target],
        )  # fmt: skip
        try:
            _vanilla_send(single, given)
        except Exception as error:  # moto has no one error for a target that fails
            raise Undelivered("SDK_CLIENT_ERROR", f"{type(error).__name__}: {error}") from error


def _forward(
    bus: EventBus,
    rule: Rule,
    target: dict[str, Any],
    to: re.Match[str],
    event: dict[str, Any],
    came_from: str | None,
) -> None:
    if came_from is not None:
        # One hop only: what another bus forwarded stays where it is.
        if target["Arn"] == came_from:
            raise Undelivered("LOOP_DETECTED", "The event would go back to the bus it came from")
        if to["account"] != bus.account_id:
            raise Undelivered("THIRD_ACCOUNT_HOP_DETECTED", "The event came from another bus already")
        raise Undelivered("THIRD_REGION_HOP_DETECTED", "The event came from another bus already")
    if target["Arn"] == bus.arn:
        raise Undelivered("LOOP_DETECTED", "The bus is its own target")
    if (to["account"], to["region"]) != (bus.account_id, bus.region) and not target.get("RoleArn"):
        raise Undelivered("NO_PERMISSIONS", "A bus of another account or region needs a role on the target")
    there = events_backends[to["account"]][to["region"]].event_buses.get(to["name"])
    if there is None:
        raise Undelivered("RESOURCE_NOT_FOUND", f"The bus {target['Arn']} does not exist")
    if (to["account"], to["region"]) != (bus.account_id, bus.region):
        _check_forwarder(bus, rule, target, there, event)
    put(there, deepcopy(event), bus.arn)


def _check_forwarder(
    bus: EventBus, rule: Rule, target: dict[str, Any], there: EventBus, event: dict[str, Any]
) -> None:
    """The role of a target must be there, trust EventBridge and allow PutEvents; a foreign bus must admit it."""
    if not SWITCHES.event_rights:
        return
    arn, region = target["RoleArn"], bus.region
    role = find_role(arn, get_partition(region))
    if role is None or role.account_id != bus.account_id:
        raise Undelivered("NO_PERMISSIONS", f"The role {arn} does not exist in {bus.account_id}")
    if not trusts(role, EVENTS, "sts:AssumeRole", region, _source(rule)):
        raise Undelivered("NO_PERMISSIONS", f"The role {arn} does not trust {EVENTS.arn} for {rule.arn}")
    session = f"arn:{get_partition(region)}:sts::{role.account_id}:assumed-role/{role.name}/EventBridge"
    caller = Caller("role", session, role.account_id, role.arn, role)
    keys = _entry_keys(event["source"], event["detail-type"], "true")
    if allowed(caller, "events:PutEvents", there.arn, region, keys).decision != "Allow":
        raise Undelivered("NO_PERMISSIONS", f"The role {arn} may not put events on {there.arn}")
    if there.account_id != bus.account_id:
        said = admitted(there.policy, caller, "events:PutEvents", there.arn, there.region, keys)
        if said.decision != "Allow":
            raise Undelivered("NO_PERMISSIONS", f"The policy of {there.arn} does not admit {arn}")


def _entry_keys(source: str, kind: str, forwarded: str) -> dict[str, Any]:
    return {"events:source": source, "events:detail-type": kind, "events:eventbusinvocation": forwarded}


def _source(rule: Rule) -> dict[str, Any]:
    return {"aws:sourcearn": rule.arn, "aws:sourceaccount": rule.account_id}


def _input(target: dict[str, Any], event: dict[str, Any]) -> str:
    if target.get("Input"):
        return str(target["Input"])
    if target.get("InputPath"):
        found: Any = event
        for part in filter(None, target["InputPath"].removeprefix("$").split(".")):
            found = found.get(part) if isinstance(found, dict) else None
        return json.dumps(found)
    if target.get("InputTransformer"):
        given = target["InputTransformer"]
        seconds = datetime.now(UTC).timestamp()
        read = EventTemplateParser.parse(
            given.get("InputTemplate"), given.get("InputPathsMap") or {}, {**event, "ingestion-time": seconds}
        )
        return json.dumps(read)
    return json.dumps(event)


def _to_queue(
    rule: Rule, place: re.Match[str], body: str, group: str | None, attributes: Any = None
) -> None:
    account, region, name = place.group("account", "region", "name")
    backend = sqs_backends[account][region]
    queue = backend.queues.get(name)
    if queue is None:
        raise Undelivered("RESOURCE_NOT_FOUND", f"The queue {name} does not exist in {account} {region}")
    if SWITCHES.event_rights:
        said = admitted(queue.policy, EVENTS, "sqs:SendMessage", queue.queue_arn, region, _source(rule))
        if said.decision != "Allow":
            raise Undelivered("NO_PERMISSIONS", f"The policy of {queue.queue_arn} does not admit {rule.arn}")
    fifo = name.endswith(".fifo")
    if fifo and queue.attributes.get("ContentBasedDeduplication") != "true":
        raise Undelivered("INVALID_PARAMETER", "A FIFO queue needs content-based deduplication to be a target")
    backend.send_message(
        queue_name=name,
        message_body=body,
        message_attributes=attributes,
        group_id=group,
        validate_group_id=fifo,
    )


def _dead_letter(rule: Rule, target: dict[str, Any], event: dict[str, Any], failed: Undelivered) -> str:
    queue = _QUEUE.match((target.get("DeadLetterConfig") or {}).get("Arn") or "")
    if not queue:
        return "dropped"
    told = {
        "RULE_ARN": rule.arn,
        "TARGET_ARN": target["Arn"],
        "ERROR_CODE": failed.code,
        "ERROR_MESSAGE": failed.message,
    }
    attributes = {name: {"DataType": "String", "StringValue": value} for name, value in told.items()}
    try:
        _to_queue(rule, queue, json.dumps(event), None, attributes)
    except Undelivered:
        return "dropped"
    return "dead-letter"


def put_events(backend: EventsBackend, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """PutEvents: each entry for itself; the answer to one does not depend on its targets."""
    if not 1 <= len(events) <= 10:
        raise ValidationException(
            "1 validation error detected: Value '[PutEventsRequestEntry]' at 'entries' failed to satisfy constraint: "
            "Member must have length less than or equal to 10"
        )
    for entry in events:
        _check_foreign(backend, entry)
    return [_put_entry(backend, entry) for entry in events]


def _put_entry(backend: EventsBackend, entry: dict[str, Any]) -> dict[str, Any]:
    for name in ("Source", "DetailType", "Detail"):
        if not entry.get(name):
            return _wrong("InvalidArgument", f"Parameter {name} is not valid. Reason: {name} is a required argument.")
    try:
        detail = json.loads(entry["Detail"])
    except ValueError:
        return _wrong("MalformedDetail", "Detail is malformed.")
    if entry["Source"].startswith("aws."):
        return _wrong("NotAuthorizedForSourceException", "Not authorized for the source.")
    bus = _bus(backend, entry.get("EventBusName") or "default")
    event = {
        "version": "0",
        "id": str(uuid4()),
        "detail-type": entry["DetailType"],
        "source": entry["Source"],
        "account": backend.account_id,
        "time": _time(entry.get("Time")),
        "region": backend.region_name,
        "resources": entry.get("Resources") or [],
        "detail": detail,
    }
    put(bus, event, None)
    return {"EventId": event["id"]}


def _bus(backend: EventsBackend, name: str) -> EventBus:
    arn = _BUS.match(name)
    if arn is None:
        return backend._get_event_bus(name)
    bus = events_backends[arn["account"]][arn["region"]].event_buses.get(arn["name"])
    if bus is None:
        raise ResourceNotFoundException(f"Event bus {name} does not exist.")
    return bus


def _check_foreign(backend: EventsBackend, entry: dict[str, Any]) -> None:
    """A bus of another account has to admit who puts on it; the whole call is refused otherwise."""
    arn = _BUS.match(entry.get("EventBusName") or "")
    caller = CALLING.get()
    if arn is None or arn["account"] == backend.account_id or caller is None or not SWITCHES.event_rights:
        return
    bus = events_backends[arn["account"]][arn["region"]].event_buses.get(arn["name"])
    if bus is None or str(entry.get("Source", "")).startswith("aws."):
        return
    keys = _entry_keys(entry.get("Source", ""), entry.get("DetailType", ""), "false")
    if admitted(bus.policy, caller, "events:PutEvents", bus.arn, bus.region, keys).decision != "Allow":
        raise Forbidden(
            f"User: {caller.arn} is not authorized to perform: events:PutEvents on resource: {bus.arn} because no"
            " resource-based policy allows the events:PutEvents action"
        )


def _time(given: Any) -> str:
    if given is None:
        return iso()
    if isinstance(given, (int, float)):
        return datetime.fromtimestamp(given, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return str(given)


def _wrong(code: str, message: str) -> dict[str, str]:
    return {"ErrorCode": code, "ErrorMessage": message}


def _check_targets(backend: EventsBackend, targets: list[dict[str, Any]]) -> None:
    if len(targets) > 5:
        raise ValidationException("A rule has at most 5 targets")
    for target in targets:
        bus, queue = _BUS.match(target["Arn"]), _QUEUE.match(target["Arn"])
        changed = [name for name in ("Input", "InputPath", "InputTransformer") if target.get(name)]
        if bus and bus["account"] != backend.account_id and changed:
            raise ValidationException(f"{changed[0]} is not supported for an event bus of another account")
        if queue and queue["region"] != backend.region_name:
            raise ValidationException(f"Parameter {target['Arn']} is not valid. Reason: it is in another region")


_vanilla_send: Any = None


def _apply() -> None:
    global _vanilla_send
    vanilla_put_targets = EventsBackend.put_targets

    def put_targets(self: EventsBackend, name: str, event_bus_arn: str | None, targets: list[dict[str, Any]]) -> None:
        _check_targets(self, targets)
        vanilla_put_targets(self, name, event_bus_arn, targets)

    _vanilla_send = Rule.send_to_targets
    replace(EventsBackend, "put_events", put_events)
    replace(EventsBackend, "put_targets", put_targets)


PATCH = Patch(
    name="P5",
    gap=(
        "forwarded events lose account, region, resources, id and time; disabled rules deliver; a bad target fails"
        " PutEvents, no dead letters; a bus ARN of another account is looked for in the own one; hops are not counted;"
        " policies of buses and queues and the roles of targets are not looked at"
    ),
    touches=(
        "moto.events.models:EventsBackend.put_events",
        "moto.events.models:EventsBackend.put_targets",
        "moto.events.models:Rule.send_to_targets",
        "moto.events.models:EventBus.policy",
        "moto.sqs.models:Queue.policy",
        "moto.sqs.models:SQSBackend.send_message",
    ),
    apply=_apply,
)
