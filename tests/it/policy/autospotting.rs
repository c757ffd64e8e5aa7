//! One row for each option of AutoSpotting that policy covers: by file, and by its tag where it has one.

use spothub_core::policy::{Key, Standing};
use spothub_core::time::Timestamp;

use super::{Group, policy};

/// Lets its tags be understood, and set what they set there.
const MOVED: &str = "defaults: {enabled: true, tags: autospotting, delegable: [floor.number, floor.percent, \
    allowed-types, denied-types, same-type-only, max-price, max-price-over-spot, schedule]}\n";

/// An option, what a policy file says instead, its tags, and the value that either gives.
type Row = (&'static str, &'static str, &'static [(&'static str, &'static str)], Key, &'static str);

const ROWS: &[Row] = &[
    (
        "allowed_instance_types",
        r#"allowed-types: ["m5.*", c5.large]"#,
        &[("autospotting_allowed_instance_types", "m5.*, c5.large")],
        Key::AllowedTypes,
        "m5.*, c5.large",
    ),
    (
        "allowed_instance_types = current",
        "same-type-only: true",
        &[("autospotting_allowed_instance_types", "current")],
        Key::SameTypeOnly,
        "true",
    ),
    (
        "allowed_instance_types, as of 2018",
        "allowed-types: [c5.large]",
        &[("allowed-instance-types", "c5.large")],
        Key::AllowedTypes,
        "c5.large",
    ),
    (
        "disallowed_instance_types",
        r#"denied-types: ["t?.*", x1.32xlarge]"#,
        &[("autospotting_disallowed_instance_types", "t?.* x1.32xlarge")],
        Key::DeniedTypes,
        "t?.*, x1.32xlarge",
    ),
    (
        "min_on_demand_number",
        "floor: {number: 2}",
        &[("autospotting_min_on_demand_number", "2")],
        Key::FloorNumber,
        "2",
    ),
    (
        "min_on_demand_number, out of range",
        "floor: {number: 4294967295}",
        &[("autospotting_min_on_demand_number", "-1")],
        Key::FloorNumber,
        "all",
    ),
    (
        "min_on_demand_percentage",
        "floor: {percent: 34%}",
        &[("autospotting_min_on_demand_percentage", "33.3")],
        Key::FloorPercent,
        "34%",
    ),
    (
        "on_demand_price_multiplier",
        "max-price: 57%",
        &[("autospotting_on_demand_price_multiplier", "0.57")],
        Key::MaxPrice,
        "57%",
    ),
    (
        "on_demand_price_multiplier above one",
        "max-price: 100%",
        &[("autospotting_on_demand_price_multiplier", "1.5")],
        Key::MaxPrice,
        "100%",
    ),
    (
        "bidding_policy = normal",
        "pools: 8",
        &[("autospotting_bidding_policy", "normal")],
        Key::MaxPriceOverSpot,
        "no cap",
    ),
    (
        "bidding_policy = aggressive",
        "max-price-over-spot: 10%",
        &[("autospotting_bidding_policy", "aggressive")],
        Key::MaxPriceOverSpot,
        "10%",
    ),
    (
        "spot_price_buffer_percentage",
        "max-price-over-spot: 25%",
        &[("autospotting_bidding_policy", "aggressive"), ("autospotting_spot_price_buffer_percentage", "25.9")],
        Key::MaxPriceOverSpot,
        "25%",
    ),
    (
        "cron_schedule",
        r#"schedule: {zone: UTC, windows: [{days: [mon, tue], from: "09:00", to: "18:00"}]}"#,
        &[("autospotting_cron_schedule", "9-18 1-2")],
        Key::Schedule,
        "UTC mon 09:00-18:00 tue 09:00-18:00",
    ),
    (
        "cron_timezone",
        r#"schedule: {zone: Europe/London, windows: [{days: [sat, sun], from: "22:00", to: "23:00"}]}"#,
        &[("autospotting_cron_schedule", "22-23 SAT,SUN"), ("autospotting_cron_timezone", "Europe/London")],
        Key::Schedule,
        "Europe/London sun 22:00-23:00 sat 22:00-23:00",
    ),
    (
        "cron_schedule_state = off",
        r#"schedule: {zone: UTC, windows: [{days: [mon], from: "12:00", to: "24:00"},
             {days: [tue, wed, thu, fri, sat, sun], from: "00:00", to: "24:00"}]}"#,
        &[("autospotting_cron_schedule", "0-12 1"), ("autospotting_cron_schedule_state", "off")],
        Key::Schedule,
        "UTC sun 00:00-24:00 mon 12:00-24:00 tue 00:00-24:00 wed 00:00-24:00 thu 00:00-24:00 fri 00:00-24:00 \
            sat 00:00-24:00",
    ),
    ("spot_product_description", "product: rhel", &[], Key::Product, "rhel"),
    ("enable_instance_rebalance_recommendation = false", "on-rebalance: ignore", &[], Key::OnRebalance, "ignore"),
    ("consider_ebs_bandwidth = false", "ebs-tolerance: 100%", &[], Key::EbsTolerance, "100%"),
];

/// Half hours of a week in winter and one in summer.
fn times() -> impl Iterator<Item = Timestamp> {
    let weeks = ["2026-01-05T00:15:00Z", "2026-07-06T00:15:00Z"].map(|text| Timestamp::from_rfc3339(text).unwrap());
    weeks.into_iter().flat_map(|monday| (0..7 * 48).map(move |half| Timestamp(monday.0 + half * 30 * 60_000)))
}

#[test]
fn each_option_has_its_place_in_a_file_and_its_tag() {
    for (option, file, tags, key, value) in ROWS {
        let by_file = Group::default().ask(|at| policy(&format!("defaults: {{{file}}}\n")).effective(at)).policy;
        let given = by_file.shown(*key);
        assert!(*key == Key::Schedule || given == *value, "{option} by file: {given}");
        if tags.is_empty() {
            continue;
        }
        let moved = policy(MOVED);
        let found = Group::tagged(tags).ask(|at| moved.effective(at));
        assert_eq!(found.standing, Standing::Enabled, "{option}");
        assert_eq!(found.policy.shown(*key), *value, "{option} by tag");
        let open = |policy: &spothub_core::policy::Policy, at| policy.schedule.iter().all(|one| one.open(at));
        let differs = times().find(|at| open(&by_file, *at) != open(&found.policy, *at));
        assert_eq!(differs, None, "{option}: open by one and closed by the other");
        let said = Group::tagged(tags).ask(|at| moved.explain(at));
        let said = &said.iter().find(|one| one.key == *key).unwrap().said;
        let plain = ["no cap", "100%"].contains(value);
        assert!(plain || said.last().unwrap().by != spothub_core::policy::Origin::BuiltIn, "{option}: no origin");
        let silent = Group::tagged(tags).ask(|at| policy("defaults: {enabled: true}\n").effective(at));
        assert_eq!(silent.policy, spothub_core::policy::Policy { enabled: silent.policy.enabled, ..<_>::default() });
    }
}

/// A team that says nothing to the central policy can still only do less.
#[test]
fn tags_restrict_where_nothing_is_delegable() {
    let strict =
        policy("defaults: {enabled: true, tags: autospotting, floor: {number: 3}, max-price-over-spot: 20%}\n");
    for (tags, key, value) in [
        (&[("autospotting_min_on_demand_number", "1")][..], Key::FloorNumber, "3"),
        (&[("autospotting_min_on_demand_number", "5")], Key::FloorNumber, "5"),
        (&[("autospotting_on_demand_number", "5")], Key::FloorNumber, "5"),
        (&[("autospotting_on_demand_percentage", "20")], Key::FloorPercent, "20%"),
        (&[("disallowed-instance-types", "t2.*")], Key::DeniedTypes, "t2.*"),
        (&[("autospotting_on_demand_price_multiplier", "0.8")], Key::MaxPrice, "80%"),
        // The buffer counts where bids are aggressive, which is what the file's cap stands for.
        (&[("autospotting_spot_price_buffer_percentage", "5")], Key::MaxPriceOverSpot, "5%"),
        (&[("autospotting_spot_price_buffer_percentage", "50")], Key::MaxPriceOverSpot, "20%"),
    ] {
        let found = Group::tagged(tags).ask(|at| strict.effective(at));
        assert_eq!((found.policy.shown(key).as_str(), found.standing), (value, Standing::Enabled), "{tags:?}");
    }
}

/// AutoSpotting passes over such a tag and does what its options say; here the group is held until somebody mends it.
#[test]
fn a_tag_that_autospotting_passes_over_holds() {
    let set = policy("defaults: {enabled: true, tags: autospotting, max-price-over-spot: 20%}\n");
    for (tag, value) in [
        ("autospotting_on_demand_price_multiplier", "0"),
        ("autospotting_on_demand_price_multiplier", "0,8"),
        ("autospotting_bidding_policy", "Aggressive"),
        ("autospotting_spot_price_buffer_percentage", "10%"),
        ("autospotting_cron_schedule", "9- 1-5"),
        ("autospotting_cron_schedule", "9-18 7"),
    ] {
        let found = Group::tagged(&[(tag, value)]).ask(|at| set.effective(at)).standing;
        let Standing::Unreadable(held) = &found else { panic!("{tag}={value}: {found:?}") };
        assert_eq!(held, tag, "{value}");
    }
    let zone = [("autospotting_cron_schedule", "9-18 1-5"), ("autospotting_cron_timezone", "Mars/Base")];
    let found = Group::tagged(&zone).ask(|at| set.effective(at)).standing;
    assert_eq!(found, Standing::Unreadable("autospotting_cron_schedule".to_owned()));
}

fn standing(file: &str, tags: &[(&str, &str)]) -> &'static str {
    match Group::tagged(tags).ask(|at| policy(file).effective(at)).standing {
        Standing::Enabled => "enabled",
        Standing::NotEnabled => "not enabled",
        Standing::OptedOut(_) => "opted out",
        Standing::NoPolicy | Standing::Unreadable(_) => "held",
    }
}

#[test]
fn tag_filtering_mode_opt_in() {
    let file = "defaults: {tags: autospotting}\n";
    for (tags, found) in [
        (&[("spot-enabled", "true")][..], "enabled"),
        (&[], "not enabled"),
        (&[("spot-enabled", "false")], "opted out"),
        // AutoSpotting compares letter by letter.
        (&[("spot-enabled", "True")], "opted out"),
        (&[("spothub:enabled", "false"), ("spot-enabled", "true")], "opted out"),
        // An opt-out wins, in whatever words: who moves a group over takes the old tag away.
        (&[("spothub:enabled", "true"), ("spot-enabled", "false")], "opted out"),
    ] {
        assert_eq!(standing(file, tags), found, "{tags:?}");
    }
    assert_eq!(standing("defaults: {enabled: by-tag}\n", &[("spot-enabled", "true")]), "not enabled");
}

#[test]
fn tag_filtering_mode_opt_out() {
    let file = "defaults: {enabled: true, tags: autospotting}\n";
    for (tags, found) in [(&[][..], "enabled"), (&[("spot-enabled", "false")], "opted out")] {
        assert_eq!(standing(file, tags), found, "{tags:?}");
    }
    // All filters have to match before a group is left out.
    let file = "defaults: {enabled: true}\nrules: [{match: {tag: {team: data, tier: \"db*\"}}, enabled: false}]\n";
    assert_eq!(standing(file, &[("team", "data")]), "enabled");
    assert_eq!(standing(file, &[("team", "data"), ("tier", "db-main")]), "opted out");
}

#[test]
fn tag_filters() {
    let file = "rules: [{match: {tag: {team: \"inter*\", stage: dev}}, enabled: true}]\n";
    assert_eq!(standing(file, &[("team", "interactive"), ("stage", "dev")]), "enabled");
    assert_eq!(standing(file, &[("team", "interactive")]), "not enabled");
    assert_eq!(standing(file, &[("team", "Interactive"), ("stage", "dev")]), "not enabled");
}

#[test]
fn regions() {
    let file = "rules: [{match: {region: [us-east-1, us-west-2]}, enabled: true}]\n";
    assert_eq!(standing(file, &[]), "not enabled");
    let there = Group { region: "us-east-1", ..Group::default() };
    assert_eq!(there.ask(|at| policy(file).effective(at)).standing, Standing::Enabled);
}
