//! What is told of launch templates, launch configurations and their images.

use spothub_core::catalog::{Arch, Product};
use spothub_core::cloud::{Route, TemplateFacts};
use spothub_core::fault::Fault;
use spothub_core::group::Source;

use super::{Image, Pin, Scene, Start, Wanted, cause};

async fn facts(scene: &Scene, wanted: Wanted) -> TemplateFacts {
    let key = scene.group(wanted).await;
    let source = scene.view(&key).await.source;
    scene.look.template(&key, &source, cause()).await.unwrap()
}

pub async fn the_image_tells_product_and_architecture(scene: Scene) {
    let rows = [
        (Image::Linux, "m5.large", Product::Linux, Arch::X86_64),
        (Image::LinuxArm, "m6g.large", Product::Linux, Arch::Arm64),
        (Image::Windows, "m5.large", Product::Windows, Arch::X86_64),
        (Image::Rhel, "m5.large", Product::Rhel, Arch::X86_64),
        (Image::Suse, "m5.large", Product::Suse, Arch::X86_64),
    ];
    for (image, kind, product, arch) in rows {
        let wanted = Wanted { kind, image, ..Wanted::new(&format!("{image:?}")).sized(0, 0, 1) };
        let facts = facts(&scene, wanted).await;
        assert_eq!((facts.product, facts.arch), (product, arch), "{image:?}");
        assert_eq!((facts.network_interfaces, facts.volumes, facts.route), (1, 1, Route::Fleet));
        assert!(facts.ena && !facts.not_on_spot && !facts.same_type_only);
    }
}

pub async fn latest_is_resolved_to_a_number(scene: Scene) {
    let wanted = Wanted { start: Start::Template(Pin::Latest), ..Wanted::new("web").sized(0, 1, 1) };
    let facts = facts(&scene, wanted).await;
    assert!(matches!(facts.source, Source::Template { version: Some(1), .. }), "{:?}", facts.source);
}

pub async fn default_is_resolved_to_a_number(scene: Scene) {
    let wanted = Wanted { start: Start::Template(Pin::Default), ..Wanted::new("web").sized(0, 1, 1) };
    let facts = facts(&scene, wanted).await;
    assert!(matches!(facts.source, Source::Template { version: Some(1), .. }), "{:?}", facts.source);
}

pub async fn a_configuration_tells_the_same_and_takes_one_pool_at_a_time(scene: Scene) {
    let wanted = Wanted { start: Start::Configuration, image: Image::Rhel, ..Wanted::new("web").sized(0, 0, 1) };
    let facts = facts(&scene, wanted).await;
    assert!(matches!(facts.source, Source::Configuration(_)));
    assert_eq!((facts.product, facts.arch, facts.route), (Product::Rhel, Arch::X86_64, Route::Run));
    assert!(!facts.not_on_spot);
}

pub async fn what_spot_cannot_honor_is_told(scene: Scene) {
    let facts = facts(&scene, Wanted { hibernates: true, ..Wanted::new("web").sized(0, 0, 1) }).await;
    assert!(facts.not_on_spot);
}

pub async fn volumes_are_counted(scene: Scene) {
    let facts = facts(&scene, Wanted { volumes: 3, ..Wanted::new("web").sized(0, 0, 1) }).await;
    assert_eq!(facts.volumes, 3);
}

pub async fn unknown_versions_and_configurations_are_gone(scene: Scene) {
    let key = scene.group(Wanted::new("template").sized(0, 0, 1)).await;
    let Source::Template { id, .. } = scene.view(&key).await.source else { panic!("a template") };
    let unknown = Source::Template { id, version: Some(9) };
    assert_eq!(scene.look.template(&key, &unknown, cause()).await, Err(Fault::Gone));
    let wanted = Wanted { start: Start::Configuration, ..Wanted::new("configuration").sized(0, 0, 1) };
    let key = scene.group(wanted).await;
    let unknown = Source::Configuration("no such".parse().unwrap());
    assert_eq!(scene.look.template(&key, &unknown, cause()).await, Err(Fault::Gone));
}
