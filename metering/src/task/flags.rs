//! What the engine and the operator read of metering: one small row.

use serde::{Deserialize, Serialize};
use spothub_core::time::{Span, Timestamp};

use super::Settings;

/// Failing for longer is an alarm, and may hold new swaps: AWS's guide for sellers asks not to fail closed earlier.
pub const FAILING_MAX: Span = Span::hours(2);

/// What the engine reads of metering. A row that is missing says that metering never ran.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Flags {
    /// The rows' format when it was written.
    pub format: u32,
    /// When the last run ended.
    pub last_run: Timestamp,
    /// The last hour that AWS accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_accepted: Option<Timestamp>,
    /// Since when there is no subscription: start no new swap, and go on protecting what runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unentitled_since: Option<Timestamp>,
    /// Since when every run left something unbilled that should be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Timestamp>,
    /// Why, as the last run says.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub failing_why: String,
    /// Records whose fate an operator must settle.
    pub unknown: u32,
    /// Failing for longer than [`FAILING_MAX`], or something is unknown.
    pub alarm: bool,
    /// Start no new swap, as the settings ask where metering fails, or as the lost subscription does.
    pub hold_swaps: bool,
}

/// What one run found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Findings {
    /// Whether AWS said that there is a subscription, or that there is none.
    pub entitled: Option<bool>,
    /// The last hour that AWS accepted in it.
    pub accepted: Option<Timestamp>,
    /// What could not be done; empty where all went well.
    pub failing: String,
    /// Records whose fate is unknown.
    pub unknown: u32,
}

impl Flags {
    /// The flags after a run.
    #[must_use]
    pub fn after(&self, found: &Findings, settings: &Settings, now: Timestamp) -> Self {
        let since = |before: Option<Timestamp>, still: bool| still.then(|| before.unwrap_or(now));
        let unentitled = found.entitled.map_or(self.unentitled_since.is_some(), |entitled| !entitled);
        let unentitled_since = since(self.unentitled_since, unentitled);
        let failing_since = since(self.failing_since, !found.failing.is_empty());
        let long = failing_since.is_some_and(|since| now.since(since) > FAILING_MAX);
        Self {
            format: super::rows::FORMAT,
            last_run: self.last_run.max(now),
            last_accepted: self.last_accepted.max(found.accepted),
            unentitled_since,
            failing_since,
            failing_why: found.failing.clone(),
            unknown: found.unknown,
            alarm: long || found.unknown > 0,
            hold_swaps: unentitled_since.is_some() || (long && settings.hold_when_failing),
        }
    }

    /// What an operator has to know, the gravest first; empty where all is well.
    #[must_use]
    pub fn troubles(&self, now: Timestamp) -> Vec<String> {
        let mut troubles = Vec::new();
        if let Some(since) = self.unentitled_since {
            troubles.push(format!("no subscription since {since}: no new swap begins"));
        }
        if self.stale(now) {
            troubles.push(format!("the task has not run since {}", self.last_run));
        }
        if let Some(since) = self.failing_since {
            let held = if self.hold_swaps && self.unentitled_since.is_none() { "; no new swap begins" } else { "" };
            troubles.push(format!("failing since {since}: {}{held}", self.failing_why));
        }
        if self.unknown > 0 {
            troubles.push(format!("{} hours to settle: spothub metering settle", self.unknown));
        }
        troubles
    }

    /// Whether the hourly task itself stays away: nobody sets a flag then.
    #[must_use]
    pub fn stale(&self, now: Timestamp) -> bool {
        // An hour between runs, and what failing may take.
        now.since(self.last_run) > Span::hours(1) + FAILING_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn troubles_are_told_the_gravest_first_and_none_where_all_is_well() {
        let now = Timestamp(1_000 * 3_600_000);
        let well = Flags { last_run: now - Span::hours(1), ..Flags::default() };
        assert!(well.troubles(now).is_empty());
        let late = now + Span::hours(2) + Span::millis(1);
        assert!(well.troubles(late)[0].starts_with("the task has not run since"));
        let flags = Flags {
            unentitled_since: Some(now),
            failing_since: Some(now),
            failing_why: "no answer".to_owned(),
            unknown: 2,
            hold_swaps: true,
            ..well
        };
        let told = flags.troubles(now);
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told[0].starts_with("no subscription since") && told[0].ends_with("no new swap begins"));
        assert!(told[1].ends_with(": no answer") && told[2].starts_with("2 hours to settle"));
        let failing = Flags { unentitled_since: None, ..flags };
        assert!(failing.troubles(now)[0].ends_with("no answer; no new swap begins"));
    }
}
