//! The hourly task against the Marketplace: what it says was billed is what AWS holds; what AWS refuses stops swaps.

use std::fs;

use futures::executor::block_on;
use serde_json::{Value, json};
use spothub_core::id::AccountId;
use spothub_core::port::{Clock as _, Store as _};
use spothub_core::time::{Span, Timestamp};
use spothub_store::Sqlite;
use spothub_usage::hours::{Counts, close, first};

use super::Journey;
use crate::clock::WallClock;
use crate::organization::ENABLED;
use crate::program::{Program, QUICK};

const HOUR_MS: i64 = 3_600_000;

/// An hour of two accounts, as the engine hands it over.
fn closed(program: &Program, hour: Timestamp) {
    let store = Sqlite::open(&program.path("spothub.db")).unwrap();
    let counts = |net_micro_usd| Counts { net_micro_usd, instance_seconds: 7200, managed: 1 };
    for (account, net) in [(11, 1_500_000), (12, 250_000)] {
        let account = AccountId::from_number(account).unwrap();
        block_on(store.write(&[first(hour, account, hour, counts(net)).unwrap()])).unwrap();
    }
    block_on(store.write(&[close(hour, 2, hour).unwrap()])).unwrap();
}

#[test]
fn what_is_told_to_be_billed_is_what_aws_holds() {
    let group = json!({"name": "web", "desired": 1, "max": 2, "tags": {ENABLED: "true"}});
    let journey = Journey::over(json!({"regions": ["us-east-1"], "accounts": [
        {"name": "shop", "ou": "prod/web", "groups": [group]},
    ]}));
    let mut program = journey.program(QUICK);
    let listing = json!({"product_code": "product-1", "dimensions": [
        {"name": "savings", "basis": {"net_savings": {"rate_ppm": 200_000, "step_micro_usd": 1000}}, "places": 0},
    ]});
    fs::write(program.path("listing.json"), listing.to_string()).unwrap();
    let now = WallClock.now();
    let hour = |ago: i64| Timestamp(now.0 - now.0 % HOUR_MS) - Span::hours(ago);
    let usual = ["--listing", "listing.json", "--config", "spothub.yaml"];
    for ago in [3, 2] {
        closed(&program, hour(ago));
    }

    program.set("AWS_ACCESS_KEY_ID", "testing");
    program.set("AWS_SECRET_ACCESS_KEY", "testing");
    program.unset("AWS_SESSION_TOKEN");
    let held = || journey.get("/metering")["records"].as_array().unwrap().clone();
    let probed = program.metered(&[&usual[..], &["--dry-run", "--ask"]].concat());
    assert_eq!((probed.code, held().len()), (Some(0), 0), "{}", probed.err);

    let last = hour(2).to_string();
    let ran = program.metered(&[&usual[..], &["--last", &last]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let told: Vec<(Value, Value)> = ran.json()["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| (record["quantity"].clone(), record["state"].clone()))
        .collect();
    assert_eq!(told, vec![(json!("350"), json!("accepted")); 2]);
    let records = held();
    let seconds = |ago| hour(ago).0 / 1000;
    let of = |record: &Value| (record["hour"].as_i64().unwrap(), record["quantity"].clone());
    assert_eq!(records.iter().map(of).collect::<Vec<_>>(), [(seconds(3), json!(350)), (seconds(2), json!(350))]);
    let parts = records[0]["allocations"].as_array().unwrap();
    let part = |part: &Value| (part["Tags"][0]["Value"].clone(), part["AllocatedUsageQuantity"].clone());
    assert_eq!(
        parts.iter().map(part).collect::<Vec<_>>(),
        [(json!("000000000011"), json!(300)), (json!("000000000012"), json!(50))]
    );

    // Again, by another process: nothing more.
    let again = program.metered(&[&usual[..], &["--last", &last]].concat());
    assert_eq!((again.code, held()), (Some(0), records.clone()), "{}", again.err);
    let status = program.ran(&["metering", "status", "--config", "spothub.yaml", "--output", "json"]).json();
    let ids: Vec<&Value> = status["records"].as_array().unwrap().iter().map(|record| &record["detail"]).collect();
    assert_eq!(ids, records.iter().map(|record| &record["id"]).collect::<Vec<_>>());
    let audited = program.ran(&["metering", "audit", &last, "--config", "spothub.yaml"]);
    assert!(audited.code == Some(0) && audited.out.contains("000000000011"), "{}{}", audited.out, audited.err);

    // Without a subscription the hour waits, and no swap begins.
    journey.post("/subscriptions", json!({"product": "product-1", "ended": true}));
    closed(&program, hour(1));
    let refused = program.metered(&usual);
    assert_eq!((refused.code, held().len()), (Some(1), 2), "{}", refused.err);
    let ran = program.once(&[]);
    assert_eq!((&ran.json()["swaps"], &ran.json()["holds"]["metering"]), (&json!({}), &json!(1)), "{}", ran.err);
    journey.post("/subscriptions", json!({"product": "product-1", "ended": false}));
}
