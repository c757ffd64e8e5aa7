"""Roles, keys and service-linked roles."""

from __future__ import annotations

from templates.asking import ALLOW, DENY, EVERYTHING, MEMBER_ROLE, NOTHING, SPOT_ROLE, Row, ask, each, member
from templates.judge import Caller, Check
from templates.places import MEMBER, ORGANIZATION, OTHER
from templates.worlds import OTHER_KEY, PLAIN_KEY, ROLE, VOLUME_KEY


def passing() -> list[Row]:
    """Roles, keys and service-linked roles."""

    def handed(name: str, to: str = "ec2.amazonaws.com", account: str = MEMBER.account) -> tuple[Check]:
        return ask("iam:PassRole", ROLE.format(account, name), iam__PassedToService=to)

    def granted(key: str, for_aws: str = "true", via: str = "ec2.eu-west-1.amazonaws.com") -> tuple[Check]:
        told = {"kms__GrantIsForAWSResource": for_aws, "kms__ViaService": via, "kms__CallerAccount": MEMBER.account}
        return ask("kms:CreateGrant", key, **told)

    use = [
        "kms:Decrypt",
        "kms:DescribeKey",
        "kms:GenerateDataKeyWithoutPlaintext",
        "kms:ReEncryptFrom",
        "kms:ReEncryptTo",
    ]
    through = {"kms__ViaService": "ec2.eu-west-1.amazonaws.com", "kms__CallerAccount": MEMBER.account}
    direct = {"kms__CallerAccount": MEMBER.account}
    spot = Caller(arn=SPOT_ROLE, organization=ORGANIZATION)
    own = ("autoscaling.amazonaws.com", "AutoScaling")
    return [
        Row("pass a listed role to EC2", member, handed("web"), ALLOW),
        Row("pass a role below a listed path to EC2", member, handed("app/api"), ALLOW),
        Row("pass a listed role to EC2 in China", member, handed("web", "ec2.amazonaws.com.cn"), ALLOW),
        Row("pass a role that is not listed", member, handed("administrator"), DENY),
        Row("pass a role whose name only begins like a listed one", member, handed("webmaster"), DENY),
        Row("pass a listed role to another service", member, handed("web", "lambda.amazonaws.com"), DENY),
        Row("pass a role of another account", member, handed("app/api", account=OTHER.account), DENY),
        Row("pass the member role itself", member, handed("spothub-member"), DENY),
        Row("pass a role where none is listed", member, handed("web"), DENY, NOTHING),
        Row("grant a listed key for a volume", member, granted(VOLUME_KEY), ALLOW),
        Row("grant a listed key to somebody", member, granted(VOLUME_KEY, "false"), DENY),
        Row("grant a listed key that leaves it to IAM", member, granted(PLAIN_KEY), ALLOW),
        Row("grant a listed key that leaves it to IAM to somebody", member, granted(PLAIN_KEY, "false"), DENY),
        Row("grant a key by its own policy, where none is listed", member, granted(VOLUME_KEY), ALLOW, NOTHING),
        Row("grant a key of the account that leaves it to IAM and is not listed", member, granted(OTHER_KEY), DENY),
        Row("grant a key where none is listed, and none speaks to the role", member, granted(OTHER_KEY), DENY, NOTHING),
        Row("use a listed key through EC2", member, each(use, VOLUME_KEY, **through), ALLOW),
        Row("use a listed key directly", member, each(use[:1], VOLUME_KEY, **direct), DENY),
        Row(
            "use a listed key through Secrets Manager",
            member,
            each(use[:1], VOLUME_KEY, **{**through, "kms__ViaService": "secretsmanager.eu-west-1.amazonaws.com"}),
            DENY,
        ),
        Row(
            "use a listed key through EC2 as somebody else",
            Caller(arn=ROLE.format(MEMBER.account, "web"), organization=ORGANIZATION),
            each(use[:1], VOLUME_KEY, **through),
            DENY,
        ),
        Row(
            "Spot uses a volume's key",
            spot,
            each([*use, "kms:Encrypt", "kms:GenerateDataKey"], VOLUME_KEY, **direct),
            ALLOW,
        ),
        Row("Spot grants a volume's key", spot, granted(VOLUME_KEY), ALLOW),
        Row("Spot grants a volume's key to somebody", spot, granted(VOLUME_KEY, "false"), DENY),
        Row(
            "another role grants a volume's key",
            Caller(arn=ROLE.format(MEMBER.account, "web"), organization=ORGANIZATION),
            granted(VOLUME_KEY),
            DENY,
        ),
        Row(
            "a call from another account grants a volume's key as Spot",
            spot,
            ask("kms:CreateGrant", VOLUME_KEY, kms__GrantIsForAWSResource="true", kms__CallerAccount=OTHER.account),
            DENY,
        ),
        Row(
            "a call from another account uses a volume's key as Spot",
            spot,
            ask("kms:Decrypt", VOLUME_KEY, kms__CallerAccount=OTHER.account),
            DENY,
        ),
        Row(
            "a call from another account uses a volume's key through EC2",
            member,
            ask("kms:Decrypt", VOLUME_KEY, **{**through, "kms__CallerAccount": OTHER.account}),
            DENY,
        ),
        Row(
            "create the role of Spot",
            member,
            ask("iam:CreateServiceLinkedRole", SPOT_ROLE, iam__AWSServiceName="spot.amazonaws.com"),
            ALLOW,
        ),
        Row(
            "create the role of Spot for another service's name",
            member,
            ask("iam:CreateServiceLinkedRole", SPOT_ROLE, iam__AWSServiceName="ecs.amazonaws.com"),
            DENY,
        ),
        Row(
            "create another service's role under Spot's name",
            member,
            ask(
                "iam:CreateServiceLinkedRole",
                ROLE.format(MEMBER.account, f"aws-service-role/{own[0]}/AWSServiceRoleFor{own[1]}"),
                iam__AWSServiceName="spot.amazonaws.com",
            ),
            DENY,
        ),
        Row("create a role", member, ask("iam:CreateRole", ROLE.format(MEMBER.account, "spothub-x")), DENY, EVERYTHING),
        Row("change the member role", member, ask("iam:PutRolePolicy", MEMBER_ROLE), DENY, EVERYTHING),
    ]
