//! The delivery judge: how much of what policy enables, and could run on Spot, does.
//!
//! Knows records, and asks its caller one thing: what a fitting pool costs at a time. Laws alone are met by doing
//! nothing; an engine that holds everything fails here.

pub mod fits;
mod seats;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use fits::{Asks, fits, fitting};

use seats::{Group, Held, Place};
use spothub_core::group::Lifecycle;
use spothub_core::id::{AzId, InstanceId};
use spothub_core::lookup::Lookup;
use spothub_core::money::{Usd, UsdPerHour};
use spothub_core::time::Span;

use crate::record::{By, GroupRef, InstanceStart, Record, Sink, What};

/// How often the market is asked; between, the last answer counts.
pub const SAMPLE: Span = Span::mins(5);

/// A member that runs on demand, or would without us.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The member.
    pub instance: &'a InstanceId,
    /// Its group.
    pub group: &'a GroupRef,
    /// A number for type, operating system, zone and price: two members with the same number ask the same.
    pub place: u32,
    /// The type that the group launches there by itself.
    pub kind: &'a str,
    /// `Linux`, `Windows` ...
    pub os: &'a str,
    /// Its zone.
    pub az_id: &'a AzId,
    /// What it costs on demand.
    pub on_demand: UsdPerHour,
    /// The least that policy wants saved, in percent of that.
    pub min_saving_percent: u8,
}

/// Answers from the market itself, not from the engine's view of it.
pub trait Affordable {
    /// The price of the cheapest pool in the member's zone that fits it, has capacity at `t`, and costs at least
    /// `min_saving_percent` less than it does; `None` where there is none, or where the group is not one to serve.
    fn cheapest(&mut self, wanted: &Wanted<'_>, t: i64) -> Option<UsdPerHour>;
}

/// What was delivered, in instance-milliseconds and money.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Delivery {
    /// Time of members above the floor, after the ramp, that ran on Spot or could have.
    pub eligible: Span,
    /// Of this, time on Spot.
    pub on_spot: Span,
    /// What could have been saved in the eligible time, each member at the cheapest price it could have.
    pub best_possible: Usd,
}

impl Delivery {
    /// Hundredths of a percent of the eligible time that ran on Spot; `None` where nothing was eligible.
    #[must_use]
    pub fn basis_points(&self) -> Option<i64> {
        (self.eligible.0 > 0).then(|| self.on_spot.0 * 10_000 / self.eligible.0)
    }
}

/// Follows groups and members, and adds up.
#[derive(Default)]
pub struct Delivered {
    group_ix: BTreeMap<GroupRef, usize>,
    group_of: Lookup<GroupRef, usize>,
    groups: Vec<Group>,
    /// Instances in order of their start, and their numbers.
    instances: Vec<Held>,
    numbers: Lookup<InstanceId, u32>,
    places: Vec<Place>,
    place_of: BTreeMap<Place, u32>,
    sum: Delivery,
}

impl Delivered {
    /// Asks the market at virtual millisecond `t` about every member that counts. Called each [`SAMPLE`], after
    /// the records up to `t`; a member that came since the last call counts as affordable from its first call on.
    pub fn sample(&mut self, t: i64, market: &mut dyn Affordable) {
        for (key, &ix) in &self.group_ix {
            let group = &mut self.groups[ix];
            self.sum.add(group.settle(t));
            if !group.counts_soon(t) {
                continue;
            }
            for (id, number) in &group.members {
                let Some(held) = self.instances.get_mut(*number as usize) else { continue };
                let wanted = held.wanted(&self.places, id, key, group.min_saving_percent);
                held.cheapest = wanted.and_then(|wanted| market.cheapest(&wanted, t));
            }
            group.recount(&self.instances);
        }
    }

    /// The sum at virtual millisecond `t`, no earlier than the last record.
    #[must_use]
    pub fn close(&mut self, t: i64) -> Delivery {
        for group in &mut self.groups {
            self.sum.add(group.settle(t));
        }
        self.sum
    }

    fn group(&mut self, key: &GroupRef) -> usize {
        if let Some(&ix) = self.group_of.get(key) {
            return ix;
        }
        let ix = self.groups.len();
        self.group_ix.insert(key.clone(), ix);
        self.group_of.insert(key.clone(), ix);
        self.groups.push(Group::default());
        ix
    }

    fn kind_of(&self, held: &Held) -> Arc<str> {
        self.places.get(held.place as usize).map_or_else(|| "".into(), |place| Arc::clone(&place.kind))
    }

    fn place(&mut self, place: Place) -> u32 {
        if let Some(&number) = self.place_of.get(&place) {
            return number;
        }
        let number = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
        self.place_of.insert(place.clone(), number);
        self.places.push(place);
        number
    }

    fn held(&self, id: &InstanceId) -> Option<&Held> {
        self.numbers.get(id).and_then(|number| self.instances.get(*number as usize))
    }

    fn start(&mut self, start: &InstanceStart) {
        let own =
            || (start.kind.as_str().into(), (start.lifecycle == Lifecycle::OnDemand).then_some(start.usd_per_hour));
        // What stands in for another counts as that one: its type, at the price carried over.
        let (kind, on_demand): (Arc<str>, _) = match start.by {
            By::Spothub => {
                let replaced = start.replaces.as_ref().and_then(|id| self.held(id));
                (replaced.map_or_else(|| own().0, |old| self.kind_of(old)), start.replaces_usd_per_hour)
            }
            By::Autoscaling | By::Owner => own(),
        };
        let place = self.place(Place { kind, os: start.os.as_str().into(), az_id: start.az_id.clone(), on_demand });
        let held = Held { place, lifecycle: start.lifecycle, price: start.usd_per_hour, on_demand, cheapest: None };
        self.numbers.insert(start.instance_id.clone(), u32::try_from(self.instances.len()).unwrap_or(u32::MAX));
        self.instances.push(held);
    }
}

impl Delivery {
    fn add(&mut self, part: Self) {
        self.eligible = self.eligible + part.eligible;
        self.on_spot = self.on_spot + part.on_spot;
        self.best_possible += part.best_possible;
    }
}

impl Sink for Delivered {
    fn take(&mut self, record: &Record) {
        let t = record.t;
        match &record.what {
            What::InstanceStart(start) => self.start(start),
            What::Price { instance_id, usd_per_hour } => {
                let number = self.numbers.get(instance_id);
                if let Some(held) = number.and_then(|number| self.instances.get_mut(*number as usize)) {
                    held.price = *usd_per_hour;
                }
            }
            What::Policy(line) => {
                let ix = self.group(&line.group);
                self.sum.add(self.groups[ix].settle(t));
                self.groups[ix].policy(t, line);
                self.groups[ix].recount(&self.instances);
            }
            What::Membership(m) => {
                let ix = self.group(&m.group);
                self.sum.add(self.groups[ix].settle(t));
                self.groups[ix].membership(m, &self.numbers);
                self.groups[ix].recount(&self.instances);
            }
            What::InstanceEnd { .. }
            | What::Notice { .. }
            | What::Recommendation { .. }
            | What::Container(_)
            | What::Call(_)
            | What::Hold { .. }
            | What::EventSent { .. }
            | What::Brake { .. }
            | What::Swap { .. }
            | What::Event { .. }
            | What::End => {}
        }
    }
}
