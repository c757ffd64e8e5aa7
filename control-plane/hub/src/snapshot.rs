//! A recorded organization: what a survey saw, in a file of JSON lines with a format number.
//!
//! Holds accounts, groups with their tags, members, templates' facts, hooks, Spot and on-demand prices, and types that
//! other programs may not know; no policy, no user data, no credentials. The same file and policy give the same plan,
//! at the time at which it was recorded.

mod ports;
mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, Read, Write};
use std::sync::Arc;

use spothub_core::catalog::{Catalog, Overlay};
use spothub_core::cloud::{Account, TemplateFacts};
use spothub_core::fault::Fault;
use spothub_core::group::GroupView;
use spothub_core::id::Region;
use spothub_core::market::Quotes;
use spothub_core::record::GroupRecord;
use spothub_core::time::Timestamp;

use crate::engine::Engine;
use crate::settings::Settings;
use crate::survey::{Depth, Missed, Survey};
use rows::{Counts, Row};

pub use ports::Still;

/// The format that this program writes, and the newest that it reads.
pub const FORMAT: u32 = 1;

/// Bytes of one line: a group of 10,000 members has about a quarter of it.
pub const LINE_BYTES_MAX: u64 = 16 << 20;

/// Lines of a file: ten times the groups of the largest organization that is known to us.
pub const ROWS_MAX: usize = 1_000_000;

/// A recorded organization.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// The program that wrote it, with its version.
    pub by: String,
    /// The time at which its plans were made.
    pub taken_at: Timestamp,
    /// On-demand prices of the regions in use, and types and zones that the embedded catalogue has otherwise.
    pub catalog: Overlay,
    /// All enrolled accounts, by id.
    pub accounts: Vec<Account>,
    /// Prices of each region in use.
    pub quotes: BTreeMap<Region, Arc<Quotes>>,
    /// All groups, by key.
    pub groups: Vec<Recorded>,
    /// What could not be read when it was recorded.
    pub missed: Vec<Missed>,
}

/// One group.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// What was seen of it, with its members' facts and its extras where they were read.
    pub view: GroupView,
    /// What its source asks for, where that was read.
    pub template: Option<TemplateFacts>,
    /// What the store held of it, where anything was.
    pub record: Option<GroupRecord>,
}

/// Why there is no snapshot to read.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The file cannot be read.
    #[error("{file}: it cannot be read")]
    File {
        /// How messages name it.
        file: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file was written in a later format.
    #[error(
        "{file}:1: format: the snapshot has format {found}, and this program reads up to {FORMAT}\n  \
         = use the spothub that wrote it ({by}), or record it anew with this one"
    )]
    Newer {
        /// How messages name it.
        file: String,
        /// The file's format.
        found: u32,
        /// The program that wrote it.
        by: String,
    },
    /// A line is not what it should be.
    #[error("{file}:{line}: {what}\n  = {remedy}")]
    Line {
        /// How messages name it.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong, with the key where there is one.
        what: String,
        /// What to do about it.
        remedy: &'static str,
    },
}

const ANEW: &str = "record it anew with `spothub plan --record FILE`; snapshots are not meant to be edited";
const ALONE: &str = "read it in a program of its own: types are known by their place in one catalogue";
const OTHER: &str = "give a file that `spothub plan --record FILE` wrote";

impl Snapshot {
    /// The snapshot of what a survey saw; one of [`Depth::Whole`] serves every policy.
    #[must_use]
    pub fn of(survey: &Survey, by: &str) -> Self {
        let recorded = |group: &crate::survey::Surveyed| Recorded {
            view: group.view.clone(),
            template: group.template.as_deref().cloned(),
            record: group.record.clone(),
        };
        let mut regions: BTreeSet<Region> = survey.quotes.keys().cloned().collect();
        regions.extend(survey.accounts.iter().flat_map(|account| account.regions.iter().cloned()));
        Self {
            by: by.to_owned(),
            taken_at: survey.at,
            catalog: Catalog::in_use().retold(Catalog::embedded(), &regions),
            accounts: survey.accounts.clone(),
            quotes: survey.quotes.clone(),
            groups: survey.groups.iter().map(recorded).collect(),
            missed: survey.missed.clone(),
        }
    }

    /// What the engine would do with these groups under the policy of `settings`, at the time of recording.
    pub async fn survey(self, settings: Settings) -> Result<Survey, Fault> {
        let missed = self.missed.clone();
        let survey = Engine::new(Arc::new(self).ports(), settings).survey(Depth::Decision).await?;
        // What could not be read then is told as it was told then.
        Ok(Survey { missed, ..survey })
    }

    /// Writes it, one row in a line.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        for row in rows::rows(self) {
            serde_json::to_writer(&mut *out, &row)?;
            out.write_all(b"\n")?;
        }
        Ok(())
    }

    /// Reads what [`Snapshot::write`] wrote; `file` is how messages name it. The process uses the recording's catalogue
    /// from then on, since types are known by their place in it: an error where it uses another one already.
    pub fn read(file: &str, text: impl BufRead) -> Result<Self, SnapshotError> {
        let mut lines = Lines { file, text, line: 0 };
        let first = lines.next()?.ok_or_else(|| lines.fail("the file is empty", OTHER))?;
        let head = rows::head(&first).map_err(|what| lines.fail(what, OTHER))?;
        if head.format > FORMAT {
            return Err(SnapshotError::Newer { file: file.to_owned(), found: head.format, by: head.by });
        }
        if head.format == 0 {
            return Err(lines.fail("format: there is no format 0", OTHER));
        }
        let mut snapshot = Self {
            by: head.by,
            taken_at: head.taken_at,
            catalog: Overlay::default(),
            accounts: Vec::new(),
            quotes: BTreeMap::new(),
            groups: Vec::new(),
            missed: Vec::new(),
        };
        // Lines from this one on may name types.
        let body = head.rows.catalog().saturating_add(2);
        let mut found = Counts::default();
        while let Some(bytes) = lines.next()? {
            if lines.line > ROWS_MAX {
                return Err(lines.fail(format_args!("more than the {ROWS_MAX} lines that are read"), OTHER));
            }
            if lines.line == body {
                Catalog::take_up(&snapshot.catalog).map_err(|error| lines.fail(error, ALONE))?;
            }
            let row: Row = serde_json::from_slice(&bytes).map_err(|error| lines.fail(rows::told(&error), ANEW))?;
            row.put(&mut snapshot, &mut found).map_err(|what| lines.fail(what, ANEW))?;
        }
        if found != head.rows {
            let what = format!("rows: the file has {found}, and its first line names {}: it is cut off", head.rows);
            return Err(lines.fail(what, ANEW));
        }
        Ok(snapshot)
    }
}

/// The lines of a file, each within its limit.
struct Lines<'f, B> {
    file: &'f str,
    text: B,
    line: usize,
}

impl<B: BufRead> Lines<'_, B> {
    fn next(&mut self) -> Result<Option<Vec<u8>>, SnapshotError> {
        let mut bytes = Vec::new();
        let read = self.text.by_ref().take(LINE_BYTES_MAX + 1).read_until(b'\n', &mut bytes);
        let read = read.map_err(|source| SnapshotError::File { file: self.file.to_owned(), source })?;
        if read == 0 {
            return Ok(None);
        }
        self.line += 1;
        if u64::try_from(read).is_ok_and(|read| read > LINE_BYTES_MAX) {
            return Err(self.fail(format_args!("more than the {LINE_BYTES_MAX} bytes that a line may have"), OTHER));
        }
        Ok(Some(bytes))
    }

    fn fail(&self, what: impl std::fmt::Display, remedy: &'static str) -> SnapshotError {
        let what = what.to_string().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        SnapshotError::Line { file: self.file.to_owned(), line: self.line.max(1), what, remedy }
    }
}

#[cfg(test)]
pub(crate) mod tests;
