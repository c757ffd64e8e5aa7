//! Each rule of the door by a request that keeps all others.

use axum::http::StatusCode;
use spothub_core::brake::BrakeScope;
use spothub_core::port::Store;
use spothub_core::time::Span;

use crate::desk::{Asked, HOST, TOKENS, access, asked, group, held, recorded};

const PAUSE: &str = r#"{"deed":"pause","scope":"org","why":"a freeze"}"#;
const RESUME: &str = r#"{"deed":"resume","scope":"org","why":"it is over"}"#;
const ORIGIN: &str = "http://127.0.0.1:8417";
const JSON: (&str, &str) = ("content-type", "application/json");

async fn is_paused(asked: &Asked) -> bool {
    let key = BrakeScope::Org.key();
    asked.store.get(&key).await.unwrap().is_some()
}

#[tokio::test]
async fn a_brake_needs_every_proof() {
    let asked = asked(Some(access())).await;
    let (cookie, csrf) = asked.sign_in(TOKENS[0]).await;
    let (other, others) = asked.sign_in(TOKENS[0]).await;
    let (viewer, _) = asked.sign_in(TOKENS[1]).await;
    let good = [("host", HOST), ("origin", ORIGIN), JSON, ("cookie", cookie.as_str()), ("x-csrf-token", csrf.as_str())];
    let (long, lines) = (PAUSE.replace("a freeze", &"x".repeat(501)), PAUSE.replace("a freeze", "a\\nb"));
    let huge = PAUSE.replace("a freeze", &"x".repeat(5000));
    let cases: [(&str, Option<&str>, &str, StatusCode); 12] = [
        ("host", Some("evil.example"), PAUSE, StatusCode::MISDIRECTED_REQUEST),
        ("host", None, PAUSE, StatusCode::MISDIRECTED_REQUEST),
        ("origin", None, PAUSE, StatusCode::FORBIDDEN),
        ("origin", Some("http://evil.example"), PAUSE, StatusCode::FORBIDDEN),
        ("content-type", Some("text/plain"), PAUSE, StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("cookie", None, PAUSE, StatusCode::UNAUTHORIZED),
        ("cookie", Some(&viewer), PAUSE, StatusCode::FORBIDDEN),
        ("x-csrf-token", None, PAUSE, StatusCode::FORBIDDEN),
        ("x-csrf-token", Some(&others), PAUSE, StatusCode::FORBIDDEN),
        ("x", None, &long, StatusCode::BAD_REQUEST),
        ("x", None, &lines, StatusCode::BAD_REQUEST),
        ("x", None, &huge, StatusCode::PAYLOAD_TOO_LARGE),
    ];
    for (name, value, body, told) in cases {
        let kept = good.iter().copied().filter(|(one, _)| *one != name);
        let headers: Vec<(&str, &str)> = kept.chain(value.map(|value| (name, value))).collect();
        let (status, ..) = asked.ask("POST /api/brake", &headers, body).await;
        assert_eq!((status, is_paused(&asked).await), (told, false), "{name} {value:?}");
    }
    assert_ne!(cookie, other);
    assert_eq!(asked.ask("POST /api/brake", &good, PAUSE).await.0, StatusCode::OK);
    assert!(is_paused(&asked).await);
    let (_, _, told) = asked.ask("GET /api/overview", &good, "").await;
    assert!(told["brakes"].as_array().unwrap().iter().any(|one| one["by"] == "oper (dashboard)"), "{told}");
    assert_eq!(asked.ask("POST /api/brake", &good, RESUME).await.0, StatusCode::OK);
    assert!(!is_paused(&asked).await);
}

#[tokio::test]
async fn a_viewer_pauses_nothing_even_with_its_own_token() {
    let asked = asked(Some(access())).await;
    for token in &TOKENS[1..] {
        let (cookie, csrf) = asked.sign_in(token).await;
        assert_eq!(csrf, "", "who may change nothing gets no token for it");
        // Chance is counted here, so the session's own is known: four sessions' worth of guesses.
        for guess in 0..8_u8 {
            let csrf = format!("{guess:02x}").repeat(32);
            let headers =
                [("host", HOST), ("origin", ORIGIN), JSON, ("cookie", cookie.as_str()), ("x-csrf-token", &csrf)];
            assert_eq!(asked.ask("POST /api/brake", &headers, PAUSE).await.0, StatusCode::FORBIDDEN);
        }
    }
    assert!(!is_paused(&asked).await);
}

#[tokio::test]
async fn without_signing_in_nothing_is_told() {
    let asked = asked(Some(access())).await;
    let stranger = "spothub-session=0000";
    for path in ["/api/me", "/api/overview", "/api/groups"] {
        for headers in [&[("host", HOST)][..], &[("host", HOST), ("cookie", stranger)]] {
            assert_eq!(asked.ask(&format!("GET {path}"), headers, "").await.0, StatusCode::UNAUTHORIZED, "{path}");
        }
    }
    let (cookie, _) = asked.sign_in(TOKENS[1]).await;
    let headers = [("host", HOST), ("cookie", cookie.as_str())];
    assert_eq!(asked.ask("GET /api/overview", &headers, "").await.0, StatusCode::OK);
    let later = asked.clock_now() + Span::hours(13);
    *asked.clock.0.lock().unwrap() = later;
    assert_eq!(asked.ask("GET /api/overview", &headers, "").await.0, StatusCode::UNAUTHORIZED, "a session ends");
}

#[tokio::test]
async fn who_leaves_is_gone() {
    let asked = asked(Some(access())).await;
    let (cookie, _) = asked.sign_in(TOKENS[1]).await;
    let headers = [("host", HOST), ("origin", ORIGIN), JSON, ("cookie", cookie.as_str())];
    assert_eq!(asked.ask("POST /api/logout", &headers, "{}").await.0, StatusCode::OK);
    assert_eq!(asked.ask("GET /api/overview", &headers, "").await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_account_viewer_sees_no_word_of_others() {
    let asked = asked(Some(access())).await;
    for (token, all) in [(TOKENS[2], false), (TOKENS[1], true)] {
        let (cookie, _) = asked.sign_in(token).await;
        let headers = [("host", HOST), ("cookie", cookie.as_str())];
        let paths = ["/api/overview", "/api/groups", "/api/groups?q=secret", "/api/groups?account=000000000002"];
        for path in paths {
            let (status, _, told) = asked.ask(&format!("GET {path}"), &headers, "").await;
            assert_eq!(status, StatusCode::OK);
            assert_eq!(told.to_string().contains("secret"), all, "{path}: {told}");
            assert_eq!(told.to_string().contains("000000000002"), all, "{path}: {told}");
        }
        let (_, _, told) = asked.ask("GET /api/overview", &headers, "").await;
        assert_eq!(told["groups"], if all { 2 } else { 1 });
        assert_eq!(told["brakes_hidden"], u8::from(!all));
    }
}

#[tokio::test]
async fn on_loopback_everybody_looks_and_nobody_changes() {
    let asked = asked(None).await;
    let headers = [("host", HOST), ("origin", ORIGIN), JSON, ("x-csrf-token", "")];
    assert_eq!(asked.ask("GET /api/overview", &headers, "").await.0, StatusCode::OK);
    let token = format!(r#"{{"token":"{}"}}"#, TOKENS[0]);
    assert_eq!(asked.ask("POST /api/login", &headers, &token).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(asked.ask("POST /api/brake", &headers, PAUSE).await.0, StatusCode::UNAUTHORIZED);
    let rebound = [("host", "rebound.example:8417")];
    for path in ["/", "/page.js", "/api/me", "/api/overview"] {
        assert_eq!(asked.ask(&format!("GET {path}"), &rebound, "").await.0, StatusCode::MISDIRECTED_REQUEST, "{path}");
    }
}

#[tokio::test]
async fn every_answer_has_the_strict_headers() {
    let asked = asked(None).await;
    for line in
        ["GET /", "GET /page.js", "GET /api/overview", "GET /nowhere", "PUT /", "POST /api/brake", "GET /healthz"]
    {
        let (_, headers, _) = asked.ask(line, &[("host", HOST)], "").await;
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; ") && policy.contains("frame-ancestors 'none'"), "{line}");
        assert!(!policy.contains("unsafe"), "{policy}");
        for (name, value) in
            [("x-content-type-options", "nosniff"), ("referrer-policy", "no-referrer"), ("cache-control", "no-store")]
        {
            assert_eq!(headers[name], value, "{line}");
        }
    }
}

#[tokio::test]
async fn fifty_pages_read_the_store_once() {
    let asked = asked(None).await;
    for number in 0..10_000_u64 {
        asked.store.write(&[held(&group(1 + number % 100, &format!("group-{number}")))]).await.unwrap();
    }
    let began = spent();
    asked.ask("GET /api/overview", &[("host", HOST)], "").await;
    let first = spent() - began;
    for _ in 0..50 {
        asked.ask("GET /api/overview", &[("host", HOST)], "").await;
    }
    let fifty = spent() - began - first;
    assert_eq!(asked.desk.shared.reads(), 1);
    let later = asked.clock_now() + Span::mins(3);
    *asked.clock.0.lock().unwrap() = later;
    asked.ask("GET /api/overview", &[("host", HOST)], "").await;
    assert_eq!(asked.desk.shared.reads(), 2, "and again once it is old");
    println!("10,000 groups: read and first answer {first:?}; fifty more answers {fifty:?}");
}

#[expect(clippy::disallowed_methods, reason = "a measured figure that is printed, and decides nothing")]
pub(crate) fn spent() -> std::time::Duration {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed()
}

#[tokio::test]
async fn a_day_is_the_sum_of_its_regions() {
    let asked = recorded().await;
    let (_, _, told) = asked.ask("GET /api/overview", &[("host", HOST)], "").await;
    let accounts = told["accounts"].as_array().unwrap();
    let of = |account: &str| accounts.iter().find(|one| one["account"] == account).unwrap()["saved_usd"].clone();
    // Twenty days: 40 to 59 USD in one region, and 7 USD in the other.
    assert_eq!(of("000000000106"), "1130.000000");
    assert_eq!(of("000000000112"), "500.000000");
    assert_eq!(told["saved"]["sum"]["saved_usd"], "1590.000000");
}
