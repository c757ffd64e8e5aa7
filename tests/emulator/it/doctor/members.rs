//! What is wrong in member accounts.

use aws_sdk_eventbridge::types::{DeadLetterConfig, Target};
use aws_sdk_iam::types::Tag;
use serde_json::{Value, json};

use super::clinic::{Clinic, SPOT_ROLE, account, bad, doctor, said};
use crate::emulator::{HERE, THERE, run};

#[test]
fn where_all_is_well_it_says_so() {
    let clinic = Clinic::over(vec![account("shop"), account("bank")]);
    let program = clinic.program();
    let after = clinic.cursor();
    let ran = doctor(&program, &[]);
    assert_eq!((ran.code, bad(&ran)), (Some(0), vec![]), "{}\n{}", ran.out, ran.err);
    let told = ran.json();
    assert_eq!((&told["accounts"], &told["sites"], &told["template_version"]), (&json!(2), &json!(4), &json!(1)));
    assert_eq!(told["counts"]["probe"], json!({"ok": 4, "warning": 0, "missing": 0, "unknown": 0}), "{told}");
    assert!(told["latency_ms"]["most"].as_i64().unwrap() < 30_000, "{told}");
    println!("doctor of 2 accounts x 2 regions: probes came after {}", told["latency_ms"]);
    // Nothing is changed but for the probes and their messages; all of these are gone from the queue.
    let mut changing = clinic.calls(after, "&changing=true");
    changing.sort();
    changing.dedup();
    assert_eq!(changing, ["events:PutEvents", "sqs:DeleteMessageBatch"], "{changing:?}");
    assert!(!program.path("spothub.db").exists(), "it makes no store");
    assert_eq!(ran.err, "");

    let ran = program.ran(&["doctor", "--config", "spothub.yaml"]);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.out, ran.err);
    for words in
        ["2 accounts and 4 accounts' regions", "All is as it should be.", "a new hub begins paused", "Probes came"]
    {
        assert!(ran.out.contains(words), "{words:?} is missing in\n{}", ran.out);
    }
    assert!(ran.out.lines().count() < 60, "{}", ran.out);

    // A part of it.
    let after = clinic.cursor();
    let (shop, bank) = (clinic.id("shop"), clinic.id("bank"));
    let ran = doctor(&program, &["--account", shop, "--region", THERE, "--no-probe"]);
    assert_eq!((ran.code, bad(&ran)), (Some(0), vec![]), "{}", ran.err);
    let told = ran.json();
    assert_eq!((&told["accounts"], &told["sites"], &told["latency_ms"]), (&json!(1), &json!(1), &Value::Null));
    assert!(told["counts"]["probe"].is_null(), "{told}");
    assert_eq!(clinic.calls(after, "&changing=true"), [""; 0]);
    assert_eq!(clinic.calls(after, &format!("&account={bank}")), [""; 0]);
}

#[test]
fn every_role_that_is_wrong_is_named() {
    let other = {
        let mut other = account("other");
        other["external_id"] = json!("another-external-id");
        other
    };
    let mut absent = account("absent");
    absent["role"] = json!(false);
    let clinic = Clinic::over(vec![account("good"), absent, other, account("open"), account("old"), account("bare")]);
    trust_anybody(&clinic, "open");
    let old = clinic.iam("old");
    run(async move {
        let tag = Tag::builder().key("spothub:template-version").value("0").build().unwrap();
        old.tag_role().role_name("spothub-member").tags(tag).send().await.unwrap();
    });
    let bare = clinic.iam("bare");
    run(async move {
        bare.untag_role().role_name("spothub-member").tag_keys("spothub:template-version").send().await.unwrap();
        bare.delete_role().role_name(SPOT_ROLE).send().await.unwrap();
    });
    let ran = doctor(&clinic.program(), &["--no-probe"]);
    assert_eq!(ran.code, Some(3), "{}\n{}", ran.out, ran.err);
    let id = |name: &str| clinic.id(name).to_owned();
    let mut expected = vec![
        format!("role {} - missing", id("absent")),
        format!("role {} - missing", id("other")),
        format!("external-id {} - missing", id("open")),
        format!("role-version {} - missing", id("old")),
        format!("role-version {} - warning", id("bare")),
        format!("spot-role {} - warning", id("bare")),
    ];
    let mut found = bad(&ran);
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
    // AWS does not tell why a role cannot be assumed, and the row says so.
    for name in ["absent", "other"] {
        let said = said(&ran, "role", Some(clinic.id(name)), None);
        assert!(said.contains("AWS does not say which") && said.contains("external id"), "{said}");
    }
    let open = said(&ran, "external-id", Some(clinic.id("open")), None);
    assert!(open.contains("a wrong external id is admitted") && open.contains("sts:ExternalId"), "{open}");
    let version = said(&ran, "role-version", Some(clinic.id("old")), None);
    assert!(version.contains("template 0") && version.contains("spothub rollout apply"), "{version}");
    // What stands behind a role that cannot be assumed is not asked for, nor told.
    assert_eq!((&ran.json()["accounts"], &ran.json()["sites"]), (&json!(6), &json!(8)));
    assert_eq!(ran.err, "", "each refusal is a row, and no line beside it");
}

/// A trust that checks the hub's account and nothing else.
fn trust_anybody(clinic: &Clinic, name: &str) {
    let hub = clinic.told["hub"]["account"].as_str().unwrap();
    let trust = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": format!("arn:aws:iam::{hub}:root")},
    }]});
    let iam = clinic.iam(name);
    run(async move {
        let request = iam.update_assume_role_policy().role_name("spothub-member");
        request.policy_document(trust.to_string()).send().await.unwrap();
    });
}

#[test]
fn every_rule_that_is_wrong_is_named_and_its_probe_is_lost() {
    let clinic = Clinic::over(vec![account("shop"), account("bank"), account("lake")]);
    // In turn: a probe rule that is off, one that is gone, a target that is no hub, one without dead letters, another
    // pattern, another version, and dead letters that lie there.
    let events = clinic.events("shop", HERE);
    run(async move { events.disable_rule().name("spothub-probe").send().await.unwrap() });
    let events = clinic.events("shop", THERE);
    run(async move {
        events.remove_targets().rule("spothub-urgent").ids("hub").send().await.unwrap();
        events.delete_rule().name("spothub-urgent").send().await.unwrap();
    });
    let row = clinic.row("bank");
    let (events, role) = (clinic.events("bank", HERE), row["forwarder_arn"].as_str().unwrap().to_owned());
    let dead = format!("arn:aws:sqs:{HERE}:{}:spothub-forward-dead", clinic.id("bank"));
    run(async move {
        let dead = DeadLetterConfig::builder().arn(dead).build();
        let elsewhere = "arn:aws:events:us-east-1:111111111111:event-bus/spothub";
        let target = Target::builder().id("hub").arn(elsewhere).role_arn(role).dead_letter_config(dead);
        events.put_targets().rule("spothub-normal").targets(target.build().unwrap()).send().await.unwrap();
    });
    let (events, role) = (clinic.events("bank", THERE), row["forwarder_arn"].as_str().unwrap().to_owned());
    let bus = clinic.told["hub"]["bus_arn"].as_str().unwrap().to_owned();
    run(async move {
        let target = Target::builder().id("hub").arn(bus).role_arn(role).build().unwrap();
        events.put_targets().rule("spothub-urgent").targets(target).send().await.unwrap();
    });
    let events = clinic.events("lake", HERE);
    run(async move {
        let request =
            events.put_rule().name("spothub-normal").event_pattern(json!({"source": ["aws.ec2"]}).to_string());
        request.description("For the hub of spothub (template 0)").send().await.unwrap();
    });
    let sqs = aws_sdk_sqs::Client::new(&clinic.administrator("lake", THERE));
    run(async move {
        let url = sqs.get_queue_url().queue_name("spothub-forward-dead").send().await.unwrap().queue_url.unwrap();
        sqs.send_message().queue_url(url).message_body("{}").send().await.unwrap();
    });

    let ran = doctor(&clinic.program(), &["--probe-wait", "4s"]);
    assert_eq!(ran.code, Some(3), "{}\n{}", ran.out, ran.err);
    let at = |name: &str, at: &str| format!("{} {at}", clinic.id(name));
    let mut expected = vec![
        format!("rule-probe {} missing", at("shop", HERE)),
        format!("probe {} missing", at("shop", HERE)),
        format!("rule-urgent {} missing", at("shop", THERE)),
        format!("rule-normal {} missing", at("bank", HERE)),
        format!("rule-urgent {} missing", at("bank", THERE)),
        format!("rule-normal {} missing", at("lake", HERE)),
        format!("rules-version {} missing", at("lake", HERE)),
        format!("dead-letters {} warning", at("lake", THERE)),
    ];
    let mut found = bad(&ran);
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
    let said = |check: &str, name: &str, at: &str| said(&ran, check, Some(clinic.id(name)), Some(at));
    for (words, said) in [
        ("aws events enable-rule --name spothub-probe --region us-east-1", said("rule-probe", "shop", HERE)),
        ("within 4 s", said("probe", "shop", HERE)),
        ("there is no rule spothub-urgent", said("rule-urgent", "shop", THERE)),
        ("and not to the hub's bus", said("rule-normal", "bank", HERE)),
        ("no dead letters", said("rule-urgent", "bank", THERE)),
        ("its pattern is not that of this version", said("rule-normal", "lake", HERE)),
        ("template 0", said("rules-version", "lake", HERE)),
        ("1 event could not be forwarded", said("dead-letters", "lake", THERE)),
    ] {
        assert!(said.contains(words) && !said.ends_with("= -"), "{words:?} is missing in {said}");
    }
}

#[test]
fn a_quota_that_is_too_small_and_a_closed_region_are_named() {
    let clinic = Clinic::over(vec![account("shop"), account("bank")]);
    let (shop, bank) = (clinic.id("shop").to_owned(), clinic.id("bank").to_owned());
    let small = json!({"account": shop, "region": HERE, "service": "ec2", "code": "L-34B43A08", "value": 1});
    clinic.post("/quotas", small);
    let closed = json!({"service": "events", "account": bank, "region": THERE, "count": null,
        "code": "UnrecognizedClientException", "status": 403});
    clinic.post("/faults", closed);
    let ran = doctor(&clinic.program(), &[]);
    assert_eq!(ran.code, Some(3), "{}\n{}", ran.out, ran.err);
    let mut found = bad(&ran);
    found.sort();
    assert_eq!(found, [format!("region {bank} {THERE} missing"), format!("spot-quota {shop} {HERE} warning")]);
    let quota = said(&ran, "spot-quota", Some(&shop), Some(HERE));
    // One m5.large on demand would be swapped.
    assert!(quota.contains("1 vCPUs, 0 in use, 2 more wanted") && quota.contains("L-34B43A08 to 2"), "{quota}");
    let region = said(&ran, "region", Some(&bank), Some(THERE));
    assert!(region.contains("enable the region in the account"), "{region}");
}

#[test]
fn groups_that_iam_would_refuse_are_named() {
    let yes = json!({"spothub:enabled": "true"});
    let profile = json!({"IamInstanceProfile": {"Name": "app"}});
    let mut shop = account("shop");
    shop["groups"] = json!([
        {"name": "web", "desired": 1, "max": 2, "tags": yes},
        {"name": "untagged", "desired": 1, "max": 2},
        {"name": "old style", "desired": 1, "max": 2, "launch": "configuration", "tags": yes},
        {"name": "app", "min": 0, "desired": 0, "max": 2, "tags": yes, "data": profile},
    ]);
    shop["regions"] = json!([HERE]);
    let clinic = Clinic::over(vec![shop]);
    let iam = clinic.iam("shop");
    let groups = aws_sdk_autoscaling::Client::new(&clinic.administrator("shop", HERE));
    run(async move {
        let role = iam.create_role().role_name("app").path("/team/").assume_role_policy_document("{}");
        role.send().await.unwrap();
        iam.create_instance_profile().instance_profile_name("app").send().await.unwrap();
        iam.add_role_to_instance_profile().instance_profile_name("app").role_name("app").send().await.unwrap();
        // Nothing starts with a profile that is not there yet.
        groups.set_desired_capacity().auto_scaling_group_name("app").desired_capacity(1).send().await.unwrap();
    });
    let mut program = clinic.program();
    std::fs::write(program.path("policy.yaml"), "defaults: {enabled: true}\n").unwrap();
    let only = ["--region", HERE, "--no-probe"];
    let ran = doctor(&program, &only);
    assert_eq!((ran.code, bad(&ran)), (Some(0), vec![]), "{}\n{}", ran.out, ran.err);

    program.set("SPOTHUB_GROUP_GUARD", "opt-in-tag");
    program.set("SPOTHUB_LAUNCH_CONFIGURATIONS", "false");
    program.set("SPOTHUB_PASSABLE_ROLES", "/other/*");
    program.set("SPOTHUB_ON_DEMAND_FALLBACK", "false");
    let ran = doctor(&program, &only);
    let id = clinic.id("shop");
    let rows = ["iam-guard", "launch-configuration-not-allowed", "profile-not-passable"];
    assert_eq!((ran.code, bad(&ran)), (Some(0), rows.map(|check| format!("{check} {id} {HERE} warning")).to_vec()));
    for (check, words) in rows.into_iter().zip(["untagged = tag them", ": old style = move", ": app = add"]) {
        let said = said(&ran, check, Some(id), Some(HERE));
        assert!(said.contains(words), "{words:?} is missing in {said}");
    }
    // What is no fault, and not granted, is told.
    assert!(said(&ran, "on-demand-fallback", None, None).contains("are not granted"));
    let ran = program.ran(&["doctor", "--config", "spothub.yaml", "--region", HERE, "--no-probe"]);
    assert!(ran.out.contains("on-demand-fallback: on-demand launches for rescues are not granted"), "{}", ran.out);
}
