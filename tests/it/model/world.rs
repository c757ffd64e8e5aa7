//! The group and its instances as AWS has them: what a call does, and what happens by itself.

use spothub_core::catalog::TypeId;
use spothub_core::cloud::Launched;
use spothub_core::fault::{Conflict, Fault};
use spothub_core::id::InstanceId;

/// Who launched an instance.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub(super) enum Origin {
    /// Nobody: the place is free.
    #[default]
    Nobody,
    /// A member from the beginning.
    Owner,
    /// The group itself, at this hour of the model (see [`World::hour`]).
    Group(u8),
    /// A worker, under the token of this swap with this number.
    Ours { swap: u8, token: u8 },
}

/// Where an instance is in its life.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub(super) enum Life {
    #[default]
    Pending,
    Checked,
    Ended,
}

/// Where an instance stands in its group.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub(super) enum Seat {
    #[default]
    Never,
    Pending,
    InService,
    Terminating,
    Left,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub(super) struct Instance {
    pub(super) origin: Origin,
    pub(super) life: Life,
    /// Its checks passed once: an old answer may still say so.
    pub(super) passed: bool,
    pub(super) seat: Seat,
    /// It left by a request with decrement.
    pub(super) requested: bool,
}

/// A call that changes something, with the numbers of instances in place of ids.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub(super) enum Call {
    Launch { swap: u8, token: u8 },
    SetMax(u8),
    Attach(u8),
    Retire(u8),
    Terminate(u8),
}

/// What a worker hears of a call.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub(super) enum Outcome {
    Launched(u8),
    Done,
    Gone,
    InstanceState(u8),
    AtMax,
    AtMin,
    NoCapacity,
    Broken,
    Unclear,
}

impl Outcome {
    /// The same in the port's words.
    pub(super) fn answer(self) -> Result<Option<Launched>, Fault> {
        match self {
            Self::Launched(at) => Ok(Some(Launched { id: id(at), kind: TypeId(0), refused: Vec::new() })),
            Self::Done => Ok(None),
            Self::Gone => Err(Fault::Gone),
            Self::InstanceState(at) => Err(Fault::Conflict(Conflict::InstanceState(id(at)))),
            Self::AtMax => Err(Fault::Conflict(Conflict::AtMax)),
            Self::AtMin => Err(Fault::Conflict(Conflict::AtMin)),
            Self::NoCapacity => Err(Fault::NoCapacity(Vec::new())),
            Self::Broken => Err(Fault::Broken),
            Self::Unclear => Err(Fault::Unclear),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub(super) struct World {
    pub(super) min: u8,
    pub(super) max: u8,
    pub(super) desired: u8,
    pub(super) opted_out: bool,
    /// More instances were needed than there are places.
    pub(super) full: bool,
    /// Instances that ever live; a path that needs more is cut, and counted.
    pub(super) places: [Instance; 6],
}

impl Instance {
    pub(super) fn is_member(self) -> bool {
        matches!(self.seat, Seat::Pending | Seat::InService | Seat::Terminating)
    }

    pub(super) fn is_active(self) -> bool {
        matches!(self.seat, Seat::Pending | Seat::InService)
    }

    pub(super) fn is_alive(self) -> bool {
        self.origin != Origin::Nobody && self.life != Life::Ended
    }

    /// The swap that launched it.
    pub(super) fn swap(self) -> Option<u8> {
        if let Origin::Ours { swap, .. } = self.origin { Some(swap) } else { None }
    }
}

/// The id of the instance in a place.
pub(super) fn id(place: u8) -> InstanceId {
    InstanceId::from_number(u128::from(place) + 1)
}

/// The place of an instance.
pub(super) fn place(id: &InstanceId) -> u8 {
    u8::try_from(id.number() - 1).unwrap()
}

impl World {
    pub(super) fn new(desired: u8, min: u8, max: u8) -> Self {
        let mut world = Self { min, max, desired, ..Self::default() };
        for place in &mut world.places[..usize::from(desired)] {
            *place = Instance {
                origin: Origin::Owner,
                life: Life::Checked,
                passed: true,
                seat: Seat::InService,
                requested: false,
            };
        }
        world
    }

    fn born(&mut self, instance: Instance) -> Option<u8> {
        let free = self.places.iter().position(|place| place.origin == Origin::Nobody);
        self.full |= free.is_none();
        let free = free?;
        self.places[free] = instance;
        u8::try_from(free).ok()
    }

    pub(super) fn in_service(&self) -> usize {
        self.places.iter().filter(|place| place.seat == Seat::InService && place.life == Life::Checked).count()
    }

    fn active(&self) -> usize {
        self.places.iter().filter(|place| place.is_active()).count()
    }

    /// What a call does once it arrives, refused as the simulated cloud refuses it.
    pub(super) fn arrives(&mut self, call: Call) -> Outcome {
        match call {
            Call::Launch { swap, token } => {
                let origin = Origin::Ours { swap, token };
                let known = self.places.iter().position(|place| place.origin == origin);
                let known = known.and_then(|place| u8::try_from(place).ok());
                let born = known.or_else(|| self.born(Instance { origin, ..Instance::default() }));
                born.map_or(Outcome::Broken, Outcome::Launched)
            }
            Call::SetMax(max) => {
                self.max = max;
                self.desired = self.desired.min(max);
                Outcome::Done
            }
            Call::Attach(at) => {
                let place = &mut self.places[usize::from(at)];
                if place.life != Life::Checked || place.seat != Seat::Never {
                    return Outcome::InstanceState(at);
                }
                if self.desired >= self.max {
                    return Outcome::AtMax;
                }
                place.seat = Seat::Pending;
                self.desired += 1;
                Outcome::Done
            }
            Call::Retire(at) => {
                let place = &mut self.places[usize::from(at)];
                match place.seat {
                    Seat::Never | Seat::Left => return Outcome::Gone,
                    Seat::Terminating => return Outcome::InstanceState(at),
                    Seat::Pending | Seat::InService => {}
                }
                if self.desired <= self.min {
                    return Outcome::AtMin;
                }
                self.desired -= 1;
                (place.seat, place.requested) = (Seat::Terminating, true);
                Outcome::Done
            }
            Call::Terminate(at) => {
                self.places[usize::from(at)].life = Life::Ended;
                Outcome::Done
            }
        }
    }

    /// Each thing that AWS does next by itself, in `hour`.
    pub(super) fn by_itself(&self, hour: u8, mut then: impl FnMut(&'static str, u8, Self)) {
        for (at, place) in (0_u8..).zip(&self.places) {
            let mut to = |what, change: fn(&mut Instance)| {
                let mut world = *self;
                change(&mut world.places[usize::from(at)]);
                then(what, at, world);
            };
            match (place.life, place.seat) {
                (Life::Pending, _) if place.origin != Origin::Nobody => to("passes its checks", |i| {
                    (i.life, i.passed) = (Life::Checked, true);
                }),
                (Life::Checked, Seat::Pending) => to("is in service", |i| i.seat = Seat::InService),
                (_, Seat::Terminating) => to("has left", |i| (i.seat, i.life) = (Seat::Left, Life::Ended)),
                (Life::Ended, Seat::Pending | Seat::InService) => {
                    to("is found unhealthy", |i| i.seat = Seat::Terminating);
                }
                _ => {}
            }
            if place.is_active() && self.active() > usize::from(self.desired) {
                to("is scaled in", |i| i.seat = Seat::Terminating);
            }
        }
        if self.active() < usize::from(self.desired) {
            let mut world = *self;
            let (origin, life, seat) = (Origin::Group(hour), Life::Checked, Seat::Pending);
            let born = world.born(Instance { origin, life, passed: true, seat, requested: false });
            then("is launched by the group", born.unwrap_or_default(), world);
        }
    }
}
