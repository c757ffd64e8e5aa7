//! A read-only sweep: what the engine would do with every group, and what it had to look at to say so.
//!
//! The looks, the questions and the plan are the engine's own; nothing here decides. Nothing is launched, changed or
//! written: a survey works with a store that refuses writes and without an `Act`.

mod blank;
mod gather;
mod saving;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::stream::{FuturesUnordered, StreamExt};
use serde::{Deserialize, Serialize};
use spothub_core::fault::Fault;
use spothub_core::group::{GroupView, Lifecycle};
use spothub_core::id::{AccountId, GroupKey, GroupName, Region, Site};
use spothub_core::market::Quotes;
use spothub_core::plan::{Hold, Plan, Question, Swap};
use spothub_core::policy::Effective;
use spothub_core::port::{Account, TemplateFacts};
use spothub_core::record::GroupRecord;
use spothub_core::rights::Rights;
use spothub_core::time::Timestamp;

use crate::commitments::Standing;
use crate::engine::Engine;
use gather::Gathered;

pub use blank::{Blank, reading};
pub use saving::{HOURS_PER_MONTH, Saving};

/// How much a survey reads.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Depth {
    /// What the plan of each group asks for.
    Decision,
    /// Everything that a plan could ask for under any policy: for a snapshot. Up to four more calls for each group
    /// that this policy does not act on.
    Whole,
}

/// How far a survey is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Looked {
    /// Accounts' regions that were looked at.
    pub sites: usize,
    /// Of so many.
    pub of: usize,
}

/// What was seen of an organization at one time, and what the engine would do.
#[derive(Clone, Debug)]
pub struct Survey {
    /// When the plans were made: all at one time, after the last look.
    pub at: Timestamp,
    /// All enrolled accounts, by id, also those that are not active.
    pub accounts: Vec<Account>,
    /// The prices of each region in use, where they could be read.
    pub quotes: BTreeMap<Region, Arc<Quotes>>,
    /// All groups that were seen, by key.
    pub groups: Vec<Surveyed>,
    /// What could not be read, in order.
    pub missed: Vec<Missed>,
    /// What the member role may do, by the settings.
    pub rights: Rights,
    /// What is paid for anyway, as far as it was read; `None` where it was not asked for.
    pub commitments: Option<Standing>,
}

/// One group.
#[derive(Clone, Debug)]
pub struct Surveyed {
    /// What was seen of it, with its members' facts and its extras where they were read.
    pub view: GroupView,
    /// What its source asks for, where that was read.
    pub template: Option<Arc<TemplateFacts>>,
    /// What is stored of it, where anything is.
    pub record: Option<GroupRecord>,
    /// Policy in force for it.
    pub effective: Effective,
    /// On-demand members to keep.
    pub floor: u32,
    /// The engine's plan for now: a swap, holds, or a question that was not answered.
    pub plan: Plan,
    /// What the engine would begin one after the other, each on the view that the one before leaves; the first is the
    /// plan's own swap. Waits between them are left out.
    pub course: Vec<Swap>,
    /// What is held when the course is over; the plan's own holds where there is none.
    pub rest: Vec<Hold>,
}

/// Members by how they are bought, counted as the engine counts: in service and healthy.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Members {
    /// All of them.
    pub in_service: u32,
    /// Billed at the on-demand price.
    pub on_demand: u32,
    /// Spot.
    pub spot: u32,
    /// EC2 did not say.
    pub unknown: u32,
}

/// A read that failed for good.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
pub struct Missed {
    /// The account; none for the region's prices.
    pub account: Option<AccountId>,
    /// The region.
    pub region: Region,
    /// The group, where it is about one.
    pub group: Option<GroupName>,
    /// What was asked for.
    pub what: Asked,
    /// The fault's stable label.
    pub fault: String,
    /// The fault in words.
    pub why: String,
}

/// What a survey asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Asked {
    /// A region's prices.
    Prices,
    /// A site's groups.
    Groups,
    /// What is stored of a group.
    Record,
    /// EC2's facts of members.
    Facts,
    /// What a group's source asks for.
    Template,
    /// The role of the instance profile that a source gives.
    Role,
    /// Hooks and refreshes of a group.
    Extras,
}

impl Asked {
    /// The word for it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Prices => "prices",
            Self::Groups => "groups",
            Self::Record => "record",
            Self::Facts => "facts",
            Self::Template => "template",
            Self::Role => "role",
            Self::Extras => "extras",
        }
    }
}

impl From<&Question> for Asked {
    fn from(question: &Question) -> Self {
        match question {
            Question::Facts(_) => Self::Facts,
            Question::Template => Self::Template,
            Question::Role(_) => Self::Role,
            Question::Extras => Self::Extras,
        }
    }
}

impl Missed {
    fn prices(region: &Region, fault: &Fault) -> Self {
        let (fault, why) = (fault.label().to_owned(), fault.to_string());
        Self { account: None, region: region.clone(), group: None, what: Asked::Prices, fault, why }
    }

    fn site(site: &Site, what: Asked, fault: &Fault) -> Self {
        Self { account: Some(site.account), what, ..Self::prices(&site.region, fault) }
    }

    fn group(group: &GroupKey, what: Asked, fault: &Fault) -> Self {
        Self { group: Some(group.name.clone()), ..Self::site(&group.site, what, fault) }
    }
}

impl Survey {
    /// Whether nothing at all could be seen: no account is enrolled and active, or none let its groups be read.
    #[must_use]
    pub fn is_blind(&self) -> bool {
        let unseen: BTreeSet<(AccountId, &Region)> = self
            .missed
            .iter()
            .filter(|missed| missed.what == Asked::Groups)
            .filter_map(|missed| Some((missed.account?, &missed.region)))
            .collect();
        let active = self.accounts.iter().filter(|account| account.active);
        active.flat_map(|a| a.regions.iter().map(|r| (a.id, r))).all(|site| unseen.contains(&site))
    }
}

impl Surveyed {
    /// Its members by how they are bought.
    #[must_use]
    pub fn members(&self) -> Members {
        let mut members = Members::default();
        for member in self.view.members.iter().filter(|m| m.is_in_service()) {
            members.in_service += 1;
            match member.lifecycle() {
                Some(Lifecycle::OnDemand) => members.on_demand += 1,
                Some(Lifecycle::Spot) => members.spot += 1,
                None => members.unknown += 1,
            }
        }
        members
    }
}

impl Engine {
    /// Looks at every group of every active account, and says what the engine would do with each. For an engine that
    /// does not run. Fails only where the directory does not answer; what else cannot be read is named in the result.
    pub async fn survey(&self, depth: Depth) -> Result<Survey, Fault> {
        self.survey_telling(depth, &mut |_| ()).await
    }

    /// The same, telling on the way how far it is.
    pub async fn survey_telling(&self, depth: Depth, tell: &mut (dyn FnMut(Looked) + Send)) -> Result<Survey, Fault> {
        let mut accounts = self.again(|| self.ports.directory.accounts()).await?;
        accounts.sort_by_key(|account| account.id);
        self.memory().accounts = accounts.iter().map(|account| (account.id, Arc::new(account.clone()))).collect();
        let active = accounts.iter().filter(|account| account.active);
        let sites: Vec<Site> =
            active.flat_map(|a| a.regions.iter().map(|r| Site { account: a.id, region: r.clone() })).collect();
        tell(Looked { sites: 0, of: sites.len() });
        let mut missed = self.survey_prices(&sites).await;
        // What cannot be read of them is told in their own standing: the survey is whole without.
        self.read_commitments(1).await;
        let mut gathered = Vec::new();
        for one in self.survey_sites(sites, depth, tell).await {
            gathered.extend(one.groups);
            missed.extend(one.missed);
        }
        gathered.sort_by(|(a, _), (b, _)| a.key.cmp(&b.key));
        missed.sort();
        let at = self.now();
        let groups = gathered.into_iter().filter_map(|(view, held)| self.surveyed(view, &held, at)).collect();
        let quotes = {
            let memory = self.memory();
            let known = memory.markets.iter().filter_map(|(r, market)| Some((r.clone(), market.quotes.clone()?)));
            known.collect()
        };
        let (commitments, rights) = (self.commitment_standing(), self.settings.rights.clone());
        Ok(Survey { at, accounts, quotes, groups, missed, rights, commitments })
    }

    /// Looks at these sites, so many at a time.
    async fn survey_sites(
        &self,
        mut sites: Vec<Site>,
        depth: Depth,
        tell: &mut (dyn FnMut(Looked) + Send),
    ) -> Vec<Gathered> {
        let of = sites.len();
        sites.reverse();
        let (mut running, mut done) = (FuturesUnordered::new(), Vec::new());
        loop {
            while running.len() < self.settings.sites_max {
                let Some(site) = sites.pop() else { break };
                running.push(self.gather(site, depth));
            }
            match running.next().await {
                None => return done,
                Some(gathered) => {
                    done.push(gathered);
                    tell(Looked { sites: done.len(), of });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
