//! One hour, from its rows to its records: read, work out, and one write that makes it count.

use std::collections::{BTreeMap, BTreeSet};

use spothub_core::id::AccountId;
use spothub_core::port::{Expect, Put, WRITE_ITEMS_MAX};
use spothub_core::time::Timestamp;

use super::rows::{self, Head, Kept, MeteredHour, Taken, hour_key, record_key};
use super::{DEAD_AFTER, Doing, Run, SEND_TIME_MAX, Task, TaskError};
use crate::charge::{Dimension, Line, MeteringMode, Owed, Part, billed, returned, tried};
use crate::hours::{self, AccountHour, Counts, HourClosed, Late, parsed};
use crate::meter::{Quantity, Usage, allocations};
use crate::record::{self, Event, Note, Record, State};
use crate::rollup::{Grain, Period};
use crate::slice::HOUR;

/// Corrections taken with one hour: some MiB in memory. The rest comes with the next hour.
const LATE_MAX: usize = 20_000;

/// What became of the next hour.
pub(super) enum Stepped {
    /// It counts.
    Done,
    /// It is not over, or not asked for.
    NotOver,
    /// It is over, and the engine has not closed it.
    NotClosed(Timestamp),
}

/// The ledger as one pass knows it.
pub(super) struct Ledger {
    pub(super) head: Kept<Head>,
    /// The hour with every account's carry, and its lines.
    snapshot: Option<MeteredHour>,
    lines: Vec<Line>,
    /// Records that are not final.
    pub(super) open: Vec<Kept<Record>>,
    /// The keys of corrections that were taken with the last hour; `None` where they were not read yet.
    taken: Option<BTreeSet<String>>,
}

/// An hour worked out.
struct Worked {
    lines: Vec<Line>,
    /// Steps of each dimension.
    units: Vec<u64>,
    notes: Vec<String>,
}

/// What an hour is worked out from.
struct Input<'a> {
    mode: MeteringMode,
    dimensions: &'a [Dimension],
    rows: &'a [AccountHour],
    late: &'a [Taken],
    /// By account and dimension, in parts.
    returned: BTreeMap<(AccountId, usize), i128>,
    new_month: bool,
}

impl Ledger {
    /// What the store says; `None` where nothing was ever closed.
    pub(super) async fn load(run: &Run<'_>) -> Result<Option<Self>, TaskError> {
        let store = run.ports.store;
        let Some(head) = rows::get::<Head>(store, rows::HEAD).await? else {
            // Metering begins with the first hour that was ever closed.
            let first = store.query(hours::CLOSED, None, 1).await?.items.into_iter().next();
            let next = first.and_then(|item| parsed(item.key.strip_prefix(hours::CLOSED)?));
            let path = run.settings.path();
            let fresh = |next| Head { format: rows::FORMAT, path, next, snapshot: None, last: None, open: vec![] };
            let head = next.map(|next| Kept { row: fresh(next), version: 0 });
            return Ok(head.map(|head| Self { head, snapshot: None, lines: vec![], open: vec![], taken: None }));
        };
        let mut open = Vec::new();
        for (hour, dimension) in &head.row.open {
            let kept = rows::record(store, *hour, dimension).await?;
            if !kept.row.is_final() {
                open.push(kept);
            }
        }
        let (snapshot, lines) = match head.row.snapshot {
            None => (None, vec![]),
            Some(hour) => {
                let row = rows::need::<MeteredHour>(store, &hour_key(hour)).await?.row;
                let lines = rows::lines(store, &row).await?;
                (Some(row), lines)
            }
        };
        Ok(Some(Self { head, snapshot, lines, open, taken: None }))
    }

    /// Every account's carry in one dimension.
    fn carries(&self, dimension: &str) -> Vec<(AccountId, i128)> {
        let dimensions = self.snapshot.iter().flat_map(|hour| &hour.dimensions);
        let Some(place) = dimensions.into_iter().position(|other| other.name == dimension) else { return vec![] };
        self.lines.iter().filter_map(|line| Some((line.account, line.parts.get(place)?.carry))).collect()
    }
}

/// The steps of each account in an hour's record.
fn units_of(hour: &MeteredHour, lines: &[Line], dimension: &str) -> Vec<(AccountId, u64)> {
    let Some(place) = hour.dimensions.iter().position(|other| other.name == dimension) else { return vec![] };
    let units = |line: &Line| Some((line.account, line.parts.get(place)?.units));
    lines.iter().filter_map(units).filter(|(_, units)| *units > 0).collect()
}

impl Run<'_> {
    /// The next hour, if it is over and closed.
    pub(super) async fn step(&mut self, task: &mut Task, ledger: &mut Ledger) -> Result<Stepped, TaskError> {
        let (store, hour) = (self.ports.store, ledger.head.row.next);
        if self.ports.clock.now() < hour + HOUR || self.last.is_some_and(|last| hour > last) {
            return Ok(Stepped::NotOver);
        }
        let Some(closed) = rows::get::<HourClosed>(store, &hours::closed_key(hour)).await? else {
            return Ok(Stepped::NotClosed(hour));
        };
        let mode = self.settings.mode;
        // Dimensions that are not billed any more stay in the lines, so that their carries are never lost.
        let mut dimensions = self.settings.dimensions.clone();
        let before = ledger.snapshot.iter().flat_map(|hour| &hour.dimensions);
        let retired: Vec<_> =
            before.filter(|old| !dimensions.iter().any(|new| new.name == old.name)).cloned().collect();
        let live = dimensions.len();
        dimensions.extend(retired);
        if mode == MeteringMode::Off {
            let row = self.hour_row(task, hour, dimensions);
            self.commit(task, ledger, row, (vec![], vec![], vec![])).await?;
            return Ok(Stepped::Done);
        }
        let rows = self.read_hour(hour, closed.row.accounts as usize).await?;
        let late = self.read_late(ledger, hour).await?;
        let (back, carried) = match mode {
            MeteringMode::On => self.returned(ledger, &dimensions[..live]).await?,
            MeteringMode::Trial | MeteringMode::Off => (BTreeMap::new(), vec![]),
        };
        let month = |hour| Period::of(Grain::Month, hour).start;
        let new_month = ledger.snapshot.as_ref().is_some_and(|last| month(last.hour) != month(hour));
        let input = Input { mode, dimensions: &dimensions, rows: &rows, late: &late, returned: back, new_month };
        let worked = work_out(&input, ledger, self.settings, live);
        let mut row = self.hour_row(task, hour, dimensions.clone());
        row.notes = worked.notes;
        if self.doing == Doing::Report {
            row.late = rows::write_chunks(store, ("late", hour), &late).await?;
            row.lines = rows::write_chunks(store, ("lines", hour), &worked.lines).await?;
        }
        let records = self.records(task, &row, &worked.lines, &worked.units[..live]);
        self.commit(task, ledger, row, (worked.lines, records, carried)).await?;
        let mut taken: BTreeSet<String> = late.iter().map(|taken| key_of(&taken.late)).collect();
        self.delete(taken.iter().cloned()).await?;
        if self.doing != Doing::Report {
            taken.extend(ledger.taken.take().unwrap_or_default());
        }
        ledger.taken = Some(taken);
        Ok(Stepped::Done)
    }

    fn hour_row(&self, task: &Task, hour: Timestamp, dimensions: Vec<Dimension>) -> MeteredHour {
        let at = self.ports.clock.now();
        let (format, mode, task) = (rows::FORMAT, self.settings.mode, task.arn.clone());
        MeteredHour { format, hour, mode, dimensions, lines: vec![], late: vec![], task, at, notes: vec![] }
    }

    async fn read_hour(&self, hour: Timestamp, told: usize) -> Result<Vec<AccountHour>, TaskError> {
        let prefix = format!("{}{}/", hours::HOURS, hours::spelled(hour));
        let rows: Vec<AccountHour> =
            rows::all(self.ports.store, &prefix, |_| true).await?.into_iter().map(|(_, row)| row).collect();
        // Accounts that had nothing when the hour was closed, and got a correction since, have an empty first entry.
        let had = |row: &&AccountHour| row.entries.first().is_some_and(|first| first.why.is_empty());
        let found = rows.iter().filter(had).count();
        if found == told { Ok(rows) } else { Err(TaskError::Incomplete { hour, told, found }) }
    }

    /// Corrections of this hour and earlier ones that were not taken yet. Those taken with the last hour are deleted
    /// first: a task may have died before it could.
    async fn read_late(&self, ledger: &Ledger, hour: Timestamp) -> Result<Vec<Taken>, TaskError> {
        let store = self.ports.store;
        let done = match (&ledger.taken, ledger.head.row.last) {
            (Some(taken), _) => taken.clone(),
            (None, None) => BTreeSet::new(),
            (None, Some(last)) => {
                let row = rows::need::<MeteredHour>(store, &hour_key(last)).await?.row;
                rows::taken(store, &row).await?.iter().map(|taken| key_of(&taken.late)).collect()
            }
        };
        let until = format!("{}{}/", hours::LATE, hours::spelled(hour + HOUR));
        let waiting = rows::all::<Late>(store, hours::LATE, |key| key < until.as_str()).await?;
        let (old, new): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|(key, _)| done.contains(key));
        self.delete(old.into_iter().map(|(key, _)| key)).await?;
        let mut modes = BTreeMap::from([(hour, self.settings.mode)]);
        let mut taken = Vec::new();
        for (_, late) in new.into_iter().take(LATE_MAX) {
            let mode = if let Some(mode) = modes.get(&late.hour) {
                *mode
            } else {
                // An hour from before metering began was never billed.
                let row = rows::get::<MeteredHour>(store, &hour_key(late.hour)).await?;
                row.map_or(MeteringMode::Off, |kept| kept.row.mode)
            };
            modes.insert(late.hour, mode);
            // A billed hour's correction waits for the end of a trial.
            if self.settings.mode == MeteringMode::Trial && mode == MeteringMode::On {
                continue;
            }
            taken.push(Taken { late, mode });
        }
        Ok(taken)
    }

    async fn delete(&self, keys: impl Iterator<Item = String>) -> Result<(), TaskError> {
        let gone = |key| Put { key, value: None, expect: Expect::Anything, fence: 1 };
        let puts: Vec<Put> = keys.map(gone).collect();
        if self.doing == Doing::Report {
            for some in puts.chunks(WRITE_ITEMS_MAX) {
                self.ports.store.write(some).await?;
            }
        }
        Ok(())
    }

    /// What comes back from open records, in parts by account and dimension; and these records' places.
    async fn returned(
        &self,
        ledger: &Ledger,
        dimensions: &[Dimension],
    ) -> Result<(BTreeMap<(AccountId, usize), i128>, Vec<usize>), TaskError> {
        let (mut back, mut carried) = (BTreeMap::new(), Vec::new());
        // The head, the hour and its records are in the same write.
        let room = WRITE_ITEMS_MAX - 2 - dimensions.len();
        for (index, open) in ledger.open.iter().enumerate() {
            let record = &open.row;
            let place = dimensions.iter().position(|dimension| dimension.name == record.dimension);
            let (Some(place), Some(accepted)) = (place, record.to_carry()) else { continue };
            let lines = self.lines_of(record, ledger).await?;
            let parts = returned(&lines, accepted);
            // Without a line there is nobody to give a credit to: it stays open, and in sight.
            if parts.values().sum::<i128>() != record.books().pending || carried.len() == room {
                continue;
            }
            for (account, units) in parts {
                *back.entry((account, place)).or_insert(0) += units * record.step;
            }
            carried.push(index);
        }
        Ok((back, carried))
    }

    /// The steps of each account in a record.
    async fn lines_of(&self, record: &Record, ledger: &Ledger) -> Result<Vec<(AccountId, u64)>, TaskError> {
        if let Some(hour) = ledger.snapshot.as_ref().filter(|hour| hour.hour == record.hour) {
            return Ok(units_of(hour, &ledger.lines, &record.dimension));
        }
        let hour = rows::need::<MeteredHour>(self.ports.store, &hour_key(record.hour)).await?.row;
        Ok(units_of(&hour, &rows::lines(self.ports.store, &hour).await?, &record.dimension))
    }

    /// The request for a record; `None` where the settings are not those that it was stored with.
    pub(super) async fn usage(&self, record: &Record, ledger: &Ledger) -> Result<Option<Usage>, TaskError> {
        let named = self.settings.dimensions.iter().any(|dimension| dimension.name == record.dimension);
        let lines = self.lines_of(record, ledger).await?;
        Ok(named.then(|| self.request(record, &lines)))
    }

    fn request(&self, record: &Record, lines: &[(AccountId, u64)]) -> Usage {
        Usage {
            product_code: self.settings.product_code.clone(),
            hour: record.hour,
            dimension: record.dimension.clone(),
            quantity: record.quantity,
            allocations: if record.allocated { allocations(lines) } else { vec![] },
            customer: self.settings.customer.clone(),
        }
    }

    /// The hour's records, pending by this task where AWS still takes the hour.
    fn records(&self, task: &Task, row: &MeteredHour, lines: &[Line], units: &[u64]) -> Vec<Record> {
        let now = self.ports.clock.now();
        let made = row.dimensions.iter().zip(units).map(|(dimension, &units)| {
            let mut record = Record {
                format: record::FORMAT,
                hour: row.hour,
                dimension: dimension.name.clone(),
                quantity: Quantity { units, places: dimension.places },
                step: dimension.step(),
                path: self.settings.path(),
                allocated: true,
                state: State::Held { why: String::new() },
                notes: vec![],
            };
            let digest = self.request(&record, &units_of(row, lines, &dimension.name)).digest();
            let old = now.since(row.hour) > self.settings.age_max();
            let (state, text) = if row.mode == MeteringMode::Trial {
                (State::WrittenOff { why: "trial".to_owned() }, "a trial hour".to_owned())
            } else if old {
                let why = "older than AWS accepts".to_owned();
                (State::Held { why: why.clone() }, format!("{why}: goes into the next open hour"))
            } else {
                let until = now + SEND_TIME_MAX + DEAD_AFTER;
                let text = format!("{} sends {digest}", task.arn);
                (State::Sending { task: task.arn.clone(), digest, until }, text)
            };
            record.state = state;
            record.notes.push(Note { at: now, text });
            record
        });
        made.collect()
    }

    /// The one write from which on the hour counts; then the same in memory.
    async fn commit(
        &mut self,
        task: &mut Task,
        ledger: &mut Ledger,
        row: MeteredHour,
        (lines, records, carried): (Vec<Line>, Vec<Record>, Vec<usize>),
    ) -> Result<(), TaskError> {
        let (now, hour) = (self.ports.clock.now(), row.hour);
        let mut puts = Vec::new();
        for &index in &carried {
            let open = &mut ledger.open[index];
            open.row = open.row.after(&Event::Carry { into: hour }, now)?;
            let expect = Expect::Version(open.version);
            puts.push(rows::put(record_key(open.row.hour, &open.row.dimension), &open.row, expect)?);
        }
        ledger.open.retain(|open| !open.row.is_final());
        for record in &records {
            puts.push(rows::put(record_key(hour, &record.dimension), record, Expect::Absent)?);
            if matches!(record.state, State::Sending { .. }) {
                task.begun.insert((hour, record.dimension.clone()), false);
            }
        }
        let live: Vec<&Record> = records.iter().filter(|record| !record.is_final()).collect();
        let open = ledger.open.iter().map(|open| &open.row).chain(live.iter().copied());
        let worked = row.mode != MeteringMode::Off;
        let head = Head {
            next: hour + HOUR,
            snapshot: if worked { Some(hour) } else { ledger.head.row.snapshot },
            last: if worked { Some(hour) } else { ledger.head.row.last },
            open: open.map(|record| (record.hour, record.dimension.clone())).collect(),
            ..ledger.head.row.clone()
        };
        let expect = if ledger.head.version == 0 { Expect::Absent } else { Expect::Version(ledger.head.version) };
        puts.insert(0, rows::put(rows::HEAD.to_owned(), &head, expect)?);
        puts.push(rows::put(hour_key(hour), &row, Expect::Absent)?);
        let versions = match self.doing {
            Doing::Report => self.ports.store.write(&puts).await?,
            Doing::DryRun | Doing::Probe => vec![1; puts.len()],
        };
        let version = versions.first().copied().unwrap_or_default();
        ledger.head = Kept { row: head, version };
        ledger.open.extend(live.into_iter().cloned().map(|row| Kept { row, version: 1 }));
        for record in &records {
            self.tell(record);
        }
        if worked {
            (ledger.snapshot, ledger.lines) = (Some(row), lines);
        }
        Ok(())
    }
}

fn key_of(late: &Late) -> String {
    hours::late_key(late.hour, late.account, late.entry.seq)
}

/// Works an hour out: a line for each account that has usage, a correction, a carry, or something that comes back.
fn work_out(input: &Input<'_>, ledger: &Ledger, settings: &super::Settings, live: usize) -> Worked {
    let mut owed: BTreeMap<AccountId, Vec<Owed>> = BTreeMap::new();
    let count = input.dimensions.len();
    let mut add = |account: AccountId, place: usize, part: Owed| {
        let all = owed.entry(account).or_insert_with(|| vec![Owed::default(); count]);
        all[place].before += part.before;
        all[place].amount += part.amount;
        all[place].returned += part.returned;
    };
    for (place, dimension) in input.dimensions.iter().enumerate() {
        for (account, before) in ledger.carries(&dimension.name).into_iter().filter(|(_, carry)| *carry != 0) {
            add(account, place, Owed { before, ..Owed::default() });
        }
        if place >= live {
            continue;
        }
        for row in input.rows {
            let first = row.entries.first().map_or(Counts::default(), |entry| entry.counts);
            add(row.account, place, Owed { amount: dimension.amount(first), ..Owed::default() });
        }
        for taken in input.late.iter().filter(|taken| taken.mode == input.mode) {
            let amount = dimension.correction(taken.late.before, taken.late.entry.counts);
            add(taken.late.account, place, Owed { amount, ..Owed::default() });
        }
    }
    for (&(account, place), &returned) in &input.returned {
        add(account, place, Owed { returned, ..Owed::default() });
    }
    let mut room: Vec<u64> = input.dimensions.iter().map(Dimension::units_max).collect();
    let mut units = vec![0; count];
    let mut lines = Vec::new();
    for (account, owed) in owed {
        let parts = owed.into_iter().zip(input.dimensions).enumerate().map(|(place, (owed, dimension))| {
            let may = if place < live { room[place] } else { 0 };
            let part = match input.mode {
                MeteringMode::On => billed(owed, dimension.step(), may, input.new_month.then_some(settings.month_end)),
                MeteringMode::Trial | MeteringMode::Off => tried(owed, dimension.step(), may),
            };
            room[place] = room[place].saturating_sub(part.units);
            units[place] += part.units;
            part
        });
        lines.push(Line { account, parts: parts.collect::<Vec<Part>>() });
    }
    let skipped = input.late.iter().filter(|taken| taken.mode != input.mode).count();
    let mut notes = Vec::new();
    if skipped > 0 {
        notes.push(format!("{skipped} corrections of hours that count otherwise were not billed"));
    }
    if !input.returned.is_empty() {
        notes.push("amounts of earlier hours are billed here, as their records say".to_owned());
    }
    Worked { lines, units, notes }
}
