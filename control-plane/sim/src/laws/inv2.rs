//! INV-2 and INV-5: what a look must have shown before a member is taken out of service.

use spothub_core::group::Lifecycle;
use spothub_core::id::InstanceId;

use super::facts::{Facts, Group, GroupIx, InstanceIx, Shot};
use super::report::Report;
use super::settings::LawSettings;
use crate::record::{Call, Ended};

/// The law of the members in service.
pub(super) const LAW: (&str, &str) = (
    "INV-2",
    "No call of ours takes a member out of service unless a look at most 30 s old showed one more in service than \
     the owner wants; announced and unhealthy members excepted.",
);
/// The law of the on-demand floor.
pub(super) const FLOOR_LAW: (&str, &str) =
    ("INV-5", "No call of ours takes the on-demand members in service, by that same look, below the floor.");

/// Whether an action takes an instance out of its group or ends it.
pub(super) fn takes_out(action: &str) -> bool {
    matches!(
        action,
        "autoscaling:TerminateInstanceInAutoScalingGroup"
            | "autoscaling:DetachInstances"
            | "autoscaling:EnterStandby"
            | "ec2:TerminateInstances"
            | "ec2:StopInstances"
    )
}

/// A call was made: if it took a member out of service, a look must have allowed it.
pub(super) fn called(facts: &Facts, settings: &LawSettings, call: &Call, report: &mut Report) {
    if !call.took_effect || !takes_out(&call.action) {
        return;
    }
    let group = call.group.as_ref().and_then(|name| facts.named(call.account, &call.region, name));
    let Some(id) = &call.instance_id else {
        let key = group.map(|ix| &facts[ix].key);
        report.add(LAW.0, facts.now, key, || format!("{} names no instance", call.action));
        return;
    };
    let Some((instance, group)) = taken(facts, id) else { return };
    let began = call.swap.as_ref().and_then(|s| facts.swap(s)).map_or(i64::MIN, |s| facts[s].first);
    let from = began.max(facts.now - settings.look_age.0);
    judge(facts, settings, (id, instance, group), from, report);
}

/// The member in service that a call for `id` takes out, if it does.
fn taken(facts: &Facts, id: &InstanceId) -> Option<(InstanceIx, GroupIx)> {
    let ix = facts.instance(id)?;
    let instance = &facts[ix];
    if let Some((t, why)) = instance.ended {
        // What had ended before, or ended just now by another hand, was not taken out by this call.
        let by_us = matches!(why, Ended::Retired | Ended::Undone | Ended::Orphan);
        if t < facts.now || !by_us {
            return None;
        }
    }
    let just_left = instance.left.filter(|(t, _)| *t == facts.now).map(|(_, group)| group);
    let group = instance.member_of.or(just_left)?;
    facts[group].served_lately(ix, facts.now).then_some((ix, group))
}

/// What one look allows.
#[derive(Clone, Copy)]
struct Allowed {
    service: bool,
    floor: bool,
}

fn judge(
    facts: &Facts,
    settings: &LawSettings,
    (id, instance, group): (&InstanceId, InstanceIx, GroupIx),
    from: i64,
    report: &mut Report,
) {
    let mut latest: Option<(i64, &Shot)> = None;
    let mut any = Allowed { service: false, floor: false };
    for (t, shot) in facts.looks(group, from) {
        latest = latest.or(Some((t, shot)));
        let here = allowed(facts, settings, instance, &facts[group], t, shot);
        if here.service && here.floor {
            return;
        }
        any = Allowed { service: any.service || here.service, floor: any.floor || here.floor };
    }
    let key = Some(&facts[group].key);
    let Some((t, shot)) = latest else {
        if !facts[instance].noticed {
            report.add(LAW.0, facts.now, key, || format!("{id} was taken out without a look of the last 30 s"));
        }
        return;
    };
    let age = facts.now - t;
    if !any.service {
        report.add(LAW.0, facts.now, key, || {
            let (found, want) = (shot.in_service, shot.owner_desired);
            format!("{id} was taken out while the look {age} ms before showed {found} in service of {want} wanted")
        });
    }
    if any.service || !any.floor {
        report.add(FLOOR_LAW.0, facts.now, key, || {
            let (found, floor) = (shot.on_demand, floor(settings, &facts[group], t, shot.owner_desired));
            format!("{id} was taken out while the look {age} ms before showed {found} on-demand of a floor of {floor}")
        });
    }
}

fn allowed(facts: &Facts, settings: &LawSettings, ix: InstanceIx, group: &Group, t: i64, shot: &Shot) -> Allowed {
    let instance = &facts[ix];
    if !shot.seat(ix).is_some_and(|seat| seat.serves()) {
        return Allowed { service: true, floor: true };
    }
    let on_demand = instance.lifecycle == Lifecycle::OnDemand;
    Allowed {
        service: instance.noticed || shot.in_service > shot.owner_desired,
        floor: !on_demand || shot.on_demand > floor(settings, group, t, shot.owner_desired),
    }
}

/// The lowest floor that policy asked for within the time it may take to be read.
fn floor(settings: &LawSettings, group: &Group, t: i64, want: u32) -> u32 {
    let share = |percent: u8| (u64::from(want) * u64::from(percent)).div_ceil(100);
    group
        .policies(t - settings.opt_out_grace.0, t)
        .map(|p| p.floor_number.max(u32::try_from(share(p.floor_percent)).unwrap_or(u32::MAX)))
        .min()
        .unwrap_or(0)
}
