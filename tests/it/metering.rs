//! What metering says to the engine: no new swaps without a subscription, and what runs stays protected.

use std::sync::{Arc, Mutex};

use futures::executor::block_on;
use spothub_core::port::{Expect, Put, Store};
use spothub_usage::task::Flags;
use spothub_usage::task::rows::FLAGS;

use crate::played::{Played, options, play_tampered, scenario};

/// A run of four hours on a store with these flags.
fn played(name: &str, flags: Option<&Flags>) -> Played {
    let wrote = Mutex::new(false);
    play_tampered(&scenario(name), &options(1, 4), |ports| {
        if let (Some(flags), false) = (flags, std::mem::replace(&mut *wrote.lock().unwrap(), true)) {
            let value = Some(serde_json::to_vec(flags).unwrap());
            let put = Put { key: FLAGS.to_owned(), value, expect: Expect::Anything, fence: 1 };
            let store: Arc<dyn Store> = Arc::clone(&ports.store);
            block_on(store.write(&[put])).unwrap();
        }
        ports
    })
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
