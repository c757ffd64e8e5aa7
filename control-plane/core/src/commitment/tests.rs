//! What is covered at the margin, by example and by law.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::catalog::Catalog;
use crate::time::Span;

const NOW: Timestamp = Timestamp(1_767_225_600_000);

fn catalog() -> &'static Catalog {
    Catalog::embedded()
}

fn kind(name: &str) -> TypeId {
    catalog().by_name(name).unwrap()
}

fn account(n: u64) -> AccountId {
    AccountId::from_number(n).unwrap()
}

fn region() -> Region {
    "us-east-1".parse().unwrap()
}

fn az(n: u8) -> AzId {
    format!("use1-az{n}").parse().unwrap()
}

fn slot(n: u64, zone: u8, name: &str) -> Slot {
    Slot { account: account(n), region: region(), az: az(zone), kind: kind(name), product: Product::Linux }
}

fn reserved(n: u64, zone: Option<u8>, name: &str, count: u32) -> Commitment {
    let terms =
        Terms::Reserved { region: region(), az: zone.map(az), kind: kind(name), product: Product::Linux, count };
    Commitment { account: account(n), terms, ends_at: None }
}

fn compute(hourly: i64) -> Commitment {
    Commitment { account: account(9), terms: Terms::ComputePlan { hourly: UsdPerHour(hourly) }, ends_at: None }
}

fn covered(commitments: &[Commitment], running: &[(Slot, u32)]) -> Coverage {
    Coverage::new(commitments, &running.iter().cloned().collect(), BTreeSet::new(), catalog(), NOW)
}

/// How many of these instances become Spot one after the other while nothing is lost by it.
fn free(mut coverage: Coverage, of: &Slot) -> u32 {
    (0..1000)
        .take_while(|_| {
            let whole = coverage.uncovered(of, catalog()) == PPM;
            coverage.convert(of, catalog());
            whole
        })
        .fold(0, |n, _| n + 1)
}

#[test]
fn as_many_stay_as_are_reserved_and_the_rest_may_go() {
    let large = slot(1, 1, "m5.large");
    let ten = [(large.clone(), 10)];
    assert_eq!(free(covered(&[reserved(1, None, "m5.large", 4)], &ten), &large), 6);
    assert_eq!(free(covered(&[reserved(1, None, "m5.large", 12)], &ten), &large), 0);
    assert_eq!(covered(&[], &ten).uncovered(&large, catalog()), PPM);
    assert_eq!(covered(&[reserved(1, None, "c5.large", 4)], &ten).uncovered(&large, catalog()), PPM);
}

#[test]
fn whoever_shares_takes_over_what_one_leaves() {
    let (mine, theirs) = (slot(1, 1, "m5.large"), slot(2, 2, "m5.large"));
    let both = [(mine.clone(), 3), (theirs.clone(), 5)];
    let four = [reserved(1, None, "m5.large", 4)];
    assert_eq!(free(covered(&four, &both), &mine), 4, "five of the other account's would use four");
    let alone = BTreeSet::from([account(1)]);
    let apart = Coverage::new(&four, &both.into_iter().collect(), alone, catalog(), NOW);
    assert_eq!((free(apart.clone(), &mine), apart.uncovered(&theirs, catalog())), (0, PPM));
}

#[test]
fn a_zonal_one_is_for_its_zone_and_type_alone() {
    let (here, there) = (slot(1, 1, "m5.large"), slot(1, 2, "m5.large"));
    let coverage = covered(&[reserved(1, Some(1), "m5.large", 2)], &[(here.clone(), 2), (there.clone(), 9)]);
    assert_eq!((coverage.uncovered(&here, catalog()), coverage.uncovered(&there, catalog())), (0, PPM));
}

#[test]
fn a_regional_linux_one_is_for_all_sizes_of_its_family() {
    let (large, double) = (slot(1, 1, "m5.large"), slot(1, 2, "m5.2xlarge"));
    // One 2xlarge is as much as four of large.
    let coverage = covered(&[reserved(1, None, "m5.2xlarge", 1)], &[(large.clone(), 4), (double.clone(), 1)]);
    assert_eq!(coverage.uncovered(&large, catalog()), PPM, "the 2xlarge would use it");
    assert_eq!(coverage.uncovered(&double, catalog()), PPM, "those of large use it");
    let few = covered(&[reserved(1, None, "m5.2xlarge", 1)], &[(large.clone(), 2), (double.clone(), 1)]);
    assert_eq!(few.uncovered(&double, catalog()), PPM / 2, "those of large use half of it");
    let windows = Slot { product: Product::Windows, ..large.clone() };
    assert_eq!(few.uncovered(&windows, catalog()), PPM);
    let own = covered(&[reserved(1, None, "g5.xlarge", 1)], &[(slot(1, 1, "g5.2xlarge"), 4)]);
    assert_eq!(own.uncovered(&slot(1, 1, "g5.xlarge"), catalog()), 0, "its other sizes do not use it");
}

#[test]
fn a_plan_takes_up_usage_at_its_highest_saving() {
    let large = slot(1, 1, "m5.large");
    let price = catalog().on_demand(&region(), Product::Linux, large.kind).unwrap();
    // 0.34 of a price is a whole one at a saving of 66 %.
    let coverage = covered(&[compute(price.0 * 34 / 100 * 2)], &[(large.clone(), 5)]);
    assert_eq!(free(coverage, &large), 3);
    let terms = Terms::InstancePlan { region: region(), family: "m5".into(), hourly: UsdPerHour(price.0) };
    let plan = Commitment { account: account(1), terms, ends_at: None };
    let coverage = covered(&[plan], &[(large.clone(), 3), (slot(1, 1, "c5.large"), 9)]);
    assert_eq!((coverage.uncovered(&large, catalog()), free(coverage, &slot(1, 1, "c5.large"))), (0, 1000));
}

#[test]
fn what_is_over_covers_nothing() {
    let large = slot(1, 1, "m5.large");
    let over = Commitment { ends_at: Some(NOW), ..reserved(1, None, "m5.large", 4) };
    let open = Commitment { ends_at: Some(NOW + Span::secs(1)), ..over.clone() };
    assert!(!covered(&[over], &[(large.clone(), 1)]).any());
    assert_eq!(covered(&[open], &[(large.clone(), 1)]).uncovered(&large, catalog()), 0);
}

#[test]
fn several_workers_divide_what_is_uncovered() {
    let large = slot(1, 1, "m5.large");
    let coverage = covered(&[reserved(1, None, "m5.large", 4)], &[(large.clone(), 10)]);
    assert_eq!(free(coverage.divided(2), &large), 3);
}

const NAMES: [&str; 6] = ["m5.large", "m5.2xlarge", "m5.xlarge", "c5.large", "g5.xlarge", "g5.2xlarge"];

fn commitments() -> impl Strategy<Value = Vec<Commitment>> {
    let one = (0..4_u8, 1..4_u64, 0..3_u8, 0..NAMES.len(), 1..6_u32);
    let made = one.prop_map(|(sort, n, zone, name, count)| match sort {
        0 | 1 => reserved(n, (zone > 0).then_some(zone), NAMES[name], count),
        2 => compute(i64::from(count) * 30_000),
        _ => {
            let family = NAMES[name].split_once('.').unwrap().0.to_owned();
            let terms = Terms::InstancePlan { region: region(), family, hourly: UsdPerHour(i64::from(count) * 40_000) };
            Commitment { account: account(n), terms, ends_at: None }
        }
    });
    prop::collection::vec(made, 0..6)
}

fn running() -> impl Strategy<Value = Running> {
    let one = (1..4_u64, 1..3_u8, 0..NAMES.len()).prop_map(|(n, zone, name)| slot(n, zone, NAMES[name]));
    prop::collection::btree_map(one, 1..7_u32, 1..8)
}

/// Rounding loses less than a millionth of an instance at each slot and level.
fn about_as_much(before: &Coverage, after: &Coverage) -> bool {
    let slack = 40 * 2_000_000;
    before.used().iter().zip(after.used()).all(|(before, after)| after + slack >= *before)
}

proptest! {
    /// Whatever is told as uncovered may go, one after the other, and no commitment is used less for it.
    #[test]
    fn what_goes_as_uncovered_leaves_no_commitment_unused(
        commitments in commitments(), mut running in running(), order in prop::collection::vec(0..64_usize, 0..40),
        alone in prop::collection::btree_set((1..4_u64).prop_map(account), 0..2),
    ) {
        let fill = |running: &Running| Coverage::new(&commitments, running, alone.clone(), catalog(), NOW);
        let before = fill(&running);
        let mut now = before.clone();
        for pick in order {
            let slots: Vec<Slot> = running.iter().filter(|(_, n)| **n > 0).map(|(slot, _)| slot.clone()).collect();
            let Some(slot) = slots.get(pick % slots.len().max(1)) else { break };
            if now.uncovered(slot, catalog()) == PPM {
                *running.get_mut(slot).unwrap() -= 1;
                now.convert(slot, catalog());
            }
        }
        let after = fill(&running);
        prop_assert!(about_as_much(&before, &after), "{before:?} {after:?}");
        prop_assert!(about_as_much(&before, &now));
    }

    /// Who runs more elsewhere takes nothing from anybody: no more of an instance is covered at the margin than before.
    #[test]
    fn more_usage_elsewhere_never_covers_more(
        commitments in commitments(), mut running in running(), more in running(), of in running(),
    ) {
        let fill = |running: &Running| Coverage::new(&commitments, running, BTreeSet::new(), catalog(), NOW);
        let before = fill(&running);
        for (slot, n) in more {
            *running.entry(slot).or_default() += n;
        }
        let after = fill(&running);
        for slot in of.keys() {
            // Rounding loses some millionths.
            prop_assert!(after.uncovered(slot, catalog()) + 20 >= before.uncovered(slot, catalog()));
        }
    }

    /// Nothing is used beyond what was committed, and the order of commitments says nothing.
    #[test]
    fn no_commitment_is_used_twice(mut commitments in commitments(), running in running()) {
        let one = covered(&commitments, &running.clone().into_iter().collect::<Vec<_>>());
        prop_assert!(!one.over_committed());
        commitments.reverse();
        prop_assert_eq!(one, covered(&commitments, &running.into_iter().collect::<Vec<_>>()));
    }

    /// One that is told as covered loses its commitment: without it, less is used.
    #[test]
    fn what_is_covered_would_be_missed(commitments in commitments(), mut running in running()) {
        let fill = |running: &Running| Coverage::new(&commitments, running, BTreeSet::new(), catalog(), NOW);
        let before = fill(&running);
        let slot = running.keys().find(|slot| before.uncovered(slot, catalog()) == 0).cloned();
        let Some(slot) = slot else { return Ok(()) };
        *running.get_mut(&slot).unwrap() -= 1;
        let after = fill(&running);
        prop_assert!(before.used().iter().zip(after.used()).any(|(before, after)| after < *before));
    }
}
