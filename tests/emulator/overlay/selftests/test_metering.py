"""P7, third part, and Savings Plans: what they answer."""

from __future__ import annotations

import time
import unittest
from datetime import UTC, datetime

from overlay.selftests.server import Case


class Metering(Case):
    def hour(self, ago: int = 1) -> datetime:
        return datetime.fromtimestamp(int(time.time()) // 3600 * 3600 - 3600 * ago, UTC)

    def metered(self, quantity: int, ago: int = 1, **more: object) -> str:
        call = self.client("meteringmarketplace").meter_usage
        answer = call(
            ProductCode="p", Timestamp=self.hour(ago), UsageDimension="d", UsageQuantity=quantity, **more
        )
        return str(answer["MeteringRecordId"])

    def test_p7_an_hour_is_metered_once(self) -> None:
        first = self.metered(3)
        self.assertEqual(self.metered(3), first)
        self.refused("DuplicateRequestException", lambda: self.metered(4))
        self.refused("TimestampOutOfBoundsException", lambda: self.metered(3, 8))
        self.refused("DryRunOperation", lambda: self.metered(3, 2, DryRun=True))
        records = self.control("GET", "/metering")["records"]
        self.assertEqual([(one["id"], one["quantity"]) for one in records], [(first, 3)])

    def test_p7_allocations_add_up(self) -> None:
        part = {"AllocatedUsageQuantity": 2, "Tags": [{"Key": "AccountId", "Value": "1"}]}
        self.refused("InvalidUsageAllocationsException", lambda: self.metered(3, UsageAllocations=[part]))
        rest = {"AllocatedUsageQuantity": 1}
        self.metered(3, UsageAllocations=[part, rest])

    def test_p7_a_subscription_ends(self) -> None:
        self.control("POST", "/subscriptions", {"product": "p", "ended": True})
        self.refused("CustomerNotEntitledException", lambda: self.metered(3))

    def test_reserved_instances_are_those_that_were_set(self) -> None:
        ask = self.client("ec2").describe_reserved_instances
        self.assertEqual(ask()["ReservedInstances"], [])
        rows = [{"instanceType": "c5.large", "instanceCount": 4}, {"state": "retired"}]
        self.control(
            "POST", "/reserved-instances", {"account": "123456789012", "region": "us-east-1", "rows": rows}
        )
        active = ask(Filters=[{"Name": "state", "Values": ["active"]}])["ReservedInstances"]
        self.assertEqual([(row["InstanceType"], row["InstanceCount"]) for row in active], [("c5.large", 4)])
        self.assertEqual(len(ask()["ReservedInstances"]), 2)
        elsewhere = self.client("ec2", region="eu-west-1").describe_reserved_instances()
        self.assertEqual(elsewhere["ReservedInstances"], [])

    def test_savings_plans_are_those_that_were_set(self) -> None:
        ask = self.client("savingsplans").describe_savings_plans
        self.assertEqual(ask()["savingsPlans"], [])
        plan = {"savingsPlanType": "Compute", "state": "active", "commitment": "1.5"}
        self.control("POST", "/savings-plans", {"account": "123456789012", "plans": [plan]})
        self.assertEqual([one["commitment"] for one in ask(states=["active"])["savingsPlans"]], ["1.5"])
        self.assertEqual(ask(states=["retired"])["savingsPlans"], [])
