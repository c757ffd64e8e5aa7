//! `spothub report`: the stored ledger, summed up. Reads the hub's store and nothing else.

mod besides;

use std::collections::BTreeMap;

use anyhow::Context;
use comfy_table::{CellAlignment, Table, presets};
use serde::de::DeserializeOwned;
use spothub_core::id::AccountId;
use spothub_core::port::{Clock as _, Store, Stored};
use spothub_core::time::{Span, Timestamp};
use spothub_report::model::{known, spot_share};
use spothub_report::{Each, Level, Report, html, text};
use spothub_usage::book::{self, BOOK, DAYS, Day, Page, day_of, day_spelled};
use tokio::task::JoinHandle;

use crate::args::{By, Form, Per, Report as Asked};
use crate::brake::{find, open, run};
use crate::clock::WallClock;
use crate::{Exit, Streams};

/// A day.
const DAY: Span = Span::hours(24);
/// Days without `--from`, today included.
const DAYS_USUAL: i64 = 30;
/// Days at most: a year and a leap day. What is longer is asked for year by year.
const DAYS_MAX: i64 = 366;
/// Days at most where hours are read from pages, of which there are hundreds for each account and day.
const HOURLY_DAYS_MAX: i64 = 31;

/// Rows read at once: a row is up to 396 KiB, and two such pages are in memory at a time.
const ROWS_AT_ONCE: usize = 100;

/// Reports.
pub(crate) fn report(args: &Asked, streams: &mut Streams<'_>) -> anyhow::Result<Exit> {
    let last = args.to.unwrap_or_else(|| day_of(WallClock::default().now()));
    let from = args.from.unwrap_or(Timestamp(last.0 - DAY.times(DAYS_USUAL - 1).0));
    let to = last + DAY;
    if let Some(mistake) = mistake(args, from, to) {
        writeln!(streams.err, "error: {mistake}")?;
        return Ok(Exit::Usage);
    }
    let Some(kept) = find(&args.at, streams)? else { return Ok(Exit::Usage) };
    let mut report = Report::new(level(args.by), each(args.each), from, to);
    run(async {
        let store = open(&kept).await?;
        read(&*store, &mut report).await?;
        if args.format == Form::Html {
            report.sections = besides::sections(&*store, from, to).await?;
        }
        anyhow::Ok(())
    })?;
    let told = match args.format {
        Form::Table => table(&report),
        Form::Json => serde_json::to_string_pretty(&text::json(&report))? + "\n",
        Form::Csv => text::csv(&report).map_err(anyhow::Error::from_boxed)?,
        Form::Focus => text::focus(&report).map_err(anyhow::Error::from_boxed)?,
        Form::Html => html::html(&report, "Savings with spothub")?,
    };
    match &args.out {
        Some(path) => {
            std::fs::write(path, told).with_context(|| format!("cannot write the report to {}", path.display()))?;
        }
        None => streams.out.write_all(told.as_bytes())?,
    }
    Ok(Exit::Done)
}

fn mistake(args: &Asked, from: Timestamp, to: Timestamp) -> Option<String> {
    let most = if args.each == Per::Hour { HOURLY_DAYS_MAX } else { DAYS_MAX };
    if from >= to {
        return Some("--from is after --to".to_owned());
    }
    if to.since(from) > DAY.times(most) {
        return Some(format!("at most {most} days are reported at once: give --from and --to nearer to each other"));
    }
    let overlaps = matches!(args.by, By::Organization | By::Ou) && args.format == Form::Focus;
    overlaps.then(|| "FOCUS rows are by account or group: give --by account or --by group".to_owned())
}

fn level(by: By) -> Level {
    match by {
        By::Organization => Level::Organization,
        By::Ou => Level::Ou,
        By::Account => Level::Account,
        By::Group => Level::Group,
    }
}

fn each(per: Per) -> Each {
    match per {
        Per::Hour => Each::Hour,
        Per::Day => Each::Day,
        Per::Month => Each::Month,
        Per::Total => Each::Total,
    }
}

async fn read(store: &dyn Store, report: &mut Report) -> anyhow::Result<()> {
    let mut day = report.from;
    while day < report.to {
        let spelled = day_spelled(day);
        if report.each == Each::Hour {
            let mut hours = BTreeMap::<(AccountId, Timestamp), Vec<Page>>::new();
            let mut keep = |page: Page| {
                newest(page.format)?;
                hours.entry((page.account, page.hour)).or_default().push(page);
                Ok(())
            };
            rows(store, &format!("{BOOK}{spelled}/"), &mut keep).await?;
            for pages in hours.values() {
                report.add_hour(pages);
            }
        } else {
            let mut count = |row: Day| {
                newest(row.format)?;
                report.add(&row);
                Ok(())
            };
            rows(store, &format!("{DAYS}{spelled}/"), &mut count).await?;
        }
        day = day + DAY;
    }
    Ok(())
}

fn newest(format: u16) -> anyhow::Result<()> {
    anyhow::ensure!(format <= book::FORMAT, "the ledger has format {format}: run the newer program");
    Ok(())
}

/// Gives each row to `take`, in their order. The next rows are asked for while those before are parsed.
async fn rows<T: DeserializeOwned + Send + 'static>(
    store: &dyn Store,
    prefix: &str,
    take: &mut (dyn FnMut(T) -> anyhow::Result<()> + Send),
) -> anyhow::Result<()> {
    let mut after = None::<String>;
    let mut before: Option<JoinHandle<anyhow::Result<Vec<T>>>> = None;
    loop {
        let page = store.query(prefix, after.as_deref(), ROWS_AT_ONCE).await.context("the store cannot be read")?;
        after = page.items.last().map(|item| item.key.clone());
        let more = page.more && after.is_some();
        let parsed = tokio::task::spawn_blocking(move || parse(&page.items));
        let ready = if more { [before.replace(parsed), None] } else { [before.take(), Some(parsed)] };
        for rows in ready.into_iter().flatten() {
            for row in rows.await.context("a row could not be parsed")?? {
                take(row)?;
            }
        }
        if !more {
            return Ok(());
        }
    }
}

fn parse<T: DeserializeOwned>(items: &[Stored]) -> anyhow::Result<Vec<T>> {
    let parse = |item: &Stored| {
        serde_json::from_slice(&item.value).with_context(|| format!("the row {} cannot be read", item.key))
    };
    items.iter().map(parse).collect()
}

fn table(report: &Report) -> String {
    if report.rows.is_empty() {
        return format!("Nothing is booked from {} to {}.\n", report.from, report.to);
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["from", "scope", "paid USD", "gross USD", "net USD", "spot %", "unpriced h"]);
    for ((start, scope), totals) in &report.rows {
        let amount = |amount| if known(totals) { text::cents(amount) } else { "unknown".to_owned() };
        let spot = spot_share(totals).map_or_else(|| "unknown".to_owned(), text::percent);
        let start = if report.each == Each::Hour { start.to_string() } else { day_spelled(*start) };
        table.add_row([
            start,
            text::plain(&text::named(scope)),
            amount(totals.actual),
            amount(totals.saved()),
            amount(totals.net()),
            spot,
            text::hours(totals.unpriced),
        ]);
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    format!("{table}\n")
}
