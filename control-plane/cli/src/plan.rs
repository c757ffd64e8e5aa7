//! `spothub plan`: a read-only sweep over an organization, and what came of it.
//!
//! Composes ports and renders what the engine's survey gives; decides nothing.

pub(crate) mod report;

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use spothub_core::fault::Fault;
use spothub_core::policy::PolicySet;
use spothub_core::port::{Clock, Directory, Prices};
use spothub_hub::document::{self, BYTES_MAX};
use spothub_hub::limit::Throttled;
use spothub_hub::snapshot::Snapshot;
use spothub_hub::survey::{Blank, Depth, Survey, reading};
use spothub_hub::{Engine, Ports, Settings, policy_file};
use spothub_sim::exec::Exec;
use spothub_sim::organization::Organization;
use spothub_sim::scenario::Scenario;

use crate::args::{Format, Plan};
use crate::output::plan as table;
use crate::trace::TraceFile;
use crate::{Exit, Streams};
use report::Report;

/// Places named on stderr that could not be read: the report has them all.
const MISSED_SHOWN: usize = 20;

/// Why there is no plan.
enum Stop {
    /// The input is wrong; nothing was begun.
    Input(anyhow::Error),
    /// It failed on the way.
    Failed(anyhow::Error),
}

impl From<anyhow::Error> for Stop {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

/// Plans and prints.
pub(crate) fn plan(args: &Plan, streams: &mut Streams<'_>) -> anyhow::Result<Exit> {
    let (survey, missed) = match survey(args) {
        Ok(survey) => {
            let missed = survey.missed.clone();
            (survey, missed)
        }
        Err(Stop::Failed(error)) => return Err(error),
        Err(Stop::Input(error)) => {
            writeln!(streams.err, "error: {error:#}")?;
            return Ok(Exit::Usage);
        }
    };
    let report = Report::of(&survey);
    match args.output {
        // In one piece, so that a closed pipe is seen as what it is.
        Format::Json => writeln!(streams.out, "{}", serde_json::to_string_pretty(&report)?)?,
        Format::Table => write!(streams.out, "{}", table::table(&report, args, streams.style))?,
    }
    for missed in missed.iter().take(MISSED_SHOWN) {
        writeln!(streams.err, "warning: {}", report::sentence(missed))?;
    }
    if let Some(more) = missed.len().checked_sub(MISSED_SHOWN).filter(|more| *more > 0) {
        writeln!(streams.err, "warning: ... and {more} more that could not be read")?;
    }
    Ok(if missed.is_empty() { Exit::Done } else { Exit::Partly })
}

fn survey(args: &Plan) -> Result<Survey, Stop> {
    let policy = args.policy.as_deref().map(policy).transpose().map_err(Stop::Input)?;
    if let Some(path) = &args.snapshot {
        let snapshot = snapshot(path)?;
        return recorded(snapshot, policy.unwrap_or_default()).map_err(Stop::Failed);
    }
    let name = args.scenario.as_deref().unwrap_or_default();
    let scenario = Scenario::load(name).map_err(|error| Stop::Input(error.into()))?;
    let Some(path) = &args.record else {
        return Ok(simulated(&scenario, args.seed, policy, Depth::Decision)?);
    };
    let mut file = TraceFile::create(path).map_err(|error| {
        let remedy = "remedy: name a file in a directory that exists and that you may write to";
        Stop::Input(anyhow::anyhow!("the snapshot cannot be written to {}: {error}\n{remedy}", path.display()))
    })?;
    let survey = simulated(&scenario, args.seed, policy, Depth::Whole)?;
    let by = format!("spothub {}", env!("CARGO_PKG_VERSION"));
    Snapshot::of(&survey, &by)
        .write(&mut file)
        .and_then(|()| file.finish())
        .with_context(|| format!("cannot complete the snapshot {}", path.display()))?;
    Ok(survey)
}

/// The survey of what these ports reach: the one door for simulated, recorded and real organizations. Whatever the
/// ports bring along, there is no `Act` behind it.
pub(crate) async fn survey_of(ports: Ports, settings: Settings, depth: Depth) -> Result<Survey, Fault> {
    Engine::new(Ports { act: None, ..ports }, settings).survey(depth).await
}

/// The survey of a simulated organization at its start.
fn simulated(scenario: &Scenario, seed: u64, policy: Option<PolicySet>, depth: Depth) -> anyhow::Result<Survey> {
    let settings = settings(policy.unwrap_or_else(|| scenario.policy.clone()));
    let organization = Organization::new(&scenario.shape(seed), seed, Vec::new());
    let clock: Arc<dyn Clock> = Arc::new(organization.clock());
    let cloud = Arc::clone(&organization.cloud);
    let look = Arc::new(Throttled::new(Arc::clone(&cloud), Arc::clone(&clock), settings.limiter_wait_max));
    let ports =
        reading(look, Arc::clone(&cloud) as Arc<dyn Prices>, cloud as Arc<dyn Directory>, clock, Blank::default());
    finished(organization.exec.run(survey_of(ports, settings, depth)))
}

/// The survey of a recorded organization.
fn recorded(snapshot: Snapshot, policy: PolicySet) -> anyhow::Result<Survey> {
    finished(Exec::new(snapshot.taken_at).run(snapshot.survey(settings(policy))))
}

fn settings(policy: PolicySet) -> Settings {
    Settings { worker: "plan".to_owned(), policy, ..Settings::default() }
}

fn finished(survey: Option<Result<Survey, Fault>>) -> anyhow::Result<Survey> {
    survey.context("the survey came to a stop")?.context("the directory of accounts does not answer")
}

fn snapshot(path: &Path) -> Result<Snapshot, Stop> {
    let name = path.display().to_string();
    let refuse = |error: anyhow::Error| Stop::Input(error);
    let file = File::open(path).with_context(|| format!("{name}: it cannot be read")).map_err(refuse)?;
    Snapshot::read(&name, BufReader::new(file)).map_err(|error| Stop::Input(error.into()))
}

fn policy(path: &Path) -> anyhow::Result<PolicySet> {
    let name = path.display().to_string();
    let limit = u64::try_from(BYTES_MAX).unwrap_or(u64::MAX) + 1;
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes));
    read.with_context(|| format!("cannot read the policy file {name}"))?;
    let text = document::decode(&name, bytes).context("the policy cannot be used:\n")?;
    policy_file::read(&name, &text).context("the policy cannot be used:\n")
}
