//! The judge's own reading of "compatible": deliberately simple and strict, so that what it lets through is
//! certainly a fair replacement.
//!
//! Shares no function with `core::compat` or `core::plan`; knows the catalogue's facts only.

use spothub_core::catalog::{Catalog, InstanceType, TypeId};
use spothub_core::id::AzId;

/// What a group asks of a replacement beyond the old type's facts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Asks {
    /// Network interfaces of the template.
    pub network_interfaces: u32,
    /// EBS volumes of the template.
    pub volumes: u32,
    /// How much less EBS bandwidth policy tolerates, in percent.
    pub ebs_tolerance_percent: u32,
}

impl Default for Asks {
    fn default() -> Self {
        Self { network_interfaces: 1, volumes: 1, ebs_tolerance_percent: 0 }
    }
}

/// Families whose hosts are made for one purpose, whatever hardware the catalogue lists.
const SPECIAL: [&str; 7] = ["mac", "hpc", "inf", "trn", "vt", "dl", "f"];

/// The types of a zone that surely can stand in for `old` there, by name; never a burstable one for a steady one.
pub fn fitting<'a>(
    catalog: &'a Catalog,
    az: &'a AzId,
    old: TypeId,
    asks: Asks,
) -> impl Iterator<Item = (TypeId, &'a InstanceType)> {
    let facts = catalog.get(old);
    catalog.types().filter(move |(id, new)| catalog.offered(az, *id) && fits(facts, new, asks))
}

/// Whether `new` surely can stand in for `old`.
#[must_use]
pub fn fits(old: &InstanceType, new: &InstanceType, asks: Asks) -> bool {
    new.spot
        && new.vcpu >= old.vcpu
        && new.memory_mib >= old.memory_mib
        && same_machine(old, new)
        && disks(old, new)
        && new.max_enis >= asks.network_interfaces
        && new.ebs.attachments_max >= asks.volumes + asks.network_interfaces
        && bandwidth(old, new, asks)
}

/// An image and a workload find what they found before.
fn same_machine(old: &InstanceType, new: &InstanceType) -> bool {
    let steady = |t: &InstanceType| !t.burstable && !t.family.ends_with("-flex");
    let special = |t: &InstanceType| {
        let letters: String = t.family.chars().take_while(char::is_ascii_lowercase).collect();
        !t.gpus.is_empty() || !t.accelerators.is_empty() || SPECIAL.contains(&letters.as_str())
    };
    old.arch.iter().all(|arch| new.arch.contains(arch))
        && old.virtualization.iter().all(|kind| new.virtualization.contains(kind))
        && old.boot_modes.iter().all(|mode| new.boot_modes.contains(mode))
        && old.hypervisor == new.hypervisor
        && old.ena == new.ena
        && old.ebs.nvme == new.ebs.nvme
        && old.bare_metal == new.bare_metal
        && (steady(new) || old.family == new.family)
        && (old.family == new.family || (!special(old) && !special(new)))
        && old.gpus.iter().all(|gpu| new.gpus.iter().any(|g| g.name == gpu.name && g.count >= gpu.count))
        && old.accelerators.iter().all(|a| new.accelerators.iter().any(|b| b.name == a.name && b.count >= a.count))
}

/// Where the old type has disks of its own, the new one has as many of the same make, each at least as large.
fn disks(old: &InstanceType, new: &InstanceType) -> bool {
    match (&old.instance_storage, &new.instance_storage) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(a), Some(b)) => {
            // Compared without dividing: total / count, crosswise.
            let larger = u64::from(b.total_gb) * u64::from(a.disks) >= u64::from(a.total_gb) * u64::from(b.disks);
            a.nvme == b.nvme && a.medium == b.medium && b.disks >= a.disks && larger
        }
    }
}

/// Volumes are reached at least as fast, within the tolerance.
fn bandwidth(old: &InstanceType, new: &InstanceType, asks: Asks) -> bool {
    if old.ebs.optimized != new.ebs.optimized {
        return false;
    }
    match (old.ebs.baseline_mbps, new.ebs.baseline_mbps) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(a), Some(b)) => {
            u64::from(b) * 100 >= u64::from(a) * u64::from(100_u32.saturating_sub(asks.ebs_tolerance_percent))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(old: &str, new: &str) -> bool {
        let catalog = Catalog::in_use();
        let id = |name| catalog.by_name(name).unwrap();
        fits(catalog.get(id(old)), catalog.get(id(new)), Asks::default())
    }

    #[test]
    fn neighbours_fit_and_lesser_or_stranger_ones_do_not() {
        for (old, new) in [("m5.large", "m5.large"), ("m5.large", "m5.xlarge"), ("m5.large", "r5.large")] {
            assert!(fit(old, new), "{new} for {old}");
        }
        let wrong = [
            ("m5.xlarge", "m5.large"),
            ("m5.large", "m6g.large"),
            ("m5.large", "c5.large"),
            ("m5d.large", "m5.large"),
            ("m5.large", "t3.large"),
            ("m5.large", "m7i-flex.large"),
            ("c5.xlarge", "inf1.xlarge"),
            ("g5.xlarge", "g4dn.xlarge"),
            ("m5.xlarge", "g5.xlarge"),
            ("m5.24xlarge", "m5.metal"),
        ];
        for (old, new) in wrong {
            assert!(!fit(old, new), "{new} for {old}");
        }
    }

    #[test]
    fn a_zone_offers_only_what_it_has() {
        let catalog = Catalog::in_use();
        let m5 = catalog.by_name("m5.large").unwrap();
        let here: AzId = "use1-az1".parse().unwrap();
        let count = fitting(catalog, &here, m5, Asks::default()).count();
        assert!(count > 20, "{count}");
        let nowhere: AzId = "mars-az1".parse().unwrap();
        assert_eq!(fitting(catalog, &nowhere, m5, Asks::default()).count(), 0);
    }
}
