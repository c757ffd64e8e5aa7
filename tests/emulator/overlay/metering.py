"""P7, third part: AWS Marketplace Metering. Keeps what was metered; knows nothing of subscriptions but that they end.

From the API's documentation: an hour and dimension are metered once for each resource that calls, by its principal;
the identical request is answered with the same record, another quantity is refused.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from typing import Any

from overlay import trust, wire
from overlay.calls import Call
from overlay.world import on_reset

Answer = dict[str, Any]

HOUR = 3600
AGE_MAX = 6 * HOUR
BATCH_AGE_MAX = 24 * HOUR
ALLOCATIONS_MAX = 2500
BATCH_MAX = 25

#: Records by who metered them, the product or licence, the hour and the dimension.
_records: dict[tuple[str, str, int, str], Answer] = {}
#: Products whose subscription ended.
_ended: set[str] = set()
on_reset(_records.clear)
on_reset(_ended.clear)


def told() -> list[Answer]:
    """Every record that was accepted."""
    return list(_records.values())


def end(product: str, ended: bool) -> None:
    """Ends a product's subscription, or takes that back."""
    _ended.add(product) if ended else _ended.discard(product)


def _json(what: Answer) -> wire.Answer:
    return wire.Answer(200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(what).encode())


def _principal(call: Call) -> str:
    caller = trust.CALLING.get()
    return caller.arn if caller is not None else call.account


def _bad_parts(quantity: int, parts: list[Answer]) -> str | None:
    """What is wrong with allocations, if anything."""
    if not parts:
        return None
    if len(parts) > ALLOCATIONS_MAX:
        return "There are more than 2,500 usage allocations."
    if sum(part["AllocatedUsageQuantity"] for part in parts) != quantity:
        return "The sum of the usage allocations must equal the usage quantity."
    tags = [tuple(sorted((tag["Key"], tag["Value"]) for tag in part.get("Tags", []))) for part in parts]
    if len(set(tags)) != len(tags):
        return "Usage allocations must have distinct tags."
    return None


def _hour(at: float) -> int:
    return int(at) // HOUR * HOUR


def _meter(call: Call) -> wire.Answer:
    asked, now = call.params, time.time()
    product, dimension, at = asked["ProductCode"], asked["UsageDimension"], float(asked["Timestamp"])
    quantity, parts = int(asked.get("UsageQuantity", 0)), asked.get("UsageAllocations") or []
    if product in _ended:
        return wire.error(call, "CustomerNotEntitledException", f"There is no subscription to {product}.")
    if at > now or at < now - AGE_MAX:
        return wire.error(call, "TimestampOutOfBoundsException", "The timestamp is out of bounds.")
    if not 0 <= quantity <= 2147483647:
        return wire.error(call, "ValidationException", "UsageQuantity is out of range.")
    wrong = _bad_parts(quantity, parts)
    if wrong is not None:
        return wire.error(call, "InvalidUsageAllocationsException", wrong)
    key = (_principal(call), product, _hour(at), dimension)
    before = _records.get(key)
    if before is not None and before["quantity"] != quantity:
        return wire.error(call, "DuplicateRequestException", "This hour was metered with another quantity.")
    if asked.get("DryRun"):
        return wire.error(call, "DryRunOperation", "The request would have succeeded.")
    record = before or _kept(key, quantity, parts)
    return _json({"MeteringRecordId": record["id"]})


def _kept(key: tuple[str, str, int, str], quantity: int, parts: list[Answer]) -> Answer:
    by, product, hour, dimension = key
    record = {"id": str(uuid.uuid4()), "by": by, "product": product, "hour": hour, "dimension": dimension}
    record |= {"quantity": quantity, "allocations": parts}
    _records[key] = record
    return record


def _register(call: Call) -> wire.Answer:
    product = call.params["ProductCode"]
    if product in _ended:
        return wire.error(call, "CustomerNotEntitledException", f"There is no subscription to {product}.")
    return _json({"Signature": "none"})


def _batch(call: Call) -> wire.Answer:
    asked, now = call.params.get("UsageRecords", []), time.time()
    if len(asked) > BATCH_MAX:
        return wire.error(call, "ValidationException", "There are more than 25 usage records.")
    if any(not now - BATCH_AGE_MAX <= float(row["Timestamp"]) <= now for row in asked):
        return wire.error(call, "TimestampOutOfBoundsException", "A timestamp is out of bounds.")
    results = []
    for row in asked:
        licence, quantity = row.get("LicenseArn", call.params.get("ProductCode", "")), int(row.get("Quantity", 0))
        customer = f"{row.get('CustomerAWSAccountId', '')} {licence}"
        key = (customer, licence, _hour(float(row["Timestamp"])), row["Dimension"])
        before, result = _records.get(key), {"UsageRecord": row}
        if licence in _ended:
            result["Status"] = "CustomerNotSubscribed"
        elif before is not None and before["quantity"] != quantity:
            result["Status"] = "DuplicateRecord"
        else:
            record = before or _kept(key, quantity, row.get("UsageAllocations") or [])
            result |= {"Status": "Success", "MeteringRecordId": record["id"]}
        results.append(result)
    return _json({"Results": results, "UnprocessedRecords": []})


ANSWERS: dict[str, Callable[[Call], wire.Answer]] = {
    "aws-marketplace:MeterUsage": _meter,
    "aws-marketplace:RegisterUsage": _register,
    "aws-marketplace:BatchMeterUsage": _batch,
}
