"""P11, second half: what the holder of a key may do, by identity and session policies.

Knows policies and their evaluation; which resources a call touches is told by `resources`. Not judged: service
control policies, permissions boundaries and resource policies.
"""

from __future__ import annotations

import ast
import json
import sys
from typing import Any

from ministack.core.iam_evaluator import EvalContext, ParsedStatement, evaluate, parse_policy_document
from moto.iam import models
from moto.iam.models import iam_backends
from moto.utilities.utils import get_partition

from overlay import wire
from overlay.calls import Call, account_of
from overlay.declared import Patch, replace
from overlay.resources import Check, checks
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
    if not SWITCHES.identity or caller.kind == "outside" or call.name in _FREE:
        return caller, None
    policies, limits = _policies(caller, get_partition(call.region)), _limits(caller)
    try:
        needed = checks(call)
    except Exception as error:  # a call that names what is not there has no resource to check; moto answers it
        print(f"{call.name}: resources not told: {type(error).__name__}: {error}", file=sys.stderr)
        needed = [Check(call.name, "*", {})]
    for check in needed:
        context = EvalContext(
            principal_arn=caller.role_arn or caller.arn,
            principal_type="AssumedRole" if caller.kind == "role" else "User",
            principal_account=caller.account,
            action=check.action,
            resource_arn=check.resource,
            region=call.region,
            principal_keys=caller.keys,
            service_context=check.keys,
        )
        result = evaluate(context, policies, *limits)
        if result.decision != "Allow":
            return caller, _refusal(call, caller, check, result.decision == "Deny")
    return caller, None


def _refusal(call: Call, caller: Caller, check: Check, explicit: bool) -> wire.Answer:
    why = "with an explicit deny in a policy" if explicit else "because no policy allows the action"
    words = f"User: {caller.arn} is not authorized to perform: {check.action} on resource: {check.resource} {why}"
    if call.service == "ec2":
        return wire.error(call, "UnauthorizedOperation", f"You are not authorized to perform this operation. {words}")
    if call.protocol in ("json", "cbor"):
        return wire.error(call, "AccessDeniedException", words, 400)
    return wire.error(call, "AccessDenied", words)


def _policies(caller: Caller, partition: str) -> list[list[ParsedStatement]]:
    holder = caller.role or caller.user
    if holder is None:
        return []
    documents: list[Any] = list(holder.policies.values())
    documents += [_in_force(policy) for policy in holder.managed_policies.values()]
    if caller.user is not None:
        for group in iam_backends[caller.account][partition].get_groups_for_user(caller.user.name):
            documents += list(group.policies.values())
            documents += [_in_force(policy) for policy in group.managed_policies.values()]
    return [parse_policy_document(_read(document)) for document in documents]


def _in_force(policy: Any) -> Any:
    return next(version.document for version in policy.versions if version.version_id == policy.default_version_id)


def _limits(caller: Caller) -> list[list[list[ParsedStatement]]]:
    policy = caller.session.policy if caller.session is not None else None
    return [[parse_policy_document(_read(policy))]] if policy else []


def _read(document: Any) -> Any:
    """A policy as an object; roles made by CloudFormation in moto keep Python's text of it."""
    if not isinstance(document, str):
        return document
    try:
        return json.loads(document)
    except ValueError:
        try:
            return ast.literal_eval(document)
        except (ValueError, SyntaxError):
            return {}


def _apply() -> None:
    """The gateway asks `judge` before moto sees a call; moto then finds a key's account in the same way."""
    replace(models, "get_account_id_from", account_of)


PATCH = Patch(
    name="P11",
    gap=(
        "policies are not enforced, or by action names only: conditions always pass, ARNs always deny, session"
        " policies are ignored; unknown and expired keys act in the management account"
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
