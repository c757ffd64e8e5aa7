//! What wins over what.

use super::*;
use crate::policy::{NameGlob, Selector};

fn ask(set: &PolicySet, tags: &[(&str, &str)]) -> Effective {
    let tags = tags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    at(&tags, |at| set.effective(at))
}

fn at<T>(tags: &BTreeMap<String, String>, ask: impl FnOnce(&Context<'_>) -> T) -> T {
    let (ou, region) = ("/prod/web".parse().unwrap(), "eu-west-1".parse().unwrap());
    let account = "000000000007".parse().unwrap();
    let account_tags = BTreeMap::from([("team".to_owned(), "shop".to_owned())]);
    ask(&Context { ou: &ou, account, account_tags: Some(&account_tags), region: &region, group: "api", tags })
}

fn rule(ou: &str, enabled: Option<Enabled>, floor: Option<u32>) -> Rule {
    let settings = Settings { enabled, floor_number: floor, ..Settings::default() };
    Rule { selector: Selector::ou(ou.parse().unwrap()), settings, ..Rule::default() }
}

fn floor(selector: Selector, floor: u32) -> Rule {
    Rule { selector, settings: Settings { floor_number: Some(floor), ..Settings::default() }, ..Rule::default() }
}

#[test]
fn the_deeper_unit_wins_whatever_the_order() {
    let mut rules = vec![rule("/prod/web", None, Some(3)), rule("/", None, Some(1)), rule("/prod", None, Some(2))];
    for _ in 0..3 {
        rules.rotate_left(1);
        assert_eq!(ask(&PolicySet::new(rules.clone()), &[]).policy.floor_number, 3);
    }
    let set = PolicySet::new(vec![rule("/pro", None, Some(9))]);
    assert_eq!(ask(&set, &[]).policy.floor_number, 0, "a unit is no text prefix");
}

#[test]
fn the_more_specific_part_wins() {
    let mut parts: [Selector; 6] = Default::default();
    parts[0].only.ou = vec!["/prod/web".parse().unwrap()];
    parts[1].only.account_tag = BTreeMap::from([("team".to_owned(), "sh*".parse::<NameGlob>().unwrap())]);
    parts[2].only.account = vec!["000000000007".parse().unwrap()];
    parts[3].only.region = vec!["eu-west-1".parse().unwrap()];
    parts[4].only.group = vec!["a*".parse().unwrap()];
    parts[5].only.tag = BTreeMap::from([("tier".to_owned(), "web".parse::<NameGlob>().unwrap())]);
    for (index, part) in parts.iter().enumerate() {
        let mut rules: Vec<Rule> =
            parts[..=index].iter().enumerate().map(|(n, s)| floor(s.clone(), 10 - u32::try_from(n).unwrap())).collect();
        for _ in 0..rules.len() {
            rules.rotate_left(1);
            let found = ask(&PolicySet::new(rules.clone()), &[("tier", "web")]).policy.floor_number;
            assert_eq!(found, 10 - u32::try_from(index).unwrap(), "{part:?}");
        }
    }
    let tag = PolicySet::new(vec![floor(parts[5].clone(), 4)]);
    assert_eq!(ask(&tag, &[("tier", "cache")]).policy.floor_number, 0);
    assert_eq!(ask(&tag, &[]).policy.floor_number, 0);
}

#[test]
fn exceptions_are_no_part_of_it() {
    let mut selector = Selector::ou("/prod".parse().unwrap());
    let (group, region) = (vec!["api*".parse().unwrap()], vec!["us-east-1".parse().unwrap()]);
    let mut except = crate::policy::Block { region, group, ..crate::policy::Block::default() };
    selector.except = vec![except.clone()];
    assert_eq!(ask(&PolicySet::new(vec![floor(selector.clone(), 4)]), &[]).policy.floor_number, 4, "another region");
    except.region = vec!["eu-west-1".parse().unwrap()];
    selector.except.push(except);
    assert_eq!(ask(&PolicySet::new(vec![floor(selector, 4)]), &[]).policy.floor_number, 0);
}

#[test]
fn of_equals_the_stricter_counts() {
    let set =
        PolicySet::new(vec![rule("/prod", Some(Enabled::True), Some(2)), rule("/prod", Some(Enabled::ByTag), None)]);
    assert_eq!(ask(&set, &[]).standing, Standing::NotEnabled);
    let mut one = rule("/prod", None, Some(1));
    one.settings.allowed_types = Some(vec![vec!["m5.*".parse().unwrap()]]);
    let mut other = rule("/prod", None, Some(3));
    other.settings.allowed_types = Some(vec![vec!["*.large".parse().unwrap()]]);
    let policy = ask(&PolicySet::new(vec![one, other]), &[]).policy;
    assert_eq!((policy.floor_number, policy.allowed_types.len()), (3, 2), "both lists have to allow a type");
}

#[test]
fn an_opt_out_anywhere_wins() {
    let set = PolicySet::new(vec![rule("/", Some(Enabled::False), None), rule("/prod/web", Some(Enabled::True), None)]);
    assert_eq!(ask(&set, &[("spothub:enabled", "true")]).standing, Standing::OptedOut(OptOut::Policy));
    let set = PolicySet::new(vec![rule("/", Some(Enabled::True), None)]);
    assert_eq!(ask(&set, &[]).standing, Standing::Enabled);
    assert_eq!(ask(&set, &[("spothub:enabled", "nope")]).standing, Standing::OptedOut(OptOut::Tag));
    let plain = PolicySet::default();
    assert_eq!(ask(&plain, &[]).standing, Standing::NotEnabled);
    assert_eq!(ask(&plain, &[("spothub:enabled", " True ")]).standing, Standing::Enabled);
    assert_eq!(ask(&plain, &[("spot-enabled", "true")]).standing, Standing::NotEnabled);
}

#[test]
fn tags_only_restrict() {
    let set = PolicySet::default();
    assert_eq!(ask(&set, &[("spothub:min-on-demand", "2")]).policy.floor(10), 2);
    assert_eq!(ask(&set, &[("spothub:min-on-demand", "two")]).policy.floor(10), u32::MAX);
    assert_eq!(ask(&set, &[("spothub:min-on-demand-percent", "50")]).policy.floor(5), 3);
    assert_eq!(ask(&set, &[("spothub:min-on-demand-percent", "150")]).policy.floor(5), 5);
    assert_eq!(ask(&set, &[("spothub:min-saving", "5%")]).policy.min_saving.value(), 10, "lower is looser");
    assert_eq!(ask(&set, &[("spothub:min-saving", "40%")]).policy.min_saving.value(), 40);
    let set = PolicySet::new(vec![rule("/", None, Some(3))]);
    assert_eq!(ask(&set, &[("spothub:min-on-demand", "1")]).policy.floor_number, 3);
}

#[test]
fn what_is_delegable_tags_set_unless_it_is_locked() {
    let mut delegating = rule("/", Some(Enabled::True), Some(3));
    delegating.delegable = Keys::NONE.with(Key::FloorNumber).with(Key::Enabled);
    let tags = [("spothub:min-on-demand", "1")];
    assert_eq!(ask(&PolicySet::new(vec![delegating.clone()]), &tags).policy.floor_number, 1);
    let locked = Rule { locked: true, ..rule("/prod", None, Some(2)) };
    let set = PolicySet::new(vec![delegating, locked]);
    assert_eq!(ask(&set, &tags).policy.floor_number, 2);
    assert_eq!(ask(&set, &[("spothub:min-on-demand", "7")]).policy.floor_number, 7);
}

#[test]
fn a_tag_that_cannot_be_read_holds() {
    let set = PolicySet::new(vec![rule("/", Some(Enabled::True), None)]);
    for tag in ["spothub:settle", "spothub:schedule", "spothub:min-ondemand", "spothub:pools"] {
        assert_eq!(ask(&set, &[(tag, "soon")]).standing, Standing::Unreadable(tag.to_owned()), "{tag}");
    }
    assert_eq!(ask(&set, &[("spothub:swap", "sw-1"), ("spothubs", "x")]).standing, Standing::Enabled);
}

#[test]
fn every_value_has_an_origin() {
    let mut named = rule("/prod", None, Some(2));
    named.at = Place { file: "p.yaml".into(), line: 4, column: 5 };
    let set = PolicySet::new(vec![named, rule("/", None, Some(1))]);
    let tags = BTreeMap::from([("spothub:min-on-demand".to_owned(), "5".to_owned())]);
    let explained = at(&tags, |at| set.explain(at));
    let floor = explained.iter().find(|one| one.key == Key::FloorNumber).unwrap();
    let said: Vec<_> = floor.said.iter().map(|said| (said.value.as_str(), said.counts)).collect();
    assert_eq!((floor.value.as_str(), said), ("5", vec![("0", false), ("1", false), ("2", false), ("5", true)]));
    assert_eq!(floor.said[2].by, Origin::File(Place { file: "p.yaml".into(), line: 4, column: 5 }));
    assert_eq!(floor.said[3].by, Origin::Tag("spothub:min-on-demand".to_owned()));
    let low = BTreeMap::from([("spothub:min-on-demand".to_owned(), "1".to_owned())]);
    let explained = at(&low, |at| set.explain(at));
    let floor = explained.iter().find(|one| one.key == Key::FloorNumber).unwrap();
    let said: Vec<_> = floor.said.iter().map(|said| (said.value.as_str(), said.counts)).collect();
    assert_eq!(said, [("0", false), ("1", false), ("2", true), ("1", false)]);
    for one in &explained {
        assert!(one.said.iter().any(|said| said.counts), "{}", one.key);
    }
}
