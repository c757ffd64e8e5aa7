"""P1, P2 and P7: Spot prices, placement scores and list prices."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from overlay.selftests.server import IMAGE, Case

SPOT = {"region": "us-east-1", "zone": "us-east-1a", "type": "m5.large"}


class Prices(Case):
    """DescribeSpotPriceHistory and GetProducts."""

    def history(self, **params: Any) -> list[dict[str, Any]]:
        pages = self.client("ec2").get_paginator("describe_spot_price_history").paginate(**params)
        return [row for page in pages for row in page["SpotPriceHistory"]]

    def now(self, **params: Any) -> list[dict[str, Any]]:
        now = datetime.now(UTC)
        return self.history(StartTime=now, EndTime=now, **params)

    def test_p1_zone_ids_can_be_left_out(self) -> None:
        ec2 = self.client("ec2")
        self.control("POST", "/switches", {"price_zone_ids": False})
        row = ec2.describe_spot_price_history(InstanceTypes=["m5.large"], MaxResults=5)["SpotPriceHistory"][0]
        self.assertEqual(("AvailabilityZone" in row, "AvailabilityZoneId" in row), (True, False))

    def test_p1_a_price_that_was_set_is_in_force(self) -> None:
        self.control("POST", "/spot-prices", {**SPOT, "usd": "0.0123"})
        rows = self.now(InstanceTypes=["m5.large"], ProductDescriptions=["Linux/UNIX"], AvailabilityZone="us-east-1a")
        self.assertEqual([(row["SpotPrice"], row["AvailabilityZoneId"]) for row in rows], [("0.0123", "use1-az6")])

    def test_p1_history_tells_the_last_change_before_the_start_and_those_after(self) -> None:
        now = datetime.now(UTC).replace(microsecond=0)
        for hours, usd in ((5, "0.05"), (3, "0.03"), (1, "0.01")):
            at = (now - timedelta(hours=hours)).isoformat()
            self.control("POST", "/spot-prices", {**SPOT, "usd": usd, "at": at})
        which = {"InstanceTypes": ["m5.large"], "ProductDescriptions": ["Linux/UNIX"], "AvailabilityZone": "us-east-1a"}
        rows = self.history(StartTime=now - timedelta(hours=4), EndTime=now, **which)
        self.assertEqual([row["SpotPrice"] for row in rows], ["0.01", "0.03", "0.05"])
        rows = self.history(StartTime=now - timedelta(hours=2), EndTime=now - timedelta(hours=2), **which)
        self.assertEqual([row["SpotPrice"] for row in rows], ["0.03"])

    def test_p1_filters_by_product_zone_and_zone_id(self) -> None:
        for product in ("Linux/UNIX", "Linux/UNIX (Amazon VPC)", "Windows"):
            rows = self.now(InstanceTypes=["m5.large"], Filters=[{"Name": "product-description", "Values": [product]}])
            told = {row["ProductDescription"] for row in rows}
            self.assertEqual(told, {product.removesuffix(" (Amazon VPC)")})
            self.assertGreater(len({row["AvailabilityZone"] for row in rows}), 2)
        rows = self.now(InstanceTypes=["m5.large"], AvailabilityZoneId="use1-az6")
        self.assertEqual({row["AvailabilityZone"] for row in rows}, {"us-east-1a"})
        unknown = [{"Name": "colour", "Values": ["red"]}]
        self.refused("InvalidParameterValue", self.client("ec2").describe_spot_price_history, Filters=unknown)

    def test_p2_scores_tell_zones_without_capacity_and_count_different_questions(self) -> None:
        self.control("POST", "/capacity", {"zone": "us-east-1a", "market": "spot", "available": 0})
        types = ["m5.large", "m5a.large", "m6i.large", "m5n.large"]
        zones = {"SingleAvailabilityZone": True, "RegionNames": ["us-east-1"], "TargetCapacity": 5}

        def ask(types: list[str], **more: Any) -> list[dict[str, Any]]:
            given = {"InstanceTypes": types, **zones, **more}
            told: list[dict[str, Any]] = self.client("ec2").get_spot_placement_scores(**given)["SpotPlacementScores"]
            return told

        scores = {row["AvailabilityZoneId"]: row["Score"] for row in ask(types)}
        self.assertEqual((scores["use1-az6"], scores["use1-az1"]), (1, 9))
        self.assertEqual({row["Score"] for row in ask(types[:2])}, {1})
        whole = ask(types, SingleAvailabilityZone=False)
        self.assertEqual([row["Region"] for row in whole], ["us-east-1"])
        self.assertNotIn("AvailabilityZoneId", whole[0])
        call = self.client("ec2").get_spot_placement_scores
        self.refused("InvalidInstanceType", call, InstanceTypes=["m5.tiny"], **zones)
        self.refused("DryRunOperation", call, InstanceTypes=types, DryRun=True, **zones)
        self.control("POST", "/placement-limit", {"a-day": 3})
        ask(types)
        self.refused("MaxConfigLimitExceeded", call, InstanceTypes=types[:3], **zones)

    def test_p1_pages_tell_every_pool_once(self) -> None:
        rows = self.now(ProductDescriptions=["Linux/UNIX"], AvailabilityZone="us-east-1a")
        pools = {(row["InstanceType"], row["AvailabilityZone"]) for row in rows}
        self.assertEqual(len(pools), len(rows))
        small = self.now(
            ProductDescriptions=["Linux/UNIX"], AvailabilityZone="us-east-1a", PaginationConfig={"PageSize": 100}
        )
        self.assertEqual(len(small), len(rows))
        self.assertGreater(len(rows), 300)

    def test_p1_pools_end_and_derived_prices_can_be_turned_off(self) -> None:
        which = {"InstanceTypes": ["m5.large"], "ProductDescriptions": ["Linux/UNIX"], "AvailabilityZone": "us-east-1a"}
        self.assertEqual(len(self.now(**which)), 1)
        self.control("POST", "/spot-prices", {**SPOT, "usd": None})
        self.assertEqual(self.now(**which), [])
        self.control("POST", "/switches", {"derived_spot_prices": False})
        self.assertEqual(self.now(InstanceTypes=["m5.large"]), [])

    def products(self, **fields: str) -> list[dict[str, Any]]:
        filters = [{"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in fields.items()]
        pages = self.client("pricing").get_paginator("get_products").paginate(ServiceCode="AmazonEC2", Filters=filters)
        return [json.loads(text) for page in pages for text in page["PriceList"]]

    def test_p7_one_price_for_all_filters_together(self) -> None:
        self.control("POST", "/list-prices", {"region": "eu-west-1", "type": "m5.large", "usd": "0.107"})
        found = self.products(
            instanceType="m5.large", regionCode="eu-west-1", operation="RunInstances", tenancy="Shared",
            capacitystatus="Used", preInstalledSw="NA",
        )  # fmt: skip
        prices = [
            rate["pricePerUnit"]["USD"]
            for product in found
            for term in product["terms"]["OnDemand"].values()
            for rate in term["priceDimensions"].values()
        ]
        self.assertEqual([float(price) for price in prices], [0.107])
        # With a filter fewer there are products at other prices, as in the real list.
        more = self.products(instanceType="m5.large", regionCode="eu-west-1", operation="RunInstances")
        self.assertGreater(len(more), 1)

    def test_p7_a_whole_region_in_pages_of_a_hundred(self) -> None:
        found = self.products(regionCode="us-east-1", operatingSystem="Linux", tenancy="Shared", capacitystatus="Used")
        types = [product["product"]["attributes"]["instanceType"] for product in found]
        self.assertEqual(len(set(types)), len(types))
        self.assertGreater(len(types), 500)

    def test_p7_a_product_can_be_taken_off_the_list_and_regions_without_endpoint_refuse(self) -> None:
        self.control("POST", "/list-prices", {"region": "us-east-1", "type": "m5.large", "usd": None})
        self.assertEqual(self.products(regionCode="us-east-1", instanceType="m5.large", operatingSystem="Linux"), [])
        self.refused(
            "EmulatorNoSuchEndpoint", self.client("pricing", "eu-west-1").get_products, ServiceCode="AmazonEC2"
        )

    def test_p7_images_tell_their_usage_operation(self) -> None:
        image = self.client("ec2").describe_images(ImageIds=[IMAGE])["Images"][0]
        self.assertEqual(image["UsageOperation"], "RunInstances")
        self.assertTrue(image["EnaSupport"])
        self.assertEqual(image["PlatformDetails"], "Linux/UNIX")
