//! Classes of Spot quotas: which instance types count together, and under which code.

use std::collections::BTreeSet;

/// Instance families that share a quota of Spot processors in an account's region.
///
/// Source: the table "Spot Instance limits" of the EC2 User Guide, and the codes at Service Quotas.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub(super) enum Class {
    /// A, C, D, H, I, M, R, T and Z.
    Standard,
    /// Deep learning (DL).
    DeepLearning,
    /// F.
    F,
    /// G and VT.
    Graphics,
    /// Inf.
    Inferentia,
    /// P2, P3 and P4.
    P4,
    /// P5.
    P5,
    /// Trn.
    Trainium,
    /// X.
    X,
}

impl Class {
    const ALL: [Self; 9] = [
        Self::Standard,
        Self::DeepLearning,
        Self::F,
        Self::Graphics,
        Self::Inferentia,
        Self::P4,
        Self::P5,
        Self::Trainium,
        Self::X,
    ];

    /// Its code at Service Quotas.
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::Standard => "L-34B43A08",
            Self::DeepLearning => "L-85EED4F7",
            Self::F => "L-88CF9481",
            Self::Graphics => "L-3819A6DF",
            Self::Inferentia => "L-B5D1601B",
            Self::P4 => "L-7212CCBC",
            Self::P5 => "L-C4BD4855",
            Self::Trainium => "L-6B0D517C",
            Self::X => "L-E3A00192",
        }
    }

    /// The families, as AWS names them in the quota.
    pub(super) const fn families(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::DeepLearning => "DL",
            Self::F => "F",
            Self::Graphics => "G and VT",
            Self::Inferentia => "Inf",
            Self::P4 => "P2, P3 and P4",
            Self::P5 => "P5",
            Self::Trainium => "Trn",
            Self::X => "X",
        }
    }

    /// The class with this code.
    pub(super) fn by_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.code() == code)
    }

    /// Every code.
    pub(super) fn codes() -> BTreeSet<&'static str> {
        Self::ALL.into_iter().map(Self::code).collect()
    }

    /// The class of an instance type; `None` where no Spot quota is known for its family, as of high memory ones.
    pub(super) fn of(kind: &str) -> Option<Self> {
        let family = kind.split('.').next().unwrap_or_default();
        let letters: String = family.chars().take_while(char::is_ascii_lowercase).collect();
        let generation = family.chars().nth(letters.len()).and_then(|c| c.to_digit(10));
        // `inf` and `trn` begin as `i` and `t` do, so whole words come first.
        match (letters.as_str(), generation) {
            ("dl", _) => Some(Self::DeepLearning),
            ("inf", _) => Some(Self::Inferentia),
            ("trn", _) => Some(Self::Trainium),
            ("vt" | "g" | "gr", _) => Some(Self::Graphics),
            ("f", _) => Some(Self::F),
            ("x", _) => Some(Self::X),
            ("p", Some(2..=4)) => Some(Self::P4),
            ("p", Some(5)) => Some(Self::P5),
            ("a" | "c" | "d" | "h" | "i" | "im" | "is" | "m" | "r" | "t" | "z", _) => Some(Self::Standard),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use spothub_core::catalog::Catalog;

    use super::*;

    #[test]
    fn types_have_their_class() {
        for (kind, class) in [
            ("m5.large", Class::Standard),
            ("c7gn.xlarge", Class::Standard),
            ("im4gn.large", Class::Standard),
            ("is4gen.large", Class::Standard),
            ("t3a.micro", Class::Standard),
            ("inf2.xlarge", Class::Inferentia),
            ("trn1.2xlarge", Class::Trainium),
            ("g6e.xlarge", Class::Graphics),
            ("gr6.4xlarge", Class::Graphics),
            ("vt1.3xlarge", Class::Graphics),
            ("p4d.24xlarge", Class::P4),
            ("p5.48xlarge", Class::P5),
            ("x2idn.16xlarge", Class::X),
            ("f2.6xlarge", Class::F),
            ("dl1.24xlarge", Class::DeepLearning),
        ] {
            assert_eq!(Class::of(kind), Some(class), "{kind}");
        }
        for kind in ["u-6tb1.metal", "mac2.metal", "hpc7a.96xlarge", "p9.huge", "", "."] {
            assert_eq!(Class::of(kind), None, "{kind:?}");
        }
    }

    /// A family that AWS adds is seen here when the catalogue is renewed.
    #[test]
    fn every_spot_type_of_the_catalogue_has_one() {
        let without = ["u", "p6"];
        for (_, kind) in Catalog::embedded().types().filter(|(_, kind)| kind.spot) {
            let known = Class::of(&kind.name).is_some() || without.iter().any(|family| kind.name.starts_with(family));
            assert!(known, "{}", kind.name);
        }
    }

    #[test]
    fn codes_lead_back() {
        assert_eq!(Class::codes().len(), Class::ALL.len());
        for class in Class::ALL {
            assert_eq!(Class::by_code(class.code()), Some(class));
        }
        assert_eq!(Class::by_code("L-1216C47A"), None, "on demand");
    }
}
