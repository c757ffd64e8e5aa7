//! The picture of the page on interruptions, drawn from a run.

use std::collections::BTreeMap;

use spothub_core::group::Lifecycle;
use spothub_core::id::{InstanceId, SwapId};
use spothub_sim::record::{By, Record, What};
use spothub_sim::scenario::Scenario;
use svg::Document;
use svg::node::element::{Line, Rectangle, Style, Text, Title};

use crate::played::{options, play_tampered};

/// One rescue, in milliseconds from the warning on.
#[derive(Debug, Default)]
struct Rescue {
    old: String,
    new: String,
    launched: i64,
    attached: i64,
    serving: i64,
    retired: i64,
    gone: i64,
}

/// Follows every rescue, and keeps the first of an announced loss whose members never fell short.
fn first_whole(records: &[Record]) -> Option<Rescue> {
    let mut warned = BTreeMap::<&InstanceId, i64>::new();
    let mut kinds = BTreeMap::<&InstanceId, String>::new();
    let mut found = BTreeMap::<&SwapId, (i64, Rescue, &InstanceId, &InstanceId)>::new();
    for record in records {
        let t = record.t;
        match &record.what {
            What::Notice { instance_id, .. } => drop(warned.insert(instance_id, t)),
            What::InstanceStart(start) => {
                let az = start.az_id.as_str();
                kinds.insert(&start.instance_id, format!("{} in {az}", start.kind));
                let (Some(swap), Some(old)) = (&start.swap, &start.replaces) else { continue };
                let Some(at) = warned.get(old).filter(|_| swap.is_rescue() && start.by == By::Spothub) else {
                    continue;
                };
                if start.lifecycle == Lifecycle::Spot && start.os == "Linux" {
                    let new = kinds[&start.instance_id].clone();
                    let rescue = Rescue { old: kinds[old].clone(), new, launched: t - at, ..Rescue::default() };
                    found.insert(swap, (*at, rescue, old, &start.instance_id));
                }
            }
            What::Call(call) => {
                let Some((at, rescue, ..)) = call.swap.as_ref().and_then(|swap| found.get_mut(swap)) else { continue };
                match call.action.as_str() {
                    "autoscaling:AttachInstances" => rescue.attached = t - *at,
                    "autoscaling:TerminateInstanceInAutoScalingGroup" => rescue.retired = t - *at,
                    _ => {}
                }
            }
            What::Membership(line) => {
                if line.target_groups == 0 || line.in_service < line.owner_desired {
                    found.retain(|_, (_, _, old, _)| !line.members.iter().any(|m| m.id == **old));
                }
                for (at, rescue, _, new) in found.values_mut().filter(|(_, rescue, ..)| rescue.serving == 0) {
                    let serves = |m: &spothub_sim::record::MemberLine| m.id == **new && m.state == "InService";
                    if line.members.iter().any(serves) {
                        rescue.serving = t - *at;
                    }
                }
            }
            What::InstanceEnd { instance_id, .. } => {
                let ended = found.iter().find(|(_, (_, rescue, old, _))| *old == instance_id && rescue.retired > 0);
                if let Some(swap) = ended.map(|(swap, _)| *swap) {
                    let (at, rescue, ..) = found.remove(swap)?;
                    return Some(Rescue { gone: t - at, ..rescue });
                }
            }
            What::Price { .. }
            | What::Policy(_)
            | What::Recommendation { .. }
            | What::Container(_)
            | What::Hold { .. }
            | What::EventSent { .. }
            | What::Brake { .. }
            | What::Swap { .. }
            | What::Event { .. }
            | What::End => {}
        }
    }
    None
}

const LEFT: i64 = 40;
/// Pixels for each second.
const SECOND: i64 = 6;
const HEIGHT: i64 = 250;
const NOTICE: i64 = 120_000;

fn x(ms: i64) -> i64 {
    LEFT + ms * SECOND / 1000
}

fn text(at: i64, y: i64, words: String) -> Text {
    Text::new(words).set("x", at).set("y", y)
}

fn bar(class: &str, from: i64, to: i64, y: i64, words: &str) -> Rectangle {
    let bar = Rectangle::new().set("class", class).set("x", x(from)).set("width", x(to) - x(from));
    bar.set("y", y).set("height", 26).add(Title::new(words))
}

fn mark(ms: i64, y: i64) -> Line {
    Line::new().set("x1", x(ms)).set("x2", x(ms)).set("y1", 44).set("y2", y)
}

fn drawn(rescue: &Rescue) -> String {
    let seconds = |ms: i64| format!("{}.{} s", ms / 1000, ms % 1000 / 100);
    let style = "text{font:13px sans-serif;fill:#222;stroke:#fff;stroke-width:4px;paint-order:stroke} \
                 .in{stroke:none} line{stroke:#999;stroke-dasharray:3 3} .serves{fill:#2f8f5b} \
                 .boots{fill:#b9d8c6} .drains{fill:#e3b7a0} .ground{fill:#fff}";
    let end = NOTICE + 8_000;
    let told = [
        (0, 0, "the warning comes".to_owned()),
        (rescue.launched, 1, format!("{}: the newcomer is launched, in another pool", seconds(rescue.launched))),
        (rescue.attached, 2, format!("{}: it runs, and is attached", seconds(rescue.attached))),
        (rescue.retired, 3, format!("{}: it serves, and the old one is let go", seconds(rescue.retired))),
    ];
    let mut picture = Document::new().set("viewBox", (0, 0, x(end) + 150, HEIGHT)).set("role", "img");
    picture = picture.add(Title::new("A rescue, second by second")).add(Style::new(style));
    picture = picture.add(bar("ground", -7_000, end + 25_000, 0, "").set("height", HEIGHT));
    let y = |row: i64| 150 + row * 22;
    picture = told.iter().fold(picture, |picture, (at, row, _)| picture.add(mark(*at, y(*row))));
    picture = picture.add(mark(NOTICE, 172));
    for (at, row, words) in told {
        picture = picture.add(text(x(at) + 6, y(row), words));
    }
    picture = picture.add(text(x(NOTICE) - 100, 190, "120 s: AWS would have taken it".to_owned()));
    let lanes = [
        bar("serves", 0, rescue.retired, 50, "the old one serves"),
        bar("drains", rescue.retired, rescue.gone, 50, "its connections drain, and it ends"),
        bar("boots", rescue.launched, rescue.serving, 96, "the newcomer boots and is attached"),
        bar("serves", rescue.serving, end, 96, "the newcomer serves"),
    ];
    picture = lanes.into_iter().fold(picture, Document::add);
    let inside = [
        (0, 68, "serves"),
        (rescue.retired, 68, "drains"),
        (rescue.launched, 114, "boots, is attached"),
        (rescue.serving, 114, "serves"),
    ];
    for (at, y, word) in inside {
        picture = picture.add(text(x(at) + 8, y, word.to_owned()).set("class", "in"));
    }
    let old = format!("old: Spot, {}; gone after {}", rescue.old, seconds(rescue.gone));
    let new = format!("new: Spot, {}", rescue.new);
    let picture = picture.add(text(LEFT, 38, old)).add(text(LEFT, 91, new));
    format!("{picture}\n")
}

/// Drawn again, and put in its place, by `SPOTHUB_DRAW=1 cargo test --workspace --test it timeline`.
#[test]
#[expect(clippy::disallowed_methods, reason = "the environment says whether the picture is to be written")]
fn the_picture_of_the_page_is_a_real_run() {
    let storm = Scenario::named("storm").expect("a shipped scenario");
    let played = play_tampered(&storm, &options(1, 1), |ports| ports);
    let rescue = first_whole(&played.records()).expect("some rescue goes as it should");
    assert!(0 < rescue.launched && rescue.launched < rescue.attached && rescue.attached < rescue.serving, "{rescue:?}");
    assert!(rescue.serving <= rescue.retired && rescue.retired < NOTICE, "{rescue:?}");
    let (picture, path) =
        (drawn(&rescue), concat!(env!("CARGO_MANIFEST_DIR"), "/../control-plane/docs/interruption.svg"));
    if std::env::var_os("SPOTHUB_DRAW").is_some() {
        std::fs::write(path, &picture).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), picture, "draw it again with SPOTHUB_DRAW=1");
}
