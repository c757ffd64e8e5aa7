"""P11, second half: what the holder of a key may do, and what of other accounts is closed to everybody.

Knows calls; which resources one touches is told by `resources`, and policies are weighed by `evaluation`. Not judged:
service control policies, and the policies of buckets, topics and keys.
"""

from __future__ import annotations

import sys

from moto.iam import models

from overlay import evaluation, wire
from overlay.calls import Call, account_of
from overlay.declared import Patch, replace
from overlay.resources import Check, checks, owner_of
from overlay.trust import Caller, caller_of
from overlay.world import SWITCHES, utc

#: Always allowed, even with an explicit deny.
_FREE = {"sts:GetCallerIdentity", "sts:GetSessionToken"}


def judge(call: Call) -> tuple[Caller, wire.Answer | None]:
    """Who calls, and the refusal if there is one."""
    caller = caller_of(call.access_key, call.account, call.region)
    if caller.kind == "unknown":
        # Without this a key from before a reset would act in the management account.
        code = "AuthFailure" if call.service == "ec2" else "InvalidClientTokenId"
        return caller, wire.error(call, code, "The security token included in the request is invalid.")
    if caller.session is not None:
        if caller.session.expiration <= utc():
            code = "RequestExpired" if call.service == "ec2" else "ExpiredToken"
            code = "ExpiredTokenException" if call.protocol in ("json", "cbor") else code
            return caller, wire.error(call, code, "The security token included in the request is expired")
        if call.token is not None and call.token != caller.session.session_token:
            return caller, wire.error(call, "InvalidClientTokenId", "The security token is not the key's own.")
    if SWITCHES.identity and caller.kind != "outside" and call.name not in _FREE:
        for check in _needed(call):
            result = evaluation.allowed(caller, check.action, check.resource, call.region, check.keys)
            if result.decision != "Allow":
                why = (
                    "with an explicit deny in a policy"
                    if result.decision == "Deny"
                    else "because no policy allows the action"
                )
                return caller, _refusal(call, caller, check, why)
    owner = owner_of(call)
    if owner is not None and owner != call.account:
        check = _needed(call)[0]
        return caller, _refusal(call, caller, check, f"because no resource-based policy allows the {call.name} action")
    return caller, None


def allows(call: Call, action: str) -> bool:
    """Whether who makes a call may do something else as well, which has no resource."""
    caller = caller_of(call.access_key, call.account, call.region)
    return not SWITCHES.identity or evaluation.allowed(caller, action, "*", call.region, {}).decision == "Allow"


def _needed(call: Call) -> list[Check]:
    try:
        return checks(call)
    except Exception as error:  # a call that names what is not there has no resource to check; moto answers it
        print(f"{call.name}: resources not told: {type(error).__name__}: {error}", file=sys.stderr)
        return [Check(call.name, "*", {})]


def _refusal(call: Call, caller: Caller, check: Check, why: str) -> wire.Answer:
    words = f"User: {caller.arn} is not authorized to perform: {check.action} on resource: {check.resource} {why}"
    if call.service == "ec2" and check.action == "iam:CreateServiceLinkedRole":
        code = "AuthFailure.ServiceLinkedRoleCreationNotPermitted"
        words = "The provided credentials do not have permission to create the service-linked role for Spot Instances."
        return wire.error(call, code, words, 403)
    if call.service == "ec2":
        return wire.error(call, "UnauthorizedOperation", f"You are not authorized to perform this operation. {words}")
    if call.protocol in ("json", "cbor"):
        return wire.error(call, "AccessDeniedException", words, 400)
    return wire.error(call, "AccessDenied", words)


def _apply() -> None:
    """The gateway asks `judge` before moto sees a call; moto then finds a key's account in the same way."""
    replace(models, "get_account_id_from", account_of)
    evaluation.correct()


PATCH = Patch(
    name="P11",
    gap=(
        "policies are not enforced, or by action names only: conditions always pass, ARNs always deny, session"
        " policies and boundaries are ignored; unknown and expired keys act in the management account"
    ),
    touches=(
        "moto.iam.models:get_account_id_from",
        "moto.iam.models:Role.__init__",
        "moto.iam.models:ManagedPolicy",
        "moto.sts.models:AssumedRole.__init__",
        "moto.ec2.models:ec2_backends",
        "moto.autoscaling.models:autoscaling_backends",
    ),
    apply=_apply,
)
