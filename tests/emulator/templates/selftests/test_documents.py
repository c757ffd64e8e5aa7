"""What templates make is what `policies/iam` says, for every combination of options."""

from __future__ import annotations

import itertools
import json
import unittest
from typing import Any

from templates import documents, rollouts
from templates.places import EXTERNAL_ID, HUB, MEMBER, ORGANIZATION, Place
from templates.render import RenderError

PLACES = [
    (MEMBER, HUB),
    (Place("111122223333", "cn-north-1", "aws-cn"), Place("999988887777", "cn-northwest-1", "aws-cn")),
]
#: Documents for keys that customers bring, and for people: they are in no template.
BESIDE = {"dead-letter-key", "key", "operator", "rollout", "rollout-resources", "volume-key"}
#: Inline policies of a role together, blanks aside (IAM's quota).
INLINE_CHARS_MAX = 10_240
#: A role's trust (IAM's default quota).
TRUST_CHARS_MAX = 2_048


def bare(document: Any) -> int:
    """Characters of a document, as IAM counts them."""
    return len(json.dumps(document, separators=(",", ":")))


class Same(unittest.TestCase):
    """Compares all documents of a stack."""

    def same(self, found: rollouts.Documents, wanted: rollouts.Documents, given: object) -> None:
        """Fails with the first statement that differs: there are hundreds of combinations, and they differ alike."""
        if found == wanted:
            return
        self.assertEqual(sorted(found), sorted(wanted), given)
        for key, document in found.items():
            for one, other in itertools.zip_longest(document["Statement"], wanted[key]["Statement"]):
                self.assertEqual(one, other, f"{key} {given}")
        self.fail(f"documents differ outside of their statements: {given}")


class Members(Same):
    """member-global and member-regional."""

    def test_global_in_every_combination(self) -> None:
        guards = {"opt-in-tag", "opt-out-tag", "none"}
        flags = ["false", "true"]
        roles = [[], ["arn:aws:iam::*:role/app/*"], ["arn:aws:iam::*:role/a", "arn:aws:iam::*:role/b*"]]
        keys = [[], ["arn:aws:kms:eu-west-1:111122223333:key/1"]]
        existing = list(itertools.product([False, True], repeat=2))
        names = [("spothub-member", "spothub-forwarder", "/"), ("m", "f", "/platform/spot/")]
        where = zip(PLACES, names, strict=True)
        more_rights = list(itertools.product(flags, repeat=2))
        combinations = itertools.product(where, guards, flags, more_rights, roles, keys, existing)
        for place_and_names, guard, configurations, more, passed, kms, (has_member, has_forwarder) in combinations:
            on_demand, draining = more
            (place, home), (member, forwarder, path) = place_and_names
            given = {
                "GroupGuard": guard,
                "AllowLaunchConfigurations": configurations,
                "AllowOnDemandFallback": on_demand,
                "AllowEcsDraining": draining,
                "PassableRoleArns": ",".join(passed),
                "KmsKeyArns": ",".join(kms),
                "MemberRoleName": member,
                "ForwarderRoleName": forwarder,
                "RolePath": path,
                "HubRolePath": path,
                "MemberRoleArn": f"arn:{place.partition}:iam::{place.account}:role/theirs" if has_member else "",
                "ForwarderRoleArn": f"arn:{place.partition}:iam::{place.account}:role/other" if has_forwarder else "",
            }
            values = {
                "partition": place.partition,
                "account": place.account,
                "hub_account": home.account,
                "hub_role_arn": f"arn:{place.partition}:iam::{home.account}:role{path}spothub-hub",
                "hub_bus_arn": rollouts.bus_arn(home),
                "organization": ORGANIZATION,
                "external_id": EXTERNAL_ID,
                "role_path": path,
                "member_role_name": member,
                "passable_role_arns": passed,
                "kms_key_arns": kms,
            }
            wanted: rollouts.Documents = {}
            if not has_member:
                attached = ["member", f"member-groups-{guard}"]
                attached += ["member-launch-configurations"] * (configurations == "true")
                attached += ["member-on-demand-fallback"] * (on_demand == "true")
                attached += ["member-ecs-draining"] * (draining == "true")
                attached += ["member-pass-role"] * bool(passed) + ["member-kms"] * bool(kms)
                wanted = {(member, name): documents.fill(name, values) for name in attached}
                wanted[(member, "trust")] = documents.fill("member-trust", values)
                self.assertLess(sum(bare(d) for (_, name), d in wanted.items() if name != "trust"), INLINE_CHARS_MAX)
                self.assertLess(bare(wanted[(member, "trust")]), TRUST_CHARS_MAX)
            if not has_forwarder:
                wanted[(forwarder, "forwarder")] = documents.fill("forwarder", values)
                wanted[(forwarder, "trust")] = documents.fill("forwarder-trust", values)
            stack = rollouts.member_global(place, home, **given)
            self.same(rollouts.documents(stack), wanted, given)
            self.assertTrue(stack.resources, "a stack without a resource is refused")

    def test_regional(self) -> None:
        for (place, home), key in itertools.product(PLACES, [False, True]):
            arn = f"arn:{place.partition}:kms:{place.region}:{place.account}:key/1" if key else ""
            stack = rollouts.member_regional(place, home, DeadLetterKmsKeyArn=arn)
            here = f"arn:{place.partition}:{{}}:{place.region}:{place.account}:{{}}"
            rules = [here.format("events", f"rule/spothub-{lane}") for lane in ("urgent", "normal", "probe")]
            values: dict[str, Any] = {
                "queue_arn": here.format("sqs", "spothub-forward-dead"),
                "rule_arns": rules,
            }
            wanted = {("spothub-forward-dead", "queue"): documents.fill("dead-letter", values)}
            self.same(rollouts.documents(stack), wanted, place)

    def test_boundaries_are_on_every_role(self) -> None:
        boundary = f"arn:aws:iam::{MEMBER.account}:policy/limit"
        for stack in (
            rollouts.member_global(PermissionsBoundaryArn=boundary),
            rollouts.hub(PermissionsBoundaryArn=boundary, **FULL),
        ):
            roles = stack.of_type("AWS::IAM::Role")
            self.assertTrue(roles)
            for name, role in roles.items():
                self.assertEqual(role.get("PermissionsBoundary"), boundary, name)
        for role in rollouts.member_global().of_type("AWS::IAM::Role").values():
            self.assertNotIn("PermissionsBoundary", role)


FULL = {
    "ImageUri": "999988887777.dkr.ecr.us-east-1.amazonaws.com/spothub:1",
    "SubnetIds": "subnet-12345678",
    "Dashboard": "on",
    "MeteringMode": "trial",
}


class Hub(Same):
    """hub.yaml."""

    def test_in_every_combination(self) -> None:
        existing = [
            "HubRoleArn",
            "HubExecutionRoleArn",
            "DashboardRoleArn",
            "MeteringRoleArn",
            "MeteringScheduleRoleArn",
        ]
        gaps = [frozenset(), *(frozenset([name]) for name in existing), frozenset(existing)]
        services = [{}, {k: FULL[k] for k in ("ImageUri", "SubnetIds")}, FULL]
        operators = [[], ["arn:aws:iam::999988887777:role/ops", "arn:aws:iam::999988887777:role/ci/*"]]
        repositories = [[], ["arn:aws:ecr:us-east-1:999988887777:repository/platform/swap"]]
        stores = [("", "", "/"), ("old-table", "old-bucket", "/platform/")]
        for (_, place), gap, service, people, images, (table, bucket, path) in itertools.product(
            PLACES, gaps, services, operators, repositories, stores
        ):
            role = f"arn:{place.partition}:iam::{place.account}:role"
            given = {
                **service,
                **{name: f"{role}/theirs/{name}" for name in gap},
                "OperatorArns": ",".join(people),
                "ImageRepositoryArns": ",".join(images),
                "TableName": table,
                "PolicyBucketName": bucket,
                "RolePath": path,
                "MemberRolePath": path,
                "ForwarderRolePath": path,
            }
            stack = rollouts.hub(place, **given)
            self.same(rollouts.documents(stack), self.wanted(place, given, gap), given)
            for name, output in {"HubRoleArn": f"{role}{path}spothub-hub", "TableName": "spothub"}.items():
                self.assertEqual(stack.outputs[name], given.get(name) or output)

    @staticmethod
    def wanted(place: Place, given: dict[str, str], gap: frozenset[str]) -> rollouts.Documents:
        here = f"arn:{place.partition}:{{}}:{place.region}:{place.account}:{{}}"
        path = given["RolePath"]
        role = f"arn:{place.partition}:iam::{place.account}:role{path}"
        bucket = given["PolicyBucketName"] or f"spothub-policy-{place.account}-{place.region}"
        people = [arn for arn in given["OperatorArns"].split(",") if arn]
        images = [arn for arn in given["ImageRepositoryArns"].split(",") if arn]
        queues = {
            f"{lane}_{end}_arn": here.format("sqs", f"spothub-{lane}{suffix}")
            for lane in ("urgent", "normal", "probe")
            for end, suffix in (("queue", ""), ("dead", "-dead"))
        }
        values: dict[str, Any] = {
            **queues,
            "partition": place.partition,
            "region": place.region,
            "account": place.account,
            "hub_account": place.account,
            "hub_bus_arn": rollouts.bus_arn(place),
            "hub_bus_name": "spothub",
            "organization": ORGANIZATION,
            "member_role_path": path,
            "member_role_name": "spothub-member",
            "forwarder_role_path": path,
            "forwarder_role_name": "spothub-forwarder",
            "table_arn": here.format("dynamodb", f"table/{given['TableName'] or 'spothub'}"),
            "policy_bucket": bucket,
            "policy_parameter": "/spothub/policy",
            "operator_arns": people,
            "image_repository_arns": images or [f"arn:{place.partition}:ecr:*:*:repository/*spothub*"],
            "log_group_arn": here.format("logs", "log-group:/spothub/hub"),
            "cluster_arn": here.format("ecs", "cluster/spothub"),
            "hub_execution_role_arn": given.get("HubExecutionRoleArn", f"{role}spothub-hub-execution"),
            "metering_role_arn": given.get("MeteringRoleArn", f"{role}spothub-metering"),
        }

        def filled(name: str, **more: Any) -> dict[str, Any]:
            return documents.fill(name, {**values, **more})

        wanted: rollouts.Documents = {("spothub", "bus"): filled("bus")}
        for lane in ("urgent", "normal", "probe"):
            rule = here.format("events", f"rule/spothub/spothub-{lane}")
            wanted[(f"spothub-{lane}", "queue")] = filled("queue", queue_arn=queues[f"{lane}_queue_arn"], rule_arn=rule)
            wanted[(f"spothub-{lane}-dead", "queue")] = filled(
                "dead-letter", queue_arn=queues[f"{lane}_dead_arn"], rule_arns=[rule]
            )
        if not given["PolicyBucketName"]:
            wanted[(bucket, "bucket")] = filled("bucket")
        tasks = filled("hub-trust")
        if "HubRoleArn" not in gap:
            trust = filled("hub-trust")
            if people:
                trust["Statement"] += filled("operator-trust")["Statement"]
            wanted[("spothub-hub", "trust")] = trust
            wanted[("spothub-hub", "hub")] = filled("hub")
        if "ImageUri" in given and "HubExecutionRoleArn" not in gap:
            wanted[("spothub-hub-execution", "trust")] = tasks
            wanted[("spothub-hub-execution", "hub-execution")] = filled("hub-execution")
        if "Dashboard" in given and "DashboardRoleArn" not in gap:
            wanted[("spothub-dashboard", "trust")] = tasks
            wanted[("spothub-dashboard", "dashboard")] = filled("dashboard")
        if "MeteringMode" in given:
            dead, rule = here.format("sqs", "spothub-metering-dead"), here.format("events", "rule/spothub-metering")
            wanted[("spothub-metering-dead", "queue")] = filled("dead-letter", queue_arn=dead, rule_arns=[rule])
            if "MeteringRoleArn" not in gap:
                wanted[("spothub-metering", "trust")] = tasks
                wanted[("spothub-metering", "metering")] = filled("metering")
            if "MeteringScheduleRoleArn" not in gap:
                wanted[("spothub-metering-schedule", "trust")] = filled("metering-schedule-trust")
                wanted[("spothub-metering-schedule", "metering-schedule")] = filled("metering-schedule")
        return wanted

    def test_what_a_service_needs_is_asked_for(self) -> None:
        for given in ({"ImageUri": "x:1"}, {"Dashboard": "on"}, {"MeteringMode": "trial"}):
            with self.assertRaises(RenderError):
                rollouts.hub(**given)


class Documents(unittest.TestCase):
    """The documents themselves."""

    def test_each_is_in_a_template(self) -> None:
        made = set(BESIDE)
        for guard in ("opt-in-tag", "opt-out-tag", "none"):
            stack = rollouts.member_global(
                GroupGuard=guard,
                AllowLaunchConfigurations="true",
                AllowOnDemandFallback="true",
                AllowEcsDraining="true",
                PassableRoleArns="arn:aws:iam::*:role/a",
                KmsKeyArns="arn:aws:kms:eu-west-1:111122223333:key/1",
            )
            made |= {name for _, name in rollouts.documents(stack)}
        made |= {name for _, name in rollouts.documents(rollouts.hub(**FULL))}
        trusts = {"member-trust", "forwarder-trust", "hub-trust", "operator-trust", "metering-schedule-trust"}
        made = (made - {"trust"}) | trusts | {"dead-letter"}
        self.assertEqual(made, set(documents.names()))

    def test_statements_have_names_and_no_star_among_allowed_actions(self) -> None:
        for name in documents.names():
            with self.subTest(name):
                document = documents.load(name)
                self.assertEqual(document["Version"], "2012-10-17")
                sids = [statement["Sid"] for statement in document["Statement"]]
                self.assertEqual(len(set(sids)), len(sids))
                for sid in sids:
                    self.assertRegex(sid, "^[A-Z][A-Za-z]+$")
                for action in documents.allowed(document):
                    self.assertNotIn("*", action)
                for statement in document["Statement"]:
                    for key in ("Action", "Resource"):
                        told = statement.get(key, "x")
                        if isinstance(told, list):
                            self.assertEqual(len(set(told)), len(told), statement["Sid"])
                    if isinstance(statement["Action"], list):
                        self.assertEqual(sorted(statement["Action"]), statement["Action"], statement["Sid"])

    def test_no_partition_is_written_out(self) -> None:
        for name in documents.names():
            self.assertNotIn("arn:aws", json.dumps(documents.load(name)), name)
