use proptest::prelude::*;
use spothub_usage::book::{DAYS, FORMAT, GroupDay};

use super::*;

/// 2026-01-01.
const START: i64 = 1_767_225_600_000;
const DAY_MS: i64 = 86_400_000;

fn row(day: i64, account: u64, unit: &str, numbers: &[i64]) -> Day {
    let groups = numbers.iter().enumerate().map(|(at, n)| GroupDay {
        region: "eu-west-1".parse().unwrap(),
        group: format!("g{at}").parse().unwrap(),
        totals: Totals {
            actual: Usd::from_units(i128::from(*n)),
            on_demand: Usd::from_units(i128::from(n * 3)),
            on_demand_net: Usd::from_units(i128::from(n * 2)),
            time: n + 5,
            spot: *n,
            unpriced: 5,
        },
    });
    Day {
        format: FORMAT,
        day: Timestamp(START + day * DAY_MS),
        account: AccountId::from_number(account).unwrap(),
        unit: unit.parse().unwrap(),
        pages: 1,
        groups: groups.collect(),
    }
}

fn report(by: Level, each: Each, days: &[Day]) -> Report {
    let mut report = Report::new(by, each, Timestamp(START), Timestamp(START + 60 * DAY_MS));
    days.iter().for_each(|day| report.add(day));
    report
}

fn sum<'a>(rows: impl Iterator<Item = &'a Totals>) -> Totals {
    rows.fold(Totals::default(), |mut all, one| {
        all.add(one);
        all
    })
}

proptest! {
    #[test]
    fn every_level_and_length_adds_up_to_the_same(
        given in prop::collection::vec((0_i64..60, 1_u64..5, 0_usize..4, prop::collection::vec(0_i64..1_000_000, 0..4)), 0..40)
    ) {
        let units = ["/", "/prod", "/prod/web", "/test"];
        let days: Vec<Day> = given.iter().map(|(day, account, unit, n)| row(*day, *account, units[*unit], n)).collect();
        let wanted = sum(days.iter().flat_map(|day| &day.groups).map(|group| &group.totals));
        for each in [Each::Day, Each::Month, Each::Total] {
            for by in [Level::Organization, Level::Account, Level::Group] {
                let report = report(by, each, &days);
                prop_assert_eq!(sum(report.rows.values()), wanted);
                prop_assert_eq!(report.total, wanted);
                prop_assert_eq!(sum(report.days.values()), wanted);
            }
            // The root has everything below it.
            let root = Scope::Ou("/".parse().unwrap());
            let report = report(Level::Ou, each, &days);
            prop_assert_eq!(sum(report.rows.iter().filter(|((_, s), _)| *s == root).map(|(_, t)| t)), wanted);
        }
    }
}

#[test]
fn a_unit_counts_all_below_it_and_nothing_beside_it() {
    let days = [row(0, 1, "/prod/web", &[7]), row(0, 2, "/prod", &[11]), row(0, 3, "/product", &[13])];
    let report = report(Level::Ou, Each::Total, &days);
    let of = |unit: &str| report.rows[&(Timestamp(START), Scope::Ou(unit.parse().unwrap()))].spot;
    assert_eq!([of("/"), of("/prod"), of("/prod/web"), of("/product")], [31, 18, 7, 13]);
}

#[test]
fn days_outside_are_not_counted() {
    assert_eq!(report(Level::Organization, Each::Total, &[row(60, 1, "/", &[7])]).total, Totals::default());
    assert!(DAYS.ends_with('/'));
}

#[test]
fn time_without_any_price_is_unknown() {
    assert!(!known(&Totals { time: 5, unpriced: 5, ..Totals::default() }));
    assert!(known(&Totals { time: 6, unpriced: 5, ..Totals::default() }));
}
