//! EventBridge envelopes to signals, keyed by (source, detail-type).
//!
//! Reads leniently (unknown fields, missing options) and trusts nothing: ids are checked, sizes are limited, and
//! what is not on the closed list is refused with its reason.

use std::borrow::Cow;

use serde::Deserialize;

use crate::id::{AccountId, GroupKey, GroupName, InstanceId, Region};
use crate::time::{Span, Timestamp};

/// The largest body read: SQS's own limit of 1 MiB. EventBridge entries are far smaller.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;
/// From an interruption warning to the taking back (aws-facts 4.1).
pub const NOTICE: Span = Span::secs(120);

/// What an event tells.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Signal {
    /// AWS will take this instance.
    Interruption {
        /// The instance.
        instance: InstanceId,
        /// When, by the event's time.
        deadline: Timestamp,
    },
    /// AWS may take this instance soon.
    Rebalance {
        /// The instance.
        instance: InstanceId,
    },
    /// An instance began to run, or ended.
    StateChange {
        /// The instance.
        instance: InstanceId,
    },
    /// Something changed in a group: a launch, a termination, a refresh.
    Group {
        /// The group.
        name: GroupName,
    },
    /// A worker's own word to whoever is there then: something of the group is in flight.
    Wake {
        /// The group.
        name: GroupName,
    },
}

/// A checked event.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Event {
    /// The envelope's id.
    pub id: String,
    /// Its detail-type.
    pub detail_type: String,
    /// The account it came from.
    pub account: AccountId,
    /// The region it came from.
    pub region: Region,
    /// What it tells.
    pub signal: Signal,
}

/// Why a body is no event for us; `id` and `detail_type` as far as they could be read (shortened).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Rejected {
    /// Stable label.
    pub reason: &'static str,
    /// The envelope's id.
    pub id: String,
    /// The detail-type.
    pub detail_type: String,
    /// The account.
    pub account: Option<AccountId>,
    /// The region.
    pub region: Option<Region>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow, rename = "detail-type")]
    detail_type: Cow<'a, str>,
    #[serde(borrow)]
    source: Cow<'a, str>,
    #[serde(borrow)]
    account: Cow<'a, str>,
    #[serde(borrow)]
    region: Cow<'a, str>,
    #[serde(borrow, default)]
    time: Cow<'a, str>,
    #[serde(borrow)]
    detail: Detail<'a>,
}

#[derive(Deserialize)]
struct Detail<'a> {
    #[serde(borrow, rename = "instance-id")]
    instance: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "AutoScalingGroupName")]
    group: Option<Cow<'a, str>>,
    #[serde(borrow)]
    state: Option<Cow<'a, str>>,
}

/// The source of messages of our own.
const SOURCE: &str = "spothub";
/// Their detail-type.
const WAKE: &str = "Swap In Flight";

/// The message that wakes a group, as [`parse`] reads it; `id` tells it from others.
#[must_use]
pub fn wake(group: &GroupKey, id: &str, now: Timestamp) -> String {
    serde_json::json!({
        "version": "0", "id": id, "source": SOURCE, "detail-type": WAKE,
        "account": group.site.account.to_string(), "region": group.site.region.as_str(), "time": now.to_rfc3339(),
        "resources": [], "detail": { "AutoScalingGroupName": group.name.as_str() },
    })
    .to_string()
}

const ID_CHARS_MAX: usize = 64;

/// Reads one body as it came from a queue. `received` stands in where the envelope has no readable time.
pub fn parse(body: &[u8], received: Timestamp) -> Result<Event, Box<Rejected>> {
    let plain = |reason| Box::new(Rejected { reason, ..Rejected::default() });
    if body.len() > BODY_BYTES_MAX {
        return Err(plain("too-large"));
    }
    let envelope: Envelope<'_> = serde_json::from_slice(body)
        .map_err(|error| plain(if error.is_data() { "no-envelope" } else { "not-json" }))?;
    let account = envelope.account.parse::<AccountId>().ok();
    let region = envelope.region.parse::<Region>().ok();
    let reject = |reason| {
        let short = |text: &str| text.chars().filter(|c| !c.is_control()).take(ID_CHARS_MAX).collect();
        let (id, detail_type) = (short(&envelope.id), short(&envelope.detail_type));
        Box::new(Rejected { reason, id, detail_type, account, region: region.clone() })
    };
    if envelope.id.is_empty() || envelope.id.len() > ID_CHARS_MAX || envelope.id.chars().any(char::is_control) {
        return Err(reject("bad-event-id"));
    }
    let signal = signal(&envelope, received).map_err(reject)?;
    match (account, region.clone()) {
        (None, _) => Err(reject("bad-account")),
        (_, None) => Err(reject("bad-region")),
        (Some(account), Some(region)) => Ok(Event {
            id: envelope.id.as_ref().to_owned(),
            detail_type: envelope.detail_type.as_ref().to_owned(),
            account,
            region,
            signal,
        }),
    }
}

fn signal(envelope: &Envelope<'_>, received: Timestamp) -> Result<Signal, &'static str> {
    let instance = || {
        let text = envelope.detail.instance.as_ref().ok_or("no-instance-id")?;
        text.parse::<InstanceId>().map_err(|_| "bad-instance-id")
    };
    let group = || {
        let text = envelope.detail.group.as_ref().ok_or("no-group-name")?;
        text.parse::<GroupName>().map_err(|_| "bad-group-name")
    };
    match (envelope.source.as_ref(), envelope.detail_type.as_ref()) {
        ("aws.ec2", "EC2 Spot Instance Interruption Warning") => {
            let sent = Timestamp::from_rfc3339(&envelope.time).unwrap_or(received);
            Ok(Signal::Interruption { instance: instance()?, deadline: sent + NOTICE })
        }
        ("aws.ec2", "EC2 Instance Rebalance Recommendation") => Ok(Signal::Rebalance { instance: instance()? }),
        ("aws.ec2", "EC2 Instance State-change Notification") => match envelope.detail.state.as_deref() {
            Some("running" | "terminated") => Ok(Signal::StateChange { instance: instance()? }),
            Some(_) => Err("state-not-needed"),
            None => Err("no-state"),
        },
        (
            "aws.autoscaling",
            "EC2 Instance Launch Successful"
            | "EC2 Instance Launch Unsuccessful"
            | "EC2 Instance Terminate Successful"
            | "EC2 Instance Terminate Unsuccessful"
            | "EC2 Auto Scaling Instance Refresh Started"
            | "EC2 Auto Scaling Instance Refresh Succeeded"
            | "EC2 Auto Scaling Instance Refresh Failed"
            | "EC2 Auto Scaling Instance Refresh Cancelled",
        ) => Ok(Signal::Group { name: group()? }),
        (SOURCE, WAKE) => Ok(Signal::Wake { name: group()? }),
        ("aws.ec2" | "aws.autoscaling", _) => Err("unlisted-detail-type"),
        _ => Err("unlisted-source"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warning(id: &str, account: &str) -> String {
        format!(
            r#"{{"version":"0","id":"e-1","detail-type":"EC2 Spot Instance Interruption Warning","source":"aws.ec2",
            "account":"{account}","time":"2026-01-01T00:00:00Z","region":"us-east-2","resources":[],
            "detail":{{"instance-id":"{id}","instance-action":"terminate"}}}}"#
        )
    }

    fn reason(body: &str) -> &'static str {
        parse(body.as_bytes(), Timestamp(0)).unwrap_err().reason
    }

    #[test]
    fn a_warning_has_a_deadline() {
        let event = parse(warning("i-1234567890abcdef0", "123456789012").as_bytes(), Timestamp(0)).unwrap();
        let Signal::Interruption { instance, deadline } = event.signal else { panic!("{event:?}") };
        assert_eq!(instance.to_string(), "i-1234567890abcdef0");
        assert_eq!(deadline.to_rfc3339(), "2026-01-01T00:02:00Z");
    }

    #[test]
    fn a_wake_of_our_own_names_its_group() {
        let site = crate::id::Site { account: "123456789012".parse().unwrap(), region: "us-east-2".parse().unwrap() };
        let group = GroupKey { site, name: "web \"ä\" {1}".parse().unwrap() };
        let event = parse(wake(&group, "w-1", Timestamp(0)).as_bytes(), Timestamp(0)).unwrap();
        assert_eq!(event.signal, Signal::Wake { name: group.name });
    }

    #[test]
    fn nonsense_has_a_reason() {
        assert_eq!(reason("{"), "not-json");
        assert_eq!(reason("{}"), "no-envelope");
        assert_eq!(reason(&warning("i-../../etc", "123456789012")), "bad-instance-id");
        assert_eq!(reason(&warning("i-1234567890abcdef0", "12")), "bad-account");
        assert_eq!(reason(&warning("i-1", "1").replace("aws.ec2", "evil")), "unlisted-source");
        assert_eq!(parse(&vec![b' '; BODY_BYTES_MAX + 1], Timestamp(0)).unwrap_err().reason, "too-large");
    }
}
