//! `spothub run`: the engine against AWS, until it is asked to stop or for one pass.

mod metrics;
mod notes;
mod pages;
mod summary;
mod traces;

use std::sync::{Arc, OnceLock};

use anyhow::Context;
use spothub_aws::Observer;
use spothub_core::fault::Fault;
use spothub_core::port::{Clock, Journal, Store};
use spothub_core::time::Span;
use spothub_hub::{Engine, brake};
use spothub_store::Sqlite;
use tokio::runtime::Runtime;

use crate::args::{Format, Run};
use crate::clock::WallClock;
use crate::compose::{self, Hands, Parts};
use crate::config::{self, Config, Place, Sources};
use crate::logging;
use crate::output::remedy;
use crate::stop::Stop;
use crate::store;
use crate::{Exit, Streams};

use metrics::Metrics;
use notes::Notes;
use pages::Pages;
use summary::Summary;
use traces::{Export, Maker, Started, Traces};

/// Between two looks for what fails, while the engine runs.
const WATCH_EVERY: Span = Span::secs(15);

/// Runs the engine.
pub(crate) fn run(args: &Run, logs: &logging::Wanted<'_>, streams: &mut Streams<'_>) -> anyhow::Result<Exit> {
    let mut sources = Sources::new(&args.from.given, args.from.unsafe_timings);
    sources.serves = !args.once && !args.dry_run;
    let config = match config::read(&sources) {
        Ok(found) => found.config,
        Err(mistakes) => return config::tell(&mistakes, streams),
    };
    if let Err(text) = logging::start(logs, config.reach.log.lines()) {
        writeln!(streams.err, "error: {text}")?;
        return Ok(Exit::Usage);
    }
    let runtime: Runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let exit = runtime.block_on(work(args, config, streams));
    // What is still being waited for, as a long poll, must not hold up the end.
    runtime.shutdown_background();
    exit
}

async fn work(args: &Run, mut config: Config, streams: &mut Streams<'_>) -> anyhow::Result<Exit> {
    let stop = Stop::listen().context("cannot listen for signals")?;
    let clock: Arc<dyn Clock> = Arc::new(WallClock::default());
    let seed = compose::seed(&*clock);
    config.reach.engine.worker = format!("{}-{seed:016x}", config.reach.hub.as_str());
    config.reach.engine.id_seed = seed;
    config.reach.engine.call_max = config.reach.time_outs.operation;
    config.reach.engine.peers = matches!(config.store, Place::Table(_));
    let hands = if args.dry_run { Hands::None } else { Hands::Given };
    let metrics = Arc::new(Metrics::new());
    let store = tokio::select! {
        biased;
        () = stop.clone().asked() => return Ok(Exit::Done),
        store = kept(&config, hands, &clock, &metrics) => store?,
    };
    if hands == Hands::Given {
        begin_paused(&*store, &*clock).await?;
    }
    let notes = Arc::new(Notes::new(Arc::clone(&metrics)));
    let pages = Arc::new(Pages {
        engine: OnceLock::new(),
        store: Arc::clone(&store),
        clock: Arc::clone(&clock),
        metrics: Arc::clone(&metrics),
        sweep: config.reach.engine.sweep,
    });
    if let Some(listen) = config.listen.filter(|_| !args.once) {
        pages::serve(Arc::clone(&pages), listen).await?;
    }
    let Told { journal, observer, export: sending } = told(&config, &notes, &metrics, &clock, seed)?;
    let given = Parts { clock, store, journal, observer, hands, seed };
    let ports = tokio::select! {
        biased;
        () = stop.clone().asked() => return Ok(Exit::Done),
        ports = compose::ports(&config, given) => ports?,
    };
    let engine = Engine::new(ports, config.reach.engine.clone());
    let _ = pages.engine.set(Arc::clone(&engine));
    if !args.once {
        tracing::info!(worker = config.reach.engine.worker, dry_run = args.dry_run, "the engine runs");
        tokio::select! {
            biased;
            () = Arc::clone(&engine).run_until(stop.asked()) => {}
            () = watch(&engine, &*pages.clock) => {}
        }
        finish(sending).await;
        tracing::info!("the engine has stopped");
        return Ok(Exit::Done);
    }
    let once = engine.once(stop.asked()).await;
    finish(sending).await;
    let brakes = brake::brakes(&*pages.store).await.map(|brakes| brakes.0).unwrap_or_default();
    let summary = Summary { once: &once, ended: notes.ended(), dry: args.dry_run, brakes };
    match args.output {
        Format::Json => writeln!(streams.out, "{}", serde_json::to_string_pretty(&summary.json())?)?,
        Format::Table => write!(streams.out, "{}", summary.text())?,
    }
    Ok(summary.exit())
}

/// Who is told of what the engine does and of its calls.
struct Told {
    journal: Arc<dyn Journal>,
    observer: Arc<dyn Observer>,
    export: Option<Export>,
}

/// Log and metrics; and traces, where the settings say where they go.
fn told(
    config: &Config,
    notes: &Arc<Notes>,
    metrics: &Arc<Metrics>,
    clock: &Arc<dyn Clock>,
    seed: u64,
) -> anyhow::Result<Told> {
    let (notes, metrics) = (Arc::clone(notes), Arc::clone(metrics));
    let Some(collector) = &config.traces else {
        return Ok(Told { journal: notes, observer: metrics, export: None });
    };
    let maker = Maker { worker: &config.reach.engine.worker, hub: config.reach.hub.as_str() };
    let Started { traces, export } = Traces::start(collector, &maker, notes, metrics, Arc::clone(clock), seed)?;
    Ok(Told { journal: Arc::clone(&traces) as _, observer: traces, export: Some(export) })
}

async fn finish(export: Option<Export>) {
    if let Some(export) = export {
        export.finish().await;
    }
}

/// The store: a dry run has one of its own, so that it never takes a lease or writes beside a real run.
async fn kept(
    config: &Config,
    hands: Hands,
    clock: &Arc<dyn Clock>,
    metrics: &Arc<Metrics>,
) -> anyhow::Result<Arc<dyn Store>> {
    if hands == Hands::None {
        return Ok(Arc::new(Sqlite::memory().context("no memory for the store of a dry run")?));
    }
    store::open(&config.kept(), Arc::clone(clock), metrics.clone(), config.reach.engine.id_seed).await
}

/// A store that was never used begins with the organization's brake set, and who starts a paused hub is told.
async fn begin_paused(store: &dyn Store, clock: &dyn Clock) -> anyhow::Result<()> {
    brake::first_use(store, clock.now()).await.context("the store cannot be written")?;
    for set in brake::brakes(store).await.map(|brakes| brakes.0).unwrap_or_default() {
        let (why, by) = (set.why, set.by);
        if set.revert {
            tracing::warn!(scope = %set.scope, why, by, remedy = "spothub resume", "groups go back to on-demand");
        } else {
            tracing::warn!(scope = %set.scope, why, by, remedy = "spothub resume", "swaps are paused");
        }
    }
    Ok(())
}

/// Tells, once for each, what the engine cannot reach, and what to do about it; never returns.
async fn watch(engine: &Engine, clock: &dyn Clock) {
    let mut told: Vec<(String, &'static str)> = Vec::new();
    loop {
        clock.sleep_until(clock.now() + WATCH_EVERY).await;
        let state = engine.state();
        let mut now = Vec::new();
        let mut tell = |what: String, fault: &Fault| {
            let entry = (what, fault.label());
            if !told.contains(&entry) {
                let what = entry.0.as_str();
                let (label, remedy) = (fault.label(), remedy::of(fault.label()));
                tracing::warn!(what, fault = label, why = %fault, remedy, "out of reach");
            }
            now.push(entry);
        };
        if let Some(fault) = &state.directory {
            tell("directory of accounts".to_owned(), fault);
        }
        for (site, fault) in &state.failing {
            tell(format!("{} {}", site.account, site.region), fault);
        }
        for (region, fault) in &state.unpriced {
            tell(format!("Spot prices of {region}"), fault);
        }
        told = now;
    }
}
