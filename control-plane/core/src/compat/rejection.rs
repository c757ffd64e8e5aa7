//! Why a type is no replacement.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::catalog::{Arch, BootMode, EbsOptimized, Hypervisor, Medium, Pace, Purpose, Virtualization};

use super::TypeGlob;

/// Why one type cannot stand in for another, with the numbers behind it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum Rejection {
    /// It cannot be had as Spot.
    NotSpot,
    /// Policy asks for the same type only.
    NotSameType,
    /// Policy denies it.
    Denied {
        /// The pattern that it matches.
        glob: TypeGlob,
    },
    /// Policy lists what is allowed, and it is not there.
    NotAllowed,
    /// It is made for something else (GPU, accelerator, HPC or Mac host), or the old one is.
    Purpose {
        /// What the old type is made for.
        old: Purpose,
        /// What this one is made for.
        new: Purpose,
    },
    /// One is bare metal and the other is not.
    BareMetal {
        /// Whether the old type is.
        old: bool,
    },
    /// It runs another instruction set.
    Architecture {
        /// The image's.
        needed: Arch,
    },
    /// It does not run such images.
    Virtualization {
        /// The image's type.
        needed: Virtualization,
    },
    /// It does not boot that way.
    BootMode {
        /// The image's way.
        needed: BootMode,
    },
    /// It requires ENA, and the image has none.
    Ena,
    /// Volumes would change from NVMe devices back to Xen's.
    Hypervisor {
        /// The old type's.
        old: Hypervisor,
        /// This one's.
        new: Hypervisor,
    },
    /// Too few processors.
    Vcpu {
        /// The old type's number.
        needed: u32,
        /// This one's number.
        found: u32,
    },
    /// Too little memory.
    Memory {
        /// The old type's, in MiB.
        needed_mib: u32,
        /// This one's, in MiB.
        found_mib: u32,
    },
    /// It delivers its processors less steadily.
    Burstable {
        /// The old type's pace.
        old: Pace,
        /// This one's pace.
        new: Pace,
    },
    /// Another GPU.
    GpuModel {
        /// The old type's model.
        needed: Arc<str>,
        /// This one's model, if it has a GPU.
        found: Option<Arc<str>>,
    },
    /// Too few GPUs.
    GpuCount {
        /// The old type's number.
        needed: u32,
        /// This one's number.
        found: u32,
    },
    /// Too little memory in each GPU.
    GpuMemory {
        /// The old type's, in MiB.
        needed_mib: u32,
        /// This one's, in MiB.
        found_mib: u32,
    },
    /// Another accelerator, too few, or with too little memory.
    Accelerator {
        /// The old type's model.
        needed: Arc<str>,
        /// The old type's number.
        count: u32,
        /// This one's number of that model.
        found: u32,
    },
    /// No instance store, or a smaller one (in all, or each disk).
    InstanceStore {
        /// The old type's, all disks together, in GB.
        needed_gb: u32,
        /// This one's, in GB.
        found_gb: u32,
    },
    /// Too few disks.
    InstanceStoreDisks {
        /// The old type's number.
        needed: u32,
        /// This one's number.
        found: u32,
    },
    /// Slower disks.
    InstanceStoreMedium {
        /// The old type's.
        needed: Medium,
        /// This one's.
        found: Medium,
    },
    /// One has NVMe disks, the other disks that need a mapping.
    InstanceStoreNvme {
        /// Whether the old type's are NVMe.
        old: bool,
    },
    /// Too few network interfaces.
    NetworkInterfaces {
        /// What the template asks for.
        needed: u32,
        /// Most that it takes.
        found: u32,
    },
    /// Too few volumes.
    Volumes {
        /// What the template asks for.
        needed: u32,
        /// Most that it takes beside the interfaces.
        found: u32,
    },
    /// Less of its own bandwidth to EBS.
    EbsOptimized {
        /// The old type's.
        old: EbsOptimized,
        /// This one's.
        new: EbsOptimized,
    },
    /// Too little baseline bandwidth to EBS, the policy's tolerance counted.
    EbsBandwidth {
        /// The old type's, in Mbit/s.
        old_mbps: u32,
        /// This one's, in Mbit/s, where it is known.
        found_mbps: Option<u32>,
    },
}

impl Rejection {
    /// A stable name, for counters and tables.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::NotSpot => "not-spot",
            Self::NotSameType => "not-same-type",
            Self::Denied { .. } => "denied",
            Self::NotAllowed => "not-allowed",
            Self::Purpose { .. } => "purpose",
            Self::BareMetal { .. } => "bare-metal",
            Self::Architecture { .. } => "architecture",
            Self::Virtualization { .. } => "virtualization",
            Self::BootMode { .. } => "boot-mode",
            Self::Ena => "ena",
            Self::Hypervisor { .. } => "hypervisor",
            Self::Vcpu { .. } => "vcpu",
            Self::Memory { .. } => "memory",
            Self::Burstable { .. } => "burstable",
            Self::GpuModel { .. } => "gpu-model",
            Self::GpuCount { .. } => "gpu-count",
            Self::GpuMemory { .. } => "gpu-memory",
            Self::Accelerator { .. } => "accelerator",
            Self::InstanceStore { .. } => "instance-store",
            Self::InstanceStoreDisks { .. } => "instance-store-disks",
            Self::InstanceStoreMedium { .. } => "instance-store-medium",
            Self::InstanceStoreNvme { .. } => "instance-store-nvme",
            Self::NetworkInterfaces { .. } => "network-interfaces",
            Self::Volumes { .. } => "volumes",
            Self::EbsOptimized { .. } => "ebs-optimized",
            Self::EbsBandwidth { .. } => "ebs-bandwidth",
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSpot => f.write_str("is not offered as Spot"),
            Self::NotSameType => f.write_str("is another type, and only the same is allowed"),
            Self::Denied { glob } => write!(f, "is denied by {glob}"),
            Self::NotAllowed => f.write_str("is not among the allowed types"),
            Self::Purpose { old, new } => write!(f, "is a {new} host, the old type a {old} one"),
            Self::BareMetal { old: true } => f.write_str("is not bare metal"),
            Self::BareMetal { old: false } => f.write_str("is bare metal"),
            Self::Architecture { needed } => write!(f, "does not run {needed}"),
            Self::Virtualization { needed } => write!(f, "does not run {needed} images"),
            Self::BootMode { needed } => write!(f, "does not boot by {needed}"),
            Self::Ena => f.write_str("requires ENA, which the image lacks"),
            Self::Hypervisor { old, new } => write!(f, "runs on {new}, the old type on {old}"),
            Self::Vcpu { needed, found } => write!(f, "has {found} of {needed} vCPU"),
            Self::Memory { needed_mib, found_mib } => write!(f, "has {found_mib} of {needed_mib} MiB memory"),
            Self::Burstable { old, new } => write!(f, "is {new}, the old type {old}"),
            Self::GpuModel { needed, found: Some(found) } => write!(f, "has GPU {found}, not {needed}"),
            Self::GpuModel { needed, found: None } => write!(f, "has no GPU {needed}"),
            Self::GpuCount { needed, found } => write!(f, "has {found} of {needed} GPUs"),
            Self::GpuMemory { needed_mib, found_mib } => write!(f, "has {found_mib} of {needed_mib} MiB in each GPU"),
            Self::Accelerator { needed, count, found } => write!(f, "has {found} of {count} {needed}"),
            Self::InstanceStore { needed_gb, found_gb } => write!(f, "has {found_gb} of {needed_gb} GB instance store"),
            Self::InstanceStoreDisks { needed, found } => write!(f, "has {found} of {needed} disks"),
            Self::InstanceStoreMedium { needed, found } => write!(f, "has disks of {found}, not {needed}"),
            Self::InstanceStoreNvme { old: true } => f.write_str("has disks that are not NVMe"),
            Self::InstanceStoreNvme { old: false } => f.write_str("has NVMe disks, the old type mapped ones"),
            Self::NetworkInterfaces { needed, found } => write!(f, "takes {found} of {needed} network interfaces"),
            Self::Volumes { needed, found } => write!(f, "takes {found} of {needed} volumes"),
            Self::EbsOptimized { old, new } => write!(f, "has EBS optimization {new}, the old type {old}"),
            Self::EbsBandwidth { old_mbps, found_mbps: Some(found) } => {
                write!(f, "has {found} of {old_mbps} Mbit/s to EBS")
            }
            Self::EbsBandwidth { old_mbps, found_mbps: None } => write!(f, "has unknown of {old_mbps} Mbit/s to EBS"),
        }
    }
}
