//! Reports as a table, csv, JSON and FOCUS rows.

use std::error::Error;

use csv::Terminator;
use serde_json::{Value, json};
use spothub_core::id::AccountId;
use spothub_core::money::Usd;
use spothub_core::time::Timestamp;
use spothub_usage::book::Totals;
use spothub_usage::{Grain, Period};

use crate::model::{Report, Scope, known, saved_share, spot_share};

/// Milliseconds of an hour.
const HOUR_MS: i128 = 3_600_000;

/// Columns of csv.
pub const COLUMNS: [&str; 16] = [
    "period_start", "period_end", "scope", "account", "account_name", "region", "group", "on_demand_usd",
    "on_demand_net_usd", "actual_usd", "saved_usd", "saved_net_usd", "instance_hours", "spot_hours", "unpriced_hours",
    "spot_percent",
];

/// The mandatory columns of FOCUS 1.2 (<https://focus.finops.org/focus-specification/v1-2/>), then our own, which that
/// specification lets begin with `x_`, and those of accounts and regions.
pub const FOCUS: [&str; 28] = [
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd",
    "BillingPeriodStart", "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargePeriodEnd", "ChargePeriodStart",
    "ContractedCost", "EffectiveCost", "InvoiceIssuerName", "ListCost", "PricingQuantity", "PricingUnit",
    "ProviderName", "PublisherName", "ServiceCategory", "ServiceName", "RegionId", "ResourceId", "SubAccountId",
    "SubAccountName", "x_OnDemandNetCost", "x_SpotHours", "x_UnpricedHours",
];

/// Text that a terminal shows and does not obey, and that does not change the direction of what follows.
#[must_use]
pub fn plain(text: &str) -> String {
    let hidden = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if c.is_control() || hidden(c) { '\u{fffd}' } else { c }).collect()
}

/// Hours of milliseconds, with six decimals, rounded towards zero.
#[must_use]
pub fn hours(ms: i64) -> String {
    let micros = i128::from(ms) * 1_000_000 / HOUR_MS;
    let (sign, n) = (if micros < 0 { "-" } else { "" }, micros.unsigned_abs());
    format!("{sign}{}.{:06}", n / 1_000_000, n % 1_000_000)
}

/// Hundredths of a percent, as percent.
#[must_use]
pub fn percent(points: i64) -> String {
    let (sign, n) = (if points < 0 { "-" } else { "" }, points.unsigned_abs());
    format!("{sign}{}.{:02}", n / 100, n % 100)
}

/// An amount to the cent, rounded down, with its currency.
#[must_use]
pub fn cents(amount: Usd) -> String {
    let cents = amount.micros_floor().div_euclid(10_000);
    let (sign, n) = (if cents < 0 { "-" } else { "" }, cents.unsigned_abs());
    format!("{sign}{}.{:02}", n / 100, n % 100)
}

/// The same number with commas between thousands.
#[must_use]
pub fn thousands(number: &str) -> String {
    let digits = number.find('.').unwrap_or(number.len());
    let comma = |at: usize, c: char| at < digits && at > 0 && (digits - at).is_multiple_of(3) && c.is_ascii_digit();
    let mut grouped = String::new();
    for (at, c) in number.char_indices() {
        if comma(at, c) && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(c);
    }
    grouped
}

/// What a row calls what it is about.
#[must_use]
pub fn named(scope: &Scope) -> String {
    match scope {
        Scope::Organization => "organization".to_owned(),
        Scope::Ou(unit) => unit.to_string(),
        Scope::Account(account) => account.to_string(),
        Scope::Group(group) => format!("{}/{}/{}", group.site.account, group.site.region, group.name),
    }
}

/// The account, region and group of a row, empty where it has none.
fn parts(scope: &Scope) -> (Option<AccountId>, &str, &str) {
    match scope {
        Scope::Organization | Scope::Ou(_) => (None, "", ""),
        Scope::Account(account) => (Some(*account), "", ""),
        Scope::Group(group) => (Some(group.site.account), group.site.region.as_str(), group.name.as_str()),
    }
}

/// A cell of what members named: no spreadsheet takes it for a formula.
#[must_use]
pub fn member(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if formula { format!("'{text}") } else { text.to_owned() }
}

/// Lines as RFC 4180 has them.
///
/// # Errors
///
/// Where the text cannot be written, which memory alone could be the reason of.
pub fn lines<const N: usize>(
    heads: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> Result<String, Box<dyn Error + Send + Sync>> {
    let mut writer = csv::WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(heads)?;
    for row in rows {
        writer.write_record(&row)?;
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}

fn amounts(totals: &Totals) -> [Option<Usd>; 5] {
    let amounts = [totals.on_demand, totals.on_demand_net, totals.actual, totals.saved(), totals.net()];
    amounts.map(|amount| known(totals).then_some(amount))
}

fn spelled(amount: Option<Usd>) -> String {
    amount.map(|amount| amount.to_string()).unwrap_or_default()
}

/// One line for each row, with a heading; amounts that are unknown are empty.
///
/// # Errors
///
/// Where the text cannot be written, which memory alone could be the reason of.
pub fn csv(report: &Report) -> Result<String, Box<dyn Error + Send + Sync>> {
    let rows = report.rows.iter().map(|((start, scope), totals)| {
        let (account, region, group) = parts(scope);
        let name = account.and_then(|id| report.names.get(&id)).map_or("", String::as_str);
        let [on_demand, on_demand_net, actual, saved, saved_net] = amounts(totals).map(spelled);
        [
            start.to_string(),
            report.end(*start).to_string(),
            member(&named(scope)),
            account.map(|id| id.to_string()).unwrap_or_default(),
            member(name),
            member(region),
            member(group),
            on_demand,
            on_demand_net,
            actual,
            saved,
            saved_net,
            hours(totals.time),
            hours(totals.spot),
            hours(totals.unpriced),
            spot_share(totals).map(percent).unwrap_or_default(),
        ]
    });
    lines(COLUMNS, rows)
}

/// One object; amounts are decimal strings, and null where they are unknown.
#[must_use]
pub fn json(report: &Report) -> Value {
    let sums = |totals: &Totals| {
        let [on_demand, on_demand_net, actual, saved, saved_net] =
            amounts(totals).map(|amount| amount.map(|amount| amount.to_string()));
        json!({
            "on_demand_usd": on_demand, "on_demand_net_usd": on_demand_net, "actual_usd": actual,
            "saved_usd": saved, "saved_net_usd": saved_net, "saved_percent": saved_share(totals).map(percent),
            "instance_hours": hours(totals.time), "spot_hours": hours(totals.spot),
            "unpriced_hours": hours(totals.unpriced), "spot_percent": spot_share(totals).map(percent),
        })
    };
    let rows = report.rows.iter().map(|((start, scope), totals)| {
        let (account, region, group) = parts(scope);
        json!({
            "period_start": start.to_string(), "period_end": report.end(*start).to_string(), "scope": named(scope),
            "account": account.map(|id| id.to_string()), "region": region, "group": group, "sums": sums(totals),
        })
    });
    let rows: Vec<Value> = rows.collect();
    json!({"from": report.from.to_string(), "to": report.to.to_string(), "total": sums(&report.total), "rows": rows})
}

/// FOCUS rows as csv. Who pays for the organization is not in the ledger, and stays empty.
///
/// # Errors
///
/// Where the text cannot be written, which memory alone could be the reason of.
pub fn focus(report: &Report) -> Result<String, Box<dyn Error + Send + Sync>> {
    let rows = report.rows.iter().map(|((start, scope), totals)| {
        let (account, region, group) = parts(scope);
        let name = account.and_then(|id| report.names.get(&id)).map_or("", String::as_str);
        let month = Period::of(Grain::Month, *start);
        let [list, net, actual, ..] = amounts(totals).map(spelled);
        let time = |at: Timestamp| at.to_string();
        let fixed = |text: &str| text.to_owned();
        let resource = if group.is_empty() { String::new() } else { member(&named(scope)) };
        [
            actual.clone(),
            String::new(),
            String::new(),
            fixed("USD"),
            time(month.end()),
            time(month.start),
            fixed("Usage"),
            String::new(),
            fixed("EC2 instances of Auto Scaling groups served by spothub"),
            time(report.end(*start)),
            time(*start),
            actual.clone(),
            actual,
            fixed("Amazon Web Services"),
            list,
            hours(totals.time),
            fixed("Hours"),
            fixed("AWS"),
            fixed("Amazon Web Services"),
            fixed("Compute"),
            fixed("Amazon Elastic Compute Cloud"),
            member(region),
            resource,
            account.map(|id| id.to_string()).unwrap_or_default(),
            member(name),
            net,
            hours(totals.spot),
            hours(totals.unpriced),
        ]
    });
    lines(FOCUS, rows)
}

#[cfg(test)]
mod tests;
