//! `spothub doctor`: proves, account by account and region by region, that roles, rules, queues and rights are as this
//! version needs them.
//!
//! Looks, and sends one probe from each region; then judges what it found, and tells. Changes nothing.

mod batch;
mod expected;
mod facts;
mod judge;
mod look;
mod probe;
mod quota;
pub(crate) mod report;
pub(crate) mod row;

use anyhow::{Context, bail};

use crate::args::{Doctor, Format};
use crate::config::{self, Sources};
use crate::logging::{self, Wanted};
use crate::output::doctor as table;
use crate::progress::Progress;
use crate::stop::Stop;
use crate::{Exit, Streams};
use facts::Probes;
use look::Asked;
use report::Report;

/// Looks at everything, and tells.
pub(crate) fn doctor(args: &Doctor, logs: &Wanted<'_>, streams: &mut Streams<'_>) -> anyhow::Result<Exit> {
    // What is wrong with policy is a finding, and not in the way of others.
    let sources = Sources { serves: true, looks: true, ..Sources::new(&args.given, false) };
    let config = match config::read(&sources) {
        Ok(found) => found.config,
        Err(mistakes) => return config::tell(&mistakes, streams),
    };
    if let Some(other) = args.regions.iter().find(|region| !config.reach.regions.contains(*region)) {
        writeln!(
            streams.err,
            "error: --region {other}: it is not served\n   = name one of `regions` in the settings, or add it there"
        )?;
        return Ok(Exit::Usage);
    }
    // Each failure becomes a row: lines beside them would only say it twice.
    let quiet = Wanted { filter: logs.filter.or((logs.verbose == 0).then_some("error")), ..*logs };
    if let Err(text) = logging::start(&quiet, config.reach.log.lines()) {
        writeln!(streams.err, "error: {text}")?;
        return Ok(Exit::Usage);
    }
    let probes = match (args.no_probe, &config.probe) {
        (true, _) => Probes::Unwanted,
        (false, None) => Probes::Nowhere,
        (false, Some(_)) => Probes::Sent,
    };
    let asked = Asked {
        accounts: args.accounts.iter().copied().collect(),
        regions: args.regions.iter().cloned().collect(),
        probes,
        wait: args.probe_wait,
    };
    let shown = Progress::new(streams.progress);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let found = runtime.block_on(async {
        let stop = Stop::listen().context("cannot listen for signals")?;
        tokio::select! {
            biased;
            // Nothing is in hand that would have to be put in order.
            () = stop.asked() => bail!("asked to stop before all was looked at"),
            found = look::look(config, asked, &shown) => found,
        }
    });
    shown.end();
    runtime.shutdown_background();
    let report = Report::of(&found?);
    match args.output {
        Format::Json => writeln!(streams.out, "{}", serde_json::to_string_pretty(&report)?)?,
        Format::Table => write!(streams.out, "{}", table::table(&report, args, streams.style))?,
    }
    if report.accounts == 0 {
        writeln!(streams.err, "error: no account could be looked at\n   = see directory and enrolment above")?;
    }
    Ok(report.exit())
}
