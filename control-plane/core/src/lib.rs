//! Facts, decisions and ports of spothub.
//!
//! Everything here is pure: no clock, no environment, no network, no float. What must be asked of the world is
//! asked through the traits in [`port`]; everything else takes its inputs as arguments.

pub mod audit;
pub mod autospotting;
pub mod brake;
pub mod breaker;
pub mod catalog;
pub mod cloud;
pub mod commitment;
pub mod compat;
pub mod event;
pub mod fault;
pub mod group;
pub mod id;
pub mod lookup;
pub mod market;
pub mod money;
pub mod placement;
pub mod plan;
pub mod policy;
pub mod port;
pub mod reason;
pub mod record;
pub mod rights;
pub mod saga;
pub mod score;
pub mod time;
