//! `spothub metering status|audit|settle`, which read the hub's store, and the hourly task that meters.

mod task;

use std::fmt::Write as _;

use anyhow::Context;
use comfy_table::{CellAlignment, Table, presets};
use serde_json::json;
use spothub_core::port::{Clock as _, Store};
use spothub_core::time::Timestamp;
use spothub_report::text::plain;
use spothub_usage::audit::{StatusRow, Total};
use spothub_usage::record::Record;
use spothub_usage::settle::{SettleError, Verdict, settle as settled};
use spothub_usage::task::Flags;
use spothub_usage::task::rows::{self, FLAGS, RECORDS};

use crate::args::{Format, Hour, Metering, Settle, Status};
use crate::brake::{find, open, run};
use crate::clock::WallClock;
use crate::{Exit, Streams};

pub(crate) use task::main;

/// Does one of them.
pub(crate) fn metering(command: &Metering, streams: &mut Streams<'_>) -> anyhow::Result<Exit> {
    match command {
        Metering::Status(args) => status(args, streams),
        Metering::Audit(args) => audit(args, streams),
        Metering::Settle(args) => settle(args, streams),
    }
}

/// Every record, in the order of hours and dimensions.
async fn records(store: &dyn Store) -> anyhow::Result<Vec<Record>> {
    let rows = rows::all::<Record>(store, RECORDS, |_| true).await?;
    Ok(rows.into_iter().map(|(_, record)| record).collect())
}

fn status(args: &Status, streams: &mut Streams<'_>) -> anyhow::Result<Exit> {
    let Some(kept) = find(&args.hub.at, streams)? else { return Ok(Exit::Usage) };
    let (records, flags) = run(async {
        let store = open(&kept).await?;
        let flags = rows::get::<Flags>(&*store, FLAGS).await?.map(|kept| kept.row);
        Ok((records(&*store).await?, flags))
    })?;
    let (mut rows, totals) = spothub_usage::audit::status(&records);
    if args.open {
        let mut still = records.iter().map(|record| !record.is_final());
        rows.retain(|_| still.next().unwrap_or(true));
    }
    match args.hub.output {
        Format::Json => {
            let told = json!({"flags": flags, "totals": totals, "records": rows});
            writeln!(streams.out, "{}", serde_json::to_string_pretty(&told)?)?;
        }
        Format::Table => write!(streams.out, "{}", shown(flags.as_ref(), &totals, &rows, WallClock::default().now()))?,
    }
    Ok(Exit::Done)
}

fn shown(flags: Option<&Flags>, totals: &[Total], rows: &[StatusRow], now: Timestamp) -> String {
    let mut text = match flags {
        None => "The metering task never ran on this store.\n".to_owned(),
        Some(flags) => told(flags, now),
    };
    if rows.is_empty() {
        return text + "No records.\n";
    }
    let mut table = made(&["hour", "dimension", "quantity", "state", "detail"]);
    for row in rows {
        let (state, detail) = (row.state.to_owned(), plain(&row.detail));
        table.add_row([row.hour.to_string(), plain(&row.dimension), row.quantity.clone(), state, detail]);
    }
    let mut sums = made(&["dimension", "records", "accepted", "pending", "unknown", "written off"]);
    for total in totals {
        let books = [total.books.accepted, total.books.pending, total.books.unknown, total.books.written_off];
        let mut cells = vec![plain(&total.dimension), total.records.to_string()];
        cells.extend(books.map(|steps| steps.to_string()));
        sums.add_row(cells);
    }
    for column in sums.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let _ = writeln!(text, "\n{table}\n\nSteps, all hours together:\n{sums}");
    text
}

fn told(flags: &Flags, now: Timestamp) -> String {
    let never = || "never".to_owned();
    let accepted = flags.last_accepted.map_or_else(never, |hour| hour.to_string());
    let mut lines = vec![format!("Last run {}; the last hour that AWS accepted: {accepted}.", flags.last_run)];
    lines.extend(flags.troubles(now).iter().map(|trouble| plain(trouble)));
    lines.join("\n") + "\n"
}

fn made(heads: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(heads.iter().copied());
    table
}

fn audit(args: &Hour, streams: &mut Streams<'_>) -> anyhow::Result<Exit> {
    let Some(kept) = find(&args.hub.at, streams)? else { return Ok(Exit::Usage) };
    let found = run(async {
        let store = open(&kept).await?;
        rows::metered(&*store, args.hour).await.context("the hour cannot be read")
    })?;
    let Some((hour, lines, records)) = found else {
        writeln!(streams.err, "error: {} was not metered: spothub metering status has the hours that were", args.hour)?;
        return Ok(Exit::Usage);
    };
    let rows = match spothub_usage::audit::audit(&hour, &lines, &records) {
        Ok(rows) => rows,
        Err(error) => {
            writeln!(streams.err, "error: {error}")?;
            return Ok(Exit::Violation);
        }
    };
    match args.hub.output {
        Format::Json => {
            let told = json!({"hour": hour, "rows": rows, "records": records});
            writeln!(streams.out, "{}", serde_json::to_string_pretty(&told)?)?;
        }
        Format::Table => {
            let heads =
                ["dimension", "account", "before", "amount", "returned", "dropped", "quantity", "carry", "state", "id"];
            let mut table = made(&heads);
            for row in &rows {
                let amounts = [row.before, row.amount, row.returned, row.dropped].map(|parts| parts.to_string());
                let mut cells = vec![plain(&row.dimension), row.account.to_string()];
                cells.extend(amounts);
                cells.extend([row.quantity.clone(), row.carry.to_string(), row.state.to_owned()]);
                cells.push(row.record_id.as_deref().map(plain).unwrap_or_default());
                table.add_row(cells);
            }
            let (worked_out, by) = (hour.at, plain(&hour.task));
            writeln!(streams.out, "Worked out at {worked_out} by {by}. Every line adds up.\n{table}")?;
        }
    }
    Ok(Exit::Done)
}

fn settle(args: &Settle, streams: &mut Streams<'_>) -> anyhow::Result<Exit> {
    let verdict = match (&args.accepted, args.not_accepted) {
        (Some(id), _) => Verdict::Accepted { id: id.clone(), units: args.steps },
        (None, true) => Verdict::NotAccepted,
        (None, false) => Verdict::WriteOff,
    };
    let Some(kept) = find(&args.hub.at, streams)? else { return Ok(Exit::Usage) };
    let now = WallClock::default().now();
    let done: Result<Record, SettleError> = run(async {
        let store = open(&kept).await?;
        let at = (args.hour, args.dimension.as_str());
        if args.apply {
            return Ok(settled(&*store, at, &verdict, (&args.why, now)).await);
        }
        Ok(spothub_usage::settle::considered(&*store, at, &verdict, (&args.why, now)).await.map(|(_, next)| next))
    })?;
    let record = match done {
        Ok(record) => record,
        Err(error) => {
            writeln!(streams.err, "error: {error}")?;
            let fault = matches!(error, SettleError::Rows(rows::RowError::Store(_)));
            return Ok(if fault { Exit::Failed } else { Exit::Usage });
        }
    };
    match args.hub.output {
        Format::Json => {
            let told = json!({"applied": args.apply, "record": record});
            writeln!(streams.out, "{}", serde_json::to_string_pretty(&told)?)?;
        }
        Format::Table => {
            let (hour, dimension, state) = (record.hour, plain(&record.dimension), record.state.label());
            let done = if args.apply { "is now" } else { "would be" };
            writeln!(streams.out, "{dimension} of {hour} {done} {state}.")?;
            if !args.apply {
                writeln!(streams.out, "Nothing was changed: add --apply.")?;
            }
        }
    }
    Ok(Exit::Done)
}
