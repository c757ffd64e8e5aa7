//! What must not be there when a rollout is removed: swaps in flight, and instances that the hub launched.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use spothub_aws::Uncounted;
use spothub_aws::stacks::Spot;
use spothub_core::brake::{Brake, BrakeScope, FORMAT};
use spothub_core::cloud::{InstanceSeen, RunState};
use spothub_core::fault::Fault;
use spothub_core::group::Lifecycle;
use spothub_core::id::{AccountId, Region, Site};
use spothub_core::port::{Cause, Clock, Look, Store};
use spothub_core::time::Span;
use spothub_hub::brake as brakes;
use spothub_hub::status::status;
use tokio::task::JoinSet;

use crate::args::HubStore;
use crate::brake::author;
use crate::clock::WallClock;
use crate::compose;
use crate::config::{self, Mistakes, Sources, Typed};
use crate::output::remedy;
use crate::store;

/// Accounts' regions that are looked at at once.
const SITES_AT_ONCE: usize = 16;
/// Findings that are told one by one.
const TOLD_MAX: usize = 20;

/// What keeps a removal from being begun; empty where nothing does.
pub(super) async fn findings(settings: &Path, accounts: &BTreeSet<AccountId>) -> anyhow::Result<Vec<String>> {
    let mut found = in_flight(settings).await?;
    let everywhere = |regions: &BTreeSet<Region>| {
        let of = |account: &AccountId| regions.iter().map(|r| (*account, r.clone())).collect::<Vec<_>>();
        accounts.iter().flat_map(of).collect()
    };
    found.extend(living(settings, everywhere).await?);
    Ok(found)
}

/// What keeps these places from being taken out of a hub that stays.
pub(super) async fn findings_at(settings: &Path, spots: &BTreeSet<Spot>) -> anyhow::Result<Vec<String>> {
    living(settings, |_| spots.iter().cloned().collect()).await
}

/// Swaps that the hub's store knows of.
pub(super) async fn in_flight(settings: &Path) -> anyhow::Result<Vec<String>> {
    let kept = config::store_of(&HubStore::of(settings)).map_err(|mistakes| told(&mistakes))?;
    let clock = Arc::new(WallClock::default());
    let seed = compose::seed(&*clock);
    let now = clock.now();
    let Some(store) = store::found(&kept, clock, Arc::new(Uncounted), seed).await? else { return Ok(Vec::new()) };
    let status = status(&*store, now).await.context("the hub's store cannot be read")?;
    let row = |swap: &spothub_hub::status::InFlight| {
        format!("the swap {} in {} is in flight, at its step {}", swap.swap, swap.group, swap.stage)
    };
    Ok(status.in_flight.iter().take(TOLD_MAX).map(row).collect())
}

/// Keeps workers from beginning anything more; `false` where there is no store.
pub(super) async fn brake(settings: &Path) -> anyhow::Result<bool> {
    let kept = config::store_of(&HubStore::of(settings)).map_err(|mistakes| told(&mistakes))?;
    let clock = Arc::new(WallClock::default());
    let seed = compose::seed(&*clock);
    let at = clock.now();
    let Some(store) = store::found(&kept, clock, Arc::new(Uncounted), seed).await? else { return Ok(false) };
    let why = "spothub rollout remove".to_owned();
    let brake = Brake { format: FORMAT, scope: BrakeScope::All, why, by: author(None), at, revert: false };
    brakes::pull(&*store, &brake).await.context("the brake could not be set")?;
    Ok(true)
}

/// Sends everything back to on-demand, where it is not on its way already. Refused where nothing would come of it.
pub(super) async fn send_back(settings: &Path) -> anyhow::Result<()> {
    let store = stored(settings).await?;
    let set = brakes::brakes(&*store).await.context("the brakes cannot be read")?;
    let paused = set.0.iter().any(|brake| brake.scope == BrakeScope::All && !brake.revert);
    anyhow::ensure!(!paused, "everything is paused, so nothing would go back\n   = spothub resume --all --why TEXT");
    let (why, at) = ("spothub rollout remove --revert".to_owned(), WallClock::default().now());
    let brake = Brake { format: FORMAT, scope: BrakeScope::Org, why, by: author(None), at, revert: true };
    brakes::first_use(&*store, at).await.context("the store cannot be written")?;
    brakes::pull(&*store, &brake).await.context("it could not be noted in the store")
}

/// How many instances that the hub brought are on Spot, by its own rows.
pub(super) async fn on_spot(settings: &Path) -> anyhow::Result<u64> {
    let store = stored(settings).await?;
    let left = brakes::on_spot(&*store, &BrakeScope::Org).await.context("what is on Spot cannot be read")?;
    left.context("what is on Spot is not known")
}

async fn stored(settings: &Path) -> anyhow::Result<Arc<dyn Store>> {
    let kept = config::store_of(&HubStore::of(settings)).map_err(|mistakes| told(&mistakes))?;
    let clock = Arc::new(WallClock::default());
    let seed = compose::seed(&*clock);
    let store = store::found(&kept, clock, Arc::new(Uncounted), seed).await?;
    store.context("the hub has no store yet, so it brought nothing that could go back: leave --revert out")
}

/// Releases that brake.
pub(super) async fn release(settings: &Path) -> anyhow::Result<()> {
    let kept = config::store_of(&HubStore::of(settings)).map_err(|mistakes| told(&mistakes))?;
    let clock = Arc::new(WallClock::default());
    let seed = compose::seed(&*clock);
    let (why, by, at) = ("spothub rollout remove was given up".to_owned(), author(None), clock.now());
    if let Some(store) = store::found(&kept, clock, Arc::new(Uncounted), seed).await? {
        let brake = Brake { format: FORMAT, scope: BrakeScope::All, why, by, at, revert: false };
        brakes::release(&*store, &brake).await.context("the brake could not be released")?;
    }
    Ok(())
}

/// Living instances with the hub's tag, in these places, looked for as the hub does.
async fn living(settings: &Path, places: impl Fn(&BTreeSet<Region>) -> Vec<Spot>) -> anyhow::Result<Vec<String>> {
    let typed = Typed::default();
    let sources = Sources { file: Some(settings), typed: &typed, waive_floors: false, serves: false, looks: true };
    let mut reach = config::read_reach(&sources).map_err(|mistakes| told(&mistakes))?;
    // Types and prices do not matter here.
    reach.catalogue = Span::ZERO;
    let clock: Arc<dyn Clock> = Arc::new(WallClock::default());
    let seed = compose::seed(&*clock);
    let reached = compose::reach(&reach, &clock, Arc::new(Uncounted), seed).await?;
    let sites: Vec<Site> =
        places(&reach.regions).into_iter().map(|(account, region)| Site { account, region }).collect();
    let mut found = Vec::new();
    for some in sites.chunks(SITES_AT_ONCE) {
        let mut looks = JoinSet::new();
        for site in some.iter().cloned() {
            let cloud = Arc::clone(&reached.cloud);
            looks.spawn(async move {
                let rows = cloud.managed(&site, Cause::default()).await;
                (site, rows)
            });
        }
        let mut looked = looks.join_all().await;
        looked.sort_by(|(a, _), (b, _)| a.cmp(b));
        found.extend(looked.into_iter().flat_map(|(site, rows)| told_of(&site, rows)));
    }
    let more = found.len().saturating_sub(TOLD_MAX);
    found.truncate(TOLD_MAX);
    if more > 0 {
        found.push(format!("and {more} more"));
    }
    Ok(found)
}

/// What was found in one account and region.
fn told_of(site: &Site, seen: Result<Vec<InstanceSeen>, Fault>) -> Vec<String> {
    match seen {
        Ok(rows) => {
            // What runs on demand needs nobody who looks after it: its group does.
            let spot = |row: &&InstanceSeen| row.facts.lifecycle == Lifecycle::Spot && row.state != RunState::Ended;
            let lives = rows.iter().filter(spot);
            lives.map(|row| format!("the instance {} in {site} lives, which the hub launched", row.id)).collect()
        }
        Err(fault) => {
            let remedy = remedy::of(fault.label());
            vec![format!("nobody knows what lives in {site}: {fault} ({remedy})")]
        }
    }
}

fn told(mistakes: &Mistakes) -> anyhow::Error {
    anyhow!("the hub's settings cannot be used:\n{}", mistakes.0.join("\n"))
}
