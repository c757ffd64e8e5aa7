//! A survey beside AutoSpotting: for each group that it concerns, what will be different. Field names are stable.
//!
//! Knows how to add up; what is different is core's to say.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::Serialize;
use spothub_core::autospotting::{Compared, Difference, Installation, Seen, Theirs, compare, settings, suggest};
use spothub_core::id::{AccountId, GroupName, OuPath, Region};
use spothub_core::port::Account;
use spothub_hub::survey::{Missed, Survey, Surveyed};

/// What was asked for: AutoSpotting's settings, and the file that they are from.
pub(crate) struct Asked {
    pub(crate) file: Option<PathBuf>,
    pub(crate) installation: Installation,
}

/// The two of them, side by side.
#[derive(Serialize)]
pub(crate) struct Beside {
    /// RFC 3339, UTC.
    pub(crate) taken_at: String,
    pub(crate) settings: SettingsLine,
    /// Groups that were seen.
    pub(crate) groups_seen: usize,
    /// Of these, those that AutoSpotting concerns, or that spothub alone would act on.
    pub(crate) groups_concerned: usize,
    /// Groups by what the two would do.
    pub(crate) groups_by_act: Acts,
    /// By label and subject, in the order of the labels.
    pub(crate) differences: Vec<Sum>,
    pub(crate) groups: Vec<GroupLine>,
    /// A policy that says what the settings say.
    pub(crate) suggested_policy: String,
    pub(crate) missed: Vec<Missed>,
}

#[derive(Serialize)]
pub(crate) struct SettingsLine {
    /// None where those are taken that nobody set.
    pub(crate) file: Option<String>,
    /// As the file says them, by name.
    pub(crate) set: BTreeMap<String, String>,
    /// What they ask for in every group, and nothing here does.
    pub(crate) differences: Vec<Line>,
}

/// Groups of those that are concerned.
#[derive(Default, Serialize)]
pub(crate) struct Acts {
    pub(crate) both: u32,
    pub(crate) autospotting: u32,
    pub(crate) spothub: u32,
    pub(crate) neither: u32,
}

/// One difference of many groups.
#[derive(Serialize)]
pub(crate) struct Sum {
    pub(crate) difference: &'static str,
    /// The key of policy, tag, reason or setting that it is about; empty where it is about none.
    pub(crate) subject: String,
    pub(crate) groups: u32,
    pub(crate) remedy: String,
}

#[derive(Serialize)]
pub(crate) struct GroupLine {
    pub(crate) account_id: AccountId,
    pub(crate) account_name: String,
    pub(crate) ou: OuPath,
    pub(crate) region: Region,
    pub(crate) group: GroupName,
    /// `acts`, or why AutoSpotting does not.
    pub(crate) autospotting: Theirs,
    /// The standing, as in the plan.
    pub(crate) spothub: &'static str,
    pub(crate) differences: Vec<Line>,
}

#[derive(Serialize)]
pub(crate) struct Line {
    #[serde(flatten)]
    pub(crate) difference: Difference,
    pub(crate) sentence: String,
    pub(crate) remedy: String,
}

impl From<Difference> for Line {
    fn from(difference: Difference) -> Self {
        Self { sentence: difference.sentence(), remedy: difference.remedy(), difference }
    }
}

impl Beside {
    /// The comparison of a survey's groups.
    pub(crate) fn of(survey: &Survey, asked: &Asked) -> Self {
        let accounts: BTreeMap<AccountId, &Account> = survey.accounts.iter().map(|a| (a.id, a)).collect();
        let (mut groups, mut acts) = (Vec::new(), Acts::default());
        let mut sums = BTreeMap::<(usize, String), Sum>::new();
        for group in &survey.groups {
            let Some(account) = accounts.get(&group.view.key.site.account) else { continue };
            let seen = seen(group);
            let Some(found) = compare(&seen, &asked.installation) else { continue };
            *acts.of(found.theirs, seen.standing()) += 1;
            for difference in &found.differences {
                add(&mut sums, difference);
            }
            groups.push(line(&seen, account, found));
        }
        let active = survey.accounts.iter().filter(|account| account.active);
        let regions: BTreeSet<Region> = active.flat_map(|account| account.regions.iter().cloned()).collect();
        let installation = &asked.installation;
        let set = installation.set().map(|(setting, value)| (setting.name().to_ascii_uppercase(), value.to_owned()));
        Self {
            taken_at: survey.at.to_rfc3339(),
            settings: SettingsLine {
                file: asked.file.as_ref().map(|path| path.display().to_string()),
                set: set.collect(),
                differences: settings(installation).into_iter().map(Line::from).collect(),
            },
            groups_seen: survey.groups.len(),
            groups_concerned: groups.len(),
            groups_by_act: acts,
            differences: sums.into_values().collect(),
            groups,
            suggested_policy: suggest(installation, &regions),
            missed: survey.missed.clone(),
        }
    }
}

impl Acts {
    fn of(&mut self, theirs: Theirs, standing: &str) -> &mut u32 {
        match (theirs == Theirs::Acts, standing == "enabled") {
            (true, true) => &mut self.both,
            (true, false) => &mut self.autospotting,
            (false, true) => &mut self.spothub,
            (false, false) => &mut self.neither,
        }
    }
}

fn seen(group: &Surveyed) -> Seen<'_> {
    Seen {
        view: &group.view,
        effective: &group.effective,
        floor: group.floor,
        stays: group.members().on_demand.saturating_sub(group.saving().members),
        rest: &group.rest,
    }
}

fn add(sums: &mut BTreeMap<(usize, String), Sum>, difference: &Difference) {
    let (label, subject) = (difference.label(), difference.subject());
    let place = Difference::LABELS.iter().position(|one| *one == label).unwrap_or(Difference::LABELS.len());
    let sum = || Sum { difference: label, subject: subject.to_owned(), groups: 0, remedy: difference.remedy() };
    sums.entry((place, subject.to_owned())).or_insert_with(sum).groups += 1;
}

fn line(seen: &Seen<'_>, account: &Account, found: Compared) -> GroupLine {
    let key = &seen.view.key;
    GroupLine {
        account_id: account.id,
        account_name: account.name.clone(),
        ou: account.ou.clone(),
        region: key.site.region.clone(),
        group: key.name.clone(),
        autospotting: found.theirs,
        spothub: seen.standing(),
        differences: found.differences.into_iter().map(Line::from).collect(),
    }
}

#[cfg(test)]
mod tests {
    use spothub_hub::policy_file;

    use super::*;

    /// Whatever the settings are, the policy made from them can be read as it stands.
    #[test]
    fn a_suggested_policy_is_one() {
        let regions = BTreeSet::from(["eu-west-1".parse().unwrap(), "us-east-1".parse().unwrap()]);
        for file in [
            "",
            "MIN_ON_DEMAND_NUMBER=2\nMIN_ON_DEMAND_PERCENTAGE=33.3\n",
            "MIN_ON_DEMAND_PERCENTAGE=33.3\nALLOWED_INSTANCE_TYPES=m5.*,c5.large\nDISALLOWED_INSTANCE_TYPES=t2.*\n",
            "ALLOWED_INSTANCE_TYPES=current\nON_DEMAND_PRICE_MULTIPLIER=0.9\nBIDDING_POLICY=aggressive\n",
            "ALLOWED_INSTANCE_TYPES=*\nON_DEMAND_PRICE_MULTIPLIER=1.5\nSPOT_PRICE_BUFFER_PERCENTAGE=20\n",
            "CRON_SCHEDULE=9-18 1-5\nCRON_TIMEZONE=Europe/London\n",
            "CRON_SCHEDULE=* *\n",
            "CRON_SCHEDULE=* *\nCRON_SCHEDULE_STATE=off\n",
            "CRON_SCHEDULE=22-23,0-6 *\nCRON_SCHEDULE_STATE=off\n",
            "TAG_FILTERS=spot-enabled=true,Environment=dev,on=yes\nREGIONS=eu-*\n",
            "TAG_FILTERING_MODE=opt-out\nTAG_FILTERS=team:x=\"data\"\nREGIONS=us-east-1 us-west-2\n",
            "SPOT_PRODUCT_DESCRIPTION=Red Hat Enterprise Linux\nCONSIDER_EBS_BANDWIDTH=false\n",
            "ENABLE_INSTANCE_REBALANCE_RECOMMENDATION=false\nSPOT_PRODUCT_DESCRIPTION=Linux/UNIX\n",
        ] {
            let text = suggest(&Installation::parse(file).unwrap(), &regions);
            let read = policy_file::read("suggested.yaml", &text);
            assert!(read.is_ok(), "{file}\n{text}\n{}", read.unwrap_err());
        }
    }
}
