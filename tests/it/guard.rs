//! Breakers and alarms that guard groups: what fails is left alone, what goes red is stopped.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use spothub_core::time::Span;
use spothub_sim::record::{Record, What};
use spothub_sim::scenario::Scenario;

use crate::played::{Played, options, play_tampered};

const HOURS: u32 = 3;

/// One account with groups of on-demand members, guarded by an alarm of each group's own.
fn guarded(groups: &[(&str, u32)], more: &str) -> Scenario {
    let mut text = "about: guarded groups\nhours: 3\naccounts:\n  - {id: \"000000000001\", name: one, ou: /one, \
                    regions: [eu-west-1]}\ngroups:\n"
        .to_owned();
    for (name, desired) in groups {
        let _ =
            writeln!(text, "  - {{name: {name}, account: one, region: eu-west-1, type: m5.large, desired: {desired}}}");
    }
    text += more;
    Scenario::read("guarded.yaml", &text).expect("a scenario")
}

fn policy(guard: &str) -> String {
    format!("policy:\n  defaults: {{enabled: true, min-saving: 10%, interval: 2m, settle: 60s{guard}}}\n")
}

fn played(scenario: &Scenario) -> Played {
    play_tampered(scenario, &options(1, HOURS), |ports| ports)
}

/// When launches were asked for, by the group.
fn launches(records: &[Record]) -> BTreeMap<String, Vec<Span>> {
    let mut all = BTreeMap::<String, Vec<Span>>::new();
    for record in records {
        if let What::Call(call) = &record.what
            && matches!(call.action.as_str(), "ec2:CreateFleet" | "ec2:RunInstances")
            && let Some(group) = &call.group
        {
            all.entry(group.to_string()).or_default().push(Span(record.t));
        }
    }
    all
}

/// How often a group was held for this reason.
fn holds(run: &Played, reason: &str) -> usize {
    let held = |what: &What| matches!(what, What::Hold { reason: Some(found), .. } if found == reason);
    run.records().iter().filter(|record| held(&record.what)).count()
}

const ALARMS: &str = "alarms:\n  - {name: red-5xx, account: one, region: eu-west-1, red: [30m..90m]}\n  \
                      - {name: calm-5xx, account: one, region: eu-west-1}\n";

#[test]
fn no_swap_begins_while_an_alarm_of_the_group_is_red() {
    let guard = policy(", interval: 10m, guard: {alarms: [\"{group}-5xx\"], bake: 1m}").replace("interval: 2m, ", "");
    let run = played(&guarded(&[("red", 12), ("calm", 12)], &format!("{ALARMS}{guard}")));
    assert_eq!(run.violations(), [""; 0]);
    let launches = launches(&run.records());
    let while_red = |group: &str| {
        let red = |at: &&Span| **at > Span::mins(31) && **at < Span::mins(90);
        launches[group].iter().filter(red).count()
    };
    assert_eq!((while_red("red"), holds(&run, "alarm-red") > 0), (0, true));
    assert!(while_red("calm") > 3 && launches["red"].iter().any(|at| *at > Span::mins(90)), "{launches:?}");
}

#[test]
fn an_alarm_that_goes_red_soon_after_a_swap_opens_the_breaker() {
    let guard = policy(", guard: {alarms: [\"{group}-5xx\"], bake: 20m}");
    let alarms = "alarms:\n  - {name: red-5xx, account: one, region: eu-west-1, red: [14m..16m]}\n";
    let run = played(&guarded(&[("red", 20)], &format!("{alarms}{guard}")));
    assert_eq!(run.violations(), [""; 0]);
    assert!(holds(&run, "breaker-open") > 0);
    let launches = &launches(&run.records())["red"];
    // The alarm is calm again after two minutes, and the breaker stays open for a dozen.
    let gap = launches.windows(2).map(|pair| pair[1] - pair[0]).max();
    assert!(gap > Some(Span::mins(11)), "{launches:?}");
    assert!(run.outcome.swaps.completed >= 20, "{:?}", run.outcome.swaps);
}

#[test]
fn a_swap_whose_newcomer_serves_while_an_alarm_is_red_is_taken_back() {
    // Red from just after the first launches until they would retire the old ones.
    let guard = policy(", guard: {alarms: [\"{group}-5xx\"]}").replace("settle: 60s", "settle: 10m");
    let alarms = "alarms:\n  - {name: red-5xx, account: one, region: eu-west-1, red: [3m..30m]}\n";
    let run = played(&guarded(&[("red", 3)], &format!("{alarms}{guard}")));
    assert_eq!(run.violations(), [""; 0]);
    assert!(run.outcome.swaps.undone >= 1, "{:?}", run.outcome.swaps);
    assert_eq!(run.outcome.swaps.completed, 3);
}

#[test]
fn an_alarm_that_nobody_knows_holds_the_group() {
    let guard = policy(", guard: {alarms: [no-such-alarm]}");
    let run = played(&guarded(&[("one", 3)], &guard));
    assert_eq!((run.outcome.swaps.started, run.broken_at_rest()), (0, vec![]));
    assert!(holds(&run, "alarm-unknown") > 0);
}

#[test]
fn an_account_where_everything_fails_is_left_alone_and_tried_again() {
    // No newcomer passes its checks during the first hours of ten groups.
    let groups: Vec<(String, u32)> = (0..10).map(|n| (format!("g{n}"), 3)).collect();
    let groups: Vec<(&str, u32)> = groups.iter().map(|(name, desired)| (name.as_str(), *desired)).collect();
    let run = played(&guarded(&groups, &format!("faults: {{dud-ppm: 1000000}}\n{}", policy(""))));
    assert_eq!(run.broken_at_rest(), [""; 0], "{:?}", run.violations());
    assert!(holds(&run, "breaker-open") > 0);
    let records = run.records();
    let mut all: Vec<Span> = launches(&records).into_values().flatten().collect();
    all.sort_unstable();
    // All groups begin at once, and fail; then one is tried alone, and again after 10, 20, 40 and 80 minutes.
    let failing = all.iter().filter(|at| **at < Span::hours(i64::from(HOURS)));
    let (first, probes): (Vec<Span>, Vec<Span>) = failing.copied().partition(|at| *at < Span::mins(5));
    assert_eq!(first.len(), 10);
    assert!((3..=6).contains(&probes.len()), "{probes:?}");
    assert_eq!(run.outcome.swaps.completed, 30, "the faults end, and the next probe succeeds");
}
