//! Walks changes: each is begun, followed to its end, and looked at again. What fails is kept with its reason and does
//! not keep the others; what is broken off goes on in CloudFormation, and is waited for by the next walk.

mod wait;

use std::collections::BTreeSet;

use spothub_aws::stacks::{Begun, Leaving, SetAsk, StackAsk, StackError, Targets, token};
use spothub_core::id::{AccountId, Region};

use super::change::{Act, Change, Seen, Thing, changes, model_of, stack};
use super::desired::{Desired, SetWish, StackWish};
use super::progress::Shown;
use super::template::Part;
use super::world::World;
use super::{refused, remedy_of};
use crate::clock::WallClock;
use crate::stop::Stop;

/// How often an operation is asked for that finds another one running: each time that one is waited for.
const ASKED_MAX: usize = 50;

/// What to do where the table or the bucket of an earlier hub is in the way.
const KEPT: &str = "; what an earlier hub left is kept by naming it in hub.parameters: TableName, PolicyBucketName";

/// Why a walk ends before its end.
#[derive(Debug)]
pub(super) enum Halt {
    /// The process was asked to stop.
    Asked,
    /// AWS cannot be looked at any more.
    Blind(anyhow::Error),
    /// It takes longer than anybody waits.
    Late(String),
}

impl From<StackError> for Halt {
    fn from(error: StackError) -> Self {
        Self::Blind(refused(&error))
    }
}

impl From<anyhow::Error> for Halt {
    fn from(error: anyhow::Error) -> Self {
        Self::Blind(error)
    }
}

/// Something that did not succeed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Failure {
    /// What was done.
    pub(crate) what: String,
    /// Where, if in one place.
    pub(crate) place: Option<(AccountId, Region)>,
    /// Why.
    pub(crate) said: String,
}

/// A walk on its way.
pub(super) struct Walk<'a> {
    pub(super) world: World,
    pub(super) desired: Desired,
    pub(super) seen: Seen,
    pub(super) shown: Shown<'a>,
    pub(super) failures: Vec<Failure>,
    pub(super) made: Vec<Change>,
    clock: WallClock,
    stop: Stop,
    tried: BTreeSet<String>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(world: World, desired: Desired, seen: Seen, shown: Shown<'a>, stop: Stop) -> Self {
        let (failures, made, tried) = Default::default();
        Self { world, desired, seen, shown, failures, made, clock: WallClock::default(), stop, tried }
    }

    /// Makes all changes. Without the hub's stack nothing else is begun.
    pub(super) async fn all(&mut self) -> Result<(), Halt> {
        loop {
            let changes = changes(&self.desired, &self.seen);
            let Some(change) = changes.into_iter().find(|change| self.is_due(change)) else { break };
            self.tried.insert(self.key(&change));
            self.one(&change).await?;
            self.look_again(&change).await?;
            self.made.push(change);
        }
        self.shown.end();
        Ok(())
    }

    /// Whether something can be done about it that was not tried yet.
    fn is_due(&self, change: &Change) -> bool {
        !matches!(change.act, Act::Keep | Act::Blocked)
            && self.is_founded(change)
            && !self.tried.contains(&self.key(change))
    }

    /// Whether what it needs is there: the hub for all others, roles for rules, and a set for its instances.
    fn is_founded(&self, change: &Change) -> bool {
        let hub = stack(&self.desired.hub, self.seen.hub.as_ref()).act == Act::Keep;
        let own = matches!(change.thing, Thing::Stack { .. });
        let roles = own || change.part != Part::Regional || self.seen.sets[0].is_some();
        let of = |index: usize| self.seen.sets[index].is_some();
        let set = !matches!(change.thing, Thing::Instances { .. }) || self.set_index(change.part).is_some_and(of);
        change.part == Part::Hub || (hub && roles && set)
    }

    /// The same change again is another one where it is about something else.
    fn key(&self, change: &Change) -> String {
        // What could not be created is not made anew at once: its reason would still be there.
        let act = if change.act == Act::Remake { Act::Create } else { change.act };
        format!("{:?} {act:?} {:?}", change.thing, self.waiting(change))
    }

    /// What is waited for, so that another operation is waited for, too.
    fn waiting(&self, change: &Change) -> Option<String> {
        let last = |set: &Option<spothub_aws::stacks::SetSeen>| set.as_ref()?.last.as_ref().map(|last| last.id.clone());
        if change.act == Act::Wait {
            self.set_index(change.part).and_then(|index| last(&self.seen.sets[index]))
        } else {
            None
        }
    }

    fn set_index(&self, part: Part) -> Option<usize> {
        self.desired.sets.iter().position(|set| set.part == part)
    }

    /// The stack that a change is about.
    fn stack_of(&self, account: AccountId, region: &Region, name: &str) -> Option<StackWish> {
        let mut all = std::iter::once(&self.desired.hub).chain(&self.desired.own);
        all.find(|wish| wish.account == account && wish.region == *region && wish.name == name).cloned()
    }

    async fn one(&mut self, change: &Change) -> Result<(), Halt> {
        match &change.thing {
            Thing::Stack { account, region, name } => {
                let Some(wish) = self.stack_of(*account, region, name) else { return Ok(()) };
                self.one_stack(&wish, change.act).await
            }
            Thing::Set { name } | Thing::Instances { name, .. } => {
                let Some(index) = self.set_index(change.part) else { return Ok(()) };
                let wish = self.desired.sets[index].clone();
                let places = if let Thing::Instances { spots, .. } = &change.thing {
                    spots.len()
                } else {
                    self.instances(index)
                };
                self.shown.begin(&told(change, name), places);
                match self.one_set(&wish, change).await {
                    Ok(()) => Ok(()),
                    Err(Refused::Halt(halt)) => Err(halt),
                    Err(Refused::Error(error)) => {
                        self.failed(&told(change, name), None, &error);
                        Ok(())
                    }
                }
            }
        }
    }

    /// How many instances an update of the set comes to.
    fn instances(&self, index: usize) -> usize {
        self.seen.sets[index].as_ref().map_or(0, |set| set.instances.len())
    }

    async fn one_stack(&mut self, wish: &StackWish, act: Act) -> Result<(), Halt> {
        let what = format!("{} the stack {} in {} {}", doing(act), wish.name, wish.account, wish.region);
        self.shown.begin(&what, 0);
        let place = (wish.account, wish.region.clone());
        let stacks = self.world.stacks_of(wish);
        let before = stacks.find(&wish.name).await?;
        let id = before.as_ref().map_or_else(|| wish.name.clone(), |stack| stack.id.clone());
        let since = before.as_ref().map_or("", |stack| stack.changed.as_str());
        let values = format!("{:?} {:?}", wish.parameters, wish.tags);
        let token = token(&[&id, act.label(), wish.template.text, &values, since]);
        let ask = StackAsk {
            name: &wish.name,
            template: wish.template.text,
            parameters: &wish.parameters,
            tags: &wish.tags,
            token: &token,
        };
        let begun = match act {
            Act::Create => stacks.create(&ask).await,
            Act::Update => stacks.update(&ask).await.map(|_| ()),
            Act::Remake => match stacks.delete(&id, &token).await {
                Ok(()) => {
                    self.stack_gone(&stacks, &id).await?;
                    stacks.create(&ask).await
                }
                Err(error) => Err(error),
            },
            Act::Keep
            | Act::Deploy
            | Act::Retry
            | Act::Withdraw
            | Act::Release
            | Act::Delete
            | Act::Wait
            | Act::Blocked => Ok(()),
        };
        if let Err(error) = begun {
            self.failed(&what, Some(place), &error);
            return Ok(());
        }
        let status = self.stack_settled(&stacks, &wish.name).await?;
        if !["CREATE_COMPLETE", "UPDATE_COMPLETE"].contains(&status.as_str()) && act != Act::Wait {
            let reasons = stacks.reasons(&wish.name).await.unwrap_or_default();
            let mut said = if reasons.is_empty() { status } else { format!("{status}: {}", reasons.join("; ")) };
            if wish.part == Part::Hub && said.contains("lready exists") {
                said.push_str(KEPT);
            }
            self.shown.line(&format!("  failed: {said}"));
            self.failures.push(Failure { what, place: Some(place), said });
        }
        Ok(())
    }

    async fn one_set(&mut self, wish: &SetWish, change: &Change) -> Result<(), Refused> {
        let before = self.seen.sets[0].as_ref().map(|set| set.arn.clone());
        let model = model_of(wish, before.as_deref());
        let ask = SetAsk {
            name: &wish.name,
            about: about(wish.part),
            template: wish.template.text,
            parameters: &wish.parameters,
            tags: &wish.tags,
            model: &model,
        };
        let values = format!("{:?} {:?} {model:?}", wish.parameters, wish.tags);
        let content = format!("{} {values} {:?}", wish.template.text, change.thing);
        match (&change.thing, change.act) {
            (_, Act::Wait) => Ok(self.idle(&wish.name).await?),
            (Thing::Set { .. }, Act::Create) => {
                let token = token(&[&wish.name, "create", &content]);
                Ok(self.world.sets.create(&ask, &token).await?)
            }
            (Thing::Set { .. }, Act::Update) => {
                for _ in 0..ASKED_MAX {
                    let id = self.operation_id(&wish.name, &content).await?;
                    let begun = self.world.sets.update(&ask, wish.how, &id).await?;
                    if self.followed(&wish.name, begun).await? {
                        break;
                    }
                }
                Ok(())
            }
            (Thing::Instances { targets, .. }, act) => self.instances_of(wish, targets, act, &content).await,
            (Thing::Set { .. } | Thing::Stack { .. }, _) => Ok(()),
        }
    }

    async fn instances_of(
        &mut self,
        wish: &SetWish,
        targets: &Targets,
        act: Act,
        content: &str,
    ) -> Result<(), Refused> {
        for _ in 0..ASKED_MAX {
            let id = self.operation_id(&wish.name, &format!("{} {content}", act.label())).await?;
            let sets = &self.world.sets;
            let begun = match act {
                Act::Deploy => sets.deploy(&wish.name, targets, wish.how, &id).await?,
                Act::Retry => sets.again((&wish.name, &wish.parameters), targets, wish.how, &id).await?,
                Act::Withdraw => sets.withdraw((&wish.name, Leaving::Deleted), targets, wish.how, &id).await?,
                Act::Release => sets.withdraw((&wish.name, Leaving::Released), targets, wish.how, &id).await?,
                Act::Keep | Act::Create | Act::Update | Act::Remake | Act::Delete | Act::Wait | Act::Blocked => break,
            };
            if self.followed(&wish.name, begun).await? {
                break;
            }
        }
        Ok(())
    }

    /// Takes instances away, or gives them up; a refusal is kept as a failure.
    pub(super) async fn withdrawn(&mut self, wish: &SetWish, targets: &Targets, act: Act) -> Result<(), Halt> {
        match self.instances_of(wish, targets, act, &format!("{targets:?}")).await {
            Ok(()) => Ok(()),
            Err(Refused::Halt(halt)) => Err(halt),
            Err(Refused::Error(error)) => {
                self.failed(&format!("withdrawing instances of {}", wish.name), None, &error);
                Ok(())
            }
        }
    }

    /// Deletes a set without instances; a refusal is kept as a failure.
    pub(super) async fn delete_set(&mut self, name: &str) -> Result<(), Halt> {
        for _ in 0..ASKED_MAX {
            match self.world.sets.delete(name).await {
                Ok(Begun::Runs(_)) => break,
                Ok(Begun::Busy) => self.idle(name).await?,
                Err(error) => {
                    self.failed(&format!("deleting the stack set {name}"), None, &error);
                    break;
                }
            }
        }
        Ok(())
    }

    /// A name for the next operation: of what it does, and of the one before it, so that the same may be done again
    /// later, and a request without an answer is not done twice.
    async fn operation_id(&self, set: &str, content: &str) -> Result<String, StackError> {
        let last = self.world.sets.operations(set).await?.into_iter().next();
        Ok(token(&[set, content, last.as_ref().map_or("", |last| last.id.as_str())]))
    }

    /// Follows an operation; `false` where another one was in the way, which has ended now.
    async fn followed(&mut self, set: &str, begun: Begun) -> Result<bool, Halt> {
        match begun {
            Begun::Busy => {
                self.idle(set).await?;
                Ok(false)
            }
            Begun::Runs(id) => {
                self.operation_ended(set, &id).await?;
                Ok(true)
            }
        }
    }

    /// Looks again at what was changed.
    async fn look_again(&mut self, change: &Change) -> Result<(), Halt> {
        if change.part == Part::Hub {
            self.world.look_at_hub(&mut self.seen).await?;
            // What it tells of itself goes into the parameters of all others.
            self.desired = self.world.desired();
            return Ok(());
        }
        if let Thing::Stack { account, region, name } = &change.thing {
            let is_it = |wish: &StackWish| wish.account == *account && wish.region == *region && wish.name == *name;
            if let Some(index) = self.desired.own.iter().position(is_it) {
                let wish = &self.desired.own[index];
                self.seen.own[index] = self.world.stacks_of(wish).find(&wish.name).await?;
            }
            return Ok(());
        }
        if let Some(index) = self.set_index(change.part) {
            self.world.look_at_set(&self.desired, index, &mut self.seen).await?;
        }
        Ok(())
    }

    pub(super) fn failed(&mut self, what: &str, place: Option<(AccountId, Region)>, error: &StackError) {
        let remedy = remedy_of(&error.fault).map(|remedy| format!("; {remedy}")).unwrap_or_default();
        let said = format!("{error}{remedy}");
        self.shown.line(&format!("  failed: {said}"));
        self.failures.push(Failure { what: what.to_owned(), place, said });
    }
}

/// What kept a change of a set from being made.
enum Refused {
    /// The walk ends.
    Halt(Halt),
    /// This one alone.
    Error(StackError),
}

impl From<Halt> for Refused {
    fn from(halt: Halt) -> Self {
        Self::Halt(halt)
    }
}

impl From<StackError> for Refused {
    fn from(error: StackError) -> Self {
        Self::Error(error)
    }
}

fn told(change: &Change, name: &str) -> String {
    match &change.thing {
        Thing::Set { .. } => format!("{} the stack set {name}", doing(change.act)),
        Thing::Instances { .. } | Thing::Stack { .. } => format!("{} instances of {name}", doing(change.act)),
    }
}

/// What is being done, as a line says it.
const fn doing(act: Act) -> &'static str {
    match act {
        Act::Create => "creating",
        Act::Update => "updating",
        Act::Remake => "making anew",
        Act::Deploy => "deploying",
        Act::Retry => "mending",
        Act::Withdraw => "withdrawing",
        Act::Release => "giving up",
        Act::Delete => "deleting",
        Act::Wait => "waiting for",
        Act::Keep | Act::Blocked => "leaving",
    }
}

const fn about(part: Part) -> &'static str {
    match part {
        Part::Hub => "spothub: the hub",
        Part::Global => "spothub: the roles of a member account",
        Part::Regional => "spothub: the rules of a member account in a region",
    }
}
