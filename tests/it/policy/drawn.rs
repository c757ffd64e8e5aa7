//! Random policy as text, and random groups that it may cover; with the author's meaning beside the text.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use proptest::collection::{btree_map, vec};
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use spothub_core::policy::Key;

use super::Group;

const UNITS: &[&str] = &["/", "/a", "/a/b", "/a/b/c", "/ab", "/d"];
const ACCOUNTS: &[&str] = &["000000000001", "000000000002", "000000000030"];
const REGIONS: &[&str] = &["eu-west-1", "us-east-1"];
const NAMES: &[&str] = &["web-1", "web-2", "db", "web"];
const GLOBS: &[&str] = &["*", "web-*", "w?b", "web-1", "*b*", "?b"];
const TAG_KEYS: &[&str] = &["team", "tier"];
const TAG_VALUES: &[&str] = &["shop", "search", ""];
const TAG_GLOBS: &[&str] = &["shop", "s*", "*", "??*"];
const SCHEDULES: &[&str] = &[
    r#"{zone: UTC, windows: [{days: [mon], from: "01:00", to: "02:00"}]}"#,
    r#"{zone: Europe/Berlin, windows: [{days: [sat, sun], from: "00:00", to: "24:00"}]}"#,
];

/// Values of a key as a file spells them.
pub(crate) fn values(key: Key) -> &'static [&'static str] {
    match key {
        Key::Enabled => &["false", "by-tag", "true", "true"],
        Key::FloorNumber => &["0", "1", "3"],
        Key::FloorPercent | Key::MinSaving | Key::EbsTolerance => &["0%", "10%", "40%"],
        Key::MaxPrice => &["50%", "80%", "100%"],
        Key::MaxPriceOverSpot => &["5%", "15%", "100%"],
        Key::Product => &["linux", "rhel", "windows"],
        Key::AllowedTypes => &[r#"["m5.*", "c5.*"]"#, r#"["*.large"]"#],
        Key::DeniedTypes => &["[t3.*, t2.*]", "[t2.*]", "[x1.*, a1.*]"],
        Key::SameTypeOnly | Key::Burstable | Key::DisksUnused | Key::ProtectedMembers => &["true", "false"],
        Key::PoolShare | Key::OuPoolShare | Key::MoveSaving => &["20%", "60%", "100%"],
        Key::MoveLife => &["1h", "6h", "2d"],
        Key::Pools | Key::MoveAlternatives => &["1", "8", "20"],
        Key::Template => &["match", "twin"],
        Key::Settle | Key::Interval | Key::GuardBake | Key::DrainWait => &["30s", "2m", "1h"],
        Key::OrganizationBudget | Key::OuBudget | Key::AccountBudget => &["1", "60", "900"],
        Key::GroupShare => &["10%", "50%", "100%"],
        Key::GuardAlarms => &["[slow, red]", r#"["{group}-errors"]"#, "[]"],
        Key::EcsCluster => &["web", "web-2", "jobs_1"],
        Key::SkippableLaunchHooks => &["[warm-*, register]", "[register]", "[]"],
        Key::Schedule => SCHEDULES,
        Key::OnInterruption => &["replace", "ignore"],
        Key::OnRebalance => &["avoid", "when-worse", "replace", "ignore"],
        Key::Commitments => &["count", "require", "ignore"],
        Key::Strategy => &["swap"],
        Key::Tags => &["spothub", "autospotting", "autospotting"],
    }
}

/// Tags of owners with what they may say, right and wrong.
fn owners() -> Vec<(&'static str, &'static [&'static str])> {
    let mut tags: Vec<(&str, &[&str])> = vec![
        ("spothub:enabled", &["true", "True", "false", "", "yes"]),
        ("spot-enabled", &["true", "false", "True"]),
        ("spothub:swap", &["sw-1"]),
        ("spothub:min-ondemand", &["2"]),
        ("spothub:schedule", &["UTC mon 01:00-02:00", "soon"]),
        ("spothub:allowed-types", &["m5.* c5.*", "*.large", "M5"]),
        ("spothub:denied-types", &["t2.*,t3.*", "!"]),
        ("spothub:guard-alarms", &["slow loud", ""]),
        ("spothub:skippable-launch-hooks", &["register", "warm-* register", ""]),
        ("autospotting_min_on_demand_number", &["2", "two"]),
        ("autospotting_min_on_demand_percentage", &["12.5", "x"]),
        ("autospotting_allowed_instance_types", &["current", "c5.*"]),
        ("autospotting_disallowed_instance_types", &["t3.*"]),
        ("allowed-instance-types", &["c5.*"]),
        ("autospotting_on_demand_price_multiplier", &["0.57", "2", "-1"]),
        ("autospotting_bidding_policy", &["aggressive", "normal", "none"]),
        ("autospotting_spot_price_buffer_percentage", &["5", "x"]),
        ("autospotting_cron_schedule", &["9-18 1-5", "never"]),
    ];
    for (tag, key) in spothub_core::policy::OWNERS {
        if !tags.iter().any(|(known, _)| known == tag) {
            tags.push((tag, values(*key)));
        }
    }
    tags
}

/// Groups that a rule names, part by part.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Named {
    ou: Vec<&'static str>,
    account: Vec<&'static str>,
    account_tag: BTreeMap<&'static str, &'static str>,
    region: Vec<&'static str>,
    group: Vec<&'static str>,
    tag: BTreeMap<&'static str, &'static str>,
}

/// A rule as its author means it; one without any selector is the defaults of a file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rule {
    only: Named,
    except: Vec<Named>,
    pub(crate) values: BTreeMap<Key, &'static str>,
    locked: bool,
    delegable: Vec<Key>,
}

impl Named {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it names the group: told by the words of the page alone, and by no code of the engine.
    fn names(&self, group: &Group) -> bool {
        fn any(list: &[&str], is: impl Fn(&str) -> bool) -> bool {
            list.is_empty() || list.iter().any(|entry| is(entry))
        }
        let below = |unit: &str| unit == "/" || group.ou == unit || group.ou.starts_with(&format!("{unit}/"));
        let tagged = |wanted: &BTreeMap<&str, &str>, tags: &BTreeMap<String, String>| {
            wanted.iter().all(|(key, value)| tags.get(*key).is_some_and(|found| fits(value, found)))
        };
        any(&self.ou, below)
            && any(&self.account, |account| account == group.account)
            && any(&self.region, |region| region == group.region)
            && any(&self.group, |glob| fits(glob, group.name))
            && tagged(&self.tag, &group.tags)
            && (self.account_tag.is_empty()
                || group.account_tags.as_ref().is_some_and(|t| tagged(&self.account_tag, t)))
    }

    fn text(&self) -> String {
        let mut parts = Vec::new();
        for (key, list) in
            [("ou", &self.ou), ("account", &self.account), ("region", &self.region), ("group", &self.group)]
        {
            if !list.is_empty() {
                let list: Vec<_> = list.iter().map(|entry| format!("\"{entry}\"")).collect();
                parts.push(format!("{key}: [{}]", list.join(", ")));
            }
        }
        for (key, tags) in [("account-tag", &self.account_tag), ("tag", &self.tag)] {
            if !tags.is_empty() {
                let tags: Vec<_> = tags.iter().map(|(key, value)| format!("\"{key}\": \"{value}\"")).collect();
                parts.push(format!("{key}: {{{}}}", tags.join(", ")));
            }
        }
        parts.join(", ")
    }
}

/// A pattern and a text by the plainest rule there is.
fn fits(pattern: &str, text: &str) -> bool {
    let mut rest = pattern.chars();
    match rest.next() {
        None => text.is_empty(),
        Some('*') => (0..=text.len()).any(|at| text.is_char_boundary(at) && fits(rest.as_str(), &text[at..])),
        Some(first) => {
            let mut others = text.chars();
            others.next().is_some_and(|c| first == '?' || c == first) && fits(rest.as_str(), others.as_str())
        }
    }
}

impl Rule {
    pub(crate) fn covers(&self, group: &Group) -> bool {
        self.only.names(group) && !self.except.iter().any(|block| block.names(group))
    }

    /// Whether it opts out what it covers.
    pub(crate) fn opts_out(&self) -> bool {
        self.values.get(&Key::Enabled) == Some(&"false")
    }

    /// What tags may set either way, as far as this rule says.
    pub(crate) fn delegable(&self) -> &[Key] {
        &self.delegable
    }

    /// What no tag may loosen, as far as this rule says.
    pub(crate) fn locks(&self, key: Key) -> bool {
        self.locked && self.values.contains_key(&key)
    }

    fn is_default(&self) -> bool {
        self.only.is_empty() && self.except.is_empty()
    }

    fn settings(&self) -> String {
        let mut parts = Vec::new();
        let mut blocks: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (key, value) in &self.values {
            match key.name().split_once('.') {
                Some((block, name)) => blocks.entry(block).or_default().push(format!("{name}: {value}")),
                None => parts.push(format!("{}: {value}", key.name())),
            }
        }
        parts.extend(blocks.iter().map(|(block, inner)| format!("{block}: {{{}}}", inner.join(", "))));
        if self.locked {
            parts.push("locked: true".to_owned());
        }
        let keys: Vec<_> = self.delegable.iter().map(|key| key.name()).collect();
        parts.push(format!("delegable: [{}]", keys.join(", ")));
        parts.join(", ")
    }

    fn text(&self) -> String {
        let except: Vec<_> = self.except.iter().map(|block| format!("{{{}}}", block.text())).collect();
        let except = if except.is_empty() { String::new() } else { format!(", except: [{}]", except.join(", ")) };
        format!("  - {{match: {{{}{except}}}, {}}}\n", self.only.text(), self.settings())
    }
}

/// The file of some rules; of those without a selector there may be one.
pub(crate) fn text(rules: &[Rule]) -> String {
    let mut text = String::new();
    for rule in rules.iter().filter(|rule| rule.is_default()) {
        let _ = writeln!(text, "defaults: {{{}}}", rule.settings());
    }
    text.push_str("rules:\n");
    let listed: String = rules.iter().filter(|rule| !rule.is_default()).map(Rule::text).collect();
    if listed.is_empty() { text.replace("rules:\n", "rules: []\n") } else { text + &listed }
}

fn some(of: &'static [&'static str], most: usize) -> impl Strategy<Value = Vec<&'static str>> {
    prop_oneof![3 => Just(Vec::new()), 1 => subsequence(of, 1..=most)]
}

fn tags(least: usize) -> impl Strategy<Value = BTreeMap<&'static str, &'static str>> {
    let some = btree_map(select(TAG_KEYS), select(TAG_GLOBS), 1..=2);
    if least == 0 { prop_oneof![3 => Just(BTreeMap::new()), 1 => some].boxed() } else { some.boxed() }
}

fn named() -> impl Strategy<Value = Named> {
    let parts = (some(UNITS, 3), some(ACCOUNTS, 2), tags(0), some(REGIONS, 2), some(GLOBS, 2), tags(0));
    parts.prop_map(|(ou, account, account_tag, region, group, tag)| Named {
        ou,
        account,
        account_tag,
        region,
        group,
        tag,
    })
}

fn set() -> impl Strategy<Value = BTreeMap<Key, &'static str>> {
    let one = select(Key::ALL).prop_flat_map(|key| (Just(key), select(values(key))));
    let enabled = weighted(0.4, select(values(Key::Enabled)));
    (vec(one, 1..8), enabled).prop_map(|(list, enabled)| {
        let mut values: BTreeMap<_, _> = list.into_iter().filter(|(key, _)| *key != Key::Enabled).collect();
        values.extend(enabled.map(|enabled| (Key::Enabled, enabled)));
        if values.is_empty() {
            values.insert(Key::Pools, "8");
        }
        values
    })
}

fn delegable() -> impl Strategy<Value = Vec<Key>> {
    let keys: Vec<Key> = spothub_core::policy::OWNERS.iter().map(|(_, key)| *key).collect();
    prop_oneof![3 => Just(Vec::new()), 1 => subsequence(keys, 1..6)]
}

fn rule() -> impl Strategy<Value = Rule> {
    let only = prop_oneof![6 => named(), 1 => tags(1).prop_map(|tag| Named { tag, ..Named::default() })];
    let only = only.prop_map(|only| if only.is_empty() { Named { ou: vec!["/"], ..only } } else { only });
    let except = vec(named().prop_filter("takes everything out", |block| !block.is_empty()), 0..2);
    let parts = (only, except, set(), proptest::bool::weighted(0.2), delegable());
    parts.prop_map(|(only, except, values, locked, delegable)| Rule { only, except, values, locked, delegable })
}

/// Rules of a whole policy, perhaps with defaults.
pub(crate) fn rules() -> impl Strategy<Value = Vec<Rule>> {
    let defaults = (set(), delegable()).prop_map(|(values, delegable)| {
        vec![Rule { only: Named::default(), except: Vec::new(), values, locked: false, delegable }]
    });
    (prop_oneof![1 => Just(Vec::new()), 2 => defaults], vec(rule(), 0..8)).prop_map(|(mut all, rules)| {
        all.extend(rules);
        all
    })
}

/// The same rules after somebody edited them here and there.
pub(crate) fn edited(rules: Vec<Rule>) -> impl Strategy<Value = Vec<Rule>> {
    let opt_out = (rule(), any::<bool>()).prop_map(|(rule, alone)| {
        let values = BTreeMap::from([(Key::Enabled, "false")]);
        if alone { Rule { values, locked: false, delegable: Vec::new(), ..rule } } else { rule }
    });
    let edits = vec((0_u8..12, any::<proptest::sample::Index>(), any::<proptest::sample::Index>()), 1..4);
    (Just(rules), edits, weighted(0.4, opt_out)).prop_map(|(mut rules, edits, more)| {
        for (kind, which, what) in edits {
            if rules.is_empty() {
                break;
            }
            let number = which.index(rules.len());
            let rule = &mut rules[number];
            match kind {
                0 if !rule.is_default() => drop(rules.remove(number)),
                1 => rule.locked = !rule.locked && !rule.is_default(),
                2 => drop(rule.delegable.pop()),
                3 => drop(rule.values.insert(Key::Enabled, "false")),
                _ if rule.values.is_empty() => {}
                _ => {
                    let key = *rule.values.keys().nth(what.index(rule.values.len())).unwrap();
                    rule.values.insert(key, values(key)[usize::from(kind) % values(key).len()]);
                }
            }
        }
        rules.extend(more);
        rules
    })
}

/// A group somewhere in the organization, with tags of its owner.
pub(crate) fn group() -> impl Strategy<Value = Group> {
    let plain = btree_map(select(TAG_KEYS), select(TAG_VALUES), 0..=2);
    let said = select(owners()).prop_flat_map(|(tag, values)| (Just(tag), select(values)));
    let account_tags = weighted(0.8, btree_map(select(TAG_KEYS), select(TAG_VALUES), 0..=2));
    let place = (select(UNITS), select(ACCOUNTS), select(REGIONS), select(NAMES));
    (place, account_tags, plain, vec(said, 0..4)).prop_map(|(place, account_tags, plain, said)| {
        let own = |tags: BTreeMap<&str, &str>| tags.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        let mut tags: BTreeMap<String, String> = own(plain);
        tags.extend(said.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())));
        let (ou, account, region, name) = place;
        Group { ou, account, account_tags: account_tags.map(own), region, name, tags }
    })
}
