//! Elastic Load Balancing: whether a target takes traffic.

use aws_sdk_elasticloadbalancingv2::types::{
    TargetDescription, TargetHealth, TargetHealthReasonEnum, TargetHealthStateEnum,
};
use spothub_core::fault::Fault;
use spothub_core::id::{BalancerName, InstanceId, TargetGroupArn};
use spothub_core::port::TargetState;

use crate::action::Action;
use crate::cloud::Line;

impl Line<'_> {
    /// Health of one instance in one target group. A target group that is gone has no targets.
    pub(crate) async fn target(&self, group: &TargetGroupArn, id: &InstanceId) -> Result<TargetState, Fault> {
        let target = TargetDescription::builder().id(id.to_string()).build();
        let request = self.client.targets().describe_target_health().target_group_arn(group.as_str()).targets(target);
        let answer = match self.call(Action::DescribeTargetHealth, Some(id), request.send()).await {
            Err(failed) if matches!(failed.fault, Fault::Gone | Fault::Conflict(_)) => return Ok(TargetState::Absent),
            answer => answer?,
        };
        let rows = answer.target_health_descriptions.unwrap_or_default();
        // Registered under several ports, it serves when all of them do.
        let states = rows.iter().map(|row| state(row.target_health()));
        Ok(states.max().unwrap_or(TargetState::Absent))
    }
}

impl Line<'_> {
    /// Health of one instance in one classic load balancer. One that is gone, and one that does not have it, are told
    /// by their errors.
    pub(crate) async fn balancer(&self, name: &BalancerName, id: &InstanceId) -> Result<TargetState, Fault> {
        let instance = aws_sdk_elasticloadbalancing::types::Instance::builder().instance_id(id.to_string()).build();
        let request = self.client.balancers().describe_instance_health();
        let request = request.load_balancer_name(name.as_str()).instances(instance);
        let answer = match self.call(Action::DescribeInstanceHealth, Some(id), request.send()).await {
            Err(failed) if matches!(failed.fault, Fault::Gone | Fault::Conflict(_)) => return Ok(TargetState::Absent),
            answer => answer?,
        };
        let rows = answer.instance_states();
        let text = id.to_string();
        let own = rows.iter().find(|row| row.instance_id() == Some(text.as_str()));
        Ok(own.map_or(TargetState::Absent, |row| in_classic(row.state())))
    }
}

/// What a classic load balancer says: `InService`, `OutOfService` or `Unknown`.
fn in_classic(state: Option<&str>) -> TargetState {
    if state == Some("InService") { TargetState::Healthy } else { TargetState::NotHealthy }
}

/// What one row says. Nobody waits for a target group that no load balancer uses, nor where checks are off.
fn state(health: Option<&TargetHealth>) -> TargetState {
    let Some(health) = health else { return TargetState::NotHealthy };
    let (state, reason) =
        (health.state().map(TargetHealthStateEnum::as_str), health.reason().map(TargetHealthReasonEnum::as_str));
    match (state, reason) {
        (Some("healthy"), _) | (_, Some("Target.NotInUse" | "Target.HealthCheckDisabled")) => TargetState::Healthy,
        (_, Some("Target.NotRegistered")) => TargetState::Absent,
        _ => TargetState::NotHealthy,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_classic_balancer_serves_in_one_state_alone() {
        assert_eq!(in_classic(Some("InService")), TargetState::Healthy);
        for other in [Some("OutOfService"), Some("Unknown"), Some("new"), None] {
            assert_eq!(in_classic(other), TargetState::NotHealthy, "{other:?}");
        }
    }

    #[test]
    fn states_and_reasons() {
        let rows = [
            ("healthy", "", TargetState::Healthy),
            ("initial", "Elb.RegistrationInProgress", TargetState::NotHealthy),
            ("unhealthy", "Target.FailedHealthChecks", TargetState::NotHealthy),
            ("draining", "Target.DeregistrationInProgress", TargetState::NotHealthy),
            ("unused", "Target.NotRegistered", TargetState::Absent),
            ("unused", "Target.NotInUse", TargetState::Healthy),
            ("unavailable", "Target.HealthCheckDisabled", TargetState::Healthy),
            ("something", "new", TargetState::NotHealthy),
        ];
        for (word, reason, expected) in rows {
            let health = TargetHealth::builder()
                .state(TargetHealthStateEnum::from(word))
                .reason(TargetHealthReasonEnum::from(reason))
                .build();
            assert_eq!(state(Some(&health)), expected, "{word} {reason}");
        }
        assert_eq!(state(None), TargetState::NotHealthy);
    }
}
