//! What is to be there: stacks and stack sets with all their parameters, from the file and what is known of the
//! organization. Makes no call.

use std::collections::{BTreeMap, BTreeSet};

use spothub_aws::UnitId;
use spothub_aws::stacks::{Filter, Health, Instance, Named, Preferences, Spot};
use spothub_core::id::{AccountId, Region};

use super::file::{Mode, RolloutFile, SHARED_WITH_HUB};
use super::template::{Part, Template, Templates};

/// What the organization says, and the hub's stack where it is there.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    /// The partition of ARNs, as `aws`.
    pub(crate) partition: String,
    /// The organization's id.
    pub(crate) organization: String,
    /// Its management account.
    pub(crate) management: AccountId,
    /// The account of the session.
    pub(crate) caller: AccountId,
    /// Its root: stands for the whole of it. None is needed where a list of accounts is deployed to.
    pub(crate) root: Option<UnitId>,
    /// Active accounts below the units that are asked for, the management account aside; or the file's own list.
    pub(crate) accounts: BTreeSet<AccountId>,
    /// What the hub's stack tells of itself.
    pub(crate) outputs: Named,
}

/// An ordinary stack.
#[derive(Clone, Debug)]
pub(crate) struct StackWish {
    pub(crate) part: Part,
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    pub(crate) name: String,
    pub(crate) template: Template,
    pub(crate) parameters: Named,
    pub(crate) tags: Named,
}

/// A stack set.
#[derive(Clone, Debug)]
pub(crate) struct SetWish {
    pub(crate) part: Part,
    pub(crate) name: String,
    pub(crate) template: Template,
    pub(crate) parameters: Named,
    pub(crate) tags: Named,
    pub(crate) mode: Mode,
    /// The set whose automatic deployment comes first, by name.
    pub(crate) after: Option<String>,
    /// Units that it is deployed to; none where roles are there already.
    pub(crate) units: BTreeSet<UnitId>,
    /// Which accounts of the units.
    pub(crate) filter: Filter,
    /// The accounts that the filter speaks of.
    pub(crate) filtered: BTreeSet<AccountId>,
    pub(crate) regions: BTreeSet<Region>,
    /// Every place where it is to be.
    pub(crate) spots: BTreeSet<Spot>,
    pub(crate) how: Preferences,
}

/// All of it.
#[derive(Clone, Debug)]
pub(crate) struct Desired {
    pub(crate) hub: StackWish,
    /// Roles, then rules.
    pub(crate) sets: [SetWish; 2],
    /// The management account's own.
    pub(crate) own: Vec<StackWish>,
}

impl SetWish {
    /// Whether an instance that is there is to stay, by what the file says of units, accounts and regions.
    pub(crate) fn keeps(&self, instance: &Instance) -> bool {
        let by_unit = instance.unit.as_ref().is_none_or(|unit| self.units.contains(unit));
        let named = self.filtered.contains(&instance.account);
        let by_account = match self.filter {
            Filter::All => true,
            Filter::Only => named,
            Filter::Without => !named,
        };
        self.regions.contains(&instance.region) && by_account && (self.units.is_empty() || by_unit)
    }

    /// Instances that are as they are to be, of all that are to be there.
    pub(crate) fn good(&self, instances: &[Instance]) -> usize {
        let good = |one: &&Instance| one.health == Health::Current;
        instances.iter().filter(|one| self.spots.contains(&(one.account, one.region.clone()))).filter(good).count()
    }
}

/// The name and the path of a role's ARN.
pub(crate) fn role_parts(arn: &str) -> Option<(String, String)> {
    let (_, role) = arn.split_once(":role")?;
    let (path, name) = role.rsplit_once('/')?;
    Some((name.to_owned(), format!("{path}/")))
}

/// Puts it together.
pub(crate) fn desired(file: &RolloutFile, facts: &Facts, templates: &Templates) -> Desired {
    let mut members = members(file, facts, templates);
    let own = own(file, facts, templates, &members);
    let mut set = |part| set(file, facts, part, templates, members.remove(&part).unwrap_or_default());
    let sets = [set(Part::Global), set(Part::Regional)];
    let hub = StackWish {
        part: Part::Hub,
        account: file.hub.account,
        region: file.hub.region.clone(),
        name: file.hub.stack.clone(),
        parameters: hub_parameters(file, facts, templates, &served(file, facts, &sets[0])),
        template: templates.of(Part::Hub).clone(),
        tags: file.tags.clone(),
    };
    Desired { hub, sets, own }
}

/// Which accounts the hub serves, in the words of its settings: the same for its workers as for people.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Served {
    /// All are named in `only`; otherwise the organization tells them, by what the rest says.
    pub(crate) by_list: bool,
    pub(crate) units: BTreeSet<UnitId>,
    pub(crate) only: BTreeSet<AccountId>,
    pub(crate) without: BTreeSet<AccountId>,
}

/// Read from the organization where the hub's account may do that, else by list.
pub(crate) fn served(file: &RolloutFile, facts: &Facts, set: &SetWish) -> Served {
    let hub = file.hub.account;
    let delegated = matches!(file.members.mode, Mode::Service { delegated: true, .. });
    let reads = hub == facts.management || (delegated && hub == facts.caller);
    let own = file.management.stacks.then_some(facts.management);
    if !reads || matches!(file.members.mode, Mode::Roles { .. }) {
        let only = set.spots.iter().map(|(account, _)| *account).chain(own).collect();
        return Served { by_list: true, only, ..Served::default() };
    }
    let mut without = file.members.without.clone();
    if own.is_none() {
        // Its stack sets never deploy there.
        without.insert(facts.management);
    }
    if set.filter == Filter::Only {
        return Served { only: set.filtered.iter().copied().chain(own).collect(), without, ..Served::default() };
    }
    let units = file.members.units.clone();
    // Units are not all that is in scope then.
    let only = if units.is_empty() { BTreeSet::new() } else { own.into_iter().collect() };
    Served { units, only, without, by_list: false }
}

/// The external id: the organization's own where none is named.
pub(crate) fn external_id(file: &RolloutFile, facts: &Facts) -> String {
    file.external_id.clone().unwrap_or_else(|| facts.organization.clone())
}

/// The hub's role: as its stack says, or as the stack will name it.
pub(crate) fn hub_role(file: &RolloutFile, facts: &Facts, templates: &Templates) -> String {
    if let Some(arn) = facts.outputs.get("HubRoleArn") {
        return arn.clone();
    }
    let template = templates.of(Part::Hub);
    let of = |name: &str, or: &str| {
        let given = file.hub.parameters.get(name).filter(|text| !text.is_empty()).cloned();
        let default = || template.parameters.get(name).and_then(|known| known.default.clone());
        given.or_else(default).filter(|text| !text.is_empty()).unwrap_or_else(|| or.to_owned())
    };
    let arn = of("HubRoleArn", "");
    if !arn.is_empty() {
        return arn;
    }
    let (partition, account) = (&facts.partition, file.hub.account);
    format!("arn:{partition}:iam::{account}:role{}{}", of("RolePath", "/"), of("HubRoleName", "spothub-hub"))
}

fn hub_parameters(file: &RolloutFile, facts: &Facts, templates: &Templates, served: &Served) -> Named {
    let listed = |ids: &BTreeSet<AccountId>| ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let units: Vec<&str> = served.units.iter().map(UnitId::as_str).collect();
    let regions: Vec<&str> = file.members.regions.iter().map(Region::as_str).collect();
    let mut found = file.hub.parameters.clone();
    let path = file.members.global.get("RolePath").cloned().unwrap_or_else(|| "/".to_owned());
    for (name, value) in [
        ("HubId", file.hub_id.as_str().to_owned()),
        ("MemberRolePath", path.clone()),
        ("ForwarderRolePath", path),
        ("OrganizationId", facts.organization.clone()),
        ("ExternalId", external_id(file, facts)),
        ("Regions", regions.join(",")),
        ("AccountsFrom", if served.by_list { "list" } else { "organization" }.to_owned()),
        ("AccountsUnits", units.join(",")),
        ("AccountsOnly", listed(&served.only)),
        ("AccountsWithout", listed(&served.without)),
    ] {
        found.insert(name.to_owned(), value);
    }
    for name in SHARED_WITH_HUB {
        if let Some(value) = file.members.global.get(name) {
            found.entry(name.to_owned()).or_insert_with(|| value.clone());
        }
    }
    complete(found, templates.of(Part::Hub))
}

/// The parameters of both member templates.
fn members(file: &RolloutFile, facts: &Facts, templates: &Templates) -> BTreeMap<Part, Named> {
    let bus = facts.outputs.get("BusArn").cloned().unwrap_or_else(|| {
        let (partition, region, account) = (&facts.partition, &file.hub.region, file.hub.account);
        format!("arn:{partition}:events:{region}:{account}:event-bus/spothub")
    });
    let (name, path) = role_parts(&hub_role(file, facts, templates)).unwrap_or_default();
    let of = |part: Part, given: &Named, other: &Named| {
        let template = templates.of(part);
        let mut found = given.clone();
        for (key, value) in [
            ("HubAccountId", file.hub.account.to_string()),
            ("HubRoleName", name.clone()),
            ("HubRolePath", path.clone()),
            ("OrganizationId", facts.organization.clone()),
            ("ExternalId", external_id(file, facts)),
            ("HubBusArn", bus.clone()),
        ] {
            found.insert(key.to_owned(), value);
        }
        // What both templates take is given to either; an ARN has one account's number, and a set has many accounts:
        // rules find their account's own role by path and name.
        for (key, value) in other.iter().filter(|(key, _)| *key != "ForwarderRoleArn") {
            found.entry(key.clone()).or_insert_with(|| value.clone());
        }
        for key in SHARED_WITH_HUB {
            if let Some(value) = file.hub.parameters.get(key) {
                found.entry(key.to_owned()).or_insert_with(|| value.clone());
            }
        }
        (part, complete(found, template))
    };
    let (global, regional) = (&file.members.global, &file.members.regional);
    BTreeMap::from([of(Part::Global, global, regional), of(Part::Regional, regional, global)])
}

/// What the template takes, with its defaults: so that what is there can be compared with it, value for value.
fn complete(mut given: Named, template: &Template) -> Named {
    given.retain(|name, _| template.parameters.contains_key(name));
    for (name, known) in &template.parameters {
        if let Some(default) = &known.default {
            given.entry(name.clone()).or_insert_with(|| default.clone());
        }
    }
    given
}

fn set(file: &RolloutFile, facts: &Facts, part: Part, templates: &Templates, parameters: Named) -> SetWish {
    let members = &file.members;
    let global = part == Part::Global;
    let regions = if global { BTreeSet::from([members.global_region.clone()]) } else { members.regions.clone() };
    let service = matches!(members.mode, Mode::Service { .. });
    let units = match &members.mode {
        Mode::Service { .. } if members.units.is_empty() => facts.root.iter().cloned().collect(),
        Mode::Service { .. } => members.units.clone(),
        Mode::Roles { .. } => BTreeSet::new(),
    };
    let chosen: BTreeSet<AccountId> = members.accounts.difference(&members.without).copied().collect();
    let (filter, filtered) = match (members.accounts.is_empty(), members.without.is_empty()) {
        (false, _) => (Filter::Only, chosen.clone()),
        (true, false) => (Filter::Without, members.without.clone()),
        (true, true) => (Filter::All, BTreeSet::new()),
    };
    let wanted = |account: &&AccountId| match filter {
        Filter::All => true,
        Filter::Only => filtered.contains(account),
        Filter::Without => !filtered.contains(account),
    };
    let accounts: BTreeSet<AccountId> =
        if service { facts.accounts.iter().filter(wanted).copied().collect() } else { chosen };
    let spots = accounts.iter().flat_map(|account| regions.iter().map(|region| (*account, region.clone()))).collect();
    SetWish {
        part,
        name: if global { members.global_set.clone() } else { members.regional_set.clone() },
        template: templates.of(part).clone(),
        parameters,
        tags: file.tags.clone(),
        mode: members.mode.clone(),
        after: (!global && matches!(members.mode, Mode::Service { auto: true, .. }))
            .then(|| members.global_set.clone()),
        units,
        filter,
        filtered,
        regions,
        spots,
        how: Preferences { at_once: members.at_once, may_fail: members.may_fail },
    }
}

/// The management account's stacks: the same templates, with the same names.
fn own(file: &RolloutFile, facts: &Facts, templates: &Templates, parameters: &BTreeMap<Part, Named>) -> Vec<StackWish> {
    if !file.management.stacks {
        return Vec::new();
    }
    let members = &file.members;
    let wish = |part: Part, name: &str, region: &Region| StackWish {
        part,
        account: facts.management,
        region: region.clone(),
        name: name.to_owned(),
        template: templates.of(part).clone(),
        parameters: parameters[&part].clone(),
        tags: file.tags.clone(),
    };
    let mut found = vec![wish(Part::Global, &members.global_set, &members.global_region)];
    found.extend(members.regions.iter().map(|region| wish(Part::Regional, &members.regional_set, region)));
    found
}
