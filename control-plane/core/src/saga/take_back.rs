//! The ways back: ending the newcomer, or giving back our +1 on desired through another member.

use super::forward::{may_take, settling};
use super::{Next, Scene, Watch, poll};
use crate::cloud::RunState;
use crate::group::{GroupView, Lifecycle, Member, MemberState};
use crate::id::InstanceId;
use crate::record::{End, Newcomer, Op, Stage, Why};

pub(super) fn undo(scene: &Scene<'_>, view: &GroupView, new: &Newcomer, attached: bool, sent: bool, why: Why) -> Next {
    let op = scene.op;
    let end = End::Undone { why };
    let leaving = |m: &Member| !matches!(m.state, MemberState::InService | MemberState::Pending);
    match view.member(&new.id) {
        // The attach without an answer was done after all, and raised desired: without that noted there is no room to
        // take it out, ever.
        Some(_) if !op.attached => Next::Enter(settling(new)),
        Some(member) if !leaving(member) => {
            let must_stay = member.is_in_service() && !may_take(scene, view, &new.id);
            if must_stay { poll(scene, Watch::Members) } else { Next::Retire(new.id.clone()) }
        }
        // Left the group: by our call, or by somebody else's and then our +1 still stands.
        _ if op.added => match (sent || scene.inherited, scene.taken_by_us) {
            (true, None) => Next::Activities(new.id.clone(), op.started_at),
            (true, Some(true)) => Next::Enter(Stage::Restore { end }),
            _ => Next::Enter(Stage::Net { new: None, victim: None, end }),
        },
        Some(_) => Next::Enter(Stage::Restore { end }),
        // Never a member, as far as a look after the attach says.
        None if scene.new_state == Some(RunState::Ended) || (sent && attached) => Next::Enter(Stage::Restore { end }),
        None => Next::Terminate(new.id.clone()),
    }
}

pub(super) fn net(
    scene: &Scene<'_>,
    view: &GroupView,
    new: Option<&Newcomer>,
    victim: Option<&InstanceId>,
    end: End,
) -> Next {
    let op = scene.op;
    if !op.added {
        return Next::Enter(Stage::Restore { end });
    }
    let stage = |victim| Next::Enter(Stage::Net { new: new.cloned(), victim, end });
    if let Some(victim) = victim {
        let here = view.member(victim).is_some_and(|m| m.state != MemberState::Terminating);
        return match (here, scene.taken_by_us) {
            (true, _) if may_take(scene, view, victim) => Next::Retire(victim.clone()),
            (true, _) | (false, Some(false)) => stage(None),
            (false, None) => Next::Activities(victim.clone(), op.started_at),
            (false, Some(true)) => Next::Enter(Stage::Restore { end }),
        };
    }
    match choose(scene, view, new) {
        Some(victim) => stage(Some(victim)),
        None => poll(scene, Watch::Members),
    }
}

/// Who gives our +1 back: the group's own replacement if it launched one, else the old one, else the newcomer,
/// else any on-demand member above the floor.
fn choose(scene: &Scene<'_>, view: &GroupView, new: Option<&Newcomer>) -> Option<InstanceId> {
    let op = scene.op;
    // A member goes once: what another op takes out gives back that one's +1 and no other.
    let ours = |id: &InstanceId| {
        let has =
            |o: &Op| o.old == *id || o.stage.newcomer().is_some_and(|n| n.id == *id) || o.stage.victim() == Some(id);
        scene.record.ops.iter().any(has)
    };
    let free =
        |m: &&Member| matches!(m.state, MemberState::Pending | MemberState::InService) && may_take(scene, view, &m.id);
    let on_demand = |m: &&Member| m.lifecycle() != Some(Lifecycle::Spot) && !ours(&m.id);
    let since_start = |m: &&Member| m.facts.as_ref().is_some_and(|f| f.launched_at >= op.started_at);
    let replacement = || {
        let found = view.members.iter().filter(free).filter(on_demand).filter(since_start);
        found.max_by_key(|m| (m.state == MemberState::Pending, m.facts.as_ref().map(|f| f.launched_at), m.id.clone()))
    };
    let named = |id: &InstanceId| view.member(id).filter(|m| free(m));
    let old = || named(&op.old).filter(|m| m.lifecycle() == Some(Lifecycle::OnDemand) && !m.protected);
    let newcomer = || new.and_then(|n| named(&n.id));
    let any =
        || view.members.iter().filter(free).filter(on_demand).filter(|m| !m.protected).min_by_key(|m| m.id.clone());
    replacement().or_else(old).or_else(newcomer).or_else(any).map(|m| m.id.clone())
}
