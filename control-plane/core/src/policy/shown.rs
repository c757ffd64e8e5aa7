//! Values as they are written in a policy file.

use crate::catalog::Product;
use crate::compat::TypeGlob;
use crate::id::ClusterName;
use crate::money::Percent;
use crate::time::Span;

use super::{
    CommitmentRule, Enabled, NameGlob, OnInterruption, OnRebalance, Schedule, Strategy, TagDialect, TemplateRule,
};

/// A value as a policy file spells it.
pub(super) trait Shown {
    fn shown(&self) -> String;
}

/// Spellings of words, which the reader of policy files shares.
macro_rules! words {
    ($($type:ident { $($variant:ident = $word:literal),* $(,)? })*) => {
        $(
            impl $type {
                /// Every word of a policy file, with its value.
                pub const WORDS: &[(&'static str, Self)] = &[$(($word, Self::$variant)),*];
            }

            impl Shown for $type {
                fn shown(&self) -> String {
                    match self { $(Self::$variant => $word),* }.to_owned()
                }
            }
        )*
    };
}

words! {
    Enabled { True = "true", False = "false", ByTag = "by-tag" }
    TemplateRule { Match = "match", Twin = "twin" }
    OnRebalance { Ignore = "ignore", Replace = "replace", WhenWorse = "when-worse", Avoid = "avoid" }
    CommitmentRule { Ignore = "ignore", Count = "count", Require = "require" }
    OnInterruption { Ignore = "ignore", Replace = "replace" }
    Strategy { Swap = "swap" }
    TagDialect { Spothub = "spothub", Autospotting = "autospotting" }
}

/// Spellings of the products whose prices may be taken in place of the image's own.
pub const PRODUCT_WORDS: &[(&str, Product)] =
    &[("linux", Product::Linux), ("windows", Product::Windows), ("rhel", Product::Rhel), ("suse", Product::Suse)];

impl Shown for Option<Product> {
    fn shown(&self) -> String {
        let word = PRODUCT_WORDS.iter().find(|(_, product)| Some(*product) == *self).map(|(word, _)| *word);
        word.unwrap_or("as the image says").to_owned()
    }
}

impl Shown for Option<ClusterName> {
    fn shown(&self) -> String {
        self.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string)
    }
}

impl Shown for u32 {
    fn shown(&self) -> String {
        if *self == Self::MAX { "all".to_owned() } else { self.to_string() }
    }
}

impl Shown for u8 {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Shown for bool {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Shown for Percent {
    fn shown(&self) -> String {
        format!("{}%", self.value())
    }
}

impl Shown for Option<u16> {
    fn shown(&self) -> String {
        self.map_or_else(|| "no cap".to_owned(), |percent| format!("{percent}%"))
    }
}

impl Shown for Span {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Shown for Vec<String> {
    fn shown(&self) -> String {
        if self.is_empty() { "none".to_owned() } else { self.join(", ") }
    }
}

impl Shown for Vec<NameGlob> {
    fn shown(&self) -> String {
        let names: Vec<String> = self.iter().map(ToString::to_string).collect();
        names.shown()
    }
}

impl Shown for Vec<TypeGlob> {
    fn shown(&self) -> String {
        if self.is_empty() { "none".to_owned() } else { list(self) }
    }
}

impl Shown for Vec<Vec<TypeGlob>> {
    fn shown(&self) -> String {
        if self.is_empty() {
            return "all".to_owned();
        }
        self.iter().map(|one| list(one)).collect::<Vec<_>>().join(" and ")
    }
}

impl Shown for Vec<Schedule> {
    fn shown(&self) -> String {
        if self.is_empty() {
            return "always".to_owned();
        }
        self.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
    }
}

fn list(globs: &[TypeGlob]) -> String {
    globs.iter().map(TypeGlob::as_str).collect::<Vec<_>>().join(", ")
}
