//! The page "Install in an organization", followed word for word: from an organization with nothing of ours in it to
//! the first plan, and away again.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;

use super::Journey;
use crate::emulator::run;
use crate::organization::{self, SERVED};
use crate::program::Program;

/// The page's commands, block by block.
fn blocks() -> Vec<Vec<String>> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../control-plane/docs/install.md");
    let text = fs::read_to_string(page).unwrap();
    let blocks = text.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.map(|block| block.lines().map(ToOwned::to_owned).collect()).collect()
}

/// Types a line at a terminal of its own, with `answer` for whatever it asks; what it says, and its exit code.
fn typed(program: &Program, line: &str, answer: &str) -> (Option<i32>, String) {
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--flush", "--command", line, "/dev/null"]);
    program.dress(&mut command);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(answer.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The keys of a role with every right in the hub's account, as people have them.
fn installer(journey: &Journey) -> [String; 3] {
    let session = journey.management.clone();
    run(async move {
        let trust = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "sts:AssumeRole"},
        ]});
        let all = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]});
        let iam = aws_sdk_iam::Client::new(&session);
        let role = iam.create_role().role_name("installer").assume_role_policy_document(trust.to_string());
        let arn = role.send().await.unwrap().role.unwrap().arn;
        let policy = iam.put_role_policy().role_name("installer").policy_name("all");
        policy.policy_document(all.to_string()).send().await.unwrap();
        let sts = aws_sdk_sts::Client::new(&session);
        let keys = sts.assume_role().role_arn(arn).role_session_name("alice").send().await.unwrap();
        let keys = keys.credentials.unwrap();
        [keys.access_key_id, keys.secret_access_key, keys.session_token]
    })
}

#[test]
fn the_page_is_followed_word_for_word() {
    let mut description = organization::description();
    description["bare"] = json!(true);
    let journey = Journey::over(description);
    let mut program = Program::anew(&journey.server);
    let [key, secret, token] = installer(&journey);
    program.set("AWS_ACCESS_KEY_ID", &key);
    program.set("AWS_SECRET_ACCESS_KEY", &secret);
    program.set("AWS_SESSION_TOKEN", &token);
    let before = journey.snapshot();
    let [install, remove] = <[Vec<String>; 2]>::try_from(blocks()).unwrap();

    // Five commands; the first of them builds the program, which the tests have built already.
    assert_eq!(install.len(), 5);
    assert_eq!(install[0], "cargo install --locked --path control-plane/cli");
    let mut last = String::new();
    for line in &install[1..] {
        let (code, said) = typed(&program, line, "yes\n");
        assert_eq!(code, Some(0), "{line}\n{said}");
        last = said;
    }
    for account in SERVED {
        assert!(last.contains(account), "{account} is in the plan:\n{last}");
    }
    assert_eq!(journey.snapshot(), before, "nothing of the owners' has changed");

    let (code, said) = typed(&program, &remove[0], "yes\n");
    assert_eq!((remove.len(), code), (1, Some(0)), "{said}");
}
