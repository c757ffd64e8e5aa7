"""P3, P4 and the states of instances."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from overlay.selftests.server import HUB, IMAGE, REGION, Case, until


class Launches(Case):
    """RunInstances, CreateFleet, DescribeInstances and DescribeInstanceStatus."""

    def one(self, ident: str) -> Any:
        return self.client("ec2").describe_instances(InstanceIds=[ident])["Reservations"][0]["Instances"][0]

    def fleet(self, *overrides: dict[str, Any], strategy: str | None = "price-capacity-optimized", **more: Any) -> Any:
        options = {"AllocationStrategy": strategy} if strategy else {"MinTargetCapacity": 1}
        params = {
            "Type": "instant",
            "SpotOptions": options,
            "LaunchTemplateConfigs": [
                {
                    "LaunchTemplateSpecification": {"LaunchTemplateName": "web", "Version": "1"},
                    "Overrides": list(overrides),
                }
            ],
            "TargetCapacitySpecification": {"TotalTargetCapacity": 1, "DefaultTargetCapacityType": "spot"},
        }
        return self.client("ec2").create_fleet(**{**params, **more})

    def types(self, *names: str, zone: str = "us-east-1a") -> list[dict[str, Any]]:
        subnet = self.subnets()[zone]
        return [{"InstanceType": name, "SubnetId": subnet} for name in names]

    def test_p3_instances_are_found_by_lifecycle_request_and_token(self) -> None:
        spot = self.run_spot(ClientToken="a-token")
        ec2 = self.client("ec2")
        ec2.run_instances(ImageId=IMAGE, InstanceType="m5.large", MinCount=1, MaxCount=1)
        request = self.one(spot)["SpotInstanceRequestId"]
        for name, value in (
            ("instance-lifecycle", "spot"),
            ("spot-instance-request-id", request),
            ("client-token", "a-token"),
        ):
            found = ec2.describe_instances(Filters=[{"Name": name, "Values": [value]}])["Reservations"]
            self.assertEqual([i["InstanceId"] for r in found for i in r["Instances"]], [spot], name)
        unknown = [{"Name": "colour", "Values": ["red"]}]
        self.refused("InvalidParameterValue", ec2.describe_instances, Filters=unknown)

    def test_p4_no_capacity_is_a_server_error_and_comes_back(self) -> None:
        rule = self.control("POST", "/capacity", {"zone": "use1-az6", "type": "m5.*", "market": "spot"})
        answer = self.refused("InsufficientInstanceCapacity", self.run_spot)
        self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], 500)
        self.run_spot(InstanceType="c5.large")
        self.run_spot(zone="us-east-1b")
        self.control("DELETE", f"/capacity?id={rule['id']}")
        self.run_spot()

    def test_p4_max_count_is_honoured_down_to_min_count(self) -> None:
        ec2 = self.client("ec2")
        params = {"ImageId": IMAGE, "InstanceType": "m5.large", "SubnetId": self.subnets()["us-east-1a"]}
        self.assertEqual(len(ec2.run_instances(MinCount=1, MaxCount=3, **params)["Instances"]), 3)
        self.control("POST", "/capacity", {"available": 2})
        self.assertEqual(len(ec2.run_instances(MinCount=1, MaxCount=3, **params)["Instances"]), 2)
        self.control("POST", "/capacity", {"available": 2})
        self.refused("InsufficientInstanceCapacity", ec2.run_instances, MinCount=3, MaxCount=3, **params)
        self.assertEqual(self.control("GET", "/capacity")["capacity"][0]["available"], 2)

    def test_p4_run_instances_is_idempotent_by_token(self) -> None:
        first = self.run_spot(ClientToken="t1")
        self.assertEqual(self.run_spot(ClientToken="t1"), first)
        self.assertNotEqual(self.run_spot(ClientToken="t2"), first)
        self.refused("IdempotentParameterMismatch", lambda: self.run_spot(ClientToken="t1", InstanceType="c5.large"))
        self.client("ec2").terminate_instances(InstanceIds=[first])
        self.refused("IdempotentInstanceTerminated", lambda: self.run_spot(ClientToken="t1"))

    def test_p4_spot_instances_have_a_request_that_closes_with_them(self) -> None:
        ident = self.run_spot()
        request = self.one(ident)["SpotInstanceRequestId"]
        ec2 = self.client("ec2")

        def told() -> Any:
            return ec2.describe_spot_instance_requests(SpotInstanceRequestIds=[request])["SpotInstanceRequests"][0]

        self.assertEqual((told()["State"], told()["InstanceId"]), ("active", ident))
        ec2.terminate_instances(InstanceIds=[ident])
        self.assertEqual((told()["State"], told()["Status"]["Code"]), ("closed", "instance-terminated-by-user"))

    def test_p4_a_taking_without_a_warning_shows_in_the_spot_request(self) -> None:
        ident = self.run_spot()
        ec2 = self.client("ec2")

        def marked() -> list[Any]:
            filters = [
                {"Name": "instance-id", "Values": [ident, "i-0123456789abcdef0"]},
                {"Name": "status-code", "Values": ["marked-for-termination", "instance-terminated-no-capacity"]},
            ]
            return ec2.describe_spot_instance_requests(Filters=filters)["SpotInstanceRequests"]

        self.assertEqual(marked(), [])
        asked = {"account": HUB, "region": REGION, "instance": ident, "warning": False, "terminate_after": 60}
        self.control("POST", "/interruptions", asked)
        first = until(marked)
        self.assertEqual((first[0]["InstanceId"], first[0]["State"]), (ident, "active"))
        self.assertEqual(marked()[0]["Status"], first[0]["Status"], "since when stays the same")

    def test_p4_an_instance_gets_what_its_template_asks_for(self) -> None:
        group = self.client("ec2").describe_security_groups()["SecurityGroups"][0]["GroupId"]
        template = self.template(
            MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 2},
            SecurityGroupIds=[group],
            BlockDeviceMappings=[
                {"DeviceName": "/dev/sda1",
                 "Ebs": {"VolumeSize": 20, "VolumeType": "gp3", "Iops": 4000, "Throughput": 200}}
            ],
            Monitoring={"Enabled": True},
            UserData="aGVsbG8=",
            TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "from", "Value": "template"}]}],
        )  # fmt: skip
        ec2 = self.client("ec2")
        made = ec2.run_instances(
            LaunchTemplate={"LaunchTemplateId": template, "Version": "1"},
            MinCount=1,
            MaxCount=1,
            InstanceType="c5.large",
            SubnetId=self.subnets()["us-east-1b"],
            TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "own", "Value": "yes"}]}],
        )["Instances"][0]["InstanceId"]
        told = self.one(made)
        self.assertEqual(told["InstanceType"], "c5.large")
        self.assertEqual(told["Placement"]["AvailabilityZone"], "us-east-1b")
        self.assertEqual(told["Placement"]["AvailabilityZoneId"], "use1-az1")
        self.assertEqual(told["MetadataOptions"]["HttpTokens"], "required")
        self.assertEqual(told["MetadataOptions"]["HttpPutResponseHopLimit"], 2)
        self.assertEqual(told["Monitoring"]["State"], "enabled")
        self.assertEqual([g["GroupId"] for g in told["SecurityGroups"]], [group])
        tags = {tag["Key"]: tag["Value"] for tag in told["Tags"]}
        self.assertEqual((tags["from"], tags["own"]), ("template", "yes"))
        volumes = ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [made]}])["Volumes"]
        found = [(v["Size"], v["VolumeType"], v.get("Iops"), v.get("Throughput")) for v in volumes]
        self.assertIn((20, "gp3", 4000, 200), found)

    def test_p4_what_ec2_would_refuse_is_refused(self) -> None:
        self.refused("InvalidAMIID.NotFound", lambda: self.run_spot(ImageId="ami-00000000"))
        self.refused("InvalidParameterValue", lambda: self.run_spot(InstanceType="m5.enormous"))
        self.refused("InvalidParameterValue", lambda: self.run_spot(InstanceType="m6g.large"))
        self.refused("InvalidParameterCombination", lambda: self.run_spot(DisableApiTermination=True))
        options = {"MarketType": "spot", "SpotOptions": {"MaxPrice": "0.0001"}}
        self.refused("SpotMaxPriceTooLow", lambda: self.run_spot(InstanceMarketOptions=options))
        self.refused("DryRunOperation", lambda: self.run_spot(DryRun=True))

    def test_p4_a_fleet_takes_the_cheapest_open_pool(self) -> None:
        self.template()
        for name, usd in (("m5.large", 0.05), ("m5a.large", 0.02), ("m4.large", 0.03)):
            self.control(
                "POST", "/spot-prices", {"region": "us-east-1", "zone": "us-east-1a", "type": name, "usd": usd}
            )
        told = self.fleet(*self.types("m5.large", "m5a.large", "m4.large"))
        self.assertEqual([i["InstanceType"] for i in told["Instances"]], ["m5a.large"])
        self.assertEqual(told["Errors"], [])
        self.control("POST", "/capacity", {"type": "m5a.large", "market": "spot"})
        told = self.fleet(*self.types("m5.large", "m5a.large", "m4.large"))
        self.assertEqual([i["InstanceType"] for i in told["Instances"]], ["m4.large"])
        self.assertEqual(told["Instances"][0]["Lifecycle"], "spot")
        self.assertEqual([e["ErrorCode"] for e in told["Errors"]], ["InsufficientInstanceCapacity"])
        failed = told["Errors"][0]["LaunchTemplateAndOverrides"]["Overrides"]
        self.assertEqual((failed["InstanceType"], failed["AvailabilityZone"]), ("m5a.large", "us-east-1a"))

    def test_p4_a_fleet_without_any_pool_has_errors_and_no_instances(self) -> None:
        self.template()
        self.control("POST", "/capacity", {"type": "m5.large", "code": "UnfulfillableCapacity"})
        self.control("POST", "/capacity", {"type": "m4.large", "code": "MaxSpotInstanceCountExceeded"})
        told = self.fleet(*self.types("m5.large", "m4.large"))
        self.assertEqual(told["Instances"], [])
        codes = {e["ErrorCode"] for e in told["Errors"]}
        self.assertEqual(codes, {"UnfulfillableCapacity", "MaxSpotInstanceCountExceeded"})

    def test_p4_a_fleet_is_idempotent_and_tags_and_needs_no_strategy(self) -> None:
        self.template()
        tags = [{"ResourceType": "instance", "Tags": [{"Key": "spothub:managed", "Value": "true"}]}]
        given = {"strategy": None, "ClientToken": "f1", "TagSpecifications": tags}
        first = self.fleet(*self.types("m5.large"), **given)
        again = self.fleet(*self.types("m5.large"), **given)
        self.assertEqual(first["Instances"][0]["InstanceIds"], again["Instances"][0]["InstanceIds"])
        self.assertEqual(first["FleetId"], again["FleetId"])
        with self.assertRaises(ClientError) as raised:
            self.fleet(*self.types("m4.large"), **given)
        self.assertEqual(raised.exception.response["Error"]["Code"], "IdempotentParameterMismatch")
        told = self.one(first["Instances"][0]["InstanceIds"][0])
        self.assertIn({"Key": "spothub:managed", "Value": "true"}, told["Tags"])
        self.assertEqual(told["InstanceLifecycle"], "spot")

    def test_p4_a_fleet_moves_a_template_with_network_interfaces_to_the_subnet(self) -> None:
        group = self.client("ec2").describe_security_groups()["SecurityGroups"][0]["GroupId"]
        self.template(NetworkInterfaces=[{"DeviceIndex": 0, "Groups": [group], "AssociatePublicIpAddress": True}])
        subnet = self.subnets()["us-east-1c"]
        told = self.fleet(*self.types("m5.large", zone="us-east-1c"))
        self.assertEqual(self.one(told["Instances"][0]["InstanceIds"][0])["SubnetId"], subnet)

    def test_types_come_in_pages_and_only_those_of_the_region(self) -> None:
        ec2 = self.client("ec2")
        pages = list(ec2.get_paginator("describe_instance_types").paginate(MaxResults=100))
        names = [kind["InstanceType"] for page in pages for kind in page["InstanceTypes"]]
        self.assertEqual(len(set(names)), len(names))
        self.assertLessEqual(max(len(page["InstanceTypes"]) for page in pages), 100)
        offered = ec2.describe_instance_type_offerings(LocationType="region")["InstanceTypeOfferings"]
        self.assertEqual(set(names), {offering["InstanceType"] for offering in offered})
        one = ec2.describe_instance_types(InstanceTypes=["m5.large"])["InstanceTypes"][0]
        self.assertEqual((one["VCpuInfo"]["DefaultVCpus"], one["MemoryInfo"]["SizeInMiB"]), (2, 8192))
        self.refused("InvalidInstanceType", ec2.describe_instance_types, InstanceTypes=["m5.enormous"])

    def test_states_take_the_time_that_was_set_and_checks_fail_by_control(self) -> None:
        self.control("POST", "/timings", {"pending": 0.2, "status_checks": 0.3})
        ident = self.run_spot()
        ec2 = self.client("ec2")

        def told() -> tuple[str, str]:
            found = ec2.describe_instance_status(InstanceIds=[ident], IncludeAllInstances=True)["InstanceStatuses"][0]
            return found["InstanceState"]["Name"], found["InstanceStatus"]["Status"]

        self.assertEqual(told(), ("pending", "not-applicable"))
        self.assertEqual(ec2.describe_instance_status(InstanceIds=[ident])["InstanceStatuses"], [])
        self.assertTrue(until(lambda: told() == ("running", "initializing")))
        self.assertTrue(until(lambda: told() == ("running", "ok")))
        self.control("POST", "/status-checks", {ident: "impaired"})
        self.assertEqual(told(), ("running", "impaired"))
        self.control("POST", "/status-checks", {ident: None})
        ec2.terminate_instances(InstanceIds=[ident])
        self.assertEqual(told(), ("terminated", "not-applicable"))
