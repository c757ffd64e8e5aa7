"""The seeding module: what it makes is there, and what is wrong with a description is told."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from overlay.selftests.server import SERVE, Case

SEED = SERVE.parent / "seed.py"
TEMPLATES = SERVE.parents[3] / "member-stackset"
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

    def test_a_bare_organization_gets_all_it_has_from_the_templates(self) -> None:
        told = self.seeded(bare=True, accounts=[{"name": "shop", "ou": "prod", "groups": [{"name": "g"}]}])
        member, unit = told["accounts"][0], told["organization"]["units"]["prod"]
        self.assertEqual((member["role_arn"], member["forwarder_arn"], "keys" in told["hub"]), (None, None, False))
        names = [role["RoleName"] for role in self.client("iam", account=member["id"]).list_roles()["Roles"]]
        self.assertFalse([name for name in names if name.startswith("spothub")], names)
        cfn, ident = self.client("cloudformation"), told["organization"]["id"]
        capabilities = {"Capabilities": ["CAPABILITY_NAMED_IAM"]}

        def given(name: str, **values: str) -> dict[str, Any]:
            rows = [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]
            return {**capabilities, "TemplateBody": (TEMPLATES / f"{name}.yaml").read_text(), "Parameters": rows}

        cfn.create_stack(
            StackName="spothub-hub",
            **given("hub", OrganizationId=ident, ExternalId="external", Regions="us-east-1,eu-west-1"),
        )
        stack = cfn.describe_stacks(StackName="spothub-hub")["Stacks"][0]
        self.assertEqual(stack["StackStatus"], "CREATE_COMPLETE")
        outputs = {row["OutputKey"]: row["OutputValue"] for row in stack["Outputs"]}
        common = {"HubBusArn": outputs["BusArn"]}
        member_global = {"HubAccountId": told["management"], "OrganizationId": ident, "ExternalId": "external"}
        for name, values, regions in (
            ("member-global", {**member_global, **common}, ["us-east-1"]),
            ("member-regional", common, ["us-east-1", "eu-west-1"]),
        ):
            cfn.create_stack_set(
                StackSetName=name, PermissionModel="SERVICE_MANAGED", AutoDeployment={"Enabled": True},
                **given(name, **values),
            )  # fmt: skip
            targets = {"OrganizationalUnitIds": [unit]}
            cfn.create_stack_instances(StackSetName=name, DeploymentTargets=targets, Regions=regions)
            rows = cfn.list_stack_instances(StackSetName=name)["Summaries"]
            self.assertEqual([row["Status"] for row in rows], ["CURRENT"] * len(regions), rows)
        self.control("POST", "/switches", {"identity": True})
        kind = "EC2 Spot Instance Interruption Warning"
        event = {"source": "aws.ec2", "detail-type": kind, "detail": {"instance-id": "i-1"}}
        self.control("POST", "/events", {"account": member["id"], "region": "eu-west-1", "event": event})
        got = self.client("sqs").receive_message(QueueUrl=outputs["UrgentQueueUrl"])["Messages"]
        self.assertEqual(json.loads(got[0]["Body"])["account"], member["id"])

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
