//! The ledger's facts: when our newcomers and what they replaced began and ended, as EC2 says.

use std::collections::BTreeSet;

use spothub_core::catalog::TypeId;
use spothub_core::group::{GroupView, Lifecycle, Member};
use spothub_core::id::{InstanceId, Site};
use spothub_core::money::UsdPerHour;
use spothub_core::plan::{self, Origin};
use spothub_core::port::{Expect, InstanceSeen, Put, RunState, StoreError, TemplateFacts};
use spothub_core::record::{FORMAT, Request, Usage};
use spothub_core::time::Timestamp;

use crate::books::{Books, hour_of};
use crate::engine::Engine;
use crate::held::Held;
use crate::rows::ROW_FENCE;

/// What a list of instances answers.
#[derive(Clone, Copy)]
pub(crate) enum Asked<'a> {
    /// Everything with our tag at the site.
    Ours,
    /// These ids.
    These(&'a BTreeSet<InstanceId>),
}

impl Engine {
    /// Notes in the ledger's rows what was seen of instances: of newcomers themselves, and of what they replaced.
    /// What EC2 was asked for and does not know any more ended unseen.
    pub(crate) async fn account(&self, site: &Site, seen: &[InstanceSeen], asked: Asked<'_>, now: Timestamp) {
        let mut puts = Vec::new();
        {
            let mut memory = self.memory();
            let Some(usages) = memory.usages.get_mut(site) else { return };
            let rows: std::collections::BTreeMap<&InstanceId, &InstanceSeen> =
                seen.iter().map(|row| (&row.id, row)).collect();
            for usage in usages.values_mut() {
                if usage.settled && usage.ended_at.is_some() {
                    continue;
                }
                let before = (usage.launched_at, usage.ended_at, usage.replaced_at, usage.settled);
                let mut unseen = |known: bool, end: &mut Option<Timestamp>| {
                    // The end counts from now: too late for us and in nobody's favor, so it is marked.
                    if known && end.is_none() {
                        *end = Some(now);
                        usage.unseen = true;
                    }
                };
                match rows.get(&usage.instance) {
                    Some(row) => {
                        usage.launched_at = Some(row.facts.launched_at);
                        usage.ended_at = ended(row, usage.ended_at);
                    }
                    None => unseen(matches!(asked, Asked::Ours) && usage.launched_at.is_some(), &mut usage.ended_at),
                }
                match (rows.get(&usage.replaces), asked) {
                    (Some(row), _) => usage.replaced_at = ended(row, usage.replaced_at),
                    (None, Asked::These(ids)) => unseen(ids.contains(&usage.replaces), &mut usage.replaced_at),
                    (None, Asked::Ours) => {}
                }
                let over = usage.ended_at.is_some_and(|end| usage.replaced_at.is_some() || end < now - SETTLED_AFTER);
                usage.settled = usage.replaced_at.is_some() || over;
                if before != (usage.launched_at, usage.ended_at, usage.replaced_at, usage.settled) {
                    puts.extend(usage_put(usage));
                }
            }
        }
        for some in puts.chunks(spothub_core::port::WRITE_ITEMS_MAX) {
            if self.ports.store.write(some).await.is_err() {
                tracing::warn!(account = %site.account, region = %site.region, "ledger rows not written; next sweep");
            }
        }
    }

    /// Opens the ledger's row of what was just launched, to be written with the record.
    pub(crate) fn note_usage(&self, held: &mut Held, index: usize) {
        let record = &held.kept.record;
        let op = &record.ops[index];
        let Some(new) = op.stage.newcomer() else { return };
        let usage = Usage {
            format: FORMAT,
            instance: new.id.clone(),
            swap: op.id.clone(),
            group: record.group.clone(),
            kind: new.kind,
            az: op.az.clone(),
            lifecycle: op.request.lifecycle,
            quoted: quoted(&op.request, new.kind),
            product: op.product,
            replaces: op.old.clone(),
            baseline: op.baseline,
            original: op.original,
            launched_at: None,
            ended_at: None,
            replaced_at: None,
            unseen: false,
            settled: false,
        };
        if let Some(put) = usage_put(&usage) {
            held.rows.push(put);
        }
        let mut memory = self.memory();
        memory.usages.entry(usage.group.site.clone()).or_default().insert(usage.instance.clone(), usage);
    }

    /// Reads the ledger's row of an instance that another worker may have launched since its site was last adopted.
    pub(crate) async fn learn_usage(&self, site: &Site, id: &InstanceId) -> Result<(), StoreError> {
        let known = self.memory().usages.get(site).is_some_and(|rows| rows.contains_key(id));
        if known || !self.settings.peers {
            return Ok(());
        }
        let row = self.ports.store.get(&usage_key(site, id)).await?;
        if let Some(usage) = row.and_then(|row| serde_json::from_slice(&row.value).ok()) {
            self.remember_usage(usage);
        }
        Ok(())
    }

    /// What an instance stands for: the on-demand type and price at the beginning of its chain of replacements.
    pub(crate) fn stands_for(
        &self,
        view: &GroupView,
        member: &Member,
        template: &TemplateFacts,
    ) -> Option<(TypeId, UsdPerHour)> {
        let site = &view.key.site;
        if let Some(usage) = self.memory().usages.get(site).and_then(|rows| rows.get(&member.id)) {
            return Some((usage.original, usage.baseline));
        }
        let kind = member.kind?;
        Some((kind, self.catalog.on_demand(&site.region, template.product, kind)?))
    }

    /// What the members stand for that we launched.
    pub(crate) fn origins(&self, view: &GroupView) -> plan::Origins {
        let memory = self.memory();
        let Some(rows) = memory.usages.get(&view.key.site) else { return plan::Origins::new() };
        let ours = view.members.iter().filter_map(|member| rows.get(&member.id));
        let origin = |usage: &Usage| Origin { kind: usage.original, price: usage.baseline, quoted: usage.quoted };
        ours.map(|usage| (usage.instance.clone(), origin(usage))).collect()
    }

    /// The stored ledger as a fresh worker finds it, with everything booked up to now: from the store, and from what
    /// EC2 says of rows that are open.
    pub async fn audit(&self) -> Result<Books, StoreError> {
        self.recover().await;
        // Who is in which unit; those that are not known are at the root.
        let _ = self.read_directory().await;
        self.close_books().await;
        let now = self.now();
        self.keep_books(now).await?;
        self.hand_over(hour_of(now)).await?;
        self.books().await
    }

    /// Reads the facts of every site that has open rows once more, so that the books can be closed now.
    async fn close_books(&self) {
        let sites: Vec<Site> = self.memory().usages.keys().cloned().collect();
        for site in sites {
            let now = self.now();
            let olds: BTreeSet<InstanceId> = {
                let memory = self.memory();
                let open = memory.usages.get(&site).into_iter().flat_map(|rows| rows.values());
                open.filter(|u| u.replaced_at.is_none() && !u.settled).map(|u| u.replaces.clone()).collect()
            };
            let ids: Vec<InstanceId> = olds.iter().cloned().collect();
            if let Ok(seen) = self.read_instances(&site, &ids, spothub_core::port::Cause::default()).await {
                self.account(&site, &seen, Asked::These(&olds), now).await;
            }
            if let Ok(managed) = self.ports.look.managed(&site, spothub_core::port::Cause::default()).await {
                self.account(&site, &managed, Asked::Ours, now).await;
            }
        }
    }
}

/// A newcomer that ended this long ago while what it was to replace lives on never replaced it.
const SETTLED_AFTER: spothub_core::time::Span = spothub_core::time::Span::mins(30);

/// What was counted on for a pool; on demand is not quoted.
fn quoted(request: &Request, kind: TypeId) -> Option<UsdPerHour> {
    let pools = request.pools.iter().filter(|_| request.lifecycle == Lifecycle::Spot);
    pools.into_iter().find(|pool| pool.kind == kind).map(|pool| pool.quoted)
}

fn ended(row: &InstanceSeen, known: Option<Timestamp>) -> Option<Timestamp> {
    known.or(if row.state == RunState::Ended { row.ended_at } else { None })
}

fn usage_key(site: &Site, id: &InstanceId) -> String {
    format!("usage/{site}/{id}")
}

/// The write of a ledger row.
pub(crate) fn usage_put(usage: &Usage) -> Option<Put> {
    let value = serde_json::to_vec(usage).ok()?;
    Some(Put {
        key: usage_key(&usage.group.site, &usage.instance),
        value: Some(value),
        expect: Expect::Anything,
        fence: ROW_FENCE,
    })
}
