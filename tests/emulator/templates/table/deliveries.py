"""EventBridge into queues, and encryption."""

from __future__ import annotations

from templates.asking import (
    ALLOW,
    BUCKET,
    DENY,
    LANES,
    Row,
    admin,
    ask,
    dashboard,
    each,
    events,
    hub,
    metering,
    queue,
    role,
    rule,
    service,
)
from templates.judge import Caller
from templates.places import HUB, MEMBER, ORGANIZATION, OTHER
from templates.worlds import DEAD_KEY, HUB_KEY, LOGS, ROLE


def deliveries() -> list[Row]:
    """EventBridge into queues, and encryption."""
    found = []
    for lane in LANES:
        into, dead = queue(HUB, f"spothub-{lane}"), queue(HUB, f"spothub-{lane}-dead")
        own = events(HUB, f"spothub-{lane}", "spothub/")
        for place, words in ((into, "its queue"), (dead, "its dead letters")):
            other = events(HUB, "spothub-other", "spothub/")
            plain = Caller(service=own.service, keys=(*own.keys, ("aws:SecureTransport", "false")))
            send = ask("sqs:SendMessage", place)
            found += [
                Row(f"the rule of {lane} fills {words}", own, send, ALLOW),
                Row(f"another rule fills what is {lane}'s: {words}", other, send, DENY),
                Row(f"the rule of {lane} empties {words}", own, ask("sqs:PurgeQueue", place), DENY),
                Row(f"the rule of {lane} fills {words} in the clear", plain, send, DENY),
                Row(
                    f"another service fills what is {lane}'s: {words}",
                    service("sns.amazonaws.com", rule(HUB, f"spothub-{lane}", "spothub/"), HUB.account),
                    send,
                    DENY,
                ),
            ]
    dead = queue(MEMBER, "spothub-forward-dead")
    for lane in LANES:
        found.append(
            Row(
                f"a member's rule of {lane} leaves what it could not send",
                events(MEMBER, f"spothub-{lane}"),
                ask("sqs:SendMessage", dead),
                ALLOW,
            )
        )
    clear = role(HUB, "spothub-hub", "hub", keys=(("aws:SecureTransport", "false"),))
    started = ask("sqs:SendMessage", queue(HUB, "spothub-metering-dead"))
    through = {"kms__CallerAccount": HUB.account, "kms__ViaService": "sqs.us-east-1.amazonaws.com"}
    use = [
        "kms:Decrypt",
        "kms:DescribeKey",
        "kms:Encrypt",
        "kms:GenerateDataKey",
        "kms:ReEncryptFrom",
        "kms:ReEncryptTo",
    ]
    data = ["kms:Decrypt", "kms:GenerateDataKey"]
    logs = service("logs.us-east-1.amazonaws.com", "", HUB.account)
    context = "kms__EncryptionContext__aws__logs__arn"
    grant = {
        "kms__GrantIsForAWSResource": "true",
        "kms__CallerAccount": HUB.account,
        "kms__ViaService": "dynamodb.us-east-1.amazonaws.com",
    }
    found += [
        Row(
            "another rule of the member fills its dead letters",
            events(MEMBER, "payroll"),
            ask("sqs:SendMessage", dead),
            DENY,
        ),
        Row(
            "a rule of another member fills its dead letters",
            events(OTHER, "spothub-urgent"),
            ask("sqs:SendMessage", dead),
            DENY,
        ),
        Row("the metering schedule leaves what it could not start", events(HUB, "spothub-metering"), started, ALLOW),
        Row("the hub takes events in the clear", clear, ask("sqs:ReceiveMessage", queue(HUB, "spothub-urgent")), DENY),
        Row(
            "the hub reads dead letters' depth in the clear",
            clear,
            ask("sqs:GetQueueAttributes", queue(HUB, "spothub-urgent-dead")),
            DENY,
        ),
        Row(
            "the hub reads policy in the clear",
            clear,
            ask("s3:GetObjectVersion", f"{BUCKET}/p.yaml", HUB.account),
            DENY,
        ),
        Row(
            "an administrator of the hub's account lists the bucket in the clear",
            Caller(
                arn=ROLE.format(HUB.account, "admin"),
                organization=ORGANIZATION,
                documents=(("admin", "admin"),),
                keys=(("aws:SecureTransport", "false"),),
            ),
            ask("s3:ListBucket", BUCKET, HUB.account),
            DENY,
        ),
        Row(
            "an administrator of the hub's account lists the bucket",
            admin(HUB),
            ask("s3:ListBucket", BUCKET, HUB.account),
            ALLOW,
        ),
        Row("a rule of the hub encrypts", events(HUB, "spothub-urgent", "spothub/"), each(data, HUB_KEY), ALLOW),
        Row(
            "a rule of another account encrypts with the hub's key",
            events(MEMBER, "spothub-urgent"),
            each(data, HUB_KEY),
            DENY,
        ),
        Row(
            "another service encrypts with the hub's key for its rule",
            service("sns.amazonaws.com", rule(HUB, "spothub-urgent"), HUB.account),
            each(data, HUB_KEY),
            DENY,
        ),
        Row(
            "another service encrypts with a member's key for its rule",
            service("sns.amazonaws.com", rule(MEMBER, "spothub-urgent"), MEMBER.account),
            each(data, DEAD_KEY),
            DENY,
        ),
        Row(
            "another service encrypts with the hub's key as its log",
            service("sns.amazonaws.com", "", HUB.account),
            each(use[:1], HUB_KEY, **{context: LOGS}),
            DENY,
        ),
        Row("a member's rule encrypts dead letters", events(MEMBER, "spothub-urgent"), each(data, DEAD_KEY), ALLOW),
        Row(
            "another rule of the member encrypts with that key",
            events(MEMBER, "payroll"),
            each(data[:1], DEAD_KEY),
            DENY,
        ),
        Row("the hub decrypts through its queues", hub, each(use, HUB_KEY, **through), ALLOW),
        Row(
            "the hub decrypts through its table",
            hub,
            each(use[:1], HUB_KEY, **{**through, "kms__ViaService": "dynamodb.us-east-1.amazonaws.com"}),
            ALLOW,
        ),
        Row(
            "the dashboard decrypts through the table",
            dashboard,
            each(use[:1], HUB_KEY, **{**through, "kms__ViaService": "dynamodb.us-east-1.amazonaws.com"}),
            ALLOW,
        ),
        Row(
            "metering decrypts through the table",
            metering,
            each(use[:1], HUB_KEY, **{**through, "kms__ViaService": "dynamodb.us-east-1.amazonaws.com"}),
            ALLOW,
        ),
        Row(
            "the hub decrypts through its bucket",
            hub,
            each(use[:1], HUB_KEY, **{**through, "kms__ViaService": "s3.us-east-1.amazonaws.com"}),
            ALLOW,
        ),
        Row("the hub decrypts directly", hub, each(use[:1], HUB_KEY, kms__CallerAccount=HUB.account), DENY),
        Row(
            "the hub decrypts from another account",
            hub,
            each(use[:1], HUB_KEY, **{**through, "kms__CallerAccount": MEMBER.account}),
            DENY,
        ),
        Row("another role decrypts through a queue", role(HUB, "ops"), each(use[:1], HUB_KEY, **through), DENY),
        Row("the hub grants its table's key", hub, ask("kms:CreateGrant", HUB_KEY, **grant), ALLOW),
        Row("the dashboard grants its table's key", dashboard, ask("kms:CreateGrant", HUB_KEY, **grant), ALLOW),
        Row("metering grants its table's key", metering, ask("kms:CreateGrant", HUB_KEY, **grant), ALLOW),
        Row(
            "the hub grants its key to somebody",
            hub,
            ask("kms:CreateGrant", HUB_KEY, **{**grant, "kms__GrantIsForAWSResource": "false"}),
            DENY,
        ),
        Row(
            "the hub grants its key through another service",
            hub,
            ask("kms:CreateGrant", HUB_KEY, **{**grant, "kms__ViaService": "ec2.us-east-1.amazonaws.com"}),
            DENY,
        ),
        Row(
            "the hub grants its key from another account",
            hub,
            ask("kms:CreateGrant", HUB_KEY, **{**grant, "kms__CallerAccount": MEMBER.account}),
            DENY,
        ),
        Row("another role grants the table's key", role(HUB, "ops"), ask("kms:CreateGrant", HUB_KEY, **grant), DENY),
        Row("CloudWatch encrypts the hub's log", logs, each(use, HUB_KEY, **{context: LOGS}), ALLOW),
        Row("CloudWatch encrypts another log", logs, each(use[:1], HUB_KEY, **{context: LOGS + "x"}), DENY),
    ]
    return found
