//! One run of the one group, with a worker that dies, hands that repeat or delay calls, and an owner who interferes;
//! and what the run came to.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};

use spothub_core::id::InstanceId;
use spothub_core::port::Clock;
use spothub_core::time::{Span, Timestamp};
use spothub_hub::Ports;
use spothub_sim::laws::Violation;
use spothub_sim::organization::Organization;
use spothub_sim::outcome::Outcome;
use spothub_sim::record::{Membership, Record, What};
use spothub_sim::run::{Options, Sabotage, sabotaged};
use spothub_sim::scenario::Scenario;

use super::gate::{Cut, Gate};
use super::hands::{By, Late, Lateness, Twice};
use super::owner::{Moment, Owner, Standing, Whim};

/// Who goes on when a worker has died.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Recovery {
    /// The only worker, after so much time.
    Restart(Span),
    /// The other one of two workers; the dead one never comes back.
    TakeOver,
}

impl Recovery {
    const fn workers(self) -> u32 {
        match self {
            Self::Restart(_) => 1,
            Self::TakeOver => 2,
        }
    }
}

/// What is done to a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) recovery: Recovery,
    /// Where the worker in this slot dies.
    pub(crate) cut: Option<(u32, Cut)>,
    pub(crate) twice: Option<Twice>,
    pub(crate) late: Option<Lateness>,
    pub(crate) owner: Option<(Moment, Whim)>,
}

impl Case {
    /// Nothing at all.
    pub(crate) const fn undisturbed(recovery: Recovery) -> Self {
        Self { recovery, cut: None, twice: None, late: None, owner: None }
    }
}

/// A case while it is played.
struct Rig {
    case: Case,
    /// The workers in the order in which they started: the slot and the door of each.
    workers: RefCell<Vec<(u32, Arc<Gate>)>>,
    /// The dead whom the run was told of, by their numbers among the workers.
    told: RefCell<BTreeSet<usize>>,
    /// The slot of the dead worker in whose place the next one starts.
    vacant: Cell<Option<u32>>,
    owner: RefCell<Option<Arc<Owner>>>,
    changes: Arc<AtomicUsize>,
    under_way: Arc<Mutex<Option<(Timestamp, Timestamp)>>>,
}

impl Sabotage for Rig {
    fn begins(&self, organization: &Organization) {
        let clock: Arc<dyn Clock> = Arc::new(organization.clock());
        let owner = Owner::new(self.case.owner, &organization.world, &organization.exec, clock);
        self.owner.replace(Some(owner));
    }

    fn ports(&self, ports: Ports) -> Ports {
        let mut workers = self.workers.borrow_mut();
        let vacant = self.vacant.take();
        let slot = vacant.unwrap_or_else(|| u32::try_from(workers.len()).expect("few workers"));
        let now = ports.clock.now();
        let opens_at = match (vacant, self.case.recovery) {
            (None, _) => Some(now),
            (Some(_), Recovery::Restart(after)) => Some(now + after),
            (Some(_), Recovery::TakeOver) => None,
        };
        let cut = self.case.cut.filter(|(victim, _)| vacant.is_none() && *victim == slot).map(|(_, cut)| cut);
        let gate = Gate::new(&ports.clock, cut, opens_at);
        workers.push((slot, Arc::clone(&gate)));
        let owner = self.owner.borrow().clone().expect("the organization is there before its first worker");
        let exec = owner.exec.clone();
        let mut act = By::act(ports.act.clone().expect("a worker has hands"), Standing(owner));
        if let Some(twice) = self.case.twice {
            act = By::act(act, twice);
        }
        if let Some(lateness) = self.case.late {
            let (calls, under_way) = (Arc::clone(&self.changes), Arc::clone(&self.under_way));
            let (clock, gate) = (Arc::clone(&ports.clock), Arc::clone(&gate));
            act = By::act(act, Late { lateness, calls, exec, clock, gate, under_way });
        }
        gate.around(Ports { act: Some(act), ..ports })
    }

    fn died(&self) -> Option<u32> {
        let workers = self.workers.borrow();
        let mut told = self.told.borrow_mut();
        let dead = |number: &usize| workers[*number].1.is_dead() && !told.contains(number);
        let number = (0..workers.len()).find(dead)?;
        told.insert(number);
        self.vacant.set(Some(workers[number].0));
        self.vacant.get()
    }
}

/// How the world is when a run is over; equal for runs that came to the same.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Rest {
    pub(crate) spot: u32,
    on_demand: u32,
    desired: u32,
    max: u32,
    min: u32,
    /// Instances that run, members or not.
    running: usize,
    protected: usize,
    suspended: usize,
}

/// A run that is over.
pub(crate) struct Run {
    pub(crate) outcome: Outcome,
    pub(crate) rest: Rest,
    /// Calls of each worker up to the end of the first swap, in the order in which they started.
    pub(crate) calls: Vec<Vec<&'static str>>,
    memberships: Vec<(i64, Box<Membership>)>,
    /// When a late call was on its way, in milliseconds of the run.
    under_way: Option<(i64, i64)>,
}

impl Run {
    pub(crate) fn play(scenario: &Scenario, case: Case) -> Self {
        let rig = Rig {
            case,
            workers: RefCell::default(),
            told: RefCell::default(),
            vacant: Cell::default(),
            owner: RefCell::default(),
            changes: Arc::default(),
            under_way: Arc::default(),
        };
        let options = Options { workers: case.recovery.workers(), ..Options::default() };
        let mut trace = Vec::new();
        let outcome = sabotaged(scenario, &options, &rig, Some(&mut trace), &mut |_| ());
        let outcome = outcome.expect("a vector takes all bytes");
        let (memberships, running) = states(std::str::from_utf8(&trace).expect("JSON is UTF-8"));
        let (_, last) = memberships.last().expect("the group says how it is");
        let rest = Rest {
            spot: last.spot,
            on_demand: last.on_demand,
            desired: last.desired,
            max: last.max,
            min: last.min,
            running: running.len(),
            protected: last.members.iter().filter(|member| member.protected).count(),
            suspended: last.suspended.len(),
        };
        let calls = rig.workers.borrow().iter().map(|(_, gate)| gate.named()).collect();
        let start = scenario.shape.start;
        let under_way = rig.under_way.lock().unwrap().map(|(from, to)| (from.since(start).0, to.since(start).0));
        Self { outcome, rest, calls, memberships, under_way }
    }

    /// What is wrong with this run, where an undisturbed one came to `rest`.
    pub(crate) fn faults(&self, rest: &Rest) -> Vec<String> {
        let broken = self.outcome.violations.iter().filter(|violation| !self.was_allowed_when_sent(violation));
        let mut faults: Vec<String> = broken.map(|v| format!("{} at {} ms: {}", v.law, v.t, v.text)).collect();
        if !self.outcome.converged {
            faults.push("it does not come to rest".to_owned());
        }
        if self.rest != *rest {
            faults.push(format!("it ends as {:?} and not as {rest:?}", self.rest));
        }
        let (_, last) = self.memberships.last().expect("the group says how it is");
        if (last.desired, last.max) != (last.owner_desired, last.owner_max) {
            faults.push(format!("desired and max are not the owner's: {last:?}"));
        }
        faults
    }

    /// INV-2 speaks of when a call is sent, and the laws see when it takes effect: a late call is no fault where it
    /// leaves as many in service as the owner wants.
    fn was_allowed_when_sent(&self, violation: &Violation) -> bool {
        let late = self.under_way.is_some_and(|(from, to)| (from..=to).contains(&violation.t));
        let after = self.memberships.iter().find(|(t, _)| *t >= violation.t);
        late && violation.law == "INV-2" && after.is_some_and(|(_, group)| group.in_service >= group.owner_desired)
    }

    /// The slot of the worker that launches first, and its calls.
    pub(crate) fn swapper(&self) -> (u32, &[&'static str]) {
        let launches = |calls: &Vec<&str>| calls.contains(&"launch");
        let slot = self.calls.iter().position(launches).expect("somebody launches");
        (u32::try_from(slot).expect("few workers"), &self.calls[slot])
    }
}

/// The states of the group with their times, and the instances that run at the end, from the trace alone.
fn states(trace: &str) -> (Vec<(i64, Box<Membership>)>, BTreeSet<InstanceId>) {
    let (mut memberships, mut running) = (Vec::new(), BTreeSet::new());
    let telling = ["\"kind\":\"membership\"", "\"kind\":\"instance_"];
    for line in trace.lines().filter(|line| telling.iter().any(|kind| line.contains(kind))) {
        let Record { t, what } = serde_json::from_str(line).expect("each line is a record");
        if let What::InstanceStart(start) = what {
            running.insert(start.instance_id);
        } else if let What::InstanceEnd { instance_id, .. } = what {
            running.remove(&instance_id);
        } else if let What::Membership(membership) = what {
            memberships.push((t, membership));
        }
    }
    (memberships, running)
}
