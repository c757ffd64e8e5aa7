//! What holds of any policy: opt-outs win, order says nothing, reasons are true, and no file loosens by itself.

use std::cell::Cell;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use spothub_core::policy::{CHAIN_MAX, Effective, InForce, Key, PolicySet, Standing, TagDialect};
use spothub_core::time::Timestamp;
use spothub_hub::policy_file::combine;
use spothub_hub::published::{PolicyState, Seen};

use super::drawn::{Rule, edited, group, rules, text};
use super::{Group, file, policy};

fn run<S: Strategy>(cases: u32, of: &S, law: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 4_000, ..Config::default() };
    // Each law's own words show the case.
    match TestRunner::new(config).run(of, law) {
        Err(TestError::Fail(why, _)) => panic!("{why}"),
        other => other.unwrap(),
    }
}

fn effective(set: &PolicySet, group: &Group) -> Effective {
    group.ask(|at| set.effective(at))
}

/// Whether the owner's tags opt the group out, as the page says it.
fn tag_opts_out(group: &Group, dialect: TagDialect) -> bool {
    let theirs = group.tags.get("spot-enabled").filter(|_| dialect == TagDialect::Autospotting);
    let ours = group.tags.get("spothub:enabled");
    ours.is_some_and(|word| !word.trim().eq_ignore_ascii_case("true")) || theirs.is_some_and(|word| word != "true")
}

/// Why `now` may do more than `before`; `None` where it is nowhere looser.
fn loosened(now: &Effective, before: &Effective) -> Option<String> {
    let keys = now.policy.looser(&before.policy);
    if !keys.is_empty() {
        let shown = |key: &Key| format!("{key}: {} after {}", now.policy.shown(*key), before.policy.shown(*key));
        return Some(keys.iter().map(shown).collect::<Vec<_>>().join(", "));
    }
    let acts = now.standing == Standing::Enabled && before.standing != Standing::Enabled;
    let forgets = matches!(before.standing, Standing::OptedOut(_)) && !matches!(now.standing, Standing::OptedOut(_));
    (acts || forgets).then(|| format!("{:?} after {:?}", now.standing, before.standing))
}

#[test]
fn no_rule_and_no_tag_enables_what_is_opted_out() {
    run(400, &(rules(), rules(), vec(group(), 8)), |(rules, others, groups)| {
        let set = policy(&text(&rules));
        let force = InForce::new(vec![Arc::new(set.clone()), Arc::new(policy(&text(&others)))], None);
        for group in &groups {
            let Effective { policy, standing } = effective(&set, group);
            let by_rule = rules.iter().any(|rule| rule.opts_out() && rule.covers(group));
            if by_rule || tag_opts_out(group, policy.tags) {
                prop_assert!(matches!(standing, Standing::OptedOut(_)), "{standing:?}: {group:?}\n{}", text(&rules));
                let together = group.ask(|at| force.effective(at)).standing;
                prop_assert!(matches!(together, Standing::OptedOut(_)), "beside another policy: {together:?}");
            } else {
                prop_assert!(!matches!(standing, Standing::OptedOut(_)), "nobody did: {group:?}\n{}", text(&rules));
            }
        }
        Ok(())
    });
}

#[test]
fn the_order_of_rules_and_of_files_says_nothing() {
    let keys = vec((any::<u32>(), 0_usize..3), 12);
    run(500, &(rules(), keys, vec(group(), 8)), |(rules, keys, groups)| {
        let set = policy(&text(&rules));
        let mut mixed: Vec<(u32, usize, Rule)> =
            rules.iter().zip(keys).map(|(rule, (order, file))| (order, file, rule.clone())).collect();
        mixed.sort_by_key(|(order, _, _)| *order);
        let part = |number: usize| -> Vec<Rule> {
            mixed.iter().filter(|(_, file, _)| *file == number).map(|(_, _, rule)| rule.clone()).collect()
        };
        let files: Vec<_> = [2, 0, 1].map(|number| file(&format!("{number}.yaml"), &text(&part(number)))).into();
        let split = combine(&files).unwrap();
        for group in &groups {
            prop_assert_eq!(effective(&set, group), effective(&split, group), "{:?}\n{:#?}", group, files);
        }
        Ok(())
    });
}

#[test]
fn what_is_explained_is_what_is_in_force() {
    run(500, &(rules(), vec(group(), 8)), |(rules, groups)| {
        let set = policy(&text(&rules));
        for group in &groups {
            let policy = effective(&set, group).policy;
            let explained = group.ask(|at| set.explain(at));
            let keys: Vec<Key> = explained.iter().map(|one| one.key).collect();
            prop_assert_eq!(keys.as_slice(), Key::ALL);
            for one in explained {
                prop_assert_eq!(&one.value, &policy.shown(one.key), "{}", one.key);
                let counting: Vec<_> = one.said.iter().filter(|said| said.counts).collect();
                prop_assert!(!counting.is_empty(), "{}: nobody said it", one.key);
                // One say gives the value; several that differ give it together.
                let given = counting.iter().any(|said| said.value == one.value) || counting.len() > 1;
                prop_assert!(given, "{}: {} is nobody's: {:?}\n{:?}", one.key, one.value, one.said, group);
            }
        }
        Ok(())
    });
}

#[test]
fn tags_loosen_what_is_delegable_and_not_locked_and_nothing_else() {
    run(400, &(rules(), vec(group(), 8)), |(rules, groups)| {
        let set = policy(&text(&rules));
        for group in &groups {
            let is_owners = |tag: &str| tag.starts_with("spothub:") || tag.starts_with("autospotting_");
            let mut bare = group.clone();
            bare.tags.retain(|tag, _| !is_owners(tag));
            let covering = || rules.iter().filter(|rule| rule.covers(group));
            for key in effective(&set, group).policy.looser(&effective(&set, &bare).policy) {
                let delegable = covering().any(|rule| rule.delegable().contains(&key));
                let locked = covering().any(|rule| rule.locks(key));
                prop_assert!(delegable && !locked, "{key}: {group:?}\n{}", text(&rules));
            }
        }
        Ok(())
    });
}

#[test]
fn what_only_restricts_is_nowhere_looser() {
    let (seen, changed) = (Cell::new(0_u32), Cell::new(0_u32));
    let pairs = rules().prop_flat_map(|rules| (Just(rules.clone()), edited(rules)));
    run(2_000, &(pairs, vec(group(), 12)), |((old_rules, new_rules), groups)| {
        let (old, new) = (policy(&text(&old_rules)), policy(&text(&new_rules)));
        prop_assert!(old.only_restricts(&old), "the same again\n{}", text(&old_rules));
        if !new.only_restricts(&old) {
            return Ok(());
        }
        seen.set(seen.get() + 1);
        for group in &groups {
            let (before, now) = (effective(&old, group), effective(&new, group));
            changed.set(changed.get() + u32::from(before != now));
            let why = loosened(&now, &before);
            prop_assert!(why.is_none(), "{why:?}: {group:?}\n{}\nthen\n{}", text(&old_rules), text(&new_rules));
        }
        Ok(())
    });
    assert!(seen.get() > 100 && changed.get() > 100, "{} pairs and {} groups show little", seen.get(), changed.get());
}

/// What the hub does with files that are published one after the other, of which only the first was approved.
fn published(sets: &[Arc<PolicySet>], order: &[usize]) -> Vec<InForce> {
    let mut state = PolicyState { chain: vec!["0".to_owned()], ..PolicyState::default() };
    let number = |digest: &String| digest.parse::<usize>().unwrap();
    let mut forces = Vec::new();
    for (at, &index) in (0_i64..).zip(order) {
        let digest = index.to_string();
        let restricts = match state.chain.as_slice() {
            [one] => sets[index].only_restricts(&sets[number(one)]),
            _ => false,
        };
        state.see(&Seen { digest, version: at.to_string(), author: None, at: Timestamp(at) }, restricts);
        let chain =
            if state.crowded { Vec::new() } else { state.chain.iter().map(|d| Arc::clone(&sets[number(d)])).collect() };
        assert!(chain.len() <= CHAIN_MAX);
        forces.push(InForce::new(chain, None));
    }
    forces
}

#[test]
fn no_file_alone_loosens_anything() {
    let edits = rules().prop_flat_map(|first| {
        let more = prop_oneof![edited(first.clone()), edited(first.clone()), rules()];
        (Just(first), vec(more, 1..20))
    });
    run(150, &(edits, vec(any::<Index>(), 1..40), vec(group(), 6)), |((first, more), order, groups)| {
        let sets: Vec<_> = [first].iter().chain(&more).map(|rules| Arc::new(policy(&text(rules)))).collect();
        let order: Vec<usize> = order.iter().map(|index| index.index(sets.len())).collect();
        for (force, &last) in published(&sets, &order).iter().zip(&order) {
            for group in &groups {
                let now = group.ask(|at| force.effective(at));
                if now.standing == Standing::NoPolicy {
                    continue;
                }
                let why = loosened(&now, &effective(&sets[0], group));
                prop_assert!(why.is_none(), "looser than what was approved: {why:?}: {group:?}");
                let why = loosened(&now, &effective(&sets[last], group));
                prop_assert!(why.is_none(), "looser than what is published: {why:?}: {group:?}");
            }
        }
        Ok(())
    });
}
