//! Drives one op: asks core what is next, records the intent, makes the call, records the answer, parks.

use spothub_core::audit::Link;
use spothub_core::fault::Fault;
use spothub_core::group::{GroupView, Lifecycle};
use spothub_core::id::{GroupKey, InstanceId, Site, SwapId};
use spothub_core::port::{Decrement, Expect, Lane, Launch, LaunchPool, Launched, Note, Put};
use spothub_core::record::{Closed, End, Op, Stage, Step, Why};
use spothub_core::saga::{self, Answer, Found, Next, Scene, Watch};
use spothub_core::time::{Span, Timestamp};

use crate::brake::Braked;
use crate::digest;
use crate::drain::{AskedOf, Drains};
use crate::engine::Engine;
use crate::held::{Halt, Held};
use crate::observe::during;
use crate::rows::ROW_FENCE;

/// Questions and calls for one op in one reconcile; a whole swap needs fewer, so more means going in circles.
const MOVES_MAX: usize = 24;
/// After a failed read while driving an op.
pub(crate) const READ_AGAIN: Span = Span::secs(10);

/// What was read for an op in this reconcile and cannot be asked twice.
#[derive(Default)]
struct Read {
    targets_healthy: Option<bool>,
    container: Option<Found>,
    taken_by_us: Option<bool>,
}

impl Engine {
    /// Drives the op with this id until it parks or ends.
    pub(crate) async fn drive(&self, held: &mut Held, view: &mut Option<GroupView>, id: &SwapId) -> Result<(), Halt> {
        let mut read = Read::default();
        for _ in 0..MOVES_MAX {
            if self.stopping() {
                // The step before is on the record; the next belongs to whoever reads it.
                return Ok(());
            }
            let Some(index) = held.kept.record.ops.iter().position(|op| op.id == *id) else { return Ok(()) };
            let next = self.next_of(held, view.as_ref(), index, &read);
            let Some(until) = self.make(held, view, index, next, &mut read).await? else { continue };
            let group = held.kept.record.group.clone();
            self.wake(&group, until, if id.is_rescue() { Lane::Urgent } else { Lane::Normal });
            self.leave_word(&group, until).await;
            return Ok(());
        }
        let group = held.kept.record.group.clone();
        tracing::warn!(account = %group.site.account, region = %group.site.region, group = %group.name, swap = %id,
            "an op goes in circles and is parked");
        self.wake(&group, self.now() + Span::mins(1), Lane::Normal);
        Ok(())
    }

    fn next_of(&self, held: &Held, view: Option<&GroupView>, index: usize, read: &Read) -> Next {
        let record = &held.kept.record;
        let op = &record.ops[index];
        let tags = view.map(|v| v.tags.clone()).unwrap_or_default();
        let Some(effective) = self.effective(&record.group, &tags) else {
            return Next::Wait(self.now() + Span::mins(1), Watch::Nothing);
        };
        let new = op.stage.newcomer();
        let scene = Scene {
            record,
            op,
            view,
            new_state: new.and_then(|n| self.state_of(&n.id)),
            targets_healthy: read.targets_healthy,
            container: read.container.clone(),
            tasks: self.tasks_of(op),
            taken_by_us: read.taken_by_us,
            effective: &effective,
            rights: &self.settings.rights,
            timings: &self.settings.timings,
            now: self.now(),
            inherited: self.is_inherited(&record.group, &op.id),
        };
        // Whether an attach without an answer was done is found out first: only then is it known what to give back.
        let asked = matches!(op.stage, Stage::Attach { .. }) && op.unclear;
        let noticed = !asked && new.is_some_and(|n| self.memory().notices.contains(&n.id));
        let drains = matches!(op.stage, Stage::Retire { sent: false, .. }) && op.drains_until().is_some();
        let early = drains || matches!(op.stage, Stage::Boot { .. } | Stage::Attach { .. } | Stage::Settle { .. });
        if let (true, Some(new)) = (noticed && early, new) {
            let attached = op.added;
            return Next::Enter(Stage::Undo { new: new.clone(), attached, sent: false, why: Why::NewLost });
        }
        if let Stage::Boot { new } = &op.stage
            && self.is_unseen(&record.group.site)
        {
            let undo = || Stage::Undo { new: new.clone(), attached: false, sent: false, why: Why::Denied };
            return view.map_or(Next::Look, |_| Next::Enter(undo()));
        }
        // Without a look nobody knows the tags: only what needs none may go on.
        let blind = view.is_none() && !matches!(op.stage, Stage::Restore { .. });
        if blind { saga::waits(&scene).unwrap_or(Next::Look) } else { saga::next(&scene) }
    }

    /// Does one move; `Some` is the time to park until.
    async fn make(
        &self,
        held: &mut Held,
        view: &mut Option<GroupView>,
        index: usize,
        next: Next,
        read: &mut Read,
    ) -> Result<Option<Timestamp>, Halt> {
        let now = self.now();
        let group = held.kept.record.group.clone();
        let op = &held.kept.record.ops[index];
        let (id, step) = (op.id.clone(), op.step());
        let cause = during(&id, &group, step);
        let again = Some(now + READ_AGAIN);
        match next {
            Next::Look => match self.look(&group, cause).await {
                Ok(Some(fresh)) => *view = Some(self.with_facts(fresh).await),
                Ok(None) => return self.group_gone(held, index).await,
                Err(Fault::Denied(_) | Fault::Unreachable(_)) => return self.stranded(held, index).await,
                Err(_) => return Ok(again),
            },
            Next::Targets => {
                let (Some(seen), Some(new)) = (view.as_ref(), held.kept.record.ops[index].stage.newcomer().cloned())
                else {
                    return Ok(again);
                };
                let cluster = op.drain.as_ref().map(|drain| &drain.cluster);
                match self.targets(seen, cluster, &new, cause).await {
                    Ok(healthy) => read.targets_healthy = Some(healthy),
                    // Who may not ask whether it serves does not let the old one go; what was done is taken back.
                    Err(Fault::Denied(_)) => {
                        self.enter(held, index, Stage::Undo { new, attached: true, sent: false, why: Why::Denied });
                    }
                    Err(Fault::Unreachable(_)) => return self.stranded(held, index).await,
                    Err(_) => return Ok(again),
                }
            }
            Next::Containers => match self.old_container(held, index).await? {
                AskedOf::Found(found) => read.container = Some(found),
                AskedOf::Again(at) => return Ok(Some(at)),
                AskedOf::Entered => {}
            },
            Next::Drained(state) => {
                held.record().ops[index].drain.iter_mut().for_each(|drain| drain.state = state.clone());
            }
            Next::Activities(instance, since) => match self.ports.look.activities(&group, since, cause).await {
                Ok(rows) => {
                    let ours = |a: &spothub_core::port::Activity| a.instance == instance && a.by_request_with_decrement;
                    read.taken_by_us = Some(rows.iter().any(ours));
                }
                // Without an answer nobody knows what is left to do.
                Err(Fault::Denied(_) | Fault::Unreachable(_)) => return self.stranded(held, index).await,
                Err(_) => return Ok(again),
            },
            Next::Enter(stage) => {
                read.taken_by_us = None;
                let attached = held.kept.record.ops[index].attached;
                self.enter(held, index, stage);
                let op = &mut held.kept.record.ops[index];
                if let (false, true, Some(seen)) = (attached, op.attached, view.as_ref()) {
                    op.desired_after = seen.desired;
                }
            }
            Next::Absorbed => self.absorbed(held, index, view.as_ref()),
            Next::ForgetMax => held.record().max = None,
            Next::Wait(until, watch) => return Ok(Some(self.watch(&group, index, held, until, watch))),
            Next::End(end) => self.close(held, index, end).await?,
            call @ (Next::Launch { .. }
            | Next::RaiseMax(_)
            | Next::Attach(_)
            | Next::Retire(_)
            | Next::Drain { .. }
            | Next::LetGo(_)
            | Next::Terminate(_)
            | Next::RestoreMax(_)) => return self.call(held, view, index, call).await,
        }
        Ok(None)
    }

    pub(crate) fn enter(&self, held: &mut Held, index: usize, stage: Stage) {
        let now = self.now();
        let group = held.kept.record.group.clone();
        let op = &mut held.record().ops[index];
        let left = op.step();
        op.enter(stage, now);
        let after = op.stage.label();
        if left.stage != after {
            self.unwatch(&group, op.new.as_ref());
            self.note(&Note::Swap {
                swap: &op.id,
                group: &group,
                state: after,
                old: &op.old,
                new: op.new.as_ref(),
                why: None,
                began: op.started_at,
                left: Some(left),
            });
        }
    }

    /// The owner's limits took our +1: the newcomer stays as one of those that the owner wants.
    fn absorbed(&self, held: &mut Held, index: usize, view: Option<&GroupView>) {
        let op = &mut held.record().ops[index];
        op.added = false;
        let member = |id: &InstanceId| {
            view.is_some_and(|v| v.member(id).is_some_and(spothub_core::group::Member::is_in_service))
        };
        let serves = op.stage.newcomer().is_some_and(|n| member(&n.id));
        let end = if let Stage::Net { end, .. } = op.stage {
            end
        } else if serves {
            End::Done { why: Some(Why::Absorbed) }
        } else {
            End::Undone { why: Why::Absorbed }
        };
        self.enter(held, index, Stage::Restore { end });
    }

    /// Facts of members that are new since; a member whose facts cannot be read stays unknown.
    async fn with_facts(&self, mut view: GroupView) -> GroupView {
        let unknown: Vec<_> = view.members.iter().filter(|m| m.facts.is_none()).map(|m| m.id.clone()).collect();
        if !unknown.is_empty() {
            let _ = self.answer(&spothub_core::plan::Question::Facts(unknown), &mut view).await;
        }
        view
    }

    /// A newcomer past booting needs no polls.
    fn unwatch(&self, group: &GroupKey, new: Option<&InstanceId>) {
        if let (Some(watched), Some(new)) = (self.memory().watched.get_mut(&group.site), new) {
            watched.status.remove(new);
        }
    }

    fn watch(&self, group: &GroupKey, index: usize, held: &Held, until: Timestamp, watch: Watch) -> Timestamp {
        let (tick, rescue) = (self.settings.timings.tick, held.kept.record.ops[index].id.is_rescue());
        let fallback = self.now() + tick.times(if rescue { 4 } else { 8 });
        let until = match watch {
            Watch::Nothing => return until,
            Watch::Status(id) => {
                self.memory().watch(&group.site, until, tick, |w| {
                    w.status.insert(id, (until, group.clone()));
                });
                until
            }
            Watch::Container(id, cluster, last) => {
                let drains = Drains { cluster, group: group.clone(), due: until, until: last };
                self.memory().watch(&group.site, until, tick, |w| drop(w.draining.insert(id, drains)));
                self.polls_changed.notify_one();
                return fallback.min(last);
            }
            Watch::Members => {
                self.memory().watch(&group.site, until, tick, |w| {
                    w.members.insert(group.clone(), until);
                });
                until
            }
        };
        self.polls_changed.notify_one();
        fallback.max(until + tick.times(4))
    }

    /// Makes the call that changes something: intent, call, answer.
    async fn call(
        &self,
        held: &mut Held,
        view: &mut Option<GroupView>,
        index: usize,
        call: Next,
    ) -> Result<Option<Timestamp>, Halt> {
        let fresh_at = view.as_ref().map(|v| v.seen_at);
        if fresh_at.is_some_and(|at| self.now().since(at) > LOOK_AGE_MAX) {
            *view = None;
            return Ok(None);
        }
        if let (Next::Retire(_) | Next::Drain { until: Some(_), .. }, Some(seen)) = (&call, view.as_ref()) {
            match self.red_before_pivot(held, seen, index).await {
                Some(None) => {}
                Some(Some(undo)) => {
                    self.enter(held, index, undo);
                    return Ok(None);
                }
                None => return Ok(Some(self.now() + READ_AGAIN)),
            }
        }
        if matches!(call, Next::Retire(_) | Next::Terminate(_)) {
            // Whoever finds this record after a crash must not take what this call did for somebody else's doing.
            saga::sent(&mut held.record().ops[index].stage);
        }
        Self::intend_drain(held, index, &call);
        self.note_leaving(held, index, &call);
        let max_before = held.kept.record.max;
        if let Next::RaiseMax(intent) = &call {
            held.record().max = Some(*intent);
        }
        let result = if let Err(fault) = self.admitted(held, index, &call).await {
            Err(fault)
        } else {
            if matches!(call, Next::Launch { .. }) {
                match self.leased_but_braked(held, index).await? {
                    Braked::No => {}
                    Braked::Ended => return Ok(None),
                    Braked::NotBefore(at) => return Ok(Some(at)),
                }
            } else {
                self.save_leased(held).await?;
            }
            self.within_lease(held)?;
            self.send(held, index, &call).await
        };
        self.changed_now(&held.kept.record.group);
        if let (Next::RaiseMax(_), Err(fault)) = (&call, &result)
            && *fault != Fault::Unclear
        {
            // It clearly did not happen: what stood before is what there is to restore.
            held.record().max = max_before;
        }
        self.learn(held, index, &call, &result).await;
        let before = held.kept.record.ops[index].step();
        let attached = matches!(call, Next::Attach(_)) && result.is_ok();
        if attached && let Some(seen) = view.as_ref() {
            held.record().ops[index].desired_after = seen.desired + 1;
        }
        match (&call, &result, view.as_mut()) {
            (Next::RaiseMax(intent), Ok(_), Some(seen)) => seen.max = intent.written,
            (Next::Launch { .. } | Next::Drain { .. }, ..) => {}
            _ => *view = None,
        }
        let launched = matches!(result, Ok(Some(_)));
        let told = result.clone();
        let answer = saga::answered(held.record(), index, &call, result, self.now());
        self.note_set(held, index, &call, &told);
        if launched {
            self.note_usage(held, index);
        }
        self.note_stage(held, index, before);
        match answer {
            // After attaching, the next look comes with the next poll.
            Answer::On if attached => Ok(Some(self.after_attach(held, index))),
            Answer::On => Ok(None),
            Answer::Not(until) => Ok(Some(until)),
        }
    }

    /// Views made before now say nothing of what was just changed.
    fn changed_now(&self, group: &GroupKey) {
        let now = self.now();
        self.memory().changed.insert(group.clone(), now);
    }

    fn after_attach(&self, held: &Held, index: usize) -> Timestamp {
        let group = held.kept.record.group.clone();
        let rescue = held.kept.record.ops[index].id.is_rescue();
        let first = if rescue { Span::secs(5) } else { self.settings.timings.tick };
        self.watch(&group, index, held, self.now() + first, Watch::Members)
    }

    fn note_stage(&self, held: &Held, index: usize, before: Step) {
        let op = &held.kept.record.ops[index];
        let state = op.stage.label();
        if before.stage != state {
            self.note(&Note::Swap {
                swap: &op.id,
                group: &held.kept.record.group,
                state,
                old: &op.old,
                new: op.new.as_ref(),
                why: None,
                began: op.started_at,
                left: Some(before),
            });
        }
    }

    async fn send(&self, held: &Held, index: usize, call: &Next) -> Result<Option<Launched>, Fault> {
        let Some(act) = &self.ports.act else { return Err(Fault::Broken) };
        let record = &held.kept.record;
        let (op, group) = (&record.ops[index], &record.group);
        let cause = during(&op.id, group, op.step());
        let none = |()| None;
        let answer = match call {
            Next::Launch { token, pool } => {
                let pools: &[LaunchPool] = match pool {
                    Some(n) => op.request.pools.get(*n..=*n).unwrap_or_default(),
                    None => &op.request.pools,
                };
                if op.request.lifecycle == Lifecycle::Spot {
                    self.asking(&group.site, &op.az, op.product, pools);
                }
                let launch = Launch {
                    group,
                    token,
                    source: &op.request.source,
                    route: op.request.route,
                    pools,
                    az: &op.az,
                    subnet: &op.subnet,
                    product: op.product,
                    lifecycle: op.request.lifecycle,
                    max_price: op.request.max_price,
                    swap: &op.id,
                    replaces: &op.old,
                };
                act.launch(&launch, cause).await.map(Some)
            }
            Next::RaiseMax(intent) => act.set_max(group, intent.written, cause).await.map(none),
            Next::RestoreMax(max) => act.set_max(group, *max, cause).await.map(none),
            Next::Attach(id) => act.attach(group, id, cause).await.map(none),
            Next::Retire(id) => act.retire(group, id, Decrement::Yes, cause).await.map(none),
            Next::LetGo(id) => act.retire(group, id, Decrement::No, cause).await.map(none),
            Next::Terminate(id) => act.terminate(&group.site, id, cause).await.map(none),
            Next::Drain { container, until } => {
                let Some(drain) = &op.drain else { return Err(Fault::Gone) };
                let answer = act.drain(group, &drain.cluster, container, until.is_some(), cause).await.map(none);
                // Not the site is at fault: it may be changed in all other ways.
                return answer;
            }
            Next::Look
            | Next::Targets
            | Next::Containers
            | Next::Drained(_)
            | Next::Activities(..)
            | Next::Enter(_)
            | Next::Absorbed
            | Next::ForgetMax
            | Next::Wait(..)
            | Next::End(_) => Err(Fault::Broken),
        };
        if let Err(fault @ Fault::Denied(_)) = &answer {
            // It is this group that IAM protects, or this launch: others of the site may still be changed.
            self.memory().failing.insert(group.site.clone(), fault.clone());
            return answer;
        }
        self.noting(&group.site, answer)
    }

    /// Takes an ended op out of the record and keeps what later checks need of it.
    pub(crate) async fn close(&self, held: &mut Held, index: usize, end: End) -> Result<(), Halt> {
        let now = self.now();
        let old_op: Op = held.kept.record.ops[index].clone();
        let jitter = old_op.id.as_str().bytes().next_back().unwrap_or(0).wrapping_mul(37);
        let closed = saga::closing(held.record(), index, end, now, jitter);
        let key = swap_key(&closed.group.site, &closed.id);
        if let Ok(value) = serde_json::to_vec(&closed) {
            held.record().ended = Some(Link::after(closed.after.as_ref(), digest::shown(&value)));
            held.rows.push(Put { key, value: Some(value), expect: Expect::Anything, fence: ROW_FENCE });
        }
        if let Some(ou) = &old_op.counted {
            Self::count_out(held, ou);
        }
        if let Some(reason) = spothub_core::plan::backing_off(&held.kept.record, now) {
            self.hold(held, &[spothub_core::plan::Hold { instance: None, reason }]);
        }
        self.park(held).await?;
        self.memory().flights.remove(&closed.id);
        self.memory().unsure.remove(&closed.id);
        self.unwatch(&closed.group, closed.new.as_ref());
        self.noted_end(&closed, &old_op);
        self.count(&closed).await;
        self.wake(&closed.group, now + Span::secs(1), Lane::Normal);
        Ok(())
    }

    fn noted_end(&self, closed: &Closed, op: &Op) {
        let group = &closed.group;
        let why = closed.end.why().map(Why::label);
        self.count_for_rollout(group, closed.end);
        self.note(&Note::Swap {
            swap: &closed.id,
            group,
            state: closed.end.label(),
            old: &closed.old,
            new: closed.new.as_ref(),
            why,
            began: op.started_at,
            left: Some(op.step()),
        });
        tracing::info!(account = %group.site.account, region = %group.site.region, group = %group.name,
            swap = %closed.id, decision = closed.end.label(), why, policy = closed.policy, "swap ended");
    }
}

/// A look may be at most 30 s old when a change is sent (INV-2); the wait for a limiter and the call come on top.
const LOOK_AGE_MAX: Span = Span::secs(20);

pub(crate) fn swap_key(site: &Site, id: &SwapId) -> String {
    format!("swap/{site}/{id}")
}
