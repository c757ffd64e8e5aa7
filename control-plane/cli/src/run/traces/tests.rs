//! Against a collector on loopback: what it is sent, and what happens when it is not there.

use std::net::SocketAddr;
use std::sync::Mutex;

use async_trait::async_trait;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span as Received;
use prost::Message as _;
use spothub_aws::{Action, Outcome};
use spothub_core::id::{GroupKey, InstanceId, Site, SwapId};
use spothub_core::port::Cause;
use spothub_core::record::Step;
use spothub_core::time::Span;
use tokio::net::TcpListener;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use super::*;
use crate::run::notes::Notes;

/// A clock that nobody has to wait for.
#[derive(Default)]
struct Swift(AtomicU64);

#[async_trait]
impl Clock for Swift {
    fn now(&self) -> Timestamp {
        Timestamp(i64::try_from(self.0.load(Ordering::Relaxed)).unwrap())
    }

    async fn sleep_until(&self, until: Timestamp) {
        // Others get their turn first, and the loopback its packets, as they would.
        for _ in 0..20_000 {
            tokio::task::yield_now().await;
        }
        self.0.fetch_max(u64::try_from(until.0).unwrap(), Ordering::Relaxed);
    }
}

/// What a collector was sent, with the header that each request had.
#[derive(Default)]
struct Taken(Mutex<Vec<ExportTraceServiceRequest>>);

/// A collector; it takes what it is sent.
async fn collector() -> (SocketAddr, Arc<Taken>) {
    async fn take(State(taken): State<Arc<Taken>>, body: Bytes) {
        taken.0.lock().unwrap().push(ExportTraceServiceRequest::decode(body).unwrap());
    }
    let taken = Arc::new(Taken::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/v1/traces", post(take)).with_state(Arc::clone(&taken));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (address, taken)
}

impl Taken {
    /// All spans, by when they began and then the longest.
    fn spans(&self) -> Vec<Received> {
        let requests = self.0.lock().unwrap();
        let scopes = requests.iter().flat_map(|r| &r.resource_spans).flat_map(|r| &r.scope_spans);
        let mut spans: Vec<Received> = scopes.flat_map(|s| s.spans.clone()).collect();
        spans.sort_by_key(|s| (s.start_time_unix_nano, u64::MAX - s.end_time_unix_nano));
        spans
    }
}

fn text(value: Option<&Value>) -> &str {
    match value {
        Some(Value::StringValue(text)) => text,
        _ => panic!("{value:?} is no text"),
    }
}

fn attribute<'a>(span: &'a Received, key: &str) -> Option<&'a str> {
    let found = span.attributes.iter().find(|a| a.key == key)?;
    Some(text(found.value.as_ref().and_then(|v| v.value.as_ref())))
}

/// A worker that traces to there.
fn worker(address: SocketAddr, seed: u64) -> (Started, Arc<Metrics>) {
    let metrics = Arc::new(Metrics::new());
    let notes = Arc::new(Notes::new(Arc::clone(&metrics)));
    let collector = format!("http://{address}").parse().unwrap();
    let maker = Maker { worker: &format!("hub-1-{seed}"), hub: "hub-1" };
    let clock: Arc<dyn Clock> = Arc::new(Swift::default());
    (Traces::start(&collector, &maker, notes, Arc::clone(&metrics), clock, seed).unwrap(), metrics)
}

fn group() -> GroupKey {
    let site = Site { account: "000000000042".parse().unwrap(), region: "eu-west-1".parse().unwrap() };
    GroupKey { site, name: "web servers/a".parse().unwrap() }
}

/// A state that a swap reached from a step, at a second.
fn reached(traces: &Traces, swap: &SwapId, from: Option<(&'static str, i64)>, state: &'static str, at: i64) {
    let (group, old, new) = (group(), InstanceId::from_number(1), InstanceId::from_number(2));
    let second = |n| Timestamp(0) + Span::secs(n);
    let why = (state == "undone").then_some("too-slow");
    let left = from.map(|(stage, at)| Step { stage, entered_at: second(at) });
    let note = Note::Swap { swap, group: &group, state, old: &old, new: Some(&new), why, began: second(10), left };
    traces.note(second(at), &note);
}

fn called(traces: &Traces, action: Action, cause: Cause<'_>, outcome: Outcome, at: i64) {
    let sent_at = Some(Timestamp(0) + Span::secs(at));
    traces.clock_to(at);
    traces.called(&Called { site: Some(&group().site), action, outcome, cause, sent_at });
}

impl Traces {
    /// Sets the clock of a test.
    fn clock_to(&self, second: i64) {
        let sleep = self.clock.sleep_until(Timestamp(0) + Span::secs(second) + Span::millis(250));
        let mut sleep = std::pin::pin!(sleep);
        let waker = std::task::Waker::noop();
        while sleep.as_mut().poll(&mut std::task::Context::from_waker(waker)).is_pending() {}
    }
}

#[tokio::test]
async fn a_swap_is_one_trace_whoever_worked_on_it() {
    let (address, taken) = collector().await;
    let (first, _) = worker(address, 1);
    let swap = SwapId::from_number(0xabcd, false);
    let (ids, group) = ([swap.clone()], group());
    let during = |stage, at| Cause {
        swaps: &ids,
        step: Some((&group, Step { stage, entered_at: Timestamp(0) + Span::secs(at) })),
        ..Cause::default()
    };
    reached(&first.traces, &swap, None, "launch", 10);
    called(&first.traces, Action::RunInstances, during("launch", 10), Outcome::Throttled, 11);
    called(&first.traces, Action::RunInstances, during("launch", 10), Outcome::Ok, 11);
    called(&first.traces, Action::DescribeInstanceStatus, Cause { poll: true, ..Cause::default() }, Outcome::Ok, 12);
    reached(&first.traces, &swap, Some(("launch", 10)), "boot", 20);
    called(&first.traces, Action::DescribeAutoScalingGroups, during("boot", 20), Outcome::Ok, 21);
    first.export.finish().await;
    // It is stopped in the middle of a step, and another goes on from the record.
    let (second, metrics) = worker(address, 2);
    called(&second.traces, Action::AttachInstances, during("boot", 20), Outcome::Ok, 30);
    reached(&second.traces, &swap, Some(("boot", 20)), "restore", 40);
    reached(&second.traces, &swap, Some(("restore", 40)), "undone", 50);
    let both = [swap.clone(), SwapId::from_number(9, false)];
    called(&second.traces, Action::DescribeInstances, Cause { swaps: &both, ..Cause::default() }, Outcome::Ok, 60);
    let orphan = Cause { swaps: &ids, orphan: true, ..Cause::default() };
    called(&second.traces, Action::TerminateInstances, orphan, Outcome::Denied, 70);
    second.export.finish().await;
    assert_eq!(metrics.spans_ended(), (5, 0));

    let spans = taken.spans();
    let names: Vec<&str> = spans.iter().map(|s| s.name.as_str()).collect();
    let (run, groups) = ("ec2:RunInstances", "autoscaling:DescribeAutoScalingGroups");
    let (attach, end) = ("autoscaling:AttachInstances", "ec2:TerminateInstances");
    assert_eq!(names, ["swap", "launch", run, run, "boot", groups, attach, "restore", end]);
    let root = &spans[0];
    for span in &spans {
        // `spothubs`, and the digits of the swap's id.
        assert_eq!(span.trace_id, [&b"spothubs"[..], &0xabcd_u64.to_be_bytes()].concat());
        for (key, value) in [("account", "000000000042"), ("region", "eu-west-1"), ("swap", "sw-000000000000abcd")] {
            assert_eq!(attribute(span, key), Some(value), "{}", span.name);
        }
        assert_eq!(attribute(span, "group").is_none(), span.name == end, "{}", span.name);
        assert!(span.start_time_unix_nano <= span.end_time_unix_nano);
    }
    assert!(root.parent_span_id.is_empty() && attribute(root, "group") == Some("web servers/a"));
    for (child, parent) in [(1, 0), (2, 1), (3, 1), (4, 0), (5, 4), (6, 4), (7, 0), (8, 0)] {
        assert_eq!(spans[child].parent_span_id, spans[parent].span_id, "{}", spans[child].name);
    }
    let mut ids: Vec<&[u8]> = spans.iter().map(|s| s.span_id.as_slice()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), spans.len(), "each span has its own id");
    assert_eq!((attribute(root, "outcome"), attribute(root, "why")), (Some("undone"), Some("too-slow")));
    let status = |n: usize| spans[n].status.as_ref().map_or("", |s| s.message.as_str());
    let outcomes = (attribute(&spans[2], "outcome"), attribute(&spans[3], "outcome"));
    assert!(outcomes == (Some("throttled"), Some("ok")) || outcomes == (Some("ok"), Some("throttled")));
    assert_eq!((status(0), status(1), status(8)), ("too-slow", "", "denied"));
    assert_eq!(
        (attribute(&spans[4], "old"), attribute(&spans[4], "next")),
        (Some("i-00000000000000001"), Some("restore"))
    );
    let seconds = |span: &Received| (span.start_time_unix_nano / 1_000_000, span.end_time_unix_nano / 1_000_000);
    assert_eq!((seconds(root), seconds(&spans[5])), ((10_000, 50_000), (21_000, 21_250)));

    let requests = taken.0.lock().unwrap();
    let resource = requests[0].resource_spans[0].resource.as_ref().unwrap();
    let of = |key: &str| resource.attributes.iter().find(|a| a.key == key).and_then(|a| a.value.as_ref());
    for (key, value) in
        [("service.name", "spothub"), ("service.namespace", "hub-1"), ("service.instance.id", "hub-1-1")]
    {
        assert_eq!(text(of(key).and_then(|v| v.value.as_ref())), value);
    }
}

/// Counts warnings.
#[derive(Default)]
struct Warnings(Arc<AtomicU64>);

impl<S: tracing::Subscriber> Layer<S> for Warnings {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if *event.metadata().level() <= tracing::Level::WARN {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[tokio::test]
async fn a_collector_that_is_away_costs_spans_and_one_warning() {
    let warnings = Warnings::default();
    let count = Arc::clone(&warnings.0);
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(warnings));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let (started, metrics) = worker(address, 1);
    let swap = SwapId::from_number(1, true);
    for round in 1..=3 {
        for n in 0..600 {
            reached(&started.traces, &swap, Some(("boot", n)), "attach", n + 1);
        }
        while metrics.spans_ended() != (0, round * 600) {
            tokio::task::yield_now().await;
        }
    }
    started.export.finish().await;
    assert_eq!(count.load(Ordering::Relaxed), 1, "it is told once, not for every batch");
}

#[tokio::test]
async fn a_collector_that_does_not_answer_holds_up_nobody() {
    // It is connected to, and never reads.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (started, metrics) = worker(listener.local_addr().unwrap(), 1);
    let swap = SwapId::from_number(1, false);
    for n in 0..10_000 {
        reached(&started.traces, &swap, Some(("boot", n)), "attach", n + 1);
    }
    assert_eq!(metrics.spans_ended(), (0, 10_000 - 8192), "a full queue is no reason to wait");
    // With this clock the time to flush is over as soon as others had their turn; the request itself has 5 s.
    started.export.finish().await;
    assert_eq!(metrics.spans_ended().0, 0);
    assert!(metrics.text().unwrap().contains("spothub_traced_spans_total{end=\"lost\"} 1808"));
}
