"""P16: Systems Manager tells who wrote each version of a parameter.

Knows authors; versions, labels and values are moto's.
"""

from __future__ import annotations

from typing import Any

from moto.ssm.models import Parameter
from moto.ssm.responses import SimpleSystemManagerResponse

from overlay.declared import Patch, replace
from overlay.trust import caller_of


def _written(vanilla: Any) -> Any:
    def put_parameter(self: SimpleSystemManagerResponse) -> Any:
        answer = vanilla(self)
        # The version just written: moto makes an object for each.
        parameter = self.ssm_backend.get_parameter(self._get_param("Name"))
        if parameter is not None:
            parameter.author = caller_of(self.get_access_key(), self.current_account, self.region).arn
        return answer

    return put_parameter


def _described(vanilla: Any) -> Any:
    def describe_response_object(self: Parameter, decrypt: bool = False, include_labels: bool = False) -> Any:
        told = vanilla(self, decrypt, include_labels)
        # What no call wrote, AWS's own public parameters among them, has moto's word.
        told["LastModifiedUser"] = getattr(self, "author", told["LastModifiedUser"])
        return told

    return describe_response_object


def _apply() -> None:
    response = SimpleSystemManagerResponse
    replace(response, "put_parameter", _written(vars(response)["put_parameter"]))
    replace(Parameter, "describe_response_object", _described(vars(Parameter)["describe_response_object"]))


PATCH = Patch(
    name="P16",
    gap="LastModifiedUser of every parameter, in its history and elsewhere, is N/A",
    touches=(
        "moto.ssm.responses:SimpleSystemManagerResponse.put_parameter",
        "moto.ssm.models:Parameter.describe_response_object",
        "moto.ssm.models:SimpleSystemManagerBackend.get_parameter",
    ),
    apply=_apply,
)
