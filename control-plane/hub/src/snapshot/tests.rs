//! Snapshots, written and read, and what is refused.

use std::collections::BTreeSet;

use spothub_core::catalog::{Catalog, InstanceType, Product, TypeId};
use spothub_core::fault::Fault;
use spothub_core::group::{Extras, InstanceFacts, Lifecycle, Member, MemberState, Source};
use spothub_core::id::{GroupKey, InstanceId, Site};
use spothub_core::market::{Pool, SpotPrice};
use spothub_core::money::UsdPerHour;
use spothub_core::time::Span;

use super::*;
use crate::survey::Asked;

const NOW: Timestamp = Timestamp(1_767_225_600_000);

pub(crate) fn kind(name: &str) -> TypeId {
    Catalog::embedded().by_name(name).unwrap()
}

pub(crate) fn site(account: u64) -> Site {
    let account = spothub_core::id::AccountId::from_number(account).unwrap();
    Site { account, region: "eu-west-1".parse().unwrap() }
}

fn source(version: Option<u64>) -> Source {
    Source::Template { id: "lt-0123456789abcdef0".parse().unwrap(), version }
}

fn member(number: u128) -> Member {
    let facts = InstanceFacts {
        lifecycle: Lifecycle::OnDemand,
        subnet: "subnet-0123456789abcdef0".parse().unwrap(),
        launched_at: NOW - Span::hours(24),
        swap: None,
        dedicated: false,
        reserved: false,
    };
    Member {
        id: InstanceId::from_number(number),
        kind: Some(kind("m5.large")),
        az: "euw1-az1".parse().unwrap(),
        state: MemberState::InService,
        healthy: true,
        protected: false,
        source: Some(source(Some(3))),
        facts: Some(Arc::new(facts)),
    }
}

/// A group of three m5.large on demand; `enabled` is the value of its tag.
pub(crate) fn group(account: u64, name: &str, enabled: Option<&str>) -> Recorded {
    let number = u128::from(account) << 32 | u128::from(name.as_bytes()[0]) << 8;
    let view = GroupView {
        key: GroupKey { site: site(account), name: name.parse().unwrap() },
        seen_at: NOW,
        min: 1,
        max: 6,
        desired: 3,
        members: (0..3).map(|n| member(number + n)).collect(),
        suspended: BTreeSet::new(),
        tags: enabled.map(|value| ("spothub:enabled".to_owned(), value.to_owned())).into_iter().collect(),
        source: source(None),
        target_groups: Vec::new(),
        load_balancers: Vec::new(),
        health_check_grace: Span::secs(300),
        default_warmup: Span::ZERO,
        warm_pool: false,
        operator: false,
        cluster_placement: false,
        capacity_rebalance: false,
        mixed_on_demand: false,
        new_protected: false,
        extras: Some(Extras::default()),
    };
    let template = serde_json::json!({
        "source": source(Some(3)), "product": "Linux/UNIX", "arch": "x86_64", "virtualization": "hvm",
        "boot_mode": null, "ena": true, "network_interfaces": 1, "volumes": 1, "not_on_spot": false, "route": "Fleet",
    });
    let template = serde_json::from_value(template).unwrap();
    Recorded { view, template: Some(template), record: None }
}

/// Two accounts, of which one is closed, and three groups: enabled, opted out and without a tag.
pub(crate) fn organization() -> Snapshot {
    let account = |number, name: &str, active| Account {
        tags: None,
        id: site(number).account,
        name: name.to_owned(),
        ou: "/prod".parse().unwrap(),
        regions: [site(number).region].into(),
        active,
    };
    let price = |name, micros| SpotPrice {
        pool: Pool { az: "euw1-az1".parse().unwrap(), kind: kind(name), product: Product::Linux },
        price: UsdPerHour(micros),
        at: NOW,
    };
    let quotes = Quotes::new(NOW, [price("m5.large", 40_000), price("m5a.large", 30_000), price("m6a.large", 35_000)]);
    Snapshot {
        by: "spothub 0.1.0".to_owned(),
        taken_at: NOW,
        catalog: Overlay::default(),
        accounts: vec![account(1, "shop", true), account(2, "closed", false)],
        quotes: [(site(1).region, Arc::new(quotes))].into(),
        groups: vec![group(1, "api", Some("true")), group(1, "db", Some("false")), group(1, "new", None)],
        missed: vec![Missed {
            account: Some(site(1).account),
            region: "eu-west-3".parse().unwrap(),
            group: None,
            what: Asked::Groups,
            fault: Fault::Broken.label().to_owned(),
            why: Fault::Broken.to_string(),
        }],
    }
}

fn text(snapshot: &Snapshot) -> String {
    let mut bytes = Vec::new();
    snapshot.write(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn read(text: &str) -> Result<Snapshot, String> {
    Snapshot::read("org.jsonl", text.as_bytes()).map_err(|error| error.to_string())
}

#[test]
fn what_is_written_is_read() {
    let snapshot = organization();
    assert_eq!(read(&text(&snapshot)), Ok(snapshot));
}

/// A key that is new in a later program needs a default, or files of this format could not be read any more.
#[test]
fn format_1_stays_readable() {
    let stored = include_str!("format-1.jsonl");
    assert_eq!(read(stored), Ok(organization()));
}

#[test]
fn a_newer_format_is_refused_with_what_to_do() {
    let newer =
        text(&organization()).replacen("\"format\":1,\"by\":\"spothub 0.1.0\"", "\"format\":2,\"by\":\"spothub 9\"", 1);
    let told = read(&newer).unwrap_err();
    assert!(told.contains("org.jsonl:1: format: the snapshot has format 2"), "{told}");
    assert!(told.contains("use the spothub that wrote it (spothub 9)"), "{told}");
}

#[test]
fn what_is_no_snapshot_is_refused_with_line_and_key() {
    let good = text(&organization());
    let without = |line: usize| {
        let lines = good.lines().enumerate().filter(|(index, _)| *index != line).map(|(_, text)| text);
        lines.collect::<Vec<_>>().join("\n")
    };
    let twice = |line: usize| {
        good.replacen(good.lines().nth(line).unwrap(), &format!("{0}\n{0}", good.lines().nth(line).unwrap()), 1)
    };
    let cases = [
        (String::new(), "org.jsonl:1: the file is empty"),
        ("about: yaml\n".to_owned(), "org.jsonl:1: no snapshot: column 1: expected value"),
        (r#"{"kind":"call","format":1}"#.to_owned(), "org.jsonl:1: kind: the first line of a snapshot says `snapshot`"),
        (good.replacen("\"format\":1", "\"format\":0", 1), "org.jsonl:1: format: there is no format 0"),
        (good.replacen("\"taken_at\"", "\"taken\"", 1), "missing field `taken_at`"),
        (good.replacen("000000000001", "1", 1), "org.jsonl:2: \"1\" is no account id"),
        (good.replacen("m5.large", "m5.huge", 1), "org.jsonl:5: the catalogue has no instance type \"m5.huge\""),
        (good.replacen("\"min\":1,", "", 1), "missing field `min`"),
        (good[..good.len() - 40].to_owned(), "org.jsonl:9: column"),
        (without(4), "0 on-demand, 2 accounts, 1 prices, 0 quotes, 3 groups, 1 missed, and its first line names"),
        (without(3), "org.jsonl:4: region: no line before says when the prices of eu-west-1 were read"),
        (twice(1), "org.jsonl:3: id: account 000000000001 is out of order, or named twice"),
        (twice(6), "org.jsonl:8: view.key: group 000000000001/eu-west-1/db is out of order, or named twice"),
        (twice(0), "org.jsonl:2: kind: a second first line"),
    ];
    for (bad, words) in cases {
        let told = read(&bad).unwrap_err();
        assert!(told.contains(words) && told.contains("\n  = "), "{words:?} is not in {told:?}");
    }
}

#[test]
fn a_line_has_a_limit() {
    let long = format!("{}{}", text(&organization()), " ".repeat(usize::try_from(LINE_BYTES_MAX).unwrap() + 1));
    assert!(read(&long).unwrap_err().contains("more than the 16777216 bytes that a line may have"));
}

/// What a customer would not want to give away is not in the types that a snapshot is made of.
#[test]
fn nothing_secret_is_written() {
    let text = text(&organization()).to_lowercase();
    for word in ["user_data", "userdata", "secret", "token", "credential", "password", "external"] {
        assert!(!text.contains(word), "{word}");
    }
}

/// A catalogue that differs from the embedded one only where no other test looks: the process has one.
fn newer() -> Overlay {
    let base = Catalog::embedded();
    let m5 = base.get(kind("m5.large")).clone();
    let mars: Region = "aa-mars-1".parse().unwrap();
    let mut overlay = Overlay::default();
    overlay.set_type(InstanceType { name: "zz9.large".into(), family: "zz9".into(), ..m5 });
    overlay.set_zone(&mars, "aam1-az1".parse().unwrap(), ["m5.large".into(), "zz9.large".into()].into());
    overlay.set_price(&mars, Product::Linux, "zz9.large", Some(UsdPerHour(70_000)));
    base.with_overlay(&overlay).retold(base, &[mars].into())
}

/// An account on Mars with a group of the new type.
fn on_mars() -> Snapshot {
    let mut snapshot = organization();
    snapshot.catalog = newer();
    Catalog::take_up(&snapshot.catalog).unwrap();
    let (mars, new): (Region, _) = ("aa-mars-1".parse().unwrap(), Catalog::in_use().by_name("zz9.large").unwrap());
    snapshot.accounts[0].regions.insert(mars.clone());
    let az: spothub_core::id::AzId = "aam1-az1".parse().unwrap();
    let pool = Pool { az: az.clone(), kind: new, product: Product::Linux };
    let quotes = Quotes::new(NOW, [SpotPrice { pool, price: UsdPerHour(30_000), at: NOW }]);
    snapshot.quotes.insert(mars.clone(), Arc::new(quotes));
    let mut there = group(1, "rover", Some("true"));
    there.view.key.site.region = mars;
    for member in &mut there.view.members {
        (member.kind, member.az) = (Some(new), az.clone());
    }
    snapshot.groups.insert(0, there);
    snapshot
}

#[test]
fn newer_types_and_prices_come_along() {
    let snapshot = on_mars();
    let written = text(&snapshot);
    let kinds = |word: &str| written.lines().filter(|line| line.starts_with(&format!("{{\"kind\":\"{word}\""))).count();
    assert_eq!((kinds("type"), kinds("zone"), kinds("on-demand")), (1, 1, 4));
    let read = read(&written).unwrap();
    assert!(read == snapshot);
    let survey = async { read.survey(Settings::default()).await.unwrap() };
    let survey = futures::executor::block_on(survey);
    let rover = survey.groups.iter().find(|group| group.view.key.name.as_str() == "rover").unwrap();
    let swap = rover.plan.swap.as_ref().unwrap();
    assert_eq!((swap.baseline, swap.request.pools[0].quoted), (UsdPerHour(70_000), UsdPerHour(30_000)));
}

#[test]
fn a_catalogue_that_cannot_be_is_refused_with_line_and_key() {
    let good = text(&on_mars());
    let moved = {
        let mut lines: Vec<&str> = good.lines().collect();
        let kind = lines.remove(1);
        lines.insert(8, kind);
        lines.join("\n")
    };
    let cases = [
        (good.replacen("\"vcpu\":2", "\"vcpu\":0", 1), "org.jsonl:2: vcpu, memory_mib"),
        (good.replacen("\"vcpu\":2", "\"vcpu\":-2", 1), "org.jsonl:2: "),
        (good.replacen("\"name\":\"zz9.large\"", "\"name\":\"\\u001b[2Jzz9.large\"", 1), "is no instance type"),
        (good.replacen("\"family\":\"zz9\"", "\"family\":\"m5\"", 1), "is no instance type"),
        (good.replacen(":70000}", ":0}", 1), "micro_usd_per_hour: 0 is no price"),
        (good.replacen(":70000}", ":9223372036854775807}", 1), "is no price"),
        (good.replacen(":30000}", ":-5}", 1), "micro_usd_per_hour: -5 is no price"),
        (moved, "types, zones and on-demand prices stand before all other lines"),
        (good.replacen(":70000}", ":70001}", 1), "a catalogue is in use already"),
    ];
    for (bad, words) in cases {
        let told = read(&bad).unwrap_err();
        assert!(told.contains(words) && told.contains("\n  = "), "{words:?} is not in {told:?}");
    }
}
