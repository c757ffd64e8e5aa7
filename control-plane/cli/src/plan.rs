//! `spothub plan`: a read-only sweep over an organization, and what came of it.
//!
//! Composes ports and renders what the engine's survey gives; decides nothing.

pub(crate) mod autospotting;
#[cfg(feature = "aws")]
mod live;
pub(crate) mod report;
mod sheet;

use std::sync::Arc;

use anyhow::Context;
use spothub_core::autospotting::Installation;
use spothub_core::fault::Fault;
use spothub_core::policy::PolicySet;
use spothub_core::port::{Clock, Directory, Prices};
use spothub_hub::limit::Throttled;
use spothub_hub::snapshot::Snapshot;
use spothub_hub::survey::{Blank, Depth, Looked, Survey, reading};
use spothub_hub::{Engine, Ports, Settings};
use spothub_sim::exec::Exec;
use spothub_sim::organization::Organization;
use spothub_sim::scenario::Scenario;

use crate::args::{Plan, Printed};
use crate::logging::Wanted;
use crate::output::{autospotting as side_by_side, plan as table, remedy};
use crate::trace::TraceFile;
use crate::{Exit, Streams, Style, input};
use autospotting::{Asked, Beside};
use report::Report;

/// Places named on stderr that could not be read: the report has them all.
const MISSED_SHOWN: usize = 20;

/// Why there is no plan.
enum Stop {
    /// The input is wrong; nothing was begun.
    Input(anyhow::Error),
    /// The same, and it was told already.
    #[cfg(feature = "aws")]
    Told,
    /// It failed on the way.
    Failed(anyhow::Error),
}

impl From<anyhow::Error> for Stop {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

/// Plans and prints.
pub(crate) fn plan(args: &Plan, logs: &Wanted<'_>, streams: &mut Streams<'_>) -> anyhow::Result<Exit> {
    let looked = beside(args).and_then(|beside| Ok((survey(args, logs, streams)?, beside)));
    let (survey, beside) = match looked {
        Ok(looked) => looked,
        Err(Stop::Failed(error)) => return Err(error),
        #[cfg(feature = "aws")]
        Err(Stop::Told) => return Ok(Exit::Usage),
        Err(Stop::Input(error)) => {
            writeln!(streams.err, "error: {error:#}")?;
            return Ok(Exit::Usage);
        }
    };
    // In one piece, so that a closed pipe is seen as what it is.
    let style = if args.out.is_some() { Style::Plain } else { streams.style };
    let text = match (&beside, args.output) {
        (None, Printed::Json) => serde_json::to_string_pretty(&Report::of(&survey))? + "\n",
        (None, Printed::Table) => table::table(&Report::of(&survey), args, style),
        (None, Printed::Csv) => sheet::csv(&Report::of(&survey)).map_err(anyhow::Error::from_boxed)?,
        (None, Printed::Html) => sheet::html(&Report::of(&survey))?,
        (Some(beside), Printed::Json) => serde_json::to_string_pretty(&Beside::of(&survey, beside))? + "\n",
        (Some(beside), Printed::Table) => side_by_side::table(&Beside::of(&survey, beside), args, style),
        // Refused before anything was looked at.
        (Some(_), Printed::Csv | Printed::Html) => String::new(),
    };
    match &args.out {
        Some(path) => {
            std::fs::write(path, text).with_context(|| format!("cannot write the plan to {}", path.display()))?;
        }
        None => streams.out.write_all(text.as_bytes())?,
    }
    for missed in survey.missed.iter().take(MISSED_SHOWN) {
        writeln!(streams.err, "warning: {}\n   = {}", report::sentence(missed), remedy::of(&missed.fault))?;
    }
    if let Some(more) = survey.missed.len().checked_sub(MISSED_SHOWN).filter(|more| *more > 0) {
        writeln!(streams.err, "warning: ... and {more} more that could not be read")?;
    }
    if let Some(standing) = survey.commitments.as_ref().filter(|standing| !standing.whole()) {
        let remedy = "see commitments in the manual: what is unknown counts as not there, unless policy says require";
        writeln!(streams.err, "warning: commitments: {}\n   = {remedy}", standing.sentence())?;
    }
    if survey.is_blind() {
        let active = survey.accounts.iter().any(|account| account.active && !account.regions.is_empty());
        let what = if active { "none of its groups could be read" } else { "no account is enrolled and active" };
        let remedy = if active { "see the warnings" } else { "check accounts.* and regions in the settings" };
        writeln!(streams.err, "error: nothing of the organization could be seen: {what}\n   = {remedy}")?;
        return Ok(Exit::Failed);
    }
    Ok(if survey.missed.is_empty() { Exit::Done } else { Exit::Partly })
}

/// AutoSpotting's settings, where its groups are asked for: read before anything is looked at.
fn beside(args: &Plan) -> Result<Option<Asked>, Stop> {
    let Some(file) = &args.from_autospotting else { return Ok(None) };
    if matches!(args.output, Printed::Csv | Printed::Html) {
        return Err(Stop::Input(anyhow::anyhow!(
            "--from-autospotting is printed as a table or as JSON\n   = give --output table or --output json"
        )));
    }
    let installation = match file {
        Some(path) => input::autospotting(path).map_err(Stop::Input)?,
        None => Installation::default(),
    };
    Ok(Some(Asked { file: file.clone(), installation }))
}

#[cfg_attr(not(feature = "aws"), expect(unused_variables, reason = "only accounts of AWS are logged and waited for"))]
fn survey(args: &Plan, logs: &Wanted<'_>, streams: &mut Streams<'_>) -> Result<Survey, Stop> {
    #[cfg(feature = "aws")]
    no_settings(args)?;
    let policy = args.policy.as_deref().map(input::policy).transpose().map_err(Stop::Input)?;
    if let Some(path) = &args.snapshot {
        let snapshot = input::snapshot(path).map_err(Stop::Input)?;
        return recorded(snapshot, policy.unwrap_or_default()).map_err(Stop::Failed);
    }
    #[cfg(feature = "aws")]
    if args.scenario.is_none() {
        let reach = live::settings(args, policy, logs, streams)?;
        return kept(args, |depth| live::survey(reach, depth, streams));
    }
    let name = args.scenario.as_deref().unwrap_or_default();
    let scenario = Scenario::load(name).map_err(|error| Stop::Input(error.into()))?;
    kept(args, |depth| simulated(&scenario, args.seed, policy, depth))
}

/// Settings of AWS say nothing about an organization that is not there: typed beside one they are a slip. Those of the
/// environment may stand there for other commands.
#[cfg(feature = "aws")]
fn no_settings(args: &Plan) -> Result<(), Stop> {
    let other = args.scenario.as_ref().map(|_| "--scenario").or(args.snapshot.as_ref().map(|_| "--snapshot"));
    match (other, args.given.typed.flag()) {
        (Some(other), Some(flag)) => Err(Stop::Input(anyhow::anyhow!(
            "{flag} cannot be used with {other}: settings are those of AWS\n   = remove one of them; \
             --policy FILE goes with both"
        ))),
        _ => Ok(()),
    }
}

/// The survey, and a recording of it where one was asked for. There is none of an organization of which nothing could
/// be seen.
fn kept(args: &Plan, look: impl FnOnce(Depth) -> anyhow::Result<Survey>) -> Result<Survey, Stop> {
    let Some(path) = &args.record else {
        return Ok(look(Depth::Decision)?);
    };
    let mut file = TraceFile::create(path).map_err(|error| {
        let remedy = "remedy: name a file in a directory that exists and that you may write to";
        Stop::Input(anyhow::anyhow!("the snapshot cannot be written to {}: {error}\n{remedy}", path.display()))
    })?;
    let survey = look(Depth::Whole)?;
    if survey.is_blind() {
        return Ok(survey);
    }
    let by = format!("spothub {}", env!("CARGO_PKG_VERSION"));
    Snapshot::of(&survey, &by)
        .write(&mut file)
        .and_then(|()| file.finish())
        .with_context(|| format!("cannot complete the snapshot {}", path.display()))?;
    Ok(survey)
}

/// The survey of what these ports reach: the one door for simulated, recorded and real organizations. Whatever the
/// ports bring along, there is no `Act` behind it.
async fn survey_of(
    ports: Ports,
    settings: Settings,
    depth: Depth,
    tell: &mut (dyn FnMut(Looked) + Send),
) -> Result<Survey, Fault> {
    Engine::new(Ports { act: None, ..ports }, settings).survey_telling(depth, tell).await
}

/// The survey of a simulated organization at its start.
fn simulated(scenario: &Scenario, seed: u64, policy: Option<PolicySet>, depth: Depth) -> anyhow::Result<Survey> {
    let settings = settings(policy.unwrap_or_else(|| scenario.policy.clone()));
    let settings = Settings { rights: scenario.rights(), ..settings };
    let organization = Organization::new(&scenario.shape(seed), seed, Vec::new());
    let clock: Arc<dyn Clock> = Arc::new(organization.clock());
    let cloud = Arc::clone(&organization.cloud);
    let look = Arc::new(Throttled::new(
        Arc::clone(&cloud),
        Arc::clone(&clock),
        settings.limiter_wait_max,
        settings.shares.clone(),
    ));
    let ports =
        reading(look, Arc::clone(&cloud) as Arc<dyn Prices>, cloud as Arc<dyn Directory>, clock, Blank::default());
    finished(organization.exec.run(async move { survey_of(ports, settings, depth, &mut |_| ()).await }))
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
