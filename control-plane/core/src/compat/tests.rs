//! Pairs of real types, each with the one reason that should decide.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::*;
use crate::catalog::{Catalog, EbsOptimized, Medium, Pace};

fn kind(name: &str) -> &'static InstanceType {
    let catalog = Catalog::embedded();
    catalog.get(catalog.by_name(name).unwrap_or_else(|| panic!("no type {name}")))
}

fn x86() -> Needs {
    Needs::modern(Product::Linux, Arch::X86_64)
}

fn globs(patterns: &[&str]) -> Vec<TypeGlob> {
    patterns.iter().map(|pattern| pattern.parse().unwrap()).collect()
}

fn accepts(needs: &Needs, old: &str, new: &str) {
    assert_eq!(compatible(kind(old), kind(new), needs), Ok(()), "{old} -> {new}");
}

fn rejects(needs: &Needs, old: &str, new: &str, label: &str) -> Rejection {
    let rejection = compatible(kind(old), kind(new), needs).expect_err(&format!("{old} -> {new} should be {label}"));
    assert_eq!(rejection.label(), label, "{old} -> {new}: {rejection}");
    rejection
}

#[test]
fn neighbours_replace_each_other() {
    for new in ["m5.xlarge", "m5a.large", "m6i.large", "m7i.large", "m5d.large", "r5.large", "c5.xlarge"] {
        accepts(&x86(), "m5.large", new);
    }
    accepts(&x86(), "m6i.xlarge", "m5.xlarge");
    accepts(&x86(), "t3.large", "m5.large");
}

#[test]
fn fewer_processors_or_less_memory() {
    let rejection = rejects(&x86(), "m5.xlarge", "m5.large", "vcpu");
    assert_eq!(rejection, Rejection::Vcpu { needed: 4, found: 2 });
    let rejection = rejects(&x86(), "m5.large", "c5.large", "memory");
    assert_eq!(rejection, Rejection::Memory { needed_mib: 8_192, found_mib: 4_096 });
    assert_eq!(rejection.to_string(), "has 4096 of 8192 MiB memory");
}

#[test]
fn diskless_for_nvme() {
    let rejection = rejects(&x86(), "m5d.large", "m5.large", "instance-store");
    assert_eq!(rejection, Rejection::InstanceStore { needed_gb: 75, found_gb: 0 });
    accepts(&Needs { disks_unused: true, ..x86() }, "m5d.large", "m5.large");
    accepts(&x86(), "m5d.large", "m6id.large");
    accepts(&x86(), "m5d.large", "m5ad.large");
}

#[test]
fn disks_are_as_many_as_large_as_fast_and_reached_alike() {
    let rejection = rejects(&x86(), "i3en.large", "r5d.large", "instance-store");
    assert_eq!(rejection, Rejection::InstanceStore { needed_gb: 1_250, found_gb: 75 });
    let rejection = rejects(&x86(), "m5d.4xlarge", "m6id.4xlarge", "instance-store-disks");
    assert_eq!(rejection, Rejection::InstanceStoreDisks { needed: 2, found: 1 });
    let rejection = rejects(&x86(), "i3.xlarge", "d3.xlarge", "instance-store-medium");
    assert_eq!(rejection, Rejection::InstanceStoreMedium { needed: Medium::Ssd, found: Medium::Hdd });
    let rejection = rejects(&x86(), "m3.medium", "m5d.large", "instance-store-nvme");
    assert_eq!(rejection, Rejection::InstanceStoreNvme { old: false });
    accepts(&x86(), "m5.large", "m5d.large");
}

#[test]
fn gpu_of_another_family() {
    let rejection = rejects(&x86(), "g4dn.xlarge", "g5.xlarge", "gpu-model");
    assert_eq!(rejection, Rejection::GpuModel { needed: "T4".into(), found: Some("A10G".into()) });
    accepts(&x86(), "g4dn.xlarge", "g4dn.2xlarge");
    accepts(&Needs { disks_unused: true, ..x86() }, "g6.xlarge", "gr6.4xlarge");
    rejects(&x86(), "g5.24xlarge", "m5d.24xlarge", "purpose");
}

#[test]
fn fewer_or_smaller_gpus() {
    let rejection = rejects(&Needs { disks_unused: true, ..x86() }, "g4dn.12xlarge", "g4dn.16xlarge", "gpu-count");
    assert_eq!(rejection, Rejection::GpuCount { needed: 4, found: 1 });
    let rejection = rejects(&x86(), "p4de.24xlarge", "p4d.24xlarge", "gpu-memory");
    assert_eq!(rejection, Rejection::GpuMemory { needed_mib: 81_920, found_mib: 40_960 });
    rejects(&x86(), "g6.xlarge", "g6f.4xlarge", "gpu-memory");
    accepts(&x86(), "p4d.24xlarge", "p4de.24xlarge");
}

#[test]
fn accelerator_as_cheap_cpu() {
    for host in [
        "inf1.xlarge", "inf2.xlarge", "trn1.2xlarge", "vt1.3xlarge", "f2.6xlarge", "dl2q.24xlarge", "g4dn.xlarge",
        "g6f.large",
    ] {
        rejects(&x86(), "t3.micro", host, "purpose");
        rejects(&x86(), "c5.large", host, "purpose");
    }
    rejects(&x86(), "g5.xlarge", "inf2.8xlarge", "purpose");
    rejects(&x86(), "inf1.xlarge", "m5.xlarge", "purpose");
}

#[test]
fn accelerators_keep_their_model_and_number() {
    let rejection = rejects(&x86(), "inf1.2xlarge", "inf2.8xlarge", "accelerator");
    assert_eq!(rejection, Rejection::Accelerator { needed: "Inferentia".into(), count: 1, found: 0 });
    rejects(&x86(), "inf2.24xlarge", "inf2.8xlarge", "vcpu");
    accepts(&x86(), "inf1.xlarge", "inf1.2xlarge");
    accepts(&x86(), "trn1.32xlarge", "trn1n.32xlarge");
}

#[test]
fn burstable_for_fixed_performance() {
    let rejection = rejects(&x86(), "m5.large", "t3.large", "burstable");
    assert_eq!(rejection, Rejection::Burstable { old: Pace::Fixed, new: Pace::Burstable });
    rejects(&x86(), "m7i.large", "m7i-flex.large", "burstable");
    accepts(&Needs { allow_burstable: true, ..x86() }, "m5.large", "t3.large");
    accepts(&x86(), "t3.large", "t3a.large");
    accepts(&x86(), "t3.small", "c7i-flex.large");
}

#[test]
fn xen_to_nitro_without_ena() {
    let old_image = Needs { image_ena: false, ..x86() };
    assert_eq!(rejects(&old_image, "m4.large", "m5.large", "ena"), Rejection::Ena);
    accepts(&x86(), "m4.large", "m5.large");
    accepts(&old_image, "m4.large", "m4.xlarge");
    rejects(&x86(), "m5.large", "m4.xlarge", "hypervisor");
}

#[test]
fn arm_for_x86() {
    let rejection = rejects(&x86(), "m5.large", "m6g.large", "architecture");
    assert_eq!(rejection, Rejection::Architecture { needed: Arch::X86_64 });
    let arm = Needs::modern(Product::Linux, Arch::Arm64);
    rejects(&arm, "m6g.large", "m5.large", "architecture");
    accepts(&arm, "m6g.large", "m7g.large");
    accepts(&arm, "m6g.large", "m8g.large");
    rejects(&Needs { arch: Arch::I386, ..x86() }, "m3.medium", "m4.large", "architecture");
}

#[test]
fn bare_metal_stays_bare_metal() {
    assert_eq!(rejects(&x86(), "m5.large", "m5.metal", "bare-metal"), Rejection::BareMetal { old: false });
    rejects(&x86(), "m5.metal", "m5.24xlarge", "bare-metal");
    accepts(&x86(), "m5.metal", "m6i.metal");
}

#[test]
fn uefi_needs_a_type_that_has_it() {
    let uefi = Needs { boot_mode: Some(BootMode::Uefi), ..x86() };
    accepts(&uefi, "m5.large", "m5d.large");
    let rejection = rejects(&uefi, "m5.large", "m4.xlarge", "boot-mode");
    assert_eq!(rejection, Rejection::BootMode { needed: BootMode::Uefi });
    accepts(&Needs { boot_mode: Some(BootMode::UefiPreferred), ..x86() }, "m4.large", "m4.xlarge");
    let arm = Needs { boot_mode: Some(BootMode::LegacyBios), ..Needs::modern(Product::Linux, Arch::Arm64) };
    rejects(&arm, "m6g.large", "m7g.large", "boot-mode");
}

#[test]
fn paravirtual_images_need_a_type_that_runs_them() {
    let paravirtual = Needs { virtualization: Virtualization::Paravirtual, image_ena: false, ..x86() };
    rejects(&paravirtual, "m3.large", "m4.large", "virtualization");
    accepts(&paravirtual, "m1.large", "m1.xlarge");
}

#[test]
fn less_bandwidth_to_ebs() {
    let strict = Needs { ebs_tolerance_percent: 0, ..x86() };
    let rejection = rejects(&strict, "t3.large", "m5.large", "ebs-bandwidth");
    assert_eq!(rejection, Rejection::EbsBandwidth { old_mbps: 695, found_mbps: Some(650) });
    accepts(&Needs { ebs_tolerance_percent: 7, ..x86() }, "t3.large", "m5.large");
    rejects(&x86(), "r5b.large", "r5.large", "ebs-bandwidth");
    accepts(&Needs { ebs_tolerance_percent: 255, ..x86() }, "r5b.large", "r5.large");
}

#[test]
fn ebs_optimization_is_not_lost() {
    let rejection = rejects(&Needs { disks_unused: true, ..x86() }, "m4.large", "m3.xlarge", "ebs-optimized");
    assert_eq!(rejection, Rejection::EbsOptimized { old: EbsOptimized::Default, new: EbsOptimized::Supported });
}

#[test]
fn interfaces_and_volumes_fit() {
    let rejection = rejects(&Needs { network_interfaces: 4, ..x86() }, "m5.large", "m5a.large", "network-interfaces");
    assert_eq!(rejection, Rejection::NetworkInterfaces { needed: 4, found: 3 });
    accepts(&Needs { volumes: 27, ..x86() }, "m5.large", "m5a.large");
    rejects(&Needs { volumes: 28, ..x86() }, "m5.large", "m5a.large", "volumes");
    let shared = Needs { volumes: 27, network_interfaces: 2, ..x86() };
    assert_eq!(rejects(&shared, "m5.large", "m5a.large", "volumes"), Rejection::Volumes { needed: 27, found: 26 });
    accepts(&shared, "m5.large", "m7i.large");
}

#[test]
fn policy_chooses_types() {
    let denied = Needs { denied: globs(&["m6*", "t?.*"]), ..x86() };
    rejects(&denied, "m5.large", "m6i.large", "denied");
    accepts(&denied, "m5.large", "m7i.large");
    let allowed = Needs { allowed: vec![globs(&["m5*", "m7i.large"])], denied: globs(&["m5a.*"]), ..x86() };
    accepts(&allowed, "m5.large", "m7i.large");
    rejects(&allowed, "m5.large", "m6i.large", "not-allowed");
    rejects(&allowed, "m5.large", "m5a.large", "denied");
    let same = Needs { same_type_only: true, ..x86() };
    accepts(&same, "m5.large", "m5.large");
    rejects(&same, "m5.large", "m5a.large", "not-same-type");
}

#[test]
fn what_has_no_spot_is_no_candidate() {
    for name in ["mac2.metal", "hpc7a.12xlarge", "u7i-12tb.224xlarge"] {
        rejects(&x86(), "t3.micro", name, "not-spot");
    }
    let hpc = InstanceType { spot: true, ..kind("hpc7a.12xlarge").clone() };
    assert_eq!(compatible(&hpc, &hpc, &x86()).unwrap_err().label(), "purpose");
}

#[test]
fn every_spot_type_replaces_itself() {
    for (_, kind) in Catalog::embedded().types().filter(|(_, kind)| kind.spot) {
        let needs = Needs::modern(Product::Linux, kind.arch[kind.arch.len() - 1]);
        assert_eq!(compatible(kind, kind, &needs), Ok(()), "{}", kind.name);
    }
}

#[test]
fn substitution_is_transitive_without_tolerance() {
    // Else a group could walk, swap by swap, to a type that its first would have refused.
    let (catalog, needs) = (Catalog::embedded(), Needs { ebs_tolerance_percent: 0, ..x86() });
    let substitutes = Substitutes::new(catalog);
    for name in ["t3.medium", "m5.large", "m5d.xlarge", "c4.xlarge", "g4dn.xlarge", "i3.large"] {
        let old = catalog.by_name(name).unwrap();
        let first: BTreeSet<_> = substitutes.of(old, &needs).iter().copied().collect();
        for middle in &first {
            let second = substitutes.of(*middle, &needs);
            assert!(second.iter().all(|new| first.contains(new)), "{name} by way of {}", catalog.get(*middle).name);
        }
    }
}

#[test]
fn substitutes_are_those_that_compare_as_compatible() {
    let catalog = Catalog::embedded();
    let substitutes = Substitutes::new(catalog);
    let old = catalog.by_name("m5.large").unwrap();
    let found = substitutes.of(old, &x86());
    let expected: Vec<_> =
        catalog.types().filter(|(_, new)| compatible(kind("m5.large"), new, &x86()).is_ok()).collect();
    assert_eq!(found.to_vec(), expected.iter().map(|(id, _)| *id).collect::<Vec<_>>());
    assert!(found.contains(&old));
    assert!(found.len() > 200, "{} substitutes of m5.large", found.len());
    assert!(Arc::ptr_eq(&found, &substitutes.of(old, &x86())), "remembered");
    assert_eq!(substitutes.of(old, &Needs { same_type_only: true, ..x86() }).to_vec(), [old]);
}

#[test]
fn too_many_sets_are_forgotten_not_kept() {
    let substitutes = Substitutes::new(Arc::new(Catalog::embedded().clone()));
    let old = substitutes.catalog().by_name("m5.large").unwrap();
    let first = substitutes.of(old, &x86());
    for number in 0..SETS_PER_TYPE_MAX {
        let allowed = vec![globs(&["m5.large", &format!("x{number}.*")])];
        assert_eq!(substitutes.of(old, &Needs { allowed, ..x86() }).to_vec(), [old]);
    }
    let again = substitutes.of(old, &x86());
    assert_eq!(first, again);
    assert!(!Arc::ptr_eq(&first, &again), "found anew");
}

#[test]
fn globs_match_whole_names() {
    let table = [
        ("*", "m5.large", true),
        ("m5.large", "m5.large", true),
        ("m5.large", "m5.xlarge", false),
        ("m5.*", "m5.large", true),
        ("m5.*", "m5a.large", false),
        ("m5*", "m5a.large", true),
        ("*.large", "m5.xlarge", false),
        ("*large", "m5.xlarge", true),
        ("c?.large", "c5.large", true),
        ("c?.large", "c5a.large", false),
        ("*5*.*xlarge", "m5dn.24xlarge", true),
        ("*.metal*", "c7i.metal-24xl", true),
        ("m", "m5.large", false),
        ("m5.large?", "m5.large", false),
    ];
    for (glob, name, fits) in table {
        assert_eq!(glob.parse::<TypeGlob>().unwrap().matches(name), fits, "{glob} on {name}");
    }
}

#[test]
fn bad_globs_say_what_is_wrong() {
    let refused = |text: &str| text.parse::<TypeGlob>().unwrap_err().to_string();
    assert_eq!(refused(""), "a type pattern is not empty (* matches every type)");
    assert_eq!(refused(&"m".repeat(65)), "a type pattern has at most 64 characters, not 65");
    let expected = "'M' at character 1 of type pattern \"M5.*\": only a-z, 0-9, '.', '-', '*' and '?'";
    assert_eq!(refused("M5.*"), expected);
}

#[test]
fn needs_survive_storage() {
    let needs = Needs { boot_mode: Some(BootMode::UefiPreferred), denied: globs(&["t*"]), ..x86() };
    let text = serde_json::to_string(&needs).unwrap();
    assert!(text.contains("\"product\":\"Linux/UNIX\""), "{text}");
    assert_eq!(serde_json::from_str::<Needs>(&text).unwrap(), needs);
    let text = serde_json::to_string(&Rejection::Vcpu { needed: 4, found: 2 }).unwrap();
    assert_eq!(text, r#"{"reason":"vcpu","needed":4,"found":2}"#);
}
