//! Events a second on one core, from the bytes of a message to what is stored of it and the wake of its group.
//!
//! `cargo bench -p spothub-sim --bench events` prints the figures. The store is the embedded one, in memory; the engine
//! has swept an organization of some 4,000 groups and 20,000 instances, and gets an interruption warning for each.

use std::sync::Arc;
use std::time::{Duration, Instant};

use spothub_core::id::Site;
use spothub_core::port::{Clock, Directory, Inbox, Journal, Message, Note, Prices, Receipt, Store};
use spothub_core::time::{Span, Timestamp};
use spothub_hub::{Engine, Ports, Settings};
use spothub_sim::organization::Organization;
use spothub_sim::scenario::Scenario;
use spothub_store::Sqlite;

const SCENARIO: &str = "
about: many instances, and nobody who changes them
hours: 1
accounts: {count: 200, ous: [/prod], regions: [eu-west-1, us-east-1]}
mix:
  groups: 4000
  sizes: [{weight: 3, from: 1, to: 2}, {weight: 5, from: 3, to: 6}, {weight: 2, from: 7, to: 16}]
policy:
  defaults: {enabled: true}
";

/// Notes cost their caller nothing here: what they become is the caller's own business.
struct Silent;

impl Journal for Silent {
    fn note(&self, _now: Timestamp, _note: &Note<'_>) {}
}

fn body(kind: &str, site: &Site, instance: &str, detail: &str, n: usize) -> Vec<u8> {
    let (account, region) = (site.account, &site.region);
    let id = format!("00000000-0000-4000-8000-{n:012}");
    let arn = format!("arn:aws:ec2:{region}:{account}:instance/{instance}");
    [
        format!(r#"{{"version":"0","id":"{id}","detail-type":"{kind}","source":"aws.ec2","account":"{account}","#),
        format!(r#""time":"2026-01-01T00:00:00Z","region":"{region}","resources":["{arn}"],"#),
        format!(r#""detail":{{"instance-id":"{instance}",{detail}}}}}"#),
    ]
    .concat()
    .into_bytes()
}

fn engine(organization: &Organization, scenario: &Scenario, store: Arc<Sqlite>) -> Arc<Engine> {
    let cloud = Arc::clone(&organization.cloud);
    let ports = Ports {
        look: cloud.clone(),
        act: None,
        prices: Arc::clone(&cloud) as Arc<dyn Prices>,
        directory: cloud as Arc<dyn Directory>,
        store: store as Arc<dyn Store>,
        inbox: Arc::new(spothub_sim::bus::SimInbox(Arc::clone(&organization.bus))) as Arc<dyn Inbox>,
        clock: Arc::new(organization.clock()) as Arc<dyn Clock>,
        journal: Arc::new(Silent),
        policies: None,
        commitments: None,
        placement: None,
    };
    Engine::new(ports, Settings { policy: scenario.policy.clone(), ..Settings::default() })
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures wall time")]
fn timed(organization: &Organization, engine: &Arc<Engine>, messages: Vec<Message>) -> Duration {
    let engine = Arc::clone(engine);
    let began = Instant::now();
    let handled = organization.exec.run(async move {
        let mut handled = 0;
        for message in &messages {
            handled += usize::from(engine.handle(message).await);
        }
        assert_eq!(handled, messages.len(), "a message that is not handled measures nothing");
    });
    assert!(handled.is_some(), "the run ended early");
    began.elapsed()
}

fn main() {
    let scenario = Scenario::read("events.yaml", SCENARIO).unwrap_or_else(|problems| panic!("{problems}"));
    let organization = Organization::new(&scenario.shape(1), 1, Vec::new());
    let store = Arc::new(Sqlite::memory().unwrap_or_else(|e| panic!("{e}")));
    let engine = engine(&organization, &scenario, Arc::clone(&store));
    organization.exec.spawn(1, Arc::clone(&engine).run());
    organization.run_for(Span::mins(4));
    let now = organization.exec.now();
    let message = |body| Message { receipt: Receipt(String::new()), body, sent_at: now };
    let (mut warnings, mut strangers) = (Vec::new(), Vec::new());
    {
        let world = organization.world.lock();
        let sites = world.sites();
        for (n, instance) in world.instances().iter().filter(|i| i.lives()).enumerate() {
            let site = &sites[instance.site as usize];
            let id = instance.id.to_string();
            let warning =
                body("EC2 Spot Instance Interruption Warning", site, &id, r#""instance-action":"terminate""#, n);
            warnings.push(message(warning));
            let other = format!("i-{:017x}", n + 1);
            let change =
                body("EC2 Instance State-change Notification", site, &other, r#""state":"running""#, 10_000_000 + n);
            strangers.push(message(change));
        }
    }
    for (what, messages) in
        [("interruption warnings, each stored and a wake", warnings), ("state changes of strangers", strangers)]
    {
        let count = messages.len();
        let took = timed(&organization, &engine, messages);
        let a_second = u128::try_from(count).unwrap_or(0) * 1_000_000 / took.as_micros().max(1);
        println!("{what}: {count} in {} ms, {a_second} a second", took.as_millis());
    }
    let kept = organization.exec.run(async move { store.query("notice/", None, 1000).await });
    assert!(kept.is_some_and(|page| page.is_ok_and(|page| page.more)), "more than a page of warnings is stored");
}
