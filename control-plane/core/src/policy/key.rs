//! The keys of policy: one table says each one's type, its name in a file, and which of two values is the stricter.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::shown::Shown;
use super::{
    CommitmentRule, Enabled, NameGlob, OnInterruption, OnRebalance, Policy, Schedule, Strategy, TagDialect,
    TemplateRule, strict,
};
use crate::catalog::Product;
use crate::compat::TypeGlob;
use crate::id::ClusterName;
use crate::money::Percent;
use crate::time::Span;

macro_rules! keys {
    ($(
        $variant:ident $name:literal, $field:ident: $type:ty => $($into:ident).+,
        $stricter:ident, $rule:literal, $doc:literal;
    )*) => {
        /// One key of policy, in the order of the documentation.
        #[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Key {
            $(#[doc = $doc] $variant,)*
        }

        impl Key {
            /// Every key.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Its name in a policy file; a dot stands between a block and a key in it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// What it says.
            #[must_use]
            pub const fn about(self) -> &'static str {
                match self { $(Self::$variant => $doc),* }
            }

            /// Which of two values is the stricter one, in words.
            #[must_use]
            pub const fn stricter(self) -> &'static str {
                match self { $(Self::$variant => $rule),* }
            }
        }

        /// Values that a rule sets; what is `None` it leaves to less specific rules.
        #[derive(Clone, Debug, Default, Eq, PartialEq)]
        pub struct Settings {
            $(#[doc = $doc] pub $field: Option<$type>,)*
        }

        impl Settings {
            /// Whether it sets a key.
            #[must_use]
            pub const fn sets(&self, key: Key) -> bool {
                match key { $(Key::$variant => self.$field.is_some()),* }
            }

            /// A value as a file spells it, where it is set.
            #[must_use]
            pub fn shown(&self, key: Key) -> Option<String> {
                match key { $(Key::$variant => self.$field.as_ref().map(Shown::shown)),* }
            }

            /// Keys that both set to different values.
            #[must_use]
            pub fn differs(&self, other: &Self) -> Vec<Key> {
                let mut keys = Vec::new();
                $(if self.$field.is_some() && other.$field.is_some() && self.$field != other.$field {
                    keys.push(Key::$variant);
                })*
                keys
            }

            /// Takes over what `other` sets; of what both set, the stricter value.
            pub(super) fn join(&mut self, other: &Self) {
                $(if let Some(theirs) = &other.$field {
                    self.$field = Some(match &self.$field {
                        Some(ours) => strict::$stricter(ours, theirs),
                        None => theirs.clone(),
                    });
                })*
            }

            /// Puts what is set into a policy. Where only what restricts is wanted for a key, the stricter value of the
            /// two.
            pub(crate) fn apply(&self, to: &mut Policy, restricts: Keys) {
                $(if let Some(value) = &self.$field {
                    to.$($into).+ = if restricts.has(Key::$variant) {
                        strict::$stricter(&to.$($into).+, value)
                    } else {
                        value.clone()
                    };
                })*
            }
        }

        impl Policy {
            /// A value as a file spells it.
            #[must_use]
            pub fn shown(&self, key: Key) -> String {
                match key { $(Key::$variant => self.$($into).+.shown()),* }
            }

            /// The stricter value of the two for each key.
            #[must_use]
            pub fn meet(&self, other: &Self) -> Self {
                let mut both = self.clone();
                $(both.$($into).+ = strict::$stricter(&self.$($into).+, &other.$($into).+);)*
                both
            }

            /// Keys whose value here is not at least as strict as there.
            #[must_use]
            pub fn looser(&self, than: &Self) -> Vec<Key> {
                let mut keys = Vec::new();
                // Beside the same with itself, so that the order of a list says nothing.
                $({
                    let (ours, theirs) = (&self.$($into).+, &than.$($into).+);
                    if strict::$stricter(ours, theirs) != strict::$stricter(ours, ours) {
                        keys.push(Key::$variant);
                    }
                })*
                keys
            }
        }

        /// Whether one value is at least as strict as the other, for each key that both set.
        impl Settings {
            /// Keys that both set, and here not at least as strictly as there.
            #[must_use]
            pub fn looser(&self, than: &Self) -> Vec<Key> {
                let mut keys = Vec::new();
                $(if let (Some(ours), Some(theirs)) = (&self.$field, &than.$field)
                    && strict::$stricter(ours, theirs) != strict::$stricter(ours, ours)
                {
                    keys.push(Key::$variant);
                })*
                keys
            }
        }
    };
}

keys! {
    Enabled "enabled", enabled: Enabled => enabled, lower, "false, then by-tag, then true",
        "Whether to act: `false` opts out and wins everywhere, `by-tag` asks for the group's tag \
         `spothub:enabled=true`, `true` takes all that nobody opted out.";
    FloorNumber "floor.number", floor_number: u32 => floor_number, higher, "the higher one",
        "On-demand members to keep, as a number; the one of the two floors that keeps more counts.";
    FloorPercent "floor.percent", floor_percent: Percent => floor_percent, higher, "the higher one",
        "On-demand members to keep, in percent of what the group wants, rounded up.";
    MinSaving "min-saving", min_saving: Percent => min_saving, higher, "the higher one",
        "The least saving against what the old instance costs.";
    Commitments "commitments", commitments: CommitmentRule => commitments, higher, "require, then count, then ignore",
        "What reserved instances and Savings Plans are to a decision: what they cover saves nothing (`count`), that, \
         and nothing is swapped while not all of them were read (`require`), or nothing at all (`ignore`).";
    MaxPrice "max-price", max_price: Percent => max_price, lower, "the lower one",
        "The most to pay, in percent of the old instance's on-demand price; sent to EC2 as MaxPrice.";
    MaxPriceOverSpot "max-price-over-spot", max_price_over_spot: Option<u16> => max_price_over_spot, cap,
        "the lower one, and any before none",
        "The most to pay, in percent above the quoted Spot price; the lower of the two caps is sent.";
    Product "product", product: Option<Product> => product, product, "what the image says, then the lower licence fee",
        "Prices are taken for this operating system, whatever the image says.";
    AllowedTypes "allowed-types", allowed_types: Vec<Vec<TypeGlob>> => allowed_types, each, "what both allow",
        "Only these instance types, as patterns.";
    DeniedTypes "denied-types", denied_types: Vec<TypeGlob> => denied_types, all, "what either denies",
        "Never these instance types, as patterns.";
    SameTypeOnly "same-type-only", same_type_only: bool => same_type_only, higher, "true",
        "Only the old instance's own type.";
    Pools "pools", pools: u8 => pools, higher, "the higher one",
        "Pools handed over for one launch: more are safer, fewer are cheaper.";
    PoolShare "pool-share.group", pool_share: Percent => pool_share.group, lower, "the lower one",
        "Members of one group in one Spot pool, in percent of what it wants, rounded up; rescues with no other way out \
         may go over it.";
    OuPoolShare "pool-share.ou", ou_pool_share: Percent => pool_share.ou, lower, "the lower one",
        "Members of one organizational unit's groups in one Spot pool, in percent of all their members, rounded up.";
    Burstable "burstable", burstable: bool => burstable, lower, "false",
        "Burstable types may replace those of fixed performance.";
    DisksUnused "disks-unused", disks_unused: bool => disks_unused, lower, "false",
        "The instance store's disks are unused: types without disks may replace types with disks.";
    EbsTolerance "ebs-tolerance", ebs_tolerance: Percent => ebs_tolerance, lower, "the lower one",
        "How much less baseline EBS bandwidth is accepted.";
    Template "template", template: TemplateRule => template, lower, "match",
        "What to do where the template changed since the old instance was launched: hold (`match`), or launch from \
         the version that the group would launch now (`twin`).";
    Settle "settle", settle: Span => settle, higher, "the longer one",
        "How long a newcomer must serve before the old one goes; the group's own times count too.";
    Interval "interval", interval: Span => interval, higher, "the longer one",
        "The least time between the starts of two swaps of a group.";
    OrganizationBudget "budgets.organization", organization_budget: u32 => budgets.organization, lower, "the lower one",
        "Swaps in flight in the organization.";
    OuBudget "budgets.ou", ou_budget: u32 => budgets.ou, lower, "the lower one",
        "Swaps in flight in one organizational unit.";
    AccountBudget "budgets.account", account_budget: u32 => budgets.account, lower, "the lower one",
        "Swaps in flight in one account.";
    GroupShare "budgets.group-share", group_share: Percent => budgets.group_share, lower, "the lower one",
        "Members of one group replaced within an hour, in percent of what it wants; at least one.";
    GuardAlarms "guard.alarms", guard_alarms: Vec<String> => guard_alarms, all, "those of both",
        "CloudWatch alarms of the group's account and region that must not be red; `{group}` stands for its name.";
    GuardBake "guard.bake", guard_bake: Span => guard_bake, higher, "the longer one",
        "How long after a swap an alarm that goes red stops the group.";
    Schedule "schedule", schedule: Vec<Schedule> => schedule, open, "when both are open",
        "When swaps may begin; rescues, drains and undos are never bound by it.";
    DrainWait "drain.wait", drain_wait: Span => drain.wait_max, higher, "the longer one",
        "The longest wait for connections to end before a member goes.";
    EcsCluster "ecs-cluster", ecs_cluster: Option<ClusterName> => ecs_cluster, higher,
        "a name before none, and of two names the last one of the alphabet",
        "The ECS cluster that the group's members serve: a newcomer must be registered there, and the old one drains \
         before it goes.";
    OnInterruption "on-interruption", on_interruption: OnInterruption => on_interruption, higher, "replace",
        "What an interruption warning leads to: a replacement, or nothing (`ignore`).";
    OnRebalance "on-rebalance", on_rebalance: OnRebalance => on_rebalance, higher,
        "avoid, then when-worse, then replace",
        "What a rebalance recommendation leads to: launches avoid the pool for a while, the member moves to another \
         pool besides (`replace`), or only where that one has no such sign (`when-worse`), or nothing (`ignore`).";
    MoveSaving "spot-to-spot.min-saving", move_saving: Percent => spot_to_spot.min_saving, higher, "the higher one",
        "A member that spothub brought moves to another Spot pool once its own has become so much dearer than it was \
         and the other saves at least as much; at 100% none ever moves.";
    MoveLife "spot-to-spot.min-life", move_life: Span => spot_to_spot.min_life, higher, "the longer one",
        "How old such a member is at least; not below an hour.";
    MoveAlternatives "spot-to-spot.min-alternatives", move_alternatives: u8 => spot_to_spot.min_alternatives, higher,
        "the higher one", "How many pools must save so much: where there are few, the next rise is near.";
    ProtectedMembers "protected-members", protected_members: bool => protected_members, lower, "false",
        "Members that are protected from scale-in may be swapped.";
    SkippableLaunchHooks "skippable-launch-hooks", skippable_launch_hooks: Vec<NameGlob> => skippable_launch_hooks,
        common, "what both name",
        "Launch hooks, as patterns of their names, whose work is done without them, as by user data: attaching skips \
         them, and they hold no swap.";
    Strategy "strategy", strategy: Strategy => strategy, lower, "swap",
        "The design that moves the group to Spot.";
    Tags "tags", tags: TagDialect => tags, lower, "spothub",
        "The tags of owners that are understood: `spothub:...` alone, or AutoSpotting's too.";
}

/// Some keys.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Keys(u64);

impl Keys {
    /// No key.
    pub const NONE: Self = Self(0);
    /// Every key.
    pub const ALL: Self = Self(u64::MAX);

    /// These and one more.
    #[must_use]
    pub const fn with(self, key: Key) -> Self {
        Self(self.0 | 1 << key as u64)
    }

    /// Those of both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// These without others.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether some key is in both.
    #[must_use]
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether a key is one of them.
    #[must_use]
    pub const fn has(self, key: Key) -> bool {
        self.0 & 1 << key as u64 != 0
    }

    /// Each of them, in order.
    pub fn iter(self) -> impl Iterator<Item = Key> {
        Key::ALL.iter().copied().filter(move |key| self.has(*key))
    }
}

impl FromIterator<Key> for Keys {
    fn from_iter<I: IntoIterator<Item = Key>>(keys: I) -> Self {
        keys.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Settings {
    /// The keys that it sets.
    #[must_use]
    pub fn keys(&self) -> Keys {
        Key::ALL.iter().copied().filter(|key| self.sets(*key)).collect()
    }
}

const _: () = assert!(Key::ALL.len() <= 64, "Keys has a bit for each");
