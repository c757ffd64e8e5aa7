//! What was found, before anybody judges it. Holds no connection and makes no call.

use std::collections::BTreeMap;

use spothub_aws::Caller;
use spothub_aws::doctor::{QueueSeen, RoleSeen, RuleSeen, SpotUse, Trust};
use spothub_core::brake::Brakes;
use spothub_core::fault::Fault;
use spothub_core::id::{AccountId, GroupName, Region, Site};
use spothub_core::time::{Span, Timestamp};

use super::expected::{HUB_BUS, Way};
use super::quota::Class;

/// What is there, or nothing, or why nobody knows.
pub(super) type Seen<T> = Result<Option<T>, Fault>;

/// What the settings say, as far as it is checked.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Told {
    /// The home region.
    pub(super) home: Option<Region>,
    /// The hub bus by ARN, where the settings name it.
    pub(super) bus: Option<String>,
    /// They give an external id.
    pub(super) external_id: bool,
    /// Members grant on-demand launches for rescues.
    pub(super) fallback: bool,
    /// Probes are wanted, and may be sent.
    pub(super) probes: Probes,
}

impl Told {
    /// The hub bus by ARN: as they name it, or the one of the usual name in the hub's own account and home region.
    pub(super) fn bus_arn(&self, caller: &Caller) -> Option<String> {
        let usual = || {
            let partition = caller.arn.split(':').nth(1)?;
            Some(format!("arn:{partition}:events:{}:{}:event-bus/{HUB_BUS}", self.home.as_ref()?, caller.account))
        };
        self.bus.clone().or_else(usual)
    }

    /// The name of the hub bus.
    pub(super) fn bus_name(&self) -> &str {
        let named = self.bus.as_deref().and_then(|arn| arn.split_once("event-bus/"));
        named.map_or(HUB_BUS, |(_, name)| name)
    }
}

/// Whether probes are sent.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Probes {
    /// They are.
    #[default]
    Sent,
    /// They are not wanted.
    Unwanted,
    /// The settings name no queue for them.
    Nowhere,
}

/// Everything.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) at: Timestamp,
    pub(super) told: Told,
    pub(super) hub: HubFacts,
    pub(super) accounts: BTreeMap<AccountId, AccountFacts>,
    pub(super) sites: BTreeMap<Site, SiteFacts>,
    /// Those that were sent, or should have been.
    pub(super) probes: BTreeMap<Site, ProbeFacts>,
    pub(super) groups: BTreeMap<Site, GroupFacts>,
    /// Accounts that were asked for and cannot be looked at.
    pub(super) strangers: BTreeMap<AccountId, Stranger>,
}

/// The hub's own side.
#[derive(Clone, Debug)]
pub(super) struct HubFacts {
    pub(super) caller: Caller,
    /// How far our clock is ahead of AWS's, where an answer told.
    pub(super) ahead: Option<Span>,
    pub(super) directory: Result<Listed, Fault>,
    pub(super) queues: BTreeMap<Way, QueueFacts>,
    pub(super) rules: BTreeMap<Way, Seen<RuleSeen>>,
    pub(super) store: StoreFacts,
    pub(super) policy: PolicyFacts,
    /// The digest of a published policy that waits for approval.
    pub(super) waits: Option<String>,
}

/// What the directory of accounts gave.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Listed {
    /// Enrolled and active.
    pub(super) active: usize,
    /// Enrolled, and closed or suspended.
    pub(super) inactive: usize,
}

/// A queue of the hub.
#[derive(Clone, Debug)]
pub(super) struct QueueFacts {
    pub(super) url: String,
    pub(super) queue: Seen<QueueSeen>,
    /// How long its oldest message waits, where any does and SQS told.
    pub(super) oldest: Result<Option<Span>, Fault>,
    /// The queue of its dead letters; none where it names none.
    pub(super) dead: Option<Seen<QueueSeen>>,
}

/// The store.
#[derive(Clone, Debug)]
pub(super) enum StoreFacts {
    /// It was read.
    Read(Brakes),
    /// It is where it should be, and nobody has used it yet.
    Unused,
    /// It cannot be read; why, and what to do.
    Failed(String),
}

/// Published policy.
#[derive(Clone, Debug)]
pub(super) enum PolicyFacts {
    /// It was read and is whole: where from, and which state of it.
    Read { files: usize, version: String },
    /// None is named, and the built-in one is in force.
    BuiltIn,
    /// None is named, so nothing is in force.
    Nowhere,
    /// It is named, and nobody has published any yet; in words.
    Absent(String),
    /// It cannot be read, or is wrong.
    Failed(String),
}

/// Why an account that was asked for is not looked at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stranger {
    NotEnrolled,
    NotActive,
}

/// An account.
#[derive(Clone, Debug)]
pub(super) struct AccountFacts {
    /// Whether its role was assumed; nothing else is asked for where it was not.
    pub(super) role: Result<(), Fault>,
    pub(super) inside: Option<Inside>,
}

/// What is asked for once its role was assumed.
#[derive(Clone, Debug)]
pub(super) struct Inside {
    /// Of an account with a role alone.
    pub(super) ours: Option<OurRole>,
    pub(super) spot_role: Seen<RoleSeen>,
    pub(super) scaling_role: Seen<RoleSeen>,
}

/// The member role.
#[derive(Clone, Debug)]
pub(super) struct OurRole {
    /// What its trust says to another external id.
    pub(super) wrong: Result<Trust, Fault>,
    /// What its trust says to none.
    pub(super) none: Result<Trust, Fault>,
    pub(super) role: Seen<RoleSeen>,
}

/// An account's region.
#[derive(Clone, Debug)]
pub(super) struct SiteFacts {
    pub(super) rules: BTreeMap<Way, Seen<RuleSeen>>,
    pub(super) dead: Seen<QueueSeen>,
    /// Spot quotas by class, in virtual processors; those that AWS does not tell are left out.
    pub(super) quotas: Result<BTreeMap<Class, u32>, Fault>,
    pub(super) used: Result<SpotUse, Fault>,
}

impl SiteFacts {
    /// Why nothing works there, where that is so: the region is not enabled.
    pub(super) fn closed(&self) -> Option<&'static str> {
        let first = self.rules.values().find_map(|rule| match rule {
            Err(Fault::Unreachable(why)) => Some(*why),
            Ok(_) | Err(_) => None,
        });
        first.filter(|_| self.rules.values().all(Result::is_err))
    }
}

/// A probe.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum ProbeFacts {
    /// It came, so long after it was sent.
    Came(Span),
    /// It was sent, and did not come within this time.
    Lost(Span),
    /// It could not be sent.
    Unsent(Fault),
    /// It was sent, and the queue cannot be read.
    Unread(Fault),
}

/// Groups of a site.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct GroupFacts {
    pub(super) groups: u32,
    /// Enabled by policy, and not opted out.
    pub(super) enabled: u32,
    /// Enabled ones without the tag that the member role asks for.
    pub(super) guarded: Vec<GroupName>,
    /// Enabled ones of launch configurations, where the member role may launch from templates alone.
    pub(super) unlaunchable: Vec<GroupName>,
    /// Enabled ones whose instance profile the member role may not pass.
    pub(super) unpassable: Vec<GroupName>,
    /// Processors of the Spot instances that would stand in for on-demand ones.
    pub(super) wanted: BTreeMap<Class, u32>,
    /// Why they, or some of them, could not be read: the fault's label, and the words for it.
    pub(super) missed: Option<(String, String)>,
}
