"""What keeps things: tables, buckets with their policies, parameters, keys."""

from __future__ import annotations

import json
from typing import Any

from overlay.stacks.acting import Failed, Missing
from overlay.stacks.kinds.kind import Kind, Place, Props, already, differs, pairs, retag, some


def _encryption(given: Any) -> Props:
    told = {"Enabled": given.get("SSEEnabled", True)} if isinstance(given, dict) else {"Enabled": False}
    return {**told, **some(given or {}, SSEType="SSEType", KMSMasterKeyId="KMSMasterKeyId")}


class Table(Kind):
    """AWS::DynamoDB::Table."""

    known = frozenset(
        "AttributeDefinitions BillingMode DeletionProtectionEnabled GlobalSecondaryIndexes KeySchema"
        " LocalSecondaryIndexes PointInTimeRecoverySpecification ProvisionedThroughput SSESpecification"
        " StreamSpecification TableClass TableName Tags TimeToLiveSpecification".split()
    )
    fixed = frozenset({"TableName", "KeySchema", "LocalSecondaryIndexes"})
    name = "TableName"
    tags = "Tags"

    def create(self, at: Place, props: Props) -> str:
        name = str(props.get("TableName") or at.named(255))
        direct = (
            "AttributeDefinitions BillingMode DeletionProtectionEnabled GlobalSecondaryIndexes KeySchema"
            " LocalSecondaryIndexes ProvisionedThroughput TableClass Tags"
        ).split()
        given = {key: props[key] for key in direct if key in props}
        if "SSESpecification" in props:
            given["SSESpecification"] = _encryption(props["SSESpecification"])
        if "StreamSpecification" in props:
            given["StreamSpecification"] = {"StreamEnabled": True, **props["StreamSpecification"]}
        at.call("dynamodb", "create_table", TableName=name, **given)
        at.born(name)
        self._options(at, name, {}, props)
        return name

    def _options(self, at: Place, name: str, old: Props, new: Props) -> None:
        if differs(old, new, "TimeToLiveSpecification"):
            was = old.get("TimeToLiveSpecification") or {}
            wanted = new.get("TimeToLiveSpecification") or {**was, "Enabled": False}
            if was.get("Enabled") and wanted.get("AttributeName") != was["AttributeName"]:
                raise Failed("TimeToLive is active on a different AttributeName", "ValidationException")
            at.call("dynamodb", "update_time_to_live", TableName=name, TimeToLiveSpecification=wanted)
        if differs(old, new, "PointInTimeRecoverySpecification"):
            wanted = new.get("PointInTimeRecoverySpecification") or {"PointInTimeRecoveryEnabled": False}
            at.call(
                "dynamodb", "update_continuous_backups", TableName=name, PointInTimeRecoverySpecification=wanted
            )

    def update(self, at: Place, physical: str, old: Props, new: Props) -> None:
        given: Props = {}
        for key in ("BillingMode", "ProvisionedThroughput", "TableClass"):
            if differs(old, new, key) and key in new:
                given[key] = new[key]
        if differs(old, new, "DeletionProtectionEnabled"):
            given["DeletionProtectionEnabled"] = new.get("DeletionProtectionEnabled", False)
        if differs(old, new, "SSESpecification"):
            given["SSESpecification"] = _encryption(new.get("SSESpecification"))
        if differs(old, new, "GlobalSecondaryIndexes"):
            raise Failed("Changing the indexes of a table is not supported by this emulator")
        if given:
            at.call("dynamodb", "update_table", TableName=physical, **given)
        self._options(at, physical, old, new)
        retag(at, "dynamodb", "ResourceArn", self.attributes(at, physical, new)["Arn"], old, new)

    def delete(self, at: Place, physical: str, props: Props) -> None:
        at.call("dynamodb", "delete_table", TableName=physical)

    def attributes(self, at: Place, physical: str, props: Props) -> Props:
        told = at.look("dynamodb", "describe_table", TableName=physical)["Table"]
        return {"Arn": told["TableArn"], **some(told, StreamArn="LatestStreamArn")}


class Bucket(Kind):
    """AWS::S3::Bucket."""

    known = frozenset(
        "BucketEncryption BucketName LifecycleConfiguration OwnershipControls PublicAccessBlockConfiguration Tags"
        " VersioningConfiguration".split()
    )
    fixed = frozenset({"BucketName"})
    name = "BucketName"
    tags = "Tags"

    def create(self, at: Place, props: Props) -> str:
        name = str(props.get("BucketName") or at.named(63, lower=True))
        try:
            at.look("s3", "head_bucket", Bucket=name)
        except (Missing, Failed):
            pass
        else:
            raise already(at, "AWS::S3::Bucket", name)
        where = {} if at.region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": at.region}}
        at.call("s3", "create_bucket", Bucket=name, **where)
        at.born(name)
        self.update(at, name, {}, props)
        return name

    def update(self, at: Place, physical: str, old: Props, new: Props) -> None:
        if differs(old, new, "VersioningConfiguration"):
            wanted = new.get("VersioningConfiguration") or {"Status": "Suspended"}
            at.call("s3", "put_bucket_versioning", Bucket=physical, VersioningConfiguration=wanted)
        if differs(old, new, "BucketEncryption"):
            rules = (new.get("BucketEncryption") or {}).get("ServerSideEncryptionConfiguration")
            if rules:
                told = [_rule(rule) for rule in rules]
                given = {"ServerSideEncryptionConfiguration": {"Rules": told}}
                at.call("s3", "put_bucket_encryption", Bucket=physical, **given)
            else:
                at.call("s3", "delete_bucket_encryption", Bucket=physical)
        for prop, operation, param in (
            ("PublicAccessBlockConfiguration", "public_access_block", "PublicAccessBlockConfiguration"),
            ("OwnershipControls", "bucket_ownership_controls", "OwnershipControls"),
        ):
            if differs(old, new, prop):
                if new.get(prop):
                    at.call("s3", f"put_{operation}", Bucket=physical, **{param: new[prop]})
                else:
                    at.call("s3", f"delete_{operation}", Bucket=physical)
        if differs(old, new, "LifecycleConfiguration"):
            rules = (new.get("LifecycleConfiguration") or {}).get("Rules")
            if rules:
                given = {"Rules": [_lifecycle(rule) for rule in rules]}
                at.call("s3", "put_bucket_lifecycle_configuration", Bucket=physical, LifecycleConfiguration=given)
            else:
                at.call("s3", "delete_bucket_lifecycle", Bucket=physical)
        if differs(old, new, "Tags"):
            at.call("s3", "put_bucket_tagging", Bucket=physical, Tagging={"TagSet": new.get("Tags") or []})

    def delete(self, at: Place, physical: str, props: Props) -> None:
        at.call("s3", "delete_bucket", Bucket=physical)

    def attributes(self, at: Place, physical: str, props: Props) -> Props:
        regional = f"{physical}.s3.{at.region}.amazonaws.com"
        return {
            "Arn": f"arn:{at.partition}:s3:::{physical}",
            "DomainName": f"{physical}.s3.amazonaws.com",
            "RegionalDomainName": regional,
        }


def _rule(rule: Props) -> Props:
    given = rule["ServerSideEncryptionByDefault"]
    told = {"ApplyServerSideEncryptionByDefault": given}
    return {**told, **some(rule, BucketKeyEnabled="BucketKeyEnabled")}


def _lifecycle(rule: Props) -> Props:
    told: Props = {"ID": rule.get("Id", "rule"), "Status": rule["Status"], "Filter": {"Prefix": rule.get("Prefix", "")}}
    if "ExpirationInDays" in rule:
        told["Expiration"] = {"Days": int(rule["ExpirationInDays"])}
    if "NoncurrentVersionExpiration" in rule:
        told["NoncurrentVersionExpiration"] = {
            key: int(value) for key, value in rule["NoncurrentVersionExpiration"].items()
        }
    if "AbortIncompleteMultipartUpload" in rule:
        told["AbortIncompleteMultipartUpload"] = rule["AbortIncompleteMultipartUpload"]
    return told


class BucketPolicy(Kind):
    """AWS::S3::BucketPolicy."""

    known = frozenset("Bucket PolicyDocument".split())
    fixed = frozenset({"Bucket"})

    def create(self, at: Place, props: Props) -> str:
        at.call("s3", "put_bucket_policy", Bucket=props["Bucket"], Policy=json.dumps(props["PolicyDocument"]))
        return str(props["Bucket"])

    def update(self, at: Place, physical: str, old: Props, new: Props) -> None:
        self.create(at, new)

    def delete(self, at: Place, physical: str, props: Props) -> None:
        at.call("s3", "delete_bucket_policy", Bucket=physical)


class Parameter(Kind):
    """AWS::SSM::Parameter."""

    known = frozenset("AllowedPattern Description Name Tags Tier Type Value".split())
    fixed = frozenset({"Name", "Type"})
    name = "Name"

    def create(self, at: Place, props: Props) -> str:
        name = str(props.get("Name") or at.named())
        tags = [{"Key": key, "Value": value} for key, value in pairs(props.get("Tags")).items()]
        direct = {key: props[key] for key in ("Description", "Tier", "Type", "Value", "AllowedPattern") if key in props}
        at.call("ssm", "put_parameter", Name=name, **direct, **({"Tags": tags} if tags else {}))
        return name

    def update(self, at: Place, physical: str, old: Props, new: Props) -> None:
        direct = {key: new[key] for key in ("Description", "Tier", "Type", "Value", "AllowedPattern") if key in new}
        at.call("ssm", "put_parameter", Name=physical, Overwrite=True, **direct)

    def delete(self, at: Place, physical: str, props: Props) -> None:
        at.call("ssm", "delete_parameter", Name=physical)

    def attributes(self, at: Place, physical: str, props: Props) -> Props:
        return {"Type": props["Type"], "Value": props["Value"]}


class Key(Kind):
    """AWS::KMS::Key."""

    known = frozenset("Description EnableKeyRotation KeyPolicy PendingWindowInDays Tags".split())

    def create(self, at: Place, props: Props) -> str:
        told = at.call(
            "kms",
            "create_key",
            **some(props, Description="Description"),
            **({"Policy": json.dumps(props["KeyPolicy"])} if "KeyPolicy" in props else {}),
        )["KeyMetadata"]
        at.born(told["KeyId"])
        if props.get("EnableKeyRotation"):
            at.call("kms", "enable_key_rotation", KeyId=told["KeyId"])
        return str(told["KeyId"])

    def update(self, at: Place, physical: str, old: Props, new: Props) -> None:
        if differs(old, new, "KeyPolicy") and "KeyPolicy" in new:
            policy = json.dumps(new["KeyPolicy"])
            at.call("kms", "put_key_policy", KeyId=physical, PolicyName="default", Policy=policy)

    def delete(self, at: Place, physical: str, props: Props) -> None:
        days = int(props.get("PendingWindowInDays", 30))
        at.call("kms", "schedule_key_deletion", KeyId=physical, PendingWindowInDays=days)

    def attributes(self, at: Place, physical: str, props: Props) -> Props:
        return {"Arn": f"arn:{at.partition}:kms:{at.region}:{at.account}:key/{physical}", "KeyId": physical}


class Alias(Kind):
    """AWS::KMS::Alias."""

    known = frozenset("AliasName TargetKeyId".split())
    fixed = frozenset({"AliasName"})

    def create(self, at: Place, props: Props) -> str:
        at.call("kms", "create_alias", AliasName=props["AliasName"], TargetKeyId=props["TargetKeyId"])
        return str(props["AliasName"])

    def delete(self, at: Place, physical: str, props: Props) -> None:
        at.call("kms", "delete_alias", AliasName=physical)


KINDS: dict[str, Kind] = {
    "AWS::DynamoDB::Table": Table(),
    "AWS::S3::Bucket": Bucket(),
    "AWS::S3::BucketPolicy": BucketPolicy(),
    "AWS::SSM::Parameter": Parameter(),
    "AWS::KMS::Key": Key(),
    "AWS::KMS::Alias": Alias(),
}
