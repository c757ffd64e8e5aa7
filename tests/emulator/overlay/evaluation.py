"""P11: policies weighed: of identities with their boundaries and sessions, and of resources.

Statements are evaluated by `ministack.core.iam_evaluator`; what of it does not hold on AWS is put right here. Knows
callers and documents; which resources a call touches is told by `resources`.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.iam_evaluator import EvalContext, EvalResult, ParsedStatement, evaluate, parse_policy_document
from moto.iam.models import iam_backends
from moto.utilities.utils import get_partition

from overlay.declared import replace
from overlay.trust import Caller, names

_Layer = list[list[ParsedStatement]]


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    told = "".join(".*" if char == "*" else "." if char == "?" else re.escape(char) for char in pattern)
    return re.compile(told, re.DOTALL)


def _glob(value: str, pattern: str) -> bool:
    return _compiled(pattern).fullmatch(value) is not None


def arn_like(value: str, pattern: str) -> bool:
    """An ARN against a pattern, part by part: `*` does not reach over a colon but in the last part."""
    if pattern == "*" or not pattern.startswith("arn:"):
        return _glob(value, pattern)
    parts, wanted = value.split(":", 5), pattern.split(":", 5)
    return len(parts) == len(wanted) == 6 and all(map(_glob, parts, wanted))


def _resources(resource: str, wanted: list[str], unwanted: list[str]) -> bool:
    if wanted:
        return any(arn_like(resource, pattern) for pattern in wanted)
    return not any(arn_like(resource, pattern) for pattern in unwanted)


def _key(key: str, context: EvalContext) -> Any:
    """The value of a condition key; absent where neither the call nor the caller brings it."""
    name = key.lower()
    given = {**context.principal_keys, **context.service_context}
    if name in given:
        return given[name]
    now = datetime.now(UTC)
    account = context.resource_arn.split(":")[4] if context.resource_arn.count(":") >= 5 else ""
    return {
        "aws:currenttime": now.isoformat(),
        "aws:epochtime": str(int(now.timestamp())),
        "aws:requestedregion": context.region,
        "aws:resourceaccount": account if account.isdigit() else context.principal_account or None,
        "aws:securetransport": "true",
        "aws:sourceip": "127.0.0.1",
        "aws:viaawsservice": "false",
    }.get(name)


def correct() -> None:
    """Puts the evaluator right."""
    replace(iam_evaluator, "_resource_matches", _resources)
    replace(iam_evaluator, "_resolve_condition_key", _key)
    for name in ("arnequals", "arnlike"):
        iam_evaluator._CONDITION_OPS[name] = arn_like
    for name in ("arnnotequals", "arnnotlike"):
        iam_evaluator._CONDITION_OPS[name] = lambda value, pattern: not arn_like(value, pattern)


def _context(caller: Caller, action: str, resource: str, region: str, keys: dict[str, Any]) -> EvalContext:
    return EvalContext(
        principal_arn=caller.role_arn or caller.arn,
        principal_type="AssumedRole" if caller.kind == "role" else "User",
        principal_account=caller.account,
        action=action,
        resource_arn=resource,
        region=region,
        principal_keys=caller.keys,
        service_context=keys,
    )


def allowed(caller: Caller, action: str, resource: str, region: str, keys: dict[str, Any]) -> EvalResult:
    """What the caller's own policies say of an action; keys that the emulator did not mint may do everything."""
    context = _context(caller, action, resource, region, keys)
    if caller.kind == "outside":
        return EvalResult("Allow", caller.arn)
    partition = get_partition(region)
    return evaluate(context, _policies(caller, partition), *_limits(caller, partition))


def admitted(
    document: Any, caller: Caller, action: str, resource: str, region: str, keys: dict[str, Any]
) -> EvalResult:
    """What the policy of a resource says of a caller; without a policy it says nothing."""
    statements = (_read(document) or {}).get("Statement") or []
    fitting = [
        statement
        for statement in ([statements] if isinstance(statements, dict) else statements)
        if names(statement.get("Principal") or {}, caller)
    ]
    context = _context(caller, action, resource, region, keys)
    return evaluate(context, [parse_policy_document({"Statement": fitting})])


def _policies(caller: Caller, partition: str) -> _Layer:
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


def _limits(caller: Caller, partition: str) -> list[_Layer]:
    found = []
    policy = caller.session.policy if caller.session is not None else None
    if policy:
        found.append([parse_policy_document(_read(policy))])
    boundary = getattr(caller.role, "permissions_boundary_arn", None)
    if boundary:
        known = iam_backends[caller.account][partition].managed_policies.get(boundary)
        # A boundary that is not there allows nothing.
        found.append([parse_policy_document(_read(_in_force(known)))] if known is not None else [])
    return found


def _read(document: Any) -> Any:
    if not isinstance(document, str):
        return document
    try:
        return json.loads(document)
    except ValueError:
        return {}
