//! What an answer to a call changes in the record.

use super::{DENIED, Next, TRIES_MAX};
use crate::cloud::Launched;
use crate::fault::{Conflict, Fault};
use crate::group::Lifecycle;
use crate::record::{Backoff, Closed, End, FORMAT, GroupRecord, LEFT_MAX, Left, Newcomer, Op, Request, Stage, Why};
use crate::time::{Span, Timestamp};

/// What follows from an answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Answer {
    /// Go on at once.
    On,
    /// Go on not before then.
    Not(Timestamp),
}

/// The first wait after a failed call; doubles with each further one up to [`RETRY_MAX`].
const RETRY_FIRST: Span = Span::secs(2);
/// The longest wait between two tries of one step: short enough for an owner waiting at MaxSize.
const RETRY_MAX: Span = Span::mins(1);
/// First wait of a group after a launch failed; doubles up to [`BACKOFF_MAX`].
const BACKOFF_FIRST: Span = Span::mins(3);
/// The longest such wait: an hour, so that a group is back on Spot soon after capacity is.
const BACKOFF_MAX: Span = Span::mins(60);
/// The wait after pools without capacity, a jitter apart: one failed launch a group in ten minutes is what scarce
/// capacity may cost. It does not grow, since the pools that refused are closed for longer and longer by themselves,
/// and what others learn meanwhile is known here, too.
pub const CAPACITY_WAIT: Span = Span::mins(10);
/// The wait after a used-up quota (aws-facts 7.2).
const BACKOFF_QUOTA: Span = Span::mins(30);

/// Notes in `record` what the call `next` of op number `index` was answered. A launch's answer is `Some` instance.
pub fn answered(
    record: &mut GroupRecord,
    index: usize,
    next: &Next,
    result: Result<Option<Launched>, Fault>,
    now: Timestamp,
) -> Answer {
    if let Next::Drain { container, until } = next {
        return super::drain::answered(record, index, (container, *until), result.map(drop), now);
    }
    let before = record.ops[index].stage.clone();
    if matches!((next, &result), (Next::Launch { .. }, Err(Fault::NoCapacity(_)))) {
        record.refused.insert(record.ops[index].az.clone(), now);
    }
    match result {
        Ok(launched) => succeeded(record, index, next, launched, now),
        Err(fault) => failed(&mut record.ops[index], next, &fault),
    }
    let op = &mut record.ops[index];
    if moved(&before, &op.stage) {
        enter(op, now);
        return Answer::On;
    }
    if op.tries == 0 || op.tries == DENIED {
        return Answer::On;
    }
    Answer::Not(after_tries(op.tries, now))
}

/// When a step whose call failed so often is tried again.
pub(super) fn after_tries(tries: u32, now: Timestamp) -> Timestamp {
    now + Span(RETRY_FIRST.0 << tries.saturating_sub(1).min(6)).min(RETRY_MAX)
}

/// Whether a new stage began, or a launch with other contents. That a call may have happened is no new stage.
fn moved(before: &Stage, after: &Stage) -> bool {
    match (before, after) {
        (Stage::Launch { attempt: before }, Stage::Launch { attempt: after }) => before != after,
        _ => before.label() != after.label(),
    }
}

/// Marks the beginning of a stage.
pub(super) fn enter(op: &mut Op, now: Timestamp) {
    op.entered_at = now;
    op.tries = 0;
    op.unclear = false;
}

impl Op {
    /// Goes to `stage`; the time in the present one is over.
    pub fn enter(&mut self, stage: Stage, now: Timestamp) {
        let same = self.stage.label() == stage.label();
        self.stage = stage;
        if !same {
            enter(self, now);
        }
        if matches!(self.stage, Stage::Settle { .. }) && !self.attached {
            // Seen as a member after an attach without an answer: it was done, and desired was raised by it.
            self.attached = true;
            self.added = true;
        }
        if matches!(self.stage, Stage::Restore { .. }) {
            self.added = false;
        }
    }
}

fn succeeded(record: &mut GroupRecord, index: usize, next: &Next, launched: Option<Launched>, now: Timestamp) {
    let op = &mut record.ops[index];
    op.tries = 0;
    op.unclear = false;
    match (next, op.stage.clone()) {
        (Next::Launch { .. }, _) => {
            if let Some(launched) = launched {
                if op.request.lifecycle == Lifecycle::Spot {
                    record.refused.remove(&op.az);
                }
                op.fallback = None;
                op.new = Some(launched.id.clone());
                op.stage = Stage::Boot { new: Newcomer { id: launched.id, kind: launched.kind, launched_at: now } };
                if !op.id.is_rescue() {
                    record.last_swap_at = Some(now);
                    record.recent.retain(|at| now < *at + crate::plan::SHARE_WINDOW);
                    record.recent.push(now);
                }
            }
        }
        (Next::Attach(_), Stage::Attach { new }) => {
            op.added = true;
            op.attached = true;
            op.stage = super::forward::settling(&new);
        }
        (Next::Retire(_), Stage::Retire { .. }) => {
            op.added = false;
            op.stage = Stage::Restore { end: op.done() };
        }
        (Next::Retire(_) | Next::Terminate(_), Stage::Undo { why, .. }) => {
            op.added = false;
            op.stage = Stage::Restore { end: End::Undone { why } };
        }
        (Next::Retire(_), Stage::Net { end, .. }) => {
            op.added = false;
            op.stage = Stage::Restore { end };
        }
        (Next::LetGo(_), _) => op.stage = Stage::Restore { end: End::Done { why: Some(Why::LeftToGroup) } },
        (Next::RestoreMax(_), _) => record.max = None,
        _ => {}
    }
}

fn failed(op: &mut Op, next: &Next, fault: &Fault) {
    op.tries += 1;
    if *fault == Fault::Unclear {
        op.unclear = true;
    }
    match (next, fault) {
        (_, Fault::Denied(_) | Fault::Unreachable(_)) => denied(op),
        (Next::Launch { .. }, fault) => launch_failed(op, fault),
        (Next::Attach(_), Fault::Conflict(Conflict::LaunchSuspended) | Fault::Invalid(_)) => {
            if let Stage::Attach { new } = op.stage.clone() {
                let attached = op.unclear;
                op.stage = Stage::Undo { new, attached, sent: false, why: Why::AttachRefused };
            }
        }
        (Next::Terminate(_), Fault::Gone) => {
            if let Stage::Undo { why, .. } = op.stage {
                op.stage = Stage::Restore { end: End::Undone { why } };
            }
        }
        (Next::Retire(_) | Next::Terminate(_), Fault::Unclear | Fault::Gone | Fault::Conflict(_)) => {
            sent(&mut op.stage);
        }
        (Next::LetGo(_), Fault::Gone | Fault::Conflict(Conflict::InstanceState(_))) => {
            op.stage = Stage::Restore { end: End::Done { why: Some(Why::LeftToGroup) } };
        }
        _ => {}
    }
}

/// Notes that the call may have happened, so that the next look is read with that in mind. Not a change of stage:
/// tries go on counting.
pub fn sent(stage: &mut Stage) {
    match stage {
        Stage::Retire { sent, .. } | Stage::Undo { sent, .. } => *sent = true,
        Stage::Launch { .. }
        | Stage::Boot { .. }
        | Stage::Attach { .. }
        | Stage::Settle { .. }
        | Stage::Net { .. }
        | Stage::LetGo
        | Stage::Restore { .. } => {}
    }
}

/// Access is gone: before the launch nothing is left to do; after it, undoing is tried once and then the owner must.
fn denied(op: &mut Op) {
    if op.unclear && !matches!(op.stage, Stage::Launch { .. } | Stage::Attach { .. }) {
        // The call before this one may have happened: a look says whether there is anything left to do.
        op.unclear = false;
        return;
    }
    op.stage = match op.stage.clone() {
        // Nobody can tell any more whether something was launched.
        Stage::Launch { .. } if op.unclear => Stage::Restore { end: End::Stranded },
        // What we may not launch, the group launches itself.
        Stage::Launch { .. } if op.id.is_rescue() && op.request.lifecycle == Lifecycle::OnDemand => Stage::LetGo,
        Stage::Launch { .. } | Stage::LetGo => Stage::Restore { end: End::Failed { why: Why::Denied } },
        Stage::Boot { new } => Stage::Undo { new, attached: false, sent: false, why: Why::Denied },
        Stage::Attach { new } => Stage::Undo { new, attached: op.unclear, sent: false, why: Why::Denied },
        Stage::Settle { new, .. } | Stage::Retire { new, .. } => {
            Stage::Undo { new, attached: true, sent: false, why: Why::Denied }
        }
        Stage::Net { .. } | Stage::Undo { .. } => Stage::Restore { end: End::Stranded },
        Stage::Restore { end } => {
            op.tries = DENIED;
            Stage::Restore { end }
        }
    };
}

fn launch_failed(op: &mut Op, fault: &Fault) {
    let Stage::Launch { attempt } = op.stage else { return };
    match fault {
        Fault::NoCapacity(_) => {
            let more = op.request.pool(attempt + 1).is_some();
            op.unclear = false;
            if more {
                op.stage = Stage::Launch { attempt: attempt + 1 };
            } else {
                give_up(op, attempt, Why::NoCapacity);
            }
        }
        Fault::Quota => give_up(op, attempt, Why::Quota),
        Fault::Invalid(_) | Fault::Gone | Fault::Conflict(_) => give_up(op, attempt, Why::Refused),
        Fault::Throttled { .. } | Fault::Unable(_) | Fault::Broken if op.tries > TRIES_MAX && !op.unclear => {
            give_up(op, attempt, Why::Failing);
        }
        Fault::Throttled { .. }
        | Fault::Unable(_)
        | Fault::Broken
        | Fault::Unclear
        | Fault::Denied(_)
        | Fault::Unreachable(_) => {}
    }
}

/// What was asked for cannot be had: what stands in for it is asked for next, a rescue without such a request hastens
/// the group's own replacement, and a swap is over.
fn give_up(op: &mut Op, attempt: u32, why: Why) {
    op.stage = if let Some(fallback) = op.fallback.take() {
        op.request = Request { first_attempt: attempt + 1, ..fallback };
        Stage::Launch { attempt: attempt + 1 }
    } else if op.id.is_rescue() {
        Stage::LetGo
    } else {
        Stage::Restore { end: End::Failed { why } }
    };
}

impl Op {
    /// How it ends once the newcomer serves in the old one's place.
    #[must_use]
    pub fn done(&self) -> End {
        let fell_back = self.id.is_rescue() && self.request.lifecycle == Lifecycle::OnDemand;
        End::Done { why: fell_back.then_some(Why::FellBack) }
    }
}

/// How long a group waits after its `failures`-th failure in a row.
fn wait_after(why: Why, failures: u32) -> Span {
    let doubled = |first: Span, most: Span| Span(first.0 << failures.saturating_sub(1).min(5)).min(most);
    if why == Why::Quota {
        BACKOFF_QUOTA
    } else if why == Why::Denied {
        BACKOFF_MAX
    } else if why == Why::NoCapacity {
        CAPACITY_WAIT
    } else {
        doubled(BACKOFF_FIRST, BACKOFF_MAX)
    }
}

/// An alarm that guards the group went red within the time that it is watched after a swap: the group's breaker opens.
pub fn alarmed(record: &mut GroupRecord, now: Timestamp) {
    trip(&mut record.backoff, now);
    record.bake_until = None;
}

/// Opens the group's breaker at once.
fn trip(backoff: &mut Backoff, now: Timestamp) {
    backoff.failures = (backoff.failures + 1).max(crate::breaker::GROUP_OPENS_AT);
    backoff.why = Some(Why::Alarm);
    backoff.until = Some(now + wait_after(Why::Alarm, backoff.failures));
}

/// Takes the ended op number `index` out of the record and returns what is kept of it; notes the group's waits.
/// `jitter` is 0 to 255 and lengthens a wait by up to a quarter.
pub fn closing(record: &mut GroupRecord, index: usize, end: End, now: Timestamp, jitter: u8) -> Closed {
    let op = record.ops.remove(index);
    if end == End::Stranded {
        let left = Left::of(&op, record.max, now);
        if left.stands() {
            record.stranded.truncate(LEFT_MAX - 1);
            record.stranded.insert(0, left);
        }
    }
    let backoff = &mut record.backoff;
    match end {
        // That a rescue succeeds, or a swap begun before, says nothing of what made an alarm red.
        End::Done { .. }
            if backoff.why == Some(Why::Alarm)
                && (op.id.is_rescue() || backoff.until.is_some_and(|until| op.started_at < until)) => {}
        End::Done { .. } => *backoff = Backoff::default(),
        End::Undone { why: Why::OldGone | Why::OldProtected | Why::OptedOut | Why::Absorbed }
        | End::Failed { why: Why::Paused } => {}
        End::Undone { why: Why::Alarm } => trip(backoff, now),
        End::Undone { why } | End::Failed { why } => {
            backoff.failures += 1;
            backoff.why = Some(why);
            let wait = wait_after(why, backoff.failures);
            backoff.until = Some(now + wait + Span(wait.0 / 4 * i64::from(jitter) / 255));
        }
        End::Stranded => {
            backoff.failures += 1;
            backoff.why = Some(Why::Denied);
            backoff.until = Some(now + BACKOFF_MAX);
        }
    }
    if matches!(end, End::Done { .. }) && op.bake > Span::ZERO {
        record.bake_until = Some(now + op.bake);
    }
    Closed {
        format: FORMAT,
        id: op.id,
        group: record.group.clone(),
        end,
        at: now,
        old: op.old,
        new: op.new,
        attached: op.attached,
        policy: op.policy,
        started_at: Some(op.started_at),
        after: record.ended.clone(),
    }
}
