"""What stack sets know of the organization: who administers it, which accounts its units hold, trusted access."""

from __future__ import annotations

from typing import Any

from moto.organizations.models import organizations_backends

from overlay.world import on_reset

#: The principal of stack sets in Organizations.
PRINCIPAL = "member.org.stacksets.cloudformation.amazonaws.com"

#: Management accounts that activated access by CloudFormation; Organizations alone does not suffice.
ACTIVATED: set[str] = set()
on_reset(ACTIVATED.clear)


def backend_of(account: str) -> Any:
    """The organization that an account is in, as moto keeps it."""
    for backends in list(organizations_backends.values()):
        for backend in list(backends.values()):
            if backend.org is not None and any(known.id == account for known in backend.accounts):
                return backend
    return None


def management_of(account: str) -> str | None:
    """The management account of an account's organization."""
    backend = backend_of(account)
    return str(backend.org.master_account_id) if backend is not None else None


def enabled(account: str) -> bool:
    """Whether stack sets may work in the organization of an account."""
    backend = backend_of(account)
    if backend is None or management_of(account) not in ACTIVATED:
        return False
    return any(service["ServicePrincipal"] == PRINCIPAL for service in backend.services)


def delegated(account: str, principal: str | None = None) -> bool:
    """Whether an account is a delegated administrator, of one service or of any."""
    backend = backend_of(account)
    if backend is None:
        return False
    return any(
        admin.account.id == account and (principal is None or principal in admin.services) for admin in backend.admins
    )


def units_above(account: str, ident: str) -> set[str]:
    """All units that hold an account, up to the root."""
    backend = backend_of(account)
    known = next((one for one in backend.accounts if one.id == ident), None) if backend is not None else None
    found: set[str] = set()
    above = known.parent_id if known is not None else None
    while above is not None and above not in found:
        found.add(above)
        unit = next((one for one in backend.ou if one.id == above), None)
        above = getattr(unit, "parent_id", None)
    return found


def has_unit(account: str, unit: str) -> bool:
    """Whether the organization has such a unit or root."""
    backend = backend_of(account)
    return backend is not None and any(one.id == unit for one in backend.ou)


def accounts_in(account: str, unit: str) -> list[str]:
    """The member accounts of a unit and of all below it, suspended ones too."""
    backend = backend_of(account)
    if backend is None:
        return []
    management = backend.org.master_account_id
    return [one.id for one in backend.accounts if one.id != management and unit in units_above(account, one.id)]


def members(account: str) -> set[str]:
    """All accounts of the organization but the management account."""
    backend = backend_of(account)
    return {one.id for one in backend.accounts if one.id != backend.org.master_account_id} if backend else set()


def suspended(account: str) -> bool:
    """Whether an account is closed, or on its way to be."""
    backend = backend_of(account)
    known = next((one for one in backend.accounts if one.id == account), None) if backend is not None else None
    return known is not None and known.status != "ACTIVE"
