//! The tags of AutoSpotting, for teams that move over without tagging anew.
//!
//! They mean what they mean there, with these differences, all on the side of doing less: the larger of the two floors
//! counts, denied types stay denied beside a list of allowed ones, a multiplier above one pays no more than on demand,
//! and a value that cannot be read holds the group instead of being passed over. Schedules bind every swap, not only
//! those of a timer. Tags on what a replacement looks like (user data, volumes, order of types) have no counterpart.

use std::collections::BTreeMap;

use crate::money::Percent;
use crate::policy::key::{Key, Settings};
use crate::policy::{Policy, Schedule, Window};

use super::{Owner, text};

/// AutoSpotting's own default of the buffer above the Spot price, in percent.
const BUFFER_DEFAULT: u64 = 10;
/// The most percent above the Spot price that a policy file takes.
const BUFFER_MAX: u64 = 1000;
const HOURS_OF_WEEK: usize = 7 * 24;
/// Numbers are kept in millionths.
const MICRO: u64 = 1_000_000;

/// Tags of 2018 with their later names: what they restrict, they restrict still.
const LISTED: [(&str, Key); 4] = [
    ("autospotting_allowed_instance_types", Key::AllowedTypes),
    ("allowed-instance-types", Key::AllowedTypes),
    ("autospotting_disallowed_instance_types", Key::DeniedTypes),
    ("disallowed-instance-types", Key::DeniedTypes),
];

pub(super) fn read(tags: &BTreeMap<String, String>, policy: &Policy, owner: &mut Owner) {
    let get = |name: &str| tags.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
    let mut one = |name: &str, read: &dyn Fn(&str) -> Option<Settings>| {
        if let Some(value) = get(name) {
            owner.take(name, read(value));
        }
    };
    for name in ["autospotting_min_on_demand_number", "autospotting_on_demand_number"] {
        one(name, &|value| text::read(Key::FloorNumber, value));
    }
    for name in ["autospotting_min_on_demand_percentage", "autospotting_on_demand_percentage"] {
        one(name, &|value| {
            // Whole percents, rounded up: the floor is never lower than asked for.
            let share = micros(value).map_or(Percent::ALL, |share| whole(share.div_ceil(MICRO)));
            Some(Settings { floor_percent: Some(share), ..Settings::default() })
        });
    }
    for (name, key) in LISTED {
        one(name, &|value| {
            if key == Key::AllowedTypes && value == "current" {
                return Some(Settings { same_type_only: Some(true), ..Settings::default() });
            }
            text::read(key, value)
        });
    }
    one("autospotting_on_demand_price_multiplier", &|value| {
        let multiplier = micros(value).filter(|multiplier| *multiplier > 0)?;
        Some(Settings { max_price: Some(whole(multiplier.saturating_mul(100) / MICRO)), ..Settings::default() })
    });
    let buffer = get("autospotting_spot_price_buffer_percentage");
    let capped = |over: u64| {
        let over = u16::try_from(over.min(BUFFER_MAX)).ok()?;
        Some(Settings { max_price_over_spot: Some(Some(over)), ..Settings::default() })
    };
    let bids = get("autospotting_bidding_policy");
    match bids {
        Some("aggressive") => {
            let over = buffer.map_or(Some(BUFFER_DEFAULT), |buffer| Some(micros(buffer)? / MICRO));
            owner.take("autospotting_bidding_policy", over.and_then(capped));
        }
        // The buffer says something only where bids are aggressive, which is what a cap of policy stands for.
        Some("normal") | None => {
            if let Some(buffer) = buffer.filter(|_| policy.max_price_over_spot.is_some()) {
                let over = micros(buffer).map(|over| over / MICRO);
                owner.take("autospotting_spot_price_buffer_percentage", over.and_then(capped));
            }
        }
        Some(_) => owner.take("autospotting_bidding_policy", None),
    }
    if ["autospotting_cron_schedule", "autospotting_cron_schedule_state"].iter().any(|name| get(name).is_some()) {
        let hours = get("autospotting_cron_schedule").unwrap_or("* *");
        let zone = get("autospotting_cron_timezone").unwrap_or("UTC");
        let state = get("autospotting_cron_schedule_state").unwrap_or("on");
        let schedule = schedule(hours, zone, state);
        let settings = schedule.map(|one| Settings { schedule: Some(vec![one]), ..Settings::default() });
        owner.take("autospotting_cron_schedule", settings);
    }
}

/// Millionths of a decimal number that is not negative, with six places at most.
pub(crate) fn micros(text: &str) -> Option<u64> {
    let (whole, places) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(places) || whole.len() + places.len() == 0 || places.len() > 6 {
        return None;
    }
    let number = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<u64>().ok() };
    number(whole)?.checked_mul(MICRO)?.checked_add(number(&format!("{places:0<6}"))?)
}

/// A whole percentage, at most all.
fn whole(percent: u64) -> Percent {
    u8::try_from(percent).ok().and_then(|percent| Percent::new(percent).ok()).unwrap_or(Percent::ALL)
}

/// Hours and days of the week, as `9-18 1-5`: the last hour of a run is its end. `off` is open outside of it.
fn schedule(text: &str, zone: &str, state: &str) -> Option<Schedule> {
    let mut fields = text.split_whitespace();
    let (hours, days) = (fields.next()?, fields.next()?);
    if fields.next().is_some() {
        return None;
    }
    let hours = field(hours, 0, 23, &[])?;
    let days = field(days, 0, 6, &["sun", "mon", "tue", "wed", "thu", "fri", "sat"])?;
    let on = match state {
        "on" => true,
        "off" => false,
        _ => return None,
    };
    let named = |hour: usize| days[hour / 24 % 7] && hours[hour % 24];
    let open = |hour: usize| (named(hour) && named((hour + 1) % HOURS_OF_WEEK)) == on;
    let mut windows = Vec::new();
    for day in 0..7_usize {
        let mut from = None;
        for hour in 0..=24_usize {
            let here = hour < 24 && open(day * 24 + hour);
            match (from, here) {
                (None, true) => from = Some(hour),
                (Some(begun), false) => {
                    // Monday is 1 and Sunday 7 by ISO; cron begins with Sunday.
                    let iso = if day == 0 { 7 } else { i8::try_from(day).ok()? };
                    let minute = |hour: usize| u16::try_from(hour * 60).ok();
                    windows.push(Window { days: vec![iso], from: minute(begun)?, to: minute(hour)? });
                    from = None;
                }
                _ => {}
            }
        }
    }
    Schedule::new(zone, windows).ok()
}

/// The values of one field of a cron expression: numbers or names, ranges, lists, `*` and steps.
fn field(text: &str, first: usize, last: usize, names: &[&str]) -> Option<Vec<bool>> {
    let value = |text: &str| {
        let word = names.iter().position(|name| name.eq_ignore_ascii_case(text));
        word.or_else(|| text.parse().ok()).filter(|value| (first..=last).contains(value))
    };
    let mut found = vec![false; last + 1];
    for part in text.split(',') {
        let (range, step) = part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
        let step: usize = step.map_or(Some(1), |step| step.parse().ok().filter(|step| *step > 0))?;
        let (from, to) = match range {
            "*" | "?" => (first, last),
            _ => match range.split_once('-') {
                Some((from, to)) => (value(from)?, value(to)?),
                None => (value(range)?, if part.contains('/') { last } else { value(range)? }),
            },
        };
        if from > to {
            return None;
        }
        (from..=to).step_by(step).for_each(|value| found[value] = true);
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn open(text: &str, zone: &str, state: &str, at: &str) -> Option<bool> {
        Some(schedule(text, zone, state)?.open(Timestamp::from_rfc3339(at).unwrap()))
    }

    #[test]
    fn the_last_hour_is_the_end() {
        // 2026-01-05 is a Monday.
        for (at, inside) in [
            ("2026-01-05T09:00:00Z", true),
            ("2026-01-05T17:59:59Z", true),
            ("2026-01-05T18:00:00Z", false),
            ("2026-01-05T08:59:59Z", false),
            ("2026-01-10T12:00:00Z", false),
        ] {
            assert_eq!(open("9-18 1-5", "UTC", "on", at), Some(inside), "{at}");
            assert_eq!(open("9-18 MON-fri", "UTC", "off", at), Some(!inside), "{at}");
        }
        assert_eq!(open("9-18 1-5", "Europe/London", "on", "2026-05-11T08:01:00Z"), Some(true));
        assert_eq!(open("22-23,0-6 *", "UTC", "on", "2026-01-05T23:30:00Z"), Some(true));
        assert_eq!(open("22-23,0-6 *", "UTC", "on", "2026-01-05T06:30:00Z"), Some(false));
        assert_eq!(open("0-23 1-5", "UTC", "on", "2026-01-09T23:30:00Z"), Some(false), "Friday's last hour");
        assert_eq!(open("* *", "UTC", "off", "2026-01-05T09:00:00Z"), Some(false));
        assert_eq!(open("9 1-5", "UTC", "on", "2026-01-05T09:30:00Z"), Some(false), "a lone hour has no end");
    }

    #[test]
    fn what_is_no_schedule() {
        for text in ["9- 1-5", "-18 1-5", "9-18", "9-18 1-5 *", "24 *", "18-9 *", "* 7", "*/0 *", ""] {
            assert_eq!(schedule(text, "UTC", "on"), None, "{text}");
        }
        assert_eq!(schedule("* *", "Mars/Base", "on"), None);
        assert_eq!(schedule("* *", "UTC", "On"), None);
    }
}
