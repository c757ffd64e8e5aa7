//! How much of what could run on Spot does, sampled each five minutes.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Trace, enabled, floor, latest, list, number, seconds, serves, text};

/// Hours of members above the floor, after the ramp.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Delivered {
    pub(crate) eligible_instance_hours: f64,
    pub(crate) on_spot_instance_hours: f64,
}

impl Delivered {
    /// The share on Spot; all of it where nothing was eligible.
    pub(crate) fn percent(self) -> f64 {
        if self.eligible_instance_hours > 0.0 {
            self.on_spot_instance_hours / self.eligible_instance_hours * 100.0
        } else {
            100.0
        }
    }
}

/// Seconds between samples.
const SAMPLE: u32 = 300;

impl Trace {
    /// Samples every enabled group. `affordable` is given the `instance_start` of an on-demand member and the second,
    /// and says whether a fitting pool in its zone was cheap enough and had capacity then.
    pub(crate) fn delivered(&self, mut affordable: impl FnMut(&Value, f64) -> bool) -> Delivered {
        let starts: BTreeMap<_, _> = self.of("instance_start").map(|(_, s)| (text(s, "instance_id"), s)).collect();
        let policies = self.policies();
        let mut counts = (0_u32, 0_u32);
        for (name, memberships) in self.memberships() {
            let policies = policies.get(&name).map_or(&[][..], Vec::as_slice);
            let mut sample = 0_u32;
            while f64::from(sample) <= self.end() {
                let t = f64::from(sample);
                let place = self.lines.partition_point(|line| seconds(line) <= t).saturating_sub(1);
                if ramp_end(policies, &memberships, place).is_some_and(|end| t >= end)
                    && let (Some(policy), Some(state)) = (latest(policies, place), latest(&memberships, place))
                {
                    let (eligible, on_spot) =
                        moment(policy, state, |id| starts.get(id).is_some_and(|start| affordable(start, t)));
                    counts = (counts.0 + eligible, counts.1 + on_spot);
                }
                sample += SAMPLE;
            }
        }
        let hours = |samples: u32| f64::from(samples) * f64::from(SAMPLE) / 3600.0;
        Delivered { eligible_instance_hours: hours(counts.0), on_spot_instance_hours: hours(counts.1) }
    }
}

/// When the ramp of the present enabling ends; `None` where the group is not enabled.
fn ramp_end(policies: &[(usize, &Value)], memberships: &[(usize, &Value)], place: usize) -> Option<f64> {
    let past: Vec<_> = policies.iter().filter(|(at, _)| *at <= place).collect();
    let off = past.iter().rposition(|(_, policy)| !enabled(policy));
    let (at, policy) = past.get(off.map_or(0, |i| i + 1))?;
    let state = latest(memberships, *at).or_else(|| memberships.first().map(|(_, state)| *state))?;
    let members = i64::try_from(list(state, "members").iter().filter(|m| serves(m)).count()).ok()?;
    let want = number(state, "owner_desired");
    let above = (members.min(want) - floor(policy, want)).max(0);
    let swap = number(policy, "boot_s") + number(policy, "settle_s") + 120;
    let ramp = above * swap.max(number(policy, "interval_s"));
    Some(seconds(policy) + f64::from(i32::try_from(ramp).ok()?))
}

/// Eligible members at one moment, and those of them on Spot.
fn moment(policy: &Value, state: &Value, mut affordable: impl FnMut(&str) -> bool) -> (u32, u32) {
    let serving: Vec<_> = list(state, "members").iter().filter(|m| serves(m)).collect();
    let want = number(state, "owner_desired");
    let places = |n: i64| usize::try_from(n).unwrap_or(0);
    // While a newcomer and the one that it replaces both serve, their place counts once, as Spot.
    let above = serving.len().min(places(want)).saturating_sub(places(floor(policy, want)));
    let spot = serving.iter().filter(|m| text(m, "lifecycle") == "spot").count().min(above);
    let on_demand = serving.iter().filter(|m| text(m, "lifecycle") == "on-demand");
    let could = on_demand.filter(|m| affordable(text(m, "id"))).count().min(above - spot);
    let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    (small(spot + could), small(spot))
}
