//! What is paid for anyway saves nothing.

use super::*;
use crate::commitment::{Commitment, Slot, Terms};
use crate::policy::CommitmentRule;

/// So many reserved m5.large, and so many that run on demand; whether all was read.
fn covers(case: &mut Case, count: u32, running: u32, whole: bool) {
    let Site { account, region } = case.view.key.site.clone();
    let (kind, product) = (kind("m5.large"), Product::Linux);
    let terms = Terms::Reserved { region: region.clone(), az: None, kind, product, count };
    let slot = Slot { account, region, az: az(1), kind, product };
    let (commitments, running) = ([Commitment { account, terms, ends_at: None }], [(slot, running)]);
    let coverage = Coverage::new(&commitments, &BTreeMap::from(running), BTreeSet::new(), Catalog::embedded(), NOW);
    case.coverage = Some((coverage, whole));
}

#[test]
fn what_only_this_instance_would_use_is_kept_on_demand() {
    check(|c| covers(c, 2, 2, true), "committed");
    check(|c| covers(c, 2, 3, true), SWAP);
    check(|c| covers(c, 0, 2, true), SWAP);
    let mut case = Case::new(group(2, 1));
    covers(&mut case, 5, 2, true);
    let reasons: BTreeSet<_> = case.plan().holds.into_iter().map(|hold| hold.reason).collect();
    assert_eq!(reasons, BTreeSet::from([HoldReason::Committed { covered: 100 }]));
}

#[test]
fn policy_may_leave_it_out_of_account() {
    let rule = |rule: CommitmentRule, whole: bool, says: &str| {
        check(
            |c| {
                covers(c, 2, 2, whole);
                c.effective.policy.commitments = rule;
            },
            says,
        );
    };
    rule(CommitmentRule::Ignore, false, SWAP);
    rule(CommitmentRule::Count, false, "committed");
    rule(CommitmentRule::Require, true, "committed");
}

#[test]
fn policy_may_insist_that_all_is_known() {
    let rule = |rule: CommitmentRule, says: &str| {
        check(
            |c| {
                covers(c, 1, 3, false);
                c.effective.policy.commitments = rule;
            },
            says,
        );
    };
    rule(CommitmentRule::Count, SWAP);
    rule(CommitmentRule::Require, "commitments-unknown");
    // Nobody asked: what one insists on is not known either.
    check(|c| c.effective.policy.commitments = CommitmentRule::Require, "commitments-unknown");
}
