//! Looks at groups as the engine would: a survey of the accounts that can be entered, and what it says of rights and
//! quotas.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use spothub_aws::FixedDirectory;
use spothub_core::catalog::Catalog;
use spothub_core::fault::Fault;
use spothub_core::group::Lifecycle;
use spothub_core::id::{Region, Site};
use spothub_core::market::{Pool, Quotes};
use spothub_core::money::UsdPerHour;
use spothub_core::policy::Standing;
use spothub_core::port::{Account, Prices};
use spothub_core::reason::HoldReason;
use spothub_core::time::Timestamp;
use spothub_hub::survey::{Asked as Read, Blank, Depth, Looked, Survey, Surveyed, reading};
use spothub_hub::{Engine, Ports, Settings, published};

use super::Eyes;
use crate::compose;
use crate::config::Source;
use crate::doctor::facts::GroupFacts;
use crate::doctor::quota::Class;
use crate::progress::Progress;

impl Eyes {
    /// The groups of these accounts' regions.
    pub(super) async fn groups(&self, accounts: Vec<Account>, shown: &Progress) -> BTreeMap<Site, GroupFacts> {
        let sites = |one: &Account| one.regions.iter().map(|r| (one.id, r.clone())).collect::<Vec<_>>();
        let sites = accounts.iter().flat_map(sites).map(|(account, region)| Site { account, region });
        let empty: BTreeMap<Site, GroupFacts> = sites.map(|site| (site, GroupFacts::default())).collect();
        if empty.is_empty() {
            return empty;
        }
        let directory = Arc::new(FixedDirectory::new(accounts));
        let (cloud, clock) = (self.reached.cloud.clone(), self.clock.clone());
        let ports = reading(cloud, Arc::new(Unpriced), directory, clock, Blank::default());
        let mut settings = Settings { worker: "doctor".to_owned(), ..self.config.reach.engine.clone() };
        let source = &self.config.reach.policies;
        // What is wrong with it stands in a row of its own; here the files of the settings serve as they were read.
        if let (Source::Parameter(_), Some(policies)) =
            (source, compose::policies(source, false, &self.reached.home, &self.clock))
            && let Ok(published) = policies.read().await
            && let Ok((_, _, policy)) = published::parse(&published)
        {
            settings.policy = policy;
        }
        let mut tell = |looked: Looked| {
            if looked.sites == 0 {
                shown.count("accounts' regions, their groups", looked.of);
            }
            shown.at(looked.sites);
        };
        // Without an `Act` behind it nothing can be changed.
        let engine = Engine::new(Ports { act: None, ..ports }, settings);
        match engine.survey_telling(Depth::Decision, &mut tell).await {
            Ok(survey) => facts(&survey, empty),
            // Only a directory can fail a survey, and this one is a list.
            Err(_) => empty,
        }
    }
}

fn facts(survey: &Survey, mut of: BTreeMap<Site, GroupFacts>) -> BTreeMap<Site, GroupFacts> {
    for group in &survey.groups {
        if let Some(facts) = of.get_mut(&group.view.key.site) {
            add(facts, group);
        }
    }
    for missed in survey.missed.iter().filter(|missed| missed.what != Read::Prices) {
        let Some(account) = missed.account else { continue };
        if let Some(facts) = of.get_mut(&Site { account, region: missed.region.clone() }) {
            facts.missed.get_or_insert_with(|| (missed.fault.clone(), missed.why.clone()));
        }
    }
    of
}

fn add(facts: &mut GroupFacts, group: &Surveyed) {
    facts.groups += 1;
    if group.effective.standing != Standing::Enabled {
        return;
    }
    facts.enabled += 1;
    let held = |is_it: fn(&HoldReason) -> bool| group.plan.holds.iter().any(|hold| is_it(&hold.reason));
    let name = &group.view.key.name;
    if held(|reason| matches!(reason, HoldReason::IamGuard { .. })) {
        facts.guarded.push(name.clone());
    }
    if held(|reason| matches!(reason, HoldReason::LaunchConfigurationNotAllowed)) {
        facts.unlaunchable.push(name.clone());
    }
    if held(|reason| matches!(reason, HoldReason::ProfileNotPassable { .. })) {
        facts.unpassable.push(name.clone());
    }
    // Nothing but a price keeps it from being swapped now.
    if held(|reason| matches!(reason, HoldReason::NoQuote)) {
        for (class, vcpus) in above_floor(group) {
            let wanted = facts.wanted.entry(class).or_default();
            *wanted = wanted.saturating_add(vcpus);
        }
    }
}

/// Processors of the on-demand members above the floor, the largest first: what stands in for them has at least as
/// many, and counts against the same quota but in rare cases.
fn above_floor(group: &Surveyed) -> Vec<(Class, u32)> {
    let members = group.view.members.iter();
    let on_demand = members.filter(|one| one.is_in_service() && one.lifecycle() == Some(Lifecycle::OnDemand));
    let kinds = on_demand.filter_map(|member| member.kind).map(|kind| Catalog::in_use().get(kind));
    let mut vcpus: Vec<(Class, u32)> = kinds.filter_map(|kind| Some((Class::of(&kind.name)?, kind.vcpu))).collect();
    vcpus.sort_by_key(|(_, vcpus)| Reverse(*vcpus));
    vcpus.truncate(group.members().on_demand.saturating_sub(group.floor) as usize);
    vcpus
}

/// No prices: they are dozens of pages for each region, and nothing that is checked depends on them.
struct Unpriced;

const UNPRICED: Fault = Fault::Invalid("the doctor needs no prices");

#[async_trait]
impl Prices for Unpriced {
    async fn spot(&self, _: &Region) -> Result<Quotes, Fault> {
        Err(UNPRICED)
    }

    async fn history(
        &self,
        _: &Pool,
        _: &Region,
        _: Timestamp,
        _: Timestamp,
    ) -> Result<Vec<(Timestamp, UsdPerHour)>, Fault> {
        Err(UNPRICED)
    }
}
