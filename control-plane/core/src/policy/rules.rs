//! Rules, where each applies, and finding those of one group among hundreds.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::force::Rollout;
use super::index::Index;
use super::key::{Key, Keys, Settings};
use super::{Enabled, NameGlob, Policy};
use crate::id::{AccountId, OuPath, Region};
use crate::time::Span;

/// Where a rule applies: every part that is given must match, and none of the exceptions.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Selector {
    /// One of these.
    pub only: Block,
    /// None of these.
    pub except: Vec<Block>,
}

/// Some groups: every part that is not empty must match, by one of its entries.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Block {
    /// Units, each with all below it.
    pub ou: Vec<OuPath>,
    /// Accounts.
    pub account: Vec<AccountId>,
    /// Tags of the account, all of which must be there.
    pub account_tag: BTreeMap<String, NameGlob>,
    /// Regions.
    pub region: Vec<Region>,
    /// Names of groups.
    pub group: Vec<NameGlob>,
    /// Tags of the group, all of which must be there.
    pub tag: BTreeMap<String, NameGlob>,
}

/// How specific a selector is; the larger one counts. In this order: a tag of the group, its name, the region, the
/// account, a tag of the account, the depth of the unit that covers it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Ord, PartialOrd)]
#[expect(clippy::struct_excessive_bools, reason = "each says whether a kind of part is there")]
pub struct Rank {
    tag: bool,
    group: bool,
    region: bool,
    account: bool,
    account_tag: bool,
    depth: usize,
}

/// A place in a policy file, both counted from 1.
#[derive(Clone, Debug, Default, Eq, PartialEq, Ord, PartialOrd)]
pub struct Place {
    /// The file, as messages name it; empty for a value that stands in none.
    pub file: Arc<str>,
    /// The line.
    pub line: u32,
    /// The character in it.
    pub column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// One rule; the defaults of a file are one whose selector is empty.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Rule {
    /// What its author calls it.
    pub name: Option<String>,
    /// Where it applies.
    pub selector: Selector,
    /// What it sets.
    pub settings: Settings,
    /// Tags of owners cannot loosen what it sets, whatever is delegable elsewhere.
    pub locked: bool,
    /// What tags of owners may set either way; everything else they can only restrict.
    pub delegable: Keys,
    /// Where it begins.
    pub at: Place,
    /// Where each value stands.
    pub places: BTreeMap<Key, Place>,
}

/// All of policy.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PolicySet {
    rules: Vec<Rule>,
    rollout: Rollout,
    index: Index,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The account's unit.
    pub ou: &'a OuPath,
    /// The account.
    pub account: AccountId,
    /// The account's tags; `None` where nobody read them.
    pub account_tags: Option<&'a BTreeMap<String, String>>,
    /// The region.
    pub region: &'a Region,
    /// The group's name.
    pub group: &'a str,
    /// The group's tags.
    pub tags: &'a BTreeMap<String, String>,
}

/// Parts of a unit's path.
pub(super) fn depth(ou: &OuPath) -> usize {
    ou.as_str().split('/').filter(|part| !part.is_empty()).count()
}

/// Whether all of these tags are there.
fn tagged(wanted: &BTreeMap<String, NameGlob>, tags: &BTreeMap<String, String>) -> bool {
    wanted.iter().all(|(key, value)| tags.get(key).is_some_and(|found| value.matches(found)))
}

impl Block {
    /// Whether it covers the group.
    #[must_use]
    pub fn matches(&self, at: &Context<'_>) -> bool {
        fn one<T>(list: &[T], is: impl Fn(&T) -> bool) -> bool {
            list.is_empty() || list.iter().any(is)
        }
        one(&self.account, |account| *account == at.account)
            && one(&self.region, |region| region == at.region)
            && one(&self.ou, |ou| ou.covers(at.ou))
            && one(&self.group, |glob| glob.matches(at.group))
            && tagged(&self.tag, at.tags)
            && (self.account_tag.is_empty() || at.account_tags.is_some_and(|tags| tagged(&self.account_tag, tags)))
    }

    /// Whether it names nothing, and so covers everything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Selector {
    /// The groups of one unit and all below it.
    #[must_use]
    pub fn ou(ou: OuPath) -> Self {
        Self { only: Block { ou: vec![ou], ..Block::default() }, except: Vec::new() }
    }

    /// Whether it covers the group.
    #[must_use]
    pub fn matches(&self, at: &Context<'_>) -> bool {
        self.only.matches(at) && !self.except.iter().any(|block| block.matches(at))
    }

    /// How specific it is for a group that it covers.
    fn rank(&self, at: &Context<'_>) -> Rank {
        let depths = self.only.ou.iter().filter(|ou| ou.covers(at.ou)).map(|ou| 1 + depth(ou));
        self.rank_at(depths.max().unwrap_or(0))
    }

    /// How specific it is where a unit of this depth covers the group; 0 where it names none.
    pub(super) fn rank_at(&self, depth: usize) -> Rank {
        Rank {
            tag: !self.only.tag.is_empty(),
            group: !self.only.group.is_empty(),
            region: !self.only.region.is_empty(),
            account: !self.only.account.is_empty(),
            account_tag: !self.only.account_tag.is_empty(),
            depth,
        }
    }
}

impl PolicySet {
    /// The policy of these rules, in any order.
    #[must_use]
    pub fn new(rules: Vec<Rule>) -> Self {
        let index = Index::new(&rules);
        Self { rules, rollout: Rollout::default(), index }
    }

    /// The policy with these values for all groups.
    #[must_use]
    pub fn of(defaults: Settings) -> Self {
        Self::new(vec![Rule { settings: defaults, ..Rule::default() }])
    }

    /// The same, going out in this way once it is approved.
    #[must_use]
    pub fn rolled_out(self, rollout: Rollout) -> Self {
        Self { rollout, ..self }
    }

    /// How it goes out once it is approved.
    #[must_use]
    pub const fn rollout(&self) -> &Rollout {
        &self.rollout
    }

    /// Whether every group is treated at least as strictly as by `old`, as far as that is plain: the same rules with
    /// stricter values, and more opt-outs.
    #[must_use]
    pub fn only_restricts(&self, old: &Self) -> bool {
        let opts_out = |rule: &Rule| rule.settings.enabled == Some(Enabled::False);
        let only = |rule: &Rule| opts_out(rule) && rule.settings.keys() == Keys::NONE.with(Key::Enabled);
        let mut left: Vec<&Rule> = self.rules.iter().collect();
        let kept = old.rules.iter().all(|before| {
            let same = |now: &&Rule| {
                let keys = |rule: &Rule| rule.settings.keys().without(Keys::NONE.with(Key::Enabled));
                let enabled = now.settings.enabled == before.settings.enabled || opts_out(now);
                // Neither dialect is the stricter one: each has tags that restrict.
                now.selector == before.selector
                    && now.settings.tags == before.settings.tags
                    && keys(now) == keys(before)
                    && enabled
                    && now.settings.looser(&before.settings).is_empty()
                    && now.delegable.without(before.delegable) == Keys::NONE
                    && (now.locked || !before.locked)
            };
            let found = left.iter().position(same);
            found.map(|index| left.remove(index)).is_some()
        });
        // Without any delegable key no tag is freed by a rule less; an opt-out takes nothing from another one.
        kept && left.iter().all(|rule| only(rule) && rule.delegable == Keys::NONE && !rule.locked)
    }

    /// Its rules, in the order of the files.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The budgets that hold where no selector says otherwise.
    #[must_use]
    pub fn budgets(&self) -> super::Budgets {
        let mut all = Settings::default();
        let everywhere = self.rules.iter().filter(|rule| rule.selector == Selector::default());
        everywhere.for_each(|rule| all.join(&rule.settings));
        let mut policy = Policy::default();
        all.apply(&mut policy, Keys::NONE);
        policy.budgets
    }

    /// The shortest interval between two swaps that any part of policy sets.
    #[must_use]
    pub fn interval_min(&self) -> Span {
        let set = self.rules.iter().filter_map(|rule| rule.settings.interval).min();
        set.map_or(Policy::default().interval, |set| set.min(Policy::default().interval))
    }

    /// The rules that cover a group, the least specific first; each with its rank.
    pub(super) fn covering(&self, at: &Context<'_>) -> Vec<(Rank, &Rule)> {
        let mut found: Vec<(Rank, usize)> = Vec::new();
        self.index.candidates(at, |numbers| {
            for &number in numbers {
                let selector = &self.rules[number].selector;
                if selector.matches(at) {
                    found.push((selector.rank(at), number));
                }
            }
        });
        found.sort_unstable();
        // One that names two units of a path is found twice.
        found.dedup();
        found.into_iter().map(|(rank, number)| (rank, &self.rules[number])).collect()
    }

    /// Whether nothing can be said of a group, because rules go by its account's tags and nobody read them.
    pub(super) fn blind(&self, at: &Context<'_>) -> bool {
        self.index.account_tags && at.account_tags.is_none()
    }

    /// Whether some part of policy opts the group out.
    pub(super) fn opts_out(covering: &[(Rank, &Rule)]) -> bool {
        covering.iter().any(|(_, rule)| rule.settings.enabled == Some(Enabled::False))
    }
}
