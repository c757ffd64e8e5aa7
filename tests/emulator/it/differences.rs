//! Where the emulator is known to differ from AWS: one table. Each row is itself asserted, so that a row that is not
//! true any more fails loudly, and the cases that were written around it can be looked at again.

use std::future::Future;
use std::pin::Pin;

use spothub_core::cloud::{Decrement, Route, TargetState};
use spothub_core::id::Site;
use spothub_tests::cloud::{Scene, Twin, Wanted, cause};

use crate::emulator::{emulator, run};

type Check = fn(Scene) -> Pin<Box<dyn Future<Output = ()> + Send>>;

struct Difference {
    /// What the emulator does.
    emulator: &'static str,
    /// What AWS does.
    aws: &'static str,
    /// Where AWS says so.
    document: &'static str,
    /// Fails when the emulator does not do so any more.
    check: Check,
}

const DIFFERENCES: [Difference; 6] = [
    Difference {
        emulator: "a launch hook holds nobody: members come into service without CompleteLifecycleAction",
        aws: "a member stays in Pending:Wait until the hook is completed or its heartbeat ends",
        document: "https://docs.aws.amazon.com/autoscaling/ec2/userguide/lifecycle-hooks.html",
        check: |scene| Box::pin(hooks_hold_nobody(scene)),
    },
    Difference {
        emulator: "what was launched is listed by the next call",
        aws: "reads are eventually consistent: a new instance may not be found for a while",
        document: "https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html",
        check: |scene| Box::pin(launches_are_listed_at_once(scene)),
    },
    Difference {
        emulator: "a target that is deregistered is gone at once",
        aws: "it drains for the deregistration delay, 300 seconds by itself",
        document: "https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeregisterTargets.html",
        check: |scene| Box::pin(targets_do_not_drain(scene)),
    },
    Difference {
        emulator: "zone names stand for the same zones in every account",
        aws: "each account has its own letters; only zone ids are the same place everywhere",
        document: "https://docs.aws.amazon.com/ram/latest/userguide/working-with-az-ids.html",
        check: |scene| Box::pin(letters_are_the_same_everywhere(scene)),
    },
    Difference {
        emulator: "no bucket ever runs empty by itself",
        aws: "RunInstances has a bucket of 5 requests that refills at 2 a second",
        document: "https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html",
        check: |scene| Box::pin(buckets_never_run_empty(scene)),
    },
    Difference {
        emulator: "an item of DynamoDB whose time to live is over stays",
        aws: "it is dropped within a few days",
        document: "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html",
        check: |_| Box::pin(crate::store::items_never_expire()),
    },
];

async fn hooks_hold_nobody(scene: Scene) {
    let key = scene.group(Wanted { launch_hook: true, ..Wanted::new("hooked").sized(0, 1, 3) }).await;
    let clients = emulator().clients(&key.site).await;
    let request = clients.groups.set_desired_capacity().auto_scaling_group_name(key.name.as_str());
    request.desired_capacity(2).send().await.unwrap();
    scene.in_service(&key, 2).await;
}

async fn launches_are_listed_at_once(scene: Scene) {
    let key = scene.group(Wanted::new("web")).await;
    let twin = Twin::of(&scene, &key, &["m5.large"]).await;
    for number in 1..=5 {
        let id = scene.launch(&twin.again(number)).await.unwrap();
        assert!(scene.instance(&key.site, &id).await.is_some());
    }
}

async fn targets_do_not_drain(scene: Scene) {
    let key = scene.group(Wanted { target_groups: 1, ..Wanted::new("web").sized(0, 1, 3) }).await;
    let view = scene.view(&key).await;
    let (arn, id) = (&view.target_groups[0], &view.members[0].id);
    scene.act.retire(&key, id, Decrement::Yes, cause()).await.unwrap();
    let state = scene.look.target(&key.site, arn, id, cause()).await.unwrap();
    assert_eq!(state, TargetState::Absent);
}

async fn letters(site: Site) -> Vec<(String, String)> {
    let clients = emulator().clients(&site).await;
    let answer = clients.ec2.describe_availability_zones().send().await.unwrap();
    let pair = |zone: &aws_sdk_ec2::types::AvailabilityZone| {
        (zone.zone_name().unwrap().to_owned(), zone.zone_id().unwrap().to_owned())
    };
    answer.availability_zones().iter().map(pair).collect()
}

async fn letters_are_the_same_everywhere(scene: Scene) {
    let own = letters(scene.site()).await;
    assert!(own.len() > 2, "{own:?}");
    assert_eq!(own, letters(scene.stage.neighbor()).await);
}

async fn buckets_never_run_empty(scene: Scene) {
    let key = scene.group(Wanted::new("web")).await;
    let twin = Twin { route: Route::Run, ..Twin::of(&scene, &key, &["m5.large"]).await };
    let begun = scene.clock.now();
    for number in 1..=20 {
        scene.launch(&twin.again(number)).await.unwrap();
    }
    // Otherwise the bucket would have had the time to refill, and this would show nothing.
    assert!(scene.clock.now().since(begun).as_secs() < 7, "the machine is too slow to tell");
}

#[test]
fn each_difference_is_still_there() {
    for difference in DIFFERENCES {
        let Difference { emulator: found, aws, document, check } = difference;
        println!("emulator: {found}\nAWS: {aws}\n{document}\n");
        assert!(document.starts_with("https://docs.aws.amazon.com/"));
        // Started before: it cannot be from within what it runs.
        let emulator = emulator();
        run(async move { check(emulator.scene().await).await });
    }
}
