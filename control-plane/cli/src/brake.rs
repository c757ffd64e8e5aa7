//! `spothub pause|resume|status`: the brake, and what the hub does now. They need the hub's store and nothing else, so
//! that they work while accounts, policy or the rest of the settings do not.

use std::sync::Arc;

use anyhow::Context;
use serde_json::{Value, json};
use spothub_aws::Uncounted;
use spothub_core::brake;
use spothub_core::port::{Clock, Store};
use spothub_hub::brake as brakes;
use spothub_hub::status::status;

use crate::args::{Brake, Format, Hub, HubStore, Revert};
use crate::clock::WallClock;
use crate::compose;
use crate::config::{self, Kept, Place};
use crate::output::status as table;
use crate::store;
use crate::{Exit, Streams};

/// Pulls the brake.
pub(crate) fn pause(args: &Brake, streams: &mut Streams<'_>) -> anyhow::Result<Exit> {
    let Some((kept, brake)) = begin(args, streams)? else { return Ok(Exit::Usage) };
    let left = run(async {
        let store = open(&kept).await?;
        brakes::pull(&*store, &brake).await.context("the brake could not be set")?;
        brakes::brakes(&*store).await.context("the brake was set, and cannot be read back")
    })?;
    match args.hub.output {
        Format::Json => writeln!(streams.out, "{}", json!({"paused": brake, "brakes": left.0}))?,
        Format::Table => write!(streams.out, "{}{}", table::paused(&brake), table::others(&left, &brake.scope))?,
    }
    Ok(Exit::Done)
}

/// Sends a scope back to on-demand.
pub(crate) fn revert(args: &Revert, streams: &mut Streams<'_>) -> anyhow::Result<Exit> {
    let (Some(scope), Some(kept)) = (args.scope(), find(&args.hub.at, streams)?) else { return Ok(Exit::Usage) };
    let (why, by, at) = (args.why.clone(), author(args.by.as_deref()), WallClock::default().now());
    let brake = brake::Brake { format: brake::FORMAT, scope, why, by, at, revert: true };
    let (on_spot, left) = run(async {
        let store = open(&kept).await?;
        let on_spot = brakes::on_spot(&*store, &brake.scope).await.context("what is on Spot cannot be read")?;
        if args.apply {
            brakes::first_use(&*store, at).await.context("the store cannot be written")?;
            brakes::pull(&*store, &brake).await.context("it could not be noted in the store")?;
        }
        Ok((on_spot, brakes::brakes(&*store).await.context("the brakes cannot be read")?))
    })?;
    match args.hub.output {
        Format::Json => {
            let told = json!({"revert": brake, "applied": args.apply, "on_spot": on_spot, "brakes": left.0});
            writeln!(streams.out, "{told}")?;
        }
        Format::Table => {
            let told = table::reverted(&brake, on_spot, args.apply);
            write!(streams.out, "{told}{}", table::others(&left, &brake.scope))?;
        }
    }
    Ok(Exit::Done)
}

/// Releases it.
pub(crate) fn resume(args: &Brake, streams: &mut Streams<'_>) -> anyhow::Result<Exit> {
    let Some((kept, brake)) = begin(args, streams)? else { return Ok(Exit::Usage) };
    let scope = brake.scope.clone();
    let (was, left) = run(async {
        let store = open(&kept).await?;
        // Otherwise the first worker would set it after this.
        brakes::first_use(&*store, brake.at).await.context("the store cannot be written")?;
        let was = brakes::release(&*store, &brake).await.context("the brake could not be released")?;
        let left = brakes::brakes(&*store).await.context("the brake was released, and others cannot be read")?;
        Ok((was, left))
    })?;
    tracing::info!(scope = %scope, by = author(args.by.as_deref()), why = args.why, was, "resumed");
    match args.hub.output {
        Format::Json => {
            let told = json!({"resumed": scope, "was_paused": was, "by": author(args.by.as_deref()), "brakes": left.0});
            writeln!(streams.out, "{told}")?;
        }
        Format::Table => {
            write!(streams.out, "{}{}", table::resumed(&scope, was), table::others(&left, &scope))?;
        }
    }
    Ok(Exit::Done)
}

/// Says what the hub does now.
pub(crate) fn show(args: &Hub, streams: &mut Streams<'_>) -> anyhow::Result<Exit> {
    let Some(kept) = find(&args.at, streams)? else { return Ok(Exit::Usage) };
    let now = WallClock::default().now();
    let status = run(async {
        let store = open(&kept).await?;
        let mut told = status(&*store, now).await.context("the store cannot be read")?;
        told.brakes.extend(brakes::of_a_new_hub(&*store, now).await.context("the store cannot be read")?);
        Ok(told)
    })?;
    match args.output {
        Format::Json => {
            let mut told = serde_json::to_value(&status)?;
            if let Value::Object(told) = &mut told {
                told.insert("as_of".to_owned(), json!(now));
            }
            writeln!(streams.out, "{}", serde_json::to_string_pretty(&told)?)?;
        }
        Format::Table => write!(streams.out, "{}", table::status(&status, now, streams.style))?,
    }
    Ok(Exit::Done)
}

/// Where the store is, and what is to be done there: of which scope, by whom, when and why.
fn begin(args: &Brake, streams: &mut Streams<'_>) -> anyhow::Result<Option<(Kept, brake::Brake)>> {
    let (Some(scope), Some(kept)) = (args.covers.scope(), find(&args.hub.at, streams)?) else { return Ok(None) };
    let (why, by, at) = (args.why.clone(), author(args.by.as_deref()), WallClock::default().now());
    Ok(Some((kept, brake::Brake { format: brake::FORMAT, scope, why, by, at, revert: false })))
}

/// Where the hub's store is; one that is not there is a mistake of the command line, not one to make.
pub(crate) fn find(at: &HubStore, streams: &mut Streams<'_>) -> anyhow::Result<Option<Kept>> {
    let kept = match config::store_of(at) {
        Ok(kept) => kept,
        Err(mistakes) => {
            config::tell(&mistakes, streams)?;
            return Ok(None);
        }
    };
    if let Place::File(path) = &kept.place
        && !path.exists()
    {
        let path = path.display();
        writeln!(streams.err, "error: there is no store at {path}: name the settings of the hub with --config")?;
        return Ok(None);
    }
    Ok(Some(kept))
}

pub(crate) async fn open(kept: &Kept) -> anyhow::Result<Arc<dyn Store>> {
    let clock = Arc::new(WallClock::default());
    let seed = compose::seed(&*clock);
    store::open(kept, clock, Arc::new(Uncounted), seed).await
}

pub(crate) fn run<T>(job: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("cannot start the runtime")?.block_on(job)
}

/// Who does it: as told, or who is logged in at which machine.
#[expect(clippy::disallowed_methods, reason = "the command line is where the environment is read")]
pub(crate) fn author(by: Option<&str>) -> String {
    let named = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    if let Some(by) = by {
        return by.to_owned();
    }
    let user = named("USER").or_else(|| named("LOGNAME")).unwrap_or_else(|| "unknown".to_owned());
    named("HOSTNAME").map_or_else(|| user.clone(), |host| format!("{user}@{host}"))
}
