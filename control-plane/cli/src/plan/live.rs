//! The organization of the settings, looked at over AWS: never given an `Act`, and without queues and store.

use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use spothub_aws::Uncounted;
use spothub_core::policy::PolicySet;
use spothub_core::port::Clock;
use spothub_hub::survey::{Blank, Depth, Looked, Survey, reading};
use spothub_hub::{Ports, Settings, published};

use super::Stop;
use crate::Streams;
use crate::args::Plan;
use crate::clock::WallClock;
use crate::compose;
use crate::config::{self, Reach, Source, Sources};
use crate::logging::{self, Wanted};
use crate::output::remedy;
use crate::progress::Progress;
use crate::stop::Stop as Asked;

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
    let shown = Progress::new(streams.progress);
    let survey = runtime.block_on(async {
        let stop = Asked::listen().context("cannot listen for signals")?;
        tokio::select! {
            biased;
            () = stop.asked() => bail!("asked to stop before all was seen"),
            survey = look(reach, depth, &shown) => survey,
        }
    });
    shown.end();
    runtime.shutdown_background();
    survey
}

async fn look(reach: Reach, depth: Depth, shown: &Progress) -> anyhow::Result<Survey> {
    let clock: Arc<dyn Clock> = Arc::new(WallClock::default());
    shown.say("reading instance types and prices");
    let seed = compose::seed(&*clock);
    let reached = compose::reach(&reach, &clock, Arc::new(Uncounted), seed).await?;
    let mut engine = reach.engine.clone();
    if let source @ Source::Parameter(_) = &reach.policies
        && let Some(policies) = compose::policies(source, false, &reached.home, &clock)
    {
        let published = policies.read().await.map_err(|error| anyhow!("{error}"))?;
        engine.policy = published::parse(&published).map_err(|mistakes| anyhow!("{mistakes}"))?.2;
    }
    shown.say("reading accounts");
    let commitments = compose::commitments(&reach, Arc::clone(&reached.aws));
    let ports = reading(reached.cloud, reached.prices, reached.directory, clock, Blank::default());
    let ports = Ports { commitments, ..ports };
    let settings = Settings { worker: "plan".to_owned(), ..engine };
    super::survey_of(ports, settings, depth, &mut |looked| at(shown, looked)).await.map_err(|fault| {
        let remedy = remedy::of(fault.label());
        anyhow!("the directory of accounts does not answer: {fault}\n   = {remedy}")
    })
}

fn at(shown: &Progress, looked: Looked) {
    if looked.sites == 0 {
        shown.count("accounts' regions", looked.of);
    }
    shown.at(looked.sites);
}
