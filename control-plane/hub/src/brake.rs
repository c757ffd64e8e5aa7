//! The brake at work: pulling and releasing it in the store, and asking for it before anything is begun (INV-11).
//!
//! A store that cannot be read, or holds more brakes than are read or one that this program does not understand, counts
//! as paused.

use std::collections::BTreeSet;

use spothub_core::audit::Deed;
use spothub_core::brake::{Brake, BrakeScope, Brakes, FORMAT, KEYS};
use spothub_core::fault::Fault;
use spothub_core::group::Lifecycle;
use spothub_core::id::{GroupKey, InstanceId, OuPath};
use spothub_core::plan;
use spothub_core::port::{Expect, Lane, Put, Store, StoreError};
use spothub_core::reason::HoldReason;
use spothub_core::record::{self, End, HoldRow, Usage, Why};
use spothub_core::saga::Next;
use spothub_core::time::{Span, Timestamp};
use spothub_usage::task::Flags;
use spothub_usage::task::rows::FLAGS;

use crate::audit;
use crate::engine::Engine;
use crate::held::{Halt, Held};
use crate::observe::during;
use crate::rows::{self, ROW_FENCE};

/// Brakes at once: one scope each, and beyond these one for the organization is meant. One page of the store.
pub const BRAKES_MAX: usize = 1000;
/// What was read is shown and decided by for so long; before a launch it is read afresh.
const AGE_MAX: Span = Span::secs(5);
/// Between two looks for a change: who waits for a release waits no longer, and one small read a worker costs little.
const READ_EVERY: Span = Span::secs(15);
/// How old what metering says may be: its task runs hourly.
const FLAGS_AGE_MAX: Span = Span::mins(1);
/// The item whose absence tells that this store was never used.
const BORN: &str = "hub/born";

/// The brakes that are set, in the order of their keys.
pub async fn brakes(store: &dyn Store) -> Result<Brakes, StoreError> {
    let page = store.query(KEYS, None, BRAKES_MAX).await?;
    if page.more {
        let remedy = "pause the organization instead, and release some";
        return Err(StoreError::Unavailable(format!("more than {BRAKES_MAX} brakes are set: {remedy}")));
    }
    let read = |bytes: &[u8]| serde_json::from_slice::<Brake>(bytes).ok().filter(|brake| brake.format <= FORMAT);
    let known = page.items.iter().map(|item| read(&item.value).ok_or(&item.key));
    let known: Result<Vec<Brake>, &String> = known.collect();
    known.map(Brakes).map_err(|key| StoreError::Unavailable(format!("{key} is not understood: a newer program set it")))
}

/// Pulls a brake; one that is set for this scope already is replaced.
pub async fn pull(store: &dyn Store, brake: &Brake) -> Result<(), StoreError> {
    let value = serde_json::to_vec(brake).map_err(|error| StoreError::Unavailable(error.to_string()))?;
    let put = Put { key: brake.scope.key(), value: Some(value), expect: Expect::Anything, fence: ROW_FENCE };
    audit::noted(store, put, Deed::Pulled, brake).await
}

/// Releases the brake of exactly this scope; `false` where none was set. Who does it, when and why is in `released`.
pub async fn release(store: &dyn Store, released: &Brake) -> Result<bool, StoreError> {
    let key = released.scope.key();
    if store.get(&key).await?.is_none() {
        return Ok(false);
    }
    audit::noted(store, rows::gone(key), Deed::Released, released).await.map(|()| true)
}

/// How many instances that we brought are on Spot in a scope, as the ledger's rows say; `None` for a unit, whose
/// accounts the store does not know.
pub async fn on_spot(store: &dyn Store, scope: &BrakeScope) -> Result<Option<u64>, StoreError> {
    let prefix = match scope {
        BrakeScope::Ou(_) => return Ok(None),
        BrakeScope::All | BrakeScope::Org | BrakeScope::Region(_) => "usage/".to_owned(),
        BrakeScope::Account(account) => format!("usage/{account}/"),
        BrakeScope::Group(group) => format!("usage/{}/", group.site),
    };
    let nowhere: OuPath = "/".parse().unwrap_or_else(|_| unreachable!("the root is a path"));
    let rows = rows::all(store, &prefix).await?;
    let usages = rows.iter().filter_map(|row| record::read::<Usage>(&row.value));
    let lives: Vec<Usage> =
        usages.filter(|usage| usage.ended_at.is_none() && scope.covers(&usage.group, &nowhere)).collect();
    // That an instance ended is told by the next sweep; who stands in for it is known at once.
    let replaced: BTreeSet<&InstanceId> = lives.iter().map(|usage| &usage.replaces).collect();
    let on_spot = |usage: &&Usage| usage.lifecycle == Lifecycle::Spot && !replaced.contains(&usage.instance);
    let count = lives.iter().filter(on_spot).count();
    Ok(Some(u64::try_from(count).unwrap_or(u64::MAX)))
}

/// The brake that a store begins with, where nobody has used it yet: it is set as soon as somebody does.
pub async fn of_a_new_hub(store: &dyn Store, at: Timestamp) -> Result<Option<Brake>, StoreError> {
    Ok(store.get(BORN).await?.is_none().then(|| newborn(at)))
}

fn newborn(at: Timestamp) -> Brake {
    let (why, by) = ("a new hub begins paused".to_owned(), "spothub".to_owned());
    Brake { format: FORMAT, scope: BrakeScope::Org, why, by, at, revert: false }
}

/// Sets the organization's brake in a store that was never used, so that a new hub begins only when somebody resumes
/// it; `false` where the store is in use.
pub async fn first_use(store: &dyn Store, at: Timestamp) -> Result<bool, StoreError> {
    if store.get(BORN).await?.is_some() {
        return Ok(false);
    }
    let brake = newborn(at);
    let value = serde_json::to_vec(&brake).map_err(|error| StoreError::Unavailable(error.to_string()))?;
    let born = Put { key: BORN.to_owned(), value: Some(b"1".to_vec()), expect: Expect::Absent, fence: ROW_FENCE };
    let put = Put { key: brake.scope.key(), value: Some(value), expect: Expect::Anything, fence: ROW_FENCE };
    match store.write(&[born, put]).await {
        Ok(_) => Ok(true),
        // Another worker was faster.
        Err(StoreError::Lost(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// What is asked of the brakes for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Errand {
    /// A newcomer on Spot, by choice.
    Swap,
    /// A newcomer on demand, by choice.
    Return,
    /// A newcomer for what AWS takes.
    Rescue,
}

/// What the brakes say to a launch.
pub(crate) enum Braked {
    /// Nothing.
    No,
    /// The swap is over.
    Ended,
    /// It is not known whether it was launched before; to be asked again then.
    NotBefore(Timestamp),
}

/// By then EC2 shows what was launched before the lease came to this worker.
const SHOWN_WITHIN: Span = Span::mins(1);
/// Between two looks for it.
const ASK_AGAIN: Span = Span::secs(20);

impl Engine {
    /// The brakes as they are known: read again where that was too long ago. `None` where they cannot be read.
    async fn known_brakes(&self) -> Option<Brakes> {
        let now = self.now();
        if let Some((at, brakes)) = &self.memory().brakes
            && now.since(*at) < AGE_MAX
        {
            return Some(brakes.clone());
        }
        self.read_brakes().await
    }

    /// The brakes as they are now. Every read is a strong one: that is the port's promise.
    async fn read_brakes(&self) -> Option<Brakes> {
        let asked = self.now();
        let brakes = brakes(&*self.ports.store).await.ok()?;
        self.memory().brakes = Some((asked, brakes.clone()));
        Some(brakes)
    }

    fn brake_of(&self, group: &GroupKey, brakes: Option<Brakes>, errand: Errand) -> Option<BrakeScope> {
        let rescue = errand == Errand::Rescue;
        let Some(brakes) = brakes else { return Some(if rescue { BrakeScope::All } else { BrakeScope::Org }) };
        if rescue {
            return brakes.on_rescues().map(|brake| brake.scope.clone());
        }
        // Where the unit is not known, a brake on it cannot be ruled out.
        let ou = self.memory().accounts.get(&group.site.account).map(|account| account.ou.clone());
        let Some(ou) = ou else { return Some(BrakeScope::Account(group.site.account)) };
        let found = match errand {
            Errand::Return => brakes.on_returns(group, &ou),
            Errand::Swap | Errand::Rescue => brakes.on_swaps(group, &ou),
        };
        found.map(|brake| brake.scope.clone())
    }

    /// The brake that sends a group back to on-demand, by what was last read.
    pub(crate) fn reverting(&self, group: &GroupKey) -> Option<BrakeScope> {
        let memory = self.memory();
        let ou = &memory.accounts.get(&group.site.account)?.ou;
        let (_, brakes) = memory.brakes.as_ref()?;
        let found = brakes.on_swaps(group, ou).filter(|_| brakes.on_returns(group, ou).is_none());
        found.map(|brake| brake.scope.clone())
    }

    /// The hold of a group whose swaps are paused, or cannot be billed, by what is known. One that goes back to
    /// on-demand is not.
    pub(crate) async fn paused(&self, group: &GroupKey) -> Option<plan::Hold> {
        if let Some(brake) = self.brake_of(group, self.known_brakes().await, Errand::Return) {
            return Some(plan::Hold { instance: None, reason: HoldReason::Paused { brake } });
        }
        let held = self.unmetered().await && self.reverting(group).is_none();
        held.then_some(plan::Hold { instance: None, reason: HoldReason::Metering })
    }

    /// Whether the metering task says to begin no swaps. A row that is missing says that nothing is metered here; one
    /// that cannot be understood holds them, and a store that does not answer leaves it as it was.
    async fn unmetered(&self) -> bool {
        let (now, known) = (self.now(), self.memory().unmetered);
        if let Some((at, held)) = known
            && now.since(at) < FLAGS_AGE_MAX
        {
            return held;
        }
        let before = known.is_some_and(|(_, held)| held);
        let row = self.ports.store.get(FLAGS).await;
        let held = match row {
            Ok(None) => false,
            Ok(Some(row)) => serde_json::from_slice(&row.value).map_or(true, |flags: Flags| flags.hold_swaps),
            Err(_) => before,
        };
        if held != before {
            tracing::warn!(held, "metering was read: whether new swaps may begin has changed");
        }
        self.memory().unmetered = Some((now, held));
        held
    }

    /// Whether rescues are paused, by what is known.
    pub(crate) async fn rescues_paused(&self, group: &GroupKey) -> bool {
        self.brake_of(group, self.known_brakes().await, Errand::Rescue).is_some()
    }

    /// Reads the brakes again and again, so that it is told when one is pulled or released, and groups that waited for
    /// the release are looked at.
    pub(crate) async fn brake_loop(&self) {
        let mut before = self.read_brakes().await;
        loop {
            self.ports.clock.sleep_until(self.now() + READ_EVERY).await;
            let now = self.read_brakes().await;
            if now == before {
                continue;
            }
            let set = now.as_ref().map_or(0, |brakes| brakes.0.len());
            tracing::info!(set, readable = now.is_some(), "brakes have changed");
            before = now;
            self.wake_paused();
        }
    }

    /// Wakes groups that are held as paused.
    fn wake_paused(&self) {
        let waiting: Vec<GroupKey> = {
            let memory = self.memory();
            let paused = |row: &HoldRow| matches!(row.reason, HoldReason::Paused { .. } | HoldReason::Reverted { .. });
            let reverts = memory.brakes.as_ref().is_some_and(|(_, brakes)| brakes.0.iter().any(|brake| brake.revert));
            // A revert concerns groups that were held for nothing.
            let held = memory.records.iter().filter(|(_, kept)| reverts || kept.record.holds.iter().any(paused));
            held.map(|(group, _)| group.clone()).collect()
        };
        for group in waiting {
            self.wake(&group, self.now(), Lane::Normal);
        }
    }

    /// Takes the lease for a launch and asks for the brakes: for a swap under the lease, so that nothing but the call
    /// itself comes after. A rescue asks meanwhile, which is still less than the time that a pause has to take hold.
    pub(crate) async fn leased_but_braked(&self, held: &mut Held, index: usize) -> Result<Braked, Halt> {
        if !held.kept.record.ops[index].id.is_rescue() {
            self.save_as_sent(held, index).await?;
            let brakes = self.read_brakes().await;
            return self.braked(held, index, brakes).await;
        }
        let asked = self.now();
        let (saved, mut brakes) = futures::future::join(self.save_as_sent(held, index), self.read_brakes()).await;
        saved?;
        if self.now().since(asked) >= AGE_MAX {
            brakes = self.read_brakes().await;
        }
        self.braked(held, index, brakes).await
    }

    /// Takes the lease with a launch on the record as perhaps sent: whoever finds this record after a crash must send
    /// the same token again before the swap may end, since only the answer says whether there is an instance. This
    /// worker will have the answer.
    async fn save_as_sent(&self, held: &mut Held, index: usize) -> Result<(), Halt> {
        let unclear = std::mem::replace(&mut held.record().ops[index].unclear, true);
        self.save_leased(held).await?;
        held.kept.record.ops[index].unclear = unclear;
        Ok(())
    }

    /// Where the brake was pulled meanwhile, and nothing was launched, the swap ends here.
    async fn braked(&self, held: &mut Held, index: usize, brakes: Option<Brakes>) -> Result<Braked, Halt> {
        let op = &held.kept.record.ops[index];
        let group = held.kept.record.group.clone();
        let errand = match op.request.lifecycle {
            _ if op.id.is_rescue() => Errand::Rescue,
            Lifecycle::OnDemand => Errand::Return,
            Lifecycle::Spot => Errand::Swap,
        };
        let Some(brake) = self.brake_of(&group, brakes, errand) else { return Ok(Braked::No) };
        if op.unclear {
            match self.launched_already(held, index).await {
                // The same token gives the instance that there is, and no other.
                Some(true) => return Ok(Braked::No),
                Some(false) => {}
                None => return Ok(Braked::NotBefore(self.now() + ASK_AGAIN)),
            }
        }
        if errand != Errand::Rescue {
            self.hold(held, &[plan::Hold { instance: None, reason: HoldReason::Paused { brake } }]);
        }
        self.close(held, index, End::Failed { why: Why::Paused }).await?;
        Ok(Braked::Ended)
    }

    /// Whether a launch that may have been sent was: under a brake it is not sent again to find out. `None` while that
    /// is not known.
    async fn launched_already(&self, held: &Held, index: usize) -> Option<bool> {
        let (op, group) = (&held.kept.record.ops[index], &held.kept.record.group);
        let now = self.now();
        let since = *self.memory().unsure.get_or_insert_with(&op.id, || now);
        let ours = self.ports.look.managed(&group.site, during(&op.id, group, op.step())).await.ok()?;
        let found = ours.iter().any(|row| row.facts.swap.as_ref() == Some(&op.id));
        (found || now.since(since) >= SHOWN_WITHIN).then_some(found)
    }

    /// A launch waits for its place in the rate limits before the lease is taken and the brake asked; all else is let
    /// through there.
    pub(crate) async fn admitted(&self, held: &Held, index: usize, call: &Next) -> Result<(), Fault> {
        let (Next::Launch { .. }, Some(act)) = (call, &self.ports.act) else { return Ok(()) };
        let (op, group) = (&held.kept.record.ops[index], &held.kept.record.group);
        act.admit(&group.site, during(&op.id, group, op.step())).await
    }
}
