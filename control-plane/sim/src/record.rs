//! The lines of a trace: everything an outsider needs to recompute cost, savings, calls and laws.
//!
//! Records are made by the simulated world (and, for `swap`, `hold` and `event`, from the engine's notes). The laws
//! and the bill are computed from records alone, so a stored trace gives the same verdict as the run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use spothub_core::brake::BrakeScope;
use spothub_core::group::{Lifecycle, Process};
use spothub_core::id::{AccountId, AzId, GroupName, InstanceId, OuPath, Region, SwapId};
use spothub_core::money::UsdPerHour;

/// One line: when, and what.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Virtual milliseconds since the start; written as seconds with three decimals.
    #[serde(with = "seconds")]
    pub t: i64,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// Who did it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// The Auto Scaling service by itself.
    Autoscaling,
    /// The engine.
    Spothub,
    /// The owner of the account, or AWS on nobody's behalf.
    Owner,
}

/// Why an instance ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// Taken out by the engine because its replacement serves (also a rescued one).
    Retired,
    /// Taken back by AWS.
    Interrupted,
    /// Taken out by the group, which wanted fewer.
    ScaleIn,
    /// Replaced by the group for its health.
    Unhealthy,
    /// A newcomer of the engine's whose swap was undone.
    Undone,
    /// Ended by the engine as an orphan.
    Orphan,
    /// Ended by the owner.
    Owner,
}

/// How a call was answered, as the caller saw it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Done.
    Ok,
    /// Refused by an empty bucket.
    Throttled,
    /// Refused for lack of rights.
    Denied,
    /// Any other refusal or failure.
    Error,
    /// Never answered; `took_effect` says whether it was done.
    Lost,
}

/// A member within a `membership` record.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct MemberLine {
    /// The instance.
    pub id: InstanceId,
    /// Its lifecycle state, in AWS's words (`Pending`, `InService`, `Terminating`, `Standby`, `Detaching`).
    pub state: String,
    /// How it is bought.
    pub lifecycle: Lifecycle,
    /// Protected from scale-in.
    pub protected: bool,
    /// Called healthy by the group.
    pub healthy: bool,
}

/// Where a group is.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize)]
pub struct GroupRef {
    /// Account.
    pub account: AccountId,
    /// Region.
    pub region: Region,
    /// Name.
    pub group: GroupName,
}

/// The state of a group.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Membership {
    /// Which group.
    #[serde(flatten)]
    pub group: GroupRef,
    /// MinSize.
    pub min: u32,
    /// MaxSize.
    pub max: u32,
    /// DesiredCapacity.
    pub desired: u32,
    /// What the owner's side set, without our attaches.
    pub owner_desired: u32,
    /// The MaxSize that the owner's side set last, without our raising.
    pub owner_max: u32,
    /// Members in service and healthy.
    pub in_service: u32,
    /// Of these, Spot.
    pub spot: u32,
    /// Of these, on-demand.
    pub on_demand: u32,
    /// Suspended processes.
    pub suspended: Vec<Process>,
    /// The group's tags.
    pub tags: BTreeMap<String, String>,
    /// How many target groups.
    pub target_groups: u32,
    /// Whose act changed it.
    pub by: By,
    /// All members.
    pub members: Vec<MemberLine>,
}

/// What policy says of a group, from the scenario.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct PolicyLine {
    /// Which group.
    #[serde(flatten)]
    pub group: GroupRef,
    /// Its account's organizational unit.
    pub ou: OuPath,
    /// Seconds between the starts of two swaps.
    pub interval_s: i64,
    /// On-demand members to keep, as a number.
    pub floor_number: u32,
    /// On-demand members to keep, in percent of what is wanted.
    pub floor_percent: u8,
    /// Seconds a newcomer must have been in service before the old one goes.
    pub settle_s: i64,
    /// Enabled now.
    pub enabled: bool,
    /// `tag` or `policy` where it is opted out.
    pub opted_out_by: Option<String>,
    /// The least saving in percent.
    pub min_saving_percent: u8,
    /// Most swaps in flight in the organization, the unit, the account.
    pub in_flight_max: [u32; 3],
    /// Most members replaced by swaps in any hour, in percent of what is wanted (at least one).
    pub share_percent: u8,
    /// A member that we brought may move to another Spot pool for its price, so many seconds after it came at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moves_after_s: Option<i64>,
    /// Typical seconds from launch to passed checks, for the ramp.
    pub boot_s: i64,
    /// Seconds that the tasks of a container instance get before it goes, where the group serves an ECS cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain_s: Option<i64>,
}

/// What became of a container instance.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContainerChange {
    /// It was set to DRAINING.
    Draining,
    /// It was set to ACTIVE again.
    Active,
    /// Its instance is on its way out.
    Left,
}

/// A container instance of an ECS cluster.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct ContainerLine {
    /// Its instance's group.
    #[serde(flatten)]
    pub group: GroupRef,
    /// Its instance.
    pub instance_id: InstanceId,
    /// What became of it.
    pub change: ContainerChange,
    /// Tasks that run on it then.
    pub tasks: u32,
    /// Why its instance goes, where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Ended>,
}

/// A call of the engine's.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// The account called into.
    pub account: AccountId,
    /// The region.
    pub region: Region,
    /// The action, in IAM's form.
    pub action: String,
    /// Whether it changes anything.
    pub changing: bool,
    /// A repeated look while waiting.
    pub poll: bool,
    /// How it was answered.
    pub outcome: Outcome,
    /// Whether it was done, whatever the caller saw.
    pub took_effect: bool,
    /// The group, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupName>,
    /// The swap, where it serves exactly one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swap: Option<SwapId>,
    /// The swaps of a batched read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub swaps: Vec<SwapId>,
    /// The instance that is launched, attached or taken out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<InstanceId>,
    /// `orphan` where no swap is behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The groups that a read answered for, where fewer than all of the account's (to judge the age of looks).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub looked_at: Vec<GroupName>,
}

/// An instance begins to cost.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct InstanceStart {
    /// Where it is; the group it was launched for.
    #[serde(flatten)]
    pub group: GroupRef,
    /// Its zone.
    pub az_id: AzId,
    /// The instance.
    pub instance_id: InstanceId,
    /// Its type's name.
    #[serde(rename = "type")]
    pub kind: String,
    /// `Linux` or `Windows`.
    pub os: String,
    /// How it is bought.
    pub lifecycle: Lifecycle,
    /// The price in force.
    #[serde(with = "usd")]
    pub usd_per_hour: UsdPerHour,
    /// Who launched it.
    pub by: By,
    /// The swap that launched it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swap: Option<SwapId>,
    /// What it is to replace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<InstanceId>,
    /// The on-demand price counted for that.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "usd_option")]
    pub replaces_usd_per_hour: Option<UsdPerHour>,
}

/// What can happen.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum What {
    /// An instance began.
    InstanceStart(Box<InstanceStart>),
    /// The price of a running Spot instance changed.
    Price {
        /// The instance.
        instance_id: InstanceId,
        /// The price from now on.
        #[serde(with = "usd")]
        usd_per_hour: UsdPerHour,
    },
    /// An instance ended.
    InstanceEnd {
        /// The instance.
        instance_id: InstanceId,
        /// Why.
        why: Ended,
    },
    /// Policy of a group: at the start and at each change.
    Policy(Box<PolicyLine>),
    /// A group's state: at the start and at each change.
    Membership(Box<Membership>),
    /// AWS announced that it will take an instance (with or without an event that tells of it).
    Notice {
        /// The instance.
        instance_id: InstanceId,
        /// Virtual seconds at which it is taken.
        deadline_s: i64,
    },
    /// AWS recommended to replace an instance (with or without an event that tells of it).
    Recommendation {
        /// The instance.
        instance_id: InstanceId,
    },
    /// A container instance drains, takes tasks again, or goes.
    Container(Box<ContainerLine>),
    /// The engine made a call; written when it took effect or was refused.
    Call(Box<Call>),
    /// A hold began, changed, or ended (no reason).
    Hold {
        /// The group.
        #[serde(flatten)]
        group: GroupRef,
        /// The member, where it is about one.
        instance_id: Option<InstanceId>,
        /// The reason's label.
        reason: Option<String>,
    },
    /// The bus sent an event in so many copies (0: lost).
    EventSent {
        /// The event.
        id: String,
        /// Copies.
        copies: u32,
    },
    /// The operator pulled a brake, or released it.
    Brake {
        /// What it covers.
        #[serde(flatten)]
        scope: BrakeScope,
        /// It is set from now on.
        set: bool,
        /// What spothub brought there goes back to on-demand.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        revert: bool,
    },
    /// A swap or rescue reached a state.
    Swap {
        /// Which.
        swap: SwapId,
        /// Its group.
        #[serde(flatten)]
        group: GroupRef,
        /// A rescue and no swap.
        rescue: bool,
        /// The state; the last is `done`, `undone`, `failed` or `stranded`.
        state: String,
        /// What it replaces.
        old: InstanceId,
        /// What replaces it.
        new: Option<InstanceId>,
        /// Why it ended otherwise than planned.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// A received event was dealt with.
    Event {
        /// The event.
        id: String,
        /// Its detail-type.
        detail_type: String,
        /// Its account.
        account: Option<AccountId>,
        /// Its region.
        region: Option<Region>,
        /// `acted`, `held`, `ignored`, `duplicate` or `quarantined`.
        end: String,
        /// Why.
        reason: String,
    },
    /// The run is over: what still runs costs until here.
    End,
}

/// Takes records in order of time.
pub trait Sink: Send {
    /// Takes one record.
    fn take(&mut self, record: &Record);
}

impl Sink for Vec<Record> {
    fn take(&mut self, record: &Record) {
        self.push(record.clone());
    }
}

mod seconds {
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde's `with` asks for")]
    pub(super) fn serialize<S: Serializer>(millis: &i64, s: S) -> Result<S::Ok, S::Error> {
        // Exact: a double holds millions of hours to the millisecond.
        #[expect(clippy::cast_precision_loss, reason = "virtual times stay far below 2^53 milliseconds")]
        s.serialize_f64(*millis as f64 / 1000.0)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<i64, D::Error> {
        #[expect(clippy::cast_possible_truncation, reason = "rounded, and far below 2^53 milliseconds")]
        Ok((f64::deserialize(d)? * 1000.0).round() as i64)
    }
}

mod usd {
    use serde::{Deserialize, Deserializer, Serializer};
    use spothub_core::money::UsdPerHour;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde's `with` asks for")]
    pub(super) fn serialize<S: Serializer>(price: &UsdPerHour, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(price)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<UsdPerHour, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

mod usd_option {
    use serde::{Deserialize, Deserializer, Serializer};
    use spothub_core::money::UsdPerHour;

    #[expect(clippy::ref_option, reason = "the signature that serde's `with` asks for")]
    pub(super) fn serialize<S: Serializer>(price: &Option<UsdPerHour>, s: S) -> Result<S::Ok, S::Error> {
        match price {
            Some(price) => s.collect_str(price),
            None => s.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<UsdPerHour>, D::Error> {
        Option::<String>::deserialize(d)?.map(|text| text.parse()).transpose().map_err(serde::de::Error::custom)
    }
}
