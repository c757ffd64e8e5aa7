//! From what is told to spans: names, ids, times and attributes.
//!
//! Ids come from the swap's id and its stored steps alone, so that every worker, and each after a restart, adds to the
//! same trace. Knows no queue and no network. Attributes are ids, group names and words from closed lists.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use spothub_aws::{Called, Outcome};
use spothub_core::id::{GroupKey, Site, SwapId};
use spothub_core::port::Note;
use spothub_core::record::Step;
use spothub_core::time::Timestamp;

/// The first half of a swap's trace id, `spothubs` in ASCII; the second is the 16 digits of its id.
const SWAPS: &str = "73706f7468756273";
/// The same for a rescue: `spothubr`.
const RESCUES: &str = "73706f7468756272";

/// The trace of a swap or rescue.
fn trace_of(swap: &SwapId) -> TraceId {
    let first = if swap.is_rescue() { RESCUES } else { SWAPS };
    let digits = swap.as_str().get(3..).unwrap_or_default();
    TraceId::from_hex(&format!("{first}{digits}")).unwrap_or(TraceId::INVALID)
}

/// The span of the swap itself.
fn root_of(swap: &SwapId) -> SpanId {
    id_of(&[swap.as_str()])
}

/// The span of one of its steps: a stage may be entered twice, but not at the same time.
fn step_of(swap: &SwapId, step: Step) -> SpanId {
    id_of(&[swap.as_str(), step.stage, &step.entered_at.0.to_string()])
}

/// FNV-1a over the parts, which never changes from one version to the next; zero would be no id.
fn id_of(parts: &[&str]) -> SpanId {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for part in parts {
        for byte in part.bytes().chain([0]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    SpanId::from(hash.max(1))
}

/// A span whose status is still open.
struct Draft {
    trace: TraceId,
    id: SpanId,
    parent: SpanId,
    kind: SpanKind,
    name: &'static str,
    from: Timestamp,
    to: Timestamp,
}

impl Draft {
    /// As it is sent; `wrong` says that and why it did not end well.
    fn done(self, attributes: Vec<KeyValue>, wrong: Option<&'static str>) -> SpanData {
        let context = SpanContext::new(self.trace, self.id, TraceFlags::SAMPLED, false, TraceState::default());
        SpanData {
            span_context: context,
            parent_span_id: self.parent,
            // Whoever tells of the parent may be another worker.
            parent_span_is_remote: self.parent != SpanId::INVALID,
            span_kind: self.kind,
            name: self.name.into(),
            start_time: time(self.from.min(self.to)),
            end_time: time(self.to),
            attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: wrong.map_or(Status::Unset, Status::error),
            instrumentation_scope: InstrumentationScope::builder("spothub")
                .with_version(env!("CARGO_PKG_VERSION"))
                .build(),
        }
    }
}

fn time(at: Timestamp) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(at.0).unwrap_or(0))
}

fn place(site: &Site) -> Vec<KeyValue> {
    vec![KeyValue::new("account", site.account.to_string()), KeyValue::new("region", site.region.to_string())]
}

fn of_swap(swap: &SwapId, group: &GroupKey) -> Vec<KeyValue> {
    let mut attributes = place(&group.site);
    attributes.push(KeyValue::new("group", group.name.to_string()));
    attributes.push(KeyValue::new("swap", swap.to_string()));
    attributes
}

/// The spans that are over with this note: the step that was left, and the swap where it has ended.
pub(super) fn of_note(now: Timestamp, note: &Note<'_>) -> Vec<SpanData> {
    let Note::Swap { swap, group, state, old, new, why, began, left: Some(left) } = note else { return Vec::new() };
    let (trace, root) = (trace_of(swap), root_of(swap));
    let mut attributes = of_swap(swap, group);
    attributes.push(KeyValue::new("old", old.to_string()));
    attributes.extend(new.map(|new| KeyValue::new("new", new.to_string())));
    let step = Draft {
        trace,
        id: step_of(swap, *left),
        parent: root,
        kind: SpanKind::Internal,
        name: left.stage,
        from: left.entered_at,
        to: now,
    };
    let mut spans = vec![step.done([attributes.clone(), vec![KeyValue::new("next", *state)]].concat(), None)];
    if crate::run::notes::LAST.contains(state) {
        let name = if swap.is_rescue() { "rescue" } else { "swap" };
        let root =
            Draft { trace, id: root, parent: SpanId::INVALID, kind: SpanKind::Internal, name, from: *began, to: now };
        attributes.push(KeyValue::new("outcome", *state));
        attributes.extend(why.map(|why| KeyValue::new("why", why)));
        spans.push(root.done(attributes, (*state != "done").then(|| why.unwrap_or(state))));
    }
    spans
}

/// The span of a call that was made in a swap's step, or to end an orphan. Others serve many swaps at once, or none.
pub(super) fn of_call(now: Timestamp, call: &Called<'_>, serial: u64) -> Option<SpanData> {
    let (cause, site) = (call.cause, call.site?);
    let [swap] = cause.swaps else { return None };
    let (parent, mut attributes) = match cause.step {
        Some((group, step)) => (step_of(swap, step), of_swap(swap, group)),
        None if cause.orphan => (root_of(swap), [place(site), vec![KeyValue::new("swap", swap.to_string())]].concat()),
        None => return None,
    };
    attributes.push(KeyValue::new("action", call.action.iam()));
    attributes.push(KeyValue::new("outcome", call.outcome.label()));
    let draft = Draft {
        trace: trace_of(swap),
        id: id_of(&[swap.as_str(), call.action.iam(), &serial.to_string()]),
        parent,
        kind: SpanKind::Client,
        name: call.action.iam(),
        from: call.sent_at.unwrap_or(now),
        to: now,
    };
    Some(draft.done(attributes, (call.outcome != Outcome::Ok).then(|| call.outcome.label())))
}
