//! Journeys: the real program over a whole organization on an emulator of its own, judged by an independent client and
//! by the emulator's log of calls.

mod brake;
mod chaos;
mod conversion;
mod counts;
mod draining;
mod events;
mod install;
mod metering;
mod plan;
mod policy;
mod refusals;
mod scopes;
mod sweep;
mod traces;
mod twin;

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use serde_json::{Value, json};
use spothub_core::id::{AccountId, Site};

use crate::clients;
use crate::control::Control;
use crate::emulator::{HERE, region, run};
use crate::organization::{self, Snapshot, snapshot};
use crate::program::Program;
use crate::server::Server;

/// One emulator, with an organization in it.
struct Journey {
    server: Server,
    told: Value,
    control: Control,
    management: SdkConfig,
}

impl Journey {
    /// The organization of this description.
    fn over(description: Value) -> Self {
        let server = Server::start();
        let told = server.seed(description);
        let management = clients::session(&server.url, &region(HERE), ["testing", "testing", ""]);
        let journey = Self { control: Control::new(&server.url), server, told, management };
        // Every state is seen, and none is waited for long.
        let timings = json!({"pending": 0.3, "status_checks": 0.3, "in_service": 0.2, "target_healthy": 0.2});
        journey.post("/timings", timings);
        journey
    }

    /// The usual one.
    fn new() -> Self {
        Self::over(organization::description())
    }

    fn program(&self, policy: &str) -> Program {
        Program::new(&self.server, &self.told, policy)
    }

    /// A hub that was never started.
    fn unused(&self, policy: &str) -> Program {
        Program::unused(&self.server, &self.told, policy)
    }

    fn post(&self, path: &str, given: Value) -> Value {
        let (control, path) = (self.control.clone(), path.to_owned());
        run(async move { control.post(&path, &given).await })
    }

    fn get(&self, path: &str) -> Value {
        let (control, path) = (self.control.clone(), path.to_owned());
        run(async move { control.get(&path).await })
    }

    fn snapshot(&self) -> Snapshot {
        let (management, told) = (self.management.clone(), self.told.clone());
        run(async move { snapshot(&management, &told).await })
    }

    fn site(&self, name: &str, region_name: &str) -> Site {
        let row = organization::sites(&self.told).into_iter();
        let mut named = row.filter(|(known, site)| known == name && site.region == region(region_name));
        named.next().unwrap().1
    }

    /// Where the log of calls ends now.
    fn cursor(&self) -> u64 {
        self.get("/calls?after=4000000000")["cursor"].as_u64().unwrap()
    }

    /// The program's calls since a cursor that the filters take. What is asked every minute or so, whatever happens, is
    /// left out.
    fn calls(&self, after: u64, filters: &str) -> Vec<Value> {
        let mut calls = self.all_calls(after, filters);
        calls.retain(|call| call["action"] != "DescribeSpotInstanceRequests");
        calls
    }

    fn all_calls(&self, after: u64, filters: &str) -> Vec<Value> {
        let told = self.get(&format!("/calls?after={after}&agent=spothub{filters}"));
        told["calls"].as_array().unwrap().clone()
    }

    /// The program's calls in an account since a cursor.
    fn calls_in(&self, account: AccountId, after: u64) -> Vec<Value> {
        self.calls(after, &format!("&account={account}"))
    }

    /// Puts an event on an account's own bus, as a service would.
    fn event(&self, site: &Site, event: Value) {
        let (account, region) = (site.account, site.region.as_str());
        self.post("/events", json!({"account": account.to_string(), "region": region, "event": event}));
    }

    /// Puts a message straight into a queue of the hub (`urgent`, `normal`).
    fn message(&self, queue: &str, body: String) -> Result<(), String> {
        let url = self.told["hub"]["queues"][queue]["url"].as_str().unwrap().to_owned();
        let client = aws_sdk_sqs::Client::new(&self.management);
        run(async move {
            let sent = client.send_message().queue_url(url).message_body(body).send().await;
            sent.map(|_| ()).map_err(|error| format!("{error:?}"))
        })
    }

    /// Messages that wait in a queue of the hub, seen or not.
    fn waiting(&self, queue: &str) -> u64 {
        use aws_sdk_sqs::types::QueueAttributeName::{
            ApproximateNumberOfMessages as Visible, ApproximateNumberOfMessagesNotVisible as Hidden,
        };
        let url = self.told["hub"]["queues"][queue]["url"].as_str().unwrap().to_owned();
        let client = aws_sdk_sqs::Client::new(&self.management);
        let request = client.get_queue_attributes().queue_url(url).attribute_names(Visible).attribute_names(Hidden);
        let told = run(async move { request.send().await.unwrap().attributes.unwrap() });
        [Visible, Hidden].iter().map(|name| told[name].parse::<u64>().unwrap()).sum()
    }
}

/// How often each action stands in these calls.
fn by_action(calls: &[Value]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for call in calls {
        let action = format!("{}:{}", call["service"].as_str().unwrap(), call["action"].as_str().unwrap());
        *counts.entry(action).or_default() += 1;
    }
    counts
}

/// Those that change something.
fn changing(calls: &[Value]) -> Vec<Value> {
    calls.iter().filter(|call| call["changing"] == true).cloned().collect()
}
