//! Rules that are equally specific and say different things.

use std::collections::BTreeMap;

use super::NameGlob;
use super::key::{Key, Keys};
use super::rules::{Block, Place, PolicySet, Rank, Rule, Selector, depth};
use crate::id::{AccountId, OuPath};

/// Two values of one key for the same groups, neither more specific than the other.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Conflict {
    /// The key.
    pub key: Key,
    /// Where the two stand, in the order of the files.
    pub at: [Place; 2],
    /// The two values, as the file spells them.
    pub values: [String; 2],
    /// Whether every group of one of the rules is a group of the other; else only some may be in both.
    pub certain: bool,
}

/// How the groups of two equally specific selectors lie to each other.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
enum Overlap {
    Within,
    Some,
}

/// Contradictions that are looked for: nobody reads more, and rules that all contradict each other have millions.
const FOUND_MAX: usize = 1_000;

/// What two rules that can cover a group together have in common: one unit, else one account, else anything at all.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd)]
enum Anchor<'a> {
    Unit(&'a OuPath),
    Account(AccountId),
    None,
}

fn anchors(rule: &Rule) -> Vec<Anchor<'_>> {
    let only = &rule.selector.only;
    if !only.ou.is_empty() {
        only.ou.iter().map(Anchor::Unit).collect()
    } else if !only.account.is_empty() {
        only.account.iter().copied().map(Anchor::Account).collect()
    } else {
        vec![Anchor::None]
    }
}

impl PolicySet {
    /// What equally specific rules say differently, in the order of the files; the first ones, where there are more
    /// than anybody reads.
    #[must_use]
    pub fn conflicts(&self) -> Vec<Conflict> {
        // Only rules of one kind can be equally specific; each kind is compared by itself.
        let mut kinds: BTreeMap<(Rank, Anchor<'_>), Vec<(Keys, &Rule)>> = BTreeMap::new();
        for rule in self.rules() {
            let rank = rule.selector.rank_at(usize::from(!rule.selector.only.ou.is_empty()));
            for anchor in anchors(rule) {
                kinds.entry((rank, anchor)).or_default().push((rule.settings.keys(), rule));
            }
        }
        let mut found = Vec::new();
        for ((_, anchor), rules) in &kinds {
            for (index, (keys, other)) in rules.iter().enumerate() {
                for (_, one) in rules[..index].iter().filter(|(more, _)| more.meets(*keys)) {
                    if found.len() >= FOUND_MAX {
                        break;
                    }
                    let keys = one.settings.differs(&other.settings);
                    // Two rules that share several units are compared once.
                    let shared = || anchors(one).into_iter().find(|one| anchors(other).contains(one));
                    if keys.is_empty() || shared().as_ref() != Some(anchor) {
                        continue;
                    }
                    let Some(overlap) = overlap(&one.selector, &other.selector) else { continue };
                    found.extend(keys.into_iter().map(|key| conflict(key, one, other, overlap)));
                }
            }
        }
        found.sort_by(|one, other| (&one.at, one.key).cmp(&(&other.at, other.key)));
        found
    }
}

fn conflict(key: Key, one: &Rule, other: &Rule, overlap: Overlap) -> Conflict {
    let place = |rule: &Rule| rule.places.get(&key).unwrap_or(&rule.at).clone();
    let value = |rule: &Rule| rule.settings.shown(key).unwrap_or_default();
    let (first, second) = if place(one) <= place(other) { (one, other) } else { (other, one) };
    Conflict {
        key,
        at: [place(first), place(second)],
        values: [value(first), value(second)],
        certain: overlap == Overlap::Within,
    }
}

/// Whether two selectors of one kind cover a group together, at the same rank.
fn overlap(one: &Selector, other: &Selector) -> Option<Overlap> {
    let mut all = Overlap::Within;
    let parts = [
        units(&one.only, &other.only),
        listed(&one.only.account, &other.only.account),
        listed(&one.only.region, &other.only.region),
        names(&one.only.group, &other.only.group),
        tags(&one.only.tag, &other.only.tag),
        tags(&one.only.account_tag, &other.only.account_tag),
    ];
    for part in parts {
        all = all.max(part?);
    }
    if one.except != other.except {
        all = Overlap::Some;
    }
    Some(all)
}

/// Units at one depth are the same or apart.
fn units(one: &Block, other: &Block) -> Option<Overlap> {
    let shared = |ou: &&OuPath| {
        let deeper = |list: &[OuPath]| list.iter().any(|more| ou.covers(more) && depth(more) > depth(ou));
        other.ou.contains(ou) && !deeper(&one.ou) && !deeper(&other.ou)
    };
    if one.ou.is_empty() || one.ou.iter().any(|ou| shared(&ou)) { Some(Overlap::Within) } else { None }
}

/// An entry of both stands for groups of both.
fn listed<T: PartialEq>(one: &[T], other: &[T]) -> Option<Overlap> {
    if one.is_empty() || one.iter().any(|entry| other.contains(entry)) { Some(Overlap::Within) } else { None }
}

fn names(one: &[NameGlob], other: &[NameGlob]) -> Option<Overlap> {
    if one.is_empty() {
        return Some(Overlap::Within);
    }
    let pairs = || one.iter().flat_map(|glob| other.iter().map(move |more| (glob, more)));
    if pairs().any(|(glob, more)| glob.covers(more) || more.covers(glob)) {
        return Some(Overlap::Within);
    }
    pairs().any(|(glob, more)| glob.meets(more)).then_some(Overlap::Some)
}

/// Tags of other keys may stand on one group, and nobody knows whether they do.
fn tags(one: &BTreeMap<String, NameGlob>, other: &BTreeMap<String, NameGlob>) -> Option<Overlap> {
    if one.iter().any(|(key, value)| other.get(key).is_some_and(|more| !value.meets(more))) {
        return None;
    }
    let within = |one: &BTreeMap<String, NameGlob>, other: &BTreeMap<String, NameGlob>| {
        other.iter().all(|(key, more)| one.get(key).is_some_and(|value| more.covers(value)))
    };
    if within(one, other) || within(other, one) { Some(Overlap::Within) } else { Some(Overlap::Some) }
}
