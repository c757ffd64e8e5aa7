//! Exact figures for hand-made runs.

use spothub_core::group::Lifecycle;

use super::*;
use crate::laws::story::{Story, instance, rescue, swap};
use crate::record::Ended;

const HOUR: i64 = 3_600;

fn bill(story: &Story, until_s: i64) -> BillTotals {
    let mut bill = Bill::default();
    story.records.iter().for_each(|record| bill.take(record));
    bill.close(until_s * 1000)
}

fn usd(line: BillLine) -> [String; 3] {
    [line.actual.to_string(), line.on_demand.to_string(), line.saved().to_string()]
}

#[test]
fn members_left_alone_save_nothing() {
    let totals = bill(&Story::new(1..=2), 10 * HOUR);
    assert_eq!(usd(totals.total), ["1.920000", "1.920000", "0.000000"]);
    assert_eq!(totals.total.run, Span::hours(20));
    assert_eq!(totals.by_instance.len(), 2);
}

#[test]
fn a_swap_costs_both_until_the_old_one_ends_and_saves_from_then_on() {
    let mut story = Story::new([1]);
    story.at(HOUR).launch(&swap(1), 11, 1).at(2 * HOUR).ended(1, Ended::Retired);
    let totals = bill(&story, 12 * HOUR);
    // Old: 2 h at 0.096. New: 11 h at 0.030, counted for 10 h at 0.096.
    assert_eq!(usd(totals.by_instance[&instance(1)]), ["0.192000", "0.192000", "0.000000"]);
    assert_eq!(usd(totals.by_instance[&instance(11)]), ["0.330000", "0.960000", "0.630000"]);
    assert_eq!(usd(totals.total), ["0.522000", "1.152000", "0.630000"]);
    assert_eq!(totals.by_account.values().copied().collect::<Vec<_>>(), [totals.total]);
    assert_eq!(totals.by_group.values().copied().collect::<Vec<_>>(), [totals.total]);
    assert_eq!(usd(bill(&story, 2 * HOUR).total), ["0.222000", "0.192000", "-0.030000"]);
}

#[test]
fn prices_count_from_their_change() {
    let mut story = Story::new([]);
    story.began(11, Lifecycle::Spot, By::Owner, None, None);
    let price = |micros| What::Price { instance_id: instance(11), usd_per_hour: UsdPerHour(micros) };
    story.at(HOUR / 2).push(price(40_000)).at(HOUR).push(price(50_000)).at(2 * HOUR).ended(11, Ended::Owner);
    story.at(3 * HOUR).push(price(90_000));
    // Half an hour at 0.030, half at 0.040, one at 0.050; nothing after the end, and no saving of ours.
    assert_eq!(usd(bill(&story, 9 * HOUR).total), ["0.085000", "0.085000", "0.000000"]);
}

#[test]
fn a_rescue_carries_the_first_price_on() {
    let mut story = Story::new([1]);
    story.launch(&swap(1), 11, 1).ended(1, Ended::Retired);
    story.at(HOUR).noticed(11).launch(&rescue(2), 12, 11).at(2 * HOUR).ended(11, Ended::Interrupted);
    let totals = bill(&story, 3 * HOUR);
    assert_eq!(usd(totals.by_instance[&instance(11)]), ["0.060000", "0.192000", "0.132000"]);
    assert_eq!(usd(totals.by_instance[&instance(12)]), ["0.060000", "0.096000", "0.036000"]);
    // Launched after the interruption: it counts from its own start.
    let mut story = Story::new([1]);
    story.launch(&swap(1), 11, 1).ended(1, Ended::Retired).at(HOUR).ended(11, Ended::Interrupted);
    story.at(2 * HOUR).launch(&rescue(2), 12, 11);
    assert_eq!(usd(bill(&story, 3 * HOUR).by_instance[&instance(12)]), ["0.030000", "0.096000", "0.066000"]);
}

#[test]
fn a_newcomer_that_was_undone_is_cost() {
    let mut story = Story::new([1]);
    story.launch(&swap(1), 11, 1).at(HOUR).ended(11, Ended::Undone);
    assert_eq!(usd(bill(&story, 9 * HOUR).by_instance[&instance(11)]), ["0.030000", "0.000000", "-0.030000"]);
}

#[test]
fn only_groups_enabled_at_some_time_are_billed() {
    let mut story = Story::new([1]);
    story.policy.enabled = false;
    story.over_to("db", [2, 3]);
    assert_eq!(usd(bill(&story, HOUR).total), ["0.096000", "0.096000", "0.000000"]);
    story.at(HOUR).said(|p| p.enabled = true).said(|p| p.enabled = false);
    let totals = bill(&story, HOUR);
    assert_eq!(usd(totals.total), ["0.288000", "0.288000", "0.000000"]);
    assert_eq!(totals.by_group.len(), 2);
}

#[test]
fn parts_of_milliseconds_add_up() {
    let mut story = Story::new([1]);
    for n in 0..1_000 {
        story.t = n * 7 + 1;
        story.push(What::Price { instance_id: instance(1), usd_per_hour: UsdPerHour(96_000) });
    }
    assert_eq!(bill(&story, HOUR).total.actual, UsdPerHour(96_000).over(Span::hours(1)));
}
