//! Container instances of ECS clusters drain before they go, and take tasks again where a swap is taken back; classic
//! load balancers are asked as target groups are.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use async_trait::async_trait;
use spothub_core::fault::Fault;
use spothub_core::id::InstanceId;
use spothub_core::port::Act;
use spothub_core::time::Span;
use spothub_hub::Ports;
use spothub_sim::record::{ContainerChange, ContainerLine, Ended, Record, What};
use spothub_sim::run::Options;
use spothub_sim::scenario::{Fault as Failing, Scenario};

use crate::crash::hands::{By, Call, Deed, Hand};
use crate::played::{Played, options, play_tampered};

const HOURS: u32 = 2;
const RIGHTS: &str = "rights: {ecs-draining: true}\n";

/// One account with groups that serve a cluster.
fn ecs(groups: &[(&str, &str)], more: &str) -> Scenario {
    let mut text = "about: container instances\nhours: 2\naccounts:\n  - {id: \"000000000001\", name: one, ou: /one, \
                    regions: [eu-west-1]}\ngroups:\n"
        .to_owned();
    for (name, options) in groups {
        let _ = writeln!(text, "  - {{name: {name}, account: one, region: eu-west-1, type: m5.large, {options}}}");
    }
    text += more;
    Scenario::read("ecs.yaml", &text).expect("a scenario")
}

fn policy(more: &str) -> String {
    format!(
        "policy:\n  defaults: {{enabled: true, min-saving: 10%, interval: 2m, settle: 60s, ecs-cluster: web{more}}}\n"
    )
}

fn played(scenario: &Scenario) -> Played {
    let run = play_tampered(scenario, &options(1, HOURS), |ports| ports);
    assert_eq!(run.violations(), [""; 0]);
    assert!(run.outcome.converged);
    run
}

/// What became of container instances, each with its time.
fn told(records: &[Record]) -> Vec<(i64, ContainerLine)> {
    let line = |record: &Record| {
        let What::Container(line) = &record.what else { return None };
        Some((record.t, (**line).clone()))
    };
    records.iter().filter_map(line).collect()
}

/// How long each one drained before it went, with the tasks that it went with; by group.
fn drained(records: &[Record]) -> BTreeMap<String, Vec<(i64, u32)>> {
    let mut since = BTreeMap::<InstanceId, i64>::new();
    let mut all = BTreeMap::<String, Vec<(i64, u32)>>::new();
    for (t, line) in told(records) {
        match line.change {
            ContainerChange::Draining => drop(since.insert(line.instance_id, t)),
            ContainerChange::Active => drop(since.remove(&line.instance_id)),
            ContainerChange::Left => {
                if let Some(since) = since.remove(&line.instance_id) {
                    all.entry(line.group.group.to_string()).or_default().push((t - since, line.tasks));
                }
            }
        }
    }
    all
}

fn holds(records: &[Record], reason: &str) -> usize {
    let held = |what: &What| matches!(what, What::Hold { reason: Some(found), .. } if found == reason);
    records.iter().filter(|record| held(&record.what)).count()
}

#[test]
fn each_drains_before_it_goes_and_no_longer_than_its_tasks_take() {
    let run = played(&ecs(&[("web", "desired: 6")], &format!("{RIGHTS}{}", policy(""))));
    let records = run.records();
    let all = drained(&records);
    assert_eq!(run.outcome.swaps.completed, 6);
    assert_eq!(all["web"].len(), 6, "{all:?}");
    assert!(all["web"].iter().all(|(_, tasks)| *tasks == 0), "{all:?}");
    // Its tasks take a minute at the most; two polls and a look come on top.
    assert!(all["web"].iter().all(|(took, _)| *took <= Span::secs(60 + 45).0), "{all:?}");
}

#[test]
fn a_slow_one_is_waited_for_so_long_and_holds_up_no_other() {
    let slow = "desired: 4, ecs: {slow-ppm: 1000000}";
    let run =
        played(&ecs(&[("slow", slow), ("web", "desired: 4")], &format!("{RIGHTS}{}", policy(", drain: {wait: 4m}"))));
    let all = drained(&run.records());
    assert!(all["slow"].iter().all(|(took, tasks)| *took >= Span::mins(4).0 && *tasks > 0), "{all:?}");
    assert!(all["slow"].iter().all(|(took, _)| *took <= Span::secs(4 * 60 + 45).0), "{all:?}");
    assert!(all["web"].iter().all(|(took, tasks)| *took <= Span::secs(105).0 && *tasks == 0), "{all:?}");
    assert_eq!(run.outcome.swaps.completed, 8);
}

#[test]
fn a_newcomer_counts_once_its_agent_is_connected() {
    let late = "desired: 3, ecs: {register: 5m..6m}";
    let run = played(&ecs(&[("web", late)], &format!("{RIGHTS}{}", policy(""))));
    let records = run.records();
    let mut launched = BTreeMap::new();
    for record in &records {
        if let What::InstanceStart(start) = &record.what
            && let Some(replaces) = &start.replaces
        {
            launched.insert(replaces.clone(), record.t);
        }
    }
    let drains: Vec<_> = told(&records).into_iter().filter(|(_, l)| l.change == ContainerChange::Draining).collect();
    assert_eq!(drains.len(), 3);
    for (t, line) in drains {
        assert!(t >= launched[&line.instance_id] + Span::mins(5).0, "{line:?} at {t}");
    }
}

#[test]
fn one_that_never_registers_takes_nobodys_place() {
    let never = "desired: 3, ecs: {register: 20h}";
    let scenario = ecs(&[("web", never)], &format!("{RIGHTS}{}", policy("")));
    let run = play_tampered(&scenario, &options(1, HOURS), |ports| ports);
    assert_eq!(run.broken_at_rest(), [""; 0]);
    let drains = told(&run.records()).iter().filter(|(_, line)| line.change == ContainerChange::Draining).count();
    assert_eq!((run.outcome.swaps.completed, drains), (0, 0));
    assert!(run.outcome.swaps.undone > 0);
}

#[test]
fn a_swap_that_an_alarm_takes_back_lets_the_old_one_take_tasks_again() {
    let slow = "desired: 4, ecs: {slow-ppm: 1000000}";
    let alarms = "alarms:\n  - {name: red, account: one, region: eu-west-1, red: [5m..60m]}\n";
    let policy = policy(", drain: {wait: 10m}, guard: {alarms: [red], bake: 1m}");
    let run = played(&ecs(&[("web", slow)], &format!("{RIGHTS}{alarms}{policy}")));
    let lines = told(&run.records());
    let active: Vec<_> = lines.iter().filter(|(_, line)| line.change == ContainerChange::Active).collect();
    assert!(!active.is_empty(), "{lines:?}");
    assert!(run.outcome.swaps.undone > 0 && run.outcome.swaps.completed > 0);
}

#[test]
fn without_the_right_members_stay_and_rescues_go_on() {
    let owners = "desired: 6, owner-spot: 3";
    let market = "market: {hazard-ppm-per-hour: 900000}\n";
    let run = played(&ecs(&[("web", owners)], &format!("{market}{}", policy(""))));
    let records = run.records();
    assert!(holds(&records, "ecs-draining-not-allowed") > 0);
    assert_eq!(run.outcome.swaps.started, 0);
    assert!(run.outcome.rescues.completed > 0);
    assert_eq!(drained(&records).len(), 0);
}

#[test]
fn a_rescue_drains_at_once_and_leaves_in_time() {
    let market = "market: {hazard-ppm-per-hour: 900000}\n";
    for slow in [0, 1_000_000] {
        let owners = format!("desired: 8, owner-spot: 8, ecs: {{slow-ppm: {slow}}}");
        let run = played(&ecs(&[("web", &owners)], &format!("{RIGHTS}{market}{}", policy(""))));
        let records = run.records();
        let mut notices = BTreeMap::new();
        let (mut drains, mut late, mut in_time) = (0, 0, 0);
        for record in &records {
            if let What::Notice { instance_id, .. } = &record.what {
                notices.insert(instance_id.clone(), record.t);
            }
            let What::Container(line) = &record.what else { continue };
            let Some(since) = notices.get(&line.instance_id) else { continue };
            let after = record.t - since;
            match line.change {
                ContainerChange::Draining => {
                    drains += 1;
                    late += u32::from(after > Span::secs(30).0);
                }
                ContainerChange::Left => in_time += u32::from(after < Span::secs(118).0),
                ContainerChange::Active => panic!("AWS takes it: {line:?}"),
            }
        }
        assert!(drains > 5 && in_time > 5, "slow {slow}: {drains} drain, {in_time} leave in time");
        assert!(late * 10 <= drains, "slow {slow}: {late} of {drains} began to drain late");
    }
}

#[test]
fn crashes_and_faults_leave_nothing_draining() {
    let groups = [("web", "desired: 12"), ("slow", "desired: 6, ecs: {slow-ppm: 500000}")];
    let market = "market: {hazard-ppm-per-hour: 50000}\n";
    let scenario = ecs(&groups, &format!("{RIGHTS}{market}{}", policy(", drain: {wait: 3m}")));
    for seed in 1..=4 {
        let crashing = Options { workers: 2, crash_every: Some(Span::mins(4)), ..options(seed, HOURS) };
        let failing = scenario.clone().with_faults(Failing::FailCalls);
        let run = play_tampered(&failing, &crashing, |ports| ports);
        assert_eq!(run.violations(), [""; 0], "seed {seed}");
        assert!(run.outcome.converged && run.outcome.swaps.completed > 10, "seed {seed}");
    }
}

/// Says that it drained, and did not.
struct Idle;

#[async_trait]
impl Hand for Idle {
    async fn make(&self, inner: &Arc<dyn Act>, call: Call) -> Result<Option<spothub_core::port::Launched>, Fault> {
        if let Deed::Drain(..) = call.deed { Ok(None) } else { call.make(&**inner).await }
    }
}

#[test]
fn the_law_tells_of_tasks_that_were_cut_off() {
    let scenario = ecs(&[("web", "desired: 4")], &format!("{RIGHTS}{}", policy("")));
    let tamper = |ports: Ports| Ports { act: ports.act.map(|act| By::act(act, Idle)), ..ports };
    let run = play_tampered(&scenario, &options(1, HOURS), tamper);
    assert_eq!(run.broken().into_iter().collect::<Vec<_>>(), ["INV-13"]);
}

#[test]
fn classic_load_balancers_are_asked_before_the_old_one_goes() {
    let group = "desired: 4, classic-balancers: 2";
    let policy = policy("").replace(", ecs-cluster: web", "");
    let run = played(&ecs(&[("web", group)], &policy));
    assert_eq!(run.outcome.swaps.completed, 4);
    let mut asked = BTreeMap::<InstanceId, u32>::new();
    let mut went = 0;
    let mut news = BTreeMap::new();
    for record in &run.records() {
        if let What::InstanceStart(start) = &record.what
            && let Some(old) = &start.replaces
        {
            news.insert(old.clone(), start.instance_id.clone());
        }
        let What::Call(call) = &record.what else { continue };
        let Some(id) = &call.instance_id else { continue };
        if call.action == "elasticloadbalancing:DescribeInstanceHealth" {
            *asked.entry(id.clone()).or_default() += 1;
        } else if call.action == "autoscaling:TerminateInstanceInAutoScalingGroup" {
            went += 1;
            assert!(asked[&news[id]] >= 2, "{call:?}");
        }
    }
    assert_eq!(went, 4);
}

#[test]
fn a_terminate_hook_holds_the_old_one_and_nobody_else() {
    let groups = [("web", "desired: 4, terminate-hook: true"), ("plain", "desired: 4")];
    let policy = policy("").replace(", ecs-cluster: web", "");
    let held = "timing: {hook: 30m..30m}\n";
    let run = played(&ecs(&groups, &format!("{held}{policy}")));
    let mut done = BTreeMap::<String, Vec<i64>>::new();
    let mut retired = Vec::new();
    for record in &run.records() {
        if let What::Swap { group, state, .. } = &record.what
            && state == "done"
        {
            done.entry(group.group.to_string()).or_default().push(record.t);
        }
        if let What::InstanceEnd { why: Ended::Retired, .. } = &record.what {
            retired.push(record.t);
        }
    }
    // A swap is over once its old one is on its way out: the next one does not wait for the hook.
    assert_eq!((done["web"].len(), done["plain"].len()), (4, 4));
    assert!(done["web"][3] < Span::mins(30).0, "{done:?}");
    let late = retired.iter().filter(|t| **t > done["web"][0] + Span::mins(30).0 - 1).count();
    assert_eq!(late, 4, "each waits for its hook: {retired:?}");
}

#[test]
fn a_rescue_leaves_through_a_terminate_hook_and_is_done_before() {
    let owners = "desired: 8, owner-spot: 8, terminate-hook: true";
    let policy = policy("").replace(", ecs-cluster: web", "");
    let more = format!("timing: {{hook: 30m..30m}}\nmarket: {{hazard-ppm-per-hour: 900000}}\n{policy}");
    let run = played(&ecs(&[("web", owners)], &more));
    assert!(run.outcome.rescues.completed > 5);
}
