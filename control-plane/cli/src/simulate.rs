//! `spothub simulate`.

mod page;

use std::io::Write;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use spothub_sim::outcome::{Baseline, Outcome};
use spothub_sim::run::{self, Options, Progress};
use spothub_sim::scenario::Scenario;

use crate::args::{Format, Simulate, Switch};
use crate::output::{self, Asked};
use crate::trace::TraceFile;
use crate::{Exit, Streams, input};

/// Wall seconds between two lines about a long run where there is no terminal.
const LINE_EVERY_SECS: u64 = 10;

/// Runs a scenario and prints its result.
pub(crate) fn simulate(args: &Simulate, streams: &mut Streams<'_>) -> anyhow::Result<Exit> {
    let scenario = match scenario(args) {
        Ok(scenario) => scenario,
        Err(error) => {
            writeln!(streams.err, "error: {error:#}")?;
            return Ok(Exit::Usage);
        }
    };
    let argument = argument(args);
    let mut trace = None;
    if let Some(path) = &args.trace {
        match TraceFile::create(path) {
            Ok(file) => trace = Some(file),
            Err(error) => {
                writeln!(streams.err, "error: the trace cannot be written to {}: {error}", path.display())?;
                writeln!(streams.err, "remedy: name a file in a directory that exists and that you may write to")?;
                return Ok(Exit::Usage);
            }
        }
    }
    let options = Options {
        seed: args.seed,
        hours: args.hours,
        engine: args.engine == Switch::On,
        learning: args.learning == Switch::On,
        ..Options::default()
    };
    let mut outcome = {
        let mut shown = Shown::new(streams);
        let sink = trace.as_mut().map(|file| file as &mut dyn Write);
        let ended = run::run(&scenario, &options, sink, &mut |progress| shown.at(progress));
        shown.end();
        ended.with_context(|| format!("the run of {} with seed {} failed", scenario.name, args.seed))?
    };
    if args.baseline && options.engine {
        let mut shown = Shown::new(streams);
        let alone = Options { engine: false, ..options.clone() };
        let ended = run::run(&scenario, &alone, None, &mut |progress| shown.at(progress));
        shown.end();
        let ended = ended.with_context(|| format!("the run of {} without spothub failed", scenario.name))?;
        let Outcome { interruptions, steadiness, cost, .. } = ended;
        outcome.baseline = Some(Baseline { interruptions, steadiness, cost });
    }
    if let (Some(file), Some(path)) = (trace, &args.trace) {
        file.finish().with_context(|| format!("cannot complete the trace {}", path.display()))?;
    }
    if let Some(path) = &args.report {
        let told = page::page(&outcome)?;
        std::fs::write(path, told).with_context(|| format!("cannot write the report to {}", path.display()))?;
    }
    match args.output {
        Format::Json => {
            // In one piece, so that a closed pipe is seen as what it is.
            writeln!(streams.out, "{}", serde_json::to_string_pretty(&outcome)?)?;
        }
        Format::Table => {
            let asked = Asked {
                scenario: &scenario,
                argument: &argument,
                program: streams.program,
                engine: options.engine,
                trace: args.trace.is_some(),
            };
            write!(streams.out, "{}", output::table(&outcome, &asked, streams.style))?;
        }
    }
    Ok(if outcome.violations.is_empty() { Exit::Done } else { Exit::Violation })
}

/// What to simulate, under the policy that was given.
fn scenario(args: &Simulate) -> anyhow::Result<Scenario> {
    let policy = args.policy.as_deref().map(input::policy).transpose()?;
    if let Some(path) = &args.snapshot {
        let snapshot = input::snapshot(path)?;
        let name = path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy();
        return Scenario::recorded(&name, &snapshot, policy.unwrap_or_default())
            .with_context(|| format!("{} cannot be simulated", path.display()));
    }
    let scenario = Scenario::load(&args.scenario)?;
    let scenario = match args.capacity.as_deref().map(input::capacity).transpose()? {
        Some(traces) => scenario.with_capacity(traces),
        None => scenario,
    };
    Ok(match policy {
        Some(policy) => Scenario { policy, ..scenario },
        None => scenario,
    })
}

/// The part of the command line that says the same again.
fn argument(args: &Simulate) -> String {
    let scenario = match &args.snapshot {
        Some(path) => format!("--snapshot {}", path.display()),
        None => args.scenario.clone(),
    };
    let policy = args.policy.as_ref().map(|path| format!(" --policy {}", path.display())).unwrap_or_default();
    let capacity = args.capacity.as_ref().map(|path| format!(" --capacity {}", path.display())).unwrap_or_default();
    scenario + &policy + &capacity
}

/// How far the run is: a bar on a terminal, else a line now and then.
enum Shown<'a> {
    Bar(ProgressBar),
    Lines { err: &'a mut dyn Write, last: std::time::Instant },
}

#[expect(clippy::disallowed_methods, reason = "how often a person is told depends on the person's time")]
fn wall() -> std::time::Instant {
    std::time::Instant::now()
}

impl<'a> Shown<'a> {
    fn new(streams: &'a mut Streams<'_>) -> Self {
        if !streams.progress {
            return Self::Lines { err: &mut *streams.err, last: wall() };
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let template = "  {bar:32} {pos:>3} of {len} h   {msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self::Bar(bar)
    }

    fn at(&mut self, progress: Progress) {
        let (hours, total) = (progress.virtual_seconds / 3600, progress.total_seconds / 3600);
        match self {
            Self::Bar(bar) => {
                bar.set_length(u64::try_from(total).unwrap_or(0));
                bar.set_position(u64::try_from(hours).unwrap_or(0));
                bar.set_message(format!("{} swaps", progress.swaps));
            }
            Self::Lines { err, last } => {
                let now = wall();
                if now.duration_since(*last).as_secs() >= LINE_EVERY_SECS {
                    *last = now;
                    let _ = writeln!(err, "{hours} of {total} virtual hours, {} swaps", progress.swaps);
                }
            }
        }
    }

    fn end(self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}
