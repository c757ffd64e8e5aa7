//! Published policy at work: nothing is loosened by a file alone, and what restricts holds within a minute.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use spothub_core::port::{Expect, Policies, Published, Put, Store as _, Unpublished};
use spothub_core::time::{Span, Timestamp};
use spothub_hub::Settings;
use spothub_hub::published::{self, Approval, PolicyState};
use spothub_hub::status;
use spothub_sim::record::What;
use spothub_sim::scenario::Scenario;
use spothub_store::Sqlite;

use crate::restored::Hub;

/// What is published now, which a test changes.
#[derive(Default)]
struct Board(Mutex<Option<String>>);

#[async_trait]
impl Policies for Board {
    async fn read(&self) -> Result<Published, Unpublished> {
        let text =
            self.0.lock().unwrap().clone().ok_or_else(|| Unpublished::Absent("the object is gone".to_owned()))?;
        let files = vec![("policy.yaml".to_owned(), text.into_bytes())];
        Ok(Published { version: "1".to_owned(), author: Some("ann".to_owned()), files })
    }
}

const ORGANIZATION: &str = "about: two units
hours: 6
accounts:
  - {id: \"000000000001\", name: shop, ou: /prod/web, regions: [eu-west-1]}
  - {id: \"000000000002\", name: play, ou: /dev, regions: [eu-west-1]}
groups:
  - {name: web, account: shop, region: eu-west-1, type: m5.large, desired: 20}
  - {name: toy, account: play, region: eu-west-1, type: m5.large, desired: 20}
policy: {defaults: {enabled: true}}
";
const ALL: &str = "defaults: {enabled: true}\n";
const NOT_PROD: &str = "defaults: {enabled: true}\nrules:\n  - {match: {ou: /prod}, enabled: false}\n";
/// Within this time a restriction holds everywhere.
const WITHIN: Span = Span::mins(1);

struct Stage {
    hub: Hub,
    board: Arc<Board>,
    store: Arc<Sqlite>,
    settings: Settings,
    at: Span,
}

impl Stage {
    fn new() -> Self {
        let board = Arc::<Board>::default();
        let scenario = Scenario::read("units.yaml", ORGANIZATION).expect("a scenario");
        let hub = Hub::new(scenario, 1).reading(Arc::clone(&board) as Arc<dyn Policies>);
        let store = Arc::new(Sqlite::memory().unwrap());
        Self { hub, board, store, settings: Settings::default(), at: Span::ZERO }
    }

    fn publish(&self, text: &str) -> &Self {
        *self.board.0.lock().unwrap() = Some(text.to_owned());
        self
    }

    fn begin(&self) -> &Self {
        self.hub.begin(1, Arc::clone(&self.store) as _, &self.settings);
        self
    }

    fn run_for(&mut self, span: Span) {
        self.at = self.at + span;
        self.hub.run_until(self.at);
    }

    fn state(&self) -> PolicyState {
        let store = Arc::clone(&self.store);
        self.hub.wait(async move { published::state(&*store).await.unwrap() })
    }

    /// Somebody approves what was seen last.
    fn approve(&self, by: &str) {
        let store = Arc::clone(&self.store);
        let seen = self.state().seen.expect("a policy was seen");
        let at = seen.at + Span::secs(1);
        let approval = Approval { digest: seen.digest, by: by.to_owned(), why: "reviewed".to_owned(), at };
        self.hub.wait(async move { published::approve(&*store, &approval).await.unwrap() });
    }

    /// Swaps that began in a unit's account from then on.
    fn begun(&self, account: &str, from: Span) -> usize {
        let launch = |what: &What| {
            let What::Call(call) = what else { return false };
            let launches = matches!(call.action.as_str(), "ec2:CreateFleet" | "ec2:RunInstances");
            launches && call.group.as_ref().is_some_and(|group| group.to_string().contains(account))
        };
        self.hub.records().iter().filter(|record| Span(record.t) >= from && launch(&record.what)).count()
    }

    fn begun_by_unit(&self, from: Span) -> (usize, usize) {
        (self.begun("web", from), self.begun("toy", from))
    }

    fn holds(&self) -> BTreeMap<String, usize> {
        let mut holds = BTreeMap::new();
        for record in self.hub.stored(&self.store).values() {
            for hold in &record.holds {
                *holds.entry(hold.reason.label().to_owned()).or_default() += 1;
            }
        }
        holds
    }

    /// In service for a while with this policy, which somebody else than its author approved.
    fn with(text: &str) -> Self {
        let mut stage = Self::new();
        stage.publish(text).begin();
        stage.run_for(Span::mins(1));
        stage.approve("bob");
        stage.run_for(Span::mins(30));
        stage
    }
}

#[test]
fn nothing_is_touched_before_somebody_else_approved_a_policy() {
    let mut stage = Stage::new();
    stage.publish(ALL).begin();
    stage.run_for(Span::mins(30));
    assert_eq!((stage.begun_by_unit(Span::ZERO), stage.holds().get("no-policy")), ((0, 0), Some(&2)));
    stage.approve("ann");
    stage.run_for(Span::mins(30));
    assert_eq!(stage.begun_by_unit(Span::ZERO), (0, 0), "who wrote it cannot approve it");
    assert!(stage.state().refused.is_some());
    stage.approve("bob");
    stage.run_for(Span::mins(30));
    let (prod, dev) = stage.begun_by_unit(Span::ZERO);
    assert!(prod > 3 && dev > 3, "{prod} {dev}");
}

#[test]
fn an_opt_out_stops_new_swaps_within_a_minute_and_ends_the_running_one_well() {
    let mut stage = Stage::with(ALL);
    let settled = |stage: &Stage| stage.hub.stored(&stage.store).values().map(|record| record.ops.len()).sum::<usize>();
    while settled(&stage) == 0 {
        stage.run_for(Span::secs(5));
    }
    stage.publish(NOT_PROD);
    stage.run_for(WITHIN);
    let since = stage.at;
    stage.run_for(Span::mins(40));
    let (prod, dev) = stage.begun_by_unit(since);
    assert!(prod == 0 && dev > 3, "{prod} {dev}");
    assert!(!stage.state().waits(), "what only restricts waits for nobody");
    let records = stage.hub.stored(&stage.store);
    let prod = records.values().find(|record| record.group.name.as_str() == "web").unwrap();
    assert!(prod.ops.is_empty(), "{:?}", prod.ops);
    assert_eq!(stage.hub.stuck(&stage.store), [""; 0]);
    // And the swaps say under which policy they were begun.
    assert!(stage.state().chain.len() == 1);
}

#[test]
fn a_tampered_emptied_or_deleted_file_touches_nothing_new() {
    for (name, text) in [
        ("tampered", Some(ALL)),
        ("looser", Some("defaults: {enabled: true, floor: {number: 0}}\nrules: []\n")),
        ("emptied", Some("")),
        ("without anything", Some("{}\n")),
        ("garbage", Some("defaults: [\u{1}")),
        ("a tag for all", Some("rules:\n  - {match: {ou: /prod}, enabled: true, delegable: [floor.number]}\n")),
        ("deleted", None),
    ] {
        let mut stage = Stage::with(NOT_PROD);
        let since = stage.at;
        *stage.board.0.lock().unwrap() = text.map(ToOwned::to_owned);
        stage.run_for(Span::mins(20));
        assert_eq!(stage.begun("web", Span::ZERO), 0, "{name}");
        let told = stage.state();
        let unread = matches!(name, "emptied" | "garbage" | "deleted");
        assert_eq!((told.problem.is_some(), told.waits()), (unread, !unread), "{name}: {told:?}");
        // What is unreadable changes nothing; what is published also restricts where it says less.
        if unread {
            assert!(stage.begun("toy", since) > 1, "{name}");
        }
        // A worker that begins now, and cannot read what is published either, keeps to what is in the store.
        stage.hub.kill(1);
        *stage.board.0.lock().unwrap() = None;
        let since = stage.at;
        stage.hub.begin(2, Arc::clone(&stage.store) as _, &stage.settings);
        stage.run_for(Span::mins(20));
        let (prod, dev) = stage.begun_by_unit(since);
        assert!(prod == 0 && (!unread || dev > 0), "{name}: {prod} {dev}");
    }
}

#[test]
fn a_state_that_nobody_understands_is_left_alone_and_told() {
    let mut stage = Stage::with(ALL);
    let store = Arc::clone(&stage.store);
    let row = b"{\"chain\": 7}".to_vec();
    let put = Put { key: "policy/state".to_owned(), value: Some(row.clone()), expect: Expect::Anything, fence: 1 };
    stage.hub.wait(async move { store.write(&[put]).await.map(drop).unwrap() });
    stage.publish(NOT_PROD);
    stage.run_for(Span::mins(30));
    assert!(stage.begun("web", stage.at - Span::mins(20)) > 0, "what was in force stays");
    let store = Arc::clone(&stage.store);
    let (read, told, kept) = stage.hub.wait(async move {
        let status = status::status(&*store, Timestamp(0)).await.unwrap();
        (published::state(&*store).await, status.policy_unreadable, store.get("policy/state").await.unwrap())
    });
    assert!(read.is_err() && told.is_some_and(|why| why.contains("policy/state is not understood")));
    assert_eq!(kept.map(|row| row.value), Some(row), "it is nobody's to overwrite");
}

#[test]
fn an_approved_policy_goes_out_by_rings() {
    let mut stage = Stage::with(NOT_PROD);
    let rings = format!(
        "{ALL}rollout:\n  rings:\n    - {{name: nobody, ou: /lab, wait: 20m}}\n    \
                         - {{name: production, ou: /prod, wait: 20m}}\n"
    );
    stage.publish(&rings);
    stage.run_for(Span::mins(1));
    stage.approve("bob");
    stage.run_for(Span::mins(15));
    assert_eq!(stage.begun("web", Span::ZERO), 0, "its ring is the second");
    stage.run_for(Span::mins(15));
    let reached = stage.state().out.map(|out| out.reached);
    assert!(stage.begun("web", Span::ZERO) > 0 && reached == Some(2), "{reached:?}");
    stage.run_for(Span::mins(20));
    let told = stage.state();
    assert!(told.out.is_none() && !told.waits(), "{told:?}");
}

#[test]
fn as_it_stands_a_file_needs_no_approval() {
    let mut stage = Stage::new();
    stage.settings.policy_as_it_stands = true;
    stage.publish(NOT_PROD).begin();
    stage.run_for(Span::mins(20));
    let (prod, dev) = stage.begun_by_unit(Span::ZERO);
    assert!(prod == 0 && dev > 1, "{prod} {dev}");
    stage.publish(ALL);
    stage.run_for(Span::mins(20));
    assert!(stage.begun("web", Span::ZERO) > 1);
}
