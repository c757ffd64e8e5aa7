//! What is there: sessions of the accounts that a rollout touches, and a look at their stacks and stack sets.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use spothub_aws::stacks::{self, CallAs, Named, Organized, StackError, StackSets, Stacks};
use spothub_aws::{Caller, Enrolment, Home, OrgDirectory, Scope, TimeOuts, Uncounted};
use spothub_core::id::{AccountId, Region};
use spothub_core::port::Directory;

use super::change::Seen;
use super::desired::{Desired, Facts, StackWish, desired};
use super::file::{Mode, RolloutFile};
use super::template::{Templates, version};
use super::{mistake, refused, remedy_of};
use crate::clock::WallClock;
use crate::config::Mistakes;

/// Why a rollout cannot be begun.
pub(super) enum Unreached {
    /// The file does not fit the session or the organization.
    Mistakes(Mistakes),
    /// AWS could not be asked.
    Failed(anyhow::Error),
}

impl From<Mistakes> for Unreached {
    fn from(mistakes: Mistakes) -> Self {
        Self::Mistakes(mistakes)
    }
}

impl From<StackError> for Unreached {
    fn from(error: StackError) -> Self {
        Self::Failed(refused(&error))
    }
}

/// The accounts of a rollout, within reach.
pub(super) struct World {
    pub(super) file: RolloutFile,
    pub(super) templates: Templates,
    pub(super) facts: Facts,
    pub(super) sets: StackSets,
    hub: Arc<Home>,
    /// There where it is served.
    management: Option<Arc<Home>>,
}

impl World {
    /// Opens all sessions, and asks the organization for what the file leaves to it.
    pub(super) async fn reach(file: RolloutFile, templates: Templates) -> Result<Self, Unreached> {
        let session = spothub_aws::load(&file.hub.region, TimeOuts::default()).await;
        let home = Home::new(session, Arc::new(Uncounted));
        let caller = home.caller().await.map_err(|fault| {
            let remedy = remedy_of(&fault).unwrap_or("-vv shows what AWS said");
            Unreached::Failed(anyhow!("AWS does not say who calls: {fault}\n   = {remedy}"))
        })?;
        let organized = stacks::organization(&home).await?;
        fits(&file, &caller, &organized)?;
        let delegated = matches!(file.members.mode, Mode::Service { delegated: true, .. });
        let call_as = if delegated { CallAs::Delegated } else { CallAs::Own };
        let sets = StackSets::new(Arc::clone(&home), &file.hub.region, call_as);
        let service = matches!(file.members.mode, Mode::Service { .. });
        if service && !sets.is_trusted().await? {
            let remedy =
                "activate it once, in the management account: aws cloudformation activate-organizations-access";
            return Err(mistake("CloudFormation has no trusted access to the organization", remedy).into());
        }
        let root = if service && file.members.units.is_empty() { Some(stacks::root(&home).await?) } else { None };
        let accounts = if service { listed(&file, &home, organized.management).await? } else { BTreeSet::new() };
        let hub = session_of(&home, &caller, file.hub.account, file.hub.role.as_deref(), "hub.role").await?;
        let management = if file.management.stacks {
            let role = file.management.role.as_deref();
            Some(session_of(&home, &caller, organized.management, role, "management.role").await?)
        } else {
            None
        };
        let partition = caller.arn.split(':').nth(1).unwrap_or("aws").to_owned();
        let (organization, outputs) = (organized.id, stacks::Named::new());
        let (management_account, own) = (organized.management, caller.account);
        let facts =
            Facts { partition, organization, management: management_account, caller: own, root, accounts, outputs };
        Ok(Self { file, templates, facts, sets, hub, management })
    }

    /// What is to be there, by what is known now.
    pub(super) fn desired(&self) -> Desired {
        desired(&self.file, &self.facts, &self.templates)
    }

    /// The stacks of an account that the rollout has stacks of its own in.
    pub(super) fn stacks(&self, account: AccountId, region: &Region) -> Stacks {
        let management = self.management.as_ref().filter(|_| account != self.file.hub.account);
        Stacks::new(Arc::clone(management.unwrap_or(&self.hub)), region)
    }

    /// The stacks of one wish.
    pub(super) fn stacks_of(&self, wish: &StackWish) -> Stacks {
        self.stacks(wish.account, &wish.region)
    }

    /// Looks at the hub's stack, and keeps what it tells of itself.
    pub(super) async fn look_at_hub(&mut self, seen: &mut Seen) -> anyhow::Result<()> {
        let stacks = self.stacks(self.file.hub.account, &self.file.hub.region);
        seen.hub = stacks.find(&self.file.hub.stack).await.map_err(|error| refused(&error))?;
        self.facts.outputs = seen.hub.as_ref().map(|stack| stack.outputs.clone()).unwrap_or_default();
        Ok(())
    }

    /// Looks at one of the two stack sets.
    pub(super) async fn look_at_set(&self, desired: &Desired, index: usize, seen: &mut Seen) -> anyhow::Result<()> {
        let name = &desired.sets[index].name;
        seen.sets[index] = self.sets.find(name).await.map_err(|error| refused(&error)).context(name.clone())?;
        Ok(())
    }

    /// Looks at the management account's own stacks.
    pub(super) async fn look_at_own(&self, desired: &Desired, seen: &mut Seen) -> anyhow::Result<()> {
        seen.own.clear();
        for wish in &desired.own {
            let found = self.stacks_of(wish).find(&wish.name).await.map_err(|error| refused(&error));
            seen.own.push(found.with_context(|| format!("{} in {}", wish.name, wish.region))?);
        }
        Ok(())
    }

    /// Looks at everything.
    pub(super) async fn look(&mut self) -> anyhow::Result<(Desired, Seen)> {
        let mut seen = Seen::default();
        self.look_at_hub(&mut seen).await?;
        let desired = self.desired();
        for index in 0..desired.sets.len() {
            self.look_at_set(&desired, index, &mut seen).await?;
        }
        self.look_at_own(&desired, &mut seen).await?;
        let hub = self.file.hub_id.as_str();
        if let Some(foreign) = foreign(&desired, &seen, hub) {
            let remedy =
                "nothing is touched: name other stacks and stack sets in the file, or take the file of that hub";
            return Err(anyhow!("{foreign}\n   = {remedy}"));
        }
        Ok((desired, seen))
    }
}

/// What has the name of one of our stacks or sets and was not made by a rollout of this hub: somebody else's.
fn foreign(desired: &Desired, seen: &Seen, hub: &str) -> Option<String> {
    let of = |what: &str, name: &str, text: &str, parameters: &Named| {
        // A stack that is only planned has no template yet.
        if !text.trim().is_empty() && version(text).is_none() {
            return Some(format!("the {what} {name} is not one of spothub's: its template is another"));
        }
        let other = parameters.get("HubId").filter(|id| *id != hub)?;
        Some(format!("the {what} {name} is of the hub {other}, and the file says hub-id: {hub}"))
    };
    let stacks = std::iter::once((&desired.hub, &seen.hub)).chain(desired.own.iter().zip(&seen.own));
    let mut stacks = stacks.filter_map(|(wish, is)| Some((wish, is.as_ref()?)));
    let mut sets = desired.sets.iter().zip(&seen.sets).filter_map(|(wish, is)| Some((wish, is.as_ref()?)));
    let stack = stacks.find_map(|(wish, is)| of("stack", &wish.name, &is.template, &is.parameters));
    stack.or_else(|| sets.find_map(|(wish, is)| of("stack set", &wish.name, &is.template, &is.parameters)))
}

/// Whether the file fits the organization, and the session may do what it asks for.
fn fits(file: &RolloutFile, caller: &Caller, organized: &Organized) -> Result<(), Mistakes> {
    let Organized { id, management } = organized;
    if let Some(wanted) = file.organization.as_ref().filter(|wanted| *wanted != id) {
        let what = format!("the file is for the organization {wanted}, and the session is in {id}");
        return Err(mistake(what, "take a session of the other organization, or another file"));
    }
    let account = caller.account;
    if let Mode::Service { delegated, .. } = file.members.mode {
        if delegated && account == *management {
            let what =
                format!("call-as is delegated-administrator, and the session is in the management account {account}");
            return Err(mistake(what, "leave call-as out"));
        }
        if !delegated && account != *management {
            let what = format!(
                "the session is in {account}, and stack sets for the organization are made in the management account, \
                 {management}"
            );
            let remedy = "take a session there, or say call-as: delegated-administrator where this account is one";
            return Err(mistake(what, remedy));
        }
        if file.members.accounts.contains(management) {
            let what =
                format!("members.accounts names the management account {management}, which stack sets never deploy to");
            return Err(mistake(what, "give it stacks of its own: management: {stacks: true}"));
        }
    }
    Ok(())
}

/// A session of an account: the caller's own, or of a role there.
async fn session_of(
    home: &Arc<Home>,
    caller: &Caller,
    account: AccountId,
    role: Option<&str>,
    key: &str,
) -> Result<Arc<Home>, Unreached> {
    let Some(role) = role else {
        if caller.account == account {
            return Ok(Arc::clone(home));
        }
        let what = format!("the session is in {}, and stacks of {account} are to be changed", caller.account);
        return Err(mistake(what, format_args!("name a role to assume there as {key}")).into());
    };
    if role.split(':').nth(4) != Some(&account.to_string()) {
        let what = format!("{key} is {role}, which is not in the account {account}");
        return Err(mistake(what, "name a role of that account").into());
    }
    Ok(stacks::through(home, role).await?)
}

/// Active accounts of the units, the management account aside.
async fn listed(file: &RolloutFile, home: &Arc<Home>, management: AccountId) -> Result<BTreeSet<AccountId>, Unreached> {
    let units = file.members.units.clone();
    let scope = if units.is_empty() { Scope::All } else { Scope::Chosen { accounts: BTreeSet::new(), units } };
    let enrolment = Enrolment { scope, without: BTreeSet::from([management]), tag: None, tags: false };
    let (clock, regions) = (Arc::new(WallClock::default()), file.members.regions.clone());
    let directory = OrgDirectory::new(Arc::clone(home), clock, enrolment, regions);
    let accounts = directory.accounts().await.map_err(|fault| {
        let remedy = remedy_of(&fault).unwrap_or("-vv shows what AWS said");
        Unreached::Failed(anyhow!("the organization's accounts cannot be listed: {fault}\n   = {remedy}"))
    })?;
    Ok(accounts.into_iter().filter(|account| account.active).map(|account| account.id).collect())
}
