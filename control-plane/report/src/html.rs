//! A report as one HTML file that needs nothing else and may load nothing else.

// Writing to a text cannot fail, so what `write!` gives is dropped in this file.
use std::fmt::Write as _;

use spothub_core::money::Usd;
use spothub_usage::book::{Totals, day_spelled};

use crate::model::{Report, Scope, known, saved_share, spot_share};
use crate::text::{cents, hours, named, percent, plain};

/// Groups shown, those with the most cost on demand: with as many accounts the file stays far below 5 MB.
pub const GROUPS_MAX: usize = 1000;
/// Accounts shown, for the same reason; more than any organization has by default.
pub const ACCOUNTS_MAX: usize = 10_000;
/// Days in the chart: more bars are thinner than a line.
const DAYS_MAX: usize = 400;
/// Height of the chart's bars.
const HEIGHT: i128 = 120;

const STYLE: &str = include_str!("report.css");
const SCRIPT: &str = include_str!("report.js");

/// Text in HTML, in elements and in quoted attributes.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in plain(text).chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

/// The whole file.
#[must_use]
pub fn html(report: &Report, title: &str) -> String {
    let title = escaped(title);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         script-src 'unsafe-inline'\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title}</title><style>{STYLE}</style></head><body><main><h1>{title}</h1>"
    );
    let _ = write!(page, "<p class=\"period\">{} to {}, UTC</p>", report.from, report.to);
    headline(&mut page, report);
    chart(&mut page, report);
    let accounts = report.accounts.iter().map(|(id, totals)| {
        let name = report.names.get(id).map(|name| format!("{name} ")).unwrap_or_default();
        (format!("{name}{id}"), totals)
    });
    table(&mut page, report, "Accounts", ACCOUNTS_MAX, accounts.collect());
    let groups = report.groups.iter().map(|(key, totals)| (named(&Scope::Group(key.clone())), totals));
    table(&mut page, report, "Groups", GROUPS_MAX, groups.collect());
    for section in &report.sections {
        let _ = write!(page, "<section><h2>{}</h2><table>", escaped(&section.title));
        for (name, value) in &section.lines {
            let _ = write!(page, "<tr><td>{}</td><td class=\"n\">{}</td></tr>", escaped(name), escaped(value));
        }
        page.push_str("</table></section>");
    }
    let _ = write!(page, "</main><script>{SCRIPT}</script></body></html>\n");
    page
}

fn usd(totals: &Totals, amount: Usd) -> String {
    if known(totals) { format!("{} USD", cents(amount)) } else { "unknown".to_owned() }
}

fn share(points: Option<i64>) -> String {
    points.map_or_else(|| "unknown".to_owned(), |points| format!("{} %", percent(points)))
}

fn headline(page: &mut String, report: &Report) {
    let total = &report.total;
    let mut figures = vec![("Saved against list prices (gross)", usd(total, total.saved()))];
    if report.whole {
        figures.push(("Saved after discounts (net)", usd(total, total.net())));
    }
    figures.push(("Saved of the list price", share(saved_share(total))));
    if report.whole {
        figures.push(("Time on Spot", share(spot_share(total))));
    }
    if total.unpriced != 0 {
        figures.push(("Instance-hours without a known price", hours(total.unpriced)));
    }
    page.push_str("<dl>");
    for (name, value) in figures {
        let _ = write!(page, "<div><dt>{name}</dt><dd>{value}</dd></div>");
    }
    page.push_str("</dl>");
}

/// Savings by day: bars up for what was saved, down for what was paid more. Days without any price have none.
fn chart(page: &mut String, report: &Report) {
    let days: Vec<_> = report.days.iter().filter(|(_, totals)| known(totals)).take(DAYS_MAX).collect();
    let sizes = days.iter().map(|(_, totals)| totals.saved().units());
    let (most, least) = (sizes.clone().max().unwrap_or(0).max(0), sizes.min().unwrap_or(0).min(0));
    if days.len() < 2 || most == least {
        return;
    }
    let scaled = |units: i128| units.abs() * HEIGHT / (most - least);
    let (zero, width) = (scaled(most) + 4, days.len() * 10);
    let _ = write!(
        page,
        "<section><h2>Saved by day</h2><svg viewBox=\"0 0 {width} {}\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-label=\"Saved by day against list prices\">",
        HEIGHT + 8
    );
    for (at, (day, totals)) in days.iter().enumerate() {
        let saved = totals.saved();
        let (x, tall) = (at * 10 + 1, scaled(saved.units()).max(1));
        let y = if saved.units() < 0 { zero } else { zero - tall };
        let day = day_spelled(**day);
        let said = usd(totals, saved);
        let _ =
            write!(page, "<rect x=\"{x}\" y=\"{y}\" width=\"8\" height=\"{tall}\"><title>{day}: {said}</title></rect>");
    }
    let (first, last) = (days.first(), days.last());
    let spelled = |day: Option<&(&spothub_core::time::Timestamp, &Totals)>| {
        day.map(|(day, _)| day_spelled(**day)).unwrap_or_default()
    };
    let most = cents(Usd::from_units(most));
    let _ = write!(
        page,
        "</svg><p class=\"note\">{} to {}; at most {most} USD in a day</p></section>",
        spelled(first),
        spelled(last)
    );
}

fn table(page: &mut String, report: &Report, title: &str, most: usize, mut rows: Vec<(String, &Totals)>) {
    if rows.is_empty() {
        return;
    }
    let all = rows.len();
    // What cost the most decides which are shown; what was saved, their order.
    rows.sort_by(|a, b| (b.1.on_demand, &a.0).cmp(&(a.1.on_demand, &b.0)));
    rows.truncate(most);
    rows.sort_by(|a, b| (b.1.saved(), &a.0).cmp(&(a.1.saved(), &b.0)));
    let _ = write!(page, "<section class=\"rows\"><h2>{title}</h2>");
    if rows.len() < all {
        let shown = rows.len();
        let _ = write!(page, "<p class=\"note\">The {shown} largest of {all}; --format csv has them all.</p>");
    }
    let _ = write!(page, "<input type=\"search\" placeholder=\"Search\" aria-label=\"Search {title}\">");
    page.push_str("<div class=\"wide\"><table><thead><tr><th>Name</th><th>On demand</th><th>Paid</th><th>Saved</th>");
    page.push_str(if report.whole { "<th>Net</th><th>Spot</th>" } else { "" });
    page.push_str("<th>Share</th></tr></thead><tbody>");
    for (name, totals) in rows {
        let _ = write!(page, "<tr><td>{}</td>", escaped(&name));
        let mut cells = vec![usd(totals, totals.on_demand), usd(totals, totals.actual), usd(totals, totals.saved())];
        if report.whole {
            cells.extend([usd(totals, totals.net()), share(spot_share(totals))]);
        }
        cells.push(share(saved_share(totals)));
        for cell in cells {
            let _ = write!(page, "<td class=\"n\">{cell}</td>");
        }
        page.push_str("</tr>");
    }
    page.push_str("</tbody></table></div></section>");
}
