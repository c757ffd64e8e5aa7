//! What a swap or rescue does next, and what an answer changes. Pure: calls are made by whoever asks.
//!
//! ```text
//! launch → boot → attach → settle → retire → restore → end       retire is the pivot
//!             └──────┴────────┴→ undo ─────────┘
//!                             └→ net ──────────┘                 our +1 on desired goes back another way
//! launch (rescue, no capacity) → let-go → end                    the group's own replacement is faster
//!
//! retire and let-go begin with draining, where the old one is a container instance of an ECS cluster; a rescue drains
//! it as soon as its launch is answered, and a swap that is taken back ends that first.
//! ```

mod answer;
mod drain;
mod forward;
mod take_back;

use crate::cloud::RunState;
use crate::group::{GroupView, Member, MemberState};
use crate::id::{ClusterName, ContainerArn, InstanceId, SwapId};
use crate::policy::{Effective, Standing};
use crate::record::{Drained, End, GroupRecord, MaxIntent, Op, Stage, Why};
use crate::rights::Rights;
use crate::time::{Span, Timestamp};

pub use answer::{Answer, CAPACITY_WAIT, alarmed, answered, closing, sent};
pub use drain::Found;

/// Settings of the saga with their defaults; floors are kept where they are read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Timings {
    /// Between two polls of one thing: status checks and target health emit no event.
    pub tick: Span,
    /// Boot time of Linux beyond which a newcomer is given up (checks pass within two minutes as a rule).
    pub boot_max: Span,
    /// The same for Windows, which takes ten minutes and more.
    pub boot_max_windows: Span,
    /// How long attaching, and becoming in service after it, may take.
    pub attach_max: Span,
    /// How long the last step may wait for room above the floor and the capacity wanted.
    pub room_max: Span,
    /// First poll after a launch of Linux: the learned boot time.
    pub boot_first: Span,
    /// First poll after a launch of Windows.
    pub boot_first_windows: Span,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            tick: Span::secs(15),
            boot_max: Span::mins(10),
            boot_max_windows: Span::mins(40),
            attach_max: Span::mins(10),
            room_max: Span::mins(20),
            boot_first: Span::secs(45),
            boot_first_windows: Span::mins(9),
        }
    }
}

/// What is known when the next step is asked for.
#[derive(Clone)]
pub struct Scene<'a> {
    /// The group's record with the op in it.
    pub record: &'a GroupRecord,
    /// Which op.
    pub op: &'a Op,
    /// A look at the group made after the last call that changed it; `None` where there is none.
    pub view: Option<&'a GroupView>,
    /// The newcomer's state, where it was read.
    pub new_state: Option<RunState>,
    /// Whether the newcomer is healthy in all target groups and classic load balancers and registered in its cluster,
    /// where that was read.
    pub targets_healthy: Option<bool>,
    /// What the cluster said of the old one, where it was asked in this reconcile.
    pub container: Option<Found>,
    /// Tasks on the old one when they were last counted while it drained.
    pub tasks: Option<u32>,
    /// Whether the member asked for by [`Next::Activities`] went by our request, where that was read.
    pub taken_by_us: Option<bool>,
    /// Policy in force.
    pub effective: &'a Effective,
    /// What the member role may do.
    pub rights: &'a Rights,
    /// Settings.
    pub timings: &'a Timings,
    /// The time.
    pub now: Timestamp,
    /// The op was found in the store, and the world may be further than it says.
    pub inherited: bool,
}

/// What to watch while an op waits.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Watch {
    /// The state of this newcomer.
    Status(InstanceId),
    /// The group's members.
    Members,
    /// The tasks of this instance in that cluster, until then at the latest.
    Container(InstanceId, ClusterName, Timestamp),
    /// Only the time.
    Nothing,
}

/// What an op does next.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Next {
    /// Look at the group, then ask again.
    Look,
    /// Read the newcomer's health in the group's target groups, classic load balancers and cluster, then ask again.
    Targets,
    /// Read what the cluster says of the old one, then ask again.
    Containers,
    /// Note how far draining is, then ask again.
    Drained(Drained),
    /// Read who took this member out since then, then ask again.
    Activities(InstanceId, Timestamp),
    /// Go to this stage, then ask again.
    Enter(Stage),
    /// The group does not want one more for our attach any longer; note that, then ask again.
    Absorbed,
    /// Launch with this token.
    Launch {
        /// The client token.
        token: String,
        /// The pool's index for one RunInstances; all pools otherwise.
        pool: Option<usize>,
    },
    /// Raise MaxSize, with the intent to record first.
    RaiseMax(MaxIntent),
    /// Attach the newcomer.
    Attach(InstanceId),
    /// Take a member out, lowering desired.
    Retire(InstanceId),
    /// Set the old one's container instance to DRAINING, with the intent to record first; to ACTIVE without a time.
    Drain {
        /// The container instance.
        container: ContainerArn,
        /// How long it will be waited for.
        until: Option<Timestamp>,
    },
    /// Let the group replace this member at once.
    LetGo(InstanceId),
    /// End an instance that is no member.
    Terminate(InstanceId),
    /// Put MaxSize back to this.
    RestoreMax(u32),
    /// MaxSize is not ours to restore any more; forget it, then ask again.
    ForgetMax,
    /// Park until then, or until what is watched changes.
    Wait(Timestamp, Watch),
    /// It is over.
    End(End),
}

impl Next {
    /// Whether a call that changes something follows.
    #[must_use]
    pub const fn changes(&self) -> bool {
        matches!(
            self,
            Self::Launch { .. }
                | Self::RaiseMax(_)
                | Self::Attach(_)
                | Self::Retire(_)
                | Self::Drain { .. }
                | Self::LetGo(_)
                | Self::Terminate(_)
                | Self::RestoreMax(_)
        )
    }
}

/// In place of a number of tries: access was denied, and nothing more is tried.
const DENIED: u32 = u32::MAX;
/// Tries after which a launch that clearly never happened is given up.
pub const TRIES_MAX: u32 = 8;

/// What this op does next.
#[must_use]
pub fn next(scene: &Scene<'_>) -> Next {
    let op = scene.op;
    if let Some(first) = drain::at_once(scene).or_else(|| drain::back(scene)) {
        return first;
    }
    if let Some(wait) = waits(scene) {
        return wait;
    }
    if let Stage::Launch { attempt } = op.stage {
        return forward::launch(scene, attempt);
    }
    if let Stage::Restore { end } = op.stage {
        return restore(scene, end);
    }
    let Some(view) = scene.view else { return Next::Look };
    if op.added && clamped(scene.record, op, view) {
        return Next::Absorbed;
    }
    match &op.stage {
        Stage::Boot { new } => forward::boot(scene, view, new),
        Stage::Attach { new } => forward::attach(scene, view, new),
        Stage::Settle { new, serving_since, ready_at } => forward::settle(scene, view, new, *serving_since, *ready_at),
        Stage::Retire { new, sent } => forward::retire(scene, view, new, *sent),
        Stage::Undo { new, attached, sent, why } => take_back::undo(scene, view, new, *attached, *sent, *why),
        Stage::Net { new, victim, end } => take_back::net(scene, view, new.as_ref(), victim.as_ref(), *end),
        Stage::LetGo => forward::let_go(scene, view),
        Stage::Launch { .. } | Stage::Restore { .. } => Next::Look,
    }
}

/// A wait that no look can shorten, and how long: booting, and serving for the settle time.
#[must_use]
pub fn waits(scene: &Scene<'_>) -> Option<Next> {
    if let Some(first) = drain::at_once(scene) {
        return Some(first);
    }
    if let Stage::Boot { new } = &scene.op.stage {
        return forward::still_booting(scene, new);
    }
    if let Stage::Settle { serving_since: Some(_), ready_at, .. } = scene.op.stage {
        let unseen = scene.view.is_none() && scene.now < ready_at;
        return unseen.then_some(Next::Wait(ready_at, Watch::Nothing));
    }
    None
}

/// The owner's limits took our +1 back: MaxSize was lowered onto desired, or MinSize raised over what is wanted.
fn clamped(record: &GroupRecord, op: &Op, view: &GroupView) -> bool {
    let by_max = view.desired < op.desired_after && view.desired == view.max;
    let by_min = view.desired.saturating_sub(record.added()) < view.min;
    by_max || by_min
}

fn restore(scene: &Scene<'_>, end: End) -> Next {
    if scene.op.tries == DENIED {
        return Next::End(End::Stranded);
    }
    let Some(intent) = scene.record.max else { return Next::End(end) };
    if scene.op.added {
        // Our +1 stands: with a MaxSize below desired, AWS would choose whom to end for it.
        return Next::End(end);
    }
    let needed = |op: &Op| op.added || matches!(op.stage, Stage::Attach { .. });
    if scene.record.ops.iter().any(|op| op.id != scene.op.id && needed(op)) {
        return Next::End(end);
    }
    match scene.view {
        None => Next::Look,
        Some(view) if intent.is_ours(view.max) => Next::RestoreMax(intent.original),
        Some(_) => Next::ForgetMax,
    }
}

/// The client token of a launch: at most 64 ASCII characters.
#[must_use]
pub fn token(id: &SwapId, attempt: u32) -> String {
    format!("{id}-launch-{attempt}")
}

/// How long a newcomer must serve before the old one goes.
#[must_use]
pub fn settle_time(view: &GroupView, effective: &Effective) -> Span {
    view.health_check_grace.max(view.default_warmup).max(effective.policy.settle)
}

/// Whether to go on. A tag that makes IAM refuse the group's changes is an opt-out, too: what was not attached yet can
/// still be taken back.
fn enabled(scene: &Scene<'_>) -> bool {
    let permitted = scene.view.is_none_or(|view| scene.rights.guard.permits(&view.tags).is_ok());
    scene.effective.standing == Standing::Enabled && permitted
}

fn elapsed(scene: &Scene<'_>) -> Span {
    scene.now.since(scene.op.entered_at)
}

fn poll(scene: &Scene<'_>, watch: Watch) -> Next {
    Next::Wait(scene.now + scene.timings.tick, watch)
}

/// What keeps the old one from being replaced by choice.
fn old_trouble(scene: &Scene<'_>, view: &GroupView) -> Option<Why> {
    if scene.op.id.is_rescue() {
        return None;
    }
    match view.member(&scene.op.old) {
        Some(m) if m.protected && !scene.effective.policy.protected_members => Some(Why::OldProtected),
        Some(m) if stays(m) => None,
        Some(_) | None => Some(Why::OldGone),
    }
}

/// In service or on its way there.
fn stays(member: &Member) -> bool {
    member.healthy && matches!(member.state, MemberState::InService | MemberState::Pending)
}
