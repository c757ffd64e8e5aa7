//! All rows, counted. Field names are stable.

use std::collections::BTreeMap;

use serde::Serialize;

use super::expected::TEMPLATE_VERSION;
use super::facts::Found;
use super::judge;
use super::row::{Check, Row, State};
use crate::Exit;

/// What the doctor has to say.
#[derive(Serialize)]
pub(crate) struct Report {
    /// RFC 3339, UTC.
    pub(crate) taken_at: String,
    /// The version of the templates that belong to this program.
    pub(crate) template_version: u32,
    /// Accounts that were looked at.
    pub(crate) accounts: usize,
    /// Accounts' regions that were looked at.
    pub(crate) sites: usize,
    /// Rows by check and state.
    #[serde(serialize_with = "by_label")]
    pub(crate) counts: BTreeMap<Check, BTreeMap<&'static str, usize>>,
    /// From sending a probe to receiving it, of those that came.
    pub(crate) latency_ms: Option<Latency>,
    pub(crate) rows: Vec<Row>,
}

/// How long probes took, in milliseconds.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Latency {
    pub(crate) least: i64,
    pub(crate) median: i64,
    pub(crate) most: i64,
}

fn by_label<S: serde::Serializer>(
    counts: &BTreeMap<Check, BTreeMap<&'static str, usize>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(counts.iter().map(|(check, states)| (check.label(), states)))
}

impl Latency {
    fn of(mut all: Vec<i64>) -> Option<Self> {
        all.sort_unstable();
        Some(Self { least: *all.first()?, median: all[all.len() / 2], most: *all.last()? })
    }
}

impl Report {
    /// The rows of what was found.
    pub(super) fn of(found: &Found) -> Self {
        Self::over(found.at.to_rfc3339(), found.accounts.len(), found.sites.len(), judge::rows(found))
    }

    fn over(taken_at: String, accounts: usize, sites: usize, rows: Vec<Row>) -> Self {
        let mut counts = BTreeMap::<Check, BTreeMap<&'static str, usize>>::new();
        for row in &rows {
            let states = counts.entry(row.check).or_insert_with(|| State::ALL.map(|state| (state.label(), 0)).into());
            *states.entry(row.state.label()).or_default() += 1;
        }
        let latency_ms = Latency::of(rows.iter().filter_map(|row| row.latency_ms).collect());
        Self { taken_at, template_version: TEMPLATE_VERSION, accounts, sites, counts, latency_ms, rows }
    }

    /// 1 where no account could be looked at, 3 where something is missing or could not be found out, 0 otherwise: what
    /// is only warned of works.
    pub(crate) fn exit(&self) -> Exit {
        let bad = |row: &Row| matches!(row.state, State::Missing | State::Unknown);
        match self.rows.iter().any(bad) {
            _ if self.accounts == 0 => Exit::Failed,
            true => Exit::Partly,
            false => Exit::Done,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use spothub_core::id::Site;
    use spothub_core::time::Span;

    use super::*;
    use crate::doctor::row::Place;

    pub(crate) fn report(rows: Vec<Row>) -> Report {
        Report::over("2026-01-01T00:00:00Z".to_owned(), 1, 2, rows)
    }

    fn site() -> Site {
        Site { account: "000000000001".parse().unwrap(), region: "eu-west-1".parse().unwrap() }
    }

    #[test]
    fn exit_codes() {
        let ok = || Row::ok(Check::Clock, Place::HUB, "0 s");
        assert_eq!(report(vec![ok()]).exit(), Exit::Done);
        assert_eq!(report(vec![ok(), Row::warning(Check::Quota, &site(), "small", "raise it")]).exit(), Exit::Done);
        assert_eq!(report(vec![Row::missing(Check::Role, &site(), "absent", "make it")]).exit(), Exit::Partly);
        assert_eq!(report(vec![Row::unknown(Check::Role, &site(), "broken", "again")]).exit(), Exit::Partly);
        assert_eq!(Report { accounts: 0, ..report(vec![ok()]) }.exit(), Exit::Failed);
    }

    #[test]
    fn rows_are_counted_by_label() {
        let rows = vec![
            Row::came(&site(), Span::millis(900)),
            Row::came(&site(), Span::millis(100)),
            Row::came(&site(), Span::millis(400)),
            Row::missing(Check::Probe, &site(), "lost", "look"),
        ];
        let told = serde_json::to_value(report(rows)).unwrap();
        assert_eq!(told["counts"]["probe"], serde_json::json!({"ok": 3, "warning": 0, "missing": 1, "unknown": 0}));
        assert_eq!(told["latency_ms"], serde_json::json!({"least": 100, "median": 400, "most": 900}));
        assert_eq!((&told["template_version"], told["rows"].as_array().unwrap().len()), (&serde_json::json!(1), 4));
    }
}
