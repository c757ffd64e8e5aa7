//! One pass, and stopping in good order, on the simulated organization: what is begun is ended or in the store.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use spothub_core::fault::Fault;
use spothub_core::group::GroupView;
use spothub_core::id::{AccountId, GroupName, Region, Site};
use spothub_core::market::{Pool, Quotes};
use spothub_core::money::UsdPerHour;
use spothub_core::port::{Act, Cause, Clock, Directory, Journal, Look, Note, Prices, Store};
use spothub_core::time::{Span, Timestamp};
use spothub_hub::limit::Throttled;
use spothub_hub::{Engine, Once, Pass, Ports, STOP_MAX, Settings};
use spothub_sim::bus::SimInbox;
use spothub_sim::organization::Organization;
use spothub_sim::record::{Record, Sink, What};
use spothub_store::Sqlite;

use crate::played::scenario;
use crate::sabotage::look::{Lie, Looks};

/// Records that the test keeps a hand on.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<Record>>>);

impl Sink for Kept {
    fn take(&mut self, record: &Record) {
        self.0.lock().unwrap().push(record.clone());
    }
}

/// States of swaps as they were noted.
#[derive(Default)]
struct States(Mutex<Vec<&'static str>>);

impl Journal for States {
    fn note(&self, _: Timestamp, note: &Note<'_>) {
        if let Note::Swap { state, .. } = note {
            self.0.lock().unwrap().push(state);
        }
    }
}

/// The scenario `small` with one store, for one engine after the other.
pub(crate) struct Stage {
    pub(crate) organization: Organization,
    pub(crate) store: Arc<Sqlite>,
    records: Kept,
    states: Arc<States>,
    pub(crate) start: Timestamp,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let records = Kept::default();
        let shape = scenario("small").shape(1);
        let organization = Organization::new(&shape, 1, vec![Box::new(records.clone())]);
        let store = Arc::new(Sqlite::memory().unwrap());
        Self { organization, store, records, states: Arc::default(), start: shape.start }
    }

    /// Another worker on the same store.
    pub(crate) fn engine(&self, number: u64, settings: &Settings, tamper: impl FnOnce(Ports) -> Ports) -> Arc<Engine> {
        let clock: Arc<dyn Clock> = Arc::new(self.organization.clock());
        let cloud = Arc::clone(&self.organization.cloud);
        let throttled = Arc::new(Throttled::new(
            Arc::clone(&cloud),
            Arc::clone(&clock),
            settings.limiter_wait_max,
            settings.shares.clone(),
        ));
        let ports = Ports {
            look: Arc::clone(&throttled) as Arc<dyn Look>,
            act: Some(throttled as Arc<dyn Act>),
            prices: Arc::clone(&cloud) as Arc<dyn Prices>,
            directory: cloud as Arc<dyn Directory>,
            store: Arc::clone(&self.store) as Arc<dyn Store>,
            inbox: Arc::new(SimInbox(Arc::clone(&self.organization.bus))),
            clock,
            journal: self.states.clone(),
            policies: None,
            commitments: None,
            placement: None,
        };
        let policy = scenario("small").policy.clone();
        let settings = Settings { worker: format!("worker-{number}"), id_seed: number, policy, ..settings.clone() };
        Engine::new(tamper(ports), settings)
    }

    fn once(&self, engine: &Arc<Engine>) -> Once {
        let engine = Arc::clone(engine);
        let pass = async move { engine.once(std::future::pending()).await };
        self.organization.exec.run(pass).expect("the pass ends")
    }

    fn elapsed(&self) -> Span {
        self.organization.exec.now().since(self.start)
    }

    fn changes(&self) -> Vec<Record> {
        let changing = |r: &&Record| matches!(&r.what, What::Call(call) if call.changing);
        self.records.0.lock().unwrap().iter().filter(changing).cloned().collect()
    }

    pub(crate) fn ended(&self, state: &str) -> usize {
        self.states.0.lock().unwrap().iter().filter(|s| **s == state).count()
    }
}

fn settings() -> Settings {
    Settings::default()
}

#[test]
fn one_pass_ends_what_it_begins() {
    let stage = Stage::new();
    let once = stage.once(&stage.engine(1, &settings(), |ports| ports));
    assert_eq!((once.pass, once.state.failing.len(), once.state.unpriced.len()), (Pass::Rest, 0, 0));
    assert_eq!((once.state.accounts, once.sites), (12, 19));
    assert!(once.state.in_flight.is_empty(), "{:?}", once.state.in_flight);
    assert!(stage.ended("done") > 10, "{} swaps", stage.ended("done"));
    assert!(stage.elapsed() < Span::hours(1), "{}", stage.elapsed());
    assert!(!once.state.holds.is_empty() && once.state.sweep_took.is_some());
}

/// Prices that take a minute, as on a busy machine.
struct Slow(Arc<dyn Prices>, Arc<dyn Clock>);

#[async_trait]
impl Prices for Slow {
    async fn spot(&self, region: &Region) -> Result<Quotes, Fault> {
        self.1.sleep_until(self.1.now() + Span::mins(1)).await;
        self.0.spot(region).await
    }

    async fn history(
        &self,
        pool: &Pool,
        region: &Region,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<(Timestamp, UsdPerHour)>, Fault> {
        self.0.history(pool, region, from, to).await
    }
}

#[test]
fn a_pass_waits_for_slow_prices() {
    let stage = Stage::new();
    let slow = |ports: Ports| {
        let prices = Arc::new(Slow(Arc::clone(&ports.prices), Arc::clone(&ports.clock)));
        Ports { prices, ..ports }
    };
    let once = stage.once(&stage.engine(1, &settings(), slow));
    assert_eq!((once.pass, once.state.unpriced.len()), (Pass::Rest, 0));
    assert!(stage.ended("done") > 10, "{} swaps", stage.ended("done"));
}

#[test]
fn a_pass_without_hands_changes_nothing_and_ends_after_the_sweep() {
    let stage = Stage::new();
    let once = stage.once(&stage.engine(1, &settings(), |ports| Ports { act: None, ..ports }));
    assert_eq!((once.pass, stage.changes(), stage.ended("launch")), (Pass::Rest, Vec::new(), 0));
    assert!(once.state.holds.len() > 3, "{:?}", once.state.holds);
    assert!(stage.elapsed() < Span::mins(3), "{}", stage.elapsed());
}

#[test]
fn a_pass_has_a_limit_and_the_next_one_goes_on() {
    let stage = Stage::new();
    let short = Settings { once_max: Span::mins(1), ..settings() };
    let once = stage.once(&stage.engine(1, &short, |ports| ports));
    assert_eq!(once.pass, Pass::Limit);
    assert!(stage.elapsed() <= Span::mins(1) + STOP_MAX, "{}", stage.elapsed());
    assert!(!once.state.in_flight.is_empty());
    let next = stage.once(&stage.engine(2, &settings(), |ports| ports));
    assert_eq!((next.pass, next.state.in_flight.len()), (Pass::Rest, 0));
}

/// One account's role cannot be assumed.
struct Refused(AccountId);

#[async_trait]
impl Lie for Refused {
    async fn groups(
        &self,
        inner: &dyn Look,
        site: &Site,
        names: Option<&[GroupName]>,
        cause: Cause<'_>,
    ) -> Result<Vec<GroupView>, Fault> {
        if site.account == self.0 {
            return Err(Fault::Unreachable("the role cannot be assumed"));
        }
        inner.groups(site, names, cause).await
    }
}

#[test]
fn who_refuses_is_named_and_the_rest_goes_on() {
    let stage = Stage::new();
    let refusing: AccountId = "000000000101".parse().unwrap();
    let tamper = |ports: Ports| Ports { look: Looks::through(Refused(refusing), &ports.look), ..ports };
    let once = stage.once(&stage.engine(1, &settings(), tamper));
    assert_eq!(once.pass, Pass::Rest);
    let failing: Vec<_> = once.state.failing.iter().map(|(site, fault)| (site.account, fault.label())).collect();
    assert_eq!(failing, [(refusing, "unreachable"); 2]);
    assert!(stage.ended("done") > 10);
    let touched = |r: &Record| matches!(&r.what, What::Call(call) if call.account == refusing);
    assert!(!stage.changes().iter().any(touched));
}

/// A directory that does not answer.
struct Silent;

#[async_trait]
impl Directory for Silent {
    async fn accounts(&self) -> Result<Vec<spothub_core::port::Account>, Fault> {
        Err(Fault::Broken)
    }
}

#[test]
fn without_a_directory_a_pass_does_nothing_and_says_so() {
    let stage = Stage::new();
    let tamper = |ports: Ports| Ports { directory: Arc::new(Silent), ..ports };
    let once = stage.once(&stage.engine(1, &settings(), tamper));
    assert_eq!((once.sites, once.state.directory), (0, Some(Fault::Broken)));
    assert!(stage.elapsed() < Span::secs(5));
}

#[test]
fn stopping_finishes_the_step_and_the_next_worker_goes_on() {
    for after in [Span::secs(3), Span::secs(20), Span::secs(75), Span::mins(4)] {
        let stage = Stage::new();
        let (engine, clock) = (stage.engine(1, &settings(), |ports| ports), stage.organization.clock());
        let stop_at = stage.start + after;
        let run = async move { engine.run_until(async move { clock.sleep_until(stop_at).await }).await };
        stage.organization.exec.run(run).expect("it stops");
        let stopped = stage.elapsed();
        assert!(stopped >= after && stopped <= after + STOP_MAX, "asked at {after}, stopped at {stopped}");
        let changes = stage.changes();
        stage.organization.run_for(Span::mins(2));
        assert_eq!(stage.changes().len(), changes.len(), "a change after the end");
        let next = stage.once(&stage.engine(2, &settings(), |ports| ports));
        assert_eq!((next.pass, next.state.in_flight.len()), (Pass::Rest, 0), "stopped after {after}");
        assert!(stage.ended("done") > 10 && stage.ended("stranded") == 0);
    }
}
