"""P10: stacks and change sets, and what their resources are then."""

from __future__ import annotations

import json
from typing import Any

from overlay.selftests.server import HUB, Case, until

NAMED = ["CAPABILITY_NAMED_IAM"]
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}


def template(resources: dict[str, Any], **sections: Any) -> str:
    """A template as JSON."""
    return json.dumps({"Resources": resources, **sections})


def may(action: str) -> dict[str, Any]:
    """A document that allows one action."""
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]}


def role(**more: Any) -> dict[str, Any]:
    """A role with one policy."""
    policies = [{"PolicyName": "p", "PolicyDocument": may("ec2:Describe*")}]
    properties = {"RoleName": "web", "AssumeRolePolicyDocument": TRUST, "Policies": policies, **more}
    return {"Type": "AWS::IAM::Role", "Properties": properties}


def queue(name: str, **more: Any) -> dict[str, Any]:
    """A queue."""
    return {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": name, **more}}


class Stacks(Case):
    """CreateStack, UpdateStack, DeleteStack and their kin."""

    def setUp(self) -> None:
        super().setUp()
        self.cfn = self.client("cloudformation")

    def make(self, body: str, name: str = "s", **more: Any) -> str:
        return self.cfn.create_stack(StackName=name, TemplateBody=body, Capabilities=NAMED, **more)["StackId"]

    def change(self, body: str, name: str = "s", **more: Any) -> None:
        self.cfn.update_stack(StackName=name, TemplateBody=body, Capabilities=NAMED, **more)

    def told(self, name: str = "s") -> Any:
        return self.cfn.describe_stacks(StackName=name)["Stacks"][0]

    def reasons(self, name: str = "s") -> dict[str, str]:
        """Why resources failed."""
        events = self.cfn.describe_stack_events(StackName=name)["StackEvents"]
        return {
            event["LogicalResourceId"]: event["ResourceStatusReason"]
            for event in events
            if event["ResourceStatus"].endswith("_FAILED")
        }

    def queues(self) -> list[str]:
        return [url.rsplit("/", 1)[-1] for url in self.client("sqs").list_queues().get("QueueUrls", [])]

    def test_p10_a_role_is_what_the_template_says_and_follows_its_updates(self) -> None:
        made = self.client("iam").create_policy(PolicyName="edge", PolicyDocument=json.dumps(may("*")))
        edge = made["Policy"]["Arn"]
        more = {"ManagedPolicyArns": [edge], "MaxSessionDuration": "7200", "PermissionsBoundary": edge, "Path": "/a/"}
        tags = [{"Key": "spothub:template-version", "Value": "1"}]
        self.make(template({"Role": role(**more, Tags=tags)}), Tags=[{"Key": "team", "Value": "x"}])
        iam = self.client("iam")
        found = iam.get_role(RoleName="web")["Role"]
        self.assertEqual((found["MaxSessionDuration"], found["Path"]), (7200, "/a/"))
        self.assertEqual(found["PermissionsBoundary"]["PermissionsBoundaryArn"], edge)
        self.assertEqual(found["AssumeRolePolicyDocument"], TRUST)
        self.assertEqual({tag["Key"] for tag in found["Tags"]}, {"spothub:template-version", "team"})
        document = iam.get_role_policy(RoleName="web", PolicyName="p")["PolicyDocument"]
        self.assertEqual(document, may("ec2:Describe*"))
        attached = iam.list_attached_role_policies(RoleName="web")["AttachedPolicies"]
        self.assertEqual([policy["PolicyArn"] for policy in attached], [edge])
        policies = [{"PolicyName": "q", "PolicyDocument": may("sqs:*")}]
        self.change(template({"Role": role(Path="/a/", Policies=policies)}), Tags=[])
        found = iam.get_role(RoleName="web")["Role"]
        self.assertEqual((found["MaxSessionDuration"], found.get("Tags", [])), (3600, []))
        self.assertNotIn("PermissionsBoundary", found)
        self.assertEqual(iam.list_role_policies(RoleName="web")["PolicyNames"], ["q"])
        self.assertEqual(iam.list_attached_role_policies(RoleName="web")["AttachedPolicies"], [])
        self.assertEqual(self.told()["StackStatus"], "UPDATE_COMPLETE")
        self.cfn.delete_stack(StackName="s")
        self.refused("NoSuchEntity", iam.get_role, RoleName="web")

    def test_p10_buses_rules_and_policies_are_made_and_changed(self) -> None:
        statement = {
            "Effect": "Allow", "Principal": "*", "Action": "events:PutEvents",
            "Resource": {"Fn::GetAtt": ["Bus", "Arn"]}, "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}},
        }  # fmt: skip
        target = {"Id": "q", "Arn": {"Fn::GetAtt": "Queue.Arn"}, "RetryPolicy": {"MaximumEventAgeInSeconds": "300"}}
        rule = {"Name": "r", "EventBusName": {"Ref": "Bus"}, "EventPattern": {"source": ["own"]}, "Targets": [target]}
        admit = {
            "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage",
            "Resource": {"Fn::GetAtt": ["Queue", "Arn"]},
            "Condition": {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": "Rule.Arn"}}},
        }  # fmt: skip
        resources = {
            "Bus": {"Type": "AWS::Events::EventBus", "Properties": {"Name": "hub"}},
            "BusPolicy": {
                "Type": "AWS::Events::EventBusPolicy",
                "Properties": {"EventBusName": {"Ref": "Bus"}, "StatementId": "all", "Statement": statement},
            },
            "Queue": queue("q", VisibilityTimeout=60),
            "Rule": {"Type": "AWS::Events::Rule", "Properties": rule},
            "Admit": {
                "Type": "AWS::SQS::QueuePolicy",
                "Properties": {"Queues": [{"Ref": "Queue"}], "PolicyDocument": {"Statement": [admit]}},
            },
        }
        outputs = {"Rule": {"Value": {"Fn::Sub": "${Rule} of ${AWS::StackName}"}}}
        self.make(template(resources, Outputs=outputs))
        self.assertEqual(self.told()["Outputs"], [{"OutputKey": "Rule", "OutputValue": "hub|r of s"}])
        events = self.client("events")
        statements = json.loads(events.describe_event_bus(Name="hub")["Policy"])["Statement"]
        self.assertEqual([one["Sid"] for one in statements], ["all"])
        events.put_events(Entries=[{"Source": "own", "DetailType": "d", "Detail": "{}", "EventBusName": "hub"}])
        sqs = self.client("sqs")
        url = sqs.get_queue_url(QueueName="q")["QueueUrl"]
        self.assertEqual(len(sqs.receive_message(QueueUrl=url)["Messages"]), 1)
        rule["State"], rule["Targets"] = "DISABLED", [{**target, "Id": "other"}]
        resources["Queue"] = queue("q", VisibilityTimeout=5)
        del resources["BusPolicy"]
        self.change(template(resources, Outputs=outputs), Tags=[{"Key": "team", "Value": "x"}])
        arn = events.describe_rule(Name="r", EventBusName="hub")["Arn"]
        self.assertEqual(events.list_tags_for_resource(ResourceARN=arn)["Tags"], [{"Key": "team", "Value": "x"}])
        self.assertEqual(events.describe_rule(Name="r", EventBusName="hub")["State"], "DISABLED")
        found = events.list_targets_by_rule(Rule="r", EventBusName="hub")["Targets"]
        ages = [(one["Id"], one["RetryPolicy"]["MaximumEventAgeInSeconds"]) for one in found]
        self.assertEqual(ages, [("other", 300)])
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])["Attributes"]
        self.assertEqual(attributes["VisibilityTimeout"], "5")
        self.assertNotIn("Policy", events.describe_event_bus(Name="hub"))
        self.cfn.delete_stack(StackName="s")
        self.refused("ResourceNotFoundException", events.describe_event_bus, Name="hub")

    def test_p10_tables_buckets_and_alarms_have_all_that_was_asked_for(self) -> None:
        table = {
            "TableName": "t", "BillingMode": "PAY_PER_REQUEST", "DeletionProtectionEnabled": "true",
            "AttributeDefinitions": [{"AttributeName": "k", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}],
            "TimeToLiveSpecification": {"AttributeName": "x", "Enabled": True},
            "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
        }  # fmt: skip
        rules = [{"BucketKeyEnabled": True, "ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]
        closed = {"BlockPublicAcls": True, "BlockPublicPolicy": True}
        bucket = {
            "BucketName": "b-1", "VersioningConfiguration": {"Status": "Enabled"},
            "BucketEncryption": {"ServerSideEncryptionConfiguration": rules}, "PublicAccessBlockConfiguration": closed,
        }  # fmt: skip
        alarm = {
            "AlarmName": "a", "Namespace": "AWS/SQS", "MetricName": "m", "Threshold": 0, "Period": "300",
            "EvaluationPeriods": 1, "ComparisonOperator": "GreaterThanThreshold", "Statistic": "Maximum",
        }  # fmt: skip
        kept = {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain", "Properties": bucket}
        plain = {"Bool": {"aws:SecureTransport": "false"}}
        deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::b-1/*"}
        document = {"Statement": [{**deny, "Condition": plain}, {**deny, "Resource": "arn:aws:s3:::b-1/secret"}]}
        resources = {
            "Policy": {
                "Type": "AWS::S3::BucketPolicy",
                "Properties": {"Bucket": {"Ref": "Bucket"}, "PolicyDocument": document},
            },
            "Table": {"Type": "AWS::DynamoDB::Table", "Properties": table},
            "Bucket": kept,
            "Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": alarm},
            "Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "/l", "RetentionInDays": "90"}},
            "Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"},
        }
        self.make(template(resources))
        dynamodb, s3 = self.client("dynamodb"), self.client("s3")
        lives = dynamodb.describe_time_to_live(TableName="t")["TimeToLiveDescription"]
        self.assertEqual((lives["TimeToLiveStatus"], lives["AttributeName"]), ("ENABLED", "x"))
        backups = dynamodb.describe_continuous_backups(TableName="t")["ContinuousBackupsDescription"]
        self.assertEqual(backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"], "ENABLED")
        self.assertEqual(s3.get_bucket_versioning(Bucket="b-1")["Status"], "Enabled")
        found = s3.get_bucket_encryption(Bucket="b-1")["ServerSideEncryptionConfiguration"]["Rules"][0]
        self.assertEqual(found["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"], "aws:kms")
        self.assertTrue(s3.get_public_access_block(Bucket="b-1")["PublicAccessBlockConfiguration"]["BlockPublicAcls"])
        self.assertEqual(self.client("cloudwatch").describe_alarms()["MetricAlarms"][0]["Period"], 300)
        self.assertEqual(self.client("logs").describe_log_groups()["logGroups"][0]["retentionInDays"], 90)
        s3.put_object(Bucket="b-1", Key="public", Body=b"x")
        self.refused("403", s3.head_object, Bucket="b-1", Key="secret")
        self.cfn.delete_stack(StackName="s")
        self.assertEqual(self.told()["StackStatus"], "DELETE_FAILED")
        self.assertIn("Table", self.reasons())
        dynamodb.update_table(TableName="t", DeletionProtectionEnabled=False)
        ident = self.told()["StackId"]
        self.cfn.delete_stack(StackName="s")
        self.assertEqual(self.told(ident)["StackStatus"], "DELETE_COMPLETE")
        self.assertEqual([one["Name"] for one in s3.list_buckets()["Buckets"]], ["b-1"])
        events = self.cfn.describe_stack_events(StackName=ident)["StackEvents"]
        skipped = [event["LogicalResourceId"] for event in events if event["ResourceStatus"] == "DELETE_SKIPPED"]
        self.assertIn("Bucket", skipped)

    def test_p10_what_fails_is_taken_back(self) -> None:
        self.client("sqs").create_queue(QueueName="taken")
        second = {**queue("taken"), "DependsOn": "First"}
        ident = self.make(template({"First": queue("first"), "Second": second}))
        told = self.told()
        self.assertEqual(told["StackStatus"], "ROLLBACK_COMPLETE")
        self.assertIn("already exists", self.reasons()["Second"])
        self.assertEqual(self.queues(), ["taken"])
        whole = [event["ResourceStatus"] for event in self.cfn.describe_stack_events(StackName=ident)["StackEvents"]
                 if event["LogicalResourceId"] == "s"]  # fmt: skip
        self.assertEqual(whole, ["ROLLBACK_COMPLETE", "ROLLBACK_IN_PROGRESS", "CREATE_IN_PROGRESS"])
        self.refused("ValidationError", self.change, body=template({"First": queue("first")}))
        self.cfn.delete_stack(StackName="s")
        self.make(template({"First": queue("first", VisibilityTimeout=7)}))
        self.change(template({"First": queue("first", VisibilityTimeout=9), "Second": second}))
        self.assertEqual(self.told()["StackStatus"], "UPDATE_ROLLBACK_COMPLETE")
        url = self.client("sqs").get_queue_url(QueueName="first")["QueueUrl"]
        found = self.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])
        self.assertEqual(found["Attributes"]["VisibilityTimeout"], "7")
        self.assertEqual(self.cfn.get_template(StackName="s")["TemplateBody"], json.loads(
            template({"First": queue("first", VisibilityTimeout=7)})))  # fmt: skip

    def test_p10_a_fault_on_a_call_makes_its_resource_fail(self) -> None:
        self.control("POST", "/faults", {"service": "sqs", "action": "CreateQueue", "code": "AccessDenied"})
        self.make(template({"Queue": queue("q")}), OnFailure="DO_NOTHING")
        self.assertEqual(self.told()["StackStatus"], "CREATE_FAILED")
        self.assertIn("HandlerErrorCode: AccessDenied", self.reasons()["Queue"])
        self.assertEqual([call["action"] for call in self.control("GET", "/calls?service=sqs")["calls"]], [])

    def test_p10_what_is_wrong_with_a_request_is_refused_before_anything_is_made(self) -> None:
        body = template({"Role": role()})
        self.refused("InsufficientCapabilitiesException", self.cfn.create_stack, StackName="s", TemplateBody=body)
        digits = {"Type": "String", "AllowedPattern": "[0-9]+"}
        for wrong, word in (
            (template({"X": {"Type": "AWS::Nothing::Here"}}), "Unrecognized resource types: [AWS::Nothing::Here]"),
            (template({"X": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Ref": "No"}}}}), "Unresolved"),
            (template({"A": {**queue("a"), "DependsOn": "B"}, "B": {**queue("b"), "DependsOn": "A"}}), "Circular"),
            ("Resources: [", "Template format error"),
            (template({"A": queue("a")}, Parameters={"P": {"Type": "String"}}), "must have values"),
            (template({"A": queue("a")}, Parameters={"P": {"Type": "Number", "Default": "x"}}), "must be a number"),
            (template({"A": queue("a")}, Parameters={"P": {**digits, "Default": "x"}}), "must match pattern"),
            ("x" * 51201, "51200"),
        ):  # fmt: skip
            answer = self.refused("ValidationError", self.make, body=wrong)
            self.assertIn(word, answer["Error"]["Message"])
        unknown = [{"ParameterKey": "No", "ParameterValue": "1"}]
        self.refused("ValidationError", self.make, body=template({"A": queue("a")}), Parameters=unknown)
        self.assertEqual(self.cfn.list_stacks()["StackSummaries"], [])
        self.make(template({"A": queue("a")}), EnableTerminationProtection=True)
        self.refused("AlreadyExistsException", self.make, body=body)
        self.refused("ValidationError", self.cfn.delete_stack, StackName="s")
        answer = self.refused("ValidationError", self.change, body=template({"A": queue("a")}))
        self.assertEqual(answer["Error"]["Message"], "No updates are to be performed.")
        self.refused("ValidationError", self.cfn.describe_stacks, StackName="none")
        self.cfn.delete_stack(StackName="none")
        extra = template({"A": {"Type": "AWS::SQS::Queue", "Properties": {"Colour": "red"}}})
        self.make(extra, "t")
        self.assertIn("extraneous key [Colour]", self.reasons("t")["A"])

    def test_p10_yaml_conditions_rules_and_functions(self) -> None:
        body = """
            AWSTemplateFormatVersion: 2010-09-09
            Parameters:
              Name: {Type: String, Default: "", MaxLength: 5}
              Zones: {Type: CommaDelimitedList, Default: "a, b"}
            Rules:
              Short:
                Assertions: [{Assert: !Contains [["", web], !Ref Name], AssertDescription: it is no name}]
            Conditions:
              Named: !Not [!Equals [!Ref Name, ""]]
              Both: !And [{Condition: Named}, !Equals [!Select [1, !Ref Zones], b]]
            Mappings: {Seconds: {us-east-1: {wait: 3}}}
            Resources:
              Queue:
                Type: AWS::SQS::Queue
                Properties:
                  QueueName: !If [Named, !Sub "${Name}-${AWS::Region}", !Ref AWS::NoValue]
                  DelaySeconds: !FindInMap [Seconds, !Ref AWS::Region, wait]
              Other: {Type: AWS::SQS::Queue, Condition: Both, Properties: {QueueName: !Join ["-", !Ref Zones]}}
            Outputs:
              Url: {Value: !Ref Queue, Export: {Name: !Sub "${AWS::StackName}-url"}}
              Zones: {Condition: Both, Value: !GetAtt Other.Arn}
        """
        self.make(body)
        self.assertTrue(self.queues()[0].startswith("s-Queue-"), self.queues())
        web = [{"ParameterKey": "Name", "ParameterValue": "web"}]
        self.make(body, "t", Parameters=web)
        self.assertEqual(set(self.queues()[1:]) & {"web-us-east-1", "a-b"}, set(self.queues()) - {self.queues()[0]})
        arns = {output["OutputKey"]: output["OutputValue"] for output in self.told("t")["Outputs"]}
        self.assertEqual(arns["Zones"], f"arn:aws:sqs:us-east-1:{HUB}:a-b")
        self.assertEqual(len(self.cfn.list_exports()["Exports"]), 2)
        odd = [{"ParameterKey": "Name", "ParameterValue": "odd"}]
        answer = self.refused("ValidationError", self.make, body=body, name="u", Parameters=odd)
        self.assertIn("it is no name", answer["Error"]["Message"])
        told = self.cfn.get_template_summary(TemplateBody=body)
        self.assertEqual((told["ResourceTypes"], told.get("Capabilities", [])), (["AWS::SQS::Queue"], []))
        found = self.cfn.get_template(StackName="s")["TemplateBody"]
        self.assertEqual(found, body)

    def test_p10_change_sets_tell_before_they_do(self) -> None:
        first = {"Keep": queue("keep"), "Move": queue("old"), "Gone": queue("gone")}
        given = {"StackName": "s", "ChangeSetName": "c", "Capabilities": NAMED}
        self.cfn.create_change_set(**given, ChangeSetType="CREATE", TemplateBody=template(first))
        self.assertEqual(self.told()["StackStatus"], "REVIEW_IN_PROGRESS")
        self.assertEqual(self.queues(), [])
        self.cfn.execute_change_set(ChangeSetName="c", StackName="s")
        self.assertEqual((self.told()["StackStatus"], len(self.queues())), ("CREATE_COMPLETE", 3))
        arn = {"Value": {"Fn::GetAtt": ["Move", "Arn"]}}
        second = {"Keep": queue("keep", DelaySeconds=5), "Move": queue("new"), "Add": role()}
        self.cfn.create_change_set(**{**given, "ChangeSetName": "d"}, TemplateBody=template(second, Outputs={"A": arn}))
        told = self.cfn.describe_change_set(ChangeSetName="d", StackName="s")
        changes = {one["ResourceChange"]["LogicalResourceId"]: one["ResourceChange"] for one in told["Changes"]}
        self.assertEqual(
            {name: (one["Action"], one.get("Replacement")) for name, one in changes.items()},
            {"Keep": ("Modify", "False"), "Move": ("Modify", "True"), "Add": ("Add", None), "Gone": ("Remove", None)},
        )
        self.assertEqual(self.queues(), ["keep", "old", "gone"])
        self.cfn.execute_change_set(ChangeSetName=told["ChangeSetId"])
        self.assertEqual(sorted(self.queues()), ["keep", "new"])
        self.cfn.create_change_set(**{**given, "ChangeSetName": "e"}, UsePreviousTemplate=True)
        told = self.cfn.describe_change_set(ChangeSetName="e", StackName="s")
        self.assertEqual((told["Status"], told["ExecutionStatus"]), ("FAILED", "UNAVAILABLE"))
        self.assertIn("didn't contain changes", told["StatusReason"])
        self.refused("InvalidChangeSetStatus", self.cfn.execute_change_set, ChangeSetName="e", StackName="s")
        self.cfn.delete_change_set(ChangeSetName="e", StackName="s")
        self.refused("ChangeSetNotFound", self.cfn.describe_change_set, ChangeSetName="e", StackName="s")

    def test_p10_a_stack_takes_its_time_and_lists_have_pages(self) -> None:
        self.control("POST", "/timings", {"stack": 0.15})
        self.make(template({"Queue": queue("q")}))
        self.assertEqual((self.told()["StackStatus"], self.queues()), ("CREATE_IN_PROGRESS", []))
        self.assertTrue(until(lambda: self.told()["StackStatus"] == "CREATE_COMPLETE"))
        self.control("POST", "/timings", {"stack": 0})
        for number in range(101):
            self.make(template({"Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}), f"s{number}")
        pages = list(self.cfn.get_paginator("describe_stacks").paginate())
        self.assertEqual([len(page["Stacks"]) for page in pages], [100, 2])
        found = self.cfn.list_stacks(StackStatusFilter=["DELETE_COMPLETE"])["StackSummaries"]
        self.assertEqual(found, [])

    def test_p10_a_stack_has_the_rights_of_its_caller_or_of_its_role(self) -> None:
        iam = self.client("iam")
        root = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{HUB}:root"}, "Action": "sts:AssumeRole"}
        service = {**root, "Principal": {"Service": "cloudformation.amazonaws.com"}}
        for name, trust in (("user", root), ("service", service)):
            iam.create_role(
                RoleName=name,
                AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
            )
        rights = may("cloudformation:*")
        rights["Statement"] += may("iam:PassRole")["Statement"]
        iam.put_role_policy(RoleName="user", PolicyName="p", PolicyDocument=json.dumps(rights))
        iam.put_role_policy(RoleName="service", PolicyName="p", PolicyDocument=json.dumps(may("sqs:*")))
        arn = f"arn:aws:iam::{HUB}:role"
        keys = self.client("sts").assume_role(RoleArn=f"{arn}/user", RoleSessionName="user")["Credentials"]
        self.control("POST", "/switches", {"identity": True})
        self.cfn = self.client("cloudformation", keys=keys)
        self.make(template({"Queue": queue("q")}))
        self.assertIn("not authorized to perform: sqs:CreateQueue", self.reasons()["Queue"])
        self.make(template({"Queue": queue("q")}), "t", RoleARN=f"{arn}/service")
        self.assertEqual(self.told("t")["StackStatus"], "CREATE_COMPLETE")
        more = {"body": template({"Queue": queue("r")}), "name": "u", "RoleARN": f"{arn}/user"}
        self.refused("ValidationError", self.make, **more)
