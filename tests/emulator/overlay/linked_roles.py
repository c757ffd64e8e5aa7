"""Service-linked roles: named as AWS names them, and made by the first use of a service. Knows roles and services."""

from __future__ import annotations

from typing import Any

from moto.autoscaling.models import AutoScalingBackend
from moto.core.exceptions import ServiceException
from moto.iam.models import IAMBackend, iam_backends
from moto.utilities.utils import get_partition

from overlay.declared import Patch, replace

AUTO_SCALING = "autoscaling.amazonaws.com"
SPOT = "spot.amazonaws.com"

#: Names that do not follow from the service's.
_NAMES = {
    AUTO_SCALING: "AutoScaling",
    "ec2fleet.amazonaws.com": "EC2Fleet",
    "ecs.amazonaws.com": "ECS",
    "elasticloadbalancing.amazonaws.com": "ElasticLoadBalancing",
    SPOT: "EC2Spot",
    "spotfleet.amazonaws.com": "EC2SpotFleet",
}


class InvalidInput(ServiceException):
    """A role that is there already."""

    code = "InvalidInput"


def role_name(service: str) -> str | None:
    """The name of a service's role, where it is known here."""
    return f"AWSServiceRoleFor{_NAMES[service]}" if service in _NAMES else None


def exists(account: str, region: str, service: str) -> bool:
    """Whether the account has the service's role."""
    roles = iam_backends[account][get_partition(region)].roles.values()
    return any(role.name == role_name(service) for role in roles)


def ensure(account: str, region: str, service: str) -> None:
    """Makes the service's role, as its first use does."""
    if not exists(account, region, service):
        iam_backends[account][get_partition(region)].create_service_linked_role(service, "", "")


def _apply() -> None:
    vanilla = IAMBackend.create_service_linked_role
    create_group = AutoScalingBackend.create_auto_scaling_group

    def create(self: IAMBackend, service_name: str, description: str, suffix: str) -> Any:
        name = role_name(service_name)
        if name is None:
            return vanilla(self, service_name, description, suffix)
        if any(role.name == name for role in self.roles.values()):
            raise InvalidInput(
                f"Service role name {name} has been taken in this account, please try a different suffix."
            )
        made = vanilla(self, service_name, description, suffix)
        made.name = name
        return made

    def create_auto_scaling_group(self: AutoScalingBackend, *args: Any, **kwargs: Any) -> Any:
        ensure(self.account_id, self.region_name, AUTO_SCALING)
        return create_group(self, *args, **kwargs)

    replace(IAMBackend, "create_service_linked_role", create)
    replace(AutoScalingBackend, "create_auto_scaling_group", create_auto_scaling_group)


PATCH = Patch(
    name="C-linked-roles",
    gap="service-linked roles have names of moto's own, and no use of a service makes one",
    touches=(
        "moto.iam.models:IAMBackend.create_service_linked_role",
        "moto.iam.models:IAMBackend.get_roles",
        "moto.autoscaling.models:AutoScalingBackend.create_auto_scaling_group",
    ),
    apply=_apply,
)
