//! A row of DescribeInstances as the engine sees it.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_sdk_ec2::types::{Instance, InstanceLifecycleType, Tag, Tenancy};
use spothub_core::catalog::Catalog;
use spothub_core::cloud::{InstanceSeen, RunState};
use spothub_core::group::{InstanceFacts, Lifecycle};
use spothub_core::id::{AzId, SubnetId};
use spothub_core::time::Timestamp;

use crate::settings::HubId;
use crate::zone::place;

/// On everything that we launch.
pub(crate) const TAG_MANAGED: &str = "spothub:managed";
/// Which hub launched it.
pub(crate) const TAG_HUB: &str = "spothub:hub";
/// For which swap.
pub(crate) const TAG_SWAP: &str = "spothub:swap";
/// For which group.
pub(crate) const TAG_GROUP: &str = "spothub:group";
/// Instead of which instance.
pub(crate) const TAG_REPLACES: &str = "spothub:replaces";

/// A terminated instance has no subnet any more; nothing is launched beside it, so any will do.
const NO_SUBNET: &str = "subnet-00000000";

/// The instance of a row; `None` where the row lacks what every instance has.
pub(super) fn instance(
    row: &Instance,
    zones: &BTreeMap<String, AzId>,
    catalog: &Catalog,
    hub: &HubId,
) -> Option<InstanceSeen> {
    let placement = row.placement()?;
    let state = run_state(row.state()?.name()?.as_str())?;
    let subnet: Option<SubnetId> = row.subnet_id().and_then(|id| id.parse().ok());
    let subnet = if state == RunState::Ended { subnet.or_else(|| NO_SUBNET.parse().ok()) } else { subnet };
    let tag = |key: &str| value(row.tags(), key);
    // What a member tags by itself says nothing of our swaps.
    let ours = tag(TAG_HUB) == Some(hub.as_str());
    let ours = |key: &str| tag(key).filter(|_| ours);
    let (lifecycle, sold_as_reserved) = lifecycle(row.instance_lifecycle().map(InstanceLifecycleType::as_str));
    let tenancy = placement.tenancy().map(Tenancy::as_str);
    let reserved = row.capacity_reservation_id().is_some() || row.capacity_block_id().is_some();
    Some(InstanceSeen {
        id: row.instance_id()?.parse().ok()?,
        kind: row.instance_type().and_then(|kind| catalog.by_name(kind.as_str())),
        az: place(placement.availability_zone_id(), placement.availability_zone(), zones)?,
        state,
        ended_at: row.state_transition_reason().filter(|_| state == RunState::Ended).and_then(ended_at),
        facts: Arc::new(InstanceFacts {
            lifecycle,
            subnet: subnet?,
            launched_at: Timestamp(row.launch_time()?.to_millis().ok()?),
            swap: ours(TAG_SWAP).and_then(|text| text.parse().ok()),
            dedicated: matches!(tenancy, Some("dedicated" | "host")),
            reserved: reserved || sold_as_reserved,
        }),
        group: ours(TAG_GROUP).and_then(|text| text.parse().ok()),
    })
}

fn value<'a>(tags: &'a [Tag], key: &str) -> Option<&'a str> {
    tags.iter().find(|tag| tag.key() == Some(key)).and_then(Tag::value)
}

/// How it is bought, and whether that is out of something paid for anyway (capacity blocks, scheduled instances, and
/// whatever comes to be).
fn lifecycle(word: Option<&str>) -> (Lifecycle, bool) {
    match word {
        Some("spot") => (Lifecycle::Spot, false),
        None | Some("" | "normal") => (Lifecycle::OnDemand, false),
        Some(_) => (Lifecycle::OnDemand, true),
    }
}

/// A state's word; a row with one that this version does not know is left out, as one that is not known yet.
pub(super) fn run_state(word: &str) -> Option<RunState> {
    match word {
        "pending" => Some(RunState::Pending),
        "running" => Some(RunState::Running),
        "shutting-down" | "terminated" | "stopping" | "stopped" => Some(RunState::Ended),
        _ => None,
    }
}

/// The time in a reason such as `User initiated (2026-01-02 03:04:05 GMT)`.
fn ended_at(reason: &str) -> Option<Timestamp> {
    let (_, rest) = reason.rsplit_once('(')?;
    let text = rest.split(')').next()?;
    let text = text.strip_suffix(" GMT").or_else(|| text.strip_suffix(" UTC"))?;
    let (day, time) = text.split_once(' ')?;
    Timestamp::from_rfc3339(&format!("{day}T{time}Z"))
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::{InstanceState, InstanceStateName, InstanceType, Placement};
    use aws_smithy_types::DateTime;

    use super::*;

    fn row(state: &str) -> aws_sdk_ec2::types::builders::InstanceBuilder {
        Instance::builder()
            .instance_id("i-0123456789abcdef0")
            .instance_type(InstanceType::from("m5.large"))
            .placement(Placement::builder().availability_zone("eu-west-1a").build())
            .state(InstanceState::builder().name(InstanceStateName::from(state)).build())
            .subnet_id("subnet-0123456789abcdef0")
            .launch_time(DateTime::from_millis(7000))
    }

    fn tag(key: &str, value: &str) -> Tag {
        Tag::builder().key(key).value(value).build()
    }

    fn read(row: &Instance) -> Option<InstanceSeen> {
        let zones = BTreeMap::from([("eu-west-1a".to_owned(), "euw1-az2".parse().unwrap())]);
        instance(row, &zones, Catalog::embedded(), &"hub".parse().unwrap())
    }

    #[test]
    fn an_instance_is_read() {
        let ours = row("running")
            .instance_lifecycle(InstanceLifecycleType::Spot)
            .tags(tag(TAG_HUB, "hub"))
            .tags(tag(TAG_SWAP, "sw-0000000000000001"))
            .tags(tag(TAG_GROUP, "web one"));
        let seen = read(&ours.build()).unwrap();
        assert_eq!((seen.state, seen.az.as_str(), seen.kind.is_some()), (RunState::Running, "euw1-az2", true));
        assert_eq!((seen.facts.lifecycle, seen.facts.launched_at), (Lifecycle::Spot, Timestamp(7000)));
        assert_eq!(seen.facts.swap.as_ref().map(ToString::to_string).as_deref(), Some("sw-0000000000000001"));
        assert_eq!(seen.group.unwrap().as_str(), "web one");
        let theirs = row("running").tags(tag(TAG_HUB, "other")).tags(tag(TAG_SWAP, "sw-0000000000000001")).build();
        assert_eq!(read(&theirs).unwrap().facts.swap, None);
        let odd = row("running").tags(tag(TAG_HUB, "hub")).tags(tag(TAG_SWAP, "'; DROP")).build();
        assert_eq!(read(&odd).unwrap().facts.swap, None);
    }

    #[test]
    fn ended_instances_have_no_subnet_and_living_ones_must() {
        let mut ended = row("terminated").state_transition_reason("User initiated (2026-01-02 03:04:05 GMT)").build();
        ended.subnet_id = None;
        let seen = read(&ended).unwrap();
        assert_eq!((seen.state, seen.ended_at), (RunState::Ended, Timestamp::from_rfc3339("2026-01-02T03:04:05Z")));
        let mut living = row("running").build();
        living.subnet_id = None;
        assert!(read(&living).is_none());
        for odd in ["", "Server.SpotInstanceTermination", "(x)", "(2026-13-02 03:04:05 GMT)", "User initiated ("] {
            assert_eq!(ended_at(odd), None, "{odd}");
        }
    }

    #[test]
    fn what_is_paid_for_anyway_is_reserved() {
        for (word, lifecycle, reserved) in [
            ("spot", Lifecycle::Spot, false),
            ("scheduled", Lifecycle::OnDemand, true),
            ("capacity-block", Lifecycle::OnDemand, true),
            ("interruptible-capacity-reservation", Lifecycle::OnDemand, true),
        ] {
            let seen = read(&row("running").instance_lifecycle(InstanceLifecycleType::from(word)).build()).unwrap();
            assert_eq!((seen.facts.lifecycle, seen.facts.reserved), (lifecycle, reserved), "{word}");
        }
        let host = Placement::builder().availability_zone("eu-west-1a").tenancy(Tenancy::Host).build();
        assert!(read(&row("running").placement(host).build()).unwrap().facts.dedicated);
        assert!(read(&row("running").capacity_reservation_id("cr-1").build()).unwrap().facts.reserved);
    }

    #[test]
    fn rows_without_the_essential_are_left_out() {
        assert!(read(&row("running").instance_id("i-nothex").build()).is_none());
        assert!(read(&Instance::builder().build()).is_none());
        assert!(read(&row("a new word").build()).is_none());
        assert_eq!(read(&row("stopping").build()).unwrap().state, RunState::Ended);
    }
}
