//! Three workers on one table, killed and stopped at random while they work: judged by what is left, and by the log of
//! calls. `SPOTHUB_CHAOS_SECONDS` makes it longer.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::{AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType};
use serde_json::{Value, json};

use super::Journey;
use crate::clock::wait;
use crate::emulator::run;
use crate::organization::ENABLED;
use crate::program::{Program, QUICK, Running};

const WORKERS: usize = 3;
const MEMBERS: usize = 4;
/// How long workers are killed and stopped, where nobody says otherwise.
const CHAOS_S: u64 = 40;
/// The lease of these journeys, and how long a worker is stopped: longer than that.
const LEASE: &str = "12s";
const STOPPED: Duration = Duration::from_secs(14);
/// The longest that what was begun may take to come to its end after the last kill.
const REST_MAX: Duration = Duration::from_secs(150);

/// Chance that is the same at every run; what it meets is not.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

fn make_table(journey: &Journey) {
    let client = aws_sdk_dynamodb::Client::new(&journey.management);
    run(async move {
        let mut request = client.create_table().table_name("spothub-hub").billing_mode(BillingMode::PayPerRequest);
        for (name, kind) in [("p", KeyType::Hash), ("k", KeyType::Range)] {
            let attribute = AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S);
            request = request.attribute_definitions(attribute.build().unwrap());
            request =
                request.key_schema(KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap());
        }
        request.send().await.unwrap();
    });
}

/// Workers over a table of their own, with a short lease and short beats.
pub(super) fn over_a_table(journey: &Journey, policy: &str) -> Program {
    make_table(journey);
    let timings = format!(
        "{{tick: 1s, boot-first: 1s, start-interval: 1s, orphan-age: 5s, lease: {LEASE}, beat: 1s, attach-max: 30s}}"
    );
    let time_outs = "{operation: 8s, attempt: 4s, limiter: 1s, catalogue: \"0\"}";
    let program = journey.unused(policy).give("store", "dynamodb:spothub-hub");
    program.give("timings", &timings).give("time-outs", time_outs).resumed()
}

#[expect(clippy::disallowed_methods, reason = "the command says so")]
fn seconds() -> u64 {
    std::env::var("SPOTHUB_CHAOS_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(CHAOS_S)
}

/// What the log says of one group's swaps, in order: `+swap` launched, `a` attached, `t` taken out with a decrement.
fn stories(calls: &[Value]) -> BTreeMap<String, Vec<String>> {
    let mut stories: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut groups: BTreeMap<String, String> = BTreeMap::new();
    for call in calls.iter().filter(|call| call["error"].is_null()) {
        let params = &call["params"];
        let place = format!("{}/", call["account"].as_str().unwrap());
        match call["action"].as_str().unwrap() {
            "CreateFleet" => {
                let swap = params["ClientToken"].as_str().unwrap()[..19].to_owned();
                let text = params.to_string();
                let after = text.split("spothub:group\",\"Value\":\"").nth(1).unwrap_or_default();
                let group = format!("{place}{}", after.split('"').next().unwrap_or_default());
                groups.insert(swap.clone(), group.clone());
                let story = stories.entry(group).or_default();
                if !story.contains(&format!("+{swap}")) {
                    story.push(format!("+{swap}"));
                }
            }
            "AttachInstances" => {
                let group = format!("{place}{}", params["AutoScalingGroupName"].as_str().unwrap());
                stories.entry(group).or_default().push("a".to_owned());
            }
            _ => {}
        }
    }
    stories
}

#[test]
fn workers_that_are_killed_and_stopped_leave_nothing_behind() {
    let group = json!({"name": "web", "count": 4, "desired": MEMBERS, "max": MEMBERS + 1, "tags": {ENABLED: "true"}});
    let accounts: Vec<Value> =
        (0..3).map(|n| json!({"name": format!("shop{n}"), "ou": "prod", "groups": [group]})).collect();
    let journey = Journey::over(json!({"regions": ["us-east-1"], "accounts": accounts}));
    let before = journey.snapshot();
    let program = over_a_table(&journey, &format!("{QUICK}  floor: {{number: 1}}\n"));
    let start = || program.start(&["--sweep", "1m"]);
    let mut workers: Vec<Running> = (0..WORKERS).map(|_| start()).collect();

    let (mut chance, mut killed, mut stopped) = (Chance(7), 0, 0);
    let until = Instant::now() + Duration::from_secs(seconds());
    while Instant::now() < until {
        run(wait(Duration::from_millis(1_000 + chance.below(3_000))));
        let index = usize::try_from(chance.below(WORKERS as u64)).unwrap();
        if chance.below(3) == 0 {
            workers[index].signal("STOP");
            run(wait(STOPPED));
            workers[index].signal("CONT");
            stopped += 1;
        } else {
            workers[index].signal("KILL");
            drop(std::mem::replace(&mut workers[index], start()));
            killed += 1;
        }
    }
    // All come to rest: every group at its floor, nothing in flight.
    let wanted = before.groups.len() * (MEMBERS - 1);
    let give_up = Instant::now() + REST_MAX;
    let spot = || -> usize {
        let groups = journey.snapshot().groups;
        groups.values().map(|group| group.members.values().filter(|spot| **spot).count()).sum()
    };
    while spot() < wanted && Instant::now() < give_up {
        run(wait(Duration::from_secs(1)));
    }
    let status = || program.ran(&["status", "--config", "spothub.yaml", "--output", "json"]).json();
    while status()["in_flight"] != json!([]) && Instant::now() < give_up {
        run(wait(Duration::from_secs(1)));
    }
    // Orphans are ended in the first sweep that reaches them, and sweeps are a minute apart.
    while !journey.snapshot().orphans.is_empty() && Instant::now() < give_up {
        run(wait(Duration::from_secs(1)));
    }
    for worker in workers {
        worker.signal("TERM");
        worker.end_well();
    }

    let calls = journey.calls(0, "&changing=true");
    println!(
        "{WORKERS} workers, {killed} times one was killed and {stopped} times one stood still for {STOPPED:?}: {} \
         members of {} groups, {} changing calls",
        wanted,
        before.groups.len(),
        calls.iter().filter(|call| call["service"] != "dynamodb" && call["service"] != "sqs").count()
    );
    let now = journey.snapshot();
    assert_eq!(now.left_behind(&before), Vec::<String>::new());
    for (place, group) in &now.groups {
        let on_demand = group.members.values().filter(|spot| !**spot).count();
        assert_eq!(on_demand, 1, "{place:?} keeps its floor and no more");
    }
    // One swap at a time: between two swaps' launches the first was attached, or came to nothing.
    for (group, story) in stories(&calls) {
        let swaps: BTreeSet<&String> = story.iter().filter(|word| word.starts_with('+')).collect();
        let attached = story.iter().filter(|word| *word == "a").count();
        assert!(attached >= MEMBERS - 1 && swaps.len() >= attached, "{group}: {story:?}");
    }
    assert_eq!(status()["in_flight"], json!([]));
}
