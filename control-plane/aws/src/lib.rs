//! The clouds port over the AWS SDK: the only crate that names it.
//!
//! Reads and changes member accounts through assumed roles, and the hub's own account for queues, the directory and
//! prices. Every answer becomes core's words here, and every failure core's `Fault`; nothing of the SDK leaves.

mod org;
mod price;
mod queue;
mod types;
