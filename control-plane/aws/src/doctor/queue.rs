//! Queues: how much stands in them, and how long.

use aws_sdk_cloudwatch::types::{Datapoint, Dimension, Statistic};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName as Name;
use aws_smithy_types::DateTime;
use serde::Deserialize;
use spothub_core::fault::Fault;
use spothub_core::id::Site;
use spothub_core::time::{Span, Timestamp};

use super::{Doctor, there};
use crate::action::Action;

/// What is asked of each queue.
const ATTRIBUTES: [Name; 4] = [
    Name::ApproximateNumberOfMessages,
    Name::ApproximateNumberOfMessagesNotVisible,
    Name::QueueArn,
    Name::RedrivePolicy,
];
/// How far back the age of the oldest message is asked for: SQS reports each minute, some minutes late.
const REPORTED_WITHIN: Span = Span::mins(15);
/// The shortest period that SQS reports in, in seconds.
const PERIOD_S: i32 = 60;

/// A queue as it is; SQS's numbers are about a minute old.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct QueueSeen {
    /// Messages that wait.
    pub waiting: u64,
    /// Messages that somebody has received and not yet deleted.
    pub in_flight: u64,
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: Option<String>,
    /// Where messages go that are received too often, by ARN.
    pub dead_letters_arn: Option<String>,
}

impl QueueSeen {
    fn of<'a>(attribute: impl Fn(&Name) -> Option<&'a String>) -> Self {
        let number = |name: &Name| attribute(name).and_then(|text| text.parse().ok()).unwrap_or(0);
        let arn = attribute(&Name::QueueArn).map_or("", String::as_str);
        let redrive = attribute(&Name::RedrivePolicy);
        Self {
            waiting: number(&Name::ApproximateNumberOfMessages),
            in_flight: number(&Name::ApproximateNumberOfMessagesNotVisible),
            name: arn.rsplit(':').next().unwrap_or_default().to_owned(),
            arn: (!arn.is_empty()).then(|| arn.to_owned()),
            dead_letters_arn: redrive
                .and_then(|text| serde_json::from_str::<Redrive>(text).ok())
                .map(|policy| policy.dead_letters_arn),
        }
    }
}

#[derive(Deserialize)]
struct Redrive {
    #[serde(rename = "deadLetterTargetArn")]
    dead_letters_arn: String,
}

impl Doctor {
    /// A queue of a member by its name; `None` where there is none.
    pub async fn member_queue(&self, site: &Site, name: &str) -> Result<Option<QueueSeen>, Fault> {
        let line = self.line(site);
        let client = Client::new(line.client.config());
        let answer = line.call(Action::GetQueueUrl, None, client.get_queue_url().queue_name(name).send()).await;
        let Some(url) = there(answer)?.and_then(|answer| answer.queue_url) else { return Ok(None) };
        let request = client.get_queue_attributes().queue_url(url).set_attribute_names(Some(ATTRIBUTES.to_vec()));
        let answer = line.call(Action::GetQueueAttributes, None, request.send()).await;
        Ok(there(answer)?.map(|answer| QueueSeen::of(|name| answer.attributes()?.get(name))))
    }

    /// A queue of the hub by its URL; `None` where there is none.
    pub async fn hub_queue(&self, url: &str) -> Result<Option<QueueSeen>, Fault> {
        let client = Client::new(self.home.session());
        let request = client.get_queue_attributes().queue_url(url).set_attribute_names(Some(ATTRIBUTES.to_vec()));
        let answer = self.own(Action::GetQueueAttributes, request.send().await);
        Ok(there(answer)?.map(|answer| QueueSeen::of(|name| answer.attributes()?.get(name))))
    }

    /// A queue of the hub by its ARN; `None` where there is none.
    pub async fn hub_queue_of(&self, arn: &str) -> Result<Option<QueueSeen>, Fault> {
        let mut parts = arn.rsplit(':');
        let (name, owner) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let client = Client::new(self.home.session());
        let answer = client.get_queue_url().queue_name(name).queue_owner_aws_account_id(owner).send().await;
        match there(self.own(Action::GetQueueUrl, answer))?.and_then(|answer| answer.queue_url) {
            Some(url) => self.hub_queue(&url).await,
            None => Ok(None),
        }
    }

    /// How long the oldest message of a queue of the hub has waited, as SQS last reported it; `None` where it reported
    /// nothing.
    pub async fn oldest(&self, name: &str) -> Result<Option<Span>, Fault> {
        let now = self.clock.now();
        let time = |at: Timestamp| DateTime::from_millis(at.0);
        let client = aws_sdk_cloudwatch::Client::new(self.home.session());
        let request = client
            .get_metric_statistics()
            .namespace("AWS/SQS")
            .metric_name("ApproximateAgeOfOldestMessage")
            .dimensions(Dimension::builder().name("QueueName").value(name).build())
            .start_time(time(now - REPORTED_WITHIN))
            .end_time(time(now))
            .period(PERIOD_S)
            .statistics(Statistic::Maximum);
        let answer = self.own(Action::GetMetricStatistics, request.send().await).map_err(Fault::from)?;
        let last = answer.datapoints().iter().max_by_key(|point| point.timestamp().map(DateTime::secs));
        Ok(last.and_then(Datapoint::maximum).map(super::quota::whole).map(|s| Span::secs(i64::from(s))))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn attributes_are_read_leniently() {
        let policy = r#"{"deadLetterTargetArn":"arn:aws:sqs:eu-west-1:000000000001:hub-dead","maxReceiveCount":10}"#;
        let given = [
            (Name::ApproximateNumberOfMessages, "7"),
            (Name::QueueArn, "arn:aws:sqs:eu-west-1:000000000001:hub"),
            (Name::RedrivePolicy, policy),
        ];
        let of = |given: &[(Name, &str)]| {
            let given: BTreeMap<Name, String> = given.iter().map(|(k, v)| (k.clone(), (*v).to_owned())).collect();
            QueueSeen::of(|name| given.get(name))
        };
        let seen = of(&given);
        assert_eq!((seen.waiting, seen.in_flight, seen.name.as_str()), (7, 0, "hub"));
        assert_eq!(seen.dead_letters_arn.as_deref(), Some("arn:aws:sqs:eu-west-1:000000000001:hub-dead"));
        let odd = [(Name::ApproximateNumberOfMessages, "many"), (Name::RedrivePolicy, "{")];
        assert_eq!(of(&odd), QueueSeen::default());
    }
}
