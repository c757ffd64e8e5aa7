//! A report's page in headless Chromium, from a file: what its script does, and what names of members cannot do.

use std::path::Path;
use std::process::{Command, Stdio};

use spothub_core::id::AccountId;
use spothub_core::money::Usd;
use spothub_core::time::{Span, Timestamp};
use spothub_report::{Each, Level, Report, html};
use spothub_usage::book::{Day, FORMAT, GroupDay, Totals};

use crate::browser::{chromium, seen};

/// A name that would be markup and script, were it ever taken for such.
const HOSTILE: &str = "<img src=x onerror=document.title='taken'></script><script>document.title='taken'</script>";
const BEGIN: &str = "2026-01-01T00:00:00Z";

/// A month of so many accounts with ten groups each. The first group costs the most, and nobody knows what the last
/// one does.
fn month(accounts: u64) -> Report {
    let start = Timestamp::from_rfc3339(BEGIN).unwrap();
    let mut report = Report::new(Level::Account, Each::Total, start, start + Span::hours(24 * 30));
    for (day, number) in (0..30).flat_map(|day| (0..accounts).map(move |number| (day, number))) {
        let groups = (0..10_u64).map(|place| {
            let unknown = number + 1 == accounts && place == 9;
            let cost = i64::try_from(1_000_000_000 - number * 10 - place).unwrap();
            let totals = Totals {
                actual: Usd::from_micros(if unknown { 0 } else { cost }),
                on_demand: Usd::from_micros(if unknown { 0 } else { cost * 3 }),
                on_demand_net: Usd::from_micros(if unknown { 0 } else { cost * 3 }),
                time: 86_400_000,
                spot: 43_200_000,
                unpriced: if unknown { 86_400_000 } else { 0 },
            };
            let name = if number == 0 && place == 0 { HOSTILE.to_owned() } else { format!("g-{number:04}-{place}") };
            GroupDay { region: "eu-west-1".parse().unwrap(), group: name.parse().unwrap(), totals }
        });
        let account = AccountId::from_number(number + 1).unwrap();
        let region = "eu-west-1".parse().unwrap();
        let (day, unit) = (start + Span::hours(24 * day), "/prod".parse().unwrap());
        report.add(&Day { format: FORMAT, day, account, region, unit, pages: 24, groups: groups.collect() });
        report.names.insert(account, if number == 0 { HOSTILE.to_owned() } else { format!("account-{number}") });
    }
    report
}

/// What a person does with the page, and what they then see, as the text of an element that only the test adds.
const TRIES: &str = r#"<script>
const part = document.querySelectorAll("section.rows")[1], input = part.querySelector("input");
const seen = () => [...part.querySelectorAll("tbody tr")].filter((row) => row.offsetParent !== null);
const told = { first: seen().length };
input.value = "G-0007"; input.dispatchEvent(new Event("input"));
told.found = seen().map((row) => row.cells[0].textContent);
input.value = ""; input.dispatchEvent(new Event("input"));
part.querySelectorAll("th")[2].click(); told.dear = seen()[0].cells[2].textContent;
part.querySelectorAll("th")[2].click(); told.cheap = seen()[0].cells[2].textContent;
part.querySelector(".tools button").click(); told.all = seen().length; told.last = seen().at(-1).cells[2].textContent;
told.title = document.title;
told.dark = matchMedia("(prefers-color-scheme: dark)").matches;
told.bar = getComputedStyle(document.querySelector("rect")).fill;
told.wide = document.documentElement.scrollWidth <= innerWidth;
const out = document.createElement("pre"); out.id = "told";
out.textContent = JSON.stringify(told); document.body.append(out);
</script></body></html>"#;

/// What [`TRIES`] told.
fn told(dom: &str) -> serde_json::Value {
    let (_, rest) = dom.split_once("<pre id=\"told\">").unwrap();
    serde_json::from_str(rest.split_once("</pre>").unwrap().0).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_searched_and_sorted_and_takes_no_name_for_markup() {
    let Some(chromium) = chromium() else { return };
    let folder = tempfile::tempdir().unwrap();
    let page = html::html(&month(100), "March").unwrap();
    assert!(!page.contains("http://") && !page.contains("https://"), "it loads nothing");
    let url = written(folder.path(), &page.replace("</body></html>", TRIES));
    let (dom, _) = seen(&chromium, url.clone(), &["--blink-settings=preferredColorScheme=1"]).await;
    let light = told(&dom);
    assert_eq!(light["first"], 100, "as many rows as a screen may bear");
    assert_eq!(light["found"].as_array().unwrap().len(), 10, "{light}");
    assert_eq!(light["dear"], "30,000.00");
    assert_eq!(light["cheap"], "29,999.97");
    assert_eq!((&light["all"], &light["last"]), (&1000.into(), &"unknown".into()), "what is not known comes last");
    assert_eq!(light["title"], "March");
    assert!(!dom.contains("<img") && dom.contains("&lt;img src=x onerror"), "names are text");
    let (dom, _) = seen(&chromium, url, &["--blink-settings=preferredColorScheme=0", "--window-size=500,900"]).await;
    let dark = told(&dom);
    assert_eq!((&light["dark"], &dark["dark"]), (&false.into(), &true.into()));
    assert_ne!(light["bar"], dark["bar"], "other colors in the dark");
    assert_eq!(dark["wide"], true, "a phone need not scroll sideways");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_page_is_small_and_prints() {
    let Some(chromium) = chromium() else { return };
    let folder = tempfile::tempdir().unwrap();
    let page = html::html(&month(10_000), "All").unwrap();
    assert!(page.len() < 5_000_000, "{} bytes", page.len());
    let url = written(folder.path(), &page);
    let (_, start) = seen(&chromium, "about:blank".to_owned(), &[]).await;
    let (dom, whole) = seen(&chromium, url.clone(), &[]).await;
    assert!(dom.contains("account-9999"));
    println!("{} bytes: {whole:?} with the browser's start, which alone takes {start:?}", page.len());
    let (file, profile) = (folder.path().join("printed.pdf"), tempfile::tempdir().unwrap());
    let pdf = file.clone();
    let job = tokio::task::spawn_blocking(move || {
        let mut call = Command::new(chromium);
        call.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-pdf-header-footer"]);
        call.arg(format!("--user-data-dir={}", profile.path().display()));
        call.arg(format!("--print-to-pdf={}", pdf.display())).arg(url);
        call.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap()
    });
    job.await.unwrap();
    let printed = std::fs::read(file).unwrap();
    let pages = printed.windows(12).filter(|part| part.starts_with(b"/Type /Page\n")).count();
    assert!((3..60).contains(&pages), "{pages} pages: the figures, and the rows that are shown");
}

fn written(folder: &Path, page: &str) -> String {
    let path = folder.join("report.html");
    std::fs::write(&path, page).unwrap();
    format!("file://{}", path.display())
}
