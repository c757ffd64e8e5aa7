"""Who becomes what, and who reaches the hub."""

from __future__ import annotations

from typing import Any

from templates.asking import (
    ALLOW,
    BUCKET,
    DENY,
    EVERYTHING,
    HUB_ROLE,
    MEMBER_ROLE,
    POINTER,
    TABLE,
    Row,
    admin,
    ask,
    events,
    forwarder,
    group,
    hub,
    let_in,
    member,
    operator,
    other_member,
    queue,
    role,
    rule,
    service,
    stranger,
    task,
)
from templates.judge import Caller, Check
from templates.places import EXTERNAL_ID, HUB, MEMBER, ORGANIZATION, OTHER, OTHER_ORGANIZATION
from templates.rollouts import bus_arn
from templates.worlds import OPERATORS, ROLE


def borders() -> list[Row]:
    """Who becomes what, and who reaches the hub."""

    def become(arn: str, external: str | None = EXTERNAL_ID, organization: str | None = ORGANIZATION) -> tuple[Check]:
        keys: dict[str, Any] = {"aws__ResourceOrgID": organization} if organization else {}
        return ask("sts:AssumeRole", arn, **keys, **({"sts__ExternalId": external} if external else {}))

    outside = ROLE.format("232323232323", "spothub-member")
    lost = role(HUB, "spothub-hub", "hub", organization=OTHER_ORGANIZATION)
    there = queue(HUB, "spothub-urgent")
    forwarding = ROLE.format(MEMBER.account, "spothub-forwarder")
    send = ask("events:PutEvents", bus_arn(), events__source="aws.ec2")
    same_name = admin(MEMBER, "spothub-forwarders")
    ci = Caller(
        arn=OPERATORS[1].replace("*", "deploy"),
        organization=ORGANIZATION,
        documents=(("999988887777/ops", "operator"),),
    )
    return [
        Row("the hub becomes a member", hub, become(MEMBER_ROLE), ALLOW),
        Row("the hub becomes a member with a wrong external id", hub, become(MEMBER_ROLE, "guess"), DENY),
        Row("the hub becomes a member without an external id", hub, become(MEMBER_ROLE, None), DENY),
        Row(
            "the hub becomes another role of a member, which trusts it",
            hub,
            let_in(become(ROLE.format(MEMBER.account, "admin"))),
            DENY,
        ),
        Row(
            "the hub becomes a member of another organization, which trusts it",
            hub,
            let_in(become(outside, organization=OTHER_ORGANIZATION)),
            DENY,
        ),
        Row(
            "the hub becomes a member by its account's root, which trusts it",
            hub,
            become(f"arn:aws:iam::{MEMBER.account}:root"),
            DENY,
        ),
        Row("the hub's role in another organization becomes a member", lost, become(MEMBER_ROLE), DENY),
        Row("an administrator of the hub's account becomes a member", admin(HUB), become(MEMBER_ROLE), DENY),
        Row("the dashboard becomes a member", role(HUB, "spothub-dashboard", "dashboard"), become(MEMBER_ROLE), DENY),
        Row(
            "a role of the hub's name elsewhere becomes a member",
            admin(OTHER, "spothub-hub"),
            become(MEMBER_ROLE),
            DENY,
        ),
        Row("an administrator of a member becomes another member", admin(OTHER), become(MEMBER_ROLE), DENY),
        Row("a member becomes another member", member, become(ROLE.format(OTHER.account, "spothub-member")), DENY),
        Row("a member becomes the hub", member, become(HUB_ROLE), DENY),
        Row("an administrator of a member becomes the hub", admin(MEMBER), become(HUB_ROLE), DENY),
        Row("a listed operator becomes the hub", operator, become(HUB_ROLE, None), ALLOW),
        Row("a listed pipeline becomes the hub", ci, become(HUB_ROLE, None), ALLOW),
        Row(
            "an operator becomes another role of the hub's account, which trusts everybody",
            operator,
            let_in(become(ROLE.format(HUB.account, "administrator"), None)),
            DENY,
        ),
        Row(
            "an operator who is in the trust and lacks operator.json becomes the hub",
            role(HUB, "ops"),
            become(HUB_ROLE, None),
            DENY,
        ),
        Row(
            "an administrator of the hub's account who is no operator becomes the hub",
            admin(HUB),
            become(HUB_ROLE),
            DENY,
        ),
        Row("an operator's name in a member becomes the hub", admin(MEMBER, "ops"), become(HUB_ROLE), DENY),
        Row("a task of the hub's account becomes the hub", task(HUB), become(HUB_ROLE, None, None), ALLOW),
        Row("a task of another account becomes the hub", task(MEMBER), become(HUB_ROLE, None, None), DENY),
        Row(
            "a task with a forged account becomes the hub",
            service("ecs-tasks.amazonaws.com", f"arn:aws:ecs:us-east-1:{HUB.account}:task/x", MEMBER.account),
            become(HUB_ROLE, None, None),
            DENY,
        ),
        Row(
            "a task for no resource of ECS becomes the hub",
            service("ecs-tasks.amazonaws.com", "x", HUB.account),
            become(HUB_ROLE, None, None),
            DENY,
        ),
        Row(
            "another service becomes the hub",
            service("lambda.amazonaws.com", f"arn:aws:ecs:us-east-1:{HUB.account}:task/x", HUB.account),
            become(HUB_ROLE, None, None),
            DENY,
        ),
        Row("a task becomes a member", task(MEMBER), become(MEMBER_ROLE, None, None), DENY),
        Row(
            "the rules' EventBridge becomes the forwarder",
            events(MEMBER, "spothub-urgent"),
            become(forwarding, None, None),
            ALLOW,
        ),
        Row(
            "another rule's EventBridge becomes the forwarder",
            events(MEMBER, "payroll"),
            become(forwarding, None, None),
            DENY,
        ),
        Row(
            "a rule of another account becomes the forwarder",
            events(OTHER, "spothub-urgent"),
            become(forwarding, None, None),
            DENY,
        ),
        Row(
            "a rule with a forged account becomes the forwarder",
            service("events.amazonaws.com", rule(MEMBER, "spothub-urgent"), OTHER.account),
            become(forwarding, None, None),
            DENY,
        ),
        Row(
            "another service becomes the forwarder",
            service("lambda.amazonaws.com", rule(MEMBER, "spothub-urgent"), MEMBER.account),
            become(forwarding, None, None),
            DENY,
        ),
        Row(
            "an administrator of the member becomes the forwarder", admin(MEMBER), become(forwarding, None, None), DENY
        ),
        Row("the forwarder sends to the hub", forwarder, send, ALLOW),
        Row(
            "the forwarder sends to another bus of the hub's account",
            forwarder,
            ask("events:PutEvents", f"arn:aws:events:{HUB.region}:{HUB.account}:event-bus/default"),
            DENY,
        ),
        Row(
            "the forwarder sends to its own account's bus",
            forwarder,
            ask("events:PutEvents", f"arn:aws:events:{MEMBER.region}:{MEMBER.account}:event-bus/default"),
            DENY,
        ),
        Row("the forwarder changes the hub's bus", forwarder, ask("events:PutRule", bus_arn()), DENY),
        Row("an administrator of a member sends to the hub", admin(MEMBER), send, DENY),
        Row("a role named almost like the forwarder sends to the hub", same_name, send, DENY),
        Row(
            "a forwarder of another organization sends to the hub",
            Caller(arn=stranger.arn, organization=OTHER_ORGANIZATION, documents=(("admin", "admin"),)),
            send,
            DENY,
        ),
        Row(
            "a forwarder of no organization sends to the hub",
            Caller(arn=stranger.arn, documents=(("admin", "admin"),)),
            send,
            DENY,
        ),
        Row(
            "a service sends to the hub's bus by itself",
            service("events.amazonaws.com", rule(MEMBER, "x"), MEMBER.account),
            send,
            DENY,
        ),
        Row(
            "an administrator of a member changes the hub's bus",
            admin(MEMBER),
            ask("events:PutPermission", bus_arn()),
            DENY,
        ),
        Row(
            "an administrator of a member writes into the hub's queue",
            admin(MEMBER),
            ask("sqs:SendMessage", there),
            DENY,
        ),
        Row(
            "an administrator of a member reads the hub's queue", admin(MEMBER), ask("sqs:ReceiveMessage", there), DENY
        ),
        Row("an administrator of a member reads the hub's table", admin(MEMBER), ask("dynamodb:GetItem", TABLE), DENY),
        Row("a member reads the hub's table", member, ask("dynamodb:GetItem", TABLE), DENY, EVERYTHING),
        Row(
            "an administrator of a member reads policy",
            admin(MEMBER),
            ask("s3:GetObjectVersion", f"{BUCKET}/policy.yaml", HUB.account),
            DENY,
        ),
        Row(
            "an administrator of a member writes the policy's pointer",
            admin(MEMBER),
            ask("ssm:PutParameter", POINTER),
            DENY,
        ),
        Row("a member works on a group of another member", other_member, group("AttachInstances", "true"), DENY),
    ]
