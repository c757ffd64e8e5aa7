//! The hourly task: works out closed hours, stores each record before it is sent, and sends it at most once (INV-8).
//!
//! Safe to run twice, late, in parallel, or after days. Every await may be the last: an hour counts from the one write
//! of the ledger's head, which also holds its records as pending by this task; and only this task ever sends those.
//! Knows ports; holds no state between runs but the task's own memory of what it sent.

mod flags;
pub mod rows;
mod send;
mod step;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use spothub_core::port::{Clock, Expect, Store, StoreError};
use spothub_core::time::{Span, Timestamp};

use crate::charge::{ChargeError, Dimension, MeteringMode, MonthEnd};
use crate::meter::{AGE_MAX, BATCH_AGE_MAX, Customer, Meter, MeterFault, Next};
use crate::record::{Event, IllegalStep, Path, Record, State};
use crate::rollup::{Grain, Period};
use crate::slice::HOUR;

pub use flags::{FAILING_MAX, Findings, Flags};
use rows::{Kept, RowError, record_key};
use step::{Ledger, Stepped};

/// How long a record is sent at most, waits included: AWS's guide for sellers asks for half an hour.
pub const SEND_TIME_MAX: Span = Span::mins(30);
/// How much later others may take the sender for dead: a call's whole time-out, and clocks that differ.
pub const DEAD_AFTER: Span = Span::mins(10);
/// How far an hour stays from the age at which AWS refuses it when it is stored: what sending may take, and more.
pub const AGE_MARGIN: Span = Span::mins(45);
/// How often a task begins again after another one was faster: two tasks meet at each hour once.
const RACES_MAX: u32 = 40;
/// Calls to register, with their waits some five minutes: an orchestrator starts the task again after that.
const REGISTER_MAX: u32 = 10;
/// How late the engine may close an hour before that is a failure: as long as an hour itself.
const CLOSING_MAX: Span = Span::hours(1);
/// Hours worked out in one run: a month of 31 days and some. The next run goes on.
const HOURS_MAX: usize = 800;
/// Records that may be open at once: beyond, an operator must settle what is unknown before more is metered.
pub const OPEN_MAX: usize = 2000;

/// How this listing is billed.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The product's code.
    pub product_code: String,
    /// What is billed.
    pub dimensions: Vec<Dimension>,
    /// The customer, where the seller reports; without, the hub itself does.
    #[serde(default)]
    pub customer: Option<Customer>,
    /// Whether hours are billed.
    #[serde(default)]
    pub mode: MeteringMode,
    /// What becomes of carries when a month is over.
    #[serde(default)]
    pub month_end: MonthEnd,
    /// Whether the listing also asks for `RegisterUsage`.
    #[serde(default)]
    pub register: bool,
    /// Whether the engine starts no new swaps once metering has failed for [`FAILING_MAX`].
    #[serde(default)]
    pub hold_when_failing: bool,
}

/// Who sends: one per process. It remembers what it sent, so that it resends the identical request alone.
#[derive(Clone, Debug)]
pub struct Task {
    /// The task's ARN.
    pub arn: String,
    /// Records that this process stored as pending, and whether an answer for one was lost.
    begun: BTreeMap<(Timestamp, String), bool>,
}

/// What the task needs of the world.
#[derive(Clone, Copy)]
pub struct Ports<'a> {
    /// Where hours are read and records are kept.
    pub store: &'a dyn Store,
    /// AWS.
    pub meter: &'a dyn Meter,
    /// The time, and waiting.
    pub clock: &'a dyn Clock,
}

/// What a run is to do.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Doing {
    /// Meter.
    #[default]
    Report,
    /// Work out, and write and send nothing.
    DryRun,
    /// The same, and ask AWS for each record whether it would be allowed.
    Probe,
}

/// What a run is asked for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Order {
    /// What it is to do.
    pub doing: Doing,
    /// The last hour to work out; without, the last one that is over.
    pub last: Option<Timestamp>,
}

/// One record of a run's outcome.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Told {
    /// The hour.
    pub hour: Timestamp,
    /// The dimension.
    pub dimension: String,
    /// The quantity, as it is sent.
    pub quantity: String,
    /// Where it is now.
    pub state: String,
}

/// What came of a run.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Outcome {
    /// The records that the run made or changed, in order.
    pub records: Vec<Told>,
    /// The hour that the engine has not closed, though it is over.
    pub waiting_for: Option<Timestamp>,
    /// Records whose fate an operator must settle.
    pub unknown: u32,
    /// What could not be done; empty where all went well.
    pub failing: String,
}

/// Why a run ended early. What it stored stands, and the next run goes on.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TaskError {
    /// The settings cannot be.
    #[error(transparent)]
    Settings(#[from] ChargeError),
    /// A row cannot be read or written.
    #[error(transparent)]
    Rows(#[from] RowError),
    /// A record cannot take this step.
    #[error(transparent)]
    Step(#[from] IllegalStep),
    /// This ledger's hours go the other way: metered on both ways, they would be billed twice.
    #[error("this ledger is metered by {found:?}, and both ways for one hour would bill it twice")]
    OtherPath {
        /// The way that it goes.
        found: Path,
    },
    /// AWS does not let this task run: paid functions must not start.
    #[error("this task cannot be registered: {0}")]
    NotRegistered(MeterFault),
    /// Other tasks were always faster.
    #[error("other tasks were faster {RACES_MAX} times")]
    Races,
    /// Too much is open.
    #[error("{0} records are not settled: settle what is unknown first")]
    TooMuchOpen(usize),
    /// An hour has fewer rows than it was closed with, or more.
    #[error("{hour} was closed with {told} accounts, and {found} have rows")]
    Incomplete {
        /// The hour.
        hour: Timestamp,
        /// How many it was closed with.
        told: usize,
        /// How many there are.
        found: usize,
    },
}

impl TaskError {
    fn is_lost(&self) -> bool {
        matches!(self, Self::Rows(RowError::Store(StoreError::Lost(_))))
    }

    fn is_silence(&self) -> bool {
        matches!(self, Self::Rows(RowError::Store(StoreError::Unavailable(_))))
    }
}

impl From<StoreError> for TaskError {
    fn from(error: StoreError) -> Self {
        Self::Rows(RowError::Store(error))
    }
}

impl Settings {
    /// Which way this listing is metered.
    #[must_use]
    pub fn path(&self) -> Path {
        if self.customer.is_some() { Path::Seller } else { Path::Task }
    }

    /// The age at which an hour is not sent under its own name any more.
    #[must_use]
    pub fn age_max(&self) -> Span {
        let refused = match self.path() {
            Path::Task => AGE_MAX,
            Path::Seller => BATCH_AGE_MAX,
        };
        refused - AGE_MARGIN
    }
}

impl Task {
    /// A process that sent nothing yet.
    #[must_use]
    pub fn new(arn: &str) -> Self {
        Self { arn: arn.to_owned(), begun: BTreeMap::new() }
    }
}

/// One run.
pub(super) struct Run<'a> {
    pub(super) settings: &'a Settings,
    pub(super) ports: Ports<'a>,
    pub(super) doing: Doing,
    pub(super) last: Option<Timestamp>,
    pub(super) found: Findings,
    pub(super) outcome: Outcome,
}

/// Meters every hour that is closed and over, and settles what earlier runs left as far as that is this task's right.
/// An error ends the run early; its flags are stored all the same.
pub async fn report(
    task: &mut Task,
    settings: &Settings,
    ports: Ports<'_>,
    order: Order,
) -> Result<Outcome, TaskError> {
    Dimension::check(&settings.dimensions)?;
    let Order { doing, last } = order;
    let mut run = Run { settings, ports, doing, last, found: Findings::default(), outcome: Outcome::default() };
    let ended = run.all(task).await;
    if let Err(error) = &ended {
        run.failing(error.to_string());
    }
    if doing == Doing::Report {
        run.store_flags().await?;
    }
    ended?;
    Ok(Outcome { failing: run.found.failing, unknown: run.found.unknown, ..run.outcome })
}

/// Tells AWS that this task runs, where the listing asks for it: once, when the task starts; the same task may do it
/// again. A subscription that is not there is also stored, for the engine to read.
pub async fn register(settings: &Settings, ports: Ports<'_>) -> Result<(), TaskError> {
    if !settings.register {
        return Ok(());
    }
    let mut attempt = 0;
    let fault = loop {
        let Err(fault) = ports.meter.register(&settings.product_code).await else { return Ok(()) };
        if !matches!(fault.next(), Next::Again | Next::AgainUnclear) || attempt == REGISTER_MAX {
            break fault;
        }
        ports.clock.sleep_until(ports.clock.now() + send::wait(attempt, &settings.product_code)).await;
        attempt += 1;
    };
    let (found, outcome) = (Findings::default(), Outcome::default());
    let mut run = Run { settings, ports, doing: Doing::Report, last: None, found, outcome };
    run.found.entitled = (fault == MeterFault::NotEntitled).then_some(false);
    run.failing(fault.to_string());
    run.store_flags().await?;
    Err(TaskError::NotRegistered(fault))
}

impl Run<'_> {
    async fn all(&mut self, task: &mut Task) -> Result<(), TaskError> {
        let mut races = 0;
        loop {
            match self.pass(task).await {
                Err(error) if error.is_lost() && races < RACES_MAX => races += 1,
                Err(error) if error.is_lost() => return Err(TaskError::Races),
                // It may have written: what the store says next is what counts.
                Err(error) if error.is_silence() && races < RACES_MAX => {
                    let again = self.ports.clock.now() + send::wait(races, &task.arn);
                    self.ports.clock.sleep_until(again).await;
                    races += 1;
                }
                ended => return ended,
            }
        }
    }

    /// Everything once, from what the store says now.
    async fn pass(&mut self, task: &mut Task) -> Result<(), TaskError> {
        let Some(mut ledger) = Ledger::load(self).await? else {
            return Ok(());
        };
        // What is not open needs no memory.
        task.begun.retain(|(hour, name), _| ledger.head.row.open.iter().any(|open| open.0 == *hour && open.1 == *name));
        let result = self.work(task, &mut ledger).await;
        let unknown = ledger.open.iter().filter(|open| matches!(open.row.state, State::Unknown { .. })).count();
        self.found.unknown = u32::try_from(unknown).unwrap_or(u32::MAX);
        result
    }

    async fn work(&mut self, task: &mut Task, ledger: &mut Ledger) -> Result<(), TaskError> {
        if ledger.head.row.path != self.settings.path() {
            return Err(TaskError::OtherPath { found: ledger.head.row.path });
        }
        if self.doing == Doing::Report {
            self.leftovers(task, ledger).await?;
        }
        for _ in 0..HOURS_MAX {
            if self.doing == Doing::Report {
                self.flush(task, ledger).await?;
            }
            if ledger.open.len() > OPEN_MAX {
                return Err(TaskError::TooMuchOpen(ledger.open.len()));
            }
            match self.step(task, ledger).await? {
                Stepped::Done => {}
                Stepped::NotOver => break,
                Stepped::NotClosed(hour) => {
                    self.outcome.waiting_for = Some(hour);
                    if self.ports.clock.now() > hour + HOUR + CLOSING_MAX {
                        self.failing(format!("the engine has not closed {hour}"));
                    }
                    break;
                }
            }
            self.send_own(task, ledger).await?;
        }
        Ok(())
    }

    /// What earlier runs left: this task's own is sent again, others' is unknown once their time is over.
    async fn leftovers(&mut self, task: &mut Task, ledger: &mut Ledger) -> Result<(), TaskError> {
        for index in 0..ledger.open.len() {
            let Some(event) = self.left(task, ledger, index).await? else { continue };
            let open = &ledger.open[index];
            if let Ok(next) = open.row.after(&event, self.ports.clock.now()) {
                let version = self.write(&next, open.version).await?;
                self.tell(&next);
                ledger.open[index] = Kept { row: next, version };
            }
        }
        self.send_own(task, ledger).await
    }

    /// What a record that an earlier run left is due to.
    async fn left(&self, task: &Task, ledger: &Ledger, index: usize) -> Result<Option<Event>, TaskError> {
        let (record, now) = (&ledger.open[index].row, self.ports.clock.now());
        let arn = || task.arn.clone();
        let (sender, sent, over) = match &record.state {
            State::Sending { task: sender, digest, until } => (sender, digest, now >= *until - DEAD_AFTER),
            State::Unknown { task: sender, digest } => (sender, digest, true),
            State::Held { .. }
            | State::Accepted { .. }
            | State::Refused { .. }
            | State::WrittenOff { .. }
            | State::Carried { .. } => return Ok(None),
        };
        if *sender != task.arn {
            return Ok(Some(Event::Abandon { by: arn() }));
        }
        if !over {
            return Ok(None);
        }
        if task.begun.get(&(record.hour, record.dimension.clone())) == Some(&false) {
            return Ok(Some(Event::Refuse { task: arn(), why: "nothing was recorded".to_owned() }));
        }
        if now.since(record.hour) > self.settings.age_max() {
            return Ok(Some(Event::Abandon { by: arn() }));
        }
        // From the same task the identical request is safe, for as long as AWS takes it.
        let digest = self.usage(record, ledger).await?.map(|usage| usage.digest()).filter(|digest| digest == sent);
        Ok(digest.map(|digest| Event::Send { task: arn(), digest, until: now + SEND_TIME_MAX + DEAD_AFTER }))
    }

    /// A month is over: what was refused in it goes out under its own hour while AWS still takes it.
    async fn flush(&mut self, task: &mut Task, ledger: &mut Ledger) -> Result<(), TaskError> {
        let month = |hour| Period::of(Grain::Month, hour).start;
        let now = self.ports.clock.now();
        for index in 0..ledger.open.len() {
            let open = &ledger.open[index];
            let (hour, refused) = (open.row.hour, matches!(open.row.state, State::Refused { .. }));
            let key = (hour, open.row.dimension.clone());
            let young = now.since(hour) < self.settings.age_max();
            let over = month(hour) < month(now) && month(hour) < month(ledger.head.row.next);
            // Once in a process: what it was refused is carried.
            if !refused || !young || !over || task.begun.contains_key(&key) {
                continue;
            }
            let Some(usage) = self.usage(&open.row, ledger).await? else { continue };
            let until = now + SEND_TIME_MAX + DEAD_AFTER;
            let event = Event::Send { task: task.arn.clone(), digest: usage.digest(), until };
            let next = ledger.open[index].row.after(&event, now)?;
            task.begun.insert(key, false);
            let version = self.write(&next, ledger.open[index].version).await?;
            ledger.open[index] = Kept { row: next, version };
        }
        self.send_own(task, ledger).await
    }

    /// Stores a record over the version that was read.
    pub(super) async fn write(&self, record: &Record, version: u64) -> Result<u64, TaskError> {
        let key = record_key(record.hour, &record.dimension);
        let put = rows::put(key, record, Expect::Version(version))?;
        let versions = self.ports.store.write(&[put]).await?;
        Ok(versions.first().copied().unwrap_or(version))
    }

    pub(super) fn tell(&mut self, record: &Record) {
        let told = Told {
            hour: record.hour,
            dimension: record.dimension.clone(),
            quantity: record.quantity.to_string(),
            state: record.state.label().to_owned(),
        };
        let same = |other: &Told| other.hour == told.hour && other.dimension == told.dimension;
        self.outcome.records.retain(|other| !same(other));
        self.outcome.records.push(told);
    }

    pub(super) fn failing(&mut self, why: String) {
        if self.found.failing.is_empty() {
            self.found.failing = why;
        }
    }

    async fn store_flags(&self) -> Result<(), TaskError> {
        let mut last = TaskError::Races;
        for attempt in 0..RACES_MAX {
            let Err(error) = self.try_flags().await else { return Ok(()) };
            if error.is_silence() {
                let again = self.ports.clock.now() + send::wait(attempt, rows::FLAGS);
                self.ports.clock.sleep_until(again).await;
            } else if !error.is_lost() {
                return Err(error);
            }
            last = error;
        }
        Err(last)
    }

    async fn try_flags(&self) -> Result<(), TaskError> {
        let before = rows::get::<Flags>(self.ports.store, rows::FLAGS).await?;
        let (flags, expect) = match before {
            Some(kept) => (kept.row, Expect::Version(kept.version)),
            None => (Flags::default(), Expect::Absent),
        };
        let flags = flags.after(&self.found, self.settings, self.ports.clock.now());
        self.ports.store.write(&[rows::put(rows::FLAGS.to_owned(), &flags, expect)?]).await?;
        Ok(())
    }
}
