//! INV-1 to INV-6, each in one pass over the lines.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Trace, enabled, flag, floor, group, latest, list, number, seconds, serves, text};

/// Calls that take an instance out of its group or end it.
const TAKES_OUT: [&str; 3] =
    ["autoscaling:TerminateInstanceInAutoScalingGroup", "autoscaling:DetachInstances", "ec2:TerminateInstances"];

/// Whether a `swap` line is a swap's last.
fn last(line: &Value) -> bool {
    matches!(text(line, "state"), "done" | "undone" | "failed" | "stranded")
}

impl Trace {
    /// Everything found broken, each with its law and time.
    pub(crate) fn violations(&self) -> Vec<String> {
        let mut found = Vec::new();
        self.inv1(&mut found);
        self.inv2_and_5(&mut found);
        self.inv3(&mut found);
        self.inv4(&mut found);
        self.inv6(&mut found);
        found
    }

    /// The first line that names each swap.
    fn begun(&self) -> BTreeMap<&str, f64> {
        let mut begun = BTreeMap::new();
        for line in self.lines.iter().filter(|line| !text(line, "swap").is_empty()) {
            begun.entry(text(line, "swap")).or_insert(seconds(line));
        }
        begun
    }

    /// When each instance was announced to be taken, or was taken.
    fn announced(&self) -> BTreeMap<&str, f64> {
        let taken = self.of("instance_end").filter(|(_, end)| text(end, "why") == "interrupted");
        let mut announced = BTreeMap::new();
        for (_, line) in self.of("notice").chain(taken) {
            announced.entry(text(line, "instance_id")).or_insert(seconds(line));
        }
        announced
    }

    /// The place and the time of each swap's last line.
    fn closed(&self) -> BTreeMap<&str, (usize, f64)> {
        self.of("swap").filter(|(_, s)| last(s)).map(|(place, s)| (text(s, "swap"), (place, seconds(s)))).collect()
    }

    /// Swaps, and rescues of what nobody announced to take: one at a time per group, and an interval apart.
    fn inv1(&self, found: &mut Vec<String>) {
        let (begun, announced, closed, policies) = (self.begun(), self.announced(), self.closed(), self.policies());
        let mut swaps: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for (place, start) in self.of("instance_start").filter(|(_, start)| text(start, "by") == "spothub") {
            let (swap, t, old) = (text(start, "swap"), seconds(start), text(start, "replaces"));
            let earlier = swaps.entry(group(start)).or_default();
            let rescue = swap.starts_with("rs-") && announced.get(old).is_some_and(|since| *since <= t);
            if rescue || earlier.contains(&swap) {
                continue;
            }
            for other in earlier.iter().filter(|other| closed.get(*other).is_none_or(|(end, _)| *end > place)) {
                found.push(format!("INV-1 at {t}: {swap} began while {other} was in flight"));
            }
            let said = policies.get(&group(start)).map_or(&[][..], Vec::as_slice);
            let interval = in_force(said, place, t - 60.0).map(|p| number(p, "interval_s")).min().unwrap_or(0);
            if let Some(before) = earlier.last() {
                let apart = begun[swap] - begun[before];
                if apart < f64::from(i32::try_from(interval).unwrap_or(i32::MAX)) - 1.0 {
                    found.push(format!("INV-1 at {t}: {swap} began {apart} s after {before}, not {interval}"));
                }
            }
            earlier.push(swap);
        }
    }

    /// Members in service taken out by us: what the looks of the 30 seconds before had shown.
    fn inv2_and_5(&self, found: &mut Vec<String>) {
        let (begun, announced, groups, policies) =
            (self.begun(), self.announced(), self.memberships(), self.policies());
        let ends: BTreeMap<_, _> = self.of("instance_end").map(|(_, e)| (text(e, "instance_id"), e)).collect();
        for (place, call) in self.of("call").filter(|(_, c)| flag(c, "took_effect") && takes_out(c)) {
            let (id, t) = (text(call, "instance_id"), seconds(call));
            if ends.get(id).is_some_and(|end| seconds(end) < t || (seconds(end) <= t && !by_us(end))) {
                continue;
            }
            let Some((name, states)) = groups.iter().find(|(_, states)| served_just_before(states, id, place, t))
            else {
                continue;
            };
            let since = begun.get(text(call, "swap")).copied().unwrap_or(0.0).max(t - 30.0);
            let looks = self.lines[..place].iter().enumerate().rev().take_while(|(_, line)| seconds(line) >= since);
            let shown: Vec<_> = looks
                .filter(|(_, look)| covers(look, name))
                .filter_map(|(at, _)| latest(states, at).map(|state| (at, state)))
                .collect();
            let announced = announced.get(id).is_some_and(|since| *since <= t);
            if shown.is_empty() && announced {
                continue;
            }
            let said = policies.get(name).map_or(&[][..], Vec::as_slice);
            let spare =
                |state: &Value| announced || !served(state, id) || count(state, "") > number(state, "owner_desired");
            let floor_at = |at: usize, state: &Value| {
                let want = number(state, "owner_desired");
                in_force(said, at, seconds(&self.lines[at]) - 60.0).map(|p| floor(p, want)).min().unwrap_or(0)
            };
            let kept = |at: usize, state: &Value| {
                !served(state, id) || !on_demand(state, id) || count(state, "on-demand") > floor_at(at, state)
            };
            if shown.iter().any(|(at, state)| spare(state) && kept(*at, state)) {
                continue;
            }
            let law = if shown.iter().any(|(_, state)| spare(state)) { "INV-5" } else { "INV-2" };
            found.push(format!("{law} at {t}: {id} was taken out of {name}"));
        }
    }

    /// What we launched and nobody has any more, and what was ended without being left over.
    fn inv3(&self, found: &mut Vec<String>) {
        let (closed, groups) = (self.closed(), self.memberships());
        let ends: BTreeMap<_, _> = self.of("instance_end").map(|(_, e)| (text(e, "instance_id"), seconds(e))).collect();
        let stranded: BTreeSet<_> =
            self.of("swap").filter(|(_, s)| text(s, "state") == "stranded").map(|(_, s)| text(s, "swap")).collect();
        let mut left_over: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (_, start) in self.of("instance_start").filter(|(_, start)| text(start, "by") == "spothub") {
            let (id, swap) = (text(start, "instance_id"), text(start, "swap"));
            let states = groups.get(&group(start)).map_or(&[][..], Vec::as_slice);
            let (Some((_, since)), false) = (closed.get(swap), stranded.contains(swap)) else { continue };
            let end = ends.get(id).copied().unwrap_or(self.end());
            let gone = states.iter().skip(1 + states.iter().rposition(|(_, s)| listed(s, id)).unwrap_or(states.len()));
            let since = match (states.iter().any(|(_, s)| listed(s, id)), gone.clone().next()) {
                (false, _) => *since,
                (true, Some((_, state))) if text(state, "by") != "owner" => since.max(seconds(state)),
                (true, _) => continue,
            };
            if end - since > 2_700.0 {
                let over = format!("INV-3 at {end}: {id} of {swap} was left over since {since}");
                left_over.entry(text(start, "account")).or_default().push(over);
            }
        }
        found.extend(left_over.into_values().filter(|list| list.len() <= 5).flatten());
        self.ended_as_orphans(found);
    }

    fn ended_as_orphans(&self, found: &mut Vec<String>) {
        let closed = self.closed();
        let starts: BTreeMap<_, _> = self.of("instance_start").map(|(_, s)| (text(s, "instance_id"), s)).collect();
        for (place, call) in self.of("call").filter(|(_, c)| flag(c, "took_effect") && text(c, "why") == "orphan") {
            let (id, t) = (text(call, "instance_id"), seconds(call));
            let Some(start) = starts.get(id).filter(|_| takes_out(call)) else { continue };
            let never = !self.of("membership").take_while(|(at, _)| *at < place).any(|(_, s)| listed(s, id));
            let old = t - seconds(start) >= 600.0;
            let over = closed.get(text(start, "swap")).is_some_and(|(end, _)| *end < place);
            if !(never && old && over && text(start, "by") == "spothub") {
                found.push(format!("INV-3 at {t}: {id} was ended and was no orphan"));
            }
        }
    }

    /// At the last line of the last swap under way: the group is as its owner has it.
    fn inv4(&self, found: &mut Vec<String>) {
        let groups = self.memberships();
        let mut open: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
        let mut stranded = BTreeSet::new();
        for (place, line) in self.lines.iter().enumerate() {
            let launched = text(line, "kind") == "instance_start" && text(line, "by") == "spothub";
            if text(line, "kind") != "swap" && !launched {
                continue;
            }
            let (name, swap) = (group(line), text(line, "swap"));
            let under_way = open.entry(name.clone()).or_default();
            if launched || !last(line) {
                under_way.insert(swap);
                continue;
            }
            under_way.remove(swap);
            if text(line, "state") == "stranded" {
                stranded.insert(name.clone());
            }
            let Some(state) = groups.get(&name).and_then(|states| latest(states, place)) else { continue };
            let same = |field: &str, owners: &str| number(state, field) == number(state, owners);
            let owners = same("desired", "owner_desired") && same("max", "owner_max");
            let ours = suspended_by_us(&groups[&name], place);
            if under_way.is_empty() && !stranded.contains(&name) && (!owners || !ours.is_empty()) {
                found.push(format!("INV-4 at {}: {swap} left {name} changed, {ours:?} suspended", seconds(line)));
            }
        }
    }

    /// Changing calls to a group a minute after it was closed to us, swaps begun before apart.
    fn inv6(&self, found: &mut Vec<String>) {
        let (begun, policies) = (self.begun(), self.policies());
        let groups: BTreeMap<_, _> =
            self.of("instance_start").map(|(_, s)| (text(s, "instance_id"), group(s))).collect();
        let swaps: BTreeMap<_, _> =
            self.of("instance_start").map(|(_, s)| (text(s, "instance_id"), text(s, "swap"))).collect();
        for (place, call) in self.of("call").filter(|(_, c)| flag(c, "took_effect") && flag(c, "changing")) {
            let instance = text(call, "instance_id");
            let named = (!text(call, "group").is_empty()).then(|| group(call));
            let Some(name) = named.or_else(|| groups.get(instance).cloned()) else { continue };
            let said = policies.get(&name).map_or(&[][..], Vec::as_slice);
            let past: Vec<_> = said.iter().filter(|(at, _)| *at < place).collect();
            let first_off = past.iter().rposition(|(_, p)| enabled(p)).map_or(0, |i| i + 1);
            let Some((_, off)) = past.get(first_off) else { continue };
            let from = seconds(off) + if first_off == 0 { 0.0 } else { 60.0 };
            let orphan = text(call, "why") == "orphan";
            let swap = if orphan { swaps.get(instance).copied().unwrap_or("") } else { text(call, "swap") };
            let finishes = begun.get(swap).is_some_and(|t| *t <= from);
            if seconds(call) > from && !finishes {
                found.push(format!("INV-6 at {}: {} in {name}", seconds(call), text(call, "action")));
            }
        }
    }
}

/// Whether an instance ended by our hand.
fn by_us(end: &Value) -> bool {
    matches!(text(end, "why"), "retired" | "undone" | "orphan")
}

fn takes_out(call: &Value) -> bool {
    TAKES_OUT.contains(&text(call, "action"))
}

/// The lines in force at any time from a second up to a place.
fn in_force<'a>(said: &[(usize, &'a Value)], place: usize, from: f64) -> impl Iterator<Item = &'a Value> {
    let past: Vec<_> = said.iter().filter(|(at, _)| *at <= place).map(|(_, line)| *line).collect();
    let first = past.iter().rposition(|line| seconds(line) <= from).unwrap_or(0);
    past.into_iter().skip(first)
}

/// Whether a line is an answered look that covers the group.
fn covers(look: &Value, name: &str) -> bool {
    if text(look, "action") != "autoscaling:DescribeAutoScalingGroups" || text(look, "outcome") != "ok" {
        return false;
    }
    let site = format!("{}/{}/", text(look, "account"), text(look, "region"));
    let Some(own) = name.strip_prefix(&site) else { return false };
    let (one, some) = (text(look, "group"), list(look, "looked_at"));
    if some.is_empty() { one.is_empty() || one == own } else { some.iter().any(|n| n.as_str() == Some(own)) }
}

fn member<'a>(state: &'a Value, id: &str) -> Option<&'a Value> {
    list(state, "members").iter().find(|m| text(m, "id") == id)
}

fn listed(state: &Value, id: &str) -> bool {
    member(state, id).is_some()
}

fn served(state: &Value, id: &str) -> bool {
    member(state, id).is_some_and(serves)
}

fn on_demand(state: &Value, id: &str) -> bool {
    member(state, id).is_some_and(|m| text(m, "lifecycle") == "on-demand")
}

/// Members that serve, of one lifecycle or of any.
fn count(state: &Value, lifecycle: &str) -> i64 {
    let counted = |m: &&Value| serves(m) && (lifecycle.is_empty() || text(m, "lifecycle") == lifecycle);
    i64::try_from(list(state, "members").iter().filter(counted).count()).unwrap_or(i64::MAX)
}

/// Whether the instance was in service before this very second's changes; the call's line may stand after them.
fn served_just_before(states: &[(usize, &Value)], id: &str, place: usize, t: f64) -> bool {
    let before = states.iter().rev().find(|(at, state)| *at <= place && seconds(state) < t).map(|(_, state)| *state);
    let in_service = |state: &Value| member(state, id).is_some_and(|m| text(m, "state") == "InService");
    before.is_some_and(in_service) || latest(states, place).is_some_and(in_service)
}

/// Processes that a change of ours suspended and that are suspended still.
fn suspended_by_us<'a>(states: &[(usize, &'a Value)], place: usize) -> BTreeSet<&'a str> {
    let mut ours = BTreeSet::new();
    let mut before = BTreeSet::new();
    for (_, state) in states.iter().take_while(|(at, _)| *at <= place) {
        let now: BTreeSet<_> = list(state, "suspended").iter().filter_map(Value::as_str).collect();
        ours.retain(|process| now.contains(process));
        if text(state, "by") == "spothub" {
            ours.extend(now.difference(&before));
        }
        before = now;
    }
    ours
}
