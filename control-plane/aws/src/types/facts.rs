//! Rows of DescribeInstanceTypes and DescribeInstanceTypeOfferings to core's words.
//!
//! Pure. Words that this program does not know are passed over where others remain; a type that lacks a fact is left
//! out with the name of the fact, because a guess could make it stand in for what it is not.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::sync::Arc;

use aws_sdk_ec2::types as aws;
use spothub_core::catalog::{
    Accelerator, AcceleratorKind, Ebs, Gpu, Hypervisor, InstanceStorage, InstanceType, Medium, Purpose,
};
use spothub_core::id::AzId;

/// A fact that an answer lacks, or states in a way that this program does not know, under AWS's name.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, thiserror::Error)]
#[error("no usable {0}")]
pub struct Missing(pub &'static str);

/// Reads one type.
pub(super) fn instance_type(row: &aws::InstanceTypeInfo) -> Result<InstanceType, Missing> {
    let name = row.instance_type().map_or("", aws::InstanceType::as_str);
    let (family, _) = name.split_once('.').ok_or(Missing("InstanceType"))?;
    let processor = row.processor_info().ok_or(Missing("ProcessorInfo"))?;
    let network = row.network_info().ok_or(Missing("NetworkInfo"))?;
    let bare_metal = row.bare_metal().ok_or(Missing("BareMetal"))?;
    let (gpus, accelerators) = (gpus(row)?, accelerators(row)?);
    Ok(InstanceType {
        purpose: Purpose::of(family, &gpus, &accelerators),
        name: name.into(),
        family: family.into(),
        vcpu: positive(row.v_cpu_info().and_then(aws::VCpuInfo::default_v_cpus), "VCpuInfo")?,
        memory_mib: positive(row.memory_info().and_then(aws::MemoryInfo::size_in_mib), "MemoryInfo")?,
        arch: words(processor.supported_architectures(), "SupportedArchitectures")?,
        cpu_manufacturer: text(processor.manufacturer(), "Manufacturer")?,
        hypervisor: hypervisor(row.hypervisor(), bare_metal)?,
        bare_metal,
        // Without this a credit-bound type would stand in for one of fixed performance.
        burstable: row.burstable_performance_supported().ok_or(Missing("BurstablePerformanceSupported"))?,
        current_generation: row.current_generation().unwrap_or(false),
        spot: row.supported_usage_classes().contains(&aws::UsageClassType::Spot),
        hibernation: row.hibernation_supported().unwrap_or(false),
        virtualization: words(row.supported_virtualization_types(), "SupportedVirtualizationTypes")?,
        boot_modes: words(row.supported_boot_modes(), "SupportedBootModes")?,
        ena: word(network.ena_support(), "EnaSupport")?,
        max_enis: positive(network.maximum_network_interfaces(), "MaximumNetworkInterfaces")?,
        ebs: ebs(row.ebs_info().ok_or(Missing("EbsInfo"))?)?,
        instance_storage: storage(row)?,
        gpus,
        accelerators,
    })
}

fn hypervisor(stated: Option<&aws::InstanceTypeHypervisor>, bare_metal: bool) -> Result<Hypervisor, Missing> {
    match stated {
        None if bare_metal => Ok(Hypervisor::None),
        stated => word(stated, "Hypervisor"),
    }
}

fn ebs(info: &aws::EbsInfo) -> Result<Ebs, Missing> {
    let optimized = info.ebs_optimized_info();
    let baseline = |value: Option<i32>| value.and_then(|n| u32::try_from(n).ok());
    Ok(Ebs {
        optimized: word(info.ebs_optimized_support(), "EbsOptimizedSupport")?,
        nvme: word(info.nvme_support(), "NvmeSupport")?,
        baseline_mbps: baseline(optimized.and_then(aws::EbsOptimizedInfo::baseline_bandwidth_in_mbps)),
        baseline_iops: baseline(optimized.and_then(aws::EbsOptimizedInfo::baseline_iops)),
        attachments_max: positive(info.maximum_ebs_attachments(), "MaximumEbsAttachments")?,
        attachment_limit: word(info.attachment_limit_type(), "AttachmentLimitType")?,
    })
}

/// Disks come in one group of equal size; should AWS list several, the type is left out rather than misjudged.
fn storage(row: &aws::InstanceTypeInfo) -> Result<Option<InstanceStorage>, Missing> {
    let missing = Missing("InstanceStorageInfo");
    let Some(info) = row.instance_storage_info() else {
        return if row.instance_storage_supported() == Some(true) { Err(missing) } else { Ok(None) };
    };
    let [group] = info.disks() else { return Err(missing) };
    let disks: u32 = positive(group.count(), missing.0)?;
    let each: u32 = positive(group.size_in_gb(), missing.0)?;
    let medium: Medium = word(group.r#type(), missing.0)?;
    let total_gb = disks.checked_mul(each).ok_or(missing)?;
    // "supported" means block devices that some images see as NVMe: only the insisting types need no mapping.
    let nvme = info.nvme_support() == Some(&aws::EphemeralNvmeSupport::Required);
    Ok(Some(InstanceStorage { total_gb, disks, medium, nvme }))
}

fn gpus(row: &aws::InstanceTypeInfo) -> Result<Vec<Gpu>, Missing> {
    let missing = "GpuInfo";
    let gpu = |gpu: &aws::GpuDeviceInfo| {
        // A share of a partitioned GPU has a count of zero and counts as one small GPU of its own.
        let count = gpu.logical_gpu_count().filter(|n| *n > 0).or(gpu.count());
        Ok(Gpu {
            count: positive(count, missing)?,
            manufacturer: text(gpu.manufacturer(), missing)?,
            name: text(gpu.name(), missing)?,
            memory_mib: positive(gpu.memory_info().and_then(aws::GpuDeviceMemoryInfo::size_in_mib), missing)?,
        })
    };
    row.gpu_info().map_or(&[][..], |info| info.gpus()).iter().map(gpu).collect()
}

/// What a device says of itself: kind, count, name, MiB.
type Device<'a> = (AcceleratorKind, Option<i32>, Option<&'a str>, Option<i32>);

/// The devices under one heading: AWS has a shape of its own for each.
macro_rules! devices {
    ($kind:ident, $heading:expr, $list:ident, $memory:ident) => {
        $heading.map_or(&[][..], |info| info.$list()).iter().map(|device| -> Device<'_> {
            let memory = device.memory_info().and_then(aws::$memory::size_in_mib);
            (AcceleratorKind::$kind, device.count(), device.name(), memory)
        })
    };
}

/// Inferentia is listed under two headings by AWS: Neuron's wins.
fn accelerators(row: &aws::InstanceTypeInfo) -> Result<Vec<Accelerator>, Missing> {
    let mut all: Vec<Device<'_>> =
        devices!(Neuron, row.neuron_info(), neuron_devices, NeuronDeviceMemoryInfo).collect();
    if all.is_empty() {
        all.extend(devices!(Inference, row.inference_accelerator_info(), accelerators, InferenceDeviceMemoryInfo));
    }
    all.extend(devices!(Fpga, row.fpga_info(), fpgas, FpgaDeviceMemoryInfo));
    all.extend(devices!(Media, row.media_accelerator_info(), accelerators, MediaDeviceMemoryInfo));
    let missing = "accelerators";
    let read = |(kind, count, name, memory): Device<'_>| {
        Ok(Accelerator {
            kind,
            count: positive(count, missing)?,
            name: text(name, missing)?,
            memory_mib: positive(memory, missing)?,
        })
    };
    all.into_iter().map(read).collect()
}

fn positive<N: TryInto<u32>>(number: Option<N>, fact: &'static str) -> Result<u32, Missing> {
    number.and_then(|n| n.try_into().ok()).filter(|n| *n > 0).ok_or(Missing(fact))
}

fn text(text: Option<&str>, fact: &'static str) -> Result<Arc<str>, Missing> {
    text.filter(|text| !text.is_empty()).map(Into::into).ok_or(Missing(fact))
}

/// A word of the SDK's that core knows too.
fn word<A: AsRef<str>, T: FromStr>(stated: Option<&A>, fact: &'static str) -> Result<T, Missing> {
    stated.and_then(|word| word.as_ref().parse().ok()).ok_or(Missing(fact))
}

/// The words that core knows, each once and sorted as texts, as in the embedded tables; at least one.
fn words<A: AsRef<str>, T: FromStr>(stated: &[A], fact: &'static str) -> Result<Vec<T>, Missing> {
    let stated: BTreeSet<&str> = stated.iter().map(AsRef::as_ref).collect();
    let known: Vec<T> = stated.into_iter().filter_map(|word| word.parse().ok()).collect();
    if known.is_empty() { Err(Missing(fact)) } else { Ok(known) }
}

/// Gathers offerings by zone.
#[derive(Debug, Default)]
pub(super) struct Offered {
    zones: BTreeMap<AzId, BTreeSet<Arc<str>>>,
    /// One copy of each name.
    names: BTreeSet<Arc<str>>,
}

impl Offered {
    /// Takes one row; one that names no zone by id, or no type, is passed over.
    pub(super) fn take(&mut self, row: &aws::InstanceTypeOffering) {
        let zone = row.location().and_then(|text| text.parse::<AzId>().ok());
        let by_id = row.location_type() == Some(&aws::LocationType::AvailabilityZoneId);
        let (Some(zone), Some(kind), true) = (zone, row.instance_type(), by_id) else { return };
        let name = self.names.get(kind.as_str()).cloned().unwrap_or_else(|| kind.as_str().into());
        self.names.insert(Arc::clone(&name));
        self.zones.entry(zone).or_default().insert(name);
    }

    pub(super) fn finish(self) -> BTreeMap<AzId, BTreeSet<Arc<str>>> {
        self.zones
    }
}

#[cfg(test)]
mod tests;
