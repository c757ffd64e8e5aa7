"""P16 and P17: who wrote a parameter, and versions of objects in buckets that have an owner."""

from __future__ import annotations

import json
from typing import Any

from overlay.selftests.server import HUB, Case
from overlay.selftests.test_access import allow, policy

NAME = "/spothub/policy"
OTHER = "111122223333"
BUCKET = "acme-policy"


class Published(Case):
    """What published policy is read from."""

    def session(self, name: str, *statements: dict[str, Any]) -> Any:
        trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{HUB}:root"}, "Action": "sts:AssumeRole"}
        iam = self.client("iam")
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust))
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy(*statements))
        role = f"arn:aws:iam::{HUB}:role/{name}"
        return self.client("sts").assume_role(RoleArn=role, RoleSessionName="ann")["Credentials"]

    def bucket(self, account: str | None = None) -> Any:
        client = self.client("s3", account=account)
        client.create_bucket(Bucket=BUCKET)
        client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        return client

    def test_p16_the_history_tells_who_wrote_each_version(self) -> None:
        ssm = self.client("ssm")
        ssm.put_parameter(Name=NAME, Value="a", Type="String")
        ann = self.client("ssm", keys=self.session("pipeline"))
        ann.put_parameter(Name=NAME, Value="b", Type="String", Overwrite=True)
        rows = ssm.get_parameter_history(Name=NAME)["Parameters"]
        who = [(row["Version"], row["Value"], row["LastModifiedUser"]) for row in rows]
        pipeline = f"arn:aws:sts::{HUB}:assumed-role/pipeline/ann"
        self.assertEqual(who, [(1, "a", f"arn:aws:iam::{HUB}:root"), (2, "b", pipeline)])
        last = ssm.describe_parameters()["Parameters"][0]
        self.assertEqual((last["Version"], last["LastModifiedUser"]), (2, pipeline))
        self.refused("ParameterNotFound", ssm.get_parameter, Name="/other")
        self.refused("ParameterNotFound", ssm.get_parameter_history, Name="/other")

    def test_p17_versions_stay_until_they_are_deleted(self) -> None:
        client = self.bucket()
        first = client.put_object(Bucket=BUCKET, Key="a", Body=b"one")["VersionId"]
        second = client.put_object(Bucket=BUCKET, Key="a", Body=b"two")["VersionId"]
        marker = client.delete_object(Bucket=BUCKET, Key="a")["VersionId"]
        read = client.get_object(Bucket=BUCKET, Key="a", VersionId=first)
        self.assertEqual((read["Body"].read(), read["VersionId"]), (b"one", first))
        refused = {"Bucket": BUCKET, "Key": "a"}
        self.refused("NoSuchKey", client.get_object, **refused)
        answer = self.refused("MethodNotAllowed", client.get_object, **refused, VersionId=marker)
        self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], 405)
        client.delete_object(Bucket=BUCKET, Key="a", VersionId=first)
        answer = self.refused("NoSuchVersion", client.get_object, **refused, VersionId=first)
        self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], 404)
        self.assertEqual(client.get_object(**refused, VersionId=second)["Body"].read(), b"two")

    def test_p17_a_bucket_of_another_owner_is_refused(self) -> None:
        client = self.bucket(OTHER)
        version = client.put_object(Bucket=BUCKET, Key="a", Body=b"one")["VersionId"]
        given = {"Bucket": BUCKET, "Key": "a", "VersionId": version}
        hub = self.client("s3")
        self.assertEqual(hub.get_object(**given, ExpectedBucketOwner=OTHER)["Body"].read(), b"one")
        answer = self.refused("AccessDenied", hub.get_object, **given, ExpectedBucketOwner=HUB)
        self.assertEqual(answer["ResponseMetadata"]["HTTPStatusCode"], 403)

    def test_p17_calls_are_named_as_iam_names_them(self) -> None:
        client = self.bucket()
        version = client.put_object(Bucket=BUCKET, Key="a b/å", Body=b"one")["VersionId"]
        given = {"Bucket": BUCKET, "Key": "a b/å", "VersionId": version}
        client.get_object(**given)
        client.delete_object(**given)
        rows = self.control("GET", "/calls?service=s3")["calls"]
        self.assertEqual(
            [(row["action"], row["changing"]) for row in rows],
            [
                ("CreateBucket", True),
                ("PutBucketVersioning", True),
                ("PutObject", True),
                ("GetObjectVersion", False),
                ("DeleteObjectVersion", True),
            ],
        )
        self.assertEqual(rows[3]["params"], given)
        self.control(
            "POST", "/faults", {"service": "s3", "action": "GetObjectVersion", "contains": version, "code": "SlowDown"}
        )
        self.refused("SlowDown", client.get_object, **given)

    def test_p17_policies_are_enforced_by_object(self) -> None:
        client = self.bucket()
        versions = {key: client.put_object(Bucket=BUCKET, Key=key, Body=b"x")["VersionId"] for key in "ab"}
        arn = f"arn:aws:s3:::{BUCKET}/a"
        parameter = f"arn:aws:ssm:us-east-1:{HUB}:parameter{NAME}"
        keys = self.session("hub", allow("s3:GetObjectVersion", arn), allow("ssm:GetParameter", parameter))
        self.client("ssm").put_parameter(Name=NAME, Value=json.dumps({}), Type="String")
        self.control("POST", "/switches", {"identity": True})
        hub = self.client("s3", keys=keys)
        hub.get_object(Bucket=BUCKET, Key="a", VersionId=versions["a"])
        self.refused("AccessDenied", hub.get_object, Bucket=BUCKET, Key="a")
        self.refused("AccessDenied", hub.get_object, Bucket=BUCKET, Key="b", VersionId=versions["b"])
        ssm = self.client("ssm", keys=keys)
        ssm.get_parameter(Name=NAME)
        self.refused("AccessDeniedException", ssm.get_parameter_history, Name=NAME)
