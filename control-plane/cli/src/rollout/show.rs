//! `spothub rollout plan|status`: what would be changed, and how everything stands. They change nothing.

use super::begin;
use super::change::{changes, is_settled};
use crate::args::{Format, RolloutAsked};
use crate::output::rollout as table;
use crate::{Exit, Streams};

/// Says what would be done.
pub(super) fn plan(asked: &RolloutAsked, streams: &mut Streams<'_>) -> anyhow::Result<Exit> {
    let ended = begin(&asked.file, streams, async |mut world, streams| {
        let (desired, seen) = world.look().await?;
        let changes = changes(&desired, &seen);
        match asked.output {
            Format::Json => writeln!(streams.out, "{}", serde_json::to_string_pretty(&table::json(&changes))?)?,
            Format::Table => write!(streams.out, "{}", table::plan(&changes, streams.style))?,
        }
        Ok(Exit::Done)
    })?;
    Ok(ended.unwrap_or_else(|exit| exit))
}

/// Says how everything stands.
pub(super) fn status(asked: &RolloutAsked, streams: &mut Streams<'_>) -> anyhow::Result<Exit> {
    let ended = begin(&asked.file, streams, async |mut world, streams| {
        let (desired, seen) = world.look().await?;
        let changes = changes(&desired, &seen);
        let good = is_settled(&changes);
        match asked.output {
            Format::Json => {
                let told = table::status_json(&desired, &seen, &changes);
                writeln!(streams.out, "{}", serde_json::to_string_pretty(&told)?)?;
            }
            Format::Table => write!(streams.out, "{}", table::status(&desired, &seen, &changes, streams.style))?,
        }
        Ok(if good { Exit::Done } else { Exit::Partly })
    })?;
    Ok(ended.unwrap_or_else(|exit| exit))
}
