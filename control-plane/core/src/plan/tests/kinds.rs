//! Which kinds of groups are served, and what of their own doings holds them.

use super::*;

fn hooks(case: &mut Case, names: &[&str]) {
    case.view.extras.as_mut().unwrap().launch_hooks = names.iter().map(ToString::to_string).collect();
}

fn skippable(case: &mut Case, patterns: &[&str]) {
    case.effective.policy.skippable_launch_hooks = patterns.iter().map(|one| one.parse().unwrap()).collect();
}

const CODE_DEPLOY: &str = "CodeDeploy-managed-automatic-launch-deployment-hook-shop-5d1f3c2e";

#[test]
fn hooks_hold_unless_policy_names_each_of_them() {
    let with = |names: &'static [&str], patterns: &'static [&str], says: &str| {
        check(
            |c| {
                hooks(c, names);
                skippable(c, patterns);
            },
            says,
        );
    };
    with(&["boot"], &[], "launch-hook");
    with(&["boot"], &["boot"], SWAP);
    with(&["boot", "register"], &["boot"], "launch-hook");
    with(&["boot", "register"], &["*"], SWAP);
    with(&["Boot"], &["boot"], "launch-hook");
}

#[test]
fn no_pattern_skips_a_hook_of_code_deploy() {
    for patterns in [&[][..], &["*"], &[CODE_DEPLOY]] {
        check(
            |c| {
                hooks(c, &["boot", CODE_DEPLOY]);
                skippable(c, patterns);
            },
            "code-deploy",
        );
    }
}

#[test]
fn a_stack_that_is_being_changed_holds_the_group() {
    check(|c| c.view.extras.as_mut().unwrap().stack_updating = true, "stack-updating");
}

#[test]
fn a_mixed_policy_that_buys_on_demand_alone_is_a_template() {
    check(|c| c.view.mixed_on_demand = true, SWAP);
}
