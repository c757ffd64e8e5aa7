//! Rules of EventBridge, and where they send.

use aws_sdk_eventbridge::operation::describe_rule::DescribeRuleOutput;
use aws_sdk_eventbridge::types::{RetryPolicy, RuleState, Target};
use spothub_core::fault::Fault;
use spothub_core::id::Site;

use super::{Doctor, there};
use crate::action::Action;

/// A rule as it is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RuleSeen {
    /// Whether it takes events.
    pub enabled: bool,
    /// Its pattern, as EventBridge gives it back.
    pub pattern: Option<String>,
    /// Its description.
    pub description: Option<String>,
    /// Where it sends.
    pub targets: Vec<TargetSeen>,
}

/// One target of a rule.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TargetSeen {
    /// What it sends to.
    pub arn: String,
    /// The role that it sends with.
    pub role_arn: Option<String>,
    /// Where it puts what it cannot send.
    pub dead_letters_arn: Option<String>,
    /// For how long it tries, in seconds.
    pub age_max_s: Option<i32>,
}

impl RuleSeen {
    fn of(answer: &DescribeRuleOutput, targets: &[Target]) -> Self {
        Self {
            // Also with the addition that it takes events of reading calls.
            enabled: !matches!(answer.state(), None | Some(RuleState::Disabled)),
            pattern: answer.event_pattern().map(ToOwned::to_owned),
            description: answer.description().map(ToOwned::to_owned),
            targets: targets.iter().map(TargetSeen::of).collect(),
        }
    }
}

impl TargetSeen {
    fn of(target: &Target) -> Self {
        Self {
            arn: target.arn().to_owned(),
            role_arn: target.role_arn().map(ToOwned::to_owned),
            dead_letters_arn: target.dead_letter_config().and_then(|to| to.arn()).map(ToOwned::to_owned),
            age_max_s: target.retry_policy().and_then(RetryPolicy::maximum_event_age_in_seconds),
        }
    }
}

impl Doctor {
    /// A rule on a member's default bus; `None` where there is none of this name.
    pub async fn rule(&self, site: &Site, name: &str) -> Result<Option<RuleSeen>, Fault> {
        let line = self.line(site);
        let client = aws_sdk_eventbridge::Client::new(line.client.config());
        let answer = line.call(Action::DescribeRule, None, client.describe_rule().name(name).send()).await;
        let Some(rule) = there(answer)? else { return Ok(None) };
        // Five at most for a rule, and a page has a hundred.
        let request = client.list_targets_by_rule().rule(name).send();
        let answer = line.call(Action::ListTargetsByRule, None, request).await;
        Ok(there(answer)?.map(|answer| RuleSeen::of(&rule, answer.targets())))
    }

    /// A rule on the hub's bus; `None` where there is none of this name, or no such bus.
    pub async fn hub_rule(&self, bus: &str, name: &str) -> Result<Option<RuleSeen>, Fault> {
        let client = aws_sdk_eventbridge::Client::new(self.home.session());
        let answer = client.describe_rule().event_bus_name(bus).name(name).send().await;
        let Some(rule) = there(self.own(Action::DescribeRule, answer))? else { return Ok(None) };
        let answer = client.list_targets_by_rule().event_bus_name(bus).rule(name).send().await;
        Ok(there(self.own(Action::ListTargetsByRule, answer))?.map(|answer| RuleSeen::of(&rule, answer.targets())))
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_eventbridge::types::DeadLetterConfig;

    use super::*;

    #[test]
    fn only_a_known_state_is_on() {
        let on = |state: Option<RuleState>| {
            RuleSeen::of(&DescribeRuleOutput::builder().set_state(state).build(), &[]).enabled
        };
        assert!(on(Some(RuleState::Enabled)) && on(Some(RuleState::EnabledWithAllCloudtrailManagementEvents)));
        assert!(!on(Some(RuleState::Disabled)) && !on(None));
    }

    #[test]
    fn targets_are_taken_as_they_are() {
        let retry = RetryPolicy::builder().maximum_event_age_in_seconds(300).build();
        let dead = DeadLetterConfig::builder().arn("arn:dead").build();
        let target = Target::builder().id("hub").arn("arn:bus").role_arn("arn:role");
        let target = target.dead_letter_config(dead).retry_policy(retry).build().unwrap();
        let seen = TargetSeen::of(&target);
        assert_eq!((seen.arn.as_str(), seen.role_arn.as_deref()), ("arn:bus", Some("arn:role")));
        assert_eq!((seen.dead_letters_arn.as_deref(), seen.age_max_s), (Some("arn:dead"), Some(300)));
        let bare = TargetSeen::of(&Target::builder().id("hub").arn("arn:bus").build().unwrap());
        assert_eq!(bare, TargetSeen { arn: "arn:bus".to_owned(), ..TargetSeen::default() });
    }
}
