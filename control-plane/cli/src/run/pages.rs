//! Status pages for those who watch the process: alive, ready, metrics. They change nothing but one probe in the store.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use anyhow::Context;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use spothub_core::port::{Clock, Expect, Put, Store};
use spothub_core::time::Span;
use spothub_hub::Engine;
use tokio::net::TcpListener;

use super::metrics::Metrics;

/// OpenMetrics' own type: Prometheus asks for it.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What the pages are made from.
pub(super) struct Pages {
    /// Not there while the process prepares.
    pub(super) engine: OnceLock<Arc<Engine>>,
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: Arc<Metrics>,
    /// Between the starts of two sweeps.
    pub(super) sweep: Span,
}

/// The probe's key in the store: one for all workers and starts, so that the row is written over and over. Nobody
/// reads it, all write the same under the same fence, and none expects anything: each write goes through.
const PROBE: &str = "probe";

/// Serves the pages until the process ends.
pub(super) async fn serve(pages: Arc<Pages>, listen: SocketAddr) -> anyhow::Result<()> {
    let listener = TcpListener::bind(listen).await.with_context(|| {
        format!("cannot listen on {listen}: give another address with --listen, or --listen off to have no pages")
    })?;
    let address = listener.local_addr().context("a listener without an address")?;
    tracing::info!(%address, "status pages are served");
    let router = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(pages);
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "status pages are no longer served");
        }
    });
    Ok(())
}

async fn ready(State(pages): State<Arc<Pages>>) -> (StatusCode, Json<Value>) {
    let store = pages.probe().await;
    let (directory, sweep) = match pages.engine.get() {
        None => (Err("not begun"), Err("not begun")),
        Some(engine) => {
            let state = engine.state();
            let limit = pages.sweep.times(2) + Span::mins(1);
            let recent = state.sweep_began.is_some_and(|at| pages.clock.now().since(at) <= limit);
            let directory = if state.accounts > 0 { Ok(()) } else { Err("not read") };
            (directory, if recent { Ok(()) } else { Err("not begun in time") })
        }
    };
    let checks = [("directory", directory), ("store", store), ("sweep", sweep)];
    let all = checks.iter().all(|(_, check)| check.is_ok());
    let told = checks.map(|(name, check)| (name.to_owned(), json!(check.err().unwrap_or("ok"))));
    let status = if all { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Value::Object([("ready".to_owned(), json!(all))].into_iter().chain(told).collect())))
}

async fn metrics(State(pages): State<Arc<Pages>>) -> Response {
    if let Some(engine) = pages.engine.get() {
        pages.metrics.set(&engine.state(), pages.clock.now());
    }
    match pages.metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

impl Pages {
    /// Whether the store takes a write.
    async fn probe(&self) -> Result<(), &'static str> {
        let put = Put { key: PROBE.to_owned(), value: Some(b"1".to_vec()), expect: Expect::Anything, fence: 1 };
        self.store.write(&[put]).await.map(|_| ()).map_err(|_| "not writable")
    }
}

#[cfg(test)]
mod tests {
    use spothub_store::Sqlite;

    use super::*;
    use crate::clock::WallClock;

    #[tokio::test]
    async fn workers_probe_one_row() {
        let store: Arc<dyn Store> = Arc::new(Sqlite::memory().unwrap());
        let worker = || Pages {
            engine: OnceLock::new(),
            store: Arc::clone(&store),
            clock: Arc::new(WallClock::default()),
            metrics: Arc::new(Metrics::new()),
            sweep: Span::mins(10),
        };
        for pages in [worker(), worker()] {
            assert_eq!((pages.probe().await, pages.probe().await), (Ok(()), Ok(())));
        }
        let rows = store.query("", None, 10).await.unwrap().items;
        assert_eq!(rows.iter().map(|row| (row.key.as_str(), row.version)).collect::<Vec<_>>(), [(PROBE, 4)]);
    }
}
