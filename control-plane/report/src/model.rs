//! Sums of a report. They are added up from the same rows, so that levels and periods cannot disagree.

use std::collections::{BTreeMap, BTreeSet};

use spothub_core::id::{AccountId, GroupKey, OuPath, Site};
use spothub_core::money::Usd;
use spothub_core::time::Timestamp;
use spothub_usage::book::{Day, Page, Totals, day};
use spothub_usage::{Grain, Period};

/// What a row is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Level {
    /// Everything.
    Organization,
    /// A unit with all below it, so that rows of units overlap.
    Ou,
    /// An account.
    Account,
    /// A group.
    Group,
}

/// The length of a row's period, in UTC.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Each {
    /// An hour; only pages know hours.
    Hour,
    /// A day.
    Day,
    /// A calendar month, or the part of it that was asked for.
    Month,
    /// All that was asked for.
    Total,
}

/// Whose sums a row has.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub enum Scope {
    /// Everyone's.
    Organization,
    /// A unit's, with all below it.
    Ou(OuPath),
    /// An account's.
    Account(AccountId),
    /// A group's.
    Group(GroupKey),
}

/// Lines of one more section, each a name and what there is to say of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Section {
    /// Its heading.
    pub title: String,
    /// Its lines.
    pub lines: Vec<(String, String)>,
}

/// A report.
#[derive(Clone, Debug)]
pub struct Report {
    /// What rows are about.
    pub by: Level,
    /// How long the periods of rows are.
    pub each: Each,
    /// The first moment.
    pub from: Timestamp,
    /// The end; not part of it.
    pub to: Timestamp,
    /// By start of the period and whose they are.
    pub rows: BTreeMap<(Timestamp, Scope), Totals>,
    /// All of it.
    pub total: Totals,
    /// By day.
    pub days: BTreeMap<Timestamp, Totals>,
    /// By account.
    pub accounts: BTreeMap<AccountId, Totals>,
    /// By group.
    pub groups: BTreeMap<GroupKey, Totals>,
    /// Names of accounts, where they are known.
    pub names: BTreeMap<AccountId, String>,
    /// Amounts after discounts, and time on Spot, are known; a simulated run tells neither.
    pub whole: bool,
    /// What else there is to say.
    pub sections: Vec<Section>,
}

impl Report {
    /// A report without rows.
    #[must_use]
    pub fn new(by: Level, each: Each, from: Timestamp, to: Timestamp) -> Self {
        let total = Totals::default();
        let (rows, days, names) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let (accounts, groups) = (BTreeMap::new(), BTreeMap::new());
        Self { by, each, from, to, rows, total, days, accounts, groups, names, whole: true, sections: Vec::new() }
    }

    /// Counts an account's day, if it begins in the period that was asked for.
    pub fn add(&mut self, day: &Day) {
        self.count(day.day, day);
    }

    /// Counts all pages of one account in one hour.
    pub fn add_hour(&mut self, pages: &[Page]) {
        if let (Some(first), Some(sums)) = (pages.first(), day(pages)) {
            self.count(first.hour, &sums);
        }
    }

    /// The end of a row's period; what was asked for ends no later.
    #[must_use]
    pub fn end(&self, start: Timestamp) -> Timestamp {
        grain(self.each).map_or(self.to, |grain| Period::of(grain, start).end().min(self.to))
    }

    fn count(&mut self, at: Timestamp, sums: &Day) {
        if at < self.from || at >= self.to {
            return;
        }
        let start = grain(self.each).map_or(self.from, |grain| Period::of(grain, at).start.max(self.from));
        let mut whole = Totals::default();
        for group in &sums.groups {
            let site = Site { account: sums.account, region: group.region.clone() };
            let key = GroupKey { site, name: group.group.clone() };
            whole.add(&group.totals);
            if self.by == Level::Group {
                let scope = Scope::Group(key.clone());
                self.rows.entry((start, scope)).or_default().add(&group.totals);
            }
            self.groups.entry(key).or_default().add(&group.totals);
        }
        self.total.add(&whole);
        self.days.entry(Period::of(Grain::Day, at).start).or_default().add(&whole);
        self.accounts.entry(sums.account).or_default().add(&whole);
        let scopes: Vec<Scope> = match self.by {
            Level::Organization => vec![Scope::Organization],
            Level::Ou => above(&sums.unit).into_iter().map(Scope::Ou).collect(),
            Level::Account => vec![Scope::Account(sums.account)],
            Level::Group => Vec::new(),
        };
        for scope in scopes {
            self.rows.entry((start, scope)).or_default().add(&whole);
        }
    }
}

fn grain(each: Each) -> Option<Grain> {
    match each {
        Each::Hour => Some(Grain::Hour),
        Each::Day => Some(Grain::Day),
        Each::Month => Some(Grain::Month),
        Each::Total => None,
    }
}

/// A unit and all above it.
fn above(unit: &OuPath) -> BTreeSet<OuPath> {
    let text = unit.as_str();
    let ends = text.char_indices().skip(1).filter(|(_, c)| *c == '/').map(|(at, _)| at).chain([1, text.len()]);
    ends.filter_map(|end| text.get(..end)?.parse().ok()).collect()
}

/// Whether anything has a price: amounts of what has none are unknown, not zero.
#[must_use]
pub fn known(totals: &Totals) -> bool {
    totals.unpriced == 0 || totals.unpriced != totals.time
}

/// The saved part of what it would have cost by list price, in hundredths of a percent.
#[must_use]
pub fn saved_share(totals: &Totals) -> Option<i64> {
    known(totals).then(|| totals.saved().basis_points_of(totals.on_demand)).flatten()
}

/// The part of the time that was on Spot, in hundredths of a percent.
#[must_use]
pub fn spot_share(totals: &Totals) -> Option<i64> {
    Usd::from_units(i128::from(totals.spot)).basis_points_of(Usd::from_units(i128::from(totals.time)))
}

#[cfg(test)]
mod tests;
