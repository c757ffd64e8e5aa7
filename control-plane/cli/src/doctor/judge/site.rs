//! An account's region: its rules and their dead letters, the probe, quotas, and groups that IAM would refuse.

use std::collections::{BTreeMap, BTreeSet};

use spothub_aws::doctor::{QueueSeen, RuleSeen, TargetSeen};
use spothub_core::id::Site;

use super::hub::depth;
use super::{again_regional, many, names, version};
use crate::doctor::expected::{DEAD_LETTERS, Way, same, version_in};
use crate::doctor::facts::{GroupFacts, ProbeFacts, Seen, SiteFacts};
use crate::doctor::quota::Class;
use crate::doctor::row::{Check, Row, State, Whose};
use crate::output::remedy;

/// How long EventBridge tries where a target does not say, in seconds: its own default of 24 hours.
const DEFAULT_AGE_S: i64 = 86_400;

/// Rules and dead letters. `bus` is where the rules have to send, where that is known.
pub(super) fn rows(site: &Site, facts: &SiteFacts, bus: Option<&str>) -> Vec<Row> {
    if let Some(why) = facts.closed() {
        let remedy = "enable the region in the account, or leave it out of regions in the settings; nothing else of \
                      it could be looked at";
        return vec![Row::missing(Check::Region, site, why, remedy)];
    }
    let mut rows = vec![Row::ok(Check::Region, site, "it answers")];
    let proven = role_of(facts, Way::Probe);
    for (way, rule) in &facts.rules {
        let mut row = self::rule(site, *way, rule, bus);
        // The probe proves its own rule's role; others are known by having the same.
        if let (State::Ok, Some(proven), Some(other)) = (row.state, proven, role_of(facts, *way))
            && other != proven
        {
            let found = format!("it sends with the role {other}, and the probe's rule with {proven}");
            row = Row::warning(row.check, site, found, again_regional());
        }
        rows.push(row);
    }
    rows.extend(template(site, facts));
    rows.push(dead(site, &facts.dead));
    rows
}

fn rule(site: &Site, way: Way, rule: &Seen<RuleSeen>, bus: Option<&str>) -> Row {
    let (check, name) = (way.member_check(), way.rule());
    let rule = match rule {
        Err(fault) => return Row::failed(check, site, fault, Whose::Member),
        Ok(None) => {
            let found = format!("there is no rule {name} on the default bus");
            return Row::missing(check, site, found, again_regional());
        }
        Ok(Some(rule)) => rule,
    };
    let mut wrong: Vec<(State, String)> = Vec::new();
    if !rule.enabled {
        wrong.push((State::Missing, "it is disabled".to_owned()));
    }
    if !rule.pattern.as_deref().is_some_and(|found| same(&way.pattern(), found)) {
        wrong.push((State::Missing, "its pattern is not that of this version".to_owned()));
    }
    targets(way, &rule.targets, bus, &mut wrong);
    let Some(worst) = wrong.iter().map(|(state, _)| *state).max() else {
        return Row::ok(check, site, "there, enabled, and it sends to the hub");
    };
    let found = wrong.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join("; ");
    let only_off = !rule.enabled && wrong.len() == 1;
    let remedy = if only_off {
        format!("enable it in the account: aws events enable-rule --name {name} --region {}", site.region)
    } else {
        again_regional()
    };
    if worst == State::Missing {
        Row::missing(check, site, found, remedy)
    } else {
        Row::warning(check, site, found, remedy)
    }
}

/// The role that a way's rule sends with.
fn role_of(facts: &SiteFacts, way: Way) -> Option<&str> {
    let rule = facts.rules.get(&way)?.as_ref().ok()?.as_ref()?;
    rule.targets.iter().find_map(|target| target.role_arn.as_deref())
}

/// What is wrong with a rule's targets: one has to be the hub's bus, with a role, dead letters and an age.
fn targets(way: Way, targets: &[TargetSeen], bus: Option<&str>, wrong: &mut Vec<(State, String)>) {
    let is_hub = |target: &&TargetSeen| bus.is_none_or(|bus| target.arn == bus);
    let Some(hub) = targets.iter().find(is_hub) else {
        let arns: Vec<&str> = targets.iter().map(|target| target.arn.as_str()).collect();
        let found = if arns.is_empty() {
            "it has no target".to_owned()
        } else {
            format!("it sends to {}, and not to the hub's bus {}", names(&arns), bus.unwrap_or("?"))
        };
        wrong.push((State::Missing, found));
        return;
    };
    if hub.role_arn.is_none() {
        wrong.push((State::Missing, "its target has no role to send with".to_owned()));
    }
    if hub.dead_letters_arn.is_none() {
        wrong.push((State::Missing, "its target has no dead letters: what cannot be sent is lost".to_owned()));
    }
    let age_max = way.age_max().as_secs();
    let age = hub.age_max_s.map_or(DEFAULT_AGE_S, i64::from);
    if age != age_max {
        wrong.push((State::Warning, format!("it tries for {age} s, and not for {age_max}")));
    }
    let others: Vec<&str> = targets.iter().map(|t| t.arn.as_str()).filter(|arn| *arn != hub.arn).collect();
    if !others.is_empty() {
        wrong.push((State::Warning, format!("it also sends to {}", names(&others))));
    }
}

/// The version of the regional template: the oldest that a rule tells. None where there is no rule to tell it.
fn template(site: &Site, facts: &SiteFacts) -> Option<Row> {
    let rules: Vec<&RuleSeen> = facts.rules.values().filter_map(|rule| rule.as_ref().ok()?.as_ref()).collect();
    if rules.is_empty() {
        return None;
    }
    let told: Option<Vec<u32>> = rules.iter().map(|rule| version_in(rule.description.as_deref()?)).collect();
    let check = Check::RulesVersion;
    let Some(told) = told.and_then(|told| told.into_iter().min()) else {
        let found = "not every rule's description tells the template's version";
        return Some(Row::warning(check, site, found, again_regional()));
    };
    Some(match version(told) {
        None => Row::ok(check, site, format!("template {told}")),
        Some((found, remedy)) => Row::missing(check, site, found, remedy),
    })
}

fn dead(site: &Site, dead: &Seen<QueueSeen>) -> Row {
    let check = Check::DeadLetters;
    match dead {
        Err(fault) => Row::failed(check, site, fault, Whose::Member),
        Ok(None) => Row::missing(check, site, format!("there is no queue {DEAD_LETTERS}"), again_regional()),
        Ok(Some(queue)) if depth(queue) == 0 => Row::ok(check, site, "empty"),
        Ok(Some(queue)) => {
            let found = format!("{} could not be forwarded", many(depth(queue), "event"));
            let remedy = format!(
                "the attributes ERROR_CODE and ERROR_MESSAGE of the messages in {DEAD_LETTERS} say why (aws sqs \
                 receive-message --message-attribute-names All); delete them once that is mended. Probes that were \
                 lost end there, too"
            );
            Row::warning(check, site, found, remedy)
        }
    }
}

/// The probe.
pub(super) fn probe(site: &Site, probe: &ProbeFacts) -> Row {
    let check = Check::Probe;
    match probe {
        ProbeFacts::Came(after) => Row::came(site, *after),
        ProbeFacts::Lost(wait) => {
            let found = format!("it did not come to the hub within {} s", wait.as_secs());
            let remedy = format!(
                "see rule-probe and dead-letters of this region, then the forwarder's role, the hub bus's policy and \
                 {}: what a probe cannot pass, no warning passes",
                Check::HubRuleProbe.label()
            );
            Row::missing(check, site, found, remedy)
        }
        ProbeFacts::Unsent(fault) => Row::failed(check, site, fault, Whose::Member),
        ProbeFacts::Unread(fault) => Row::failed(check, site, fault, Whose::Hub),
    }
}

/// Spot quotas against what is in use and what would be swapped.
pub(super) fn quotas(site: &Site, facts: &SiteFacts, groups: Option<&GroupFacts>) -> Row {
    let check = Check::Quota;
    let (quotas, used) = match (&facts.quotas, &facts.used) {
        (Err(fault), _) | (_, Err(fault)) => return Row::failed(check, site, fault, Whose::Member),
        (Ok(quotas), Ok(used)) => (quotas, used),
    };
    let mut in_use = BTreeMap::<Class, u32>::new();
    for (kind, vcpus) in &used.vcpus {
        if let Some(class) = Class::of(kind) {
            *in_use.entry(class).or_default() += vcpus;
        }
    }
    let nothing = BTreeMap::new();
    let wanted = groups.map_or(&nothing, |groups| &groups.wanted);
    let classes: BTreeSet<Class> = in_use.keys().chain(wanted.keys()).copied().collect();
    let (mut told, mut short, mut untold) = (Vec::new(), Vec::new(), Vec::new());
    for class in classes {
        let (busy, more) = (in_use.get(&class).copied().unwrap_or(0), wanted.get(&class).copied().unwrap_or(0));
        let Some(quota) = quotas.get(&class) else {
            untold.push(class.families());
            continue;
        };
        let text = format!("{}: {quota} vCPUs, {busy} in use, {more} more wanted", class.families());
        if busy.saturating_add(more) > *quota {
            short.push((text, class, busy.saturating_add(more)));
        } else {
            told.push(text);
        }
    }
    if !short.is_empty() {
        let found: Vec<&str> = short.iter().map(|(text, ..)| text.as_str()).collect();
        let ask = |(_, class, needed): &(String, Class, u32)| format!("{} to {needed} and more", class.code());
        let asks: Vec<String> = short.iter().map(ask).collect();
        let remedy = format!("raise the Spot quota at Service Quotas there: {}", asks.join(", "));
        return Row::warning(check, site, found.join("; "), remedy);
    }
    if !untold.is_empty() {
        let found = format!("Service Quotas does not tell the Spot quota of {}", untold.join(", "));
        return Row::unknown(check, site, found, "look it up in the console of EC2, under Limits");
    }
    Row::ok(check, site, if told.is_empty() { "nothing in use or wanted".to_owned() } else { told.join("; ") })
}

/// Groups that policy enables and the member role may not touch.
pub(super) fn groups(site: &Site, groups: &GroupFacts) -> Vec<Row> {
    let seen = format!("{}, {} enabled", many(groups.groups.into(), "group"), groups.enabled);
    let first = match &groups.missed {
        None => Row::ok(Check::Groups, site, &seen),
        Some((label, why)) => {
            Row::unknown(Check::Groups, site, format!("not all could be read: {why}"), remedy::of(label))
        }
    };
    let mut rows = vec![first];
    if groups.missed.is_some() && groups.groups == 0 {
        return rows;
    }
    rows.push(if groups.guarded.is_empty() {
        Row::ok(Check::IamGuard, site, "the role may change every group that policy enables")
    } else {
        let found = format!("policy enables them, and the role may not change them: {}", names(&groups.guarded));
        let remedy = "tag them as GroupGuard of the members' template asks for (spothub:enabled=true), or roll members \
                      out with another GroupGuard and say so under group-guard in the settings";
        Row::warning(Check::IamGuard, site, found, remedy)
    });
    rows.push(if groups.unlaunchable.is_empty() {
        Row::ok(Check::LaunchConfiguration, site, "the role may launch what every enabled group asks for")
    } else {
        let found =
            format!("the role may not launch from their launch configurations: {}", names(&groups.unlaunchable));
        let remedy = "move them to launch templates, or roll members out with AllowLaunchConfigurations and say so \
                      under launch-configurations in the settings";
        Row::warning(Check::LaunchConfiguration, site, found, remedy)
    });
    rows.push(if groups.unpassable.is_empty() {
        Row::ok(Check::PassRole, site, "the role may pass every profile that is needed")
    } else {
        let found = format!("their instance profiles may not be passed: {}", names(&groups.unpassable));
        let remedy = "add the profiles' roles to PassableRoleArns of the members' template, and to passable-roles in \
                      the settings; where a profile's role cannot be read, give the member role iam:GetInstanceProfile";
        Row::warning(Check::PassRole, site, found, remedy)
    });
    rows
}
