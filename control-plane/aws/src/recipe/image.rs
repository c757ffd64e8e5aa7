//! What an image says of itself.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::Image as Row;
use spothub_core::catalog::{Arch, BootMode, Product, Virtualization};
use spothub_core::fault::Fault;

/// The facts of an image that never change.
#[derive(Debug)]
pub(crate) struct Image {
    pub(super) product: Product,
    /// Whether the product is one that Spot prices are known for.
    pub(super) product_known: bool,
    pub(super) arch: Arch,
    pub(super) virtualization: Virtualization,
    pub(super) boot_mode: Option<BootMode>,
    pub(super) ena: bool,
    /// Names of its EBS devices.
    pub(super) devices: BTreeSet<String>,
}

/// The image of a row, or why it cannot be read.
pub(super) fn image(row: &Row) -> Result<Image, Fault> {
    if row.state().is_some_and(|state| state.as_str() != "available") {
        return Err(Fault::Gone);
    }
    let arch = row.architecture().and_then(|word| word.as_str().parse().ok());
    let virtualization = row.virtualization_type().and_then(|word| word.as_str().parse().ok());
    let known = product(row);
    let mut devices = BTreeSet::new();
    for mapping in row.block_device_mappings() {
        let name = mapping.device_name().unwrap_or_default();
        map_device(&mut devices, name, mapping.ebs().is_some(), mapping.no_device().is_some());
    }
    Ok(Image {
        product: known.unwrap_or(Product::Linux),
        product_known: known.is_some(),
        arch: arch.ok_or(Fault::Invalid("the image's architecture is not known"))?,
        virtualization: virtualization.ok_or(Fault::Invalid("the image's virtualization is not known"))?,
        boot_mode: row.boot_mode().and_then(|word| word.as_str().parse().ok()),
        ena: row.ena_support().unwrap_or(false),
        devices,
    })
}

/// What the image is billed for, by its usage operation; SQL Server, own licences and the like have no Spot price of
/// their own.
fn product(row: &Row) -> Option<Product> {
    match row.usage_operation() {
        Some("RunInstances") => Some(Product::Linux),
        Some("RunInstances:0002") => Some(Product::Windows),
        Some("RunInstances:0010") => Some(Product::Rhel),
        Some("RunInstances:000g") => Some(Product::Suse),
        Some(_) => None,
        // Older images, and copies that were never launched, may lack it.
        None => match (row.platform_details(), row.platform().map(|platform| platform.as_str().to_lowercase())) {
            (Some(details), _) => details.parse().ok(),
            (None, Some(platform)) => (platform == "windows").then_some(Product::Windows),
            (None, None) => Some(Product::Linux),
        },
    }
}

/// Adds a device mapping to the EBS devices named so far, or takes one away.
pub(super) fn map_device(devices: &mut BTreeSet<String>, name: &str, ebs: bool, none: bool) {
    if none {
        devices.remove(name);
    } else if ebs {
        devices.insert(name.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::{
        ArchitectureValues, BlockDeviceMapping, BootModeValues, EbsBlockDevice, ImageState, VirtualizationType,
    };

    use super::*;

    fn row() -> aws_sdk_ec2::types::builders::ImageBuilder {
        Row::builder().architecture(ArchitectureValues::X8664).virtualization_type(VirtualizationType::Hvm)
    }

    #[test]
    fn products_by_usage_operation() {
        let rows = [
            ("RunInstances", Some(Product::Linux)),
            ("RunInstances:0002", Some(Product::Windows)),
            ("RunInstances:0010", Some(Product::Rhel)),
            ("RunInstances:000g", Some(Product::Suse)),
            ("RunInstances:0102", None),
            ("RunInstances:0800", None),
            ("RunInstances:00g0", None),
        ];
        for (word, expected) in rows {
            assert_eq!(product(&row().usage_operation(word).build()), expected, "{word}");
        }
        assert_eq!(product(&row().platform_details("Windows").build()), Some(Product::Windows));
        assert_eq!(product(&row().platform_details("Windows with SQL Server").build()), None);
        assert_eq!(product(&row().build()), Some(Product::Linux));
    }

    #[test]
    fn an_image_is_read() {
        let ebs =
            |name: &str| BlockDeviceMapping::builder().device_name(name).ebs(EbsBlockDevice::builder().build()).build();
        let found = row()
            .boot_mode(BootModeValues::UefiPreferred)
            .ena_support(true)
            .block_device_mappings(ebs("/dev/sda1"))
            .block_device_mappings(
                BlockDeviceMapping::builder().device_name("/dev/sdb").virtual_name("ephemeral0").build(),
            )
            .build();
        let found = image(&found).unwrap();
        assert_eq!((found.arch, found.boot_mode, found.ena), (Arch::X86_64, Some(BootMode::UefiPreferred), true));
        assert_eq!(found.devices.len(), 1);
        assert_eq!(image(&row().state(ImageState::Deregistered).build()).unwrap_err(), Fault::Gone);
        let odd = row().architecture(ArchitectureValues::from("z80")).build();
        assert!(matches!(image(&odd), Err(Fault::Invalid(_))));
    }
}
