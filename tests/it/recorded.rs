//! Recordings that are lived on from: what was seen is what is built, and the laws hold from then on.

use std::collections::BTreeMap;

use serde_json::Value;
use spothub_core::group::{GroupView, Source};
use spothub_core::id::GroupKey;
use spothub_hub::snapshot::Snapshot;
use spothub_hub::survey::{Depth, Survey};
use spothub_sim::run::{Options, run};
use spothub_sim::scenario::Scenario;

use crate::cli::{refused, spothub};
use crate::plan::surveyed;
use crate::played::scenario;

/// A shipped scenario at its start, written down and read again, under the same policy.
fn recorded(name: &str, seed: u64) -> (Survey, Scenario) {
    let before = scenario(name);
    let (survey, _) = surveyed(&before, seed, Depth::Whole);
    let mut bytes = Vec::new();
    Snapshot::of(&survey, "spothub 0.1.0").write(&mut bytes).unwrap();
    let snapshot = Snapshot::read("org.jsonl", &bytes[..]).unwrap_or_else(|error| panic!("{error}"));
    (survey, Scenario::recorded("org", &snapshot, before.policy).unwrap_or_else(|error| panic!("{error}")))
}

/// What must be the same of a group, as text: ids of instances and templates are made anew, and members of one kind are
/// alike.
fn likeness(view: &GroupView) -> String {
    let source = |source: &Source| match source {
        Source::Template { version, .. } => format!("template, fixed {}", version.is_some()),
        Source::Configuration(_) => "configuration".to_owned(),
        Source::Mixed => "mixed".to_owned(),
    };
    let now = |member: &&spothub_core::group::Member| member.state != spothub_core::group::MemberState::Terminating;
    let mut members: Vec<String> = view
        .members
        .iter()
        .filter(now)
        .map(|m| format!("{:?} {} {:?} {} {} {:?}", m.kind, m.az, m.lifecycle(), m.healthy, m.protected, m.state))
        .collect();
    members.sort();
    format!(
        "{} {} {} {:?} {:?} {} {} {:?} {:?} {} {} {} {} {:#?}",
        view.min,
        view.max,
        view.desired,
        view.tags,
        view.suspended,
        source(&view.source),
        view.target_groups.len(),
        view.health_check_grace,
        view.default_warmup,
        view.warm_pool,
        view.operator,
        view.cluster_placement,
        view.new_protected,
        members
    )
}

#[test]
fn what_was_seen_is_what_is_built() {
    for (name, seed) in [("small", 1), ("windows", 1), ("messy", 2)] {
        let (before, scenario) = recorded(name, seed);
        let (after, _) = surveyed(&scenario, 7, Depth::Whole);
        assert_eq!(before.accounts, after.accounts, "{name}");
        let of = |survey: &Survey| -> BTreeMap<GroupKey, (String, String)> {
            let one = |group: &spothub_hub::survey::Surveyed| {
                let standing = format!("{:?} floor {}", group.effective.standing, group.floor);
                (group.view.key.clone(), (likeness(&group.view), standing))
            };
            survey.groups.iter().map(one).collect()
        };
        let (seen, built) = (of(&before), of(&after));
        assert!(seen.len() > 5);
        assert_eq!(seen.keys().collect::<Vec<_>>(), built.keys().collect::<Vec<_>>(), "{name}");
        for (key, group) in &seen {
            assert_eq!(group, &built[key], "{name}: {key}");
        }
        for (a, b) in before.groups.iter().zip(&after.groups) {
            let facts = |group: &spothub_hub::survey::Surveyed| {
                group.template.as_ref().map(|t| {
                    (t.product, t.arch, t.virtualization, t.boot_mode, t.ena, t.network_interfaces, t.volumes, t.route)
                })
            };
            assert_eq!(facts(a), facts(b), "{name}: {}", a.view.key);
        }
    }
}

#[test]
fn prices_begin_about_where_they_were() {
    let (before, scenario) = recorded("small", 1);
    let (after, _) = surveyed(&scenario, 7, Depth::Decision);
    let mut pools = 0;
    for (region, quotes) in &before.quotes {
        for (pool, price) in quotes.iter() {
            let now = after.quotes[region].get(&pool).unwrap_or_else(|| panic!("{pool:?} has no price any more"));
            assert!((now.0 - price.0).abs() * 100 <= price.0 * 16 + 100_000, "{pool:?}: {price:?} became {now:?}");
            pools += 1;
        }
    }
    assert!(pools > 1000);
}

#[test]
fn the_laws_hold_from_a_recording_on() {
    for (name, seed, hours, delivered) in [("small", 1, 24, 85.0), ("windows", 1, 12, 0.0), ("messy", 2, 12, 0.0)] {
        let (before, scenario) = recorded(name, seed);
        let options = Options { seed: 3, hours: Some(hours), ..Options::default() };
        let outcome = run(&scenario, &options, None, &mut |_| ()).unwrap();
        assert!(outcome.violations.is_empty(), "{name}: {:#?}", outcome.violations);
        assert!(outcome.converged, "{name}");
        assert_eq!(outcome.groups as usize, before.groups.len());
        assert!(outcome.swaps.completed > 0 && outcome.delivered.percent >= delivered, "{name}: {outcome:#?}");
    }
}

const POLICY: &str = "defaults: {enabled: true, min-saving: 10%, interval: 2m, settle: 60s}\n";

#[test]
fn one_seed_decides_everything() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (file, policy) = (path("org.jsonl"), path("policy.yaml"));
    std::fs::write(&policy, POLICY).unwrap();
    assert_eq!(spothub(&["plan", "--scenario", "small", "--record", &file]).exit.code(), 0);
    let run = |seed: &str| {
        let usual = ["simulate", "--snapshot", &file, "--policy", &policy, "--hours", "2", "--output", "json"];
        let ran = spothub(&[&usual[..], &["--seed", seed]].concat());
        assert_eq!((ran.exit.code(), ran.err.as_str()), (0, ""));
        let mut outcome: Value = serde_json::from_str(&ran.out).unwrap();
        outcome.as_object_mut().unwrap().remove("wall_seconds");
        outcome
    };
    let (one, again, other) = (run("1"), run("1"), run("2"));
    assert_eq!(one, again);
    assert_ne!(one["api_calls"], other["api_calls"]);
    assert_eq!(one["scenario"], "org");
    assert!(one["swaps"]["completed"].as_u64().unwrap() > 20, "{}", one["swaps"]);
    // Without a policy only tags enable, and the scenario's groups have none.
    let table = spothub(&["simulate", "--snapshot", &file, "--hours", "1"]);
    assert_eq!(table.exit.code(), 0, "{}", table.err);
    for words in ["As recorded at 2026-01-01T00:00:0", "Assumed, since a", "0 started"] {
        assert!(table.out.contains(words), "{words:?} is missing in\n{}", table.out);
    }
    assert!(table.out.contains(&format!("simulate --snapshot {file} --seed 2")), "{}", table.out);
}

#[test]
fn a_policy_stands_in_place_of_the_scenarios() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("off.yaml");
    std::fs::write(&file, "defaults: {enabled: false}\n").unwrap();
    let ran = spothub(&["simulate", "small", "--hours", "1", "--policy", file.to_str().unwrap(), "--output", "json"]);
    let outcome: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((ran.exit.code(), &outcome["swaps"]["started"]), (0, &0.into()));
}

#[test]
fn bad_recordings() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let stored = std::fs::read_to_string("../control-plane/hub/src/snapshot/format-1.jsonl").unwrap();
    let file = path("org.jsonl");
    let refuses = |text: &str, words: &[&str]| {
        std::fs::write(&file, text).unwrap();
        refused(&["simulate", "--snapshot", &file], words);
    };
    refused(&["simulate", "--snapshot", &path("none.jsonl")], &["none.jsonl: it cannot be read"]);
    refused(&["simulate", "small", "--snapshot", &file], &["cannot be used with"]);
    refuses("", &["org.jsonl:1: the file is empty"]);
    refuses(&stored[..stored.len() - 30], &["org.jsonl:9: column", "record it anew"]);
    refuses(&stored.replacen("\"max\":6", "\"max\":6.5", 1), &["org.jsonl:6: invalid type", "6.5"]);
    let huge = stored.replacen("\"max\":6,\"desired\":3", "\"max\":4000000000,\"desired\":4000000000", 1);
    refuses(&huge, &["group 000000000001/eu-west-1/api", "10000 are simulated at most"]);
    refuses(&stored.replacen("\"min\":1", "\"min\":9", 1), &["min 9 is over max 6"]);
    refuses(&stored.replacen("1767225600000", "9223372036854775807", 1), &["is no time to begin at"]);
    refuses(&stored.replace("eu-west-1", "aa-mars-1"), &["no group in a region whose zones are known", "= record"]);
    let long =
        |name: &str| stored.replace("\"default_warmup\":0", name).replace("\"launched_at\":1767", "\"launched_at\":-9");
    std::fs::write(&file, long("\"default_warmup\":9223372036854775807")).unwrap();
    let ran = spothub(&["simulate", "--snapshot", &file, "--hours", "2"]);
    assert_eq!((ran.exit.code(), ran.err.as_str()), (0, ""), "odd times are lived with: {}", ran.out);
}
