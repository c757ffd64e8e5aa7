//! Tests across crates that need no AWS account and no SDK.

#[cfg(test)]
mod cli;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod tidy;
