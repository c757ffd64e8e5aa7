//! Every finding from facts alone: a good organization has none, and each thing that is wrong gives its row.

use std::collections::BTreeMap;

use spothub_aws::Caller;
use spothub_aws::doctor::{QueueSeen, RoleSeen, RuleSeen, SpotUse, TargetSeen, Trust};
use spothub_core::brake::{Brake, BrakeScope, Brakes, FORMAT};
use spothub_core::fault::{Fault, Unable};
use spothub_core::id::{AccountId, Site};
use spothub_core::time::{Span, Timestamp};

use super::*;
use crate::doctor::expected::{VERSION_TAG, Way};
use crate::doctor::facts::{
    AccountFacts, GroupFacts, HubFacts, Inside, Listed, OurRole, PolicyFacts, ProbeFacts, QueueFacts, SiteFacts,
    StoreFacts, Told,
};
use crate::doctor::quota::Class;
use crate::doctor::row::State;

const BUS: &str = "arn:aws:events:us-east-1:000000000009:event-bus/spothub";
const ANOTHER: &str = "arn:aws:events:us-east-1:000000000008:event-bus/spothub";
const CLOSED: Fault = Fault::Unreachable("the region is not enabled for the account");

fn account() -> AccountId {
    "000000000001".parse().unwrap()
}

fn site() -> Site {
    Site { account: account(), region: "eu-west-1".parse().unwrap() }
}

fn rule(way: Way) -> RuleSeen {
    let target = TargetSeen {
        arn: BUS.to_owned(),
        role_arn: Some("arn:aws:iam::000000000001:role/spothub-forwarder".to_owned()),
        dead_letters_arn: Some("arn:aws:sqs:eu-west-1:000000000001:spothub-forward-dead".to_owned()),
        age_max_s: i32::try_from(way.age_max().as_secs()).ok(),
    };
    RuleSeen {
        enabled: true,
        pattern: Some(way.pattern().to_string()),
        description: Some(format!("For the hub (template {TEMPLATE_VERSION})")),
        targets: vec![target],
    }
}

fn rules() -> BTreeMap<Way, Result<Option<RuleSeen>, Fault>> {
    Way::ALL.map(|way| (way, Ok(Some(rule(way))))).into()
}

fn role() -> RoleSeen {
    RoleSeen { tags: [(VERSION_TAG.to_owned(), TEMPLATE_VERSION.to_string())].into() }
}

fn queue() -> QueueFacts {
    let dead_letters_arn = Some("arn:aws:sqs:us-east-1:000000000009:x-dead".to_owned());
    let queue = QueueSeen { name: "x".to_owned(), dead_letters_arn, ..QueueSeen::default() };
    let dead = QueueSeen { name: "x-dead".to_owned(), ..QueueSeen::default() };
    QueueFacts { url: "https://x".to_owned(), queue: Ok(Some(queue)), oldest: Ok(None), dead: Some(Ok(Some(dead))) }
}

/// An organization of one account and region in which all is well.
fn good() -> Found {
    let (id, arn) = ("000000000009".parse().unwrap(), "arn:aws:sts::000000000009:assumed-role/spothub-hub/x");
    let ours = OurRole { wrong: Ok(Trust::Refuses), none: Ok(Trust::Refuses), role: Ok(Some(role())) };
    let linked = || Ok(Some(RoleSeen::default()));
    let inside = Inside { ours: Some(ours), spot_role: linked(), scaling_role: linked() };
    let groups = GroupFacts { groups: 3, enabled: 2, wanted: [(Class::Standard, 8)].into(), ..GroupFacts::default() };
    let used = SpotUse { vcpus: [("m5.large".to_owned(), 4)].into(), unknown: 0 };
    let facts = SiteFacts {
        rules: rules(),
        dead: Ok(Some(QueueSeen::default())),
        quotas: Ok([(Class::Standard, 64)].into()),
        used: Ok(used),
    };
    Found {
        at: Timestamp(0),
        told: Told { home: "us-east-1".parse().ok(), bus: None, external_id: true, fallback: true, ..Told::default() },
        hub: HubFacts {
            caller: Caller { account: id, arn: arn.to_owned() },
            ahead: Some(Span::millis(-300)),
            directory: Ok(Listed { active: 1, inactive: 0 }),
            queues: Way::ALL.map(|way| (way, queue())).into(),
            rules: rules(),
            store: StoreFacts::Read(Brakes::default()),
            policy: PolicyFacts::Read { files: 1, version: "1".to_owned() },
            waits: None,
        },
        accounts: [(account(), AccountFacts { role: Ok(()), inside: Some(inside) })].into(),
        sites: [(site(), facts)].into(),
        probes: [(site(), ProbeFacts::Came(Span::millis(412)))].into(),
        groups: [(site(), groups)].into(),
        strangers: BTreeMap::new(),
    }
}

/// The rows that are not as they should be, of the good organization with one change.
fn with(change: impl FnOnce(&mut Found)) -> Vec<Row> {
    let mut found = good();
    change(&mut found);
    let rows = rows(&found);
    for row in &rows {
        assert_eq!(row.remedy.is_some(), row.state != State::Ok, "{row:?}");
        let one_line = |text: &str| !text.is_empty() && !text.contains('\n') && !text.contains("  ");
        assert!(one_line(&row.found) && row.remedy.as_deref().is_none_or(one_line), "{row:?}");
    }
    rows.into_iter().filter(|row| row.state != State::Ok).collect()
}

/// That there is one such row, and that it says these words, found and remedy together.
fn one(rows: &[Row], check: Check, state: State, words: &[&str]) {
    assert_eq!(rows.iter().map(|row| (row.check, row.state)).collect::<Vec<_>>(), [(check, state)], "{rows:?}");
    let told = format!("{} = {}", rows[0].found, rows[0].remedy.as_deref().unwrap_or_default());
    for word in words {
        assert!(told.contains(word), "{word:?} is missing in: {told}");
    }
}

fn inside(found: &mut Found) -> &mut Inside {
    found.accounts.get_mut(&account()).unwrap().inside.as_mut().unwrap()
}

fn ours(found: &mut Found) -> &mut OurRole {
    inside(found).ours.as_mut().unwrap()
}

fn here(found: &mut Found) -> &mut SiteFacts {
    found.sites.get_mut(&site()).unwrap()
}

fn urgent(found: &mut Found) -> &mut RuleSeen {
    here(found).rules.get_mut(&Way::Urgent).unwrap().as_mut().unwrap().as_mut().unwrap()
}

fn groups(found: &mut Found) -> &mut GroupFacts {
    found.groups.get_mut(&site()).unwrap()
}

#[test]
fn where_all_is_well_every_check_says_so() {
    assert_eq!(with(|_| ()), []);
    let rows = rows(&good());
    let told: Vec<Check> = rows.iter().map(|row| row.check).collect();
    let left_out = [Check::Enrolment];
    let all: Vec<Check> = Check::ALL.iter().copied().filter(|check| !left_out.contains(check)).collect();
    assert_eq!(told, all, "each once, in their order");
    assert!(rows.iter().all(|row| !row.told), "nothing to be told of");
    assert_eq!(rows.iter().find_map(|row| row.latency_ms), Some(412));
}

#[test]
fn a_role_that_cannot_be_assumed_says_that_aws_does_not_say_why() {
    let refused = with(|found| {
        let why = "its role cannot be assumed: absent, without trust in this hub, another external id, or a control \
                   policy";
        found.accounts.insert(account(), AccountFacts { role: Err(Fault::Unreachable(why)), inside: None });
        (found.sites, found.probes, found.groups) = Default::default();
    });
    let words = ["absent", "AWS does not say which", "external id", "control policy", "spothub rollout apply"];
    one(&refused, Check::Role, State::Missing, &words);
    let failed = with(|found| {
        let role = Err(Fault::Unable(Unable::NotAccepted));
        found.accounts.insert(account(), AccountFacts { role, inside: None });
        (found.sites, found.probes, found.groups) = Default::default();
    });
    one(&failed, Check::Role, State::Unknown, &["renew the hub's credentials"]);
}

#[test]
fn an_external_id_has_to_be_a_lock() {
    let wrong = with(|found| ours(found).wrong = Ok(Trust::Admits));
    one(&wrong, Check::ExternalId, State::Missing, &["a wrong external id is admitted", "sts:ExternalId"]);
    let none = with(|found| ours(found).none = Ok(Trust::Admits));
    one(&none, Check::ExternalId, State::Missing, &["none at all is admitted", "StringEquals"]);
    let failed = with(|found| ours(found).wrong = Err(Fault::Throttled { after: None }));
    one(&failed, Check::ExternalId, State::Unknown, &["throttled"]);
    let unlocked = with(|found| found.told.external_id = false);
    one(&unlocked, Check::ExternalId, State::Warning, &["the settings give none", "second lock"]);
}

#[test]
fn the_role_has_the_template_s_version() {
    let tagged = |value: &str| {
        let tags: BTreeMap<String, String> = [(VERSION_TAG.to_owned(), value.to_owned())].into();
        with(|found| ours(found).role = Ok(Some(RoleSeen { tags })))
    };
    one(&tagged("0"), Check::RoleVersion, State::Missing, &["template 0", "is 1", "spothub rollout apply"]);
    one(&tagged("2"), Check::RoleVersion, State::Missing, &["template 2", "bring this program up to date"]);
    one(&tagged("new"), Check::RoleVersion, State::Warning, &["no tag spothub:template-version"]);
    let bare = with(|found| ours(found).role = Ok(Some(RoleSeen::default())));
    one(&bare, Check::RoleVersion, State::Warning, &["a role of your own", "spothub:template-version=1"]);
    let denied = with(|found| ours(found).role = Err(Fault::Denied("iam:GetRole")));
    one(&denied, Check::RoleVersion, State::Unknown, &["allow iam:GetRole to the member role"]);
    let gone = with(|found| ours(found).role = Ok(None));
    one(&gone, Check::RoleVersion, State::Unknown, &["member-role"]);
}

#[test]
fn service_linked_roles_are_missed_where_there_are_groups() {
    let spot = with(|found| inside(found).spot_role = Ok(None));
    one(&spot, Check::SpotRole, State::Warning, &["AWSServiceRoleForEC2Spot", "create-service-linked-role"]);
    let scaling = with(|found| inside(found).scaling_role = Ok(None));
    one(&scaling, Check::ScalingRole, State::Warning, &["AWSServiceRoleForAutoScaling", "autoscaling.amazonaws.com"]);
    let idle = with(|found| {
        (inside(found).spot_role, inside(found).scaling_role) = (Ok(None), Ok(None));
        found.groups.clear();
    });
    assert_eq!(idle, []);
}

#[test]
fn the_hub_s_own_account_needs_no_role() {
    let rows = with(|found| inside(found).ours = None);
    assert_eq!(rows, []);
}

#[test]
fn rules_are_there_on_and_as_this_version_has_them() {
    let of = |change: &dyn Fn(&mut RuleSeen)| with(|found| change(urgent(found)));
    let missing = |rows: &[Row], words: &[&str]| one(rows, Check::RuleUrgent, State::Missing, words);
    let absent = with(|found| {
        here(found).rules.insert(Way::Urgent, Ok(None));
    });
    missing(&absent, &["no rule spothub-urgent", "rollout apply", "spothub-member-regional"]);
    missing(
        &of(&|rule| rule.enabled = false),
        &["it is disabled", "aws events enable-rule --name spothub-urgent --region eu-west-1"],
    );
    let wider = r#"{"source":["aws.ec2"]}"#.to_owned();
    missing(&of(&|rule| rule.pattern = Some(wider.clone())), &["its pattern is not that of this version"]);
    missing(&of(&|rule| rule.pattern = None), &["its pattern"]);
    missing(&of(&|rule| rule.targets[0].arn = ANOTHER.to_owned()), &["it sends to", ANOTHER, BUS]);
    missing(&of(&|rule| rule.targets.clear()), &["it has no target"]);
    missing(&of(&|rule| rule.targets[0].role_arn = None), &["no role to send with"]);
    missing(&of(&|rule| rule.targets[0].dead_letters_arn = None), &["no dead letters"]);
    let both = of(&|rule| {
        rule.enabled = false;
        rule.targets[0].age_max_s = None;
    });
    missing(&both, &["it is disabled; it tries for 86400 s", "rollout apply"]);
    let warned = |rows: &[Row], words: &[&str]| one(rows, Check::RuleUrgent, State::Warning, words);
    warned(&of(&|rule| rule.targets[0].age_max_s = Some(86_400)), &["86400 s, and not for 300"]);
    let second = TargetSeen { arn: "arn:x".to_owned(), ..TargetSeen::default() };
    warned(&of(&|rule| rule.targets.push(second.clone())), &["it also sends to arn:x"]);
    let denied = with(|found| {
        here(found).rules.insert(Way::Probe, Err(Fault::Denied("events:DescribeRule")));
    });
    one(&denied, Check::RuleProbe, State::Unknown, &["allow events:DescribeRule to the member role"]);
    // A bus of another name is right where the settings name it.
    let named = with(|found| {
        found.told.bus = Some(ANOTHER.to_owned());
        for way in Way::ALL {
            let target = &mut here(found).rules.get_mut(&way).unwrap().as_mut().unwrap().as_mut().unwrap().targets[0];
            target.arn = ANOTHER.to_owned();
        }
    });
    assert_eq!(named, []);
}

#[test]
fn rules_tell_the_template_s_version() {
    let described = |text: Option<&str>| with(|found| urgent(found).description = text.map(ToOwned::to_owned));
    one(&described(Some("x (template 0)")), Check::RulesVersion, State::Missing, &["template 0", "rollout apply"]);
    one(&described(Some("mine")), Check::RulesVersion, State::Warning, &["not every rule's description"]);
    one(&described(None), Check::RulesVersion, State::Warning, &["description"]);
}

#[test]
fn a_closed_region_is_told_once() {
    let rows = with(|found| {
        let rules = Way::ALL.map(|way| (way, Err(CLOSED))).into();
        *here(found) = SiteFacts { rules, dead: Err(CLOSED), quotas: Err(CLOSED), used: Err(CLOSED) };
        found.probes.clear();
        found.groups.clear();
    });
    one(&rows, Check::Region, State::Missing, &["not enabled", "enable the region", "regions in the settings"]);
}

#[test]
fn dead_letters_are_counted() {
    let waiting =
        with(|found| here(found).dead = Ok(Some(QueueSeen { waiting: 2, in_flight: 1, ..QueueSeen::default() })));
    one(&waiting, Check::DeadLetters, State::Warning, &["3 events", "ERROR_CODE", "spothub-forward-dead"]);
    let absent = with(|found| here(found).dead = Ok(None));
    one(&absent, Check::DeadLetters, State::Missing, &["no queue spothub-forward-dead"]);
}

#[test]
fn probes_come_or_tell_where_to_look() {
    let of = |probe: ProbeFacts| {
        with(|found| {
            found.probes.insert(site(), probe);
        })
    };
    let lost = of(ProbeFacts::Lost(Span::secs(30)));
    one(&lost, Check::Probe, State::Missing, &["within 30 s", "rule-probe", "dead-letters", "hub-rule-probe"]);
    let unsent = of(ProbeFacts::Unsent(Fault::Denied("events:PutEvents")));
    one(&unsent, Check::Probe, State::Unknown, &["allow events:PutEvents to the member role"]);
    let unread = of(ProbeFacts::Unread(Fault::Denied("sqs:ReceiveMessage")));
    one(&unread, Check::Probe, State::Unknown, &["sqs:ReceiveMessage", "hub-role"]);
    let nowhere = with(|found| {
        found.told.probes = Probes::Nowhere;
        found.probes.clear();
        found.hub.queues.remove(&Way::Probe);
    });
    one(&nowhere, Check::Probe, State::Unknown, &["queues.probe", "ProbeQueueUrl"]);
    let unwanted = with(|found| {
        found.told.probes = Probes::Unwanted;
        found.probes.clear();
    });
    assert_eq!(unwanted, []);
}

#[test]
fn quotas_bite_where_less_is_left_than_wanted() {
    let of = |quota: u32| with(|found| here(found).quotas = Ok([(Class::Standard, quota)].into()));
    one(&of(11), Check::Quota, State::Warning, &["11 vCPUs, 4 in use, 8 more wanted", "L-34B43A08 to 12"]);
    assert_eq!(of(12), []);
    let untold = with(|found| here(found).quotas = Ok(BTreeMap::new()));
    one(&untold, Check::Quota, State::Unknown, &["does not tell the Spot quota of standard"]);
    let denied = with(|found| here(found).quotas = Err(Fault::Denied("servicequotas:ListServiceQuotas")));
    one(&denied, Check::Quota, State::Unknown, &["servicequotas:ListServiceQuotas"]);
    let nothing = with(|found| {
        (here(found).quotas, here(found).used) = (Ok(BTreeMap::new()), Ok(SpotUse::default()));
        groups(found).wanted.clear();
    });
    assert_eq!(nothing, [], "what nobody uses is not asked for");
}

#[test]
fn groups_that_iam_would_refuse_are_named() {
    let guarded = with(|found| groups(found).guarded = vec!["web".parse().unwrap(), "api".parse().unwrap()]);
    one(&guarded, Check::IamGuard, State::Warning, &["web, api", "GroupGuard", "group-guard"]);
    let many: Vec<_> = (0..12).map(|n| format!("g{n}").parse().unwrap()).collect();
    let unpassable = with(|found| groups(found).unpassable = many);
    one(&unpassable, Check::PassRole, State::Warning, &["g0, g1", "g9 and 2 more", "PassableRoleArns"]);
    let old = with(|found| groups(found).unlaunchable = vec!["old".parse().unwrap()]);
    let words = ["launch configurations: old", "AllowLaunchConfigurations", "launch-configurations in the settings"];
    one(&old, Check::LaunchConfiguration, State::Warning, &words);
    let missed = with(|found| groups(found).missed = Some(("throttled".to_owned(), "throttled".to_owned())));
    one(&missed, Check::Groups, State::Unknown, &["not all could be read: throttled"]);
}

#[test]
fn a_clock_may_be_off_a_little() {
    let of = |ahead: Option<Span>| with(|found| found.hub.ahead = ahead);
    assert_eq!(of(Some(Span::millis(29_900))), []);
    one(&of(Some(Span::millis(-30_100))), Check::Clock, State::Warning, &["30.1 s behind AWS's", "NTP"]);
    one(&of(Some(Span::mins(4))), Check::Clock, State::Missing, &["240.0 s ahead of AWS's", "five minutes"]);
    one(&of(None), Check::Clock, State::Unknown, &["no answer"]);
}

#[test]
fn queues_of_the_hub_are_whole_and_read() {
    let of = |way: Way, change: &dyn Fn(&mut QueueFacts)| with(|found| change(found.hub.queues.get_mut(&way).unwrap()));
    let absent = of(Way::Urgent, &|facts| facts.queue = Ok(None));
    one(&absent, Check::QueueUrgent, State::Missing, &["no queue https://x", "queues.urgent"]);
    let denied = of(Way::Normal, &|facts| facts.queue = Err(Fault::Denied("sqs:GetQueueAttributes")));
    one(&denied, Check::QueueNormal, State::Unknown, &["sqs:GetQueueAttributes", "hub-role"]);
    let bare = of(Way::Normal, &|facts| facts.dead = None);
    one(&bare, Check::QueueNormal, State::Warning, &["no queue of dead letters"]);
    let dead = |waiting| Some(Ok(Some(QueueSeen { waiting, name: "x-dead".to_owned(), ..QueueSeen::default() })));
    let full = of(Way::Normal, &|facts| facts.dead = dead(7));
    one(&full, Check::QueueNormal, State::Warning, &["7 messages", "x-dead"]);
    let gone = of(Way::Probe, &|facts| facts.dead = Some(Ok(None)));
    one(&gone, Check::QueueProbe, State::Missing, &["its queue of dead letters is not there"]);
    let waits = |way: Way, oldest: Result<Option<Span>, Fault>| {
        of(way, &|facts| {
            facts.queue.as_mut().unwrap().as_mut().unwrap().waiting = 5;
            facts.oldest = oldest.clone();
        })
    };
    assert_eq!(waits(Way::Urgent, Ok(Some(Span::secs(60)))), []);
    assert_eq!(waits(Way::Urgent, Ok(None)), [], "SQS has not told yet");
    let late = waits(Way::Urgent, Ok(Some(Span::secs(61))));
    one(&late, Check::QueueUrgent, State::Warning, &["the oldest for 61 s", "see that workers run"]);
    assert_eq!(waits(Way::Normal, Ok(Some(Span::mins(15)))), []);
    let denied = waits(Way::Normal, Err(Fault::Denied("cloudwatch:GetMetricStatistics")));
    one(&denied, Check::QueueNormal, State::Unknown, &["cloudwatch:GetMetricStatistics"]);
}

#[test]
fn rules_of_the_hub_send_to_their_queues() {
    let sends = |to: &str| {
        with(|found| {
            let queue = found.hub.queues.get_mut(&Way::Urgent).unwrap().queue.as_mut().unwrap().as_mut().unwrap();
            queue.arn = Some("arn:aws:sqs:us-east-1:000000000009:spothub-urgent".to_owned());
            let rule = found.hub.rules.get_mut(&Way::Urgent).unwrap().as_mut().unwrap().as_mut().unwrap();
            rule.targets = vec![TargetSeen { arn: to.to_owned(), ..TargetSeen::default() }];
        })
    };
    assert_eq!(sends("arn:aws:sqs:us-east-1:000000000009:spothub-urgent"), []);
    one(&sends(ANOTHER), Check::HubRuleUrgent, State::Missing, &["does not send to", "spothub-urgent", "target"]);
}

#[test]
fn rules_of_the_hub_are_there_and_on() {
    let absent = with(|found| {
        found.hub.rules.insert(Way::Urgent, Ok(None));
    });
    one(&absent, Check::HubRuleUrgent, State::Missing, &["no rule spothub-urgent on the bus spothub", "hub-bus"]);
    let off = with(|found| {
        found.hub.rules.insert(Way::Probe, Ok(Some(RuleSeen { enabled: false, ..rule(Way::Probe) })));
    });
    one(&off, Check::HubRuleProbe, State::Missing, &["disabled", "--event-bus-name spothub --name spothub-probe"]);
    let old = with(|found| {
        let rule = RuleSeen { description: Some("x (template 0)".to_owned()), ..rule(Way::Normal) };
        found.hub.rules.insert(Way::Normal, Ok(Some(rule)));
    });
    one(&old, Check::HubVersion, State::Missing, &["template 0"]);
    let untold = with(|found| {
        for rule in found.hub.rules.values_mut() {
            rule.as_mut().unwrap().as_mut().unwrap().description = None;
        }
    });
    assert_eq!(untold, [], "it is judged where it is told");
}

#[test]
fn store_brake_policy_and_accounts_are_told() {
    let failed = with(|found| found.hub.store = StoreFacts::Failed("it is away\n   = bring it back".to_owned()));
    assert_eq!(
        failed.iter().map(|row| (row.check, row.state)).collect::<Vec<_>>(),
        [(Check::Store, State::Missing), (Check::Brake, State::Unknown)]
    );
    assert_eq!((failed[0].found.as_str(), failed[0].remedy.as_deref()), ("it is away", Some("bring it back")));
    let nowhere = with(|found| found.hub.policy = PolicyFacts::Nowhere);
    one(&nowhere, Check::Policy, State::Warning, &["nothing is in force", "policies in the settings"]);
    let absent = with(|found| found.hub.policy = PolicyFacts::Absent("there is no such parameter".to_owned()));
    one(&absent, Check::Policy, State::Warning, &["no such parameter", "publish a policy"]);
    let waits = with(|found| found.hub.waits = Some("0123456789ab".to_owned()));
    one(&waits, Check::Policy, State::Warning, &["waits for approval", "spothub policy approve 0123456789ab"]);
    let wrong = with(|found| found.hub.policy = PolicyFacts::Failed("p.yaml:1:1: no key".to_owned()));
    one(&wrong, Check::Policy, State::Missing, &["p.yaml:1:1", "spothub policy check"]);
    let nobody = with(|found| found.hub.directory = Ok(Listed { active: 0, inactive: 2 }));
    one(&nobody, Check::Directory, State::Missing, &["2 enrolled", "accounts.*"]);
    let denied = with(|found| found.hub.directory = Err(Fault::Denied("organizations:ListAccounts")));
    one(&denied, Check::Directory, State::Unknown, &["organizations:ListAccounts"]);
    let strange = with(|found| {
        found.strangers.insert("000000000005".parse().unwrap(), Stranger::NotEnrolled);
    });
    one(&strange, Check::Enrolment, State::Missing, &["not enrolled", "accounts.*"]);
}

#[test]
fn what_is_good_to_know_is_told() {
    let told = |change: &dyn Fn(&mut Found)| {
        let mut found = good();
        change(&mut found);
        let rows = rows(&found);
        assert!(rows.iter().all(|row| row.state == State::Ok), "{rows:?}");
        rows.into_iter().filter(|row| row.told).map(|row| (row.check, row.found)).collect::<Vec<_>>()
    };
    let paused = told(&|found| {
        let (why, by) = ("a new hub begins paused".to_owned(), "spothub".to_owned());
        let brake = Brake { format: FORMAT, scope: BrakeScope::Org, why, by, at: Timestamp(0), revert: false };
        found.hub.store = StoreFacts::Read(Brakes(vec![brake]));
    });
    assert!(paused[0].0 == Check::Brake && paused[0].1.contains("a new hub begins paused (by spothub)"), "{paused:?}");
    let unused = told(&|found| found.hub.store = StoreFacts::Unused);
    assert!(unused[0].1.contains("spothub resume"), "{unused:?}");
    let alone = told(&|found| found.told.fallback = false);
    assert!(alone[0].0 == Check::Fallback && alone[0].1.contains("the groups themselves replace"), "{alone:?}");
}
