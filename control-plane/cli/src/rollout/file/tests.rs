//! The file, right and wrong.

use super::*;
use crate::rollout::template::Templates;

const LEAST: &str =
    "hub-id: hub-1\nhub: {account: \"000000000042\", region: eu-west-1}\nmembers: {regions: [eu-west-1]}\n";

fn parsed(text: &str) -> RolloutFile {
    parse("rollout.yaml", text, &Templates::read().unwrap())
        .unwrap_or_else(|mistakes| panic!("{}", mistakes.0.join("\n")))
}

fn refused(text: &str) -> String {
    parse("rollout.yaml", text, &Templates::read().unwrap()).unwrap_err().0.join("\n")
}

#[test]
fn the_example_is_right_as_it_stands() {
    let file = parsed(&example(&Known::default()));
    assert_eq!((file.hub.stack.as_str(), file.members.global_region.as_str()), ("spothub-hub", "us-east-1"));
    assert_eq!(file.members.mode, Mode::Service { delegated: false, auto: true });
    assert_eq!((file.members.at_once, file.members.may_fail), (100, 100));
    assert!(file.external_id.is_none() && file.organization.is_none() && !file.management.stacks);
}

#[test]
fn the_example_is_right_with_all_that_stands_in_comments() {
    let keys = |line: &str| {
        let Some(rest) = line.trim_start().strip_prefix("# ") else { return line.to_owned() };
        let key = rest.trim_start().split(": ").next().unwrap_or_default();
        let is_key = !key.is_empty() && key.bytes().all(|b| b.is_ascii_lowercase() || b == b'-') && rest.contains(": ");
        let other =
            ["administration-role", "execution-role", "accounts"].contains(&key) || rest.starts_with("service-");
        if is_key && !other
            || rest.starts_with("parameters:")
            || rest.starts_with("  global:")
            || rest.starts_with("  regional:")
        {
            line.replacen("# ", "", 1)
        } else {
            line.to_owned()
        }
    };
    let text: Vec<String> = example(&Known::default()).lines().map(keys).collect();
    let text = text
        .join("\n")
        .replace("\n  mode: self", "\n  # mode: self")
        .replace("\n  self-managed:", "\n  # self-managed:");
    let file = parsed(&text);
    assert_eq!(file.organization.as_deref(), Some("o-exampleorgid"), "{text}");
    assert_eq!(file.members.global["PassableRoleArns"], "arn:aws:iam::*:role/app/*");
    assert_eq!(file.tags["team"], "platform");
}

#[test]
fn what_aws_knows_stands_in_the_example() {
    let text = |text: &str| Some(text.to_owned());
    let operator = "arn:aws:iam::000000000042:role/admin/installer";
    let known = Known {
        organization: text("o-abcdefghij"),
        account: text("000000000042"),
        region: text("eu-central-1"),
        operator: text(operator),
        delegated: true,
    };
    let file = parsed(&example(&known));
    assert_eq!(file.organization.as_deref(), Some("o-abcdefghij"));
    assert_eq!(file.external_id.as_deref(), Some("o-abcdefghij"));
    assert_eq!((file.hub.account.to_string().as_str(), file.hub.region.as_str()), ("000000000042", "eu-central-1"));
    assert_eq!(file.hub.parameters["OperatorArns"], operator);
    assert_eq!(file.members.regions.len(), 1);
    assert!(matches!(file.members.mode, Mode::Service { delegated: true, .. }));
}

#[test]
fn all_mistakes_come_at_once_with_their_places() {
    let text = "hub-id: \"a b\"\norganization: acme\nexternal-id: \"\"\n\
                hub:\n  account: 42\n  region: eu-west-1\n  role: admin\n  \
                parameters: {ImageUr: x, Dashboard: maybe, HubId: x}\nmembers:\n  regions: []\n  mode: self-managed\n  \
                units: [ou-ab12-cdef3456]\n  parameters:\n    global: {GroupGard: none}\nextra: 1\n";
    let told = refused(text);
    for words in [
        "rollout.yaml:1:9: hub-id",
        "rollout.yaml:2:15: organization: \"acme\" is no organization's id",
        "rollout.yaml:3:14: external-id",
        "rollout.yaml:5:12: hub.account",
        "rollout.yaml:7:9: hub.role: \"admin\" is no role",
        "hub.parameters.ImageUr: hub.yaml has no parameter ImageUr",
        "did you mean ImageUri?",
        "\"maybe\" is not one of off, on",
        "the rollout fills in HubId itself, from the key hub-id",
        "members.regions: no region is named",
        "members.units: is for mode: service-managed",
        "no account is named, and mode is self-managed",
        "did you mean GroupGuard?",
        "extra: this key is not known",
    ] {
        assert!(told.contains(words), "{words}:\n{told}");
    }
}

#[test]
fn what_does_not_go_together_is_told() {
    let with =
        |more: &str| refused(&LEAST.replace("{regions: [eu-west-1]}", &format!("{{regions: [eu-west-1], {more}}}")));
    let told = with("accounts: [\"000000000001\"], auto-deployment: true");
    assert!(told.contains("members.auto-deployment: deploys to every account that joins"), "{told}");
    let told = with("execution-role: x");
    assert!(told.contains("members.execution-role: is for mode: self-managed"), "{told}");
    let told = with("mode: self-managed, accounts: [\"000000000001\"], call-as: delegated-administrator");
    assert!(told.contains("members.call-as: is for mode: service-managed"), "{told}");
    let hub = LEAST.replace("region: eu-west-1}", "region: eu-west-1, parameters: {GroupGuard: none}}");
    let both = hub.replace("[eu-west-1]}", "[eu-west-1], parameters: {global: {GroupGuard: opt-out-tag}}}");
    assert!(refused(&both).contains("GroupGuard is given twice"));
    assert_eq!(parsed(&both.replace("opt-out-tag", "none")).members.global["GroupGuard"], "none");
}

#[test]
fn lists_are_given_as_lists() {
    let text = |value: &str| {
        LEAST.replace("[eu-west-1]}", &format!("[eu-west-1], parameters: {{global: {{PassableRoleArns: {value}}}}}}}"))
    };
    let arns = |value: &str| parsed(&text(value)).members.global["PassableRoleArns"].clone();
    assert_eq!(arns("[\"arn:a\", \"arn:b\"]"), "arn:a,arn:b");
    assert_eq!(arns("\"arn:a,arn:b\""), "arn:a,arn:b");
    assert!(refused(&text("[\"arn:a,arn:b\"]")).contains("has a comma"));
    assert!(refused(&text("[\"*\"]")).contains("no ARN that names something"));
}

#[test]
fn a_named_account_list_is_not_deployed_to_by_itself() {
    let text = LEAST.replace("[eu-west-1]}", "[eu-west-1], accounts: [\"000000000001\"]}");
    assert_eq!(parsed(&text).members.mode, Mode::Service { delegated: false, auto: false });
}
