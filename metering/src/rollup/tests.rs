//! The calendar, and the law that every level adds up to the slices (INV-7).

use proptest::prelude::*;

use super::*;
use crate::Usage;
use crate::slice::Baseline;
use crate::slice::made::{EVE, subject, usage};
use spothub_core::money::UsdPerHour;

const FAR: Timestamp = Timestamp(EVE.0 + 4 * HOUR.0);

fn slices(usages: &[Usage]) -> Vec<Slice> {
    usages.iter().flat_map(|usage| usage.slices(EVE, FAR)).collect()
}

fn rolled<'a>(slices: impl IntoIterator<Item = &'a Slice>) -> Rollups {
    let mut rollups = Rollups::default();
    slices.into_iter().for_each(|slice| rollups.add(slice));
    rollups
}

/// A price in force for four hours that end in the next month, in one piece.
fn long() -> Slice {
    let (actual, baseline) = (UsdPerHour(30_000), Some(UsdPerHour(90_000)));
    Slice { subject: subject(0), from: EVE, to: FAR, actual, baseline }
}

#[test]
fn a_slice_is_shared_out_to_its_hours_days_and_months() {
    let rollups = rolled(&[long()]);
    let starts = |grain| -> Vec<String> {
        let rows = rollups.rows(grain, Level::Organization);
        rows.iter().map(|((period, _), sums)| format!("{} {}", period.start, sums.saved())).collect()
    };
    assert_eq!(
        starts(Grain::Hour),
        [
            "2026-01-31T22:00:00Z 0.060000",
            "2026-01-31T23:00:00Z 0.060000",
            "2026-02-01T00:00:00Z 0.060000",
            "2026-02-01T01:00:00Z 0.060000",
        ]
    );
    assert_eq!(starts(Grain::Day), ["2026-01-31T00:00:00Z 0.120000", "2026-02-01T00:00:00Z 0.120000"]);
    assert_eq!(starts(Grain::Month), ["2026-01-01T00:00:00Z 0.120000", "2026-02-01T00:00:00Z 0.120000"]);
    assert_eq!(rollups.total().saved_basis_points(), Some(6_666));
    rollups.equals(&[long()]).unwrap();
}

#[test]
fn the_smallest_difference_is_found_and_told() {
    let mut dearer = long();
    dearer.actual.0 += 1;
    let found = rolled(&[long()]).equals(&[dearer]).unwrap_err();
    assert_eq!(
        found.to_string(),
        "000000000000/eu-west-1/web-0 in the Hour from 2026-01-31T22:00:00Z: rolled up 0.030000 USD actual, \
         0.090000 USD on demand, 3600000 ms; by slices 0.030001 USD, 0.090000 USD, 3600000 ms"
    );
    Rollups::default().equals(&[long()]).unwrap_err();
    rolled(&[long()]).equals(&[]).unwrap_err();
    rolled(&[long(), long()]).equals(&[long()]).unwrap_err();

    let mut elsewhere = long();
    elsewhere.subject = subject(1);
    rolled(&[long()]).equals(&[elsewhere]).unwrap_err();
}

#[test]
fn every_day_has_the_day_of_the_month_of_the_calendar() {
    let mut date = jiff::civil::date(-4_000, 1, 1);
    let mut day = date.since((jiff::Unit::Day, jiff::civil::date(1970, 1, 1))).unwrap().get_days().into();
    while date < jiff::civil::date(4_000, 1, 1) {
        assert_eq!(i64::from(day_of_month(day)), i64::from(date.day()), "{date}");
        (date, day) = (date.tomorrow().unwrap(), day + 1);
    }
}

proptest! {
    #[test]
    fn rollups_equal_the_slices_at_every_level(usages in prop::collection::vec(usage(), 0..12)) {
        let slices = slices(&usages);
        let rollups = rolled(&slices);
        prop_assert_eq!(rollups.equals(&slices), Ok(()));
        let total: Sums = slices.iter().map(Sums::of).sum();
        prop_assert_eq!(rollups.total(), total);
        for level in LEVELS {
            prop_assert_eq!(rollups.totals(level).into_values().sum::<Sums>(), total);
            for grain in GRAINS {
                prop_assert_eq!(rollups.rows(grain, level).into_values().sum::<Sums>(), total);
            }
        }
    }

    #[test]
    fn order_does_not_matter(usages in prop::collection::vec(usage(), 0..6)) {
        let slices = slices(&usages);
        prop_assert_eq!(rolled(&slices), rolled(slices.iter().rev()));
    }

    #[test]
    fn a_lost_slice_is_noticed(usages in prop::collection::vec(usage(), 1..6), lost in any::<prop::sample::Index>()) {
        let slices = slices(&usages);
        prop_assume!(!slices.is_empty());
        let lost = lost.index(slices.len());
        let rest = slices.iter().enumerate().filter(|&(n, _)| n != lost).map(|(_, slice)| slice);
        prop_assert!(rolled(rest).equals(&slices).is_err());
    }

    #[test]
    fn without_us_nothing_is_saved(mut usages in prop::collection::vec(usage(), 0..6)) {
        for usage in &mut usages {
            usage.baseline = Baseline::Own;
        }
        let total = rolled(&slices(&usages)).total();
        prop_assert_eq!(total.actual, total.on_demand);
    }

    #[test]
    fn a_moment_lies_in_its_period(at in -62_000_000_000_000_i64..250_000_000_000_000) {
        let at = Timestamp(at);
        for grain in GRAINS {
            let period = Period::of(grain, at);
            prop_assert!(period.start <= at && at < period.end());
            prop_assert_eq!(Period::of(grain, period.start), period);
            prop_assert_eq!(Period::of(grain, Timestamp(period.end().0 - 1)), period);
            prop_assert_eq!(Period::of(grain, period.end()).start, period.end());
        }
    }
}
