"""P8: Auto Scaling groups."""

from __future__ import annotations

from typing import Any

from overlay.selftests.server import IMAGE, Case, until


class Groups(Case):
    """Calls that change groups, and how groups settle."""

    def members(self, name: str = "g") -> list[str]:
        return sorted(member["InstanceId"] for member in self.seen(name)["Instances"])

    def causes(self, name: str = "g") -> list[tuple[str, str]]:
        told = self.client("autoscaling").describe_scaling_activities(AutoScalingGroupName=name)["Activities"]
        return [(activity["Description"], activity["Cause"]) for activity in told]

    def test_members_spread_over_subnets_and_name_their_version(self) -> None:
        self.group(desired=2)
        found = self.seen()["Instances"]
        self.assertEqual({member["AvailabilityZone"] for member in found}, {"us-east-1a", "us-east-1b"})
        self.assertEqual({member["LaunchTemplate"]["Version"] for member in found}, {"1"})
        self.assertEqual(self.seen()["HealthCheckGracePeriod"], 0)

    def test_attach_raises_desired_by_one_whatever_the_count_of_members(self) -> None:
        scaling = self.group(desired=2, most=5)
        scaling.suspend_processes(AutoScalingGroupName="g", ScalingProcesses=["ReplaceUnhealthy"])
        self.client("ec2").terminate_instances(InstanceIds=[self.members()[0]])
        scaling.attach_instances(AutoScalingGroupName="g", InstanceIds=[self.run_spot()])
        self.assertEqual(self.seen()["DesiredCapacity"], 3)

    def test_attached_instances_get_tags_and_have_no_template(self) -> None:
        tags = [
            {"Key": "team", "Value": "web", "PropagateAtLaunch": True},
            {"Key": "own", "Value": "no", "PropagateAtLaunch": False},
        ]
        scaling = self.group(desired=1, Tags=tags)
        new = self.run_spot()
        scaling.attach_instances(AutoScalingGroupName="g", InstanceIds=[new])
        member = next(m for m in self.seen()["Instances"] if m["InstanceId"] == new)
        self.assertEqual(member["LifecycleState"], "InService")
        self.assertNotIn("LaunchTemplate", member)
        self.assertNotIn("LaunchConfigurationName", member)
        told = self.client("ec2").describe_tags(Filters=[{"Name": "resource-id", "Values": [new]}])["Tags"]
        found = {tag["Key"]: tag["Value"] for tag in told}
        self.assertEqual((found["team"], found["aws:autoscaling:groupName"]), ("web", "g"))
        self.assertNotIn("own", found)
        self.assertIn((f"Attaching an existing EC2 instance: {new}"), [text for text, _ in self.causes()])

    def test_attach_is_refused_in_aws_words(self) -> None:
        scaling = self.group(desired=2, most=3)
        self.group("other", desired=1)
        attach = scaling.attach_instances

        def words(ids: list[str], name: str = "g") -> str:
            answer = self.refused("ValidationError", attach, AutoScalingGroupName=name, InstanceIds=ids)
            return answer["Error"]["Message"]

        self.assertIn("AutoScalingGroup name not found", words([self.run_spot()], "missing"))
        self.assertIn("is already part of AutoScalingGroup:other", words(self.members("other")))
        self.assertIn("is already part of AutoScalingGroup:g", words(self.members()[:1]))
        self.assertIn("Invalid Instance ID(s)", words(["i-0123456789abcdef0"]))
        self.assertIn("availability zone us-east-1c", words([self.run_spot("us-east-1c")]))
        new = [self.run_spot(), self.run_spot()]
        self.assertIn("please update the AutoScalingGroup sizes appropriately", words(new))
        self.assertEqual(self.seen()["DesiredCapacity"], 2)
        scaling.suspend_processes(AutoScalingGroupName="g", ScalingProcesses=["Launch"])
        self.assertIn("Launch process", words(new[:1]))
        self.control("POST", "/timings", {"pending": 60})
        scaling.resume_processes(AutoScalingGroupName="g")
        self.assertIn("is not in correct state", words([self.run_spot()]))

    def test_attach_takes_the_time_that_was_set(self) -> None:
        scaling = self.group(desired=1)
        self.control("POST", "/timings", {"in_service": 0.3})
        new = self.run_spot()
        scaling.attach_instances(AutoScalingGroupName="g", InstanceIds=[new])

        def state() -> str:
            told = scaling.describe_auto_scaling_instances(InstanceIds=[new])["AutoScalingInstances"][0]
            return str(told["LifecycleState"])

        self.assertEqual(state(), "Pending")
        self.assertTrue(until(lambda: state() == "InService"))

    def test_terminate_with_decrement_shrinks_and_without_replaces(self) -> None:
        scaling = self.group(desired=3, most=3)
        old = self.members()
        told = scaling.terminate_instance_in_auto_scaling_group(InstanceId=old[0], ShouldDecrementDesiredCapacity=True)[
            "Activity"
        ]
        self.assertIn("in response to a user request, shrinking the capacity from 3 to 2", told["Cause"])
        self.assertEqual((self.members(), self.seen()["DesiredCapacity"]), (old[1:], 2))
        told = scaling.terminate_instance_in_auto_scaling_group(
            InstanceId=old[1], ShouldDecrementDesiredCapacity=False
        )["Activity"]
        self.assertNotIn("shrinking", told["Cause"])
        self.assertEqual((len(self.members()), self.seen()["DesiredCapacity"]), (2, 2))
        state = self.client("ec2").describe_instances(InstanceIds=[old[0]])["Reservations"][0]["Instances"][0]
        self.assertEqual(state["State"]["Name"], "terminated")
        answer = self.refused(
            "ValidationError", scaling.terminate_instance_in_auto_scaling_group, InstanceId=old[0],
            ShouldDecrementDesiredCapacity=True,
        )  # fmt: skip
        self.assertIn("No managed instance found", answer["Error"]["Message"])
        scaling.update_auto_scaling_group(AutoScalingGroupName="g", MinSize=2)
        answer = self.refused(
            "ValidationError", scaling.terminate_instance_in_auto_scaling_group, InstanceId=self.members()[0],
            ShouldDecrementDesiredCapacity=True,
        )  # fmt: skip
        self.assertIn("desiredSize equals minSize", answer["Error"]["Message"])

    def test_bounds_hold_and_max_size_lowers_desired(self) -> None:
        scaling = self.group(least=1, most=3, desired=3)
        self.refused("ValidationError", scaling.set_desired_capacity, AutoScalingGroupName="g", DesiredCapacity=4)
        self.refused("ValidationError", scaling.set_desired_capacity, AutoScalingGroupName="g", DesiredCapacity=0)
        self.refused("ValidationError", scaling.update_auto_scaling_group, AutoScalingGroupName="g", MaxSize=0)
        scaling.update_auto_scaling_group(AutoScalingGroupName="g", MaxSize=2)
        self.assertEqual((self.seen()["DesiredCapacity"], len(self.members())), (2, 2))
        scaling.update_auto_scaling_group(AutoScalingGroupName="g", MaxSize=4, MinSize=3)
        self.assertEqual((self.seen()["DesiredCapacity"], len(self.members())), (3, 3))
        self.refused("ValidationError", scaling.update_auto_scaling_group, AutoScalingGroupName="no", MaxSize=2)

    def test_suspended_processes_stop_launches_and_terminations(self) -> None:
        scaling = self.group(desired=2, most=5)
        scaling.suspend_processes(AutoScalingGroupName="g", ScalingProcesses=["Launch", "Terminate"])
        scaling.set_desired_capacity(AutoScalingGroupName="g", DesiredCapacity=4)
        self.assertEqual(len(self.members()), 2)
        scaling.set_desired_capacity(AutoScalingGroupName="g", DesiredCapacity=1)
        self.assertEqual(len(self.members()), 2)
        scaling.resume_processes(AutoScalingGroupName="g", ScalingProcesses=["Terminate"])
        self.assertEqual(len(self.members()), 1)

    def test_a_terminated_member_is_replaced_and_the_cause_is_told(self) -> None:
        self.group(desired=2)
        old = self.members()
        self.client("ec2").terminate_instances(InstanceIds=old[:1])
        self.assertEqual(len(self.members()), 2)
        self.assertNotIn(old[0], self.members())
        causes = dict(self.causes())
        self.assertIn("EC2 health check", causes[f"Terminating EC2 instance: {old[0]}"])

    def test_a_group_without_capacity_stays_short_and_recovers(self) -> None:
        self.control("POST", "/capacity", {"market": "on-demand", "available": 1})
        scaling = self.group(desired=2)
        self.assertEqual(len(self.members()), 1)
        told = scaling.describe_scaling_activities(AutoScalingGroupName="g")["Activities"]
        self.assertEqual(told[0]["StatusCode"], "Failed")
        self.control("DELETE", "/capacity")
        self.assertEqual(len(self.members()), 2)

    def test_detach_and_standby(self) -> None:
        scaling = self.group(desired=2, least=1)
        first, second = self.members()
        scaling.detach_instances(AutoScalingGroupName="g", InstanceIds=[first], ShouldDecrementDesiredCapacity=True)
        self.assertEqual((self.members(), self.seen()["DesiredCapacity"]), ([second], 1))
        # What was detached can join again, also another group.
        self.group("other", desired=1)
        scaling.attach_instances(AutoScalingGroupName="other", InstanceIds=[first])
        self.assertIn(first, self.members("other"))
        scaling.enter_standby(AutoScalingGroupName="g", InstanceIds=[second], ShouldDecrementDesiredCapacity=False)
        states = {m["InstanceId"]: m["LifecycleState"] for m in self.seen()["Instances"]}
        self.assertEqual(states.pop(second), "Standby")
        self.assertEqual(list(states.values()), ["InService"])
        scaling.exit_standby(AutoScalingGroupName="g", InstanceIds=[second])
        self.assertEqual(self.seen()["DesiredCapacity"], 2)

    def test_activities_come_newest_first_in_pages(self) -> None:
        scaling = self.group(desired=3)
        first = scaling.describe_scaling_activities(AutoScalingGroupName="g", MaxRecords=2)
        second = scaling.describe_scaling_activities(
            AutoScalingGroupName="g", MaxRecords=2, NextToken=first["NextToken"]
        )
        ids = [activity["ActivityId"] for activity in first["Activities"] + second["Activities"]]
        self.assertEqual(len(set(ids)), 3)
        self.assertNotIn("NextToken", second)

    def test_target_groups_take_members_and_lose_them(self) -> None:
        balancers = self.client("elbv2")
        vpc = self.client("ec2").describe_vpcs()["Vpcs"][0]["VpcId"]
        arn = balancers.create_target_group(Name="tg", Protocol="HTTP", Port=80, VpcId=vpc)["TargetGroups"][0][
            "TargetGroupArn"
        ]
        scaling = self.group(desired=1, TargetGroupARNs=[arn])
        self.control("POST", "/timings", {"target_healthy": 0.3})
        new = self.run_spot()
        scaling.attach_instances(AutoScalingGroupName="g", InstanceIds=[new])

        def health(ident: str) -> str:
            told = balancers.describe_target_health(TargetGroupArn=arn, Targets=[{"Id": ident}])
            return str(told["TargetHealthDescriptions"][0]["TargetHealth"]["State"])

        self.assertEqual(health(new), "initial")
        self.assertTrue(until(lambda: health(new) == "healthy"))
        self.control("POST", "/target-health", {new: "unhealthy"})
        self.assertEqual(health(new), "unhealthy")
        scaling.terminate_instance_in_auto_scaling_group(InstanceId=new, ShouldDecrementDesiredCapacity=True)
        self.assertIn(health(new), ("draining", "unused"))

    def test_launch_configurations_launch_with_all_that_they_say(self) -> None:
        scaling = self.client("autoscaling")
        scaling.create_launch_configuration(
            LaunchConfigurationName="lc",
            ImageId=IMAGE,
            InstanceType="m5.large",
            MetadataOptions={"HttpTokens": "required"},
            AssociatePublicIpAddress=True,
            BlockDeviceMappings=[{"DeviceName": "/dev/sdb", "NoDevice": True}],
        )
        self.group(desired=1, LaunchConfigurationName="lc")
        member = self.seen()["Instances"][0]
        self.assertEqual(member["LaunchConfigurationName"], "lc")
        found = self.client("ec2").describe_instances(InstanceIds=[member["InstanceId"]])
        told = found["Reservations"][0]["Instances"][0]
        self.assertEqual(told["MetadataOptions"]["HttpTokens"], "required")
        self.refused("ValidationError", self.group, name="x", LaunchConfigurationName="missing")

    def test_a_mixed_policy_survives_an_update_and_splits(self) -> None:
        template = self.template("mixed")
        policy: dict[str, Any] = {
            "LaunchTemplate": {
                "LaunchTemplateSpecification": {"LaunchTemplateId": template, "Version": "1"},
                "Overrides": [{"InstanceType": "m5.large"}, {"InstanceType": "m4.large"}],
            },
            "InstancesDistribution": {"OnDemandBaseCapacity": 1, "OnDemandPercentageAboveBaseCapacity": 0},
        }
        zones = self.subnets()
        scaling = self.client("autoscaling")
        scaling.create_auto_scaling_group(
            AutoScalingGroupName="g", MinSize=1, MaxSize=4, DesiredCapacity=3, MixedInstancesPolicy=policy,
            VPCZoneIdentifier=zones["us-east-1a"],
        )  # fmt: skip
        scaling.update_auto_scaling_group(AutoScalingGroupName="g", MaxSize=5)
        self.assertIn("MixedInstancesPolicy", self.seen())
        found = self.client("ec2").describe_instances(InstanceIds=self.members())["Reservations"]
        spot = [i for r in found for i in r["Instances"] if i.get("InstanceLifecycle") == "spot"]
        self.assertEqual(len(spot), 2)

    def test_groups_are_told_without_instances_and_refreshes_are_settable(self) -> None:
        scaling = self.group(desired=2)
        told = scaling.describe_auto_scaling_groups(IncludeInstances=False)["AutoScalingGroups"][0]
        self.assertEqual((told["AutoScalingGroupName"], told["Instances"]), ("g", []))
        self.assertEqual(scaling.describe_instance_refreshes(AutoScalingGroupName="g")["InstanceRefreshes"], [])
        where = {"account": "123456789012", "region": "us-east-1", "group": "g"}
        self.control("POST", "/instance-refreshes", {**where, "refreshes": ["InProgress"]})
        told = scaling.describe_instance_refreshes(AutoScalingGroupName="g")["InstanceRefreshes"]
        self.assertEqual([refresh["Status"] for refresh in told], ["InProgress"])
        self.control("POST", "/group", {**where, "set": {"Operator": {"Principal": "eks.amazonaws.com"}}})
        self.assertEqual(self.seen()["Operator"]["Principal"], "eks.amazonaws.com")

    def test_a_group_keeps_the_tag_of_its_stack_whose_state_is_settable(self) -> None:
        where = {"account": "123456789012", "region": "us-east-1", "name": "web"}
        made = self.control("POST", "/stack", {**where, "status": "UPDATE_IN_PROGRESS"})["id"]
        scaling = self.group(desired=1)
        tag = {"ResourceId": "g", "ResourceType": "auto-scaling-group", "PropagateAtLaunch": True}
        scaling.create_or_update_tags(Tags=[{**tag, "Key": "aws:cloudformation:stack-id", "Value": made}])
        self.assertEqual([one["Value"] for one in self.seen()["Tags"]], [made])
        cfn = self.client("cloudformation")
        self.assertEqual(cfn.describe_stacks(StackName=made)["Stacks"][0]["StackStatus"], "UPDATE_IN_PROGRESS")
        self.control("POST", "/stack", {**where, "status": "UPDATE_COMPLETE"})
        told = [one["StackStatus"] for one in cfn.describe_stacks(StackName="web")["Stacks"]]
        self.assertEqual(told, ["UPDATE_COMPLETE"])

    def test_deleting_needs_force_while_there_are_members(self) -> None:
        scaling = self.group(desired=1)
        self.refused("ResourceInUse", scaling.delete_auto_scaling_group, AutoScalingGroupName="g")
        scaling.delete_auto_scaling_group(AutoScalingGroupName="g", ForceDelete=True)
        self.assertEqual(scaling.describe_auto_scaling_groups()["AutoScalingGroups"], [])
