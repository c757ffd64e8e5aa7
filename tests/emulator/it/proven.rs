//! Least privilege: roles as the templates make them, with policies enforced.
//!
//! Each right is taken away in one account of its own, in place, and what needs it is tried without and with it.

mod hub;
mod journey;
mod member;
mod outside;

use std::sync::{LazyLock, OnceLock};

use aws_config::SdkConfig;
use serde_json::{Value, json};
use spothub_core::id::AccountId;

use crate::clients;
use crate::emulator::{Emulator, HERE, region, run};
use crate::program::Program;
use crate::server::Server;

/// Accounts for the cases of one server.
const CASES: usize = 40;

/// What is rolled out where policies are enforced: every option that cases need, as narrow as it can be.
const ROLLOUT: &str = r#"
hub-id: hub-1
hub:
  account: "123456789012"
  region: us-east-1
  parameters: {OperatorArns: ["arn:aws:iam::123456789012:root"]}
members:
  regions: [REGIONS]
  parameters:
    global: {GroupGuard: opt-in-tag, AllowLaunchConfigurations: true, AllowEcsDraining: true}
"#;

/// The one server on which policies are enforced for cases of members, with what the templates made in it.
static PROVEN: LazyLock<Emulator> = LazyLock::new(|| {
    let accounts = json!([{"name": "case", "count": CASES, "ou": "prod"}, {"name": "gone", "closed": true}]);
    let (server, program, told) = enforced(json!({"bare": true, "regions": [HERE], "accounts": accounts}), HERE);
    assert!(PROGRAM.set(program).is_ok(), "it is made once");
    Emulator::over(server, told)
});

/// The program with the settings that rollout wrote there.
static PROGRAM: OnceLock<Program> = OnceLock::new();

/// A server with an organization to which `spothub rollout apply` was all that happened, policies enforced since; the
/// program with the settings that it wrote; and what the seed told, the hub's keys and queues added.
fn enforced(description: Value, regions: &str) -> (Server, Program, Value) {
    let server = Server::start();
    let mut told = server.seed(description);
    let program = Program::anew(&server);
    std::fs::write(program.path("rollout.yaml"), ROLLOUT.replace("REGIONS", regions)).unwrap();
    let applied = program.ran(&["rollout", "apply", "--yes"]);
    assert_eq!(applied.code, Some(0), "{}\n{}", applied.out, applied.err);
    let control = crate::control::Control::new(&server.url);
    let management = clients::session(&server.url, &region(HERE), ["testing", "testing", ""]);
    let told = run(async move {
        control.post("/switches", &json!({"identity": true})).await;
        let sts = aws_sdk_sts::Client::new(&management);
        let role = "arn:aws:iam::123456789012:role/spothub-hub";
        let keys = sts.assume_role().role_arn(role).role_session_name("proof").send().await.unwrap();
        let keys = keys.credentials.unwrap();
        let queues = aws_sdk_sqs::Client::new(&management);
        let mut urls = serde_json::Map::new();
        for lane in ["urgent", "normal"] {
            let found = queues.get_queue_url().queue_name(format!("spothub-{lane}")).send().await.unwrap();
            urls.insert(lane.to_owned(), json!({"url": found.queue_url.unwrap()}));
        }
        told["hub"] = json!({
            "account": told["management"], "region": HERE, "queues": urls,
            "keys": {
                "AccessKeyId": keys.access_key_id, "SecretAccessKey": keys.secret_access_key,
                "SessionToken": keys.session_token,
            },
        });
        told["external_id"] = told["organization"]["id"].clone();
        told
    });
    (server, program, told)
}

/// A role whose inline policies a test changes, as its account's administrator.
struct Role {
    iam: aws_sdk_iam::Client,
    name: &'static str,
    /// Its policies as they were.
    whole: Vec<(String, Value)>,
}

impl Role {
    async fn of(session: &SdkConfig, name: &'static str) -> Self {
        let iam = aws_sdk_iam::Client::new(session);
        let mut whole = Vec::new();
        let names = iam.list_role_policies().role_name(name).send().await.unwrap().policy_names;
        for policy in names {
            let told = iam.get_role_policy().role_name(name).policy_name(&policy).send().await.unwrap();
            let document = percent_decoded(told.policy_document());
            whole.push((policy, serde_json::from_str(&document).unwrap()));
        }
        assert!(!whole.is_empty(), "{name} has no policy");
        Self { iam, name, whole }
    }

    /// Changes each policy that a change makes another one; one that allows nothing any more goes.
    async fn put(&self, change: impl Fn(&Value) -> Value) {
        for (policy, document) in &self.whole {
            let changed = change(document);
            if changed["Statement"] == json!([]) {
                self.iam.delete_role_policy().role_name(self.name).policy_name(policy).send().await.unwrap();
            } else {
                let request = self.iam.put_role_policy().role_name(self.name).policy_name(policy);
                request.policy_document(changed.to_string()).send().await.unwrap();
            }
        }
    }

    /// Takes an action out of every statement that allows it; it must stand in one.
    async fn strip(&self, action: &str) {
        assert!(
            self.whole.iter().any(|(_, document)| without(document, action) != *document),
            "{action} is not granted"
        );
        self.put(|document| without(document, action)).await;
    }

    async fn restore(&self) {
        self.put(Value::clone).await;
    }
}

/// A policy without an action; a statement that allows nothing any more is left out.
fn without(document: &Value, action: &str) -> Value {
    let mut document = document.clone();
    let statements = document["Statement"].as_array_mut().unwrap();
    for statement in statements.iter_mut().filter(|statement| statement["Effect"] == "Allow") {
        match &mut statement["Action"] {
            Value::Array(actions) => actions.retain(|one| one != action),
            one if *one == action => *one = json!([]),
            _ => (),
        }
    }
    statements.retain(|statement| statement["Action"] != json!([]));
    document
}

/// IAM answers with documents as a URL has them.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = |tail: &[u8]| u8::from_str_radix(std::str::from_utf8(tail.get(..2)?).ok()?, 16).ok();
        match (*first, escaped(tail)) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            (byte, _) => {
                bytes.push(byte);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// Whether a call of the log was refused for want of a right.
fn is_refused(call: &Value) -> bool {
    let code = call["error"].as_str().unwrap_or_default();
    code.starts_with("AccessDenied") || code == "UnauthorizedOperation"
}

/// What the program's last refused call in an account was told: the words name the action.
async fn refusal(account: AccountId) -> String {
    let told = PROVEN.control.get(&format!("/calls?account={account}&agent=spothub")).await;
    let last = told["calls"].as_array().unwrap().iter().rfind(|call| is_refused(call)).cloned();
    last.map_or_else(String::new, |call| call["message"].as_str().unwrap_or_default().to_owned())
}
