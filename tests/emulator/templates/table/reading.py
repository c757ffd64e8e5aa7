"""What a member's role reads, and the probe that it sends."""

from __future__ import annotations

from templates.asking import (
    ALLOW,
    DENY,
    DRAINING,
    MEMBER_ROLE,
    SCALING_ROLE,
    SPOT_ROLE,
    Row,
    ask,
    each,
    ec2,
    member,
    queue,
    rule,
)
from templates.places import MEMBER
from templates.rollouts import bus_arn
from templates.worlds import ROLE


def reading() -> list[Row]:
    """What a member's role reads, and the probe that it sends."""
    reads = [
        "autoscaling:DescribeAutoScalingGroups",
        "autoscaling:DescribeInstanceRefreshes",
        "autoscaling:DescribeLaunchConfigurations",
        "autoscaling:DescribeLifecycleHooks",
        "autoscaling:DescribeScalingActivities",
        "cloudwatch:DescribeAlarms",
        "ec2:DescribeAvailabilityZones",
        "ec2:DescribeImages",
        "ec2:DescribeInstanceStatus",
        "ec2:DescribeInstances",
        "ec2:DescribeLaunchTemplateVersions",
        "ec2:DescribeReservedInstances",
        "ec2:DescribeSpotInstanceRequests",
        "elasticloadbalancing:DescribeInstanceHealth",
        "elasticloadbalancing:DescribeTargetHealth",
        "savingsplans:DescribeSavingsPlans",
        "servicequotas:ListServiceQuotas",
    ]
    bare = [ROLE.format(MEMBER.account, name) for name in ("AWSServiceRoleForEC2Spot", "AWSServiceRoleForAutoScaling")]
    roles = [MEMBER_ROLE, SPOT_ROLE, SCALING_ROLE, *bare]
    here = f"arn:aws:{{}}:{MEMBER.region}:{MEMBER.account}:{{}}"
    default = here.format("events", "event-bus/default")
    dead = queue(MEMBER, "spothub-forward-dead")
    image = "arn:aws:ssm:eu-west-1::parameter/aws/service/ami-amazon-linux-latest/al2023"
    secret = here.format("ssm", "parameter/payroll/password")
    cluster, container = here.format("ecs", "cluster/web"), here.format("ecs", "container-instance/web/0123")
    drains = ["ecs:DescribeContainerInstances", "ecs:UpdateContainerInstancesState"]
    return [
        Row("a member lists container instances", member, ask("ecs:ListContainerInstances", cluster), ALLOW, DRAINING),
        Row("a member drains container instances", member, each(drains, container), ALLOW, DRAINING),
        Row("a member lists them without the option", member, ask("ecs:ListContainerInstances", cluster), DENY),
        Row("a member drains them without the option", member, each(drains, container), DENY),
        Row("a member drains something else", member, each(drains, here.format("ecs", "service/web")), DENY, DRAINING),
        Row("a member lists what is no cluster", member, ask("ecs:ListContainerInstances", container), DENY, DRAINING),
        Row("a member deregisters them", member, ask("ecs:DeregisterContainerInstance", cluster), DENY, DRAINING),
        Row("a member stops tasks", member, ask("ecs:StopTask", here.format("ecs", "task/web/0123")), DENY, DRAINING),
        Row("a member reads groups, instances, templates, alarms, health and quotas", member, each(reads), ALLOW),
        Row(
            "a member reads user data of instances",
            member,
            ask("ec2:DescribeInstanceAttribute", ec2("instance/i-1")),
            DENY,
        ),
        Row(
            "a member reads who it is, and the roles of Spot and Auto Scaling, also where they are missing",
            member,
            tuple(check for arn in roles for check in ask("iam:GetRole", arn)),
            ALLOW,
        ),
        Row("a member reads any other role", member, ask("iam:GetRole", ROLE.format(MEMBER.account, "web")), DENY),
        Row(
            "a member reads what a stack of its account does",
            member,
            ask("cloudformation:DescribeStacks", here.format("cloudformation", "stack/web/0f0f")),
            ALLOW,
        ),
        Row(
            "a member lists all stacks",
            member,
            ask("cloudformation:DescribeStacks", "*"),
            DENY,
        ),
        Row(
            "a member changes a stack",
            member,
            ask("cloudformation:UpdateStack", here.format("cloudformation", "stack/web/0f0f")),
            DENY,
        ),
        Row(
            "a member reads an instance profile",
            member,
            ask("iam:GetInstanceProfile", f"arn:aws:iam::{MEMBER.account}:instance-profile/web"),
            ALLOW,
        ),
        Row(
            "a member reads something else of IAM as a profile",
            member,
            ask("iam:GetInstanceProfile", f"arn:aws:iam::{MEMBER.account}:user/ann"),
            DENY,
        ),
        Row(
            "a member reads its own rules",
            member,
            each(["events:DescribeRule", "events:ListTargetsByRule"], rule(MEMBER, "spothub-urgent")),
            ALLOW,
        ),
        Row("a member reads other rules", member, ask("events:DescribeRule", rule(MEMBER, "payroll")), DENY),
        Row("a member changes its own rule", member, ask("events:PutTargets", rule(MEMBER, "spothub-urgent")), DENY),
        Row("a member sends a probe", member, ask("events:PutEvents", default, events__source="spothub.probe"), ALLOW),
        Row("a member sends another event", member, ask("events:PutEvents", default, events__source="payroll"), DENY),
        Row(
            "a member sends an event in the name of AWS",
            member,
            ask("events:PutEvents", default, events__source="aws.ec2"),
            DENY,
        ),
        Row(
            "a member sends a probe to another bus of its account",
            member,
            ask("events:PutEvents", here.format("events", "event-bus/orders"), events__source="spothub.probe"),
            DENY,
        ),
        Row(
            "a member sends a probe straight to the hub's bus",
            member,
            ask("events:PutEvents", bus_arn(), events__source="spothub.probe"),
            DENY,
        ),
        Row(
            "a member reads how many events could not be sent",
            member,
            each(["sqs:GetQueueAttributes", "sqs:GetQueueUrl"], dead),
            ALLOW,
        ),
        Row(
            "a member reads other queues' attributes",
            member,
            ask("sqs:GetQueueAttributes", queue(MEMBER, "orders")),
            DENY,
        ),
        Row("a member takes events that could not be sent", member, ask("sqs:ReceiveMessage", dead), DENY),
        Row(
            "EC2 resolves a template's image for a member",
            member,
            ask("ssm:GetParameters", image, MEMBER.account, aws__ViaAWSService="true"),
            ALLOW,
        ),
        Row(
            "a member reads parameters itself",
            member,
            ask("ssm:GetParameters", secret, aws__ViaAWSService="false"),
            DENY,
        ),
        Row(
            "something else than a parameter is resolved for a member",
            member,
            ask("ssm:GetParameters", here.format("ssm", "document/x"), aws__ViaAWSService="true"),
            DENY,
        ),
    ]
