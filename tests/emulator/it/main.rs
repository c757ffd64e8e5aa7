//! Tests of the AWS adapter on the emulator of this folder: the shared suite of the cloud ports, and where the emulator
//! is known to differ from AWS.

#[cfg(test)]
mod clients;
#[cfg(test)]
mod clock;
#[cfg(test)]
mod control;
#[cfg(test)]
mod differences;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod emulator;
#[cfg(test)]
mod groups;
#[cfg(test)]
mod journey;
#[cfg(test)]
mod organization;
#[cfg(test)]
mod policies;
#[cfg(test)]
mod program;
#[cfg(test)]
mod proven;
#[cfg(test)]
mod rollout;
#[cfg(test)]
mod server;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod store;
#[cfg(test)]
mod suite;
