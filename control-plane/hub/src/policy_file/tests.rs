//! The policy file with every key, and with every kind of mistake.

use spothub_core::policy::{Context, Enabled, Policy, Standing};
use spothub_core::time::Span;

use super::*;

const EVERYTHING: &str = r#"
defaults:
  enabled: by-tag
  floor: {number: 1, percent: 10%}
  min-saving: 20%
  max-price: 90
  allowed-types: ["m5.*", "c?.large"]
  denied-types: [t2.*]
  same-type-only: false
  pools: 6
  max-price-over-spot: 15%
  product: rhel
  strategy: swap
  drain: {wait: 2m}
  guard: {alarms: ["{group}-errors"], bake: 5m}
  delegable: [settle, floor.number]
  burstable: true
  disks-unused: true
  ebs-tolerance: 5%
  template: twin
  settle: 90s
  interval: 5m
  budgets: {organization: 200, ou: 100, account: 20, group-share: 25%}
  schedule:
    zone: Europe/Berlin
    windows:
      - {days: [mon, tue], from: "02:00", to: "05:00"}
      - {days: [sat], from: "00:00", to: "24:00"}
  on-interruption: replace
  on-rebalance: ignore
  protected-members: true
  tags: autospotting
rules:
  - name: the shop
    match:
      ou: [/prod, /stage]
      account: "000000000042"
      region: [eu-west-1, eu-west-2]
      group: ["web-*"]
      except: {group: "web-0"}
    locked: true
    enabled: true
    floor: {number: 2}
"#;

#[test]
fn every_setting_is_read() {
    let set = read("p.yaml", EVERYTHING).unwrap();
    let (ou, region) = ("/prod/web".parse().unwrap(), "eu-west-1".parse().unwrap());
    let (account, tags) = ("000000000042".parse().unwrap(), std::collections::BTreeMap::new());
    let effective =
        set.effective(&Context { ou: &ou, account, account_tags: None, region: &region, group: "web-1", tags: &tags });
    assert_eq!(effective.standing, Standing::Enabled);
    let policy = &effective.policy;
    assert_eq!((policy.enabled, policy.floor_number, policy.pools), (Enabled::True, 2, 6));
    assert_eq!((policy.settle, policy.interval), (Span::secs(90), Span::mins(5)));
    assert_eq!(policy.budgets.group_share.value(), 25);
    assert!(policy.schedule.len() == 1 && policy.protected_members && policy.disks_unused && policy.burstable);
    let plain = Policy::default();
    for (given, default) in [(policy.max_price, plain.max_price), (policy.ebs_tolerance, plain.ebs_tolerance)] {
        assert_ne!(given, default);
    }
    assert!(read("p.yaml", "defaults: {enabled: true}\n").is_ok());
    assert!(read("p.yaml", "{}\n").is_ok());
}

#[test]
fn all_mistakes_at_once() {
    let text = r#"
defaults:
  enabled: perhaps
  floor: {number: 1, percent: 150}
  min_saving: 10%
  pools: 0
  interval: 30d
  allowed-types: ["M5.large", "m5.*"]
  schedule:
    zone: Mars/Base
    windows:
      - {days: [mon], from: "05:00", to: "02:00"}
      - {days: [funday], from: 2:00, to: "25:00"}
  templat: match
rules:
  - match: {account: 42, region: EU, ou: prod}
    enabled: false
  - enabled: true
  - match: {}
    settle: 60
  - match: {group: "web-*"}
"#;
    insta::assert_snapshot!(read("p.yaml", text).unwrap_err().to_string());
}

#[test]
fn overlapping_windows_are_a_mistake() {
    let text = r#"
defaults:
  schedule:
    zone: UTC
    windows:
      - {days: [mon, tue], from: "02:00", to: "05:00"}
      - {days: [tue], from: "04:00", to: "06:00"}
"#;
    let found = read("p.yaml", text).unwrap_err().to_string();
    assert!(found.contains("defaults.schedule.windows[1]: the window overlaps with windows[0]"), "{found}");
}
