//! Settings while they are read: the defaults, then the file laid over them, then flags and environment.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use spothub_aws::{ExternalId, HubId, MemberRole, TimeOuts, UnitId};
use spothub_core::id::{AccountId, Region, RoleArn};
use spothub_core::rights::{GroupGuard, Passable};
use spothub_core::time::Span;
use spothub_hub::Settings;
use spothub_hub::document::{At, Fields, span};

use super::collector::Collector;
use super::key;
use super::place::Place;

/// Where accounts are read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum From {
    /// AWS Organizations.
    Organization,
    /// The list in the settings.
    List,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One object a line.
    Json,
}

impl LogFormat {
    /// The lines that it stands for.
    pub(crate) const fn lines(self) -> crate::logging::Lines {
        match self {
            Self::Text => crate::logging::Lines::Text,
            Self::Json => crate::logging::Lines::Json,
        }
    }
}

/// Whether times below their floors are taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Floors {
    /// They are mistakes.
    Kept,
    /// They are taken: for tests and demonstrations.
    Waived,
}

/// What was read so far. What must be given is `None` until then.
#[expect(clippy::struct_excessive_bools, reason = "independent yes-or-no settings, each under its own name")]
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) hub: Option<HubId>,
    pub(super) home: Option<Region>,
    pub(super) hub_role: Option<RoleArn>,
    pub(super) role: Option<MemberRole>,
    pub(super) external_id: Option<ExternalId>,
    pub(super) external_id_file: Option<String>,
    pub(super) own: Option<AccountId>,
    pub(super) commitments: bool,
    pub(super) payer: Option<AccountId>,
    pub(super) from: From,
    pub(super) only: BTreeSet<AccountId>,
    pub(super) units: BTreeSet<UnitId>,
    pub(super) without: BTreeSet<AccountId>,
    pub(super) tag: Option<(String, String)>,
    pub(super) regions: BTreeSet<Region>,
    pub(super) urgent: Option<String>,
    pub(super) normal: Option<String>,
    pub(super) probe: Option<String>,
    pub(super) bus: Option<String>,
    pub(super) store: Option<Place>,
    pub(super) policies: Vec<String>,
    /// Account tags are read for policy.
    pub(super) tags: bool,
    pub(super) engine: Settings,
    pub(super) time_outs: TimeOuts,
    pub(super) catalogue: Span,
    pub(super) listen: Option<SocketAddr>,
    pub(super) anywhere: bool,
    pub(super) log: LogFormat,
    pub(super) traces: Option<Collector>,
    pub(super) plain_http: bool,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            hub: None,
            home: None,
            hub_role: None,
            role: None,
            external_id: None,
            external_id_file: None,
            own: None,
            commitments: true,
            payer: None,
            from: From::Organization,
            only: BTreeSet::new(),
            units: BTreeSet::new(),
            without: BTreeSet::new(),
            tag: None,
            regions: BTreeSet::new(),
            urgent: None,
            normal: None,
            probe: None,
            bus: None,
            store: None,
            policies: Vec::new(),
            tags: false,
            engine: Settings::default(),
            time_outs: TimeOuts::default(),
            catalogue: Span::mins(2),
            listen: Some(SocketAddr::from(([127, 0, 0, 1], 9090))),
            anywhere: false,
            log: LogFormat::Text,
            traces: None,
            plain_http: false,
        }
    }
}

impl Draft {
    /// Lays what is given over what is there; mistakes are noted where they stand.
    pub(super) fn lay(&mut self, at: &At<'_>, floors: Floors) {
        let _ = at.fields(|fields| {
            self.identity(fields);
            self.places(fields);
            self.rights(fields);
            self.times(fields, floors);
            self.pages(fields);
        });
    }

    fn identity(&mut self, fields: &Fields<'_>) {
        put(fields, "hub-id", &mut self.hub, At::parsed);
        put(fields, "home-region", &mut self.home, At::parsed);
        put(fields, "hub-role", &mut self.hub_role, At::parsed);
        put(fields, "member-role", &mut self.role, At::parsed);
        put(fields, "external-id", &mut self.external_id, At::parsed);
        put(fields, "external-id-file", &mut self.external_id_file, text);
        put(fields, "hub-account", &mut self.own, spothub_hub::document::Read::read);
        fields.set("commitments", &mut self.commitments);
        // Each is a row that is read again and again, and a question that AWS counts.
        fields.set_within("placement-scores", 0..=100, &mut self.engine.scores_a_day);
        put(fields, "payer", &mut self.payer, spothub_hub::document::Read::read);
    }

    fn places(&mut self, fields: &Fields<'_>) {
        if let Some(at) = fields.at("accounts") {
            let _ = at.fields(|accounts| {
                let words = [("organization", From::Organization), ("list", From::List)];
                set(accounts, "from", &mut self.from, |at| at.word(&words));
                let account = |at: &At<'_>| spothub_hub::document::Read::read(at);
                set(accounts, "only", &mut self.only, |at| Some(at.each(account)?.into_iter().collect()));
                set(accounts, "units", &mut self.units, |at| Some(at.each(At::parsed)?.into_iter().collect()));
                set(accounts, "without", &mut self.without, |at| Some(at.each(account)?.into_iter().collect()));
                put(accounts, "tag", &mut self.tag, tag);
                accounts.set("tags", &mut self.tags);
            });
        }
        set(fields, "regions", &mut self.regions, |at| Some(at.each(At::parsed)?.into_iter().collect()));
        if let Some(at) = fields.at("queues") {
            let _ = at.fields(|queues| {
                put(queues, "urgent", &mut self.urgent, url);
                put(queues, "normal", &mut self.normal, url);
                put(queues, "probe", &mut self.probe, url);
            });
        }
        put(fields, "hub-bus", &mut self.bus, bus);
        put(fields, "store", &mut self.store, Place::read);
        set(fields, "policies", &mut self.policies, |at| at.each(text));
        fields.set("policy-as-it-stands", &mut self.engine.policy_as_it_stands);
    }

    fn rights(&mut self, fields: &Fields<'_>) {
        let rights = &mut self.engine.rights;
        set(fields, "group-guard", &mut rights.guard, |at| at.word(&GroupGuard::WORDS));
        set(fields, "passable-roles", &mut rights.passable, |at| Some(Passable::of(at.each(At::parsed)?)));
        fields.set("on-demand-fallback", &mut rights.on_demand_fallback);
        fields.set("launch-configurations", &mut rights.launch_configurations);
        fields.set("ecs-draining", &mut rights.ecs_draining);
    }

    fn times(&mut self, fields: &Fields<'_>, floors: Floors) {
        let time = |fields: &Fields<'_>, key: &'static str, into: &mut Span| {
            set(fields, key, into, |at| floored(at, floors));
        };
        time(fields, "sweep", &mut self.engine.sweep);
        time(fields, "prices", &mut self.engine.prices);
        time(fields, "once-limit", &mut self.engine.once_max);
        if let Some(at) = fields.at("timings") {
            let engine = &mut self.engine;
            let _ = at.fields(|fields| {
                let timings = &mut engine.timings;
                time(fields, "tick", &mut timings.tick);
                time(fields, "boot-first", &mut timings.boot_first);
                time(fields, "boot-first-windows", &mut timings.boot_first_windows);
                time(fields, "boot-max", &mut timings.boot_max);
                time(fields, "boot-max-windows", &mut timings.boot_max_windows);
                time(fields, "attach-max", &mut timings.attach_max);
                time(fields, "room-max", &mut timings.room_max);
                time(fields, "orphan-age", &mut engine.orphan_age);
                time(fields, "lease", &mut engine.lease);
                time(fields, "beat", &mut engine.beat);
                time(fields, "start-interval", &mut engine.start_interval);
            });
        }
        if let Some(at) = fields.at("time-outs") {
            let _ = at.fields(|fields| {
                time(fields, "operation", &mut self.time_outs.operation);
                time(fields, "attempt", &mut self.time_outs.attempt);
                time(fields, "limiter", &mut self.engine.limiter_wait_max);
                time(fields, "catalogue", &mut self.catalogue);
            });
        }
    }

    fn pages(&mut self, fields: &Fields<'_>) {
        if let Some(at) = fields.at("limits") {
            let _ = at.fields(|fields| {
                fields.set_within("reconciles", 1..=10_000, &mut self.engine.reconciles_max);
                fields.set_within("sites", 1..=1_000, &mut self.engine.sites_max);
                fields.set_within("orphans", 0..=100, &mut self.engine.orphans_max);
            });
        }
        set(fields, "listen", &mut self.listen, listen);
        fields.set("listen-anywhere", &mut self.anywhere);
        let words = [("text", LogFormat::Text), ("json", LogFormat::Json)];
        set(fields, "log-format", &mut self.log, |at| at.word(&words));
        if let Some(at) = fields.at("traces") {
            let _ = at.fields(|traces| {
                put(traces, "otlp", &mut self.traces, At::parsed);
                traces.set("plain-http", &mut self.plain_http);
            });
        }
    }
}

fn put<'a, T>(fields: &Fields<'a>, key: &'static str, into: &mut Option<T>, read: impl FnOnce(&At<'a>) -> Option<T>) {
    if let Some(value) = fields.at(key).and_then(|at| read(&at)) {
        *into = Some(value);
    }
}

fn set<'a, T>(fields: &Fields<'a>, key: &'static str, into: &mut T, read: impl FnOnce(&At<'a>) -> Option<T>) {
    if let Some(value) = fields.at(key).and_then(|at| read(&at)) {
        *into = value;
    }
}

pub(super) fn text(at: &At<'_>) -> Option<String> {
    let text = at.text()?;
    if text.is_empty() { at.fail("is empty", "give a value, or leave the key out") } else { Some(text.to_owned()) }
}

fn url(at: &At<'_>) -> Option<String> {
    let text = text(at)?;
    if text.starts_with("https://") || text.starts_with("http://") {
        return Some(text);
    }
    at.fail(format_args!("{text:?} is no URL"), "give the queue's URL, which begins with https://")
}

fn bus(at: &At<'_>) -> Option<String> {
    let text = text(at)?;
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    if matches!(parts[..], ["arn", _, "events", _, _, bus] if bus.starts_with("event-bus/")) {
        return Some(text);
    }
    at.fail(format_args!("{text:?} is no event bus"), "give its ARN: arn:aws:events:REGION:ACCOUNT:event-bus/NAME")
}

fn tag(at: &At<'_>) -> Option<(String, String)> {
    let text = at.text()?;
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Some((key.to_owned(), value.to_owned())),
        _ => at.fail(format_args!("{text:?} is no tag"), "write key=value"),
    }
}

/// `Some(None)` for `off`.
#[expect(clippy::option_option, reason = "a mistake, no address, or one")]
fn listen(at: &At<'_>) -> Option<Option<SocketAddr>> {
    let text = at.text()?;
    if text == "off" {
        return Some(None);
    }
    match text.parse() {
        Ok(address) => Some(Some(address)),
        Err(_) => at.fail(format_args!("{text:?} is no address"), "write IP:PORT as 127.0.0.1:9090, or off"),
    }
}

fn floored(at: &At<'_>, floors: Floors) -> Option<Span> {
    let found: Span = spothub_hub::document::Read::read(at)?;
    let floor = key::key(at.path()).and_then(|key| key.floor).and_then(span);
    match floor {
        Some(floor) if found < floor && floors == Floors::Kept => at.fail(
            format_args!("{found} is below the floor of {floor}"),
            "give more; only against an emulator on loopback it may be less, with --unsafe-timings",
        ),
        _ => Some(found),
    }
}
