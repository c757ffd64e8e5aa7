//! Draining of the old one's container instance: before the pivot, at once in a rescue, and taken back with the swap.

use super::{Next, Scene, TRIES_MAX, Watch};
use crate::cloud::{ContainerSeen, ContainerState};
use crate::fault::Fault;
use crate::id::ContainerArn;
use crate::record::{Drained, End, GroupRecord, Op, Stage, Why};
use crate::time::{Span, Timestamp};

use super::answer::{Answer, after_tries, enter};
use super::forward::gone;

/// So long before AWS takes it, a rescued member leaves whatever still runs on it: its group must be told in time, or
/// it replaces the member itself; a call and its repeat take some seconds, and a worker may be busy for some.
const MARGIN: Span = Span::secs(20);
/// Tries to drain in a rescue: the newcomer is not kept waiting.
const RESCUE_TRIES_MAX: u32 = 3;

/// What a cluster said of the old one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Found {
    /// It could not be asked just now.
    Unread,
    /// It is not registered there.
    Absent,
    /// This.
    Seen(ContainerSeen),
}

/// What a rescue does before it goes on: of two minutes, each second of draining counts.
pub(super) fn at_once(scene: &Scene<'_>) -> Option<Next> {
    let op = scene.op;
    let drain = op.drain.as_ref().filter(|_| op.id.is_rescue())?;
    let early = match &op.stage {
        Stage::Boot { .. } | Stage::Attach { .. } | Stage::Settle { .. } | Stage::LetGo => true,
        Stage::Launch { .. }
        | Stage::Retire { .. }
        | Stage::Net { .. }
        | Stage::Undo { .. }
        | Stage::Restore { .. } => false,
    };
    match &drain.state {
        Drained::Ahead | Drained::Asked { .. } if early => match before(scene) {
            // What cannot be asked just now is asked with the next poll.
            Some(Next::Wait(..)) | None => None,
            next => next,
        },
        Drained::Ahead | Drained::Asked { .. } | Drained::On { .. } | Drained::Over => None,
    }
}

/// What is left to do before the old one may go; `None` where that is nothing.
pub(super) fn before(scene: &Scene<'_>) -> Option<Next> {
    let (op, now) = (scene.op, scene.now);
    let drain = op.drain.as_ref()?;
    let until = match drain.deadline {
        Some(deadline) => deadline - MARGIN,
        None => now + scene.effective.policy.drain.wait_max,
    };
    let late = drain.deadline.is_some() && now >= until;
    match &drain.state {
        Drained::Over => None,
        Drained::Ahead | Drained::Asked { .. } if late => None,
        Drained::Asked { container } => Some(Next::Drain { container: container.clone(), until: Some(until) }),
        Drained::Ahead => Some(match &scene.container {
            None => Next::Containers,
            Some(Found::Unread) => super::poll(scene, Watch::Nothing),
            Some(Found::Absent) => Next::Drained(Drained::Over),
            Some(Found::Seen(seen)) => begin(seen, now, until),
        }),
        Drained::On { until, .. } if scene.tasks == Some(0) || now >= *until => None,
        Drained::On { until, .. } => {
            let tick = if op.id.is_rescue() { Span(scene.timings.tick.0 / 3) } else { scene.timings.tick };
            Some(Next::Wait((now + tick).min(*until), Watch::Container(op.old.clone(), drain.cluster.clone(), *until)))
        }
    }
}

fn begin(seen: &ContainerSeen, now: Timestamp, until: Timestamp) -> Next {
    let container = seen.arn.clone();
    match seen.state {
        // Somebody else drains it, and may know why: it is not ours to set back.
        ContainerState::Draining => Next::Drained(Drained::On { container, ours: false, since: now, until }),
        ContainerState::Active | ContainerState::Other => Next::Drain { container, until: Some(until) },
    }
}

/// What a swap that goes no further gives back first: while the newcomer still serves, the old one takes tasks again.
pub(super) fn back(scene: &Scene<'_>) -> Option<Next> {
    let op = scene.op;
    if op.id.is_rescue() || !leaves(&op.stage) {
        // AWS takes the old one of a rescue, whatever becomes of its newcomer.
        return None;
    }
    let (_, container) = op.set_draining()?;
    match scene.view {
        None => Some(Next::Look),
        Some(view) if gone(view, &op.old) => None,
        Some(_) => Some(Next::Drain { container, until: None }),
    }
}

/// Whether a swap in this stage is not, or no longer, about to take the old one out.
fn leaves(stage: &Stage) -> bool {
    match stage {
        Stage::Retire { .. } | Stage::Restore { end: End::Done { why: None | Some(Why::FellBack) } } => false,
        Stage::Launch { .. }
        | Stage::Boot { .. }
        | Stage::Attach { .. }
        | Stage::Settle { .. }
        | Stage::Net { .. }
        | Stage::Undo { .. }
        | Stage::LetGo
        | Stage::Restore { .. } => true,
    }
}

/// Notes what a call that sets a container instance's state was answered; `until` as it was sent.
pub(super) fn answered(
    record: &mut GroupRecord,
    index: usize,
    (container, until): (&ContainerArn, Option<Timestamp>),
    result: Result<(), Fault>,
    now: Timestamp,
) -> Answer {
    let op = &mut record.ops[index];
    let rescue = op.id.is_rescue();
    let state = match (result, until) {
        (Ok(()), Some(until)) => Drained::On { container: container.clone(), ours: true, since: now, until },
        // Whoever comes this way again drains it anew.
        (Ok(()), None) => Drained::Ahead,
        (Err(Fault::Gone | Fault::Conflict(_) | Fault::Invalid(_)), _) => Drained::Over,
        (Err(Fault::Denied(_) | Fault::Unreachable(_)), at) => {
            refused(op, at.is_some() && !rescue, Why::Denied, now);
            Drained::Over
        }
        (
            Err(
                Fault::Throttled { .. }
                | Fault::Unable(_)
                | Fault::Broken
                | Fault::Unclear
                | Fault::NoCapacity(_)
                | Fault::Quota,
            ),
            at,
        ) => {
            op.tries += 1;
            if op.tries <= if rescue { RESCUE_TRIES_MAX } else { TRIES_MAX } {
                return Answer::Not(after_tries(op.tries, now));
            }
            // What was perhaps set is set back on the way.
            refused(op, at.is_some() && !rescue, Why::Failing, now);
            if at.is_some() && !rescue {
                return Answer::On;
            }
            Drained::Over
        }
    };
    op.tries = 0;
    if let Some(drain) = &mut op.drain {
        drain.state = state;
    }
    Answer::On
}

/// A swap whose old one cannot be drained is taken back.
fn refused(op: &mut Op, swap: bool, why: Why, now: Timestamp) {
    if let (true, Some(new)) = (swap, op.stage.newcomer().cloned()) {
        op.stage = Stage::Undo { new, attached: true, sent: false, why };
        enter(op, now);
    }
}
