//! A worker that dies at each call of a swap, calls that are made twice, and calls that take effect long after they
//! were sent: on a group of two in the simulated organization, the next worker brings it to the same end, and all laws
//! hold on the way.
//!
//! What is tried takes 40 s of one core: at max every call with a restart, and elsewhere each call that changes an
//! account and some of the others; each test prints how many of how many. All of it is tried, in five minutes, by
//!
//! ```text
//! SPOTHUB_CRASH=all cargo test -p spothub-tests --test it crash
//! ```

mod gate;
pub(crate) mod hands;
mod owner;
mod rig;

use spothub_core::time::Span;
use spothub_sim::scenario::Scenario;

use gate::{Cut, Side};
use hands::{Lateness, Seen, Twice};
use owner::{Moment, Whim};
use rig::{Case, Recovery, Rest, Run};

/// Calls that change an account.
const CHANGES: [&str; 5] = ["launch", "terminate", "set max", "attach", "retire"];
/// A process starts within seconds, while the lease of the dead one is in force.
const SOON: Recovery = Recovery::Restart(Span::secs(5));
/// It starts when that is over.
const LATER: Recovery = Recovery::Restart(Span::secs(100));

/// A group of two that is on Spot after two swaps. At max, each swap raises MaxSize and puts it back.
fn two(source: &str, max: u32) -> Scenario {
    let text = format!(
        "about: two members\nhours: 1\nbus: perfect\nmarket: {{dead-permille: 0, episodes-permille: 0, \
         expensive-permille: 0, hazard-ppm-per-hour: 0}}\naccounts:\n  - {{id: \"000000000001\", name: one, ou: /one, \
         regions: [eu-west-1]}}\ngroups:\n  - {{name: two, account: one, region: eu-west-1, type: m5.large, \
         desired: 2, max: {max}, source: {source}, target-groups: 1}}\npolicy:\n  defaults: {{enabled: true, \
         min-saving: 10%, interval: 2m, settle: 60s}}\n"
    );
    Scenario::read("two.yaml", &text).expect("a scenario")
}

/// Every variant of the group: what it launches from, and whether it is at max.
const VARIANTS: [(&str, u32); 4] = [("template", 2), ("configuration", 2), ("template", 4), ("configuration", 4)];

/// How a swap is undone: when the owner does what.
const UNDOS: [(Moment, Whim); 13] = [
    (Moment::Launched, Whim::Breaks),
    (Moment::Launched, Whim::Protects),
    (Moment::Launched, Whim::OptsOut),
    (Moment::Launched, Whim::EndsNew),
    (Moment::Launched, Whim::EndsOld),
    (Moment::Raised, Whim::Suspends),
    (Moment::Raised, Whim::OptsOut),
    (Moment::Attached, Whim::Protects),
    (Moment::Attached, Whim::OptsOut),
    (Moment::Attached, Whim::EndsOld),
    (Moment::Attached, Whim::EndsNew),
    (Moment::Retiring, Whim::EndsOld),
    (Moment::Retiring, Whim::EndsNew),
];

/// The run that others are compared with, in which nobody dies and no call is late or made twice.
fn undisturbed(scenario: &Scenario, case: Case) -> Run {
    let run = Run::play(scenario, case);
    assert_eq!(run.faults(&run.rest), [""; 0], "{case:?}");
    assert_eq!(run.rest.spot, 2, "{case:?}: {:?}", run.rest);
    run
}

/// Runs that were played, and what was wrong with them.
#[derive(Default)]
struct Tried {
    runs: usize,
    of: usize,
    faults: Vec<String>,
}

impl Tried {
    fn play(&mut self, scenario: &Scenario, case: Case, rest: &Rest) {
        self.runs += 1;
        let run = Run::play(scenario, case);
        let faults = run.faults(rest);
        if !faults.is_empty() {
            self.faults.push(format!("{case:?}: {}\n  {faults:#?}", scenario.about));
        }
    }

    /// Lets the worker that swaps first die at its calls up to the end of that swap: at each that changes an account,
    /// and at each `every`-th other. Returns how many calls there are.
    fn cut(&mut self, scenario: &Scenario, case: Case, every: usize) -> usize {
        let whole = undisturbed(scenario, case);
        let (victim, calls) = whole.swapper();
        let every = if all() { 1 } else { every };
        for (call, name) in calls.iter().enumerate() {
            self.of += 2;
            if !call.is_multiple_of(every) && !CHANGES.contains(name) {
                continue;
            }
            for side in [Side::Before, Side::After] {
                self.play(scenario, Case { cut: Some((victim, Cut { call, side })), ..case }, &whole.rest);
            }
        }
        calls.len()
    }

    /// Says how much was tried, and fails with what was wrong.
    fn judge(self, what: &str) {
        println!("{what}: {} runs of {}", self.runs, self.of.max(self.runs));
        assert!(self.faults.is_empty(), "{what}: {} of {}:\n{}", self.faults.len(), self.runs, self.faults.join("\n"));
    }
}

/// Whether everything is to be tried.
#[expect(
    clippy::disallowed_methods,
    reason = "what this run of the tests is asked for; nothing in a run of the engine"
)]
fn all() -> bool {
    std::env::var("SPOTHUB_CRASH").is_ok_and(|what| what == "all")
}

#[test]
fn a_worker_that_dies_at_any_call_of_a_swap_goes_on_after_its_restart() {
    let mut tried = Tried::default();
    for (source, max) in VARIANTS {
        let (recovery, every, other) = if max == 2 { (SOON, 1, LATER) } else { (LATER, 3, SOON) };
        let calls = tried.cut(&two(source, max), Case::undisturbed(recovery), every);
        println!("{source}, max {max}: {calls} calls");
        if all() {
            tried.cut(&two(source, max), Case::undisturbed(other), 1);
        }
    }
    tried.judge("restarts");
}

#[test]
fn a_worker_that_dies_at_any_call_of_a_swap_is_relieved_by_another() {
    let mut tried = Tried::default();
    for (source, max) in VARIANTS {
        let calls = tried.cut(&two(source, max), Case::undisturbed(Recovery::TakeOver), 8);
        println!("{source}, max {max}: {calls} calls");
    }
    tried.judge("take-overs");
}

#[test]
fn a_worker_that_dies_at_any_call_of_an_undo_goes_on_after_its_restart() {
    let mut tried = Tried::default();
    for owner in UNDOS {
        let calls = tried.cut(&two("template", 2), Case { owner: Some(owner), ..Case::undisturbed(SOON) }, 6);
        println!("{owner:?}: {calls} calls");
        if all() {
            let case = Case { owner: Some(owner), ..Case::undisturbed(Recovery::TakeOver) };
            tried.cut(&two("configuration", 2), case, 1);
        }
    }
    tried.judge("undos");
}

#[test]
fn calls_that_are_made_twice_come_to_the_same() {
    let mut tried = Tried::default();
    let owners = || UNDOS.into_iter().map(Some).chain([None]);
    for ((source, max), owner) in VARIANTS.into_iter().flat_map(|variant| owners().map(move |owner| (variant, owner))) {
        let (scenario, case) = (two(source, max), Case { owner, ..Case::undisturbed(SOON) });
        if max > 2 && owner.is_some_and(|(moment, _)| moment == Moment::Raised) {
            continue;
        }
        let whole = undisturbed(&scenario, case);
        for twice in [Twice::AnswerFirst, Twice::AnswerSecond] {
            tried.play(&scenario, Case { twice: Some(twice), ..case }, &whole.rest);
        }
    }
    tried.judge("twice");
}

/// Beyond the lease and its taking over; within the next swap; long after both.
const LATE_BY: [Span; 4] = [Span::secs(65), Span::mins(3), Span::mins(7), Span::mins(20)];

/// Who makes calls late, in which variant, and what its owner does meanwhile.
fn late_cases() -> impl Iterator<Item = (Scenario, Case)> {
    let owners = [None, Some((Moment::Launched, Whim::Protects)), Some((Moment::Attached, Whim::Protects))];
    let cases = VARIANTS.into_iter().flat_map(move |variant| owners.map(|owner| (variant, owner)));
    let cases =
        cases.flat_map(|(variant, owner)| [SOON, Recovery::TakeOver].map(|recovery| (variant, owner, recovery)));
    let plain = |source: &str, recovery| source == "template" && recovery == SOON;
    let tried =
        cases.filter(move |((source, _), owner, recovery)| owner.is_none() || plain(source, *recovery) || all());
    tried.map(|((source, max), owner, recovery)| {
        let case = Case { owner, ..Case::undisturbed(recovery) };
        (two(source, max), case)
    })
}

#[test]
fn a_call_that_takes_effect_when_another_worker_has_the_group_comes_to_the_same() {
    let mut tried = Tried::default();
    for (scenario, case) in late_cases() {
        let whole = undisturbed(&scenario, case);
        let (_, calls) = whole.swapper();
        let changes: Vec<&str> = calls.iter().copied().filter(|name| CHANGES.contains(name)).collect();
        for ((call, name), by) in changes.iter().enumerate().flat_map(|change| LATE_BY.map(|by| (change, by))) {
            let raises = *name == "set max" && !changes[..call].contains(name);
            // known: MaxSize that is raised when the swap is over stays raised (INV-4). Nobody can tell it from what
            // the owner set, once the intent is forgotten.
            if raises && (by > LATE_BY[0] || case.owner.is_some()) {
                continue;
            }
            for seen in [Seen::Unclear, Seen::Dies] {
                tried.play(&scenario, Case { late: Some(Lateness { call, by, seen }), ..case }, &whole.rest);
            }
        }
    }
    tried.judge("late");
}
