//! One reading of the organization: accounts, the units above them, and tags where they are asked for.
//!
//! Knows which questions lead to a whole list; knows nothing of how long a list is good for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use spothub_core::fault::Fault;
use spothub_core::id::{AccountId, Region};
use spothub_core::port::{Account, Clock};
use spothub_core::time::{Span, Timestamp};

use super::ask::{Answer, Ask, Item, Row};
use super::enrolment::Enrolment;
use super::pace::Pace;
use super::unit::{Chain, UnitId, path};

/// Pages of one answer: 50,000 accounts, the most an organization can be raised to, are 2,500 pages of 20.
const PAGES_MAX: usize = 5_000;
/// Tries of one page while Organizations says that it is asked too often; the SDK has tried each three times.
const TRIES_MAX: u32 = 4;
/// The wait before the second try; it doubles.
const TRY_AGAIN: Span = Span::secs(2);
/// Most units of a walk: five times the default quota of 2,000.
const UNITS_MAX: usize = 10_000;
/// A unit's name is read again after so long: renaming is rare, and a policy that names units is written by hand.
const NAME_AGE_MAX: Span = Span::hours(6);
/// An account's tags are read again after so long: it is when an opt-in by account tag takes effect at the latest.
const TAGS_AGE_MAX: Span = Span::hours(6);
/// Most accounts whose tags are read in one reading: two minutes at five a second. The rest follow at the next.
const TAG_READS_MAX: usize = 600;

/// Something that was read at a time.
struct Dated<T> {
    at: Timestamp,
    value: T,
}

/// What one reading leaves for the next.
#[derive(Default)]
pub(super) struct Known {
    names: BTreeMap<UnitId, Dated<String>>,
    tags: BTreeMap<AccountId, Dated<BTreeMap<String, String>>>,
}

/// What a reading gave.
pub(super) struct Listed {
    pub(super) accounts: Vec<Account>,
    /// Accounts left out because the units above them could not be told.
    pub(super) unplaced: usize,
    /// Accounts left out because their tags were not read yet.
    pub(super) untagged: usize,
}

/// Asks, at the API's own pace.
pub(super) struct Reader {
    answer: Box<dyn Answer>,
    pace: Pace,
    clock: Arc<dyn Clock>,
}

impl Reader {
    pub(super) fn new(answer: Box<dyn Answer>, clock: Arc<dyn Clock>) -> Self {
        Self { answer, pace: Pace::new(Arc::clone(&clock)), clock }
    }

    /// Reads the enrolled accounts.
    pub(super) async fn read(
        &self,
        enrolment: &Enrolment,
        regions: &BTreeSet<Region>,
        known: &mut Known,
    ) -> Result<Listed, Fault> {
        let mut rows: Vec<Row> = self.all(&Ask::Accounts).await?.into_iter().filter_map(account).collect();
        if rows.is_empty() {
            // The organization has at least the account that we ask from: an empty list is a wrong one.
            return Err(Fault::Broken);
        }
        if rows.iter().any(|row| row.chain.is_none()) {
            self.place(&mut rows, known).await?;
        }
        let listed = rows.len();
        rows.retain(|row| row.chain.is_some());
        let unplaced = listed - rows.len();
        rows.retain(|row| enrolment.covers(row.id, row.chain.as_deref().unwrap_or_default()));
        rows.sort_by_key(|row| row.id);
        rows.dedup_by_key(|row| row.id);
        self.name(&rows, known).await?;
        let untagged = if enrolment.tag.is_some() || enrolment.tags { self.tag(&rows, known).await? } else { 0 };
        let names: BTreeMap<UnitId, String> =
            known.names.iter().map(|(unit, name)| (unit.clone(), name.value.clone())).collect();
        let mut listed = Listed { accounts: Vec::with_capacity(rows.len()), unplaced, untagged };
        for row in rows {
            let tags = known.tags.get(&row.id).map(|tags| &tags.value);
            if !enrolment.tagged(tags) {
                continue;
            }
            let tags = tags.cloned();
            match path(&row.chain.unwrap_or_default(), &names) {
                Some(ou) => {
                    let regions = regions.clone();
                    listed.accounts.push(Account { id: row.id, name: row.name, ou, tags, regions, active: row.active });
                }
                None => listed.unplaced += 1,
            }
        }
        Ok(listed)
    }

    /// Finds accounts' units by walking down from the root, where AWS does not state their paths.
    ///
    /// Two calls a unit. Asking for each account's parent would be one call an account: a quarter of an hour for 5,000.
    async fn place(&self, rows: &mut [Row], known: &mut Known) -> Result<(), Fault> {
        let mut chains: BTreeMap<AccountId, Chain> = BTreeMap::new();
        let roots = self.all(&Ask::Roots).await?.into_iter().filter_map(unit);
        let mut open: Vec<Chain> = roots.map(|(root, _)| vec![root]).collect();
        let mut seen = 0;
        while let Some(chain) = open.pop() {
            let Some(parent) = chain.last().cloned() else { continue };
            seen += 1;
            if seen > UNITS_MAX {
                return Err(Fault::Broken);
            }
            for (unit, name) in self.all(&Ask::UnitsOf(parent.clone())).await?.into_iter().filter_map(unit) {
                known.names.insert(unit.clone(), Dated { at: self.clock.now(), value: name });
                open.push(chain.iter().cloned().chain([unit]).collect());
            }
            for row in self.all(&Ask::AccountsOf(parent)).await?.into_iter().filter_map(account) {
                chains.insert(row.id, chain.clone());
            }
        }
        for row in rows.iter_mut() {
            if let Some(chain) = chains.remove(&row.id) {
                row.chain = Some(chain);
            }
        }
        Ok(())
    }

    /// Reads the names of these accounts' units that are unknown or old.
    async fn name(&self, rows: &[Row], known: &mut Known) -> Result<(), Fault> {
        let chains = rows.iter().flat_map(|row| row.chain.iter().flatten());
        let units: BTreeSet<&UnitId> = chains.filter(|unit| !unit.is_root()).collect();
        known.names.retain(|unit, _| units.contains(unit));
        for unit in units {
            let now = self.clock.now();
            if known.names.get(unit).is_some_and(|name| now.since(name.at) < NAME_AGE_MAX) {
                continue;
            }
            let found = self.all(&Ask::Unit(unit.clone())).await?.into_iter().find_map(|item| match item {
                Item::Unit(id, name) if id == *unit => Some(name),
                Item::Unit(..) | Item::Account(_) | Item::Tag(..) => None,
            });
            if let Some(value) = found {
                known.names.insert(unit.clone(), Dated { at: now, value });
            }
        }
        Ok(())
    }

    /// Reads tags that are unknown or old, unknown ones first; the number of accounts left without.
    async fn tag(&self, rows: &[Row], known: &mut Known) -> Result<usize, Fault> {
        let listed: BTreeSet<AccountId> = rows.iter().map(|row| row.id).collect();
        known.tags.retain(|account, _| listed.contains(account));
        let now = self.clock.now();
        let mut due: Vec<(Option<Timestamp>, AccountId)> = rows
            .iter()
            .filter(|row| row.active)
            .map(|row| (known.tags.get(&row.id).map(|tags| tags.at), row.id))
            .filter(|(at, _)| at.is_none_or(|at| now.since(at) >= TAGS_AGE_MAX))
            .collect();
        due.sort_unstable();
        for (_, account) in due.iter().take(TAG_READS_MAX) {
            let items = self.all(&Ask::Tags(*account)).await?;
            let tags = items.into_iter().filter_map(|item| match item {
                Item::Tag(key, value) => Some((key, value)),
                Item::Account(_) | Item::Unit(..) => None,
            });
            known.tags.insert(*account, Dated { at: self.clock.now(), value: tags.collect() });
        }
        Ok(due.iter().skip(TAG_READS_MAX).filter(|(at, _)| at.is_none()).count())
    }

    /// All pages of an answer. Pages can be empty before the last; only a missing token ends them.
    async fn all(&self, ask: &Ask) -> Result<Vec<Item>, Fault> {
        let (mut items, mut token) = (Vec::new(), None::<String>);
        for _ in 0..PAGES_MAX {
            let page = self.page(ask, token.as_deref()).await?;
            items.extend(page.items);
            match page.next.filter(|next| !next.is_empty()) {
                None => return Ok(items),
                // The same token again would go round for ever.
                Some(next) if token.as_ref() == Some(&next) => return Err(Fault::Broken),
                Some(next) => token = Some(next),
            }
        }
        Err(Fault::Broken)
    }

    async fn page(&self, ask: &Ask, token: Option<&str>) -> Result<super::ask::Page, Fault> {
        let mut wait = TRY_AGAIN;
        for _ in 1..TRIES_MAX {
            self.pace.turn(ask.bucket()).await;
            match self.answer.page(ask, token).await {
                Err(Fault::Throttled { after }) => {
                    self.clock.sleep_until(self.clock.now() + after.unwrap_or(wait)).await;
                    wait = wait.times(2);
                }
                answered => return answered,
            }
        }
        self.pace.turn(ask.bucket()).await;
        self.answer.page(ask, token).await
    }
}

fn account(item: Item) -> Option<Row> {
    match item {
        Item::Account(row) => Some(row),
        Item::Unit(..) | Item::Tag(..) => None,
    }
}

fn unit(item: Item) -> Option<(UnitId, String)> {
    match item {
        Item::Unit(id, name) => Some((id, name)),
        Item::Account(_) | Item::Tag(..) => None,
    }
}
