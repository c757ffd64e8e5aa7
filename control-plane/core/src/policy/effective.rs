//! What is in force for one group: rules by how specific they are, then its owner's tags.

use std::collections::BTreeMap;

use super::key::{Key, Keys, Settings};
use super::rules::{Context, Place, PolicySet, Rank, Rule};
use super::shown::Shown as _;
use super::tags::{self, Owner};
use super::{Enabled, Policy, Standing, TagDialect};
use crate::reason::OptOut;

/// The policy of one group, and whether to act at all.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Effective {
    /// The values in force.
    pub policy: Policy,
    /// Whether to act.
    pub standing: Standing,
}

/// Where a value comes from.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub enum Origin {
    /// No file says anything.
    BuiltIn,
    /// A place in a policy file.
    File(Place),
    /// A tag of the group.
    Tag(String),
}

/// One say in a value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Said {
    /// Whose.
    pub by: Origin,
    /// The value that it gives, as a file spells it.
    pub value: String,
    /// Whether it counts, alone or together with others of its rank; what does not count was overridden.
    pub counts: bool,
}

/// One value in force, and everything that had a say in it, the least specific first.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Explained {
    /// The key.
    pub key: Key,
    /// The value in force.
    pub value: String,
    /// Who had a say.
    pub said: Vec<Said>,
}

impl Effective {
    /// What two policies allow both: the stricter value of each key, and to act only where both do.
    #[must_use]
    pub fn meet(&self, other: &Self) -> Self {
        // An opt-out is the stronger word, whoever said it.
        let standing = match (&self.standing, &other.standing) {
            (_, out @ Standing::OptedOut(_)) => out,
            (Standing::Enabled, theirs) => theirs,
            (ours, _) => ours,
        };
        Self { policy: self.policy.meet(&other.policy), standing: standing.clone() }
    }

    /// Nothing is in force: nothing may be touched.
    #[must_use]
    pub fn none() -> Self {
        Self { policy: Policy::default(), standing: Standing::NoPolicy }
    }
}

/// Runs of rules of one rank, the least specific first.
fn levels<'a, 's>(covering: &'a [(Rank, &'s Rule)]) -> impl Iterator<Item = &'a [(Rank, &'s Rule)]> {
    covering.chunk_by(|(one, _), (other, _)| one == other)
}

/// What the rules of one rank say together.
fn joined(level: &[(Rank, &Rule)]) -> Settings {
    let mut all = Settings::default();
    for (_, rule) in level {
        all.join(&rule.settings);
    }
    all
}

/// What the rules say, without any tag of the group.
fn ruled(covering: &[(Rank, &Rule)]) -> Policy {
    let mut policy = Policy::default();
    for level in levels(covering) {
        match level {
            [(_, rule)] => rule.settings.apply(&mut policy, Keys::NONE),
            _ => joined(level).apply(&mut policy, Keys::NONE),
        }
    }
    policy
}

/// The keys that a group's tags can only restrict.
fn restricted(covering: &[(Rank, &Rule)]) -> Keys {
    let (mut locked, mut delegable) = (Keys::NONE, Keys::NONE);
    for (_, rule) in covering {
        if rule.locked {
            locked = locked.and(rule.settings.keys());
        }
        delegable = delegable.and(rule.delegable);
    }
    Keys::ALL.without(delegable.without(locked))
}

impl PolicySet {
    /// The policy in force for a group with these tags, and whether to act on it.
    #[must_use]
    pub fn effective(&self, at: &Context<'_>) -> Effective {
        let covering = self.covering(at);
        let mut policy = ruled(&covering);
        let opted_out = Self::opts_out(&covering);
        if opted_out {
            policy.enabled = Enabled::False;
        }
        let mut owner = Owner::default();
        if !at.tags.is_empty() {
            owner = tags::read(at.tags, &policy);
            if owner.said() {
                owner.settings.apply(&mut policy, restricted(&covering));
            }
        }
        let mut standing = standing(&policy, opted_out, at.tags, &owner);
        if self.blind(at) && !matches!(standing, Standing::OptedOut(_)) {
            standing = Standing::NoPolicy;
        }
        Effective { policy, standing }
    }

    /// Each value in force for a group, and where it comes from: the same that [`PolicySet::effective`] gives.
    #[must_use]
    pub fn explain(&self, at: &Context<'_>) -> Vec<Explained> {
        let covering = self.covering(at);
        let effective = self.effective(at);
        let before = ruled(&covering);
        let owner = tags::read(at.tags, &before);
        let explain = |&key: &Key| Explained {
            key,
            value: effective.policy.shown(key),
            said: said(key, &covering, &owner, [&before, &effective.policy]),
        };
        Key::ALL.iter().map(explain).collect()
    }
}

fn said(key: Key, covering: &[(Rank, &Rule)], owner: &Owner, [before, end]: [&Policy; 2]) -> Vec<Said> {
    let mut said = vec![Said { by: Origin::BuiltIn, value: Policy::default().shown(key), counts: true }];
    for level in levels(covering) {
        let setting: Vec<_> = level.iter().filter(|(_, rule)| rule.settings.sets(key)).collect();
        if setting.is_empty() {
            continue;
        }
        for earlier in &mut said {
            earlier.counts = false;
        }
        let together = joined(level).shown(key);
        for (_, rule) in setting {
            let value = rule.settings.shown(key).unwrap_or_default();
            let place = rule.places.get(&key).unwrap_or(&rule.at).clone();
            // Of equals the stricter counts; of lists, each does its part.
            let counts =
                together.as_ref() == Some(&value) || !level.iter().any(|(_, r)| r.settings.shown(key) == together);
            said.push(Said { by: Origin::File(place), value, counts });
        }
    }
    if let (Some(value), Some(tag)) = (owner.settings.shown(key), owner.tags.get(&key)) {
        let (before, end) = (before.shown(key), end.shown(key));
        if before != end && end == value {
            for earlier in &mut said {
                earlier.counts = false;
            }
        }
        said.push(Said { by: Origin::Tag(tag.clone()), counts: before != end || end == value, value });
    }
    if key == Key::Enabled && PolicySet::opts_out(covering) {
        // An opt-out is the last word, wherever it stands.
        let out = Enabled::False.shown();
        for one in &mut said {
            one.counts = one.value == out;
        }
    }
    said
}

fn standing(policy: &Policy, opted_out: bool, tags: &BTreeMap<String, String>, owner: &Owner) -> Standing {
    let says = |key: &str| tags.get(key).map(|v| v.trim().to_ascii_lowercase());
    let mut word = says(tags::ENABLED);
    if policy.tags == TagDialect::Autospotting {
        // AutoSpotting leaves a group alone whose tag says `True`, so it enables nothing here. Whoever said no in its
        // words is heard beside a yes in ours.
        let theirs = tags.get(tags::AUTOSPOTTING_ENABLED).cloned();
        if word.is_none() || theirs.as_deref().is_some_and(|theirs| theirs != "true") {
            word = theirs;
        }
    }
    match (policy.enabled, word.as_deref()) {
        _ if opted_out => Standing::OptedOut(OptOut::Policy),
        // An unreadable word restricts: it was meant to say something, and it was not "true".
        (_, Some(other)) if other != "true" => Standing::OptedOut(OptOut::Tag),
        (Enabled::ByTag, None) => Standing::NotEnabled,
        (Enabled::False, _) => Standing::OptedOut(OptOut::Policy),
        (Enabled::ByTag | Enabled::True, _) => match &owner.unreadable {
            Some(tag) => Standing::Unreadable(tag.clone()),
            None => Standing::Enabled,
        },
    }
}

#[cfg(test)]
mod tests;
