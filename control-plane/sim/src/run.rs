//! One run: a world and an engine from one scenario and one seed, judged as they go, and what came of it.
//!
//! Ordinary life first, with the scenario's faults and owners; then everything outside the engine comes to rest,
//! and the engine must come to rest as well within a bound.

mod books;
mod collect;
mod judge;
mod report;

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use spothub_core::brake::{self, Brake};
use spothub_core::port::{Clock, Prices, Store};
use spothub_core::time::{Span, Timestamp};
use spothub_hub::limit::Throttled;
use spothub_hub::{Engine, Ports, Settings};
use spothub_store::Sqlite;

use crate::exec::Exec;
use crate::laws::{LawSettings, Queues, Violation};
use crate::organization::Organization;
use crate::outcome::Outcome;
use crate::record::What;
use crate::scenario::{Braking, Scenario};
use crate::world::SharedWorld;

pub use collect::SimJournal;
use collect::{Collected, Collector};
use judge::Judge;

/// What is asked of a run beside the scenario.
#[derive(Clone, Debug)]
pub struct Options {
    /// Decides everything that the scenario leaves open.
    pub seed: u64,
    /// Virtual hours of ordinary life, instead of the scenario's.
    pub hours: Option<u32>,
    /// Whether the engine runs at all; without it the world shows what happens by itself.
    pub engine: bool,
    /// Whether it thinks of what pools did when it chooses among them.
    pub learning: bool,
    /// Workers that share one store; at least one.
    pub workers: u32,
    /// Kill a worker and start another one on the same store, each time so much virtual time has passed; where there
    /// are several, one after the other.
    pub crash_every: Option<Span>,
}

impl Default for Options {
    fn default() -> Self {
        Self { seed: 1, hours: None, engine: true, learning: true, workers: 1, crash_every: None }
    }
}

/// How far a run is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Virtual seconds done.
    pub virtual_seconds: i64,
    /// Virtual seconds of ordinary life.
    pub total_seconds: i64,
    /// Swaps completed.
    pub swaps: u32,
}

/// Why a run could not be made.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The trace could not be written.
    #[error("cannot write the trace")]
    Trace(#[source] std::io::Error),
    /// The embedded store could not be made.
    #[error("cannot make the store in memory")]
    Store(#[source] spothub_core::port::StoreError),
}

/// What judges of a run may change about it: tests break the engine here, never in the engine.
pub trait Sabotage {
    /// The ports to give the engine instead of these.
    fn ports(&self, ports: Ports) -> Ports;

    /// Sees the organization before the first worker starts.
    fn begins(&self, _: &Organization) {}

    /// The slot of a worker that is dead, asked after every step of ordinary life: it is dropped where it stands, and
    /// another one starts in its place on the same store.
    fn died(&self) -> Option<u32> {
        None
    }
}

/// Ports as they are.
struct Honest;

impl Sabotage for Honest {
    fn ports(&self, ports: Ports) -> Ports {
        ports
    }
}

/// Between two looks of the delivery judge, and the step of the run's outer loop.
pub(crate) const STEP: Span = Span::mins(5);
/// Between two judgements of everything that stands.
const LAWS_EVERY: Span = Span::mins(15);
/// The tag of the first worker's tasks in the executor; each further one has the next.
const ENGINE: u32 = 1;

/// Runs a scenario.
pub fn run(
    scenario: &Scenario,
    options: &Options,
    trace: Option<&mut dyn Write>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Outcome, RunError> {
    sabotaged(scenario, options, &Honest, trace, progress)
}

/// Runs a scenario with an engine whose ports were tampered with.
pub fn sabotaged(
    scenario: &Scenario,
    options: &Options,
    sabotage: &dyn Sabotage,
    trace: Option<&mut dyn Write>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Outcome, RunError> {
    #[expect(clippy::disallowed_methods, reason = "the wall time of the run itself, in no decision")]
    let wall = std::time::Instant::now();
    let mut stage = Stage::new(scenario, options, trace)?;
    sabotage.begins(&stage.organization);
    for slot in 0..options.workers.max(1) {
        stage.start_engine(scenario, options, sabotage, slot);
    }
    stage.ordinary(scenario, options, sabotage, progress)?;
    let converged = stage.settle(scenario)?;
    let mut outcome = stage.close(scenario, options, converged)?;
    #[expect(clippy::disallowed_methods, reason = "the wall time of the run itself, in no decision")]
    let elapsed = wall.elapsed();
    outcome.wall_seconds = elapsed.as_secs_f64();
    Ok(outcome)
}

/// Everything that takes part in a run.
struct Stage<'t> {
    organization: Organization,
    exec: Exec,
    world: Arc<SharedWorld>,
    store: Arc<Sqlite>,
    collector: Collector,
    judge: Judge,
    /// The workers that run, by their slots.
    engines: BTreeMap<u32, Arc<Engine>>,
    trace: Option<&'t mut dyn Write>,
    start: Timestamp,
    /// Workers started so far: each has a name of its own.
    started: u64,
    groups: u32,
    instances: u32,
    quiet_from: Timestamp,
}

impl<'t> Stage<'t> {
    fn new(scenario: &Scenario, options: &Options, trace: Option<&'t mut dyn Write>) -> Result<Self, RunError> {
        let mut shape = scenario.shape(options.seed);
        shape.emit_prices = true;
        let start = shape.start;
        let laws = LawSettings { one_memory: options.workers <= 1, ..LawSettings::default() };
        let collector = Collector::new(laws, trace.is_some());
        let organization = Organization::new(&shape, options.seed, vec![Box::new(collector.clone())]);
        let (groups, instances) = {
            let world = organization.world.lock();
            (world.groups().len(), world.instances().iter().filter(|i| i.lives()).count())
        };
        let (exec, world) = (organization.exec.clone(), Arc::clone(&organization.world));
        let store = Arc::new(Sqlite::memory().map_err(RunError::Store)?);
        Ok(Self {
            judge: Judge::new(Arc::clone(&organization.market), Arc::clone(&world), start),
            organization,
            exec,
            world,
            store,
            collector,
            engines: BTreeMap::new(),
            trace,
            start,
            started: 0,
            groups: u32::try_from(groups).unwrap_or(u32::MAX),
            instances: u32::try_from(instances).unwrap_or(u32::MAX),
            quiet_from: start,
        })
    }

    fn start_engine(&mut self, scenario: &Scenario, options: &Options, sabotage: &dyn Sabotage, slot: u32) {
        if !options.engine {
            return;
        }
        self.started += 1;
        let mut settings = Settings {
            worker: format!("worker-{}", self.started),
            id_seed: options.seed.wrapping_mul(1000).wrapping_add(self.started),
            peers: options.workers > 1,
            policy: scenario.policy.clone(),
            rights: scenario.rights(),
            learning: options.learning,
            scores_a_day: scenario.placement_scores,
            ..Settings::default()
        };
        if let Some(sweep) = scenario.sweep {
            settings.sweep = sweep;
        }
        let clock: Arc<dyn Clock> = Arc::new(self.organization.clock());
        let cloud = Arc::clone(&self.organization.cloud);
        let throttled = Arc::new(Throttled::new(
            Arc::clone(&cloud),
            Arc::clone(&clock),
            settings.limiter_wait_max,
            settings.shares.clone(),
        ));
        let inbox = crate::bus::SimInbox(Arc::clone(&self.organization.bus));
        // Where nobody has bought any, nothing is asked, and runs go as they always went.
        let bought = self.world.lock().accounts().iter().any(|account| !account.commitments.is_empty());
        let commitments = bought.then(|| Arc::clone(&cloud) as Arc<dyn spothub_core::port::Commitments>);
        let placement =
            (scenario.placement_scores > 0).then(|| Arc::clone(&cloud) as Arc<dyn spothub_core::port::Placement>);
        let ports = Ports {
            look: throttled.clone(),
            act: Some(throttled),
            prices: Arc::clone(&cloud) as Arc<dyn Prices>,
            directory: cloud,
            store: Arc::clone(&self.store) as Arc<dyn Store>,
            inbox: Arc::new(inbox),
            clock,
            journal: Arc::new(SimJournal(Arc::clone(&self.world))),
            policies: None,
            commitments,
            placement,
        };
        let engine = Engine::new(sabotage.ports(ports), settings);
        self.exec.spawn(ENGINE + slot, Arc::clone(&engine).run());
        self.engines.insert(slot, engine);
    }

    /// Runs to `until`, judging on the way.
    fn advance(&mut self, until: Timestamp, delivering: bool) -> Result<(), RunError> {
        self.exec.run_until(until);
        let t = until.since(self.start);
        let mut collected = self.collector.lock();
        if delivering {
            collected.delivered.sample(t.0, &mut self.judge);
        }
        if t.0 % LAWS_EVERY.0 == 0 {
            collected.laws.sweep(t.0);
        }
        drop(collected);
        self.write()
    }

    /// Writes what the trace has got since the last time.
    fn write(&mut self) -> Result<(), RunError> {
        let lines = std::mem::take(&mut self.collector.lock().lines);
        match &mut self.trace {
            Some(trace) if !lines.is_empty() => trace.write_all(&lines).map_err(RunError::Trace),
            Some(_) | None => Ok(()),
        }
    }

    fn ordinary(
        &mut self,
        scenario: &Scenario,
        options: &Options,
        sabotage: &dyn Sabotage,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), RunError> {
        let end = self.start + Span::hours(i64::from(options.hours.unwrap_or(scenario.hours)));
        let mut crash_at = options.crash_every.map(|every| self.start + every);
        let (mut at, mut crashes) = (self.start, 0);
        while at < end {
            self.brakes(scenario, at, false);
            at = (at + STEP).min(end);
            while let (Some(crash), Some(every)) = (crash_at.filter(|c| *c < at), options.crash_every) {
                self.live(crash, scenario, options, sabotage);
                let slot = crashes % options.workers.max(1);
                crashes += 1;
                self.replace_engine(scenario, options, sabotage, slot);
                crash_at = Some(crash + every);
            }
            self.live(at, scenario, options, sabotage);
            self.advance(at, true)?;
            progress(Progress {
                virtual_seconds: at.since(self.start).as_secs(),
                total_seconds: end.since(self.start).as_secs(),
                swaps: self.collector.lock().tally.swaps.completed,
            });
        }
        self.brakes(scenario, at, true);
        let collected: &mut Collected = &mut self.collector.lock();
        collected.tally.ordinary_ends();
        collected.noticed = collected.steady.close(end.since(self.start).0);
        Ok(())
    }

    /// What the operator does with the brake at this time; at the end of ordinary life every brake is released.
    fn brakes(&mut self, scenario: &Scenario, at: Timestamp, over: bool) {
        for braking in &scenario.brakes {
            let from = self.start + braking.after;
            let until = from + braking.lasts;
            if at == from && !over {
                self.brake(braking, at, true);
            } else if at == until || (over && (from..until).contains(&at)) {
                self.brake(braking, at, false);
            }
        }
    }

    fn brake(&mut self, braking: &Braking, at: Timestamp, set: bool) {
        let (store, scope) = (Arc::clone(&self.store), braking.scope.clone());
        let (why, by) = ("the scenario says so".to_owned(), "operator".to_owned());
        let revert = braking.revert;
        let done = self.exec.run(async move {
            let brake = Brake { format: brake::FORMAT, scope, why, by, at, revert };
            if set {
                spothub_hub::brake::pull(&*store, &brake).await.is_ok()
            } else {
                spothub_hub::brake::release(&*store, &brake).await.is_ok()
            }
        });
        debug_assert_eq!(done, Some(true), "the store in memory takes what it is given");
        self.world.lock().emit(What::Brake { scope: braking.scope.clone(), set, revert });
    }

    /// Runs to `until` without judging, step by step, so that a worker that dies on the way does nothing after it.
    fn live(&mut self, until: Timestamp, scenario: &Scenario, options: &Options, sabotage: &dyn Sabotage) {
        while self.exec.next_at().is_some_and(|at| at <= until) {
            let _ = self.exec.step();
            if let Some(slot) = sabotage.died() {
                self.replace_engine(scenario, options, sabotage, slot);
            }
        }
        self.exec.run_until(until);
    }

    /// Kills the worker in this slot and starts another one on the same store.
    fn replace_engine(&mut self, scenario: &Scenario, options: &Options, sabotage: &dyn Sabotage, slot: u32) {
        self.exec.abort_all(ENGINE + slot);
        self.engines.remove(&slot);
        self.collector.lock().laws.engine_died(self.exec.now().since(self.start).0);
        self.start_engine(scenario, options, sabotage, slot);
    }

    /// Everything outside comes to rest; whether the engine did, too, within the scenario's bound.
    fn settle(&mut self, scenario: &Scenario) -> Result<bool, RunError> {
        let from = self.exec.now();
        self.quiet_from = from;
        self.world.lock().quiet_at(from);
        let bound = from + scenario.settle_bound;
        // Owners' own work ends within minutes, and the queues are read empty.
        let mut at = from + Span::mins(30);
        self.advance(at, false)?;
        loop {
            if self.engines.is_empty() || self.judge.at_rest(&self.collector, &self.engines) {
                return Ok(true);
            }
            if at >= bound {
                return Ok(false);
            }
            at = at + STEP;
            self.advance(at, false)?;
        }
    }

    fn close(&mut self, scenario: &Scenario, options: &Options, converged: bool) -> Result<Outcome, RunError> {
        let unrest = (!converged).then(|| self.judge.unrest(&self.collector, &self.engines));
        let stored = self.close_books(scenario, options);
        let end = self.exec.now();
        let t = end.since(self.start);
        self.world.lock().finish();
        let delivery = {
            let mut collected = self.collector.lock();
            // What was sent in the last half hour may still lie in the queues.
            let queues = if options.engine { Queues::Drained } else { Queues::Unread };
            collected.laws.finish(t.0, queues);
            collected.delivered.close(self.quiet_from.since(self.start).0)
        };
        let mut violations: Vec<Violation> = Vec::new();
        if let Some(text) = unrest {
            violations.push(Violation { law: "CONVERGE", t: t.0, group: None, text });
        }
        let books = books::close(&self.collector, &self.world, &stored, self.start, end);
        violations.extend(books.violations.iter().cloned());
        let mut outcome = report::outcome(self, scenario, options, &books, delivery, violations, converged);
        outcome.ledger.pages = stored.pages;
        self.write()?;
        Ok(outcome)
    }

    /// The ledger, read by a fresh worker from the store alone; no virtual time passes meanwhile.
    fn close_books(&mut self, scenario: &Scenario, options: &Options) -> spothub_hub::Books {
        for slot in self.engines.keys() {
            self.exec.abort_all(ENGINE + slot);
        }
        if std::mem::take(&mut self.engines).is_empty() {
            return spothub_hub::Books::default();
        }
        let mut shape = scenario.shape(options.seed);
        let at_once = crate::shape::Delay::millis(0, 0);
        let endless = crate::shape::Bucket::new(u32::MAX, u32::MAX);
        (shape.api.leg, shape.api.ec2_read) = (at_once, endless);
        let cloud = Arc::new(crate::cloud::SimCloud::new(Arc::clone(&self.world), &shape, options.seed));
        let ports = Ports {
            look: Arc::clone(&cloud) as Arc<dyn spothub_core::port::Look>,
            act: None,
            prices: Arc::clone(&cloud) as Arc<dyn Prices>,
            directory: cloud,
            store: Arc::clone(&self.store) as Arc<dyn Store>,
            inbox: Arc::new(crate::bus::SimInbox(Arc::clone(&self.organization.bus))),
            clock: Arc::new(self.organization.clock()),
            journal: Arc::new(SimJournal(Arc::clone(&self.world))),
            policies: None,
            commitments: None,
            placement: None,
        };
        let auditor = Engine::new(ports, Settings { worker: "auditor".to_owned(), ..Settings::default() });
        self.exec.run(async move { auditor.audit().await }).and_then(Result::ok).unwrap_or_default()
    }
}
