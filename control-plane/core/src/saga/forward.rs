//! The way forward: launch, boot, attach, settle, retire.

use super::{Next, Scene, TRIES_MAX, Watch, drain, elapsed, enabled, old_trouble, poll, settle_time, stays, token};
use crate::catalog::Product;
use crate::cloud::RunState;
use crate::group::{GroupView, Lifecycle, MemberState};
use crate::id::InstanceId;
use crate::plan::suspended;
use crate::record::{End, MaxIntent, Newcomer, Stage, Why};
use crate::time::{Span, Timestamp};

pub(super) fn launch(scene: &Scene<'_>, attempt: u32) -> Next {
    let op = scene.op;
    // After an unanswered call the same token must be sent again: only its answer says whether there is an instance.
    if !op.unclear {
        if !enabled(scene) {
            return Next::End(End::Failed { why: Why::OptedOut });
        }
        if op.tries > TRIES_MAX {
            return Next::End(End::Failed { why: Why::Failing });
        }
        if op.tries > 0 && scene.view.is_some_and(|view| old_trouble(scene, view).is_some()) {
            return Next::End(End::Failed { why: Why::OldGone });
        }
    }
    Next::Launch { token: token(&op.id, attempt), pool: op.request.pool(attempt) }
}

/// Waiting for the newcomer needs no look at the group: what forbids the swap is read before the next step.
pub(super) fn still_booting(scene: &Scene<'_>, new: &Newcomer) -> Option<Next> {
    let timings = scene.timings;
    let (first, longest) = match scene.op.product {
        Product::Windows => (timings.boot_first_windows, timings.boot_max_windows),
        Product::Linux | Product::Rhel | Product::Suse => (timings.boot_first, timings.boot_max),
    };
    let rescue = scene.op.id.is_rescue();
    let ready = match scene.new_state {
        None | Some(RunState::Pending) => false,
        // Two minutes are too short to wait for checks as well: the group's own health check decides.
        Some(RunState::Running) => rescue,
        Some(RunState::Checked | RunState::Impaired | RunState::Ended) => true,
    };
    if ready || elapsed(scene) > longest {
        return None;
    }
    let earliest = if rescue { scene.now } else { new.launched_at + first };
    let tick = if rescue { Span(timings.tick.0 / 3) } else { timings.tick };
    Some(Next::Wait(earliest.max(scene.now + tick), Watch::Status(new.id.clone())))
}

pub(super) fn boot(scene: &Scene<'_>, view: &GroupView, new: &Newcomer) -> Next {
    let undo = |why| Next::Enter(Stage::Undo { new: new.clone(), attached: false, sent: false, why });
    match scene.new_state {
        // Attached already, by the swap itself: the record is older than the world.
        _ if view.member(&new.id).is_some() => return Next::Enter(settling(new)),
        Some(RunState::Ended) => return Next::End(End::Undone { why: Why::NewLost }),
        Some(RunState::Impaired) => return undo(Why::NewLost),
        _ if !enabled(scene) => return undo(Why::OptedOut),
        _ => {}
    }
    match (old_trouble(scene, view), scene.new_state) {
        (Some(why), _) => undo(why),
        (None, Some(RunState::Checked | RunState::Running)) => Next::Enter(Stage::Attach { new: new.clone() }),
        (None, _) => undo(Why::TooSlow),
    }
}

pub(super) fn attach(scene: &Scene<'_>, view: &GroupView, new: &Newcomer) -> Next {
    let op = scene.op;
    if view.member(&new.id).is_some() {
        return Next::Enter(settling(new));
    }
    let undo = |why| Next::Enter(Stage::Undo { new: new.clone(), attached: op.unclear, sent: false, why });
    match () {
        () if scene.new_state == Some(RunState::Ended) => undo(Why::NewLost),
        () if !enabled(scene) => undo(Why::OptedOut),
        () if suspended(view).is_some() => undo(Why::AttachRefused),
        () if elapsed(scene) > scene.timings.attach_max => undo(Why::AttachRefused),
        () => match old_trouble(scene, view) {
            Some(why) => undo(why),
            None if view.desired < view.max => Next::Attach(new.id.clone()),
            None => Next::RaiseMax(raised(scene, view)),
        },
    }
}

/// The intent to raise MaxSize by what one more needs. What the owner had set is what stands now, unless that is
/// what we wrote for an earlier op.
fn raised(scene: &Scene<'_>, view: &GroupView) -> MaxIntent {
    let earlier = scene.record.max.filter(|intent| intent.is_ours(view.max));
    let original = earlier.map_or(view.max, |intent| intent.original);
    MaxIntent { original, written: view.desired + 1, before: earlier.map(|_| view.max) }
}

/// A look just after the attach may not show it yet.
const SHOWN_WITHIN: Span = Span::secs(45);

pub(super) fn settle(
    scene: &Scene<'_>,
    view: &GroupView,
    new: &Newcomer,
    since: Option<Timestamp>,
    ready_at: Timestamp,
) -> Next {
    let op = scene.op;
    let undo = |why| Next::Enter(Stage::Undo { new: new.clone(), attached: true, sent: false, why });
    let give_back = |new, why| Next::Enter(Stage::Net { new, victim: None, end: End::Undone { why } });
    let Some(member) = view.member(&new.id) else {
        if since.is_none() && elapsed(scene) < SHOWN_WITHIN {
            return poll(scene, Watch::Members);
        }
        return left(scene, view, new);
    };
    if !stays(member) {
        let standby = member.state == MemberState::Standby;
        return if standby || perhaps_retired(scene, view) {
            left(scene, view, new)
        } else {
            give_back(None, Why::NewLost)
        };
    }
    if !enabled(scene) {
        return undo(Why::OptedOut);
    }
    match old_trouble(scene, view) {
        Some(Why::OldGone) if perhaps_retired(scene, view) => return retired(new),
        Some(Why::OldGone) => return give_back(Some(new.clone()), Why::OldGone),
        Some(why) => return undo(why),
        None => {}
    }
    let serving = member.state == MemberState::InService;
    match since {
        None if serving => {
            let time = if op.id.is_rescue() { Span::ZERO } else { settle_time(view, scene.effective) };
            let ready_at = view.seen_at + time;
            Next::Enter(Stage::Settle { new: new.clone(), serving_since: Some(view.seen_at), ready_at })
        }
        None if elapsed(scene) > scene.timings.attach_max => undo(Why::TooSlow),
        None => poll(scene, Watch::Members),
        Some(_) if !serving => Next::Enter(settling(new)),
        Some(_) => settled(scene, view, new, ready_at),
    }
}

/// The newcomer left the group. Whoever took it out by request with decrement took our +1 back with it; otherwise the
/// group still wants one more.
fn left(scene: &Scene<'_>, view: &GroupView, new: &Newcomer) -> Next {
    let end = End::Undone { why: Why::NewLost };
    match scene.taken_by_us {
        None => Next::Activities(new.id.clone(), scene.op.started_at),
        Some(true) => Next::Enter(Stage::Restore { end }),
        Some(false) if perhaps_retired(scene, view) => retired(new),
        Some(false) => Next::Enter(Stage::Net { new: None, victim: None, end }),
    }
}

/// The old one is gone, and an earlier worker may have taken it out without a record that is left.
fn perhaps_retired(scene: &Scene<'_>, view: &GroupView) -> bool {
    scene.inherited && gone(view, &scene.op.old)
}

/// Whether it was the swap that took the old one out is asked in that stage.
fn retired(new: &Newcomer) -> Next {
    Next::Enter(Stage::Retire { new: new.clone(), sent: true })
}

pub(super) fn gone(view: &GroupView, old: &InstanceId) -> bool {
    view.member(old).is_none_or(|m| m.state == MemberState::Terminating)
}

/// Attached, and not serving yet.
pub(super) fn settling(new: &Newcomer) -> Stage {
    Stage::Settle { new: new.clone(), serving_since: None, ready_at: Timestamp(0) }
}

fn settled(scene: &Scene<'_>, view: &GroupView, new: &Newcomer, ready_at: Timestamp) -> Next {
    let rescue = scene.op.id.is_rescue();
    if view.seen_at < ready_at {
        return Next::Wait(ready_at.max(scene.now + Span::secs(1)), Watch::Nothing);
    }
    let asks = !view.target_groups.is_empty() || !view.load_balancers.is_empty() || scene.op.drain.is_some();
    if !asks || rescue {
        return Next::Enter(Stage::Retire { new: new.clone(), sent: false });
    }
    match scene.targets_healthy {
        None => Next::Targets,
        Some(true) => Next::Enter(Stage::Retire { new: new.clone(), sent: false }),
        Some(false) if scene.now > ready_at + scene.timings.attach_max => {
            Next::Enter(Stage::Undo { new: new.clone(), attached: true, sent: false, why: Why::TooSlow })
        }
        Some(false) => poll(scene, Watch::Nothing),
    }
}

pub(super) fn retire(scene: &Scene<'_>, view: &GroupView, new: &Newcomer, sent: bool) -> Next {
    let op = scene.op;
    let rescue = op.id.is_rescue();
    let undo = |why| Next::Enter(Stage::Undo { new: new.clone(), attached: true, sent: false, why });
    let newcomer = view.member(&new.id).filter(|m| m.is_in_service());
    let sent = sent || scene.inherited;
    if gone(view, &op.old) {
        let end = if rescue { op.done() } else { End::Undone { why: Why::OldGone } };
        return match (sent, scene.taken_by_us) {
            (true, None) => Next::Activities(op.old.clone(), op.started_at),
            (true, Some(true)) => Next::Enter(Stage::Restore { end: op.done() }),
            _ => Next::Enter(Stage::Net { new: newcomer.map(|_| new.clone()), victim: None, end }),
        };
    }
    match (newcomer, old_trouble(scene, view)) {
        (None, _) => return Next::Enter(settling(new)),
        (_, Some(Why::OldGone)) => return undo(Why::OldGone),
        (_, Some(why)) => return undo(why),
        (_, None) if !enabled(scene) && !rescue => return undo(Why::OptedOut),
        _ => {}
    }
    if rescue || may_take(scene, view, &op.old) {
        return drain::before(scene).unwrap_or_else(|| Next::Retire(op.old.clone()));
    }
    if scene.now.since(op.ready_since()) > scene.timings.room_max {
        undo(Why::NoRoom)
    } else {
        poll(scene, Watch::Members)
    }
}

/// INV-2 and INV-5 by this look: one more in service than wanted, and the floor kept.
pub(super) fn may_take(scene: &Scene<'_>, view: &GroupView, victim: &InstanceId) -> bool {
    let Some(member) = view.member(victim) else { return false };
    let want = scene.record.want(view);
    if view.in_service() <= want && member.is_in_service() {
        return false;
    }
    let floor = scene.effective.policy.floor(want);
    let on_demand = member.is_in_service() && member.lifecycle() != Some(Lifecycle::Spot);
    !on_demand || view.on_demand_in_service() > floor
}

pub(super) fn let_go(scene: &Scene<'_>, view: &GroupView) -> Next {
    match view.member(&scene.op.old) {
        Some(member) if member.state == MemberState::InService => {
            drain::before(scene).unwrap_or_else(|| Next::LetGo(scene.op.old.clone()))
        }
        _ => Next::Enter(Stage::Restore { end: End::Done { why: Some(Why::LeftToGroup) } }),
    }
}
