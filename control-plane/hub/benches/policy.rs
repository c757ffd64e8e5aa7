//! 500 rules, half by unit, a quarter by patterns of names and a quarter by tags: in force for 100,000 groups in one
//! pass on one core, and the check of their file.
//!
//! `cargo bench -p spothub-hub --bench policy`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use spothub_core::catalog::Catalog;
use spothub_core::id::{AccountId, OuPath, Region};
use spothub_core::policy::{Context, PolicySet, Standing};
use spothub_hub::policy_file::{File, check, combine};

const GROUPS: usize = 100_000;
/// Units, in two levels below five; each has a rule.
const UNITS: usize = 250;

fn unit(number: usize) -> String {
    format!("/part{}/area{}/team{number}", number % 5, number % 25)
}

/// Every rule of one kind says the same of what it sets, so that none contradicts another one.
fn text() -> String {
    let mut text = "defaults: {enabled: by-tag, floor: {percent: 10%}, tags: autospotting}\nrules:\n".to_owned();
    for n in 0..UNITS {
        let unit = unit(n);
        let (enabled, floor) = (if n % 50 == 0 { "false" } else { "true" }, n % 4);
        let _ =
            writeln!(text, "  - {{match: {{ou: {unit}}}, enabled: {enabled}, floor: {{number: {floor}}}, settle: 2m}}");
    }
    for n in 0..UNITS / 2 {
        let _ =
            writeln!(text, "  - {{match: {{group: \"*-role{n}-*\"}}, pools: 6, denied-types: [\"t2.*\", \"t3.*\"]}}");
        let _ = writeln!(text, "  - {{match: {{tag: {{team: \"team{n}\"}}}}, min-saving: 20%, max-price: 80%}}");
    }
    text
}

/// A group as an organization has it: a handful of tags, one of them its owner's word.
struct Group {
    ou: OuPath,
    account: AccountId,
    name: String,
    tags: BTreeMap<String, String>,
}

fn groups() -> Vec<Group> {
    let group = |n: usize| Group {
        ou: unit(n % UNITS).parse().expect("a unit"),
        account: AccountId::from_number(n as u64 / 10).expect("an account"),
        name: format!("shop-role{}-blue-{n}", n % 300),
        tags: [
            ("Name", format!("shop-{n}")),
            ("team", format!("team{}", n % 200)),
            ("stage", "prod".to_owned()),
            ("cost-center", format!("{}", n % 70)),
            ("spothub:min-on-demand", "2".to_owned()),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .into(),
    };
    (0..GROUPS).map(group).collect()
}

/// Groups that may be acted on.
fn enabled(set: &PolicySet, groups: &[Group], regions: &[Region]) -> usize {
    let account_tags = BTreeMap::new();
    let ask = |(n, group): (usize, &Group)| {
        let region = &regions[n % regions.len()];
        let (ou, account, tags) = (&group.ou, group.account, &group.tags);
        let at = Context { ou, account, account_tags: Some(&account_tags), region, group: &group.name, tags };
        set.effective(&at).standing == Standing::Enabled
    };
    groups.iter().enumerate().map(ask).filter(|enabled| *enabled).count()
}

fn bench(c: &mut Criterion) {
    let files = [File { name: "policy.yaml".to_owned(), text: text() }];
    let set = combine(&files).expect("a policy");
    assert_eq!(set.rules().len(), 501);
    let groups = groups();
    let regions: Vec<Region> =
        ["eu-west-1", "us-east-1", "ap-south-1"].map(|name| name.parse().expect("a region")).into();
    assert_eq!(enabled(&set, &groups, &regions), GROUPS / 50 * 49, "five of 250 units are opted out");
    let catalog = Catalog::embedded();
    assert!(check(&files, catalog).mistakes.is_empty());
    let mut slow = c.benchmark_group("policy, 500 rules");
    slow.sample_size(10);
    slow.bench_function("in force for 100,000 groups", |b| b.iter(|| enabled(black_box(&set), &groups, &regions)));
    slow.bench_function("read", |b| b.iter(|| combine(black_box(&files)).map(|set| set.rules().len())));
    slow.bench_function("check", |b| b.iter(|| check(black_box(&files), catalog).warnings.len()));
    slow.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
