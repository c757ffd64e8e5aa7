//! Scenarios: from a name or a YAML file to the shape of a world and its policy.
//!
//! Knows the files' keys and what contradicts what; builds nothing. A scenario that was read can be run: every
//! mistake is found before.

mod accounts;
mod check;
mod groups;
mod mix;
mod parts;
mod recorded;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use spothub_core::brake::BrakeScope;
use spothub_core::policy::{Context, Effective, Enabled, PolicySet, Standing};
use spothub_core::reason::{HoldReason, OptOut};
use spothub_core::rights::Rights;
use spothub_core::time::{Span, Timestamp};
use spothub_hub::document::{self, BYTES_MAX, Fields, Problems, Reading, nearest};
use spothub_hub::policy_file;

use crate::market::replay::Traces;
use crate::seed::Seeds;
use crate::shape::{GroupShape, PolicyShape, Shape};

pub use recorded::RecordingError;

/// The longest run, a year: beyond it the trace alone would fill a disk, and the market repeats itself anyway.
pub const HOURS_MAX: u32 = 8760;

/// Hours of a scenario that names none: one day, so that schedules and daily prices are met once.
pub const HOURS_DEFAULT: u32 = 24;

/// Virtual time in which all must be at rest once faults and owners have stopped, where a scenario names none.
pub const SETTLE_BOUND_DEFAULT: Span = Span::hours(4);

/// The shipped scenarios: name and file.
const SHIPPED: [(&str, &str); 9] = [
    ("small", include_str!("../scenarios/small.yaml")),
    ("storm", include_str!("../scenarios/storm.yaml")),
    ("windows", include_str!("../scenarios/windows.yaml")),
    ("scarce", include_str!("../scenarios/scarce.yaml")),
    ("racing", include_str!("../scenarios/racing.yaml")),
    ("messy", include_str!("../scenarios/messy.yaml")),
    ("guarded", include_str!("../scenarios/guarded.yaml")),
    ("kinds", include_str!("../scenarios/kinds.yaml")),
    ("large", include_str!("../scenarios/large.yaml")),
];

/// Policy files that shipped scenarios name.
const POLICIES: [(&str, &str); 2] = [
    ("policies/racing.yaml", include_str!("../scenarios/policies/racing.yaml")),
    ("policies/messy.yaml", include_str!("../scenarios/policies/messy.yaml")),
];

/// Gives the text of a policy file that a scenario names, or says why not.
type Named<'a> = &'a dyn Fn(&str) -> Result<String, String>;

/// What to simulate, checked.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name, or the file's.
    pub name: String,
    /// What it shows, in a sentence or two.
    pub about: String,
    /// Virtual hours of ordinary life.
    pub hours: u32,
    /// The world; its groups are complete only in [`Scenario::shape`].
    pub shape: Shape,
    /// Central policy.
    pub policy: PolicySet,
    /// Whether the hub's settings say what the member roles grant.
    pub rights_told: bool,
    /// Between the starts of two sweeps, where it differs from the engine's default.
    pub sweep: Option<Span>,
    /// Different questions for Spot placement scores in 24 hours; with none EC2 is not asked.
    pub placement_scores: u32,
    /// When the operator pulls the brake, and for how long.
    pub brakes: Vec<Braking>,
    /// Virtual time allowed to come to rest after faults and owners have stopped.
    pub settle_bound: Span,
    /// Labels of hold reasons that a run of this scenario is made to show.
    pub shows: Vec<&'static str>,
}

/// One time that the operator pulls the brake and releases it again.
#[derive(Clone, Debug)]
pub struct Braking {
    /// After the start.
    pub after: Span,
    /// For so long.
    pub lasts: Span,
    /// What it covers.
    pub scope: BrakeScope,
    /// What spothub brought there goes back to on-demand meanwhile.
    pub revert: bool,
}

/// What can fail at every turn, for whole runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub enum Fault {
    /// No event ever arrives: the sweep is the only pulse.
    LoseEvents,
    /// Every event arrives at least twice.
    DuplicateEvents,
    /// A fifth of all calls fail: 8 % before they do anything, 4 % throttled, 4 % without an answer and without an
    /// effect, 4 % without an answer and done.
    FailCalls,
}

impl Fault {
    /// Every mode.
    pub const ALL: [Self; 3] = [Self::LoseEvents, Self::DuplicateEvents, Self::FailCalls];
}

/// Why there is no scenario to run.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// Neither a shipped scenario nor a file.
    #[error(
        "there is no scenario {name:?}{}; shipped are {}, or give the path of a YAML file",
        meant.map(|m| format!(" (did you mean {m}?)")).unwrap_or_default(), Scenario::NAMES.join(", ")
    )]
    Unknown {
        /// What was asked for.
        name: String,
        /// The shipped one that was probably meant.
        meant: Option<&'static str>,
    },
    /// A file that cannot be read.
    #[error("cannot read the scenario file {path}")]
    File {
        /// Its path.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file with mistakes.
    #[error("the scenario cannot be run:\n\n{0}")]
    Mistakes(Problems),
}

impl From<Problems> for ScenarioError {
    fn from(problems: Problems) -> Self {
        Self::Mistakes(problems)
    }
}

impl Scenario {
    /// Names of the shipped scenarios; the first is the default.
    pub const NAMES: [&'static str; SHIPPED.len()] = {
        let mut names = [""; SHIPPED.len()];
        let mut at = 0;
        while at < SHIPPED.len() {
            names[at] = SHIPPED[at].0;
            at += 1;
        }
        names
    };

    /// A shipped scenario.
    pub fn named(name: &str) -> Result<Self, ScenarioError> {
        match SHIPPED.iter().find(|(shipped, _)| *shipped == name) {
            Some((name, text)) => {
                let policy = |wanted: &str| {
                    let found = POLICIES.iter().find(|(shipped, _)| *shipped == wanted);
                    found.map(|(_, text)| (*text).to_owned()).ok_or_else(|| "it is not shipped".to_owned())
                };
                Ok(Self { name: (*name).to_owned(), ..Self::read_naming(&format!("{name}.yaml"), text, &policy)? })
            }
            None => {
                Err(ScenarioError::Unknown { name: name.chars().take(64).collect(), meant: nearest(name, Self::NAMES) })
            }
        }
    }

    /// The text of a shipped scenario: an example to start from.
    #[must_use]
    pub fn text(name: &str) -> Option<&'static str> {
        SHIPPED.iter().find(|(shipped, _)| *shipped == name).map(|(_, text)| *text)
    }

    /// A scenario from a file's text; `file_name` is how messages name it. Policy files that it names lie beside it.
    pub fn read(file_name: &str, text: &str) -> Result<Self, Problems> {
        let beside = |wanted: &str| {
            let path = Path::new(file_name).parent().map_or_else(|| wanted.into(), |folder| folder.join(wanted));
            let bytes = limited(&path).map_err(|error| error.to_string())?;
            document::decode(wanted, bytes).map_err(|problems| problems.to_string())
        };
        Self::read_naming(file_name, text, &beside)
    }

    fn read_naming(file_name: &str, text: &str, named: Named<'_>) -> Result<Self, Problems> {
        let reading = Reading::new(file_name, text);
        let root = reading.parse();
        let scenario = root.as_ref().and_then(|root| {
            let mut scenario = reading.root(root).fields(|fields| scenario(fields, named))?;
            let stem = Path::new(file_name).file_stem().and_then(|s| s.to_str()).unwrap_or(file_name);
            stem.clone_into(&mut scenario.name);
            check::contradictions(&reading, root, &scenario);
            Some(scenario)
        });
        reading.finish(scenario)
    }

    /// A shipped scenario by its name, or one from a file by its path: what has a dot or a separator, or exists,
    /// is a path.
    pub fn load(name_or_path: &str) -> Result<Self, ScenarioError> {
        let path = Path::new(name_or_path);
        let shipped = Self::NAMES.contains(&name_or_path);
        if shipped || !(name_or_path.contains(['.', '/', '\\']) || path.is_file()) {
            return Self::named(name_or_path);
        }
        let refuse = |source| ScenarioError::File { path: name_or_path.to_owned(), source };
        let bytes = limited(path).map_err(refuse)?;
        let text = document::decode(name_or_path, bytes)?;
        Ok(Self::read(name_or_path, &text)?)
    }

    /// The world to build for a seed: groups of the mix drawn, and each group told what policy says of it.
    #[must_use]
    pub fn shape(&self, seed: u64) -> Shape {
        let mut shape = self.shape.clone();
        if let Some(mix) = shape.mix.take() {
            shape.groups.extend(mix.expand(Seeds(seed), &shape.accounts));
        }
        let accounts: BTreeMap<_, _> = shape.accounts.iter().map(|a| (a.id, (&a.ou, &a.tags))).collect();
        for group in &mut shape.groups {
            let GroupShape { site, name, policy, tags, .. } = group;
            let Some((ou, account_tags)) = accounts.get(&site.account) else { continue };
            let (account, region, group) = (site.account, &site.region, name.as_str());
            // What its owner says of it, the world reads itself, whenever it changes.
            let ours = |tag: &&String| tag.starts_with("spothub:");
            let tags = tags.iter().filter(|(tag, _)| !ours(tag)).map(|(k, v)| (k.clone(), v.clone())).collect();
            let account_tags = Some(*account_tags);
            apply(&self.policy.effective(&Context { ou, account, account_tags, region, group, tags: &tags }), policy);
        }
        shape
    }

    /// What the hub's settings say that the member roles grant.
    #[must_use]
    pub fn rights(&self) -> Rights {
        if self.rights_told { self.shape.rights.clone() } else { Rights::default() }
    }

    /// This scenario with pools that follow recorded capacity, in place of episodes that are drawn.
    #[must_use]
    pub fn with_capacity(mut self, traces: Traces) -> Self {
        (self.shape.market.traces, self.shape.market.episodes_permille) = (traces, 0);
        self
    }

    /// This scenario with a fault at every turn.
    #[must_use]
    pub fn with_faults(mut self, fault: Fault) -> Self {
        match fault {
            Fault::LoseEvents => self.shape.bus.lost_ppm = 1_000_000,
            Fault::DuplicateEvents => self.shape.bus.duplicate_ppm = 1_000_000,
            Fault::FailCalls => {
                let faults = &mut self.shape.faults;
                (faults.broken_ppm, faults.throttled_ppm) = (80_000, 40_000);
                (faults.lost_ppm, faults.lost_done_ppm) = (40_000, 40_000);
            }
        }
        self
    }
}

/// Says in the world's words what policy says of a group without tags.
fn apply(effective: &Effective, to: &mut PolicyShape) {
    let policy = &effective.policy;
    *to = PolicyShape {
        interval: policy.interval,
        floor_number: policy.floor_number,
        floor_percent: policy.floor_percent.value(),
        settle: policy.settle,
        enabled: policy.enabled == Enabled::True,
        opted_out: effective.standing == Standing::OptedOut(OptOut::Policy),
        min_saving_percent: policy.min_saving.value(),
        in_flight_max: [policy.budgets.organization, policy.budgets.ou, policy.budgets.account],
        share_percent: policy.budgets.group_share.value(),
        moves_after: (policy.spot_to_spot.min_saving.value() < 100).then_some(policy.spot_to_spot.min_life),
        ecs_cluster: policy.ecs_cluster.clone(),
        drain_wait: policy.drain.wait_max,
        boot: to.boot,
    };
}

/// The bytes of a file, and one more than are read where it is too long.
fn limited(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(BYTES_MAX).unwrap_or(u64::MAX) + 1;
    std::fs::File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Policy as it is written here, or the files that are named here, all of them together.
fn policy(at: &document::At<'_>, named: Named<'_>) -> Option<PolicySet> {
    if at.is_map() {
        return policy_file::from_node(at);
    }
    let files = at.some(|at| {
        let name = at.text()?;
        match named(name) {
            Ok(text) => Some(policy_file::File { name: name.to_owned(), text }),
            Err(why) => {
                at.fail(format_args!("the policy file {name} cannot be read: {why}"), "name it by its path from here")
            }
        }
    })?;
    match policy_file::combine(&files) {
        Ok(set) => Some(set),
        Err(problems) => {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            at.fail(
                format_args!("the policy cannot be used: {}", problems.join(" ")),
                "spothub policy check shows where",
            )
        }
    }
}

fn scenario(fields: &Fields<'_>, named: Named<'_>) -> Scenario {
    let mut hours = HOURS_DEFAULT;
    let about = fields.get("about").unwrap_or_default();
    fields.set_within("hours", 1..=u64::from(HOURS_MAX), &mut hours);
    let mut shape = Shape::default();
    if let Some(start) = fields.at("start") {
        shape.start = start.text().and_then(|text| instant(&start, text)).unwrap_or(shape.start);
    }
    if let Some(at) = fields.need("accounts") {
        shape.accounts = accounts::read(&at).unwrap_or_default();
    }
    if let Some(at) = fields.at("groups") {
        shape.groups = groups::read(&at, &shape.accounts).unwrap_or_default();
    }
    if let Some(at) = fields.at("alarms") {
        shape.alarms = groups::alarms(&at, &shape.accounts).unwrap_or_default();
    }
    shape.mix = fields.at("mix").and_then(|at| mix::read(&at));
    parts::read(fields, &mut shape);
    let told = fields.at("rights").and_then(|at| at.fields(|fields| parts::rights(fields, &mut shape.rights)));
    let policy = fields.need("policy").and_then(|at| policy(&at, named)).unwrap_or_default();
    let mut settle_bound = SETTLE_BOUND_DEFAULT;
    fields.set("settle-bound", &mut settle_bound);
    let brakes = fields.at("brakes").and_then(|at| at.each(braking)).unwrap_or_default();
    let labels: Vec<(&str, &'static str)> = HoldReason::LABELS.iter().map(|label| (*label, *label)).collect();
    let shows = fields.at("shows").and_then(|at| at.each(|one| one.word(&labels))).unwrap_or_default();
    Scenario {
        name: String::new(),
        about,
        hours,
        shape,
        policy,
        rights_told: told.unwrap_or(true),
        sweep: fields.get("sweep"),
        placement_scores: fields.get("placement-scores").unwrap_or(0),
        brakes,
        settle_bound,
        shows,
    }
}

fn braking(at: &document::At<'_>) -> Option<Braking> {
    at.fields(|fields| {
        let scope = fields.need("scope")?;
        let text = scope.text()?;
        let found = match text {
            "all" => Some(BrakeScope::All),
            "org" => Some(BrakeScope::Org),
            path if path.starts_with('/') => path.parse().ok().map(BrakeScope::Ou),
            region => region.parse().ok().map(BrakeScope::Region),
        };
        if found.is_none() {
            return scope.fail("no brake covers this", "give all, org, a unit's path as /prod, or a region");
        }
        let (after, lasts) = (fields.need("after")?, fields.need("for")?);
        let span = |at: &document::At<'_>| spothub_hub::document::Read::read(at);
        let mut revert = false;
        fields.set("revert", &mut revert);
        Some(Braking { after: span(&after)?, lasts: span(&lasts)?, scope: found?, revert })
    })
    .flatten()
}

fn instant(at: &document::At<'_>, text: &str) -> Option<Timestamp> {
    Timestamp::from_rfc3339(text)
        .or_else(|| at.fail(format_args!("{text:?} is no point in time"), "write it as 2026-01-01T00:00:00Z"))
}
