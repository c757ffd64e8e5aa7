//! The policy files that are shipped as examples.

use spothub_core::catalog::Catalog;
use spothub_core::policy::Standing;
use spothub_hub::policy_file::{File, check};

use super::{Group, folder, policy};

#[test]
fn every_shipped_file_is_without_mistakes_and_warnings() {
    for (name, bytes) in folder("policies", &[".yaml"]) {
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.starts_with("# "), "{name} does not say whom it is for");
        let checked = check(&[File { name: name.clone(), text }], Catalog::embedded());
        let said: Vec<_> = checked.mistakes.iter().chain(&checked.warnings).map(ToString::to_string).collect();
        assert!(said.is_empty(), "{}", said.join("\n"));
        assert!(!checked.set.unwrap().rules().is_empty(), "{name} says nothing");
    }
}

/// `spothub policy check` without a path reads the whole directory.
#[test]
fn together_they_contradict_nothing() {
    let file = |(name, bytes): (String, Vec<u8>)| File { name, text: String::from_utf8(bytes).unwrap() };
    let files: Vec<File> = folder("policies", &[".yaml"]).into_iter().map(file).collect();
    let checked = check(&files, Catalog::embedded());
    let said: Vec<_> = checked.mistakes.iter().chain(&checked.warnings).map(ToString::to_string).collect();
    assert!(said.is_empty(), "{}", said.join("\n"));
}

#[test]
fn the_organizations_opt_out_holds_and_its_rings_are_named() {
    let text = std::fs::read_to_string(super::path("policies/organization.yaml")).unwrap();
    let set = policy(&text);
    let mut group = Group { ou: "/prod/payments/eu", ..Group::tagged(&[("spothub:enabled", "true")]) };
    assert!(matches!(group.ask(|at| set.effective(at)).standing, Standing::NoPolicy | Standing::OptedOut(_)));
    group.account_tags = Some([("regulated".to_owned(), "true".to_owned())].into());
    assert!(matches!(group.ask(|at| set.effective(at)).standing, Standing::OptedOut(_)));
    group.ou = "/prod/web";
    let found = group.ask(|at| set.effective(at));
    assert_eq!((found.standing, found.policy.floor(10)), (Standing::Enabled, 5));
    let rings: Vec<_> = set.rollout().rings.iter().map(|ring| ring.name.as_str()).collect();
    assert_eq!(rings, ["canary", "development"]);
}
