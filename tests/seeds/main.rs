//! Runs scenarios over many seeds and tells what broke: `cargo run --release -p spothub-tests --bin seeds -- --help`.

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use clap::Parser;
use spothub_sim::outcome::Outcome;
use spothub_sim::run::{Options, run};
use spothub_sim::scenario::{Fault, Scenario};

/// Run scenarios over many seeds; exit 1 where a law was broken or a run did not come to rest.
#[derive(Parser)]
struct Args {
    /// Scenarios by name; all but `large` where none is given
    scenarios: Vec<String>,
    /// The first seed
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// How many seeds
    #[arg(long, default_value_t = 200)]
    seeds: u64,
    /// Virtual hours of ordinary life
    #[arg(long, default_value_t = 4)]
    hours: u32,
    /// Fault modes, each run on all the scenarios: lose-events, duplicate-events, fail-calls
    #[arg(long, value_delimiter = ',')]
    faults: Vec<String>,
    /// Workers that share one store
    #[arg(long, default_value_t = 1)]
    workers: u32,
    /// Kill a worker and start another one each time so many virtual minutes have passed
    #[arg(long)]
    crash_minutes: Option<i64>,
    /// Fail where less than this share of what could be on Spot was, in percent
    #[arg(long)]
    delivered: Option<f64>,
    /// Runs at a time
    #[arg(long, default_value_t = 2)]
    jobs: usize,
}

struct Job {
    scenario: usize,
    seed: u64,
}

struct Done {
    scenario: usize,
    seed: u64,
    outcome: Result<Outcome, String>,
}

fn fault(name: &str) -> Option<Fault> {
    match name {
        "lose-events" => Some(Fault::LoseEvents),
        "duplicate-events" => Some(Fault::DuplicateEvents),
        "fail-calls" => Some(Fault::FailCalls),
        _ => None,
    }
}

fn scenarios(args: &Args) -> Result<Vec<(String, Scenario)>, String> {
    let names: Vec<String> = if args.scenarios.is_empty() {
        Scenario::NAMES.iter().filter(|name| **name != "large").map(|name| (*name).to_owned()).collect()
    } else {
        args.scenarios.clone()
    };
    let mut all = Vec::new();
    for name in &names {
        let plain = Scenario::named(name).map_err(|error| error.to_string())?;
        if args.faults.is_empty() {
            all.push((name.clone(), plain));
            continue;
        }
        for mode in &args.faults {
            let fault = fault(mode).ok_or_else(|| format!("no fault mode {mode:?}"))?;
            all.push((format!("{name} {mode}"), plain.clone().with_faults(fault)));
        }
    }
    Ok(all)
}

fn main() -> ExitCode {
    let args = Args::parse();
    let scenarios = match scenarios(&args) {
        Ok(scenarios) => scenarios,
        Err(problem) => {
            eprintln!("{problem}");
            return ExitCode::from(2);
        }
    };
    let jobs: Vec<Job> = (0..scenarios.len())
        .flat_map(|scenario| (args.from..args.from + args.seeds).map(move |seed| Job { scenario, seed }))
        .collect();
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|threads| {
        for _ in 0..args.jobs.max(1) {
            threads.spawn(|| {
                while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let options = Options {
                        seed: job.seed,
                        hours: Some(args.hours),
                        workers: args.workers,
                        crash_every: args.crash_minutes.map(spothub_core::time::Span::mins),
                        ..Options::default()
                    };
                    let ran = run(&scenarios[job.scenario].1, &options, None, &mut |_| ());
                    let outcome = ran.map_err(|error| error.to_string());
                    if let Ok(mut done) = done.lock() {
                        done.push(Done { scenario: job.scenario, seed: job.seed, outcome });
                    }
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_default();
    done.sort_by_key(|d| (d.scenario, d.seed));
    let bad: usize = scenarios.iter().enumerate().map(|(n, (name, _))| report(&args, name, n, &done)).sum();
    if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints one scenario's line and its failures; how many runs were bad.
fn report(args: &Args, name: &str, number: usize, done: &[Done]) -> usize {
    let runs: Vec<&Done> = done.iter().filter(|d| d.scenario == number).collect();
    let good: Vec<&Outcome> = runs.iter().filter_map(|d| d.outcome.as_ref().ok()).collect();
    let swaps: u64 = good.iter().map(|o| u64::from(o.swaps.completed)).sum();
    let rescues: u64 = good.iter().map(|o| u64::from(o.rescues.completed)).sum();
    let wall: f64 = good.iter().map(|o| o.wall_seconds).sum();
    let mut delivered: Vec<f64> = good.iter().map(|o| o.delivered.percent).collect();
    delivered.sort_by(f64::total_cmp);
    let middle = delivered.get(delivered.len() / 2).copied().unwrap_or(0.0);
    let least = delivered.first().copied().unwrap_or(0.0);
    let short = |o: &Outcome| args.delivered.is_some_and(|wanted| o.delivered.percent < wanted);
    let bad: Vec<&&Done> = runs
        .iter()
        .filter(|d| d.outcome.as_ref().map_or(true, |o| !o.violations.is_empty() || !o.converged || short(o)))
        .collect();
    println!(
        "{name}: {} seeds, {} bad, {swaps} swaps, {rescues} rescues, delivered {least} % at least, {middle} % in the \
         middle, {wall:.1} s of runs",
        runs.len(),
        bad.len()
    );
    for d in bad.iter().take(5) {
        match &d.outcome {
            Err(error) => println!("  seed {}: {error}", d.seed),
            Ok(o) => {
                println!("  seed {}: {} violations, delivered {} %", d.seed, o.violations.len(), o.delivered.percent);
                for v in o.violations.iter().take(3) {
                    let group = v.group.as_ref().map(|g| format!("{}/{}/{}", g.account, g.region, g.group));
                    println!("    {} at {} ms in {}: {}", v.law, v.t, group.unwrap_or_default(), v.text);
                }
            }
        }
    }
    bad.len()
}
