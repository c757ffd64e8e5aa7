//! INV-11: the brake.

use spothub_core::brake::BrakeScope;

use super::*;

fn launched_under(scope: BrakeScope, pulled: i64, released: Option<i64>, at: i64) -> Vec<&'static str> {
    let mut story = Story::new([1]);
    story.at(pulled).push(What::Brake { scope: scope.clone(), set: true, revert: false });
    if let Some(released) = released {
        story.at(released).push(What::Brake { scope, set: false, revert: false });
    }
    story.at(at).launch(&swap(1), 11, 1);
    broken(story.at(2_000))
}

#[test]
fn nothing_begins_under_a_brake_that_covers_it() {
    let org = BrakeScope::Org;
    assert_eq!(launched_under(org.clone(), 100, None, 200), ["INV-11"]);
    assert!(launched_under(org.clone(), 100, None, 104).is_empty(), "it was on its way");
    assert!(launched_under(org.clone(), 100, Some(150), 200).is_empty(), "it was released");
    assert!(launched_under(BrakeScope::Region("sa-east-1".parse().unwrap()), 100, None, 200).is_empty(), "elsewhere");
    assert_eq!(launched_under(BrakeScope::All, 100, None, 200), ["INV-11"]);
}
