//! A dashboard over a store of written rows, asked request by request: no socket, no browser.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use spothub_core::brake::{Brake, BrakeScope, FORMAT};
use spothub_core::id::{AccountId, GroupKey, Site};
use spothub_core::port::{Clock, Expect, Put, Store};
use spothub_core::reason::HoldReason;
use spothub_core::record::{GroupRecord, HoldRow};
use spothub_core::time::Timestamp;
use spothub_dashboard::{Access, Desk, Sessions, Shared, answer, may_listen};
use spothub_store::Sqlite;

/// A clock that stands still until it is told.
pub(crate) struct Still(pub(crate) Mutex<Timestamp>);

#[async_trait::async_trait]
impl Clock for Still {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    async fn sleep_until(&self, _: Timestamp) {
        std::future::pending::<()>().await;
    }
}

pub(crate) const TOKENS: [&str; 3] = [
    "operator-operator-operator-operator",
    "watching-watching-watching-watching",
    "only-mine-only-mine-only-mine-only",
];
pub(crate) const HOST: &str = "127.0.0.1:8417";

pub(crate) fn access() -> Access {
    let digest = |token: &str| Sha256::digest(token).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let lines = [
        format!("oper operator {}", digest(TOKENS[0])),
        format!("watch org-viewer {}", digest(TOKENS[1])),
        format!("mine account-viewer {} 000000000001", digest(TOKENS[2])),
    ];
    Access::parse(&lines.join("\n")).unwrap()
}

pub(crate) fn group(account: u64, name: &str) -> GroupKey {
    let account: AccountId = format!("{account:012}").parse().unwrap();
    GroupKey { site: Site { account, region: "eu-west-1".parse().unwrap() }, name: name.parse().unwrap() }
}

/// A record with one hold.
pub(crate) fn held(group: &GroupKey) -> Put {
    let mut record = GroupRecord::new(group.clone());
    record.holds.push(HoldRow { instance: None, reason: HoldReason::NotEnabled, since: Timestamp(0), count: 1 });
    let value = serde_json::to_vec(&record).unwrap();
    Put { key: format!("group/{group}"), value: Some(value), expect: Expect::Anything, fence: 1 }
}

pub(crate) fn used() -> Put {
    Put { key: "hub/born".to_owned(), value: Some(b"1".to_vec()), expect: Expect::Anything, fence: 1 }
}

pub(crate) fn paused(scope: BrakeScope) -> Put {
    let (why, by) = ("a freeze".to_owned(), "ops".to_owned());
    let brake = Brake { format: FORMAT, scope, why, by, at: Timestamp(0), revert: false };
    let value = serde_json::to_vec(&brake).unwrap();
    Put { key: brake.scope.key(), value: Some(value), expect: Expect::Anything, fence: 1 }
}

pub(crate) struct Asked {
    pub(crate) desk: Desk,
    pub(crate) store: Arc<Sqlite>,
    pub(crate) clock: Arc<Still>,
}

/// A dashboard over two accounts with a group each.
pub(crate) async fn asked(access: Option<Access>) -> Asked {
    let store = Arc::new(Sqlite::memory().unwrap());
    let puts = [used(), held(&group(1, "web")), held(&group(2, "secret"))];
    store.write(&puts).await.unwrap();
    store.write(&[paused(BrakeScope::Group(group(2, "secret")))]).await.unwrap();
    let clock = Arc::new(Still(Mutex::new(Timestamp(1_800_000_000_000))));
    let hosts = may_listen(HOST.parse().unwrap(), &[], access.as_ref()).unwrap();
    let count = AtomicU8::new(0);
    let desk = Desk {
        shared: Shared::new(Arc::clone(&store) as Arc<dyn Store>, Arc::clone(&clock) as Arc<dyn Clock>),
        access,
        hosts,
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        chance: Box::new(move || Some([count.fetch_add(1, Ordering::SeqCst); 32])),
        sessions: Mutex::new(Sessions::default()),
    };
    Asked { desk, store, clock }
}

impl Asked {
    pub(crate) async fn ask(&self, line: &str, headers: &[(&str, &str)], body: &str) -> (StatusCode, HeaderMap, Value) {
        let (method, path) = line.split_once(' ').unwrap();
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = answer(&self.desk, request.body(Body::from(body.to_owned())).unwrap()).await;
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 64 << 20).await.unwrap();
        (parts.status, parts.headers, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    /// Signs in; the cookie and the CSRF token.
    pub(crate) async fn sign_in(&self, token: &str) -> (String, String) {
        let headers = [("host", HOST), ("origin", "http://127.0.0.1:8417"), ("content-type", "application/json")];
        let (status, headers, _) = self.ask("POST /api/login", &headers, &format!(r#"{{"token":"{token}"}}"#)).await;
        assert_eq!(status, StatusCode::OK);
        let cookie = headers["set-cookie"].to_str().unwrap().to_owned();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
        let cookie = cookie.split(';').next().unwrap().to_owned();
        let (_, _, me) = self.ask("GET /api/me", &[("host", HOST), ("cookie", &cookie)], "").await;
        (cookie, me["csrf"].as_str().unwrap_or("").to_owned())
    }
}

impl Asked {
    pub(crate) fn clock_now(&self) -> Timestamp {
        *self.clock.0.lock().unwrap()
    }
}

/// A dashboard over the rows that a simulated run left, and some booked days.
pub(crate) async fn recorded() -> Asked {
    let asked = asked(None).await;
    let rows = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/it/rows/format-1.jsonl")).unwrap();
    for line in rows.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let key = row["key"].as_str().unwrap().to_owned();
        let value = Some(serde_json::to_vec(&row["value"]).unwrap());
        asked.store.write(&[Put { key, value, expect: Expect::Anything, fence: 1 }]).await.unwrap();
    }
    let now = Timestamp(1_767_225_800_000);
    for back in 0..20_i64 {
        let day = spothub_usage::book::day_of(Timestamp(now.0 - back * 86_400_000));
        for (account, region, unit, saved) in [
            ("000000000106", "eu-west-1", "/prod/web", 40 + back),
            ("000000000106", "us-east-1", "/prod/web", 7),
            ("000000000112", "eu-west-1", "/prod/batch", 25),
            ("000000000202", "eu-west-1", "/dev", -2),
        ] {
            let unit_of_usd = 3_600_000_000_000_i64;
            let group = json!({
                "region": region, "group": "web", "actual": 10 * unit_of_usd,
                "on_demand": (10 + saved) * unit_of_usd, "on_demand_net": (9 + saved) * unit_of_usd,
                "time": 1, "spot": 1,
            });
            let value = json!({
                "format": 1, "day": day, "account": account, "region": region, "unit": unit, "pages": 1,
                "groups": [group],
            });
            let site = Site { account: account.parse().unwrap(), region: region.parse().unwrap() };
            let key = spothub_usage::book::day_key(day, &site);
            let value = Some(serde_json::to_vec(&value).unwrap());
            asked.store.write(&[Put { key, value, expect: Expect::Anything, fence: 1 }]).await.unwrap();
        }
    }
    *asked.clock.0.lock().unwrap() = now;
    asked
}
