//! On-demand members that AutoSpotting keeps in a group.

use std::collections::BTreeMap;

use super::{Installation, Setting};
use crate::policy::micros;

/// A share of one, in millionths of a percent.
const WHOLE: u64 = 100_000_000;

/// Of a group's members, the number that stays on demand: by its tags, the larger one, or by the settings, of which the
/// number goes first. What is out of range counts as not there.
pub(super) fn floor(tags: &BTreeMap<String, String>, theirs: &Installation, max: u32, members: u32) -> u32 {
    let tag = |setting: Setting| setting.tag().and_then(|tag| tags.get(tag)).map(String::as_str);
    let number = tag(Setting::MinOnDemandNumber).and_then(number).filter(|number| *number <= max);
    let share = tag(Setting::MinOnDemandPercentage).and_then(|text| share(text, members));
    if let Some(told) = number.max(share) {
        return told;
    }
    let number = theirs.get(Setting::MinOnDemandNumber).and_then(self::number);
    let number = number.filter(|number| (1..=members).contains(number));
    number.or_else(|| self::share(theirs.get(Setting::MinOnDemandPercentage)?, members)).unwrap_or(0)
}

/// A number of members.
pub(super) fn number(text: &str) -> Option<u32> {
    text.parse().ok()
}

/// A share of the members, rounded to the nearest: a half goes up.
pub(super) fn share(text: &str, members: u32) -> Option<u32> {
    let share = micros(text).filter(|share| *share <= WHOLE)?;
    let twice = 2 * u128::from(members) * u128::from(share) + u128::from(WHOLE);
    u32::try_from(twice / (2 * u128::from(WHOLE))).ok()
}
