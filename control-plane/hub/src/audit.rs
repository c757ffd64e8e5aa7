//! The log of what was done, in the store: written with what it tells of, and held against itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use spothub_core::audit::{BrakeRow, Deed, Link, Walk, walk};
use spothub_core::brake::Brake;
use spothub_core::id::GroupKey;
use spothub_core::port::{Expect, Put, Store, StoreError};
use spothub_core::record::{self, Closed, FORMAT, GroupRecord};

use crate::digest;
use crate::rows::{self, ROW_FENCE};

/// Rows of what was done with brakes: `log/brakes/<count>`.
const BRAKES: &str = "log/brakes/";
/// The last of them.
const HEAD: &str = "log/head";
/// Tries to write a brake with its row, or to read a group between two of its ends, where others write at the same
/// time: people do, a few at once, and groups end one swap in minutes.
const TRIES: u32 = 5;
/// Rows in one page of ends: some hundred KiB.
const PAGE: usize = 500;

/// Writes what is done with a brake together with its row in the log. A brake matters more than its row: where others
/// write theirs again and again, it is written alone, and the log is short of one.
pub(crate) async fn noted(store: &dyn Store, put: Put, deed: Deed, brake: &Brake) -> Result<(), StoreError> {
    let bad = |error: serde_json::Error| StoreError::Unavailable(error.to_string());
    for _ in 0..TRIES {
        let stored = store.get(HEAD).await?;
        let expect = stored.as_ref().map_or(Expect::Absent, |stored| Expect::Version(stored.version));
        let after = stored.and_then(|stored| serde_json::from_slice::<Link>(&stored.value).ok());
        let row = BrakeRow { format: FORMAT, deed, brake: brake.clone(), after: after.clone() };
        let value = serde_json::to_vec(&row).map_err(bad)?;
        let head = Link::after(after.as_ref(), digest::shown(&value));
        let key = format!("{BRAKES}{:010}", head.count);
        let row = Put { key, value: Some(value), expect: Expect::Absent, fence: ROW_FENCE };
        let value = Some(serde_json::to_vec(&head).map_err(bad)?);
        let head = Put { key: HEAD.to_owned(), value, expect, fence: ROW_FENCE };
        match store.write(&[put.clone(), row, head]).await {
            Err(StoreError::Lost(_)) => {}
            other => return other.map(drop),
        }
    }
    tracing::warn!(scope = %brake.scope, by = brake.by, why = brake.why, "written without its row in the audit log");
    store.write(&[put]).await.map(drop)
}

/// A chain.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "chain", content = "of")]
pub enum Chain {
    /// What people did with brakes.
    Brakes,
    /// The ends of a group's swaps and rescues.
    Group(GroupKey),
}

/// A chain's head, as others note it.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
pub struct Head {
    /// Whose.
    #[serde(flatten)]
    pub chain: Chain,
    /// Where it stands.
    #[serde(flatten)]
    pub link: Link,
}

/// What is wrong with a chain.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "found")]
pub enum Finding {
    /// A row is not what the next one, or the head, says that it is, or is not there.
    Broken {
        /// Which one is missing.
        #[serde(flatten)]
        at: Head,
    },
    /// Rows to which nothing leads.
    Loose {
        /// Of which chain.
        #[serde(flatten)]
        chain: Chain,
        /// How many.
        rows: u64,
    },
    /// A head that was noted before is not in the chain any more.
    Rewritten {
        /// As it was noted.
        #[serde(flatten)]
        noted: Head,
    },
    /// A row that cannot be read.
    Unreadable {
        /// Its key.
        key: String,
    },
}

/// What was held against itself.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Audit {
    /// Chains that have a row.
    pub chains: u64,
    /// Rows that a head leads to.
    pub rows: u64,
    /// What is wrong; empty is the only good answer.
    pub findings: Vec<Finding>,
    /// The heads, in their order.
    pub heads: Vec<Head>,
}

type Rows = BTreeMap<String, Option<Link>>;

impl Audit {
    fn take(&mut self, chain: &Chain, head: Option<&Link>, rows: &Rows, noted: &BTreeMap<&Chain, Vec<&Head>>) {
        let Walk { links, broken, loose } = walk(head, rows);
        self.chains += 1;
        self.rows += links.len() as u64;
        for head in noted.get(chain).into_iter().flatten() {
            if !links.contains(&head.link) {
                self.findings.push(Finding::Rewritten { noted: (*head).clone() });
            }
        }
        let of = |link: Link| Head { chain: chain.clone(), link };
        self.findings.extend(broken.map(|link| Finding::Broken { at: of(link) }));
        if !loose.is_empty() {
            self.findings.push(Finding::Loose { chain: chain.clone(), rows: loose.len() as u64 });
        }
        self.heads.extend(head.cloned().map(of));
    }
}

/// Holds all chains against themselves, and against heads that were noted before.
///
/// # Errors
///
/// Where the store cannot be read.
pub async fn verify(store: &dyn Store, noted: &[Head]) -> Result<Audit, StoreError> {
    let mut audit = Audit::default();
    let mut by_chain = BTreeMap::<&Chain, Vec<&Head>>::new();
    for head in noted {
        by_chain.entry(&head.chain).or_default().push(head);
    }
    let mut groups = BTreeMap::<GroupKey, Rows>::new();
    let mut after = None::<String>;
    loop {
        // Ends come before heads: what ends meanwhile is seen in the record alone, and told as such.
        let page = store.query("swap/", after.as_deref(), PAGE).await?;
        for item in &page.items {
            match record::read::<Closed>(&item.value) {
                Some(closed) => {
                    groups.entry(closed.group).or_default().insert(digest::shown(&item.value), closed.after);
                }
                None => audit.findings.push(Finding::Unreadable { key: item.key.clone() }),
            }
        }
        after = page.items.last().map(|item| item.key.clone());
        if !page.more {
            break;
        }
    }
    for item in rows::all(store, "group/").await? {
        let Some(record) = record::read::<GroupRecord>(&item.value) else {
            audit.findings.push(Finding::Unreadable { key: item.key });
            continue;
        };
        if record.ended.is_some() {
            groups.entry(record.group.clone()).or_default();
        }
        let Some(mut rows) = groups.remove(&record.group) else { continue };
        let mut head = record.ended;
        for _ in 0..TRIES {
            if head.as_ref().is_none_or(|link| rows.contains_key(&link.digest)) {
                break;
            }
            // It may have ended since its rows were read. Both are read again, in the same order.
            rows = ends(store, &record.group).await?;
            let stored = store.get(&format!("group/{}", record.group)).await?;
            head = stored.and_then(|stored| record::read::<GroupRecord>(&stored.value)).and_then(|record| record.ended);
        }
        audit.take(&Chain::Group(record.group), head.as_ref(), &rows, &by_chain);
    }
    for (group, rows) in groups {
        audit.take(&Chain::Group(group), None, &rows, &by_chain);
    }
    let mut brakes = Rows::new();
    for item in rows::all(store, BRAKES).await? {
        match record::read::<BrakeRow>(&item.value) {
            Some(row) => drop(brakes.insert(digest::shown(&item.value), row.after)),
            None => audit.findings.push(Finding::Unreadable { key: item.key }),
        }
    }
    let head = store.get(HEAD).await?.and_then(|stored| serde_json::from_slice::<Link>(&stored.value).ok());
    if head.is_some() || !brakes.is_empty() {
        audit.take(&Chain::Brakes, head.as_ref(), &brakes, &by_chain);
    }
    let known: Vec<Chain> = audit.heads.iter().map(|head| head.chain.clone()).collect();
    for head in noted.iter().filter(|head| !known.contains(&head.chain)) {
        let told = Finding::Rewritten { noted: head.clone() };
        if !audit.findings.contains(&told) {
            audit.findings.push(told);
        }
    }
    audit.heads.sort();
    Ok(audit)
}

/// The ends of one group.
async fn ends(store: &dyn Store, group: &GroupKey) -> Result<Rows, StoreError> {
    let rows = rows::all(store, &format!("swap/{}/", group.site)).await?;
    let ends = rows.iter().filter_map(|item| record::read::<Closed>(&item.value).map(|closed| (item, closed)));
    let own = ends.filter(|(_, closed)| closed.group == *group);
    Ok(own.map(|(item, closed)| (digest::shown(&item.value), closed.after)).collect())
}

/// What people did with brakes, in the order of the log.
///
/// # Errors
///
/// Where the store cannot be read.
pub async fn brakes(store: &dyn Store) -> Result<Vec<BrakeRow>, StoreError> {
    let rows = rows::all(store, BRAKES).await?;
    Ok(rows.iter().filter_map(|item| record::read::<BrakeRow>(&item.value)).collect())
}
