//! Tests across crates: those without an SDK in `it/`, the `seeds` program that runs scenarios over many seeds, and
//! here what several test binaries share.

#[expect(missing_docs, reason = "a case's name is its promise")]
#[expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a case that fails panics")]
pub mod cloud;
#[expect(missing_docs, reason = "a case's name is its promise")]
#[expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a case that fails panics")]
pub mod store;
