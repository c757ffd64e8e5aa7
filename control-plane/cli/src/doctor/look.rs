//! The looks: what is asked of whom, in which order and how much at once. Judges nothing.

mod groups;
mod hub;
mod probes;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::anyhow;
use spothub_aws::doctor::{Doctor, Tried};
use spothub_aws::{Own, Uncounted};
use spothub_core::fault::Fault;
use spothub_core::id::{AccountId, Region, Site};
use spothub_core::port::{Account, Clock};
use spothub_core::time::Span;

use super::batch::each;
use super::expected::{DEAD_LETTERS, Way};
use super::facts::{AccountFacts, Found, HubFacts, Inside, Listed, OurRole, Probes, SiteFacts, Stranger, Told};
use super::quota::Class;
use crate::clock::WallClock;
use crate::compose::{self, Reached};
use crate::config::Config;
use crate::output::remedy;
use crate::progress::Progress;

/// Accounts at once: each asks STS three times, and sixteen that wait 50 ms for each answer ask 320 times a second, of
/// the 600 that STS gives the hub's account and its workers.
const ACCOUNTS_AT_ONCE: usize = 16;

/// What to look at.
#[derive(Debug)]
pub(super) struct Asked {
    /// These accounts alone; none means all that are enrolled.
    pub(super) accounts: BTreeSet<AccountId>,
    /// These regions alone; none means all that are served.
    pub(super) regions: BTreeSet<Region>,
    /// Whether probes are sent.
    pub(super) probes: Probes,
    /// How long each is waited for.
    pub(super) wait: Span,
}

/// What all looks share.
struct Eyes {
    doctor: Arc<Doctor>,
    clock: Arc<dyn Clock>,
    config: Config,
    reached: Reached,
    asked: Asked,
}

/// Looks at everything. Fails only where the hub cannot call AWS at all.
pub(super) async fn look(mut config: Config, asked: Asked, shown: &Progress) -> anyhow::Result<Found> {
    let clock: Arc<dyn Clock> = Arc::new(WallClock::default());
    let seed = compose::seed(&*clock);
    // What is checked does not depend on the newest types and prices.
    config.reach.catalogue = Span::ZERO;
    shown.say("asking the hub");
    let reached = compose::reach(&config.reach, &clock, Arc::new(Uncounted), seed).await?;
    let (role, external_id) = (config.reach.role.clone(), config.reach.external_id.clone());
    let (cloud, home) = (Arc::clone(&reached.aws), Arc::clone(&reached.home));
    let doctor = Arc::new(Doctor::new(cloud, home, Arc::clone(&clock), role, external_id));
    let answered = doctor.identity().await;
    let caller = answered.caller.map_err(|fault| unable(&fault, answered.ahead))?;
    let eyes = Eyes { doctor, clock, config, reached, asked };
    let told = eyes.told();
    let (store, waits) = eyes.store(seed).await;
    let hub = HubFacts {
        caller,
        ahead: answered.ahead,
        directory: Ok(Listed::default()),
        queues: eyes.queues().await,
        rules: eyes.rules(told.bus_name()).await,
        store,
        policy: eyes.policy().await,
        waits,
    };
    let mut found = Found {
        at: eyes.clock.now(),
        told,
        hub,
        accounts: BTreeMap::new(),
        sites: BTreeMap::new(),
        probes: BTreeMap::new(),
        groups: BTreeMap::new(),
        strangers: BTreeMap::new(),
    };
    Box::pin(eyes.members(&mut found, shown)).await;
    Ok(found)
}

/// Why nothing can be looked at.
fn unable(fault: &Fault, ahead: Option<Span>) -> anyhow::Error {
    let clock = ahead.map(Span::as_secs).filter(|seconds| seconds.abs() >= 240);
    let clock =
        clock.map(|seconds| format!("; this machine's clock is {seconds} s ahead of AWS's")).unwrap_or_default();
    anyhow!("nobody at AWS can be asked: {fault}{clock}\n   = {}", remedy::of(fault.label()))
}

impl Eyes {
    fn told(&self) -> Told {
        let config = &self.config;
        Told {
            home: Some(config.reach.home.clone()),
            bus: config.hub_bus.clone(),
            external_id: self.doctor.has_external_id(),
            fallback: config.reach.engine.rights.on_demand_fallback,
            probes: self.asked.probes,
        }
    }

    /// Members: accounts, then their regions, then probes, then groups.
    async fn members(&self, found: &mut Found, shown: &Progress) {
        shown.say("reading accounts");
        let accounts = match self.reached.directory.accounts().await {
            Ok(accounts) => accounts,
            Err(fault) => {
                found.hub.directory = Err(fault);
                return;
            }
        };
        let (active, inactive): (Vec<Account>, Vec<Account>) = accounts.into_iter().partition(|one| one.active);
        found.hub.directory = Ok(Listed { active: active.len(), inactive: inactive.len() });
        for id in &self.asked.accounts {
            if inactive.iter().any(|one| one.id == *id) {
                found.strangers.insert(*id, Stranger::NotActive);
            } else if active.iter().all(|one| one.id != *id) {
                found.strangers.insert(*id, Stranger::NotEnrolled);
            }
        }
        let all = self.asked.accounts.is_empty();
        let mut chosen: Vec<Account> =
            active.into_iter().filter(|one| all || self.asked.accounts.contains(&one.id)).collect();
        if !self.asked.regions.is_empty() {
            for account in &mut chosen {
                account.regions.retain(|region| self.asked.regions.contains(region));
            }
        }
        found.accounts = self.accounts(&chosen, shown).await;
        chosen.retain(|one| found.accounts.get(&one.id).is_some_and(|facts| facts.role.is_ok()));
        found.sites = self.sites(&chosen, shown).await;
        let open = |site: &Site| found.sites.get(site).is_some_and(|facts| facts.closed().is_none());
        for account in &mut chosen {
            let id = account.id;
            account.regions.retain(|region| open(&Site { account: id, region: region.clone() }));
        }
        let sites: Vec<Site> = found.sites.keys().filter(|site| open(site)).cloned().collect();
        if self.asked.probes == Probes::Sent {
            found.probes = Box::pin(self.probes(sites, shown)).await;
        }
        found.groups = self.groups(chosen, shown).await;
    }

    async fn accounts(&self, accounts: &[Account], shown: &Progress) -> BTreeMap<AccountId, AccountFacts> {
        shown.count("accounts", accounts.len());
        let own = self.config.reach.own;
        // Nobody chose it as an external id: another one in each run.
        let nonce = format!("{:016x}", compose::seed(&*self.clock));
        let job = |id: AccountId| {
            let (doctor, home, nonce) = (Arc::clone(&self.doctor), self.config.reach.home.clone(), nonce.clone());
            async move { (id, account(&doctor, id, &home, own == Own::Directly(id), &nonce).await) }
        };
        let ids = accounts.iter().map(|account| account.id).collect();
        each(ids, ACCOUNTS_AT_ONCE, job, |done| shown.at(done)).await.into_iter().collect()
    }

    async fn sites(&self, accounts: &[Account], shown: &Progress) -> BTreeMap<Site, SiteFacts> {
        let sites = |one: &Account| one.regions.iter().map(|r| (one.id, r.clone())).collect::<Vec<_>>();
        let sites: Vec<Site> =
            accounts.iter().flat_map(sites).map(|(account, region)| Site { account, region }).collect();
        shown.count("accounts' regions", sites.len());
        let job = |at: Site| {
            let doctor = Arc::clone(&self.doctor);
            async move {
                let facts = site(&doctor, &at).await;
                (at, facts)
            }
        };
        let most = self.config.reach.engine.sites_max;
        each(sites, most, job, |done| shown.at(done)).await.into_iter().collect()
    }
}

/// What is asked of an account, one call after the other.
async fn account(doctor: &Doctor, id: AccountId, home: &Region, own: bool, nonce: &str) -> AccountFacts {
    let role = doctor.assumes(id, home).await;
    if role.is_err() {
        return AccountFacts { role, inside: None };
    }
    let ours = if own {
        None
    } else {
        Some(OurRole {
            wrong: doctor.tries(id, Tried::Wrong, nonce).await,
            none: doctor.tries(id, Tried::None, nonce).await,
            role: doctor.member_role(id, home).await,
        })
    };
    let spot_role = doctor.role(id, home, "AWSServiceRoleForEC2Spot").await;
    let scaling_role = doctor.role(id, home, "AWSServiceRoleForAutoScaling").await;
    AccountFacts { role, inside: Some(Inside { ours, spot_role, scaling_role }) }
}

/// What is asked of an account's region, one call after the other. Where it is closed to us, nothing but its rules.
async fn site(doctor: &Doctor, site: &Site) -> SiteFacts {
    let mut rules = BTreeMap::new();
    for way in Way::ALL {
        let rule = doctor.rule(site, &way.rule()).await;
        if let Err(fault @ Fault::Unreachable(_)) = rule {
            let closed = |way| (way, Err(fault.clone()));
            let (dead, quotas, used) = (Err(fault.clone()), Err(fault.clone()), Err(fault.clone()));
            return SiteFacts { rules: Way::ALL.map(closed).into(), dead, quotas, used };
        }
        rules.insert(way, rule);
    }
    let by_class = |(code, value): (String, u32)| Some((Class::by_code(&code)?, value));
    SiteFacts {
        rules,
        dead: doctor.member_queue(site, DEAD_LETTERS).await,
        quotas: doctor.quotas(site, &Class::codes()).await.map(|told| told.into_iter().filter_map(by_class).collect()),
        used: doctor.spot_in_use(site).await,
    }
}
