//! What metering says to the engine: no new swaps without a subscription, and what runs stays protected.

use std::sync::{Arc, Mutex};

use futures::executor::block_on;
use spothub_core::port::{Expect, Put, Store};
use spothub_core::time::Timestamp;
use spothub_hub::status::{Status, status};
use spothub_usage::task::Flags;
use spothub_usage::task::rows::FLAGS;

use crate::played::{Played, options, play_tampered, scenario};

/// A run of four hours on a store with these flags.
fn played(name: &str, flags: Option<&Flags>) -> Played {
    over(name, flags.map(|flags| serde_json::to_vec(flags).unwrap()).as_deref()).0
}

/// A run of four hours on a store where this stands, and what `status` says at its end.
fn over(name: &str, row: Option<&[u8]>) -> (Played, Status) {
    let wrote = Mutex::new(false);
    let kept: Mutex<Option<Arc<dyn Store>>> = Mutex::new(None);
    let run = play_tampered(&scenario(name), &options(1, 4), |ports| {
        if let (Some(row), false) = (row, std::mem::replace(&mut *wrote.lock().unwrap(), true)) {
            let value = Some(row.to_vec());
            let put = Put { key: FLAGS.to_owned(), value, expect: Expect::Anything, fence: 1 };
            block_on(ports.store.write(&[put])).unwrap();
        }
        *kept.lock().unwrap() = Some(Arc::clone(&ports.store));
        ports
    });
    let store = kept.into_inner().unwrap().unwrap();
    (run, block_on(status(&*store, Timestamp(0))).unwrap())
}

#[test]
fn flags_that_cannot_be_understood_hold_swaps_and_are_told() {
    let (run, status) = over("small", Some(b"?"));
    assert_eq!(run.outcome.swaps.started, 0);
    let told = status.metering.unwrap();
    assert!(told.flags.is_none() && told.troubles[0].contains("meter/flags cannot be read"), "{:?}", told.troubles);
    let (_, status) = over("small", None);
    assert!(status.metering.is_none(), "it never ran");
}

#[test]
fn no_swap_begins_without_a_subscription() {
    let held = played("small", Some(&Flags { hold_swaps: true, ..Flags::default() }));
    assert!(held.broken_at_rest().is_empty(), "{:?}", held.violations());
    assert_eq!(held.outcome.swaps.started, 0);
    assert!(held.outcome.holds.get("metering").is_some_and(|count| *count > 10), "{:?}", held.outcome.holds);
}

#[test]
fn flags_that_hold_nothing_change_nothing() {
    let flags = Flags { alarm: true, unknown: 3, ..Flags::default() };
    let (with, without) = (played("small", Some(&flags)), played("small", None));
    assert!(with.outcome.swaps.started > 0);
    assert_eq!(with.outcome.swaps, without.outcome.swaps);
}
