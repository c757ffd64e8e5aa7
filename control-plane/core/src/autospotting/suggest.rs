//! AutoSpotting's settings as a policy file.

use std::collections::BTreeSet;
// Writing to a text cannot fail, so what `write!` gives is dropped in this file.
use std::fmt::Write as _;

use super::compare::on_rebalance;
use super::installation::{PRODUCTS, listed, truth};
use super::{Installation, Setting};
use crate::id::Region;
use crate::policy::{Key, Schedule, micros, translated};

/// The keys that a tag of AutoSpotting's sets as it pleases, as a line of the file.
const DELEGABLE: &str = "  delegable: [floor.number, floor.percent, allowed-types, denied-types, same-type-only, \
    max-price, max-price-over-spot,\n    schedule]\n";

/// A policy that says what these settings say, for groups in these regions. It can be read as it stands.
#[must_use]
pub fn suggest(installation: &Installation, regions: &BTreeSet<Region>) -> String {
    let mut text = String::from("defaults:\n");
    // Who chose groups by other tags did not read spot-enabled: it is not to enable any here.
    let built = installation.filters_as_built();
    let _ = writeln!(text, "  enabled: {}", if installation.opts_out() { "true" } else { "by-tag" });
    if built || installation.opts_out() {
        text.push_str("  tags: autospotting\n");
    }
    text.push_str(&values(installation));
    text.push_str("  # min-saving: 0%     # AutoSpotting asks for no least saving; 10% is the default here\n");
    text.push_str(DELEGABLE);
    let mut rules = String::new();
    if !built {
        let tags = installation.filters().into_iter().map(|(key, glob)| format!("{}: {}", quoted(key), quoted(glob)));
        let tags = tags.collect::<Vec<_>>().join(", ");
        let (name, says) = if installation.opts_out() {
            ("groups that AutoSpotting leaves out", "    enabled: false\n")
        } else {
            ("groups that AutoSpotting works on", "    enabled: true\n    tags: autospotting\n")
        };
        let _ = write!(rules, "  - name: {name}\n    match: {{tag: {{{tags}}}}}\n{says}");
    }
    let others: Vec<String> = regions
        .iter()
        .filter(|region| !installation.covers(region))
        .map(|region| quoted(&region.to_string()))
        .collect();
    if !others.is_empty() {
        let others = others.join(", ");
        let name = "regions that AutoSpotting does not work in";
        let _ = write!(rules, "  - name: {name}\n    match: {{region: [{others}]}}\n    enabled: false\n");
    }
    if !rules.is_empty() {
        let _ = write!(text, "rules:\n{rules}");
    }
    text
}

/// A text that YAML reads as nothing else.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The settings that have a key.
fn values(installation: &Installation) -> String {
    let words = installation.set().filter_map(|(setting, value)| Some((setting.tag()?.to_owned(), value.to_owned())));
    let said = translated(&words.collect()).0;
    let mut text = String::new();
    let mut line = |key: &str, value: String| {
        let _ = writeln!(text, "  {key}: {value}");
    };
    // The number goes first, where there are both; none of zero is one.
    let number = said.floor_number.filter(|number| *number > 0).map(|number| format!("{{number: {number}}}"));
    let share = said.floor_percent.filter(|share| share.value() > 0);
    if let Some(floor) = number.or(share.map(|share| format!("{{percent: {}%}}", share.value()))) {
        line("floor", floor);
    }
    let below = installation.get(Setting::OnDemandPriceMultiplier).and_then(micros).is_some_and(|it| it < 1_000_000);
    if let Some(price) = said.max_price.filter(|_| below) {
        line(Key::MaxPrice.name(), format!("{}%", price.value()));
    }
    if let Some(Some(over)) = said.max_price_over_spot {
        line(Key::MaxPriceOverSpot.name(), format!("{over}%"));
    }
    for (setting, key) in
        [(Setting::AllowedInstanceTypes, Key::AllowedTypes), (Setting::DisallowedInstanceTypes, Key::DeniedTypes)]
    {
        let Some(value) = installation.get(setting) else { continue };
        if value == "current" {
            line(Key::SameTypeOnly.name(), "true".to_owned());
        } else if key == Key::DeniedTypes || listed(value).all(|glob| glob != "*") {
            line(key.name(), format!("[{}]", listed(value).map(quoted).collect::<Vec<_>>().join(", ")));
        }
    }
    let told = installation.get(Setting::SpotProductDescription);
    let word = told.and_then(|told| PRODUCTS.iter().find(|(theirs, _)| *theirs == told)).map(|(_, word)| *word);
    if let Some(word) = word.filter(|word| !word.is_empty()) {
        line(Key::Product.name(), word.to_owned());
    }
    if on_rebalance(installation) == Some(false) {
        line(Key::OnRebalance.name(), "ignore".to_owned());
    }
    if let Some(considers) = installation.get(Setting::ConsiderEbsBandwidth).and_then(truth) {
        line(Key::EbsTolerance.name(), if considers { "0%" } else { "100%" }.to_owned());
    }
    let whole_week = |one: &Schedule| one.week().1 == [(0, 7 * 1440)];
    if let Some(schedule) = said.schedule.iter().flatten().find(|one| !whole_week(one)) {
        line(Key::Schedule.name(), windows(schedule));
    }
    text
}

/// A schedule as a policy file writes it: each run of hours with the days that have it.
fn windows(schedule: &Schedule) -> String {
    let text = schedule.to_string();
    let mut words = text.split(' ');
    let zone = words.next().unwrap_or_default();
    let mut runs: Vec<(&str, Vec<&str>)> = Vec::new();
    while let (Some(days), Some(hours)) = (words.next(), words.next()) {
        match runs.iter_mut().find(|(known, _)| *known == hours) {
            Some((_, known)) => known.extend(days.split('+')),
            None => runs.push((hours, days.split('+').collect())),
        }
    }
    let runs = runs.iter().filter_map(|(hours, days)| {
        let (from, to) = hours.split_once('-')?;
        Some(format!("{{days: [{}], from: \"{from}\", to: \"{to}\"}}", days.join(", ")))
    });
    format!("{{zone: {zone}, windows: [{}]}}", runs.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_set_is_opt_in_by_its_tag() {
        let text = suggest(&Installation::default(), &BTreeSet::new());
        assert!(text.starts_with("defaults:\n  enabled: by-tag\n  tags: autospotting\n  # min-saving"), "{text}");
        assert!(!text.contains("rules:"), "{text}");
        assert_eq!(crate::policy::Policy::default().shown(Key::MinSaving), "10%");
    }
}
