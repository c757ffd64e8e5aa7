"""P7 (price list only): pricing:GetProducts with settable on-demand prices, and each image's usage operation.

Knows list prices by region, type and operating system. Spot prices are derived from it elsewhere.
"""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from functools import cache
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from moto.ec2.models.amis import Ami

from overlay import wire
from overlay.calls import Call
from overlay.declared import Patch, replace
from overlay.world import on_reset
from overlay.zones import instance_type, offered

#: The only regions with an endpoint of this API.
ENDPOINTS = ("us-east-1", "eu-central-1", "ap-south-1")
#: What the price list calls the system, its usage operation, and the price of its licence as share of the machine's.
SYSTEMS = {
    "Linux/UNIX": ("Linux", "RunInstances", 0.0),
    "Red Hat Enterprise Linux": ("RHEL", "RunInstances:0010", 0.3),
    "SUSE Linux": ("SUSE", "RunInstances:000g", 0.2),
    "Windows": ("Windows", "RunInstances:0002", 0.9),
}


class ListPrices:
    """On-demand prices that were set; all others follow from a type's size, so that none is missing."""

    def __init__(self) -> None:
        self._set: dict[tuple[str, str, str], float | None] = {}
        #: Rows of a request whose pages are being read.
        self.open: dict[str, list[tuple[dict[str, str], float]]] = {}

    def clear(self) -> None:
        """Back to derived prices only."""
        self._set.clear()
        self.open.clear()

    def set(self, region: str, name: str, product: str, usd: float | None) -> None:
        """Sets a price per hour; `None` takes the product off the list."""
        self._set[(region, name, product)] = usd
        self.open.clear()

    def types(self, region: str) -> set[str]:
        """Types whose price was set in a region."""
        return {name for (where, name, _) in self._set if where == region}

    def listed(self, region: str, name: str, product: str) -> float | None:
        """The price, or none where the product is off the list."""
        if (region, name, product) in self._set:
            return self._set[(region, name, product)]
        return self.price(region, name, product)

    def price(self, region: str, name: str, product: str) -> float:
        """The price that was set, or one that follows from vCPUs and memory."""
        given = self._set.get((region, name, product))
        if given is not None:
            return given
        return round(_size_price(name) * (1 + SYSTEMS[product][2]), 6)

    def told(self) -> list[dict[str, Any]]:
        """What was set."""
        return [
            {"region": region, "type": name, "product": product, "usd": usd}
            for (region, name, product), usd in sorted(self._set.items())
        ]


@cache
def _size_price(name: str) -> float:
    facts = instance_type(name)
    if facts is None:
        return 0.1
    gib = facts["MemoryInfo"]["SizeInMiB"] / 1024
    gpus = sum(gpu.get("Count", 0) for gpu in facts.get("GpuInfo", {}).get("Gpus", []))
    return facts["VCpuInfo"]["DefaultVCpus"] * 0.03 + gib * 0.004 + gpus * 0.7


PRICES = ListPrices()
on_reset(PRICES.clear)


def get_products(call: Call) -> wire.Answer:
    """GetProducts for AmazonEC2: every machine as used, as unused reservation and dedicated, so that filters count."""
    params = call.params
    if call.region not in ENDPOINTS:
        return wire.error(call, "EmulatorNoSuchEndpoint", f"The price list has no endpoint in {call.region}")
    if params.get("ServiceCode") != "AmazonEC2":
        return wire.error(call, "NotFoundException", f"Unknown service code {params.get('ServiceCode')}")
    filters = params.get("Filters") or []
    for given in filters:
        if given.get("Type") not in ("TERM_MATCH", "EQUALS", "CONTAINS", "ANY_OF", "NONE_OF"):
            return wire.error(call, "InvalidParameterException", f"Unknown filter type {given.get('Type')}")
    size = int(params.get("MaxResults") or 100)
    if not 1 <= size <= 100:
        return wire.error(call, "InvalidParameterException", "MaxResults must lie between 1 and 100")
    try:
        begin = int(params.get("NextToken") or 0)
    except ValueError:
        return wire.error(call, "InvalidNextTokenException", "The token is not valid")
    key = json.dumps(filters, sort_keys=True)
    found = PRICES.open.get(key)
    if found is None:
        found = [row for row in _rows(filters) if all(_passes(row[0], given) for given in filters)]
        if len(PRICES.open) >= 32:
            PRICES.open.clear()
        PRICES.open[key] = found
    page = [json.dumps(_product(*row)) for row in found[begin : begin + size]]
    told: dict[str, Any] = {"FormatVersion": "aws_v1", "PriceList": page}
    if begin + size < len(found):
        told["NextToken"] = str(begin + size)
    return wire.Answer(200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(told).encode())


def _rows(filters: list[dict[str, str]]) -> list[tuple[dict[str, str], float]]:
    exact = {given["Field"]: given["Value"] for given in filters if given["Type"] in ("TERM_MATCH", "EQUALS")}
    regions = [exact["regionCode"]] if "regionCode" in exact else list(ENDPOINTS)
    rows = []
    for region in regions:
        names = PRICES.types(region).union(*offered(region).values())
        if "instanceType" in exact:
            names = names & {exact["instanceType"]}
        for name in sorted(names):
            for product, (system, operation, _) in SYSTEMS.items():
                usd = PRICES.listed(region, name, product)
                if usd is not None:
                    rows += _variants(region, name, system, operation, usd)
    return rows


def _variants(region: str, name: str, system: str, operation: str, usd: float) -> list[tuple[dict[str, str], float]]:
    facts = instance_type(name) or {}
    base = {
        "servicecode": "AmazonEC2",
        "regionCode": region,
        "instanceType": name,
        "operatingSystem": system,
        "operation": operation,
        "preInstalledSw": "NA",
        "licenseModel": "No License required",
        "vcpu": str(facts.get("VCpuInfo", {}).get("DefaultVCpus", "NA")),
        "marketoption": "OnDemand",
    }
    kinds = (
        ("Shared", "Used", "BoxUsage", usd),
        ("Shared", "UnusedCapacityReservation", "UnusedBox", usd),
        ("Shared", "AllocatedCapacityReservation", "Reservation", 0.0),
        ("Dedicated", "Used", "DedicatedUsage", round(usd * 1.1, 6)),
    )
    return [
        ({**base, "tenancy": tenancy, "capacitystatus": status, "usagetype": f"{usage}:{name}"}, price)
        for tenancy, status, usage, price in kinds
    ]


def _passes(attributes: dict[str, str], given: dict[str, str]) -> bool:
    value = attributes.get(given["Field"])
    wanted = given["Value"]
    if value is None:
        return False
    match given["Type"]:
        case "CONTAINS":
            return wanted.lower() in value.lower()
        case "ANY_OF":
            return value in wanted.split(",")
        case "NONE_OF":
            return value not in wanted.split(",")
        case _:
            return fnmatchcase(value.lower(), wanted.lower())


def _product(attributes: dict[str, str], usd: float) -> dict[str, Any]:
    sku = uuid5(NAMESPACE_URL, json.dumps(attributes, sort_keys=True)).hex[:16].upper()
    term, rate = f"{sku}.JRTCKXETXF", f"{sku}.JRTCKXETXF.6YS6EN2CT7"
    dimension = {
        "unit": "Hrs",
        "endRange": "Inf",
        "beginRange": "0",
        "rateCode": rate,
        "description": f"${usd:.10f} per {attributes['operatingSystem']} {attributes['instanceType']} Instance Hour",
        "appliesTo": [],
        "pricePerUnit": {"USD": f"{usd:.10f}"},
    }
    on_demand = {
        "sku": sku,
        "offerTermCode": "JRTCKXETXF",
        "effectiveDate": "2026-01-01T00:00:00Z",
        "termAttributes": {},
        "priceDimensions": {rate: dimension},
    }
    return {
        "product": {"productFamily": "Compute Instance", "attributes": attributes, "sku": sku},
        "serviceCode": "AmazonEC2",
        "terms": {"OnDemand": {term: on_demand}},
        "version": "20260101000000",
        "publicationDate": "2026-01-01T00:00:00Z",
    }


def product_of(image: Ami | None) -> str:
    """The product that an image runs as."""
    if image is None:
        return "Linux/UNIX"
    if (image.platform or "").lower() == "windows":
        return "Windows"
    name = (image.name or "").lower()
    if "rhel" in name or "red hat" in name:
        return "Red Hat Enterprise Linux"
    return "SUSE Linux" if "suse" in name or "sles" in name else "Linux/UNIX"


def _has_ena(image: Ami) -> bool:
    return image.virtualization_type == "hvm" and "no-ena" not in (image.name or "")


def _apply() -> None:
    # The price list names its join key after this field of DescribeImages, which moto leaves out.
    Ami.usage_operation = property(lambda image: SYSTEMS[product_of(image)][1])
    Ami.platform_details = property(product_of)
    vanilla = Ami.__init__

    def init(self: Ami, *args: Any, **kwargs: Any) -> None:
        vanilla(self, *args, **kwargs)
        # By itself an image has no boot mode and its type decides; moto says `uefi` of all, which old types cannot.
        self.boot_mode = kwargs.get("boot_mode")

    replace(Ami, "__init__", init)
    # Without it no type that needs ENA would fit any image.
    Ami.ena_support = property(_has_ena)


PATCH = Patch(
    name="P7",
    gap="moto has no price list, and images have neither UsageOperation nor PlatformDetails nor EnaSupport",
    touches=("moto.ec2.models.amis:Ami.__init__",),
    apply=_apply,
)
