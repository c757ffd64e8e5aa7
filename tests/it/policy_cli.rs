//! `policy`: what is wrong with files, what they say of a group and who says it, and what a change alters.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Map, Value};
use spothub::Exit;
use spothub_hub::policy_file;

use crate::cli::{refused, spothub};

const ORGANIZATION: &str = r#"
defaults:
  enabled: by-tag
  min-saving: 15%
  delegable: [settle]
rules:
  - name: production
    match: {ou: /prod}
    enabled: true
    floor: {number: 2}
    denied-types: ["t?.*"]
  - name: the shop's database
    match: {group: "db-*"}
    locked: true
    enabled: false
"#;

const TEAM: &str = r#"
rules:
  - match: {account: "000000000042"}
    floor: {number: 3}
    allowed-types: ["m5.*", "c5.large"]
"#;

/// Files in a directory of their own.
struct Files(tempfile::TempDir);

impl Files {
    fn of(files: &[(&str, &str)]) -> Self {
        let here = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            std::fs::write(here.0.path().join(name), text).unwrap();
        }
        here
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn all(&self) -> String {
        self.0.path().to_str().unwrap().to_owned()
    }
}

fn usual() -> Files {
    Files::of(&[("organization.yaml", ORGANIZATION), ("team.yaml", TEAM)])
}

fn json(arguments: &[&str], exit: u8) -> Value {
    let ran = spothub(&[&["policy"], arguments, &["--output", "json"]].concat());
    assert_eq!(ran.exit.code(), exit, "{}", ran.err);
    serde_json::from_str(&ran.out).unwrap()
}

#[test]
fn help_texts() {
    for command in ["check", "explain", "diff", "schema"] {
        let ran = spothub(&["policy", command, "--help"]);
        assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""));
        insta::assert_snapshot!(format!("help_{command}"), ran.out);
    }
    let ran = spothub(&["policy", "--help"]);
    let approves = ran.out.contains("approve");
    insta::assert_snapshot!(if approves { "help_aws" } else { "help" }, ran.out);
}

#[test]
fn good_files_have_a_digest() {
    let files = usual();
    let ran = spothub(&["policy", "check", &files.path("team.yaml"), &files.path("organization.yaml")]);
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""));
    let digest = ran.out.strip_prefix("ok: 2 files, defaults and 3 rules, digest ").unwrap();
    assert!(digest.len() == 16 && digest.ends_with("...\n"), "{}", ran.out);
    let found = json(&["check", &files.all()], 0);
    let whole = found["digest"].as_str().unwrap();
    assert!(whole.starts_with(&digest[..12]) && whole.len() == 64, "neither order nor names are part of it");
    assert_eq!((&found["rules"], &found["ok"], &found["problems"]), (&3.into(), &true.into(), &Value::Array(vec![])));
}

#[test]
fn all_mistakes_come_at_once() {
    let files = Files::of(&[
        ("a.yaml", "defaults: {enabeld: true}\n"),
        ("b.yaml", "rules:\n  - match: {account: 42}\n    floor: {percent: 150}\n"),
    ]);
    std::fs::write(files.path("c.yaml"), b"\xff").unwrap();
    let words = ["a.yaml:1:12: defaults.enabeld", "did you mean enabled?", "b.yaml:2:22", "\"000000000042\""];
    refused(&["policy", "check", &files.all()], &words);
    let words = ["b.yaml:3:22", "over 100 percent", "c.yaml:1:1: this byte is no UTF-8", "not good: 4 mistakes"];
    refused(&["policy", "check", &files.all()], &words);
    let found = json(&["check", &files.all()], 2);
    assert_eq!((&found["ok"], &found["digest"]), (&false.into(), &Value::Null));
    let problems = found["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 4, "{found:#}");
    assert_eq!((&problems[0]["line"], &problems[0]["column"]), (&1.into(), &12.into()), "{found:#}");
    for problem in problems {
        assert_eq!(problem["severity"], "error");
    }
}

#[test]
fn contradictions_are_mistakes_and_doubts_are_warnings() {
    let files = Files::of(&[
        ("a.yaml", "rules:\n  - match: {ou: /prod}\n    floor: {number: 1}\n"),
        ("b.yaml", "rules:\n  - match: {ou: /prod}\n    floor: {number: 2}\n"),
    ]);
    refused(
        &["policy", "check", &files.all()],
        &["b.yaml:3:21: floor.number: 2 here, and 1 at", "a.yaml:3:21", "keep"],
    );
    let doubtful = Files::of(&[("a.yaml", "defaults:\n  allowed-types: [\"m5.*\", \"zz9.*\"]\n")]);
    let ran = spothub(&["policy", "check", &doubtful.all()]);
    assert_eq!(ran.exit, Exit::Done);
    assert!(
        ran.err.starts_with("warning: ") && ran.err.contains("a.yaml:2:18: allowed-types: \"zz9.*\""),
        "{}",
        ran.err
    );
    assert!(ran.out.starts_with("ok: 1 file, defaults and 0 rules, digest ") && ran.out.ends_with("..., 1 warning\n"));
    assert_eq!(json(&["check", &doubtful.all()], 0)["problems"][0]["severity"], "warning");
}

#[test]
fn bad_paths() {
    let files = Files::of(&[]);
    refused(&["policy", "check", &files.path("none.yaml")], &["cannot read the policy file", "No such file"]);
    refused(&["policy", "check", &files.all()], &["has no policy file", ".yaml or .yml"]);
    let place = ["--account", "000000000042", "--region", "eu-west-1", "--group", "web"];
    let explain = |more: &[&str], words: &[&str]| refused(&[&["policy", "explain"], &place[..], more].concat(), words);
    explain(&["--policy", &files.path("none.yaml")], &["cannot read the policy file"]);
    explain(&["--tag", "novalue"], &["is no tag", "KEY=VALUE"]);
    refused(&["policy", "explain", "--account", "42", "--region", "eu-west-1", "--group", "web"], &["twelve digits"]);
    let good = usual();
    explain(&["--policy", &good.all(), "--snapshot", &files.path("none.jsonl")], &["none.jsonl: it cannot be read"]);
    refused(&["policy", "diff", &good.all()], &["<NEW>", "--snapshot"]);
}

/// What `explain` says, with the directory left out.
fn explained(files: &Files, arguments: &[&str]) -> String {
    let place = ["policy", "explain", "--account", "000000000042", "--region", "eu-west-1", "--policy"];
    let ran = spothub(&[&place[..], &[files.all().as_str()], arguments].concat());
    assert_eq!(ran.exit, Exit::Done, "{}", ran.err);
    format!("{}--\n{}", ran.out, ran.err).replace(&files.all(), "policies")
}

#[test]
fn each_value_has_its_chain() {
    let files = usual();
    let tags = ["--tag", "spothub:min-on-demand=5", "--tag", "spothub:settle=10s", "--tag", "spothub:min-saving=5%"];
    let web = explained(&files, &[&["--group", "web", "--ou", "/prod/web", "--type", "m5.large"], &tags[..]].concat());
    insta::assert_snapshot!("explained", web);
    let unknown = explained(&files, &["--group", "web"]);
    assert!(unknown.contains("note: rules go by organizational units, and the root is taken"), "{unknown}");
    assert!(unknown.contains("not enabled: policy leaves it to the owner"), "{unknown}");
}

#[test]
fn standings_are_told_with_their_remedy() {
    let files = usual();
    let said = |group: &str, tags: &[&str]| explained(&files, &[&["--ou", "/prod", "--group", group], tags].concat());
    let database = said("db-1", &["--tag", "spothub:enabled=true"]).replace("\n  ", " ");
    let words = "opted out by policy, which wins everywhere: policies/organization.yaml:";
    assert!(database.contains(words) && database.contains("(\"the shop's database\")"), "{database}");
    let tagged = said("web", &["--tag", "spothub:enabled=no"]);
    assert!(tagged.contains("opted out by the owner: its tag spothub:enabled says \"no\""), "{tagged}");
    let slip = said("web", &["--tag", "spothub:min-ondemand=2"]);
    assert!(slip.contains("which cannot be read") && slip.contains("did you mean spothub:min-on-demand?"), "{slip}");
    let soon = said("web", &["--tag", "spothub:settle=soon"]);
    assert!(soon.contains("it takes what settle takes: How long"), "{soon}");
}

#[test]
fn types_are_judged() {
    let files = usual();
    let kind = |name: &str, more: &[&str]| {
        let arguments = ["--group", "web", "--ou", "/prod", "--type", name];
        explained(&files, &[&arguments[..], more].concat()).replace("\n      ", " ")
    };
    let allowed = kind("c5.large", &[]);
    assert!(
        allowed.contains("c5.large may be used") && allowed.contains("allowed by c5.large from policies/team.yaml")
    );
    let other = kind("r5.large", &[]);
    assert!(other.contains("r5.large may not be used") && other.contains("not one of m5.*, c5.large from"), "{other}");
    let denied = kind("t3.large", &[]);
    assert!(denied.contains("denied by t?.* from policies/organization.yaml"), "{denied}");
    let same = kind("m5.large", &["--tag", "spothub:same-type-only=true"]);
    assert!(same.contains("may be used in place of its own kind alone"), "{same}");
    let slip = kind("m5.larg", &[]);
    assert!(slip.contains("did you mean m5.large?"), "{slip}");
}

fn recording(files: &Files) -> String {
    let path = files.path("org.jsonl");
    let ran = spothub(&["plan", "--scenario", "small", "--record", &path]);
    assert_eq!(ran.exit.code(), 0, "{}", ran.err);
    path
}

#[test]
fn a_recording_knows_unit_and_tags() {
    let files = usual();
    let here = Files::of(&[]);
    let recording = recording(&here);
    let plan: Value =
        serde_json::from_str(&spothub(&["plan", "--snapshot", &recording, "--output", "json"]).out).unwrap();
    let group = &plan["groups"][0];
    let text = |key: &str| group[key].as_str().unwrap().to_owned();
    let (account, region, name, ou) = (text("account_id"), text("region"), text("group"), text("ou"));
    let of = |name: &str| -> Vec<String> {
        let all = files.all();
        ["policy", "explain", "--account", &account, "--region", &region, "--group", name, "--policy", &all]
            .into_iter()
            .chain(["--snapshot", &recording])
            .map(ToOwned::to_owned)
            .collect()
    };
    let arguments = of(&name);
    let ran = spothub(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""));
    assert!(ran.out.starts_with(&format!("{account}/{region}/{name} in {ou}\n")), "{}", ran.out);
    let arguments = of(&format!("{name}x"));
    let near = format!("near ones: {account}/{region}/{name}");
    refused(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), &["is in the recording", &near]);
}

#[test]
fn a_change_is_told_over_a_recording() {
    let files = Files::of(&[
        ("old.yaml", "defaults: {enabled: true, floor: {number: 1}, settle: 60s}\n"),
        ("new.yaml", "defaults: {enabled: true, floor: {number: 2}, settle: 45s}\n"),
        (
            "off.yaml",
            "defaults: {enabled: true, floor: {number: 1}, settle: 60s}\nrules: [{match: {ou: /}, enabled: false}]\n",
        ),
    ]);
    let recording = recording(&files);
    let diff = |old: &str, new: &str| json(&["diff", &files.path(old), &files.path(new), "--snapshot", &recording], 0);
    let number = |report: &Value, list: &str| report[list].as_array().unwrap().len();
    let change = diff("old.yaml", "new.yaml");
    let groups = usize::try_from(change["groups"].as_u64().unwrap()).unwrap();
    assert!(groups > 50 && number(&change, "changed") > 50, "{groups}");
    assert_eq!((number(&change, "enabled"), number(&change, "disabled")), (0, 0));
    let of = |key: &str| {
        let found = change["changes"].as_array().unwrap().iter().find(|one| one["key"] == key).unwrap().clone();
        (found["old"].clone(), found["new"].clone(), found["direction"].clone())
    };
    assert_eq!(of("floor.number"), ("1".into(), "2".into(), "stricter".into()));
    assert_eq!(of("settle"), ("1m".into(), "45s".into(), "looser".into()));
    assert_eq!(change["only_restricts"], false);
    let off = diff("old.yaml", "off.yaml");
    assert_eq!((&off["only_restricts"], number(&off, "changed")), (&true.into(), 0));
    assert_eq!(number(&off, "disabled") + number(&off, "idle"), groups);
    let on = diff("off.yaml", "old.yaml");
    assert_eq!((&on["only_restricts"], number(&on, "enabled")), (&false.into(), number(&off, "disabled")));
    let same = spothub(&["policy", "diff", &files.path("old.yaml"), &files.path("old.yaml"), "--snapshot", &recording]);
    assert!(same.out.contains("nothing: the files say the same"), "{}", same.out);
    let table = |old: &str, new: &str| {
        let ran = spothub(&["policy", "diff", &files.path(old), &files.path(new), "--snapshot", &recording]);
        assert_eq!((ran.exit, ran.err.as_str()), (Exit::Done, ""));
        ran.out.replace(&files.all(), ".")
    };
    insta::assert_snapshot!("changed", table("old.yaml", "new.yaml"));
    insta::assert_snapshot!("restricted", table("old.yaml", "off.yaml"));
}

#[test]
fn the_published_schema_has_not_drifted() {
    let printed = spothub(&["policy", "schema"]);
    assert_eq!((printed.exit, printed.err.as_str()), (Exit::Done, ""));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies/schema.json");
    let published = std::fs::read_to_string(path).unwrap_or_default();
    let remedy = "write it anew: spothub policy schema > policies/schema.json";
    assert!(published == printed.out, "policies/schema.json is not what `spothub policy schema` prints; {remedy}");
}

/// What the reader knows at a place of a file: it says so where it meets a key that is far from all of them.
fn known(file: &str) -> BTreeSet<String> {
    let found = policy_file::read("p.yaml", file).unwrap_err().to_string();
    let known = found.lines().find_map(|line| line.trim().strip_prefix("= known here: "));
    known.unwrap_or_else(|| panic!("{found}")).split(", ").map(ToOwned::to_owned).collect()
}

fn properties(schema: &Value) -> BTreeSet<String> {
    schema["properties"].as_object().unwrap().keys().cloned().collect()
}

#[test]
fn it_has_the_keys_that_are_read_and_no_others() {
    let schema = policy_file::schema();
    let defs = &schema["$defs"];
    for (place, file) in [
        (&schema, "?: 1"),
        (&defs["defaults"], "defaults: {?: 1}"),
        (&defs["rule"], "rules: [{match: {group: a}, enabled: true, ?: 1}]"),
        (&defs["match"], "rules: [{match: {group: a, ?: 1}, enabled: true}]"),
        (&defs["block"], "rules: [{match: {group: a, except: {group: b, ?: 1}}, enabled: true}]"),
        (&defs["key.floor"], "defaults: {floor: {?: 1}}"),
        (&defs["key.guard"], "defaults: {guard: {?: 1}}"),
        (&defs["key.drain"], "defaults: {drain: {?: 1}}"),
        (&defs["key.budgets"], "defaults: {budgets: {?: 1}}"),
        (&defs["key.schedule"], "defaults: {schedule: {zone: UTC, windows: [], ?: 1}}"),
        (
            &defs["key.schedule"]["properties"]["windows"]["items"],
            "defaults: {schedule: {zone: UTC, windows: [{days: [mon], from: \"00:00\", to: \"01:00\", ?: 1}]}}",
        ),
        (&defs["rollout"], "rollout: {rings: [], ?: 1}"),
        (&defs["rollout"]["properties"]["halt"], "rollout: {rings: [], halt: {?: 1}}"),
        (&defs["ring"], "rollout: {rings: [{name: a, ou: /a, wait: 1h, ?: 1}]}"),
    ] {
        assert_eq!(properties(place), known(&file.replace('?', &"q".repeat(40))), "{file}");
        assert_eq!(place["additionalProperties"], false, "{file}");
    }
}

#[test]
fn every_object_is_closed_and_every_reference_leads_somewhere() {
    fn walk(value: &Value, defs: &Value) {
        if let Some(name) = value["$ref"].as_str() {
            assert!(defs[name.trim_start_matches("#/$defs/")].is_object(), "{name}");
        }
        assert!(value["type"] != "object" || value.get("additionalProperties").is_some(), "{value}");
        for inner in value.as_object().into_iter().flat_map(Map::values).filter(|inner| !inner.is_null()) {
            walk(inner, defs);
        }
        value.as_array().into_iter().flatten().for_each(|inner| walk(inner, defs));
    }
    let schema = policy_file::schema();
    walk(&schema, &schema["$defs"]);
}
