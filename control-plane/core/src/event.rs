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

/// What a listed event tells.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Tells {
    /// [`Signal::Interruption`].
    Interruption,
    /// [`Signal::Rebalance`].
    Rebalance,
    /// [`Signal::StateChange`].
    State,
    /// [`Signal::Group`].
    Group,
}

impl Tells {
    /// Whether it must not wait behind others.
    #[must_use]
    pub const fn is_urgent(self) -> bool {
        matches!(self, Self::Interruption | Self::Rebalance)
    }
}

/// An event of AWS's that is read.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// Its source.
    pub source: &'static str,
    /// Its detail-type.
    pub detail_type: &'static str,
    /// The states that are read, where it names one; other states are refused.
    pub states: &'static [&'static str],
    /// What it tells.
    pub tells: Tells,
}

const fn ec2(detail_type: &'static str, tells: Tells) -> Known {
    Known { source: "aws.ec2", detail_type, states: &[], tells }
}

const fn group(detail_type: &'static str) -> Known {
    Known { source: "aws.autoscaling", detail_type, states: &[], tells: Tells::Group }
}

/// Every event of AWS's that is read: the rules in members forward these and no others.
pub const KNOWN: &[Known] = &[
    ec2("EC2 Spot Instance Interruption Warning", Tells::Interruption),
    ec2("EC2 Instance Rebalance Recommendation", Tells::Rebalance),
    Known { states: &["running", "terminated"], ..ec2("EC2 Instance State-change Notification", Tells::State) },
    group("EC2 Instance Launch Successful"),
    group("EC2 Instance Launch Unsuccessful"),
    group("EC2 Instance Terminate Successful"),
    group("EC2 Instance Terminate Unsuccessful"),
    group("EC2 Auto Scaling Instance Refresh Started"),
    group("EC2 Auto Scaling Instance Refresh Succeeded"),
    group("EC2 Auto Scaling Instance Refresh Failed"),
    group("EC2 Auto Scaling Instance Refresh Cancelled"),
];

/// The source of probes: whoever checks the way from a member's bus to the hub sends them, and they have a queue of
/// their own. They are no signal here.
pub const PROBE_SOURCE: &str = "spothub.probe";

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
    let (source, detail_type) = (envelope.source.as_ref(), envelope.detail_type.as_ref());
    if (source, detail_type) == (SOURCE, WAKE) {
        return Ok(Signal::Wake { name: group()? });
    }
    if KNOWN.iter().all(|known| known.source != source) {
        return Err("unlisted-source");
    }
    let known = KNOWN.iter().find(|known| (known.source, known.detail_type) == (source, detail_type));
    let known = known.ok_or("unlisted-detail-type")?;
    if !known.states.is_empty() {
        let state = envelope.detail.state.as_deref().ok_or("no-state")?;
        known.states.iter().find(|listed| **listed == state).ok_or("state-not-needed")?;
    }
    Ok(match known.tells {
        Tells::Interruption => {
            let sent = Timestamp::from_rfc3339(&envelope.time).unwrap_or(received);
            Signal::Interruption { instance: instance()?, deadline: sent + NOTICE }
        }
        Tells::Rebalance => Signal::Rebalance { instance: instance()? },
        Tells::State => Signal::StateChange { instance: instance()? },
        Tells::Group => Signal::Group { name: group()? },
    })
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

    fn body(source: &str, detail_type: &str, state: Option<&str>) -> String {
        let detail = serde_json::json!({
            "instance-id": "i-1234567890abcdef0", "AutoScalingGroupName": "web", "state": state,
        });
        serde_json::json!({
            "id": "e-1", "source": source, "detail-type": detail_type, "account": "123456789012",
            "region": "us-east-2", "time": "2026-01-01T00:00:00Z", "detail": detail,
        })
        .to_string()
    }

    #[test]
    fn what_is_listed_is_read_and_nothing_else() {
        let reads = |body: &str| parse(body.as_bytes(), Timestamp(0)).map(|event| event.signal).map_err(|r| r.reason);
        for known in KNOWN {
            let states: Vec<Option<&str>> =
                if known.states.is_empty() { vec![None] } else { known.states.iter().map(|s| Some(*s)).collect() };
            for state in states {
                let signal = reads(&body(known.source, known.detail_type, state)).unwrap();
                let tells = match signal {
                    Signal::Interruption { .. } => Tells::Interruption,
                    Signal::Rebalance { .. } => Tells::Rebalance,
                    Signal::StateChange { .. } => Tells::State,
                    Signal::Group { .. } => Tells::Group,
                    Signal::Wake { .. } => panic!("nobody but a worker says so"),
                };
                assert_eq!(tells, known.tells, "{}", known.detail_type);
            }
            if !known.states.is_empty() {
                assert_eq!(reads(&body(known.source, known.detail_type, Some("stopped"))), Err("state-not-needed"));
                assert_eq!(reads(&body(known.source, known.detail_type, None)), Err("no-state"));
            }
            let other = if known.source == "aws.ec2" { "aws.autoscaling" } else { "aws.ec2" };
            assert_eq!(reads(&body(other, known.detail_type, None)), Err("unlisted-detail-type"));
            assert_eq!(reads(&body(PROBE_SOURCE, known.detail_type, None)), Err("unlisted-source"));
            assert_eq!(reads(&body(SOURCE, known.detail_type, None)), Err("unlisted-source"));
        }
        assert_eq!(reads(&body(PROBE_SOURCE, WAKE, None)), Err("unlisted-source"));
        assert_eq!(reads(&body("aws.ec2", WAKE, None)), Err("unlisted-detail-type"));
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
