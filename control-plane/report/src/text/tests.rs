use spothub_usage::book::{Day, FORMAT, GroupDay};

use super::*;
use crate::html::html;
use crate::model::{Each, Level};

fn report(group: &str, unpriced: i64) -> Report {
    let start = Timestamp::from_rfc3339("2026-01-01T00:00:00Z").unwrap();
    let end = Timestamp::from_rfc3339("2026-01-02T00:00:00Z").unwrap();
    let mut report = Report::new(Level::Group, Each::Day, start, end);
    let usd = Usd::from_micros;
    let totals = Totals {
        actual: usd(1_500_000),
        on_demand: usd(4_000_000),
        on_demand_net: usd(3_000_000),
        time: 7_200_000,
        spot: 3_600_000,
        unpriced,
    };
    let group = GroupDay { region: "eu-west-1".parse().unwrap(), group: group.parse().unwrap(), totals };
    let (account, unit) = (AccountId::from_number(42).unwrap(), "/".parse().unwrap());
    report.add(&Day { format: FORMAT, day: start, account, unit, pages: 1, groups: vec![group] });
    report
}

#[test]
fn a_csv_row_as_it_is_spelled() {
    let wanted = "2026-01-01T00:00:00Z,2026-01-02T00:00:00Z,000000000042/eu-west-1/web,000000000042,,eu-west-1,web,\
                  4.000000,3.000000,1.500000,2.500000,1.500000,2.000000,1.000000,0.000000,50.00";
    assert_eq!(csv(&report("web", 0)).lines().nth(1), Some(wanted));
}

#[test]
fn unknown_amounts_are_empty_and_null_never_zero() {
    let report = report("web", 7_200_000);
    assert!(csv(&report).contains("web,,,,,,2.000000,1.000000,2.000000,50.00"));
    assert!(json(&report)["total"]["saved_usd"].is_null());
    assert!(html(&report, "t").contains("unknown"));
    assert!(focus(&report).lines().nth(1).unwrap().starts_with(",,,USD,"));
}

#[test]
fn every_focus_row_has_every_column() {
    let text = focus(&report("web", 0));
    assert!(text.lines().all(|line| line.split(',').count() == FOCUS.len()));
}

#[test]
fn no_name_is_a_formula() {
    for name in ["=1+1", "+1", "-1", "@x"] {
        assert!(csv(&report(name, 0)).contains(&format!(",'{name},")), "{name}");
    }
    assert!(csv(&report("=a\",b", 0)).contains(",\"'=a\"\",b\","));
}

#[test]
fn no_name_is_markup() {
    for name in ["<script>alert(1)</script>", "\"><img onerror=alert(1) src=x>"] {
        let page = html(&report(name, 0), name);
        assert!(!page.contains("<script>alert") && !page.contains("<img"), "{name}");
    }
}

#[test]
fn no_name_changes_a_terminal() {
    assert_eq!(plain("a\u{1b}[31m\u{202e}b"), "a\u{fffd}[31m\u{fffd}b");
}
