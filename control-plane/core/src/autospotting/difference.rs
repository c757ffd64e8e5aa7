//! What will be different for a group: the closed list, each with its sentence and what to do.

use serde::Serialize;

use super::setting::Matter;
use super::{Setting, Theirs};
use crate::policy::AUTOSPOTTING_ENABLED;
use crate::reason::HoldReason;

/// What a tag that cannot be read leads to here.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unread {
    /// The group is held.
    Held,
    /// Everything stays on demand.
    AllOnDemand,
    /// Members are replaced by their own type only.
    SameType,
}

/// One difference between AutoSpotting and spothub.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize)]
#[serde(tag = "difference", rename_all = "kebab-case")]
pub enum Difference {
    /// Both would replace members here.
    BothAct,
    /// AutoSpotting acts, and spothub does not.
    OnlyAutospotting {
        /// Why spothub does not.
        #[serde(flatten)]
        why: HoldReason,
        /// Policy lets AutoSpotting's tags be understood.
        tags_read: bool,
    },
    /// spothub acts, and AutoSpotting does not.
    OnlySpothub {
        /// Why AutoSpotting does not.
        why: Theirs,
    },
    /// Policy does not let this tag be understood.
    TagNotRead {
        /// The tag.
        tag: String,
    },
    /// No tag of AutoSpotting's that is known here.
    TagUnknown {
        /// The tag.
        tag: String,
    },
    /// A name of 2018 or before.
    TagOld {
        /// The tag.
        tag: String,
        /// The name of today, where it has one.
        now: &'static str,
    },
    /// A tag that cannot be read.
    TagUnreadable {
        /// The tag.
        tag: String,
        /// What it says.
        value: String,
        /// What that leads to here.
        leads_to: Unread,
    },
    /// Fewer members are kept on demand than by AutoSpotting.
    FloorLower {
        /// On-demand members that AutoSpotting keeps.
        theirs: u32,
        /// That spothub keeps.
        ours: u32,
    },
    /// More members are kept on demand than by AutoSpotting.
    FloorHigher {
        /// On-demand members that AutoSpotting keeps.
        theirs: u32,
        /// That spothub keeps.
        ours: u32,
    },
    /// A key of policy restricts less than AutoSpotting does.
    Looser {
        /// The key of policy.
        key: &'static str,
        /// What AutoSpotting goes by, as a policy file spells it.
        theirs: String,
        /// What is in force here.
        ours: String,
    },
    /// A key of policy restricts more than AutoSpotting does.
    Stricter {
        /// The key of policy.
        key: &'static str,
        /// What AutoSpotting goes by, as a policy file spells it.
        theirs: String,
        /// What is in force here.
        ours: String,
    },
    /// A key of policy restricts something else than AutoSpotting does.
    Other {
        /// The key of policy.
        key: &'static str,
        /// What AutoSpotting goes by, as a policy file spells it.
        theirs: String,
        /// What is in force here.
        ours: String,
    },
    /// AutoSpotting would pay more than on demand.
    PriceCapped {
        /// Its multiplier.
        multiplier: String,
    },
    /// spothub leaves members on demand for a reason of its own.
    Held {
        /// The label of the reason.
        reason: &'static str,
        /// Members that it keeps.
        members: u32,
        /// What can be done about it.
        #[serde(skip)]
        remedy: Option<&'static str>,
    },
    /// Nothing here does what a setting of AutoSpotting asks for.
    NoCounterpart {
        /// The setting, or the tag in its place.
        name: String,
        /// Its value.
        value: String,
        /// What is done here.
        here: &'static str,
        /// What can be done about it.
        #[serde(skip)]
        remedy: &'static str,
    },
    /// A setting that is not known here.
    SettingUnknown {
        /// Its name.
        name: String,
    },
}

impl Difference {
    /// Every label, in the order in which they are shown.
    pub const LABELS: [&'static str; 16] = [
        "both-act", "only-autospotting", "only-spothub", "tag-not-read", "tag-unknown", "tag-old", "tag-unreadable",
        "floor-lower", "floor-higher", "looser", "stricter", "other", "price-capped", "held", "no-counterpart",
        "setting-unknown",
    ];

    /// The stable label, as in JSON and tables.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::BothAct => "both-act",
            Self::OnlyAutospotting { .. } => "only-autospotting",
            Self::OnlySpothub { .. } => "only-spothub",
            Self::TagNotRead { .. } => "tag-not-read",
            Self::TagUnknown { .. } => "tag-unknown",
            Self::TagOld { .. } => "tag-old",
            Self::TagUnreadable { .. } => "tag-unreadable",
            Self::FloorLower { .. } => "floor-lower",
            Self::FloorHigher { .. } => "floor-higher",
            Self::Looser { .. } => "looser",
            Self::Stricter { .. } => "stricter",
            Self::Other { .. } => "other",
            Self::PriceCapped { .. } => "price-capped",
            Self::Held { .. } => "held",
            Self::NoCounterpart { .. } => "no-counterpart",
            Self::SettingUnknown { .. } => "setting-unknown",
        }
    }

    /// What it is about, beside its label: a key of policy, a tag, a reason or a setting.
    #[must_use]
    pub fn subject(&self) -> &str {
        match self {
            Self::BothAct | Self::FloorLower { .. } | Self::FloorHigher { .. } | Self::PriceCapped { .. } => "",
            Self::OnlyAutospotting { why, .. } => why.label(),
            Self::OnlySpothub { why } => why.label(),
            Self::TagNotRead { tag }
            | Self::TagUnknown { tag }
            | Self::TagOld { tag, .. }
            | Self::TagUnreadable { tag, .. } => tag,
            Self::Looser { key, .. } | Self::Stricter { key, .. } | Self::Other { key, .. } => key,
            Self::Held { reason, .. } => reason,
            Self::NoCounterpart { name, .. } | Self::SettingUnknown { name } => name,
        }
    }

    /// What will be different, and why.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::BothAct => "both would replace members here, and undo each other's work".to_owned(),
            Self::OnlyAutospotting { why, .. } => {
                format!("AutoSpotting replaces members here, and spothub does not: {}", why.label())
            }
            Self::OnlySpothub { why } => format!("spothub replaces members here, and AutoSpotting does not: {why}"),
            Self::TagNotRead { tag } => format!("AutoSpotting goes by the tag {tag}, and spothub passes over it"),
            Self::TagUnknown { tag } => format!("no tag of AutoSpotting that is known is called {tag}: none reads it"),
            Self::TagOld { tag, .. } => {
                format!("AutoSpotting has not read the tag {tag} since 2018; spothub still restricts by it")
            }
            Self::TagUnreadable { tag, value, leads_to } => {
                let theirs = match leads_to {
                    Unread::Held if tag.starts_with("autospotting_cron_") => "AutoSpotting's timer does nothing then",
                    Unread::Held | Unread::AllOnDemand => "AutoSpotting passes over it",
                    Unread::SameType => "AutoSpotting takes it as it stands",
                };
                let ours = match leads_to {
                    Unread::Held => "spothub holds the group",
                    Unread::AllOnDemand => "spothub keeps all on demand",
                    Unread::SameType => "spothub keeps to each member's own type",
                };
                format!("{tag}={value} cannot be read: {theirs}, and {ours}")
            }
            Self::FloorLower { theirs, ours } => {
                format!("AutoSpotting keeps {theirs} on demand here, spothub only {ours}")
            }
            Self::FloorHigher { theirs, ours } => format!(
                "AutoSpotting keeps {theirs} on demand here, spothub {ours}: the larger of its floors, rounded up"
            ),
            Self::Looser { key, theirs, ours } => {
                format!("{key} would be {theirs} as AutoSpotting has it, and is {ours}: less is ruled out")
            }
            Self::Stricter { key, theirs, ours } => {
                format!("{key} would be {theirs} as AutoSpotting has it, and is {ours}: more is ruled out")
            }
            Self::Other { key, theirs, ours } => {
                format!("{key} would be {theirs} as AutoSpotting has it, and is {ours}")
            }
            Self::PriceCapped { multiplier } => {
                format!("AutoSpotting pays up to {multiplier} times the on-demand price; spothub never more than that")
            }
            Self::Held { reason, members, .. } => {
                let noun = if *members == 1 { "member" } else { "members" };
                format!("spothub leaves {members} {noun} on demand here ({reason}), which AutoSpotting may replace")
            }
            Self::NoCounterpart { name, value, here, .. } => format!("{name}={value} has no counterpart: {here}"),
            Self::SettingUnknown { name } => format!("no setting of AutoSpotting that is known is called {name}"),
        }
    }

    /// What to do about it: the same for all that have its label and its subject.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::BothAct => "take each group from AutoSpotting before spothub is resumed there".to_owned(),
            Self::OnlyAutospotting { why, tags_read } => not_here(why, *tags_read),
            Self::OnlySpothub { why } => match why {
                Theirs::Acts | Theirs::OtherTags => "set enabled: by-tag, or a rule with enabled: false".to_owned(),
                Theirs::OtherRegion => "set a rule with match: {region: [...]} and enabled: false".to_owned(),
                Theirs::MixedInstances => "nothing: its own mechanism serves it".to_owned(),
            },
            Self::TagNotRead { tag } if tag == AUTOSPOTTING_ENABLED => {
                "nothing while AutoSpotting works on the group: it says whose it is".to_owned()
            }
            Self::TagNotRead { .. } => "set tags: autospotting for the group in policy".to_owned(),
            Self::TagUnknown { .. } => "check its spelling, or remove it".to_owned(),
            Self::TagOld { now, .. } => format!("remove it, or set {now} where it is still meant"),
            Self::TagUnreadable { .. } => "mend or remove the tag".to_owned(),
            Self::FloorLower { .. } => {
                "set floor in policy, or name floor.number and floor.percent under delegable".to_owned()
            }
            Self::FloorHigher { .. } => {
                "nothing where that is right; else lower floor, or name its keys under delegable".to_owned()
            }
            Self::Looser { key, .. } | Self::Other { key, .. } => format!("set {key} as AutoSpotting has it"),
            Self::Stricter { key, .. } => {
                format!("nothing where that is right; else set {key} as AutoSpotting has it")
            }
            Self::PriceCapped { .. } => "nothing: a Spot instance above the on-demand price saves nothing".to_owned(),
            Self::Held { remedy, .. } => (*remedy).unwrap_or("nothing: spothub does not swap these").to_owned(),
            Self::NoCounterpart { remedy, .. } => (*remedy).to_owned(),
            Self::SettingUnknown { .. } => "check its spelling, and what your build says of it".to_owned(),
        }
    }

    /// The difference that a setting without counterpart makes.
    pub(super) fn absent(setting: Setting, name: &str, value: &str) -> Option<Self> {
        match setting.matter() {
            Matter::Absent { same, here, remedy } if same != Some(value) => {
                Some(Self::NoCounterpart { name: name.to_owned(), value: value.to_owned(), here, remedy })
            }
            Matter::Absent { .. } | Matter::Choice | Matter::Value(_) | Matter::Plumbing => None,
        }
    }
}

/// What to do where spothub does not act.
fn not_here(why: &HoldReason, tags_read: bool) -> String {
    if *why == HoldReason::NotEnabled && !tags_read {
        // Not to enable it by the tag that AutoSpotting goes by: both would act then.
        return "to move it, put spothub:enabled=true in the place of spot-enabled".to_owned();
    }
    why.remedy().unwrap_or("nothing, until it ends").to_owned()
}
