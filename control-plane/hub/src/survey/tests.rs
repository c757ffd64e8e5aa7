//! Surveys of an organization made by hand: what is planned, what it saves, and what stays unknown.

use std::sync::Arc;

use futures::executor::block_on;
use spothub_core::money::UsdPerHour;
use spothub_core::policy::{Enabled, PolicySet, Settings as Values, Standing};
use spothub_core::port::{Expect, Put, Store as _};
use spothub_core::reason::OptOut;

use super::*;
use crate::Settings;
use crate::snapshot::Snapshot;
use crate::snapshot::tests::{group, kind, organization, site};

fn policy(enabled: Enabled, floor: u32) -> PolicySet {
    let defaults = Values { enabled: Some(enabled), floor_number: Some(floor), ..Values::default() };
    PolicySet::of(defaults)
}

fn surveyed(snapshot: Snapshot, policy: PolicySet) -> Survey {
    block_on(snapshot.survey(Settings { policy, ..Settings::default() })).unwrap()
}

fn one<'s>(survey: &'s Survey, name: &str) -> &'s Surveyed {
    survey.groups.iter().find(|group| group.view.key.name.as_str() == name).unwrap()
}

/// On-demand: m5.large in eu-west-1 at 0.107; the best pool is m5a.large at 0.030.
#[test]
fn members_above_the_floor_are_swapped_one_after_the_other() {
    let survey = surveyed(organization(), policy(Enabled::ByTag, 1));
    let api = one(&survey, "api");
    assert_eq!(api.plan.swap.as_ref(), api.course.first());
    let first = &api.course[0].request.pools;
    assert_eq!(first[0].kind, kind("m5a.large"));
    let saving = api.saving();
    assert_eq!((saving.members, saving.unknown), (2, 0), "the floor keeps one");
    assert_eq!(saving.on_demand.to_string(), "0.214000");
    // The second newcomer goes to the next pool: the first is a tenth dearer to the plan for having one already.
    assert_eq!(saving.saved, UsdPerHour(2 * 107_000 - 30_000 - api.course[1].request.pools[0].quoted.0));
    assert_eq!(saving.at_least, UsdPerHour(2 * (107_000 - 40_000)));
    assert_eq!(saving.per_month().micros_floor(), i128::from(saving.saved.0) * 730);
    assert_eq!(api.rest.iter().map(|hold| hold.reason.label()).collect::<Vec<_>>(), ["on-demand-floor"]);
}

#[test]
fn an_opt_out_is_never_planned_for() {
    for enabled in [Enabled::ByTag, Enabled::True] {
        let survey = surveyed(organization(), policy(enabled, 0));
        let db = one(&survey, "db");
        assert_eq!(db.effective.standing, Standing::OptedOut(OptOut::Tag));
        assert!(db.plan.swap.is_none() && db.course.is_empty());
        assert_eq!((db.saving(), db.saving_unknown()), (Saving::default(), false));
        assert_eq!(db.members(), Members { in_service: 3, on_demand: 3, spot: 0, unknown: 0 });
    }
}

#[test]
fn a_group_without_a_tag_waits_for_policy() {
    let labels = |survey: &Survey| one(survey, "new").plan.holds.iter().map(|h| h.reason.label()).collect::<Vec<_>>();
    let by_tag = surveyed(organization(), policy(Enabled::ByTag, 0));
    assert_eq!(labels(&by_tag), ["not-enabled"]);
    let enabled = surveyed(organization(), policy(Enabled::True, 0));
    assert_eq!(one(&enabled, "new").course.len(), 3);
}

#[test]
fn without_a_price_the_saving_is_unknown_and_not_zero() {
    let mut snapshot = organization();
    snapshot.quotes.clear();
    let survey = surveyed(snapshot, policy(Enabled::ByTag, 1));
    let api = one(&survey, "api");
    assert_eq!(api.plan.holds[0].reason.label(), "no-quote");
    assert_eq!((api.saving().members, api.saving().unknown), (0, 2), "the third stays whatever it costs");
    assert!(api.saving_unknown());
}

#[test]
fn what_was_not_read_is_asked_for_and_then_unknown() {
    let mut snapshot = organization();
    snapshot.groups[0].template = None;
    let survey = surveyed(snapshot, policy(Enabled::ByTag, 0));
    let api = one(&survey, "api");
    assert_eq!(api.plan.question.as_ref().map(Asked::from), Some(Asked::Template));
    assert!(api.saving_unknown());
}

#[test]
fn a_site_that_refuses_is_named_and_the_others_are_seen() {
    let mut snapshot = organization();
    snapshot.accounts[1].active = true;
    snapshot.groups.push(group(2, "far", Some("true")));
    let why = Fault::Denied("autoscaling:DescribeAutoScalingGroups");
    snapshot.missed = vec![Missed::site(&site(2), Asked::Groups, &why)];
    let survey = surveyed(snapshot, policy(Enabled::ByTag, 0));
    assert_eq!(survey.groups.len(), 3);
    let [missed] = &survey.missed[..] else { panic!("{:?}", survey.missed) };
    assert_eq!((missed.account, missed.fault.as_str()), (Some(site(2).account), "denied"));
    assert_eq!(missed.why, "access denied for autoscaling:DescribeAutoScalingGroups");
}

#[test]
fn a_closed_account_is_not_asked() {
    let mut snapshot = organization();
    snapshot.groups.push(group(2, "far", Some("true")));
    let survey = surveyed(snapshot, policy(Enabled::True, 0));
    assert!(survey.groups.iter().all(|group| group.view.key.site.account == site(1).account));
    assert_eq!(survey.accounts.len(), 2);
}

#[test]
fn a_record_is_planned_with_and_recorded_again() {
    let mut snapshot = organization();
    let mut record = GroupRecord::new(snapshot.groups[0].view.key.clone());
    record.last_swap_at = Some(snapshot.taken_at);
    snapshot.groups[0].record = Some(record.clone());
    let survey = surveyed(snapshot, policy(Enabled::ByTag, 0));
    let api = one(&survey, "api");
    assert_eq!(api.plan.holds[0].reason.label(), "swap-interval");
    assert!(api.saving_unknown(), "it passes, so it says nothing of the saving");
    assert_eq!(api.record, Some(record));
}

#[test]
fn a_blank_store_refuses_writes() {
    let put = Put { key: "a".to_owned(), value: None, expect: Expect::Anything, fence: 1 };
    assert!(block_on(Arc::new(Blank::default()).write(&[put])).is_err());
}
