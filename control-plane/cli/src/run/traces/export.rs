//! How spans leave: a bounded queue, batches, and a collector that may be away without anybody waiting for it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use opentelemetry::KeyValue;
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_otlp::{Protocol, RetryPolicy, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use spothub_core::port::Clock;
use spothub_core::time::Span;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::config::Collector;
use crate::run::metrics::{Metrics, Spans};

/// Spans that wait: those of some 400 swaps that end at once, about 8 MiB. What comes beyond is lost.
const QUEUE_MAX: usize = 8192;
/// Spans in one request, as OpenTelemetry's own batches: some 200 KiB.
const BATCH_MAX: usize = 512;
/// After the first span of a batch, for those that follow it.
const GATHER: Span = Span::secs(2);
/// One request: a collector beside the process answers in milliseconds, one in another region in half a second.
const EXPORT_MAX: Duration = Duration::from_secs(5);
/// For what is left at the end: the engine takes up to 28 s to stop, and platforms kill what takes 30.
const FLUSH_MAX: Span = Span::millis(1500);

/// Who sends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Maker<'a> {
    /// The worker's name.
    pub(crate) worker: &'a str,
    /// The hub's.
    pub(crate) hub: &'a str,
}

/// Where spans are put.
pub(super) struct Queue {
    spans: mpsc::Sender<SpanData>,
    metrics: Arc<Metrics>,
}

impl Queue {
    /// Puts one; never waits.
    pub(super) fn put(&self, span: SpanData) {
        if self.spans.try_send(span).is_err() {
            self.metrics.spans(Spans::Lost, 1);
        }
    }
}

/// What takes them away.
pub(crate) struct Export {
    task: JoinHandle<()>,
    close: watch::Sender<bool>,
    clock: Arc<dyn Clock>,
}

/// Begins to take spans away.
pub(super) fn start(
    collector: &Collector,
    maker: &Maker<'_>,
    metrics: &Arc<Metrics>,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<(Queue, Export)> {
    let mut exporter = exporter(collector)?;
    exporter.set_resource(
        &Resource::builder_empty()
            .with_service_name("spothub")
            .with_attributes([
                KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
                KeyValue::new("service.namespace", maker.hub.to_owned()),
                KeyValue::new("service.instance.id", maker.worker.to_owned()),
            ])
            .build(),
    );
    let (spans, queued) = mpsc::channel(QUEUE_MAX);
    let (close, closing) = watch::channel(false);
    let link = Link { exporter, metrics: Arc::clone(metrics), down: None };
    let task = tokio::spawn(work(queued, link, closing, Arc::clone(clock)));
    Ok((Queue { spans, metrics: Arc::clone(metrics) }, Export { task, close, clock: Arc::clone(clock) }))
}

fn exporter(collector: &Collector) -> anyhow::Result<SpanExporter> {
    let builder = SpanExporter::builder()
        .with_http()
        .with_endpoint(collector.url())
        .with_protocol(Protocol::HttpBinary)
        .with_timeout(EXPORT_MAX)
        // The next batch is the repeat; waiting for this one would fill the queue.
        .with_retry_policy(RetryPolicy::disabled());
    let builder = if collector.encrypted() {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(provider)
            .context("traces.otlp: the machine has no certificates to check the collector by")?
            .https_only()
            .enable_http1()
            .build();
        builder.with_http_client(HyperClient::new(connector, EXPORT_MAX, None))
    } else {
        builder.with_http_client(HyperClient::with_default_connector(EXPORT_MAX, None))
    };
    builder.build().context("traces.otlp: check the variables OTEL_EXPORTER_OTLP_*")
}

impl Export {
    /// Sends what is left, for a little while.
    pub(crate) async fn finish(self) {
        self.close.send_replace(true);
        let mut task = self.task;
        tokio::select! {
            biased;
            _ = &mut task => {}
            () = self.clock.sleep_until(self.clock.now() + FLUSH_MAX) => {
                tracing::warn!("the collector of traces was too slow for the last spans");
                task.abort();
            }
        }
    }
}

async fn closed(closing: &mut watch::Receiver<bool>) {
    // Whoever would tell is gone only with the program.
    let _ = closing.wait_for(|close| *close).await;
}

async fn work(
    mut queue: mpsc::Receiver<SpanData>,
    mut link: Link,
    mut closing: watch::Receiver<bool>,
    clock: Arc<dyn Clock>,
) {
    let mut open = true;
    loop {
        let mut batch = Vec::new();
        tokio::select! {
            biased;
            () = closed(&mut closing), if open => {
                open = false;
                queue.close();
                continue;
            }
            found = queue.recv_many(&mut batch, BATCH_MAX) => if found == 0 { return },
        }
        if open && batch.len() < BATCH_MAX {
            tokio::select! {
                biased;
                () = closed(&mut closing) => {}
                () = clock.sleep_until(clock.now() + GATHER) => {}
            }
            let room = BATCH_MAX - batch.len();
            batch.extend(std::iter::from_fn(|| queue.try_recv().ok()).take(room));
        }
        link.send(batch).await;
    }
}

/// The way to the collector.
struct Link {
    exporter: SpanExporter,
    metrics: Arc<Metrics>,
    /// Spans lost since the collector was last heard of, while it is not.
    down: Option<u64>,
}

impl Link {
    async fn send(&mut self, batch: Vec<SpanData>) {
        let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        match (self.exporter.export(batch).await, self.down) {
            (Ok(()), before) => {
                self.metrics.spans(Spans::Exported, count);
                if let Some(lost) = before {
                    tracing::info!(lost, "the collector takes spans again");
                    self.down = None;
                }
            }
            (Err(error), before) => {
                self.metrics.spans(Spans::Lost, count);
                if before.is_none() {
                    tracing::warn!(%error, "spans are lost until the collector of traces takes them: see traces.otlp");
                }
                self.down = Some(before.unwrap_or(0) + count);
            }
        }
    }
}
