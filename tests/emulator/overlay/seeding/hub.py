"""The hub's side: bus, rules, queues and role; and each member's rules that forward to it."""

from __future__ import annotations

import json
from typing import Any

from overlay.seeding.clients import Clients
from overlay.seeding.description import Account, Description

URGENT = ["EC2 Spot Instance Interruption Warning", "EC2 Instance Rebalance Recommendation"]
SOURCES = ["aws.ec2", "aws.autoscaling", "aws.cloudwatch", "aws.ecs", "aws.ec2spotfleet", "aws.ec2fleet", "aws.health"]


def build_hub(clients: Clients, asked: Description, account: str, organization: str) -> dict[str, Any]:
    """Makes the hub in its account and home region."""
    region = asked.home_region
    with clients.account(account):
        role = _hub_role(clients, asked, account)
        events = clients.of("events", region)
        bus = events.create_event_bus(Name=asked.bus)["EventBusArn"]
        statement = {
            "Sid": "members",
            "Effect": "Allow",
            "Principal": "*",
            "Action": "events:PutEvents",
            "Resource": bus,
            "Condition": {"StringEquals": {"aws:PrincipalOrgID": organization}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        events.put_permission(EventBusName=asked.bus, Policy=policy)
        patterns = {
            "urgent": {"source": ["aws.ec2"], "detail-type": URGENT},
            "normal": {"source": SOURCES, "detail-type": [{"anything-but": URGENT}]},
        }
        queues = {name: _route(clients, asked, name, patterns[name]) for name in patterns}
        session = clients.of("sts", region).assume_role(RoleArn=role, RoleSessionName="spothub")
    keys = {name: session["Credentials"][name] for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")}
    return {"account": account, "region": region, "bus_arn": bus, "role_arn": role, "keys": keys, "queues": queues}


def _hub_role(clients: Clients, asked: Description, account: str) -> str:
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{account}:root", "Service": "ecs-tasks.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    iam = clients.of("iam", "us-east-1")
    made = iam.create_role(
        RoleName=asked.hub_role,
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )
    iam.put_role_policy(RoleName=asked.hub_role, PolicyName="spothub", PolicyDocument=json.dumps(asked.hub_policy))
    return str(made["Role"]["Arn"])


def _route(clients: Clients, asked: Description, name: str, pattern: dict[str, Any]) -> dict[str, str]:
    """A queue with its dead letters, and the hub's rule that fills it."""
    sqs, events = clients.of("sqs", asked.home_region), clients.of("events", asked.home_region)
    dead = _queue(sqs, f"spothub-{name}-dead", {"MessageRetentionPeriod": "1209600"})
    redrive = json.dumps({"deadLetterTargetArn": dead["arn"], "maxReceiveCount": 10})
    queue = _queue(sqs, f"spothub-{name}", {"VisibilityTimeout": "30", "RedrivePolicy": redrive})
    rule = events.put_rule(Name=f"spothub-{name}", EventBusName=asked.bus, EventPattern=json.dumps(pattern))["RuleArn"]
    _admit(sqs, queue, rule)
    _admit(sqs, dead, rule)
    target = {"Id": "queue", "Arn": queue["arn"], "DeadLetterConfig": {"Arn": dead["arn"]}}
    events.put_targets(Rule=f"spothub-{name}", EventBusName=asked.bus, Targets=[target])
    return {**queue, "rule_arn": rule, "dead_url": dead["url"], "dead_arn": dead["arn"]}


def _admit(sqs: Any, queue: dict[str, str], rule: str) -> None:
    """Has a rule send to a queue."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue["arn"],
        "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=queue["url"], Attributes={"Policy": policy})


def _queue(sqs: Any, name: str, attributes: dict[str, str]) -> dict[str, str]:
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    return {"url": url, "arn": arn}


def forward_events(clients: Clients, account: Account, ident: str, hub: dict[str, Any]) -> str:
    """Has the default buses of a member's regions forward to the hub; returns the ARN of the role that does it."""
    role = f"arn:aws:iam::{ident}:role/spothub-forwarder"
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": ident}},
    }
    allow = {"Effect": "Allow", "Action": "events:PutEvents", "Resource": hub["bus_arn"]}
    iam = clients.of("iam", "us-east-1")
    iam.create_role(
        RoleName="spothub-forwarder",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )
    iam.put_role_policy(
        RoleName="spothub-forwarder",
        PolicyName="forward",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allow]}),
    )
    for region in account.regions:
        dead = _queue(clients.of("sqs", region), "spothub-forward-dead", {"MessageRetentionPeriod": "1209600"})
        events = clients.of("events", region)
        rule = events.put_rule(Name="spothub-forward", EventPattern=json.dumps({"source": SOURCES}))["RuleArn"]
        _admit(clients.of("sqs", region), dead, rule)
        target = {
            "Id": "hub",
            "Arn": hub["bus_arn"],
            "RoleArn": role,
            "DeadLetterConfig": {"Arn": dead["arn"]},
            "RetryPolicy": {"MaximumEventAgeInSeconds": 300, "MaximumRetryAttempts": 10},
        }
        events.put_targets(Rule="spothub-forward", Targets=[target])
    return role
