//! What a run cost and saved.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Trace, enabled, group, seconds, text, usd};

/// Costs of all groups that were enabled at any time, in USD.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    pub(crate) actual: f64,
    pub(crate) on_demand: f64,
}

impl Cost {
    /// What was saved, in percent of the on-demand cost.
    pub(crate) fn saved_percent(self) -> f64 {
        if self.on_demand > 0.0 { (self.on_demand - self.actual) / self.on_demand * 100.0 } else { 0.0 }
    }
}

impl Trace {
    /// Recomputes cost and savings as the design defines them.
    pub(crate) fn cost(&self) -> Cost {
        let billed: BTreeSet<_> = self.of("policy").filter(|(_, p)| enabled(p)).map(|(_, p)| group(p)).collect();
        let mut ends = BTreeMap::new();
        for (_, line) in self.of("instance_end") {
            ends.entry(text(line, "instance_id")).or_insert(seconds(line));
        }
        let mut prices: BTreeMap<_, Vec<&Value>> = BTreeMap::new();
        for (_, line) in self.of("price") {
            prices.entry(text(line, "instance_id")).or_default().push(line);
        }
        let mut cost = Cost::default();
        for (_, start) in self.of("instance_start").filter(|(_, start)| billed.contains(&group(start))) {
            let id = text(start, "instance_id");
            let (from, end) = (seconds(start), ends.get(id).copied().unwrap_or(self.end()));
            let actual = own_cost(start, prices.get(id).map_or(&[], Vec::as_slice), end);
            cost.actual += actual;
            cost.on_demand += if text(start, "by") == "spothub" {
                let gone = ends.get(text(start, "replaces")).copied().unwrap_or(end);
                usd(start, "replaces_usd_per_hour") * (end - gone.max(from)).max(0.0) / 3600.0
            } else {
                actual
            };
        }
        cost
    }
}

/// The price in force, second for second.
fn own_cost(start: &Value, prices: &[&Value], end: f64) -> f64 {
    let (mut since, mut price, mut cost) = (seconds(start), usd(start, "usd_per_hour"), 0.0);
    for change in prices.iter().filter(|change| seconds(change) < end) {
        cost += price * (seconds(change) - since) / 3600.0;
        (since, price) = (seconds(change), usd(change, "usd_per_hour"));
    }
    cost + price * (end - since) / 3600.0
}
