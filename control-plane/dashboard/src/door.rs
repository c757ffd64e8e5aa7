//! The one door of every request: Host, then who asks, then what; and the same headers on whatever goes out.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use spothub_core::brake::{self, Brake, BrakeScope};
use spothub_core::port::Clock;

use crate::access::{Access, Role, Sight};
use crate::gate::{Hosts, needs_tls, same_origin};
use crate::session::{Session, Sessions};
use crate::snapshot::Shared;
use crate::view::{self, Query};

/// Bytes of a request's body: a token, or a scope with its reason.
const BODY_MAX: usize = 4096;
/// Bytes of a query: a name that is looked for.
const QUERY_MAX: usize = 1024;
/// Characters of a reason, as on the command line.
const WHY_MAX: usize = 500;
/// Nothing from elsewhere, nothing inline, no markup made of texts, no frames, no forms.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types";
const COOKIE: &str = "spothub-session";
const HTML: &str = include_str!("page/page.html");
const SCRIPT: &str = include_str!("page/page.js");
const STYLE: &str = include_str!("page/page.css");

/// What requests are answered from.
pub struct Desk {
    /// The store as all pages share it.
    pub shared: Shared,
    /// Who may sign in; `None`: on loopback, everybody may look, and nobody may change anything.
    pub access: Option<Access>,
    /// By which names it is called.
    pub hosts: Hosts,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Fresh random bytes; `None` where the system has none, and then nobody signs in.
    pub chance: Box<dyn Fn() -> Option<[u8; 32]> + Send + Sync>,
    /// Who is signed in.
    pub sessions: Mutex<Sessions>,
}

type Answer = Result<Response, (StatusCode, String)>;

/// Answers a request.
pub async fn answer(desk: &Desk, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let mut response = match route(desk, &parts, body).await {
        Ok(response) => response,
        Err((status, why)) => (status, json_body(&json!({"error": why}))).into_response(),
    };
    let headers = response.headers_mut();
    let fixed: [(HeaderName, &str); 8] = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn route(desk: &Desk, parts: &Parts, body: Body) -> Answer {
    if parts.uri.path() == "/healthz" && parts.method == Method::GET {
        // A load balancer calls by address; this tells nothing of the hub.
        return Ok("ok\n".into_response());
    }
    let host = only(&parts.headers, header::HOST.as_str()).filter(|host| desk.hosts.admits(host));
    let host = host.ok_or_else(|| refuse(StatusCode::MISDIRECTED_REQUEST, "this is no name of the dashboard"))?;
    let typed = |kind: &'static str, text: &'static str| Ok(([(header::CONTENT_TYPE, kind)], text).into_response());
    match (&parts.method, parts.uri.path()) {
        (&Method::GET, "/") => typed("text/html; charset=utf-8", HTML),
        (&Method::GET, "/page.js") => typed("text/javascript; charset=utf-8", SCRIPT),
        (&Method::GET, "/page.css") => typed("text/css; charset=utf-8", STYLE),
        (&Method::GET, "/api/me") => me(desk, parts),
        (&Method::GET, "/api/overview") => overview(desk, parts).await,
        (&Method::GET, "/api/groups") => groups(desk, parts).await,
        (&Method::POST, path) => {
            let origin = only(&parts.headers, header::ORIGIN.as_str());
            let site = only(&parts.headers, "sec-fetch-site");
            if !same_origin(host, origin, site) {
                return Err(refuse(StatusCode::FORBIDDEN, "only the dashboard's own page may ask for this"));
            }
            if only(&parts.headers, header::CONTENT_TYPE.as_str()) != Some("application/json") {
                return Err(refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "only JSON is read"));
            }
            let body = to_bytes(body, BODY_MAX).await;
            let body = body.map_err(|_| refuse(StatusCode::PAYLOAD_TOO_LARGE, "too long"))?;
            match path {
                "/api/login" => login(desk, host, &body),
                "/api/logout" => Ok(logout(desk, parts)),
                "/api/brake" => set_brake(desk, parts, &body).await,
                _ => Err(refuse(StatusCode::NOT_FOUND, "not here")),
            }
        }
        _ => Err(refuse(StatusCode::NOT_FOUND, "not here")),
    }
}

fn refuse(status: StatusCode, why: &str) -> (StatusCode, String) {
    (status, why.to_owned())
}

fn json_body(value: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}

/// A header that is there exactly once.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut all = headers.get_all(name).iter();
    let first = all.next()?.to_str().ok()?;
    all.next().is_none().then_some(first)
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let text = only(headers, header::COOKIE.as_str())?;
    text.split(';').find_map(|one| one.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

impl Desk {
    fn sessions(&self) -> std::sync::MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn session(&self, parts: &Parts) -> Option<Session> {
        let cookie = cookie(&parts.headers)?;
        self.sessions().who(cookie, self.clock.now()).cloned()
    }

    /// What who asks may see.
    fn sight(&self, parts: &Parts) -> Result<Sight, (StatusCode, String)> {
        if self.access.is_none() {
            return Ok(Sight::All);
        }
        let session = self.session(parts);
        session.map(|one| one.person.role.sight()).ok_or_else(|| refuse(StatusCode::UNAUTHORIZED, "sign in first"))
    }
}

fn me(desk: &Desk, parts: &Parts) -> Answer {
    if desk.access.is_none() {
        let told = json!({"name": null, "role": Role::OrgViewer.label(), "operates": false});
        return Ok(json_body(&told));
    }
    let one = desk.session(parts).ok_or_else(|| refuse(StatusCode::UNAUTHORIZED, "sign in first"))?;
    let role = &one.person.role;
    let csrf = role.operates().then_some(&one.csrf);
    let told = json!({"name": one.person.name, "role": role.label(), "operates": role.operates(), "csrf": csrf});
    Ok(json_body(&told))
}

async fn overview(desk: &Desk, parts: &Parts) -> Answer {
    let sight = desk.sight(parts)?;
    let (snapshot, trouble) = desk.shared.latest().await.map_err(|why| unread(&why))?;
    let body = snapshot.answer(&sight, || view::overview(&snapshot, &sight).to_string());
    let trouble = trouble.map(|_| "true");
    let kind = [(header::CONTENT_TYPE, "application/json")];
    Ok((kind, [("x-stale", trouble.unwrap_or("false"))], Bytes::copy_from_slice(body.as_bytes())).into_response())
}

fn unread(why: &str) -> (StatusCode, String) {
    tracing::warn!(why, "no page can be shown");
    // The text may name tables and roles: it is in the log.
    refuse(StatusCode::SERVICE_UNAVAILABLE, "the store cannot be read; the dashboard's log says why")
}

async fn groups(desk: &Desk, parts: &Parts) -> Answer {
    let sight = desk.sight(parts)?;
    let query = query(parts.uri.query().unwrap_or("")).ok_or_else(|| refuse(StatusCode::BAD_REQUEST, "what?"))?;
    let (snapshot, _) = desk.shared.latest().await.map_err(|why| unread(&why))?;
    Ok(json_body(&view::groups(&snapshot, &sight, &query)))
}

fn query(text: &str) -> Option<Query> {
    let mut query = Query::default();
    if text.len() > QUERY_MAX {
        return None;
    }
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=')?;
        let value = unescaped(value)?;
        match name {
            "account" => query.account = Some(value.parse().ok()?),
            "q" => query.text = value.to_lowercase(),
            "group" => query.group = Some(value),
            _ => return None,
        }
    }
    Some(query)
}

/// What `encodeURIComponent` wrote.
fn unescaped(text: &str) -> Option<String> {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((first, more)) = rest.split_first() {
        rest = more;
        if *first == b'%' {
            let digits = more.get(..2).filter(|two| two.iter().all(u8::is_ascii_hexdigit))?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            rest = &more[2..];
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}

fn login(desk: &Desk, host: &str, body: &[u8]) -> Answer {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Login {
        token: String,
    }
    let Login { token } = serde_json::from_slice(body).map_err(|_| refuse(StatusCode::BAD_REQUEST, "what?"))?;
    let person = desk.access.as_ref().and_then(|access| access.who(&token));
    let Some(person) = person.cloned() else {
        tracing::warn!("somebody came with a token that nobody has");
        return Err(refuse(StatusCode::UNAUTHORIZED, "nobody has this token"));
    };
    let (Some(one), Some(two)) = ((desk.chance)(), (desk.chance)()) else {
        return Err(refuse(StatusCode::SERVICE_UNAVAILABLE, "no random numbers"));
    };
    tracing::info!(name = person.name, role = person.role.label(), "signed in");
    let value = desk.sessions().begin(person, desk.clock.now(), [one, two]);
    let secure = if needs_tls(host) { "; Secure" } else { "" };
    let cookie = format!("{COOKIE}={value}; Path=/; HttpOnly; SameSite=Strict{secure}");
    Ok(([(header::SET_COOKIE, cookie)], json_body(&json!({}))).into_response())
}

fn logout(desk: &Desk, parts: &Parts) -> Response {
    if let Some(cookie) = cookie(&parts.headers) {
        desk.sessions().end(cookie);
    }
    let gone = format!("{COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
    ([(header::SET_COOKIE, gone)], json_body(&json!({}))).into_response()
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Deed {
    Pause,
    Resume,
}

async fn set_brake(desk: &Desk, parts: &Parts, body: &[u8]) -> Answer {
    #[derive(Deserialize)]
    struct Asked {
        deed: Deed,
        #[serde(flatten)]
        scope: BrakeScope,
        why: String,
    }
    let one = desk.session(parts).ok_or_else(|| refuse(StatusCode::UNAUTHORIZED, "sign in first"))?;
    if only(&parts.headers, "x-csrf-token") != Some(one.csrf.as_str()) {
        return Err(refuse(StatusCode::FORBIDDEN, "the page is of another session: load it again"));
    }
    if !one.person.role.operates() {
        return Err(refuse(StatusCode::FORBIDDEN, "only operators pause and resume"));
    }
    let asked = serde_json::from_slice(body).map_err(|_| refuse(StatusCode::BAD_REQUEST, "what is to be paused?"))?;
    let Asked { deed, scope, why } = asked;
    let why = why.trim().to_owned();
    if why.is_empty() || why.chars().count() > WHY_MAX || why.chars().any(char::is_control) {
        return Err(refuse(StatusCode::BAD_REQUEST, "say why, in one line of at most 500 characters"));
    }
    let (store, at, by) = (desk.shared.store(), desk.clock.now(), format!("{} (dashboard)", one.person.name));
    let failed = |error: spothub_core::port::StoreError| {
        tracing::error!(%error, "a brake could not be written");
        refuse(StatusCode::SERVICE_UNAVAILABLE, "the store did not take it; the dashboard's log says why")
    };
    // A hub that nobody used yet begins paused, and to begin is not for a page: that writes more than a brake.
    if spothub_hub::brake::of_a_new_hub(store, at).await.map_err(failed)?.is_some() {
        return Err(refuse(StatusCode::CONFLICT, "nobody has used this hub yet: begin with spothub resume"));
    }
    let told = scope.to_string();
    match deed {
        Deed::Pause => {
            let brake = Brake { format: brake::FORMAT, scope, why: why.clone(), by: by.clone(), at, revert: false };
            spothub_hub::brake::pull(store, &brake).await.map_err(failed)?;
            tracing::info!(scope = told, by, why, "paused");
        }
        Deed::Resume => {
            let was = spothub_hub::brake::release(store, &scope).await.map_err(failed)?;
            tracing::info!(scope = told, by, why, was, "resumed");
        }
    }
    desk.shared.outdate();
    Ok(json_body(&json!({})))
}
