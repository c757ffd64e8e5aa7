//! `plan`: it says what the engine then does, from a recording as from the world itself, and changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use spothub_core::id::InstanceId;
use spothub_core::port::{Clock, Directory, Prices};
use spothub_hub::limit::Throttled;
use spothub_hub::survey::{Blank, Depth, Survey, reading};
use spothub_hub::{Engine, Settings};
use spothub_sim::organization::Organization;
use spothub_sim::record::{By, GroupRef, Record, Sink, What};
use spothub_sim::scenario::Scenario;

use crate::cli::{refused, spothub};
use crate::played::{play, scenario};

/// Records that outlive their organization.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<Record>>>);

impl Sink for Kept {
    fn take(&mut self, record: &Record) {
        self.0.lock().unwrap().push(record.clone());
    }
}

/// A survey of a simulated organization at its start, with all that it did there.
pub(crate) fn surveyed(scenario: &Scenario, seed: u64, depth: Depth) -> (Survey, Vec<Record>) {
    let kept = Kept::default();
    let organization = Organization::new(&scenario.shape(seed), seed, vec![Box::new(kept.clone())]);
    let built = kept.0.lock().unwrap().len();
    let clock: Arc<dyn Clock> = Arc::new(organization.clock());
    let cloud = Arc::clone(&organization.cloud);
    let settings = Settings { policy: scenario.policy.clone(), ..Settings::default() };
    let look = Arc::new(Throttled::new(
        Arc::clone(&cloud),
        Arc::clone(&clock),
        settings.limiter_wait_max,
        settings.shares.clone(),
    ));
    let ports =
        reading(look, Arc::clone(&cloud) as Arc<dyn Prices>, cloud as Arc<dyn Directory>, clock, Blank::default());
    let engine = Engine::new(ports, settings);
    let survey = organization.exec.run(async move { engine.survey(depth).await });
    let records = kept.0.lock().unwrap().split_off(built);
    (survey.expect("it ends").expect("the directory answers"), records)
}

fn at(key: &spothub_core::id::GroupKey) -> GroupRef {
    GroupRef { account: key.site.account, region: key.site.region.clone(), group: key.name.clone() }
}

fn json(arguments: &[&str]) -> Value {
    let ran = spothub(&[&["plan", "--output", "json"], arguments].concat());
    assert!([0, 3].contains(&ran.exit.code()), "{}", ran.err);
    serde_json::from_str(&ran.out).unwrap()
}

/// The first swap of each group within this time is begun from the world as it was built.
const AT_ONCE_MS: i64 = 60_000;

fn foretells(name: &str, seed: u64, at_least: usize) {
    let (survey, _) = surveyed(&scenario(name), seed, Depth::Decision);
    let planned: BTreeMap<GroupRef, _> = survey.groups.iter().map(|g| (at(&g.view.key), &g.plan)).collect();
    let mut begun = BTreeMap::<GroupRef, InstanceId>::new();
    for record in play(name, seed, 1).records() {
        if let What::Swap { group, rescue: false, old, .. } = record.what
            && record.t < AT_ONCE_MS
        {
            begun.entry(group).or_insert(old);
        }
    }
    assert!(begun.len() >= at_least, "only {} groups begin a swap at once", begun.len());
    for (group, old) in &begun {
        let swap = planned[group].swap.as_ref().map(|swap| &swap.old);
        assert_eq!(swap, Some(old), "{group:?} begins with another member than planned");
    }
    // The other way round: who is not planned to begin does not.
    let idle = planned.iter().filter(|(_, plan)| plan.swap.is_none());
    let broken: Vec<_> = idle.filter(|(group, _)| begun.contains_key(group)).collect();
    assert!(broken.is_empty(), "{broken:?}");
    let expected = planned.values().filter(|plan| plan.swap.is_some()).count();
    assert!(begun.len() * 10 >= expected * 9, "{} of {expected} planned groups begin at once", begun.len());
}

#[test]
fn the_engine_begins_what_was_planned() {
    foretells("small", 1, 40);
    foretells("small", 2, 40);
    foretells("windows", 1, 20);
}

#[test]
fn a_survey_looks_and_changes_nothing() {
    for (name, depth) in [("small", Depth::Decision), ("small", Depth::Whole), ("messy", Depth::Whole)] {
        let (survey, records) = surveyed(&scenario(name), 2, depth);
        assert!(!survey.groups.is_empty());
        let mut looks = 0;
        for record in &records {
            if let What::Call(call) = &record.what {
                assert!(!call.changing, "{} was sent by a survey", call.action);
                looks += 1;
            }
            if let What::InstanceStart(start) = &record.what {
                assert_ne!(start.by, By::Spothub);
            }
            assert!(!matches!(record.what, What::Swap { .. } | What::Hold { .. }), "{record:?} by a survey");
        }
        assert!(looks > 10, "it looks");
    }
}

/// One call for a page of groups, one for members, and what the plan asks: idle groups cost nothing of their own.
#[test]
fn a_survey_asks_no_more_than_it_needs() {
    let (survey, records) = surveyed(&scenario("small"), 1, Depth::Decision);
    let calls = records.iter().filter(|record| matches!(record.what, What::Call(_))).count();
    let sites: BTreeSet<_> = survey.groups.iter().map(|group| &group.view.key.site).collect();
    let asking = survey.groups.iter().filter(|group| group.template.is_some()).count();
    // Two for a template and its image, two for hooks and refreshes; some are asked again after a failure.
    assert!(calls <= 2 * sites.len() + 4 * asking + 10, "{calls} calls for {} sites", sites.len());
}

#[test]
fn an_opted_out_group_is_never_proposed() {
    let mut opted_out = 0;
    for name in Scenario::NAMES.into_iter().filter(|name| *name != "large") {
        let (survey, _) = surveyed(&scenario(name), 2, Depth::Decision);
        for group in &survey.groups {
            if group.effective.standing != spothub_core::policy::Standing::Enabled {
                assert!(group.plan.swap.is_none() && group.course.is_empty(), "{}", group.view.key);
                assert_eq!(group.saving().members, 0);
                opted_out += 1;
            }
            let on_demand = group.members().on_demand;
            assert!(on_demand - group.saving().members >= group.floor.min(on_demand), "{}", group.view.key);
        }
    }
    assert!(opted_out > 5, "only {opted_out} have no wish to be swapped");
}

/// The policy that the scenario `small` has, as a file of its own.
const POLICY: &str = "defaults: {enabled: true, min-saving: 10%, interval: 2m, settle: 60s}\n";

#[test]
fn a_recording_gives_the_same_plan() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (file, policy, by_tag) = (path("org.jsonl"), path("policy.yaml"), path("by-tag.yaml"));
    std::fs::write(&policy, POLICY).unwrap();
    std::fs::write(&by_tag, "defaults: {enabled: by-tag}\n").unwrap();
    // Recorded under a policy that acts nowhere, so that all else was read for the recording's sake.
    let idle = json(&["--scenario", "small", "--record", &file, "--policy", &by_tag]);
    assert_eq!(idle["swaps_now"], 0);
    let recorded = spothub(&["plan", "--snapshot", &file, "--policy", &policy, "--output", "json"]);
    assert_eq!((recorded.exit.code(), recorded.err.as_str()), (0, ""));
    let again = path("again.jsonl");
    let lively = spothub(&["plan", "--scenario", "small", "--record", &again, "--policy", &policy, "--output", "json"]);
    assert_eq!(recorded.out, lively.out, "the same looks under another policy");
    assert_eq!(std::fs::read(&file).unwrap(), std::fs::read(&again).unwrap(), "policy is no part of a recording");
    let from_it = spothub(&["plan", "--snapshot", &again, "--policy", &policy, "--output", "json"]);
    assert_eq!(from_it.out, lively.out);
}

#[test]
fn figures_add_up() {
    let plan = json(&["--scenario", "small"]);
    let sum = |lines: &Value, of: fn(&Value) -> u64| lines.as_array().unwrap().iter().map(of).sum::<u64>();
    let swaps = |line: &Value| line["saving"]["members"].as_u64().unwrap();
    let all = plan["saving"]["members"].as_u64().unwrap();
    assert!(all > 100);
    for lines in [&plan["rollups"]["accounts"], &plan["rollups"]["ous"], &plan["groups"]] {
        assert_eq!(sum(lines, swaps), all);
    }
    let held: u64 = plan["holds"].as_object().unwrap().values().map(|hold| hold["members"].as_u64().unwrap()).sum();
    assert_eq!(held + all, plan["members"]["on_demand"].as_u64().unwrap(), "each member is swapped or has a reason");
    let money = |at: &Value, key: &str| at[key].as_str().unwrap().parse::<f64>().unwrap();
    let total = plan["groups"].as_array().unwrap().iter().map(|g| money(&g["saving"], "saved_usd_per_hour"));
    assert!((total.sum::<f64>() - money(&plan["saving"], "saved_usd_per_hour")).abs() < 1e-6);
    let month = money(&plan["saving"], "saved_usd_per_month");
    assert!((month - 730.0 * money(&plan["saving"], "saved_usd_per_hour")).abs() < 1e-3);
}

#[test]
fn the_same_seed_gives_the_same_table() {
    let table = || spothub(&["plan", "--scenario", "small"]);
    let (one, two) = (table(), table());
    assert_eq!((one.exit.code(), one.err.as_str()), (0, ""));
    assert_eq!(one.out, two.out);
    for line in one.out.lines() {
        assert!(line.chars().count() <= 80, "{line:?}");
    }
    for words in ["Saved by organizational unit", "Groups that save most", "they are in no sum", "What to try next"] {
        assert!(one.out.contains(words), "{words}");
    }
}

/// The hub's stored recording: three groups, a closed account, and a site that did not answer.
const STORED: &str = "../control-plane/hub/src/snapshot/format-1.jsonl";

#[test]
fn what_a_plan_looks_like() {
    let table = spothub(&["plan", "--snapshot", STORED]);
    assert_eq!(table.exit.code(), 3, "{}", table.err);
    insta::assert_snapshot!("plan_table", format!("{}--\n{}", table.out, table.err));
    insta::assert_snapshot!("plan_json", spothub(&["plan", "--snapshot", STORED, "--output", "json"]).out);
}

#[test]
fn the_commands_of_its_page_work() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("policy.yaml"), POLICY).unwrap();
    let page = std::fs::read_to_string("../control-plane/docs/plan.md").unwrap();
    // Those over AWS are the emulator's to run.
    let here = |command: &&str| !command.contains("--config");
    let commands: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("spothub ")).filter(here).collect();
    assert!(commands.len() >= 5);
    for command in commands {
        let words = command.split(' ').map(|word| match word {
            "org.jsonl" | "policy.yaml" => path(word),
            _ => word.to_owned(),
        });
        let words: Vec<String> = words.collect();
        let ran = spothub(&words.iter().map(String::as_str).collect::<Vec<_>>());
        // How far a long run is: on a slow machine it tells.
        let told: Vec<&str> = ran.err.lines().filter(|line| !line.contains(" virtual hours, ")).collect();
        assert_eq!((ran.exit.code(), told), (0, vec![]), "{command}");
    }
}

/// An organization in which one account's role cannot be assumed and another is suspended.
const REFUSING: &str = "\
accounts:
  - {id: '000000000001', name: good, ou: /prod, regions: [eu-west-1]}
  - {id: '000000000002', name: gone, ou: /prod, regions: [eu-west-1], unreachable: always}
  - {id: '000000000003', name: shut, ou: /prod, regions: [eu-west-1], active: false}
groups:
  - {name: a, account: good, region: eu-west-1, type: m5.large, desired: 3}
  - {name: b, account: gone, region: eu-west-1, type: m5.large, desired: 3}
policy:
  defaults: {enabled: true}
";

#[test]
fn an_account_that_refuses_is_named_and_makes_the_plan_partial() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let (file, recording) = (path("refusing.yaml"), path("org.jsonl"));
    std::fs::write(&file, REFUSING).unwrap();
    let words = "account 000000000002 in eu-west-1: its groups could not be read: the account cannot be reached";
    let ran = spothub(&["plan", "--scenario", &file, "--record", &recording]);
    assert_eq!(ran.exit.code(), 3, "{}", ran.err);
    assert!(ran.err.contains(words), "{}", ran.err);
    assert!(ran.out.contains("Not seen: 1 read") && ran.out.contains("1 account not active"), "{}", ran.out);
    // A recording tells the same of what was not seen, with the same exit code.
    let ran = spothub(&["plan", "--snapshot", &recording, "--output", "json"]);
    assert_eq!(ran.exit.code(), 3, "{}", ran.err);
    assert!(ran.err.contains(words), "{}", ran.err);
    let plan: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((&plan["groups_seen"], &plan["missed"][0]["fault"]), (&1.into(), &"unreachable".into()));
    assert_eq!(plan["set_aside"][0]["account_name"], "shut");
}

/// Micro-USD of an amount.
fn micros(text: &str) -> i64 {
    text.replace('.', "").parse().unwrap()
}

#[test]
fn csv_has_a_line_for_each_group_and_adds_up() {
    let plan = json(&["--scenario", "small"]);
    let ran = spothub(&["plan", "--scenario", "small", "--output", "csv"]);
    assert_eq!(ran.exit.code(), 0, "{}", ran.err);
    let rows: Vec<Vec<&str>> = ran.out.lines().map(|line| line.split(',').collect()).collect();
    let column = |name: &str| rows[0].iter().position(|head| *head == name).unwrap();
    assert_eq!(rows.len(), plan["groups"].as_array().unwrap().len() + 1);
    assert!(rows.iter().all(|row| row.len() == rows[0].len()), "no cell of this scenario needs quotes");
    for name in ["saved_usd_per_month", "saved_usd_per_hour_at_least"] {
        // What is not known is empty, and in no sum.
        let cells = rows[1..].iter().map(|row| row[column(name)]).filter(|cell| !cell.is_empty());
        assert_eq!(cells.map(micros).sum::<i64>(), micros(plan["saving"][name].as_str().unwrap()), "{name}");
    }
    let unknown = rows[1..].iter().filter(|row| row[column("saved_usd_per_month")].is_empty()).count();
    assert_eq!(unknown as u64, plan["saving"]["groups_unknown"].as_u64().unwrap());
}

#[test]
fn names_of_members_do_nothing_in_csv_and_html() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (seen, hostile, page) = (file("seen.jsonl"), file("hostile.jsonl"), file("plan.html"));
    assert_eq!(spothub(&["plan", "--scenario", "small", "--record", &seen]).exit.code(), 0);
    let text = std::fs::read_to_string(&seen).unwrap();
    assert!(text.contains("\"gateway-0\"") && text.contains("\"shop-prod\""));
    let text = text.replace("\"gateway-0\"", "\"=1+<b>\"").replace("\"shop-prod\"", "\"@<script>,\"");
    std::fs::write(&hostile, text).unwrap();
    let csv = spothub(&["plan", "--snapshot", &hostile, "--output", "csv"]);
    assert!(csv.out.contains(",'=1+<b>,") && csv.out.contains(",\"'@<script>,\","), "{}", csv.out);
    let ran = spothub(&["plan", "--snapshot", &hostile, "--output", "html", "--out", &page]);
    assert_eq!((ran.exit.code(), ran.out.as_str()), (0, ""), "{}", ran.err);
    let html = std::fs::read_to_string(&page).unwrap();
    assert!(html.contains("=1+&#60;b&#62;") && !html.contains("<b>") && html.matches("<script>").count() == 1);
    assert!(!html.contains("http://") && !html.contains("https://"), "it loads nothing");
}

#[test]
fn bad_input_of_a_plan() {
    refused(
        &["plan", "--scenario", "small", "--from-autospotting", "--output", "html"],
        &["--from-autospotting is printed as a table or as JSON"],
    );
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    refused(&["plan"], &["--scenario", "--snapshot"]);
    refused(&["plan", "--snapshot", "x", "--seed", "3"], &["cannot be used with"]);
    refused(&["plan", "--seed", "3"], &["--scenario <NAME|FILE>"]);
    refused(&["plan", "--scenario", "smal"], &["no scenario \"smal\"", "did you mean small?"]);
    refused(&["plan", "--scenario", "small", "--snapshot", "x"], &["cannot be used with"]);
    refused(&["plan", "--snapshot", "x", "--record", "y"], &["cannot be used with"]);
    refused(&["plan", "--snapshot", &path("none.jsonl")], &["none.jsonl: it cannot be read", "No such file"]);
    refused(&["plan", "--snapshot", directory.path().to_str().unwrap()], &["it cannot be read"]);
    refused(&["plan", "--scenario", "small", "--record", &path("no/such/x")], &["cannot be written", "remedy:"]);
    let file = path("org.jsonl");
    std::fs::write(&file, "{\"kind\":\"snapshot\",\"format\":7,\"by\":\"spothub 3.1.0\"}\n").unwrap();
    refused(&["plan", "--snapshot", &file], &["org.jsonl:1: format", "format 7", "reads up to 1", "spothub 3.1.0"]);
    std::fs::write(&file, b"\xff\xfe\n").unwrap();
    refused(&["plan", "--snapshot", &file], &["org.jsonl:1: no snapshot"]);
    let policy = path("policy.yaml");
    std::fs::write(&policy, "defaults: {enabeld: true}\n").unwrap();
    refused(&["plan", "--scenario", "small", "--policy", &policy], &["policy.yaml:1:12", "did you mean enabled?"]);
    refused(&["plan", "--scenario", "small", "--policy", &path("no.yaml")], &["cannot read the policy file"]);
}
