//! What a collector of traces is sent of a swap that lives over a restart; and that nothing is sent unasked.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value::StringValue;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use serde_json::json;
use tokio::net::TcpListener;

use super::{Journey, changing};
use crate::emulator::run;
use crate::organization::{ENABLED, accounts};
use crate::program::QUICK;

/// The bodies that a collector was sent.
type Taken = Arc<Mutex<Vec<Bytes>>>;

fn collector() -> (SocketAddr, Taken) {
    async fn take(State(taken): State<Taken>, body: Bytes) {
        taken.lock().unwrap().push(body);
    }
    let taken = Taken::default();
    let router = Router::new().route("/v1/traces", post(take)).with_state(Arc::clone(&taken));
    let address = run(async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    });
    (address, taken)
}

fn attribute<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    let value = attributes.iter().find(|row| row.key == key)?.value.as_ref()?;
    match value.value.as_ref()? {
        StringValue(text) => Some(text),
        other => panic!("{key} is {other:?}"),
    }
}

#[test]
fn a_swap_is_one_trace_over_a_restart() {
    let group = json!({"name": "web", "desired": 2, "max": 4, "tags": {ENABLED: "true"}});
    let journey = Journey::over(json!({"regions": ["us-east-1"], "accounts": [{"name": "shop", "groups": [group]}]}));
    let account = *accounts(&journey.told, &["shop"]).first().unwrap();
    let (address, taken) = collector();

    // Off: one of the two is swapped, and the collector hears nothing.
    let ran = journey.program(&format!("{QUICK}  floor: {{number: 1}}\n")).once(&[]);
    assert_eq!((ran.code, &ran.json()["swaps"]), (Some(0), &json!({"done": 1})), "{}", ran.err);
    assert!(taken.lock().unwrap().is_empty());

    // On: the other, with a stop and a new start while it boots.
    journey.post("/timings", json!({"pending": 4}));
    let after = journey.cursor();
    let (program, url) = (journey.program(QUICK), format!("http://{address}"));
    let mut running = program.start(&["--traces-otlp", &url]);
    let line = running.line("a newcomer boots", |line| line["state"] == "boot");
    running.signal("TERM");
    assert_eq!(running.end(), Some(0));
    let ran = program.once(&["--traces-otlp", &url]);
    assert_eq!((ran.code, &ran.json()["swaps"]), (Some(0), &json!({"done": 1})), "{}", ran.err);

    let bodies = taken.lock().unwrap().clone();
    let requests: Vec<_> = bodies.iter().map(|b| ExportTraceServiceRequest::decode(b.clone()).unwrap()).collect();
    let of_workers: Vec<_> = requests.iter().flat_map(|request| &request.resource_spans).collect();
    let worker = |attributes| attribute(attributes, "service.instance.id").unwrap().to_owned();
    let workers: BTreeSet<String> =
        of_workers.iter().map(|spans| worker(&spans.resource.as_ref().unwrap().attributes)).collect();
    assert_eq!(workers.len(), 2, "{workers:?}");
    let spans: Vec<&Span> = of_workers.iter().flat_map(|w| &w.scope_spans).flat_map(|s| &s.spans).collect();

    let swap = line["swap"].as_str().unwrap();
    let number = u64::from_str_radix(swap.trim_start_matches("sw-"), 16).unwrap();
    let trace = [&b"spothubs"[..], &number.to_be_bytes()].concat();
    assert!(spans.iter().all(|span| span.trace_id == trace && attribute(&span.attributes, "swap") == Some(swap)));
    let root: Vec<&&Span> = spans.iter().filter(|span| span.parent_span_id.is_empty()).collect();
    let [root] = root[..] else { panic!("{} roots", root.len()) };
    assert_eq!((root.name.as_str(), attribute(&root.attributes, "outcome")), ("swap", Some("done")));
    assert_eq!(attribute(&root.attributes, "account"), Some(account.to_string().as_str()));

    let steps: Vec<&&Span> = spans.iter().filter(|span| span.parent_span_id == root.span_id).collect();
    let mut names: Vec<(u64, &str)> = steps.iter().map(|s| (s.start_time_unix_nano, s.name.as_str())).collect();
    names.sort_unstable();
    let names: Vec<&str> = names.into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["launch", "boot", "attach", "settle", "retire", "restore"]);
    let calls: Vec<&&Span> = spans.iter().filter(|span| attribute(&span.attributes, "action").is_some()).collect();
    assert_eq!(calls.len() + steps.len() + 1, spans.len());
    for call in &calls {
        assert!(steps.iter().any(|step| step.span_id == call.parent_span_id), "{} is in no step", call.name);
    }
    let told: BTreeSet<&str> = calls.iter().map(|call| call.name.rsplit(':').next().unwrap()).collect();
    for call in changing(&journey.calls_in(account, after)) {
        assert!(told.contains(call["action"].as_str().unwrap()), "no span of {call}");
    }

    // Nothing that is to be kept.
    let keys = &journey.told["hub"]["keys"];
    for secret in [&keys["SecretAccessKey"], &keys["SessionToken"], &journey.told["external_id"]] {
        let secret = secret.as_str().unwrap().as_bytes();
        assert!(bodies.iter().all(|body| !body.windows(secret.len()).any(|part| part == secret)));
    }
}
