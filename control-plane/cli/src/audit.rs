//! `spothub audit`: the log of what was done, proven and written out. Reads the hub's store and nothing else.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, anyhow};
use serde_json::json;
use spothub_core::id::AccountId;
use spothub_core::port::{PAGE_ITEMS_MAX, Store};
use spothub_core::record::{self, Closed};
use spothub_hub::audit::{self, Audit, Chain, Finding, Head};
use spothub_report::log::{Row, csv};
use spothub_report::text::plain;

use crate::args::{self, Export, Format, Lines, Verify};
use crate::brake::{find, open, run};
use crate::{Exit, Streams};

/// Findings that are told one by one in the table; JSON has them all.
const TOLD_MAX: usize = 20;

/// Proves the log, or writes it out.
pub(crate) fn audit(command: &args::Audit, streams: &mut Streams<'_>) -> anyhow::Result<Exit> {
    match command {
        args::Audit::Verify(args) => verify(args, streams),
        args::Audit::Export(args) => export(args, streams),
    }
}

fn verify(args: &Verify, streams: &mut Streams<'_>) -> anyhow::Result<Exit> {
    let noted = match args.heads.as_deref().map(noted).transpose() {
        Ok(noted) => noted.unwrap_or_default(),
        Err(error) => {
            writeln!(streams.err, "error: {error:#}")?;
            return Ok(Exit::Usage);
        }
    };
    let Some(kept) = find(&args.hub.at, streams)? else { return Ok(Exit::Usage) };
    let found = run(async {
        let store = open(&kept).await?;
        audit::verify(&*store, &noted).await.context("the store cannot be read")
    })?;
    let whole = found.findings.is_empty();
    match args.write_heads.as_deref() {
        Some(path) if whole => {
            let text = serde_json::to_string_pretty(&found.heads)? + "\n";
            std::fs::write(path, text).with_context(|| format!("cannot write the heads to {}", path.display()))?;
        }
        // They would be held against the forgery from then on.
        Some(_) => writeln!(streams.err, "error: the log is not whole: its heads were not written")?,
        None => {}
    }
    match args.hub.output {
        Format::Json => {
            let told = json!({
                "whole": whole, "chains": found.chains, "rows": found.rows, "heads_held_against": noted.len(),
                "findings": found.findings,
            });
            writeln!(streams.out, "{}", serde_json::to_string_pretty(&told)?)?;
        }
        Format::Table => write!(streams.out, "{}", told(&found, noted.len()))?,
    }
    Ok(if whole { Exit::Done } else { Exit::Violation })
}

fn noted(path: &Path) -> anyhow::Result<Vec<Head>> {
    let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let read = serde_json::from_slice(&text);
    read.with_context(|| format!("{} has no heads as `audit verify --write-heads` writes them", path.display()))
}

fn told(audit: &Audit, noted: usize) -> String {
    let mut text = format!("{} rows in {} chains, held against {noted} noted heads.\n", audit.rows, audit.chains);
    if audit.findings.is_empty() {
        return text + "The log is whole.\n";
    }
    for finding in audit.findings.iter().take(TOLD_MAX) {
        text += &plain(&spelled(finding));
        text.push('\n');
    }
    if let Some(more) = audit.findings.len().checked_sub(TOLD_MAX).filter(|more| *more > 0) {
        let _ = writeln!(text, "and {more} more: --output json has them all");
    }
    text
}

fn spelled(finding: &Finding) -> String {
    let of = |chain: &Chain| match chain {
        Chain::Brakes => "the brakes".to_owned(),
        Chain::Group(group) => group.to_string(),
    };
    match finding {
        Finding::Broken { at } => {
            let (chain, count) = (of(&at.chain), at.link.count);
            format!("{chain}: row {count} was changed or removed, so that nothing up to it is proven")
        }
        Finding::Loose { chain, rows } => {
            let chain = of(chain);
            format!("{chain}: no chain leads to {rows} rows: added, cut off, or written by a program without this log")
        }
        Finding::Rewritten { noted } => {
            let (chain, count) = (of(&noted.chain), noted.link.count);
            format!("{chain}: row {count} is not what was noted: the log was written anew since")
        }
        Finding::Unreadable { key } => format!("{key}: cannot be read"),
    }
}

fn export(args: &Export, streams: &mut Streams<'_>) -> anyhow::Result<Exit> {
    let Some(kept) = find(&args.at, streams)? else { return Ok(Exit::Usage) };
    let rows = run(async {
        let store = open(&kept).await?;
        rows(&*store, args.account).await
    })?;
    let text = match args.format {
        Lines::Csv => csv(&rows).map_err(|error| anyhow!(error))?,
        Lines::Jsonl => {
            let lines = rows.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>()?;
            lines.into_iter().map(|line| line + "\n").collect()
        }
    };
    match &args.out {
        Some(path) => {
            std::fs::write(path, text).with_context(|| format!("cannot write the log to {}", path.display()))?;
        }
        None => streams.out.write_all(text.as_bytes())?,
    }
    Ok(Exit::Done)
}

/// What was done, in the order of time.
async fn rows(store: &dyn Store, account: Option<AccountId>) -> anyhow::Result<Vec<Row>> {
    let prefix = account.map_or_else(|| "swap/".to_owned(), |account| format!("swap/{account}/"));
    let (mut rows, mut after) = (Vec::new(), None::<String>);
    loop {
        let page = store.query(&prefix, after.as_deref(), PAGE_ITEMS_MAX).await.context("the store cannot be read")?;
        for item in &page.items {
            let closed = record::read::<Closed>(&item.value);
            rows.push(Row::Ended(closed.with_context(|| format!("the row {} cannot be read", item.key))?));
        }
        after = page.items.last().map(|item| item.key.clone());
        if !page.more {
            break;
        }
    }
    let brakes = audit::brakes(store).await.context("the store cannot be read")?;
    let brakes = brakes.into_iter().map(Row::Brake);
    rows.extend(brakes.filter(|row| account.is_none_or(|account| row.account() == Some(account))));
    rows.sort_by_key(Row::at);
    Ok(rows)
}
