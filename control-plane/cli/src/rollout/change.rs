//! From what is to be there and what is there to an ordered list of changes. Pure: `plan` prints it, `apply` walks it,
//! `status` says whether it is empty.

mod instances;
#[cfg(test)]
mod tests;
mod why;

use std::collections::BTreeSet;

use spothub_aws::stacks::{Model, Phase, Progress, SetSeen, Spot, StackSeen, Targets};
use spothub_core::id::{AccountId, Region};

use super::desired::{Desired, SetWish, StackWish};
use super::file::Mode;
use super::template::Part;
pub(crate) use why::Why;

/// What is changed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Thing {
    /// An ordinary stack.
    Stack { account: AccountId, region: Region, name: String },
    /// A stack set.
    Set { name: String },
    /// Some of its instances: what CloudFormation is asked for, and the places that it is for.
    Instances { name: String, targets: Targets, spots: BTreeSet<Spot> },
}

/// What is done about it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub(crate) enum Act {
    /// Nothing: it is as it is to be.
    Keep,
    /// It is made.
    Create,
    /// It is changed; of a set also all its instances.
    Update,
    /// Its creation failed once: what is left of it is deleted, and it is made.
    Remake,
    /// Instances are made.
    Deploy,
    /// What failed is tried again.
    Retry,
    /// Instances are taken away with their stacks.
    Withdraw,
    /// Instances are given up, and their stacks stay: in suspended accounts nothing can be deleted.
    Release,
    /// It is taken away.
    Delete,
    /// Something is going on with it: that is waited for.
    Wait,
    /// Nothing can be done from here.
    Blocked,
}

impl Act {
    /// Its word in tables and JSON.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Create => "create",
            Self::Update => "update",
            Self::Remake => "remake",
            Self::Deploy => "deploy",
            Self::Retry => "retry",
            Self::Withdraw => "withdraw",
            Self::Release => "release",
            Self::Delete => "delete",
            Self::Wait => "wait",
            Self::Blocked => "blocked",
        }
    }
}

/// One change.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Change {
    pub(crate) part: Part,
    pub(crate) thing: Thing,
    pub(crate) act: Act,
    pub(crate) why: Vec<Why>,
}

/// What is there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) hub: Option<StackSeen>,
    /// As in [`Desired::sets`].
    pub(crate) sets: [Option<SetSeen>; 2],
    /// As in [`Desired::own`].
    pub(crate) own: Vec<Option<StackSeen>>,
}

/// All changes, in the order in which they are made: the hub, roles, rules, the management account's own, and at last
/// what is taken away, rules before the roles that they send with.
pub(crate) fn changes(desired: &Desired, seen: &Seen) -> Vec<Change> {
    let mut found = vec![stack(&desired.hub, seen.hub.as_ref())];
    let mut last = Vec::new();
    for (index, wish) in desired.sets.iter().enumerate() {
        let there = seen.sets[index].as_ref();
        let before = wish.after.as_ref().and(seen.sets[0].as_ref()).map(|set| set.arn.as_str());
        found.push(set(wish, there, before));
        let (more, away) = instances::changes(wish, there, found[found.len() - 1].act);
        found.extend(more);
        last.splice(0..0, away);
    }
    for (index, wish) in desired.own.iter().enumerate() {
        found.push(stack(wish, seen.own.get(index).and_then(Option::as_ref)));
    }
    found.extend(last);
    found
}

/// What an ordinary stack needs.
pub(crate) fn stack(wish: &StackWish, seen: Option<&StackSeen>) -> Change {
    let (account, region, name) = (wish.account, wish.region.clone(), wish.name.clone());
    let of = |act, why| Change { part: wish.part, thing: Thing::Stack { account, region, name }, act, why };
    let Some(seen) = seen else { return of(Act::Create, vec![Why::Absent { version: wish.template.version }]) };
    match seen.phase {
        Phase::Busy => return of(Act::Wait, vec![Why::Status(seen.status.clone())]),
        Phase::Undone => return of(Act::Remake, vec![Why::Undone]),
        Phase::Reviewed => return of(Act::Blocked, vec![Why::Reviewed]),
        Phase::Stuck => return of(Act::Blocked, vec![Why::Stuck(seen.status.clone(), seen.reason.clone())]),
        Phase::Settled => {}
    }
    let why =
        why::content(&wish.template, (&wish.parameters, &wish.tags), (&seen.template, &seen.parameters, &seen.tags));
    of(if why.is_empty() { Act::Keep } else { Act::Update }, why)
}

/// What a set needs, its instances aside. `before` is the ARN of the set that its own automatic deployment waits for.
fn set(wish: &SetWish, seen: Option<&SetSeen>, before: Option<&str>) -> Change {
    let of = |act, why| Change { part: wish.part, thing: Thing::Set { name: wish.name.clone() }, act, why };
    let Some(seen) = seen else { return of(Act::Create, vec![Why::Absent { version: wish.template.version }]) };
    if seen.last.as_ref().is_some_and(|last| last.progress == Progress::Running) {
        return of(Act::Wait, vec![Why::Status("an operation is running".to_owned())]);
    }
    let service = matches!(seen.deployed.model, Model::Service { .. });
    if service != matches!(wish.mode, Mode::Service { .. }) {
        return of(Act::Blocked, vec![Why::OtherMode { service }]);
    }
    let mut why =
        why::content(&wish.template, (&wish.parameters, &wish.tags), (&seen.template, &seen.parameters, &seen.tags));
    why.extend(model(wish, &seen.deployed.model, before));
    of(if why.is_empty() { Act::Keep } else { Act::Update }, why)
}

/// What differs in who deploys, where the mode is the same.
fn model(wish: &SetWish, seen: &Model, before: Option<&str>) -> Option<Why> {
    match (&wish.mode, seen) {
        (Mode::Service { auto, .. }, Model::Service { auto: is, after }) => {
            if auto != is {
                return Some(Why::Auto { wanted: *auto });
            }
            let missing = *auto && wish.after.is_some() && before.is_none_or(|arn| !after.contains(arn));
            missing.then(|| Why::After(wish.after.clone().unwrap_or_default()))
        }
        (Mode::Roles { administration, execution }, Model::Roles { administration: by, execution: there }) => {
            let differs = |wanted: &Option<String>, is: &Option<String>| wanted.is_some() && wanted != is;
            (differs(administration, by) || differs(execution, there)).then_some(Why::Roles)
        }
        _ => None,
    }
}

/// Who sees to a set's deployment, as CloudFormation is asked.
pub(crate) fn model_of(wish: &SetWish, before: Option<&str>) -> Model {
    match &wish.mode {
        Mode::Service { auto, .. } => {
            let after = before.filter(|_| wish.after.is_some()).map(ToOwned::to_owned).into_iter().collect();
            Model::Service { auto: *auto, after }
        }
        Mode::Roles { administration, execution } => {
            Model::Roles { administration: administration.clone(), execution: execution.clone() }
        }
    }
}

/// Whether there is nothing to do, and nothing that stands in the way.
pub(crate) fn is_settled(changes: &[Change]) -> bool {
    changes.iter().all(|change| change.act == Act::Keep)
}
