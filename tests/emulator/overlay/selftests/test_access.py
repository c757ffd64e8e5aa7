"""P11: trust policies, identity and session policies, and keys that are no good."""

from __future__ import annotations

import json
from typing import Any

from overlay.selftests.server import HUB, IMAGE, Case

MEMBER = "111122223333"
ROLE = f"arn:aws:iam::{MEMBER}:role/spothub-member"
TAGGED = {"StringEquals": {"aws:ResourceTag/spothub:managed": "true"}}


def policy(*statements: dict[str, Any]) -> str:
    """A policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: Any, resource: Any = "*", condition: Any = None) -> dict[str, Any]:
    """A statement that allows."""
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return {**statement, "Condition": condition} if condition else statement


class Access(Case):
    """AssumeRole, and what its keys may do."""

    def role(self, *statements: dict[str, Any], account: str = MEMBER, **trust: Any) -> None:
        condition = trust or {"StringEquals": {"sts:ExternalId": "secret"}}
        principal = {"AWS": f"arn:aws:iam::{HUB}:root"}
        statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", "Condition": condition}
        iam = self.client("iam", account=account)
        iam.create_role(RoleName="spothub-member", AssumeRolePolicyDocument=policy(statement))
        if statements:
            iam.put_role_policy(RoleName="spothub-member", PolicyName="p", PolicyDocument=policy(*statements))

    def assume(self, sts: Any = None, **more: Any) -> Any:
        params = {"RoleArn": ROLE, "RoleSessionName": "spothub@us-east-1", "ExternalId": "secret", **more}
        return (sts or self.client("sts")).assume_role(**params)["Credentials"]

    def member(self, service: str, **more: Any) -> Any:
        return self.client(service, keys=self.assume(**more))

    def enforce(self) -> None:
        self.control("POST", "/switches", {"identity": True})

    def test_p11_trust_needs_the_role_and_the_external_id(self) -> None:
        self.refused("AccessDenied", self.assume)
        self.role()
        keys = self.assume()
        who = self.client("sts", keys=keys).get_caller_identity()
        self.assertEqual(who["Account"], MEMBER)
        self.refused("AccessDenied", self.assume, ExternalId="wrong")
        answer = self.refused("AccessDenied", self.assume, RoleArn=ROLE + "-not")
        self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], 403)
        self.control("POST", "/switches", {"trust": False})
        self.assume(ExternalId="wrong")

    def test_p11_trust_looks_at_the_principal_arn_and_chained_sessions_are_short(self) -> None:
        hub_role = f"arn:aws:iam::{HUB}:role/hub"
        self.role(StringEquals={"sts:ExternalId": "secret"}, ArnEquals={"aws:PrincipalArn": hub_role})
        self.refused("AccessDenied", self.assume)
        own = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{HUB}:root"}, "Action": "sts:AssumeRole"}
        self.client("iam").create_role(RoleName="hub", AssumeRolePolicyDocument=policy(own))
        keys = self.client("sts").assume_role(RoleArn=hub_role, RoleSessionName="hub")["Credentials"]
        hub = self.client("sts", keys=keys)
        self.assume(hub)
        self.refused("ValidationError", lambda: self.assume(hub, DurationSeconds=7200))

    def test_p11_trust_knows_the_organization(self) -> None:
        organizations = self.client("organizations")
        organization = organizations.create_organization(FeatureSet="ALL")["Organization"]["Id"]
        told = organizations.create_account(AccountName="a", Email="a@example.com")["CreateAccountStatus"]
        access = f"arn:aws:iam::{told['AccountId']}:role/OrganizationAccountAccessRole"
        sts = self.client("sts")
        sts.assume_role(RoleArn=access, RoleSessionName="admin")
        self.role(StringEquals={"aws:PrincipalOrgID": organization})
        self.assume()
        organizations.close_account(AccountId=told["AccountId"])
        self.refused("AccessDenied", sts.assume_role, RoleArn=access, RoleSessionName="admin")

    def test_p11_nothing_is_allowed_that_no_policy_allows(self) -> None:
        self.role(allow("ec2:DescribeInstances"))
        ec2 = self.member("ec2")
        ec2.describe_subnets()
        self.enforce()
        ec2.describe_instances()
        answer = self.refused("UnauthorizedOperation", ec2.describe_subnets)
        self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], 403)
        self.refused("AccessDenied", self.member("autoscaling").describe_auto_scaling_groups)
        self.refused("AccessDeniedException", self.member("organizations").list_accounts)
        self.member("sts").get_caller_identity()
        # Keys that the emulator did not mint are not judged.
        self.client("ec2").describe_subnets()

    def test_p11_only_tagged_instances_may_be_ended(self) -> None:
        self.role(allow("ec2:TerminateInstances", f"arn:aws:ec2:*:{MEMBER}:instance/*", TAGGED))
        owner = self.client("ec2", account=MEMBER)
        params = {"ImageId": IMAGE, "InstanceType": "m5.large", "MinCount": 1, "MaxCount": 1}
        tags = [{"ResourceType": "instance", "Tags": [{"Key": "spothub:managed", "Value": "true"}]}]
        ours = owner.run_instances(**params, TagSpecifications=tags)["Instances"][0]["InstanceId"]
        theirs = owner.run_instances(**params)["Instances"][0]["InstanceId"]
        self.enforce()
        ec2 = self.member("ec2")
        self.refused("UnauthorizedOperation", ec2.terminate_instances, InstanceIds=[theirs])
        self.refused("UnauthorizedOperation", ec2.terminate_instances, InstanceIds=[ours, theirs])
        ec2.terminate_instances(InstanceIds=[ours])

    def test_p11_launches_are_checked_on_every_resource_and_tag(self) -> None:
        arn = f"arn:aws:ec2:*:{MEMBER}"
        instance = allow(
            "ec2:RunInstances", f"{arn}:instance/*",
            {"StringEquals": {"ec2:InstanceMarketType": "spot", "aws:RequestTag/spothub:managed": "true"}},
        )  # fmt: skip
        kinds = ("launch-template", "network-interface", "security-group", "subnet", "volume")
        support = allow("ec2:RunInstances", ["arn:aws:ec2:*::image/*", *(f"{arn}:{kind}/*" for kind in kinds)])
        tagging = allow("ec2:CreateTags", f"{arn}:instance/*", {"StringEquals": {"ec2:CreateAction": ["RunInstances"]}})
        self.role(instance, support, tagging)
        self.enforce()
        ec2 = self.member("ec2")
        subnet = self.subnets(account=MEMBER)["us-east-1a"]
        tags = [{"ResourceType": "instance", "Tags": [{"Key": "spothub:managed", "Value": "true"}]}]
        good = {
            "ImageId": IMAGE, "InstanceType": "m5.large", "MinCount": 1, "MaxCount": 1, "SubnetId": subnet,
            "InstanceMarketOptions": {"MarketType": "spot"}, "TagSpecifications": tags,
        }  # fmt: skip
        # The first Spot launch of an account makes a role.
        self.refused("AuthFailure.ServiceLinkedRoleCreationNotPermitted", ec2.run_instances, **good)
        self.client("iam", account=MEMBER).create_service_linked_role(AWSServiceName="spot.amazonaws.com")
        made = ec2.run_instances(**good)["Instances"][0]["InstanceId"]
        self.refused("DryRunOperation", ec2.run_instances, **good, DryRun=True)
        self.refused("UnauthorizedOperation", ec2.run_instances, **{**good, "TagSpecifications": []})
        plain = {name: value for name, value in good.items() if name != "InstanceMarketOptions"}
        self.refused("UnauthorizedOperation", ec2.run_instances, **plain)
        volume = [*tags, {"ResourceType": "volume", "Tags": [{"Key": "a", "Value": "b"}]}]
        self.refused("UnauthorizedOperation", ec2.run_instances, **{**good, "TagSpecifications": volume})
        # A tag that is put on later was created by no launch.
        later = [{"Key": "spothub:managed", "Value": "true"}]
        self.refused("UnauthorizedOperation", ec2.create_tags, Resources=[made], Tags=later)

    def test_p11_groups_are_judged_by_their_tags(self) -> None:
        arn = f"arn:aws:autoscaling:*:{MEMBER}:autoScalingGroup:*:autoScalingGroupName/*"
        enabled = {"StringEquals": {"aws:ResourceTag/spothub:enabled": "true"}}
        self.role(allow("autoscaling:UpdateAutoScalingGroup", arn, enabled), allow("autoscaling:Describe*"))
        template = self.template(account=MEMBER)
        scaling = self.client("autoscaling", account=MEMBER)
        subnet = self.subnets(account=MEMBER)["us-east-1a"]
        for name in ("on", "off"):
            scaling.create_auto_scaling_group(
                AutoScalingGroupName=name, MinSize=0, MaxSize=1, VPCZoneIdentifier=subnet,
                LaunchTemplate={"LaunchTemplateId": template, "Version": "1"},
                Tags=[{"Key": "spothub:enabled", "Value": "true"}] if name == "on" else [],
            )  # fmt: skip
        self.enforce()
        member = self.member("autoscaling")
        member.update_auto_scaling_group(AutoScalingGroupName="on", MaxSize=2)
        self.refused("AccessDenied", member.update_auto_scaling_group, AutoScalingGroupName="off", MaxSize=2)

    def test_p11_a_session_policy_narrows_to_a_region(self) -> None:
        self.role(allow("ec2:*"))
        self.enforce()
        narrow = policy(allow("*", "*", {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}))
        keys = self.assume(Policy=narrow)
        self.client("ec2", "eu-west-1", keys=keys).describe_instances()
        self.refused("UnauthorizedOperation", self.client("ec2", "us-east-1", keys=keys).describe_instances)
        self.refused("MalformedPolicyDocument", self.assume, Policy="{")

    def test_p11_the_caller_needs_the_right_to_assume(self) -> None:
        self.role()
        own = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{HUB}:root"}, "Action": "sts:AssumeRole"}
        iam = self.client("iam")
        iam.create_role(RoleName="hub", AssumeRolePolicyDocument=policy(own))
        hub_role = f"arn:aws:iam::{HUB}:role/hub"
        hub = self.client(
            "sts", keys=self.client("sts").assume_role(RoleArn=hub_role, RoleSessionName="hub")["Credentials"]
        )
        self.enforce()
        self.refused("AccessDenied", lambda: self.assume(hub))
        statement = allow("sts:AssumeRole", "arn:aws:iam::*:role/spothub-member")
        iam.put_role_policy(RoleName="hub", PolicyName="p", PolicyDocument=policy(statement))
        self.assume(hub)

    def test_p11_a_group_update_brings_the_keys_of_what_was_sent_and_no_others(self) -> None:
        only_max = {"Null": {"autoscaling:MaxSize": "false", "autoscaling:MinSize": "true"}}
        only_max["Null"]["autoscaling:VPCZoneIdentifiers"] = "true"
        self.role(allow("autoscaling:UpdateAutoScalingGroup", "*", only_max))
        subnet = self.subnets(account=MEMBER)["us-east-1a"]
        launch = {"LaunchTemplateId": self.template(account=MEMBER), "Version": "1"}
        self.client("autoscaling", account=MEMBER).create_auto_scaling_group(
            AutoScalingGroupName="g", MinSize=0, MaxSize=1, VPCZoneIdentifier=subnet, LaunchTemplate=launch
        )
        self.enforce()
        scaling = self.member("autoscaling")
        scaling.update_auto_scaling_group(AutoScalingGroupName="g", MaxSize=2)
        for more in ({"MinSize": 1}, {"VPCZoneIdentifier": subnet}):
            self.refused(
                "AccessDenied", scaling.update_auto_scaling_group, AutoScalingGroupName="g", MaxSize=3, **more
            )
        self.refused("AccessDenied", scaling.update_auto_scaling_group, AutoScalingGroupName="g", DesiredCapacity=0)

    def test_p11_a_boundary_narrows_and_wildcards_stay_within_their_part_of_an_arn(self) -> None:
        self.role(allow("sqs:*", "arn:aws:sqs:*:queue"), allow("ec2:*"))
        iam = self.client("iam", account=MEMBER)
        edge = iam.create_policy(PolicyName="edge", PolicyDocument=policy(allow(["sqs:*", "ec2:DescribeSubnets"])))
        iam.put_role_permissions_boundary(RoleName="spothub-member", PermissionsBoundary=edge["Policy"]["Arn"])
        self.client("sqs", account=MEMBER).create_queue(QueueName="queue")
        self.enforce()
        self.member("ec2").describe_subnets()
        self.refused("UnauthorizedOperation", self.member("ec2").describe_instances)
        self.refused("AccessDeniedException", self.member("sqs").get_queue_url, QueueName="queue")

    def test_p11_queues_and_tables_of_other_accounts_are_closed(self) -> None:
        url = self.client("sqs").create_queue(QueueName="urgent")["QueueUrl"]
        self.role(allow("*"))
        sqs = self.member("sqs")
        self.refused("AccessDeniedException", sqs.receive_message, QueueUrl=url)
        table = f"arn:aws:dynamodb:us-east-1:{HUB}:table/spothub"
        self.refused("AccessDeniedException", self.member("dynamodb").scan, TableName=table)
        sqs.list_queues()

    def test_p11_an_explicit_deny_wins(self) -> None:
        deny = {"Effect": "Deny", "Action": "ec2:DescribeInstances", "Resource": "*"}
        self.role(allow("*"), deny)
        self.enforce()
        self.refused("UnauthorizedOperation", self.member("ec2").describe_instances)
        self.member("ec2").describe_subnets()

    def test_sessions_can_be_ended_and_keys_from_before_a_reset_are_refused(self) -> None:
        self.role()
        keys = self.assume()
        self.assertEqual(self.control("POST", "/sessions/end", {"account": MEMBER})["ended"], 1)
        self.refused("RequestExpired", self.client("ec2", keys=keys).describe_instances)
        self.refused("ExpiredToken", self.client("autoscaling", keys=keys).describe_auto_scaling_groups)
        self.refused("ExpiredTokenException", self.client("organizations", keys=keys).list_accounts)
        self.control("POST", "/reset")
        self.refused("AuthFailure", self.client("ec2", keys=keys).describe_instances)
        self.refused("InvalidClientTokenId", self.client("sts", keys=keys).get_caller_identity)
