"""EventBridge: buses, their policies, and rules with their targets."""

from __future__ import annotations

import json

from overlay.stacks.acting import Missing
from overlay.stacks.kinds.kind import Kind, Place, Props, already, retag, some


class EventBus(Kind):
    """AWS::Events::EventBus."""

    known = frozenset("DeadLetterConfig Description KmsKeyIdentifier Name Policy Tags".split())
    fixed = frozenset({"Name"})
    name = "Name"
    tags = "Tags"

    def create(self, at: Place, props: Props) -> str:
        given = some(
            props, Description="Description", KmsKeyIdentifier="KmsKeyIdentifier", Tags="Tags",
            DeadLetterConfig="DeadLetterConfig",
        )  # fmt: skip
        at.call("events", "create_event_bus", Name=props["Name"], **given)
        at.born(props["Name"])
        self._policy(at, props)
        return str(props["Name"])

    def _policy(self, at: Place, props: Props) -> None:
        if props.get("Policy"):
            at.call("events", "put_permission", EventBusName=props["Name"], Policy=json.dumps(props["Policy"]))

    def update(self, at: Place, physical: str, old: Props, new: Props) -> None:
        self._policy(at, new)
        retag(at, "events", "ResourceARN", self.attributes(at, physical, new)["Arn"], old, new)

    def delete(self, at: Place, physical: str, props: Props) -> None:
        at.call("events", "delete_event_bus", Name=physical)

    def attributes(self, at: Place, physical: str, props: Props) -> Props:
        return {"Arn": at.look("events", "describe_event_bus", Name=physical)["Arn"], "Name": physical}


class EventBusPolicy(Kind):
    """AWS::Events::EventBusPolicy: one statement of a bus's policy."""

    known = frozenset("Action Condition EventBusName Principal Statement StatementId".split())
    fixed = frozenset({"EventBusName", "StatementId"})

    def _given(self, props: Props) -> Props:
        return {"EventBusName": props.get("EventBusName", "default"), "StatementId": props["StatementId"]}

    def create(self, at: Place, props: Props) -> str:
        given = self._given(props)
        if "Statement" not in props:
            more = some(props, Action="Action", Principal="Principal", Condition="Condition")
            at.call("events", "put_permission", **given, **more)
            return f"{given['EventBusName']}|{given['StatementId']}"
        told = at.look("events", "describe_event_bus", Name=given["EventBusName"])
        statements = json.loads(told.get("Policy") or "{}").get("Statement") or []
        kept = [one for one in statements if one.get("Sid") != given["StatementId"]]
        policy = {"Version": "2012-10-17", "Statement": [*kept, {**props["Statement"], "Sid": given["StatementId"]}]}
        at.call("events", "put_permission", EventBusName=given["EventBusName"], Policy=json.dumps(policy))
        return f"{given['EventBusName']}|{given['StatementId']}"

    def update(self, at: Place, physical: str, old: Props, new: Props) -> None:
        self.create(at, new)

    def delete(self, at: Place, physical: str, props: Props) -> None:
        at.call("events", "remove_permission", **self._given(props))


class Rule(Kind):
    """AWS::Events::Rule."""

    known = frozenset(
        "Description EventBusName EventPattern Name RoleArn ScheduleExpression State Tags Targets".split()
    )
    fixed = frozenset({"Name", "EventBusName"})
    name = "Name"
    tags = "Tags"

    @staticmethod
    def _where(physical: str) -> Props:
        bus, _, name = physical.rpartition("|")
        return {"EventBusName": bus or "default", "Name": name}

    def create(self, at: Place, props: Props) -> str:
        bus = str(props.get("EventBusName") or "default").rsplit("/", 1)[-1]
        name = str(props.get("Name") or at.named())
        physical = name if bus == "default" else f"{bus}|{name}"
        try:
            at.look("events", "describe_rule", **self._where(physical))
        except Missing:
            pass
        else:
            raise already(at, "AWS::Events::Rule", physical)
        at.look("events", "describe_event_bus", Name=bus)
        self._put(at, physical, props, props.get("Tags"))
        at.born(physical)
        self._targets(at, physical, {}, props)
        return physical

    def _put(self, at: Place, physical: str, props: Props, tags: object = None) -> None:
        given = some(
            props, EventPattern="EventPattern", ScheduleExpression="ScheduleExpression", State="State",
            Description="Description", RoleArn="RoleArn",
        )  # fmt: skip
        at.call("events", "put_rule", **self._where(physical), **given, **({"Tags": tags} if tags else {}))

    def _targets(self, at: Place, physical: str, old: Props, new: Props) -> None:
        where = self._where(physical)
        where = {"EventBusName": where["EventBusName"], "Rule": where["Name"]}
        was, now = old.get("Targets") or [], new.get("Targets") or []
        gone = [one["Id"] for one in was if one["Id"] not in {kept["Id"] for kept in now}]
        if gone:
            at.call("events", "remove_targets", **where, Ids=gone)
        if now and now != was:
            told = at.call("events", "put_targets", **where, Targets=now)
            assert not told.get("FailedEntryCount"), told

    def update(self, at: Place, physical: str, old: Props, new: Props) -> None:
        self._put(at, physical, new)
        self._targets(at, physical, old, new)
        retag(at, "events", "ResourceARN", self.attributes(at, physical, new)["Arn"], old, new)

    def delete(self, at: Place, physical: str, props: Props) -> None:
        self._targets(at, physical, props, {})
        at.call("events", "delete_rule", **self._where(physical))

    def attributes(self, at: Place, physical: str, props: Props) -> Props:
        return {"Arn": at.look("events", "describe_rule", **self._where(physical))["Arn"]}


KINDS: dict[str, Kind] = {
    "AWS::Events::EventBus": EventBus(),
    "AWS::Events::EventBusPolicy": EventBusPolicy(),
    "AWS::Events::Rule": Rule(),
}
