"""SQS and SNS: queues, topics, subscriptions and their policies."""

from __future__ import annotations

import json
from typing import Any

from overlay.stacks.acting import Missing
from overlay.stacks.kinds.kind import Kind, Place, Props, already, pairs, retag, some

#: Attributes of a queue and what they are where nothing is said.
_DEFAULTS = {
    "ContentBasedDeduplication": "false", "DelaySeconds": "0", "KmsDataKeyReusePeriodSeconds": "300",
    "KmsMasterKeyId": "", "MaximumMessageSize": "1048576", "MessageRetentionPeriod": "345600",
    "ReceiveMessageWaitTimeSeconds": "0", "RedriveAllowPolicy": "", "RedrivePolicy": "",
    "SqsManagedSseEnabled": "true", "VisibilityTimeout": "30", "FifoQueue": "false", "DeduplicationScope": "",
    "FifoThroughputLimit": "",
}  # fmt: skip


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value) if isinstance(value, (dict, list)) else str(value)


class Queue(Kind):
    """AWS::SQS::Queue."""

    known = frozenset({*_DEFAULTS, "QueueName", "Tags"})
    fixed = frozenset({"QueueName", "FifoQueue"})
    name = "QueueName"
    tags = "Tags"

    def create(self, at: Place, props: Props) -> str:
        name = str(props.get("QueueName") or at.named(80))
        try:
            at.look("sqs", "get_queue_url", QueueName=name)
        except Missing:
            pass
        else:
            raise already(at, "AWS::SQS::Queue", name)
        attributes = {key: _text(props[key]) for key in _DEFAULTS if key in props}
        told = at.call("sqs", "create_queue", QueueName=name, Attributes=attributes, tags=pairs(props.get("Tags")))
        return str(told["QueueUrl"])

    def update(self, at: Place, physical: str, old: Props, new: Props) -> None:
        changed = {
            key: _text(new[key]) if key in new else default
            for key, default in _DEFAULTS.items()
            if old.get(key) != new.get(key)
        }
        if changed:
            at.call("sqs", "set_queue_attributes", QueueUrl=physical, Attributes=changed)
        was, now = pairs(old.get("Tags")), pairs(new.get("Tags"))
        if set(was) - set(now):
            at.call("sqs", "untag_queue", QueueUrl=physical, TagKeys=sorted(set(was) - set(now)))
        if now and was != now:
            at.call("sqs", "tag_queue", QueueUrl=physical, Tags=now)

    def delete(self, at: Place, physical: str, props: Props) -> None:
        at.call("sqs", "delete_queue", QueueUrl=physical)

    def attributes(self, at: Place, physical: str, props: Props) -> Props:
        name = physical.rsplit("/", 1)[-1]
        arn = f"arn:{at.partition}:sqs:{at.region}:{at.account}:{name}"
        return {"Arn": arn, "QueueName": name, "QueueUrl": physical}


class QueuePolicy(Kind):
    """AWS::SQS::QueuePolicy."""

    known = frozenset("PolicyDocument Queues".split())

    def _put(self, at: Place, queues: list[str], policy: str) -> None:
        for queue in queues:
            at.call("sqs", "set_queue_attributes", QueueUrl=queue, Attributes={"Policy": policy})

    def create(self, at: Place, props: Props) -> str:
        self._put(at, props["Queues"], _text(props["PolicyDocument"]))
        return at.named()

    def update(self, at: Place, physical: str, old: Props, new: Props) -> None:
        self._put(at, new["Queues"], _text(new["PolicyDocument"]))
        self._put(at, [queue for queue in old["Queues"] if queue not in new["Queues"]], "")

    def delete(self, at: Place, physical: str, props: Props) -> None:
        self._put(at, props["Queues"], "")


class Topic(Kind):
    """AWS::SNS::Topic."""

    known = frozenset("DisplayName KmsMasterKeyId Subscription Tags TopicName".split())
    fixed = frozenset({"TopicName"})
    name = "TopicName"
    tags = "Tags"

    def create(self, at: Place, props: Props) -> str:
        name = str(props.get("TopicName") or at.named(256))
        attributes = some(props, DisplayName="DisplayName", KmsMasterKeyId="KmsMasterKeyId")
        told = at.call("sns", "create_topic", Name=name, Attributes=attributes, **some(props, Tags="Tags"))
        arn = str(told["TopicArn"])
        at.born(arn)
        for one in props.get("Subscription") or []:
            at.call("sns", "subscribe", TopicArn=arn, **one)
        return arn

    def update(self, at: Place, physical: str, old: Props, new: Props) -> None:
        for key in ("DisplayName", "KmsMasterKeyId"):
            if old.get(key) != new.get(key):
                value = new.get(key, "")
                at.call("sns", "set_topic_attributes", TopicArn=physical, AttributeName=key, AttributeValue=value)
        retag(at, "sns", "ResourceArn", physical, old, new)

    def delete(self, at: Place, physical: str, props: Props) -> None:
        at.call("sns", "delete_topic", TopicArn=physical)

    def attributes(self, at: Place, physical: str, props: Props) -> Props:
        return {"TopicArn": physical, "TopicName": physical.rsplit(":", 1)[-1]}


class TopicPolicy(Kind):
    """AWS::SNS::TopicPolicy."""

    known = frozenset("PolicyDocument Topics".split())

    def create(self, at: Place, props: Props) -> str:
        for topic in props["Topics"]:
            at.call(
                "sns", "set_topic_attributes", TopicArn=topic, AttributeName="Policy",
                AttributeValue=_text(props["PolicyDocument"]),
            )  # fmt: skip
        return at.named()

    def update(self, at: Place, physical: str, old: Props, new: Props) -> None:
        self.create(at, new)


class Subscription(Kind):
    """AWS::SNS::Subscription."""

    known = frozenset("Endpoint Protocol RawMessageDelivery TopicArn".split())
    fixed = known

    def create(self, at: Place, props: Props) -> str:
        attributes = {"RawMessageDelivery": _text(props["RawMessageDelivery"])} if "RawMessageDelivery" in props else {}
        given = some(props, TopicArn="TopicArn", Protocol="Protocol", Endpoint="Endpoint")
        return str(at.call("sns", "subscribe", Attributes=attributes, **given)["SubscriptionArn"])

    def delete(self, at: Place, physical: str, props: Props) -> None:
        at.call("sns", "unsubscribe", SubscriptionArn=physical)


KINDS: dict[str, Kind] = {
    "AWS::SQS::Queue": Queue(),
    "AWS::SQS::QueuePolicy": QueuePolicy(),
    "AWS::SNS::Topic": Topic(),
    "AWS::SNS::TopicPolicy": TopicPolicy(),
    "AWS::SNS::Subscription": Subscription(),
}
