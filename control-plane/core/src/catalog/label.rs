//! Enums that are spelled as AWS spells them: one definition for name, parser and stored form.

/// Why a text is none of the words of an enum.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{text:?} is no {kind}")]
pub struct LabelError {
    /// What was expected, for a person.
    pub kind: &'static str,
    /// What was found.
    pub text: String,
}

/// Defines an enum whose variants have one spelling each, in `label`, `FromStr`, `Display` and serde.
macro_rules! labelled {
    ($(#[$doc:meta])* $name:ident, $kind:literal { $($(#[$variant_doc:meta])* $variant:ident = $label:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $label)] $variant,)+
        }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word for it, as AWS has it where AWS has one.
            #[must_use]
            pub fn label(self) -> &'static str {
                match self {
                    $(Self::$variant => $label,)+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.label())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::catalog::LabelError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let found = Self::ALL.iter().copied().find(|value| value.label() == text);
                found.ok_or_else(|| $crate::catalog::LabelError { kind: $kind, text: text.to_owned() })
            }
        }
    };
}

pub(super) use labelled;
