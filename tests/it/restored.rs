//! The store lost, or brought back from a backup, while swaps are under way: every outcome is safe, and what the loss
//! itself makes unknowable is listed by [`Unknowable`] and nowhere else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use spothub_core::id::{GroupKey, InstanceId, Site, SwapId};
use spothub_core::port::{
    Act, Clock, Directory, Journal, Look, Note, Page, Policies, Prices, Put, Store, StoreError, Stored,
};
use spothub_core::record::GroupRecord;
use spothub_core::time::{Span, Timestamp};
use spothub_hub::limit::Throttled;
use spothub_hub::{Engine, Ports, Settings};
use spothub_sim::bus::SimInbox;
use spothub_sim::laws::{LawSettings, Laws, Queues, Violation};
use spothub_sim::organization::Organization;
use spothub_sim::record::{By, Ended, Record, Sink, What};
use spothub_sim::run::SimJournal;
use spothub_sim::scenario::Scenario;
use spothub_store::Sqlite;

use crate::played::scenario;

/// Records that the test keeps a hand on.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<Record>>>);

impl Sink for Kept {
    fn take(&mut self, record: &Record) {
        self.0.lock().unwrap().push(record.clone());
    }
}

/// The engine's notes as records, and the strays among them by instance.
struct Notes {
    records: SimJournal,
    strays: Mutex<BTreeMap<InstanceId, &'static str>>,
}

impl Journal for Notes {
    fn note(&self, now: Timestamp, note: &Note<'_>) {
        if let Note::Stray { instance, reason } = note {
            self.strays.lock().unwrap().insert((*instance).clone(), reason);
        }
        self.records.note(now, note);
    }
}

/// A simulated organization, and one engine after the other on the stores that a test gives them.
pub(crate) struct Hub {
    organization: Organization,
    scenario: Scenario,
    records: Kept,
    notes: Arc<Notes>,
    start: Timestamp,
    policies: Option<Arc<dyn Policies>>,
}

impl Hub {
    pub(crate) fn new(scenario: Scenario, seed: u64) -> Self {
        let (records, shape) = (Kept::default(), scenario.shape(seed));
        let organization = Organization::new(&shape, seed, vec![Box::new(records.clone())]);
        let journal = SimJournal(Arc::clone(&organization.world));
        let notes = Arc::new(Notes { records: journal, strays: Mutex::default() });
        Self { organization, scenario, records, notes, start: shape.start, policies: None }
    }

    /// Its workers read policy where it is published.
    pub(crate) fn reading(self, policies: Arc<dyn Policies>) -> Self {
        Self { policies: Some(policies), ..self }
    }

    /// Starts worker number `number` on this store.
    pub(crate) fn begin(&self, number: u32, store: Arc<dyn Store>, settings: &Settings) -> Arc<Engine> {
        let clock: Arc<dyn Clock> = Arc::new(self.organization.clock());
        let cloud = Arc::clone(&self.organization.cloud);
        let (wait, shares) = (settings.limiter_wait_max, settings.shares.clone());
        let throttled = Arc::new(Throttled::new(Arc::clone(&cloud), Arc::clone(&clock), wait, shares));
        let ports = Ports {
            look: Arc::clone(&throttled) as Arc<dyn Look>,
            act: Some(throttled as Arc<dyn Act>),
            prices: Arc::clone(&cloud) as Arc<dyn Prices>,
            directory: cloud as Arc<dyn Directory>,
            store,
            inbox: Arc::new(SimInbox(Arc::clone(&self.organization.bus))),
            clock,
            journal: Arc::clone(&self.notes) as Arc<dyn Journal>,
            policies: self.policies.clone(),
            commitments: None,
            placement: None,
        };
        let policy = self.scenario.policy.clone();
        let settings =
            Settings { worker: format!("worker-{number}"), id_seed: number.into(), policy, ..settings.clone() };
        let engine = Engine::new(ports, settings);
        self.organization.exec.spawn(number, Arc::clone(&engine).run());
        engine
    }

    /// Kills a worker where it stands.
    pub(crate) fn kill(&self, number: u32) {
        self.organization.exec.abort_all(number);
    }

    pub(crate) fn run_until(&self, after: Span) {
        self.organization.exec.run_until(self.start + after);
    }

    pub(crate) fn run_for(&self, span: Span) {
        self.organization.run_for(span);
    }

    /// Lets what is not the engine's come to rest, and the engine after it.
    pub(crate) fn rest(&self) {
        let now = self.organization.exec.now();
        self.organization.world.lock().quiet_at(now);
        self.run_for(Span::hours(1));
    }

    /// Does this in the organization's time.
    pub(crate) fn wait<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        self.organization.exec.run(work).expect("it ends")
    }

    /// What happened so far.
    pub(crate) fn records(&self) -> Vec<Record> {
        self.records.0.lock().unwrap().clone()
    }

    /// All records of groups in a store.
    pub(crate) fn stored(&self, store: &Arc<Sqlite>) -> BTreeMap<GroupKey, GroupRecord> {
        let store = Arc::clone(store);
        self.wait(async move {
            let page = store.query("group/", None, 1000).await.unwrap();
            assert!(!page.more, "one page holds the scenario");
            let read = |item: &Stored| serde_json::from_slice::<GroupRecord>(&item.value).unwrap();
            page.items.iter().map(read).map(|record| (record.group.clone(), record)).collect()
        })
    }

    /// What a store has in flight for far longer than a swap takes, told for a person.
    pub(crate) fn stuck(&self, store: &Arc<Sqlite>) -> Vec<String> {
        let before = self.organization.exec.now() - Span::mins(30);
        let mut stuck = Vec::new();
        for (group, record) in self.stored(store) {
            stuck.extend(record.ops.iter().filter(|op| op.started_at < before).map(|op| format!("{group}: {op:?}")));
        }
        stuck
    }

    /// Laws broken from then on.
    pub(crate) fn broken_since(&self, since: Span) -> Vec<Violation> {
        let records = self.records.0.lock().unwrap();
        let mut laws = Laws::new(LawSettings { one_memory: false, ..LawSettings::default() });
        let mut due = 0;
        for record in records.iter() {
            while due < record.t {
                laws.sweep(due);
                due += Span::mins(5).0;
            }
            laws.take(record);
        }
        laws.finish(self.organization.exec.now().since(self.start).0, Queues::Unread);
        laws.violations().iter().filter(|v| v.t >= since.0).cloned().collect()
    }

    /// Swaps that were done since then, of those that began since then.
    pub(crate) fn swapped_since(&self, since: Span) -> usize {
        let (mut began, mut done) = (BTreeSet::new(), BTreeSet::new());
        for record in self.records.0.lock().unwrap().iter() {
            let What::Swap { swap, state, .. } = &record.what else { continue };
            if record.t < since.0 {
                began.insert(swap.clone());
            } else if state == "done" && !began.contains(swap) {
                done.insert(swap.clone());
            }
        }
        done.len()
    }

    /// Newcomers of these swaps that live and were never attached.
    fn unattached(&self, swaps: &BTreeSet<SwapId>) -> BTreeSet<InstanceId> {
        let mut found = BTreeSet::new();
        for record in self.records.0.lock().unwrap().iter() {
            if let What::InstanceStart(start) = &record.what
                && start.swap.as_ref().is_some_and(|swap| swaps.contains(swap))
            {
                found.insert(start.instance_id.clone());
            } else if let What::InstanceEnd { instance_id, .. } = &record.what {
                found.remove(instance_id);
            } else if let What::Membership(membership) = &record.what {
                found.retain(|id| !membership.members.iter().any(|m| m.id == *id));
            }
        }
        found
    }

    /// What we launched before and ended by EC2 since, and whatever was ended as an orphan since.
    fn ended_since(&self, since: Span) -> Vec<InstanceId> {
        let (mut ours, mut ended) = (BTreeSet::new(), Vec::new());
        for record in self.records.0.lock().unwrap().iter() {
            if let What::InstanceStart(start) = &record.what
                && (start.by, record.t < since.0) == (By::Spothub, true)
            {
                ours.insert(start.instance_id.clone());
            } else if let What::InstanceEnd { instance_id, why } = &record.what
                && record.t >= since.0
                && (*why == Ended::Orphan || (*why == Ended::Undone && ours.contains(instance_id)))
            {
                ended.push(instance_id.clone());
            }
        }
        ended
    }
}

/// What a store that went back, or went away, cannot tell any more: these laws cannot be kept for these groups.
#[derive(Debug, Default)]
struct Unknowable {
    /// Swaps in flight that the store does not know: nobody gives back what they added or raised (INV-4), nobody ends
    /// them (INV-1, INV-10: they count as in flight for ever), and their newcomers are strays.
    swaps: BTreeMap<SwapId, GroupKey>,
    /// Groups whose MaxSize was raised since (INV-4).
    max: BTreeSet<GroupKey>,
    /// Groups with a swap begun since: the next may begin too soon, and one too many in the hour (INV-1, INV-10).
    starts: BTreeSet<GroupKey>,
}

impl Unknowable {
    fn between(backup: &BTreeMap<GroupKey, GroupRecord>, lost: &BTreeMap<GroupKey, GroupRecord>) -> Self {
        let mut unknowable = Self::default();
        for (group, record) in lost {
            let known = backup.get(group).cloned().unwrap_or_else(|| GroupRecord::new(group.clone()));
            let swaps = record.ops.iter().filter(|op| !known.ops.iter().any(|k| k.id == op.id));
            unknowable.swaps.extend(swaps.map(|op| (op.id.clone(), group.clone())));
            if record.max.is_some() && record.max != known.max {
                unknowable.max.insert(group.clone());
            }
            if record.last_swap_at != known.last_swap_at {
                unknowable.starts.insert(group.clone());
            }
        }
        unknowable
    }

    fn excuses(&self, violation: &Violation) -> bool {
        let group = violation
            .group
            .as_ref()
            .map(|g| GroupKey { site: Site { account: g.account, region: g.region.clone() }, name: g.group.clone() });
        let in_group = |group: &GroupKey| self.swaps.values().any(|g| g == group);
        let text = &violation.text;
        match (violation.law, &group) {
            ("INV-1", Some(g)) => in_group(g) || (self.starts.contains(g) && text.contains("the interval is")),
            ("INV-4", Some(g)) => in_group(g) || (self.max.contains(g) && text.contains("max is")),
            ("INV-10", Some(g)) if text.contains("of the hour") => self.starts.contains(g),
            ("INV-10", _) if text.contains("in flight") => !self.swaps.is_empty(),
            _ => false,
        }
    }

    /// Violations that the loss does not explain.
    fn unexcused(&self, broken: Vec<Violation>) -> Vec<String> {
        let told = |v: Violation| format!("{} at {} s in {:?}: {}", v.law, v.t / 1000, v.group, v.text);
        broken.into_iter().filter(|v| !self.excuses(v)).map(told).collect()
    }
}

fn memory() -> Arc<Sqlite> {
    Arc::new(Sqlite::memory().unwrap())
}

/// How long nobody runs while the store is brought back.
const DOWN: Span = Span::secs(30);

#[test]
fn a_store_that_is_lost_in_the_middle_of_swaps_costs_no_instance() {
    let mut strays = 0;
    for seconds in (20..=300).step_by(40) {
        let (hub, at) = (Hub::new(scenario("small"), 1), Span::secs(seconds));
        let store = memory();
        hub.begin(1, store.clone(), &Settings::default());
        hub.run_until(at);
        hub.kill(1);
        let unknowable = Unknowable::between(&BTreeMap::new(), &hub.stored(&store));
        hub.run_for(DOWN);
        let engine = hub.begin(2, memory(), &Settings::default());
        hub.run_for(Span::mins(60));
        hub.rest();
        assert_eq!(unknowable.unexcused(hub.broken_since(at)), [""; 0], "lost after {at}");
        assert_eq!(hub.ended_since(at), [], "lost after {at}: no record, so nobody's to end");
        assert!(hub.swapped_since(at) > 10 && engine.busy() == 0, "lost after {at}: {}", hub.swapped_since(at));
        let left = hub.unattached(&unknowable.swaps.into_keys().collect());
        let told = hub.notes.strays.lock().unwrap();
        assert!(left.iter().all(|id| told.get(id) == Some(&"no-record")), "lost after {at}: {left:?} {told:?}");
        strays += left.len();
    }
    assert!(strays > 10, "{strays} newcomers were on their way");
}

/// Takes a backup of the store at the first write that leaves a swap in this stage.
pub(crate) struct BackedUp {
    pub(crate) store: Arc<Sqlite>,
    stage: &'static str,
    backup: Mutex<Option<Arc<Sqlite>>>,
}

impl BackedUp {
    pub(crate) fn at(stage: &'static str) -> Arc<Self> {
        Arc::new(Self { store: memory(), stage, backup: Mutex::default() })
    }

    pub(crate) fn backup(&self) -> Option<Arc<Sqlite>> {
        self.backup.lock().unwrap().clone()
    }

    fn reaches(&self, put: &Put) -> bool {
        let record = put.value.as_ref().filter(|_| put.key.starts_with("group/"));
        let record = record.map(|value| serde_json::from_slice::<GroupRecord>(value).unwrap());
        record.is_some_and(|record| record.ops.iter().any(|op| op.stage.label() == self.stage))
    }
}

#[async_trait]
impl Store for BackedUp {
    async fn get(&self, key: &str) -> Result<Option<Stored>, StoreError> {
        self.store.get(key).await
    }

    async fn query(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Page, StoreError> {
        self.store.query(prefix, after, limit).await
    }

    async fn write(&self, puts: &[Put]) -> Result<Vec<u64>, StoreError> {
        let versions = self.store.write(puts).await?;
        let mut backup = self.backup.lock().unwrap();
        if backup.is_none() && puts.iter().any(|put| self.reaches(put)) {
            *backup = Some(Arc::new(self.store.copy()?));
        }
        Ok(versions)
    }
}

/// Brings back the backup of `stage` when it is `age` old; `false` where no swap was ever in that stage.
fn brought_back(name: &str, seed: u64, stage: &'static str, age: Span) -> bool {
    let hub = Hub::new(scenario(name), seed);
    let store = BackedUp::at(stage);
    hub.begin(1, Arc::clone(&store) as Arc<dyn Store>, &Settings::default());
    let mut waited = Span::ZERO;
    while store.backup().is_none() {
        hub.run_for(Span::secs(1));
        waited = Span(waited.0 + 1000);
        if waited > Span::hours(2) {
            return false;
        }
    }
    hub.run_for(age);
    hub.kill(1);
    let (backup, lost) = (store.backup().unwrap(), hub.stored(&store.store));
    let at = hub.organization.since_start();
    let unknowable = Unknowable::between(&hub.stored(&backup), &lost);
    hub.run_for(DOWN);
    hub.begin(2, backup.clone(), &Settings::default());
    hub.run_for(Span::mins(60));
    hub.rest();
    let case = format!("{name}, seed {seed}, backup in {stage}, {age} old, brought back at {at}");
    assert_eq!(unknowable.unexcused(hub.broken_since(at)), [""; 0], "{case}");
    assert_eq!(hub.stuck(&backup), [""; 0], "{case}");
    true
}

#[test]
fn a_backup_of_any_stage_is_safe_to_go_on_from() {
    for stage in ["launch", "boot", "attach", "settle", "retire", "restore"] {
        for age in [Span::secs(15), Span::secs(90), Span::mins(4)] {
            assert!(brought_back("small", 1, stage, age), "{stage}");
        }
    }
    for stage in ["settle", "retire"] {
        assert!(brought_back("small", 1, stage, Span::hours(3)), "{stage}");
    }
}

#[test]
fn a_backup_of_a_way_back_is_safe_to_go_on_from() {
    for (name, stage) in [("racing", "settle"), ("racing", "retire"), ("racing", "undo"), ("messy", "undo")] {
        for age in [Span::secs(15), Span::mins(4), Span::mins(20)] {
            assert!(brought_back(name, 1, stage, age), "{name} {stage}");
        }
    }
}

/// A store that is exchanged for another one under running workers.
struct Exchanged(Mutex<Arc<Sqlite>>);

impl Exchanged {
    fn now(&self) -> Arc<Sqlite> {
        Arc::clone(&self.0.lock().unwrap())
    }
}

#[async_trait]
impl Store for Exchanged {
    async fn get(&self, key: &str) -> Result<Option<Stored>, StoreError> {
        self.now().get(key).await
    }

    async fn query(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Page, StoreError> {
        self.now().query(prefix, after, limit).await
    }

    async fn write(&self, puts: &[Put]) -> Result<Vec<u64>, StoreError> {
        self.now().write(puts).await
    }
}

#[test]
fn workers_that_run_on_notice_that_the_store_went_back() {
    let mut lost_swaps = 0;
    for (workers, seconds) in [(1, 45), (1, 110), (1, 200), (2, 45), (2, 110), (2, 200)] {
        let hub = Hub::new(scenario("small"), 1);
        let store = Arc::new(Exchanged(Mutex::new(memory())));
        let settings = Settings { peers: workers > 1, ..Settings::default() };
        let begin = |number| hub.begin(number, Arc::clone(&store) as Arc<dyn Store>, &settings);
        let engines: Vec<Arc<Engine>> = (1..=workers).map(begin).collect();
        hub.run_until(Span::secs(seconds));
        let backup = Arc::new(store.now().copy().unwrap());
        hub.run_for(Span::mins(4));
        let (at, lost) = (hub.organization.since_start(), hub.stored(&store.now()));
        let unknowable = Unknowable::between(&hub.stored(&backup), &lost);
        *store.0.lock().unwrap() = backup;
        hub.run_for(Span::mins(60));
        hub.rest();
        let case = format!("{workers} workers, backup of {seconds} s");
        assert_eq!(unknowable.unexcused(hub.broken_since(at)), [""; 0], "{case}");
        assert_eq!(engines.iter().map(|engine| engine.busy()).sum::<usize>(), 0, "{case}");
        assert!(hub.swapped_since(at) > 10, "{case}: {}", hub.swapped_since(at));
        lost_swaps += unknowable.swaps.len();
        let left = hub.unattached(&unknowable.swaps.into_keys().collect());
        let told = hub.notes.strays.lock().unwrap();
        assert!(left.iter().all(|id| told.get(id) == Some(&"no-record")), "{case}: {left:?} {told:?}");
    }
    assert!(lost_swaps > 10, "{lost_swaps} swaps began after the backups");
}
