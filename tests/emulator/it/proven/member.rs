//! Each right of the member role: with it a call is done, without it the same call is refused by its name.

use std::sync::{Arc, LazyLock};

use spothub_aws::{Action, AwsCloud, Holder};
use spothub_core::cloud::Decrement;
use spothub_core::fault::Fault;
use spothub_core::group::GroupView;
use spothub_core::id::{ClusterName, ContainerArn, GroupKey, InstanceId};
use spothub_core::port::{Act as _, Look as _};
use spothub_core::time::Timestamp;
use spothub_tests::cloud::{Pin, Start, Twin, Wanted, cause};

use super::{PROGRAM, PROVEN, Role, refusal};
use crate::emulator::run;

/// What a call is made of: a group of ours to work on, and a Spot instance beside it that was launched for it.
struct Stock {
    key: GroupKey,
    view: GroupView,
    first: InstanceId,
    twin: Twin,
    spare: InstanceId,
    container: ContainerArn,
}

fn cluster() -> ClusterName {
    "proof".parse().unwrap()
}

impl Stock {
    async fn of(start: Start) -> Self {
        let scene = PROVEN.scene().await;
        let asked = Wanted { start, target_groups: 1, classic_balancers: 1, ..Wanted::new("proof") };
        let mut wanted = Wanted { stack: Some(false), ..asked };
        wanted.tags.insert("spothub:enabled".to_owned(), "true".to_owned());
        let key = scene.group(wanted).await;
        let view = scene.view(&key).await;
        let first = view.members[0].id.clone();
        let twin = Twin::of(&scene, &key, &["m5.large"]).await;
        let spare = scene.launch(&twin).await.unwrap();
        scene.running(&key.site, &spare).await;
        scene.stage.register(&key, &cluster(), &first).await;
        let rows = scene.look.containers(&key.site, &cluster(), std::slice::from_ref(&first), cause()).await.unwrap();
        let container = rows[0].arn.clone();
        Self { key, view, first, twin, spare, container }
    }

    /// Makes the call that needs an action, over an adapter that remembers nothing.
    async fn call(&self, cloud: &AwsCloud, action: &str) -> Result<(), Fault> {
        let Self { key, view, first, twin, spare, container } = self;
        let site = &key.site;
        match action {
            "autoscaling:DescribeAutoScalingGroups" => cloud.groups(site, None, cause()).await.map(drop),
            "autoscaling:DescribeInstanceRefreshes"
            | "autoscaling:DescribeLifecycleHooks"
            | "cloudformation:DescribeStacks" => cloud.extras(key, cause()).await.map(drop),
            "autoscaling:DescribeLaunchConfigurations"
            | "ec2:DescribeLaunchTemplateVersions"
            | "ec2:DescribeImages" => cloud.template(key, &view.source, cause()).await.map(drop),
            "autoscaling:DescribeScalingActivities" => cloud.activities(key, Timestamp(0), cause()).await.map(drop),
            "autoscaling:AttachInstances" => cloud.attach(key, spare, cause()).await,
            "autoscaling:TerminateInstanceInAutoScalingGroup" => {
                cloud.retire(key, first, Decrement::Yes, cause()).await
            }
            "autoscaling:UpdateAutoScalingGroup" => cloud.set_max(key, 5, cause()).await,
            "cloudwatch:DescribeAlarms" => cloud.alarms(site, &["red".to_owned()], cause()).await.map(drop),
            "ec2:DescribeInstances" => cloud.instances(site, std::slice::from_ref(first), cause()).await.map(drop),
            "ec2:DescribeInstanceStatus" => cloud.status(site, std::slice::from_ref(first), cause()).await.map(drop),
            "ec2:DescribeSpotInstanceRequests" => {
                cloud.marked(site, std::slice::from_ref(first), cause()).await.map(drop)
            }
            "ecs:ListContainerInstances" | "ecs:DescribeContainerInstances" => {
                cloud.containers(site, &cluster(), std::slice::from_ref(first), cause()).await.map(drop)
            }
            "ecs:UpdateContainerInstancesState" => cloud.drain(key, &cluster(), container, true, cause()).await,
            "elasticloadbalancing:DescribeInstanceHealth" => {
                cloud.balancer(site, &view.load_balancers[0], first, cause()).await.map(drop)
            }
            "elasticloadbalancing:DescribeTargetHealth" => {
                cloud.target(site, &view.target_groups[0], first, cause()).await.map(drop)
            }
            "ec2:CreateFleet" | "ec2:RunInstances" | "ec2:CreateTags" => {
                cloud.launch(&twin.again(2).launch(), cause()).await.map(drop)
            }
            "ec2:TerminateInstances" => cloud.terminate(site, spare, cause()).await,
            other => panic!("no call is known for {other}"),
        }
    }
}

/// Without the action the call is refused and AWS's words name it; with it, the call is done.
fn needs(action: &'static str, start: Start) {
    LazyLock::force(&PROVEN);
    run(async move {
        let stock = Stock::of(start).await;
        let account = stock.key.site.account;
        let role = Role::of(&PROVEN.administrator(account).await, "spothub-member").await;
        role.strip(action).await;
        let refused = stock.call(&PROVEN.cloud(), action).await;
        assert!(matches!(refused, Err(Fault::Denied(_))), "without {action}: {refused:?}");
        let words = refusal(account).await;
        assert!(words.contains(action), "without {action}: {words}");
        role.restore().await;
        let done = stock.call(&PROVEN.cloud(), action).await;
        assert!(done.is_ok(), "with {action}: {done:?}");
    });
}

/// One test for each action, and the list of them.
macro_rules! needed {
    ($($test:ident: $action:literal, $start:expr;)+) => {
        $(#[test]
        fn $test() {
            needs($action, $start);
        })+

        /// Proven here.
        const PROVEN_HERE: &[&str] = &[$($action,)+];
    };
}

const TEMPLATE: Start = Start::Template(Pin::Number);

needed! {
    describe_groups: "autoscaling:DescribeAutoScalingGroups", TEMPLATE;
    describe_instance_refreshes: "autoscaling:DescribeInstanceRefreshes", TEMPLATE;
    describe_launch_configurations: "autoscaling:DescribeLaunchConfigurations", Start::Configuration;
    describe_lifecycle_hooks: "autoscaling:DescribeLifecycleHooks", TEMPLATE;
    describe_scaling_activities: "autoscaling:DescribeScalingActivities", TEMPLATE;
    attach_instances: "autoscaling:AttachInstances", TEMPLATE;
    terminate_instance_in_group: "autoscaling:TerminateInstanceInAutoScalingGroup", TEMPLATE;
    update_group: "autoscaling:UpdateAutoScalingGroup", TEMPLATE;
    describe_stacks: "cloudformation:DescribeStacks", TEMPLATE;
    describe_alarms: "cloudwatch:DescribeAlarms", TEMPLATE;
    describe_images: "ec2:DescribeImages", TEMPLATE;
    describe_instances: "ec2:DescribeInstances", TEMPLATE;
    describe_instance_status: "ec2:DescribeInstanceStatus", TEMPLATE;
    describe_spot_requests: "ec2:DescribeSpotInstanceRequests", TEMPLATE;
    describe_template_versions: "ec2:DescribeLaunchTemplateVersions", TEMPLATE;
    create_fleet: "ec2:CreateFleet", TEMPLATE;
    run_instances_of_a_fleet: "ec2:RunInstances", TEMPLATE;
    run_instances_of_a_configuration: "ec2:RunInstances", Start::Configuration;
    tag_at_launch: "ec2:CreateTags", TEMPLATE;
    terminate_own: "ec2:TerminateInstances", TEMPLATE;
    list_container_instances: "ecs:ListContainerInstances", TEMPLATE;
    describe_container_instances: "ecs:DescribeContainerInstances", TEMPLATE;
    update_container_instances: "ecs:UpdateContainerInstancesState", TEMPLATE;
    describe_instance_health: "elasticloadbalancing:DescribeInstanceHealth", TEMPLATE;
    describe_target_health: "elasticloadbalancing:DescribeTargetHealth", TEMPLATE;
}

/// Called by `doctor` alone.
const OF_DOCTOR: [&str; 7] = [
    "events:DescribeRule",
    "events:ListTargetsByRule",
    "events:PutEvents",
    "iam:GetRole",
    "servicequotas:ListServiceQuotas",
    "sqs:GetQueueAttributes",
    "sqs:GetQueueUrl",
];

/// What no call of the emulator asks for, or none that it judges: shown by the table over the documents. Zones are
/// asked for where answers name them without their ids, and the emulator's never do; profiles, where roles that may be
/// passed are limited; without commitments work goes on, and they are told as unknown.
const BY_DOCUMENTS: [&str; 7] = [
    "ec2:DescribeAvailabilityZones",
    "ec2:DescribeReservedInstances",
    "iam:CreateServiceLinkedRole",
    "iam:GetInstanceProfile",
    "iam:PassRole",
    "kms:CreateGrant",
    "savingsplans:DescribeSavingsPlans",
];

#[test]
fn each_right_of_doctor_is_needed() {
    LazyLock::force(&PROVEN);
    let program = PROGRAM.get().unwrap();
    let (account, role) = run(async {
        let account = PROVEN.scene().await.site().account;
        (account, Arc::new(Role::of(&PROVEN.administrator(account).await, "spothub-member").await))
    });
    let id = account.to_string();
    let doctor = || {
        let probes = ["--probe-wait", "5s"];
        program
            .ran(&[&["doctor", "--config", "spothub.yaml", "--account", &id, "--output", "json"], &probes[..]].concat())
    };
    for action in OF_DOCTOR {
        let stripped = Arc::clone(&role);
        run(async move { stripped.strip(action).await });
        let ran = doctor();
        assert_eq!(ran.code, Some(3), "without {action}: {}\n{}", ran.out, ran.err);
        let words = run(refusal(account));
        assert!(words.contains(action), "without {action}: {words}");
        let whole = Arc::clone(&role);
        run(async move { whole.restore().await });
    }
    let ran = doctor();
    assert_eq!(ran.code, Some(0), "with all: {}\n{}", ran.out, ran.err);
}

#[test]
fn no_right_of_members_is_left_unproven() {
    let asked = Action::ALL.iter().filter(|action| action.holders().contains(&Holder::Member)).map(|one| one.iam());
    let shown =
        |action: &&str| PROVEN_HERE.contains(action) || OF_DOCTOR.contains(action) || BY_DOCUMENTS.contains(action);
    let unproven = asked.filter(|action| !shown(action)).collect::<Vec<_>>();
    assert!(unproven.is_empty(), "{unproven:?}");
    assert!(BY_DOCUMENTS.iter().all(|action| !PROVEN_HERE.contains(action)));
}
