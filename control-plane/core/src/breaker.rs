//! Circuit breakers: what fails again and again is left alone for a while, then tried once.
//!
//! A group's breaker is its backoff, grown long: the record of the group holds it, and since a group has one swap at a
//! time, its next one is the probe. A site's (an account in a region) is a row of its own, because its failures come
//! from many groups and several workers. A pool's is its closing in [`crate::market::Signals`].

use serde::{Deserialize, Serialize};

use crate::id::{GroupKey, SwapId};
use crate::record::{Backoff, Why};
use crate::time::{Span, Timestamp};

/// The prefix of the rows of sites.
pub const SITES: &str = "breaker/site/";
/// The prefix of the rows of pools.
pub const POOLS: &str = "breaker/pool/";
/// Failures in a row that open a group's breaker: two may be chance, and each cost a launch.
pub const GROUP_OPENS_AT: u32 = 3;
/// Failures in a row, of at least two groups, that open a site's breaker.
pub const SITE_OPENS_AT: u32 = 5;
/// How long a site's breaker is open at first; doubles with each probe that fails, up to [`OPEN_MAX`].
pub const OPEN_FIRST: Span = Span::mins(10);
/// The longest: what was mended is noticed within two hours.
pub const OPEN_MAX: Span = Span::hours(2);
/// A probe that has not ended after so long counts for nothing any more: a swap of a slow Windows takes less.
pub const PROBE_MAX: Span = Span::hours(1);

/// What a breaker is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Guards {
    /// One group.
    Group,
    /// One account in one region.
    #[serde(rename = "account")]
    Site,
    /// One Spot pool: for all groups of all accounts.
    Pool,
}

impl Guards {
    /// The stable label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Group => "group",
            Self::Site => "account",
            Self::Pool => "pool",
        }
    }
}

/// What a breaker lets through.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Everything.
    Closed,
    /// Nothing.
    Open,
    /// One try, whose end decides.
    HalfOpen,
}

impl State {
    /// The stable label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        }
    }
}

/// Whether nothing may begin because of a site's breaker.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Shut {
    /// Until when at least.
    pub until: Timestamp,
    /// What the last failure was.
    pub why: Option<Why>,
}

/// The one try of a half-open breaker.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// Which swap.
    pub swap: SwapId,
    /// Since when.
    pub since: Timestamp,
}

/// The breaker of a site.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct Breaker {
    /// Failures in a row.
    pub failures: u32,
    /// What the last one was.
    pub why: Option<Why>,
    /// Whose it was.
    pub group: Option<GroupKey>,
    /// Failures in a row are of more than one group.
    pub several: bool,
    /// How often in a row it opened.
    pub opened: u32,
    /// When it opened, and until when it lets nothing begin.
    pub open: Option<(Timestamp, Timestamp)>,
    /// The try that is under way.
    pub probe: Option<Probe>,
}

impl Breaker {
    /// What it lets through.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> State {
        match self.open {
            None => State::Closed,
            Some((_, until)) if now < until => State::Open,
            Some(_) => State::HalfOpen,
        }
    }

    /// Whether nothing may begin now.
    #[must_use]
    pub fn shut(&self, now: Timestamp) -> Option<Shut> {
        let until = match (self.open, &self.probe) {
            (Some((_, until)), _) if now < until => until,
            (Some(_), Some(probe)) if now < probe.since + PROBE_MAX => probe.since + PROBE_MAX,
            _ => return None,
        };
        Some(Shut { until, why: self.why })
    }

    /// Makes a swap the probe of a half-open breaker; `false` where the breaker lets it not begin.
    pub fn begin(&mut self, swap: &SwapId, now: Timestamp) -> bool {
        if self.shut(now).is_some() {
            return false;
        }
        if self.state(now) == State::HalfOpen {
            self.probe = Some(Probe { swap: swap.clone(), since: now });
        }
        true
    }

    /// A swap of a group there failed. What was begun before the breaker opened opens it no further.
    pub fn failed(&mut self, swap: &SwapId, group: &GroupKey, why: Why, now: Timestamp) {
        self.failures += 1;
        self.several |= self.group.as_ref().is_some_and(|last| last != group);
        (self.why, self.group) = (Some(why), Some(group.clone()));
        let probed = self.probe.as_ref().is_some_and(|probe| probe.swap == *swap);
        let opens = self.open.is_none() && self.several && self.failures >= SITE_OPENS_AT;
        if probed || opens {
            let wait = OPEN_FIRST.times(1 << self.opened.min(8)).min(OPEN_MAX);
            self.opened += 1;
            self.open = Some((now, now + wait));
            self.probe = None;
        }
    }

    /// Its probe ended in a way that says nothing of the site; the next swap is the probe.
    pub fn unproved(&mut self, swap: &SwapId) {
        self.probe.take_if(|probe| probe.swap == *swap);
    }

    /// A swap there was done: all is well.
    pub fn succeeded(&mut self) {
        *self = Self::default();
    }
}

/// Whether a failure tells something of the account and region, rather than of the pool or of what the owner did.
#[must_use]
pub const fn tells_of_site(why: Why) -> bool {
    match why {
        Why::NewLost | Why::TooSlow | Why::AttachRefused | Why::Quota | Why::Denied | Why::Refused | Why::Failing => {
            true
        }
        Why::OptedOut
        | Why::Paused
        | Why::OldGone
        | Why::OldProtected
        | Why::NoCapacity
        | Why::NoRoom
        | Why::Absorbed
        | Why::Alarm
        | Why::LeftToGroup
        | Why::FellBack => false,
    }
}

/// What the breaker of a group lets through, by its backoff.
#[must_use]
pub fn of_group(backoff: &Backoff, now: Timestamp) -> State {
    let counts = backoff.why.is_some_and(|why| !matches!(why, Why::NoCapacity | Why::Quota | Why::Denied));
    match backoff.until {
        Some(until) if counts && backoff.failures >= GROUP_OPENS_AT => {
            if now < until {
                State::Open
            } else {
                State::HalfOpen
            }
        }
        _ => State::Closed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(name: &str) -> GroupKey {
        let site = crate::id::Site { account: "000000000001".parse().unwrap(), region: "eu-west-1".parse().unwrap() };
        GroupKey { site, name: name.parse().unwrap() }
    }

    fn swap(number: u64) -> SwapId {
        SwapId::from_number(number, false)
    }

    fn opened() -> Breaker {
        let mut breaker = Breaker::default();
        for number in 0..SITE_OPENS_AT {
            assert_eq!(breaker.state(Timestamp(0)), State::Closed);
            let name = if number % 2 == 0 { "a" } else { "b" };
            breaker.failed(&swap(number.into()), &group(name), Why::TooSlow, Timestamp(0));
        }
        breaker
    }

    #[test]
    fn one_group_alone_opens_no_site() {
        let mut breaker = Breaker::default();
        for number in 0..50 {
            breaker.failed(&swap(number), &group("a"), Why::TooSlow, Timestamp(0));
        }
        assert_eq!(breaker.state(Timestamp(0)), State::Closed);
        breaker.failed(&swap(51), &group("b"), Why::TooSlow, Timestamp(0));
        assert_eq!(breaker.state(Timestamp(0)), State::Open);
    }

    #[test]
    fn a_half_open_breaker_lets_one_through_whose_end_decides() {
        let mut breaker = opened();
        let after = |span: Span| Timestamp(0) + span;
        assert_eq!(breaker.shut(Timestamp(0)), Some(Shut { until: after(OPEN_FIRST), why: Some(Why::TooSlow) }));
        assert!(!breaker.begin(&swap(7), Timestamp(0)));
        let half = after(OPEN_FIRST);
        assert!(breaker.state(half) == State::HalfOpen && breaker.begin(&swap(7), half));
        assert!(!breaker.begin(&swap(8), half), "one at a time");
        breaker.failed(&swap(9), &group("a"), Why::NewLost, half);
        assert_eq!(breaker.state(half), State::HalfOpen, "begun before it opened");
        breaker.failed(&swap(7), &group("a"), Why::NewLost, half);
        assert_eq!(breaker.open, Some((half, half + OPEN_FIRST.times(2))));
        let again = half + OPEN_FIRST.times(2);
        assert!(breaker.begin(&swap(10), again));
        breaker.unproved(&swap(10));
        assert!(breaker.begin(&swap(11), again));
        breaker.succeeded();
        assert_eq!(breaker, Breaker::default());
    }

    #[test]
    fn a_lost_probe_is_not_waited_for_for_ever() {
        let mut breaker = opened();
        let half = Timestamp(0) + OPEN_FIRST;
        assert!(breaker.begin(&swap(7), half));
        assert!(!breaker.begin(&swap(8), half + PROBE_MAX - Span(1)));
        assert!(breaker.begin(&swap(8), half + PROBE_MAX));
    }
}
