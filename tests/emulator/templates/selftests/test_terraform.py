"""The Terraform modules: parsed, never planned. What they name is there, and they make what the templates make."""

from __future__ import annotations

import re
import unittest
from typing import Any

import hcl2

from templates import documents, rollouts
from templates.places import TERRAFORM
from templates.selftests.test_templates import LANES

MODULES = ("hub", "member-global", "member-regional")

#: What stands for a resource of CloudFormation.
STANDS_FOR = {
    "AWS::CloudFormation::WaitConditionHandle": (),
    "AWS::CloudWatch::Alarm": ("aws_cloudwatch_metric_alarm",),
    "AWS::DynamoDB::Table": ("aws_dynamodb_table",),
    "AWS::ECS::Cluster": ("aws_ecs_cluster",),
    "AWS::ECS::Service": ("aws_ecs_service",),
    "AWS::ECS::TaskDefinition": ("aws_ecs_task_definition",),
    "AWS::Events::EventBus": ("aws_cloudwatch_event_bus",),
    "AWS::Events::EventBusPolicy": ("aws_cloudwatch_event_bus_policy",),
    "AWS::Events::Rule": ("aws_cloudwatch_event_rule", "aws_cloudwatch_event_target"),
    "AWS::IAM::Policy": ("aws_iam_role_policy",),
    "AWS::IAM::Role": ("aws_iam_role", "aws_iam_role_policy"),
    "AWS::Logs::LogGroup": ("aws_cloudwatch_log_group",),
    "AWS::S3::Bucket": (
        "aws_s3_bucket", "aws_s3_bucket_ownership_controls", "aws_s3_bucket_public_access_block",
        "aws_s3_bucket_server_side_encryption_configuration", "aws_s3_bucket_versioning",
    ),
    "AWS::S3::BucketPolicy": ("aws_s3_bucket_policy",),
    "AWS::SQS::Queue": ("aws_sqs_queue",),
    "AWS::SQS::QueuePolicy": ("aws_sqs_queue_policy",),
}  # fmt: skip


def snake(name: str) -> str:
    """A parameter's name as Terraform would write it."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _plain(part: Any) -> Any:
    """A parsed file without the parser's own marks."""
    if isinstance(part, dict):
        return {
            _plain(key): _plain(value) for key, value in part.items() if key not in ("__is_block__", "__comments__")
        }
    if isinstance(part, list):
        return [_plain(value) for value in part]
    if isinstance(part, str) and len(part) > 1 and part[0] == part[-1] == '"':
        return part[1:-1]
    return part


class Module:
    """A module as its files say it."""

    def __init__(self, name: str) -> None:
        self.text = ""
        self.blocks: dict[str, list[Any]] = {}
        for path in sorted((TERRAFORM / name).glob("*.tf")):
            told = path.read_text(encoding="utf-8")
            self.text += told
            for kind, found in _plain(hcl2.loads(told)).items():
                self.blocks.setdefault(kind, []).extend(found)
        self.locals = {key: value for block in self.blocks["locals"] for key, value in block.items()}
        self.resources = [
            (kind, name) for block in self.blocks["resource"] for kind, named in block.items() for name in named
        ]

    def named(self, kind: str) -> dict[str, Any]:
        """Blocks with one name: variables and outputs."""
        return {name: body for block in self.blocks[kind] for name, body in block.items()}

    def resource(self, kind: str, name: str) -> dict[str, Any]:
        """One resource."""
        return next(block[kind][name] for block in self.blocks["resource"] if kind in block and name in block[kind])


class Modules(unittest.TestCase):
    """All modules."""

    modules = {name: Module(name) for name in MODULES}

    def test_variables_are_the_parameters(self) -> None:
        types = {"String": "string", "Number": "number", "CommaDelimitedList": "${list(string)}"}
        for name, module in self.modules.items():
            parameters = rollouts.template(name)["Parameters"]
            variables = module.named("variable")
            self.assertEqual(set(variables), {snake(parameter) for parameter in parameters}, name)
            for parameter, about in parameters.items():
                with self.subTest(f"{name} {parameter}"):
                    variable = variables[snake(parameter)]
                    is_flag = about.get("AllowedValues") == ["true", "false"]
                    self.assertEqual(variable["type"], "bool" if is_flag else types[about["Type"]])
                    self.assertEqual(variable["description"], about["Description"])
                    self.assertEqual("default" in variable, "Default" in about)
                    told = variable.get("default")
                    told = ",".join(told) if isinstance(told, list) else told
                    self.assertEqual(None if told is None else str(told).lower(), _lower(about.get("Default")))
                    allowed = about.get("AllowedValues")
                    self.assertEqual("validation" in variable, allowed is not None and not is_flag)

    def test_outputs_are_the_templates(self) -> None:
        for name, module in self.modules.items():
            outputs = rollouts.template(name)["Outputs"]
            self.assertEqual(set(module.named("output")), {snake(output) for output in outputs}, name)

    def test_what_is_named_is_there(self) -> None:
        for name, module in self.modules.items():
            variables, resources = (
                set(module.named("variable")),
                {f"{kind}.{called}" for kind, called in module.resources},
            )
            data = {
                f"data.{kind}.{called}"
                for block in module.blocks["data"]
                for kind, named in block.items()
                for called in named
            }
            code = re.sub(r"#.*", "", module.text)
            self.assertEqual(set(re.findall(r"\bvar\.([a-z_]+)", code)), variables, name)
            self.assertEqual(set(re.findall(r"\blocal\.([a-z_]+)", code)) - set(module.locals), set(), name)
            self.assertEqual(set(module.locals) - set(re.findall(r"\blocal\.([a-z_]+)", code)), set(), name)
            used = set(re.findall(r"(?<![\w.])(aws_[a-z0-9_]+\.[a-z_]+)", code))
            self.assertEqual(used - resources, set(), name)
            self.assertEqual(set(re.findall(r"\b(data\.aws_[a-z_]+\.[a-z_]+)", code)), data, name)

    def test_resources_correspond(self) -> None:
        for name, module in self.modules.items():
            kinds = {resource["Type"] for resource in rollouts.template(name)["Resources"].values()}
            wanted = {kind for one in kinds for kind in STANDS_FOR[one]}
            self.assertEqual({kind for kind, _ in module.resources}, wanted, name)

    def test_documents_are_read_and_filled(self) -> None:
        for name, module in self.modules.items():
            values = set(module.locals.get("values", {}))
            read = set()
            for file, given in re.findall(
                r'templatefile\("\$\{local\.documents\}/([^"]+)\.json", ([^)]*)', module.text
            ):
                names = list(module.locals["grants"]) if file == "${each.key}" else [file]
                own = set(re.findall(r"^\s*([a-z_]+)\s*=", given, re.MULTILINE))
                supplied = own | (values if "local.values" in given else set())
                for document in names:
                    with self.subTest(f"{name} {document}"):
                        self.assertIn(document, documents.names())
                        self.assertEqual(documents.placeholders(document) - supplied, set())
                read |= set(names)
            self.assertEqual(read, _documents_of(name), name)
        for name in MODULES:
            self.assertNotIn("aws_iam_policy_document", self.modules[name].text)
            self.assertNotIn('"Statement"', self.modules[name].text)

    def test_events_are_read(self) -> None:
        for name in ("hub", "member-regional"):
            module = self.modules[name]
            self.assertIn("events.json", module.locals["patterns"])
            self.assertEqual({lane: about["age"] for lane, about in module.locals["lanes"].items()}, LANES)
            rule = module.resource("aws_cloudwatch_event_rule", "lane")
            self.assertEqual(rule["event_pattern"], "${jsonencode(local.patterns[each.key])}")
            self.assertEqual(rule["name"], "spothub-${each.key}")
            self.assertTrue((TERRAFORM / name / "../../events.json").resolve().is_file())
            self.assertTrue((TERRAFORM / name / "../../../policies/iam").resolve().is_dir())
        target = self.modules["member-regional"].resource("aws_cloudwatch_event_target", "hub")
        self.assertEqual((target["arn"], target["role_arn"]), ("${var.hub_bus_arn}", "${local.forwarder}"))

    def test_every_target_has_dead_letters_and_a_limit(self) -> None:
        for name, module in self.modules.items():
            for kind, called in module.resources:
                if kind == "aws_cloudwatch_event_target":
                    target = module.resource(kind, called)
                    self.assertIn("dead_letter_config", target, name)
                    self.assertIn("retry_policy", target, name)

    def test_settings_are_the_workers(self) -> None:
        module = self.modules["hub"]
        from templates.selftests.test_documents import FULL

        tasks = rollouts.hub(**FULL).of_type("AWS::ECS::TaskDefinition")
        for name, local in (("WorkerTask", "settings"), ("DashboardTask", "shared_settings")):
            (container,) = tasks[name]["ContainerDefinitions"]
            self.assertEqual({entry["Name"] for entry in container["Environment"]}, set(module.locals[local]))
        (container,) = tasks["MeteringTask"]["ContainerDefinitions"]
        told = {entry["Name"] for entry in container["Environment"]} - set(module.locals["shared_settings"])
        self.assertEqual(told, set(re.findall(r"SPOTHUB_METERING_[A-Z_]+", module.text)))

    def test_names_are_the_templates(self) -> None:
        hub, member = self.modules["hub"], self.modules["member-global"]
        for module, name in (
            (hub, "hub"),
            (member, "member-global"),
            (self.modules["member-regional"], "member-regional"),
        ):
            version = rollouts.template(name)["Metadata"]["spothub"]["Version"]
            self.assertEqual(module.locals["template_version"], str(version))
        for kind, called, key, wanted in (
            ("aws_cloudwatch_event_bus", "hub", "name", "spothub"),
            ("aws_iam_role", "execution", "name", "spothub-hub-execution"),
            ("aws_iam_role", "dashboard", "name", "spothub-dashboard"),
            ("aws_iam_role", "metering", "name", "spothub-metering"),
            ("aws_iam_role", "schedule", "name", "spothub-metering-schedule"),
            ("aws_ecs_cluster", "hub", "name", "spothub"),
            ("aws_sqs_queue", "lane", "name", "spothub-${each.key}"),
            ("aws_sqs_queue", "dead", "name", "spothub-${each.key}-dead"),
            ("aws_sqs_queue", "metering_dead", "name", "spothub-metering-dead"),
            ("aws_ecs_service", "worker", "name", "spothub-worker"),
            ("aws_dynamodb_table", "store", "hash_key", "p"),
            ("aws_dynamodb_table", "store", "range_key", "k"),
        ):
            self.assertEqual(hub.resource(kind, called)[key], wanted)
        alarms = {alarm["AlarmName"] for alarm in rollouts.hub().of_type("AWS::CloudWatch::Alarm").values()}
        waits = {f"spothub-{lane}-age" for lane in hub.locals["waits"]}
        self.assertEqual(alarms, {f"spothub-{lane}-dead" for lane in LANES} | waits | {"spothub-store"})
        for kind, called in (("aws_iam_role", "member"), ("aws_iam_role", "forwarder")):
            self.assertIn("permissions_boundary", member.resource(kind, called))

    def test_the_page_says_that_nothing_was_planned(self) -> None:
        page = (TERRAFORM / "README.md").read_text(encoding="utf-8")
        self.assertIn("never initialized, planned or applied", page)
        for name in MODULES:
            self.assertIn(f"`{name}`", page)


def _lower(default: Any) -> str | None:
    return None if default is None else str(default).lower()


def _documents_of(name: str) -> set[str]:
    """The documents that a template makes, all options together."""
    if name == "member-regional":
        return {"dead-letter"}
    if name == "member-global":
        return {d for d in documents.names() if d.startswith(("member", "forwarder"))}
    return {
        "hub", "hub-trust", "operator-trust", "hub-execution", "dashboard", "metering", "metering-schedule",
        "metering-schedule-trust", "bus", "queue", "dead-letter", "bucket",
    }  # fmt: skip
