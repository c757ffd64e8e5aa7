"""The seeding module: what it makes is there, and what is wrong with a description is told."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from overlay.selftests.server import SERVE, Case

SEED = SERVE.parent / "seed.py"
TAGS = {"spothub:enabled": "true"}


class Seed(Case):
    """`overlay/seed.py` as tests call it."""

    def run_seed(self, given: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(SEED)], input=json.dumps(given), capture_output=True, text=True, timeout=60
        )

    def seeded(self, **given: Any) -> Any:
        done = self.run_seed({"endpoint": self.server.url, **given})
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_an_organization_is_built_and_the_hub_can_act_and_hear(self) -> None:
        web = {"name": "web", "tags": TAGS, "target_groups": 1, "desired": 3}
        old = {"name": "a b/c", "launch": "configuration", "region": "eu-west-1", "suspended": ["AZRebalance"]}
        told = self.seeded(
            trust_hub_role_only=True,
            accounts=[
                {"name": "shop", "ou": "prod/web", "tags": {"team": "shop"}, "groups": [web, old]},
                {"name": "lab", "ou": "test", "role": False, "count": 2, "groups": [{"name": "g", "count": 2}]},
                {"name": "gone", "closed": True},
            ],
        )
        shop = told["accounts"][0]
        self.assertEqual([account["name"] for account in told["accounts"]], ["shop", "lab-1", "lab-2", "gone"])
        hub = self.client("sts", keys=told["hub"]["keys"])
        keys = hub.assume_role(RoleArn=shop["role_arn"], RoleSessionName="session", ExternalId=told["external_id"])[
            "Credentials"
        ]
        seen = self.client("autoscaling", "eu-west-1", keys=keys).describe_auto_scaling_groups()["AutoScalingGroups"]
        by_name = {group["AutoScalingGroupName"]: group for group in seen}
        self.assertEqual(set(by_name), {"web", "a b/c"})
        self.assertEqual(len(by_name["web"]["Instances"]), 3)
        self.assertEqual(len(by_name["web"]["TargetGroupARNs"]), 1)
        self.assertEqual(by_name["a b/c"]["LaunchConfigurationName"], "a b/c")
        self.refused(
            "AccessDenied", hub.assume_role, RoleArn=f"arn:aws:iam::{told['accounts'][1]['id']}:role/spothub-member",
            RoleSessionName="session", ExternalId=told["external_id"],
        )  # fmt: skip
        lab = told["accounts"][1]["regions"]["us-east-1"]["groups"]
        self.assertEqual([group["name"] for group in lab], ["g-1", "g-2"])
        states = {a["Name"]: a["State"] for a in self.client("organizations").list_accounts()["Accounts"]}
        self.assertEqual((states["shop"], states["gone"] == "ACTIVE"), ("ACTIVE", False))
        self.hears(told, shop["id"])

    def hears(self, told: Any, member: str) -> None:
        for kind, queue in (
            ("EC2 Spot Instance Interruption Warning", "urgent"),
            ("EC2 Instance State-change Notification", "normal"),
        ):
            event = {"source": "aws.ec2", "detail-type": kind, "detail": {"instance-id": "i-1"}}
            self.control("POST", "/events", {"account": member, "region": "eu-west-1", "event": event})
            sqs = self.client("sqs", keys=told["hub"]["keys"])
            got = sqs.receive_message(QueueUrl=told["hub"]["queues"][queue]["url"])["Messages"]
            body = json.loads(got[0]["Body"])
            self.assertEqual((body["detail-type"], body["account"], body["region"]), (kind, member, "eu-west-1"))

    def test_a_wrong_description_makes_nothing(self) -> None:
        for given, word in (
            ({"accounts": [{"name": "a", "colour": 1}]}, "colour"),
            ({"accounts": [{"name": "a", "groups": [{"name": "g", "launch": "x"}]}]}, "launch"),
            ({"accounts": [{}]}, "name"),
            ({"endpoint": "https://ec2.amazonaws.com"}, "loopback"),
        ):
            done = self.run_seed({"endpoint": self.server.url, **given})
            self.assertEqual((done.returncode, done.stdout), (2, ""), given)
            self.assertIn(word, done.stderr)
        self.assertEqual(self.control("GET", "/calls")["calls"], [])
