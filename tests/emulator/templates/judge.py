"""Whether AWS would allow a call: identity, boundary and session policies, trusts and resource policies together.

Statements are evaluated by `ministack.core.iam_evaluator`. Four things of it are put right here, as documents of
ours rest on them: wildcards of ARNs do not reach over a colon, a bucket's `aws:ResourceAccount` is its owner's, keys of
a principal are absent where a service calls, and a service is never taken for an account's root.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.iam_evaluator import EvalContext, evaluate, parse_policy_document

Document = Mapping[str, Any]


def _glob(value: str, pattern: str) -> bool:
    told = "".join(".*" if char == "*" else "." if char == "?" else re.escape(char) for char in pattern)
    return re.fullmatch(told, value, re.DOTALL) is not None


def _arn_like(value: str, pattern: str) -> bool:
    """An ARN against a pattern, part by part; only the last part may have colons."""
    if pattern == "*" or not pattern.startswith("arn:"):
        return _glob(value, pattern)
    parts, told = value.split(":", 5), pattern.split(":", 5)
    return len(parts) == len(told) == 6 and all(map(_glob, parts, told))


def _resource_matches(resource: str, wanted: list[str], unwanted: list[str]) -> bool:
    if unwanted:
        raise NotImplementedError("NotResource")
    return not wanted or any(_arn_like(resource, pattern) for pattern in wanted)


def _key(key: str, context: EvalContext) -> Any:
    """The value of a condition key: what the call gives, and nothing that is made up for it."""
    given = {**context.principal_keys, **context.service_context}
    return given.get(key.lower())


iam_evaluator._resource_matches = _resource_matches
iam_evaluator._resolve_condition_key = _key
for _operator in ("arnequals", "arnlike"):
    iam_evaluator._CONDITION_OPS[_operator] = _arn_like
for _operator in ("arnnotequals", "arnnotlike"):
    iam_evaluator._CONDITION_OPS[_operator] = lambda value, pattern: not _arn_like(value, pattern)


@dataclasses.dataclass(frozen=True)
class Caller:
    """Who calls. Of a role the names of its documents in the world; a service brings its keys itself."""

    arn: str = ""
    service: str = ""
    organization: str | None = None
    documents: tuple[tuple[str, str], ...] = ()
    boundary: str = ""
    session: str = ""
    keys: tuple[tuple[str, str], ...] = ()

    @property
    def account(self) -> str:
        """The account that the role is in."""
        return self.arn.split(":")[4] if self.arn else ""

    def told(self) -> dict[str, Any]:
        """What its calls say of it."""
        found: dict[str, Any] = {key.lower(): value for key, value in self.keys}
        found["aws:securetransport"] = found.get("aws:securetransport", "true")
        if self.arn:
            found |= {"aws:principalarn": self.arn, "aws:principalaccount": self.account}
            found |= {"aws:principalorgid": self.organization} if self.organization else {}
        return found


@dataclasses.dataclass(frozen=True)
class Check:
    """One pair of action and resource that has to be allowed."""

    action: str
    resource: str
    keys: tuple[tuple[str, str | tuple[str, ...]], ...] = ()
    #: Whose the resource is, where its ARN does not say it.
    owner: str = ""
    #: Its own policy lets everybody in, so that ours alone decides.
    open: bool = False

    def told(self) -> dict[str, Any]:
        """What the call says of itself."""
        return {key.lower(): list(value) if isinstance(value, tuple) else value for key, value in self.keys}

    def owned_by(self, caller: Caller) -> str:
        """The account of the resource."""
        parts = self.resource.split(":")
        of_arn = parts[4] if len(parts) > 5 and re.fullmatch(r"\d{12}", parts[4]) else ""
        return self.owner or of_arn or caller.account


@dataclasses.dataclass
class World:
    """All documents: those on roles by role and name, those on resources by ARN, others by name."""

    roles: dict[tuple[str, str], Document]
    resources: dict[str, Document]
    others: dict[str, Document] = dataclasses.field(default_factory=dict)

    def allows(self, caller: Caller, checks: Iterable[Check]) -> bool:
        """Whether every one of the checks passes."""
        return all(self._allows(caller, check) for check in checks)

    def _allows(self, caller: Caller, check: Check) -> bool:
        owner = check.owned_by(caller)
        context = EvalContext(
            principal_arn=caller.arn,
            principal_type="AssumedRole",
            principal_account=caller.account,
            action=check.action,
            resource_arn=check.resource,
            region="",
            principal_keys=caller.told(),
            service_context={"aws:resourceaccount": owner, **check.told()},
        )
        own = [parse_policy_document(self.roles[key]) for key in caller.documents if key in self.roles]
        limits = [[parse_policy_document(self.others[name])] for name in (caller.boundary, caller.session) if name]
        identity = evaluate(context, own, *limits).decision
        policy = next((doc for arn, doc in self.resources.items() if _arn_like(check.resource, arn)), None)
        if check.open:
            return identity == "Allow"
        if policy is None:
            return identity == "Allow" and owner == caller.account
        speaking = [s for s in policy["Statement"] if _is_principal(s["Principal"], caller)]
        resource = evaluate(context, [parse_policy_document({"Statement": speaking})]).decision
        if "Deny" in (identity, resource):
            return False
        if caller.service:
            return resource == "Allow"
        if owner != caller.account:
            return identity == resource == "Allow"
        # Who speaks to the whole account leaves it to identity policies.
        direct = [s for s in speaking if not str(s["Principal"]).endswith(":root'}")]
        directly = evaluate(context, [parse_policy_document({"Statement": direct})]).decision == "Allow"
        if check.action.startswith(("kms:", "sts:")):
            return directly or identity == resource == "Allow"
        return directly or identity == "Allow"


def _is_principal(principal: Any, caller: Caller) -> bool:
    """Whether a statement speaks to the caller: everybody, its account, itself, or the service that it is."""
    if principal == "*":
        return True
    ((kind, told),) = principal.items()
    entries = told if isinstance(told, list) else [told]
    if kind == "Service":
        return caller.service in entries
    if kind != "AWS":
        raise NotImplementedError(kind)
    if not caller.arn:
        return "*" in entries
    root = f":iam::{caller.account}:root"
    return any(entry in ("*", caller.account, caller.arn) or entry.endswith(root) for entry in entries)
