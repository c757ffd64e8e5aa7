"""P4: RunInstances as documented, and the one way in which all instances are launched: calls, fleets and groups.

Knows how a template and a request become an instance; which pool is chosen is decided by its callers.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from moto.core.responses import ActionResult
from moto.core.types import Base64EncodedString
from moto.ec2.exceptions import EC2ClientError, InvalidAMIIdError
from moto.ec2.models import ec2_backends, instances
from moto.ec2.models.instances import Instance, Reservation
from moto.ec2.models.spot_requests import SpotInstanceRequest
from moto.ec2.responses import EC2Response
from moto.ec2.responses.instances import InstanceResponse
from moto.ec2.utils import convert_tag_spec, random_spot_request_id
from moto.utilities.utils import get_partition

from overlay import linked_roles, spot_prices
from overlay.capacity import CAPACITY, TOKENS, Mismatch, Place
from overlay.declared import Patch, replace
from overlay.price_list import product_of
from overlay.world import utc
from overlay.zones import instance_type, offered, zone_id, zone_name

TERMINATED = "terminated"


class Refused(Exception):
    """A launch that AWS would refuse, with its code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Adopted:
    """Stands where a Spot request keeps its launch specification: the instance is there already."""

    instance: Instance


def template_version(backend: Any, given: dict[str, Any]) -> Any:
    """The version of a launch template that a request names; by itself the default one."""
    if given.get("LaunchTemplateId"):
        template = backend.get_launch_template(given["LaunchTemplateId"])
    else:
        template = backend.get_launch_template_by_name(given.get("LaunchTemplateName"))
    return template.get_version(given.get("Version") or "$Default")


def merged(backend: Any, params: dict[str, Any]) -> dict[str, Any]:
    """The request with all that its launch template adds. What the request says replaces the template's whole field."""
    given = params.get("LaunchTemplate")
    if not given:
        return params
    version = template_version(backend, given)
    data = plain(version.data)
    told = {**data, **params}
    # Tags of both are joined; where both have a key, the later one holds.
    told["TagSpecifications"] = (data.get("TagSpecifications") or []) + (params.get("TagSpecifications") or [])
    if not told["TagSpecifications"]:
        del told["TagSpecifications"]
    told["LaunchTemplate"] = {"LaunchTemplateId": version.template.id, "Version": str(version.number)}
    return told


def plain(value: Any) -> Any:
    """A copy that shares nothing with what moto stores."""
    if isinstance(value, Base64EncodedString):
        return str(value)
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return deepcopy(value)


def is_spot(params: dict[str, Any]) -> bool:
    """Whether a request asks for Spot."""
    return (params.get("InstanceMarketOptions") or {}).get("MarketType") == "spot"


def place_of(backend: Any, params: dict[str, Any]) -> Place:
    """Where a merged request would land."""
    region = backend.region_name
    nics = params.get("NetworkInterfaces") or []
    subnet = params.get("SubnetId") or next((nic["SubnetId"] for nic in nics if nic.get("SubnetId")), None)
    placement = params.get("Placement") or {}
    if subnet:
        zone = backend.get_subnet(subnet).availability_zone
    else:
        asked = placement.get("AvailabilityZone") or placement.get("AvailabilityZoneId")
        zone = zone_name(region, asked) or asked or f"{region}a"
    market = "spot" if is_spot(params) else "on-demand"
    name = params.get("InstanceType") or "m1.small"
    return Place(backend.account_id, region, zone, zone_id(region, zone) or zone, name, market)


def check(backend: Any, params: dict[str, Any], place: Place) -> None:
    """Refuses what EC2 would refuse of a merged request, capacity apart."""
    if params.get("NetworkInterfaces"):
        for field, words in (("SubnetId", "subnet ID"), ("SecurityGroupIds", "security groups")):
            if params.get(field):
                raise Refused(
                    "InvalidParameterCombination",
                    f"Network interfaces and an instance-level {words} may not be specified on the same request",
                )
    image = params.get("ImageId")
    if not image:
        raise Refused("MissingParameter", "The request must contain the parameter ImageId")
    try:
        ami = next(iter(backend.describe_images(ami_ids=[image])), None)
    except InvalidAMIIdError as error:
        raise Refused("InvalidAMIID.NotFound", f"The image id '[{image}]' does not exist") from error
    if ami is None:
        raise Refused("InvalidAMIID.Unavailable", f"The image ID '{image}' is not available")
    facts = instance_type(place.type)
    if facts is None:
        raise Refused("InvalidParameterValue", f"Invalid value '{place.type}' for InstanceType.")
    supported = facts["ProcessorInfo"]["SupportedArchitectures"]
    if ami.architecture not in supported:
        raise Refused(
            "InvalidParameterValue",
            f"The architecture '{','.join(supported)}' of the specified instance type does not match the architecture "
            f"'{ami.architecture}' of the specified AMI. Specify an instance type and an AMI that have matching "
            "architectures, and try again. You can use 'describe-instance-types' or 'describe-images' to discover the "
            "architecture of the instance type or AMI.",
        )
    if place.type not in offered(place.region).get(place.zone, frozenset()):
        raise Refused(
            "Unsupported",
            f"Your requested instance type ({place.type}) is not supported in your requested Availability Zone "
            f"({place.zone}).",
        )
    if place.market == "spot":
        _check_spot(ami, params, place, facts)


def _check_spot(ami: Any, params: dict[str, Any], place: Place, facts: dict[str, Any]) -> None:
    if "spot" not in facts.get("SupportedUsageClasses", []):
        raise Refused("Unsupported", f"The instance type {place.type} is not supported for Spot.")
    if params.get("DisableApiTermination") in (True, "true"):
        raise Refused("InvalidParameterCombination", "Termination protection cannot be set on a Spot Instance.")
    market = params.get("InstanceMarketOptions") or {}
    most = (market.get("SpotOptions") or {}).get("MaxPrice")
    if most is not None:
        pool = spot_prices.Pool(place.region, place.zone_id, place.type, product_of(ami))
        price = spot_prices.PRICES.in_force(pool)
        if price is not None and float(most) < price:
            raise Refused(
                "SpotMaxPriceTooLow",
                f"Your Spot request price of {most} is lower than the minimum required Spot request fulfillment "
                f"price of {price}.",
            )


def launch(backend: Any, params: dict[str, Any], count: int = 1) -> Reservation:
    """Launches a merged request that was checked and for which capacity was taken."""
    asked = plain(params)
    asked.update(MinCount=count, MaxCount=count)
    _complete(asked)
    response = EC2Response()
    response.params = asked
    response.uri_match, response.data, response.querystring = {}, {}, {}
    response.region, response.current_account = backend.region_name, backend.account_id
    response.partition = get_partition(backend.region_name)
    reservation: Reservation = _vanilla_run(response).result
    profile = asked.get("IamInstanceProfile") or {}
    for instance in reservation.instances:
        if profile and instance is not reservation.instances[0]:
            name = {"iam_instance_profile_name": profile.get("Name"), "iam_instance_profile_arn": profile.get("Arn")}
            backend.associate_iam_instance_profile(instance_id=instance.id, **{k: v for k, v in name.items() if v})
        _dress(backend, instance, asked)
    return reservation


def _complete(asked: dict[str, Any]) -> None:
    for index, nic in enumerate(asked.get("NetworkInterfaces") or []):
        nic.setdefault("DeviceIndex", index)
    for mapping in asked.get("BlockDeviceMappings") or []:
        ebs = mapping.get("Ebs")
        # The image's own snapshot gives the size where the mapping gives none; moto insists on one.
        if ebs is not None and not ebs.get("VolumeSize") and not ebs.get("SnapshotId"):
            ebs["VolumeSize"] = 8
    asked["BlockDeviceMappings"] = [m for m in asked.get("BlockDeviceMappings") or [] if "VirtualName" not in m]
    if not asked["BlockDeviceMappings"]:
        del asked["BlockDeviceMappings"]


def _dress(backend: Any, instance: Instance, asked: dict[str, Any]) -> None:
    """What moto leaves out of an instance."""
    instance.disable_api_termination = str(asked.get("DisableApiTermination", False)).lower() == "true"
    instance.ebs_optimized = asked.get("EbsOptimized", False)
    placement = asked.get("Placement") or {}
    instance.placement.tenancy = placement.get("Tenancy", "default")
    instance.placement.group_name = placement.get("GroupName", "")
    image = next(iter(backend.describe_images(ami_ids=[asked["ImageId"]])), None)
    if image is not None:
        instance.platform_details, instance.usage_operation = image.platform_details, image.usage_operation
        instance.ena_support = getattr(image, "ena_support", True)
    volumes = dict(instance.get_block_device_mapping)
    for mapping in asked.get("BlockDeviceMappings") or []:
        ebs, device = mapping.get("Ebs") or {}, volumes.get(mapping.get("DeviceName"))
        if device is not None:
            volume = backend.describe_volumes(volume_ids=[device.volume_id])[0]
            volume.iops, volume.throughput = ebs.get("Iops"), ebs.get("Throughput")
            volume.volume_type = ebs.get("VolumeType") or volume.volume_type
    if is_spot(asked):
        instance.lifecycle = "spot"
        linked_roles.ensure(backend.account_id, backend.region_name, linked_roles.SPOT)
        _adopt(backend, instance, asked)


def _adopt(backend: Any, instance: Instance, asked: dict[str, Any]) -> None:
    options = (asked.get("InstanceMarketOptions") or {}).get("SpotOptions") or {}
    tags = convert_tag_spec(asked.get("TagSpecifications") or asked.get("TagSpecification") or [])
    ident = random_spot_request_id()
    request = SpotInstanceRequest(
        backend, ident, options.get("MaxPrice"), instance.image_id, options.get("SpotInstanceType", "one-time"),
        None, None, None, None, instance.key_name, [group.id for group in instance.security_groups], None,
        instance.instance_type, instance.placement.zone, None, None, False, instance.subnet_id,
        {"spot-instances-request": tags.get("spot-instances-request", {})}, None,
        options.get("InstanceInterruptionBehavior"), launch_spec=Adopted(instance),
    )  # fmt: skip
    backend.spot_instance_requests[ident] = request
    instance.spot_instance_request_id = ident


def _run(self: InstanceResponse) -> ActionResult:
    params = plain(dict(self.params))
    backend = ec2_backends[self.current_account][self.region]
    where = (self.current_account, self.region, "RunInstances")
    try:
        known = None if params.get("DryRun") else TOKENS.recall(*where, params)
        if known is not None:
            if all(instance.state == TERMINATED for instance in known.instances):
                raise Refused(
                    "IdempotentInstanceTerminated", "The instance that this client token launched is terminated."
                )
            return ActionResult(known)
        asked = merged(backend, params)
        place = place_of(backend, asked)
        check(backend, asked, place)
        self.error_on_dryrun()
        reservation = launch(backend, asked, _granted(place, params))
    except Refused as refused:
        raise EC2ClientError(refused.code, refused.message) from refused
    except Mismatch as error:
        raise EC2ClientError(
            "IdempotentParameterMismatch", "Arguments on this idempotent request are inconsistent with arguments used "
            f"in previous request(s): {error}"
        ) from error  # fmt: skip
    TOKENS.remember(*where, params, reservation)
    return ActionResult(reservation)


def _granted(place: Place, params: dict[str, Any]) -> int:
    least, most = int(params.get("MinCount") or 1), int(params.get("MaxCount") or params.get("MinCount") or 1)
    if not 1 <= least <= most:
        raise Refused("InvalidParameterValue", "MinCount must be at least 1 and no more than MaxCount")
    taken = 0
    refusal: tuple[str, str] | None = None
    while taken < most and refusal is None:
        refusal = CAPACITY.take(place)
        taken += refusal is None
    if taken < least and refusal is not None:
        for _ in range(taken):
            CAPACITY.give_back(place)
        raise Refused(*refusal)
    return taken


class _AnyOffering:
    """Finds every type offered."""

    @staticmethod
    def matches_filters(*_: Any) -> bool:
        return True


_vanilla_run: Any = None


def _apply() -> None:
    global _vanilla_run
    _vanilla_run = replace(InstanceResponse, "run_instances", _run)
    vanilla_launch = SpotInstanceRequest.launch_instance
    # `check` looked the type up already; moto would go through all offerings of the region, half of a launch's time.
    replace(instances, "InstanceTypeOfferingBackend", _AnyOffering)

    def launch_instance(self: SpotInstanceRequest) -> Instance:
        if isinstance(self.launch_spec, Adopted):
            return self.launch_spec.instance
        return vanilla_launch(self)

    replace(SpotInstanceRequest, "launch_instance", launch_instance)
    replace(SpotInstanceRequest, "create_time", property(lambda self: self.instance.launch_time))
    replace(
        SpotInstanceRequest,
        "status",
        property(
            lambda self: {
                "Code": self._status_code,
                "Message": self.status_message,
                "UpdateTime": getattr(self, "harness_status_since", None) or utc(),
            }
        ),
    )
    vanilla_value = SpotInstanceRequest.get_filter_value

    def get_filter_value(self: SpotInstanceRequest, name: str, method: str | None = None) -> Any:
        own = {"instance-id": self.instance.id, "status-code": self._status_code}
        return own[name] if name in own else vanilla_value(self, name, method)

    replace(SpotInstanceRequest, "get_filter_value", get_filter_value)


PATCH = Patch(
    name="P4",
    gap="RunInstances ignores capacity, MaxCount, client tokens and most of the template; Spot has no request id",
    touches=(
        "moto.ec2.responses.instances:InstanceResponse.run_instances",
        "moto.ec2.responses:EC2Response",
        "moto.ec2.models.spot_requests:SpotInstanceRequest.launch_instance",
        "moto.ec2.models.spot_requests:SpotInstanceRequest.get_filter_value",
        "moto.ec2.models.launch_templates:LaunchTemplate.get_version",
        "moto.ec2.models.instances:InstanceTypeOfferingBackend",
    ),
    apply=_apply,
)
