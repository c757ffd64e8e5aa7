//! The policy file: `defaults` and `rules` in YAML to a checked [`PolicySet`].
//!
//! Knows the keys and how each is spelled; what the values mean is core's.

mod schedule;
#[cfg(test)]
mod tests;

use spothub_core::compat::TypeGlob;
use spothub_core::policy::{
    Enabled, OnInterruption, OnRebalance, PolicySet, Rule, Selector, Settings, TagDialect, TemplateRule,
};
use spothub_core::time::Span;

use crate::document::{At, Fields, Problems, Reading};

/// The longest time that a key can ask for: beyond a week a swap would wait forever in all but name.
const SPAN_MAX: Span = Span::hours(7 * 24);

/// CloudWatch's own limit for the name of an alarm.
const ALARM_NAME_MAX: usize = 255;

/// Most alarms of one group: a composite alarm stands for more.
const ALARMS_MAX: usize = 20;

/// Most pools that one launch can be given: CreateFleet takes 300 overrides, and beyond some 50 none is worse off.
const POOLS_MAX: u64 = 50;

/// Reads a policy file; `file_name` is how messages name it.
pub fn read(file_name: &str, text: &str) -> Result<PolicySet, Problems> {
    let reading = Reading::new(file_name, text);
    let set = reading.parse().and_then(|root| from_node(&reading.root(&root)));
    reading.finish(set)
}

/// Reads policy that is part of another file.
#[must_use]
pub fn from_node(at: &At<'_>) -> Option<PolicySet> {
    at.fields(|fields| {
        let defaults = fields.at("defaults").and_then(|at| at.fields(settings)).unwrap_or_default();
        let rules = fields.at("rules").and_then(|at| at.each(rule)).unwrap_or_default();
        PolicySet { defaults, rules }
    })
}

fn rule(at: &At<'_>) -> Option<Rule> {
    at.fields(|fields| {
        let selector = fields.need("match").and_then(|at| at.fields(selector)).unwrap_or_default();
        let settings = settings(fields);
        if fields.keys() < 2 {
            fields.note("", "the rule sets nothing", "give it a setting, or remove it");
        }
        Rule { selector, settings }
    })
}

fn selector(fields: &Fields<'_>) -> Selector {
    let group = fields.at("group").and_then(|at| at.parsed());
    let selector =
        Selector { ou: fields.get("ou"), account: fields.get("account"), region: fields.get("region"), group };
    if fields.keys() == 0 {
        let remedy = "put its settings under defaults, or give ou, account, region or group";
        fields.note("", "the rule matches everything", remedy);
    }
    selector
}

fn settings(fields: &Fields<'_>) -> Settings {
    let mut settings = Settings {
        enabled: word(
            fields,
            "enabled",
            &[("true", Enabled::True), ("false", Enabled::False), ("by-tag", Enabled::ByTag)],
        ),
        min_saving: fields.get("min-saving"),
        max_price: fields.get("max-price"),
        allowed_types: types(fields, "allowed-types"),
        denied_types: types(fields, "denied-types"),
        same_type_only: fields.get("same-type-only"),
        pools: fields.at("pools").and_then(|at| at.within(1..=POOLS_MAX)).and_then(|n| u8::try_from(n).ok()),
        burstable: fields.get("burstable"),
        disks_unused: fields.get("disks-unused"),
        ebs_tolerance: fields.get("ebs-tolerance"),
        template: word(fields, "template", &[("match", TemplateRule::Match), ("twin", TemplateRule::Twin)]),
        settle: span(fields, "settle"),
        interval: span(fields, "interval"),
        schedule: fields.at("schedule").and_then(|at| schedule::read(&at)),
        on_interruption: word(
            fields,
            "on-interruption",
            &[("ignore", OnInterruption::Ignore), ("replace", OnInterruption::Replace)],
        ),
        on_rebalance: word(fields, "on-rebalance", &[("ignore", OnRebalance::Ignore), ("avoid", OnRebalance::Avoid)]),
        protected_members: fields.get("protected-members"),
        tags: word(fields, "tags", &[("spothub", TagDialect::Spothub), ("autospotting", TagDialect::Autospotting)]),
        ..Settings::default()
    };
    if let Some(at) = fields.at("floor") {
        let _ = at.fields(|floor| {
            settings.floor_number = floor.get("number");
            settings.floor_percent = floor.get("percent");
        });
    }
    if let Some(at) = fields.at("guard") {
        let _ = at.fields(|guard| {
            settings.guard_alarms = guard.at("alarms").and_then(|at| alarms(&at));
            settings.guard_bake = span(guard, "bake");
        });
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

fn word<T: Copy>(fields: &Fields<'_>, key: &'static str, words: &[(&str, T)]) -> Option<T> {
    fields.at(key)?.word(words)
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

fn types(fields: &Fields<'_>, key: &'static str) -> Option<Vec<TypeGlob>> {
    fields.at(key)?.each(At::parsed)
}

fn span(fields: &Fields<'_>, key: &'static str) -> Option<Span> {
    let found: Span = fields.get(key)?;
    if found > SPAN_MAX {
        fields.note(key, format_args!("{found} is longer than a week"), "check the unit: ms, s, m, h or d");
        return None;
    }
    Some(found)
}
