//! The keys of the settings file: each with its flag, its default, its floor and what it is for. Nothing else in the
//! program lists them; what a value means is `draft`'s business.

/// What a key takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Takes {
    /// One value.
    One,
    /// Some values.
    Many,
    /// `true` or `false`.
    Switch,
}

/// What stands there where nobody says anything.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Unset {
    /// It must be given; this is how it could look.
    Needed(&'static str),
    /// Nothing; this is how it could look.
    Nothing(&'static str),
    /// This.
    Default(&'static str),
}

/// One key.
#[derive(Debug)]
pub(crate) struct Key {
    /// Where it stands in the file.
    pub(crate) path: &'static str,
    pub(crate) takes: Takes,
    pub(crate) unset: Unset,
    /// The least that is taken without `--unsafe-timings`.
    pub(crate) floor: Option<&'static str>,
    /// What it is for, with its unit; lines of a comment.
    pub(crate) about: &'static str,
}

impl Key {
    /// Its flag, without the dashes.
    pub(crate) fn flag(&self) -> String {
        self.path.replace('.', "-")
    }

    /// Its variable in the environment.
    pub(crate) fn variable(&self) -> String {
        format!("SPOTHUB_{}", self.flag().replace('-', "_").to_uppercase())
    }

    /// Whether its value is one to keep.
    pub(crate) fn is_secret(&self) -> bool {
        self.path == SECRET
    }
}

/// The one key whose value is never shown.
pub(crate) const SECRET: &str = "external-id";

/// The key of this path.
pub(crate) fn key(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

const fn one(path: &'static str, unset: Unset, about: &'static str) -> Key {
    Key { path, takes: Takes::One, unset, floor: None, about }
}

const fn many(path: &'static str, unset: Unset, about: &'static str) -> Key {
    Key { path, takes: Takes::Many, unset, floor: None, about }
}

const fn span(path: &'static str, default: &'static str, floor: &'static str, about: &'static str) -> Key {
    Key { path, takes: Takes::One, unset: Unset::Default(default), floor: Some(floor), about }
}

const fn switch(path: &'static str, default: &'static str, about: &'static str) -> Key {
    Key { path, takes: Takes::Switch, unset: Unset::Default(default), floor: None, about }
}

use Unset::{Default, Needed, Nothing};

/// Every key, in the order of the example. Keys of one map stand together.
pub(crate) const KEYS: &[Key] = &[
    one("hub-id", Needed("hub-1"), "Names this hub on what it launches (tag spothub:hub)."),
    one("home-region", Needed("us-east-1"), "The hub's own region: queues, STS, session names."),
    one(
        "hub-role",
        Nothing("arn:aws:iam::123456789012:role/spothub-hub"),
        "The hub's own role, to assume first by whoever has other credentials. Not needed in the hub's container.",
    ),
    one(
        "member-role",
        Needed("arn:aws:iam::{account}:role/spothub-member"),
        "The role to assume in members, with {account} for the account's number.",
    ),
    one("external-id", Nothing("o-exampleorgid"), "What the role's trust asks for. Never shown. Or in a file:"),
    one("external-id-file", Nothing("external-id"), "A file that holds the external id and nothing else."),
    one(
        "hub-account",
        Nothing("\"123456789012\""),
        "An account to reach with the hub's own credentials, without a role.",
    ),
    one(
        "accounts.from",
        Default("organization"),
        "Where accounts are read: organization (AWS Organizations), or list (the accounts of `only`).",
    ),
    many("accounts.only", Default("[]"), "Only these accounts, in quotes, and those below the units; none means all."),
    many("accounts.units", Default("[]"), "Only accounts below these units, as ou-ab12-cdef3456."),
    many("accounts.without", Default("[]"), "Never these accounts, in quotes."),
    one("accounts.tag", Nothing("spothub=yes"), "Only accounts with this tag, as key=value; one more call an account."),
    switch(
        "accounts.tags",
        "false",
        "Whether accounts' tags are read for policy that goes by them; one more call an account.",
    ),
    many("regions", Needed("[us-east-1, eu-west-1]"), "Regions to serve, in every account."),
    one(
        "queues.urgent",
        Needed("https://sqs.us-east-1.amazonaws.com/123456789012/spothub-urgent"),
        "The queue of interruption warnings and rebalance recommendations, by URL.",
    ),
    one(
        "queues.normal",
        Needed("https://sqs.us-east-1.amazonaws.com/123456789012/spothub-normal"),
        "The queue of all other events, by URL.",
    ),
    one(
        "queues.probe",
        Nothing("https://sqs.us-east-1.amazonaws.com/123456789012/spothub-probe"),
        "The queue of the probes that `doctor` sends, by URL.",
    ),
    one(
        "hub-bus",
        Nothing("arn:aws:events:us-east-1:123456789012:event-bus/spothub"),
        "The hub's event bus, which members' rules have to send to: `doctor` compares.",
    ),
    one(
        "store",
        Needed("spothub.db"),
        "The embedded store's file, in a directory that exists; for several workers dynamodb:TABLE in the home region.",
    ),
    many(
        "policies",
        Default("[]"),
        "Where policy is published: files and directories, or ssm:PARAMETER, which points to objects in S3.",
    ),
    switch(
        "policy-as-it-stands",
        "false",
        "Whether policy is in force as it stands, without approval: for a laptop and for tests.",
    ),
    one(
        "group-guard",
        Default("none"),
        "GroupGuard of the members' template, which groups IAM lets us change: opt-in-tag, opt-out-tag or none.",
    ),
    many(
        "passable-roles",
        Default("[\"*\"]"),
        "PassableRoleArns of the members' template, by ARN or path as /app/*; * is all, as far as known; none is none.",
    ),
    switch(
        "on-demand-fallback",
        "true",
        "AllowOnDemandFallback of the members' template: whether an instance may be replaced by one on demand.",
    ),
    switch(
        "launch-configurations",
        "true",
        "AllowLaunchConfigurations of the members' template: whether groups with launch configurations are served.",
    ),
    switch(
        "ecs-draining",
        "false",
        "AllowEcsDraining of the members' template: whether container instances may be drained before they go.",
    ),
    switch(
        "commitments",
        "true",
        "Whether reserved instances and Savings Plans are read, once an hour; otherwise they are unknown.",
    ),
    one(
        "payer",
        Nothing("\"123456789012\""),
        "The account that pays for the organization: what it bought is read with the member role there.",
    ),
    one(
        "placement-scores",
        Default("10"),
        "Different questions for Spot placement scores in 24 hours, over all workers; 0 asks for none.",
    ),
    span("sweep", "10m", "1m", "Between the starts of two sweeps over all accounts."),
    span("prices", "15m", "5m", "Between two reads of a region's Spot prices."),
    span("once-limit", "1h", "1m", "The longest that `run --once` waits for the swaps that it began."),
    span("timings.tick", "15s", "15s", "Between two polls of one account and region."),
    span("timings.boot-first", "45s", "15s", "First poll after a launch of Linux."),
    span("timings.boot-first-windows", "9m", "15s", "First poll after a launch of Windows."),
    span("timings.boot-max", "10m", "5m", "Boot time beyond which a newcomer is given up."),
    span("timings.boot-max-windows", "40m", "10m", "The same for Windows."),
    span("timings.attach-max", "10m", "5m", "How long attaching, and becoming in service, may take."),
    span("timings.room-max", "20m", "5m", "How long the last step may wait for room above the floor."),
    span("timings.orphan-age", "10m", "10m", "The least age of an orphan that is ended."),
    span("timings.lease", "1m", "30s", "Lease of a group from each write of its record; longer than a call may take."),
    span("timings.beat", "10s", "5s", "Between two signs of life of a worker, where several share a store."),
    span("timings.start-interval", "15s", "15s", "The least time between the starts of two swaps of a group."),
    one("time-outs.operation", Default("20s"), "All attempts of one AWS call together."),
    one("time-outs.attempt", Default("6s"), "One attempt of an AWS call."),
    one("time-outs.limiter", Default("5s"), "The longest wait for a rate limiter inside a call."),
    one(
        "time-outs.catalogue",
        Default("2m"),
        "How long newer instance types and prices may be read at the start; 0 keeps the embedded ones.",
    ),
    one("limits.reconciles", Default("1024"), "Groups worked on at once."),
    one("limits.sites", Default("64"), "Accounts' regions swept at once."),
    one("limits.orphans", Default("5"), "Orphans of one account in one sweep above which none is ended."),
    one(
        "listen",
        Default("127.0.0.1:9090"),
        "Address of /healthz, /readyz and /metrics, or off; port 0 takes a free one.",
    ),
    switch(
        "listen-anywhere",
        "false",
        "Whether `listen` may be another address than loopback: the pages ask for no password.",
    ),
    one("log-format", Default("text"), "How log lines are written to stderr: text or json."),
    one(
        "traces.otlp",
        Nothing("http://127.0.0.1:4318"),
        "A collector that takes spans of swaps, steps and calls: OTLP over HTTP. None are made without it.",
    ),
    switch(
        "traces.plain-http",
        "false",
        "Whether `traces.otlp` may be http:// on another machine: what is sent can be read on the way.",
    ),
];
