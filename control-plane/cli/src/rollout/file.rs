//! `rollout.yaml`: what is rolled out, and where. Parsed into what can be used, with all mistakes at once; makes no
//! call and needs no credentials.

mod example;
mod given;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::Path;

use spothub_aws::stacks::Named;
use spothub_aws::{ExternalId, HubId, UnitId};
use spothub_core::id::{AccountId, Region};
use spothub_hub::document::{At, Fields, Read, Reading};

use super::template::{Part, Templates};
use crate::config::Mistakes;

pub(crate) use example::{Known, text as example};
pub(super) use given::SHARED_WITH_HUB;
use given::{parameters, shared};

/// Stack sets take at most so many tags.
const TAGS_MAX: usize = 50;

/// Who deploys to members.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Mode {
    /// CloudFormation itself, to units of the organization.
    Service {
        /// The caller administers stack sets for the organization without being its management account.
        delegated: bool,
        /// Accounts that join a unit are deployed to by CloudFormation itself.
        auto: bool,
    },
    /// Roles that are there already, to a list of accounts.
    Roles {
        /// The role that CloudFormation assumes, where it is not its default.
        administration: Option<String>,
        /// The role in members, by name, where it is not its default.
        execution: Option<String>,
    },
}

/// The hub's place.
#[derive(Clone, Debug)]
pub(crate) struct Hub {
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    /// The stack's name.
    pub(crate) stack: String,
    /// The role to assume in the hub's account.
    pub(crate) role: Option<String>,
    pub(crate) parameters: Named,
}

/// Where members are.
#[derive(Clone, Debug)]
pub(crate) struct Members {
    pub(crate) mode: Mode,
    /// Units; none means the whole organization.
    pub(crate) units: BTreeSet<UnitId>,
    /// Accounts: these, or of the units these alone.
    pub(crate) accounts: BTreeSet<AccountId>,
    /// Never these.
    pub(crate) without: BTreeSet<AccountId>,
    pub(crate) regions: BTreeSet<Region>,
    /// Where the roles' stack is.
    pub(crate) global_region: Region,
    /// The sets' names.
    pub(crate) global_set: String,
    pub(crate) regional_set: String,
    /// Percent of a region's accounts at once.
    pub(crate) at_once: u8,
    /// Percent of a region's accounts that may fail.
    pub(crate) may_fail: u8,
    pub(crate) global: Named,
    pub(crate) regional: Named,
}

/// The management account's own stacks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Management {
    /// It is served, too.
    pub(crate) stacks: bool,
    /// The role to assume in the management account.
    pub(crate) role: Option<String>,
}

/// The file.
#[derive(Clone, Debug)]
pub(crate) struct RolloutFile {
    pub(crate) hub_id: HubId,
    /// The organization that it is for; any where it says none.
    pub(crate) organization: Option<String>,
    /// What the member role's trust asks for; the organization's id where it says none.
    pub(crate) external_id: Option<String>,
    pub(crate) hub: Hub,
    pub(crate) members: Members,
    pub(crate) management: Management,
    pub(crate) tags: Named,
}

/// Reads a file.
pub(crate) fn read(path: &Path, templates: &Templates) -> Result<RolloutFile, Mistakes> {
    let name = path.display().to_string();
    let text = std::fs::read(path).map_err(|error| {
        let remedy = "make one with `spothub rollout example`, or name it with --file";
        Mistakes(vec![format!("cannot read {name}: {error}\n   = {remedy}")])
    })?;
    let text = spothub_hub::document::decode(&name, text).map_err(|problems| Mistakes(vec![problems.to_string()]))?;
    parse(&name, &text, templates)
}

/// Parses a file's text.
pub(crate) fn parse(name: &str, text: &str, templates: &Templates) -> Result<RolloutFile, Mistakes> {
    let reading = Reading::new(name, text);
    let tree = reading.parse();
    let file = tree.as_ref().and_then(|tree| reading.root(tree).fields(|fields| whole(fields, templates)).flatten());
    reading.finish(file).map_err(|problems| Mistakes(vec![problems.to_string()]))
}

/// The file, where nothing needed is missing; what is wrong is noted.
fn whole(fields: &Fields<'_>, templates: &Templates) -> Option<RolloutFile> {
    let hub_id = fields.need("hub-id").and_then(|at| at.parsed::<HubId>());
    let organization = fields.at("organization").and_then(|at| organization(&at));
    let external_id = fields.at("external-id").and_then(|at| external_id(&at));
    let hub = fields.need("hub").and_then(|at| at.fields(|fields| hub(fields, templates)).flatten());
    let home = hub.as_ref().map(|hub| hub.region.clone());
    let members =
        fields.need("members").and_then(|at| at.fields(|fields| members(fields, home.as_ref(), templates)).flatten());
    let management = fields.at("management").and_then(|at| at.fields(management)).unwrap_or_default();
    let tags: Named = fields.get("tags").unwrap_or_default();
    if tags.len() > TAGS_MAX {
        fields.note("tags", format_args!("{} tags are given", tags.len()), "CloudFormation takes 50");
    }
    if let (Some(hub), Some(members)) = (&hub, &members) {
        shared(
            fields,
            [(Part::Hub, &hub.parameters), (Part::Global, &members.global), (Part::Regional, &members.regional)],
        );
    }
    let (hub_id, hub, members) = (hub_id?, hub?, members?);
    Some(RolloutFile { hub_id, organization, external_id, hub, members, management, tags })
}

fn hub(fields: &Fields<'_>, templates: &Templates) -> Option<Hub> {
    let account = fields.require::<AccountId>("account");
    let region = fields.require::<Region>("region");
    let stack = fields.at("stack").map_or_else(|| Some("spothub-hub".to_owned()), |at| stack_name(&at));
    let role = fields.at("role").and_then(|at| role(&at));
    let parameters = parameters(fields, fields.at("parameters"), Part::Hub, templates.of(Part::Hub));
    Some(Hub { account: account?, region: region?, stack: stack?, role, parameters })
}

fn members(fields: &Fields<'_>, home: Option<&Region>, templates: &Templates) -> Option<Members> {
    let accounts: BTreeSet<AccountId> = set(fields, "accounts", AccountId::read);
    let units: BTreeSet<UnitId> = set(fields, "units", unit);
    let mode = mode(fields, !accounts.is_empty(), !units.is_empty());
    let regions: BTreeSet<Region> = set(fields, "regions", Region::read);
    if regions.is_empty() {
        fields.note("regions", "no region is named", "name those to serve, as [us-east-1, eu-west-1]");
    }
    let global_region = fields.at("global-region").map_or_else(|| home.cloned(), |at| Region::read(&at));
    let names = fields.at("stack-sets").and_then(|at| {
        at.fields(|fields| {
            let name = |key: &'static str| fields.at(key).and_then(|at| stack_name(&at));
            (name("global"), name("regional"))
        })
    });
    let (global_set, regional_set) = names.unwrap_or_default();
    let (mut at_once, mut may_fail) = (100, 100);
    fields.set_within("at-once-percent", 1..=100, &mut at_once);
    fields.set_within("failures-percent", 0..=100, &mut may_fail);
    let (global, regional) = fields
        .at("parameters")
        .and_then(|at| {
            at.fields(|fields| {
                let of = |key, part| parameters(fields, fields.at(key), part, templates.of(part));
                (of("global", Part::Global), of("regional", Part::Regional))
            })
        })
        .unwrap_or_default();
    let without = set(fields, "without", AccountId::read);
    Some(Members {
        mode: mode?,
        units,
        accounts,
        without,
        regions,
        global_region: global_region?,
        global_set: global_set.unwrap_or_else(|| "spothub-member-global".to_owned()),
        regional_set: regional_set.unwrap_or_else(|| "spothub-member-regional".to_owned()),
        at_once,
        may_fail,
        global,
        regional,
    })
}

/// Who deploys; keys of the other mode are mistakes.
fn mode(fields: &Fields<'_>, accounts: bool, units: bool) -> Option<Mode> {
    let service =
        fields.at("mode").map_or(Some(true), |at| at.word(&[("service-managed", true), ("self-managed", false)]))?;
    let delegated = fields.at("call-as").and_then(|at| at.word(&[("self", false), ("delegated-administrator", true)]));
    let auto = fields.get::<bool>("auto-deployment");
    let administration = fields.at("administration-role").and_then(|at| role(&at));
    let execution = fields.at("execution-role").and_then(|at| at.text().map(ToOwned::to_owned));
    if service {
        for (given, key) in [(administration.is_some(), "administration-role"), (execution.is_some(), "execution-role")]
        {
            if given {
                fields.note(key, "is for mode: self-managed", "leave it out: CloudFormation makes these roles itself");
            }
        }
        if accounts && auto == Some(true) {
            let what = "deploys to every account that joins the units, also where accounts names only some";
            fields.note("auto-deployment", what, "give false, or leave accounts out and name exceptions in without");
        }
        return Some(Mode::Service { delegated: delegated.unwrap_or_default(), auto: auto.unwrap_or(!accounts) });
    }
    for (given, key) in
        [(units, "units"), (delegated == Some(true), "call-as"), (auto == Some(true), "auto-deployment")]
    {
        if given {
            fields.note(key, "is for mode: service-managed", "name accounts instead, and leave it out");
        }
    }
    if !accounts {
        fields.note("accounts", "no account is named, and mode is self-managed", "name each account, in quotes");
    }
    Some(Mode::Roles { administration, execution })
}

fn management(fields: &Fields<'_>) -> Management {
    let mut found = Management::default();
    fields.set("stacks", &mut found.stacks);
    found.role = fields.at("role").and_then(|at| role(&at));
    found
}

fn set<T: Ord>(fields: &Fields<'_>, key: &'static str, read: impl Fn(&At<'_>) -> Option<T>) -> BTreeSet<T> {
    fields.at(key).and_then(|at| at.each(|one| read(one))).unwrap_or_default().into_iter().collect()
}

fn unit(at: &At<'_>) -> Option<UnitId> {
    at.parsed()
}

fn organization(at: &At<'_>) -> Option<String> {
    let text = at.text()?;
    let plain =
        |id: &str| (10..=32).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if text.strip_prefix("o-").is_some_and(plain) {
        return Some(text.to_owned());
    }
    at.fail(format_args!("{text:?} is no organization's id"), "it is written as o-exampleorgid")
}

/// Checked by the settings' own rule. Not shown in messages, as there.
fn external_id(at: &At<'_>) -> Option<String> {
    let text = at.text()?;
    match text.parse::<ExternalId>() {
        Ok(_) => Some(text.to_owned()),
        Err(error) => at.fail(error, "leave it out to take the organization's id"),
    }
}

fn role(at: &At<'_>) -> Option<String> {
    let text = at.text()?;
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let good = matches!(parts[..], ["arn", partition, "iam", "", account, role]
        if !partition.is_empty() && account.parse::<AccountId>().is_ok() && role.starts_with("role/"));
    if good && text.bytes().all(|b| b.is_ascii_graphic()) {
        return Some(text.to_owned());
    }
    at.fail(format_args!("{text:?} is no role"), "give its ARN, as arn:aws:iam::123456789012:role/NAME")
}

fn stack_name(at: &At<'_>) -> Option<String> {
    let text = at.text()?;
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    if text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.len() <= 128 && text.bytes().all(fits) {
        return Some(text.to_owned());
    }
    at.fail(format_args!("{text:?} is no name of a stack"), "letters, digits and dashes, a letter first, 128 at most")
}
