//! The stored ledger: pages of slices by account and hour, and each account's sums of a day.
//!
//! A page is written once and never changed. What becomes known later, or turns out otherwise, is a page of its own
//! that takes lines out and books others. Sums of a day are derived: written together with each page, and equal to the
//! pages.
//!
//! | key | holds |
//! | --- | --- |
//! | `book/<YYYY-MM-DD>/<account>/<HH>/<seq>` | [`Page`], `seq` from 0000 on |
//! | `days/<YYYY-MM-DD>/<account>/<region>` | [`Day`] |

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use spothub_core::group::Lifecycle;
use spothub_core::id::{AccountId, AzId, GroupKey, GroupName, InstanceId, OuPath, Region, Site};
use spothub_core::money::{Usd, UsdPerHour};
use spothub_core::time::{Span, Timestamp};

use crate::savings::Sums;
use crate::slice::{HOUR, Slice, Subject, hour_of};

/// Where pages are.
pub const BOOK: &str = "book/";
/// Where the sums of days are.
pub const DAYS: &str = "days/";
/// Format of both rows.
pub const FORMAT: u16 = 1;
/// Lines of one page: at 250 bytes each they leave room, in one atomic write of 400 KiB, for the sums of a day of a
/// region with a thousand groups.
pub const LINES_MAX: usize = 600;
/// Hundredths of a percent in the whole.
const WHOLE: i128 = 10_000;

/// A slice as it is stored: what an instance cost in a part of one hour, and what it is compared with.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
pub struct Line {
    /// The instance.
    pub instance: InstanceId,
    /// Where the part begins.
    pub from: Timestamp,
    /// Where it ends; not part of it.
    pub to: Timestamp,
    /// Region of the group.
    pub region: Region,
    /// The group that it was launched for.
    pub group: GroupName,
    /// Its type's name.
    #[serde(rename = "type")]
    pub kind: Arc<str>,
    /// Its zone.
    pub az: AzId,
    /// How it is bought.
    pub lifecycle: Lifecycle,
    /// The price in force; `None` where nobody knows it: then the line adds to no amount.
    pub actual: Option<UsdPerHour>,
    /// What it replaces costs on demand; `None` while that one still runs.
    pub baseline: Option<UsdPerHour>,
}

/// What was booked of an account and region in an hour at one time.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Page {
    /// [`FORMAT`] when it was written.
    pub format: u16,
    /// The hour's first moment, in UTC.
    pub hour: Timestamp,
    /// Whose.
    pub account: AccountId,
    /// Where all of its lines are.
    pub region: Region,
    /// The organizational unit that the account was directly in.
    pub unit: OuPath,
    /// Its place among the pages of the account in the hour, from 0.
    pub seq: u32,
    /// When it was written.
    pub at: Timestamp,
    /// What the account pays less than the list price on demand, in hundredths of a percent.
    #[serde(default)]
    pub discount: u16,
    /// Lines of earlier pages that count no more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub out: Vec<Line>,
    /// Lines that count from now on.
    pub lines: Vec<Line>,
}

/// Sums that go into reports; exact.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    /// What the instances cost.
    #[serde(with = "units")]
    pub actual: Usd,
    /// What those would have cost that run no more because of them, by list price.
    #[serde(with = "units")]
    pub on_demand: Usd,
    /// The same at what the account really pays on demand.
    #[serde(with = "units")]
    pub on_demand_net: Usd,
    /// Milliseconds that instances ran, all added up.
    pub time: i64,
    /// Those on Spot.
    pub spot: i64,
    /// Those of which no price is known, which are in no amount.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unpriced: i64,
}

/// A group's sums of a day.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct GroupDay {
    /// Its region.
    pub region: Region,
    /// Its name.
    pub group: GroupName,
    /// The sums.
    #[serde(flatten)]
    pub totals: Totals,
}

/// An account's sums of a day in one region, in UTC.
#[expect(clippy::struct_field_names, reason = "the day of a day")]
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Day {
    /// [`FORMAT`] when it was written.
    pub format: u16,
    /// The day's first moment.
    pub day: Timestamp,
    /// Whose.
    pub account: AccountId,
    /// Where.
    pub region: Region,
    /// The organizational unit of its last page.
    pub unit: OuPath,
    /// How many pages it sums up.
    pub pages: u32,
    /// In the order of region and name; groups without anything are left out.
    pub groups: Vec<GroupDay>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// Amounts in stored rows: exact units of [`Usd`] (3.6 million millions make one USD).
mod units {
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _, ser::Error as _};
    use spothub_core::money::Usd;

    /// A number where it fits into 64 bits, which is 2.5 million USD.
    pub(super) fn serialize<S: Serializer>(amount: &Usd, to: S) -> Result<S::Ok, S::Error> {
        let units = i64::try_from(amount.units()).map_err(|_| S::Error::custom("an amount beyond 2.5 million USD"))?;
        to.serialize_i64(units)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Usd, D::Error> {
        let units = i64::deserialize(from).map_err(D::Error::custom)?;
        Ok(Usd::from_units(i128::from(units)))
    }
}

impl Totals {
    /// What was saved against list prices; negative where old and new ran together for longer than was gained since.
    #[must_use]
    pub fn saved(&self) -> Usd {
        self.on_demand - self.actual
    }

    /// What was saved against what the account pays on demand.
    #[must_use]
    pub fn net(&self) -> Usd {
        self.on_demand_net - self.actual
    }

    /// Adds others up.
    pub fn add(&mut self, other: &Self) {
        self.actual += other.actual;
        self.on_demand += other.on_demand;
        self.on_demand_net += other.on_demand_net;
        self.time += other.time;
        self.spot += other.spot;
        self.unpriced += other.unpriced;
    }

    fn of(line: &Line, discount: u16) -> Self {
        let span = line.to.since(line.from);
        let spot = if line.lifecycle == Lifecycle::Spot { span.0 } else { 0 };
        let time = Self { time: span.0, spot, ..Self::default() };
        let Some(actual) = line.actual else { return Self { unpriced: span.0, ..time } };
        let on_demand = line.baseline.map_or(Usd::ZERO, |price| price.over(span));
        // Rounded down for each line, so that sums of sums stay exact.
        let pays = WHOLE - i128::from(discount).min(WHOLE);
        let on_demand_net = Usd::from_units((on_demand.units() * pays).div_euclid(WHOLE));
        Self { actual: actual.over(span), on_demand, on_demand_net, ..time }
    }

    fn less(&mut self, other: &Self) {
        self.actual -= other.actual;
        self.on_demand -= other.on_demand;
        self.on_demand_net -= other.on_demand_net;
        self.time -= other.time;
        self.spot -= other.spot;
        self.unpriced -= other.unpriced;
    }
}

impl Line {
    /// A slice as a line.
    #[must_use]
    pub fn of(slice: &Slice) -> Self {
        let Subject { group, instance, kind, az, lifecycle, .. } = &*slice.subject;
        Self {
            instance: instance.clone(),
            from: slice.from,
            to: slice.to,
            region: group.site.region.clone(),
            group: group.name.clone(),
            kind: Arc::clone(kind),
            az: az.clone(),
            lifecycle: *lifecycle,
            actual: Some(slice.actual),
            baseline: slice.baseline,
        }
    }

    /// The sums of this line as the ledger of a run counts them; `None` where its price is not known.
    #[must_use]
    pub fn sums(&self) -> Option<Sums> {
        let time = self.to.since(self.from);
        let on_demand = self.baseline.map_or(Usd::ZERO, |price| price.over(time));
        Some(Sums { actual: self.actual?.over(time), on_demand, time })
    }

    /// The group that it belongs to, in this account.
    #[must_use]
    pub fn key(&self, account: AccountId) -> GroupKey {
        GroupKey { site: Site { account, region: self.region.clone() }, name: self.group.clone() }
    }
}

/// `2026-01-31`: a day as keys spell it.
#[must_use]
pub fn day_spelled(at: Timestamp) -> String {
    at.to_rfc3339().chars().take(10).collect()
}

/// The first moment of the day in which `at` lies, in UTC.
#[must_use]
pub fn day_of(at: Timestamp) -> Timestamp {
    crate::rollup::Period::of(crate::rollup::Grain::Day, at).start
}

/// Where the pages of an account in an hour are.
#[must_use]
pub fn hour_prefix(hour: Timestamp, account: AccountId) -> String {
    let text = hour.to_rfc3339();
    let spelled: String = text.chars().skip(11).take(2).collect();
    format!("{}{spelled}/", day_prefix(hour, account))
}

/// Where the pages of an account in a day are.
#[must_use]
pub fn day_prefix(at: Timestamp, account: AccountId) -> String {
    format!("{BOOK}{}/{account}/", day_spelled(at))
}

/// The key of a page.
#[must_use]
pub fn page_key(hour: Timestamp, account: AccountId, seq: u32) -> String {
    format!("{}{seq:04}", hour_prefix(hour, account))
}

/// The key of an account's day in a region.
#[must_use]
pub fn day_key(at: Timestamp, site: &Site) -> String {
    format!("{DAYS}{}/{}/{}", day_spelled(at), site.account, site.region)
}

/// The lines that count after some pages of one hour, in their order.
#[must_use]
pub fn in_force<'a>(pages: impl IntoIterator<Item = &'a Page>) -> BTreeMap<(InstanceId, Timestamp), Line> {
    let mut lines = BTreeMap::new();
    for page in pages {
        for line in &page.out {
            lines.remove(&(line.instance.clone(), line.from));
        }
        lines.extend(page.lines.iter().map(|line| ((line.instance.clone(), line.from), line.clone())));
    }
    lines
}

/// What to book so that `wanted` counts instead of what is booked: lines to take out, and lines to add.
#[must_use]
pub fn changes(booked: &BTreeMap<(InstanceId, Timestamp), Line>, wanted: &[Line]) -> (Vec<Line>, Vec<Line>) {
    let wanted: BTreeMap<(InstanceId, Timestamp), &Line> =
        wanted.iter().map(|line| ((line.instance.clone(), line.from), line)).collect();
    let out = booked.iter().filter(|(key, line)| wanted.get(key) != Some(line)).map(|(_, line)| line.clone()).collect();
    let new = wanted.iter().filter(|(key, line)| booked.get(*key) != Some(**line)).map(|(_, line)| (*line).clone());
    (out, new.collect())
}

/// The sums of a day from all pages of an account and region in it; `None` where there is no page.
#[must_use]
pub fn day(pages: &[Page]) -> Option<Day> {
    let last = pages.iter().max_by_key(|page| (page.hour, page.seq))?;
    let mut groups = BTreeMap::<(&Region, &GroupName), Totals>::new();
    for page in pages {
        for line in &page.lines {
            groups.entry((&line.region, &line.group)).or_default().add(&Totals::of(line, page.discount));
        }
        for line in &page.out {
            // At the discount that it was booked with.
            let from = pages.iter().filter(|one| one.hour == page.hour && one.seq < page.seq);
            let discount = from.rev().find(|one| one.lines.contains(line)).map_or(page.discount, |one| one.discount);
            groups.entry((&line.region, &line.group)).or_default().less(&Totals::of(line, discount));
        }
    }
    let groups = groups.into_iter().filter(|(_, totals)| *totals != Totals::default());
    let groups = groups.map(|((region, group), totals)| {
        let (region, group) = (region.clone(), group.clone());
        GroupDay { region, group, totals }
    });
    Some(Day {
        format: FORMAT,
        day: day_of(last.hour),
        account: last.account,
        region: last.region.clone(),
        unit: last.unit.clone(),
        pages: u32::try_from(pages.len()).unwrap_or(u32::MAX),
        groups: groups.collect(),
    })
}

/// The hours in which a span lies, each by its first moment.
pub fn hours(from: Timestamp, to: Timestamp) -> impl Iterator<Item = Timestamp> {
    let mut hour = hour_of(from);
    std::iter::from_fn(move || {
        let at = (hour < to).then_some(hour)?;
        hour = hour + HOUR;
        Some(at)
    })
}

/// Length of an hour.
pub const HOUR_LONG: Span = HOUR;

#[cfg(test)]
mod tests;
