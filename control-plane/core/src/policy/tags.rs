//! What the tags of a group's owner say.
//!
//! A tag that cannot be read was meant to say something: floors and types then keep everything as it is, any other one
//! holds the group until it is mended.

mod autospotting;
mod text;

use std::collections::BTreeMap;

use super::key::{Key, Settings};
use super::{Policy, TagDialect};

pub(crate) use autospotting::micros;
pub(crate) use text::types;

/// The owner's switch.
pub const ENABLED: &str = "spothub:enabled";
/// The switch of AutoSpotting, where policy lets its tags be understood.
pub const AUTOSPOTTING_ENABLED: &str = "spot-enabled";

/// What begins every tag of ours.
const PREFIX: &str = "spothub:";
/// Tags that say whose an instance is, which nobody sets on a group.
const MARKS: [&str; 4] = ["spothub:managed", "spothub:hub", "spothub:swap", "spothub:group"];

/// The keys that owners may set, each with its tag.
pub const OWNERS: &[(&str, Key)] = &[
    ("spothub:min-on-demand", Key::FloorNumber),
    ("spothub:min-on-demand-percent", Key::FloorPercent),
    ("spothub:min-saving", Key::MinSaving),
    ("spothub:max-price", Key::MaxPrice),
    ("spothub:max-price-over-spot", Key::MaxPriceOverSpot),
    ("spothub:product", Key::Product),
    ("spothub:allowed-types", Key::AllowedTypes),
    ("spothub:denied-types", Key::DeniedTypes),
    ("spothub:same-type-only", Key::SameTypeOnly),
    ("spothub:pools", Key::Pools),
    ("spothub:pool-share", Key::PoolShare),
    ("spothub:burstable", Key::Burstable),
    ("spothub:disks-unused", Key::DisksUnused),
    ("spothub:ebs-tolerance", Key::EbsTolerance),
    ("spothub:template", Key::Template),
    ("spothub:settle", Key::Settle),
    ("spothub:interval", Key::Interval),
    ("spothub:group-share", Key::GroupShare),
    ("spothub:guard-alarms", Key::GuardAlarms),
    ("spothub:guard-bake", Key::GuardBake),
    ("spothub:schedule", Key::Schedule),
    ("spothub:drain-wait", Key::DrainWait),
    ("spothub:ecs-cluster", Key::EcsCluster),
    ("spothub:on-interruption", Key::OnInterruption),
    ("spothub:on-rebalance", Key::OnRebalance),
    ("spothub:protected-members", Key::ProtectedMembers),
    ("spothub:skippable-launch-hooks", Key::SkippableLaunchHooks),
];

/// What a group's tags say of its policy.
#[derive(Debug, Default)]
pub(super) struct Owner {
    /// The values.
    pub(super) settings: Settings,
    /// The tag that each value comes from.
    pub(super) tags: BTreeMap<Key, String>,
    /// A tag that means something to us and cannot be read.
    pub(super) unreadable: Option<String>,
}

impl Owner {
    /// Whether any tag sets anything.
    pub(super) fn said(&self) -> bool {
        !self.tags.is_empty()
    }

    /// Takes a value, or remembers that there is none.
    fn take(&mut self, tag: &str, value: Option<Settings>) {
        match value {
            Some(value) => {
                self.settings.join(&value);
                for key in value.keys().iter() {
                    self.tags.entry(key).or_insert_with(|| tag.to_owned());
                }
            }
            None if self.unreadable.is_none() => self.unreadable = Some(tag.to_owned()),
            None => {}
        }
    }
}

/// What AutoSpotting's tags say, whatever policy allows, with the first that cannot be read.
pub(crate) fn translated(tags: &BTreeMap<String, String>) -> (Settings, Option<String>) {
    let mut owner = Owner::default();
    autospotting::read(tags, &Policy::default(), &mut owner);
    (owner.settings, owner.unreadable)
}

/// What the tags say, in the dialect that policy allows; `policy` is what the rules say.
pub(super) fn read(tags: &BTreeMap<String, String>, policy: &Policy) -> Owner {
    let mut owner = Owner::default();
    for (tag, value) in tags.range(PREFIX.to_owned()..).take_while(|(tag, _)| tag.starts_with(PREFIX)) {
        if tag == ENABLED || MARKS.contains(&tag.as_str()) {
            continue;
        }
        match OWNERS.iter().find(|(name, _)| name == tag) {
            Some((_, key)) => owner.take(tag, text::read(*key, value)),
            // It may be a slip of one that restricts.
            None => owner.take(tag, None),
        }
    }
    if policy.tags == TagDialect::Autospotting {
        autospotting::read(tags, policy, &mut owner);
    }
    owner
}
