//! The JSON Schema of a policy file, for editors and other tools: made from core's table of keys, so that a new key
//! cannot be forgotten.
//!
//! Says what one file may hold. What several files say together, and what only the catalogue or a calendar knows, is
//! for `spothub policy check`.

use serde_json::{Map, Value, json};
use spothub_core::policy::{
    CommitmentRule, DAY_WORDS, Enabled, Key, OWNERS, OnInterruption, OnRebalance, PRODUCT_WORDS, Policy, Rollout,
    SPAN_MAX, Strategy, TagDialect, TemplateRule,
};

use super::{ALARM_NAME_MAX, ALARMS_MAX, HOOK_NAME_MAX, HOOKS_MAX, OVER_SPOT_MAX, POOLS_MAX, RINGS_MAX};

/// The dialect of the schema.
const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The JSON Schema of one policy file.
#[must_use]
pub fn schema() -> Value {
    let rules = json!({"type": "array", "items": {"$ref": "#/$defs/rule"}, "description":
        "What holds for some groups; the more specific rule wins, key by key, and their order says nothing."});
    let mut schema = map([("defaults", refers("defaults")), ("rules", rules), ("rollout", refers("rollout"))]);
    let about = "Where spothub may act, and how. All files of a policy count alike, in any order.";
    for (key, value) in [
        ("$schema", json!(DRAFT)),
        ("title", json!("A policy file of spothub")),
        ("description", json!(about)),
        ("$defs", definitions()),
    ] {
        schema[key] = value;
    }
    schema
}

/// An object with these keys and no others.
fn map<'k>(properties: impl IntoIterator<Item = (&'k str, Value)>) -> Value {
    let properties: Map<String, Value> = properties.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    json!({"type": "object", "properties": properties, "additionalProperties": false})
}

/// The same, with a description and keys that must be there.
fn needing(mut object: Value, about: &str, required: &[&str]) -> Value {
    object["description"] = json!(about);
    if !required.is_empty() {
        object["required"] = json!(required);
    }
    object
}

fn refers(name: &str) -> Value {
    json!({"$ref": format!("#/$defs/{name}")})
}

fn told(mut value: Value, about: &str) -> Value {
    value["description"] = json!(about);
    value
}

fn definitions() -> Value {
    let mut all = Map::new();
    let mut put = |name: &str, value: Value| all.insert(name.to_owned(), value);
    put("percent", percent(100));
    put("span", span());
    put("type-pattern", told(text("^[a-z0-9.*?-]{1,64}$"), "A pattern of instance types: `*` any text, `?` one."));
    put("name-pattern", told(length(255), "A pattern: `*` any text, `?` one character."));
    put("account", told(text("^[0-9]{12}$"), "An account id: twelve digits, in quotes."));
    put("ou", told(text("^/([^/]+(/[^/]+)*)?$"), "An organizational unit by its path, with all below it."));
    put("region", told(text("^[a-z0-9-]{4,32}$"), "An AWS region."));
    let settings = settings();
    put("defaults", defaults(&settings));
    put("rule", rule(&settings));
    for (name, value) in settings {
        put(&format!("key.{name}"), value);
    }
    put("match", selector());
    put("block", block([]));
    put("rollout", rollout());
    put("ring", ring());
    Value::Object(all)
}

/// Settings by their first name, with the keys of blocks below it.
fn settings() -> Map<String, Value> {
    let mut all = Map::new();
    for &key in Key::ALL {
        let value = described(key);
        match key.name().split_once('.') {
            None => {
                all.insert(key.name().to_owned(), value);
            }
            Some((block, name)) => {
                let whole = all.entry(block.to_owned()).or_insert_with(|| map([]));
                whole["properties"][name] = value;
            }
        }
    }
    all
}

/// What both defaults and rules hold.
fn valued(settings: &Map<String, Value>) -> Map<String, Value> {
    let mut all: Map<String, Value> =
        settings.keys().map(|name| (name.clone(), refers(&format!("key.{name}")))).collect();
    let keys: Vec<&str> = OWNERS.iter().map(|(_, key)| key.name()).collect();
    let delegable = json!({"type": "array", "items": {"enum": keys}});
    let about = "Keys that tags of owners may set either way; everything else they can only restrict.";
    all.insert("delegable".to_owned(), told(delegable, about));
    let about = "Tags of owners cannot loosen what stands here, whatever is delegable elsewhere.";
    all.insert("locked".to_owned(), json!({"type": "boolean", "default": false, "description": about}));
    all
}

#[expect(clippy::needless_pass_by_value, reason = "it becomes a part of the object")]
fn object(properties: Map<String, Value>) -> Value {
    json!({"type": "object", "properties": properties, "additionalProperties": false})
}

fn defaults(settings: &Map<String, Value>) -> Value {
    told(object(valued(settings)), "What holds where no rule says otherwise.")
}

fn rule(settings: &Map<String, Value>) -> Value {
    let mut all = valued(settings);
    all.insert("name".to_owned(), json!({"type": "string", "description": "What its author calls it."}));
    all.insert("match".to_owned(), refers("match"));
    needing(object(all), "Values for the groups that it matches.", &["match"])
}

/// One of what it names, or a list of them.
fn some(name: &str, about: &str) -> Value {
    let list = json!({"type": "array", "items": refers(name), "minItems": 1});
    json!({"anyOf": [refers(name), list], "description": about})
}

fn tags(about: &str) -> Value {
    json!({"type": "object", "minProperties": 1, "additionalProperties": refers("name-pattern"), "description": about})
}

fn block<const N: usize>(more: [(&str, Value); N]) -> Value {
    let parts = [
        ("ou", some("ou", "Units, each with all below it.")),
        ("account", some("account", "Accounts.")),
        ("account-tag", tags("Tags of the account, all of which must be there, with patterns of their values.")),
        ("region", some("region", "Regions.")),
        ("group", some("name-pattern", "Names of groups.")),
        ("tag", tags("Tags of the group, all of which must be there, with patterns of their values.")),
    ];
    let named: Vec<Value> = parts.iter().map(|(part, _)| json!({"required": [part]})).collect();
    let mut block = map(parts.into_iter().chain(more));
    block["anyOf"] = json!(named);
    told(block, "Some groups: every part that is given must match, by one of its entries.")
}

fn selector() -> Value {
    let except = some("block", "Groups that are no part of it.");
    told(block([("except", except)]), "Where the rule applies: every part that is given, and none of the exceptions.")
}

fn rollout() -> Value {
    let plain = Rollout::default();
    let share = format!(
        "The share of swaps that end undone, failed or stranded at which it stops; {}% where it is not given.",
        plain.halt_share.value()
    );
    let after = json!({"type": "integer", "minimum": 1, "maximum": 10_000, "default": plain.halt_after, "description":
        "Swaps that must have ended before the share says anything."});
    let halt = map([("share", told(refers("percent"), &share)), ("after", after)]);
    let rings = json!({"type": "array", "items": refers("ring"), "maxItems": RINGS_MAX, "description":
        "The rings, in their order; everything else comes after the last one."});
    let all = map([("rings", rings), ("halt", told(halt, "When it stops on its way."))]);
    needing(all, "How an approved policy goes out. It stands in one of the files.", &["rings"])
}

fn ring() -> Value {
    let mut ring = map([
        ("name", json!({"type": "string", "description": "What its author calls it."})),
        ("ou", some("ou", "Units, each with all below it.")),
        ("account", some("account", "Accounts.")),
        ("wait", told(refers("span"), "How long to watch it before the next ring.")),
    ]);
    ring["anyOf"] = json!([{"required": ["ou"]}, {"required": ["account"]}]);
    needing(ring, "Accounts to which an approved policy goes before all others.", &["name", "wait"])
}

/// A key's values, with what it says, its default, and which of two values is the stricter.
fn described(key: Key) -> Value {
    let plain = Policy::default().shown(key);
    let about = format!("{}\n\nWithout it: {plain}. The stricter of two: {}.", key.about(), key.stricter());
    told(values(key), &about)
}

/// What can stand under a key.
fn values(key: Key) -> Value {
    match key {
        Key::Enabled => words(Enabled::WORDS),
        Key::FloorNumber | Key::OrganizationBudget | Key::OuBudget | Key::AccountBudget => whole(0, u32::MAX.into()),
        Key::FloorPercent
        | Key::MinSaving
        | Key::MaxPrice
        | Key::EbsTolerance
        | Key::GroupShare
        | Key::PoolShare
        | Key::OuPoolShare
        | Key::MoveSaving => refers("percent"),
        Key::MaxPriceOverSpot => percent(OVER_SPOT_MAX),
        Key::Product => words(PRODUCT_WORDS),
        Key::AllowedTypes => json!({"type": "array", "items": refers("type-pattern"), "minItems": 1}),
        Key::DeniedTypes => json!({"type": "array", "items": refers("type-pattern")}),
        Key::SameTypeOnly | Key::Burstable | Key::DisksUnused | Key::ProtectedMembers => json!({"type": "boolean"}),
        Key::Pools | Key::MoveAlternatives => whole(1, POOLS_MAX),
        Key::Template => words(TemplateRule::WORDS),
        Key::Settle | Key::Interval | Key::GuardBake | Key::DrainWait | Key::MoveLife => refers("span"),
        Key::GuardAlarms => json!({"type": "array", "items": length(ALARM_NAME_MAX), "maxItems": ALARMS_MAX}),
        Key::EcsCluster => json!({"type": "string", "pattern": "^[A-Za-z0-9_-]{1,255}$"}),
        Key::SkippableLaunchHooks => json!({"type": "array", "items": length(HOOK_NAME_MAX), "maxItems": HOOKS_MAX}),
        Key::Schedule => schedule(),
        Key::OnInterruption => words(OnInterruption::WORDS),
        Key::OnRebalance => words(OnRebalance::WORDS),
        Key::Commitments => words(CommitmentRule::WORDS),
        Key::Strategy => words(Strategy::WORDS),
        Key::Tags => words(TagDialect::WORDS),
    }
}

/// Words; what YAML takes for yes and no stands for those two.
fn words<T>(words: &[(&str, T)]) -> Value {
    let value = |word: &str| match word {
        "true" => json!(true),
        "false" => json!(false),
        word => json!(word),
    };
    json!({"enum": words.iter().map(|(word, _)| value(word)).collect::<Vec<_>>()})
}

fn whole(from: u64, to: u64) -> Value {
    json!({"type": "integer", "minimum": from, "maximum": to})
}

fn text(pattern: &str) -> Value {
    json!({"type": "string", "pattern": pattern})
}

fn length(most: usize) -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": most})
}

/// A whole percentage, with its sign or without.
fn percent(most: u64) -> Value {
    let digits = if most > 100 { "(1000|[1-9]?[0-9]{1,2})" } else { "(100|[1-9]?[0-9])" };
    let about = format!("A whole percentage, with its sign or without: 0% to {most}%.");
    json!({"anyOf": [whole(0, most), text(&format!("^{digits} ?%?$"))], "description": about})
}

fn span() -> Value {
    let about = format!("A length of time, as 90s, 5m or 1h30m; at most {SPAN_MAX}.");
    json!({"anyOf": [text("^(0|([0-9]+(ms|s|m|h|d))+)$"), {"const": 0}], "description": about})
}

fn schedule() -> Value {
    let minute = || text("^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$");
    let days: Vec<&str> = DAY_WORDS.iter().map(|(word, _)| *word).collect();
    let window = map([
        ("days", json!({"type": "array", "items": {"enum": days}, "minItems": 1})),
        ("from", told(minute(), "The time of day at which it opens, in quotes.")),
        ("to", told(minute(), "The time of day at which it closes, later on the same day, in quotes.")),
    ]);
    let window =
        needing(window, "Open on these days between these times; no two windows overlap.", &["days", "from", "to"]);
    let zone = json!({"type": "string", "description": "A time zone of the IANA database, as Europe/Berlin."});
    let mut all = map([("zone", zone), ("windows", json!({"type": "array", "items": window}))]);
    all["required"] = json!(["zone", "windows"]);
    all
}
