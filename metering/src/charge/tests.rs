//! Charges: the identity of parts, caps and corrections in any order, and month ends.

use proptest::prelude::*;

use super::*;

fn share(cap_micro_usd: Option<u64>) -> Dimension {
    let basis = Basis::NetSavings { rate_ppm: 200_000, step_micro_usd: 1000, cap_micro_usd };
    Dimension { name: "savings".to_owned(), basis, places: 3 }
}

fn net(net_micro_usd: i64) -> Counts {
    Counts { net_micro_usd, ..Counts::default() }
}

#[test]
fn a_unit_is_a_share_of_net_savings_and_the_rest_is_carried() {
    let dimension = share(None);
    let amount = dimension.amount(net(17_345));
    // 20 % of 17,345 are 3,469 micro-USD: three steps of 1,000, and 469 on the carry.
    let part = billed(Owed { amount, ..Owed::default() }, dimension.step(), u64::MAX, None);
    assert_eq!((part.units, part.carry), (3, 469_000_000));
    let loss = dimension.amount(net(-10_000));
    let next = billed(Owed { before: part.carry, amount: loss, returned: 0 }, dimension.step(), u64::MAX, None);
    assert_eq!((next.units, next.carry), (0, -1_531_000_000));
}

#[test]
fn a_cap_holds_for_the_hour_whatever_corrects_it() {
    let dimension = share(Some(1000));
    assert_eq!(dimension.amount(net(1_000_000)), 1_000_000_000);
    assert_eq!(dimension.correction(net(1_000_000), net(50_000)), 0);
    assert_eq!(dimension.correction(net(1_000_000), net(-1_000_000)), -1_000_000_000);
}

#[test]
fn a_month_ends_by_its_rule() {
    for (rule, before, dropped) in [
        (MonthEnd::Keep, 7, 0),
        (MonthEnd::Keep, -7, 0),
        (MonthEnd::DropRemainders, 7, 7),
        (MonthEnd::DropRemainders, -7, 0),
        (MonthEnd::Reset, 7, 7),
        (MonthEnd::Reset, -7, -7),
    ] {
        let part = billed(Owed { before, ..Owed::default() }, 10, u64::MAX, Some(rule));
        assert_eq!((part.dropped, part.carry, part.units), (dropped, before - dropped, 0), "{rule:?} {before}");
    }
}

#[test]
fn what_was_not_accepted_comes_back_and_what_was_too_much_is_a_credit() {
    let account = |number| AccountId::from_number(number).unwrap();
    let lines = [(account(1), 4), (account(2), 6), (account(3), 6)];
    assert_eq!(returned(&lines, 0), BTreeMap::from([(account(1), 4), (account(2), 6), (account(3), 6)]));
    assert_eq!(returned(&lines, 5), BTreeMap::from([(account(2), 5), (account(3), 6)]));
    assert_eq!(returned(&lines, 16), BTreeMap::new());
    assert_eq!(returned(&lines, 18), BTreeMap::from([(account(2), -2)]));
}

#[test]
fn dimensions_are_checked() {
    let told = |all: &[Dimension]| Dimension::check(all).map_err(|error| error.why);
    assert_eq!(told(&[share(None)]), Ok(()));
    assert_eq!(told(&[share(None), share(None)]), Err("it is there twice"));
    assert_eq!(told(&[Dimension { places: 7, ..share(None) }]), Err("a quantity has at most 6 decimals"));
    let nothing = Dimension { basis: Basis::Accounts { step_hours: 0 }, ..share(None) };
    assert_eq!(told(&[nothing]), Err("a step is at least 1"));
}

proptest! {
    #[test]
    fn parts_add_up_and_no_unit_is_negative(
        hours in prop::collection::vec((-2_000_000_i64..2_000_000, -50_i64..50, 0_u8..4), 1..60),
    ) {
        let dimension = share(None);
        let (mut before, mut sum, mut out) = (0_i128, 0_i128, 0_i128);
        for (saved, back, rule) in hours {
            let amount = dimension.amount(net(saved));
            let returned = i128::from(back) * dimension.step();
            let rules = [None, Some(MonthEnd::Keep), Some(MonthEnd::DropRemainders), Some(MonthEnd::Reset)];
            let rule = rules[rule as usize];
            let part = billed(Owed { before, amount, returned }, dimension.step(), 300, rule);
            sum += amount + returned;
            out += i128::from(part.units) * dimension.step() + part.dropped;
            prop_assert_eq!(sum, out + part.carry);
            prop_assert!(part.units <= 300);
            before = part.carry;
        }
    }

    #[test]
    fn corrections_in_any_order_make_the_same(
        by in prop::collection::vec(-9_000_i64..9_000, 1..8),
        first in 0_i64..9_000,
    ) {
        let dimension = share(Some(900));
        let (mut sums, mut total) = (net(first), dimension.amount(net(first)));
        for difference in &by {
            total += dimension.correction(sums, net(*difference));
            sums = sums.plus(net(*difference));
        }
        prop_assert_eq!(total, dimension.amount(net(first + by.iter().sum::<i64>())));
    }
}
