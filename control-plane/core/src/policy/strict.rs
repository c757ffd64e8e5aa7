//! Which of two values is the stricter one: what touches less, keeps more, or waits longer.
//!
//! Each function takes the two and gives a value at least as strict as either: the greatest lower bound of the two in
//! the order of strictness. So the order of what is combined never matters, and combining never loosens.

use std::collections::BTreeSet;

use crate::catalog::Product;
use crate::compat::TypeGlob;

use super::Schedule;

/// The larger value: a higher floor, a longer wait, more pools.
pub(super) fn higher<T: Ord + Clone>(one: &T, other: &T) -> T {
    one.max(other).clone()
}

/// The smaller value: a lower budget, less tolerance, `false` before `by-tag` before `true`.
pub(super) fn lower<T: Ord + Clone>(one: &T, other: &T) -> T {
    one.min(other).clone()
}

/// All entries of both lists, each once, in the order of their text.
pub(super) fn all<T: Ord + Clone>(one: &[T], other: &[T]) -> Vec<T> {
    one.iter().chain(other).cloned().collect::<BTreeSet<T>>().into_iter().collect()
}

/// What stands in both lists, each once, in the order of its text.
pub(super) fn common<T: Ord + Clone>(one: &[T], other: &[T]) -> Vec<T> {
    one.iter().filter(|entry| other.contains(entry)).cloned().collect::<BTreeSet<T>>().into_iter().collect()
}

/// Both caps: the lower one, and any before none.
#[expect(clippy::ref_option, reason = "all of these take what a policy has, by reference")]
pub(super) fn cap<T: Ord + Copy>(one: &Option<T>, other: &Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(*one.min(other)),
        (one, other) => one.or(*other),
    }
}

/// What the image says before any override, then the product with the lower licence fee.
#[expect(clippy::ref_option, clippy::trivially_copy_pass_by_ref, reason = "all of these take what a policy has")]
pub(super) fn product(one: &Option<Product>, other: &Option<Product>) -> Option<Product> {
    let fee = |product: &Product| match product {
        Product::Linux => 0,
        Product::Suse => 1,
        Product::Rhel => 2,
        Product::Windows => 3,
    };
    match (one, other) {
        (Some(one), Some(other)) => Some(*std::cmp::min_by_key(one, other, |product| fee(product))),
        _ => None,
    }
}

/// Lists of which each has to allow a type: those of both.
pub(super) fn each(one: &[Vec<TypeGlob>], other: &[Vec<TypeGlob>]) -> Vec<Vec<TypeGlob>> {
    all(one, other)
}

/// Schedules of which each has to be open: those of both, each once.
pub(super) fn open(one: &[Schedule], other: &[Schedule]) -> Vec<Schedule> {
    let mut both = one.to_vec();
    for schedule in other {
        if !both.contains(schedule) {
            both.push(schedule.clone());
        }
    }
    // Their order says nothing, and equal sets are to be equal.
    both.sort_by_cached_key(ToString::to_string);
    both
}
