//! What is paid for anyway: covered instances stay on demand, others go, and what was not read is told as unknown.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use futures::executor::block_on;
use spothub_core::port::Store;
use spothub_core::time::Timestamp;
use spothub_hub::Ports;
use spothub_hub::commitments::Standing;
use spothub_hub::status::status;
use spothub_sim::record::{Record, What};
use spothub_sim::scenario::Scenario;

use crate::played::{options, play_tampered};

const HOURS: u32 = 3;
const FOUR: &str = "reserved: [{region: eu-west-1, type: m5.large, count: 4}]";

/// Two accounts, the first of which pays, with groups that nobody scales: name, account, type, how many.
fn scenario(one: &str, two: &str, groups: &[(&str, &str, &str, u32)], policy: &str) -> Scenario {
    let mut text = "about: commitments\nhours: 3\naccounts:\n".to_owned();
    for (number, name, more) in [(1, "one", one), (2, "two", two)] {
        let more = if more.is_empty() { String::new() } else { format!(", {more}") };
        let id = format!("00000000000{number}");
        let _ = writeln!(text, "  - {{id: \"{id}\", name: {name}, ou: /{name}, regions: [eu-west-1]{more}}}");
    }
    text += "groups:\n";
    for (name, account, kind, desired) in groups {
        let _ = writeln!(
            text,
            "  - {{name: {name}, account: {account}, region: eu-west-1, type: {kind}, desired: {desired}}}"
        );
    }
    let _ = writeln!(text, "owner: none\npolicy:\n  defaults: {{enabled: true, interval: 2m, settle: 60s{policy}}}");
    Scenario::read("commitments.yaml", &text).expect("a scenario")
}

/// A run, with what `status` says at its end.
struct Seen {
    records: Vec<Record>,
    standing: Option<Standing>,
}

fn play(scenario: &Scenario) -> Seen {
    let kept: Mutex<Option<Arc<dyn Store>>> = Mutex::new(None);
    let run = play_tampered(scenario, &options(1, HOURS), |ports| {
        *kept.lock().unwrap() = Some(Arc::clone(&ports.store));
        ports
    });
    assert_eq!(run.violations(), [""; 0]);
    let store = kept.into_inner().unwrap().unwrap();
    let standing = block_on(status(&*store, Timestamp(0))).unwrap().commitments;
    Seen { records: run.records(), standing }
}

impl Seen {
    /// Swaps of these groups that came to their end.
    fn swapped(&self, groups: &[&str]) -> usize {
        let done = |what: &What| {
            matches!(what, What::Swap { group, state, rescue: false, .. }
                if state == "done" && groups.contains(&group.group.as_str()))
        };
        self.records.iter().filter(|record| done(&record.what)).count()
    }

    fn held(&self, name: &str, why: &str) -> bool {
        let held = |what: &What| {
            matches!(what, What::Hold { group, reason: Some(reason), .. }
                if group.group.as_str() == name && reason == why)
        };
        self.records.iter().any(|record| held(&record.what))
    }
}

#[test]
fn what_is_covered_stays_on_demand_and_the_rest_is_swapped() {
    let groups = [("web", "one", "m5.large", 4), ("jobs", "one", "c5.large", 4)];
    let seen = play(&scenario(FOUR, "", &groups, ""));
    assert_eq!(seen.swapped(&["web"]), 0);
    assert!(seen.held("web", "committed"));
    assert!(seen.swapped(&["jobs"]) >= 4 && !seen.held("jobs", "committed"));
    let standing = seen.standing.as_ref().unwrap();
    assert_eq!((standing.reserved, standing.unread, standing.whole()), (4, 0, true));
}

#[test]
fn accounts_share_and_as_many_stay_as_are_reserved() {
    let groups = [("web", "one", "m5.large", 4), ("api", "two", "m5.large", 5)];
    let seen = play(&scenario(FOUR, "", &groups, ""));
    // Of nine, four stay.
    assert_eq!(seen.swapped(&["web", "api"]), 5);
    let ignoring = play(&scenario(FOUR, "", &groups, ", commitments: ignore"));
    assert!(ignoring.swapped(&["web", "api"]) >= 9);
}

#[test]
fn what_could_not_be_read_is_unknown_and_not_nothing() {
    let groups = [("web", "one", "m5.large", 2), ("api", "two", "c5.large", 2)];
    let denied = format!("{FOUR}, commitments-denied: always");
    let seen = play(&scenario("compute-plan: 1", &denied, &groups, ""));
    let standing = seen.standing.as_ref().unwrap();
    assert_eq!((standing.unread, standing.whole()), (2, false));
    assert!(standing.sentence().contains("unknown: 2 that could not be read"), "{}", standing.sentence());
    assert!(seen.swapped(&["api"]) >= 2, "policy counts what is known");
    let seen = play(&scenario("compute-plan: 1", &denied, &groups, ", commitments: require"));
    assert_eq!(seen.swapped(&["web", "api"]), 0);
    assert!(seen.held("api", "commitments-unknown"));
}

/// Nobody bought anything and nobody asks: an engine without the port decides as ever.
#[test]
fn without_the_port_nothing_is_asked() {
    let scenario = scenario(FOUR, "", &[("web", "one", "m5.large", 4)], "");
    let run = play_tampered(&scenario, &options(1, HOURS), |ports| Ports { commitments: None, ..ports });
    assert!(run.outcome.swaps.completed >= 4);
    assert!(!run.text.contains("DescribeReservedInstances"));
}
