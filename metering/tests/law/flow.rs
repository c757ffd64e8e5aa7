//! Single cases: what each answer leads to, flags, month ends, dry runs, and both ways for one hour.

use crate::run::{Plan, run};

#[test]
fn calm_hours_are_all_accepted() {
    let found = run(&Plan::calm(1, 60)).unwrap();
    assert_eq!((found.unknown, found.carried), (0, 0));
    assert!(found.booked >= 2 * 60, "{found:?}");
}
