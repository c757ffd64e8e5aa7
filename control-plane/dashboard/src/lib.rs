//! The web view of a hub: reads the hub's store, and writes nothing but brakes, in the name of an operator.
//!
//! Its own process, so that no page slows a sweep. All pages share one snapshot of the store ([`Shared`]); every
//! request passes one door ([`answer`]), which checks the Host first and sets the same strict headers on each answer.
//! Knows no AWS, no file and no environment: clock, store, chance and the access file's text come in.

mod access;
mod door;
mod facts;
mod gate;
mod listener;
mod session;
mod snapshot;
mod view;

pub use access::{Access, Person, Role, Sight};
pub use door::{Desk, answer};
pub use gate::{Hosts, Refused, may_listen, same_origin};
pub use listener::{CONNECTIONS_MAX, serve};
pub use session::Sessions;
pub use snapshot::Shared;
