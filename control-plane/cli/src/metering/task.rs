//! The hourly task: `spothub-metering`.

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use clap::Parser as _;
use spothub_aws::{Home, Marketplace, Uncounted};
use spothub_core::id::Region;
use spothub_core::port::Clock as _;
use spothub_usage::charge::{Dimension, MeteringMode};
use spothub_usage::task::{Doing, Order, Outcome, Ports, Settings, Task, register, report};

use crate::args::{Format, MeteringTask, Mode};
use crate::brake::{find, run};
use crate::clock::WallClock;
use crate::config::Kept;
use crate::logging::{Lines, Wanted};
use crate::{Exit, Streams, compose, logging, store};

/// Where ECS tells a task of itself. A task that runs there is one resource to AWS, however often its program starts.
const ECS: &str = "ECS_CONTAINER_METADATA_URI_V4";

/// Runs it once, with the arguments as they were typed.
pub(crate) fn main(line: impl IntoIterator<Item = OsString>, streams: &mut Streams<'_>) -> Exit {
    let args = match MeteringTask::try_parse_from(line) {
        Ok(args) => args,
        Err(error) => {
            let code = error.exit_code();
            let out: &mut dyn std::io::Write = if code == 0 { streams.out } else { streams.err };
            let _ = write!(out, "{}", error.render());
            return if code == 0 { Exit::Done } else { Exit::Usage };
        }
    };
    let _ = logging::start(&Wanted { verbose: 1, filter: None }, Lines::Json);
    match meter(&args, streams) {
        Ok(exit) => exit,
        Err(error) => {
            let _ = writeln!(streams.err, "error: {error:#}");
            Exit::Failed
        }
    }
}

fn meter(args: &MeteringTask, streams: &mut Streams<'_>) -> anyhow::Result<Exit> {
    let mut settings = match listing(&args.listing) {
        Ok(settings) => settings,
        Err(error) => {
            writeln!(streams.err, "error: {error:#}")?;
            return Ok(Exit::Usage);
        }
    };
    if let Some(mode) = args.mode {
        settings.mode = match mode {
            Mode::Marketplace => MeteringMode::On,
            Mode::Trial => MeteringMode::Trial,
            Mode::Off => MeteringMode::Off,
        };
    }
    let Some(kept) = place(args, streams)? else { return Ok(Exit::Usage) };
    let doing = match (args.dry_run, args.ask) {
        (false, _) => Doing::Report,
        (true, false) => Doing::DryRun,
        (true, true) => Doing::Probe,
    };
    let outcome = run(async {
        let clock = Arc::new(WallClock::default());
        let seed = compose::seed(&*clock);
        // The engine makes the store and marks it as its own: this task may write its own rows alone.
        let found = store::found(&kept, Arc::clone(&clock) as _, Arc::new(Uncounted), seed).await?;
        let kept_at = found.context("nobody has used this store yet: begin with spothub run")?;
        let usual: Region = kept.home.clone().map_or_else(|| "us-east-1".parse(), Ok)?;
        // The endpoint's region has to be the task's own.
        let session = spothub_aws::load_anywhere(&usual, kept.time_outs).await;
        let home = Home::new(session.clone(), Arc::new(Uncounted));
        let arn = if doing == Doing::DryRun {
            "a dry run".to_owned()
        } else {
            let caller = home.caller().await;
            named(&caller.map_err(|fault| anyhow::anyhow!("who calls is not known: {fault}"))?.arn, seed)
        };
        let meter = Marketplace::new(&session);
        let ports = Ports { store: &*kept_at, meter: &meter, clock: &*clock };
        if doing == Doing::Report {
            register(&settings, ports).await?;
        }
        tracing::info!(task = arn, hours_to = %args.last.unwrap_or_else(|| clock.now()), "metering begins");
        Ok(report(&mut Task::new(&arn), &settings, ports, Order { doing, last: args.last }).await?)
    })?;
    tell(args, &outcome, streams)
}

/// Where the hub's store is. The task has a role of its own, so the hub's is never assumed.
fn place(args: &MeteringTask, streams: &mut Streams<'_>) -> anyhow::Result<Option<Kept>> {
    Ok(find(&args.at, streams)?.map(|kept| Kept { hub_role: None, ..kept }))
}

/// The task as AWS tells tasks apart. Elsewhere than on ECS every process is another one: that is never wrong, and what
/// it leaves open is settled by hand.
#[expect(clippy::disallowed_methods, reason = "the command line is where the environment is read")]
fn named(arn: &str, seed: u64) -> String {
    if std::env::var_os(ECS).is_some() { arn.to_owned() } else { format!("{arn}#{seed:016x}") }
}

fn listing(path: &Path) -> anyhow::Result<Settings> {
    let text = std::fs::read(path).with_context(|| format!("cannot read the listing {}", path.display()))?;
    let settings: Settings = serde_json::from_slice(&text)
        .with_context(|| format!("{} is no listing: metering-seller.md says what belongs there", path.display()))?;
    Dimension::check(&settings.dimensions).with_context(|| path.display().to_string())?;
    if let Some(Dimension { name, .. }) = settings.dimensions.iter().find(|dimension| dimension.places > 0) {
        let file = path.display();
        anyhow::bail!("{file}: the dimension {name} has decimals, which the SDK cannot send yet: give \"places\": 0");
    }
    anyhow::ensure!(
        settings.customer.is_none(),
        "{}: a listing with a customer is metered by its seller, not by a hub: leave \"customer\" out",
        path.display()
    );
    Ok(settings)
}

fn tell(args: &MeteringTask, outcome: &Outcome, streams: &mut Streams<'_>) -> anyhow::Result<Exit> {
    match args.output {
        Format::Json => writeln!(streams.out, "{}", serde_json::to_string(outcome)?)?,
        Format::Table => {
            for record in &outcome.records {
                let (hour, dimension) = (record.hour, &record.dimension);
                writeln!(streams.out, "{hour} {dimension} {} {}", record.quantity, record.state)?;
            }
            if let Some(hour) = outcome.waiting_for {
                writeln!(streams.out, "waits until the engine has closed {hour}")?;
            }
        }
    }
    if outcome.unknown > 0 {
        writeln!(streams.err, "{} records are unknown: spothub metering settle, by evidence", outcome.unknown)?;
    }
    if outcome.failing.is_empty() {
        return Ok(Exit::Done);
    }
    writeln!(streams.err, "error: {}", outcome.failing)?;
    Ok(Exit::Failed)
}
