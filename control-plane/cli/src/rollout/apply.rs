//! `spothub rollout apply`: says what it will do, asks, does it, and writes the settings of the hub that it made.

use std::collections::BTreeSet;

use anyhow::Context;
use serde_json::json;

use super::ask::{Answer, whether};
use super::change::{Act, Change, Thing, changes, is_settled, stack};
use super::progress::Shown;
use super::settings::{self, Wrote};
use super::walk::{Halt, Walk};
use super::world::World;
use super::{begin, guard};
use crate::args::{Format, RolloutApply};
use crate::output::rollout as table;
use crate::stop::Stop;
use crate::{Exit, Streams};

/// Makes what the file says.
pub(super) fn apply(args: &RolloutApply, streams: &mut Streams<'_>) -> anyhow::Result<Exit> {
    let ended = begin(&args.asked.file, streams, async |world, streams| all(args, world, streams).await)?;
    Ok(ended.unwrap_or_else(|exit| exit))
}

async fn all(args: &RolloutApply, mut world: World, streams: &mut Streams<'_>) -> anyhow::Result<Exit> {
    let (desired, seen) = world.look().await?;
    let before = changes(&desired, &seen);
    if !args.leave_spot && !may_leave(args, &before, streams).await? {
        return Ok(Exit::Usage);
    }
    if !is_settled(&before) {
        write!(streams.err, "{}", table::plan(&before, streams.style))?;
        if whether(args.yes, "This is what will be done.", streams)? == Answer::No {
            return Ok(Exit::Usage);
        }
    }
    // From here on a signal breaks off in good order; before, it ends the process.
    let stop = Stop::listen()?;
    let shown = Shown::new(&mut *streams.err, streams.progress);
    let mut walk = Walk::new(world, desired, seen, shown, stop);
    let halted = walk.all().await.err();
    walk.shown.end();
    let Walk { world, desired, seen, failures, made, .. } = walk;
    let left = changes(&desired, &seen);
    let there = stack(&desired.hub, seen.hub.as_ref()).act == Act::Keep;
    let wrote = if there {
        let path = settings::place(args.settings.as_deref(), &args.asked.file);
        Some((settings::write(&world, &desired, &path, args.replace_settings)?, path))
    } else {
        None
    };
    let exit = match &halted {
        Some(Halt::Blind(_)) => Exit::Failed,
        Some(_) => Exit::Partly,
        None if is_settled(&left) => Exit::Done,
        None if there => Exit::Partly,
        None => Exit::Failed,
    };
    match args.asked.output {
        Format::Json => {
            let settings = wrote.as_ref().map(|(wrote, path)| json!({"file": path, "is": wrote.label()}));
            let told = json!({
                "good": exit == Exit::Done,
                "made": table::json(&made),
                "failures": table::failures_json(&failures),
                "left": table::json(&left),
                "settings": settings,
            });
            writeln!(streams.out, "{}", serde_json::to_string_pretty(&told)?)?;
        }
        Format::Table => {
            write!(streams.out, "{}", table::applied(&made, &failures, &left, streams.style))?;
            if let Some((wrote, path)) = &wrote {
                write!(streams.out, "{}", table::settings(wrote, &path.display().to_string()))?;
            }
            if exit == Exit::Done && matches!(wrote, Some((Wrote::Made, _))) {
                write!(
                    streams.out,
                    "{}",
                    table::next(&wrote.as_ref().map_or_else(String::new, |(_, path)| path.display().to_string()))
                )?;
            }
        }
    }
    if let Some(halt) = halted {
        told(halt, "spothub rollout apply", streams)?;
    }
    Ok(exit)
}

/// Whether nothing that the hub launched lives where its role and rules are to be taken away.
async fn may_leave(args: &RolloutApply, due: &[Change], streams: &mut Streams<'_>) -> anyhow::Result<bool> {
    let path = settings::place(args.settings.as_deref(), &args.asked.file);
    let mut spots = BTreeSet::new();
    for change in due.iter().filter(|change| change.act == Act::Withdraw) {
        if let Thing::Instances { spots: some, .. } = &change.thing {
            spots.extend(some.iter().cloned());
        }
    }
    if spots.is_empty() || !path.exists() {
        return Ok(true);
    }
    let unknown = "whether instances live where roles are to be taken away is not known (--leave-spot does not ask)";
    let found = guard::findings_at(&path, &spots).await.context(unknown)?;
    for one in &found {
        writeln!(streams.err, "error: {one}")?;
    }
    if !found.is_empty() && args.asked.output == Format::Json {
        writeln!(streams.out, "{}", json!({"good": false, "refused": found}))?;
    }
    if !found.is_empty() {
        let remedy = "opt these groups out by policy first, and let them replace their Spot members; or say \
                      --leave-spot: then they stay as they are, and nobody looks after them";
        writeln!(streams.err, "   = {remedy}\nnothing was begun")?;
    }
    Ok(found.is_empty())
}

/// Says how a walk that was broken off goes on.
pub(super) fn told(halt: Halt, again: &str, streams: &mut Streams<'_>) -> anyhow::Result<()> {
    let goes_on = format!("CloudFormation goes on with what it has begun; {again} waits for it, and does the rest");
    match halt {
        Halt::Asked => writeln!(streams.err, "broken off as asked\n   = {goes_on}")?,
        Halt::Late(what) => writeln!(streams.err, "error: {what} takes longer than anybody waits\n   = {goes_on}")?,
        Halt::Blind(error) => writeln!(streams.err, "error: {error:#}\n   = then: {again} goes on from here")?,
    }
    Ok(())
}
