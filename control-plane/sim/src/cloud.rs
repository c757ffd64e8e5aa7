//! The engine's cloud over the simulated organization: every call has its way there, its effect and its way back.
//!
//! Knows buckets, latencies and injected faults; what a call does is the world's business.

mod act;
mod bucket;
mod commitments;
mod look;
mod price;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use spothub_core::fault::{Conflict, Fault};
use spothub_core::id::{GroupKey, GroupName, InstanceId, Region, Site};
use spothub_core::lookup::Lookup;
use spothub_core::port::Cause;
use spothub_core::time::{Span, Timestamp};

use crate::exec::{Exec, lock};
use crate::record::{Call, Outcome, What};
use crate::seed::{Seeds, Stream};
use crate::shape::{ApiShape, Bucket, Delay, Shape};
use crate::world::{SharedWorld, World};

use bucket::Tokens;
use price::Board;

/// Core's `Look`, `Act`, `Prices` and `Directory` over a simulated organization.
pub struct SimCloud {
    exec: Exec,
    world: Arc<SharedWorld>,
    api: ApiShape,
    state: Mutex<State>,
}

struct State {
    chance: Stream,
    /// For what the books ask, so that a run goes the same way whether they are kept or not.
    books: Stream,
    buckets: Lookup<(Site, Family), Tokens>,
    images: BTreeSet<(Site, GroupName, u64)>,
    boards: BTreeMap<Region, Board>,
}

/// Calls that share a bucket.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Hash)]
enum Family {
    Ec2Read,
    Ec2Change,
    Run,
    Terminate,
    Launched,
    AsgRead,
    AsgChange,
    Elb,
    Iam,
}

/// One call on its way.
struct Ask<'a> {
    site: &'a Site,
    action: &'static str,
    family: Family,
    changing: bool,
    group: Option<&'a GroupName>,
    instance: Option<&'a InstanceId>,
    names: &'a [GroupName],
    cause: Cause<'a>,
    /// What it takes beside the way there and back.
    work: Option<Delay>,
}

impl<'a> Ask<'a> {
    fn read(site: &'a Site, action: &'static str, family: Family, cause: Cause<'a>) -> Self {
        Self { site, action, family, changing: false, group: None, instance: None, names: &[], cause, work: None }
    }

    fn change(site: &'a Site, action: &'static str, family: Family, cause: Cause<'a>) -> Self {
        Self { changing: true, ..Self::read(site, action, family, cause) }
    }

    fn of_group(self, key: &'a GroupKey) -> Self {
        Self { group: Some(&key.name), ..self }
    }

    fn with(self, instance: &'a InstanceId) -> Self {
        Self { instance: Some(instance), ..self }
    }
}

/// What chance has in store for a call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fate {
    Done,
    Throttled,
    Busy,
    Broken,
    LostBefore,
    LostAfter,
}

const UNREACHABLE: Fault = Fault::Unreachable("the role cannot be assumed");

impl SimCloud {
    /// The cloud over a world built from the same shape and seed.
    #[must_use]
    pub fn new(world: Arc<SharedWorld>, shape: &Shape, seed: u64) -> Self {
        let exec = world.lock().exec().clone();
        let state = State {
            chance: Seeds(seed).stream("cloud", ""),
            books: Seeds(seed).stream("cloud-books", ""),
            buckets: Lookup::default(),
            images: BTreeSet::new(),
            boards: BTreeMap::new(),
        };
        Self { exec, world, api: shape.api.clone(), state: Mutex::new(state) }
    }

    fn span(&self, delay: Delay) -> Span {
        Span(lock(&self.state).chance.between(delay.low.0, delay.high.0))
    }

    async fn wait(&self, span: Span) {
        self.exec.sleep_until(self.exec.now() + span).await;
    }

    const fn bucket(&self, family: Family) -> Bucket {
        match family {
            Family::Ec2Read => self.api.ec2_read,
            Family::Ec2Change => self.api.ec2_change,
            Family::Run => self.api.run,
            Family::Terminate => self.api.terminate,
            Family::Launched => self.api.launched,
            Family::AsgRead => self.api.asg_read,
            Family::AsgChange => self.api.asg_change,
            Family::Elb => self.api.elb,
            Family::Iam => self.api.iam,
        }
    }

    /// Takes a token, if one is there.
    fn takes(&self, site: &Site, family: Family, now: Timestamp) -> bool {
        let bucket = self.bucket(family);
        let mut state = lock(&self.state);
        let tokens = state.buckets.get_or_insert_with(&(site.clone(), family), || Tokens::full(bucket, now));
        tokens.take(bucket, now)
    }

    fn fate(&self, ask: &Ask<'_>) -> Fate {
        let (faults, quiet) = {
            let world = self.world.lock();
            (world.faults.clone(), world.is_quiet())
        };
        if quiet {
            return Fate::Done;
        }
        let chance = &mut lock(&self.state).chance;
        if chance.chance(faults.throttled_ppm) {
            Fate::Throttled
        } else if chance.chance(faults.broken_ppm) {
            Fate::Broken
        } else if chance.chance(faults.lost_ppm) {
            Fate::LostBefore
        } else if chance.chance(faults.lost_done_ppm) {
            Fate::LostAfter
        } else if ask.changing && ask.family == Family::AsgChange && chance.chance(faults.busy_ppm) {
            Fate::Busy
        } else {
            Fate::Done
        }
    }

    /// Why the account refuses the call before anything else is asked.
    fn refused(&self, ask: &Ask<'_>) -> Option<Fault> {
        let world = self.world.lock();
        let account = world.account(ask.site.account);
        let since = world.since_start();
        match account {
            None => Some(UNREACHABLE),
            Some(account) if !account.active || account.unreachable.is_some_and(|w| w.contains(since)) => {
                Some(UNREACHABLE)
            }
            Some(account) if ask.changing && account.denied.is_some_and(|w| w.contains(since)) => {
                Some(Fault::Denied(ask.action))
            }
            Some(account) if account.lacks.get(ask.action).is_some_and(|w| w.contains(since)) => {
                Some(Fault::Denied(ask.action))
            }
            Some(_) if ask.changing && world.refuses(ask.site, ask.group, ask.action) => {
                Some(Fault::Denied(ask.action))
            }
            Some(_) => None,
        }
    }

    /// Sends a call, has it done by `effect`, writes its record, and brings the answer back.
    /// `launched` names the instance that an answer speaks of.
    async fn send<T: Send>(
        &self,
        ask: Ask<'_>,
        effect: impl FnOnce(&mut World) -> Result<T, Fault> + Send,
        launched: fn(&T) -> Option<&InstanceId>,
    ) -> Result<T, Fault> {
        self.wait(self.span(self.api.leg)).await;
        if let Some(work) = ask.work {
            self.wait(self.span(work)).await;
        }
        let now = self.exec.now();
        if let Some(fault) = self.refused(&ask) {
            self.tell(&ask, Outcome::Denied, false, None);
            self.wait(self.span(self.api.leg)).await;
            return Err(fault);
        }
        let fate = if self.takes(ask.site, ask.family, now) { self.fate(&ask) } else { Fate::Throttled };
        let answer = match fate {
            Fate::Throttled => {
                self.tell(&ask, Outcome::Throttled, false, None);
                Err(Fault::Throttled { after: None })
            }
            Fate::Busy => {
                self.tell(&ask, Outcome::Error, false, None);
                Err(Fault::Conflict(Conflict::Busy))
            }
            Fate::Broken => {
                self.tell(&ask, Outcome::Error, false, None);
                Err(Fault::Broken)
            }
            Fate::LostBefore => {
                self.tell(&ask, Outcome::Lost, false, None);
                self.wait(self.api.lost_after).await;
                return Err(Fault::Unclear);
            }
            Fate::Done | Fate::LostAfter => self.perform(&ask, fate, effect, launched),
        };
        if fate == Fate::LostAfter {
            self.wait(self.api.lost_after).await;
            return Err(Fault::Unclear);
        }
        self.wait(self.span(self.api.leg)).await;
        answer
    }

    /// The moment of effect. The call's record stands before the records of what it did.
    fn perform<T>(
        &self,
        ask: &Ask<'_>,
        fate: Fate,
        effect: impl FnOnce(&mut World) -> Result<T, Fault>,
        launched: fn(&T) -> Option<&InstanceId>,
    ) -> Result<T, Fault> {
        let mut world = self.world.lock();
        world.hold_records();
        let answer = effect(&mut world);
        let outcome = match (&answer, fate) {
            (_, Fate::LostAfter) => Outcome::Lost,
            (Ok(_), _) => Outcome::Ok,
            (Err(Fault::Throttled { .. }), _) => Outcome::Throttled,
            (Err(_), _) => Outcome::Error,
        };
        let instance = answer.as_ref().ok().and_then(launched).or(ask.instance);
        let call = record(ask, outcome, answer.is_ok(), instance);
        world.release_records(What::Call(Box::new(call)));
        answer
    }

    fn tell(&self, ask: &Ask<'_>, outcome: Outcome, took_effect: bool, instance: Option<&InstanceId>) {
        let call = record(ask, outcome, took_effect, instance.or(ask.instance));
        self.world.lock().emit(What::Call(Box::new(call)));
    }

    /// Whether this image was not read before; it counts as read from now on.
    fn is_new_image(&self, group: &GroupKey, version: u64) -> bool {
        lock(&self.state).images.insert((group.site.clone(), group.name.clone(), version))
    }

    fn forget_image(&self, group: &GroupKey, version: u64) {
        lock(&self.state).images.remove(&(group.site.clone(), group.name.clone(), version));
    }
}

fn record(ask: &Ask<'_>, outcome: Outcome, took_effect: bool, instance: Option<&InstanceId>) -> Call {
    let (swap, swaps) = match ask.cause.swaps {
        [one] => (Some(one.clone()), Vec::new()),
        several => (None, several.to_vec()),
    };
    Call {
        account: ask.site.account,
        region: ask.site.region.clone(),
        action: ask.action.to_owned(),
        changing: ask.changing,
        poll: ask.cause.poll,
        outcome,
        took_effect,
        group: ask.group.cloned(),
        swap,
        swaps,
        instance_id: instance.cloned(),
        why: ask.cause.orphan.then(|| "orphan".to_owned()),
        looked_at: ask.names.to_vec(),
    }
}

const fn none<T>(_: &T) -> Option<&'static InstanceId> {
    None
}
