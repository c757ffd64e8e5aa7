//! What central policy says of a group: checked values, and the rules that find them.
//!
//! Opt-out always wins. Among rules the more specific one wins, key by key; among equals the stricter. Owners' tags
//! come last: they restrict, and set what policy marks as delegable.

mod conflict;
mod effective;
mod force;
pub(crate) mod glob;
mod index;
mod key;
mod rules;
mod schedule;
mod shown;
mod strict;
mod tags;

use serde::{Deserialize, Serialize};

use crate::catalog::Product;
use crate::compat::TypeGlob;
use crate::id::ClusterName;
use crate::money::Percent;
use crate::reason::{HoldReason, OptOut};
use crate::time::Span;

pub use conflict::Conflict;
pub use effective::{Effective, Explained, Origin, Said};
pub use force::{CHAIN_MAX, InForce, Ring, Rollout};
pub use glob::NameGlob;
pub use key::{Key, Keys, Settings};
pub use rules::{Block, Context, Place, PolicySet, Rank, Rule, Selector};
pub use schedule::{DAY_WORDS, Schedule, ScheduleError, Window, minute_of};
pub use shown::PRODUCT_WORDS;
pub use tags::{AUTOSPOTTING_ENABLED, ENABLED, OWNERS};
pub(crate) use tags::{micros, translated, types};

/// The longest time that a key can ask for: beyond a week a swap would wait forever in all but name.
pub const SPAN_MAX: Span = Span::hours(7 * 24);

/// Whether policy lets spothub act.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Enabled {
    /// Opted out by policy: wins everywhere.
    False,
    /// Only where the group's tag `spothub:enabled` says `true`.
    ByTag,
    /// Unless somebody opted out.
    True,
}

/// Which template version the newcomer comes from where the old one runs another.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TemplateRule {
    /// Hold as `template-changed`.
    Match,
    /// The version that the group would launch now.
    Twin,
}

/// What a rebalance recommendation leads to.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnRebalance {
    /// Nothing at all.
    Ignore,
    /// The member moves to another pool, newcomer first; launches avoid the pool.
    Replace,
    /// The same, only where a pool has no such sign.
    WhenWorse,
    /// New launches avoid the pool for a while; nothing is moved.
    Avoid,
}

/// What reserved instances and Savings Plans are to a decision.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CommitmentRule {
    /// Nothing: decisions are made at on-demand prices.
    Ignore,
    /// What they cover saves nothing; where they could not be read, decisions are made as if there were none.
    #[default]
    Count,
    /// The same, and nothing is swapped where not all of them were read.
    Require,
}

/// What an interruption warning leads to.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnInterruption {
    /// Leave it to the group.
    Ignore,
    /// Replace it before, or as, it goes.
    Replace,
}

/// Which design moves the group.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// One on-demand member after the other becomes Spot.
    Swap,
}

/// Which tags of owners are understood.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TagDialect {
    /// `spothub:...` alone.
    Spothub,
    /// Also `spot-enabled` and the `autospotting_*` tags.
    Autospotting,
}

/// Limits on what may be under way at once.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Budgets {
    /// Swaps in flight in the organization.
    pub organization: u32,
    /// Swaps in flight in one organizational unit.
    pub ou: u32,
    /// Swaps in flight in one account.
    pub account: u32,
    /// Members of one group replaced within an hour, in percent of what it wants; at least one.
    pub group_share: Percent,
}

/// The most members in one Spot pool, so that one taking never costs more than a part.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct PoolShare {
    /// Of one group, in percent of what it wants, rounded up.
    pub group: Percent,
    /// Of one organizational unit, in percent of its members in served groups, rounded up.
    pub ou: Percent,
}

/// When a member moves from one Spot pool to another for its price.
#[expect(clippy::struct_field_names, reason = "named as the keys of a policy file")]
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct SpotToSpot {
    /// How much dearer its pool became, and how much the other saves; 100% is never.
    pub min_saving: Percent,
    /// How old it is at least.
    pub min_life: Span,
    /// How many pools save so much.
    pub min_alternatives: u8,
}

/// How a member leaves its load balancers; part of the policy's shape from the start.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Drain {
    /// The longest wait for connections to end.
    pub wait_max: Span,
}

/// The checked policy in force for one group. Fields are in the order of the policy file.
#[expect(clippy::struct_excessive_bools, reason = "independent yes-or-no facts, each under its own name")]
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// Whether to act.
    pub enabled: Enabled,
    /// On-demand members to keep, as a number.
    pub floor_number: u32,
    /// On-demand members to keep, in percent of what the group wants; the larger of the two counts.
    pub floor_percent: Percent,
    /// The least saving against what the old instance costs.
    pub min_saving: Percent,
    /// What is paid for anyway.
    #[serde(default)]
    pub commitments: CommitmentRule,
    /// MaxPrice in percent of the old instance's on-demand price.
    pub max_price: Percent,
    /// A cap above the quoted Spot price in percent of it, where set.
    pub max_price_over_spot: Option<u16>,
    /// Price by this operating system whatever the image says, where set.
    pub product: Option<Product>,
    /// Only these types: each of the lists has to have the type.
    pub allowed_types: Vec<Vec<TypeGlob>>,
    /// Never these types.
    pub denied_types: Vec<TypeGlob>,
    /// Only the old instance's own type.
    pub same_type_only: bool,
    /// Pools handed over for one launch: more is safer, fewer is cheaper.
    pub pools: u8,
    /// Members in one pool.
    pub pool_share: PoolShare,
    /// Burstable types may replace fixed-performance ones.
    pub burstable: bool,
    /// The instance store's disks are unused: diskless types may replace types with disks.
    pub disks_unused: bool,
    /// How much less baseline EBS bandwidth is accepted.
    pub ebs_tolerance: Percent,
    /// What to do where the template changed since the old one was launched.
    pub template: TemplateRule,
    /// How long a newcomer must serve before the old one goes (the group's own times count too).
    pub settle: Span,
    /// Between the starts of two swaps of a group.
    pub interval: Span,
    /// Budgets.
    pub budgets: Budgets,
    /// CloudWatch alarms of the group's account and region that must not be red; `{group}` stands for its name.
    pub guard_alarms: Vec<String>,
    /// How long after a swap an alarm that goes red stops the group.
    pub guard_bake: Span,
    /// When swaps may begin: while each of them is open.
    pub schedule: Vec<Schedule>,
    /// How members leave.
    pub drain: Drain,
    /// The ECS cluster that the members serve.
    #[serde(default)]
    pub ecs_cluster: Option<ClusterName>,
    /// Interruption warnings.
    pub on_interruption: OnInterruption,
    /// Rebalance recommendations.
    pub on_rebalance: OnRebalance,
    /// Moves between Spot pools.
    pub spot_to_spot: SpotToSpot,
    /// Members protected from scale-in may be swapped.
    pub protected_members: bool,
    /// Launch hooks, as patterns, that a newcomer does without.
    pub skippable_launch_hooks: Vec<NameGlob>,
    /// The design.
    pub strategy: Strategy,
    /// Tags understood.
    pub tags: TagDialect,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            enabled: Enabled::ByTag,
            floor_number: 0,
            floor_percent: Percent::ZERO,
            min_saving: percent(10),
            commitments: CommitmentRule::Count,
            max_price: Percent::ALL,
            max_price_over_spot: None,
            product: None,
            allowed_types: Vec::new(),
            denied_types: Vec::new(),
            same_type_only: false,
            // aws-facts 7.1: hand 5 to 10 compatible types to EC2 rather than the cheapest one.
            pools: 8,
            pool_share: PoolShare { group: Percent::ALL, ou: Percent::ALL },
            burstable: false,
            disks_unused: false,
            ebs_tolerance: percent(crate::compat::EBS_TOLERANCE_PERCENT_DEFAULT),
            template: TemplateRule::Match,
            settle: Span::secs(60),
            interval: Span::mins(2),
            budgets: Budgets { organization: 500, ou: 250, account: 50, group_share: Percent::ALL },
            guard_alarms: Vec::new(),
            guard_bake: Span::mins(10),
            schedule: Vec::new(),
            drain: Drain { wait_max: Span::mins(5) },
            ecs_cluster: None,
            on_interruption: OnInterruption::Replace,
            on_rebalance: OnRebalance::Avoid,
            spot_to_spot: SpotToSpot { min_saving: Percent::ALL, min_life: Span::hours(6), min_alternatives: 5 },
            protected_members: false,
            skippable_launch_hooks: Vec::new(),
            strategy: Strategy::Swap,
            tags: TagDialect::Spothub,
        }
    }
}

fn percent(value: u8) -> Percent {
    Percent::new(value).unwrap_or(Percent::ALL)
}

impl Policy {
    /// On-demand members that must stay in service while the group wants `want`.
    #[must_use]
    pub fn floor(&self, want: u32) -> u32 {
        self.floor_number.max(self.floor_percent.of_rounded_up(want))
    }

    /// The names of the alarms that guard a group of this name.
    pub fn alarms(&self, group: &str) -> impl Iterator<Item = String> {
        self.guard_alarms.iter().map(move |name| name.replace("{group}", group))
    }

    /// Whether a newcomer does without the launch hook of this name.
    #[must_use]
    pub fn skips(&self, hook: &str) -> bool {
        self.skippable_launch_hooks.iter().any(|glob| glob.matches(hook))
    }

    /// How long alarms are watched after a swap; no time where none guards the group.
    #[must_use]
    pub fn bake(&self) -> Span {
        if self.guard_alarms.is_empty() { Span::ZERO } else { self.guard_bake }
    }

    /// Swaps that may begin within an hour in a group that wants `want`.
    #[must_use]
    pub fn share(&self, want: u32) -> u32 {
        (u64::from(want) * u64::from(self.budgets.group_share.value()) / 100).try_into().unwrap_or(want).max(1)
    }
}

/// Whether the engine may act on a group.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Standing {
    /// No policy is in force yet.
    NoPolicy,
    /// A tag of its owner that means something to us cannot be read.
    Unreadable(String),
    /// It may.
    Enabled,
    /// Nobody enabled it.
    NotEnabled,
    /// Somebody opted it out.
    OptedOut(OptOut),
}

impl Standing {
    /// Why a group with this standing is left as it is; `None` where the engine may act.
    #[must_use]
    pub fn hold(&self) -> Option<HoldReason> {
        match self {
            Self::Enabled => None,
            Self::NotEnabled => Some(HoldReason::NotEnabled),
            Self::NoPolicy => Some(HoldReason::NoPolicy),
            Self::Unreadable(tag) => Some(HoldReason::UnreadableTag { tag: tag.clone() }),
            Self::OptedOut(by) => Some(HoldReason::OptedOut { by: *by }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_larger_floor_counts() {
        let policy = Policy { floor_number: 2, floor_percent: percent(10), ..Policy::default() };
        assert_eq!(policy.floor(5), 2);
        assert_eq!(policy.floor(21), 3);
        assert_eq!(Policy { budgets: Budgets { group_share: percent(10), ..policy.budgets }, ..policy }.share(5), 1);
    }
}
