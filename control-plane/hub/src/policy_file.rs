//! Policy files: `defaults`, `rules` and `rollout` in YAML to a checked [`PolicySet`].
//!
//! Knows the keys and how each is spelled; what the values mean is core's. All files count alike, in any order.

mod check;
mod schedule;
mod schema;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use spothub_core::compat::TypeGlob;
use spothub_core::money::Percent;
use spothub_core::policy::{
    Block, CommitmentRule, Enabled, Key, Keys, NameGlob, OnInterruption, OnRebalance, PRODUCT_WORDS, Place, PolicySet,
    Ring, Rollout, Rule, SPAN_MAX, Selector, Settings, Strategy, TagDialect, TemplateRule,
};
use spothub_core::time::Span;

use crate::document::{At, Fields, Problems, Read, Reading};

pub use check::{Checked, File, below_floors, check, combine};
pub use schema::schema;

/// CloudWatch's own limit for the name of an alarm.
const ALARM_NAME_MAX: usize = 255;

/// Most alarms of one group: a composite alarm stands for more.
const ALARMS_MAX: usize = 20;

/// Auto Scaling's own limit for the name of a lifecycle hook.
const HOOK_NAME_MAX: usize = 255;

/// Most patterns of launch hooks: Auto Scaling's own limit of hooks in a group.
const HOOKS_MAX: usize = 50;

/// Most pools that one launch can be given: CreateFleet takes 300 overrides, and beyond some 50 none is worse off.
const POOLS_MAX: u64 = 50;

/// Most rings: each is waited for, and more than these nobody watches.
const RINGS_MAX: usize = 20;

/// Most percent above the Spot price: the cap of the on-demand price binds long before.
const OVER_SPOT_MAX: u64 = 1000;

/// What one file says.
#[derive(Clone, Debug, Default)]
pub struct Said {
    rules: Vec<Rule>,
    rollout: Option<Rollout>,
}

/// Reads one policy file; `file_name` is how messages name it.
pub fn read(file_name: &str, text: &str) -> Result<PolicySet, Problems> {
    said(file_name, text).map(Said::alone)
}

fn said(file_name: &str, text: &str) -> Result<Said, Problems> {
    let reading = Reading::new(file_name, text);
    let said = reading.parse().and_then(|root| from_root(&reading.root(&root)));
    reading.finish(said)
}

/// Reads policy that is part of another file.
#[must_use]
pub fn from_node(at: &At<'_>) -> Option<PolicySet> {
    from_root(at).map(Said::alone)
}

fn from_root(at: &At<'_>) -> Option<Said> {
    at.fields(|fields| {
        let defaults = fields.at("defaults").and_then(|at| at.fields(|fields| valued(fields, Selector::default())));
        let rules = fields.at("rules").and_then(|at| at.each(rule)).unwrap_or_default();
        let rollout = fields.at("rollout").and_then(|at| at.fields(rollout));
        Said { rules: defaults.into_iter().chain(rules).collect(), rollout }
    })
}

impl Said {
    fn alone(self) -> PolicySet {
        PolicySet::new(self.rules).rolled_out(self.rollout.unwrap_or_default())
    }
}

fn rule(at: &At<'_>) -> Option<Rule> {
    at.fields(|fields| {
        let name = fields.at("name").and_then(|at| at.text().map(ToOwned::to_owned));
        let selector = fields.need("match").and_then(|at| at.fields(selector)).unwrap_or_default();
        let rule = Rule { name, ..valued(fields, selector) };
        if rule.settings.keys() == Keys::NONE
            && rule.delegable == Keys::NONE
            && bare(fields, &["name", "match", "locked"])
        {
            fields.note("", "the rule sets nothing", "give it a setting, or remove it");
        }
        rule
    })
}

fn selector(fields: &Fields<'_>) -> Selector {
    let only = block(fields);
    let except = fields.at("except").and_then(|at| {
        at.some(|at| {
            let block = at.fields(block)?;
            if block.is_empty() && at.pairs().is_some_and(|pairs| pairs.is_empty()) {
                return at.fail("the exception takes everything out", "give ou, account, region, group or a tag");
            }
            Some(block)
        })
    });
    if only.is_empty() && bare(fields, &["except"]) {
        let remedy = "put its settings under defaults, or give ou, account, region, group or a tag";
        fields.note("", "the rule matches everything", remedy);
    }
    Selector { only, except: except.unwrap_or_default() }
}

/// Whether nothing is given but these: what is given and wrong has its own mistake already.
fn bare(fields: &Fields<'_>, beside: &[&'static str]) -> bool {
    fields.keys() == beside.iter().filter(|key| fields.at(key).is_some()).count()
}

fn block(fields: &Fields<'_>) -> Block {
    fn some<T>(fields: &Fields<'_>, key: &'static str, read: impl FnMut(&At<'_>) -> Option<T>) -> Vec<T> {
        let Some(at) = fields.at(key) else { return Vec::new() };
        let found = at.some(read).unwrap_or_default();
        if at.node().items().is_empty() && matches!(at.node().value, crate::document::Value::List(_)) {
            let _: Option<()> = at.fail("is an empty list, which matches nothing", "name something, or leave it out");
        }
        found
    }
    Block {
        ou: some(fields, "ou", Read::read),
        account: some(fields, "account", Read::read),
        account_tag: tags(fields, "account-tag"),
        region: some(fields, "region", Read::read),
        group: some(fields, "group", name),
        tag: tags(fields, "tag"),
    }
}

fn name(at: &At<'_>) -> Option<NameGlob> {
    at.parsed()
}

/// Tags by their keys, each with a pattern of its value.
fn tags(fields: &Fields<'_>, key: &'static str) -> BTreeMap<String, NameGlob> {
    let Some(at) = fields.at(key) else { return BTreeMap::new() };
    let pairs = at.pairs().unwrap_or_default();
    if at.is_map() && pairs.is_empty() {
        let _: Option<()> = at.fail("names no tag", "write the tag's key and value, as {team: web}");
    }
    pairs.into_iter().filter_map(|(key, at)| Some((key.text.clone(), at.parsed()?))).collect()
}

/// A rule's values, what tags may do with them, and where each stands.
fn valued(fields: &Fields<'_>, selector: Selector) -> Rule {
    let settings = settings(fields);
    let delegable = fields.at("delegable").and_then(|at| at.each(key)).unwrap_or_default();
    let locked = fields.get("locked").unwrap_or_default();
    let whole = fields.whole();
    let place = |mark: crate::document::Mark| Place {
        file: whole.file().into(),
        line: u32::try_from(mark.line).unwrap_or(u32::MAX),
        column: u32::try_from(mark.column).unwrap_or(u32::MAX),
    };
    let stands = |key: Key| {
        let mut node = whole.node();
        for part in key.name().split('.') {
            node = node.get(part)?;
        }
        Some((key, place(node.at)))
    };
    Rule {
        name: None,
        places: settings.keys().iter().filter_map(stands).collect(),
        at: place(whole.node().at),
        delegable: delegable.into_iter().collect(),
        selector,
        settings,
        locked,
    }
}

fn key(at: &At<'_>) -> Option<Key> {
    let words: Vec<(&str, Key)> = spothub_core::policy::OWNERS.iter().map(|(_, key)| (key.name(), *key)).collect();
    at.word(&words)
}

fn settings(fields: &Fields<'_>) -> Settings {
    let mut settings = Settings {
        enabled: word(fields, "enabled", Enabled::WORDS),
        min_saving: fields.get("min-saving"),
        commitments: word(fields, "commitments", CommitmentRule::WORDS),
        max_price: fields.get("max-price"),
        max_price_over_spot: fields.at("max-price-over-spot").and_then(|at| over_spot(&at)).map(Some),
        product: word(fields, "product", PRODUCT_WORDS).map(Some),
        allowed_types: fields.at("allowed-types").and_then(|at| types(&at)).map(|list| vec![list]),
        denied_types: fields.at("denied-types").and_then(|at| at.each(At::parsed)),
        same_type_only: fields.get("same-type-only"),
        pools: fields.at("pools").and_then(|at| at.within(1..=POOLS_MAX)).and_then(|n| u8::try_from(n).ok()),
        burstable: fields.get("burstable"),
        disks_unused: fields.get("disks-unused"),
        ebs_tolerance: fields.get("ebs-tolerance"),
        template: word(fields, "template", TemplateRule::WORDS),
        settle: span(fields, "settle"),
        interval: span(fields, "interval"),
        schedule: fields.at("schedule").and_then(|at| schedule::read(&at)).map(|one| vec![one]),
        ecs_cluster: fields.at("ecs-cluster").and_then(|at| at.parsed()).map(Some),
        on_interruption: word(fields, "on-interruption", OnInterruption::WORDS),
        on_rebalance: word(fields, "on-rebalance", OnRebalance::WORDS),
        protected_members: fields.get("protected-members"),
        skippable_launch_hooks: fields.at("skippable-launch-hooks").and_then(|at| hooks(&at)),
        strategy: word(fields, "strategy", Strategy::WORDS),
        tags: word(fields, "tags", TagDialect::WORDS),
        ..Settings::default()
    };
    if let Some(at) = fields.at("floor") {
        let _ = at.fields(|floor| {
            settings.floor_number = floor.get("number");
            settings.floor_percent = floor.get("percent");
        });
    }
    if let Some(at) = fields.at("pool-share") {
        let _ = at.fields(|share| {
            settings.pool_share = share.get("group");
            settings.ou_pool_share = share.get("ou");
        });
    }
    if let Some(at) = fields.at("spot-to-spot") {
        let _ = at.fields(|moves| {
            settings.move_saving = moves.get("min-saving");
            settings.move_life = span(moves, "min-life");
            let pools = moves.at("min-alternatives").and_then(|at| at.within(1..=POOLS_MAX));
            settings.move_alternatives = pools.and_then(|n| u8::try_from(n).ok());
        });
    }
    if let Some(at) = fields.at("guard") {
        let _ = at.fields(|guard| {
            settings.guard_alarms = guard.at("alarms").and_then(|at| alarms(&at));
            settings.guard_bake = span(guard, "bake");
        });
    }
    if let Some(at) = fields.at("drain") {
        let _ = at.fields(|drain| settings.drain_wait = span(drain, "wait"));
    }
    if let Some(at) = fields.at("budgets") {
        let _ = at.fields(|budgets| {
            settings.organization_budget = budgets.get("organization");
            settings.ou_budget = budgets.get("ou");
            settings.account_budget = budgets.get("account");
            settings.group_share = budgets.get("group-share");
        });
    }
    settings
}

fn rollout(fields: &Fields<'_>) -> Rollout {
    let mut rollout = Rollout::default();
    if let Some(at) = fields.need("rings") {
        rollout.rings = at.each(ring).unwrap_or_default();
        if rollout.rings.len() > RINGS_MAX {
            let _: Option<()> = at.fail(format_args!("are more than {RINGS_MAX} rings"), "join some of them");
        }
    }
    if let Some(at) = fields.at("halt") {
        let _ = at.fields(|halt| {
            halt.set("share", &mut rollout.halt_share);
            halt.set_within("after", 1..=10_000, &mut rollout.halt_after);
        });
        if rollout.halt_share == Percent::ZERO {
            let _: Option<()> = at.fail("a share of 0% is always reached", "give 1% to 100%");
        }
    }
    rollout
}

/// Units or accounts that an approved policy goes to before the rest.
fn ring(at: &At<'_>) -> Option<Ring> {
    at.fields(|fields| {
        let name = fields.need("name").and_then(|at| at.text().map(ToOwned::to_owned)).unwrap_or_default();
        let some = |key| fields.at(key);
        let only = Block {
            ou: some("ou").and_then(|at| at.some(Read::read)).unwrap_or_default(),
            account: some("account").and_then(|at| at.some(Read::read)).unwrap_or_default(),
            ..Block::default()
        };
        if only.is_empty() {
            fields.note("", "the ring has nobody in it", "give it ou or account");
        }
        let wait = fields.need("wait").and_then(|at| Span::read(&at)).unwrap_or_default();
        if wait > SPAN_MAX {
            fields.note("wait", format_args!("{wait} is longer than a week"), "check the unit: ms, s, m, h or d");
        }
        Ring { name, only, wait }
    })
}

fn word<T: Copy>(fields: &Fields<'_>, key: &'static str, words: &[(&str, T)]) -> Option<T> {
    fields.at(key)?.word(words)
}

/// Whole percent above a price, with the sign or without.
fn over_spot(at: &At<'_>) -> Option<u16> {
    let (text, _) = at.scalar("a percentage")?;
    let digits = text.strip_suffix('%').unwrap_or(text).trim_end();
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let found = digits.parse().ok().filter(|percent| plain && u64::from(*percent) <= OVER_SPOT_MAX);
    found.or_else(|| {
        at.fail(format_args!("{text:?} is no such percentage"), format_args!("give 0% to {OVER_SPOT_MAX}%"))
    })
}

/// Names of alarms, all of which one DescribeAlarms can ask for.
fn alarms(at: &At<'_>) -> Option<Vec<String>> {
    let names = at.each(|at| {
        let name = at.text()?;
        if name.is_empty() || name.chars().count() > ALARM_NAME_MAX {
            return at.fail(format_args!("is no alarm's name: 1 to {ALARM_NAME_MAX} characters"), "");
        }
        Some(name.to_owned())
    })?;
    if names.len() > ALARMS_MAX {
        return at
            .fail(format_args!("are {} alarms, and {ALARMS_MAX} is the most", names.len()), "use a composite alarm");
    }
    Some(names)
}

/// Patterns of the names of launch hooks.
fn hooks(at: &At<'_>) -> Option<Vec<NameGlob>> {
    let names: Vec<NameGlob> = at.each(At::parsed)?;
    if names.len() > HOOKS_MAX {
        return at.fail(format_args!("are {} patterns, and {HOOKS_MAX} is the most", names.len()), "join some of them");
    }
    Some(names)
}

/// Patterns of types of which a type needs one.
fn types(at: &At<'_>) -> Option<Vec<TypeGlob>> {
    let types = at.each(At::parsed)?;
    if types.is_empty() && at.node().items().is_empty() {
        return at.fail("allows no type at all", "name patterns, or leave it out to allow all");
    }
    Some(types)
}

fn span(fields: &Fields<'_>, key: &'static str) -> Option<Span> {
    let found: Span = fields.get(key)?;
    if found > SPAN_MAX {
        fields.note(key, format_args!("{found} is longer than a week"), "check the unit: ms, s, m, h or d");
        return None;
    }
    Some(found)
}
