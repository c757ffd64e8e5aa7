//! Facts to rows. Pure: no call, no clock; what it says follows from what was found alone.

mod account;
mod hub;
mod site;
#[cfg(test)]
mod tests;

use spothub_core::id::AccountId;

use super::expected::{GLOBAL, REGIONAL, TEMPLATE_VERSION};
use super::facts::{Found, Probes, Stranger};
use super::row::{Check, Place, Row};

/// Names in one text: enough to begin with.
const NAMES_SHOWN: usize = 10;

/// Every row: the hub's first, then those of accounts and of their regions, check by check.
pub(super) fn rows(found: &Found) -> Vec<Row> {
    let mut rows = hub::rows(found);
    rows.extend(found.strangers.iter().map(|(account, why)| stranger(*account, *why)));
    for (account, facts) in &found.accounts {
        let mut of_account = found.groups.iter().filter(|(site, _)| site.account == *account);
        let in_use = of_account.any(|(_, groups)| groups.groups > 0);
        rows.extend(account::rows(*account, facts, found.told.external_id, in_use));
    }
    let bus = found.told.bus_arn(&found.hub.caller);
    for (site, facts) in &found.sites {
        rows.extend(site::rows(site, facts, bus.as_deref()));
        if facts.closed().is_some() {
            continue;
        }
        if let Some(probe) = found.probes.get(site) {
            rows.push(site::probe(site, probe));
        }
        let groups = found.groups.get(site);
        rows.push(site::quotas(site, facts, groups));
        rows.extend(groups.into_iter().flat_map(|groups| site::groups(site, groups)));
    }
    if found.told.probes == Probes::Nowhere {
        let remedy = "give queues.probe in the settings: the hub stack's output ProbeQueueUrl";
        rows.push(Row::unknown(Check::Probe, Place::HUB, "not sent: the settings name no queue for probes", remedy));
    }
    rows.sort_by(|a, b| (a.check, &a.place).cmp(&(b.check, &b.place)));
    rows
}

fn stranger(account: AccountId, why: Stranger) -> Row {
    let (found, remedy) = match why {
        Stranger::NotEnrolled => ("it is not enrolled", "check accounts.* in the settings"),
        Stranger::NotActive => {
            ("it is closed, suspended or not yet active", "nothing is done there; leave it out of --account")
        }
    };
    Row::missing(Check::Enrolment, account, found, remedy)
}

/// What to do about a template of another version, with what was found, where there is anything to do.
fn version(found: u32) -> Option<(String, &'static str)> {
    let text = format!("template {found}, and this program's is {TEMPLATE_VERSION}");
    match found {
        TEMPLATE_VERSION => None,
        older if older < TEMPLATE_VERSION => Some((text, "deploy this version's: spothub rollout apply")),
        _ => Some((text, "bring this program up to date: its templates are older than those that are deployed")),
    }
}

/// Some names, and how many more there are.
fn names<T: ToString>(all: &[T]) -> String {
    let shown: Vec<String> = all.iter().take(NAMES_SHOWN).map(ToString::to_string).collect();
    match all.len().saturating_sub(NAMES_SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// So many of something.
fn many(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// How what a stack set made comes back: it does not notice by itself what was changed or deleted beside it.
fn again(stack_set: &str) -> String {
    format!(
        "deploy it: spothub rollout apply; where its stack is there already, put this back by hand, or delete the \
         stack instance of {stack_set} there first"
    )
}

fn again_global() -> String {
    again(GLOBAL)
}

fn again_regional() -> String {
    again(REGIONAL)
}
