//! An owner who does one thing at the worst moment of the first swap, and takes it back some time later.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use spothub_core::cloud::Launched;
use spothub_core::fault::Fault;
use spothub_core::group::Process;
use spothub_core::id::{GroupKey, InstanceId};
use spothub_core::port::{Act, Clock};
use spothub_core::time::Span;
use spothub_sim::exec::Exec;
use spothub_sim::shape::FaultShape;
use spothub_sim::world::SharedWorld;

use super::hands::{Call, Deed, Hand, OUTSIDE};

/// When the owner acts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Moment {
    /// The newcomer was launched.
    Launched,
    /// MaxSize was raised.
    Raised,
    /// The newcomer was attached.
    Attached,
    /// The old one is about to be taken out: the call is under way.
    Retiring,
}

/// What the owner does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Whim {
    /// Protects the old one from scale-in.
    Protects,
    /// Opts the group out by its tag.
    OptsOut,
    /// Suspends Launch, so that nothing can be attached.
    Suspends,
    /// Ends the old one through EC2, past its group.
    EndsOld,
    /// Ends the newcomer likewise.
    EndsNew,
    /// Has an image whose checks fail, and mends it once the first newcomer was launched.
    Breaks,
}

/// How long what the owner brought about lasts: longer than a swap waits for it.
const LASTS: Span = Span::mins(15);

/// The owner of the one group.
pub(crate) struct Owner {
    acts: Option<(Moment, Whim)>,
    world: Arc<SharedWorld>,
    pub(crate) exec: Exec,
    clock: Arc<dyn Clock>,
    /// Who is replaced by whom.
    swap: Mutex<Option<(InstanceId, InstanceId)>>,
    acted: Mutex<bool>,
}

impl Owner {
    pub(crate) fn new(
        acts: Option<(Moment, Whim)>,
        world: &Arc<SharedWorld>,
        exec: &Exec,
        clock: Arc<dyn Clock>,
    ) -> Arc<Self> {
        let (world, exec) = (Arc::clone(world), exec.clone());
        if let Some((_, Whim::Breaks)) = acts {
            world.lock().fail(FaultShape { dud_ppm: 1_000_000, ..FaultShape::default() });
        }
        Arc::new(Self { acts, world, exec, clock, swap: Mutex::default(), acted: Mutex::default() })
    }

    fn comes(self: &Arc<Self>, moment: Moment, group: &GroupKey) {
        let Some((_, whim)) = self.acts.filter(|(at, _)| *at == moment) else { return };
        let Some((old, new)) = self.swap.lock().unwrap().clone() else { return };
        if std::mem::replace(&mut *self.acted.lock().unwrap(), true) {
            return;
        }
        self.does(whim, group, &old, &new, true);
        let (owner, group, until) = (Arc::clone(self), group.clone(), self.clock.now() + LASTS);
        self.exec.spawn(OUTSIDE, async move {
            owner.clock.sleep_until(until).await;
            owner.does(whim, &group, &old, &new, false);
        });
    }

    /// Does it, or takes it back where that can be.
    fn does(&self, whim: Whim, group: &GroupKey, old: &InstanceId, new: &InstanceId, on: bool) {
        let mut world = self.world.lock();
        let done = match whim {
            Whim::Protects => world.protect_by_hand(old, on),
            Whim::OptsOut => world.opt_out(group, on),
            Whim::Suspends => world.suspend(group, Process::Launch, on),
            Whim::EndsOld => !on || world.end_by_hand(old),
            Whim::EndsNew => !on || world.end_by_hand(new),
            Whim::Breaks => {
                world.fail(FaultShape::default());
                true
            }
        };
        assert!(done || !on, "the world knows whom the owner means");
    }
}

/// Where the owner stands: just behind the calls.
pub(crate) struct Standing(pub(crate) Arc<Owner>);

#[async_trait]
impl Hand for Standing {
    async fn make(&self, inner: &Arc<dyn Act>, call: Call) -> Result<Option<Launched>, Fault> {
        let owner = &self.0;
        if let Deed::Retire(group, ..) = &call.deed {
            owner.comes(Moment::Retiring, group);
        }
        let answer = call.make(&**inner).await;
        match (&call.deed, &answer) {
            (Deed::Launch(wanted), Ok(Some(launched))) => {
                *owner.swap.lock().unwrap() = Some((wanted.replaces.clone(), launched.id.clone()));
                owner.comes(Moment::Launched, &wanted.group);
            }
            (Deed::SetMax(group, _), Ok(_)) => owner.comes(Moment::Raised, group),
            (Deed::Attach(group, _), Ok(_)) => owner.comes(Moment::Attached, group),
            _ => {}
        }
        answer
    }
}
