"""P7's quotas and service-linked roles: what `doctor` looks at in a member."""

from __future__ import annotations

from overlay.selftests.server import Case

MEMBER = "111122223333"
SPOT = "L-34B43A08"


class Quotas(Case):
    """Service quotas and roles of services."""

    def test_p7_quotas_are_listed_in_pages_and_can_be_set(self) -> None:
        quotas = self.client("service-quotas", "eu-west-1", MEMBER)
        rows = {}
        for page in quotas.get_paginator("list_service_quotas").paginate(
            ServiceCode="ec2", PaginationConfig={"PageSize": 5}
        ):
            rows.update({row["QuotaCode"]: row for row in page["Quotas"]})
        self.assertEqual(rows[SPOT]["Value"], 1024)
        self.assertEqual(rows["L-1216C47A"]["QuotaArn"], f"arn:aws:servicequotas:eu-west-1:{MEMBER}:ec2/L-1216C47A")
        self.control("POST", "/quotas", {"account": MEMBER, "region": "eu-west-1", "code": SPOT, "value": 5})
        self.assertEqual(quotas.get_service_quota(ServiceCode="ec2", QuotaCode=SPOT)["Quota"]["Value"], 5)
        other = self.client("service-quotas", "us-east-1", MEMBER)
        self.assertEqual(other.get_service_quota(ServiceCode="ec2", QuotaCode=SPOT)["Quota"]["Value"], 1024)
        default = quotas.get_aws_default_service_quota(ServiceCode="ec2", QuotaCode=SPOT)
        self.assertEqual(default["Quota"]["Value"], 1024)
        self.refused("NoSuchResourceException", quotas.get_service_quota, ServiceCode="ec2", QuotaCode="L-0")
        self.refused("NoSuchResourceException", quotas.list_service_quotas, ServiceCode="none")

    def test_the_first_use_of_a_service_makes_its_role(self) -> None:
        iam = self.client("iam")
        self.refused("NoSuchEntity", iam.get_role, RoleName="AWSServiceRoleForEC2Spot")
        self.group(desired=0, least=0)
        self.run_spot()
        for name, path in (("EC2Spot", "spot"), ("AutoScaling", "autoscaling")):
            role = iam.get_role(RoleName=f"AWSServiceRoleFor{name}")["Role"]
            self.assertIn(f"role/aws-service-role/{path}.amazonaws.com/AWSServiceRoleFor{name}", role["Arn"])
        self.refused("InvalidInput", iam.create_service_linked_role, AWSServiceName="spot.amazonaws.com")
        iam.create_role(RoleName="own", AssumeRolePolicyDocument="{}", Tags=[{"Key": "a", "Value": "b"}])
        self.assertEqual(iam.get_role(RoleName="own")["Role"]["Tags"], [{"Key": "a", "Value": "b"}])
        self.assertEqual(iam.list_role_tags(RoleName="own")["Tags"], [{"Key": "a", "Value": "b"}])
        iam.create_instance_profile(InstanceProfileName="web")
        iam.add_role_to_instance_profile(InstanceProfileName="web", RoleName="own")
        profile = iam.get_instance_profile(InstanceProfileName="web")["InstanceProfile"]
        self.assertEqual([role["RoleName"] for role in profile["Roles"]], ["own"])
