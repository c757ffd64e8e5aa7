"""What the hub's own roles do in its account."""

from __future__ import annotations

from collections.abc import Iterable

from templates.asking import (
    ALLOW,
    BUCKET,
    DENY,
    LANES,
    MEMBER_ROLE,
    POINTER,
    STORE,
    TABLE,
    UNITS,
    Row,
    ask,
    dashboard,
    each,
    ec2,
    events,
    execution,
    hub,
    let_in,
    metering,
    queue,
    rule,
    schedule,
    service,
)
from templates.judge import Check
from templates.places import EXTERNAL_ID, HUB, MEMBER, ORGANIZATION, OTHER, OTHER_ORGANIZATION
from templates.rollouts import bus_arn
from templates.worlds import LOGS, REPOSITORY, ROLE


def work() -> list[Row]:
    """What the hub's own roles do in its account."""
    public = [
        "ec2:DescribeAvailabilityZones",
        "ec2:DescribeInstanceTypeOfferings",
        "ec2:DescribeInstanceTypes",
        "ec2:DescribeSpotPriceHistory",
        "ec2:GetSpotPlacementScores",
        "pricing:GetProducts",
    ]
    units = [
        "organizations:DescribeOrganizationalUnit",
        "organizations:ListAccountsForParent",
        "organizations:ListOrganizationalUnitsForParent",
    ]
    take = ["sqs:DeleteMessage", "sqs:ReceiveMessage"]
    look = ["sqs:GetQueueAttributes", "sqs:GetQueueUrl"]
    queues = [f"spothub-{lane}" for lane in LANES]
    all_queues = [*queues, *(f"{name}-dead" for name in queues)]
    unit, root = f"{UNITS}ou/{ORGANIZATION}/ou-ab12-cdef3456", f"{UNITS}root/{ORGANIZATION}/r-ab12"
    account = f"{UNITS}account/{ORGANIZATION}/{MEMBER.account}"
    here = f"arn:aws:{{}}:{HUB.region}:{HUB.account}:{{}}"
    read = ["dynamodb:DescribeTable", "dynamodb:GetItem", "dynamodb:Query"]
    task_definition = here.format("ecs", "task-definition/spothub-metering:7")
    cluster = here.format("ecs", "cluster/spothub")
    pull = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    write = ["logs:CreateLogStream", "logs:PutLogEvents"]
    starting = ROLE.format(HUB.account, "spothub-metering-schedule")
    booked = {"dynamodb__LeadingKeys": ("meter/",)}

    def on(actions: Iterable[str], names: Iterable[str]) -> tuple[Check, ...]:
        return tuple(check for name in names for check in each(actions, queue(HUB, name)))

    def handed(name: str, to: str = "ecs-tasks.amazonaws.com") -> tuple[Check]:
        return ask("iam:PassRole", ROLE.format(HUB.account, name), iam__PassedToService=to)

    return [
        Row("the hub reads types, zones and prices", hub, each(public), ALLOW),
        Row(
            "the hub reads the organization",
            hub,
            (
                *each(["organizations:ListAccounts", "organizations:ListRoots"]),
                # Organizations answers for the whole of it, whoever owns the resource.
                *each(units, unit, HUB.account),
                *each(units[1:], root, HUB.account),
                *ask("organizations:ListTagsForResource", account, HUB.account),
            ),
            ALLOW,
        ),
        Row(
            "the hub reads units of another organization",
            hub,
            ask(units[1], unit.replace(ORGANIZATION, OTHER_ORGANIZATION), HUB.account),
            DENY,
        ),
        Row(
            "the hub reads tags of a policy of the organization",
            hub,
            ask(
                "organizations:ListTagsForResource",
                f"{UNITS}policy/{ORGANIZATION}/service_control_policy/p-1",
                HUB.account,
            ),
            DENY,
        ),
        Row("the hub changes the organization", hub, ask("organizations:MoveAccount", account, HUB.account), DENY),
        Row("the hub takes events from its queues", hub, on(take, queues), ALLOW),
        Row("the hub takes dead letters", hub, on(take, ["spothub-urgent-dead"]), DENY),
        Row("the hub takes from another queue", hub, on(take, ["orders"]), DENY),
        Row("the hub reads its queues' depth", hub, on(look, all_queues), ALLOW),
        Row("the hub reads another queue's depth", hub, on(look, ["orders"]), DENY),
        Row("the hub reads how old its messages are", hub, ask("cloudwatch:GetMetricStatistics"), ALLOW),
        Row("the hub wakes a worker later", hub, ask("sqs:SendMessage", queue(HUB, "spothub-normal")), ALLOW),
        Row("the hub writes a warning itself", hub, ask("sqs:SendMessage", queue(HUB, "spothub-urgent")), DENY),
        Row(
            "the hub reads the rules of its bus",
            hub,
            each(["events:DescribeRule", "events:ListTargetsByRule"], rule(HUB, "spothub-urgent", "spothub/")),
            ALLOW,
        ),
        Row("the hub reads other rules", hub, ask("events:DescribeRule", rule(HUB, "payroll")), DENY),
        Row("the hub writes on its bus", hub, ask("events:PutRule", bus_arn()), DENY),
        Row("the hub keeps its state", hub, each(STORE, TABLE), ALLOW),
        Row("the hub reads another table", hub, each(STORE[1:2], TABLE + "-payroll"), DENY),
        Row(
            "the hub deletes rows, or its table",
            hub,
            each(["dynamodb:DeleteItem", "dynamodb:DeleteTable"], TABLE),
            DENY,
        ),
        Row(
            "the hub reads the policy's pointer and who wrote it",
            hub,
            each(["ssm:GetParameter", "ssm:GetParameterHistory"], POINTER),
            ALLOW,
        ),
        Row("the hub reads another parameter", hub, ask("ssm:GetParameter", POINTER + "2"), DENY),
        Row("the hub publishes policy", hub, ask("ssm:PutParameter", POINTER), DENY),
        Row("the hub reads policy", hub, ask("s3:GetObjectVersion", f"{BUCKET}/p.yaml", HUB.account), ALLOW),
        Row(
            "the hub reads policy from a bucket that somebody else made under the name",
            hub,
            let_in(ask("s3:GetObjectVersion", f"{BUCKET}/p.yaml", OTHER.account)),
            DENY,
        ),
        Row(
            "the hub reads another bucket", hub, ask("s3:GetObjectVersion", "arn:aws:s3:::payroll/x", HUB.account), DENY
        ),
        Row("the hub writes policy", hub, ask("s3:PutObject", f"{BUCKET}/p.yaml", HUB.account), DENY),
        Row("the hub launches in its own account", hub, ask("ec2:RunInstances", ec2("instance", HUB.account)), DENY),
        Row("ECS writes the hub's log", execution, each(write, f"{LOGS}:log-stream:worker/1"), ALLOW),
        Row("ECS writes another log", execution, each(write[1:], f"{LOGS}2:log-stream:x"), DENY),
        Row("ECS pulls the image", execution, (*ask("ecr:GetAuthorizationToken"), *each(pull, REPOSITORY)), ALLOW),
        Row("ECS pulls another image", execution, each(pull[1:2], REPOSITORY.replace("spothub", "payroll")), DENY),
        Row("the execution role keeps state", execution, each(STORE[1:2], TABLE), DENY),
        Row("the dashboard reads the table", dashboard, each(read, TABLE), ALLOW),
        Row("the dashboard reads another table", dashboard, each(read[1:2], TABLE + "2"), DENY),
        Row("the dashboard writes", dashboard, each(["dynamodb:PutItem"], TABLE, **booked), DENY),
        Row("the dashboard takes events", dashboard, on(take, queues[:1]), DENY),
        Row("metering reads the ledger", metering, each(read, TABLE), ALLOW),
        Row("metering reads another table", metering, each(read[1:2], TABLE + "2"), DENY),
        Row("metering books what it reported", metering, each(["dynamodb:PutItem"], TABLE, **booked), ALLOW),
        Row(
            "metering books under its bare family",
            metering,
            each(["dynamodb:PutItem"], TABLE, dynamodb__LeadingKeys=("meter",)),
            ALLOW,
        ),
        Row(
            "metering writes leases of groups",
            metering,
            each(["dynamodb:PutItem"], TABLE, dynamodb__LeadingKeys=("group/0",)),
            DENY,
        ),
        Row(
            "metering writes its row and a lease in one",
            metering,
            each(["dynamodb:PutItem"], TABLE, dynamodb__LeadingKeys=("meter/", "group/0")),
            DENY,
        ),
        Row("metering writes where no key is told", metering, each(["dynamodb:PutItem"], TABLE), DENY),
        Row("metering books in another table", metering, each(["dynamodb:PutItem"], TABLE + "2", **booked), DENY),
        Row("metering reports usage", metering, ask("aws-marketplace:MeterUsage"), ALLOW),
        Row("the hub reports usage", hub, ask("aws-marketplace:MeterUsage"), DENY),
        Row(
            "metering becomes a member",
            metering,
            ask("sts:AssumeRole", MEMBER_ROLE, aws__ResourceOrgID=ORGANIZATION, sts__ExternalId=EXTERNAL_ID),
            DENY,
        ),
        Row(
            "the schedule's rule starts metering",
            events(HUB, "spothub-metering"),
            ask("sts:AssumeRole", starting),
            ALLOW,
        ),
        Row("another rule starts metering", events(HUB, "payroll"), ask("sts:AssumeRole", starting), DENY),
        Row(
            "a rule with a forged account starts metering",
            service("events.amazonaws.com", rule(HUB, "spothub-metering"), MEMBER.account),
            ask("sts:AssumeRole", starting),
            DENY,
        ),
        Row(
            "another service starts metering",
            service("lambda.amazonaws.com", rule(HUB, "spothub-metering"), HUB.account),
            ask("sts:AssumeRole", starting),
            DENY,
        ),
        Row(
            "the schedule runs the metering task",
            schedule,
            ask("ecs:RunTask", task_definition, ecs__cluster=cluster),
            ALLOW,
        ),
        Row(
            "the schedule runs it in another cluster",
            schedule,
            ask("ecs:RunTask", task_definition, ecs__cluster=cluster + "2"),
            DENY,
        ),
        Row(
            "the schedule runs another task",
            schedule,
            ask("ecs:RunTask", task_definition.replace("metering", "worker"), ecs__cluster=cluster),
            DENY,
        ),
        Row(
            "the schedule passes the task's roles",
            schedule,
            (*handed("spothub-metering"), *handed("spothub-hub-execution")),
            ALLOW,
        ),
        Row("the schedule passes the hub's role", schedule, handed("spothub-hub"), DENY),
        Row(
            "the schedule passes a role to another service",
            schedule,
            handed("spothub-metering", "lambda.amazonaws.com"),
            DENY,
        ),
    ]
