//! One group under AutoSpotting and under the policy in force, side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use super::installation::{PRODUCTS, listed, truth};
use super::setting::{Matter, Tag, tag};
use super::{Difference, Installation, Setting, Unread, floor, held};
use crate::group::{GroupView, Source};
use crate::money::Percent;
use crate::plan::Hold;
use crate::policy::{
    Effective, Key, Keys, OnRebalance, PRODUCT_WORDS, Policy, Schedule, Standing, TagDialect, micros, translated,
};

/// The multiplier that asks for the on-demand price itself, in millionths.
const ONCE: u64 = 1_000_000;

/// What AutoSpotting does with a group.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Theirs {
    /// It replaces members.
    Acts,
    /// The group's tags are not those that it is told to work on.
    OtherTags,
    /// It is told to work in other regions.
    OtherRegion,
    /// It passes over groups with a mixed-instances policy.
    MixedInstances,
}

impl Theirs {
    /// The stable label, as in JSON and tables.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Acts => "acts",
            Self::OtherTags => "other-tags",
            Self::OtherRegion => "other-region",
            Self::MixedInstances => "mixed-instances",
        }
    }
}

impl fmt::Display for Theirs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Acts => "it acts here",
            Self::OtherTags => "its filters do not choose the group's tags",
            Self::OtherRegion => "it does not work in the region",
            Self::MixedInstances => "the group has a mixed-instances policy",
        })
    }
}

/// What was seen of a group, and what the engine would do.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The group.
    pub view: &'a GroupView,
    /// Policy in force for it.
    pub effective: &'a Effective,
    /// On-demand members to keep.
    pub floor: u32,
    /// On-demand members that stay when every swap was made.
    pub stays: u32,
    /// What is held then.
    pub rest: &'a [Hold],
}

/// What will be different for a group.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Compared {
    /// What AutoSpotting does.
    pub theirs: Theirs,
    /// What will be different, in the order of the labels; empty where nothing is.
    pub differences: Vec<Difference>,
}

/// What will be different for a group; `None` for one that neither of the two would touch and that has no tag of
/// AutoSpotting's.
#[must_use]
pub fn compare(seen: &Seen<'_>, installation: &Installation) -> Option<Compared> {
    let theirs = acts(seen.view, installation);
    let mut differences = BTreeSet::new();
    let tagged = tags(seen, installation, &mut differences);
    match (theirs, seen.effective.standing.hold()) {
        (Theirs::Acts, None) => {
            differences.insert(Difference::BothAct);
            floors(seen, installation, &mut differences);
            values(seen, installation, &mut differences);
            held::add(seen, &mut differences);
        }
        (Theirs::Acts, Some(why)) => {
            let tags_read = seen.effective.policy.tags == TagDialect::Autospotting;
            differences.insert(Difference::OnlyAutospotting { why, tags_read });
        }
        (Theirs::MixedInstances, None) if seen.view.mixed_on_demand => {
            differences.insert(Difference::OnlySpothub { why: theirs });
        }
        (Theirs::OtherTags | Theirs::OtherRegion, None) => {
            differences.insert(Difference::OnlySpothub { why: theirs });
        }
        // Nor does spothub replace members of a group whose mixed-instances policy is more than a template.
        (Theirs::MixedInstances, None)
        | (Theirs::MixedInstances | Theirs::OtherTags | Theirs::OtherRegion, Some(_)) => {}
    }
    let concerned = tagged || theirs == Theirs::Acts || !differences.is_empty();
    concerned.then(|| Compared { theirs, differences: differences.into_iter().collect() })
}

/// What the settings ask for that nothing here does, in every group.
#[must_use]
pub fn settings(installation: &Installation) -> Vec<Difference> {
    let absent = installation
        .set()
        .filter_map(|(setting, value)| Difference::absent(setting, &setting.name().to_ascii_uppercase(), value));
    let unknown = installation.unknown.iter().map(|name| Difference::SettingUnknown { name: name.clone() });
    absent.chain(unknown).collect()
}

fn acts(view: &GroupView, installation: &Installation) -> Theirs {
    if !installation.covers(&view.key.site.region) {
        Theirs::OtherRegion
    } else if view.source == Source::Mixed || view.mixed_on_demand {
        Theirs::MixedInstances
    } else if installation.chooses(&view.tags) {
        Theirs::Acts
    } else {
        Theirs::OtherTags
    }
}

/// Looks at each tag; says whether any is AutoSpotting's.
fn tags(seen: &Seen<'_>, installation: &Installation, found: &mut BTreeSet<Difference>) -> bool {
    let read = seen.effective.policy.tags == TagDialect::Autospotting;
    let mut tagged = false;
    for (name, value) in &seen.view.tags {
        let kind = tag(name);
        tagged |= kind != Tag::Foreign;
        let difference = match kind {
            Tag::Foreign | Tag::Mark => None,
            Tag::Switch if read || !asked_for(installation, name) => None,
            Tag::Switch => Some(Difference::TagNotRead { tag: name.clone() }),
            Tag::Unknown => Some(Difference::TagUnknown { tag: name.clone() }),
            Tag::Of(setting) | Tag::Once(setting) => match setting.matter() {
                Matter::Absent { .. } => Difference::absent(setting, name, value.trim()),
                Matter::Choice | Matter::Plumbing => None,
                Matter::Value(_) if value.trim().is_empty() => None,
                Matter::Value(_) if kind == Tag::Once(setting) => {
                    read.then(|| Difference::TagOld { tag: name.clone(), now: setting.tag().unwrap_or_default() })
                }
                Matter::Value(_) if !read => Some(Difference::TagNotRead { tag: name.clone() }),
                Matter::Value(_) => unread(setting, seen.view).map(|leads_to| Difference::TagUnreadable {
                    tag: name.clone(),
                    value: value.clone(),
                    leads_to,
                }),
            },
        };
        found.extend(difference);
    }
    tagged
}

/// Whether the settings go by this tag.
fn asked_for(installation: &Installation, name: &str) -> bool {
    installation.filters().iter().any(|(key, _)| *key == name)
}

/// What the group's tag of a setting leads to, where it cannot be read.
fn unread(setting: Setting, view: &GroupView) -> Option<Unread> {
    let name = setting.tag()?;
    let value = view.tags.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())?;
    let alone = BTreeMap::from([(name.to_owned(), value.to_owned())]);
    let (bad, leads_to) = match setting {
        Setting::MinOnDemandNumber => (floor::number(value).is_none(), Unread::AllOnDemand),
        Setting::MinOnDemandPercentage => (floor::share(value, 1).is_none(), Unread::AllOnDemand),
        Setting::AllowedInstanceTypes | Setting::DisallowedInstanceTypes => {
            let meant = value == "current" && setting == Setting::AllowedInstanceTypes;
            (!meant && translated(&alone).0.same_type_only == Some(true), Unread::SameType)
        }
        Setting::SpotPriceBufferPercentage => (micros(value).is_none(), Unread::Held),
        Setting::OnDemandPriceMultiplier | Setting::BiddingPolicy => (translated(&alone).1.is_some(), Unread::Held),
        // The three say something together: it is told of the first one that is there.
        Setting::CronSchedule | Setting::CronScheduleState => {
            let hours = [Setting::CronSchedule, Setting::CronScheduleState];
            let first = hours.into_iter().find(|one| one.tag().is_some_and(|tag| view.tags.contains_key(tag)));
            let whole = view.tags.iter().filter(|(tag, _)| tag.starts_with("autospotting_cron_"));
            let whole = whole.map(|(tag, value)| (tag.clone(), value.clone())).collect();
            (first == Some(setting) && translated(&whole).1.is_some(), Unread::Held)
        }
        // The others have no tag, or one of which every value can be read.
        Setting::CronTimezone
        | Setting::Regions
        | Setting::TagFilteringMode
        | Setting::TagFilters
        | Setting::SpotProductDescription
        | Setting::EnableInstanceRebalanceRecommendation
        | Setting::DisableInstanceRebalanceRecommendation
        | Setting::ConsiderEbsBandwidth
        | Setting::InstanceTerminationMethod
        | Setting::TerminationNotificationAction
        | Setting::PatchBeanstalkUserdata
        | Setting::EbsGp2ConversionThreshold
        | Setting::SpotAllocationStrategy
        | Setting::PrioritizedInstanceTypesBias
        | Setting::SpotProductPremium
        | Setting::AllowParallelInstanceReplacements
        | Setting::DisableEventBasedInstanceReplacement
        | Setting::License
        | Setting::SqsQueueUrl
        | Setting::NotificationSnsTopic
        | Setting::SavingsReportsFrequency
        | Setting::AutomatedInstanceDataUpdate => return None,
    };
    bad.then_some(leads_to)
}

fn floors(seen: &Seen<'_>, installation: &Installation, found: &mut BTreeSet<Difference>) {
    let view = seen.view;
    let members = u32::try_from(view.members.len()).unwrap_or(u32::MAX);
    // A floor above what the group has keeps all of it, as one of exactly that does.
    let theirs = floor::floor(&view.tags, installation, view.max, members).min(members);
    let ours = seen.floor.min(members);
    if ours < theirs {
        found.insert(Difference::FloorLower { theirs, ours });
    } else if theirs < ours {
        found.insert(Difference::FloorHigher { theirs, ours });
    }
}

/// A value in AutoSpotting's words: the group's tag where it can be used, or else the setting.
fn said<'a>(setting: Setting, view: &'a GroupView, installation: &'a Installation) -> Option<&'a str> {
    let tag = setting.tag().and_then(|tag| view.tags.get(tag)).map(|value| value.trim());
    // Of the two words for bids only this one is heard on a group: the other does not take back what the settings say.
    let bids = |value: &str| setting != Setting::BiddingPolicy || value == "aggressive";
    let heard = |value: &&str| !value.is_empty() && bids(value) && unread(setting, view).is_none();
    tag.filter(heard).or_else(|| installation.get(setting))
}

/// What AutoSpotting goes by, in the words of policy, and the keys that it has something to say on.
fn spelled(view: &GroupView, installation: &Installation) -> (Policy, Vec<Key>) {
    let everything = |value: &str| listed(value).any(|glob| glob == "*");
    let mut words = BTreeMap::new();
    for setting in Setting::ALL {
        let floor = matches!(setting.matter(), Matter::Value(Key::FloorNumber | Key::FloorPercent));
        if let (Some(tag), Some(value), false) = (setting.tag(), said(*setting, view, installation), floor)
            && !(*setting == Setting::AllowedInstanceTypes && everything(value))
        {
            words.insert(tag.to_owned(), value.to_owned());
        }
    }
    // It replaces a member where that saves anything at all.
    let mut policy = Policy { min_saving: Percent::ZERO, ..Policy::default() };
    translated(&words).0.apply(&mut policy, Keys::NONE);
    let mut keys = vec![
        Key::MinSaving,
        Key::MaxPrice,
        Key::MaxPriceOverSpot,
        Key::AllowedTypes,
        Key::DeniedTypes,
        Key::SameTypeOnly,
    ];
    let product = installation.get(Setting::SpotProductDescription);
    let word = product.and_then(|told| PRODUCTS.iter().find(|(theirs, _)| *theirs == told)).map(|(_, word)| *word);
    if let Some((_, product)) = word.and_then(|word| PRODUCT_WORDS.iter().find(|(ours, _)| *ours == word)) {
        policy.product = Some(*product);
        keys.push(Key::Product);
    }
    if let Some(acts) = on_rebalance(installation) {
        policy.on_rebalance = if acts { OnRebalance::Avoid } else { OnRebalance::Ignore };
        keys.push(Key::OnRebalance);
    }
    if let Some(considers) = installation.get(Setting::ConsiderEbsBandwidth).and_then(truth) {
        policy.ebs_tolerance = if considers { Percent::ZERO } else { Percent::ALL };
        keys.push(Key::EbsTolerance);
    }
    (policy, keys)
}

/// Whether rebalance recommendations are acted on, where that is set.
pub(super) fn on_rebalance(installation: &Installation) -> Option<bool> {
    let enabled = installation.get(Setting::EnableInstanceRebalanceRecommendation).and_then(truth);
    let disabled = installation.get(Setting::DisableInstanceRebalanceRecommendation).and_then(truth);
    enabled.or(disabled.map(|disabled| !disabled))
}

fn values(seen: &Seen<'_>, installation: &Installation, found: &mut BTreeSet<Difference>) {
    let (theirs, keys) = spelled(seen.view, installation);
    let mut ours = seen.effective.policy.clone();
    // A list that takes everything is none.
    ours.allowed_types.retain(|list| !list.iter().any(|glob| glob.as_str() == "*"));
    let (looser, stricter) = (ours.looser(&theirs), theirs.looser(&ours));
    for key in keys {
        let (name, theirs, ours) = (key.name(), theirs.shown(key), ours.shown(key));
        found.extend(match (looser.contains(&key), stricter.contains(&key)) {
            (false, false) => None,
            (true, false) => Some(Difference::Looser { key: name, theirs, ours }),
            (false, true) => Some(Difference::Stricter { key: name, theirs, ours }),
            (true, true) => Some(Difference::Other { key: name, theirs, ours }),
        });
    }
    hours(&ours, &theirs, found);
    let multiplier = said(Setting::OnDemandPriceMultiplier, seen.view, installation);
    if let Some(multiplier) = multiplier.filter(|told| micros(told).is_some_and(|factor| factor > ONCE)) {
        found.insert(Difference::PriceCapped { multiplier: multiplier.to_owned() });
    }
}

/// Hours are compared by when they are open: there are many ways to write the same ones.
fn hours(ours: &Policy, theirs: &Policy, found: &mut BTreeSet<Difference>) {
    let whole_week = [(0, 7 * 1440)];
    let weeks = |policy: &Policy| -> BTreeSet<(String, Vec<(u16, u16)>)> {
        let weeks = policy.schedule.iter().map(Schedule::week).filter(|(_, runs)| runs[..] != whole_week);
        weeks.map(|(zone, runs)| (zone.to_owned(), runs)).collect()
    };
    let (here, there) = (weeks(ours), weeks(theirs));
    if here == there {
        return;
    }
    let (key, theirs, ours) = (Key::Schedule.name(), theirs.shown(Key::Schedule), ours.shown(Key::Schedule));
    found.insert(if here.is_superset(&there) {
        Difference::Stricter { key, theirs, ours }
    } else if here.is_subset(&there) {
        Difference::Looser { key, theirs, ours }
    } else {
        Difference::Other { key, theirs, ours }
    });
}

impl Seen<'_> {
    /// The label of the group's standing.
    #[must_use]
    pub fn standing(&self) -> &'static str {
        match &self.effective.standing {
            Standing::Enabled => "enabled",
            Standing::NotEnabled => "not-enabled",
            Standing::NoPolicy => "no-policy",
            Standing::Unreadable(_) => "unreadable-tag",
            Standing::OptedOut(_) => "opted-out",
        }
    }
}
