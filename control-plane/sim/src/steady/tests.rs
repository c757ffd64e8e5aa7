//! Hand-made runs: what is missing, what changes, what was refused.

use super::*;
use crate::laws::story::{Story, line, swap};

fn judged(story: &Story, until_s: i64) -> Steadiness {
    let mut judge = Steady::default();
    story.records.iter().for_each(|record| judge.take(record));
    judge.close(until_s * 1000)
}

#[test]
fn what_is_wanted_and_not_in_service_is_missing_while_policy_enables_the_group() {
    let mut story = Story::new(1..=4);
    story.at(100).changed(By::Owner, |g| drop(g.members.pop())).at(160);
    story.changed(By::Autoscaling, |g| g.members.push(line(5, Lifecycle::OnDemand)));
    let noticed = judged(&story, 1_000);
    assert_eq!((noticed.linux.wanted, noticed.linux.missing), (Span::secs(4_000), Span::secs(60)));
    assert_eq!((noticed.linux.missing_ppm(), noticed.windows), (15_000, Capacity::default()));
    story.at(1_000).said(|p| p.enabled = false);
    assert_eq!(judged(&story, 9_000).linux, noticed.linux);
}

#[test]
fn a_group_whose_owner_suspended_launches_is_left_out() {
    let mut story = Story::new(1..=4);
    story.suspended(By::Owner, &[Process::Launch]).at(1_000).changed(By::Owner, |g| drop(g.members.pop()));
    assert_eq!(judged(&story, 2_000).linux, Capacity::default());
}

#[test]
fn a_swap_and_a_loss_that_the_group_replaces_are_changes_and_a_rescue_is_none() {
    let mut story = Story::new(1..=2);
    story.swapped(1, 11, 1, 100);
    assert_eq!(judged(&story, 9_000).lifecycle_changes, 1);
    // Spot for Spot.
    story.at(2_000).launch(&swap(2), 12, 11).ended(11, Ended::Interrupted);
    assert_eq!((judged(&story, 9_000).lifecycle_changes, judged(&story, 9_000).early_losses), (1, 1));
    // Lost, and replaced by the group itself; the next launch is growth.
    story.at(9_000).ended(12, Ended::Interrupted).at(9_010);
    story.began(13, Lifecycle::OnDemand, By::Autoscaling, None, None);
    story.began(14, Lifecycle::OnDemand, By::Autoscaling, None, None);
    let noticed = judged(&story, 9_100);
    assert_eq!((noticed.lifecycle_changes, noticed.early_losses), (2, 1));
}

#[test]
fn refused_launches_are_counted_in_ten_minutes_after_the_first_hour() {
    let mut story = Story::new(1..=2);
    let mut refuse = |at: i64| {
        story.at(at).call("ec2:CreateFleet", |call| call.outcome = Outcome::Error);
    };
    [10, 20, 30, 4_000, 4_300, 4_599, 4_700].into_iter().for_each(&mut refuse);
    let noticed = judged(&story, 5_000);
    assert_eq!((noticed.launches_refused, noticed.launches_refused_at_once), (7, 3));
}
