//! What software an instance is billed for, under the names that Spot prices carry.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::LabelError;

/// Ending that EC2 adds to a product's name in some answers; it means the same product.
const VPC: &str = " (Amazon VPC)";

/// A `ProductDescription` of EC2 Spot prices, which `PlatformDetails` of an image spells alike.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize)]
pub enum Product {
    /// Linux without a licence fee.
    #[serde(rename = "Linux/UNIX")]
    Linux,
    /// Windows Server, licence included.
    #[serde(rename = "Windows")]
    Windows,
    /// Red Hat Enterprise Linux, subscription included.
    #[serde(rename = "Red Hat Enterprise Linux")]
    Rhel,
    /// SUSE Linux Enterprise Server, subscription included.
    #[serde(rename = "SUSE Linux")]
    Suse,
}

impl Product {
    /// Every product, in order.
    pub const ALL: [Self; 4] = [Self::Linux, Self::Windows, Self::Rhel, Self::Suse];

    /// The name that `DescribeSpotPriceHistory` takes and gives.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Linux => "Linux/UNIX",
            Self::Windows => "Windows",
            Self::Rhel => "Red Hat Enterprise Linux",
            Self::Suse => "SUSE Linux",
        }
    }
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.label())
    }
}

impl FromStr for Product {
    type Err = LabelError;
    fn from_str(text: &str) -> Result<Self, LabelError> {
        let name = text.strip_suffix(VPC).unwrap_or(text);
        let found = Self::ALL.into_iter().find(|product| product.label() == name);
        found.ok_or_else(|| LabelError { kind: "product", text: text.to_owned() })
    }
}
