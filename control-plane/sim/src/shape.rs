//! What to build and how it behaves: plain structs that a scenario fills.
//!
//! Knows defaults and units; draws nothing. Without further words rates are parts per million (`_ppm`), shares
//! parts per thousand (`_permille`), and times are [`Span`]s since the start of the run.

mod account;
mod group;
mod mix;

use std::collections::BTreeMap;

use spothub_core::catalog::TypeId;
use spothub_core::id::{AzId, Region, Site};
use spothub_core::rights::Rights;
use spothub_core::time::{Span, Timestamp};

use crate::market::replay::Traces;

pub use account::AccountShape;
pub use group::{
    EcsShape, GroupShape, ImageShape, Launched, MemberShape, OrphanShape, PolicyShape, SourceShape, VersionPin,
};
pub use mix::{Mix, MixShares};

/// 2026-01-01T00:00:00Z: where virtual time begins unless a scenario says otherwise.
pub const START: Timestamp = Timestamp(1_767_225_600_000);

/// A delay drawn evenly between two spans, both included.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Delay {
    /// The shortest.
    pub low: Span,
    /// The longest.
    pub high: Span,
}

impl Delay {
    /// Between so many milliseconds.
    #[must_use]
    pub const fn millis(low: i64, high: i64) -> Self {
        Self { low: Span::millis(low), high: Span::millis(high) }
    }

    /// Between so many seconds.
    #[must_use]
    pub const fn secs(low: i64, high: i64) -> Self {
        Self { low: Span::secs(low), high: Span::secs(high) }
    }

    /// Between so many minutes.
    #[must_use]
    pub const fn mins(low: i64, high: i64) -> Self {
        Self { low: Span::mins(low), high: Span::mins(high) }
    }
}

/// A part of the run, from its start: `from` included, `until` not.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Window {
    /// Its beginning.
    pub from: Span,
    /// Its end.
    pub until: Span,
}

impl Window {
    /// The whole run.
    pub const ALWAYS: Self = Self { from: Span::ZERO, until: Span(i64::MAX) };

    /// Whether a time lies in it.
    #[must_use]
    pub fn contains(self, since_start: Span) -> bool {
        self.from <= since_start && since_start < self.until
    }
}

/// Everything that a world is built from, beside its seed.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Where virtual time begins. Default [`START`].
    pub start: Timestamp,
    /// The organization's accounts. Default none.
    pub accounts: Vec<AccountShape>,
    /// Groups described one by one, built before those of `mix`. Default none.
    pub groups: Vec<GroupShape>,
    /// Groups drawn from a mix over the enrolled accounts and their regions. Default none.
    pub mix: Option<Mix>,
    /// The Spot market.
    pub market: MarketShape,
    /// What fails.
    pub faults: FaultShape,
    /// How events travel.
    pub bus: BusShape,
    /// What owners do in each group.
    pub owner: OwnerShape,
    /// CloudWatch alarms. Default none.
    pub alarms: Vec<AlarmShape>,
    /// What the member roles grant; IAM refuses the rest. Default everything.
    pub rights: Rights,
    /// API buckets and latencies.
    pub api: ApiShape,
    /// How long AWS takes for things.
    pub timing: TimingShape,
    /// Write a `price` record at each price change of a running Spot instance. Default true.
    pub emit_prices: bool,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            start: START,
            accounts: Vec::new(),
            groups: Vec::new(),
            mix: None,
            market: MarketShape::default(),
            faults: FaultShape::default(),
            bus: BusShape::default(),
            owner: OwnerShape::default(),
            alarms: Vec::new(),
            rights: Rights::default(),
            api: ApiShape::default(),
            timing: TimingShape::default(),
            emit_prices: true,
        }
    }
}

/// One CloudWatch alarm.
#[derive(Clone, Debug)]
pub struct AlarmShape {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub site: Site,
    /// When it is in the state `ALARM`.
    pub red: Vec<Window>,
}

/// The Spot market as a whole.
#[derive(Clone, Debug)]
pub struct MarketShape {
    /// Capacity of every pool, in thousandths of what is usual (20 to 120 small instances). Default 1000.
    pub capacity_permille: u32,
    /// Share of pools that never have capacity. Default 30.
    pub dead_permille: u32,
    /// Episodes of falling capacity for each pool and day, in thousandths. Default 120.
    pub episodes_permille: u32,
    /// What is left of a pool's capacity in an episode, in thousandths, from .. to. Default 0 .. 600.
    pub left_permille: (u32, u32),
    /// How long an episode lasts, recovery included, at most six hours. Default 20 to 180 minutes.
    pub episode: Delay,
    /// Times at which a large share of pools collapses. Default none.
    pub storms: Vec<StormShape>,
    /// Recorded capacity that pools follow besides. Default none.
    pub traces: Traces,
    /// Spot prices, in thousandths of what is usual (28 to 55 % of on-demand). Default 1000.
    pub price_permille: u32,
    /// What hardware of a type usually costs in a zone, in thousandths of on-demand, where that is known and not to be
    /// drawn. Default nothing.
    pub usual_permille: BTreeMap<AzId, BTreeMap<TypeId, u16>>,
    /// Share of pools (type and zone) that cost 85 to 99 % of on-demand. Default 20.
    pub expensive_permille: u32,
    /// Chance that a Spot instance is taken in an hour without any episode. Default 500 (0.05 %).
    pub hazard_ppm_per_hour: u32,
    /// Share of takings without any event. Default 30.
    pub silent_permille: u32,
    /// Share of takings that a rebalance recommendation precedes by 5 to 20 minutes. Default 250.
    pub rebalance_permille: u32,
    /// How far the announcements of one fall of a pool lie apart. Default 0 to 100 s.
    pub cluster: Delay,
}

impl Default for MarketShape {
    fn default() -> Self {
        Self {
            capacity_permille: 1000,
            dead_permille: 30,
            episodes_permille: 120,
            left_permille: (0, 600),
            episode: Delay::mins(20, 180),
            storms: Vec::new(),
            traces: Traces::default(),
            price_permille: 1000,
            usual_permille: BTreeMap::new(),
            expensive_permille: 20,
            hazard_ppm_per_hour: 500,
            silent_permille: 30,
            rebalance_permille: 250,
            cluster: Delay::secs(0, 100),
        }
    }
}

/// A time at which many pools collapse together.
#[derive(Clone, Debug)]
pub struct StormShape {
    /// When the first pools fall.
    pub at: Span,
    /// Within what time all of them have fallen.
    pub spread: Span,
    /// How long they stay down; each pool recovers within a quarter of this afterwards.
    pub length: Span,
    /// Share of the pools that fall.
    pub pools_permille: u32,
    /// What is left of a fallen pool's capacity, in thousandths.
    pub left_permille: u32,
    /// Where; empty for everywhere.
    pub regions: Vec<Region>,
}

/// Injected faults. All are zero by default, and stop when the world is told to be quiet.
#[expect(clippy::struct_field_names, reason = "the unit belongs into the name of a rate")]
#[derive(Clone, Debug, Default)]
pub struct FaultShape {
    /// Calls that fail before they do anything.
    pub broken_ppm: u32,
    /// Calls without an answer that did nothing.
    pub lost_ppm: u32,
    /// Calls without an answer that were done.
    pub lost_done_ppm: u32,
    /// Calls throttled although the bucket has tokens: the owner's own automation took them.
    pub throttled_ppm: u32,
    /// Changing calls of Auto Scaling refused because another activity is in progress.
    pub busy_ppm: u32,
    /// Spot launches that die while pending (as with a key that the role may not use).
    pub stillborn_ppm: u32,
    /// Launches whose status checks never pass.
    pub dud_ppm: u32,
    /// Launches of the groups themselves that fail for want of on-demand capacity; tried again within 90 s.
    pub launch_fails_ppm: u32,
    /// Reads of the public prices or of the directory that fail.
    pub hub_reads_ppm: u32,
}

/// How events travel from the members to the hub's queues.
#[derive(Clone, Debug)]
pub struct BusShape {
    /// Never delivered. Default 1,000 (0.1 %).
    pub lost_ppm: u32,
    /// Delivered late. Default 5,000.
    pub late_ppm: u32,
    /// How late. Default 30 s to 15 minutes.
    pub late: Delay,
    /// Delivered twice or three times. Default 5,000.
    pub duplicate_ppm: u32,
    /// Held back for up to half a minute, so that later events overtake. Default 20,000.
    pub disorder_ppm: u32,
    /// The usual way. Default 0.4 to 1.5 s.
    pub latency: Delay,
    /// After each event, a message that is nonsense or not ours. Default 0.
    pub junk_ppm: u32,
    /// How long a received message stays invisible. Default 120 s.
    pub visibility: Span,
}

impl Default for BusShape {
    fn default() -> Self {
        Self {
            lost_ppm: 1000,
            late_ppm: 5000,
            late: Delay { low: Span::secs(30), high: Span::mins(15) },
            duplicate_ppm: 5000,
            disorder_ppm: 20_000,
            latency: Delay::millis(400, 1500),
            junk_ppm: 0,
            visibility: Span::secs(120),
        }
    }
}

impl BusShape {
    /// Every event once, in order, after one second.
    #[must_use]
    pub fn perfect() -> Self {
        let latency = Delay::secs(1, 1);
        Self { lost_ppm: 0, late_ppm: 0, duplicate_ppm: 0, disorder_ppm: 0, latency, ..Self::default() }
    }
}

/// What owners do, as rates for one group: parts per million in an hour. All are zero by default, and stop when the
/// world is told to be quiet. A group can have rates of its own.
#[derive(Clone, Debug, Default)]
pub struct OwnerShape {
    /// Raise desired by one to a quarter, within max.
    pub scale_out_ppm: u32,
    /// Lower desired by one to a quarter, within min.
    pub scale_in_ppm: u32,
    /// A new version of the template (or a new launch configuration).
    pub deploy_ppm: u32,
    /// Share of deploys that an instance refresh follows.
    pub refresh_permille: u32,
    /// Suspend one or two processes for 5 to 40 minutes.
    pub suspend_ppm: u32,
    /// Protect a member from scale-in, or lift it.
    pub protect_ppm: u32,
    /// Opt out by tag; opt in again after 10 to 60 minutes.
    pub opt_out_ppm: u32,
    /// Put a member in standby for 5 to 30 minutes.
    pub standby_ppm: u32,
    /// End an instance through EC2.
    pub terminate_ppm: u32,
    /// Raise or lower min or max by one or two.
    pub resize_ppm: u32,
    /// Detach one of the members that the engine brought.
    pub detach_ppm: u32,
    /// A member fails its health check.
    pub failure_ppm: u32,
}

impl OwnerShape {
    /// Ordinary life: some scaling, a deploy now and then, rare failures.
    #[must_use]
    pub fn ordinary() -> Self {
        Self {
            scale_out_ppm: 20_000,
            scale_in_ppm: 20_000,
            deploy_ppm: 2000,
            failure_ppm: 2000,
            terminate_ppm: 500,
            ..Self::default()
        }
    }

    /// Owners who do everything all the time.
    #[must_use]
    pub fn racing() -> Self {
        Self {
            scale_out_ppm: 400_000,
            scale_in_ppm: 400_000,
            deploy_ppm: 40_000,
            refresh_permille: 400,
            suspend_ppm: 80_000,
            protect_ppm: 150_000,
            opt_out_ppm: 40_000,
            standby_ppm: 40_000,
            terminate_ppm: 40_000,
            resize_ppm: 80_000,
            detach_ppm: 20_000,
            failure_ppm: 40_000,
        }
    }
}

/// A token bucket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Bucket {
    /// Most tokens.
    pub size: u32,
    /// Tokens that come back in a second.
    pub per_second: u32,
}

impl Bucket {
    /// A bucket of `size` that refills at `per_second`.
    #[must_use]
    pub const fn new(size: u32, per_second: u32) -> Self {
        Self { size, per_second }
    }
}

/// API limits for each account and region, and how long calls take.
#[derive(Clone, Debug)]
pub struct ApiShape {
    /// EC2 Describe calls. Default 100 / 20.
    pub ec2_read: Bucket,
    /// EC2 changing calls, CreateFleet among them. Default 50 / 5.
    pub ec2_change: Bucket,
    /// RunInstances. Default 5 / 2.
    pub run: Bucket,
    /// TerminateInstances. Default 100 / 5.
    pub terminate: Bucket,
    /// Instances launched, by either call. Default 1,000 / 2.
    pub launched: Bucket,
    /// Auto Scaling Describe calls; AWS publishes no figure. Default 100 / 10.
    pub asg_read: Bucket,
    /// Auto Scaling changing calls; AWS publishes no figure. Default 50 / 5.
    pub asg_change: Bucket,
    /// Elastic Load Balancing calls. Default 100 / 20.
    pub elb: Bucket,
    /// IAM reads; AWS publishes no figure. Default 20 / 5.
    pub iam: Bucket,
    /// One way of an ordinary call. Default 30 to 200 ms.
    pub leg: Delay,
    /// What a launch takes beside that. Default 0.7 to 2.5 s.
    pub launch: Delay,
    /// When a caller gives up on an answer. Default 6 s.
    pub lost_after: Span,
    /// How long a new instance can be invisible to EC2's Describe calls. Default 1 s.
    pub consistent_after: Span,
}

impl Default for ApiShape {
    fn default() -> Self {
        Self {
            ec2_read: Bucket::new(100, 20),
            ec2_change: Bucket::new(50, 5),
            run: Bucket::new(5, 2),
            terminate: Bucket::new(100, 5),
            launched: Bucket::new(1000, 2),
            asg_read: Bucket::new(100, 10),
            asg_change: Bucket::new(50, 5),
            elb: Bucket::new(100, 20),
            iam: Bucket::new(20, 5),
            leg: Delay::millis(30, 200),
            launch: Delay::millis(700, 2500),
            lost_after: Span::secs(6),
            consistent_after: Span::secs(1),
        }
    }
}

/// How long AWS takes for things.
#[derive(Clone, Debug)]
pub struct TimingShape {
    /// From launch to `running`, Linux. Default 25 to 45 s.
    pub linux_running: Delay,
    /// From launch to passed status checks, Linux. Default 60 to 90 s.
    pub linux_checked: Delay,
    /// From launch to `running`, Windows. Default 30 to 60 s.
    pub windows_running: Delay,
    /// From launch to passed status checks, Windows. Default 10 to 14 minutes.
    pub windows_checked: Delay,
    /// From `running` to `InService` for what the group launched. Default 2 to 8 s.
    pub in_service: Delay,
    /// From the attach call to `InService`. Default 3 to 12 s.
    pub attach: Delay,
    /// From registration (and passed checks) to healthy in a target group. Default 10 to 35 s.
    pub register: Delay,
    /// Deregistration from target groups. Default 5 to 60 s.
    pub drain: Delay,
    /// From the decision to end an instance to its end. Default 2 to 15 s.
    pub shutdown: Delay,
    /// From a change to the group's own reaction. Default 2 to 10 s.
    pub react: Delay,
    /// From the end or failure of a member to the group's noticing. Default 5 to 40 s.
    pub notice: Delay,
    /// How long zones must be uneven before the group evens them. Default 10 to 15 minutes.
    pub rebalance: Delay,
    /// How long a launch hook holds a new member. Default 60 to 120 s.
    pub hook: Delay,
    /// Between two replacements of an instance refresh. Default 60 to 120 s.
    pub refresh: Delay,
    /// How long ended instances can be seen. Default 1 h.
    pub remember: Span,
}

impl Default for TimingShape {
    fn default() -> Self {
        Self {
            linux_running: Delay::secs(25, 45),
            linux_checked: Delay::secs(60, 90),
            windows_running: Delay::secs(30, 60),
            windows_checked: Delay::mins(10, 14),
            in_service: Delay::secs(2, 8),
            attach: Delay::secs(3, 12),
            register: Delay::secs(10, 35),
            drain: Delay::secs(5, 60),
            shutdown: Delay::secs(2, 15),
            react: Delay::secs(2, 10),
            notice: Delay::secs(5, 40),
            rebalance: Delay::mins(10, 15),
            hook: Delay::secs(60, 120),
            refresh: Delay::secs(60, 120),
            remember: Span::hours(1),
        }
    }
}
