//! A row of DescribeInstanceStatus as the engine sees it.

use aws_sdk_ec2::types::{InstanceStatus, InstanceStatusSummary};
use spothub_core::cloud::RunState;
use spothub_core::id::InstanceId;

use super::seen::run_state;

/// The state of a row: both checks must have passed, and one that failed is enough.
pub(super) fn state(row: &InstanceStatus) -> Option<(InstanceId, RunState)> {
    let id = row.instance_id()?.parse().ok()?;
    let state = run_state(row.instance_state()?.name()?.as_str())?;
    let word =
        |summary: Option<&InstanceStatusSummary>| summary.and_then(|s| s.status()).map(|s| s.as_str().to_owned());
    let checks = [word(row.system_status()), word(row.instance_status())];
    let all = |wanted: &str| checks.iter().all(|check| check.as_deref() == Some(wanted));
    let any = |wanted: &str| checks.iter().any(|check| check.as_deref() == Some(wanted));
    Some((
        id,
        match state {
            RunState::Running if all("ok") => RunState::Checked,
            RunState::Running if any("impaired") => RunState::Impaired,
            other @ (RunState::Pending
            | RunState::Running
            | RunState::Checked
            | RunState::Impaired
            | RunState::Ended) => other,
        },
    ))
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::{InstanceState, InstanceStateName, SummaryStatus};

    use super::*;

    #[test]
    fn checks_make_a_state() {
        let rows = [
            ("pending", "not-applicable", "not-applicable", RunState::Pending),
            ("running", "initializing", "initializing", RunState::Running),
            ("running", "ok", "initializing", RunState::Running),
            ("running", "ok", "ok", RunState::Checked),
            ("running", "ok", "impaired", RunState::Impaired),
            ("running", "insufficient-data", "ok", RunState::Running),
            ("running", "something", "new", RunState::Running),
            ("shutting-down", "ok", "ok", RunState::Ended),
            ("stopped", "not-applicable", "not-applicable", RunState::Ended),
        ];
        for (word, system, instance, expected) in rows {
            let check = |word| InstanceStatusSummary::builder().status(SummaryStatus::from(word)).build();
            let row = InstanceStatus::builder()
                .instance_id("i-0123456789abcdef0")
                .instance_state(InstanceState::builder().name(InstanceStateName::from(word)).build())
                .system_status(check(system))
                .instance_status(check(instance));
            assert_eq!(state(&row.build()).unwrap().1, expected, "{word} {system} {instance}");
        }
        assert_eq!(state(&InstanceStatus::builder().build()), None);
    }
}
