"""P3: filters of DescribeInstances and DescribeInstanceStatus that moto lacks. Knows filters only."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2 import utils
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import instances
from moto.ec2.models.core import TaggedEC2Resource
from moto.ec2.models.instances import Instance
from moto.ec2.responses.instances import InstanceResponse

from overlay.declared import Patch, replace

#: Name of the filter, and the path of the attribute on moto's instance.
ADDED = {
    "instance-lifecycle": "lifecycle",
    "spot-instance-request-id": "spot_instance_request_id",
    "client-token": "client_token",
    "availability-zone-id": "placement.availability_zone_id",
    "tenancy": "placement.tenancy",
    "placement-group-name": "placement.group_name",
    "root-device-type": "root_device_type",
    "virtualization-type": "virtualization_type",
    "hypervisor": "hypervisor",
}
#: Filters of DescribeInstanceStatus.
_STATUS = {
    "availability-zone": lambda i: i.placement.zone,
    "availability-zone-id": lambda i: i.placement.availability_zone_id,
    "instance-state-name": lambda i: i.state,
    "instance-state-code": lambda i: str(i.state_code),
    "instance-status.status": lambda i: i.instance_status["Status"],
    "system-status.status": lambda i: i.system_status["Status"],
}


def _applies(self: Instance, filters: list[dict[str, Any]] | None) -> bool:
    for given in filters or []:
        value = _STATUS.get(given["name"])
        if value is None:
            raise EC2ClientError("InvalidParameterValue", f"The filter '{given['name']}' is invalid")
        if not any(fnmatchcase(str(value(self)), pattern) for pattern in given["values"]):
            return False
    return True


def _apply() -> None:
    known = utils.filter_dict_attribute_mapping
    known.update({name: path for name, path in ADDED.items() if name not in known})
    vanilla = utils.filter_reservations

    def filter_reservations(reservations: list[Any], filters: dict[str, Any]) -> list[Any]:
        for name in filters or {}:
            if name not in known and not utils.is_tag_filter(name):
                raise EC2ClientError("InvalidParameterValue", f"The filter '{name}' is invalid")
        return vanilla(reservations, filters) if filters else reservations

    def get_tags(self: TaggedEC2Resource) -> list[dict[str, str]]:
        # moto looks through the tags of all resources for each one's, which makes long answers quadratic.
        return [
            {"resource_id": self.id, "key": key, "value": value}
            for key, value in self.ec2_backend.tags.get(self.id, {}).items()
        ]

    vanilla_describe = InstanceResponse.describe_instances

    def describe_instances(self: InstanceResponse) -> ActionResult:
        # EC2 answers up to a thousand where nothing is said; moto stops at a hundred reservations.
        self.params.setdefault("MaxResults", 1000)
        return vanilla_describe(self)

    replace(InstanceResponse, "describe_instances", describe_instances)
    # Instances that moto made without the overlay's launch have no such attribute of their own.
    Instance.spot_instance_request_id = None
    replace(instances, "filter_reservations", filter_reservations)
    replace(TaggedEC2Resource, "get_tags", get_tags)
    replace(Instance, "applies", _applies)


PATCH = Patch(
    name="P3",
    gap=(
        "the filters instance-lifecycle, spot-instance-request-id, client-token and others crash, those of status are"
        " ignored; DescribeInstances ends at 100; each instance's tags cost a look at all tags"
    ),
    touches=(
        "moto.ec2.utils:filter_dict_attribute_mapping",
        "moto.ec2.models.instances:filter_reservations",
        "moto.ec2.responses.instances:InstanceResponse.describe_instances",
        "moto.ec2.models.core:TaggedEC2Resource.get_tags",
        "moto.ec2.utils:is_tag_filter",
        "moto.ec2.models.instances:Instance.applies",
    ),
    apply=_apply,
)
