//! Fills a store with the daily sums of many groups, to see how long a report over them takes:
//! `cargo run --release --example month -- month.db`, optionally with groups and days.

use std::path::Path;

use spothub_core::id::AccountId;
use spothub_core::money::Usd;
use spothub_core::port::{Expect, Put, Store as _};
use spothub_core::time::{Span, Timestamp};
use spothub_store::Sqlite;
use spothub_usage::book::{self, Day, FORMAT, GroupDay, Totals};

/// Groups of an account: it has fifty in each of two regions.
const OF_ACCOUNT: u64 = 100;
const REGIONS: [&str; 2] = ["eu-west-1", "us-east-1"];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let path = args.next().ok_or("the path of the new store is missing")?;
    let groups: u64 = args.next().map_or(Ok(100_000), |text| text.parse())?;
    let days: i64 = args.next().map_or(Ok(30), |text| text.parse())?;
    let store = Sqlite::open(Path::new(&path))?;
    let first = Timestamp::from_rfc3339("2026-01-01T00:00:00Z").ok_or("no date")?;
    for day in 0..days {
        let day = first + Span::hours(24 * day);
        for account in 0..groups.div_ceil(OF_ACCOUNT) {
            for region in REGIONS {
                store.write(&[row(day, account, region)?]).await?;
            }
        }
    }
    println!("{groups} groups on {days} days from 2026-01-01 in {path}");
    Ok(())
}

/// What an account had in a region on a day.
fn row(day: Timestamp, account: u64, region: &str) -> Result<Put, Box<dyn std::error::Error>> {
    let of = |number: u64| -> Result<GroupDay, Box<dyn std::error::Error>> {
        let cost = i64::try_from(1_000_000 + number * 7919 % 5_000_000 + account * 31)?;
        let totals = Totals {
            actual: Usd::from_micros(cost),
            on_demand: Usd::from_micros(cost * 3),
            on_demand_net: Usd::from_micros(cost * 3),
            time: 86_400_000 * 4,
            spot: 86_400_000 * 3,
            unpriced: 0,
        };
        let group = format!("service-{number:02}-of-{account:04}-AutoScalingGroup").parse()?;
        Ok(GroupDay { region: region.parse()?, group, totals })
    };
    let groups: Result<Vec<GroupDay>, _> = (0..OF_ACCOUNT / REGIONS.len() as u64).map(of).collect();
    let day = Day {
        format: FORMAT,
        day,
        account: AccountId::from_number(100_000_000_000 + account).ok_or("no account")?,
        region: region.parse()?,
        unit: format!("/unit-{}", account % 20).parse()?,
        pages: 24,
        groups: groups?,
    };
    let site = spothub_core::id::Site { account: day.account, region: day.region.clone() };
    let (key, value) = (book::day_key(day.day, &site), Some(serde_json::to_vec(&day)?));
    Ok(Put { key, value, expect: Expect::Anything, fence: 1 })
}
