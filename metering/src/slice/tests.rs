//! Cutting: examples, and the law that cutting never changes a sum.

use proptest::prelude::*;

use super::*;
use crate::savings::Sums;

/// Made usage for the tests of this crate.
pub(crate) mod made {
    use super::*;

    /// 2026-01-31T22:00:00Z, close to the end of an hour, a day and a month.
    pub(crate) const EVE: Timestamp = Timestamp(1_769_896_800_000);

    pub(crate) fn subject(number: u64) -> Arc<Subject> {
        let account = number / 3 % 3;
        Arc::new(Subject {
            group: GroupKey {
                site: format!("{account:012}").parse().map(|account| Site { account, region: region() }).unwrap(),
                name: format!("web-{}", number % 2).parse().unwrap(),
            },
            unit: ["/", "/prod", "/prod/web"][usize::try_from(account).unwrap()].parse().unwrap(),
            instance: InstanceId::from_number(u128::from(number)),
            kind: "m5.large".into(),
            az: "euw1-az2".parse().unwrap(),
            lifecycle: Lifecycle::Spot,
        })
    }

    fn region() -> Region {
        "eu-west-1".parse().unwrap()
    }

    pub(crate) fn baseline() -> impl Strategy<Value = Baseline> {
        let from = prop::option::of(moment());
        prop_oneof![Just(Baseline::Own), (price(), from).prop_map(|(price, from)| Baseline::Replaced { price, from })]
    }

    /// A time within three hours around the end of a month, now and then a whole hour.
    pub(crate) fn moment() -> impl Strategy<Value = Timestamp> {
        let hour = (0..=3_i64).prop_map(|n| EVE + HOUR.times(n));
        prop_oneof![4 => (0..3 * HOUR.0).prop_map(|ms| EVE + Span(ms)), 1 => hour]
    }

    pub(crate) fn price() -> impl Strategy<Value = UsdPerHour> {
        (0..40_000_000_i64).prop_map(UsdPerHour)
    }

    pub(crate) fn usage() -> impl Strategy<Value = Usage> {
        let changes = prop::collection::vec((moment(), price()), 0..6);
        (0..12_u64, moment(), price(), baseline(), changes, prop::option::of(moment())).prop_map(
            |(number, start, price, baseline, changes, end)| {
                let mut usage = Usage::new(subject(number), start, price, baseline);
                usage.end = end;
                for (at, price) in changes {
                    usage.reprice(at, price);
                }
                usage
            },
        )
    }
}

use made::{EVE, moment, subject, usage};
use spothub_core::id::{Region, Site};

const FAR: Timestamp = Timestamp(EVE.0 + 4 * HOUR.0);

fn spot(baseline: Baseline) -> Usage {
    Usage::new(subject(0), EVE + Span::mins(50), UsdPerHour(30_000), baseline)
}

/// Each slice as `from-to price baseline`, in minutes since [`EVE`].
fn told(usage: &Usage, to: Timestamp) -> Vec<String> {
    let minutes = |at: Timestamp| at.since(EVE).as_secs() / 60;
    let line = |slice: Slice| {
        let baseline = slice.baseline.map_or("-".to_owned(), |price| price.0.to_string());
        format!("{}-{} {} {baseline}", minutes(slice.from), minutes(slice.to), slice.actual.0)
    };
    usage.slices(EVE, to).map(line).collect()
}

#[test]
fn cuts_lie_at_hours_prices_and_the_baseline() {
    let replaced = Baseline::Replaced { price: UsdPerHour(96_000), from: Some(EVE + Span::mins(55)) };
    let mut usage = spot(replaced);
    usage.reprice(EVE + Span::mins(70), UsdPerHour(40_000));
    usage.end = Some(EVE + Span::mins(125));
    let expected =
        ["50-55 30000 -", "55-60 30000 96000", "60-70 30000 96000", "70-120 40000 96000", "120-125 40000 96000"];
    assert_eq!(told(&usage, FAR), expected);
    assert_eq!(told(&usage, EVE + Span::mins(57)), ["50-55 30000 -", "55-57 30000 96000"]);
}

#[test]
fn without_a_replaced_instance_all_of_it_is_cost() {
    let usage = spot(Baseline::Replaced { price: UsdPerHour(96_000), from: None });
    let sums: Sums = usage.slices(EVE, EVE + HOUR).map(|slice| Sums::of(&slice)).sum();
    assert_eq!((sums.on_demand.to_string(), sums.saved().to_string()), ("0.000000".into(), "-0.005000".into()));
    assert_eq!(sums.saved_basis_points(), None);
}

#[test]
fn what_we_did_not_launch_saves_nothing() {
    let mut usage = spot(Baseline::Own);
    usage.reprice(EVE + Span::mins(55), UsdPerHour(96_000));
    let sums: Sums = usage.slices(EVE, FAR).map(|slice| Sums::of(&slice)).sum();
    assert!(sums.actual > spothub_core::money::Usd::ZERO);
    assert_eq!((sums.actual, sums.saved_basis_points()), (sums.on_demand, Some(0)));
}

#[test]
fn a_price_told_before_the_start_is_the_first_price() {
    let mut usage = spot(Baseline::Own);
    usage.reprice(EVE, UsdPerHour(7));
    assert_eq!(told(&usage, EVE + HOUR), ["50-60 7 7"]);
}

#[test]
fn nothing_lies_before_the_start_or_after_the_end() {
    let mut usage = spot(Baseline::Own);
    assert_eq!(usage.slices(EVE, usage.start()).count(), 0);
    usage.end = Some(usage.start());
    assert_eq!(usage.slices(EVE, FAR).count(), 0);
    usage.end = Some(EVE);
    assert_eq!(usage.slices(EVE, FAR).count(), 0);
}

/// Cost by the definition, in steps of one unchanged price: no hours, no windows.
fn by_definition(usage: &Usage, until: Timestamp) -> Sums {
    let end = usage.end.unwrap_or(until).min(until);
    let counted = match usage.baseline {
        Baseline::Replaced { from, .. } => from,
        Baseline::Own => None,
    };
    let mut edges: Vec<Timestamp> = usage.prices.keys().copied().chain(counted).chain([end]).collect();
    edges.retain(|&at| at >= usage.start && at <= end);
    edges.sort();
    let mut sums = Sums::ZERO;
    for (from, to) in edges.iter().zip(edges.iter().skip(1)) {
        let (_, price) = usage.prices.range(..=*from).next_back().unwrap();
        let span = to.since(*from);
        sums.time = sums.time + span;
        sums.actual += price.over(span);
        sums.on_demand += match usage.baseline {
            Baseline::Own => price.over(span),
            Baseline::Replaced { price, from: Some(since) } if since <= *from => price.over(span),
            Baseline::Replaced { .. } => spothub_core::money::Usd::ZERO,
        };
    }
    sums
}

proptest! {
    #[test]
    fn slices_join_and_keep_to_one_hour(usage in usage()) {
        let slices: Vec<Slice> = usage.slices(EVE, FAR).collect();
        for slice in &slices {
            prop_assert!(slice.from < slice.to);
            prop_assert_eq!(hour_of(slice.from), hour_of(Timestamp(slice.to.0 - 1)));
        }
        for (one, next) in slices.iter().zip(slices.iter().skip(1)) {
            prop_assert_eq!(one.to, next.from);
        }
        let end = usage.end.unwrap_or(FAR).max(usage.start);
        prop_assert_eq!(slices.first().map_or(end, |slice| slice.from), usage.start);
        prop_assert_eq!(slices.last().map_or(end, |slice| slice.to), end);
    }

    #[test]
    fn any_set_of_cuts_keeps_the_sum(usage in usage(), mut cuts in prop::collection::vec(moment(), 0..8)) {
        cuts.extend([EVE, FAR]);
        cuts.sort();
        let windows = cuts.iter().zip(cuts.iter().skip(1));
        let parts: Vec<Slice> = windows.flat_map(|(from, to)| usage.slices(*from, *to)).collect();
        prop_assert_eq!(parts.iter().map(Sums::of).sum::<Sums>(), by_definition(&usage, FAR));
    }

    #[test]
    fn cutting_a_slice_keeps_its_sums(usage in usage(), cut in moment()) {
        for slice in usage.slices(EVE, FAR) {
            let parts = [slice.within(slice.from, cut), slice.within(cut, slice.to)];
            prop_assert_eq!(parts.iter().flatten().map(Sums::of).sum::<Sums>(), Sums::of(&slice));
        }
    }
}
