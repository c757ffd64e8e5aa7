//! The mix that most groups are drawn from.

use spothub_hub::document::{At, Fields};

use super::groups::known_type;
use crate::shape::{Mix, MixShares};

/// The largest mix: ten times the organization that the engine is measured on.
const GROUPS_MAX: u64 = 200_000;

pub(super) fn read(at: &At<'_>) -> Option<Mix> {
    at.fields(|fields| {
        let mut mix = Mix::default();
        if fields.need("groups").is_some() {
            fields.set_within("groups", 1..=GROUPS_MAX, &mut mix.groups);
        }
        if let Some(sizes) = fields.at("sizes").and_then(|at| at.each(size)) {
            if sizes.iter().all(|(weight, _, _)| *weight == 0) {
                fields.note("sizes", "no size has a weight", "give at least one a weight over 0");
            }
            mix.sizes = sizes;
        }
        if let Some(types) = fields.at("types").and_then(|at| types(&at)) {
            if types.iter().all(|(weight, _)| *weight == 0) {
                fields.note("types", "no type has a weight", "give at least one a weight over 0");
            }
            mix.types = types;
        }
        fields.set_within("on-spot-permille", 0..=1000, &mut mix.on_spot);
        if let Some(at) = fields.at("shares") {
            let _ = at.fields(|fields| shares(fields, &mut mix.shares));
        }
        mix
    })
}

fn size(at: &At<'_>) -> Option<(u32, u32, u32)> {
    at.fields(|fields| {
        let (mut weight, mut from, mut to) = (1, 1, 1);
        fields.set_within("weight", 0..=1_000_000, &mut weight);
        let _ = (fields.need("from"), fields.need("to"));
        fields.set_within("from", 0..=10_000, &mut from);
        fields.set_within("to", 0..=10_000, &mut to);
        if from > to {
            fields.note("from", format_args!("from {from} is over to {to}"), "");
        }
        (weight, from, to)
    })
}

fn types(at: &At<'_>) -> Option<Vec<(u32, String)>> {
    let mut types = Vec::new();
    for (key, value) in at.pairs()? {
        let weight = value.within(0..=1_000_000).and_then(|n| u32::try_from(n).ok());
        let known = value.named(key, |at| known_type(at, "")).is_some();
        if let (Some(weight), true) = (weight, known) {
            types.push((weight, key.text.clone()));
        }
    }
    Some(types)
}

fn shares(fields: &Fields<'_>, shares: &mut MixShares) {
    let keys: [(&'static str, &mut u32); 17] = [
        ("windows", &mut shares.windows),
        ("configuration", &mut shares.configuration),
        ("latest", &mut shares.latest),
        ("at-max", &mut shares.at_max),
        ("target-group", &mut shares.target_group),
        ("grace", &mut shares.grace),
        ("floor-tag", &mut shares.floor_tag),
        ("new-protected", &mut shares.new_protected),
        ("opted-out", &mut shares.opted_out),
        ("mixed", &mut shares.mixed),
        ("warm-pool", &mut shares.warm_pool),
        ("launch-hook", &mut shares.launch_hook),
        ("standby", &mut shares.standby),
        ("operator", &mut shares.operator),
        ("protected", &mut shares.protected),
        ("suspended", &mut shares.suspended),
        ("older", &mut shares.older),
    ];
    for (key, into) in keys {
        fields.set_within(key, 0..=1000, into);
    }
}
