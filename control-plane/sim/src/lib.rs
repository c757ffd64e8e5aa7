//! The embedded simulated organization: accounts, groups, a Spot market and best-effort events in virtual time.
//!
//! Knows the ports of core, the engine and the embedded store. One seed decides everything; nothing here reads the
//! machine's clock, but for the wall time that a run reports of itself.

pub mod bill;
pub mod bus;
pub mod cloud;
pub mod delivered;
pub mod exec;
pub mod laws;
pub mod market;
pub mod organization;
pub mod outcome;
mod owner;
pub mod record;
pub mod run;
pub mod scenario;
pub mod seed;
pub mod shape;
pub mod steady;
pub mod world;
