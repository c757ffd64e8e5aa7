//! Access that is taken away in the middle of a swap, at each of its calls: the whole role, all changes, one action, or
//! the group itself by its owner's tag. The swap ends, what stays is on record with the commands that put it right,
//! nothing is tried over and over, and nothing is doubled when access is back.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use spothub_core::id::{GroupKey, InstanceId};
use spothub_core::port::{Clock, Store};
use spothub_core::time::{Span, Timestamp};
use spothub_hub::Ports;
use spothub_hub::status::{self, Status};
use spothub_sim::organization::Organization;
use spothub_sim::outcome::Outcome;
use spothub_sim::record::{Membership, Outcome as Answer, Record, What};
use spothub_sim::run::{Options, Sabotage, sabotaged};
use spothub_sim::scenario::Scenario;
use spothub_sim::shape::Window;
use spothub_sim::world::SharedWorld;

/// The tag of tasks that are no worker's.
const OUTSIDE: u32 = 1000;
/// Access is gone for so long.
const GONE_FOR: Span = Span::mins(30);
/// Then the owner reads what the hub reports, and does it.
const MENDED_AFTER: Span = Span::mins(45);
/// Refused calls in all that time: those of one swap and its undo, and a few of each sweep, which tries three times.
const REFUSED_MAX: usize = 24;
const ENABLED: &str = "spothub:enabled";

/// A group of two that is on Spot after two swaps. At max, each swap raises MaxSize and puts it back.
fn two(max: u32, more: &str) -> Scenario {
    let text = format!(
        "about: two members\nhours: 4\nbus: perfect\nmarket: {{dead-permille: 0, episodes-permille: 0, \
         expensive-permille: 0, hazard-ppm-per-hour: 0}}\naccounts:\n  - {{id: \"000000000001\", name: one, ou: /one, \
         regions: [eu-west-1]}}\ngroups:\n  - {{name: two, account: one, region: eu-west-1, type: m5.large, \
         desired: 2, max: {max}, target-groups: 1, tags: {{\"spothub:enabled\": \"true\"}}}}\npolicy:\n  defaults: \
         {{enabled: true, min-saving: 10%, interval: 2m, settle: 60s}}\n{more}"
    );
    Scenario::read("two.yaml", &text).expect("a scenario")
}

fn group() -> GroupKey {
    let site = spothub_core::id::Site {
        account: "000000000001".parse().expect("an account"),
        region: "eu-west-1".parse().expect("a region"),
    };
    GroupKey { site, name: "two".parse().expect("a name") }
}

/// What is taken away.
#[derive(Clone, Copy, Debug)]
enum Loss {
    Role,
    Changes,
    Action(&'static str),
    /// The owner opts out by the group's tag, and IAM goes by it; the hub is told so, or is not.
    Tag,
}

/// Who stands beside the run.
struct Beside {
    loss: Loss,
    from: Span,
    world: RefCell<Option<(Arc<SharedWorld>, Timestamp)>>,
    reported: Arc<std::sync::Mutex<Option<Status>>>,
}

impl Sabotage for Beside {
    fn begins(&self, organization: &Organization) {
        let clock: Arc<dyn Clock> = Arc::new(organization.clock());
        let start = clock.now();
        self.world.replace(Some((Arc::clone(&organization.world), start)));
        if matches!(self.loss, Loss::Tag) {
            let (world, from) = (Arc::clone(&organization.world), start + self.from);
            organization.exec.spawn(OUTSIDE, async move {
                clock.sleep_until(from).await;
                world.lock().tag(&group(), ENABLED, Some("false"));
                clock.sleep_until(from + GONE_FOR).await;
                world.lock().tag(&group(), ENABLED, Some("true"));
            });
        }
    }

    fn ports(&self, ports: Ports) -> Ports {
        let (world, start) = self.world.borrow().clone().expect("the organization is there before its first worker");
        let (store, clock, reported) = (Arc::clone(&ports.store), Arc::clone(&ports.clock), Arc::clone(&self.reported));
        let from = self.from;
        let exec = world.lock().exec().clone();
        exec.spawn(OUTSIDE, async move {
            // What is reported while access is gone; and what is left of it once it is back.
            clock.sleep_until(start + from + GONE_FOR - Span::secs(1)).await;
            let status = status::status(&*store, clock.now()).await.expect("the store in memory answers");
            *reported.lock().expect("nobody panics with it") = Some(status);
            clock.sleep_until(start + from + MENDED_AFTER).await;
            mend(&*store, &world, clock.now()).await;
        });
        ports
    }
}

/// What `spothub status` says is done, command by command.
async fn mend(store: &dyn Store, world: &Arc<SharedWorld>, now: Timestamp) {
    let status = status::status(store, now).await.expect("the store in memory answers");
    for command in status.stranded.iter().flat_map(|row| &row.commands) {
        obey(world, command);
    }
}

fn obey(world: &Arc<SharedWorld>, command: &str) {
    let words: Vec<&str> = command.split(' ').collect();
    let after = |flag: &str| {
        let at = words.iter().position(|word| *word == flag);
        at.and_then(|at| words.get(at + 1)).copied().unwrap_or_else(|| panic!("{flag} is missing in {command}"))
    };
    let instance = |flag: &str| after(flag).parse::<InstanceId>().expect("an instance");
    let mut world = world.lock();
    match words[2] {
        "terminate-instance-in-auto-scaling-group" => {
            assert!(words.contains(&"--should-decrement-desired-capacity"), "{command}");
            let id = instance("--instance-id");
            // What is said to be done only if both are listed: a person looks first.
            let both = !command.contains('#') || listed(&world, &id);
            assert!(!both || world.take_out_by_hand(&id), "{command}");
        }
        "terminate-instances" => {
            let id = instance("--instance-ids");
            let apart = !command.contains('#') || world.view(world.group(&group()).unwrap()).member(&id).is_none();
            assert!(!apart || world.end_by_hand(&id), "{command}");
        }
        "update-auto-scaling-group" => {
            assert!(world.max_by_hand(&group(), after("--max-size").parse().expect("a number")), "{command}");
        }
        "set-desired-capacity" => {
            let desired = after("--desired-capacity").parse().expect("a number");
            assert!(world.desired_by_hand(&group(), desired), "{command}");
        }
        "describe-auto-scaling-instances" | "describe-instances" => {}
        _ => panic!("nobody knows {command}"),
    }
}

/// Whether the newcomer is a member, and all that the owner wants are there beside it.
fn listed(world: &spothub_sim::world::World, new: &InstanceId) -> bool {
    let view = world.view(world.group(&group()).unwrap());
    view.member(new).is_some() && view.in_service() > 2
}

/// A run that is over.
struct Run {
    outcome: Outcome,
    records: Vec<Record>,
    reported: Option<Status>,
}

fn play(mut scenario: Scenario, loss: Loss, from: Span) -> Run {
    let window = Window { from, until: from + GONE_FOR };
    let account = &mut scenario.shape.accounts[0];
    match loss {
        Loss::Role => account.unreachable = Some(window),
        Loss::Changes => account.denied = Some(window),
        Loss::Action(action) => drop(account.lacks.insert(action, window)),
        Loss::Tag => {}
    }
    let reported = Arc::default();
    let beside = Beside { loss, from, world: RefCell::default(), reported: Arc::clone(&reported) };
    let mut trace = Vec::new();
    let outcome = sabotaged(&scenario, &Options::default(), &beside, Some(&mut trace), &mut |_| ());
    let outcome = outcome.expect("a vector takes all bytes");
    let text = String::from_utf8(trace).expect("JSON is UTF-8");
    let records = text.lines().map(|line| serde_json::from_str(line).expect("each line is a record")).collect();
    let reported = reported.lock().expect("nobody panics with it").take();
    Run { outcome, records, reported }
}

impl Run {
    /// When the account was called up to the end of the first swap, and by which action.
    fn calls(&self) -> Vec<(Span, String)> {
        let last = |what: &What| matches!(what, What::Swap { state, .. } if state == "done");
        let end = self.records.iter().find(|record| last(&record.what)).map_or(0, |record| record.t);
        let call = |record: &Record| {
            let What::Call(call) = &record.what else { return None };
            (record.t <= end).then(|| (Span(record.t), call.action.clone()))
        };
        self.records.iter().filter_map(call).collect()
    }

    fn last(&self) -> &Membership {
        let found =
            self.records.iter().rev().find_map(|record| {
                if let What::Membership(membership) = &record.what { Some(membership) } else { None }
            });
        found.expect("the group says how it is")
    }

    /// What is wrong with it.
    fn faults(&self, from: Span) -> Vec<String> {
        let mut faults: Vec<String> =
            self.outcome.violations.iter().map(|v| format!("{} at {} ms: {}", v.law, v.t, v.text)).collect();
        if !self.outcome.converged {
            faults.push("it does not come to rest".to_owned());
        }
        let mut refused = BTreeMap::<&str, usize>::new();
        for record in &self.records {
            if let What::Call(call) = &record.what
                && call.outcome == Answer::Denied
            {
                *refused.entry(&call.action).or_default() += 1;
            }
        }
        if refused.values().sum::<usize>() > REFUSED_MAX {
            faults.push(format!("refused calls are repeated: {refused:?}"));
        }
        let mut running = std::collections::BTreeSet::new();
        let mut most = 0;
        let mut open = BTreeMap::new();
        for record in &self.records {
            if let What::InstanceStart(start) = &record.what {
                running.insert(start.instance_id.clone());
                most = most.max(running.len());
            } else if let What::InstanceEnd { instance_id, .. } = &record.what {
                running.remove(instance_id);
            } else if let What::Swap { swap, state, .. } = &record.what {
                open.insert(swap.clone(), (record.t, state.clone()));
            }
        }
        let ended = ["done", "undone", "failed", "stranded"];
        let under_way = open.values().filter(|(_, state)| !ended.contains(&state.as_str())).count();
        if under_way > 0 {
            faults.push(format!("{under_way} swaps have no end"));
        }
        let stranded: Vec<i64> = open.values().filter(|(_, s)| s == "stranded").map(|(t, _)| *t).collect();
        if stranded.len() > 1 {
            faults.push(format!("stranded {} times", stranded.len()));
        }
        // The longest wait of a swap is that for a newcomer to boot.
        if stranded.iter().any(|t| *t > (from + Span::mins(25)).0) {
            faults.push(format!("stranded late: {stranded:?}"));
        }
        // A swap has one newcomer beside the two, while the one before may not be gone for good; a stranded one leaves
        // it, and nothing is added to that.
        if most > 4 {
            faults.push(format!("{most} instances at once"));
        }
        let doubled = self.records.iter().filter_map(|record| {
            let What::Membership(group) = &record.what else { return None };
            (group.desired > group.owner_desired + 1).then_some((record.t, group.desired))
        });
        if let Some(found) = doubled.min() {
            faults.push(format!("desired is beyond one more: {found:?}"));
        }
        let last = self.last();
        let rest = (last.spot, last.on_demand, last.desired, last.max, running.len());
        if rest != (2, 0, last.owner_desired, last.owner_max, 2) {
            faults.push(format!("in the end {rest:?}: spot, on demand, desired, max, running; {last:?}"));
        }
        if let Some(status) = &self.reported {
            let held = status.stranded.len();
            if held != stranded.len() {
                faults.push(format!("{held} stranded swaps are reported, and there are {}", stranded.len()));
            }
        }
        faults
    }
}

/// Takes access away just before and just after each call of the first swap, and judges.
fn tried(what: &str, max: u32, more: &str, losses: &[Loss]) {
    let scenario = two(max, more);
    let never = Span::hours(24);
    let whole = play(scenario.clone(), Loss::Role, never);
    assert_eq!(whole.faults(never), [""; 0], "undisturbed");
    let calls = whole.calls();
    assert!(calls.len() > 15, "{calls:?}");
    let (mut runs, mut wrong, mut ends) = (0, Vec::new(), BTreeMap::<&str, u32>::new());
    for loss in losses {
        let mut moments: Vec<Span> = calls
            .iter()
            .filter(|(_, action)| !matches!(loss, Loss::Action(only) if only != action))
            .flat_map(|(at, _)| [*at, Span(at.0 + 1)])
            .collect();
        moments.dedup();
        for from in moments {
            let run = play(scenario.clone(), *loss, from);
            runs += 1;
            let swaps = &run.outcome.swaps;
            *ends.entry("stranded").or_default() += swaps.stranded;
            *ends.entry("undone").or_default() += swaps.undone;
            *ends.entry("failed").or_default() += swaps.failed;
            let faults = run.faults(from);
            if !faults.is_empty() {
                wrong.push(format!("{loss:?} from {} ms: {faults:#?}", from.0));
            }
        }
    }
    println!("{what}: {runs} runs, {ends:?}");
    assert!(wrong.is_empty(), "{what}: {} of {runs}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(ends["stranded"] > 0 || ends["undone"] > 0, "{what}: {ends:?}");
}

#[test]
fn the_role_goes_at_any_call_of_a_swap() {
    tried("at max", 2, "", &[Loss::Role, Loss::Changes]);
    tried("with room", 4, "", &[Loss::Role]);
}

#[test]
fn one_action_is_denied_from_any_of_its_calls_on() {
    let actions = [
        "autoscaling:AttachInstances",
        "autoscaling:TerminateInstanceInAutoScalingGroup",
        "autoscaling:UpdateAutoScalingGroup",
        "autoscaling:DescribeAutoScalingGroups",
        "autoscaling:DescribeScalingActivities",
        "ec2:CreateFleet",
        "ec2:TerminateInstances",
        "ec2:DescribeInstances",
        "ec2:DescribeInstanceStatus",
        "ec2:DescribeSpotInstanceRequests",
        "elasticloadbalancing:DescribeTargetHealth",
    ];
    tried("one action", 2, "", &actions.map(Loss::Action));
}

#[test]
fn an_owner_opts_out_in_the_middle_where_iam_goes_by_the_tag() {
    tried("told", 2, "rights: {group-guard: opt-in-tag}\n", &[Loss::Tag]);
    tried("untold", 2, "rights: {group-guard: opt-in-tag, told: false}\n", &[Loss::Tag]);
}

/// Where nobody does what is reported, the group stays as it was left, and nothing is added.
#[test]
fn a_group_that_nobody_mends_is_held() {
    let actions = [Loss::Action("autoscaling:TerminateInstanceInAutoScalingGroup")];
    let mut scenario = two(4, "");
    let account = &mut scenario.shape.accounts[0];
    let Loss::Action(action) = actions[0] else { unreachable!("the only one") };
    account.lacks.insert(action, Window::ALWAYS);
    let played = crate::played::play_tampered(&scenario, &crate::played::options(1, 12), |ports| ports);
    assert_eq!(played.violations(), [""; 0]);
    let ends = played.outcome.swaps;
    assert_eq!((ends.started, ends.stranded), (1, 1), "{ends:?}");
    let stranded = played.outcome.holds.get("stranded").copied();
    assert_eq!(stranded, Some(1), "{:?}", played.outcome.holds);
}
