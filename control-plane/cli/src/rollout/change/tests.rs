//! From two states to changes.

use std::collections::BTreeMap;

use spothub_aws::stacks::{Filter, Health, Instance, Named, Operation, SeenModel};

use super::*;
use crate::rollout::desired::{Facts, desired};
use crate::rollout::file::{RolloutFile, parse};
use crate::rollout::template::Templates;

const ROOT: &str = "r-ab12";

fn file(members: &str) -> RolloutFile {
    let text = format!(
        "hub-id: hub-1\nhub: {{account: \"000000000042\", region: eu-west-1}}\n\
         members: {{regions: [eu-west-1, us-east-1]{members}}}\n"
    );
    parse("rollout.yaml", &text, &Templates::read().unwrap()).unwrap_or_else(|m| panic!("{}", m.0.join("\n")))
}

fn facts(accounts: &[u64]) -> Facts {
    Facts {
        partition: "aws".to_owned(),
        organization: "o-exampleorgid".to_owned(),
        management: account(42),
        caller: account(42),
        root: Some(ROOT.parse().unwrap()),
        accounts: accounts.iter().map(|n| account(*n)).collect(),
        outputs: Named::new(),
    }
}

fn account(number: u64) -> AccountId {
    AccountId::from_number(number).unwrap()
}

fn wished(file: &RolloutFile, accounts: &[u64]) -> Desired {
    desired(file, &facts(accounts), &Templates::read().unwrap())
}

/// Everything as it is to be.
fn settled(desired: &Desired) -> Seen {
    let stack = |wish: &StackWish| StackSeen {
        id: format!("arn:stack/{}", wish.name),
        status: "CREATE_COMPLETE".to_owned(),
        phase: Phase::Settled,
        reason: None,
        template: wish.template.text.to_owned(),
        parameters: wish.parameters.clone(),
        tags: wish.tags.clone(),
        outputs: Named::new(),
        changed: "1".to_owned(),
    };
    let set = |wish: &SetWish| {
        let before = wish.after.as_ref().map(|name| format!("arn:set/{name}"));
        let one = |spot: &Spot| Instance {
            account: spot.0,
            region: spot.1.clone(),
            unit: wish.units.first().cloned(),
            health: Health::Current,
            reason: None,
        };
        Some(SetSeen {
            arn: format!("arn:set/{}", wish.name),
            template: wish.template.text.to_owned(),
            parameters: wish.parameters.clone(),
            tags: wish.tags.clone(),
            deployed: SeenModel { model: model_of(wish, before.as_deref()), units: wish.units.clone() },
            instances: wish.spots.iter().map(one).collect(),
            last: None,
        })
    };
    let sets = [set(&desired.sets[0]), set(&desired.sets[1])];
    Seen { hub: Some(stack(&desired.hub)), sets, own: desired.own.iter().map(|wish| Some(stack(wish))).collect() }
}

/// Changes but those that keep, as short words.
fn due(desired: &Desired, seen: &Seen) -> Vec<String> {
    let word = |change: &Change| match &change.thing {
        Thing::Stack { name, region, .. } => format!("{} {name} {region}", change.act.label()),
        Thing::Set { name } => format!("{} {name}", change.act.label()),
        Thing::Instances { name, targets, spots } => {
            let units: Vec<&str> = targets.units.iter().map(spothub_aws::UnitId::as_str).collect();
            let accounts: Vec<String> = targets.accounts.iter().map(|a| a.to_string()[9..].to_owned()).collect();
            let regions: Vec<&str> = targets.regions.iter().map(Region::as_str).collect();
            let (units, accounts, regions) = (units.join(","), accounts.join(","), regions.join(","));
            let filter = match targets.filter {
                Filter::All => "all",
                Filter::Only => "only",
                Filter::Without => "without",
            };
            format!("{} {name} {} of [{units}] {filter} [{accounts}] [{regions}]", change.act.label(), spots.len())
        }
    };
    changes(desired, seen).iter().filter(|change| change.act != Act::Keep).map(word).collect()
}

#[test]
fn from_nothing_to_everything_in_order() {
    let desired = wished(&file(""), &[1, 2, 3]);
    let words = [
        "create spothub-hub eu-west-1",
        "create spothub-member-global",
        "deploy spothub-member-global 3 of [r-ab12] all [] [eu-west-1]",
        "create spothub-member-regional",
        "deploy spothub-member-regional 6 of [r-ab12] all [] [eu-west-1,us-east-1]",
    ];
    assert_eq!(due(&desired, &Seen { own: Vec::new(), ..Seen::default() }), words);
}

#[test]
fn what_is_settled_stays_so() {
    for members in ["", ", without: [\"000000000002\"]", ", accounts: [\"000000000002\"]", ", auto-deployment: false"] {
        let desired = wished(&file(members), &[1, 2, 3]);
        assert!(is_settled(&changes(&desired, &settled(&desired))), "{members}");
    }
    let file = file(", mode: self-managed, accounts: [\"000000000001\", \"000000000002\"]");
    let desired = wished(&file, &[]);
    assert!(is_settled(&changes(&desired, &settled(&desired))));
    assert_eq!(desired.sets[1].spots.len(), 4);
}

#[test]
fn a_parameter_goes_everywhere_it_is_needed() {
    let before = wished(&file(""), &[1]);
    let after = wished(&file(", parameters: {global: {GroupGuard: none}}"), &[1]);
    let words = ["update spothub-hub eu-west-1", "update spothub-member-global"];
    assert_eq!(due(&after, &settled(&before)), words);
    let why = changes(&after, &settled(&before)).remove(0).why;
    assert_eq!(why[0].to_string(), "GroupGuard: opt-in-tag becomes none");
}

#[test]
fn roles_and_paths_follow_from_what_is_given() {
    let text = ", parameters: {global: {RolePath: /spot/, MemberRoleName: watcher}}";
    let desired = wished(&file(text), &[1]);
    let hub: BTreeMap<_, _> = desired.hub.parameters.clone();
    assert_eq!((hub["MemberRolePath"].as_str(), hub["MemberRoleName"].as_str()), ("/spot/", "watcher"));
    let global = &desired.sets[0].parameters;
    assert_eq!((global["HubRoleName"].as_str(), global["HubRolePath"].as_str()), ("spothub-hub", "/"));
    assert_eq!(global["HubBusArn"], "arn:aws:events:eu-west-1:000000000042:event-bus/spothub");
    assert_eq!(desired.sets[1].parameters["RolePath"], "/spot/");
    let mut facts = facts(&[1]);
    facts.outputs.insert("HubRoleArn".to_owned(), "arn:aws:iam::000000000042:role/a/b/hub".to_owned());
    let desired = super::super::desired::desired(&file(""), &facts, &Templates::read().unwrap());
    let global = &desired.sets[0].parameters;
    assert_eq!((global["HubRoleName"].as_str(), global["HubRolePath"].as_str()), ("hub", "/a/b/"));
}

#[test]
fn failures_are_tried_again_and_only_they() {
    let desired = wished(&file(""), &[1, 2, 3]);
    let mut seen = settled(&desired);
    let set = seen.sets[1].as_mut().unwrap();
    set.instances[0].health = Health::Outdated;
    set.instances[0].reason = Some("the role is there already".to_owned());
    set.instances[3].health = Health::Suspended;
    assert_eq!(due(&desired, &seen), ["retry spothub-member-regional 1 of [r-ab12] only [001] [eu-west-1]"]);
    let why = changes(&desired, &seen).into_iter().find(|change| change.act == Act::Retry).unwrap().why;
    assert_eq!(why[0].to_string(), "1 failed: 000000000001 eu-west-1: the role is there already");
    let update = wished(
        &file(", parameters: {regional: {DeadLetterKmsKeyArn: \"arn:aws:kms:eu-west-1:000000000042:key/x\"}}"),
        &[1, 2, 3],
    );
    assert_eq!(due(&update, &seen), ["update spothub-member-regional"], "an update comes to all of them");
}

#[test]
fn what_is_missing_is_deployed_and_what_is_too_much_withdrawn() {
    let desired = wished(&file(""), &[1, 2, 3, 4]);
    let there = wished(&file(""), &[1, 2, 3]);
    let words = [
        "deploy spothub-member-global 1 of [r-ab12] only [004] [eu-west-1]",
        "deploy spothub-member-regional 2 of [r-ab12] only [004] [eu-west-1,us-east-1]",
    ];
    assert_eq!(due(&desired, &settled(&there)), words);
    let without = wished(&file(", without: [\"000000000003\"]"), &[1, 2, 3]);
    // Its workers must not go on with an account that the file leaves out.
    let words = [
        "update spothub-hub eu-west-1",
        "withdraw spothub-member-regional 2 of [r-ab12] only [003] [eu-west-1,us-east-1]",
        "withdraw spothub-member-global 1 of [r-ab12] only [003] [eu-west-1]",
    ];
    assert_eq!(due(&without, &settled(&there)), words, "rules before the role that they send with");
    let units = wished(&file(", units: [ou-ab12-cdef3456]"), &[1]);
    let words = [
        "update spothub-hub eu-west-1",
        "deploy spothub-member-global 0 of [ou-ab12-cdef3456] all [] [eu-west-1]",
        "deploy spothub-member-regional 0 of [ou-ab12-cdef3456] all [] [eu-west-1,us-east-1]",
        "withdraw spothub-member-regional 6 of [r-ab12] all [] [eu-west-1,us-east-1]",
        "withdraw spothub-member-global 3 of [r-ab12] all [] [eu-west-1]",
    ];
    assert_eq!(due(&units, &settled(&there)), words);
}

#[test]
fn regions_come_and_go() {
    let desired = wished(&file(""), &[1, 2]);
    let mut seen = settled(&desired);
    let set = seen.sets[1].as_mut().unwrap();
    for row in set.instances.iter_mut().filter(|row| row.region.as_str() == "us-east-1") {
        row.region = "ap-south-1".parse().unwrap();
    }
    let words = [
        "deploy spothub-member-regional 2 of [r-ab12] all [] [us-east-1]",
        "withdraw spothub-member-regional 2 of [r-ab12] all [] [ap-south-1]",
    ];
    assert_eq!(due(&desired, &seen), words);
}

#[test]
fn lists_of_accounts_are_changed_one_by_one() {
    let of = |accounts: &str| wished(&file(&format!(", mode: self-managed, accounts: [{accounts}]")), &[]);
    let there = of("\"000000000001\", \"000000000002\"");
    let desired = of("\"000000000002\", \"000000000003\"");
    let words = [
        "update spothub-hub eu-west-1",
        "deploy spothub-member-global 1 of [] all [003] [eu-west-1]",
        "deploy spothub-member-regional 2 of [] all [003] [eu-west-1,us-east-1]",
        "withdraw spothub-member-regional 2 of [] all [001] [eu-west-1,us-east-1]",
        "withdraw spothub-member-global 1 of [] all [001] [eu-west-1]",
    ];
    assert_eq!(due(&desired, &settled(&there)), words);
}

#[test]
fn what_cannot_be_changed_is_waited_for_or_told() {
    let desired = wished(&file(""), &[1]);
    let hub = |phase, status: &str| {
        let mut seen = settled(&desired);
        let stack = seen.hub.as_mut().unwrap();
        (stack.phase, stack.status) = (phase, status.to_owned());
        due(&desired, &seen)
    };
    assert_eq!(hub(Phase::Busy, "UPDATE_IN_PROGRESS"), ["wait spothub-hub eu-west-1"]);
    assert_eq!(hub(Phase::Undone, "ROLLBACK_COMPLETE"), ["remake spothub-hub eu-west-1"]);
    assert_eq!(hub(Phase::Reviewed, "REVIEW_IN_PROGRESS"), ["blocked spothub-hub eu-west-1"]);
    assert_eq!(hub(Phase::Stuck, "UPDATE_ROLLBACK_FAILED"), ["blocked spothub-hub eu-west-1"]);
    let mut seen = settled(&desired);
    let set = seen.sets[0].as_mut().unwrap();
    set.last = Some(Operation { id: "x".to_owned(), progress: Progress::Running, reason: None });
    assert_eq!(due(&desired, &seen), ["wait spothub-member-global"]);
    let mut seen = settled(&desired);
    seen.sets[0].as_mut().unwrap().instances[0].health = Health::Inoperable;
    assert_eq!(due(&desired, &seen), ["blocked spothub-member-global 0 of [] all [] []"]);
    let other = wished(&file(", mode: self-managed, accounts: [\"000000000001\"]"), &[]);
    let words = ["update spothub-hub eu-west-1", "blocked spothub-member-global", "blocked spothub-member-regional"];
    assert_eq!(due(&other, &settled(&desired)), words);
}

#[test]
fn the_management_account_has_stacks_of_its_own() {
    let text = "hub-id: hub-1\nhub: {account: \"000000000042\", region: eu-west-1}\n\
                members: {regions: [eu-west-1, us-east-1]}\n\
                management: {stacks: true}\n";
    let file =
        parse("rollout.yaml", text, &Templates::read().unwrap()).unwrap_or_else(|m| panic!("{}", m.0.join("\n")));
    let desired = wished(&file, &[1]);
    let mut seen = settled(&desired);
    seen.own = vec![None; 3];
    let words = [
        "create spothub-member-global eu-west-1",
        "create spothub-member-regional eu-west-1",
        "create spothub-member-regional us-east-1",
    ];
    assert_eq!(due(&desired, &seen), words);
}

#[test]
fn more_units_than_a_call_takes_go_in_several() {
    let units: Vec<String> = (0..120).map(|n| format!("ou-ab12-{n:08}")).collect();
    let desired = wished(&file(&format!(", units: [{}]", units.join(", "))), &[1]);
    let deploys = changes(&desired, &Seen::default()).into_iter().filter(|change| change.act == Act::Deploy);
    let sizes: Vec<usize> = deploys
        .map(|change| if let Thing::Instances { targets, .. } = change.thing { targets.units.len() } else { 0 })
        .collect();
    assert_eq!(sizes, [50, 50, 20, 50, 50, 20]);
}
