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


def policy(*statements: dict[str, Any]) -> str:
    """A policy document; empty conditions are left out."""
    told = [{key: value for key, value in one.items() if value != {}} for one in statements]
    return json.dumps({"Version": "2012-10-17", "Statement": told})


class Events(Case):
    """From a member's default bus to the hub's queue."""

    def queue(self, name: str, region: str = "us-east-1", account: str = HUB, **condition: Any) -> str:
        """A queue that rules may send to."""
        arn = f"arn:aws:sqs:{region}:{account}:{name}"
        rules = {"Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn}
        self.client("sqs", region, account).create_queue(
            QueueName=name, Attributes={"Policy": policy({"Effect": "Allow", **rules, "Condition": condition})}
        )
        return arn

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

    def hub(self, **condition: Any) -> str:
        """The hub's bus with its queue; returns the bus's ARN."""
        events, bus = self.client("events"), f"arn:aws:events:us-east-1:{HUB}:event-bus/hub"
        events.create_event_bus(Name="hub")
        anybody = {"Sid": "all", "Effect": "Allow", "Principal": "*", "Action": "events:PutEvents", "Resource": bus}
        events.put_permission(EventBusName="hub", Policy=policy({**anybody, "Condition": condition}))
        self.rule("hub", {"Arn": self.queue("urgent")})
        return bus

    def forwarder(self, bus: str, account: str = MEMBER, **trusting: Any) -> str:
        """A role that EventBridge may put events on the bus with."""
        trust = {"Principal": {"Service": "events.amazonaws.com"}, "Action": "sts:AssumeRole"}
        iam = self.client("iam", account=account)
        iam.create_role(
            RoleName="forwarder",
            AssumeRolePolicyDocument=policy({"Effect": "Allow", **trust, "Condition": trusting}),
        )
        allow = {"Effect": "Allow", "Action": "events:PutEvents", "Resource": bus}
        iam.put_role_policy(RoleName="forwarder", PolicyName="p", PolicyDocument=policy(allow))
        return f"arn:aws:iam::{account}:role/forwarder"

    def to_hub(self, bus: str, **more: Any) -> Any:
        target = {"Arn": bus, "RoleArn": self.forwarder(bus), **more}
        return self.rule("default", target, "eu-west-1", MEMBER)

    def letters(self) -> list[str]:
        """The codes of what was not delivered, in the member."""
        found = self.received("dead", "eu-west-1", MEMBER)
        return [letter["MessageAttributes"]["ERROR_CODE"]["StringValue"] for letter in found]

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
        target = {"Arn": far, "RoleArn": self.forwarder(far, HUB), "DeadLetterConfig": {"Arn": dead}}
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

    def test_p5_the_bus_policy_judges_the_role_and_its_organization(self) -> None:
        organizations = self.client("organizations")
        ident = organizations.create_organization(FeatureSet="ALL")["Organization"]["Id"]
        told = organizations.create_account(AccountName="a", Email="a@example.com")["CreateAccountStatus"]
        inside = told["AccountId"]
        bus = self.hub(
            StringEquals={"aws:PrincipalOrgID": ident},
            ArnLike={"aws:PrincipalArn": "arn:aws:iam::*:role/forwarder"},
        )
        for account in (inside, MEMBER):
            role = self.forwarder(bus, account)
            dead = self.queue("dead", "eu-west-1", account)
            target = {"Arn": bus, "RoleArn": role, "DeadLetterConfig": {"Arn": dead}}
            self.rule("default", target, "eu-west-1", account)
            self.put(account=account)
        self.assertEqual(len(self.received("urgent")), 1)
        self.assertEqual(self.letters(), ["NO_PERMISSIONS"])
        outcome = self.control("GET", "/events")["deliveries"][-1]
        self.assertEqual((outcome["outcome"], outcome["event"]["account"]), ("dead-letter", MEMBER))
        entry = {"Source": "own", "DetailType": "d", "Detail": "{}", "EventBusName": bus}
        self.refused("AccessDeniedException", self.client("events", account=inside).put_events, Entries=[entry])
        forged = self.client("events", account=inside).put_events(Entries=[{**entry, "Source": "aws.ec2"}])
        self.assertEqual(forged["Entries"][0]["ErrorCode"], "NotAuthorizedForSourceException")

    def test_p5_a_forwarder_needs_trust_and_the_right_to_put(self) -> None:
        bus, dead = self.hub(), self.queue("dead", "eu-west-1", MEMBER)
        self.to_hub(bus, DeadLetterConfig={"Arn": dead})
        iam = self.client("iam", account=MEMBER)
        right = iam.get_role_policy(RoleName="forwarder", PolicyName="p")["PolicyDocument"]
        self.put()
        iam.delete_role_policy(RoleName="forwarder", PolicyName="p")
        self.put()
        iam.put_role_policy(RoleName="forwarder", PolicyName="p", PolicyDocument=json.dumps(right))
        rule = "arn:aws:events:eu-west-1:111122223333:rule/other"
        trust = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sts:AssumeRole"}
        wrong = policy({**trust, "Condition": {"ArnEquals": {"aws:SourceArn": rule}}})
        iam.update_assume_role_policy(RoleName="forwarder", PolicyDocument=wrong)
        self.put()
        self.assertEqual((len(self.received("urgent")), self.letters()), (1, ["NO_PERMISSIONS"] * 2))
        self.control("POST", "/switches", {"event_rights": False})
        self.put()
        self.assertEqual(len(self.received("urgent")), 2)

    def test_p5_a_queue_has_to_admit_the_rule(self) -> None:
        rule = f"arn:aws:events:us-east-1:{HUB}:rule/r"
        self.rule("default", {"Arn": self.queue("closed", ArnEquals={"aws:SourceArn": f"{rule}-other"})})
        self.rule("default", {"Arn": self.queue("open", ArnEquals={"aws:SourceArn": f"{rule}2"})}, name="r2")
        self.put(account=HUB, region="us-east-1")
        self.assertEqual((self.received("closed"), len(self.received("open"))), ([], 1))
        outcomes = {note["rule"]: note.get("code") for note in self.control("GET", "/events")["deliveries"]}
        self.assertEqual(outcomes, {rule: "NO_PERMISSIONS", f"{rule}2": None})

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
