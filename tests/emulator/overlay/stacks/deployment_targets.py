"""P9: stack sets hear of accounts that come and go. What they do then is `automatic`'s."""

from __future__ import annotations

from typing import Any

from moto.organizations.models import OrganizationsBackend

from overlay.declared import Patch, replace
from overlay.stacks import automatic
from overlay.stacks.organization import units_above


def _apply() -> None:
    create, move = OrganizationsBackend.create_account, OrganizationsBackend.move_account
    remove = OrganizationsBackend.remove_account_from_organization

    def create_account(self: OrganizationsBackend, **kwargs: Any) -> dict[str, Any]:
        told = create(self, **kwargs)
        ident = told["CreateAccountStatus"]["AccountId"]
        automatic.moved(self.account_id, ident, units_above(self.account_id, ident))
        return told

    def move_account(self: OrganizationsBackend, **kwargs: Any) -> None:
        move(self, **kwargs)
        ident = kwargs["AccountId"]
        automatic.moved(self.account_id, ident, units_above(self.account_id, ident))

    def remove_account(self: OrganizationsBackend, **kwargs: Any) -> None:
        remove(self, **kwargs)
        automatic.moved(self.account_id, kwargs["AccountId"], set())

    replace(OrganizationsBackend, "create_account", create_account)
    replace(OrganizationsBackend, "move_account", move_account)
    replace(OrganizationsBackend, "remove_account_from_organization", remove_account)


PATCH = Patch(
    name="P9",
    gap=(
        "updates of stack sets are recorded and not applied; service-managed ones reach one level of units and the"
        " management account; no results, filters, failures, tolerance, queues, automatic deployment or trusted access"
    ),
    touches=(
        "moto.organizations.models:OrganizationsBackend.create_account",
        "moto.organizations.models:OrganizationsBackend.move_account",
        "moto.organizations.models:OrganizationsBackend.remove_account_from_organization",
        "moto.organizations.models:organizations_backends",
        "moto.organizations.models:FakeServiceAccess.trusted_service",
    ),
    apply=_apply,
)
