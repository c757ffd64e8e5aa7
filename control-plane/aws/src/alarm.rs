//! CloudWatch: the alarms that guard groups.

use aws_sdk_cloudwatch::types::{AlarmType, StateValue};
use spothub_core::fault::Fault;
use spothub_core::group::Alarm;

use crate::action::Action;
use crate::cloud::Line;

/// Names in one DescribeAlarms.
const NAMES: usize = 100;

impl Line<'_> {
    /// Alarms by name, metric and composite ones; what CloudWatch does not know is left out.
    pub(crate) async fn alarms(&self, names: &[String]) -> Result<Vec<Alarm>, Fault> {
        let mut found = Vec::with_capacity(names.len());
        for some in names.chunks(NAMES) {
            let request = self.client.alarms().describe_alarms().set_alarm_names(Some(some.to_vec()));
            // Without them, composite alarms are left out.
            let request = request.alarm_types(AlarmType::MetricAlarm).alarm_types(AlarmType::CompositeAlarm);
            let answer = self.call(Action::DescribeAlarms, None, request.send()).await?;
            let metric = answer.metric_alarms().iter().map(|alarm| (alarm.alarm_name(), alarm.state_value()));
            let composite = answer.composite_alarms().iter().map(|alarm| (alarm.alarm_name(), alarm.state_value()));
            found.extend(metric.chain(composite).filter_map(|(name, state)| alarm(name, state)));
        }
        Ok(found)
    }
}

/// An alarm without a name or a state is as good as unknown.
fn alarm(name: Option<&str>, state: Option<&StateValue>) -> Option<Alarm> {
    Some(Alarm { name: name?.to_owned(), red: *state? == StateValue::Alarm })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_state_alarm_is_red() {
        let red = |state: StateValue| alarm(Some("a"), Some(&state)).unwrap().red;
        assert!(red(StateValue::Alarm) && !red(StateValue::Ok) && !red(StateValue::InsufficientData));
        assert_eq!(alarm(Some("a"), None), None);
    }
}
