//! The whole journey with exactly the roles of the templates.

use std::fs;

use serde_json::{Value, json};

use super::{Role, enforced};
use crate::clients;
use crate::control::Control;
use crate::emulator::{HERE, region, run};
use crate::organization::{self, ENABLED, REGIONS, accounts, snapshot};
use crate::program::{Program, QUICK};

/// Settings that a test adds to those that rollout wrote: times as short as the emulator's world is quick, and a policy
/// in a file.
fn quicken(program: &Program) {
    let file = program.path("spothub.yaml");
    let mut text = fs::read_to_string(&file).unwrap();
    let kept = |line: &&str| !["policies:", "store:", "timings:"].iter().any(|key| line.starts_with(key));
    text = text.lines().filter(kept).collect::<Vec<_>>().join("\n");
    text += "\npolicies: [policy.yaml]\npolicy-as-it-stands: true\nstore: dynamodb:spothub\nonce-limit: 5m\n\
             listen: \"127.0.0.1:0\"\ntimings: {tick: 1s, boot-first: 1s, start-interval: 1s, orphan-age: 5s}\n\
             time-outs: {catalogue: \"0\"}\n";
    fs::write(file, text).unwrap();
    fs::write(program.path("policy.yaml"), QUICK).unwrap();
}

#[test]
fn groups_become_spot_with_the_roles_of_the_templates_alone() {
    let yes = json!({ENABLED: "true"});
    let groups = json!([
        {"name": "web", "desired": 2, "max": 3, "target_groups": 1, "tags": yes},
        {"name": "full", "desired": 1, "max": 1, "region": "us-east-1", "tags": yes},
        {"name": "old style", "desired": 1, "max": 2, "launch": "configuration", "region": "eu-west-1", "tags": yes},
        {"name": "left alone", "desired": 1, "max": 2, "tags": {ENABLED: "false"}},
        {"name": "untagged", "desired": 1, "max": 2},
    ]);
    let description = json!({"bare": true, "regions": REGIONS, "accounts": [
        {"name": "shop", "ou": "prod/web", "groups": groups},
        {"name": "bank", "ou": "prod", "groups": groups},
        {"name": "lake", "ou": "data", "groups": groups},
    ]});
    let (server, program, told) = enforced(description, &REGIONS.join(", "));
    quicken(&program);
    let program = program.resumed();
    let management = clients::session(&server.url, &region(HERE), ["testing", "testing", ""]);
    let look = {
        let told = told.clone();
        move || {
            let (management, told) = (management.clone(), told.clone());
            run(async move { snapshot(&management, &told).await })
        }
    };
    let control = Control::new(&server.url);
    let before = look();

    let ran = program.once(&[]);

    assert_eq!(ran.code, Some(0), "{}\n{}", ran.out, ran.err);
    let now = look();
    let wanted = before.wanted(&accounts(&told, &organization::SERVED));
    assert_eq!(wanted.len(), 3 * 4);
    assert_eq!(now.left_behind(&before), Vec::<String>::new());
    assert_eq!((now.converted(), now.touched(&before)), (wanted.clone(), wanted), "{}", ran.err);

    // Nothing was refused on the way: no call was made that the roles do not grant.
    let told = run(async move { control.get("/calls?agent=spothub").await });
    let refused: Vec<_> = told["calls"].as_array().unwrap().iter().filter(|call| super::is_refused(call)).collect();
    assert!(refused.is_empty(), "{refused:?}");
}

/// A hub over one account with a group that has no room: its MaxSize is raised for a swap.
fn without_room() -> (crate::server::Server, Program, Value) {
    let group = json!({"name": "full", "desired": 1, "max": 1, "tags": {ENABLED: "true"}});
    let accounts = json!([{"name": "shop", "ou": "prod", "groups": [group]}]);
    let (server, program, told) = enforced(json!({"bare": true, "regions": [HERE], "accounts": accounts}), HERE);
    quicken(&program);
    (server, program.resumed(), told)
}

/// In the middle of a swap, MaxSize raised and the newcomer attached, somebody takes access away: what the hub can no
/// longer give back is reported with all that its owner needs, once.
fn stranded_after<F>(revoke: impl FnOnce(aws_config::SdkConfig) -> F + Send + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    let (server, program, told) = without_room();
    let control = Control::new(&server.url);
    // Long enough in the middle to be met there.
    let slow = json!({"pending": 0.3, "status_checks": 0.3, "in_service": 6, "target_healthy": 0.2});
    let keep = control.clone();
    run(async move { keep.post("/timings", &slow).await });
    let mut running = program.start(&[]);
    running.line("attached", |line| line.to_string().contains("\"state\":\"settle\""));

    let account: spothub_core::id::AccountId = told["accounts"][0]["id"].as_str().unwrap().parse().unwrap();
    let management = clients::session(&server.url, &region(HERE), ["testing", "testing", ""]);
    let site = spothub_core::id::Site { account, region: region(HERE) };
    let owner = run(async move { clients::administrator(&management, &site).await });
    run(async move { revoke(owner).await });
    let line = running.message("a swap is stranded");
    for word in [account.to_string(), "full".to_owned(), "i-".to_owned()] {
        assert!(line.to_string().contains(&word), "{line}");
    }

    // It is over: nothing tries again what was refused.
    let changing = move || {
        let control = control.clone();
        run(async move { control.get(&format!("/calls?account={account}&agent=spothub&changing=true")).await })
    };
    let count = |told: Value| told["calls"].as_array().unwrap().len();
    let after = count(changing());
    run(crate::clock::wait(std::time::Duration::from_secs(4)));
    assert_eq!(count(changing()), after);
    running.signal("TERM");
    running.end_well();
    let status = program.ran(&["status", "--config", "spothub.yaml"]);
    for word in ["stranded", "full", "aws autoscaling"] {
        assert!(status.out.contains(word), "{word:?} is missing in\n{}", status.out);
    }
}

#[test]
fn an_owner_who_opts_out_in_the_middle_takes_access_away() {
    stranded_after(async |owner: aws_config::SdkConfig| {
        let tag = aws_sdk_autoscaling::types::Tag::builder().key(ENABLED).value("false").resource_id("full");
        let tag = tag.resource_type("auto-scaling-group").propagate_at_launch(true).build();
        let groups = aws_sdk_autoscaling::Client::new(&owner);
        groups.create_or_update_tags().tags(tag).send().await.unwrap();
    });
}

#[test]
fn a_role_that_is_taken_away_in_the_middle_leaves_a_report() {
    stranded_after(async |owner: aws_config::SdkConfig| {
        let role = Role::of(&owner, "spothub-member").await;
        role.put(|_| json!({"Version": "2012-10-17", "Statement": []})).await;
    });
}
