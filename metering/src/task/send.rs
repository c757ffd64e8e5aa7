//! Sending: one record, again and again while that is safe, until AWS says yes or no or the time is over.

use spothub_core::port::StoreError;
use spothub_core::time::{Span, Timestamp};

use super::rows::{self, Kept, RowError};
use super::step::Ledger;
use super::{DEAD_AFTER, Doing, Run, SEND_TIME_MAX, Task, TaskError};
use crate::meter::{MeterFault, Next, Usage, hex};
use crate::record::{Event, Path, Record, State};
use crate::slice::HOUR;

/// Calls for one record: with the waits between them these fill [`SEND_TIME_MAX`] about once.
const ATTEMPTS_MAX: u32 = 45;
/// The longest wait between two calls.
const WAIT_MAX: Span = Span::secs(60);
/// Writes of one answer: it is worth more than any other write, since without it the hour is unknown.
const WRITES_MAX: u32 = 30;

/// One record on its way.
struct Sending {
    kept: Kept<Record>,
    usage: Usage,
    until: Timestamp,
    /// Whether an answer was lost: from then on only AWS's id settles it.
    unclear: bool,
}

/// The wait before the call after `attempt`, which begins at 0: doubled each time, and spread by the digest, so that
/// tasks that were refused together do not come back together.
pub(super) fn wait(attempt: u32, digest: &str) -> Span {
    let longest = Span::secs(1).times(1 << attempt.min(6)).0.min(WAIT_MAX.0);
    let seed = hex(format!("{digest}{attempt}").as_bytes());
    let drawn = i64::from(u16::from_str_radix(seed.get(..4).unwrap_or("0"), 16).unwrap_or(0));
    Span(longest / 2 + longest / 2 * drawn / i64::from(u16::MAX))
}

impl Run<'_> {
    /// Sends what is pending by this task. Nobody else ever does.
    pub(super) async fn send_own(&mut self, task: &mut Task, ledger: &mut Ledger) -> Result<(), TaskError> {
        if self.doing == Doing::DryRun {
            return Ok(());
        }
        for index in 0..ledger.open.len() {
            let open = ledger.open[index].clone();
            let State::Sending { task: sender, digest, until } = &open.row.state else { continue };
            // Of earlier hours that are only probed, nothing is stored.
            if self.doing == Doing::Probe && open.row.hour + HOUR != ledger.head.row.next {
                continue;
            }
            let Some(usage) = self.usage(&open.row, ledger).await?.filter(|_| *sender == task.arn) else { continue };
            // Settings that differ make another request: that could be metered twice.
            if usage.digest() != *digest {
                self.failing(format!("{} of {} was stored with other settings", open.row.dimension, open.row.hour));
                continue;
            }
            if self.doing != Doing::Report {
                if let Err(fault) = self.ports.meter.probe(&usage).await {
                    self.failing(fault.to_string());
                }
                continue;
            }
            // What this process did not store itself may have been sent by an earlier process of the same task.
            let key = (open.row.hour, open.row.dimension.clone());
            let unclear = task.begun.get(&key).copied().unwrap_or(true);
            let until = *until - DEAD_AFTER;
            let mut sending = Sending { kept: open, usage, until, unclear };
            let ended = self.send(task, &mut sending).await;
            task.begun.insert(key, sending.unclear);
            self.tell(&sending.kept.row);
            ledger.open[index] = sending.kept;
            ended?;
        }
        ledger.open.retain(|open| !open.row.is_final());
        Ok(())
    }

    async fn send(&mut self, task: &mut Task, sending: &mut Sending) -> Result<(), TaskError> {
        let key = (sending.kept.row.hour, sending.kept.row.dimension.clone());
        let mut why = "its time was over".to_owned();
        for attempt in 0..ATTEMPTS_MAX {
            if self.ports.clock.now() >= sending.until {
                break;
            }
            // A call that is dropped may have been recorded: what comes after it must not take it for refused.
            task.begun.insert(key.clone(), true);
            let answer = self.call(sending).await;
            task.begun.insert(key.clone(), sending.unclear);
            let fault = match answer {
                Ok(id) => {
                    // Until this is stored, nothing but the same answer may settle it.
                    sending.unclear = true;
                    self.found.entitled = Some(true);
                    self.found.accepted = self.found.accepted.max(Some(sending.kept.row.hour));
                    return self.settle(sending, Event::Answered { task: task.arn.clone(), id }).await;
                }
                Err(fault) => fault,
            };
            why = fault.to_string();
            if fault == MeterFault::NotEntitled {
                self.found.entitled = Some(false);
            }
            match fault.next() {
                Next::Again => {}
                Next::AgainUnclear => sending.unclear = true,
                Next::WithoutAllocations => {
                    if sending.usage.allocations.is_empty() || sending.unclear {
                        break;
                    }
                    self.without_allocations(task, sending, &why).await?;
                    continue;
                }
                Next::Refused => break,
                Next::Other => {
                    sending.unclear = true;
                    let held = if let MeterFault::Duplicate { held } = fault { held } else { None };
                    self.failing(format!("AWS holds another quantity for {}", sending.kept.row.hour));
                    return self.settle(sending, Event::Other { task: task.arn.clone(), held }).await;
                }
            }
            let again = self.ports.clock.now() + wait(attempt, &sending.usage.digest());
            self.ports.clock.sleep_until(again).await;
        }
        self.failing(format!("{} of {}: {why}", sending.kept.row.dimension, sending.kept.row.hour));
        if sending.unclear {
            // It stays pending by this task: the next run of this process asks again, any other calls it unknown.
            return Ok(());
        }
        self.settle(sending, Event::Refuse { task: task.arn.clone(), why }).await
    }

    async fn call(&self, sending: &Sending) -> Result<String, MeterFault> {
        match sending.kept.row.path {
            Path::Task => self.ports.meter.meter(&sending.usage).await,
            Path::Seller => {
                // One record a call: one bad timestamp would fail a whole batch.
                let batch = std::slice::from_ref(&sending.usage);
                let answers = self.ports.meter.batch(&self.settings.product_code, batch).await?;
                answers.into_iter().next().unwrap_or(Err(MeterFault::Throttled))
            }
        }
    }

    /// AWS refused the allocations, not the amount. The other request is stored before it is sent.
    async fn without_allocations(&mut self, task: &Task, sending: &mut Sending, why: &str) -> Result<(), TaskError> {
        let now = self.ports.clock.now();
        let usage = Usage { allocations: vec![], ..sending.usage.clone() };
        let until = now + SEND_TIME_MAX + DEAD_AFTER;
        let event = Event::Send { task: task.arn.clone(), digest: usage.digest(), until };
        let mut next = sending.kept.row.after(&event, now)?;
        next.allocated = false;
        next.note(now, why.to_owned());
        let version = self.write(&next, sending.kept.version).await?;
        sending.kept = Kept { row: next, version };
        (sending.usage, sending.until) = (usage, until - DEAD_AFTER);
        Ok(())
    }

    /// Stores what the sender read, also over what another task or an operator wrote meanwhile, where that is legal.
    async fn settle(&mut self, sending: &mut Sending, event: Event) -> Result<(), TaskError> {
        for attempt in 0..WRITES_MAX {
            let next = sending.kept.row.after(&event, self.ports.clock.now())?;
            let trouble = match self.write(&next, sending.kept.version).await {
                Ok(version) => {
                    sending.kept = Kept { row: next, version };
                    return Ok(());
                }
                Err(TaskError::Rows(RowError::Store(StoreError::Lost(_) | StoreError::Unavailable(_)))) => {
                    rows::record(self.ports.store, sending.kept.row.hour, &sending.kept.row.dimension).await
                }
                Err(other) => return Err(other),
            };
            match trouble {
                // The write that seemed lost was not.
                Ok(found) if found.row.state == next.state => {
                    sending.kept = found;
                    return Ok(());
                }
                Ok(found) => sending.kept = found,
                Err(RowError::Store(_)) => {}
                Err(other @ RowError::Unreadable { .. }) => return Err(other.into()),
            }
            let again = self.ports.clock.now() + wait(attempt, &sending.usage.digest());
            self.ports.clock.sleep_until(again).await;
        }
        Err(TaskError::Races)
    }
}
