//! INV-9 and INV-10: events and budgets.

use std::collections::BTreeMap;

use super::*;

fn event(story: &mut Story, id: &str, end: &str, reason: &str) {
    story.push(What::Event {
        id: id.to_owned(),
        detail_type: "EC2 Instance State-change Notification".to_owned(),
        account: None,
        region: None,
        end: end.to_owned(),
        reason: reason.to_owned(),
    });
}

fn events(copies: u32, ends: &[&str]) -> Vec<&'static str> {
    let mut story = Story::new([1]);
    story.at(10).push(What::EventSent { id: "e-1".to_owned(), copies });
    for end in ends {
        event(&mut story, "e-1", end, "because");
    }
    broken(story.at(9_000))
}

#[test]
fn each_copy_of_an_event_ends_once() {
    assert!(events(0, &[]).is_empty());
    assert!(events(1, &["held"]).is_empty());
    assert!(events(3, &["acted", "duplicate", "duplicate"]).is_empty());
    assert_eq!(events(2, &["acted"]), ["INV-9"], "one copy vanished");
    assert_eq!(events(1, &["acted", "duplicate"]), ["INV-9"], "one copy too many");
    assert_eq!(events(0, &["acted"]), ["INV-9"], "a lost event came");
    assert_eq!(events(2, &["acted", "acted"]), ["INV-9"], "acted on twice");
    assert_eq!(events(1, &["duplicate"]), ["INV-9"], "a duplicate of nothing");
    assert_eq!(events(1, &["forgotten"]), ["INV-9"], "no end of the list");
}

#[test]
fn an_event_needs_a_reason_and_may_lie_in_an_unread_queue() {
    let mut story = Story::new([1]);
    story.push(What::EventSent { id: "e-1".to_owned(), copies: 1 });
    event(&mut story, "e-1", "ignored", " ");
    check(&story, &["INV-9"]);
    let mut laws = Laws::new(LawSettings::default());
    laws.take(&Record { t: 0, what: What::EventSent { id: "e-1".to_owned(), copies: 1 } });
    laws.finish(9_000_000, Queues::Unread);
    assert!(laws.violations().is_empty());
    event(&mut story, "", "quarantined", "unreadable");
    check(&story, &["INV-9"]);
}

/// Two swaps in flight in two groups of one account.
fn two_in_flight(in_flight_max: [u32; 3]) -> Vec<&'static str> {
    let mut story = Story::new(1..=2);
    story.said(|p| p.in_flight_max = in_flight_max);
    story.at(100).launch(&swap(1), 11, 1);
    story.over_to("api", [3, 4]).at(200).launch(&swap(2), 12, 3);
    broken(story.at(2_000))
}

#[test]
fn swaps_in_flight_stay_within_every_budget() {
    assert!(two_in_flight([2, 2, 2]).is_empty());
    for over in [[1, 2, 2], [2, 1, 2], [2, 2, 1]] {
        assert_eq!(two_in_flight(over), ["INV-10"], "{over:?}");
    }
}

#[test]
fn a_budget_lowered_while_swaps_run_breaks_nothing() {
    let mut story = Story::new(1..=2);
    story.at(100).launch(&swap(1), 11, 1);
    story.over_to("api", [3, 4]).at(200).launch(&swap(2), 12, 3);
    story.at(300).said(|p| p.in_flight_max = [1, 1, 1]);
    story.over_to("web", []).said(|p| p.in_flight_max = [1, 1, 1]);
    check(story.at(2_000), &[]);
}

#[test]
fn rescues_count_in_no_budget_of_swaps() {
    let mut story = Story::new(1..=3);
    story.said(|p| p.in_flight_max = [1, 1, 1]).swapped(1, 11, 1, 400);
    story.at(900).launch(&swap(2), 12, 2).at(901).noticed(11).launch(&rescue(3), 13, 11);
    check(&story, &[]);
}

#[test]
fn replaced_share_of_an_hour() {
    let swaps = |percent: u8, gap: i64| {
        let mut story = Story::new(1..=4);
        story.said(|p| p.share_percent = percent);
        story.swapped(1, 11, 1, 400).swapped(2, 12, 2, 400 + gap);
        broken(&story)
    };
    assert!(swaps(50, 400).is_empty());
    assert!(swaps(25, 3_600).is_empty());
    assert_eq!(swaps(25, 3_590), ["INV-10"]);
    assert_eq!(swaps(0, 3_590), ["INV-10"], "at least one an hour");
    assert!(swaps(0, 3_600).is_empty());
}

#[test]
fn what_was_undone_replaced_nothing() {
    let mut story = Story::new(1..=4);
    story.said(|p| p.share_percent = 25);
    story.at(100).launch(&swap(1), 11, 1).terminate(11, false).state(&swap(1), "undone", 1, Some(11));
    story.swapped(2, 12, 2, 500);
    check(&story, &[]);
}

#[test]
fn calls_stay_within_their_buckets() {
    let limits = BTreeMap::from([(Family::GroupRead, Bucket { burst: 2, per_second: 1 })]);
    let settings = || LawSettings { api: Some(limits.clone()), ..LawSettings::default() };
    let mut story = Story::new([1]);
    story.at(10).look().look().at(11).look().at(20).look().look();
    assert!(broken_by(&story, settings()).is_empty());
    story.look();
    assert_eq!(broken_by(&story, settings()), ["INV-10"]);
    check(&story, &[]);
}

#[test]
fn every_action_has_its_family() {
    let families = [
        ("ec2:CreateFleet", Family::Run),
        ("ec2:TerminateInstances", Family::Terminate),
        ("ec2:CreateTags", Family::Ec2Write),
        ("ec2:DescribeInstances", Family::Ec2Read),
        ("autoscaling:AttachInstances", Family::GroupWrite),
        ("autoscaling:DescribeAutoScalingGroups", Family::GroupRead),
        ("elasticloadbalancing:DescribeTargetHealth", Family::LoadBalancing),
        ("sts:AssumeRole", Family::Other),
    ];
    for (action, family) in families {
        assert_eq!(Family::of(action), family, "{action}");
    }
}
