//! Every embedded type is told as AWS would tell it, and must come back as it was; then with facts taken away.

use aws::builders::InstanceTypeInfoBuilder;
use spothub_core::catalog::{Catalog, Support};

use super::*;

fn int(number: u32) -> i32 {
    i32::try_from(number).unwrap()
}

/// The answer that AWS gives of a type.
fn told(kind: &InstanceType) -> InstanceTypeInfoBuilder {
    let processor = aws::ProcessorInfo::builder()
        .set_supported_architectures(Some(kind.arch.iter().map(|word| word.label().into()).collect()))
        .manufacturer(&*kind.cpu_manufacturer);
    let network =
        aws::NetworkInfo::builder().ena_support(kind.ena.label().into()).maximum_network_interfaces(int(kind.max_enis));
    let hypervisor = (kind.hypervisor != Hypervisor::None).then(|| kind.hypervisor.label().into());
    let usage = ["on-demand", "spot"].iter().take(if kind.spot { 2 } else { 1 });
    aws::InstanceTypeInfo::builder()
        .instance_type((&*kind.name).into())
        .current_generation(kind.current_generation)
        .set_supported_usage_classes(Some(usage.map(|word| (*word).into()).collect()))
        .set_supported_virtualization_types(Some(kind.virtualization.iter().map(|w| w.label().into()).collect()))
        .set_supported_boot_modes(Some(kind.boot_modes.iter().map(|word| word.label().into()).collect()))
        .bare_metal(kind.bare_metal)
        .set_hypervisor(hypervisor)
        .processor_info(processor.build())
        .v_cpu_info(aws::VCpuInfo::builder().default_v_cpus(int(kind.vcpu)).build())
        .memory_info(aws::MemoryInfo::builder().size_in_mib(i64::from(kind.memory_mib)).build())
        .burstable_performance_supported(kind.burstable)
        .hibernation_supported(kind.hibernation)
        .network_info(network.build())
        .ebs_info(told_ebs(&kind.ebs))
        .instance_storage_supported(kind.instance_storage.is_some())
        .set_instance_storage_info(kind.instance_storage.map(told_storage))
        .set_gpu_info((!kind.gpus.is_empty()).then(|| told_gpus(&kind.gpus)))
        .set_neuron_info(told_neuron(&kind.accelerators))
        .set_inference_accelerator_info(told_inference(&kind.accelerators))
        .set_fpga_info(told_fpgas(&kind.accelerators))
        .set_media_accelerator_info(told_media(&kind.accelerators))
}

fn told_ebs(ebs: &Ebs) -> aws::EbsInfo {
    let optimized = aws::EbsOptimizedInfo::builder()
        .set_baseline_bandwidth_in_mbps(ebs.baseline_mbps.map(int))
        .set_baseline_iops(ebs.baseline_iops.map(int));
    aws::EbsInfo::builder()
        .ebs_optimized_support(ebs.optimized.label().into())
        .set_ebs_optimized_info(ebs.baseline_mbps.map(|_| optimized.build()))
        .nvme_support(ebs.nvme.label().into())
        .maximum_ebs_attachments(int(ebs.attachments_max))
        .attachment_limit_type(ebs.attachment_limit.label().into())
        .build()
}

fn told_storage(storage: InstanceStorage) -> aws::InstanceStorageInfo {
    let disk = aws::DiskInfo::builder()
        .count(int(storage.disks))
        .size_in_gb(i64::from(storage.disk_gb()))
        .r#type(storage.medium.label().into());
    let nvme = if storage.nvme { Support::Required } else { Support::Unsupported };
    aws::InstanceStorageInfo::builder().disks(disk.build()).nvme_support(nvme.label().into()).build()
}

fn told_gpus(gpus: &[Gpu]) -> aws::GpuInfo {
    let gpu = |gpu: &Gpu| {
        aws::GpuDeviceInfo::builder()
            .count(0)
            .logical_gpu_count(int(gpu.count))
            .manufacturer(&*gpu.manufacturer)
            .name(&*gpu.name)
            .memory_info(aws::GpuDeviceMemoryInfo::builder().size_in_mib(int(gpu.memory_mib)).build())
            .build()
    };
    aws::GpuInfo::builder().set_gpus(Some(gpus.iter().map(gpu).collect())).build()
}

/// One heading of accelerators: AWS has a shape of its own for each.
macro_rules! told_devices {
    ($name:ident, $kind:ident, $info:ident, $device:ident, $memory:ident, $set:ident) => {
        fn $name(all: &[Accelerator]) -> Option<aws::$info> {
            let device = |device: &Accelerator| {
                aws::$device::builder()
                    .count(int(device.count))
                    .name(&*device.name)
                    .memory_info(aws::$memory::builder().size_in_mib(int(device.memory_mib)).build())
                    .build()
            };
            let devices: Vec<_> = all.iter().filter(|d| d.kind == AcceleratorKind::$kind).map(device).collect();
            (!devices.is_empty()).then(|| aws::$info::builder().$set(Some(devices)).build())
        }
    };
}

told_devices!(told_neuron, Neuron, NeuronInfo, NeuronDeviceInfo, NeuronDeviceMemoryInfo, set_neuron_devices);
told_devices!(
    told_inference, Inference, InferenceAcceleratorInfo, InferenceDeviceInfo, InferenceDeviceMemoryInfo,
    set_accelerators
);
told_devices!(told_fpgas, Fpga, FpgaInfo, FpgaDeviceInfo, FpgaDeviceMemoryInfo, set_fpgas);
told_devices!(told_media, Media, MediaAcceleratorInfo, MediaDeviceInfo, MediaDeviceMemoryInfo, set_accelerators);

fn embedded(name: &str) -> &'static InstanceType {
    let catalog = Catalog::embedded();
    catalog.get(catalog.by_name(name).unwrap())
}

#[test]
fn every_type_comes_back_as_it_was() {
    for (_, kind) in Catalog::embedded().types() {
        assert_eq!(instance_type(&told(kind).build()).as_ref(), Ok(kind));
    }
}

#[test]
fn a_type_without_a_fact_is_left_out_under_its_name() {
    type Change = fn(InstanceTypeInfoBuilder) -> InstanceTypeInfoBuilder;
    let cases: [(&str, Change, &str); 16] = [
        ("m5.large", |b| b.set_instance_type(None), "InstanceType"),
        ("m5.large", |b| b.instance_type("large".into()), "InstanceType"),
        ("m5.large", |b| b.set_v_cpu_info(None), "VCpuInfo"),
        ("m5.large", |b| b.v_cpu_info(aws::VCpuInfo::builder().default_v_cpus(0).build()), "VCpuInfo"),
        ("m5.large", |b| b.memory_info(aws::MemoryInfo::builder().size_in_mib(-1).build()), "MemoryInfo"),
        ("m5.large", |b| b.set_processor_info(None), "ProcessorInfo"),
        ("m5.large", |b| b.set_network_info(None), "NetworkInfo"),
        ("m5.large", |b| b.set_ebs_info(None), "EbsInfo"),
        ("m5.large", |b| b.set_bare_metal(None), "BareMetal"),
        ("m5.large", |b| b.set_burstable_performance_supported(None), "BurstablePerformanceSupported"),
        ("m5.large", |b| b.set_hypervisor(None), "Hypervisor"),
        ("m5.large", |b| b.hypervisor("warp".into()), "Hypervisor"),
        ("m5.large", |b| b.set_supported_boot_modes(Some(vec!["quantum".into()])), "SupportedBootModes"),
        ("m5d.large", |b| b.set_instance_storage_info(None), "InstanceStorageInfo"),
        (
            "g5.xlarge",
            |b| b.gpu_info(aws::GpuInfo::builder().gpus(aws::GpuDeviceInfo::builder().build()).build()),
            "GpuInfo",
        ),
        (
            "inf2.xlarge",
            |b| {
                let bare = aws::NeuronDeviceInfo::builder().count(1).name("Inferentia2").build();
                b.neuron_info(aws::NeuronInfo::builder().neuron_devices(bare).build())
            },
            "accelerators",
        ),
    ];
    for (name, change, fact) in cases {
        assert_eq!(instance_type(&change(told(embedded(name))).build()), Err(Missing(fact)), "{name}");
    }
}

#[test]
fn unknown_words_beside_known_ones_do_no_harm() {
    let kind = embedded("m5.large");
    let row = told(kind)
        .supported_boot_modes("quantum".into())
        .supported_usage_classes("barter".into())
        .supported_virtualization_types("dream".into());
    assert_eq!(instance_type(&row.build()).as_ref(), Ok(kind));
    let modest = told(kind).set_current_generation(None).set_hibernation_supported(None);
    let found = instance_type(&modest.set_supported_usage_classes(None).build()).unwrap();
    assert!(!found.spot && !found.current_generation && !found.hibernation, "what is not said is not had");
}

#[test]
fn several_groups_of_disks_are_not_judged() {
    let kind = embedded("m5d.large");
    let disk = || aws::DiskInfo::builder().count(1).size_in_gb(75).r#type(aws::DiskType::Ssd).build();
    let two = aws::InstanceStorageInfo::builder().disks(disk()).disks(disk()).build();
    let row = told(kind).instance_storage_info(two).build();
    assert_eq!(instance_type(&row), Err(Missing("InstanceStorageInfo")));
}

#[test]
fn offerings_are_gathered_by_zone_id() {
    let row = |zone: &str, by: aws::LocationType, kind: &str| {
        aws::InstanceTypeOffering::builder().location(zone).location_type(by).instance_type(kind.into()).build()
    };
    let by_id = aws::LocationType::AvailabilityZoneId;
    let mut offered = Offered::default();
    for row in [
        row("euw1-az1", by_id.clone(), "m5.large"),
        row("euw1-az2", by_id.clone(), "m5.large"),
        row("euw1-az1", by_id.clone(), "c5.large"),
        row("euw1-az1", by_id.clone(), "c5.large"),
        row("eu-west-1a", aws::LocationType::AvailabilityZone, "c5.large"),
        row("Zone 1", by_id, "c5.large"),
        aws::InstanceTypeOffering::builder().build(),
    ] {
        offered.take(&row);
    }
    let told: Vec<String> =
        offered.finish().iter().map(|(zone, types)| format!("{zone} {:?}", types.iter().collect::<Vec<_>>())).collect();
    assert_eq!(told, [r#"euw1-az1 ["c5.large", "m5.large"]"#, r#"euw1-az2 ["m5.large"]"#]);
}
