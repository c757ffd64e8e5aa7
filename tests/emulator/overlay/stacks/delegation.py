"""P14: a registered delegated administrator reads the organization; other members may not. Knows Organizations."""

from __future__ import annotations

from typing import Any

from moto.core.exceptions import ServiceException
from moto.organizations.models import (
    FakeDelegatedAdministrator,
    FakeServiceAccess,
    OrganizationsBackend,
    organizations_backends,
)
from moto.organizations.responses import OrganizationsResponse

from overlay.declared import Patch, replace
from overlay.stacks import organization

#: What any member may ask.
_OPEN = {"DescribeOrganization"}


class Forbidden(ServiceException):
    """What Organizations answers members that administer nothing."""

    code = "AccessDeniedException"
    message = "You don't have permissions to access this resource."


def _backend(self: OrganizationsResponse) -> OrganizationsBackend:
    own: OrganizationsBackend = organizations_backends[self.current_account][self.partition]
    management = organization.management_of(self.current_account)
    if management in (None, self.current_account):
        return own
    action = str(self.headers.get("X-Amz-Target", "")).rsplit(".", 1)[-1]
    if action in _OPEN:
        return own
    if action.startswith(("List", "Describe")) and organization.delegated(self.current_account):
        found: OrganizationsBackend = organization.backend_of(self.current_account)
        return found
    raise Forbidden


def _supported(principal: str) -> bool:
    return principal in (*FakeDelegatedAdministrator.SUPPORTED_SERVICES, *FakeServiceAccess.TRUSTED_SERVICES)


def _apply() -> None:
    replace(OrganizationsResponse, "organizations_backend", property(_backend))
    replace(FakeDelegatedAdministrator, "supported_service", staticmethod(_supported))
    disable: Any = OrganizationsBackend.disable_aws_service_access

    def disable_access(self: OrganizationsBackend, **kwargs: Any) -> None:
        disable(self, **kwargs)
        if kwargs["ServicePrincipal"] == organization.PRINCIPAL:
            organization.ACTIVATED.discard(self.account_id)

    replace(OrganizationsBackend, "disable_aws_service_access", disable_access)


PATCH = Patch(
    name="P14",
    gap=(
        "only six services can have a delegated administrator, whose ListAccounts is empty; members that administer"
        " nothing are answered as if they were alone"
    ),
    touches=(
        "moto.organizations.responses:OrganizationsResponse.organizations_backend",
        "moto.organizations.models:FakeDelegatedAdministrator.supported_service",
        "moto.organizations.models:OrganizationsBackend.disable_aws_service_access",
        "moto.organizations.models:organizations_backends",
    ),
    apply=_apply,
)
