//! Spot placement scores: what EC2 itself says of the chance to get Spot capacity of a size in a zone.
//!
//! A score is of a set of types together, of three at least, and of no operating system: an advice of AWS, not a
//! promise. It never closes a pool; it says in which zone to begin.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::catalog::{Arch, Catalog, InstanceType, TypeId};
use crate::id::{AzId, Region};
use crate::time::{Span, Timestamp};

/// Below this many types AWS scores low whatever there is (GetSpotPlacementScores, user guide).
pub const TYPES_MIN: usize = 3;
/// Types of one question at most: a size has about a hundred, and the newest families come last by number.
pub const TYPES_MAX: usize = 100;
/// Up to this score, of 1 to 10, AWS expects no capacity for most requests.
pub const UNLIKELY: u8 = 3;
/// How long a score counts: capacity of a size in a zone moves by the hour, and few questions a day are allowed.
pub const COUNTS: Span = Span::hours(12);

/// What is scored together: the types that may stand in for one another in most groups.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize)]
pub struct Size {
    /// The instruction set.
    pub arch: Arch,
    /// Virtual processors.
    pub vcpu: u32,
    /// Memory, in MiB.
    pub memory_mib: u32,
}

impl Size {
    /// The size of a type; `None` for what is made for something particular, where a set would say nothing.
    #[must_use]
    pub fn of(kind: &InstanceType) -> Option<Self> {
        let plain = kind.spot && !kind.bare_metal && kind.gpus.is_empty() && kind.accelerators.is_empty();
        let arch = [Arch::X86_64, Arch::Arm64].into_iter().find(|arch| kind.arch.contains(arch))?;
        plain.then_some(Self { arch, vcpu: kind.vcpu, memory_mib: kind.memory_mib })
    }

    /// The types of this size that a region offers, by number; too few are none.
    #[must_use]
    pub fn types(&self, catalog: &Catalog, region: &Region) -> Vec<TypeId> {
        let zones = catalog.zones(region);
        let same = catalog.types().filter(|(_, kind)| Self::of(kind).as_ref() == Some(self));
        let here = same.map(|(id, _)| id).filter(|id| zones.iter().any(|zone| catalog.offered(zone, *id)));
        let types: Vec<TypeId> = here.take(TYPES_MAX).collect();
        if types.len() < TYPES_MIN { Vec::new() } else { types }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.arch, self.vcpu, self.memory_mib)
    }
}

/// The scores of a region's zones for one size.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Scored {
    /// When AWS was asked.
    pub at: Timestamp,
    /// From 1 (least likely) to 10; zones that are not here did not come among the best ten.
    pub zones: BTreeMap<AzId, u8>,
}

/// What is known of one region.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Placements(BTreeMap<Size, Scored>);

impl Placements {
    /// Takes a newer answer.
    pub fn put(&mut self, size: Size, scored: Scored) {
        self.0.insert(size, scored);
    }

    /// When this size was asked for.
    #[must_use]
    pub fn asked_at(&self, size: &Size) -> Option<Timestamp> {
        self.0.get(size).map(|scored| scored.at)
    }

    /// Whether AWS said lately that a zone hardly has Spot capacity of this type's size. Unknown is not unlikely.
    #[must_use]
    pub fn unlikely(&self, catalog: &Catalog, az: &AzId, kind: TypeId, now: Timestamp) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let scored = Size::of(catalog.get(kind)).and_then(|size| self.0.get(&size));
        let fresh = scored.filter(|scored| now.since(scored.at) <= COUNTS);
        fresh.and_then(|scored| scored.zones.get(az)).is_some_and(|score| *score <= UNLIKELY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_of_one_architecture_and_has_three_types_at_least() {
        let (catalog, region) = (Catalog::embedded(), "eu-west-1".parse().unwrap());
        let size = |name: &str| Size::of(catalog.get(catalog.by_name(name).unwrap()));
        let large = size("m5.large").unwrap();
        assert_eq!(large.to_string(), "x86_64-2-8192");
        let types = large.types(catalog, &region);
        assert!(types.len() >= TYPES_MIN && types.len() <= TYPES_MAX);
        let all = |test: fn(&InstanceType) -> bool| types.iter().all(|id| test(catalog.get(*id)));
        assert!(all(|kind| kind.vcpu == 2 && kind.memory_mib == 8192 && kind.spot && !kind.bare_metal));
        assert_ne!(size("m6g.large"), size("m5.large"));
        assert_eq!((size("g4dn.xlarge"), size("m5.metal")), (None, None));
        let odd = Size { vcpu: 7, ..large };
        assert!(odd.types(catalog, &region).is_empty());
    }

    #[test]
    fn only_a_low_and_recent_score_says_unlikely() {
        let catalog = Catalog::embedded();
        let kind = catalog.by_name("m5.large").unwrap();
        let az = |name: &str| -> AzId { name.parse().unwrap() };
        let (now, mut known) = (Timestamp(100 * 3_600_000), Placements::default());
        let unlikely = |known: &Placements, zone: &str, now| known.unlikely(catalog, &az(zone), kind, now);
        assert!(!unlikely(&known, "euw1-az1", now), "nothing is known");
        let zones = [(az("euw1-az1"), UNLIKELY), (az("euw1-az2"), UNLIKELY + 1)].into();
        known.put(Size::of(catalog.get(kind)).unwrap(), Scored { at: now, zones });
        assert!(unlikely(&known, "euw1-az1", now + COUNTS));
        assert!(!unlikely(&known, "euw1-az1", now + COUNTS + Span::millis(1)), "too old");
        assert!(!unlikely(&known, "euw1-az2", now) && !unlikely(&known, "euw1-az3", now));
    }
}
