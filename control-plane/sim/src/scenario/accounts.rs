//! Accounts of a scenario: one by one, or so many alike.

use std::collections::BTreeMap;

use spothub_core::catalog::{Catalog, Product};
use spothub_core::commitment::{Commitment, Terms};
use spothub_core::id::{AccountId, AzId, OuPath, Region};
use spothub_core::money::UsdPerHour;
use spothub_hub::document::{At, Fields, nearest};

use super::parts::window;
use crate::shape::AccountShape;

/// The largest organization that is simulated: what design.md names as the upper end.
const ACCOUNTS_MAX: u64 = 10_000;

/// Where the ids of accounts begin that are made up: the documentation's own range is full of examples.
const FIRST_ID: u64 = 210_000_000_000;
/// Between two made-up ids, so that they look like ids and still sort by number.
const ID_STEP: u64 = 7_654_321;

pub(super) fn read(at: &At<'_>) -> Option<Vec<AccountShape>> {
    let accounts = if at.is_map() { at.fields(alike)?? } else { listed(at)? };
    if accounts.is_empty() {
        return at.fail("the organization has no account", "give at least one");
    }
    Some(accounts)
}

fn listed(at: &At<'_>) -> Option<Vec<AccountShape>> {
    let mut accounts: Vec<AccountShape> = Vec::new();
    for at in at.list()? {
        let Some(account) = one(&at) else { continue };
        if accounts.iter().any(|a| a.id == account.id) {
            let _: Option<()> = at.fail(format_args!("the account {} is listed twice", account.id), "remove one");
        }
        if accounts.iter().any(|a| a.name == account.name) {
            let _: Option<()> = at.fail(format_args!("two accounts have the name {:?}", account.name), "rename one");
        }
        accounts.push(account);
    }
    Some(accounts)
}

fn alike(fields: &Fields<'_>) -> Option<Vec<AccountShape>> {
    let count = fields.need("count").and_then(|at| at.within(1..=ACCOUNTS_MAX));
    let ous: Option<Vec<OuPath>> = fields.need("ous").and_then(|at| at.each(At::parsed));
    let regions = fields.need("regions").and_then(|at| at.each(region));
    let (count, ous, regions) = (count?, ous?, regions?);
    if ous.is_empty() || regions.is_empty() {
        fields.note("", "without units or regions there are no accounts", "give at least one of each");
        return None;
    }
    let account = |n: u64| {
        let ou = &ous[usize::try_from(n).ok()? % ous.len()];
        let last = ou.as_str().rsplit('/').find(|part| !part.is_empty()).unwrap_or("account");
        let id = AccountId::from_number(FIRST_ID + n * ID_STEP)?;
        Some(AccountShape::new(id, &format!("{last}-{:04}", n + 1), ou.clone(), regions.clone()))
    };
    Some((0..count).filter_map(account).collect())
}

fn one(at: &At<'_>) -> Option<AccountShape> {
    at.fields(|fields| {
        let (id, name, ou) = (fields.require("id"), fields.require::<String>("name"), fields.require("ou"));
        let regions = fields.need("regions").and_then(|at| {
            if at.node().items().is_empty() {
                return at.fail("the account uses no region", "give at least one");
            }
            at.each(region)
        });
        let (mut tags, mut active, mut enrolled) = (BTreeMap::new(), true, true);
        fields.set("tags", &mut tags);
        fields.set("active", &mut active);
        fields.set("enrolled", &mut enrolled);
        let denied = fields.at("denied").and_then(|at| window(&at));
        let unreachable = fields.at("unreachable").and_then(|at| window(&at));
        let spot_vcpu_quota = fields.get("spot-vcpu-quota");
        let unread = fields.at("commitments-denied").and_then(|at| window(&at));
        let lacks = unread.map(|window| READS.map(|action| (action, window))).into_iter().flatten().collect();
        let commitments = commitments(fields, id);
        let account = AccountShape::new(id?, &name?, ou?, regions?);
        Some(AccountShape {
            tags,
            active,
            enrolled,
            denied,
            lacks,
            unreachable,
            spot_vcpu_quota,
            commitments,
            ..account
        })
    })?
}

/// What reading commitments takes.
const READS: [&str; 2] = ["ec2:DescribeReservedInstances", "savingsplans:DescribeSavingsPlans"];

/// Reserved instances of Linux, and what a Compute Savings Plan costs an hour in millionths of a USD.
fn commitments(fields: &Fields<'_>, id: Option<AccountId>) -> Vec<Commitment> {
    let terms = |fields: &Fields<'_>| {
        let at_region = fields.need("region").and_then(|at| region(&at));
        let (name, count) = (fields.require::<String>("type"), fields.require("count"));
        let az: Option<AzId> = fields.at("az").and_then(|at| at.parsed());
        let (name, product) = (name?, Product::Linux);
        let Some(kind) = Catalog::in_use().by_name(&name) else {
            fields.note("type", format_args!("the catalogue does not know the type {name}"), "");
            return None;
        };
        Some(Terms::Reserved { region: at_region?, az, kind, product, count: count? })
    };
    let mut all = fields.at("reserved").and_then(|at| at.each(|at| at.fields(terms)?)).unwrap_or_default();
    let plan: Option<u32> = fields.get("compute-plan");
    all.extend(plan.map(|hourly| Terms::ComputePlan { hourly: UsdPerHour(hourly.into()) }));
    let bought = |terms| Some(Commitment { account: id?, terms, ends_at: None });
    all.into_iter().filter_map(bought).collect()
}

/// A region that the catalogue has zones of.
pub(super) fn region(at: &At<'_>) -> Option<Region> {
    let region: Region = at.parsed()?;
    let catalog = Catalog::in_use();
    if catalog.zones(&region).is_empty() {
        let known: Vec<&str> = catalog.regions().iter().map(Region::as_str).collect();
        let what = format_args!("the catalogue does not know the region {region}");
        return match nearest(region.as_str(), known.iter().copied()) {
            Some(meant) => at.fail(what, format_args!("did you mean {meant}?")),
            None => at.fail(what, format_args!("known are {}", known.join(", "))),
        };
    }
    Some(region)
}
