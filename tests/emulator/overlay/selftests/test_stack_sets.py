"""P9 and P14: stack sets over the units of an organization, and who may have them."""

from __future__ import annotations

import json
from typing import Any

from overlay.selftests.server import HUB, Case, until
from overlay.selftests.test_stacks import queue, role, template

ONE = "us-east-1"
TWO = "eu-west-1"
PRINCIPAL = "member.org.stacksets.cloudformation.amazonaws.com"
NAME = {"Name": {"Type": "String", "Default": "first"}}
BODY = template({"Queue": queue({"Ref": "Name"})}, Parameters=NAME)


class StackSets(Case):
    """An organization with the units `prod`, `prod/web` and `test`, an account in each, and one at the root."""

    def setUp(self) -> None:
        super().setUp()
        self.cfn = self.client("cloudformation")
        self.organizations = self.client("organizations")
        self.organizations.create_organization(FeatureSet="ALL")
        self.root = self.organizations.list_roots()["Roots"][0]["Id"]
        self.prod = self.unit(self.root, "prod")
        self.web, self.test = self.unit(self.prod, "web"), self.unit(self.root, "test")
        self.accounts = {
            name: self.account(name, unit)
            for name, unit in (("prod", self.prod), ("web", self.web), ("test", self.test), ("root", self.root))
        }
        self.cfn.activate_organizations_access()

    def unit(self, parent: str, name: str) -> str:
        made = self.organizations.create_organizational_unit(ParentId=parent, Name=name)
        return made["OrganizationalUnit"]["Id"]

    def account(self, name: str, unit: str) -> str:
        told = self.organizations.create_account(AccountName=name, Email=f"{name}@example.com")
        ident = told["CreateAccountStatus"]["AccountId"]
        if unit != self.root:
            self.move(ident, self.root, unit)
        return ident

    def move(self, account: str, source: str, destination: str) -> None:
        self.organizations.move_account(
            AccountId=account, SourceParentId=source, DestinationParentId=destination
        )

    def make(self, name: str = "set", body: str = BODY, automatic: Any = None, cfn: Any = None, **more: Any) -> str:
        """A service-managed set; returns its ARN."""
        cfn = cfn or self.cfn
        cfn.create_stack_set(
            StackSetName=name, TemplateBody=body, PermissionModel="SERVICE_MANAGED",
            AutoDeployment=automatic or {"Enabled": False}, Capabilities=["CAPABILITY_NAMED_IAM"], **more,
        )  # fmt: skip
        called = {"CallAs": more["CallAs"]} if "CallAs" in more else {}
        return cfn.describe_stack_set(StackSetName=name, **called)["StackSet"]["StackSetARN"]

    def deploy(self, unit: str, regions: tuple[str, ...] = (ONE,), name: str = "set", **more: Any) -> str:
        targets = {"OrganizationalUnitIds": [unit], **more.pop("targets", {})}
        return self.cfn.create_stack_instances(
            StackSetName=name, DeploymentTargets=targets, Regions=list(regions), **more
        )["OperationId"]

    def operation(self, ident: str, name: str = "set") -> Any:
        return self.cfn.describe_stack_set_operation(StackSetName=name, OperationId=ident)["StackSetOperation"]

    def results(self, ident: str, name: str = "set") -> dict[tuple[str, str], str]:
        rows = self.cfn.list_stack_set_operation_results(StackSetName=name, OperationId=ident)["Summaries"]
        return {(row["Account"], row["Region"]): row["Status"] for row in rows}

    def instances(self, name: str = "set") -> dict[tuple[str, str], tuple[str, str]]:
        rows = self.cfn.list_stack_instances(StackSetName=name)["Summaries"]
        return {
            (row["Account"], row["Region"]): (row["Status"], row["StackInstanceStatus"]["DetailedStatus"])
            for row in rows
        }

    def where(self, name: str = "set") -> set[str]:
        """The names of the accounts that have an instance."""
        names = {ident: name for name, ident in self.accounts.items()}
        return {names.get(account, account) for account, _ in self.instances(name)}

    def queues(self, account: str, region: str = ONE) -> list[str]:
        urls = self.client("sqs", region, self.accounts.get(account, account)).list_queues().get("QueueUrls", [])
        return [url.rsplit("/", 1)[-1] for url in urls]

    def test_p9_the_whole_subtree_gets_stacks_and_the_management_account_none(self) -> None:
        self.make()
        ident = self.deploy(self.prod, (ONE, TWO))
        expected = {(self.accounts[name], region) for name in ("prod", "web") for region in (ONE, TWO)}
        self.assertEqual(self.results(ident), dict.fromkeys(expected, "SUCCEEDED"))
        self.assertEqual(self.instances(), dict.fromkeys(expected, ("CURRENT", "SUCCEEDED")))
        self.assertEqual(self.queues("web", TWO), ["first"])
        stack = self.client("cloudformation", TWO, self.accounts["web"]).describe_stacks()["Stacks"][0]
        self.assertTrue(stack["StackName"].startswith("StackSet-set-"))
        one = self.cfn.describe_stack_instance(
            StackSetName="set", StackInstanceAccount=self.accounts["web"], StackInstanceRegion=TWO
        )["StackInstance"]
        self.assertEqual((one["StackId"], one["OrganizationalUnitId"]), (stack["StackId"], self.prod))
        self.deploy(self.root, (ONE,))
        self.assertEqual(self.where(), {"prod", "web", "test", "root"})
        self.assertEqual(self.queues(HUB), [])
        told = self.cfn.describe_stack_set(StackSetName="set")["StackSet"]
        self.assertEqual(set(told["OrganizationalUnitIds"]), {self.prod, self.root})
        self.assertEqual(set(told["Regions"]), {ONE, TWO})

    def test_p9_account_filters_are_honoured(self) -> None:
        self.make()
        chosen = [self.accounts["web"]]
        self.deploy(self.prod, targets={"AccountFilterType": "INTERSECTION", "Accounts": chosen})
        self.assertEqual(self.where(), {"web"})
        self.deploy(self.root, targets={"AccountFilterType": "DIFFERENCE", "Accounts": [self.accounts["test"]]})
        self.assertEqual(self.where(), {"web", "prod", "root"})
        for wrong in ({"Accounts": chosen}, {"AccountFilterType": "UNION", "Accounts": chosen}):
            self.refused("ValidationError", lambda given=wrong: self.deploy(self.prod, targets=given))
        self.refused("ValidationError", self.deploy, unit="ou-none-12345678")

    def test_p9_updates_and_overrides_reach_every_instance(self) -> None:
        self.make()
        self.deploy(self.prod, (ONE, TWO))
        second = [{"ParameterKey": "Name", "ParameterValue": "second"}]
        web = {"OrganizationalUnitIds": [self.web]}
        ident = self.cfn.update_stack_instances(
            StackSetName="set", DeploymentTargets=web, Regions=[TWO], ParameterOverrides=second
        )["OperationId"]
        self.assertEqual(self.results(ident), {(self.accounts["web"], TWO): "SUCCEEDED"})
        self.assertEqual((self.queues("web", TWO), self.queues("web")), (["second"], ["first"]))
        third = [{"ParameterKey": "Name", "ParameterValue": "third"}]
        both = template({"Queue": queue({"Ref": "Name"}), "Other": queue("other")}, Parameters=NAME)
        given = {"StackSetName": "set", "TemplateBody": both, "Parameters": third}
        ident = self.cfn.update_stack_set(**given)["OperationId"]
        self.assertEqual(self.operation(ident)["Status"], "SUCCEEDED")
        self.assertEqual(self.queues("prod"), ["third", "other"])
        self.assertEqual(sorted(self.queues("web", TWO)), ["other", "second"])
        # Some only: the others are outdated.
        some = {"DeploymentTargets": web, "Regions": [ONE], "TemplateBody": BODY}
        self.cfn.update_stack_set(StackSetName="set", **some)
        found = {key: status for key, (status, _) in self.instances().items()}
        self.assertEqual(found.pop((self.accounts["web"], ONE)), "CURRENT")
        self.assertEqual(set(found.values()), {"OUTDATED"})

    def test_p9_accounts_that_come_and_go_are_deployed_to_and_cleaned(self) -> None:
        first = self.make(automatic={"Enabled": True, "RetainStacksOnAccountRemoval": False})
        self.make("after", template({"Queue": queue("after")}),
                  automatic={"Enabled": True, "RetainStacksOnAccountRemoval": True, "DependsOn": [first]})  # fmt: skip
        second = [{"ParameterKey": "Name", "ParameterValue": "second"}]
        self.deploy(self.prod, ParameterOverrides=second)
        self.deploy(self.prod, name="after")
        test = self.accounts["test"]
        self.move(test, self.test, self.web)
        # The set's own values, not the overrides.
        self.assertEqual(self.queues("test"), ["first", "after"])
        self.assertEqual(self.instances()[(test, ONE)], ("CURRENT", "SUCCEEDED"))
        actions = [one["Action"] for one in self.cfn.list_stack_set_operations(StackSetName="set")["Summaries"]]
        self.assertEqual(actions, ["CREATE", "CREATE"])
        self.move(test, self.web, self.prod)
        self.assertIn("test", self.where())
        self.move(test, self.prod, self.test)
        self.assertEqual((self.where(), self.where("after")), ({"prod", "web"},) * 2)
        self.assertEqual(self.queues("test"), ["after"])
        # What the first one needs failed: the second does not begin.
        self.control("POST", "/faults", {"service": "sqs", "action": "CreateQueue", "account": self.accounts["root"],
                                         "code": "AccessDenied", "contains": "first"})  # fmt: skip
        self.move(self.accounts["root"], self.root, self.prod)
        self.assertEqual(self.queues("root"), [])
        last = self.cfn.list_stack_set_operations(StackSetName="after")["Summaries"][0]
        self.assertEqual(last["Status"], "FAILED")

    def test_p9_a_failure_ends_one_instance_and_tolerance_lets_the_others_go_on(self) -> None:
        self.make()
        fault = {"service": "sqs", "action": "CreateQueue", "account": self.accounts["prod"], "region": ONE}
        self.control("POST", "/faults", {**fault, "code": "AccessDenied", "message": "no queues", "count": 2})
        ident = self.deploy(self.prod, (ONE, TWO), OperationPreferences={"RegionOrder": [ONE, TWO]})
        self.assertEqual(self.operation(ident)["Status"], "FAILED")
        self.assertEqual(self.operation(ident)["StatusDetails"]["FailedStackInstancesCount"], 1)
        self.assertEqual(sorted(self.results(ident).values()), ["CANCELLED"] * 3 + ["FAILED"])
        failed = self.cfn.list_stack_instances(
            StackSetName="set", Filters=[{"Name": "DETAILED_STATUS", "Values": "FAILED"}]
        )["Summaries"][0]
        self.assertEqual((failed["Account"], failed["Status"]), (self.accounts["prod"], "OUTDATED"))
        self.assertIn("ResourceLogicalId:Queue, ResourceType:AWS::SQS::Queue", failed["StatusReason"])
        self.assertIn("no queues", failed["StatusReason"])
        tolerant = {"FailureToleranceCount": 1, "MaxConcurrentCount": 2}
        ident = self.deploy(self.prod, (ONE, TWO), OperationPreferences=tolerant)
        self.assertEqual(self.operation(ident)["Status"], "SUCCEEDED")
        self.assertEqual(self.results(ident)[(self.accounts["prod"], ONE)], "FAILED")
        self.assertEqual(self.instances()[(self.accounts["web"], ONE)], ("CURRENT", "SUCCEEDED"))
        # Once the reason is gone, the same call repairs it.
        ident = self.deploy(self.prod, (ONE,))
        self.assertEqual(set(self.results(ident).values()), {"SUCCEEDED"})
        self.refused("ValidationError", self.deploy, unit=self.prod, OperationPreferences={"MaxConcurrentCount": 2})

    def test_p9_suspended_accounts_are_skipped(self) -> None:
        self.organizations.close_account(AccountId=self.accounts["web"])
        self.make()
        ident = self.deploy(self.prod)
        self.assertEqual(self.operation(ident)["Status"], "SUCCEEDED")
        found = self.instances()[(self.accounts["web"], ONE)]
        self.assertEqual(found, ("OUTDATED", "SKIPPED_SUSPENDED_ACCOUNT"))
        where = {"StackSetName": "set", "Regions": [ONE], "DeploymentTargets": {"OrganizationalUnitIds": [self.prod]}}
        self.cfn.delete_stack_instances(**where, RetainStacks=False)
        self.assertEqual(set(self.instances()), {(self.accounts["web"], ONE)})
        self.cfn.delete_stack_instances(**where, RetainStacks=True)
        self.assertEqual(self.instances(), {})

    def test_p9_one_operation_at_a_time_that_can_be_watched_and_stopped(self) -> None:
        self.control("POST", "/timings", {"stack_set_operation": 0.4})
        self.make()
        ident = self.deploy(self.prod, (ONE, TWO))
        self.assertEqual(sorted(self.results(ident).values()), ["PENDING"] * 3 + ["RUNNING"])
        self.assertEqual({status for _, status in self.instances().values()}, {"PENDING", "RUNNING"})
        self.refused("OperationInProgressException", self.deploy, unit=self.test)
        self.refused("OperationInProgressException", self.cfn.delete_stack_set, StackSetName="set")
        self.cfn.stop_stack_set_operation(StackSetName="set", OperationId=ident)
        self.assertTrue(until(lambda: self.operation(ident)["Status"] == "STOPPED"))
        self.assertEqual(sorted(self.results(ident).values()), ["CANCELLED"] * 3 + ["SUCCEEDED"])
        self.make("managed", ManagedExecution={"Active": True}, body=template({"Queue": queue("managed")}))
        self.deploy(self.prod, name="managed")
        second = self.deploy(self.test, name="managed")
        self.assertEqual(self.operation(second, "managed")["Status"], "QUEUED")
        self.assertTrue(until(lambda: self.operation(second, "managed")["Status"] == "SUCCEEDED"))

    def test_p9_what_is_deleted_is_gone_and_a_set_with_instances_stays(self) -> None:
        self.make()
        self.deploy(self.prod, (ONE, TWO))
        self.refused("StackSetNotEmptyException", self.cfn.delete_stack_set, StackSetName="set")
        given = {"StackSetName": "set", "DeploymentTargets": {"OrganizationalUnitIds": [self.prod]}}
        self.cfn.delete_stack_instances(**given, Regions=[TWO], RetainStacks=True)
        self.assertEqual((self.queues("web", TWO), len(self.instances())), (["first"], 2))
        fault = {"service": "cloudformation", "action": "DeleteStack", "account": self.accounts["prod"]}
        self.control("POST", "/faults", {**fault, "code": "AccessDenied", "message": "not yours"})
        tolerant = {"FailureToleranceCount": 1}
        self.cfn.delete_stack_instances(
            **given, Regions=[ONE], RetainStacks=False, OperationPreferences=tolerant
        )
        self.assertEqual(self.instances(), {(self.accounts["prod"], ONE): ("INOPERABLE", "INOPERABLE")})
        self.cfn.delete_stack_instances(**given, Regions=[ONE], RetainStacks=False)
        self.assertEqual((self.queues("prod"), self.queues("web")), ([], []))
        self.cfn.delete_stack_set(StackSetName="set")
        self.refused("StackSetNotFoundException", self.cfn.list_stack_instances, StackSetName="set")
        rows = self.cfn.list_stack_sets(Status="DELETED")["Summaries"]
        self.assertEqual([row["StackSetName"] for row in rows], ["set"])
        self.make()

    def test_p9_service_managed_needs_access_activated_by_cloudformation(self) -> None:
        self.cfn.deactivate_organizations_access()
        self.organizations.enable_aws_service_access(ServicePrincipal=PRINCIPAL)
        self.assertEqual(self.cfn.describe_organizations_access()["Status"], "DISABLED")
        self.refused("ValidationError", self.make)
        self.cfn.activate_organizations_access()
        self.make()
        self.refused("NameAlreadyExistsException", self.make)
        self.organizations.disable_aws_service_access(ServicePrincipal=PRINCIPAL)
        self.assertEqual(self.cfn.describe_organizations_access()["Status"], "DISABLED")
        outside = self.client("cloudformation", account=self.accounts["web"])
        self.refused("ValidationError", lambda: self.make(cfn=outside))

    def test_p9_self_managed_needs_both_roles(self) -> None:
        given = {"StackSetName": "own", "Accounts": [self.accounts["web"]], "Regions": [ONE]}
        self.cfn.create_stack_set(StackSetName="own", TemplateBody=BODY)
        iam, member = self.client("iam"), self.client("iam", account=self.accounts["web"])
        ident = self.cfn.create_stack_instances(**given)["OperationId"]
        self.assertEqual(set(self.results(ident, "own").values()), {"FAILED"})
        service = {"Effect": "Allow", "Principal": {"Service": "cloudformation.amazonaws.com"}}
        hub = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{HUB}:root"}}
        for client, name, trust in (
            (iam, "AWSCloudFormationStackSetAdministrationRole", service),
            (member, "AWSCloudFormationStackSetExecutionRole", hub),
        ):
            reason = self.cfn.list_stack_instances(StackSetName="own")["Summaries"][0]["StatusReason"]
            self.assertIn(name, reason)
            document = {"Version": "2012-10-17", "Statement": [{**trust, "Action": "sts:AssumeRole"}]}
            client.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(document))
            ident = self.cfn.create_stack_instances(**given)["OperationId"]
        self.assertEqual(set(self.results(ident, "own").values()), {"SUCCEEDED"})
        self.assertEqual(self.queues("web"), ["first"])

    def test_p9_stack_sets_act_with_all_rights_and_their_caller_with_its_own(self) -> None:
        self.make(body=template({"Role": role()}))
        self.control("POST", "/switches", {"identity": True})
        root = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{HUB}:root"}, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [root]})
        self.client("iam").create_role(RoleName="user", AssumeRolePolicyDocument=document)
        sets = f"arn:aws:cloudformation:*:{HUB}:stackset/set:*"
        allow = {"Effect": "Allow", "Action": ["cloudformation:*StackInstances", "cloudformation:Describe*"]}
        rights = json.dumps({"Version": "2012-10-17", "Statement": [{**allow, "Resource": sets}]})
        self.client("iam").put_role_policy(RoleName="user", PolicyName="p", PolicyDocument=rights)
        keys = self.client("sts").assume_role(RoleArn=f"arn:aws:iam::{HUB}:role/user", RoleSessionName="user")
        self.cfn, whole = self.client("cloudformation", keys=keys["Credentials"]), self.cfn
        ident = self.deploy(self.prod)
        self.refused("AccessDenied", self.cfn.list_stack_sets)
        self.refused("AccessDenied", self.cfn.create_stack_set, StackSetName="x", TemplateBody=BODY)
        self.cfn = whole
        self.assertEqual(set(self.results(ident).values()), {"SUCCEEDED"})
        self.client("iam", account=self.accounts["web"]).get_role(RoleName="web")

    def test_p14_a_delegated_administrator_reads_the_organization_and_works_on_its_stack_sets(self) -> None:
        admin, other = self.accounts["test"], self.accounts["web"]
        cfn, stranger = self.client("cloudformation", account=admin), self.client("cloudformation", account=other)
        organizations = self.client("organizations", account=admin)
        self.refused("AccessDeniedException", organizations.list_accounts)
        organizations.describe_organization()
        called = {"CallAs": "DELEGATED_ADMIN"}
        self.refused("ValidationError", lambda: self.make(cfn=cfn, **called))
        self.organizations.register_delegated_administrator(AccountId=admin, ServicePrincipal=PRINCIPAL)
        self.assertEqual(len(organizations.list_accounts()["Accounts"]), 5)
        self.assertEqual(len(organizations.list_accounts_for_parent(ParentId=self.web)["Accounts"]), 1)
        found = organizations.list_delegated_administrators(ServicePrincipal=PRINCIPAL)["DelegatedAdministrators"]
        self.assertEqual([one["Id"] for one in found], [admin])
        self.refused("AccessDeniedException", organizations.create_organizational_unit, ParentId=self.root, Name="x")
        self.refused("AccessDeniedException", self.client("organizations", account=other).list_roots)
        self.assertEqual(cfn.describe_organizations_access(**called)["Status"], "ENABLED")
        arn = self.make(cfn=cfn, **called)
        self.assertEqual(arn.split(":")[4], HUB)
        ident = cfn.create_stack_instances(
            StackSetName="set", DeploymentTargets={"OrganizationalUnitIds": [self.prod]}, Regions=[ONE], **called
        )["OperationId"]
        told = cfn.describe_stack_set_operation(StackSetName="set", OperationId=ident, **called)
        self.assertEqual(told["StackSetOperation"]["Status"], "SUCCEEDED")
        self.assertEqual(len(self.instances()), 2)
        self.assertEqual(cfn.list_stack_sets()["Summaries"], [])
        self.refused("ValidationError", stranger.list_stack_sets, **called)
        self.refused("StackSetNotFoundException", stranger.describe_stack_set, StackSetName="set")
