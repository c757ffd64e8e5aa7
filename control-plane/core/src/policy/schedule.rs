//! Time windows in which swaps may begin, in a time zone of the bundled database.

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
    fn mistakes_are_named() {
        assert!(Schedule::new("Mars/Base", vec![]).unwrap_err().to_string().contains("Mars/Base"));
        let window = Window { days: vec![1], from: 300, to: 200 };
        assert_eq!(Schedule::new("UTC", vec![window]), Err(ScheduleError::Window(1)));
    }
}
