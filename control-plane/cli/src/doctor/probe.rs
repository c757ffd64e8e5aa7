//! Probes that are under way: which were sent, and which came back. Reads what anybody may have written, and believes
//! none of it but what it sent itself.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;
use spothub_aws::doctor::{ProbeEvent, ProbeMessage};
use spothub_core::fault::Fault;
use spothub_core::id::Site;
use spothub_core::time::{Span, Timestamp};

use super::expected::{PROBE_SOURCE, PROBE_TYPE};
use super::facts::ProbeFacts;

/// Nobody waits for a probe that is older; what is younger may be another doctor's, and is left.
const NOBODYS_AFTER: Span = Span::mins(5);

/// What to do with a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fate {
    /// It is ours: delete it.
    Ours,
    /// It is too old to be anybody's: delete it.
    Nobodys,
    /// It may be somebody's: leave it.
    Others,
}

/// Probes of one run.
#[derive(Debug)]
pub(super) struct Probing {
    /// Tells this run's from all others; nobody can guess it.
    run: String,
    /// By nonce.
    probes: BTreeMap<String, Sent>,
    last_sent: Option<Timestamp>,
}

#[derive(Debug)]
struct Sent {
    site: Site,
    at: Option<Timestamp>,
    ended: Option<ProbeFacts>,
}

/// What is read of a message: the envelope's account and region are AWS's own words.
#[derive(Deserialize)]
struct Envelope {
    source: String,
    account: String,
    region: String,
    detail: Detail,
}

#[derive(Deserialize)]
struct Detail {
    nonce: String,
}

impl Probing {
    /// None of these is sent yet. `run` is another text in each run.
    pub(super) fn new(run: &str, sites: &[Site]) -> Self {
        let probe =
            |(index, site): (usize, &Site)| (nonce(run, index), Sent { site: site.clone(), at: None, ended: None });
        Self { run: run.to_owned(), probes: sites.iter().enumerate().map(probe).collect(), last_sent: None }
    }

    /// The event of the site with this index; from now on it is under way.
    pub(super) fn begin(&mut self, index: usize, now: Timestamp) -> ProbeEvent {
        let nonce = nonce(&self.run, index);
        if let Some(sent) = self.probes.get_mut(&nonce) {
            sent.at = Some(now);
        }
        self.last_sent = self.last_sent.max(Some(now));
        let detail = json!({"nonce": nonce, "sent": now.to_rfc3339()}).to_string();
        ProbeEvent { source: PROBE_SOURCE.to_owned(), detail_type: PROBE_TYPE.to_owned(), detail }
    }

    /// It was not sent after all. Where nobody knows, it may still come.
    pub(super) fn failed(&mut self, index: usize, fault: Fault) {
        if fault != Fault::Unclear
            && let Some(sent) = self.probes.get_mut(&nonce(&self.run, index))
        {
            sent.ended = Some(ProbeFacts::Unsent(fault));
        }
    }

    /// Takes a message from the queue.
    pub(super) fn heard(&mut self, message: &ProbeMessage, now: Timestamp) -> Fate {
        let read = serde_json::from_str::<Envelope>(&message.body).ok();
        let ours = read.and_then(|envelope| {
            let sent = self.probes.get_mut(&envelope.detail.nonce)?;
            let is_there = sent.site.account.to_string() == envelope.account
                && sent.site.region.as_str() == envelope.region
                && envelope.source == PROBE_SOURCE;
            is_there.then_some(sent)
        });
        if let Some(sent) = ours {
            // It comes at least once; the first counts.
            if let (None | Some(ProbeFacts::Unsent(_)), Some(at)) = (&sent.ended, sent.at) {
                sent.ended = Some(ProbeFacts::Came(now.since(at)));
            }
            return Fate::Ours;
        }
        let old = message.sent_at.is_some_and(|at| now.since(at) > NOBODYS_AFTER);
        if old { Fate::Nobodys } else { Fate::Others }
    }

    /// When the wait is over, if the last was sent; at once where none is under way any more.
    pub(super) fn until(&self, wait: Span) -> Option<Timestamp> {
        let open = self.probes.values().any(|sent| sent.ended.is_none());
        self.last_sent.filter(|_| open).map(|at| at + wait)
    }

    /// How many ended.
    pub(super) fn ended(&self) -> usize {
        self.probes.values().filter(|sent| sent.ended.is_some()).count()
    }

    /// What came of each. `unread` where the queue could not be read to the end.
    pub(super) fn finish(self, wait: Span, unread: Option<&Fault>) -> BTreeMap<Site, ProbeFacts> {
        let open = || unread.map_or(ProbeFacts::Lost(wait), |fault| ProbeFacts::Unread(fault.clone()));
        self.probes.into_values().map(|sent| (sent.site, sent.ended.unwrap_or_else(open))).collect()
    }
}

fn nonce(run: &str, index: usize) -> String {
    format!("{run}-{index:x}")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    const WAIT: Span = Span::secs(30);

    fn site(region: &str) -> Site {
        Site { account: "000000000001".parse().unwrap(), region: region.parse().unwrap() }
    }

    fn two() -> Probing {
        Probing::new("run", &[site("eu-west-1"), site("us-east-1")])
    }

    fn message(body: &str, sent_at: Option<Timestamp>) -> ProbeMessage {
        ProbeMessage { body: body.to_owned(), sent_at, receipt: "r".to_owned() }
    }

    /// What EventBridge makes of an event.
    fn forwarded(event: &ProbeEvent, account: &str, region: &str) -> String {
        let detail: Value = serde_json::from_str(&event.detail).unwrap();
        json!({"version": "0", "id": "x", "source": event.source, "detail-type": event.detail_type, "account": account,
            "region": region, "time": "2026-01-01T00:00:00Z", "resources": [], "detail": detail})
        .to_string()
    }

    #[test]
    fn a_probe_comes_back_once() {
        let mut probing = two();
        assert_eq!(probing.until(WAIT), None);
        let first = probing.begin(0, Timestamp(1000));
        let second = probing.begin(1, Timestamp(2000));
        assert_eq!(probing.until(WAIT), Some(Timestamp(2000) + WAIT));
        assert_ne!(first.detail, second.detail);
        let came = forwarded(&first, "000000000001", "eu-west-1");
        assert_eq!(probing.heard(&message(&came, None), Timestamp(1412)), Fate::Ours);
        assert_eq!(probing.heard(&message(&came, None), Timestamp(9000)), Fate::Ours, "at least once");
        assert_eq!(probing.ended(), 1);
        let told = probing.finish(WAIT, None);
        assert_eq!(told[&site("eu-west-1")], ProbeFacts::Came(Span::millis(412)));
        assert_eq!(told[&site("us-east-1")], ProbeFacts::Lost(WAIT));
    }

    #[test]
    fn forged_foreign_and_broken_messages_are_left() {
        let mut probing = two();
        let event = probing.begin(0, Timestamp(1000));
        let other = Probing::new("other", &[site("eu-west-1")]).begin(0, Timestamp(1000));
        let now = Timestamp(2000);
        let bodies = [
            forwarded(&event, "000000000002", "eu-west-1"),
            forwarded(&event, "000000000001", "us-east-1"),
            forwarded(&ProbeEvent { source: "aws.ec2".to_owned(), ..event.clone() }, "000000000001", "eu-west-1"),
            forwarded(&other, "000000000001", "eu-west-1"),
            String::new(),
            "{".to_owned(),
            "[".repeat(100_000),
            r#"{"detail":{"nonce":7}}"#.to_owned(),
            r#"{"source":"spothub.probe","account":"000000000001","region":"eu-west-1","detail":null}"#.to_owned(),
        ];
        for body in bodies {
            assert_eq!(probing.heard(&message(&body, Some(Timestamp(1500))), now), Fate::Others, "{body:.80}");
            let old = Some(now - NOBODYS_AFTER - Span::secs(1));
            assert_eq!(probing.heard(&message(&body, old), now), Fate::Nobodys, "{body:.80}");
        }
        assert_eq!(probing.finish(WAIT, None)[&site("eu-west-1")], ProbeFacts::Lost(WAIT));
    }

    #[test]
    fn what_could_not_be_sent_is_not_waited_for() {
        let mut probing = two();
        for index in 0..2 {
            probing.begin(index, Timestamp(1000));
        }
        probing.failed(0, Fault::Denied("events:PutEvents"));
        probing.failed(1, Fault::Unclear);
        assert!(probing.until(WAIT).is_some(), "one may have been sent");
        let told = probing.finish(WAIT, Some(&Fault::Broken));
        assert_eq!(told[&site("eu-west-1")], ProbeFacts::Unsent(Fault::Denied("events:PutEvents")));
        assert_eq!(told[&site("us-east-1")], ProbeFacts::Unread(Fault::Broken));
        let mut none = two();
        for index in 0..2 {
            none.begin(index, Timestamp(1000));
            none.failed(index, Fault::Broken);
        }
        assert_eq!(none.until(WAIT), None);
    }
}
