//! What looks and polls say of the world, in the port's words.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use spothub_core::cloud::RunState;
use spothub_core::group::{GroupView, InstanceFacts, Lifecycle, Member, MemberState, Source};
use spothub_core::id::{GroupKey, Site};
use spothub_core::time::{Span, Timestamp};

use super::world::{Instance, Life, Origin, Seat, World, id};

/// What a poll of an instance's state may have said last, be it long ago.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Hash)]
pub(super) struct Told {
    passed: bool,
    ended: bool,
}

impl Told {
    pub(super) fn states(self) -> impl Iterator<Item = Option<RunState>> {
        let said = [(true, None), (self.passed, Some(RunState::Checked)), (self.ended, Some(RunState::Ended))];
        said.into_iter().filter(|(may, _)| *may).map(|(_, state)| state)
    }
}

impl Instance {
    pub(super) fn told(self) -> Told {
        Told { passed: self.passed, ended: self.life == Life::Ended }
    }
}

pub(super) fn key() -> GroupKey {
    let site = Site { account: "000000000001".parse().unwrap(), region: "eu-west-1".parse().unwrap() };
    GroupKey { site, name: "web".parse().unwrap() }
}

impl World {
    /// What a look at the group shows, and nothing else, so that looks that show the same are the same.
    pub(super) fn seen(&self) -> Self {
        let mut seen = *self;
        for place in &mut seen.places {
            let (origin, seat) = (place.origin, place.seat);
            let shown = place.is_member().then(|| Instance { origin, seat, ..Instance::default() });
            *place = shown.unwrap_or_default();
        }
        seen
    }

    /// The same in the port's words. Hours of the model are milliseconds there.
    pub(super) fn view(&self, seen_at: Timestamp) -> GroupView {
        let source = Source::Configuration("web".parse().unwrap());
        let member = |(at, place): (u8, &Instance)| {
            let (lifecycle, hour) = match place.origin {
                Origin::Nobody => return None,
                Origin::Owner => (Lifecycle::OnDemand, 0),
                Origin::Group(hour) => (Lifecycle::OnDemand, hour),
                Origin::Ours { .. } => (Lifecycle::Spot, 0),
            };
            let state = match place.seat {
                Seat::Pending => MemberState::Pending,
                Seat::InService => MemberState::InService,
                Seat::Terminating => MemberState::Terminating,
                Seat::Never | Seat::Left => return None,
            };
            let facts = InstanceFacts {
                lifecycle,
                subnet: "subnet-00000001".parse().unwrap(),
                launched_at: Timestamp(hour.into()),
                swap: None,
                dedicated: false,
                reserved: false,
            };
            let az = "euw1-az1".parse().unwrap();
            let (healthy, protected, facts) = (true, false, Some(Arc::new(facts)));
            Some(Member { id: id(at), kind: None, az, state, healthy, protected, source: None, facts })
        };
        GroupView {
            key: key(),
            seen_at,
            min: self.min.into(),
            max: self.max.into(),
            desired: self.desired.into(),
            members: (0..).zip(&self.places).filter_map(member).collect(),
            suspended: BTreeSet::new(),
            tags: BTreeMap::new(),
            source,
            target_groups: Vec::new(),
            load_balancers: Vec::new(),
            health_check_grace: Span::ZERO,
            default_warmup: Span::ZERO,
            warm_pool: false,
            operator: false,
            cluster_placement: false,
            capacity_rebalance: false,
            mixed_on_demand: false,
            new_protected: false,
            extras: None,
        }
    }
}
