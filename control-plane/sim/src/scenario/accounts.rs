//! Accounts of a scenario: one by one, or so many alike.

use spothub_core::catalog::Catalog;
use spothub_core::id::{AccountId, OuPath, Region};
use spothub_hub::document::{At, Fields};

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
        let id: Option<AccountId> = fields.need("id").and_then(|_| fields.get("id"));
        let name: Option<String> = fields.need("name").and_then(|_| fields.get("name"));
        let ou: Option<OuPath> = fields.need("ou").and_then(|_| fields.get("ou"));
        let regions = fields.need("regions").and_then(|at| at.each(region));
        let mut account = AccountShape::new(id?, &name?, ou?, regions?);
        if account.regions.is_empty() {
            fields.note("regions", "the account uses no region", "give at least one");
        }
        fields.set("tags", &mut account.tags);
        fields.set("active", &mut account.active);
        fields.set("enrolled", &mut account.enrolled);
        account.denied = fields.at("denied").and_then(|at| window(&at));
        account.unreachable = fields.at("unreachable").and_then(|at| window(&at));
        account.spot_vcpu_quota = fields.get("spot-vcpu-quota");
        Some(account)
    })?
}

/// A region that the catalogue has zones of.
pub(super) fn region(at: &At<'_>) -> Option<Region> {
    let region: Region = at.parsed()?;
    let catalog = Catalog::embedded();
    if catalog.zones(&region).is_empty() {
        let known: Vec<&str> = catalog.regions().iter().map(Region::as_str).collect();
        let what = format_args!("the catalogue does not know the region {region}");
        return at.fail(what, format_args!("known are {}", known.join(", ")));
    }
    Some(region)
}
