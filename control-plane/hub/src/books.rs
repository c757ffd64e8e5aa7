//! The stored ledger, kept by one worker: what closed hours cost becomes pages, and so does what turns out later.

mod handover;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use spothub_core::group::Lifecycle;
use spothub_core::id::{AccountId, InstanceId, OuPath, Region, Site};
use spothub_core::market::Pool;
use spothub_core::money::UsdPerHour;
use spothub_core::port::{Expect, Put, StoreError, Stored, WRITE_ITEMS_MAX};
use spothub_core::record::{self, FORMAT, Usage};
use spothub_core::time::{Span, Timestamp};
use spothub_usage::book::{self, Day, LINES_MAX, Line, Page};
use spothub_usage::hours::{self, AccountHour, HourClosed};
use spothub_usage::{Baseline, Subject};

use handover::{Due, due_key};

use crate::engine::Engine;
use crate::rows::{self, ROW_FENCE};

/// What only one worker does.
const BOOKS: &str = "books";
/// Where it stands how far an instance is booked, and from what.
const MARKS: &str = "booked/";
/// Where it stands how far all instances of a site are, that have a mark.
const SITES: &str = "booked-to/";
/// Between two looks whether there is something to book.
const EVERY: Span = Span::mins(15);
/// An hour is closed so long after its end: by then each end of an instance was seen by two sweeps that went well.
const LAG: Span = Span::mins(45);
/// A page lost to another worker is made again from what is stored then; more in a row is a store that is not well.
const TRIES_MAX: usize = 3;

type Prices = Vec<(Timestamp, UsdPerHour)>;

/// How far an instance is booked, and from which facts.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
struct Mark {
    format: u16,
    instance: InstanceId,
    through: Timestamp,
    launched_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    replaced_at: Option<Timestamp>,
}

/// How far the instances of a site are booked that have a mark: so that an hour in which nothing changed needs no mark
/// for each.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
struct Through {
    format: u16,
    site: Site,
    until: Timestamp,
}

/// What a look at the books came to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Kept {
    /// Pages that were written.
    pub pages: usize,
    /// Instances that are left for the next time: a price could not be read, or a page not be written.
    pub left: usize,
}

/// The stored ledger as it stands.
#[derive(Clone, Debug, Default)]
pub struct Books {
    /// All pages, in the order of their keys.
    pub pages: Vec<Page>,
    /// The sums of days.
    pub days: Vec<Day>,
    /// What they are made from.
    pub usages: Vec<Usage>,
    /// What was handed over to be billed.
    pub hours: Vec<AccountHour>,
    /// The hours that are closed.
    pub closed: Vec<HourClosed>,
}

impl Mark {
    fn new(usage: &Usage, through: Timestamp) -> Self {
        let Usage { instance, launched_at, ended_at, replaced_at, .. } = usage.clone();
        Self { format: FORMAT, instance, through, launched_at, ended_at, replaced_at }
    }

    /// From when on an instance is to be booked up to `until`; `None` where it is. Its site is booked up to `through`.
    fn due(mark: Option<&Self>, through: Option<Timestamp>, usage: &Usage, until: Timestamp) -> Option<Timestamp> {
        let launched = usage.launched_at?;
        let end = usage.ended_at.map_or(until, |end| end.min(until));
        match mark {
            None => (launched < end).then_some(launched),
            Some(mark) if mark.knows(usage) => {
                let from = through.map_or(mark.through, |through| through.max(mark.through)).max(launched);
                (from < end).then_some(from)
            }
            // Other facts: all of its life once more.
            Some(mark) => Some(mark.launched_at.map_or(launched, |at| at.min(launched))),
        }
    }
}

impl Mark {
    /// Whether these are the facts that it was made from.
    fn knows(&self, usage: &Usage) -> bool {
        *self == Self::new(usage, self.through)
    }
}

impl Engine {
    /// Keeps the books, again and again, while this worker is the one that does.
    pub(crate) async fn books_loop(&self) {
        let mut through = None;
        // A dry run launches nothing, and leaves the books to who does.
        while self.ports.act.is_some() {
            self.ports.clock.sleep_until(self.now() + EVERY).await;
            let until = self.closed_until();
            // Once for each hour that closed: what turned out otherwise meanwhile has time until the next.
            if self.leads(BOOKS) && through != Some(until) && self.keep_closed_books(until).await {
                through = Some(until);
            }
        }
    }

    /// The end of the last hour that is closed.
    pub(crate) fn closed_until(&self) -> Timestamp {
        hour_of(self.now() - LAG)
    }

    /// Books the hours that are closed; whether all of them are.
    pub(crate) async fn keep_closed_books(&self, until: Timestamp) -> bool {
        match self.keep_books(until).await {
            Ok(Kept { left: 0, .. }) => match self.hand_over(until).await {
                Ok(()) => return true,
                Err(error) => tracing::warn!(%error, "closed hours were not handed over; tried again"),
            },
            Ok(kept) => tracing::info!(left = kept.left, "instances are not booked yet; tried again"),
            Err(error) => tracing::warn!(%error, "the books were not kept; tried again"),
        }
        false
    }

    /// Books everything up to `until` that is not booked, or was booked from other facts.
    pub(crate) async fn keep_books(&self, until: Timestamp) -> Result<Kept, StoreError> {
        let store = &*self.ports.store;
        let marks = rows::all(store, MARKS).await?;
        let marks = marks.iter().filter_map(|row| serde_json::from_slice::<Mark>(&row.value).ok());
        let marks: BTreeMap<InstanceId, Mark> = marks.map(|mark| (mark.instance.clone(), mark)).collect();
        let through = rows::all(store, SITES).await?;
        let through = through.iter().filter_map(|row| serde_json::from_slice::<Through>(&row.value).ok());
        let through: BTreeMap<Site, Timestamp> = through.map(|row| (row.site, row.until)).collect();
        let usages = rows::all(store, "usage/").await?;
        let usages = usages.iter().filter_map(|row| record::read::<Usage>(&row.value));
        let due = usages.filter_map(|usage| {
            let (mark, through) = (marks.get(&usage.instance), through.get(&usage.group.site).copied());
            Some((Mark::due(mark, through, &usage, until)?, usage))
        });
        let mut due: Vec<(Timestamp, Usage)> = due.collect();
        due.sort_by(|(_, one), (_, other)| one.instance.cmp(&other.instance));
        let prices = self.prices_of(&due, until).await;
        let mut kept = Kept::default();
        let (mut sites, mut unread) = (BTreeMap::<Site, Vec<(Timestamp, Usage)>>::new(), BTreeSet::new());
        for (from, usage) in due {
            let site = usage.group.site.clone();
            if prices.contains_key(&place(&usage)) || usage.lifecycle == Lifecycle::OnDemand {
                sites.entry(site).or_default().push((from, usage));
            } else {
                unread.insert(site);
                kept.left += 1;
            }
        }
        for (site, due) in sites {
            let lines = due.iter().flat_map(|(from, usage)| self.lines(usage, *from, until, &prices)).collect();
            let instances = due.iter().map(|(from, usage)| (usage.instance.clone(), *from)).collect();
            match self.book(&site, &instances, lines, until).await {
                Ok(pages) => kept.pages += pages,
                Err(error) => {
                    let Site { account, region } = &site;
                    tracing::warn!(%account, %region, %error, "an account is not booked; tried again");
                    kept.left += instances.len();
                    continue;
                }
            }
            // Where all of a site is booked, one row says so for those whose facts are as they were.
            let whole = !unread.contains(&site);
            let known = |usage: &Usage| whole && marks.get(&usage.instance).is_some_and(|mark| mark.knows(usage));
            let mark = |usage: &Usage| put(mark_key(usage), &Mark::new(usage, until), Expect::Anything);
            let fresh = due.iter().map(|(_, usage)| usage).filter(|usage| !known(usage));
            let mut puts: Vec<Put> = fresh.filter_map(mark).collect();
            let row = Through { format: FORMAT, site: site.clone(), until };
            // Last: until then each is looked at again.
            puts.extend(whole.then(|| put(format!("{SITES}{site}"), &row, Expect::Anything)).flatten());
            for some in puts.chunks(WRITE_ITEMS_MAX) {
                // What has no mark is looked at again, and nothing is booked twice.
                store.write(some).await?;
            }
        }
        Ok(kept)
    }

    /// The Spot prices of what is to be booked; pools that could not be read are left out.
    async fn prices_of(&self, due: &[(Timestamp, Usage)], until: Timestamp) -> BTreeMap<(Region, Pool), Prices> {
        let mut spans = BTreeMap::<(Region, Pool), Timestamp>::new();
        for (from, usage) in due.iter().filter(|(_, usage)| usage.lifecycle == Lifecycle::Spot) {
            let first = spans.entry(place(usage)).or_insert(*from);
            *first = (*first).min(*from);
        }
        let mut prices = BTreeMap::new();
        for ((region, pool), from) in spans {
            if let Ok(history) = self.ports.prices.history(&pool, &region, from, until).await {
                prices.insert((region, pool), history);
            }
        }
        prices
    }

    /// What an instance costs from `from` on up to `until`, as lines.
    fn lines(
        &self,
        usage: &Usage,
        from: Timestamp,
        until: Timestamp,
        prices: &BTreeMap<(Region, Pool), Prices>,
    ) -> Vec<Line> {
        let Some(launched) = usage.launched_at else { return Vec::new() };
        let listed = || self.catalog.on_demand(&usage.group.site.region, usage.product, usage.kind);
        let prices = match usage.lifecycle {
            Lifecycle::Spot => prices.get(&place(usage)).cloned().unwrap_or_default(),
            Lifecycle::OnDemand => listed().map(|price| (launched, price)).into_iter().collect(),
        };
        let subject = Subject {
            group: usage.group.clone(),
            unit: self.unit(usage.group.site.account),
            instance: usage.instance.clone(),
            kind: self.catalog.get(usage.kind).name.clone(),
            az: usage.az.clone(),
            lifecycle: usage.lifecycle,
        };
        let baseline = Baseline::Replaced { price: usage.baseline, from: usage.replaced_at };
        let mut life = spothub_usage::Usage::new(Arc::new(subject), launched, UsdPerHour(0), baseline);
        life.end = usage.ended_at;
        for (at, price) in &prices {
            life.reprice(*at, *price);
        }
        let known = prices.first().map(|(at, _)| *at);
        let slices = life.slices(from, until);
        let has_price = |line: &Line| known.is_some_and(|known| line.from >= known);
        let lines = slices.map(|slice| Line::of(&slice));
        // A price that nobody knows is not nothing.
        lines.map(|line| if has_price(&line) { line } else { Line { actual: None, ..line } }).collect()
    }

    fn unit(&self, account: AccountId) -> OuPath {
        self.memory().accounts.get(&account).map_or_else(OuPath::root, |account| account.ou.clone())
    }

    /// Writes the pages after which `lines` count of these instances, each from its time on, day by day.
    async fn book(
        &self,
        site: &Site,
        instances: &BTreeMap<InstanceId, Timestamp>,
        lines: Vec<Line>,
        until: Timestamp,
    ) -> Result<usize, StoreError> {
        let mut days = BTreeMap::<Timestamp, BTreeMap<Timestamp, Vec<Line>>>::new();
        for hour in instances.values().min().into_iter().copied().flat_map(|from| book::hours(from, until)) {
            days.entry(book::day_of(hour)).or_default().insert(hour, Vec::new());
        }
        for line in lines {
            let hour = book::hours(line.from, line.to).next().unwrap_or(line.from);
            days.entry(book::day_of(hour)).or_default().entry(hour).or_default().push(line);
        }
        let mut written = 0;
        for (day, hours) in days {
            let mut lost = 0;
            loop {
                match self.book_day(site, instances, day, &hours).await {
                    Ok(pages) => break written += pages,
                    Err(StoreError::Lost(_)) if lost < TRIES_MAX => lost += 1,
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(written)
    }

    async fn book_day(
        &self,
        site: &Site,
        instances: &BTreeMap<InstanceId, Timestamp>,
        day: Timestamp,
        hours: &BTreeMap<Timestamp, Vec<Line>>,
    ) -> Result<usize, StoreError> {
        let store = &*self.ports.store;
        let (key, account) = (book::day_key(day, site), site.account);
        let mut version = store.get(&key).await?.map_or(Expect::Absent, |row| Expect::Version(row.version));
        let pages = rows::all(store, &book::day_prefix(day, account)).await?;
        let mut pages: Vec<Page> = pages.iter().filter_map(|row| record::read(&row.value)).collect();
        let before = pages.len();
        for (hour, wanted) in hours {
            let of_hour = || pages.iter().filter(|page| page.hour == *hour);
            let mut booked = book::in_force(of_hour());
            // Others, and what was before, stay as they are.
            booked.retain(|(id, at), _| instances.get(id).is_some_and(|from| at >= from));
            let (out, new) = book::changes(&booked, wanted);
            let seq = u32::try_from(of_hour().count()).unwrap_or(u32::MAX);
            let mut parts = Vec::new();
            for (seq, (out, lines)) in (seq..).zip(parted(&out, &new)) {
                let (at, unit) = (self.now(), self.unit(account));
                let (hour, format, discount) = (*hour, book::FORMAT, 0);
                let region = site.region.clone();
                parts.push(Page { format, hour, account, region, unit, seq, at, discount, out, lines });
            }
            for page in parts {
                let page_key = book::page_key(*hour, account, page.seq);
                let page_put = put(page_key, &page, Expect::Absent);
                pages.push(page);
                let here: Vec<Page> = pages.iter().filter(|page| page.region == site.region).cloned().collect();
                let sums = book::day(&here).and_then(|sums| put(key.clone(), &sums, version));
                let due = put(due_key(*hour, account), &Due { hour: *hour, account }, Expect::Anything);
                let puts: Vec<Put> = due.into_iter().chain(page_put).chain(sums).collect();
                let versions = store.write(&puts).await?;
                version = versions.last().map_or(version, |version| Expect::Version(*version));
            }
        }
        Ok(pages.len() - before)
    }

    /// The stored ledger, with everything booked up to now: as a fresh worker finds it, from the store alone.
    pub(crate) async fn books(&self) -> Result<Books, StoreError> {
        let store = &*self.ports.store;
        Ok(Books {
            pages: read(&rows::all(store, book::BOOK).await?),
            days: read(&rows::all(store, book::DAYS).await?),
            usages: read(&rows::all(store, "usage/").await?),
            hours: read(&rows::all(store, hours::HOURS).await?),
            closed: read(&rows::all(store, hours::CLOSED).await?),
        })
    }
}

/// The beginning of the hour in which `at` lies.
pub(crate) fn hour_of(at: Timestamp) -> Timestamp {
    book::hours(at, at + Span::millis(1)).next().unwrap_or(at)
}

fn read<T: serde::de::DeserializeOwned>(rows: &[Stored]) -> Vec<T> {
    rows.iter().filter_map(|row| record::read(&row.value)).collect()
}

/// Lines in pages of at most so many; what is taken out goes first.
fn parted(out: &[Line], new: &[Line]) -> Vec<(Vec<Line>, Vec<Line>)> {
    let out = out.chunks(LINES_MAX).map(|lines| (lines.to_vec(), Vec::new()));
    let mut pages: Vec<(Vec<Line>, Vec<Line>)> = out.collect();
    let mut new = new.chunks(LINES_MAX);
    // A correction is one page where it fits, so that no reader sees the half of it.
    if let Some((out, lines)) = pages.last_mut().filter(|(out, _)| out.len() < LINES_MAX)
        && new.len() == 1
    {
        let first = new.next().unwrap_or_default();
        if out.len() + first.len() <= LINES_MAX {
            *lines = first.to_vec();
        } else {
            pages.push((Vec::new(), first.to_vec()));
        }
    }
    pages.extend(new.map(|lines| (Vec::new(), lines.to_vec())));
    pages
}

fn place(usage: &Usage) -> (Region, Pool) {
    let pool = Pool { az: usage.az.clone(), kind: usage.kind, product: usage.product };
    (usage.group.site.region.clone(), pool)
}

fn mark_key(usage: &Usage) -> String {
    format!("{MARKS}{}/{}", usage.group.site, usage.instance)
}

fn put(key: String, row: &impl Serialize, expect: Expect) -> Option<Put> {
    Some(Put { key, value: Some(serde_json::to_vec(row).ok()?), expect, fence: ROW_FENCE })
}
