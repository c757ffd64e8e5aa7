//! Instances by number: a slot is reused once its instance is forgotten, and a generation tells the two apart.

use std::sync::Arc;

use spothub_core::catalog::{Product, TypeId};
use spothub_core::group::{InstanceFacts, MemberState};
use spothub_core::id::{InstanceId, SwapId};
use spothub_core::lookup::Lookup;
use spothub_core::money::UsdPerHour;
use spothub_core::time::{Span, Timestamp};

use crate::record::{By, Ended};
use crate::seed::mix;

/// Names one instance for good.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub struct Inst {
    pub(crate) slot: u32,
    generation: u32,
}

/// Where EC2 has an instance.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub enum Phase {
    /// Starting.
    Pending,
    /// Running.
    Running,
    /// Shutting down: no longer of use, and still billed.
    Ending,
    /// Terminated.
    Ended,
}

/// What the status checks say.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Checks {
    /// Initializing.
    Open,
    /// Passed, since then.
    Passed(Timestamp),
    /// Failed.
    Failed,
}

/// Membership of a group.
#[derive(Clone, Copy, Debug)]
pub struct Membered {
    /// The group's number.
    pub group: u32,
    /// Lifecycle state.
    pub state: MemberState,
    /// Called healthy by the group.
    pub healthy: bool,
    /// Protected from scale-in.
    pub protected: bool,
    /// Came by attaching.
    pub attached: bool,
    /// Registered with the target groups since then.
    pub registered: Option<Timestamp>,
}

/// One instance.
#[expect(clippy::struct_excessive_bools, reason = "independent yes-or-no facts of an instance")]
#[derive(Clone, Debug)]
pub struct Instance {
    /// Its id.
    pub id: InstanceId,
    /// The number of its account and region.
    pub site: u32,
    /// The number of the group that it was launched for.
    pub group: u32,
    /// Its zone's number in the market.
    pub zone: u16,
    /// Its type; `None` where the catalogue does not know it.
    pub kind: Option<TypeId>,
    /// Its operating system.
    pub product: Product,
    /// Spot, not on-demand.
    pub spot: bool,
    /// Who launched it.
    pub by: By,
    /// EC2's state.
    pub phase: Phase,
    /// Status checks.
    pub checks: Checks,
    /// Its checks will fail.
    pub dud: bool,
    /// It dies before it runs.
    pub stillborn: bool,
    /// Invisible to EC2's Describe calls until then.
    pub visible_from: Timestamp,
    /// When it was launched.
    pub launched: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// What it is in a group.
    pub member: Option<Membered>,
    /// The template version that it was launched from; `None` where its group cannot tell.
    pub version: Option<u32>,
    /// What EC2 says of it and cannot change.
    pub facts: Arc<InstanceFacts>,
    /// How long a target group takes to call it healthy.
    pub register: Span,
    /// AWS has decided to take it.
    pub doomed: bool,
    /// AWS has announced to take it then.
    pub noticed: Option<Timestamp>,
    /// The swap that launched it.
    pub swap: Option<SwapId>,
    /// The on-demand price that savings count for it.
    pub counted: UsdPerHour,
    /// It carries this hub's tag.
    pub ours: bool,
    /// Why it is being ended.
    pub why: Option<Ended>,
    /// What it is in its group's ECS cluster.
    pub container: Option<super::containers::Container>,
}

impl Instance {
    /// Neither shutting down nor terminated.
    #[must_use]
    pub fn lives(&self) -> bool {
        self.phase < Phase::Ending
    }

    /// Its member state, where it is a member.
    #[must_use]
    pub fn state(&self) -> Option<MemberState> {
        self.member.map(|m| m.state)
    }
}

struct Slot {
    generation: u32,
    instance: Option<Instance>,
}

/// All instances that EC2 still knows.
pub struct Arena {
    salt: u64,
    serial: u64,
    slots: Vec<Slot>,
    free: Vec<u32>,
    by_number: Lookup<u64, u32>,
}

impl Arena {
    /// An empty one; ids depend on the seed.
    #[must_use]
    pub(super) fn new(seed: u64) -> Self {
        Self { salt: mix(seed), serial: 0, slots: Vec::new(), free: Vec::new(), by_number: Lookup::default() }
    }

    /// The id of the next instance.
    pub(super) fn next_id(&mut self) -> InstanceId {
        self.serial += 1;
        // A bijection of the serial: no two instances of a run share an id.
        InstanceId::from_number(u128::from(mix(self.serial ^ self.salt)))
    }

    pub(super) fn insert(&mut self, instance: Instance) -> Inst {
        let number = number(&instance.id);
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, instance: None });
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        self.by_number.insert(number, slot);
        let place = &mut self.slots[slot as usize];
        place.instance = Some(instance);
        Inst { slot, generation: place.generation }
    }

    pub(super) fn remove(&mut self, inst: Inst) -> Option<Instance> {
        let place = self.slots.get_mut(inst.slot as usize).filter(|p| p.generation == inst.generation)?;
        let instance = place.instance.take()?;
        place.generation = place.generation.wrapping_add(1);
        self.by_number.remove(&number(&instance.id));
        self.free.push(inst.slot);
        Some(instance)
    }

    /// The instance, unless it was forgotten.
    #[must_use]
    pub fn get(&self, inst: Inst) -> Option<&Instance> {
        self.slots.get(inst.slot as usize).filter(|p| p.generation == inst.generation)?.instance.as_ref()
    }

    pub(super) fn get_mut(&mut self, inst: Inst) -> Option<&mut Instance> {
        self.slots.get_mut(inst.slot as usize).filter(|p| p.generation == inst.generation)?.instance.as_mut()
    }

    /// The instance with this id, unless it was forgotten.
    #[must_use]
    pub fn find(&self, id: &InstanceId) -> Option<Inst> {
        let slot = *self.by_number.get(&number(id))?;
        let place = &self.slots[slot as usize];
        place.instance.as_ref().filter(|i| i.id == *id).map(|_| Inst { slot, generation: place.generation })
    }

    /// All that EC2 still knows.
    pub fn iter(&self) -> impl Iterator<Item = &Instance> {
        self.slots.iter().filter_map(|p| p.instance.as_ref())
    }

    /// How many EC2 still knows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_number.len()
    }

    /// None at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_number.is_empty()
    }
}

/// The low 64 bits of an id; ids of other makes collide at worst, and are compared in full.
fn number(id: &InstanceId) -> u64 {
    u64::try_from(id.number() & u128::from(u64::MAX)).unwrap_or(0)
}
