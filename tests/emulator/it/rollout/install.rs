//! From nothing to everything, again, and onwards: what is there, and how little is called.

use super::*;

#[test]
fn everything_is_really_there_and_the_second_time_nothing_is_done() {
    let stage = Stage::with("");
    let before = stage.cursor();
    let plan = stage.rollout(&["plan", "--output", "json"]);
    assert_eq!(plan.code, Some(0), "{}", plan.err);
    let does: Vec<String> = plan.json().as_array().unwrap().iter().map(|row| row["does"].to_string()).collect();
    assert_eq!(does, ["\"create\"", "\"create\"", "\"deploy\"", "\"create\"", "\"deploy\""]);
    assert!(stage.changes(before).is_empty(), "a plan changes nothing");
    assert!(!stage.program.path("spothub.yaml").exists());

    let unasked = stage.rollout(&["apply"]);
    assert!(unasked.code == Some(2) && unasked.err.contains("say --yes"), "{}", unasked.err);
    assert!(stage.changes(before).is_empty(), "nobody was asked, so nothing was done");

    let applied = stage.rollout(&["apply", "--yes"]);
    assert_eq!(applied.code, Some(0), "{}\n{}", applied.out, applied.err);
    for words in [format!("{} {THERE}: done", stage.account("lake")), "creating the stack spothub-hub".to_owned()] {
        assert!(applied.err.contains(&words), "{words}: {}", applied.err);
    }
    assert!(applied.out.contains("written to spothub.yaml"), "{}", applied.out);
    stage.assert_whole();
    let own = stage.found(MANAGEMENT.parse().unwrap(), THERE);
    assert_eq!(own, Found::default(), "stack sets never deploy to the management account");
    let check = stage.program.ran(&["config", "check", "spothub.yaml"]);
    assert_eq!(check.code, Some(0), "{}", check.err);

    let status = stage.rollout(&["status", "--output", "json"]);
    assert_eq!(status.code, Some(0), "{}", status.out);
    let status = status.json();
    assert_eq!(status["stack_sets"][1]["current"], 6);
    assert!(
        status["stack_sets"][1]["instances"].as_array().unwrap().iter().all(|row| row["version"] == status["version"])
    );

    let again = stage.cursor();
    let second = stage.applied();
    assert_eq!((&second["made"], &second["good"]), (&json!([]), &json!(true)));
    assert!(stage.changes(again).is_empty(), "{:?}", stage.changes(again));
    assert_eq!(second["settings"]["is"], "right");
}

#[test]
fn a_change_of_parameters_arrives_everywhere() {
    let stage = Stage::with("");
    stage.applied();
    let sites = [stage.account("shop"), stage.account("lake")];
    let role = |account| policies(&stage.session(account, region(HERE)), "spothub-member");
    assert!(sites.iter().all(|account| role(*account).contains("spothub%3Aenabled")));
    stage.file("  parameters: {global: {GroupGuard: none, RolePath: /}}\n", "tags: {team: platform}\n");
    let begun = stage.cursor();
    let applied = stage.applied();
    assert_eq!(stage.changes(begun), ["UpdateStack", "UpdateStackSet", "UpdateStackSet"]);
    assert!(sites.iter().all(|account| !role(*account).contains("spothub%3Aenabled")));
    assert_eq!(applied["settings"]["is"], "renewed");
    let settings = std::fs::read_to_string(stage.program.path("spothub.yaml")).unwrap();
    assert!(settings.contains("group-guard: none"), "{settings}");
    stage.assert_whole();

    // What somebody has changed there is theirs.
    std::fs::write(stage.program.path("spothub.yaml"), settings.replace("hub-1", "hub-2") + "listen: \"off\"\n")
        .unwrap();
    let applied = stage.rollout(&["apply", "--yes"]);
    let flat = applied.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(applied.code == Some(0) && flat.contains("something else than this rollout in: hub-id"), "{flat}");
    let kept = std::fs::read_to_string(stage.program.path("spothub.yaml")).unwrap();
    assert!(kept.contains("hub-2") && kept.contains("listen"));
}

#[test]
fn the_example_filled_in_by_aws_is_applied_as_it_stands() {
    let stage = Stage::new();
    let example = stage.rollout(&["example", "--from-aws"]);
    assert_eq!(example.code, Some(0), "{}", example.err);
    stage.write(&example.out);
    let organization = stage.told["organization"]["id"].as_str().unwrap();
    assert!(example.out.contains(&format!("\norganization: {organization}\n")), "{}", example.out);
    stage.applied();
    assert!(stage.found(stage.account("bank"), HERE).is_whole());
    let settings = std::fs::read_to_string(stage.program.path("spothub.yaml")).unwrap();
    assert!(settings.contains(&format!("external-id: \"{organization}\"")), "{settings}");
}

#[test]
fn the_management_account_gets_stacks_of_its_own() {
    let stage = Stage::new();
    stage.file("", "management: {stacks: true}\n");
    stage.applied();
    for name in [HERE, THERE] {
        assert!(stage.found(MANAGEMENT.parse().unwrap(), name).is_whole(), "{name}");
    }
    let again = stage.cursor();
    stage.applied();
    assert!(stage.changes(again).is_empty());
    let settings = std::fs::read_to_string(stage.program.path("spothub.yaml")).unwrap();
    assert!(!settings.contains("without:"), "{settings}");
    let removed = stage.rollout(&["remove", "--yes", "--leave-spot"]);
    assert_eq!(removed.code, Some(0), "{}\n{}", removed.out, removed.err);
    assert_eq!(stage.found(MANAGEMENT.parse().unwrap(), THERE), Found::default());
}
