//! Which accounts are deployed to: units, newcomers, exceptions, lists; and by whom.

use super::*;

/// The right that lets an account administer stack sets for the organization.
pub(super) const PRINCIPAL: &str = "member.org.stacksets.cloudformation.amazonaws.com";

impl Stage {
    /// An account that joins a unit; its id.
    fn joined(&self, unit: &str) -> AccountId {
        let client = aws_sdk_organizations::Client::new(&self.management);
        let unit = unit.to_owned();
        run(async move {
            let made = client.create_account().account_name("new").email("new@example.com").send().await.unwrap();
            let id = made.create_account_status.unwrap().account_id.unwrap();
            let root = client.list_roots().send().await.unwrap().roots()[0].id().unwrap().to_owned();
            let call = client.move_account().account_id(&id).source_parent_id(root);
            call.destination_parent_id(unit).send().await.unwrap();
            id.parse().unwrap()
        })
    }

    /// Where instances of the regional set are.
    fn places(&self) -> Vec<String> {
        let status = self.status();
        let rows = status["stack_sets"][1]["instances"].as_array().unwrap().clone();
        let place = |row: &Value| format!("{} {}", row["account"].as_str().unwrap(), row["region"].as_str().unwrap());
        let mut places: Vec<String> = rows.iter().map(place).collect();
        places.sort();
        places
    }
}

#[test]
fn an_account_that_joins_a_unit_is_deployed_to() {
    let stage = Stage::new();
    let unit = stage.unit("data");
    stage.file(&format!("  units: [{unit}]\n"), "");
    stage.applied();
    assert!(stage.found(stage.account("lake"), THERE).is_whole());
    assert_eq!(stage.found(stage.account("bank"), THERE), Found::default(), "another unit");
    let newcomer = stage.joined(&unit);
    assert!(stage.found(newcomer, THERE).is_whole(), "{:?}", stage.found(newcomer, THERE));
    let begun = stage.cursor();
    assert_eq!(stage.applied()["made"], json!([]), "it is there already");
    assert!(stage.changes(begun).is_empty());
}

#[test]
fn without_automatic_deployment_the_next_apply_does_it() {
    let stage = Stage::with("  auto-deployment: false\n");
    stage.applied();
    let newcomer = stage.joined(&stage.unit("prod"));
    assert_eq!(stage.found(newcomer, HERE), Found::default());
    let status = stage.rollout(&["status"]);
    assert!(status.code == Some(3) && status.out.contains("2 not there"), "{}", status.out);
    let begun = stage.cursor();
    stage.applied();
    assert_eq!(stage.changes(begun), ["CreateStackInstances", "CreateStackInstances"]);
    assert!(stage.found(newcomer, HERE).is_whole());
}

#[test]
fn exceptions_and_regions_are_withdrawn_where_they_are_named_later() {
    let stage = Stage::with("");
    stage.applied();
    let (bank, lake) = (stage.account("bank"), stage.account("lake"));
    stage.file(&format!("  without: [\"{bank}\"]\n"), "");
    stage.applied();
    assert_eq!(stage.found(bank, HERE), Found::default());
    assert!(stage.found(lake, HERE).is_whole());
    assert_eq!(stage.places().len(), 4);
    let text = std::fs::read_to_string(stage.program.path("rollout.yaml")).unwrap();
    stage.write(&text.replace(&format!("[{HERE}, {THERE}]"), &format!("[{HERE}]")));
    stage.applied();
    assert!(stage.found(lake, THERE).rules.is_empty() && stage.found(lake, HERE).is_whole());
    assert!(stage.places().iter().all(|place| place.ends_with(HERE)), "{:?}", stage.places());
}

#[test]
fn a_delegated_administrator_rolls_out_too() {
    let mut stage = Stage::new();
    let hub = stage.account("bank");
    let client = aws_sdk_organizations::Client::new(&stage.management);
    run(async move {
        let call = client.register_delegated_administrator().account_id(hub.to_string());
        call.service_principal(PRINCIPAL).send().await.unwrap();
    });
    let text = format!(
        "hub-id: hub-1\nhub: {{account: \"{hub}\", region: {HERE}}}\nmembers:\n  call-as: delegated-administrator\n  \
         regions: [{HERE}, {THERE}]\n"
    );
    stage.write(&text);
    let wrong = stage.rollout(&["plan"]);
    assert!(wrong.code == Some(2) && wrong.err.contains("the session is in the management account"), "{}", wrong.err);
    let sts = aws_sdk_sts::Client::new(&stage.management);
    let keys = run(async move {
        let role = format!("arn:aws:iam::{hub}:role/OrganizationAccountAccessRole");
        let answer = sts.assume_role().role_arn(role).role_session_name("installer").send().await.unwrap();
        answer.credentials.unwrap()
    });
    stage.program.set("AWS_ACCESS_KEY_ID", &keys.access_key_id);
    stage.program.set("AWS_SECRET_ACCESS_KEY", &keys.secret_access_key);
    stage.program.set("AWS_SESSION_TOKEN", &keys.session_token);
    stage.applied();
    for name in ["shop", "lake", "bank"] {
        let found = stage.found(stage.account(name), THERE);
        assert!(found.role && found.rules.len() == 3, "{name}: {found:?}");
    }
    let again = stage.cursor();
    stage.applied();
    assert!(stage.changes(again).is_empty(), "{:?}", stage.changes(again));
    stage.write(&text.replace("  call-as: delegated-administrator\n", ""));
    let wrong = stage.rollout(&["plan"]);
    assert!(wrong.code == Some(2) && wrong.err.contains("say call-as: delegated-administrator"), "{}", wrong.err);
}

#[test]
fn a_list_of_accounts_is_deployed_to_by_roles_that_are_there() {
    let stage = Stage::new();
    let (shop, lake) = (stage.account("shop"), stage.account("lake"));
    let list =
        |accounts: &str| format!("  mode: self-managed\n  accounts: [{accounts}]\n  execution-role: installer\n");
    stage.file(&list(&format!("\"{shop}\", \"{lake}\"")), "");
    role(
        &stage,
        MANAGEMENT.parse().unwrap(),
        "AWSCloudFormationStackSetAdministrationRole",
        "cloudformation.amazonaws.com",
    );
    role(&stage, shop, "installer", MANAGEMENT);
    let some = stage.rollout(&["apply", "--yes", "--output", "json"]);
    assert_eq!(some.code, Some(3), "{}\n{}", some.out, some.err);
    assert!(stage.found(shop, THERE).is_whole());
    assert!(some.out.contains(&lake.to_string()) && some.out.contains("installer"), "{}", some.out);
    role(&stage, lake, "installer", MANAGEMENT);
    stage.applied();
    assert!(stage.found(lake, THERE).is_whole());
    assert_eq!(stage.found(stage.account("bank"), THERE), Found::default());
    let settings = std::fs::read_to_string(stage.program.path("spothub.yaml")).unwrap();
    assert!(settings.contains("from: list"), "{settings}");
    stage.file(&list(&format!("\"{lake}\"")), "");
    stage.applied();
    assert_eq!(stage.found(shop, THERE), Found::default());
    assert!(stage.found(lake, HERE).is_whole());
}

/// A role that may do anything, for whom the trust names: a service, or an account.
fn role(stage: &Stage, account: AccountId, name: &'static str, trusted: &str) {
    let iam = aws_sdk_iam::Client::new(&stage.session(account, region(HERE)));
    let principal = match trusted.parse::<AccountId>() {
        Ok(id) => json!({"AWS": format!("arn:aws:iam::{id}:root")}),
        Err(_) => json!({"Service": trusted}),
    };
    let document = |statement: Value| json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
    let trust = document(json!({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}));
    let all = document(json!({"Effect": "Allow", "Action": "*", "Resource": "*"}));
    run(async move {
        iam.create_role().role_name(name).assume_role_policy_document(trust).send().await.unwrap();
        iam.put_role_policy().role_name(name).policy_name("all").policy_document(all).send().await.unwrap();
    });
}
