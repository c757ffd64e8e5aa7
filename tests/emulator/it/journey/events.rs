//! A program that runs on: what events make it do, and what it must not do for them.

use std::time::Duration;

use serde_json::{Value, json};

use super::conversion::state_change;
use super::{Journey, by_action, changing};
use crate::clock::wait;
use crate::emulator::run;
use crate::organization::{DENIED, ENABLED, UNENROLLED};
use crate::program::QUICK;

/// Interruption warnings of instances that nobody knows, in one account and region.
const UNKNOWN: usize = 50;

fn warning(instance: &str) -> Value {
    json!({
        "source": "aws.ec2", "detail-type": "EC2 Spot Instance Interruption Warning",
        "detail": {"instance-id": instance, "instance-action": "terminate"},
    })
}

/// Waits until nothing is left in the hub's queues.
fn all_taken(journey: &Journey) {
    for _ in 0..600 {
        if journey.waiting("urgent") + journey.waiting("normal") == 0 {
            return;
        }
        run(wait(Duration::from_millis(100)));
    }
    panic!("messages are left in the queues");
}

#[test]
fn events_are_acted_on_ignored_or_quarantined_and_the_worker_goes_on() {
    let journey = Journey::new();
    let before = journey.snapshot();
    let program = journey.program(QUICK);
    // Everything is on Spot first.
    assert_eq!(program.once(&[]).code, Some(3));
    let mut running = program.start(&["--sweep", "1h"]);
    running.message("the engine runs");
    running.message("a sweep is over");
    let (shop, bank) = (journey.site("shop", "us-east-1"), journey.site("bank", "eu-west-1"));

    // State changes of instances unknown to us: not one call.
    let after = journey.cursor();
    for number in 0..20 {
        journey.event(&shop, state_change(&format!("i-0{number:016x}")));
    }
    all_taken(&journey);
    assert_eq!(journey.calls_in(shop.account, after), Vec::<Value>::new());

    // Warnings of unknown instances: one look for all that come together, at most one each.
    for number in 0..UNKNOWN {
        journey.event(&bank, warning(&format!("i-0{number:016x}")));
    }
    all_taken(&journey);
    let calls = journey.calls_in(bank.account, after);
    println!("{UNKNOWN} warnings of unknown instances: {} calls: {:?}", calls.len(), by_action(&calls));
    assert!(calls.len() <= UNKNOWN && changing(&calls).is_empty(), "{calls:?}");

    // What is no event of ours, or of no account of ours: quarantined or ignored, without a call into the account.
    let after = journey.cursor();
    let event = |account: &str, region: &str, source: &str, detail: Value| {
        json!({
            "version": "0", "id": format!("{account}-{source}-{region}"), "account": account, "region": region,
            "time": "2026-01-01T00:00:00Z", "source": source, "resources": [],
            "detail-type": "EC2 Instance State-change Notification", "detail": detail,
        })
    };
    let account = shop.account.to_string();
    let known = json!({"instance-id": "i-0123456789abcdef0", "state": "running"});
    let whole = event(&account, "us-east-1", "aws.ec2", known.clone()).to_string();
    let odd = [
        "\u{feff}not json".to_owned(),
        whole[..whole.len() / 2].to_owned(),
        event(&account, "us-east-1", "com.example.mine", known.clone()).to_string(),
        event("999999999999", "us-east-1", "aws.ec2", known.clone()).to_string(),
        event(&account, "ap-south-2", "aws.ec2", known.clone()).to_string(),
        event("12345", "us-east-1", "aws.ec2", known.clone()).to_string(),
        event(&account, "us-east-1", "aws.ec2", json!({"instance-id": "i-0; rm -rf /", "state": "running"}))
            .to_string(),
        event(&account, "us-east-1", "aws.ec2", json!({"instance-id": ["i-1"], "state": 3})).to_string(),
        event(&account, "us-east-1", "aws.ec2", json!({"instance-id": "x".repeat(200_000), "state": "running"}))
            .to_string(),
        "[".repeat(100_000),
        "x".repeat(1024 * 1024),
    ];
    let mut sent = 0;
    for body in odd {
        for queue in ["urgent", "normal"] {
            // The emulator's queues take 256 KiB, as AWS's did until 2025: a larger one is for those that take it.
            let size = body.len();
            match journey.message(queue, body.clone()) {
                Ok(()) => sent += 1,
                Err(error) => assert!(size > 256 * 1024, "{error}"),
            }
        }
    }
    for name in [UNENROLLED, DENIED] {
        journey.event(&journey.site(name, "us-east-1"), warning("i-0123456789abcdef0"));
    }
    all_taken(&journey);
    let places: Vec<Value> = journey.calls_in(shop.account, after);
    assert_eq!(places, Vec::<Value>::new());
    let none: Vec<Value> = journey.calls_in(journey.site(UNENROLLED, "us-east-1").account, after);
    assert_eq!(none, Vec::<Value>::new());
    println!("{sent} odd messages were taken without a call");

    // And then it still does its work: what AWS takes back is replaced.
    let group = &journey.snapshot().groups[&(shop.clone(), "web".to_owned())];
    let taken = group.members.keys().next().unwrap().clone();
    let (account, region) = (shop.account.to_string(), shop.region.as_str());
    let interruption = json!({"account": account, "region": region, "instance": taken, "terminate_after": 20});
    journey.post("/interruptions", interruption);
    running.line("the end of a rescue", |line| line["state"] == "done" && line["group"] == "web");
    let now = journey.snapshot();
    let group = &now.groups[&(shop, "web".to_owned())];
    assert!(!group.members.contains_key(&taken) && group.members.values().all(|spot| *spot), "{group:?}");
    assert_eq!(now.left_behind(&before), Vec::<String>::new());

    running.signal("TERM");
    assert_eq!(running.end(), Some(0));
}

/// Nothing but the status of its Spot request says that AWS takes the instance, and a load balancer stands in front.
#[test]
fn a_taking_without_a_word_is_rescued() {
    let web = json!({"name": "web", "desired": 2, "max": 2, "target_groups": 1, "tags": {ENABLED: "true"}});
    let journey = Journey::over(json!({"regions": ["us-east-1"], "accounts": [{"name": "shop", "groups": [web]}]}));
    let program = journey.program(QUICK);
    let before = journey.snapshot();
    assert_eq!(program.once(&[]).json()["swaps"], json!({"done": 2}));
    let shop = journey.site("shop", "us-east-1");
    let key = (shop.clone(), "web".to_owned());
    let taken = journey.snapshot().groups[&key].members.keys().next().unwrap().clone();
    let (account, region) = (shop.account.to_string(), shop.region.as_str());
    let silent = json!({"account": account, "region": region, "instance": taken, "warning": false});
    journey.post("/interruptions", silent);

    let after = journey.cursor();
    let mut running = program.start(&["--sweep", "1h"]);
    running.line("the end of a rescue", |line| line["state"] == "done" && line["group"] == "web");
    let asked = journey.all_calls(after, "&action=DescribeSpotInstanceRequests");
    assert!((1..=3).contains(&asked.len()), "{asked:?}");
    let now = journey.snapshot();
    let members = &now.groups[&key].members;
    assert!(!members.contains_key(&taken) && members.len() == 2 && members.values().all(|spot| *spot), "{members:?}");
    assert_eq!(now.left_behind(&before), Vec::<String>::new());
    running.signal("TERM");
    assert_eq!(running.end(), Some(0));
}
