//! Pages in headless Chromium over a real socket. Where there is no Chromium, it is said so and nothing is proven.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use spothub_core::port::{Clock, Store};
use spothub_core::time::Span;
use spothub_dashboard::serve;
use tokio::net::TcpListener;

use crate::desk::{asked, group, held, recorded};
use crate::requests::spent;

/// A name that would be markup and script, were it ever taken for such.
const HOSTILE: &str = "<img src=x onerror=document.title='taken'>&amp;\"'";

/// The browser of `SPOTHUB_CHROMIUM`, or the one on the path; `None` where there is none.
#[expect(clippy::disallowed_methods, reason = "a test's tool is named by the environment")]
fn chromium() -> Option<String> {
    let named = std::env::var("SPOTHUB_CHROMIUM").ok();
    let some = named.into_iter().chain(["chromium".to_owned(), "chromium-browser".to_owned()]);
    let runs = |name: &String| {
        let ran = Command::new(name).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        ran.is_ok_and(|status| status.success())
    };
    let found = some.into_iter().find(runs);
    if found.is_none() {
        println!("no Chromium: the pages were not tried in a browser; install it (apt-get install chromium)");
    }
    found
}

/// The page after its scripts have run, and how long that took with the browser's own start.
async fn seen(chromium: &str, url: String) -> (String, Duration) {
    let (chromium, began) = (chromium.to_owned(), spent());
    let profile = tempfile::tempdir().unwrap();
    let job = tokio::task::spawn_blocking(move || {
        let mut call = Command::new(chromium);
        call.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--dump-dom"]);
        // Less than the five seconds after which a page asks again.
        call.arg("--virtual-time-budget=3000").arg(format!("--user-data-dir={}", profile.path().display())).arg(url);
        call.stderr(Stdio::null()).output().unwrap()
    });
    let output = job.await.unwrap();
    (String::from_utf8(output.stdout).unwrap(), spent() - began)
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_show_what_is_there_and_take_no_name_for_markup() {
    let Some(chromium) = chromium() else { return };
    let asked = asked(None).await;
    let hostile = group(3, HOSTILE);
    asked.store.write(&[held(&hostile)]).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let desk = Arc::new(asked.desk);
    let served = tokio::spawn(serve(Arc::clone(&desk), listener, std::future::pending()));
    let (first, _) = seen(&chromium, format!("http://{at}/")).await;
    for part in ["groups on record", "000000000001", "Latest ends", "a freeze", "not-enabled"] {
        assert!(first.contains(part), "{part}: {first}");
    }
    let (account, _) = seen(&chromium, format!("http://{at}/#/account/000000000003")).await;
    let (found, _) = seen(&chromium, format!("http://{at}/#/find/SEC")).await;
    assert!(found.contains("secret") && !found.contains(">web<"), "{found}");
    for page in [&first, &account] {
        assert!(!page.contains("<img") && !page.contains("<title>taken"), "{page}");
    }
    assert!(account.contains("&lt;img src=x onerror"), "{account}");
    for number in 0..10_000_u64 {
        asked.store.write(&[held(&group(1 + number % 100, &format!("group-{number}")))]).await.unwrap();
    }
    let later = asked.clock.now() + Span::mins(3);
    *asked.clock.0.lock().unwrap() = later;
    let (_, start) = seen(&chromium, "about:blank".to_owned()).await;
    let (many, whole) = seen(&chromium, format!("http://{at}/")).await;
    assert!(many.contains("10,003"), "{many}");
    println!("10,000 groups: {whole:?} with the browser's start, which alone takes {start:?}");
    served.abort();
}

/// Light, dark and as wide as a phone: the same facts, and other pictures. Kept where `SPOTHUB_DASHBOARD_SHOTS` names a
/// folder, for who wants to look at them.
#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::disallowed_methods, reason = "where pictures go is named by the environment")]
async fn a_recorded_run_is_shown_light_dark_and_narrow() {
    let Some(chromium) = chromium() else { return };
    let asked = recorded().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let served = tokio::spawn(serve(Arc::new(asked.desk), listener, std::future::pending()));
    let (page, _) = seen(&chromium, format!("http://{at}/")).await;
    for part in ["/prod/web", "saved, 30 days", "Saved by day", "sw-a3ffb81f7ac6631d"] {
        assert_eq!(page.contains(part), part != "sw-a3ffb81f7ac6631d", "{part}: {page}");
    }
    let one = "http://{at}/#/group/000000000202%2Feu-west-1%2Fneeds-its-disks".replace("{at}", &at.to_string());
    let (group, _) = seen(&chromium, one.clone()).await;
    assert!(group.contains("i-031524ff78848e83e") && group.contains("in flight"), "{group}");
    let kept = std::env::var("SPOTHUB_DASHBOARD_SHOTS").ok().map(std::path::PathBuf::from);
    let other = tempfile::tempdir().unwrap();
    let folder = kept.unwrap_or_else(|| other.path().to_owned());
    let mut sizes = Vec::new();
    for (name, size, more) in [
        ("light", "1360,2300", "--blink-settings=preferredColorScheme=1"),
        ("dark", "1360,2300", "--blink-settings=preferredColorScheme=0"),
        ("phone", "500,2300", "--blink-settings=preferredColorScheme=1"),
        ("group", "1000,900", "--blink-settings=preferredColorScheme=1"),
    ] {
        let url = if name == "group" { one.clone() } else { format!("http://{at}/") };
        let (file, chromium) = (folder.join(format!("{name}.png")), chromium.clone());
        let profile = tempfile::tempdir().unwrap();
        let shot = file.clone();
        let job = tokio::task::spawn_blocking(move || {
            let mut call = Command::new(chromium);
            call.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", more]);
            call.arg(format!("--window-size={size}")).arg("--virtual-time-budget=3000");
            call.arg(format!("--user-data-dir={}", profile.path().display()));
            call.arg(format!("--screenshot={}", shot.display())).arg(url);
            call.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap()
        });
        job.await.unwrap();
        sizes.push(std::fs::read(file).unwrap());
    }
    served.abort();
    assert_ne!(sizes[0], sizes[1], "dark is another picture");
}
