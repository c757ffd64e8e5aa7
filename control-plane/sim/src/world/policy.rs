//! What policy says of a group, from the scenario and the group's tags: the judge's word, never the engine's.

use spothub_core::catalog::Product;
use spothub_core::id::OuPath;
use spothub_core::time::Span;

use super::World;
use crate::record::PolicyLine;
use crate::shape::Delay;

/// The owner's switch.
pub(crate) const TAG_ENABLED: &str = "spothub:enabled";
const TAG_FLOOR: &str = "spothub:min-on-demand";
const TAG_FLOOR_PERCENT: &str = "spothub:min-on-demand-percent";

/// Tags of ours that owners may set on a group.
const KNOWN: [&str; 10] = [
    TAG_ENABLED,
    TAG_FLOOR,
    TAG_FLOOR_PERCENT,
    "spothub:allowed-types",
    "spothub:denied-types",
    "spothub:schedule",
    "spothub:settle",
    "spothub:interval",
    "spothub:pool-share",
    super::containers::TAG_CLUSTER,
];

/// A tag of ours that nobody knows: it was to say something, so nothing may be touched.
fn misspelt(key: &str) -> bool {
    key.starts_with("spothub:") && !KNOWN.contains(&key)
}

impl World {
    /// What policy says of a group now.
    #[must_use]
    pub fn policy_line(&self, number: u32) -> PolicyLine {
        let group = &self.groups[number as usize];
        let account = &self.accounts[self.sites[group.site as usize].account];
        let policy = &group.policy;
        let tag = group.tags.get(TAG_ENABLED).map(|v| v.trim().to_ascii_lowercase());
        let opted_out_by = match tag.as_deref() {
            Some("false") => Some("tag"),
            _ if group.tags.keys().any(|key| misspelt(key)) => Some("tag"),
            _ if policy.opted_out => Some("policy"),
            _ => None,
        };
        let served = account.enrolled && account.active && account.regions.contains(&group.key.site.region);
        let enabled = served && opted_out_by.is_none() && (policy.enabled || tag.as_deref() == Some("true"));
        let number_tag = |name: &str| group.tags.get(name).and_then(|v| v.trim().parse::<u32>().ok());
        let percent = number_tag(TAG_FLOOR_PERCENT).and_then(|n| u8::try_from(n).ok()).filter(|&n| n <= 100);
        PolicyLine {
            group: group.at.clone(),
            ou: OuPath::clone(&account.ou),
            interval_s: policy.interval.as_secs(),
            // A tag raises a floor, and lowers none.
            floor_number: number_tag(TAG_FLOOR).unwrap_or(0).max(policy.floor_number),
            floor_percent: percent.unwrap_or(0).max(policy.floor_percent),
            settle_s: policy.settle.as_secs(),
            enabled,
            opted_out_by: opted_out_by.map(ToOwned::to_owned),
            min_saving_percent: policy.min_saving_percent,
            in_flight_max: policy.in_flight_max,
            share_percent: policy.share_percent,
            moves_after_s: policy.moves_after.map(Span::as_secs),
            drain_s: group.cluster.as_ref().map(|_| policy.drain_wait.as_secs()),
            boot_s: policy.boot.unwrap_or_else(|| self.usual_boot(group.product)).as_secs(),
        }
    }

    fn usual_boot(&self, product: Product) -> Span {
        let Delay { low, high } = match product {
            Product::Windows => self.timing.windows_checked,
            Product::Linux | Product::Rhel | Product::Suse => self.timing.linux_checked,
        };
        Span(low.0.midpoint(high.0))
    }
}
