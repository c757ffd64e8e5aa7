"""P11, first half: AssumeRole needs a role that is there and whose trust policy admits the caller.

Knows callers, roles and trust policies; what a role may do is judged elsewhere.
"""

from __future__ import annotations

import json
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from ministack.core.iam_evaluator import EvalContext, evaluate, parse_policy_document
from ministack.core.iam_evaluator import _principal_matches as principal_matches
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.iam.models import iam_backends
from moto.organizations.models import organizations_backends
from moto.sts.models import STSBackend, sts_backends
from moto.sts.responses import TokenResponse
from moto.utilities.utils import get_partition

from overlay.declared import Patch, replace
from overlay.world import SWITCHES


#: Who makes the call that is being answered, as far as it is told apart.
CALLING: ContextVar[Caller | None] = ContextVar("calling", default=None)


@dataclass
class Caller:
    """Who makes a call."""

    #: `role`, `user`, `service`, `outside` (a key that the emulator did not mint), or `unknown` (minted and forgotten).
    kind: str
    arn: str
    account: str
    role_arn: str | None = None
    role: Any = None
    user: Any = None
    session: Any = None

    @property
    def keys(self) -> dict[str, Any]:
        """Condition keys that follow from the caller alone."""
        if self.kind == "service":
            return {"aws:principalservicename": self.arn, "aws:principalisawsservice": "true"}
        found: dict[str, Any] = {
            "aws:principalisawsservice": "false",
            "aws:principaltype": "AssumedRole" if self.kind == "role" else "User" if self.kind == "user" else "Account",
            "aws:principalarn": self.role_arn or self.arn,
            "aws:principalaccount": self.account,
            "aws:userid": self.session.user_id if self.session else self.account,
        }
        organization = organization_of(self.account)
        if organization:
            found["aws:principalorgid"] = organization
        holder = self.role or self.user
        tags = getattr(holder, "tags", None) or {}
        for key, value in _tags(tags).items():
            found[f"aws:principaltag/{key.lower()}"] = value
        return found


class Denied(ServiceException):
    """The answer that does not tell a missing role from one that does not trust."""

    code = "AccessDenied"

    def __init__(self, caller: Caller, role_arn: str) -> None:
        super().__init__(f"User: {caller.arn} is not authorized to perform: sts:AssumeRole on resource: {role_arn}")


class Invalid(ServiceException):
    """A parameter of AssumeRole that STS refuses."""


def _tags(tags: Any) -> dict[str, str]:
    if isinstance(tags, list):
        return {tag["Key"]: tag["Value"] for tag in tags}
    return {key: value["Value"] if isinstance(value, dict) else value for key, value in dict(tags).items()}


def organization_of(account: str) -> str | None:
    """The id of the organization that an account belongs to."""
    for backends in list(organizations_backends.values()):
        for backend in list(backends.values()):
            if backend.org is not None and any(known.id == account for known in backend.accounts):
                return str(backend.org.id)
    return None


def account_state(account: str) -> str | None:
    """The state of an account in its organization; none where it is in none."""
    for backends in list(organizations_backends.values()):
        for backend in list(backends.values()):
            for known in backend.accounts if backend.org is not None else ():
                if known.id == account:
                    return str(known.state)
    return None


def caller_of(access_key: str, account: str, region: str) -> Caller:
    """Who holds an access key."""
    partition = get_partition(region)
    for session in sts_backends[account][partition].assumed_roles:
        if session.access_key_id == access_key:
            role = find_role(session.role_arn, partition)
            return Caller("role", session.arn, account, role.arn if role else session.role_arn, role, None, session)
    key = iam_backends[account][partition].access_keys.get(access_key)
    if key is not None and key.user_name:
        user = iam_backends[account][partition].users[key.user_name]
        return Caller("user", user.arn, account, None, None, user)
    root = f"arn:{partition}:iam::{account}:root"
    return Caller("unknown" if access_key.startswith("ASIA") else "outside", root, account)


def find_role(arn: str, partition: str) -> Any:
    """The role of an ARN, if there is one."""
    parts = arn.split(":", 5)
    if len(parts) < 6 or not parts[5].startswith("role/"):
        return None
    return next((role for role in iam_backends[parts[4]][partition].roles.values() if role.arn == arn), None)


def names(principal: Any, caller: Caller) -> bool:
    """Whether a statement's principal is the caller; a service is nobody else."""
    if caller.kind == "service":
        if principal == "*":
            return True
        services = principal.get("Service") or [] if isinstance(principal, dict) else []
        return caller.arn in ([services] if isinstance(services, str) else services)
    named = {"AWS": principal.get("AWS") or []} if isinstance(principal, dict) else principal
    arns = (caller.arn, caller.role_arn)
    return any(arn is not None and principal_matches(named, arn) for arn in arns)


def trusts(role: Any, caller: Caller, action: str, region: str, given: dict[str, Any]) -> bool:
    """Whether the role's trust policy admits the caller."""
    document = role.assume_role_policy_document
    document = json.loads(document) if isinstance(document, str) else document
    statements = (document or {}).get("Statement") or []
    admitted = []
    for statement in [statements] if isinstance(statements, dict) else statements:
        if names(statement.get("Principal") or {}, caller):
            # In a trust policy the role itself is the resource, so none is written.
            admitted.append({**statement, "Resource": "*"})
    context = EvalContext(
        principal_arn=caller.role_arn or caller.arn,
        principal_type="AssumedRole" if caller.kind == "role" else "User",
        principal_account=caller.account,
        action=action,
        resource_arn=role.arn,
        region=region,
        principal_keys=caller.keys,
        service_context=given,
    )
    return evaluate(context, [parse_policy_document({"Statement": admitted})]).decision == "Allow"


def _check_duration(caller: Caller, role: Any, seconds: int) -> None:
    if not 900 <= seconds <= 43200:
        raise Invalid("ValidationError", "DurationSeconds must lie between 900 and 43200")
    if caller.kind == "role" and seconds > 3600:
        raise Invalid(
            "ValidationError",
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
        )
    if seconds > int(getattr(role, "max_session_duration", None) or 3600):
        raise Invalid(
            "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        )


def _check_policy(policy: str | None) -> None:
    if policy is None:
        return
    if len(policy) > 2048:
        raise Invalid("PackedPolicyTooLarge", "The session policy exceeds 2048 characters.")
    try:
        read = json.loads(policy)
    except ValueError:
        read = None
    if not isinstance(read, dict) or "Statement" not in read:
        raise Invalid("MalformedPolicyDocument", "The session policy is not valid JSON.")


def _assume(self: TokenResponse) -> ActionResult:
    if not SWITCHES.trust:
        return _vanilla(self)
    arn = self._get_param("RoleArn") or ""
    caller = caller_of(self.get_access_key(), self.current_account, self.region)
    role = find_role(arn, self.partition)
    given: dict[str, Any] = {"sts:rolesessionname": self._get_param("RoleSessionName") or ""}
    if self._get_param("ExternalId"):
        given["sts:externalid"] = self._get_param("ExternalId")
    if self._get_param("SourceIdentity"):
        given["sts:sourceidentity"] = self._get_param("SourceIdentity")
    if role is None or account_state(role.account_id) not in (None, "ACTIVE"):
        raise Denied(caller, arn)
    actions = ["sts:AssumeRole"]
    actions += ["sts:TagSession"] * bool(self._get_param("Tags"))
    actions += ["sts:SetSourceIdentity"] * bool(self._get_param("SourceIdentity"))
    if not all(trusts(role, caller, action, self.region, given) for action in actions):
        raise Denied(caller, arn)
    _check_duration(caller, role, self._get_int_param("DurationSeconds", 3600))
    _check_policy(self._get_param("Policy"))
    return _vanilla(self)


def end_sessions(account: str | None) -> int:
    """Has all sessions of an account (or of all) expire now; returns how many."""
    ended = 0
    for known, backends in list(sts_backends.items()):
        for backend in list(backends.values()):
            if isinstance(backend, STSBackend) and account in (None, known):
                for session in backend.assumed_roles:
                    session.expiration = session.expiration.replace(year=2000)
                    ended += 1
    return ended


_vanilla: Any = None


def _apply() -> None:
    global _vanilla
    _vanilla = replace(TokenResponse, "assume_role", _assume)


PATCH = Patch(
    name="P11-trust",
    gap="AssumeRole gives a session for any role, existing or not, to anybody with any external id",
    touches=(
        "moto.sts.responses:TokenResponse.assume_role",
        "moto.sts.models:STSBackend.assume_role",
        "moto.iam.models:iam_backends",
        "moto.organizations.models:organizations_backends",
    ),
    apply=_apply,
)
