//! What goes wrong on the way is told with its reason, and the next call goes on from there.

use super::accounts::PRINCIPAL;
use super::*;

#[test]
fn a_failing_account_does_not_keep_the_others_and_is_mended_later() {
    let stage = Stage::with("");
    let bank = stage.account("bank");
    let words = "The requested resource exceeds the maximum number allowed";
    let fault = json!({
        "service": "events", "action": "PutRule", "account": bank.to_string(), "region": THERE,
        "code": "LimitExceededException", "message": words, "count": null,
    });
    let id = stage.post("/faults", fault)["id"].as_u64().unwrap();
    let ran = stage.rollout(&["apply", "--yes", "--output", "json"]);
    assert_eq!(ran.code, Some(3), "{}\n{}", ran.out, ran.err);
    let left = &ran.json()["left"];
    assert_eq!((left.as_array().unwrap().len(), &left[0]["does"]), (1, &json!("retry")));
    assert_eq!(left[0]["places"], json!([{"account": bank.to_string(), "region": THERE}]));
    assert!(left[0]["why"][0].as_str().unwrap().contains(words), "{left}");
    assert!(stage.found(bank, HERE).is_whole() && stage.found(stage.account("shop"), THERE).is_whole());
    assert!(stage.found(bank, THERE).rules.is_empty());

    let status = stage.rollout(&["status"]);
    assert_eq!(status.code, Some(3));
    assert!(
        status.out.contains("5 of 6 current") && status.out.contains(&format!("{bank} {THERE} failed")),
        "{}",
        status.out
    );

    let control = stage.control.clone();
    run(async move { control.delete("/faults", id).await });
    let begun = stage.cursor();
    stage.applied();
    assert_eq!(stage.changes(begun), ["UpdateStackSet"], "that one alone");
    stage.assert_whole();
}

#[test]
fn a_hub_that_cannot_be_made_keeps_everything_else_from_being_begun() {
    let stage = Stage::with("");
    let fault = json!({
        "service": "sqs", "action": "CreateQueue", "account": MANAGEMENT, "code": "OverLimit",
        "message": "too many queues", "count": null,
    });
    let id = stage.post("/faults", fault)["id"].as_u64().unwrap();
    let begun = stage.cursor();
    let ran = stage.rollout(&["apply", "--yes"]);
    assert_eq!(ran.code, Some(1), "{}\n{}", ran.out, ran.err);
    let flat = ran.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        flat.contains("without the hub's stack nothing else is begun") && flat.contains("too many queues"),
        "{flat}"
    );
    assert_eq!(stage.changes(begun), ["CreateStack"]);
    assert!(!stage.program.path("spothub.yaml").exists());
    let control = stage.control.clone();
    run(async move { control.delete("/faults", id).await });
    let begun = stage.cursor();
    stage.applied();
    assert_eq!(stage.changes(begun)[..2], ["DeleteStack", "CreateStack"], "what is left of it goes first");
    stage.assert_whole();
}

#[test]
fn what_is_broken_off_goes_on_with_the_next_call() {
    let stage = Stage::with("");
    stage.post("/timings", json!({"stack_set_operation": 3}));
    let mut running = stage.program.begun(&["rollout", "apply", "--yes"]);
    running.line("the first operation", |line| line.as_str().is_some_and(|text| text.starts_with("deploying")));
    running.signal("INT");
    let line = running.line("how to go on", |line| line.as_str().is_some_and(|text| text.contains("waits for it")));
    assert!(line.as_str().unwrap().contains("spothub rollout apply"), "{line}");
    assert_eq!(running.end(), Some(3));
    let plan = stage.rollout(&["plan"]);
    assert!(plan.out.contains("an operation is running"), "{}", plan.out);
    let begun = stage.cursor();
    stage.applied();
    assert_eq!(stage.changes(begun), ["CreateStackSet", "CreateStackInstances"], "the first one was waited for");
    stage.assert_whole();
}

#[test]
fn what_does_not_fit_is_refused_before_anything_is_begun() {
    let stage = Stage::with("");
    let begun = stage.cursor();
    let refused = |words: &str| {
        let ran = stage.rollout(&["apply", "--yes"]);
        assert!(
            ran.code == Some(2) && ran.err.contains(words) && ran.err.contains("nothing was begun"),
            "{words}: {}",
            ran.err
        );
    };
    let text = std::fs::read_to_string(stage.program.path("rollout.yaml")).unwrap();
    stage.write(&format!("organization: o-anotherone1\n{text}"));
    refused("the file is for the organization o-anotherone1");
    let lake = stage.account("lake");
    stage.write(&text.replace(MANAGEMENT, &lake.to_string()));
    refused("name a role to assume there as hub.role");
    stage.write(
        &text.replace(
            &format!("region: {HERE}\n"),
            &format!("region: {HERE}\n  role: arn:aws:iam::000000000001:role/x\n"),
        ),
    );
    refused("which is not in the account");
    stage.write(&text.replace("regions:", "region:"));
    refused("did you mean regions?");
    stage.write(&format!("{text}  accounts: [\"{MANAGEMENT}\"]\n"));
    refused("give it stacks of its own");
    stage.write(&text);
    let client = aws_sdk_organizations::Client::new(&stage.management);
    run(async move { client.disable_aws_service_access().service_principal(PRINCIPAL).send().await.unwrap() });
    refused("aws cloudformation activate-organizations-access");
    assert!(stage.changes(begun).is_empty());
}

#[test]
fn what_has_our_names_and_is_not_ours_is_left_alone() {
    let stage = Stage::with("");
    let client = aws_sdk_cloudformation::Client::new(&stage.management);
    run(async move {
        let body = "Resources:\n  Payments:\n    Type: AWS::SQS::Queue\n";
        client.create_stack().stack_name("spothub-hub").template_body(body).send().await.unwrap();
    });
    let begun = stage.cursor();
    for command in ["plan", "apply", "remove"] {
        let mut line = vec![command];
        line.extend((command != "plan").then_some("--yes"));
        let ran = stage.rollout(&line);
        assert!(
            ran.code == Some(1) && ran.err.contains("the stack spothub-hub is not one of spothub's"),
            "{}",
            ran.err
        );
    }
    assert_eq!(stage.changes(begun), Vec::<String>::new());
}

#[test]
fn another_hub_id_is_another_hub() {
    let stage = Stage::with("");
    stage.applied();
    let text = std::fs::read_to_string(stage.program.path("rollout.yaml")).unwrap();
    stage.write(&text.replace("hub-id: ", "hub-id: other-"));
    let begun = stage.cursor();
    let ran = stage.rollout(&["apply", "--yes"]);
    assert!(ran.code == Some(1) && ran.err.contains("is of the hub"), "{}", ran.err);
    assert_eq!(stage.changes(begun), Vec::<String>::new());
}

#[test]
fn a_hub_in_another_account_is_reached_through_a_role() {
    let stage = Stage::with("");
    let lake = stage.account("lake");
    let text = std::fs::read_to_string(stage.program.path("rollout.yaml")).unwrap();
    let role = format!("region: {HERE}\n  role: arn:aws:iam::{lake}:role/OrganizationAccountAccessRole\n");
    stage.write(&text.replace(MANAGEMENT, &lake.to_string()).replace(&format!("region: {HERE}\n"), &role));
    stage.applied();
    let queues = aws_sdk_sqs::Client::new(&stage.session(lake, region(HERE)));
    let url =
        run(
            async move { queues.get_queue_url().queue_name("spothub-urgent").send().await.unwrap().queue_url.unwrap() },
        );
    let settings = std::fs::read_to_string(stage.program.path("spothub.yaml")).unwrap();
    assert!(settings.contains(&url) && settings.contains("from: list"), "{settings}");
    assert_eq!(stage.program.ran(&["config", "check", "spothub.yaml"]).code, Some(0));
}
