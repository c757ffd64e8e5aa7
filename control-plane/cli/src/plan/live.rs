//! The organization of the settings, looked at over AWS: never given an `Act`, and without queues and store.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use spothub_aws::Uncounted;
use spothub_core::policy::PolicySet;
use spothub_core::port::Clock;
use spothub_hub::survey::{Blank, Depth, Looked, Survey, reading};
use spothub_hub::{Settings, published};

use super::Stop;
use crate::Streams;
use crate::args::Plan;
use crate::clock::WallClock;
use crate::compose;
use crate::config::{self, Reach, Source, Sources};
use crate::logging::{self, Wanted};
use crate::output::remedy;
use crate::stop::Stop as Asked;

/// Between two turns of what shows that something goes on.
const TURN: Duration = Duration::from_millis(120);

/// Reads the settings, and starts to log as they say. A policy that was given stands in place of theirs.
pub(super) fn settings(
    args: &Plan,
    policy: Option<PolicySet>,
    logs: &Wanted<'_>,
    streams: &mut Streams<'_>,
) -> Result<Reach, Stop> {
    let mut reach = match config::read_reach(&Sources::new(&args.given, false)) {
        Ok(reach) => reach,
        Err(mistakes) => {
            config::tell(&mistakes, streams)?;
            let others = "to plan without AWS, give --scenario or --snapshot: see `spothub plan --help`";
            writeln!(streams.err, "{others}").context("cannot write to stderr")?;
            return Err(Stop::Told);
        }
    };
    logging::start(logs, reach.log.lines()).map_err(|text| Stop::Input(anyhow!(text)))?;
    if let Some(policy) = policy {
        (reach.engine.policy, reach.policies) = (policy, Source::Nowhere);
    }
    Ok(reach)
}

/// Looks at everything. SIGTERM and SIGINT end it at once: there is nothing to put in order.
pub(super) fn survey(reach: Reach, depth: Depth, streams: &Streams<'_>) -> anyhow::Result<Survey> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let mut shown = Shown::new(streams.progress);
    let survey = runtime.block_on(async {
        let stop = Asked::listen().context("cannot listen for signals")?;
        tokio::select! {
            biased;
            () = stop.asked() => bail!("asked to stop before all was seen"),
            survey = look(reach, depth, &mut shown) => survey,
        }
    });
    shown.end();
    runtime.shutdown_background();
    survey
}

async fn look(reach: Reach, depth: Depth, shown: &mut Shown) -> anyhow::Result<Survey> {
    let clock: Arc<dyn Clock> = Arc::new(WallClock::default());
    shown.say("instance types and prices");
    let seed = compose::seed(&*clock);
    let reached = compose::reach(&reach, &clock, Arc::new(Uncounted), seed).await;
    let mut engine = reach.engine;
    if let source @ Source::Parameter(_) = &reach.policies
        && let Some(policies) = compose::policies(source, false, &reached.home, &clock)
    {
        let published = policies.read().await.map_err(|error| anyhow!("{error}"))?;
        engine.policy = published::parse(&published).map_err(|mistakes| anyhow!("{mistakes}"))?.2;
    }
    shown.say("accounts");
    let ports = reading(reached.cloud, reached.prices, reached.directory, clock, Blank::default());
    let settings = Settings { worker: "plan".to_owned(), ..engine };
    super::survey_of(ports, settings, depth, &mut |looked| shown.at(looked)).await.map_err(|fault| {
        let remedy = remedy::of(fault.label());
        anyhow!("the directory of accounts does not answer: {fault}\n   = {remedy}")
    })
}

/// How far it is: on a terminal alone.
struct Shown(Option<ProgressBar>);

impl Shown {
    fn new(terminal: bool) -> Self {
        if !terminal {
            return Self(None);
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("  {spinner} reading {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(TURN);
        Self(Some(bar))
    }

    fn say(&self, what: &'static str) {
        if let Some(bar) = &self.0 {
            bar.set_message(what);
        }
    }

    fn at(&self, looked: Looked) {
        let Some(bar) = &self.0 else { return };
        if looked.sites == 0 {
            bar.set_message("groups");
            if let Ok(style) = ProgressStyle::with_template("  {spinner} {bar:32} {pos} of {len} accounts' regions") {
                bar.set_style(style);
            }
            bar.set_length(looked.of as u64);
        }
        bar.set_position(looked.sites as u64);
    }

    fn end(self) {
        if let Some(bar) = self.0 {
            bar.finish_and_clear();
        }
    }
}
