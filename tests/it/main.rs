//! Tests across crates that need no AWS account and no SDK.

#[cfg(test)]
mod audit;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod cloud;
#[cfg(test)]
mod commitments;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod converge;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod delivery;
#[cfg(test)]
mod determinism;
#[cfg(test)]
mod draining;
#[cfg(test)]
mod dryrun;
#[cfg(test)]
mod guard;
#[cfg(test)]
mod judge;
#[cfg(test)]
mod kinds;
#[cfg(test)]
mod metering;
#[cfg(test)]
mod migrate;
#[cfg(test)]
mod model;
#[cfg(test)]
mod once;
#[cfg(test)]
mod patterns;
#[cfg(test)]
mod peer;
#[cfg(test)]
mod placement;
#[cfg(test)]
mod plan;
#[cfg(test)]
mod played;
#[cfg(test)]
mod policy;
#[cfg(test)]
mod policy_cli;
#[cfg(test)]
mod published;
#[cfg(test)]
mod recorded;
#[cfg(test)]
mod restored;
#[cfg(test)]
mod revoked;
#[cfg(test)]
mod sabotage;
#[cfg(test)]
mod spread;
#[cfg(test)]
mod storm;
#[cfg(test)]
mod tidy;
#[cfg(test)]
mod timeline;
#[cfg(test)]
mod trace;
#[cfg(test)]
mod versions;
#[cfg(test)]
mod workers;
