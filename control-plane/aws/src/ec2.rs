//! EC2: reading instances, and ending our own.

mod marked;
mod seen;
mod status;

use std::collections::BTreeSet;

use aws_sdk_ec2::types::{Filter, Instance};
use spothub_core::fault::Fault;
use spothub_core::id::{InstanceId, SwapId};
use spothub_core::port::{InstanceSeen, RunState};
use spothub_core::time::Timestamp;

use crate::action::Action;
use crate::cloud::Line;
use crate::zone::Names;

use marked::MARKED;
pub(crate) use seen::{TAG_GROUP, TAG_HUB, TAG_MANAGED, TAG_REPLACES, TAG_SWAP};

/// Values that one filter takes.
const FILTER_MAX: usize = 200;
/// Instances in one answer.
const PAGE: i32 = 1000;
/// Pages read at most: 50,000 instances, more than an account has of one hub by far.
const PAGES_MAX: usize = 50;
/// Ids in one DescribeInstanceStatus.
const STATUS_MAX: usize = 100;
/// How often a status call is repeated without the ids that EC2 does not know yet.
const REPEATS_MAX: usize = 2;

fn filter(name: &str, values: impl IntoIterator<Item = String>) -> Filter {
    Filter::builder().name(name).set_values(Some(values.into_iter().collect())).build()
}

impl Line<'_> {
    /// Instances by id. A filter leaves out what EC2 does not know, where asking by id would fail as a whole.
    pub(crate) async fn instances(&self, ids: &[InstanceId]) -> Result<Vec<InstanceSeen>, Fault> {
        let mut seen = Vec::with_capacity(ids.len());
        for some in ids.chunks(FILTER_MAX) {
            let asked: BTreeSet<&InstanceId> = some.iter().collect();
            let named = filter("instance-id", some.iter().map(ToString::to_string));
            let found = self.filtered(named).await?;
            seen.extend(found.into_iter().filter(|row| asked.contains(&row.id)));
        }
        Ok(seen)
    }

    /// All instances with this hub's tag.
    pub(crate) async fn managed(&self) -> Result<Vec<InstanceSeen>, Fault> {
        let hub = self.cloud.hub.as_str().to_owned();
        self.filtered(filter(&format!("tag:{TAG_HUB}"), [hub])).await
    }

    /// The instance of one swap that is not ended, with its type, found by its tag.
    pub(crate) async fn launched_for(&self, swap: &SwapId) -> Result<Option<InstanceSeen>, Fault> {
        let rows = self.filtered(filter(&format!("tag:{TAG_SWAP}"), [swap.to_string()])).await?;
        let ours = |row: &InstanceSeen| row.facts.swap.as_ref() == Some(swap) && row.state != RunState::Ended;
        Ok(rows.into_iter().find(ours))
    }

    async fn filtered(&self, by: Filter) -> Result<Vec<InstanceSeen>, Fault> {
        let (mut seen, mut token) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let request = self.client.ec2().describe_instances().filters(by.clone()).max_results(PAGE);
            let sending = request.set_next_token(token).send();
            let answer = self.call(Action::DescribeInstances, None, sending).await?;
            let rows = answer.reservations.unwrap_or_default().into_iter().filter_map(|r| r.instances).flatten();
            let rows: Vec<Instance> = rows.collect();
            let zones = self.zones_for(&rows).await?;
            seen.extend(rows.iter().filter_map(|row| seen::instance(row, &zones, self.cloud.catalog, &self.cloud.hub)));
            token = answer.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(seen);
            }
        }
        Err(Fault::Invalid("the region has more instances than are read"))
    }

    async fn zones_for(&self, rows: &[Instance]) -> Result<Names, Fault> {
        let lacks = |row: &Instance| row.placement().is_some_and(|p| p.availability_zone_id().is_none());
        if rows.iter().any(lacks) { self.zones().await } else { Ok(Names::default()) }
    }

    /// States and status checks. EC2 refuses the whole call for an id that it does not know yet and names it; the call
    /// is then repeated without.
    pub(crate) async fn status(&self, ids: &[InstanceId]) -> Result<Vec<(InstanceId, RunState)>, Fault> {
        let mut rows = Vec::with_capacity(ids.len());
        for some in ids.chunks(STATUS_MAX) {
            rows.extend(self.status_of(some.to_vec()).await?);
        }
        Ok(rows)
    }

    async fn status_of(&self, mut ids: Vec<InstanceId>) -> Result<Vec<(InstanceId, RunState)>, Fault> {
        for _ in 0..=REPEATS_MAX {
            if ids.is_empty() {
                break;
            }
            let named = ids.iter().map(ToString::to_string).collect();
            let request = self.client.ec2().describe_instance_status().set_instance_ids(Some(named));
            let sending = request.include_all_instances(true).send();
            match self.call(Action::DescribeInstanceStatus, None, sending).await {
                Ok(answer) => return Ok(answer.instance_statuses().iter().filter_map(status::state).collect()),
                Err(failed) if failed.code.starts_with("InvalidInstanceID") => {
                    let before = ids.len();
                    ids.retain(|id| !failed.message.contains(&id.to_string()));
                    if ids.len() == before {
                        break;
                    }
                }
                Err(failed) => return Err(failed.fault),
            }
        }
        Ok(Vec::new())
    }

    /// Spot instances that EC2 has marked to be taken, and since when. The instance still runs while its request says
    /// so (aws-facts 4.1).
    pub(crate) async fn marked(&self, ids: &[InstanceId]) -> Result<Vec<(InstanceId, Timestamp)>, Fault> {
        let mut rows = Vec::new();
        for some in ids.chunks(FILTER_MAX) {
            let request = self.client.ec2().describe_spot_instance_requests().max_results(PAGE);
            let request = request.filters(filter("instance-id", some.iter().map(ToString::to_string)));
            // An instance has one request, so one page holds all.
            let sending = request.filters(filter("status-code", MARKED.map(str::to_owned))).send();
            let answer = self.call(Action::DescribeSpotInstanceRequests, None, sending).await?;
            rows.extend(answer.spot_instance_requests().iter().filter_map(marked::row));
        }
        rows.retain(|(id, _)| ids.contains(id));
        Ok(rows)
    }

    /// Ends one instance.
    pub(crate) async fn terminate(&self, id: &InstanceId) -> Result<(), Fault> {
        let request = self.client.ec2().terminate_instances().instance_ids(id.to_string());
        self.call(Action::TerminateInstances, Some(id), request.send()).await?;
        Ok(())
    }
}
