//! Pages add up to what is known, however late and in whatever order it became known.

use proptest::prelude::*;

use std::collections::BTreeSet;

use super::*;
use crate::slice::made::{EVE, usage};
use crate::slice::{Baseline, Usage};

/// A small store of pages.
#[derive(Default)]
struct Pages(BTreeMap<(Timestamp, AccountId), Vec<Page>>);

impl Pages {
    /// Books what is known of some usages now, as the engine does.
    fn keep(&mut self, usages: &BTreeMap<InstanceId, Usage>, until: Timestamp, discount: u16) {
        let mut wanted = BTreeMap::<(Timestamp, AccountId), Vec<Line>>::new();
        for usage in usages.values() {
            for slice in usage.slices(usage.start(), until) {
                let at = (hour_of(slice.from), slice.subject.group.site.account);
                wanted.entry(at).or_default().push(Line::of(&slice));
            }
        }
        let hours: BTreeSet<_> = wanted.keys().chain(self.0.keys()).copied().collect();
        for at in hours {
            let pages = self.0.entry(at).or_default();
            let lines = wanted.remove(&at).unwrap_or_default();
            let (out, lines) = changes(&in_force(&*pages), &lines);
            if out.is_empty() && lines.is_empty() {
                continue;
            }
            let (seq, unit) = (u32::try_from(pages.len()).unwrap(), "/prod".parse().unwrap());
            let (hour, account) = at;
            let region = "eu-west-1".parse().unwrap();
            pages.push(Page { format: FORMAT, hour, account, region, unit, seq, at: until, discount, out, lines });
        }
    }

    fn days(&self) -> Vec<Day> {
        let mut days = BTreeMap::<_, Vec<Page>>::new();
        for ((hour, account), pages) in &self.0 {
            days.entry((day_of(*hour), *account)).or_default().extend(pages.iter().cloned());
        }
        days.into_values().filter_map(|pages| day(&pages)).collect()
    }
}

proptest! {
    /// What is booked at last is what a single booking of the last knowledge gives, and sums of days are its sums.
    #[test]
    fn late_facts_and_corrections_end_where_one_booking_would(
        told in prop::collection::vec(prop::collection::vec(usage(), 1..5), 1..5),
        discounts in prop::collection::vec(0..3000_u16, 5),
    ) {
        let (mut pages, mut known) = (Pages::default(), BTreeMap::new());
        for ((step, usages), discount) in (1..).zip(told).zip(discounts) {
            known.extend(usages.into_iter().map(|usage| (usage.subject.instance.clone(), usage)));
            pages.keep(&known, EVE + Span::mins(40 * step), discount);
        }
        let until = EVE + Span::hours(4);
        pages.keep(&known, until, 700);
        let slices = known.values().flat_map(|usage| usage.slices(usage.start(), until));
        let mut wanted: Vec<Line> = slices.map(|slice| Line::of(&slice)).collect();
        wanted.sort();
        let mut found: Vec<Line> = pages.0.values().flat_map(|pages| in_force(pages).into_values()).collect();
        found.sort();
        prop_assert_eq!(&found, &wanted);
        let mut sums = Totals::default();
        pages.days().iter().flat_map(|day| &day.groups).for_each(|group| sums.add(&group.totals));
        let lines: Sums = wanted.iter().filter_map(Line::sums).sum();
        prop_assert_eq!((sums.actual, sums.on_demand, sums.time), (lines.actual, lines.on_demand, lines.time.0));
        // Nothing more is known: nothing more is written.
        let before: usize = pages.0.values().map(Vec::len).sum();
        pages.keep(&known, until, 0);
        prop_assert_eq!(before, pages.0.values().map(Vec::len).sum::<usize>());
    }

    /// Rows come back as they were written.
    #[test]
    fn rows_survive_the_store(usages in prop::collection::vec(usage(), 1..4)) {
        let mut pages = Pages::default();
        pages.keep(&usages.into_iter().map(|u| (u.subject.instance.clone(), u)).collect(), EVE + Span::hours(3), 100);
        for page in pages.0.values().flatten() {
            let text = serde_json::to_string(page).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Page>(&text).unwrap(), page);
        }
        for day in pages.days() {
            let text = serde_json::to_string(&day).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Day>(&text).unwrap(), &day);
        }
    }
}

fn line(actual: Option<i64>) -> Line {
    let usage = Usage::new(
        crate::slice::made::subject(4),
        EVE,
        UsdPerHour(30_000),
        Baseline::Replaced { price: UsdPerHour(100_001), from: Some(EVE) },
    );
    let slice = usage.slices(EVE, EVE + HOUR).next().unwrap();
    Line { actual: actual.map(UsdPerHour), ..Line::of(&slice) }
}

fn page(seq: u32, discount: u16, out: Vec<Line>, lines: Vec<Line>) -> Page {
    let (account, unit) = ("000000000001".parse().unwrap(), "/prod".parse().unwrap());
    let region = "eu-west-1".parse().unwrap();
    Page { format: FORMAT, hour: EVE, account, region, unit, seq, at: EVE, discount, out, lines }
}

#[test]
fn an_unknown_price_is_in_no_amount_and_told() {
    let found = day(&[page(0, 0, vec![], vec![line(None)])]).unwrap();
    let totals = found.groups[0].totals;
    assert_eq!((totals.saved(), totals.unpriced, totals.time), (Usd::ZERO, HOUR.0, HOUR.0));
    let found = day(&[page(0, 0, vec![], vec![line(None)]), page(1, 0, vec![line(None)], vec![line(Some(30_000))])]);
    let totals = found.unwrap().groups[0].totals;
    assert_eq!((totals.saved().micros_floor(), totals.unpriced), (70_001, 0));
}

#[test]
fn a_discount_counts_as_it_was_when_the_line_was_booked() {
    let old = page(0, 1_000, vec![], vec![line(Some(30_000))]);
    let totals = |pages: &[Page]| day(pages).unwrap().groups.first().map(|group| group.totals);
    let one = totals(std::slice::from_ref(&old)).unwrap();
    assert_eq!((one.saved().micros_floor(), one.net().micros_floor()), (70_001, 60_000));
    let right = page(1, 2_000, vec![line(Some(30_000))], vec![line(Some(40_000))]);
    assert_eq!(totals(&[old.clone(), right]).unwrap().net().micros_floor(), 40_000);
    let gone = page(1, 2_000, vec![line(Some(30_000))], vec![]);
    assert_eq!(totals(&[old, gone]), None);
}

#[test]
fn keys_sort_by_day_account_and_hour() {
    let account = "000000000007".parse().unwrap();
    assert_eq!(page_key(EVE, account, 3), "book/2026-01-31/000000000007/22/0003");
    let site = Site { account, region: "eu-west-1".parse().unwrap() };
    assert_eq!(day_key(EVE, &site), "days/2026-01-31/000000000007/eu-west-1");
    assert_eq!(hours(EVE + Span(1), EVE + HOUR).collect::<Vec<_>>(), [EVE]);
    assert_eq!(hours(EVE, EVE + HOUR + Span(1)).collect::<Vec<_>>(), [EVE, EVE + HOUR]);
}
