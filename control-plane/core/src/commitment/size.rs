//! Sizes within a family, as reserved instances count them.

use crate::catalog::{InstanceType, Product};

/// Families whose reserved instances are good for their own size alone ("How Reserved Instance discounts are applied"
/// in the EC2 user guide). Of a family that AWS adds to them later, its other sizes count as using what one leaves.
const OWN_SIZE_ONLY: [&str; 12] =
    ["g4ad", "g4dn", "g5", "g5g", "g6", "g6e", "gr6", "hpc7a", "inf1", "inf2", "p5", "u7i-12tb"];

/// The normalization factor in quarters, so that `nano` (0.25) is one.
pub(super) fn quarters(kind: &InstanceType) -> u32 {
    let size = kind.name.split_once('.').map_or("", |(_, size)| size);
    let xlarge = |n: &str| n.parse::<u32>().ok().map(|n| n.saturating_mul(32));
    let named = match size {
        "nano" => Some(1),
        "micro" => Some(2),
        "small" => Some(4),
        "medium" => Some(8),
        "large" => Some(16),
        "xlarge" => Some(32),
        _ => size.strip_suffix("xlarge").and_then(xlarge).or_else(|| {
            let metal = size.strip_prefix("metal-")?.strip_suffix("xl")?;
            xlarge(metal)
        }),
    };
    // `metal` is as large as the family's largest, which has so many processors: two of them are a `large`.
    named.unwrap_or(kind.vcpu.saturating_mul(8)).max(1)
}

/// Whether a regional reserved instance is good for other sizes of its family.
pub(super) fn flexible(kind: &InstanceType, product: Product) -> bool {
    product == Product::Linux && !OWN_SIZE_ONLY.contains(&&*kind.family)
}
