//! Facts about one instance type, as DescribeInstanceTypes reports them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::label::labelled;

labelled! {
    /// An instruction set that an image is built for.
    Arch, "architecture" {
        /// 64-bit Intel and AMD.
        X86_64 = "x86_64",
        /// 64-bit ARM (Graviton).
        Arm64 = "arm64",
        /// 32-bit Intel, on a few old types.
        I386 = "i386",
        /// macOS on Intel.
        X86_64Mac = "x86_64_mac",
        /// macOS on Apple silicon.
        Arm64Mac = "arm64_mac",
    }
}

labelled! {
    /// What runs the virtual machine.
    Hypervisor, "hypervisor" {
        /// Nitro: EBS volumes and disks appear as NVMe devices, the network needs ENA.
        Nitro = "nitro",
        /// Xen, up to the fourth generation.
        Xen = "xen",
        /// None: bare metal.
        None = "-",
    }
}

labelled! {
    /// How an image is virtualized.
    Virtualization, "virtualization type" {
        /// Hardware virtual machine.
        Hvm = "hvm",
        /// Paravirtual, on a few old types.
        Paravirtual = "paravirtual",
    }
}

labelled! {
    /// How a machine boots; types list the first two, images may have any.
    BootMode, "boot mode" {
        /// Legacy BIOS.
        LegacyBios = "legacy-bios",
        /// UEFI.
        Uefi = "uefi",
        /// UEFI where the type has it, else legacy BIOS (of an image only).
        UefiPreferred = "uefi-preferred",
    }
}

labelled! {
    /// Whether a type has a feature, and whether it insists.
    Support, "level of support" {
        /// The type does not have it.
        Unsupported = "unsupported",
        /// The type has it, if the image does.
        Supported = "supported",
        /// An image without it does not run.
        Required = "required",
    }
}

labelled! {
    /// Whether a type has bandwidth of its own to EBS; later is better.
    EbsOptimized, "EBS optimization" {
        /// It shares the network's.
        Unsupported = "unsupported",
        /// It has, when asked, at a price.
        Supported = "supported",
        /// It always has, without a price of its own.
        Default = "default",
    }
}

labelled! {
    /// What counts towards the limit of attached volumes.
    AttachmentLimit, "attachment limit" {
        /// Volumes and further network interfaces share it (the first interface and disks are off already).
        Shared = "shared",
        /// Volumes only.
        Dedicated = "dedicated",
    }
}

labelled! {
    /// What an instance-store disk is made of; later is faster.
    Medium, "disk medium" {
        /// Magnetic.
        Hdd = "hdd",
        /// Flash.
        Ssd = "ssd",
    }
}

labelled! {
    /// A kind of accelerator that is no GPU.
    AcceleratorKind, "kind of accelerator" {
        /// AWS Inferentia and Trainium.
        Neuron = "neuron",
        /// Inference devices of others.
        Inference = "inference",
        /// Field-programmable gate arrays.
        Fpga = "fpga",
        /// Video transcoders.
        Media = "media",
    }
}

labelled! {
    /// How steadily a type delivers its processors; later is steadier.
    Pace, "pace" {
        /// By CPU credits (T types).
        Burstable = "burstable",
        /// Full speed most of the time, a baseline otherwise (flex types; AWS lists them as not burstable).
        Flex = "flex",
        /// Always.
        Fixed = "fixed",
    }
}

labelled! {
    /// What a type is made for: one with special hardware is no general-purpose host, whatever it costs.
    Purpose, "purpose" {
        /// Ordinary processors and memory.
        General = "general",
        /// GPUs.
        Gpu = "gpu",
        /// Other accelerators: inf, trn, vt, f, dl.
        Accelerator = "accelerator",
        /// Tightly coupled computing; no Spot.
        Hpc = "hpc",
        /// Apple hardware on dedicated hosts; no Spot.
        Mac = "mac",
    }
}

/// Graphics processors of one model.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Gpu {
    /// How many; a share of a partitioned GPU counts as one with little memory.
    pub count: u32,
    /// Who made it, as `NVIDIA`.
    pub manufacturer: Arc<str>,
    /// Model family, as `T4`.
    pub name: Arc<str>,
    /// Memory of each, in MiB.
    pub memory_mib: u32,
}

/// Accelerators of one model.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Accelerator {
    /// What it accelerates.
    pub kind: AcceleratorKind,
    /// How many.
    pub count: u32,
    /// Model, as `Inferentia2`.
    pub name: Arc<str>,
    /// Memory of each, in MiB.
    pub memory_mib: u32,
}

/// Disks that live and die with the instance.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct InstanceStorage {
    /// All disks together, in GB.
    pub total_gb: u32,
    /// Number of disks, all of one size; at least one.
    pub disks: u32,
    /// What they are made of.
    pub medium: Medium,
    /// Whether they are NVMe devices, which appear by themselves; others need a block device mapping.
    pub nvme: bool,
}

impl InstanceStorage {
    /// Size of each disk, in GB.
    #[must_use]
    pub fn disk_gb(&self) -> u32 {
        self.total_gb / self.disks.max(1)
    }
}

/// What a type offers to EBS volumes.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Ebs {
    /// Whether it has bandwidth of its own.
    pub optimized: EbsOptimized,
    /// Whether volumes are NVMe devices.
    pub nvme: Support,
    /// Bandwidth that it can sustain, in Mbit/s; `None` where it is not EBS-optimized.
    pub baseline_mbps: Option<u32>,
    /// Operations of 16 KiB that it can sustain, per second.
    pub baseline_iops: Option<u32>,
    /// Most volumes, the root volume included.
    pub attachments_max: u32,
    /// What else counts towards that limit.
    pub attachment_limit: AttachmentLimit,
}

/// One EC2 instance type.
#[expect(clippy::struct_excessive_bools, reason = "independent yes-or-no facts of AWS, under AWS's names")]
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct InstanceType {
    /// As `m5.large`.
    pub name: Arc<str>,
    /// What stands before the dot.
    pub family: Arc<str>,
    /// Virtual processors by default.
    pub vcpu: u32,
    /// Memory, in MiB.
    pub memory_mib: u32,
    /// Instruction sets that it runs.
    pub arch: Vec<Arch>,
    /// Who made the processor, as `Intel`.
    pub cpu_manufacturer: Arc<str>,
    /// What runs it.
    pub hypervisor: Hypervisor,
    /// Whether there is no hypervisor.
    pub bare_metal: bool,
    /// Whether it lives on CPU credits.
    pub burstable: bool,
    /// Whether AWS counts it to the current generation.
    pub current_generation: bool,
    /// Whether it can be had as Spot.
    pub spot: bool,
    /// Whether it can hibernate.
    pub hibernation: bool,
    /// Kinds of images that it runs.
    pub virtualization: Vec<Virtualization>,
    /// How it can boot.
    pub boot_modes: Vec<BootMode>,
    /// Elastic Network Adapter.
    pub ena: Support,
    /// Most network interfaces.
    pub max_enis: u32,
    /// What it offers to EBS volumes.
    pub ebs: Ebs,
    /// Disks of its own.
    pub instance_storage: Option<InstanceStorage>,
    /// Graphics processors, one entry for each model.
    pub gpus: Vec<Gpu>,
    /// Other accelerators, one entry for each model.
    pub accelerators: Vec<Accelerator>,
    /// What it is made for.
    pub purpose: Purpose,
}

impl InstanceType {
    /// How steadily it delivers its processors.
    #[must_use]
    pub fn pace(&self) -> Pace {
        if self.burstable {
            Pace::Burstable
        } else if self.family.ends_with("-flex") {
            Pace::Flex
        } else {
            Pace::Fixed
        }
    }

    /// Memory of all GPUs together, in MiB.
    #[must_use]
    pub fn gpu_memory_mib(&self) -> u64 {
        self.gpus.iter().map(|gpu| u64::from(gpu.count) * u64::from(gpu.memory_mib)).sum()
    }
}

impl Purpose {
    /// Reads it off the hardware, or off the family's name should AWS's answer leave the hardware out:
    /// then a cheap accelerator host would pass for an ordinary machine.
    #[must_use]
    pub fn of(family: &str, gpus: &[Gpu], accelerators: &[Accelerator]) -> Self {
        let letters = family.split(|c: char| !c.is_ascii_lowercase()).next().unwrap_or(family);
        match letters {
            "mac" => Self::Mac,
            "hpc" => Self::Hpc,
            "inf" | "trn" | "vt" | "f" | "dl" => Self::Accelerator,
            _ if !accelerators.is_empty() => Self::Accelerator,
            "g" | "gr" | "p" => Self::Gpu,
            _ if !gpus.is_empty() => Self::Gpu,
            _ => Self::General,
        }
    }
}
