//! The hub: who it is, its clock, accounts, queues, rules, store, brake and policy.

use spothub_aws::doctor::{QueueSeen, RuleSeen};
use spothub_core::brake::Brake;
use spothub_core::time::Span;

use super::{many, version};
use crate::doctor::expected::{Way, version_in};
use crate::doctor::facts::{Found, HubFacts, Listed, PolicyFacts, QueueFacts, Seen, StoreFacts};
use crate::doctor::row::{Check, Place, Row, Whose};

/// A clock that is further off takes a quarter and more of the two minutes that a warning gives: its deadline is the
/// event's own time and two minutes, and is compared with ours.
const SKEW_TOLD: Span = Span::secs(30);
/// AWS refuses signatures that are five minutes off (Signature Version 4); a minute is left for the way and for drift.
const SKEW_MAX: Span = Span::mins(4);
/// Messages wait longer only where no worker reads, or too few: an urgent one has two minutes in all.
const URGENT_AGE_MAX: Span = Span::secs(60);
/// Other events only wake, and a sweep comes every ten minutes anyway.
const NORMAL_AGE_MAX: Span = Span::mins(15);
/// As templates keep them: what is older is nobody's.
const PROBE_AGE_MAX: Span = Span::mins(15);

/// Everything about the hub.
pub(super) fn rows(found: &Found) -> Vec<Row> {
    let hub = &found.hub;
    let identity = Row::ok(Check::Identity, Place::HUB, &hub.caller.arn);
    let mut rows = vec![identity, clock(hub), directory(hub), store(&hub.store), brake(&hub.store)];
    rows.extend(hub.queues.iter().map(|(way, facts)| queue(*way, facts)));
    let bus = found.told.bus_name();
    for (way, rule) in &hub.rules {
        let queue = hub.queues.get(way).and_then(|facts| facts.queue.as_ref().ok()?.as_ref());
        rows.push(self::rule(*way, rule, bus, queue));
    }
    rows.extend(template(hub));
    rows.push(policy(&hub.policy, hub.waits.as_deref()));
    rows.push(if found.told.fallback {
        Row::ok(Check::Fallback, Place::HUB, "members grant on-demand launches for rescues")
    } else {
        let text = "on-demand launches for rescues are not granted: where Spot has nothing, the groups themselves \
                    replace what AWS takes back";
        Row::told(Check::Fallback, Place::HUB, text)
    });
    rows
}

fn clock(hub: &HubFacts) -> Row {
    let Some(ahead) = hub.ahead else {
        let remedy = "see hub-identity: it is the answer to that call which tells";
        return Row::unknown(Check::Clock, Place::HUB, "no answer of AWS told the time", remedy);
    };
    let (off, way) = if ahead < Span::ZERO { (Span(-ahead.0), "behind") } else { (ahead, "ahead of") };
    let found = format!("{}.{} s {way} AWS's", off.as_secs(), off.0 % 1000 / 100);
    let remedy = "keep this machine's clock by NTP: AWS refuses signatures that are five minutes off, and the deadline \
                  of a warning is judged by this clock";
    match off {
        off if off >= SKEW_MAX => Row::missing(Check::Clock, Place::HUB, found, remedy),
        off if off >= SKEW_TOLD => Row::warning(Check::Clock, Place::HUB, found, remedy),
        _ => Row::ok(Check::Clock, Place::HUB, found),
    }
}

fn directory(hub: &HubFacts) -> Row {
    match hub.directory {
        Err(ref fault) => Row::failed(Check::Directory, Place::HUB, fault, Whose::Hub),
        Ok(Listed { active: 0, inactive }) => {
            let found = format!("no account is enrolled and active ({inactive} enrolled)");
            Row::missing(Check::Directory, Place::HUB, found, "check accounts.* and regions in the settings")
        }
        Ok(Listed { active, inactive: 0 }) => Row::ok(Check::Directory, Place::HUB, many(active as u64, "account")),
        Ok(Listed { active, inactive }) => Row::ok(
            Check::Directory,
            Place::HUB,
            format!("{}, and {inactive} not active", many(active as u64, "account")),
        ),
    }
}

fn queue(way: Way, facts: &QueueFacts) -> Row {
    let check = way.queue_check();
    let queue = match &facts.queue {
        Err(fault) => return Row::failed(check, Place::HUB, fault, Whose::Hub),
        Ok(None) => {
            let found = format!("there is no queue {}", facts.url);
            let remedy = format!("correct queues.{} in the settings, or deploy the hub's stack", way.word());
            return Row::missing(check, Place::HUB, found, remedy);
        }
        Ok(Some(queue)) => queue,
    };
    match &facts.dead {
        None => {
            let remedy = "deploy the hub's stack, which gives it one, or set its redrive policy";
            return Row::warning(check, Place::HUB, "it has no queue of dead letters", remedy);
        }
        Some(Err(fault)) => return Row::failed(check, Place::HUB, fault, Whose::Hub),
        Some(Ok(None)) => {
            let remedy = "deploy the hub's stack, or correct its redrive policy";
            return Row::missing(check, Place::HUB, "its queue of dead letters is not there", remedy);
        }
        Some(Ok(Some(dead))) if depth(dead) > 0 => {
            let found = format!("{} in its queue of dead letters {}", many(depth(dead), "message"), dead.name);
            let remedy = "look at them (aws sqs receive-message): no worker could store them, or the bus's rule could \
                          not send; delete them once that is mended";
            return Row::warning(check, Place::HUB, found, remedy);
        }
        Some(Ok(Some(_))) => {}
    }
    waiting(way, queue, facts)
}

/// A queue that is there and whole, by how long its messages wait.
fn waiting(way: Way, queue: &QueueSeen, facts: &QueueFacts) -> Row {
    let (check, waiting) = (way.queue_check(), queue.waiting);
    let max = match way {
        Way::Urgent => URGENT_AGE_MAX,
        Way::Normal => NORMAL_AGE_MAX,
        Way::Probe => PROBE_AGE_MAX,
    };
    match &facts.oldest {
        _ if waiting == 0 => Row::ok(check, Place::HUB, "no message waits, none is dead"),
        Err(fault) => Row::failed(check, Place::HUB, fault, Whose::Hub),
        Ok(None) => Row::ok(check, Place::HUB, format!("waiting: {}; none is dead", many(waiting, "message"))),
        Ok(Some(age)) if *age > max => {
            let found = format!("waiting: {}, the oldest for {} s", many(waiting, "message"), age.as_secs());
            let remedy = match way {
                Way::Probe => "purge the queue, and look who else sends probes",
                Way::Urgent | Way::Normal => "see that workers run and reach the queue: spothub status names them",
            };
            Row::warning(check, Place::HUB, found, remedy)
        }
        Ok(Some(age)) => Row::ok(
            check,
            Place::HUB,
            format!("waiting: {}, the oldest for {} s", many(waiting, "message"), age.as_secs()),
        ),
    }
}

/// Messages that are in a queue, whoever has them.
pub(super) const fn depth(queue: &QueueSeen) -> u64 {
    queue.waiting + queue.in_flight
}

fn rule(way: Way, rule: &Seen<RuleSeen>, bus: &str, queue: Option<&QueueSeen>) -> Row {
    let (check, name) = (way.hub_check(), way.rule());
    match rule {
        Err(fault) => Row::failed(check, Place::HUB, fault, Whose::Hub),
        Ok(None) => {
            let found = format!("there is no rule {name} on the bus {bus}");
            Row::missing(check, Place::HUB, found, "deploy the hub's stack, or correct hub-bus in the settings")
        }
        Ok(Some(rule)) if !rule.enabled => {
            let remedy = format!("enable it: aws events enable-rule --event-bus-name {bus} --name {name}");
            Row::missing(check, Place::HUB, "it is disabled", remedy)
        }
        Ok(Some(rule)) => match queue.and_then(|queue| queue.arn.as_ref()) {
            Some(arn) if rule.targets.iter().all(|target| target.arn != *arn) => {
                let found = format!("it does not send to {arn}, the queue that workers read");
                Row::missing(check, Place::HUB, found, "give it that target, or delete it and deploy the hub's stack")
            }
            Some(_) => Row::ok(check, Place::HUB, "there, enabled, and it sends to its queue"),
            None => Row::ok(check, Place::HUB, "there and enabled"),
        },
    }
}

/// The hub template's version, where the rules tell it.
fn template(hub: &HubFacts) -> Option<Row> {
    let rules = hub.rules.values().filter_map(|rule| rule.as_ref().ok()?.as_ref());
    let told = rules.filter_map(|rule| version_in(rule.description.as_deref()?)).min()?;
    Some(match version(told) {
        None => Row::ok(Check::HubVersion, Place::HUB, format!("template {told}")),
        Some((found, remedy)) => Row::missing(Check::HubVersion, Place::HUB, found, remedy),
    })
}

/// The first line of a text that goes on with what to do, and what to do.
fn parted<'a>(text: &'a str, otherwise: &'a str) -> (&'a str, String) {
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    let remedy: Vec<&str> = lines.filter_map(|line| line.trim_start().strip_prefix("= ")).collect();
    (first, if remedy.is_empty() { otherwise.to_owned() } else { remedy.join("; ") })
}

fn store(store: &StoreFacts) -> Row {
    match store {
        StoreFacts::Read(_) => Row::ok(Check::Store, Place::HUB, "it can be read"),
        StoreFacts::Unused => Row::ok(Check::Store, Place::HUB, "nobody has used it yet"),
        StoreFacts::Failed(text) => {
            let otherwise = "check the setting store, and the rights on the table: control-plane/docs/store.md";
            let (found, remedy) = parted(text, otherwise);
            Row::missing(Check::Store, Place::HUB, found, remedy)
        }
    }
}

fn brake(store: &StoreFacts) -> Row {
    let brake = |brake: &Brake| format!("{}: {} (by {})", brake.scope, brake.why, brake.by);
    match store {
        StoreFacts::Read(brakes) if brakes.0.is_empty() => Row::ok(Check::Brake, Place::HUB, "none is set"),
        StoreFacts::Read(brakes) => {
            let all: Vec<String> = brakes.0.iter().map(brake).collect();
            Row::told(Check::Brake, Place::HUB, format!("paused: {}", all.join("; ")))
        }
        StoreFacts::Unused => {
            let text = "a new hub begins paused: spothub resume --org --why TEXT lets it begin";
            Row::told(Check::Brake, Place::HUB, text)
        }
        StoreFacts::Failed(_) => {
            Row::unknown(Check::Brake, Place::HUB, "it cannot be read, so everything counts as paused", "see store")
        }
    }
}

fn policy(policy: &PolicyFacts, waits: Option<&str>) -> Row {
    if let (PolicyFacts::Read { version, .. }, Some(digest)) = (policy, waits) {
        let found = format!("version {version} waits for approval; until then what it loosens is not in force");
        let remedy = format!("spothub policy approve {digest} --why TEXT, by somebody else than its writer");
        return Row::warning(Check::Policy, Place::HUB, found, remedy);
    }
    match policy {
        PolicyFacts::Read { files, version } => {
            Row::ok(Check::Policy, Place::HUB, format!("{}, version {version}", many(*files as u64, "file")))
        }
        PolicyFacts::BuiltIn => Row::ok(Check::Policy, Place::HUB, "the built-in one, as it stands"),
        PolicyFacts::Nowhere => {
            let remedy = "name it under policies in the settings; policy-as-it-stands takes the built-in one";
            Row::warning(Check::Policy, Place::HUB, "no policy is named, so nothing is in force", remedy)
        }
        // It is so between the rollout and the first policy; what was published before stays in force.
        PolicyFacts::Absent(text) => {
            let (found, remedy) = parted(text, "publish a policy: control-plane/docs/policy.md");
            Row::warning(Check::Policy, Place::HUB, found, remedy)
        }
        PolicyFacts::Failed(text) => {
            let (found, remedy) = parted(text, "spothub policy check tells all that is wrong with the files");
            Row::missing(Check::Policy, Place::HUB, found, remedy)
        }
    }
}
