//! The counted state of one group: who is in service, since when it counts, and what a moment of it is worth.

use std::sync::Arc;

use spothub_core::group::Lifecycle;
use spothub_core::id::{AzId, InstanceId};
use spothub_core::lookup::Lookup;
use spothub_core::money::{Usd, UsdPerHour};
use spothub_core::time::Span;

use super::{Delivery, Wanted};
use crate::record::{GroupRef, Membership, PolicyLine};

/// What a swap takes beside booting and settling.
const SWAP_OVERHEAD_MS: i64 = 120_000;

/// What an instance is to its group: many share one, and the market's answer is the same for all of them.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub(super) struct Place {
    /// The type that the group launches there by itself.
    pub(super) kind: Arc<str>,
    pub(super) os: Arc<str>,
    pub(super) az_id: AzId,
    pub(super) on_demand: Option<UsdPerHour>,
}

/// What is known of one instance.
pub(super) struct Held {
    /// The number of its place.
    pub(super) place: u32,
    pub(super) lifecycle: Lifecycle,
    /// What it costs.
    pub(super) price: UsdPerHour,
    /// What its place costs on demand; `None` for the owner's own Spot.
    pub(super) on_demand: Option<UsdPerHour>,
    /// The cheapest price it could have had at the last sample.
    pub(super) cheapest: Option<UsdPerHour>,
}

impl Held {
    /// The question to the market.
    pub(super) fn wanted<'a>(
        &self,
        places: &'a [Place],
        instance: &'a InstanceId,
        group: &'a GroupRef,
        min_saving_percent: u8,
    ) -> Option<Wanted<'a>> {
        let place = places.get(self.place as usize)?;
        let (kind, os, az_id) = (&*place.kind, &*place.os, &place.az_id);
        let number = self.place;
        let wanted =
            |on_demand| Wanted { instance, group, place: number, kind, os, az_id, on_demand, min_saving_percent };
        self.on_demand.map(wanted)
    }

    /// What its place could save in an hour; a Spot member at least what it does save.
    fn gain(&self) -> Option<i64> {
        let spot = (self.lifecycle == Lifecycle::Spot).then_some(self.price);
        let price = spot.into_iter().chain(self.cheapest).min()?;
        self.on_demand.map(|on_demand| on_demand.0 - price.0)
    }
}

/// One group.
#[derive(Default)]
pub(super) struct Group {
    /// Members in service and healthy, with their numbers.
    pub(super) members: Vec<(InstanceId, u32)>,
    pub(super) min_saving_percent: u8,
    want: u32,
    known: bool,
    floor_number: u32,
    floor_percent: u8,
    ramp: Ramp,
    ramp_each_ms: i64,
    /// Up to when its time is added up.
    settled: i64,
    now: Counts,
}

/// Where a group is between enabling and counting.
#[derive(Clone, Copy, Default)]
enum Ramp {
    #[default]
    Disabled,
    /// Enabled, and its members are not known yet.
    From(i64),
    /// It counts from then on.
    Until(i64),
}

/// A moment of a group.
#[derive(Clone, Copy, Default)]
struct Counts {
    eligible: i64,
    on_spot: i64,
    gain: UsdPerHour,
}

impl Group {
    /// Adds up the time since the last call.
    pub(super) fn settle(&mut self, t: i64) -> Delivery {
        let from = std::mem::replace(&mut self.settled, t);
        let Ramp::Until(ramp) = self.ramp else { return Delivery::default() };
        let span = t - from.max(ramp);
        if span <= 0 {
            return Delivery::default();
        }
        Delivery {
            eligible: Span(self.now.eligible * span),
            on_spot: Span(self.now.on_spot * span),
            best_possible: if self.now.gain.0 > 0 { self.now.gain.over(Span(span)) } else { Usd::ZERO },
        }
    }

    /// Whether its members will count before the next sample or so: asking earlier would be for nothing.
    pub(super) fn counts_soon(&self, t: i64) -> bool {
        matches!(self.ramp, Ramp::Until(ramp) if ramp <= t + super::SAMPLE.0)
    }

    pub(super) fn policy(&mut self, t: i64, line: &PolicyLine) {
        self.floor_number = line.floor_number;
        self.floor_percent = line.floor_percent;
        self.min_saving_percent = line.min_saving_percent;
        let swap_ms = (line.boot_s + line.settle_s).saturating_mul(1000) + SWAP_OVERHEAD_MS;
        self.ramp_each_ms = line.interval_s.saturating_mul(1000).max(swap_ms);
        self.ramp = match self.ramp {
            _ if !line.enabled || line.opted_out_by.is_some() => Ramp::Disabled,
            Ramp::Disabled => Ramp::From(t),
            going @ (Ramp::From(_) | Ramp::Until(_)) => going,
        };
        self.begin_ramp();
    }

    pub(super) fn membership(&mut self, m: &Membership, numbers: &Lookup<InstanceId, u32>) {
        self.want = m.owner_desired;
        self.known = true;
        self.members.clear();
        let serving = m.members.iter().filter(|line| line.state == "InService" && line.healthy);
        self.members.extend(serving.filter_map(|line| Some((line.id.clone(), *numbers.get(&line.id)?))));
        self.begin_ramp();
    }

    /// The ramp's end is set once, by the members above the floor at its beginning: later growth does not move it.
    fn begin_ramp(&mut self) {
        if let (Ramp::From(t), true) = (self.ramp, self.known) {
            self.ramp = Ramp::Until(
                t + i64::try_from(self.above_floor()).unwrap_or(i64::MAX).saturating_mul(self.ramp_each_ms),
            );
        }
    }

    fn floor(&self) -> i64 {
        let share = (u64::from(self.want) * u64::from(self.floor_percent)).div_ceil(100);
        i64::try_from(share).unwrap_or(i64::MAX).max(i64::from(self.floor_number))
    }

    /// Places beyond the floor. While a newcomer and the one that it replaces both serve, their place counts once.
    fn above_floor(&self) -> usize {
        let places = self.members.len().min(usize::try_from(self.want).unwrap_or(usize::MAX));
        places.saturating_sub(usize::try_from(self.floor()).unwrap_or(usize::MAX))
    }

    /// Counts this moment: members on Spot, and on-demand members beyond the floor that could be.
    pub(super) fn recount(&mut self, instances: &[Held]) {
        let (mut spot, mut could) = (Vec::new(), Vec::new());
        for held in self.members.iter().filter_map(|(_, number)| instances.get(*number as usize)) {
            match held.lifecycle {
                // An owner's own Spot instance is on Spot, and nobody's saving.
                Lifecycle::Spot => spot.push(held.gain().unwrap_or(0)),
                Lifecycle::OnDemand => could.extend(held.gain()),
            }
        }
        let above = self.above_floor();
        let spot = best(spot, above);
        let could = best(could, above - spot.len());
        let whole = |places: usize| i64::try_from(places).unwrap_or(i64::MAX);
        self.now = Counts {
            eligible: whole(spot.len() + could.len()),
            on_spot: whole(spot.len()),
            gain: UsdPerHour(spot.iter().chain(&could).sum()),
        };
    }
}

/// The largest gains, as many as there are places.
fn best(mut gains: Vec<i64>, places: usize) -> Vec<i64> {
    gains.sort_unstable_by(|a, b| b.cmp(a));
    gains.truncate(places);
    gains
}
