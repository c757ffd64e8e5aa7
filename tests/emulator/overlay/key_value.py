"""P15: DynamoDB's limits by bytes, and transactions that take effect once for each token, in a bearable time.

Knows sizes and tokens; what a condition or an item means is moto's.
"""

from __future__ import annotations

import copy
import json
import time
from collections import defaultdict
from typing import Any

import moto.dynamodb.models as models
from moto.dynamodb.exceptions import ERROR_TYPE_PREFIX, DynamodbException, ItemSizeTooLarge
from moto.dynamodb.models.dynamo_type import DynamoType, LimitedSizeDict
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler

from overlay.declared import Patch, replace
from overlay.world import on_reset

#: Bytes of an item with its attributes' names.
ITEM_MAX = 400 * 1024
#: Seconds for which a token is remembered.
TOKEN_AGE_MAX = 600.0

#: What was done under a token: account, region, token -> (when, the request's items).
_DONE: dict[tuple[str, str, str], tuple[float, str]] = {}
on_reset(_DONE.clear)


class IdempotentParameterMismatch(DynamodbException):
    """A token that stands for another request."""

    def __init__(self) -> None:
        super().__init__(
            ERROR_TYPE_PREFIX + "IdempotentParameterMismatchException",
            "The request uses the same client token as a previous, but non-identical request.",
        )


def _size(value: Any) -> int:
    return int(value.size()) if isinstance(value, DynamoType) else len(str(value).encode())


def _sized(vanilla: Any) -> Any:
    def size(self: DynamoType) -> int:
        if self.is_binary():
            # It is kept as it came, in base64.
            if isinstance(self.value, bytes):
                return len(self.value)
            return len(self.value) * 3 // 4 - self.value[-2:].count("=")
        return int(vanilla(self))

    return size


def _set(self: LimitedSizeDict, key: str, value: Any) -> None:
    others = sum(len(name.encode()) + _size(held) for name, held in self.items() if name != key)
    if others + len(key.encode()) + _size(value) > ITEM_MAX:
        raise ItemSizeTooLarge
    dict.__setitem__(self, key, value)


def _once(vanilla: Any) -> Any:
    def transact_write_items(self: DynamoHandler) -> Any:
        token = self.body.get("ClientRequestToken")
        if not token:
            return vanilla(self)
        now = time.monotonic()
        for old in [name for name, (at, _) in _DONE.items() if now - at > TOKEN_AGE_MAX]:
            del _DONE[old]
        name = (self.current_account, self.region, token)
        items = json.dumps(self.body["TransactItems"], sort_keys=True, default=bytes.hex)
        if name in _DONE:
            if _DONE[name][1] != items:
                raise IdempotentParameterMismatch
            # Answered as the first time; moto itself has nothing to tell but success.
            self.body["TransactItems"] = []
            return vanilla(self)
        answer = vanilla(self)
        _DONE[name] = (now, items)
        return answer

    return transact_write_items


class _Copies:
    """Stands for the module `copy` where moto saves a table before a transaction."""

    #: Whether the transaction replaces items as wholes, so that those that it leaves alone need no copy.
    whole = False

    def deepcopy(self, given: Any) -> Any:
        if not (self.whole and isinstance(given, Table)):
            return copy.deepcopy(given)
        saved = copy.copy(given)
        saved.items = defaultdict(dict)
        saved.items.update({name: dict(row) if isinstance(row, dict) else row for name, row in given.items.items()})
        return saved


_COPIES = _Copies()


def _saved(vanilla: Any) -> Any:
    def transact_write_items(self: Any, transact_items: list[dict[str, Any]]) -> None:
        # Updates change the item that is there.
        _COPIES.whole = not any("Update" in item for item in transact_items)
        try:
            vanilla(self, transact_items)
        finally:
            _COPIES.whole = False

    return transact_write_items


def _apply() -> None:
    replace(models, "copy", _COPIES)
    backend = models.DynamoDBBackend
    replace(backend, "transact_write_items", _saved(vars(backend)["transact_write_items"]))
    replace(DynamoType, "size", _sized(vars(DynamoType)["size"]))
    replace(LimitedSizeDict, "__setitem__", _set)
    replace(DynamoHandler, "transact_write_items", _once(vars(DynamoHandler)["transact_write_items"]))


PATCH = Patch(
    name="P15",
    gap=(
        "binary values are measured in base64 against a limit that is no item's, so one of 300 KB is refused; the"
        " client request token of a transaction is not looked at, so a repeat is judged as another request; each"
        " transaction copies the whole table down to its last text"
    ),
    touches=(
        "moto.dynamodb.models.dynamo_type:DynamoType.size",
        "moto.dynamodb.models.dynamo_type:LimitedSizeDict.__setitem__",
        "moto.dynamodb.models:copy",
        "moto.dynamodb.models:DynamoDBBackend.transact_write_items",
        "moto.dynamodb.responses:DynamoHandler.transact_write_items",
    ),
    apply=_apply,
)
