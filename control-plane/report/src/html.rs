//! A report as one HTML file that needs nothing else and may load nothing else.

use askama::Template;
use spothub_core::money::Usd;
use spothub_core::time::Timestamp;
use spothub_usage::Grain;
use spothub_usage::book::{Totals, day_of, day_spelled};

use crate::model::{Report, Scope, Section, known, saved_share, spot_share};
use crate::text::{self, hours, named, percent, plain};

/// Groups shown, those with the most cost on demand: with as many accounts the file stays far below 5 MB.
pub const GROUPS_MAX: usize = 1000;
/// Accounts shown, for the same reason; more than any organization has by default.
pub const ACCOUNTS_MAX: usize = 10_000;
/// Bars of a chart: a year of days, or a month of hours. Those of a longer time would be thinner than a line.
const BARS_MAX: usize = 750;
/// Height of a chart.
const HEIGHT: i128 = 120;
/// The whole of a share, in hundredths of a percent.
const WHOLE: i128 = 10_000;

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    title: String,
    note: String,
    source: &'static str,
    style: &'static str,
    script: &'static str,
    figures: Vec<(&'static str, String)>,
    charts: Vec<Chart>,
    tables: &'a [Table],
    sections: &'a [Section],
}

/// A page of the same looks: figures, tables that are searched and sorted, and sections.
#[derive(Clone, Debug, Default)]
pub struct Sheet {
    /// Its heading.
    pub title: String,
    /// One line below it.
    pub note: String,
    /// What gives all rows of a table where not all are shown, as `--format csv`.
    pub source: &'static str,
    /// Names and what there is to say of them.
    pub figures: Vec<(&'static str, String)>,
    /// Tables; those without rows are left out.
    pub tables: Vec<Table>,
    /// Sections.
    pub sections: Vec<Section>,
}

impl Sheet {
    /// The whole file.
    ///
    /// # Errors
    ///
    /// Where the text cannot be written, which memory alone could be the reason of.
    pub fn html(&self) -> Result<String, askama::Error> {
        page(self, Vec::new()).render()
    }
}

fn page(sheet: &Sheet, charts: Vec<Chart>) -> Page<'_> {
    Page {
        title: plain(&sheet.title),
        note: plain(&sheet.note),
        source: sheet.source,
        style: include_str!("report.css"),
        script: include_str!("report.js"),
        figures: sheet.figures.clone(),
        charts,
        tables: &sheet.tables,
        sections: &sheet.sections,
    }
}

/// Bars above and below a line.
struct Chart {
    title: &'static str,
    most: String,
    least: String,
    first: String,
    last: String,
    width: usize,
    height: i128,
    bars: Vec<Bar>,
}

struct Bar {
    x: usize,
    y: i128,
    tall: i128,
    said: String,
}

/// Rows with a name and as many cells as there are further heads.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its heading.
    pub title: &'static str,
    /// Heads of its columns, the name's among them.
    pub heads: Vec<&'static str>,
    /// How many rows there are in all.
    pub all: usize,
    /// Those that are shown.
    pub rows: Vec<(String, Vec<String>)>,
}

/// The whole file.
///
/// # Errors
///
/// Where the text cannot be written, which memory alone could be the reason of.
pub fn html(report: &Report, title: &str) -> Result<String, askama::Error> {
    let accounts = report.accounts.iter().map(|(id, totals)| {
        let name = report.names.get(id).map(|name| format!("{name} ")).unwrap_or_default();
        (format!("{name}{id}"), totals)
    });
    let groups = report.groups.iter().map(|(key, totals)| (named(&Scope::Group(key.clone())), totals));
    let sheet = Sheet {
        title: title.to_owned(),
        note: format!("{}, UTC", period(report)),
        source: "--format csv",
        figures: figures(&report.total),
        tables: vec![
            table("Accounts", ACCOUNTS_MAX, accounts.collect()),
            table("Groups", GROUPS_MAX, groups.collect()),
        ],
        sections: report.sections.clone(),
    };
    page(&sheet, [saved(report), shares(report)].into_iter().flatten().collect()).render()
}

fn cents(amount: Usd) -> String {
    text::thousands(&text::cents(amount))
}

fn usd(totals: &Totals, amount: Usd) -> String {
    if known(totals) { cents(amount) } else { "unknown".to_owned() }
}

/// Whole days are told as the days that they are.
fn period(report: &Report) -> String {
    let (from, to) = (report.from, report.to);
    if from == day_of(from) && to == day_of(to) && from < to {
        return format!("{} to {}", day_spelled(from), day_spelled(Timestamp(to.0 - 1)));
    }
    format!("{} to {}", spelled(Grain::Hour, from), spelled(Grain::Hour, to))
}

fn share(points: Option<i64>) -> String {
    points.map_or_else(|| "unknown".to_owned(), |points| format!("{} %", percent(points)))
}

fn figures(total: &Totals) -> Vec<(&'static str, String)> {
    let usd = |amount| match usd(total, amount) {
        unknown if !known(total) => unknown,
        cents => format!("{cents} USD"),
    };
    let mut figures = vec![
        ("Saved against list prices (gross)", usd(total.saved())),
        ("Saved after discounts (net)", usd(total.net())),
        ("Saved of the list price", share(saved_share(total))),
        ("On Spot, of the time of its instances", share(spot_share(total))),
    ];
    if total.unpriced != 0 {
        figures.push(("Instance-hours without a known price", hours(total.unpriced)));
    }
    figures
}

fn spelled(grain: Grain, at: Timestamp) -> String {
    match grain {
        // Seconds say nothing of an hour.
        Grain::Hour => at.to_string().replacen('T', " ", 1).chars().take(16).collect(),
        Grain::Day | Grain::Month => day_spelled(at),
    }
}

/// Bars up for what was saved, down for what was paid more. Times without any price have none.
fn saved(report: &Report) -> Option<Chart> {
    let of = |totals: &Totals| known(totals).then(|| (totals.saved().units(), usd(totals, totals.saved())));
    let spelled = |units: i128| format!("{} USD", cents(Usd::from_units(units)));
    let title = match report.bar() {
        Grain::Hour => "Saved by hour",
        Grain::Day | Grain::Month => "Saved by day",
    };
    chart(report, title, &of, &spelled, None)
}

/// The part of the time that was on Spot.
fn shares(report: &Report) -> Option<Chart> {
    let of = |totals: &Totals| spot_share(totals).map(|points| (i128::from(points), share(Some(points))));
    let spelled = |points: i128| share(i64::try_from(points).ok());
    chart(report, "Share of the time of its instances that was on Spot", &of, &spelled, Some(WHOLE))
}

/// A chart of what `of` tells of each bar, up to `top` where that is given. One bar alone is no chart.
fn chart(
    report: &Report,
    title: &'static str,
    of: &dyn Fn(&Totals) -> Option<(i128, String)>,
    told: &dyn Fn(i128) -> String,
    top: Option<i128>,
) -> Option<Chart> {
    let bars = report.bars.iter().filter_map(|(at, totals)| of(totals).map(|(size, said)| (*at, size, said)));
    let bars: Vec<_> = bars.take(BARS_MAX).collect();
    let sizes = || bars.iter().map(|(_, size, _)| *size);
    let most = top.unwrap_or_else(|| sizes().max().unwrap_or(0).max(0));
    let least = sizes().min().unwrap_or(0).min(0);
    let (begin, end) = (bars.first()?.0, bars.last()?.0);
    if begin == end || most == least {
        return None;
    }
    let scaled = |size: i128| size.abs() * HEIGHT / (most - least);
    let zero = scaled(most) + 4;
    let drawn = bars.iter().enumerate().map(|(place, (at, size, said))| {
        let tall = scaled(*size).max(1);
        let y = if *size < 0 { zero } else { zero - tall };
        Bar { x: place * 10 + 1, y, tall, said: format!("{}: {said}", spelled(report.bar(), *at)) }
    });
    Some(Chart {
        title,
        most: told(most),
        least: told(least),
        first: spelled(report.bar(), begin),
        last: spelled(report.bar(), end),
        width: bars.len() * 10,
        height: HEIGHT + 8,
        bars: drawn.collect(),
    })
}

fn table(title: &'static str, most: usize, mut rows: Vec<(String, &Totals)>) -> Table {
    let all = rows.len();
    // What cost the most decides which are shown; what was saved, their order.
    rows.sort_by(|a, b| (b.1.on_demand, &a.0).cmp(&(a.1.on_demand, &b.0)));
    rows.truncate(most);
    rows.sort_by(|a, b| (b.1.saved(), &a.0).cmp(&(a.1.saved(), &b.0)));
    let rows = rows.into_iter().map(|(name, totals)| {
        let amounts = [totals.on_demand, totals.actual, totals.saved(), totals.net()];
        let [on_demand, actual, saved, net] = amounts.map(|amount| usd(totals, amount));
        let shares = [saved_share(totals), spot_share(totals)].map(share);
        (plain(&name), [vec![on_demand, actual, saved, net], shares.to_vec()].concat())
    });
    let heads = vec!["Name", "On demand, USD", "Paid, USD", "Saved, USD", "Net, USD", "Saved", "On Spot"];
    Table { title, heads, all, rows: rows.collect() }
}

#[cfg(test)]
mod tests;
