//! Hand-made runs: what counts, from when, and for how much.

use spothub_core::id::InstanceId;

use super::*;
use crate::laws::story::{ON_DEMAND, SPOT, Story, instance, line, swap};

/// A market in which a pool at the Spot price fits everything but the refused instances.
struct Fixed {
    refused: Vec<InstanceId>,
    asked: usize,
}

impl Affordable for Fixed {
    fn cheapest(&mut self, wanted: &Wanted<'_>, _t: i64) -> Option<UsdPerHour> {
        self.asked += 1;
        assert_eq!((wanted.kind, wanted.on_demand), ("m5.large", UsdPerHour(ON_DEMAND)));
        (!self.refused.contains(wanted.instance)).then_some(UsdPerHour(SPOT))
    }
}

fn judged(story: &Story, until_s: i64, refused: &[u32]) -> Delivery {
    let mut market = Fixed { refused: refused.iter().map(|&n| instance(n)).collect(), asked: 0 };
    let mut judge = Delivered::default();
    let mut records = story.records.iter().peekable();
    for t in (0..=until_s * 1000).step_by(300_000) {
        while let Some(record) = records.next_if(|r| r.t <= t) {
            judge.take(record);
        }
        judge.sample(t, &mut market);
    }
    judge.close(until_s * 1000)
}

/// The ramp of a group of two: twice 300 s, which is more than booting, settling and 120 s.
const RAMP: i64 = 600;

#[test]
fn an_engine_that_holds_everything_delivers_nothing() {
    let delivery = judged(&Story::new(1..=2), 36_000 + RAMP, &[]);
    assert_eq!(delivery.eligible, Span::hours(20));
    assert_eq!(delivery.basis_points(), Some(0));
    assert_eq!(delivery.best_possible, UsdPerHour(2 * (ON_DEMAND - SPOT)).over(Span::hours(10)));
}

#[test]
fn swapped_members_are_delivered_from_the_ramps_end() {
    let mut story = Story::new(1..=2);
    story.swapped(1, 11, 1, 100);
    let delivery = judged(&story, 36_000 + RAMP, &[]);
    assert_eq!((delivery.eligible, delivery.on_spot), (Span::hours(20), Span::hours(10)));
    assert_eq!(delivery.basis_points(), Some(5_000));
    assert_eq!(delivery.best_possible, UsdPerHour(2 * (ON_DEMAND - SPOT)).over(Span::hours(10)));
}

#[test]
fn a_place_that_a_swap_doubles_counts_once() {
    let mut story = Story::new(1..=2);
    story.at(RAMP).launch(&swap(1), 11, 1).attach(&swap(1), 11).at(RAMP + 3_600);
    let delivery = judged(&story, RAMP + 3_600, &[]);
    assert_eq!((delivery.eligible, delivery.on_spot), (Span::hours(2), Span::hours(1)));
}

#[test]
fn a_member_without_a_pool_is_not_eligible() {
    let delivery = judged(&Story::new(1..=2), 36_000 + RAMP, &[2]);
    assert_eq!((delivery.eligible, delivery.on_spot), (Span::hours(10), Span::ZERO));
    assert_eq!(judged(&Story::new(1..=2), 36_000, &[1, 2]).basis_points(), None);
}

#[test]
fn the_floor_is_not_eligible() {
    let mut story = Story::new(1..=4);
    story.said(|p| p.floor_percent = 30);
    // The floor is two of four, said before the ramp was over; the ramp counts the four that were above it then.
    let delivery = judged(&story, 36_000 + 2 * RAMP, &[]);
    assert_eq!(delivery.eligible, Span::hours(20));
    let delivery = judged(&story, 36_000 + 2 * RAMP, &[1, 2, 3]);
    assert_eq!(delivery.eligible, Span::hours(10));
}

#[test]
fn later_growth_does_not_restart_the_ramp_and_enabling_again_does() {
    let mut story = Story::new(1..=2);
    story.at(RAMP + 3_600).began(3, Lifecycle::OnDemand, By::Autoscaling, None, None);
    story.changed(By::Owner, |g| {
        g.members.push(line(3, Lifecycle::OnDemand));
        (g.desired, g.owner_desired) = (3, 3);
    });
    assert_eq!(judged(&story, RAMP + 7_200, &[]).eligible, Span::hours(5));
    let mut story = Story::new(1..=2);
    story.at(RAMP + 3_600).said(|p| p.enabled = false).at(RAMP + 7_200).said(|p| p.enabled = true);
    assert_eq!(judged(&story, 2 * RAMP + 10_800, &[]).eligible, Span::hours(4));
}

#[test]
fn what_is_not_in_service_does_not_count() {
    let mut story = Story::new(1..=2);
    story.at(RAMP).member(By::Owner, 2, |m| m.state = "Standby".to_owned()).at(RAMP + 3_600);
    assert_eq!(judged(&story, RAMP + 3_600, &[]).eligible, Span::hours(1));
}

#[test]
fn a_newcomer_stands_for_the_type_that_it_replaces() {
    let mut story = Story::new([1]);
    let id = swap(1);
    story.at(10).launch(&id, 11, 1);
    let mut judge = Delivered::default();
    story.records.iter().for_each(|r| judge.take(r));
    let place = &judge.places[judge.held(&instance(11)).unwrap().place as usize];
    assert_eq!((&*place.kind, place.on_demand), ("m5.large", Some(UsdPerHour(ON_DEMAND))));
}
