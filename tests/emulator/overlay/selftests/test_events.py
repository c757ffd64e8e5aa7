"""P5 and the controls for events and interruptions."""

from __future__ import annotations

import json
from typing import Any

from overlay.selftests.server import HUB, Case, until

MEMBER = "111122223333"
WARNING = {
    "source": "aws.ec2",
    "detail-type": "EC2 Spot Instance Interruption Warning",
    "id": "12345678-1234-1234-1234-123456789012",
    "time": "2026-01-01T00:00:00Z",
    "resources": ["arn:aws:ec2:eu-west-1:111122223333:instance/i-1"],
    "detail": {"instance-id": "i-1", "instance-action": "terminate"},
}


class Events(Case):
    """From a member's default bus to the hub's queue."""

    def queue(self, name: str, region: str = "us-east-1", account: str = HUB) -> str:
        self.client("sqs", region, account).create_queue(QueueName=name)
        return f"arn:aws:sqs:{region}:{account}:{name}"

    def received(self, name: str, region: str = "us-east-1", account: str = HUB) -> list[Any]:
        sqs = self.client("sqs", region, account)
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        told = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], VisibilityTimeout=0
        )
        return told.get("Messages", [])

    def rule(
        self, bus: str, target: dict[str, Any], region: str = "us-east-1", account: str = HUB, name: str = "r"
    ) -> Any:
        events = self.client("events", region, account)
        pattern = json.dumps({"source": ["aws.ec2", "aws.autoscaling", "own"]})
        events.put_rule(Name=name, EventBusName=bus, EventPattern=pattern)
        events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": "1", **target}])
        return events

    def hub(self) -> str:
        """The hub's bus with its queue; returns the bus's ARN."""
        events = self.client("events")
        events.create_event_bus(Name="hub")
        events.put_permission(
            EventBusName="hub", Action="events:PutEvents", Principal="*", StatementId="org",
            Condition={"Type": "StringEquals", "Key": "aws:PrincipalOrgID", "Value": "o-1"},
        )  # fmt: skip
        self.rule("hub", {"Arn": self.queue("urgent")})
        return f"arn:aws:events:us-east-1:{HUB}:event-bus/hub"

    def to_hub(self, bus: str, **more: Any) -> Any:
        role = f"arn:aws:iam::{MEMBER}:role/forwarder"
        return self.rule("default", {"Arn": bus, "RoleArn": role, **more}, "eu-west-1", MEMBER)

    def put(self, event: dict[str, Any] = WARNING, account: str = MEMBER, region: str = "eu-west-1") -> Any:
        return self.control("POST", "/events", {"account": account, "region": region, "event": event})["event"]

    def test_p5_the_whole_envelope_arrives_across_account_and_region(self) -> None:
        self.to_hub(self.hub())
        self.put()
        told = [json.loads(message["Body"]) for message in self.received("urgent")]
        self.assertEqual(told, [{"version": "0", "account": MEMBER, "region": "eu-west-1", **WARNING}])

    def test_p5_a_disabled_rule_is_silent(self) -> None:
        member = self.to_hub(self.hub())
        member.disable_rule(Name="r")
        self.put()
        self.assertEqual(self.received("urgent"), [])
        member.enable_rule(Name="r")
        self.put()
        self.assertEqual(len(self.received("urgent")), 1)

    def test_p5_a_failed_target_goes_to_its_dead_letters_and_put_events_succeeds(self) -> None:
        dead = self.queue("dead")
        missing = f"arn:aws:sqs:us-east-1:{HUB}:missing"
        events = self.rule("default", {"Arn": missing, "DeadLetterConfig": {"Arn": dead}})
        entry = {"Source": "own", "DetailType": "d", "Detail": "{}"}
        self.assertEqual(events.put_events(Entries=[entry])["FailedEntryCount"], 0)
        letters = self.received("dead")
        self.assertEqual(len(letters), 1)
        attributes = {name: value["StringValue"] for name, value in letters[0]["MessageAttributes"].items()}
        self.assertEqual(attributes["TARGET_ARN"], missing)
        self.assertEqual(attributes["ERROR_CODE"], "RESOURCE_NOT_FOUND")

    def test_p5_a_bus_of_another_account_needs_role_and_policy(self) -> None:
        hub = self.hub()
        dead = self.queue("dead", "eu-west-1", MEMBER)
        self.rule("default", {"Arn": hub, "DeadLetterConfig": {"Arn": dead}}, "eu-west-1", MEMBER)
        self.put()
        letter = self.received("dead", "eu-west-1", MEMBER)[0]
        self.assertEqual(letter["MessageAttributes"]["ERROR_CODE"]["StringValue"], "NO_PERMISSIONS")

    def test_p5_a_second_hop_is_refused(self) -> None:
        hub = self.hub()
        self.to_hub(hub)
        third = "444455556666"
        self.client("events", account=third).create_event_bus(Name="far")
        far = f"arn:aws:events:us-east-1:{third}:event-bus/far"
        dead = self.queue("dead")
        target = {"Arn": far, "RoleArn": f"arn:aws:iam::{HUB}:role/x", "DeadLetterConfig": {"Arn": dead}}
        self.rule("hub", target, name="onward")
        self.put()
        letter = self.received("dead")[0]
        self.assertEqual(letter["MessageAttributes"]["ERROR_CODE"]["StringValue"], "THIRD_ACCOUNT_HOP_DETECTED")
        self.assertEqual(len(self.received("urgent")), 1)

    def test_p5_put_events_reaches_a_bus_by_its_arn_and_refuses_aws_sources(self) -> None:
        hub = self.hub()
        member = self.client("events", "us-east-1", MEMBER)
        entry = {"Source": "own", "DetailType": "d", "Detail": '{"a": 1}', "EventBusName": hub}
        self.assertEqual(member.put_events(Entries=[entry])["FailedEntryCount"], 0)
        told = json.loads(self.received("urgent")[0]["Body"])
        self.assertEqual((told["account"], told["detail"]), (MEMBER, {"a": 1}))
        forged = {**entry, "Source": "aws.ec2"}
        answer = member.put_events(Entries=[forged, entry])
        self.assertEqual(answer["FailedEntryCount"], 1)
        self.assertEqual(answer["Entries"][0]["ErrorCode"], "NotAuthorizedForSourceException")
        broken = member.put_events(Entries=[{**entry, "Detail": "{"}])
        self.assertEqual(broken["Entries"][0]["ErrorCode"], "MalformedDetail")

    def test_events_can_be_doubled_and_deliveries_are_told(self) -> None:
        self.to_hub(self.hub())
        self.control("POST", "/events", {"account": MEMBER, "region": "eu-west-1", "event": WARNING, "copies": 2})
        told = [json.loads(message["Body"])["id"] for message in self.received("urgent")]
        self.assertEqual(told, [WARNING["id"]] * 2)
        told = self.control("GET", "/events")["deliveries"]
        self.assertEqual({note["outcome"] for note in told}, {"delivered"})

    def test_an_interruption_recommends_warns_ends_and_the_group_replaces(self) -> None:
        scaling = self.group(desired=1, most=3)
        self.rule("default", {"Arn": self.queue("urgent")})
        spot = self.run_spot()
        scaling.attach_instances(AutoScalingGroupName="g", InstanceIds=[spot])
        asked = {"account": HUB, "region": "us-east-1", "instance": spot, "recommendation": True}
        self.control("POST", "/interruptions", {**asked, "warning_after": 0.1, "terminate_after": 0.2})
        self.assertTrue(until(lambda: len(self.control("GET", "/interruptions")["interruptions"][0]["done"]) == 3))
        kinds = [json.loads(message["Body"])["detail-type"] for message in self.received("urgent")]
        self.assertEqual(kinds, ["EC2 Instance Rebalance Recommendation", "EC2 Spot Instance Interruption Warning"])
        members = [member["InstanceId"] for member in self.seen()["Instances"]]
        self.assertEqual((len(members), spot in members), (2, False))
        found = self.client("ec2").describe_instances(InstanceIds=[spot])["Reservations"][0]["Instances"][0]
        self.assertEqual(found["StateReason"]["Code"], "Server.SpotInstanceTermination")
        request = self.client("ec2").describe_spot_instance_requests(
            SpotInstanceRequestIds=[found["SpotInstanceRequestId"]]
        )["SpotInstanceRequests"][0]
        self.assertEqual(request["Status"]["Code"], "instance-terminated-no-capacity")

    def test_the_emulator_tells_launches_where_that_is_switched_on(self) -> None:
        self.control("POST", "/switches", {"service_events": True})
        self.rule("default", {"Arn": self.queue("normal")})
        self.group(desired=1)
        told = [json.loads(message["Body"]) for message in self.received("normal")]
        kinds = [event["detail-type"] for event in told if event["source"] == "aws.autoscaling"]
        self.assertEqual(kinds, ["EC2 Instance Launch Successful"])
        self.assertEqual(told[-1]["detail"]["AutoScalingGroupName"], "g")
