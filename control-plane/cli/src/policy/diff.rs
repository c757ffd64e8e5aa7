//! `spothub policy diff`: what a change of policy alters for the groups of a recording. Field names are stable.

use std::collections::BTreeMap;

use serde::Serialize;
use spothub_core::id::{AccountId, GroupName, OuPath, Region};
use spothub_core::policy::{Context, Effective, Key, Policy, PolicySet, Standing};
use spothub_core::reason::OptOut;
use spothub_hub::snapshot::Snapshot;

use super::{Read, Stop, print, read};
use crate::args::Diff;
use crate::output::policy::diff as table;
use crate::{Streams, input};

/// What a change alters.
#[derive(Serialize)]
pub(crate) struct Report {
    pub(crate) old: Side,
    pub(crate) new: Side,
    /// Groups of the recording.
    pub(crate) groups: usize,
    /// Groups that are treated as before.
    pub(crate) same: usize,
    /// Groups that spothub may act on then, and not now.
    pub(crate) enabled: Vec<Line>,
    /// Groups that it may act on now, and not then.
    pub(crate) disabled: Vec<Line>,
    /// Groups that it may act on now and then, by other values.
    pub(crate) changed: Vec<Line>,
    /// Groups that it may act on neither now nor then, for another reason or with other values.
    pub(crate) idle: Vec<Line>,
    /// Values of the changed groups, each change once.
    pub(crate) changes: Vec<Sum>,
    /// Whether it is plainly stricter: then it waits for nobody.
    pub(crate) only_restricts: bool,
    /// Names of the rings through which it goes once it is approved.
    pub(crate) rings: Vec<String>,
}

/// One of the two policies.
#[derive(Serialize)]
pub(crate) struct Side {
    pub(crate) digest: String,
    pub(crate) files: usize,
    /// Rules, with the defaults.
    pub(crate) rules: usize,
}

/// One group.
#[derive(Serialize)]
pub(crate) struct Line {
    pub(crate) account_id: AccountId,
    pub(crate) account_name: String,
    pub(crate) ou: OuPath,
    pub(crate) region: Region,
    pub(crate) group: GroupName,
    /// `enabled`, or the label of the reason why not.
    pub(crate) before: &'static str,
    pub(crate) after: &'static str,
    pub(crate) opted_out_by: Option<OptOut>,
    pub(crate) changes: Vec<Change>,
}

/// One value.
#[derive(Clone, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub(crate) struct Change {
    pub(crate) key: &'static str,
    pub(crate) old: String,
    pub(crate) new: String,
    pub(crate) direction: Direction,
}

/// Where a value moves.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Direction {
    Looser,
    Stricter,
    /// Neither is at least as strict as the other.
    Mixed,
}

/// One change of a value, and how many groups have it.
#[derive(Serialize)]
pub(crate) struct Sum {
    #[serde(flatten)]
    pub(crate) change: Change,
    pub(crate) groups: usize,
}

impl Direction {
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Looser => "looser",
            Self::Stricter => "stricter",
            Self::Mixed => "mixed",
        }
    }
}

/// Compares and prints.
pub(super) fn diff(args: &Diff, streams: &mut Streams<'_>) -> Result<(), Stop> {
    let snapshot = input::snapshot(&args.snapshot).map_err(Stop::Input)?;
    let old = read(std::slice::from_ref(&args.old))?;
    let new = read(std::slice::from_ref(&args.new))?;
    let report = report(&snapshot, &old, &new);
    let style = streams.style;
    Ok(print(&report, args.output, |report| table::table(report, args, style), streams)?)
}

fn report(snapshot: &Snapshot, old: &Read, new: &Read) -> Report {
    let side = |read: &Read| Side { digest: read.digest(), files: read.files.len(), rules: read.set.rules().len() };
    let mut report = Report {
        old: side(old),
        new: side(new),
        groups: snapshot.groups.len(),
        same: 0,
        enabled: Vec::new(),
        disabled: Vec::new(),
        changed: Vec::new(),
        idle: Vec::new(),
        changes: Vec::new(),
        only_restricts: new.set.only_restricts(&old.set),
        rings: new.set.rollout().rings.iter().map(|ring| ring.name.clone()).collect(),
    };
    let accounts: BTreeMap<_, _> = snapshot.accounts.iter().map(|account| (account.id, account)).collect();
    let mut sums = BTreeMap::<Change, usize>::new();
    for group in &snapshot.groups {
        let key = &group.view.key;
        // A recording names the account of each of its groups; without it nothing is known of its unit.
        let Some(account) = accounts.get(&key.site.account) else { continue };
        let context = Context {
            ou: &account.ou,
            account: account.id,
            account_tags: account.tags.as_ref(),
            region: &key.site.region,
            group: key.name.as_str(),
            tags: &group.view.tags,
        };
        let [before, after] = [&old.set, &new.set].map(|set: &PolicySet| set.effective(&context));
        if before == after {
            report.same += 1;
            continue;
        }
        let line = Line {
            account_id: account.id,
            account_name: account.name.clone(),
            ou: account.ou.clone(),
            region: key.site.region.clone(),
            group: key.name.clone(),
            before: label(&before),
            after: label(&after),
            opted_out_by: if let Standing::OptedOut(by) = after.standing { Some(by) } else { None },
            changes: changes(&before.policy, &after.policy),
        };
        match [&before, &after].map(|one| one.standing == Standing::Enabled) {
            [false, true] => report.enabled.push(line),
            [true, false] => report.disabled.push(line),
            [false, false] => report.idle.push(line),
            [true, true] => {
                line.changes.iter().for_each(|change| *sums.entry(change.clone()).or_default() += 1);
                report.changed.push(line);
            }
        }
    }
    report.changes = sums.into_iter().map(|(change, groups)| Sum { change, groups }).collect();
    report
}

fn label(effective: &Effective) -> &'static str {
    effective.standing.hold().map_or("enabled", |reason| reason.label())
}

fn changes(old: &Policy, new: &Policy) -> Vec<Change> {
    let (looser, stricter) = (new.looser(old), old.looser(new));
    let change = |&key: &Key| {
        let direction = match (looser.contains(&key), stricter.contains(&key)) {
            (true, false) => Direction::Looser,
            (false, true) => Direction::Stricter,
            (true, true) => Direction::Mixed,
            (false, false) => return None,
        };
        Some(Change { key: key.name(), old: old.shown(key), new: new.shown(key), direction })
    };
    Key::ALL.iter().filter_map(change).collect()
}
