//! How many members of a group, and of an organizational unit, may be in one Spot pool.

use std::collections::BTreeMap;

use super::Ask;
use crate::catalog::{Product, TypeId};
use crate::group::{GroupView, Lifecycle};
use crate::id::AzId;
use crate::market::Pool;
use crate::money::Percent;
use crate::record::GroupRecord;

/// Where a unit's members are: those of served groups, as far as this worker sees them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Shares {
    /// Members, on Spot or not.
    pub members: u32,
    /// Those in Spot pools that spothub brought, by pool.
    pub spot: BTreeMap<Pool, u32>,
}

/// The caps that a choice of pools in one zone keeps.
pub(super) struct Caps<'a> {
    group: Option<(u32, BTreeMap<TypeId, u32>)>,
    unit: Option<(u32, &'a Shares)>,
    az: &'a AzId,
    product: Product,
}

impl<'a> Caps<'a> {
    /// What policy says, for a zone.
    pub(super) fn of(ask: &Ask<'a>, az: &'a AzId, product: Product) -> Self {
        let share = ask.effective.policy.pool_share;
        let limit = |share: Percent, of: u32| (share != Percent::ALL).then(|| share.of_rounded_up(of).max(1));
        let group = limit(share.group, ask.record.want(ask.view));
        let group = group.map(|limit| (limit, members(ask.view, ask.record, az)));
        // Of what nobody counted, no share is known; the group's own cap holds all the same.
        let unit = ask.shares.and_then(|shares| Some((limit(share.ou, shares.members)?, shares)));
        Self { group, unit, az, product }
    }

    /// No caps: for what has no other way out.
    pub(super) fn none(az: &'a AzId, product: Product) -> Self {
        Self { group: None, unit: None, az, product }
    }

    /// Whether a pool holds as many as it may.
    pub(super) fn full(&self, kind: TypeId) -> bool {
        let of_group = self.group.as_ref().is_some_and(|(limit, members)| members.get(&kind).unwrap_or(&0) >= limit);
        of_group
            || self.unit.is_some_and(|(limit, shares)| {
                let pool = Pool { az: self.az.clone(), kind, product: self.product };
                shares.spot.get(&pool).is_some_and(|members| *members >= limit)
            })
    }
}

/// A group's Spot members in a zone by type, with the newcomers that are no members yet.
fn members(view: &GroupView, record: &GroupRecord, az: &AzId) -> BTreeMap<TypeId, u32> {
    let spot = view.members.iter().filter(|m| m.az == *az && m.lifecycle() == Some(Lifecycle::Spot));
    let here = spot.filter_map(|m| m.kind);
    let ops = record.ops.iter().filter(|op| op.az == *az && op.request.lifecycle == Lifecycle::Spot);
    let newcomers = ops.filter_map(|op| op.stage.newcomer()).filter(|new| view.member(&new.id).is_none());
    let mut members = BTreeMap::new();
    for kind in here.chain(newcomers.map(|new| new.kind)) {
        *members.entry(kind).or_default() += 1;
    }
    members
}
