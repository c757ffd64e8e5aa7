//! `spothub rollout`: from nothing to a running organization, and back.
//!
//! The file says what is to be there, AWS what is; the changes between them are worked out without a call, and printed,
//! walked or counted. Nothing is kept anywhere else, so that whatever broke off goes on with the next call.

mod apply;
mod ask;
mod change;
mod desired;
mod example;
mod file;
mod guard;
mod progress;
mod remove;
mod settings;
mod show;
mod template;
mod walk;
mod world;

use std::path::Path;

use anyhow::anyhow;
use spothub_aws::stacks::StackError;
use spothub_core::fault::Fault;

use crate::args::Rollout;
use crate::config::{self, Mistakes};
use crate::output::remedy;
use crate::{Exit, Streams, brake};
pub(crate) use change::{Act, Change, Seen, Thing, Why};
pub(crate) use desired::{Desired, SetWish, StackWish};
pub(crate) use settings::Wrote;
use template::Templates;
pub(crate) use template::{Part, version};
pub(crate) use walk::Failure;
use world::World;

/// Runs one of its commands.
pub(crate) fn rollout(command: &Rollout, streams: &mut Streams<'_>) -> anyhow::Result<Exit> {
    match command {
        Rollout::Example(args) => example::show(args, streams),
        Rollout::Plan(asked) => show::plan(asked, streams),
        Rollout::Status(asked) => show::status(asked, streams),
        Rollout::Apply(args) => apply::apply(args, streams),
        Rollout::Remove(args) => remove::remove(args, streams),
    }
}

/// Reads the file, reaches its accounts and hands both on; mistakes are told, and nothing is begun.
fn begin<T>(
    path: &Path,
    streams: &mut Streams<'_>,
    job: impl AsyncFnOnce(World, &mut Streams<'_>) -> anyhow::Result<T>,
) -> anyhow::Result<Result<T, Exit>> {
    let templates = Templates::read()?;
    let file = match file::read(path, &templates) {
        Ok(file) => file,
        Err(mistakes) => return Ok(Err(config::tell(&mistakes, streams)?)),
    };
    brake::run(async {
        match World::reach(file, templates).await {
            Ok(world) => Ok(Ok(job(world, streams).await?)),
            Err(world::Unreached::Mistakes(mistakes)) => Ok(Err(config::tell(&mistakes, streams)?)),
            Err(world::Unreached::Failed(error)) => Err(error),
        }
    })
}

/// A refusal with what to do about it.
fn refused(error: &StackError) -> anyhow::Error {
    match remedy_of(&error.fault) {
        Some(remedy) => anyhow!("{error}\n   = {remedy}"),
        None => anyhow!("{error}"),
    }
}

/// The remedy for what has one beside AWS's own words.
fn remedy_of(fault: &Fault) -> Option<&'static str> {
    match fault {
        Fault::Denied(_) => Some("policies/iam/rollout.json has what whoever installs must be allowed"),
        Fault::Unable(_) | Fault::Unreachable(_) | Fault::Throttled { .. } => Some(remedy::of(fault.label())),
        Fault::Unclear | Fault::Broken => Some("no good answer came; try again: it goes on from where it is"),
        Fault::NoCapacity(_) | Fault::Quota | Fault::Gone | Fault::Conflict(_) | Fault::Invalid(_) => None,
    }
}

/// One mistake.
fn mistake(what: impl std::fmt::Display, remedy: impl std::fmt::Display) -> Mistakes {
    Mistakes(vec![format!("{what}\n   = {remedy}")])
}
