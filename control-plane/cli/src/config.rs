//! The settings of `run`, of which `plan` needs a part: flag, then environment, then file, then default; all mistakes
//! at once.
//!
//! Reads settings and policy files and the external id; makes no call and needs no credentials.

mod check;
mod collector;
mod draft;
mod endpoints;
mod example;
mod key;
mod place;
mod policies;
#[cfg(test)]
mod tests;
mod typed;

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use spothub_aws::{Enrolment, ExternalId, HubId, MemberRole, Own, QueueUrls, Scope, TimeOuts};
use spothub_core::id::{AccountId, OuPath, Region, RoleArn};
use spothub_core::port::Account;
use spothub_core::time::Span;
use spothub_hub::Settings;
use spothub_hub::document::{self, Node, Reading};

pub(crate) use check::{check, show_example, tell};
pub(crate) use collector::Collector;
pub(crate) use draft::LogFormat;
pub(crate) use place::{Kept, Place};
pub(crate) use policies::Source;
pub use typed::Typed;

use crate::args::HubStore;
use draft::{Draft, Floors, From};

/// Which accounts there are.
#[derive(Clone, Debug)]
pub(crate) enum Accounts {
    /// Those of the organization that are enrolled.
    Organization(Enrolment),
    /// These.
    List(Vec<Account>),
}

/// Where accounts are, and how they are reached and looked at.
#[derive(Clone, Debug)]
pub(crate) struct Reach {
    pub(crate) hub: HubId,
    pub(crate) home: Region,
    /// The hub's own role, where it is to be assumed first.
    pub(crate) hub_role: Option<RoleArn>,
    pub(crate) role: MemberRole,
    pub(crate) external_id: Option<ExternalId>,
    pub(crate) own: Own,
    /// Whether what is paid for anyway is read.
    pub(crate) commitments: bool,
    /// The account that pays for all.
    pub(crate) payer: Option<AccountId>,
    pub(crate) accounts: Accounts,
    pub(crate) regions: BTreeSet<Region>,
    pub(crate) engine: Settings,
    pub(crate) time_outs: TimeOuts,
    /// How long newer types and prices may be read at the start.
    pub(crate) catalogue: Span,
    pub(crate) log: LogFormat,
    /// Where policy is published.
    pub(crate) policies: Source,
}

/// Settings that can be run.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) reach: Reach,
    pub(crate) queues: QueueUrls,
    /// The queue of probes, by URL.
    pub(crate) probe: Option<String>,
    /// The hub's event bus, by ARN.
    pub(crate) hub_bus: Option<String>,
    pub(crate) store: Place,
    pub(crate) listen: Option<SocketAddr>,
    /// Where traces go, if anywhere.
    pub(crate) traces: Option<Collector>,
}

impl Config {
    /// The store, with what is needed to reach it.
    pub(crate) fn kept(&self) -> Kept {
        let reach = &self.reach;
        Kept {
            place: self.store.clone(),
            home: Some(reach.home.clone()),
            hub_role: reach.hub_role.clone(),
            time_outs: reach.time_outs,
        }
    }
}

/// What there is to read settings from.
#[derive(Debug)]
pub(crate) struct Sources<'a> {
    /// The settings file.
    pub(crate) file: Option<&'a Path>,
    /// Flags and environment.
    pub(crate) typed: &'a Typed,
    /// `--unsafe-timings` was given.
    pub(crate) waive_floors: bool,
    /// It is a worker in service that asks: mistakes in policy do not keep it from starting.
    pub(crate) serves: bool,
    /// Nothing is done but looking: times below their floors are taken, since nothing waits by them.
    pub(crate) looks: bool,
}

impl<'a> Sources<'a> {
    /// What was given on the command line and by the environment.
    pub(crate) fn new(given: &'a crate::args::Given, waive_floors: bool) -> Self {
        Self { file: given.config.as_deref(), typed: &given.typed, waive_floors, serves: false, looks: false }
    }
}

/// Settings, and where each key's value came from.
pub(crate) struct Found {
    pub(crate) config: Config,
    /// The file's tree, its secret masked.
    tree: Option<Node>,
    policies: Vec<policies::Summary>,
}

/// All mistakes, each a text of some lines.
pub(crate) struct Mistakes(pub(crate) Vec<String>);

/// Reads everything.
pub(crate) fn read(sources: &Sources<'_>) -> Result<Found, Mistakes> {
    let mut mistakes = Vec::new();
    let floors = if sources.waive_floors || sources.looks { Floors::Waived } else { Floors::Kept };
    if sources.waive_floors
        && let Err(text) = endpoints::all_on_loopback()
    {
        mistakes.push(text);
    }
    let (draft, tree, source, policies) = drafted(sources, floors, &mut mistakes);
    match finish(draft, source, sources.file, &mut mistakes) {
        Some(config) if mistakes.is_empty() => Ok(Found { config, tree, policies }),
        _ => Err(Mistakes(mistakes)),
    }
}

/// Reads what looking needs. Queues and store may be missing, and times below their floors are taken: nothing waits by
/// them.
pub(crate) fn read_reach(sources: &Sources<'_>) -> Result<Reach, Mistakes> {
    let mut mistakes = Vec::new();
    let (mut draft, _, source, _) = drafted(sources, Floors::Waived, &mut mistakes);
    draft.store = None;
    match reach(&mut draft, source, sources.file, &mut mistakes) {
        Some(reach) if mistakes.is_empty() => Ok(reach),
        _ => Err(Mistakes(mistakes)),
    }
}

/// Where the hub's store is: as given, or as the settings have it. Nothing else of them has to be right: whoever wants
/// to pause does not wait for that.
///
/// A table is in the home region, which then has to be there, too.
pub(crate) fn store_of(at: &HubStore) -> Result<Kept, Mistakes> {
    let file = at.config.as_deref();
    let (mut draft, mut mistakes) = (Draft::default(), Vec::new());
    let tree = file.and_then(|file| lay_file(file, &mut draft, Floors::Waived, &mut mistakes));
    draft.home = at.home_region.clone().or(draft.home);
    let given = at.store.as_deref().map(str::parse).transpose().map_err(|text| Mistakes(vec![text]))?;
    let Some(place) = given.or_else(|| Some(draft.store.take()?.beside(file))) else {
        missing("store", &mut mistakes);
        return Err(Mistakes(mistakes));
    };
    if draft.home.is_none() && matches!(place, Place::Table(_)) {
        missing("home-region", &mut mistakes);
        return Err(Mistakes(mistakes));
    }
    // With other credentials than were meant, a table of the same name might be another hub's.
    let role_given = tree.is_some_and(|tree| tree.get("hub-role").is_some());
    if role_given && draft.hub_role.is_none() && matches!(place, Place::Table(_)) {
        return Err(Mistakes(mistakes));
    }
    Ok(Kept { place, home: draft.home, hub_role: draft.hub_role, time_outs: draft.time_outs })
}

fn drafted(
    sources: &Sources<'_>,
    floors: Floors,
    mistakes: &mut Vec<String>,
) -> (Draft, Option<Node>, Source, Vec<policies::Summary>) {
    let mut draft = Draft::default();
    let tree = sources.file.and_then(|path| lay_file(path, &mut draft, floors, mistakes));
    let layer = sources.typed.layer();
    let reading = Reading::new("command line and environment", &layer.text);
    draft.lay(&reading.root(&layer.root), floors);
    if let Err(problems) = reading.finish(Some(())) {
        mistakes.push(problems.to_string());
    }
    let source = Source::new(&draft.policies, sources.file).unwrap_or_else(|mistake| {
        mistakes.push(mistake);
        Source::Nowhere
    });
    // What a worker in service cannot read, it reports, and keeps to the last policy that it could read.
    let mut nobody = Vec::new();
    let found = if sources.serves { &mut nobody } else { mistakes };
    let (set, policies) = policies::read(&source, floors, found);
    draft.engine.policy = set;
    draft.engine.policy_floors = floors == Floors::Kept;
    (draft, tree, source, policies)
}

/// A file named in the settings: relative to the settings file, as its writer sees it.
fn beside(file: Option<&Path>, named: impl AsRef<Path>) -> PathBuf {
    let named = named.as_ref();
    file.and_then(Path::parent).map_or_else(|| named.to_owned(), |folder| folder.join(named))
}

fn read_text(path: &Path, what: &str) -> Result<String, String> {
    let name = path.display().to_string();
    let bytes = fs::read(path).map_err(|error| format!("cannot read the {what} {name}: {error}"))?;
    document::decode(&name, bytes).map_err(|problems| problems.to_string())
}

/// Lays a file over the draft; its tree, where it can be parsed.
fn lay_file(path: &Path, draft: &mut Draft, floors: Floors, mistakes: &mut Vec<String>) -> Option<Node> {
    let text = match read_text(path, "settings file") {
        Ok(text) => text,
        Err(error) => {
            mistakes.push(error);
            return None;
        }
    };
    let name = path.display().to_string();
    // Messages show lines of the file, and the secret must not be in them: they see a masked copy.
    let secret = Reading::new(&name, &text).parse().and_then(|tree| secret_of(&tree));
    let masked = masked(&text, secret.as_deref());
    let reading = Reading::new(&name, &masked);
    let tree = reading.parse();
    if let Some(tree) = &tree {
        draft.lay(&reading.root(tree), floors);
    }
    draft.external_id = None;
    if let Some(text) = &secret {
        match text.parse() {
            Ok(id) => draft.external_id = Some(id),
            Err(error) => mistakes.push(format!("{name}: {error}")),
        }
    }
    if let Err(problems) = reading.finish(tree.as_ref().map(|_| ())) {
        mistakes.push(problems.to_string());
    }
    tree
}

fn secret_of(tree: &Node) -> Option<String> {
    match &tree.get(key::SECRET)?.value {
        document::Value::Scalar { text, .. } => Some(text.clone()),
        document::Value::List(_) | document::Value::Map(_) | document::Value::Refused => None,
    }
}

/// The text with as many letters in place of the secret: on its key's line, and wherever else its value stands.
fn masked(text: &str, secret: Option<&str>) -> String {
    let line = |line: &str| {
        let Some((before, value)) = line.split_once(':').filter(|(key, _)| key.trim() == key::SECRET) else {
            return line.to_owned();
        };
        let mask =
            |c: char| if c.is_alphanumeric() || c.is_ascii_punctuation() && !"'\"#".contains(c) { 'x' } else { c };
        format!("{before}:{}", value.chars().map(mask).collect::<String>())
    };
    let lines = text.split('\n').map(line).collect::<Vec<_>>().join("\n");
    match secret.filter(|secret| secret.len() >= 2) {
        Some(secret) => lines.replace(secret, &"x".repeat(secret.chars().count())),
        None => lines,
    }
}

fn missing(path: &str, mistakes: &mut Vec<String>) {
    if let Some(key) = key::key(path) {
        let (flag, variable) = (key.flag(), key.variable());
        mistakes.push(format!(
            "the setting {path} is missing\n   = {}\n   = give it in the file, as --{flag} or as {variable}",
            key.about
        ));
    }
}

/// The draft as settings; what is missing or does not go together is told.
fn finish(mut draft: Draft, source: Source, file: Option<&Path>, mistakes: &mut Vec<String>) -> Option<Config> {
    let reach = reach(&mut draft, source, file, mistakes);
    let mut need = |value: Option<String>, path: &str| {
        if value.is_none() {
            missing(path, mistakes);
        }
        value
    };
    let (urgent, normal) = (need(draft.urgent, "queues.urgent"), need(draft.normal, "queues.normal"));
    if draft.store.is_none() {
        missing("store", mistakes);
    }
    Some(Config {
        reach: reach?,
        queues: QueueUrls { urgent: urgent?, normal: normal? },
        probe: draft.probe,
        hub_bus: draft.bus,
        store: draft.store?.beside(file),
        listen: draft.listen,
        traces: draft.traces,
    })
}

/// The part of the draft that looking needs.
fn reach(draft: &mut Draft, policies: Source, file: Option<&Path>, mistakes: &mut Vec<String>) -> Option<Reach> {
    let external_id = external_id(draft, file, mistakes);
    together(draft, file, mistakes);
    let accounts = accounts(draft, mistakes);
    for (given, path) in [
        (!draft.regions.is_empty(), "regions"),
        (draft.hub.is_some(), "hub-id"),
        (draft.home.is_some(), "home-region"),
        (draft.role.is_some(), "member-role"),
    ] {
        if !given {
            missing(path, mistakes);
        }
    }
    Some(Reach {
        hub: draft.hub.take()?,
        home: draft.home.take()?,
        hub_role: draft.hub_role.take(),
        role: draft.role.take()?,
        external_id,
        own: draft.own.map_or(Own::ByRole, Own::Directly),
        commitments: draft.commitments,
        payer: draft.payer,
        accounts: accounts?,
        regions: std::mem::take(&mut draft.regions),
        engine: draft.engine.clone(),
        time_outs: draft.time_outs,
        catalogue: draft.catalogue,
        log: draft.log,
        policies,
    })
}

fn external_id(draft: &Draft, file: Option<&Path>, mistakes: &mut Vec<String>) -> Option<ExternalId> {
    let Some(named) = &draft.external_id_file else { return draft.external_id.clone() };
    if draft.external_id.is_some() {
        mistakes.push("both external-id and external-id-file are given\n   = keep one of them".to_owned());
    }
    let text = read_text(&beside(file, named), "external id's file");
    let parsed =
        text.and_then(|text| text.trim_end().parse::<ExternalId>().map_err(|error| format!("{named}: {error}")));
    parsed.map_err(|error| mistakes.push(error)).ok()
}

/// What no key alone can be wrong about.
fn together(draft: &Draft, file: Option<&Path>, mistakes: &mut Vec<String>) {
    let (limits, engine) = (&draft.time_outs, &draft.engine);
    if limits.attempt.0 <= 0 || limits.operation < limits.attempt {
        mistakes.push(format!(
            "time-outs.operation ({}) is shorter than time-outs.attempt ({}), or none is left\n   = {}",
            limits.operation, limits.attempt, "give the operation room for at least one attempt"
        ));
    }
    let call = limits.operation + engine.limiter_wait_max;
    if engine.lease <= call {
        mistakes.push(format!(
            "timings.lease ({}) does not outlast a call ({call}: time-outs.operation and time-outs.limiter)\n   = {}",
            engine.lease, "make the lease longer, or the time-outs shorter"
        ));
    }
    if let Some(listen) = draft.listen.filter(|listen| !listen.ip().is_loopback() && !draft.anywhere) {
        mistakes.push(format!(
            "listen: {listen} is not on loopback, and the pages ask for no password\n   = {}",
            "listen on 127.0.0.1, or say --listen-anywhere where the network is closed"
        ));
    }
    if let Some(collector) = draft.traces.as_ref().filter(|to| !to.is_private() && !draft.plain_http) {
        mistakes.push(format!(
            "traces.otlp: {} is neither encrypted nor on loopback\n   = {}",
            collector.url(),
            "send to https://, or say --traces-plain-http where the network is closed"
        ));
    }
    if let Some(Place::File(path)) = &draft.store {
        let path = beside(file, path);
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !folder.is_dir() {
            let folder = folder.display();
            mistakes.push(format!("store: the directory {folder} does not exist\n   = make it, or name another"));
        }
    }
}

fn accounts(draft: &mut Draft, mistakes: &mut Vec<String>) -> Option<Accounts> {
    let without = std::mem::take(&mut draft.without);
    let only: BTreeSet<AccountId> = std::mem::take(&mut draft.only);
    let units = std::mem::take(&mut draft.units);
    match draft.from {
        From::Organization => {
            let all = only.is_empty() && units.is_empty();
            let scope = if all { Scope::All } else { Scope::Chosen { accounts: only, units } };
            Some(Accounts::Organization(Enrolment { scope, without, tag: draft.tag.take(), tags: draft.tags }))
        }
        From::List => {
            if only.is_empty() {
                let remedy = "name accounts in accounts.only, or read the organization: accounts.from: organization";
                mistakes.push(format!("accounts.from is list, and accounts.only names none\n   = {remedy}"));
            }
            if draft.tag.is_some() || !units.is_empty() {
                let remedy = "leave them out, or read the organization: accounts.from: organization";
                mistakes.push(format!("accounts.units and accounts.tag need the organization\n   = {remedy}"));
            }
            let root: OuPath = "/".parse().ok()?;
            let account = |id: &AccountId| Account {
                id: *id,
                name: id.to_string(),
                ou: root.clone(),
                tags: None,
                regions: draft.regions.clone(),
                active: true,
            };
            Some(Accounts::List(only.difference(&without).map(account).collect()))
        }
    }
}
