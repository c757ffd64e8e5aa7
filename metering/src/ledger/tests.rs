//! Booking and correcting: refusals, and the law that the book's sums are those of what is in force.

use proptest::prelude::*;

use super::*;
use crate::slice::made::{EVE, subject, usage};
use spothub_core::money::UsdPerHour;
use spothub_core::time::Span;

const NOW: Timestamp = Timestamp(EVE.0 + Span::hours(5).0);

/// Minutes after [`EVE`] of an instance.
fn slice(instance: u64, from: i64, to: i64) -> Slice {
    let (from, to) = (EVE + Span::mins(from), EVE + Span::mins(to));
    Slice { subject: subject(instance), from, to, actual: UsdPerHour(1), baseline: None }
}

fn book(slices: &[Slice]) -> Ledger {
    let mut ledger = Ledger::default();
    for slice in slices {
        ledger.append(NOW, slice.clone()).unwrap();
    }
    ledger
}

#[test]
fn no_time_is_booked_twice() {
    let mut ledger = book(&[slice(0, 10, 20), slice(0, 30, 40), slice(1, 0, 60)]);
    for (from, to) in [(10, 20), (5, 11), (19, 30), (12, 13), (0, 60), (20, 31), (39, 41)] {
        let refused = ledger.append(NOW, slice(0, from, to));
        assert!(matches!(refused, Err(LedgerError::Overlap { .. })), "{from} to {to}: {refused:?}");
    }
    for (from, to) in [(20, 20), (25, 24)] {
        assert!(matches!(ledger.append(NOW, slice(0, from, to)), Err(LedgerError::Empty { .. })));
    }
    assert_eq!(ledger.append(NOW, slice(0, 20, 30)), Ok(3));
    assert_eq!(ledger.entries().len(), 4);
}

#[test]
fn a_correction_appends_and_hides_nothing() {
    let mut ledger = book(&[slice(0, 0, 60)]);
    ledger.correct(NOW, 0, vec![slice(0, 0, 20), slice(1, 0, 60)]).unwrap();
    let kinds: Vec<EntryKind> = ledger.entries().iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, [EntryKind::Booked, EntryKind::Reversal { of: 0 }, EntryKind::Booked, EntryKind::Booked]);
    assert_eq!(ledger.in_force().cloned().collect::<Vec<_>>(), [slice(0, 0, 20), slice(1, 0, 60)]);
    ledger.rollups().equals(ledger.in_force()).unwrap();
    for entry in [0, 1, 9] {
        assert_eq!(ledger.correct(NOW, entry, vec![]), Err(LedgerError::NotInForce(entry)));
    }
}

#[test]
fn a_refused_correction_leaves_the_book_as_it_was() {
    let mut ledger = book(&[slice(0, 0, 20), slice(0, 20, 40)]);
    for right in [vec![slice(0, 0, 21)], vec![slice(0, 0, 10), slice(0, 9, 12)], vec![slice(0, 3, 3)]] {
        ledger.correct(NOW, 0, right).unwrap_err();
        assert_eq!(ledger.entries().len(), 2);
        assert_eq!(ledger.in_force().count(), 2);
    }
    ledger.correct(NOW, 0, vec![slice(0, 0, 10), slice(0, 10, 12)]).unwrap();
}

proptest! {
    #[test]
    fn the_book_equals_what_is_in_force(
        usages in prop::collection::vec(usage(), 0..6),
        wrong in prop::collection::vec((any::<prop::sample::Index>(), usage()), 0..6),
    ) {
        let mut ledger = Ledger::default();
        for slice in usages.iter().flat_map(|usage| usage.slices(EVE, NOW)) {
            // Two usages may be of one instance; the second is refused where they overlap.
            let _ = ledger.append(NOW, slice);
        }
        for (wrong, right) in wrong {
            let before = ledger.entries().to_vec();
            if !before.is_empty() {
                let _ = ledger.correct(NOW, wrong.index(before.len()), right.slices(EVE, NOW).collect());
            }
            prop_assert_eq!(&ledger.entries()[..before.len()], &before[..]);
        }
        prop_assert_eq!(ledger.rollups().equals(ledger.in_force()), Ok(()));
    }
}
