"""The templates as files: lint, size, what is not in them, and names that they share with others."""

from __future__ import annotations

import json
import re
import unittest
from typing import Any

from cfnlint.api import lint
from cfnlint.config import ManualArgs

from templates import documents, rollouts
from templates.places import PROJECT, TEMPLATE_BYTES_MAX, TEMPLATES
from templates.selftests.test_documents import FULL

NAMES = ("hub", "member-global", "member-regional")
LANES = {"urgent": 300, "normal": 3600, "probe": 300}


def text(name: str) -> str:
    return (TEMPLATES / f"{name}.yaml").read_text(encoding="utf-8")


class Files(unittest.TestCase):
    """What holds of every template."""

    def test_there_are_three(self) -> None:
        self.assertEqual(sorted(path.stem for path in TEMPLATES.glob("*.yaml")), sorted(NAMES))

    def test_lint(self) -> None:
        for name in NAMES:
            with self.subTest(name):
                # Information too, and nothing left out: neither here nor in the template.
                self.assertNotIn("cfn-lint", text(name))
                found = lint(text(name), config=ManualArgs(include_checks=["I"], regions=["us-east-1", "eu-west-1"]))
                self.assertEqual([f"{match.rule.id} line {match.linenumber}: {match.message}" for match in found], [])

    def test_sizes(self) -> None:
        for name in NAMES:
            self.assertLess(len(text(name).encode()), TEMPLATE_BYTES_MAX, name)

    def test_no_transform_no_partition_no_account(self) -> None:
        for name in NAMES:
            with self.subTest(name):
                self.assertNotIn("Transform", rollouts.template(name))
                told = json.dumps(rollouts.template(name))
                self.assertNotIn("Fn::Transform", told)
                self.assertNotIn("AWS::Include", told)
                self.assertNotRegex(told, r"arn:aws[a-z-]*:")
                self.assertNotRegex(told, r"\b[0-9]{12}\b")
                self.assertNotRegex(told, r"\b(us|eu|ap|sa|ca|af|me|il|cn)-[a-z]+-[0-9]\b")

    def test_parameters_are_described_and_used(self) -> None:
        for name in NAMES:
            told = text(name)
            for parameter, about in rollouts.template(name)["Parameters"].items():
                with self.subTest(f"{name} {parameter}"):
                    self.assertTrue(about["Description"].endswith("."))
                    uses = re.findall(rf"(?:!Ref |\$\{{|Ref: ){parameter}\b", told)
                    self.assertTrue(uses)

    def test_one_version_everywhere(self) -> None:
        for name in NAMES:
            template = rollouts.template(name)
            version = template["Metadata"]["spothub"]["Version"]
            self.assertEqual(version, 1)
            self.assertEqual(template["Outputs"]["TemplateVersion"]["Value"], str(version))
            for rule in (r for r in template["Resources"].values() if r["Type"] == "AWS::Events::Rule"):
                self.assertTrue(rule["Properties"]["Description"].endswith(f"(template {version})"))
            for role in (r for r in template["Resources"].values() if r["Type"] == "AWS::IAM::Role"):
                self.assertIn({"Key": "spothub:template-version", "Value": str(version)}, role["Properties"]["Tags"])


class Events(unittest.TestCase):
    """Rules, and what they let through."""

    patterns: dict[str, Any] = json.loads((TEMPLATES / "events.json").read_text(encoding="utf-8"))

    def test_rules_have_the_patterns(self) -> None:
        self.assertEqual(set(self.patterns), set(LANES))
        for stack in (rollouts.member_regional(), rollouts.hub()):
            rules = {rule["Name"]: rule for rule in stack.of_type("AWS::Events::Rule").values()}
            self.assertEqual(set(rules), {f"spothub-{lane}" for lane in LANES})
            for lane, pattern in self.patterns.items():
                self.assertEqual(rules[f"spothub-{lane}"]["EventPattern"], pattern)
                self.assertEqual(rules[f"spothub-{lane}"]["State"], "ENABLED")
                self.assertLess(len(json.dumps(pattern, separators=(",", ":"))), 2048)

    def test_patterns_name_what_the_engine_parses(self) -> None:
        code = (PROJECT / "control-plane/core/src/event.rs").read_text(encoding="utf-8").split("#[cfg(test)]")[0]
        known = set(re.findall(r'"((?:EC2|Cloud|ECS)[A-Z a-z-]+)"', code))
        normal = self.patterns["normal"]["$or"]
        told = [self.patterns["urgent"], *normal]
        self.assertEqual({kind for one in told for kind in one["detail-type"]}, known)
        for one in told:
            (source,) = one["source"]
            self.assertIn(source, ("aws.ec2", "aws.autoscaling"))
            self.assertIn(f'"{source}"', code)
        self.assertEqual(normal[0]["detail"]["state"], ["running", "terminated"])
        self.assertEqual(sum("detail" in one for one in told), 1)

    def test_every_target_has_dead_letters_and_a_limit(self) -> None:
        for stack in (rollouts.member_regional(), rollouts.hub(**FULL)):
            dead = {policy["Queues"][0] for policy in stack.of_type("AWS::SQS::QueuePolicy").values()}
            arns = {stack.place.account + ":" + url.rsplit("/", 1)[-1] for url in dead}
            for rule in stack.of_type("AWS::Events::Rule").values():
                for target in rule["Targets"]:
                    lane = rule["Name"].removeprefix("spothub-")
                    self.assertEqual(target["RetryPolicy"]["MaximumEventAgeInSeconds"], LANES.get(lane, 1800))
                    self.assertIn(target["DeadLetterConfig"]["Arn"].split(":", 4)[4], arns)
                    self.assertFalse({"Input", "InputPath", "InputTransformer"} & set(target))

    def test_members_send_to_the_hub_with_a_role(self) -> None:
        theirs = "arn:aws:iam::111122223333:role/theirs"
        for given, role in (
            ({}, "arn:aws:iam::111122223333:role/spothub-forwarder"),
            ({"RolePath": "/a/b/", "ForwarderRoleName": "f"}, "arn:aws:iam::111122223333:role/a/b/f"),
            ({"ForwarderRoleArn": theirs}, theirs),
        ):
            for rule in rollouts.member_regional(**given).of_type("AWS::Events::Rule").values():
                (target,) = rule["Targets"]
                self.assertEqual((target["Arn"], target["RoleArn"]), (rollouts.bus_arn(), role))

    def test_the_hub_sorts_each_lane_into_its_queue(self) -> None:
        stack = rollouts.hub()
        for rule in stack.of_type("AWS::Events::Rule").values():
            (target,) = rule["Targets"]
            self.assertEqual(rule["EventBusName"], "spothub")
            self.assertTrue(target["Arn"].endswith(":" + rule["Name"]))
            self.assertEqual(target["DeadLetterConfig"]["Arn"], target["Arn"] + "-dead")
        for queue in stack.of_type("AWS::SQS::Queue").values():
            if not queue["QueueName"].endswith("-dead"):
                self.assertTrue(queue["RedrivePolicy"]["deadLetterTargetArn"].endswith(f":{queue['QueueName']}-dead"))


class Names(unittest.TestCase):
    """Names that have to be the same in several places."""

    def test_defaults_agree(self) -> None:
        parameters = {name: rollouts.template(name)["Parameters"] for name in NAMES}
        for one, other in (
            (("hub", "MemberRoleName"), ("member-global", "MemberRoleName")),
            (("hub", "MemberRolePath"), ("member-global", "RolePath")),
            (("hub", "ForwarderRoleName"), ("member-global", "ForwarderRoleName")),
            (("hub", "ForwarderRolePath"), ("member-global", "RolePath")),
            (("hub", "HubRoleName"), ("member-global", "HubRoleName")),
            (("hub", "RolePath"), ("member-global", "HubRolePath")),
            (("member-regional", "ForwarderRoleName"), ("member-global", "ForwarderRoleName")),
            (("member-regional", "RolePath"), ("member-global", "RolePath")),
            (("hub", "GroupGuard"), ("member-global", "GroupGuard")),
            (("hub", "PassableRoleArns"), ("member-global", "PassableRoleArns")),
            (("hub", "AllowOnDemandFallback"), ("member-global", "AllowOnDemandFallback")),
            (("hub", "AllowEcsDraining"), ("member-global", "AllowEcsDraining")),
            (("hub", "AllowLaunchConfigurations"), ("member-global", "AllowLaunchConfigurations")),
        ):
            mine, theirs = parameters[one[0]][one[1]], parameters[other[0]][other[1]]
            for key in ("Type", "Default", "AllowedValues", "AllowedPattern"):
                self.assertEqual(mine.get(key), theirs.get(key), f"{one} {other} {key}")

    def test_what_the_member_document_names_is_made(self) -> None:
        made = rollouts.member_regional()
        (queue,) = [queue["QueueName"] for queue in made.of_type("AWS::SQS::Queue").values()]
        told = json.dumps(documents.load("member"))
        self.assertIn(f':{queue}"', told)
        self.assertIn("rule/spothub-*", told)

    def test_the_workers_settings_are_known(self) -> None:
        code = (PROJECT / "control-plane/cli/src/config/key.rs").read_text(encoding="utf-8")
        paths = re.findall(r'\b(?:one|many|span|switch)\(\s*"([a-z.-]+)"', code) + re.findall(
            r'\bpath: "([a-z.-]+)"', code
        )
        known = {"SPOTHUB_" + re.sub("[.-]", "_", path).upper() for path in paths}
        self.assertGreater(len(known), 30)
        needed = {
            "SPOTHUB_" + re.sub("[.-]", "_", path).upper()
            for path in re.findall(r'\bone\(\s*"([a-z.-]+)",\s*Needed|\bmany\(\s*"([a-z.-]+)",\s*Needed', code)
            for path in path
            if path
        }
        (container,) = rollouts.hub(**FULL).resources["WorkerTask"]["Properties"]["ContainerDefinitions"]
        told = {entry["Name"]: entry["Value"] for entry in container["Environment"]}
        self.assertEqual(set(told) - known, set())
        self.assertEqual(needed - set(told), set())
        self.assertEqual(told["SPOTHUB_MEMBER_ROLE"], "arn:aws:iam::{account}:role/spothub-member")
        self.assertEqual(told["SPOTHUB_STORE"], "dynamodb:spothub")
        self.assertEqual(told["SPOTHUB_POLICIES"], "ssm:/spothub/policy")
        self.assertEqual(told["SPOTHUB_REGIONS"], "us-east-1,eu-west-1")

    def test_outputs(self) -> None:
        outputs = rollouts.hub().outputs
        self.assertEqual(
            outputs,
            {
                "BusArn": "arn:aws:events:us-east-1:999988887777:event-bus/spothub",
                "UrgentQueueUrl": "https://sqs.us-east-1.amazonaws.com/999988887777/spothub-urgent",
                "NormalQueueUrl": "https://sqs.us-east-1.amazonaws.com/999988887777/spothub-normal",
                "ProbeQueueUrl": "https://sqs.us-east-1.amazonaws.com/999988887777/spothub-probe",
                "TableName": "spothub",
                "HubRoleArn": "arn:aws:iam::999988887777:role/spothub-hub",
                "PolicyBucket": "spothub-policy-999988887777-us-east-1",
                "PolicyParameter": "/spothub/policy",
                "TemplateVersion": "1",
            },
        )


class Kept(unittest.TestCase):
    """What must not be lost, opened or run as root."""

    def test_table_and_bucket_stay(self) -> None:
        template = rollouts.template("hub")["Resources"]
        for name in ("Store", "PolicyBucket", "PolicyBucketPolicy"):
            self.assertEqual((template[name]["DeletionPolicy"], template[name]["UpdateReplacePolicy"]), ("Retain",) * 2)
        table = rollouts.hub().resources["Store"]["Properties"]
        keys = [(key["AttributeName"], key["KeyType"]) for key in table["KeySchema"]]
        self.assertEqual(keys, [("p", "HASH"), ("k", "RANGE")])
        self.assertEqual(
            {a["AttributeName"]: a["AttributeType"] for a in table["AttributeDefinitions"]}, {"p": "S", "k": "S"}
        )
        self.assertTrue(table["DeletionProtectionEnabled"])
        self.assertTrue(table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"])
        self.assertEqual(table["TimeToLiveSpecification"], {"AttributeName": "x", "Enabled": True})
        self.assertFalse({"StreamSpecification", "LocalSecondaryIndexes", "GlobalSecondaryIndexes"} & set(table))
        bucket = rollouts.hub().resources["PolicyBucket"]["Properties"]
        self.assertEqual(bucket["VersioningConfiguration"], {"Status": "Enabled"})
        self.assertTrue(all(bucket["PublicAccessBlockConfiguration"].values()))
        self.assertEqual(len(bucket["PublicAccessBlockConfiguration"]), 4)

    def test_everything_is_encrypted(self) -> None:
        key = "arn:aws:kms:us-east-1:999988887777:key/1"
        for given in ({}, {"KmsKeyArn": key}):
            stack = rollouts.hub(**FULL, **given)
            for queue in stack.of_type("AWS::SQS::Queue").values():
                self.assertEqual(queue.get("KmsMasterKeyId"), key if given else None)
                self.assertEqual(queue.get("SqsManagedSseEnabled"), None if given else True)
                self.assertIn("MessageRetentionPeriod", queue)
            table = stack.resources["Store"]["Properties"]
            self.assertEqual(table.get("SSESpecification", {}).get("KMSMasterKeyId"), key if given else None)
            (rule,) = stack.resources["PolicyBucket"]["Properties"]["BucketEncryption"][
                "ServerSideEncryptionConfiguration"
            ]
            algorithm = rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"]
            self.assertEqual(algorithm, "aws:kms" if given else "AES256")
            self.assertEqual(stack.resources["Logs"]["Properties"].get("KmsKeyId"), key if given else None)

    def test_containers_are_locked_down(self) -> None:
        stack = rollouts.hub(**FULL)
        tasks = stack.of_type("AWS::ECS::TaskDefinition")
        self.assertEqual(len(tasks), 3)
        roles = {task["TaskRoleArn"] for task in tasks.values()}
        self.assertEqual(len(roles), 3, "each has its own")
        for task in tasks.values():
            (container,) = task["ContainerDefinitions"]
            self.assertNotEqual(task["TaskRoleArn"], task["ExecutionRoleArn"])
            self.assertTrue(container["ReadonlyRootFilesystem"])
            self.assertRegex(container["User"], "^[1-9][0-9]*:[1-9][0-9]*$")
            self.assertEqual(container["LinuxParameters"], {"Capabilities": {"Drop": ["ALL"]}})
            self.assertFalse({"PortMappings", "Secrets", "Privileged"} & set(container))
            self.assertEqual(container["LogConfiguration"]["Options"]["awslogs-group"], "/spothub/hub")
        for service in stack.of_type("AWS::ECS::Service").values():
            self.assertEqual(
                service["DeploymentConfiguration"]["DeploymentCircuitBreaker"], {"Enable": True, "Rollback": True}
            )
            self.assertEqual(service["NetworkConfiguration"]["AwsvpcConfiguration"]["AssignPublicIp"], "DISABLED")
            self.assertNotIn("LoadBalancers", service)

    def test_options_are_off(self) -> None:
        kinds = {made["Type"] for made in rollouts.hub().resources.values()}
        self.assertFalse([kind for kind in kinds if "ECS" in kind or "Logs" in kind])
        only = rollouts.hub(ImageUri="x:1", SubnetIds="subnet-12345678")
        self.assertEqual(set(only.of_type("AWS::ECS::Service")), {"WorkerService"})
        self.assertFalse([name for name in only.resources if "Metering" in name or "Dashboard" in name])

    def test_alarms_watch_what_is_there(self) -> None:
        topic = "arn:aws:sns:us-east-1:999988887777:ops"
        stack = rollouts.hub(**FULL, AlarmTopicArn=topic)
        queues = {queue["QueueName"] for queue in stack.of_type("AWS::SQS::Queue").values()}
        dead = set()
        for alarm in stack.of_type("AWS::CloudWatch::Alarm").values():
            self.assertEqual(alarm["AlarmActions"], [topic])
            told = {dimension["Name"]: dimension["Value"] for dimension in alarm["Dimensions"]}
            if alarm["Namespace"] == "AWS/SQS":
                self.assertIn(told["QueueName"], queues)
                if alarm["MetricName"] == "ApproximateNumberOfMessagesVisible":
                    dead.add(told["QueueName"])
            elif alarm["Namespace"] == "AWS/ECS":
                self.assertEqual(told, {"ClusterName": "spothub", "ServiceName": "spothub-worker"})
            else:
                self.assertEqual((alarm["Namespace"], told), ("AWS/DynamoDB", {"TableName": "spothub"}))
        self.assertEqual(dead, {queue for queue in queues if queue.endswith("-dead")})
        for alarm in rollouts.hub().of_type("AWS::CloudWatch::Alarm").values():
            self.assertNotIn("AlarmActions", alarm)
