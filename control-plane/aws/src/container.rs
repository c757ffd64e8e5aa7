//! Amazon ECS: container instances of a cluster, and setting them to DRAINING and back.

use aws_sdk_ecs::types::{ContainerInstance, ContainerInstanceStatus, Failure};
use spothub_core::fault::Fault;
use spothub_core::id::{ClusterName, ContainerArn, InstanceId};
use spothub_core::port::{ContainerSeen, ContainerState};

use crate::action::Action;
use crate::cloud::Line;

/// Container instances in one DescribeContainerInstances, and in a page of ListContainerInstances (API reference).
const PAGE: usize = 100;
/// Pages read of one cluster: 5,000 container instances are its quota, and the filter names at most 100 of them.
const PAGES_MAX: usize = 50;

impl Line<'_> {
    /// What a cluster says of these instances. The filter spares the rest of a large cluster; whether it was heeded is
    /// not relied upon.
    pub(crate) async fn containers(
        &self,
        cluster: &ClusterName,
        ids: &[InstanceId],
    ) -> Result<Vec<ContainerSeen>, Fault> {
        let arns = match self.listed(cluster, &filter(ids)).await {
            Err(Fault::Gone) => return Ok(Vec::new()),
            arns => arns?,
        };
        let mut found = Vec::with_capacity(ids.len());
        for some in arns.chunks(PAGE) {
            let request = self.client.clusters().describe_container_instances();
            let request = request.cluster(cluster.as_str()).set_container_instances(Some(some.to_vec()));
            let answer = match self.call(Action::DescribeContainerInstances, None, request.send()).await {
                Err(failed) if failed.fault == Fault::Gone => return Ok(Vec::new()),
                answer => answer?,
            };
            // One that went since it was listed is among the failures: it is not registered.
            found.extend(answer.container_instances().iter().filter_map(seen).filter(|row| ids.contains(&row.id)));
        }
        Ok(found)
    }

    async fn listed(&self, cluster: &ClusterName, filter: &str) -> Result<Vec<String>, Fault> {
        let (mut arns, mut next) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let request = self.client.clusters().list_container_instances().cluster(cluster.as_str());
            let request = request.filter(filter).set_next_token(next);
            let answer = self.call(Action::ListContainerInstances, None, request.send()).await?;
            arns.extend(answer.container_instance_arns.unwrap_or_default());
            next = answer.next_token.filter(|token| !token.is_empty());
            if next.is_none() {
                return Ok(arns);
            }
        }
        tracing::warn!(account = %self.site.account, region = %self.site.region, %cluster,
            "the cluster has more container instances than are read");
        Ok(arns)
    }

    /// Sets a container instance to DRAINING, or to ACTIVE.
    pub(crate) async fn drain(
        &self,
        cluster: &ClusterName,
        container: &ContainerArn,
        drains: bool,
    ) -> Result<(), Fault> {
        let status = if drains { ContainerInstanceStatus::Draining } else { ContainerInstanceStatus::Active };
        let request = self.client.clusters().update_container_instances_state();
        let request = request.cluster(cluster.as_str()).container_instances(container.as_str()).status(status);
        let answer = self.call(Action::UpdateContainerInstancesState, None, request.send()).await?;
        answer.failures().first().map_or(Ok(()), |failure| Err(refused(failure)))
    }
}

/// The query that names these instances, in the words of the cluster query language.
fn filter(ids: &[InstanceId]) -> String {
    let ids: Vec<String> = ids.iter().map(|id| format!("'{id}'")).collect();
    format!("ec2InstanceId in [{}]", ids.join(", "))
}

/// What a row says; one without an instance or an ARN says nothing.
fn seen(row: &ContainerInstance) -> Option<ContainerSeen> {
    Some(ContainerSeen {
        id: row.ec2_instance_id()?.parse().ok()?,
        arn: row.container_instance_arn()?.parse().ok()?,
        state: match row.status()? {
            "ACTIVE" => ContainerState::Active,
            "DRAINING" => ContainerState::Draining,
            _ => ContainerState::Other,
        },
        connected: row.agent_connected(),
        tasks: u32::try_from(row.running_tasks_count()).unwrap_or(0),
    })
}

/// Why one of them was not set, though the call as such was answered: `MISSING` and `INACTIVE` are gone for good.
fn refused(failure: &Failure) -> Fault {
    match failure.reason() {
        Some("MISSING" | "INACTIVE") => Fault::Gone,
        _ => Fault::Invalid("the container instance cannot be set to that state"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_are_named_by_the_query() {
        let ids = [1, 2].map(InstanceId::from_number);
        let [one, two] = [&ids[0], &ids[1]];
        assert_eq!(filter(&ids), format!("ec2InstanceId in ['{one}', '{two}']"));
    }

    #[test]
    fn rows_say_whether_tasks_may_come_and_how_many_run() {
        let arn = "arn:aws:ecs:eu-west-1:000000000042:container-instance/web/0123";
        let row = |status: &str| {
            let row = ContainerInstance::builder().ec2_instance_id("i-0123456789abcdef0").container_instance_arn(arn);
            row.status(status).agent_connected(true).running_tasks_count(2).pending_tasks_count(1).build()
        };
        let states = [
            ("ACTIVE", ContainerState::Active),
            ("DRAINING", ContainerState::Draining),
            ("REGISTERING", ContainerState::Other),
        ];
        for (word, state) in states {
            let row = seen(&row(word)).unwrap();
            assert_eq!((row.state, row.connected, row.tasks, row.arn.as_str()), (state, true, 2, arn));
        }
        assert_eq!(seen(&ContainerInstance::builder().status("ACTIVE").build()), None, "an external instance");
    }

    #[test]
    fn what_is_not_there_is_gone() {
        let failure = |reason: &str| Failure::builder().reason(reason).build();
        assert_eq!(refused(&failure("MISSING")), Fault::Gone);
        assert!(matches!(refused(&failure("new")), Fault::Invalid(_)));
    }
}
