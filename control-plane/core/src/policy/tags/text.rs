//! One tag's value: the spelling of a policy file where that fits into a tag, lists with blanks between.

use std::str::FromStr;

use crate::compat::TypeGlob;
use crate::money::Percent;
use crate::policy::key::{Key, Settings};
use crate::policy::{NameGlob, OnInterruption, OnRebalance, PRODUCT_WORDS, Schedule, TemplateRule};
use crate::time::Span;

/// What a tag says of a key; `None` where it cannot be read.
pub(super) fn read(key: Key, text: &str) -> Option<Settings> {
    let mut to = Settings::default();
    let text = text.trim();
    match key {
        // What cannot be read keeps all on demand, and the old types.
        Key::FloorNumber => to.floor_number = Some(text.parse().unwrap_or(u32::MAX)),
        Key::FloorPercent => to.floor_percent = Some(percent(text).unwrap_or(Percent::ALL)),
        Key::AllowedTypes => match types(text) {
            Some(types) => to.allowed_types = Some(vec![types]),
            None => to.same_type_only = Some(true),
        },
        Key::DeniedTypes => match types(text) {
            Some(types) => to.denied_types = Some(types),
            None => to.same_type_only = Some(true),
        },
        Key::MinSaving => to.min_saving = Some(percent(text)?),
        Key::MaxPrice => to.max_price = Some(percent(text)?),
        Key::MaxPriceOverSpot => to.max_price_over_spot = Some(Some(over(text)?)),
        Key::Product => to.product = Some(Some(word(text, PRODUCT_WORDS)?)),
        Key::SameTypeOnly => to.same_type_only = Some(yes(text)?),
        Key::Pools => to.pools = Some(text.parse().ok().filter(|pools| *pools > 0)?),
        Key::PoolShare => to.pool_share = Some(percent(text)?),
        Key::Burstable => to.burstable = Some(yes(text)?),
        Key::DisksUnused => to.disks_unused = Some(yes(text)?),
        Key::EbsTolerance => to.ebs_tolerance = Some(percent(text)?),
        Key::Template => to.template = Some(word(text, TemplateRule::WORDS)?),
        Key::Settle => to.settle = Some(span(text)?),
        Key::Interval => to.interval = Some(span(text)?),
        Key::GroupShare => to.group_share = Some(percent(text)?),
        Key::GuardAlarms => to.guard_alarms = Some(text.split_whitespace().map(ToOwned::to_owned).collect()),
        Key::GuardBake => to.guard_bake = Some(span(text)?),
        Key::Schedule => to.schedule = Some(vec![Schedule::from_str(text).ok()?]),
        Key::DrainWait => to.drain_wait = Some(span(text)?),
        Key::EcsCluster => to.ecs_cluster = Some(Some(text.parse().ok()?)),
        Key::OnInterruption => to.on_interruption = Some(word(text, OnInterruption::WORDS)?),
        Key::OnRebalance => to.on_rebalance = Some(word(text, OnRebalance::WORDS)?),
        Key::ProtectedMembers => to.protected_members = Some(yes(text)?),
        Key::SkippableLaunchHooks => to.skippable_launch_hooks = Some(names(text)?),
        Key::Enabled
        | Key::OrganizationBudget
        | Key::OuBudget
        | Key::AccountBudget
        | Key::OuPoolShare
        | Key::MoveSaving
        | Key::MoveLife
        | Key::MoveAlternatives
        | Key::Commitments
        | Key::Strategy
        | Key::Tags => return None,
    }
    Some(to)
}

fn word<T: Copy>(text: &str, words: &[(&str, T)]) -> Option<T> {
    words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text)).map(|(_, value)| *value)
}

fn yes(text: &str) -> Option<bool> {
    word(text, &[("true", true), ("false", false)])
}

/// A whole percentage, with its sign or without.
pub(super) fn percent(text: &str) -> Option<Percent> {
    let digits = text.strip_suffix('%').unwrap_or(text).trim_end();
    digits.parse().ok().and_then(|percent| Percent::new(percent).ok())
}

fn over(text: &str) -> Option<u16> {
    text.strip_suffix('%').unwrap_or(text).trim_end().parse().ok().filter(|percent| *percent <= 1000)
}

/// Lengths that a policy file would take too.
fn span(text: &str) -> Option<Span> {
    text.parse().ok().filter(|span| *span <= super::super::SPAN_MAX)
}

/// Patterns of names with blanks or commas between, which no name of a hook has; at least one.
fn names(text: &str) -> Option<Vec<NameGlob>> {
    let patterns = text.split(|c: char| c.is_whitespace() || c == ',').filter(|part| !part.is_empty());
    let names = patterns.map(str::parse).collect::<Result<Vec<NameGlob>, _>>().ok()?;
    (!names.is_empty()).then_some(names)
}

/// Patterns with blanks or commas between; at least one.
pub(crate) fn types(text: &str) -> Option<Vec<TypeGlob>> {
    let patterns = text.split(|c: char| c.is_whitespace() || c == ',').filter(|part| !part.is_empty());
    let types = patterns.map(str::parse).collect::<Result<Vec<TypeGlob>, _>>().ok()?;
    (!types.is_empty()).then_some(types)
}
