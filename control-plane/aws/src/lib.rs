//! The clouds port over the AWS SDK: the only crate that names it.
//!
//! Reads and changes member accounts through assumed roles, and the hub's own account for queues, the directory,
//! published policy and prices. Every answer becomes core's words here, and every failure core's `Fault`; nothing of
//! the SDK leaves.

mod action;
mod alarm;
mod bounded;
mod client;
mod cloud;
mod commitment;
mod container;
pub mod doctor;
mod ec2;
mod fault;
mod group;
mod home;
mod launch;
mod meter;
mod org;
mod placement;
mod policies;
mod price;
mod queue;
mod recipe;
mod refresh;
mod session;
mod settings;
pub mod stacks;
mod store;
mod target;
mod types;
mod zone;

pub use aws_config::SdkConfig;

pub use action::{Action, Called, Holder, Observer, Outcome, Uncounted};
pub use client::{load, load_anywhere};
pub use cloud::{AwsCloud, AwsCommitments};
pub use home::{Caller, Home};
pub use meter::Marketplace;
pub use org::{Enrolment, FixedDirectory, LIST_AGE_MAX, OrgDirectory, Scope, UnitId, UnitIdError};
pub use placement::AwsPlacement;
pub use policies::SsmPolicies;
pub use price::{AwsPrices, Listed, PriceList, Refusal};
pub use queue::{QueueUrls, SqsInbox};
pub use refresh::{Refreshed, refresh};
pub use session::{ASIDE_FOR, Kind, NotTheHub, Sessions, as_hub};
pub use settings::{ExternalId, HubId, MemberRole, Own, ParameterName, SettingError, Settings, TableName, TimeOuts};
pub use store::{DynamoStore, STORE_FORMAT, StoreSettings, StoreStep};
pub use types::{Missing, RegionTypes, TypeReader};
