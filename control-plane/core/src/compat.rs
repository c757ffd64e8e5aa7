//! Who may stand in for whom: whether one instance type can replace another, and if not, why.
//!
//! Pure: facts of two types and what the group's image, template and policy need. Knows nothing of
//! prices, zones or capacity. The rule behind the rules: never less of anything that a workload can have
//! built on, and no special hardware as a cheap general-purpose host.

mod glob;
mod rejection;
mod substitutes;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::catalog::{
    Arch, AttachmentLimit, BootMode, Hypervisor, InstanceType, Product, Purpose, Support, Virtualization,
};

pub use glob::{GlobError, TypeGlob};
pub use rejection::Rejection;
pub use substitutes::{SETS_PER_TYPE_MAX, Substitutes};

/// How much less baseline EBS bandwidth is tolerated by default, in percent.
///
/// Ten: neighbours such as t3.large (695 Mbit/s) and m5.large (650), m6i.xlarge (1,250) and m5.xlarge
/// (1,150) can then replace each other both ways, while the next lower class (m7i-flex.large, 312, or
/// m4.large, 450) cannot. Figures from `catalogue/types.tsv`.
pub const EBS_TOLERANCE_PERCENT_DEFAULT: u8 = 10;

/// What an instance's image, launch template and policy ask of its replacement.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent switches, each a setting or an image's attribute of its own"
)]
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize)]
pub struct Needs {
    /// What the instance is billed for.
    pub product: Product,
    /// Instruction set of the image.
    pub arch: Arch,
    /// Virtualization type of the image.
    pub virtualization: Virtualization,
    /// Boot mode registered with the image; `None` boots the way of its architecture.
    pub boot_mode: Option<BootMode>,
    /// Whether the image is registered with ENA support.
    pub image_ena: bool,
    /// Network interfaces that the template asks for, at least one.
    pub network_interfaces: u8,
    /// EBS volumes, the root volume included.
    pub volumes: u8,
    /// How much less baseline EBS bandwidth is tolerated, in percent.
    pub ebs_tolerance_percent: u8,
    /// Whether policy says that nothing uses the instance store.
    pub disks_unused: bool,
    /// Whether a steadier type may become burstable or flex.
    pub allow_burstable: bool,
    /// Whether only the very same type will do.
    pub same_type_only: bool,
    /// Types that may be used; empty means all.
    pub allowed: Vec<Vec<TypeGlob>>,
    /// Types that must not be used, whatever is allowed.
    pub denied: Vec<TypeGlob>,
}

impl Needs {
    /// What a present-day image asks for: HVM, ENA, no registered boot mode, one interface, one volume,
    /// and the strict answer to every question of policy.
    #[must_use]
    pub fn modern(product: Product, arch: Arch) -> Self {
        Self {
            product,
            arch,
            virtualization: Virtualization::Hvm,
            boot_mode: None,
            image_ena: true,
            network_interfaces: 1,
            volumes: 1,
            ebs_tolerance_percent: EBS_TOLERANCE_PERCENT_DEFAULT,
            disks_unused: false,
            allow_burstable: false,
            same_type_only: false,
            allowed: Vec::new(),
            denied: Vec::new(),
        }
    }
}

/// Whether `new` can take the place of `old`; if not, the first reason in a fixed order.
///
/// A type is compatible with itself unless the needs rule it out.
pub fn compatible(old: &InstanceType, new: &InstanceType, needs: &Needs) -> Result<(), Rejection> {
    chosen(old, new, needs)?;
    bootable(old, new, needs)?;
    sized(old, new, needs)?;
    equipped(old, new)?;
    stored(old, new, needs)?;
    attached(old, new, needs)
}

/// Policy's own choice, and what is no candidate for anyone.
fn chosen(old: &InstanceType, new: &InstanceType, needs: &Needs) -> Result<(), Rejection> {
    if !new.spot {
        return Err(Rejection::NotSpot);
    }
    if needs.same_type_only && old.name != new.name {
        return Err(Rejection::NotSameType);
    }
    if let Some(glob) = needs.denied.iter().find(|glob| glob.matches(&new.name)) {
        return Err(Rejection::Denied { glob: glob.clone() });
    }
    if !needs.allowed.iter().all(|list| list.iter().any(|glob| glob.matches(&new.name))) {
        return Err(Rejection::NotAllowed);
    }
    if new.purpose != old.purpose || matches!(new.purpose, Purpose::Mac | Purpose::Hpc) {
        return Err(Rejection::Purpose { old: old.purpose, new: new.purpose });
    }
    if new.bare_metal != old.bare_metal {
        return Err(Rejection::BareMetal { old: old.bare_metal });
    }
    Ok(())
}

/// Whether the image starts there, and finds its devices where it looks for them.
fn bootable(old: &InstanceType, new: &InstanceType, needs: &Needs) -> Result<(), Rejection> {
    if !new.arch.contains(&needs.arch) {
        return Err(Rejection::Architecture { needed: needs.arch });
    }
    if !new.virtualization.contains(&needs.virtualization) {
        return Err(Rejection::Virtualization { needed: needs.virtualization });
    }
    let boot = boot_mode(needs);
    if boot != BootMode::UefiPreferred && !new.boot_modes.contains(&boot) {
        return Err(Rejection::BootMode { needed: boot });
    }
    // ENA stands for NVMe too: no API tells whether an image has the NVMe driver, but images that were
    // made for Nitro have both. Without it a Xen instance never becomes a Nitro one.
    if new.ena == Support::Required && !needs.image_ena {
        return Err(Rejection::Ena);
    }
    // The way back is closed: device names change again, and trimmed images lack Xen's drivers.
    if old.hypervisor == Hypervisor::Nitro && new.hypervisor == Hypervisor::Xen {
        return Err(Rejection::Hypervisor { old: old.hypervisor, new: new.hypervisor });
    }
    Ok(())
}

/// How the image boots: an unregistered mode is legacy BIOS on Intel and AMD, UEFI on Graviton.
fn boot_mode(needs: &Needs) -> BootMode {
    needs.boot_mode.unwrap_or(match needs.arch {
        Arch::Arm64 | Arch::Arm64Mac => BootMode::Uefi,
        Arch::X86_64 | Arch::I386 | Arch::X86_64Mac => BootMode::LegacyBios,
    })
}

/// Processors and memory.
fn sized(old: &InstanceType, new: &InstanceType, needs: &Needs) -> Result<(), Rejection> {
    if new.vcpu < old.vcpu {
        return Err(Rejection::Vcpu { needed: old.vcpu, found: new.vcpu });
    }
    if new.memory_mib < old.memory_mib {
        return Err(Rejection::Memory { needed_mib: old.memory_mib, found_mib: new.memory_mib });
    }
    if new.pace() < old.pace() && !needs.allow_burstable {
        return Err(Rejection::Burstable { old: old.pace(), new: new.pace() });
    }
    Ok(())
}

/// GPUs and other accelerators: the same model, as many, with as much memory.
fn equipped(old: &InstanceType, new: &InstanceType) -> Result<(), Rejection> {
    for gpu in &old.gpus {
        let same = new.gpus.iter().find(|g| g.manufacturer == gpu.manufacturer && g.name == gpu.name);
        let Some(found) = same else {
            let found = new.gpus.first().map(|gpu| gpu.name.clone());
            return Err(Rejection::GpuModel { needed: gpu.name.clone(), found });
        };
        if found.count < gpu.count {
            return Err(Rejection::GpuCount { needed: gpu.count, found: found.count });
        }
        if found.memory_mib < gpu.memory_mib {
            return Err(Rejection::GpuMemory { needed_mib: gpu.memory_mib, found_mib: found.memory_mib });
        }
    }
    for device in &old.accelerators {
        let same = new.accelerators.iter().find(|a| a.kind == device.kind && a.name == device.name);
        if same.is_none_or(|found| found.count < device.count || found.memory_mib < device.memory_mib) {
            let found = same.map_or(0, |found| found.count);
            return Err(Rejection::Accelerator { needed: device.name.clone(), count: device.count, found });
        }
    }
    Ok(())
}

/// Instance store: as many disks, each as large, as fast, reached the same way.
fn stored(old: &InstanceType, new: &InstanceType, needs: &Needs) -> Result<(), Rejection> {
    let Some(disks) = old.instance_storage.filter(|_| !needs.disks_unused) else { return Ok(()) };
    let Some(found) = new.instance_storage else {
        return Err(Rejection::InstanceStore { needed_gb: disks.total_gb, found_gb: 0 });
    };
    if found.nvme != disks.nvme {
        return Err(Rejection::InstanceStoreNvme { old: disks.nvme });
    }
    if found.medium < disks.medium {
        return Err(Rejection::InstanceStoreMedium { needed: disks.medium, found: found.medium });
    }
    if found.disks < disks.disks {
        return Err(Rejection::InstanceStoreDisks { needed: disks.disks, found: found.disks });
    }
    if found.disk_gb() < disks.disk_gb() || found.total_gb < disks.total_gb {
        return Err(Rejection::InstanceStore { needed_gb: disks.total_gb, found_gb: found.total_gb });
    }
    Ok(())
}

/// Network interfaces, volumes, and the bandwidth to them.
fn attached(old: &InstanceType, new: &InstanceType, needs: &Needs) -> Result<(), Rejection> {
    let interfaces = u32::from(needs.network_interfaces);
    if interfaces > new.max_enis {
        return Err(Rejection::NetworkInterfaces { needed: interfaces, found: new.max_enis });
    }
    let sharing = match new.ebs.attachment_limit {
        AttachmentLimit::Shared => interfaces.saturating_sub(1),
        AttachmentLimit::Dedicated => 0,
    };
    let room = new.ebs.attachments_max.saturating_sub(sharing);
    if u32::from(needs.volumes) > room {
        return Err(Rejection::Volumes { needed: u32::from(needs.volumes), found: room });
    }
    if new.ebs.optimized < old.ebs.optimized {
        return Err(Rejection::EbsOptimized { old: old.ebs.optimized, new: new.ebs.optimized });
    }
    let Some(baseline) = old.ebs.baseline_mbps else { return Ok(()) };
    let kept = u64::from(100_u8.saturating_sub(needs.ebs_tolerance_percent));
    let enough = |found: u32| u64::from(found) * 100 >= u64::from(baseline) * kept;
    if new.ebs.baseline_mbps.is_some_and(enough) {
        return Ok(());
    }
    Err(Rejection::EbsBandwidth { old_mbps: baseline, found_mbps: new.ebs.baseline_mbps })
}
