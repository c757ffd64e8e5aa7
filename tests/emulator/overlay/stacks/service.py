"""P10: CloudFormation's stacks, answered by the overlay alone: each action found, done, and written as XML."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.core.serialize import QuerySerializer
from moto.core.utils import get_service_model

from overlay import wire
from overlay.calls import Call
from overlay.declared import Patch
from overlay.stacks import change_sets, set_calls, stack_calls
from overlay.stacks.acting import Failed
from overlay.stacks.refused import Refused

#: Status of errors that are not 400, by code.
_STATUS = {
    "ChangeSetNotFound": 404,
    "NameAlreadyExistsException": 409,
    "OperationIdAlreadyExistsException": 409,
    "OperationInProgressException": 409,
    "OperationNotFoundException": 404,
    "StackInstanceNotFoundException": 404,
    "StackSetNotEmptyException": 409,
    "StackSetNotFoundException": 404,
    "StaleRequestException": 409,
}
_ACTIONS: dict[str, Callable[[Call], dict[str, Any]]] = {
    **stack_calls.ACTIONS,
    **change_sets.ACTIONS,
    **set_calls.ACTIONS,
}


def answer(call: Call) -> wire.Answer:
    """The answer to a call of CloudFormation."""
    action = _ACTIONS.get(call.action)
    if action is None:
        raise NotImplementedError(call.action)
    model = get_service_model("cloudformation").operation_model(call.action)
    missing = [name for name in model.input_shape.required_members if name not in call.params]
    if missing:
        words = f"1 validation error detected: Value null at '{missing[0]}' failed to satisfy constraint: Member must"
        return wire.error(call, "ValidationError", f"{words} not be null")
    try:
        told = action(call)
    except Refused as error:
        return wire.error(call, error.code, error.message, _STATUS.get(error.code, 400))
    except Failed as error:
        return wire.error(call, "ValidationError", error.reason)
    written = QuerySerializer(model).serialize(_without_none(told))
    return wire.Answer(200, {"Content-Type": "text/xml"}, _enveloped(call.action, written["body"]).encode())


def _enveloped(action: str, body: str) -> str:
    return body if f"<{action}Response" in body[:200] else f"<{action}Response>{body}</{action}Response>"


def _without_none(told: Any) -> Any:
    if isinstance(told, dict):
        return {key: _without_none(value) for key, value in told.items() if value is not None}
    return [_without_none(one) for one in told] if isinstance(told, list) else told


def _apply() -> None:
    """The gateway gives every call of CloudFormation to `answer`; moto sees none."""


PATCH = Patch(
    name="P10",
    gap=(
        "types that moto does not know are skipped and the stack is complete, errors end the call instead of being"
        " taken back, roles get their policies as Python's text and no managed ones, updates are ignored, capabilities"
        " and constraints are not checked"
    ),
    touches=(
        "moto.core.serialize:QuerySerializer.serialize",
        "moto.core.utils:get_service_model",
        "moto.sts.models:STSBackend.assume_role",
        "moto.s3.models:s3_backends",
    ),
    apply=_apply,
)
