//! Hand-written traces: the judge must find what is there, and nothing else.

use serde_json::{Value, json};

use super::Trace;

const ASG: &str = "autoscaling:TerminateInstanceInAutoScalingGroup";
const LOOK: &str = "autoscaling:DescribeAutoScalingGroups";

/// Adds the fields that every line about the one group has, and makes the text of a trace.
fn trace(lines: &[Value]) -> Trace {
    let mut text = String::new();
    for line in lines {
        let mut line = line.clone();
        for (field, value) in [("account", "000000000042"), ("region", "us-east-1"), ("group", "web")] {
            if line[field].is_null() {
                line[field] = json!(value);
            }
        }
        text.push_str(&line.to_string());
        text.push('\n');
    }
    Trace::parse(&text)
}

fn policy(t: i64, floor: u32, enabled: bool) -> Value {
    json!({"t": t, "kind": "policy", "interval_s": 300, "floor_number": floor, "floor_percent": 0, "settle_s": 60,
           "boot_s": 60, "enabled": enabled, "opted_out_by": null})
}

fn start(t: i64, id: &str, swap: &str, replaces: &str) -> Value {
    let ours = !swap.is_empty();
    let mut line = json!({"t": t, "kind": "instance_start", "instance_id": id, "lifecycle": "on-demand",
                          "usd_per_hour": "0.096", "by": "autoscaling"});
    if ours {
        line["by"] = json!("spothub");
        line["lifecycle"] = json!("spot");
        line["usd_per_hour"] = json!("0.030");
        line["swap"] = json!(swap);
        line["replaces"] = json!(replaces);
        line["replaces_usd_per_hour"] = json!("0.096");
    }
    line
}

fn end(t: i64, id: &str, why: &str) -> Value {
    json!({"t": t, "kind": "instance_end", "instance_id": id, "why": why})
}

fn call(t: i64, action: &str, id: &str, swap: &str) -> Value {
    json!({"t": t, "kind": "call", "action": action, "changing": action != LOOK, "poll": false, "outcome": "ok",
           "took_effect": true, "swap": swap, "instance_id": id})
}

fn state(t: i64, by: &str, desired: i64, owner: i64, members: &[&str]) -> Value {
    let lifecycle = |id: &str| if id.starts_with("i-s") { "spot" } else { "on-demand" };
    let members: Vec<_> = members
        .iter()
        .map(|id| json!({"id": id, "state": "InService", "healthy": true, "lifecycle": lifecycle(id)}))
        .collect();
    json!({"t": t, "kind": "membership", "desired": desired, "owner_desired": owner, "max": 9, "owner_max": 9,
           "suspended": [], "by": by, "members": members})
}

fn swap(t: i64, id: &str, state: &str) -> Value {
    json!({"t": t, "kind": "swap", "swap": id, "state": state})
}

/// Two members; the second is swapped as it should be between 3,600 s and 7,200 s.
fn good() -> Vec<Value> {
    vec![
        policy(0, 1, true),
        start(0, "i-a", "", ""),
        start(0, "i-b", "", ""),
        state(0, "owner", 2, 2, &["i-a", "i-b"]),
        swap(3_600, "sw-1", "launching"),
        call(3_600, "ec2:CreateFleet", "i-s1", "sw-1"),
        start(3_600, "i-s1", "sw-1", "i-b"),
        state(3_700, "spothub", 3, 2, &["i-a", "i-b", "i-s1"]),
        call(7_190, LOOK, "", "sw-1"),
        call(7_200, ASG, "i-b", "sw-1"),
        state(7_200, "spothub", 2, 2, &["i-a", "i-s1"]),
        end(7_200, "i-b", "retired"),
        swap(7_200, "sw-1", "done"),
        json!({"t": 10_800, "kind": "end"}),
    ]
}

/// The good trace, changed, breaks exactly these laws.
fn breaks(change: impl FnOnce(&mut Vec<Value>), expected: &[&str]) {
    let mut lines = good();
    change(&mut lines);
    let found = trace(&lines).violations();
    let laws: Vec<_> = found.iter().filter_map(|text| text.split(' ').next()).collect();
    assert_eq!(laws, expected, "{found:?}");
}

fn near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-9, "{found}, not {expected}");
}

#[test]
fn cost_savings_and_calls() {
    let trace = trace(&good());
    let cost = trace.cost();
    // i-a 3 h and i-b 2 h at 0.096, i-s1 2 h at 0.030, of which one hour counts at 0.096.
    near(cost.actual, 5.0 * 0.096 + 2.0 * 0.030);
    near(cost.on_demand, 6.0 * 0.096);
    near(cost.saved_percent(), (0.096 - 0.060) / 0.576 * 100.0);
    near(trace.calls_per_swap().expect("there was a swap"), 3.0);
}

#[test]
fn prices_batches_and_groups_never_enabled() {
    let mut lines = good();
    lines.insert(8, json!({"t": 5_400, "kind": "price", "instance_id": "i-s1", "usd_per_hour": "0.050"}));
    let mut batch = call(7_000, "ec2:DescribeInstances", "", "");
    batch["swaps"] = json!(["sw-1", "sw-9", "rs-3", "sw-4"]);
    lines.insert(9, batch);
    let judged = trace(&lines);
    near(judged.cost().actual, 5.0 * 0.096 + 0.5 * 0.030 + 1.5 * 0.050);
    near(judged.calls_per_swap().expect("there was a swap"), 3.75);
    lines[0] = policy(0, 1, false);
    near(trace(&lines).cost().on_demand, 0.0);
}

#[test]
fn the_good_trace_is_good_and_can_be_read_from_a_file() {
    breaks(|_| {}, &[]);
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), format!("{}\n", good()[0])).expect("it can be written");
    assert_eq!(Trace::read(file.path()).lines, good()[..1]);
}

#[test]
fn each_law_broken() {
    breaks(|l| l.insert(8, start(7_000, "i-s2", "sw-2", "i-a")), &["INV-1"]);
    breaks(|l| l.insert(8, start(7_000, "i-s2", "rs-2", "i-a")), &["INV-1"]);
    let early = |l: &mut Vec<Value>| l.insert(13, start(7_210, "i-s2", "sw-2", "i-a"));
    breaks(early, &[]);
    breaks(|l| l.iter_mut().for_each(|line| line["interval_s"] = json!(4_000)), &[]);
    breaks(
        |l| {
            early(l);
            l[0]["interval_s"] = json!(4_000);
        },
        &["INV-1"],
    );
    breaks(|l| l[8]["t"] = json!(7_169), &["INV-2"]);
    breaks(|l| l[7] = state(3_700, "spothub", 2, 2, &["i-a", "i-b"]), &["INV-2"]);
    breaks(|l| l[0] = policy(0, 2, true), &["INV-5"]);
    breaks(|l| l[10]["max"] = json!(10), &["INV-4"]);
    breaks(|l| l[10]["suspended"] = json!(["Launch"]), &["INV-4"]);
    breaks(|l| l.insert(4, policy(3_000, 1, false)), &["INV-6", "INV-6"]);
    breaks(|l| l.insert(7, policy(3_650, 1, false)), &[]);
}

#[test]
fn left_over_or_ended_without_need() {
    let undone = |l: &mut Vec<Value>, until: i64| {
        l.truncate(7);
        l.push(swap(3_700, "sw-1", "undone"));
        let mut orphan = call(until, "ec2:TerminateInstances", "i-s1", "");
        orphan["why"] = json!("orphan");
        l.extend([orphan, end(until, "i-s1", "orphan"), json!({"t": 90_000, "kind": "end"})]);
    };
    breaks(|l| undone(l, 5_000), &[]);
    breaks(|l| undone(l, 6_500), &["INV-3"]);
    breaks(|l| undone(l, 4_100), &["INV-3"]);
    breaks(
        |l| {
            let mut orphan = call(9_000, "ec2:TerminateInstances", "i-s1", "");
            orphan["why"] = json!("orphan");
            l.insert(13, orphan);
        },
        &["INV-2", "INV-3"],
    );
}

#[test]
fn announced_members_may_be_rescued_beside_a_swap() {
    let rescue = |l: &mut Vec<Value>| {
        l[13] = start(7_600, "i-s2", "sw-2", "i-a");
        l.extend([
            json!({"t": 7_610, "kind": "notice", "instance_id": "i-s1", "deadline_s": 7_730}),
            start(7_620, "i-s3", "rs-3", "i-s1"),
            call(7_640, ASG, "i-s1", "rs-3"),
        ]);
    };
    breaks(rescue, &[]);
}

#[test]
fn delivery_counts_above_the_floor_after_the_ramp() {
    // One member is above the floor; the ramp ends after 300 s; samples at 300 s to 10,800 s are 36.
    let delivered = trace(&good()).delivered(|_, _| true);
    near(delivered.eligible_instance_hours, 3.0);
    // On Spot from the sample at 3,900 s on: the place that is doubled until 7,200 s counts once.
    near(delivered.on_spot_instance_hours, 24.0 / 12.0);
    let delivered = trace(&good()).delivered(|start, t| start["instance_id"] == "i-b" && t < 1_000.0);
    near(delivered.eligible_instance_hours, (3.0 + 24.0) / 12.0);
    near(delivered.percent(), 24.0 / 27.0 * 100.0);
}
