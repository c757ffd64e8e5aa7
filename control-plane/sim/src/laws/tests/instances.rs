//! INV-3: what becomes of instances that we launched.

use super::*;

/// A newcomer whose swap failed without ending it.
fn forgotten() -> Story {
    let mut story = Story::new(1..=3);
    story.at(400).launch(&swap(1), 11, 1).at(500).state(&swap(1), "failed", 1, Some(11));
    story
}

#[test]
fn an_orphan_is_ended_in_time() {
    let mut story = forgotten();
    story.at(1_200).terminate(11, true).at(9_000);
    check(&story, &[]);
    let mut story = forgotten();
    story.at(3_100).at(9_000);
    check(&story, &["INV-3"]);
    let mut story = forgotten();
    story.at(3_300).terminate(11, true);
    check(&story, &["INV-3"]);
}

#[test]
fn an_orphan_is_told_once() {
    let mut story = forgotten();
    story.at(40_000);
    assert_eq!(texts(&story).len(), 1);
    let mut laws = Laws::new(LawSettings::default());
    story.records.iter().for_each(|r| laws.take(r));
    (0..40).for_each(|n| laws.sweep(n * 900_000));
    assert_eq!(laws.violations().len(), 1);
}

#[test]
fn what_is_in_a_swap_is_no_orphan_however_long_it_takes() {
    let mut story = Story::new(1..=3);
    story.at(400).launch(&swap(1), 11, 1).at(40_000);
    check(&story, &[]);
}

#[test]
fn too_many_orphans_are_only_reported() {
    let mut story = Story::new(1..=9);
    for n in 1..=6 {
        let from = i64::from(n) * 400;
        story.at(from).launch(&swap(n), 10 + n, n).at(from + 10).state(&swap(n), "failed", n, Some(10 + n));
    }
    story.at(90_000);
    check(&story, &[]);
    story.terminate(11, true).at(91_000);
    check(&story, &["INV-3"]);
}

#[test]
fn only_orphans_are_ended_as_orphans() {
    let ends = |story: &mut Story| broken(story.terminate(11, true));
    assert_eq!(ends(forgotten().at(900)), ["INV-3"], "too young");
    assert_eq!(ends(Story::new(1..=3).at(400).launch(&swap(1), 11, 1).at(2_000)), ["INV-3"], "its swap is under way");
    let mut story = Story::new(1..=3);
    story.began(11, Lifecycle::Spot, By::Owner, None, None);
    assert_eq!(ends(story.at(4_000)), ["INV-3"], "the owner's");
}

#[test]
fn a_released_instance_is_never_ended() {
    let released = |standby: bool| {
        let mut story = Story::new(1..=3);
        story.swapped(1, 11, 1, 400).at(1_000);
        if standby {
            story.changed(By::Owner, |g| (g.desired, g.owner_desired) = (2, 2));
            story.member(By::Owner, 11, |m| m.state = "Standby".to_owned());
        } else {
            story.changed(By::Owner, |g| {
                (g.desired, g.owner_desired) = (2, 2);
                g.members.retain(|m| m.id != instance(11));
            });
        }
        story.at(20_000);
        story
    };
    for standby in [false, true] {
        check(&released(standby), &[]);
        let mut story = released(standby);
        check(story.terminate(11, true), &["INV-3"]);
        let mut story = released(standby);
        check(story.terminate(11, false), &["INV-3"]);
    }
    // Seen in service a moment before the owner let it go: nobody could know.
    let mut story = Story::new(1..=3);
    story.swapped(1, 11, 1, 400).at(1_000).member(By::Owner, 11, |m| m.state = "Standby".to_owned());
    check(story.at(1_010).terminate(11, false), &[]);
}

#[test]
fn a_member_taken_back_in_is_no_longer_released() {
    let mut story = Story::new(1..=3);
    story.swapped(1, 11, 1, 400).at(1_000).member(By::Owner, 11, |m| m.state = "Standby".to_owned());
    story.at(2_000).member(By::Owner, 11, |m| m.state = "InService".to_owned()).noticed(11);
    story.at(2_010).launch(&rescue(2), 12, 11).attach(&rescue(2), 12).at(2_100).look().retire(&rescue(2), 11);
    check(story.state(&rescue(2), "done", 11, Some(12)), &[]);
}

#[test]
fn detached_by_us_and_kept() {
    let mut story = Story::new(1..=3);
    story.at(400).launch(&swap(1), 11, 1).at(480).attach(&swap(1), 11).at(490).look();
    story.call("autoscaling:DetachInstances", |c| c.instance_id = Some(instance(11)));
    story.changed(By::Spothub, |g| {
        g.desired -= 1;
        g.members.retain(|m| m.id != instance(11));
    });
    story.state(&swap(1), "undone", 1, Some(11));
    check(&story, &[]);
    check(story.at(9_000), &["INV-3"]);
}
