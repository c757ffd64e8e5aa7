//! A group that serves an ECS cluster behind a load balancer: swapped whole, each container instance drained before it
//! goes, and after its newcomer takes tasks.

use serde_json::{Value, json};
use spothub_core::id::Site;

use super::Journey;
use crate::clients;
use crate::emulator::run;
use crate::organization::ENABLED;
use crate::program::QUICK;

const CLUSTER: &str = "web";

/// One group of an account, whose owner names its cluster.
fn journey(members: u64) -> (Journey, Site) {
    let tags = json!({ENABLED: "true", "spothub:ecs-cluster": CLUSTER});
    let group = json!({"name": "web", "desired": members, "max": members, "target_groups": 1, "tags": tags});
    let journey = Journey::over(json!({"regions": ["us-east-1"], "accounts": [{"name": "shop", "groups": [group]}]}));
    let site = journey.site("shop", "us-east-1");
    (journey, site)
}

/// The agents of these instances register them.
fn register(journey: &Journey, site: &Site, ids: Vec<String>) {
    let (management, site) = (journey.management.clone(), site.clone());
    run(async move {
        let clients = clients::of(&management, &site).await;
        for id in ids {
            clients.register(CLUSTER, &id).await;
        }
    });
}

fn members(journey: &Journey) -> Vec<String> {
    journey.snapshot().groups.into_values().flat_map(|group| group.members.into_keys()).collect()
}

/// What was asked of an action in the log, in order.
fn place(calls: &[Value], action: &str) -> Vec<usize> {
    let of = |(at, call): (usize, &Value)| (call["action"] == action).then_some(at);
    calls.iter().enumerate().filter_map(of).collect()
}

#[test]
fn each_member_drains_after_its_newcomer_takes_tasks_and_before_it_goes() {
    let (journey, site) = journey(2);
    register(&journey, &site, members(&journey));
    let program = journey.program(QUICK);
    let before = journey.snapshot();
    let after = journey.cursor();
    let mut running = program.start(&["--sweep", "1m", "--ecs-draining=true"]);
    for _ in 0..2 {
        let line = running.line("attached", |line| line["state"] == "settle");
        // Its agent takes a while: until then the old one stays as it is.
        run(crate::clock::wait(std::time::Duration::from_secs(4)));
        let calls = journey.calls_in(site.account, after);
        let drained = place(&calls, "UpdateContainerInstancesState").len();
        assert_eq!(drained, place(&calls, "TerminateInstanceInAutoScalingGroup").len(), "{calls:?}");
        register(&journey, &site, vec![line["new"].as_str().unwrap().to_owned()]);
        running.line("the end of a swap", |line| line["state"] == "done");
    }
    running.signal("TERM");
    running.end_well();

    let now = journey.snapshot();
    assert_eq!((now.left_behind(&before), now.converted().len()), (Vec::new(), 1));
    let calls = journey.calls_in(site.account, after);
    let (drains, goes) =
        (place(&calls, "UpdateContainerInstancesState"), place(&calls, "TerminateInstanceInAutoScalingGroup"));
    assert_eq!((drains.len(), goes.len()), (2, 2), "{calls:?}");
    for (drain, go) in drains.iter().zip(&goes) {
        let health = place(&calls[..*drain], "DescribeTargetHealth");
        let counted = place(&calls[*drain..*go], "DescribeContainerInstances");
        assert!(drain < go && !health.is_empty() && !counted.is_empty(), "{calls:?}");
        assert_eq!(calls[*drain]["params"]["status"], "DRAINING");
    }
    assert!(drains[1] > goes[0], "one after the other");
}

#[test]
fn without_the_right_the_group_is_held_and_nothing_of_ecs_is_called() {
    let (journey, site) = journey(2);
    register(&journey, &site, members(&journey));
    let after = journey.cursor();
    let ran = journey.program(QUICK).once(&[]);
    assert_eq!((ran.code, &ran.json()["holds"]["ecs-draining-not-allowed"]), (Some(0), &json!(1)), "{}", ran.err);
    let calls = journey.calls_in(site.account, after);
    assert!(calls.iter().all(|call| call["changing"] == false && call["service"] != "ecs"), "{calls:?}");
}
