//! The imperative shell: asks the ports, lets core decide, acts, and remembers.
//!
//! Knows the ports of core and nothing of who implements them. One [`Engine`] is one worker process: its loops run
//! as one future on whatever executor polls it, and all time comes from its clock.

pub mod audit;
mod books;
pub mod brake;
pub mod breaker;
mod budget;
pub mod commitments;
mod digest;
pub mod document;
mod drain;
mod engine;
mod events;
mod flights;
mod guard;
mod held;
mod inherited;
mod learn;
mod ledger;
pub mod limit;
mod marks;
mod memory;
mod notices;
mod observe;
mod once;
mod placement;
pub mod policy_file;
mod poll;
pub mod published;
mod quarantine;
mod reconcile;
mod rescue;
mod rights;
mod rows;
mod saga;
mod settings;
mod shares;
pub mod snapshot;
mod state;
pub mod status;
mod stop;
mod stranded;
pub mod survey;
mod sweep;
mod wakes;
mod worker;
mod workers;

pub use books::{Books, Kept};
pub use engine::{Engine, Ports};
pub use once::{Once, Pass, REST_AFTER};
pub use quarantine::Quarantined;
pub use settings::Settings;
pub use state::State;
pub use stop::STOP_MAX;
pub use workers::Beat;
