//! INV-1, INV-2, INV-4, INV-5, INV-6: what happens to a group.

use super::*;

#[test]
fn two_swaps_at_once() {
    let mut story = Story::new(1..=3);
    story.at(400).launch(&swap(1), 11, 1).at(800).launch(&swap(2), 12, 2);
    check(&story, &["INV-1"]);
}

#[test]
fn a_rescue_may_run_beside_a_swap_and_a_false_rescue_may_not() {
    let mut story = Story::new(1..=3);
    story.swapped(1, 11, 1, 400);
    story.at(900).launch(&swap(2), 12, 2);
    let before = story.records.len();
    story.at(950).noticed(11).at(960).launch(&rescue(3), 13, 11);
    check(&story, &[]);
    story.records.truncate(before);
    story.at(960).launch(&rescue(3), 13, 11);
    check(&story, &["INV-1", "INV-12"]);
}

#[test]
fn swaps_too_soon_after_each_other() {
    let mut story = Story::new(1..=3);
    story.swapped(1, 11, 1, 400).swapped(2, 12, 2, 690);
    check(&story, &["INV-1"]);
    let mut story = Story::new(1..=3);
    story.swapped(1, 11, 1, 400).swapped(2, 12, 2, 700);
    check(&story, &[]);
}

#[test]
fn an_interval_lengthened_lately_need_not_be_known() {
    let mut story = Story::new(1..=3);
    story.swapped(1, 11, 1, 400);
    story.at(690).said(|p| p.interval_s = 3_600);
    story.swapped(2, 12, 2, 700);
    check(&story, &[]);
}

#[test]
fn a_swap_called_done_whose_attach_still_stands() {
    let mut story = Story::new(1..=3);
    story.changed(By::Owner, |g| (g.max, g.owner_max) = (9, 9));
    story.at(400).launch(&swap(1), 11, 1).at(490).attach(&swap(1), 11).state(&swap(1), "done", 1, Some(11));
    check(&story, &["INV-4"]);
    story.at(800).launch(&swap(2), 12, 2).at(890).attach(&swap(2), 12);
    check(&story, &["INV-4", "INV-1"]);
}

#[test]
fn retire_before_attach() {
    let mut story = Story::new(1..=3);
    story.at(400).launch(&swap(1), 11, 1).at(480).look().retire(&swap(1), 1);
    check(&story, &["INV-2"]);
}

#[test]
fn retire_on_a_stale_look_or_none() {
    for (look, expected) in [(100, vec!["INV-2"]), (160, vec![]), (159, vec!["INV-2"])] {
        let mut story = Story::new(1..=3);
        story.at(10).launch(&swap(1), 11, 1).at(80).attach(&swap(1), 11);
        story.at(look).look().at(190).retire(&swap(1), 1).state(&swap(1), "done", 1, Some(11));
        check(&story, &expected);
    }
    let mut story = Story::new(1..=3);
    story.at(10).launch(&swap(1), 11, 1).at(80).attach(&swap(1), 11).retire(&swap(1), 1);
    story.state(&swap(1), "done", 1, Some(11));
    check(&story, &["INV-2"]);
}

#[test]
fn a_look_counts_for_the_groups_that_it_names_and_when_it_was_answered() {
    let answered = |how: &dyn Fn(&mut crate::record::Call)| {
        let mut story = Story::new(1..=3);
        story.at(10).launch(&swap(1), 11, 1).at(80).attach(&swap(1), 11).at(100);
        story.call("autoscaling:DescribeAutoScalingGroups", how);
        story.at(110).retire(&swap(1), 1).state(&swap(1), "done", 1, Some(11));
        broken(&story)
    };
    assert!(answered(&|c| c.group = None).is_empty());
    assert!(answered(&|c| c.looked_at = vec!["api".parse().unwrap(), "web".parse().unwrap()]).is_empty());
    assert_eq!(answered(&|c| c.looked_at = vec!["api".parse().unwrap()]), ["INV-2"]);
    assert_eq!(answered(&|c| c.outcome = Outcome::Lost), ["INV-2"]);
    assert_eq!(answered(&|c| c.region = "eu-west-1".parse().unwrap()), ["INV-2"]);
}

#[test]
fn the_owner_scales_out_before_or_after_the_look() {
    let scaled = |look_first: bool| {
        let mut story = Story::new(1..=3);
        story.changed(By::Owner, |g| (g.max, g.owner_max) = (9, 9));
        story.at(10).launch(&swap(1), 11, 1).at(80).attach(&swap(1), 11).at(100);
        if look_first {
            story.look();
        }
        story.at(105).changed(By::Owner, |g| (g.desired, g.owner_desired) = (5, 4));
        if !look_first {
            story.look();
        }
        broken(story.at(110).retire(&swap(1), 1).state(&swap(1), "done", 1, Some(11)))
    };
    assert!(scaled(true).is_empty(), "one more than was wanted then; what changed since could not be known");
    assert_eq!(scaled(false), ["INV-2"], "seen, and none was to spare");
}

#[test]
fn announced_unhealthy_and_pending_members_may_be_let_go() {
    let mut story = Story::new(1..=3);
    story
        .member(By::Autoscaling, 1, |m| m.healthy = false)
        .member(By::Autoscaling, 2, |m| m.state = "Pending".to_owned());
    story
        .at(10)
        .state(&swap(1), "undoing", 1, None)
        .state(&swap(2), "undoing", 2, None)
        .look()
        .at(20)
        .retire(&swap(1), 1)
        .retire(&swap(2), 2);
    story.changed(By::Owner, |g| (g.desired, g.owner_desired) = (1, 1));
    check(story.state(&swap(1), "undone", 1, None).state(&swap(2), "undone", 2, None), &[]);
    let mut story = Story::new(1..=2);
    story.swapped(1, 11, 1, 400);
    story.at(800).noticed(11).launch(&rescue(2), 12, 11).at(810).retire(&rescue(2), 11).attach(&rescue(2), 12);
    story.state(&rescue(2), "done", 11, Some(12));
    check(&story, &[]);
}

#[test]
fn ending_a_member_past_its_group_is_taking_it_out() {
    let mut story = Story::new(1..=3);
    story.at(400).launch(&swap(1), 11, 1).at(490).attach(&swap(1), 11).look();
    story.at(500).look().terminate(11, false);
    story.changed(By::Autoscaling, |g| g.members.retain(|m| m.id != instance(11)));
    assert_eq!(broken(&story), [] as [&str; 0], "one more than wanted was in service");
    let mut story = Story::new(1..=3);
    story.at(400).look().terminate(2, false);
    check(&story, &["INV-2", "INV-3"]);
}

#[test]
fn forgotten_max_size() {
    let forgets = |restore: bool| {
        let mut story = Story::new(1..=3);
        story.changed(By::Owner, |g| (g.max, g.owner_max) = (3, 3));
        story.at(400).launch(&swap(1), 11, 1).at(480).set_max(&swap(1), 4).attach(&swap(1), 11);
        story.at(600).look().retire(&swap(1), 1);
        if restore {
            story.set_max(&swap(1), 3);
        }
        story.state(&swap(1), "done", 1, Some(11)).at(9_000);
        broken(&story)
    };
    assert!(forgets(true).is_empty());
    assert_eq!(forgets(false), ["INV-4"]);
}

#[test]
fn what_the_owner_changed_meanwhile_stands() {
    let mut story = Story::new(1..=3);
    story.at(400).launch(&swap(1), 11, 1).set_max(&swap(1), 5).attach(&swap(1), 11);
    story.changed(By::Owner, |g| (g.max, g.owner_max) = (7, 7)).suspended(By::Owner, &[Process::AZRebalance]);
    story.at(600).look().retire(&swap(1), 1).state(&swap(1), "done", 1, Some(11));
    check(&story, &[]);
}

#[test]
fn processes_min_and_protection_left_changed() {
    let leaves = |by: By, change: &dyn Fn(&mut Story, By)| {
        let mut story = Story::new(1..=3);
        story.at(400).launch(&swap(1), 11, 1);
        change(&mut story, by);
        story.terminate(11, false).state(&swap(1), "undone", 1, Some(11));
        broken(&story)
    };
    let both = |change: &dyn Fn(&mut Story, By)| {
        assert!(leaves(By::Owner, change).is_empty());
        assert_eq!(leaves(By::Spothub, change), ["INV-4"]);
    };
    both(&|s, by| _ = s.suspended(by, &[Process::AZRebalance]));
    both(&|s, by| _ = s.changed(by, |g| g.min = 2));
    both(&|s, by| _ = s.member(by, 2, |m| m.protected = true));
    let undone = |s: &mut Story, by: By| {
        s.suspended(by, &[Process::Launch]).suspended(by, &[]);
        s.member(by, 2, |m| m.protected = true).member(by, 2, |m| m.protected = false);
    };
    assert!(leaves(By::Spothub, &undone).is_empty());
}

#[test]
fn a_stranded_swap_is_believed_only_where_access_was_denied() {
    let stranded = |denied: bool| {
        let mut story = Story::new(1..=3);
        story.at(400).launch(&swap(1), 11, 1).at(480).attach(&swap(1), 11).at(500);
        if denied {
            story.call("autoscaling:DescribeAutoScalingGroups", |c| {
                (c.outcome, c.took_effect) = (Outcome::Denied, false);
            });
        }
        story.state(&swap(1), "stranded", 1, Some(11)).at(9_000);
        broken(&story)
    };
    assert!(stranded(true).is_empty());
    assert_eq!(stranded(false), ["INV-4"]);
}

#[test]
fn skipped_floor() {
    let with_floor = |number: u32, percent: u8| {
        let mut story = Story::new(1..=4);
        story.said(|p| (p.floor_number, p.floor_percent) = (number, percent));
        story.swapped(1, 11, 1, 400).swapped(2, 12, 2, 800);
        broken(&story)
    };
    assert!(with_floor(2, 0).is_empty());
    assert!(with_floor(0, 50).is_empty());
    assert_eq!(with_floor(3, 0), ["INV-5"]);
    assert_eq!(with_floor(0, 51), ["INV-5"]);
}

#[test]
fn ignored_opt_out() {
    let opted_out = |at: i64, swap_from: i64| {
        let mut story = Story::new(1..=3);
        if at < swap_from {
            story.at(at).said(|p| p.opted_out_by = Some("tag".to_owned()));
            story.swapped(1, 11, 1, swap_from);
        } else {
            story.at(swap_from).launch(&swap(1), 11, 1);
            story.at(at).said(|p| p.enabled = false).at(at + 300).attach(&swap(1), 11);
            story.at(at + 400).look().retire(&swap(1), 1).state(&swap(1), "done", 1, Some(11));
        }
        broken(&story)
    };
    assert_eq!(opted_out(300, 400), ["INV-6"]);
    assert!(opted_out(350, 400).is_empty(), "begun before it had to be known, and finished");
    assert!(opted_out(500, 400).is_empty(), "a swap already begun is finished");
}

#[test]
fn a_group_not_enabled_from_the_start_is_never_touched() {
    let mut story = Story::new([]);
    story.policy.enabled = false;
    story.over_to("db", [1, 2]).at(5).launch(&swap(1), 11, 1);
    check(&story, &["INV-6"]);
    let mut story = Story::new(1..=2);
    story.at(100).said(|p| p.enabled = false).at(300).said(|p| p.enabled = true).swapped(1, 11, 1, 400);
    check(&story, &[]);
}

#[test]
fn swaps_of_our_own_newcomers_or_of_spot() {
    let mut story = Story::new(1..=3);
    story.swapped(1, 11, 1, 400).at(800).launch(&swap(2), 12, 11);
    check(&story, &["INV-12"]);
    let mut story = Story::new(1..=3);
    story.began(5, Lifecycle::Spot, By::Owner, None, None);
    story.changed(By::Owner, |g| {
        g.members.push(line(5, Lifecycle::Spot));
        (g.desired, g.owner_desired) = (4, 4);
    });
    story.at(800).launch(&swap(2), 12, 5);
    check(&story, &["INV-12"]);
}

#[test]
fn a_move_for_its_price_needs_the_policy_the_age_and_a_dearer_pool() {
    let moved = |after: Option<i64>, at: i64, dearer: bool| {
        let mut story = Story::new(1..=3);
        story.said(|p| p.moves_after_s = after).swapped(1, 11, 1, 400);
        if dearer {
            let (instance_id, usd_per_hour) = (instance(11), spothub_core::money::UsdPerHour(90_000_000));
            story.at(700).push(What::Price { instance_id, usd_per_hour });
        }
        story.at(at).launch(&swap(2), 12, 11);
        broken(&story)
    };
    assert!(moved(Some(3_600), 4_100, true).is_empty());
    assert_eq!(moved(None, 4_100, true), ["INV-12"]);
    assert_eq!(moved(Some(3_600), 3_900, true), ["INV-12"]);
    assert_eq!(moved(Some(3_600), 4_100, false), ["INV-12"]);
}

#[test]
fn a_swap_without_id_helps_nobody() {
    let mut story = Story::new(1..=3);
    story.began(11, Lifecycle::Spot, By::Spothub, None::<&SwapId>, Some(1)).ended(11, Ended::Undone);
    check(&story, &["INV-3"]);
}

/// A limit of the owner's that takes our attach back in the moment between the last look and our own taking back.
#[test]
fn an_owners_limit_that_crosses_our_last_step() {
    let crosses = |seen: bool| {
        let mut story = Story::new(1..=3);
        story.changed(By::Owner, |g| (g.max, g.owner_max) = (9, 9));
        story.at(400).launch(&swap(1), 11, 1).at(480).attach(&swap(1), 11).at(600).look();
        story.changed(By::Owner, |g| (g.max, g.owner_max, g.desired, g.owner_desired) = (2, 2, 2, 2));
        if seen {
            story.look();
        }
        story.retire(&swap(1), 1).state(&swap(1), "done", 1, Some(11)).at(9_000);
        broken(&story)
    };
    assert!(crosses(false).is_empty(), "AWS knows no call on a condition: {:?}", crosses(false));
    assert_eq!(crosses(true), ["INV-4"], "a look had shown it");
}
