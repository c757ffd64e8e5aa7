//! `spothub doctor` over an organization on an emulator of its own: good where all is well, and each thing that is
//! wrong is named with what to do about it.

mod clinic;
mod hub;
mod line;
mod members;
