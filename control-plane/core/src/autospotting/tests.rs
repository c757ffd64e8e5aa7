//! Differences, tag by tag and setting by setting: what each becomes, and that what is understood is none.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::group::{GroupView, Source};
use crate::plan::Hold;
use crate::plan::tests::group;
use crate::policy::{Context, Effective, Enabled, Key, Keys, PolicySet, Rule, Settings, TagDialect};
use crate::reason::HoldReason;

/// A policy that lets AutoSpotting's tags say what they say there.
fn moved() -> Rule {
    let keys = [
        Key::FloorNumber,
        Key::FloorPercent,
        Key::AllowedTypes,
        Key::DeniedTypes,
        Key::SameTypeOnly,
        Key::MaxPrice,
        Key::MaxPriceOverSpot,
        Key::Schedule,
    ];
    let settings = Settings {
        enabled: Some(Enabled::ByTag),
        tags: Some(TagDialect::Autospotting),
        min_saving: Some(crate::money::Percent::ZERO),
        ..Settings::default()
    };
    Rule { settings, delegable: keys.into_iter().collect::<Keys>(), ..Rule::default() }
}

fn tagged(tags: &[(&str, &str)]) -> GroupView {
    let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    GroupView { tags, ..group(10, 0) }
}

fn effective(view: &GroupView, rule: Rule) -> Effective {
    let (ou, site) = ("/prod".parse().unwrap(), &view.key.site);
    let (account, region) = (site.account, &site.region);
    let at = Context { ou: &ou, account, account_tags: None, region, group: "web", tags: &view.tags };
    PolicySet::new(vec![rule]).effective(&at)
}

fn asked(view: &GroupView, rule: Rule, file: &str, rest: &[Hold]) -> Option<Compared> {
    let effective = effective(view, rule);
    let floor = effective.policy.floor(view.desired);
    let seen = Seen { view, effective: &effective, floor, stays: 4, rest };
    compare(&seen, &Installation::parse(file).unwrap())
}

/// What is told of a group with these tags, apart from that both act: label and subject.
fn told(tags: &[(&str, &str)], rule: Rule, file: &str) -> Vec<String> {
    let found = asked(&tagged(tags), rule, file, &[]).unwrap().differences;
    let named = found.iter().map(|one| format!("{} {}", one.label(), one.subject()).trim().to_owned());
    named.filter(|one| one != "both-act").collect()
}

const ON: (&str, &str) = ("spot-enabled", "true");

#[test]
fn what_is_understood_is_no_difference() {
    let found = asked(&tagged(&[ON]), moved(), "", &[]).unwrap();
    assert_eq!((found.theirs, found.differences), (Theirs::Acts, vec![Difference::BothAct]));
    for tags in [
        &[ON, ("autospotting_min_on_demand_number", "3")][..],
        &[ON, ("autospotting_min_on_demand_percentage", "30")],
        &[ON, ("autospotting_allowed_instance_types", "m5.*, c5.large")],
        &[ON, ("autospotting_allowed_instance_types", "*")],
        &[ON, ("autospotting_allowed_instance_types", "current")],
        &[ON, ("autospotting_disallowed_instance_types", "t?.*")],
        &[ON, ("autospotting_on_demand_price_multiplier", "0.8")],
        &[ON, ("autospotting_bidding_policy", "aggressive"), ("autospotting_spot_price_buffer_percentage", "20")],
        &[ON, ("autospotting_cron_schedule", "9-18 1-5"), ("autospotting_cron_timezone", "Europe/London")],
        &[ON, ("autospotting_enable_instance_launch_event_handling", "true")],
        &[ON, ("autospotting_patch_beanstalk_userdata", "false")],
        &[ON, ("team", "web")],
    ] {
        assert_eq!(told(tags, moved(), ""), [""; 0], "{tags:?}");
    }
}

#[test]
fn tags_that_are_not_understood_the_same_way() {
    for (tag, value, difference) in [
        ("autospotting_gp2_conversion_threshold", "170", "no-counterpart autospotting_gp2_conversion_threshold"),
        ("autospotting_patch_beanstalk_userdata", "true", "no-counterpart autospotting_patch_beanstalk_userdata"),
        ("patch_beanstalk_userdata", "true", "no-counterpart patch_beanstalk_userdata"),
        (
            "autospotting_spot_allocation_strategy",
            "lowest-price",
            "no-counterpart autospotting_spot_allocation_strategy",
        ),
        (
            "autospotting_prioritized_instance_types_bias",
            "lowest_price",
            "no-counterpart autospotting_prioritized_instance_types_bias",
        ),
        ("autospotting_instance_termination_method", "detach", "tag-unknown autospotting_instance_termination_method"),
        ("autospotting_min_on_demand", "1", "tag-unknown autospotting_min_on_demand"),
        ("autospotting_on_demand_price_multiplier", "1.5", "price-capped"),
    ] {
        assert_eq!(told(&[ON, (tag, value)], moved(), ""), [difference], "{tag}={value}");
    }
    assert_eq!(
        told(&[ON, ("autospotting_on_demand_number", "2")], moved(), ""),
        ["tag-old autospotting_on_demand_number", "floor-higher"],
        "AutoSpotting passes over the old name, and keeps none"
    );
}

#[test]
fn a_tag_that_cannot_be_read() {
    let leads = |tag: &str, value: &str| {
        let found = asked(&tagged(&[ON, (tag, value)]), moved(), "", &[]).unwrap().differences;
        found
            .into_iter()
            .find_map(|one| if let Difference::TagUnreadable { leads_to, .. } = one { Some(leads_to) } else { None })
    };
    for (tag, value, to) in [
        ("autospotting_min_on_demand_number", "some", Unread::AllOnDemand),
        ("autospotting_min_on_demand_percentage", "130", Unread::AllOnDemand),
        ("autospotting_allowed_instance_types", "M5.Large", Unread::SameType),
        ("autospotting_bidding_policy", "Aggressive", Unread::Held),
        ("autospotting_on_demand_price_multiplier", "0,8", Unread::Held),
        ("autospotting_cron_schedule", "9-", Unread::Held),
        ("autospotting_cron_schedule_state", "sometimes", Unread::Held),
    ] {
        assert_eq!(leads(tag, value), Some(to), "{tag}={value}");
    }
    assert_eq!(leads("autospotting_cron_timezone", "Mars"), None, "without hours it says nothing");
    let held = asked(&tagged(&[ON, ("autospotting_bidding_policy", "x")]), moved(), "", &[]).unwrap().differences;
    let why = HoldReason::UnreadableTag { tag: "autospotting_bidding_policy".to_owned() };
    assert_eq!(held[0], Difference::OnlyAutospotting { why, tags_read: true });
}

#[test]
fn where_policy_does_not_let_its_tags_be_understood() {
    let plain =
        |enabled| Rule { settings: Settings { enabled: Some(enabled), ..Settings::default() }, ..Rule::default() };
    let tags = [ON, ("autospotting_min_on_demand_number", "3")];
    assert_eq!(
        told(&tags, plain(Enabled::ByTag), ""),
        [
            "only-autospotting not-enabled",
            "tag-not-read autospotting_min_on_demand_number",
            "tag-not-read spot-enabled"
        ]
    );
    assert_eq!(
        told(&tags, plain(Enabled::True), ""),
        [
            "tag-not-read autospotting_min_on_demand_number",
            "tag-not-read spot-enabled",
            "floor-lower",
            "stricter min-saving"
        ]
    );
    assert_eq!(told(&[ON], plain(Enabled::False), ""), ["only-autospotting opted-out", "tag-not-read spot-enabled"]);
    assert_eq!(told(&[], plain(Enabled::True), ""), ["only-spothub other-tags"]);
    assert_eq!(asked(&tagged(&[]), plain(Enabled::ByTag), "", &[]), None, "nobody touches it");
}

#[test]
fn settings_stand_where_a_group_has_no_tag() {
    let file = "MIN_ON_DEMAND_PERCENTAGE=33.3\nALLOWED_INSTANCE_TYPES=m5.*\nBIDDING_POLICY=aggressive\n";
    let lower = ["floor-lower", "looser max-price-over-spot", "looser allowed-types"];
    let mut found = told(&[ON], moved(), file);
    found.sort();
    let mut lower = lower.map(ToOwned::to_owned).to_vec();
    lower.sort();
    assert_eq!(found, lower);
    let tags = [
        ON,
        ("autospotting_min_on_demand_number", "3"),
        ("autospotting_allowed_instance_types", "m5.*"),
        ("autospotting_bidding_policy", "normal"),
    ];
    assert_eq!(told(&tags, moved(), file), ["looser max-price-over-spot"], "a tag does not take back the bids");
    let file = "CONSIDER_EBS_BANDWIDTH=true\nENABLE_INSTANCE_REBALANCE_RECOMMENDATION=false\n\
                SPOT_PRODUCT_DESCRIPTION=Windows (Amazon VPC)\n";
    assert_eq!(told(&[ON], moved(), file), ["looser ebs-tolerance", "stricter on-rebalance", "stricter product"]);
    assert_eq!(told(&[ON], moved(), "SPOT_PRODUCT_DESCRIPTION=Linux/UNIX\nCRON_SCHEDULE=* *\n"), [""; 0]);
    assert_eq!(told(&[ON], moved(), "CRON_SCHEDULE=9-18 1-5\n"), ["looser schedule"]);
}

#[test]
fn who_acts() {
    let theirs = |tags: &[(&str, &str)], file: &str| {
        let enabled =
            Rule { settings: Settings { enabled: Some(Enabled::True), ..Settings::default() }, ..Rule::default() };
        asked(&tagged(tags), enabled, file, &[]).map(|found| found.theirs)
    };
    assert_eq!(theirs(&[ON], ""), Some(Theirs::Acts));
    assert_eq!(theirs(&[("spot-enabled", "True")], ""), Some(Theirs::OtherTags));
    assert_eq!(theirs(&[], "TAG_FILTERING_MODE=opt-out"), Some(Theirs::Acts));
    assert_eq!(theirs(&[("spot-enabled", "false")], "TAG_FILTERING_MODE=opt-out"), Some(Theirs::OtherTags));
    let dev = "TAG_FILTERS=spot-enabled=true,stage=d*";
    assert_eq!(theirs(&[ON], dev), Some(Theirs::OtherTags), "all of them have to match");
    assert_eq!(theirs(&[ON, ("stage", "dev")], dev), Some(Theirs::Acts));
    assert_eq!(theirs(&[ON], "REGIONS=eu-*"), Some(Theirs::OtherRegion));
    assert_eq!(theirs(&[ON], "REGIONS='eu-* us-east-1'"), Some(Theirs::Acts));
    let mixed = GroupView { source: Source::Mixed, ..tagged(&[ON]) };
    let found = asked(&mixed, moved(), "", &[]).unwrap();
    assert_eq!((found.theirs, found.differences), (Theirs::MixedInstances, Vec::new()));
}

#[test]
fn what_holds_here_alone() {
    let member = |reason| Hold { instance: Some("i-00000001".parse().unwrap()), reason };
    let rest = [
        member(HoldReason::NoCompatibleType),
        member(HoldReason::NoCompatibleType),
        member(HoldReason::ProtectedMember),
        Hold { instance: None, reason: HoldReason::WarmPool },
    ];
    let found = asked(&tagged(&[ON]), moved(), "", &rest).unwrap().differences;
    let held: Vec<String> = found.iter().filter(|one| one.label() == "held").map(Difference::sentence).collect();
    assert_eq!(
        held,
        [
            "spothub leaves 2 members on demand here (no-compatible-type), which AutoSpotting may replace",
            "spothub leaves 4 members on demand here (warm-pool), which AutoSpotting may replace"
        ],
        "AutoSpotting leaves protected members alone, too"
    );
}

#[test]
fn on_demand_members_that_autospotting_keeps() {
    let keeps = |tags: &[(&str, &str)], file: &str| {
        floor::floor(&tagged(tags).tags, &Installation::parse(file).unwrap(), 15, 10)
    };
    let (number, share) = ("autospotting_min_on_demand_number", "autospotting_min_on_demand_percentage");
    for (tags, file, kept) in [
        (&[(number, "2")][..], "", 2),
        (&[(number, "2"), (share, "33.3")], "", 3),
        (&[(number, "16")], "MIN_ON_DEMAND_NUMBER=4", 4),
        (&[(number, "-1"), (share, "101")], "", 0),
        (&[(share, "14.9")], "", 1),
        (&[(share, "15")], "", 2),
        (&[(share, "0")], "MIN_ON_DEMAND_NUMBER=4", 0),
        (&[], "MIN_ON_DEMAND_NUMBER=4\nMIN_ON_DEMAND_PERCENTAGE=90", 4),
        (&[], "MIN_ON_DEMAND_NUMBER=11\nMIN_ON_DEMAND_PERCENTAGE=50", 5),
        (&[], "", 0),
    ] {
        assert_eq!(keeps(tags, file), kept, "{tags:?} {file}");
    }
}

#[test]
fn lines_that_cannot_be_used_are_told_at_once() {
    let text = "# ours\nMIN_ON_DEMAND_NUMBER=few\n\nhello\nREGIONS=eu-west-1\nregions=eu-west-2\nBIDDING_POLICY=low\n\
                TAG_FILTERS=a=[bc]\nCRON_SCHEDULE=9-18\nALLOWED_INSTANCE_TYPES=\nFUTURE=1\n";
    let mistakes = Installation::parse(text).unwrap_err();
    let told: Vec<(usize, &str)> =
        mistakes.iter().map(|one| (one.line, one.key.as_deref().unwrap_or_default())).collect();
    assert_eq!(
        told,
        [
            (2, "MIN_ON_DEMAND_NUMBER"),
            (4, ""),
            (6, "regions"),
            (7, "BIDDING_POLICY"),
            (8, "TAG_FILTERS"),
            (9, "CRON_SCHEDULE")
        ]
    );
    assert!(mistakes.iter().all(|one| !one.what.is_empty() && !one.remedy.is_empty()));
    let good = Installation::parse("export BIDDING_POLICY=\"aggressive\"\nFUTURE=1\nLICENSE=x\n").unwrap();
    assert_eq!(good.get(Setting::BiddingPolicy), Some("aggressive"));
    assert_eq!(settings(&good), [Difference::SettingUnknown { name: "FUTURE".to_owned() }]);
    let absent = Installation::parse("INSTANCE_TERMINATION_METHOD=detach\nPATCH_BEANSTALK_USERDATA=false\n").unwrap();
    assert_eq!(settings(&absent)[0].subject(), "INSTANCE_TERMINATION_METHOD");
    assert_eq!(settings(&absent).len(), 1, "nothing differs where user data are left alone");
}

#[test]
fn every_tag_that_policy_reads_is_known_here() {
    for (name, setting) in Setting::ALL.iter().filter_map(|setting| Some((setting.tag()?, *setting))) {
        assert_eq!(setting::tag(name), setting::Tag::Of(setting));
        let value = match setting.matter() {
            Matter::Value(_) => "1",
            Matter::Choice | Matter::Absent { .. } | Matter::Plumbing => continue,
        };
        let tags = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        let (settings, unreadable) = crate::policy::translated(&tags);
        let quiet = [Setting::SpotPriceBufferPercentage, Setting::CronTimezone].contains(&setting);
        assert!(quiet || unreadable.is_some() || settings.keys() != Keys::NONE, "{name} is not read");
    }
}

#[test]
fn suggested_policy_of_other_filters_and_regions() {
    let regions: BTreeSet<_> = ["eu-west-1", "us-east-1"].map(|region| region.parse().unwrap()).into();
    let file = "TAG_FILTERS=stage=dev,team=w*\nREGIONS=us-*\nMIN_ON_DEMAND_NUMBER=1\nCRON_SCHEDULE=9-18 1-5\n";
    let text = suggest(&Installation::parse(file).unwrap(), &regions);
    for part in [
        "  enabled: by-tag\n  floor: {number: 1}\n",
        "windows: [{days: [mon, tue, wed, thu, fri], from: \"09:00\", to: \"18:00\"}]}\n",
        "    match: {tag: {\"stage\": \"dev\", \"team\": \"w*\"}}\n    enabled: true\n    tags: autospotting\n",
        "    match: {region: [\"eu-west-1\"]}\n    enabled: false\n",
    ] {
        assert!(text.contains(part), "{part}in\n{text}");
    }
    let text = suggest(&Installation::parse("TAG_FILTERING_MODE=opt-out").unwrap(), &regions);
    assert!(text.contains("  enabled: true\n  tags: autospotting\n") && !text.contains("rules:"), "{text}");
}
