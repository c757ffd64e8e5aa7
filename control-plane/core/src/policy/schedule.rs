//! Time windows in which swaps may begin, in a time zone of the bundled database.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// A window on some days of the week, from a time of day to a later one of the same day.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// Days by ISO number: 1 is Monday, 7 is Sunday.
    pub days: Vec<i8>,
    /// First minute of the day (0 to 1439).
    pub from: u16,
    /// The minute of the day at which it ends (1 to 1440).
    pub to: u16,
}

/// When swaps may begin.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Raw", into = "Raw")]
pub struct Schedule {
    zone: TimeZone,
    name: String,
    windows: Vec<Window>,
}

/// What is wrong with a schedule.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ScheduleError {
    /// The zone's name is not in the bundled database.
    #[error("unknown time zone {0:?}: use a name of the IANA database, as Europe/Berlin")]
    Zone(String),
    /// A window that can never be open, or reaches into the next day.
    #[error("window {0} is never open: its end must lie after its start on the same day, and it needs a day")]
    Window(usize),
    /// A text that is no schedule.
    #[error("{0:?} is no schedule: write a time zone, then days and times, as Europe/Berlin mon-fri 02:00-05:00")]
    Text(String),
}

/// The days of the week as files and tags write them.
pub const DAY_WORDS: &[(&str, i8)] =
    &[("mon", 1), ("tue", 2), ("wed", 3), ("thu", 4), ("fri", 5), ("sat", 6), ("sun", 7)];

/// The minute of the day that `02:00` stands for; `24:00` is its end.
#[must_use]
pub fn minute_of(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let digits = |t: &str| t.len() == 2 && t.bytes().all(|b| b.is_ascii_digit());
    if !digits(hour) || !digits(minute) {
        return None;
    }
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    (hour < 24 && minute < 60 || hour == 24 && minute == 0).then_some(hour * 60 + minute)
}

/// A zone, then days and times by turns: what fits into a tag, as
/// `Europe/Berlin mon-fri 02:00-05:00 sat+sun 00:00-24:00`.
impl FromStr for Schedule {
    type Err = ScheduleError;
    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        let wrong = || ScheduleError::Text(text.to_owned());
        let mut words = text.split_whitespace();
        let zone = words.next().ok_or_else(wrong)?;
        let mut windows = Vec::new();
        while let Some(days) = words.next() {
            let (from, to) = words.next().and_then(|times| times.split_once('-')).ok_or_else(wrong)?;
            let days = days_of(days).ok_or_else(wrong)?;
            let (from, to) = minute_of(from).zip(minute_of(to)).ok_or_else(wrong)?;
            windows.push(Window { days, from, to });
        }
        if windows.is_empty() {
            return Err(wrong());
        }
        Self::new(zone, windows)
    }
}

/// Days and ranges of days with a plus between: `mon-fri+sun`.
fn days_of(text: &str) -> Option<Vec<i8>> {
    let day = |word: &str| DAY_WORDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, day)| *day);
    let mut days = Vec::new();
    for part in text.split('+') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (day(first)?, day(last)?);
        if first > last {
            return None;
        }
        days.extend(first..=last);
    }
    Some(days)
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        let word = |day: &i8| DAY_WORDS.iter().find(|(_, number)| number == day).map_or("?", |(word, _)| *word);
        for window in &self.windows {
            let days: Vec<_> = window.days.iter().map(word).collect();
            let (from, to) = (window.from, window.to);
            let days = days.join("+");
            write!(f, " {days} {:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60)?;
        }
        Ok(())
    }
}

#[derive(Clone, Serialize, Deserialize)]
struct Raw {
    zone: String,
    windows: Vec<Window>,
}

impl Schedule {
    /// A schedule from a zone's name and windows.
    pub fn new(zone: &str, windows: Vec<Window>) -> Result<Self, ScheduleError> {
        let found = TimeZone::get(zone).map_err(|_| ScheduleError::Zone(zone.to_owned()))?;
        let bad = |w: &Window| {
            w.from >= w.to || w.to > 1440 || w.days.is_empty() || w.days.iter().any(|d| !(1..=7).contains(d))
        };
        if let Some(index) = windows.iter().position(bad) {
            return Err(ScheduleError::Window(index + 1));
        }
        Ok(Self { zone: found, name: zone.to_owned(), windows })
    }

    /// Its zone, and the minutes of its week during which it is open, from Monday on; runs that touch are one.
    pub(crate) fn week(&self) -> (&str, Vec<(u16, u16)>) {
        let day = |day: &i8| u16::try_from(*day).unwrap_or(1).saturating_sub(1) * 1440;
        let runs = self.windows.iter().flat_map(|w| w.days.iter().map(move |d| (day(d) + w.from, day(d) + w.to)));
        let mut runs: Vec<(u16, u16)> = runs.collect();
        runs.sort_unstable();
        let mut joined: Vec<(u16, u16)> = Vec::new();
        for (from, to) in runs {
            match joined.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => joined.push((from, to)),
            }
        }
        (&self.name, joined)
    }

    /// Whether a swap may begin at `now`; closed where the calendar ends.
    #[must_use]
    pub fn open(&self, now: Timestamp) -> bool {
        let Ok(instant) = jiff::Timestamp::from_millisecond(now.0) else { return false };
        let local = instant.to_zoned(self.zone.clone());
        let (day, minute) = (iso(local.weekday()), minute(local.time()));
        self.windows.iter().any(|w| w.days.contains(&day) && w.from <= minute && minute < w.to)
    }
}

fn iso(day: Weekday) -> i8 {
    day.to_monday_one_offset()
}

fn minute(time: Time) -> u16 {
    u16::try_from(i16::from(time.hour()) * 60 + i16::from(time.minute())).unwrap_or(0)
}

impl TryFrom<Raw> for Schedule {
    type Error = ScheduleError;
    fn try_from(raw: Raw) -> Result<Self, ScheduleError> {
        Self::new(&raw.zone, raw.windows)
    }
}

impl From<Schedule> for Raw {
    fn from(schedule: Schedule) -> Self {
        Self { zone: schedule.name, windows: schedule.windows }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_follow_the_zone() {
        let night = Window { days: vec![1, 2, 3, 4, 5], from: 120, to: 300 };
        let schedule = Schedule::new("Europe/Berlin", vec![night]).unwrap();
        let at = |text| schedule.open(Timestamp::from_rfc3339(text).unwrap());
        assert!(at("2026-01-05T01:00:00Z"), "Monday 02:00 in winter");
        assert!(!at("2026-01-05T04:00:00Z"), "Monday 05:00");
        assert!(at("2026-07-06T00:30:00Z"), "Monday 02:30 in summer");
        assert!(!at("2026-01-04T01:30:00Z"), "Sunday");
    }

    #[test]
    fn a_schedule_in_one_line() {
        let text = "Europe/Berlin mon-fri+sun 02:00-05:00 sat 00:00-24:00";
        let schedule: Schedule = text.parse().unwrap();
        let long = "Europe/Berlin mon+tue+wed+thu+fri+sun 02:00-05:00 sat 00:00-24:00";
        assert_eq!(schedule.to_string(), long);
        assert_eq!(long.parse::<Schedule>().unwrap(), schedule);
        for bad in [
            "", "UTC", "UTC mon", "UTC mon 2:00-5:00", "UTC fri-mon 02:00-03:00", "UTC mon 05:00-02:00",
            "UTC mon-x 00:00-24:00",
        ] {
            assert!(bad.parse::<Schedule>().is_err(), "{bad}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        assert!(Schedule::new("Mars/Base", vec![]).unwrap_err().to_string().contains("Mars/Base"));
        let window = Window { days: vec![1], from: 300, to: 200 };
        assert_eq!(Schedule::new("UTC", vec![window]), Err(ScheduleError::Window(1)));
    }
}
