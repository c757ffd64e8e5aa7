//! A survey as figures: sums by account, unit and reason, and a line for each group. Field names are stable.
//!
//! Knows how to add up; what each group saves is the survey's.

use std::collections::BTreeMap;

use serde::Serialize;
use spothub_core::catalog::TypeId;
use spothub_core::id::{AccountId, AzId, GroupName, InstanceId, OuPath, Region};
use spothub_core::plan::Swap;
use spothub_core::policy::Standing;
use spothub_core::port::Account;
use spothub_core::reason::{HoldReason, OptOut};
use spothub_core::rights::GroupGuard;
use spothub_hub::survey::{Asked, Members, Missed, Saving, Survey, Surveyed};

/// The whole plan.
#[derive(Serialize)]
pub(crate) struct Report {
    /// RFC 3339, UTC.
    pub(crate) taken_at: String,
    /// Accounts that were asked; those set aside are not counted.
    pub(crate) accounts: usize,
    pub(crate) regions: usize,
    /// Groups that were seen.
    pub(crate) groups_seen: usize,
    pub(crate) groups_by_standing: Standings,
    pub(crate) members: Members,
    /// Groups in which the engine would begin a swap now.
    pub(crate) swaps_now: usize,
    pub(crate) saving: SavingLine,
    pub(crate) holds: BTreeMap<&'static str, HoldSum>,
    /// Groups that policy enables and IAM would refuse to change.
    pub(crate) iam_guarded: Vec<GuardedLine>,
    /// Whether an instance that AWS takes back may be replaced by one on demand; nothing launches any.
    pub(crate) on_demand_fallback: bool,
    pub(crate) rollups: Rollups,
    pub(crate) groups: Vec<GroupLine>,
    /// Enrolled accounts that are not active: nothing is done there.
    pub(crate) set_aside: Vec<SetAside>,
    pub(crate) missed: Vec<Missed>,
    /// What is paid for anyway; absent where it was not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) commitments: Option<spothub_hub::commitments::Standing>,
}

/// Groups by whether the engine may act on them.
#[derive(Default, Serialize)]
pub(crate) struct Standings {
    pub(crate) enabled: u32,
    pub(crate) not_enabled: u32,
    pub(crate) opted_out: u32,
}

/// What is saved when all members that may go have gone.
#[derive(Clone, Default, Serialize)]
pub(crate) struct SavingLine {
    /// Members that would be swapped.
    pub(crate) members: u32,
    /// Their on-demand list price.
    pub(crate) on_demand_usd_per_hour: String,
    pub(crate) saved_usd_per_hour: String,
    /// If every newcomer is of the dearest pool handed over.
    pub(crate) saved_usd_per_hour_at_least: String,
    pub(crate) saved_usd_per_month: String,
    /// Saved of the list price, with two decimals; none where there is no list price.
    pub(crate) saved_percent: Option<String>,
    /// Groups of whose saving nothing is known; they are in no sum.
    pub(crate) groups_unknown: u32,
    /// Members whose saving is not known; they are in no sum.
    pub(crate) members_unknown: u32,
}

/// How often a reason holds.
#[derive(Default, Serialize)]
pub(crate) struct HoldSum {
    pub(crate) groups: u32,
    /// On-demand members that it keeps.
    pub(crate) members: u32,
    pub(crate) remedy: Option<&'static str>,
}

/// A group that policy enables and IAM would refuse to change.
#[derive(Serialize)]
pub(crate) struct GuardedLine {
    pub(crate) account_id: AccountId,
    pub(crate) account_name: String,
    pub(crate) region: Region,
    pub(crate) group: GroupName,
    /// The condition in the member role's policy.
    pub(crate) guard: GroupGuard,
    /// What the group's tag `spothub:enabled` says; null where it has none.
    pub(crate) tag: Option<String>,
}

#[derive(Serialize)]
pub(crate) struct Rollups {
    pub(crate) accounts: Vec<AccountLine>,
    pub(crate) ous: Vec<OuLine>,
}

#[derive(Serialize)]
pub(crate) struct AccountLine {
    pub(crate) account_id: AccountId,
    pub(crate) account_name: String,
    pub(crate) ou: OuPath,
    #[serde(flatten)]
    pub(crate) sum: Sum,
}

#[derive(Serialize)]
pub(crate) struct OuLine {
    pub(crate) ou: OuPath,
    #[serde(flatten)]
    pub(crate) sum: Sum,
}

#[derive(Serialize)]
pub(crate) struct Sum {
    pub(crate) groups: u32,
    pub(crate) on_demand: u32,
    pub(crate) spot: u32,
    pub(crate) saving: SavingLine,
}

/// One group.
#[derive(Serialize)]
pub(crate) struct GroupLine {
    pub(crate) account_id: AccountId,
    pub(crate) account_name: String,
    pub(crate) ou: OuPath,
    pub(crate) region: Region,
    pub(crate) group: GroupName,
    /// `enabled`, `not-enabled` or `opted-out`.
    pub(crate) standing: &'static str,
    pub(crate) opted_out_by: Option<OptOut>,
    pub(crate) min: u32,
    pub(crate) max: u32,
    pub(crate) desired: u32,
    pub(crate) floor: u32,
    pub(crate) members: Members,
    /// What the engine would begin now.
    pub(crate) swap: Option<SwapLine>,
    pub(crate) holds: Vec<HoldLine>,
    /// What is held when all members that may go have gone.
    pub(crate) holds_after: Vec<HoldLine>,
    /// What could not be read, where that kept the group from being planned.
    pub(crate) unread: Option<Asked>,
    pub(crate) saving: SavingLine,
}

#[derive(Serialize)]
pub(crate) struct SwapLine {
    pub(crate) instance_id: InstanceId,
    #[serde(rename = "type")]
    pub(crate) kind: TypeId,
    pub(crate) az_id: AzId,
    pub(crate) on_demand_usd_per_hour: String,
    /// In rank order.
    pub(crate) pools: Vec<PoolLine>,
    pub(crate) max_usd_per_hour: String,
    pub(crate) saved_usd_per_hour: String,
    pub(crate) saved_usd_per_hour_at_least: String,
}

#[derive(Serialize)]
pub(crate) struct PoolLine {
    #[serde(rename = "type")]
    pub(crate) kind: TypeId,
    pub(crate) usd_per_hour: String,
}

#[derive(Serialize)]
pub(crate) struct HoldLine {
    /// The member; null where the whole group is held.
    pub(crate) instance_id: Option<InstanceId>,
    /// The label under `reason`, and the numbers behind it.
    #[serde(flatten)]
    pub(crate) reason: HoldReason,
}

#[derive(Serialize)]
pub(crate) struct SetAside {
    pub(crate) account_id: AccountId,
    pub(crate) account_name: String,
    pub(crate) ou: OuPath,
    pub(crate) why: &'static str,
}

/// Running sums of groups.
#[derive(Clone, Copy, Default)]
struct Adding {
    groups: u32,
    on_demand: u32,
    spot: u32,
    saving: Saving,
    unknown: u32,
}

impl Adding {
    fn add(&mut self, group: &Surveyed) {
        let members = group.members();
        self.groups += 1;
        self.on_demand += members.on_demand;
        self.spot += members.spot;
        self.saving += group.saving();
        self.unknown += u32::from(group.saving_unknown());
    }

    fn sum(self) -> Sum {
        let Self { groups, on_demand, spot, saving, unknown } = self;
        Sum { groups, on_demand, spot, saving: SavingLine::of(&saving, unknown) }
    }
}

impl SavingLine {
    fn of(saving: &Saving, groups_unknown: u32) -> Self {
        let (list, saved) = (i128::from(saving.on_demand.0), i128::from(saving.saved.0));
        let hundredths = (list > 0).then(|| (saved * 10_000).div_euclid(list));
        Self {
            members: saving.members,
            on_demand_usd_per_hour: saving.on_demand.to_string(),
            saved_usd_per_hour: saving.saved.to_string(),
            saved_usd_per_hour_at_least: saving.at_least.to_string(),
            saved_usd_per_month: saving.per_month().to_string(),
            saved_percent: hundredths.map(|n| format!("{}.{:02}", n / 100, n % 100)),
            groups_unknown,
            members_unknown: saving.unknown,
        }
    }
}

impl Report {
    /// The figures of a survey.
    pub(crate) fn of(survey: &Survey) -> Self {
        let accounts: BTreeMap<AccountId, &Account> = survey.accounts.iter().map(|a| (a.id, a)).collect();
        let active = || survey.accounts.iter().filter(|account| account.active);
        let mut by_account: BTreeMap<AccountId, Adding> = active().map(|a| (a.id, Adding::default())).collect();
        let (mut by_ou, mut all) = (BTreeMap::<&OuPath, Adding>::new(), Adding::default());
        let (mut members, mut standings) = (Members::default(), Standings::default());
        let mut groups = Vec::with_capacity(survey.groups.len());
        for group in &survey.groups {
            let Some(account) = accounts.get(&group.view.key.site.account) else { continue };
            all.add(group);
            by_account.entry(account.id).or_default().add(group);
            by_ou.entry(&account.ou).or_default().add(group);
            count(&mut members, group.members());
            match group.effective.standing {
                Standing::Enabled => standings.enabled += 1,
                Standing::NotEnabled | Standing::NoPolicy => standings.not_enabled += 1,
                // What cannot be read restricts like an opt-out, until it is mended.
                Standing::OptedOut(_) | Standing::Unreadable(_) => standings.opted_out += 1,
            }
            groups.push(line(group, account));
        }
        let regions: std::collections::BTreeSet<&Region> = active().flat_map(|a| &a.regions).collect();
        let account = |(id, adding): (AccountId, Adding)| {
            let account = accounts.get(&id)?;
            let (account_name, ou) = (account.name.clone(), account.ou.clone());
            Some(AccountLine { account_id: id, account_name, ou, sum: adding.sum() })
        };
        Self {
            taken_at: survey.at.to_rfc3339(),
            accounts: active().count(),
            regions: regions.len(),
            groups_seen: groups.len(),
            groups_by_standing: standings,
            members,
            swaps_now: groups.iter().filter(|group| group.swap.is_some()).count(),
            saving: all.sum().saving,
            holds: holds(survey),
            iam_guarded: groups.iter().filter_map(guarded).collect(),
            on_demand_fallback: survey.rights.on_demand_fallback,
            rollups: Rollups {
                accounts: by_account.into_iter().filter_map(account).collect(),
                ous: by_ou.into_iter().map(|(ou, adding)| OuLine { ou: ou.clone(), sum: adding.sum() }).collect(),
            },
            groups,
            set_aside: survey.accounts.iter().filter(|account| !account.active).map(set_aside).collect(),
            missed: survey.missed.clone(),
            commitments: survey.commitments.clone(),
        }
    }
}

fn count(into: &mut Members, more: Members) {
    into.in_service += more.in_service;
    into.on_demand += more.on_demand;
    into.spot += more.spot;
    into.unknown += more.unknown;
}

fn holds(survey: &Survey) -> BTreeMap<&'static str, HoldSum> {
    let mut holds = BTreeMap::<&'static str, HoldSum>::new();
    for group in &survey.groups {
        let mut here: BTreeMap<&'static str, (u32, &HoldReason)> = BTreeMap::new();
        // Members that stay, and of which it was not said yet why.
        let mut left = group.members().on_demand.saturating_sub(group.saving().members);
        let (single, whole) = group.plan.holds.iter().partition::<Vec<_>, _>(|hold| hold.instance.is_some());
        // When the course is over the group as a whole may be held, as by its floor: that keeps the others.
        let after = group.rest.iter().filter(|hold| hold.instance.is_none() && !group.course.is_empty());
        for hold in single.into_iter().chain(whole).chain(after) {
            let keeps = if hold.instance.is_some() { left.min(1) } else { left };
            left -= keeps;
            here.entry(hold.reason.label()).or_insert((0, &hold.reason)).0 += keeps;
        }
        for (label, (members, reason)) in here {
            let sum = holds.entry(label).or_default();
            sum.groups += 1;
            sum.members += members;
            sum.remedy = reason.remedy();
        }
    }
    holds
}

fn guarded(line: &GroupLine) -> Option<GuardedLine> {
    line.holds.iter().find_map(|hold| {
        let HoldReason::IamGuard { guard, tag } = &hold.reason else { return None };
        Some(GuardedLine {
            account_id: line.account_id,
            account_name: line.account_name.clone(),
            region: line.region.clone(),
            group: line.group.clone(),
            guard: *guard,
            tag: tag.clone(),
        })
    })
}

fn line(group: &Surveyed, account: &Account) -> GroupLine {
    let (view, key) = (&group.view, &group.view.key);
    let (standing, opted_out_by) = match group.effective.standing {
        Standing::Enabled => ("enabled", None),
        Standing::NotEnabled => ("not-enabled", None),
        Standing::NoPolicy => ("no-policy", None),
        Standing::Unreadable(_) => ("unreadable-tag", None),
        Standing::OptedOut(by) => ("opted-out", Some(by)),
    };
    let hold =
        |hold: &spothub_core::plan::Hold| HoldLine { instance_id: hold.instance.clone(), reason: hold.reason.clone() };
    GroupLine {
        account_id: account.id,
        account_name: account.name.clone(),
        ou: account.ou.clone(),
        region: key.site.region.clone(),
        group: key.name.clone(),
        standing,
        opted_out_by,
        min: view.min,
        max: view.max,
        desired: view.desired,
        floor: group.floor,
        members: group.members(),
        swap: group.plan.swap.as_ref().map(swap),
        holds: group.plan.holds.iter().map(hold).collect(),
        holds_after: group.rest.iter().map(hold).collect(),
        unread: group.plan.question.as_ref().map(Asked::from),
        saving: SavingLine::of(&group.saving(), u32::from(group.saving_unknown())),
    }
}

fn swap(swap: &Swap) -> SwapLine {
    let saving = Saving::of(swap);
    let pool = |p: &spothub_core::port::LaunchPool| PoolLine { kind: p.kind, usd_per_hour: p.quoted.to_string() };
    SwapLine {
        instance_id: swap.old.clone(),
        kind: swap.kind,
        az_id: swap.az.clone(),
        on_demand_usd_per_hour: swap.baseline.to_string(),
        pools: swap.request.pools.iter().map(pool).collect(),
        max_usd_per_hour: swap.request.max_price.to_string(),
        saved_usd_per_hour: saving.saved.to_string(),
        saved_usd_per_hour_at_least: saving.at_least.to_string(),
    }
}

fn set_aside(account: &Account) -> SetAside {
    let (account_id, account_name, ou) = (account.id, account.name.clone(), account.ou.clone());
    SetAside { account_id, account_name, ou, why: "not-active" }
}

/// What could not be read, for a person.
pub(crate) fn sentence(missed: &Missed) -> String {
    let account = missed.account.map(|id| format!("account {id} in ")).unwrap_or_default();
    let group = missed.group.as_ref().map(|name| format!(", group {name}")).unwrap_or_default();
    let (what, region, why) = (missed.what.label(), &missed.region, &missed.why);
    format!("{account}{region}{group}: its {what} could not be read: {why}")
}
