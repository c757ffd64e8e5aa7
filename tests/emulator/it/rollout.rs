//! `spothub rollout` over an organization with nothing of ours in it: what it says, what is really there afterwards as
//! an independent client sees it, and what it calls.

mod accounts;
mod install;
mod removal;
mod trouble;

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use serde_json::{Value, json};
use spothub_core::id::{AccountId, Region, Site};

use crate::clients;
use crate::control::Control;
use crate::emulator::{HERE, THERE, region, run};
use crate::program::{Program, Ran};
use crate::server::Server;

/// The management account, which the hub is in.
const MANAGEMENT: &str = "123456789012";
/// Accounts of the organization, and where they are.
const MEMBERS: [(&str, &str); 3] = [("shop", "prod/web"), ("bank", "prod"), ("lake", "data")];

/// An organization, and the program as whoever installs it has it.
struct Stage {
    /// Held: it ends with this value.
    _server: Server,
    told: Value,
    control: Control,
    management: SdkConfig,
    program: Program,
}

/// What of ours is in an account's region.
#[derive(Debug, Default, Eq, PartialEq)]
struct Found {
    /// The role that the hub assumes, with the guard that its policies have.
    role: bool,
    forwarder: bool,
    /// Rules with their targets, and whether they are enabled.
    rules: BTreeMap<String, (bool, Vec<String>)>,
    /// The queue of what could not be sent.
    dead_letters: bool,
}

impl Found {
    fn is_whole(&self) -> bool {
        let hub = format!("arn:aws:events:{HERE}:{MANAGEMENT}:event-bus/spothub");
        let good = |name: &str| self.rules.get(name).is_some_and(|(on, to)| *on && *to == [hub.clone()]);
        let rules =
            self.rules.len() == 3 && ["spothub-urgent", "spothub-normal", "spothub-probe"].map(good) == [true; 3];
        self.role && self.forwarder && self.dead_letters && rules
    }
}

impl Stage {
    fn new() -> Self {
        let accounts: Vec<Value> = MEMBERS.iter().map(|(name, ou)| json!({"name": name, "ou": ou})).collect();
        let server = Server::start();
        let told = server.seed(json!({"bare": true, "regions": [HERE, THERE], "accounts": accounts}));
        let management = clients::session(&server.url, &region(HERE), ["testing", "testing", ""]);
        let (control, program) = (Control::new(&server.url), Program::anew(&server));
        Self { _server: server, told, control, management, program }
    }

    /// With a file for the whole organization in two regions; `more` stands among the members' keys.
    fn with(more: &str) -> Self {
        let stage = Self::new();
        stage.file(more, "");
        stage
    }

    /// Writes the file.
    fn file(&self, members: &str, more: &str) {
        self.write(&format!(
            "hub-id: hub-1\nhub:\n  account: \"{MANAGEMENT}\"\n  region: {HERE}\n  parameters: {{OperatorArns: \
             [\"arn:aws:iam::{MANAGEMENT}:root\"]}}\nmembers:\n  regions: [{HERE}, {THERE}]\n{members}{more}"
        ));
    }

    fn write(&self, text: &str) {
        std::fs::write(self.program.path("rollout.yaml"), text).unwrap();
    }

    fn account(&self, name: &str) -> AccountId {
        let rows = self.told["accounts"].as_array().unwrap();
        rows.iter().find(|row| row["name"] == name).unwrap()["id"].as_str().unwrap().parse().unwrap()
    }

    /// The id of a unit by its path.
    fn unit(&self, path: &str) -> String {
        self.told["organization"]["units"][path].as_str().unwrap().to_owned()
    }

    fn rollout(&self, arguments: &[&str]) -> Ran {
        self.program.ran(&[&["rollout"], arguments].concat())
    }

    /// `apply`, which has to end well.
    fn applied(&self) -> Value {
        let ran = self.rollout(&["apply", "--yes", "--output", "json"]);
        assert_eq!(ran.code, Some(0), "{}\n{}", ran.out, ran.err);
        ran.json()
    }

    fn status(&self) -> Value {
        self.rollout(&["status", "--output", "json"]).json()
    }

    fn post(&self, path: &str, given: Value) -> Value {
        let (control, path) = (self.control.clone(), path.to_owned());
        run(async move { control.post(&path, &given).await })
    }

    fn cursor(&self) -> u64 {
        let control = self.control.clone();
        run(async move { control.get("/calls?after=4000000000").await["cursor"].as_u64().unwrap() })
    }

    /// The program's changing calls since a cursor.
    fn changes(&self, after: u64) -> Vec<String> {
        let control = self.control.clone();
        let path = format!("/calls?after={after}&changing=true&agent=spothub");
        let told = run(async move { control.get(&path).await });
        told["calls"].as_array().unwrap().iter().map(|call| call["action"].as_str().unwrap().to_owned()).collect()
    }

    /// A session of an account's administrator.
    fn session(&self, account: AccountId, region: Region) -> SdkConfig {
        let management = self.management.clone();
        if account.to_string() == MANAGEMENT {
            return management.into_builder().region(aws_config::Region::new(region.to_string())).build();
        }
        run(async move { clients::administrator(&management, &Site { account, region }).await })
    }

    /// What of ours is there, as the account's administrator sees it.
    fn found(&self, account: AccountId, name: &str) -> Found {
        let session = self.session(account, region(name));
        run(async move { found(&session).await })
    }

    /// Every member account in both regions is whole.
    fn assert_whole(&self) {
        for (name, _) in MEMBERS {
            for region in [HERE, THERE] {
                let found = self.found(self.account(name), region);
                assert!(found.is_whole(), "{name} {region}: {found:?}");
            }
        }
    }
}

async fn found(session: &SdkConfig) -> Found {
    let iam = aws_sdk_iam::Client::new(session);
    let events = aws_sdk_eventbridge::Client::new(session);
    let mut rules = BTreeMap::new();
    for rule in events.list_rules().name_prefix("spothub").send().await.unwrap().rules() {
        let name = rule.name().unwrap().to_owned();
        let targets = events.list_targets_by_rule().rule(&name).send().await.unwrap();
        let arns = targets.targets().iter().map(|target| target.arn().to_owned()).collect();
        let on = rule.state() == Some(&aws_sdk_eventbridge::types::RuleState::Enabled);
        rules.insert(name, (on, arns));
    }
    let queue = aws_sdk_sqs::Client::new(session).get_queue_url().queue_name("spothub-forward-dead").send().await;
    Found {
        role: iam.get_role().role_name("spothub-member").send().await.is_ok(),
        forwarder: iam.get_role().role_name("spothub-forwarder").send().await.is_ok(),
        rules,
        dead_letters: queue.is_ok(),
    }
}

/// A policy of a role, as IAM has it.
fn policies(session: &SdkConfig, role: &'static str) -> String {
    let iam = aws_sdk_iam::Client::new(session);
    run(async move {
        let mut text = String::new();
        for name in iam.list_role_policies().role_name(role).send().await.unwrap().policy_names() {
            let told = iam.get_role_policy().role_name(role).policy_name(name).send().await.unwrap();
            text.push_str(told.policy_document());
        }
        text
    })
}
