//! `plan --from-autospotting`: what will be different for groups that AutoSpotting works on, and the page that says how
//! to move them over.

use std::path::Path;

use serde_json::Value;
use spothub_core::autospotting::{Difference, Setting};

use crate::cli::{refused, spothub};

/// Groups of somebody who runs AutoSpotting.
const MOVING: &str = r#"
accounts:
  - {id: '000000000001', name: shop, ou: /prod, regions: [eu-west-1, us-east-1]}
groups:
  - {name: plain, account: shop, region: eu-west-1, type: m5.large, desired: 4, tags: {spot-enabled: "true"}}
  - name: floor
    account: shop
    region: eu-west-1
    type: m5.large
    desired: 6
    tags: {spot-enabled: "true", autospotting_min_on_demand_percentage: "33.3"}
  - name: beanstalk
    account: shop
    region: eu-west-1
    type: m5.large
    desired: 3
    tags:
      spot-enabled: "true"
      autospotting_patch_beanstalk_userdata: "true"
      autospotting_min_ondemand: "1"
  - name: misspelt
    account: shop
    region: eu-west-1
    type: m5.large
    desired: 3
    tags: {spot-enabled: "true", autospotting_bidding_policy: Aggressive}
  - {name: moved, account: shop, region: us-east-1, type: m5.large, desired: 3, tags: {"spothub:enabled": "true"}}
  - {name: other, account: shop, region: us-east-1, type: m5.large, desired: 3}
policy:
  defaults: {enabled: by-tag}
"#;

/// The settings of their AutoSpotting.
const SETTINGS: &str = "\
# as its function has them
MIN_ON_DEMAND_NUMBER=1
BIDDING_POLICY=aggressive
SPOT_PRICE_BUFFER_PERCENTAGE=20.0
CRON_SCHEDULE=9-18 1-5
CRON_TIMEZONE=Europe/London
INSTANCE_TERMINATION_METHOD=detach
LICENSE=evaluation
";

/// A policy that lets AutoSpotting's tags say what they say there.
const MOVED: &str = "defaults: {enabled: by-tag, tags: autospotting, min-saving: 0%, \
    delegable: [floor.number, floor.percent, max-price-over-spot, schedule]}\n";

struct Files(tempfile::TempDir);

impl Files {
    fn usual() -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        for (name, text) in [("moving.yaml", MOVING), ("autospotting.env", SETTINGS), ("moved.yaml", MOVED)] {
            std::fs::write(files.0.path().join(name), text).unwrap();
        }
        files
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn json(&self, more: &[&str]) -> Value {
        let scenario = self.path("moving.yaml");
        let ran = spothub(&[&["plan", "--scenario", &scenario, "--output", "json"], more].concat());
        assert_eq!((ran.exit.code(), ran.err.as_str()), (0, ""));
        serde_json::from_str(&ran.out).unwrap()
    }
}

/// What is told of a group: labels, each with what it is about.
fn told(beside: &Value, group: &str) -> Vec<String> {
    let line = beside["groups"].as_array().unwrap().iter().find(|line| line["group"] == group);
    let Some(line) = line else { return vec!["not compared".to_owned()] };
    let about = |one: &Value| {
        let words = ["tag", "key", "name", "reason"].iter().find_map(|key| one[*key].as_str());
        format!("{} {}", one["difference"].as_str().unwrap(), words.unwrap_or_default()).trim_end().to_owned()
    };
    line["differences"].as_array().unwrap().iter().map(about).collect()
}

#[test]
fn tags_that_policy_does_not_let_be_understood() {
    let files = Files::usual();
    let beside = files.json(&["--from-autospotting"]);
    let acts = &beside["groups_by_act"];
    assert_eq!((&acts["both"], &acts["autospotting"], &acts["spothub"]), (&0.into(), &4.into(), &1.into()));
    assert_eq!((&beside["groups_seen"], &beside["groups_concerned"]), (&6.into(), &5.into()));
    assert_eq!(told(&beside, "plain"), ["only-autospotting not-enabled", "tag-not-read spot-enabled"]);
    assert_eq!(told(&beside, "moved"), ["only-spothub"]);
    assert_eq!(told(&beside, "other"), ["not compared"]);
    assert!(beside["settings"]["file"].is_null());
}

#[test]
fn tags_and_settings_beside_a_policy_that_understands_them() {
    let files = Files::usual();
    let (policy, settings) = (files.path("moved.yaml"), files.path("autospotting.env"));
    let beside = files.json(&["--policy", &policy, "--from-autospotting"]);
    assert_eq!(told(&beside, "plain"), ["both-act"]);
    assert_eq!(told(&beside, "floor"), ["both-act", "floor-higher"], "34 % of 6 is 3, rounded up");
    let also = ["tag-unknown autospotting_min_ondemand", "no-counterpart autospotting_patch_beanstalk_userdata"];
    assert_eq!(told(&beside, "beanstalk"), [&["both-act"][..], &also[..]].concat());
    assert_eq!(
        told(&beside, "misspelt"),
        ["only-autospotting autospotting_bidding_policy", "tag-unreadable autospotting_bidding_policy"]
    );
    // The same beside settings of its own: they hold where a group has no tag, and policy says nothing of them yet.
    let beside = files.json(&["--policy", &policy, &format!("--from-autospotting={settings}")]);
    let told_of = told(&beside, "plain");
    assert_eq!(told_of, ["both-act", "floor-lower", "looser max-price-over-spot", "looser schedule"]);
    let absent = &beside["settings"]["differences"];
    assert_eq!((absent.as_array().unwrap().len(), &absent[0]["name"]), (1, &"INSTANCE_TERMINATION_METHOD".into()));
    for line in beside["groups"].as_array().unwrap().iter().flat_map(|group| group["differences"].as_array().unwrap()) {
        let label = line["difference"].as_str().unwrap();
        assert!(Difference::LABELS.contains(&label), "{label}");
        assert!(["sentence", "remedy"].iter().all(|key| !line[*key].as_str().unwrap().is_empty()), "{line}");
    }
}

/// What is suggested is a policy, and with it nothing restricts less than AutoSpotting.
#[test]
fn a_suggested_policy_takes_settings_over() {
    let files = Files::usual();
    let settings = format!("--from-autospotting={}", files.path("autospotting.env"));
    let suggested = files.json(&[&settings])["suggested_policy"].as_str().unwrap().to_owned();
    let policy = files.path("suggested.yaml");
    std::fs::write(&policy, &suggested).unwrap();
    let checked = spothub(&["policy", "check", &policy]);
    assert_eq!(checked.exit.code(), 0, "{suggested}\n{}{}", checked.out, checked.err);
    let beside = files.json(&["--policy", &policy, &settings]);
    let labels: Vec<&str> =
        beside["differences"].as_array().unwrap().iter().map(|sum| sum["difference"].as_str().unwrap()).collect();
    assert!(labels.contains(&"both-act"), "{labels:?}");
    assert!(!labels.iter().any(|label| ["floor-lower", "looser", "other"].contains(label)), "{beside:#}");
}

#[test]
fn a_recording_and_the_table_say_the_same() {
    let files = Files::usual();
    let (recording, policy) = (files.path("org.jsonl"), files.path("moved.yaml"));
    let lively = files.json(&["--policy", &policy, "--record", &recording, "--from-autospotting"]);
    let words = ["plan", "--snapshot", &recording, "--policy", &policy, "--from-autospotting"];
    let recorded = spothub(&[&words[..], &["--output", "json"]].concat());
    assert_eq!(serde_json::from_str::<Value>(&recorded.out).unwrap(), lively);
    let table = spothub(&words);
    assert_eq!((table.exit.code(), table.err.as_str()), (0, ""));
    for sum in lively["differences"].as_array().unwrap() {
        let named = format!("{} {}", sum["difference"].as_str().unwrap(), sum["subject"].as_str().unwrap());
        assert!(table.out.contains(named.trim_end()), "{named}: {}", table.out);
    }
    for line in lively["suggested_policy"].as_str().unwrap().lines() {
        assert!(table.out.contains(line), "{line}");
    }
    let told = table.out.split("A policy that says").next().unwrap();
    assert!(told.lines().skip(1).all(|line| line.chars().count() <= 80), "{told}");
}

#[test]
fn what_it_looks_like() {
    let files = Files::usual();
    let (scenario, policy) = (files.path("moving.yaml"), files.path("moved.yaml"));
    let settings = format!("--from-autospotting={}", files.path("autospotting.env"));
    let ran = spothub(&["plan", "--scenario", &scenario, "--policy", &policy, &settings]);
    insta::assert_snapshot!("table", ran.out.replace(&files.path(""), ""));
}

#[test]
fn settings_that_cannot_be_used() {
    let files = Files::usual();
    let (scenario, bad) = (files.path("moving.yaml"), files.path("bad.env"));
    let asked = format!("--from-autospotting={bad}");
    let arguments = ["plan", "--scenario", &scenario, &asked];
    refused(&arguments, &["bad.env: the settings of AutoSpotting cannot be read"]);
    std::fs::write(&bad, "BIDDING_POLICY=low\nMIN_ON_DEMAND_NUMBER\nREGIONS=a\nREGIONS=b\n").unwrap();
    refused(
        &arguments,
        &[
            "bad.env:1: BIDDING_POLICY: \"low\" cannot be used\n   = write normal or aggressive",
            "bad.env:2: this is no KEY=value",
            "bad.env:4: REGIONS: it stands in line 3 already\n   = keep one of them",
        ],
    );
    std::fs::write(&bad, "CRON_SCHEDULE=9-18\n").unwrap();
    refused(&arguments, &["bad.env:1: CRON_SCHEDULE:", "9-18 1-5"]);
    std::fs::write(&bad, b"\xff\xfe\n").unwrap();
    refused(&arguments, &["bad.env:1:1", "UTF-8"]);
    std::fs::write(&bad, vec![b'#'; 70_000]).unwrap();
    refused(&arguments, &["bad.env", "more than 65536 bytes"]);
    refused(&["plan", "--scenario", &scenario, "--from-autospotting", &bad], &["unexpected argument"]);
}

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../control-plane/docs/migrate-from-autospotting.md");
    std::fs::read_to_string(path).unwrap()
}

/// Every difference and every setting has its row.
#[test]
fn the_page_has_every_difference_and_every_setting() {
    let page = page();
    let lacking: Vec<String> = Difference::LABELS
        .iter()
        .map(|label| format!("| `{label}` |"))
        .chain(Setting::ALL.iter().map(|setting| format!("`{}`", setting.name().to_ascii_uppercase())))
        .filter(|row| !page.contains(row))
        .collect();
    assert!(lacking.is_empty(), "{lacking:?}");
}

#[test]
fn the_commands_and_policies_of_its_page_work() {
    let files = Files::usual();
    let page = page();
    let blocks = |kind: &str| -> Vec<String> {
        let fence = format!("```{kind}\n");
        page.split(&fence).skip(1).filter_map(|rest| rest.split("```").next()).map(ToOwned::to_owned).collect()
    };
    for policy in blocks("yaml") {
        std::fs::write(files.path("policy.yaml"), &policy).unwrap();
        let checked = spothub(&["policy", "check", &files.path("policy.yaml")]);
        assert_eq!(checked.exit.code(), 0, "{policy}\n{}{}", checked.out, checked.err);
    }
    assert!(files.0.path().join("policy.yaml").exists());
    let recorded = spothub(&["plan", "--scenario", &files.path("moving.yaml"), "--record", &files.path("org.jsonl")]);
    assert_eq!(recorded.exit.code(), 0, "{}", recorded.err);
    // Those over AWS are the emulator's to run; those of the hub's store have a page of their own.
    let here = |command: &&str| !["--config", "resume", "pause", "status"].iter().any(|word| command.contains(word));
    let shell = blocks("sh").concat();
    let commands: Vec<&str> = shell.lines().filter_map(|line| line.strip_prefix("spothub ")).filter(here).collect();
    assert!(commands.len() >= 4, "{commands:?}");
    for command in commands {
        let words = command.split(' ').map(|word| {
            let (flag, file) = word.split_once('=').map_or(("", word), |(flag, file)| (flag, file));
            match file {
                "org.jsonl" | "policy.yaml" if flag.is_empty() => files.path(file),
                "autospotting.env" => format!("{flag}={}", files.path(file)),
                _ => word.to_owned(),
            }
        });
        let words: Vec<String> = words.collect();
        let ran = spothub(&words.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!((ran.exit.code(), ran.err.as_str()), (0, ""), "{command}");
    }
}
