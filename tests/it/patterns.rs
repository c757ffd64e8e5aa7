//! What members forward is what the engine reads: no event more, and none less.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;
use spothub_core::event::{KNOWN, PROBE_SOURCE};

/// A source, a detail-type, and a state where the event has one.
type Row = (String, String, Option<String>);

fn patterns() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../member-stackset/events.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// The words of a pattern's list: matched as they stand, without prefixes and wildcards.
fn words(pattern: &Value, key: &str) -> Vec<String> {
    let list = pattern[key].as_array().unwrap_or_else(|| panic!("{key} is a list in {pattern}"));
    list.iter().map(|word| word.as_str().unwrap_or_else(|| panic!("{word} is a word")).to_owned()).collect()
}

/// The events that a pattern lets through.
fn let_through(pattern: &Value) -> BTreeSet<Row> {
    let fields = pattern.as_object().unwrap();
    if let Some(either) = fields.get("$or") {
        assert_eq!(fields.len(), 1, "what stands beside $or would narrow it: {pattern}");
        return either.as_array().unwrap().iter().flat_map(let_through).collect();
    }
    let known = ["source", "detail-type", "detail"];
    assert!(fields.keys().all(|key| known.contains(&key.as_str())), "{pattern}");
    let states = pattern.get("detail").map(|detail| {
        assert_eq!(detail.as_object().unwrap().keys().collect::<Vec<_>>(), ["state"], "{pattern}");
        words(detail, "state")
    });
    let states: Vec<Option<String>> =
        states.map_or_else(|| vec![None], |states| states.into_iter().map(Some).collect());
    let (sources, types) = (words(pattern, "source"), words(pattern, "detail-type"));
    let mut rows = BTreeSet::new();
    for source in &sources {
        for detail_type in &types {
            rows.extend(states.iter().map(|state| (source.clone(), detail_type.clone(), state.clone())));
        }
    }
    rows
}

/// The events that are read, urgent or not.
fn read(urgent: bool) -> BTreeSet<Row> {
    let row = |source: &str, detail_type: &str, state: Option<&str>| {
        (source.to_owned(), detail_type.to_owned(), state.map(ToOwned::to_owned))
    };
    let known = KNOWN.iter().filter(|known| known.tells.is_urgent() == urgent);
    let rows = known.flat_map(|known| {
        let states: Vec<Option<&str>> =
            if known.states.is_empty() { vec![None] } else { known.states.iter().map(|s| Some(*s)).collect() };
        states.into_iter().map(move |state| row(known.source, known.detail_type, state))
    });
    rows.collect()
}

#[test]
fn members_forward_what_is_read_and_nothing_else() {
    let patterns = patterns();
    assert_eq!(let_through(&patterns["urgent"]), read(true));
    assert_eq!(let_through(&patterns["normal"]), read(false));
}

#[test]
fn probes_have_a_way_of_their_own() {
    let patterns = patterns();
    let ways: Vec<&String> = patterns.as_object().unwrap().keys().collect();
    assert_eq!(ways.len(), 3, "{ways:?}");
    assert_eq!(words(&patterns["probe"], "source"), [PROBE_SOURCE]);
    assert!(KNOWN.iter().all(|known| known.source != PROBE_SOURCE));
}
