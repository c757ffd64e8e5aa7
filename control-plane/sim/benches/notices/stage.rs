//! An organization prepared by the simulator, and workers on it in wall time.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::join_all;
use spothub_core::group::{GroupView, Lifecycle};
use spothub_core::id::{GroupKey, InstanceId, Site};
use spothub_core::policy::PolicySet;
use spothub_core::port::{
    Cause, Clock, Directory, Inbox, InstanceSeen, Journal, Lane, Look, Note, Prices, Store, TemplateFacts,
};
use spothub_core::time::Timestamp;
use spothub_hub::limit::Throttled;
use spothub_hub::{Engine, Ports, Settings};
use spothub_sim::cloud::SimCloud;
use spothub_sim::organization::Organization;
use spothub_sim::scenario::Scenario;
use spothub_store::Sqlite;
use tokio::task::JoinHandle;

use crate::cloud::{Answers, Cloud, Distant, Done, lock};
use crate::queues::{Letter, Queues};
use crate::wall::{Wall, elapsed, pause};

/// Accounts with losses.
pub(crate) const ACCOUNTS: usize = 100;
/// Losses in each account, all in one region: they share the account's bucket of launches.
pub(crate) const LOSSES: usize = 10;
/// Workers on one store and one pair of queues.
const WORKERS: usize = 2;
/// The longest wait for the first sweep of all workers.
const WARM_MAX: Duration = Duration::from_secs(90);

/// Notes cost their caller nothing here: what they become is the caller's own business.
struct Silent;

impl Journal for Silent {
    fn note(&self, _now: Timestamp, _note: &Note<'_>) {}
}

/// The answers of an organization whose accounts each have [`LOSSES`] Spot members in so many groups, and policy.
pub(crate) fn prepared(groups: usize) -> (Arc<Answers>, PolicySet) {
    let mut yaml = format!(
        "about: groups on Spot but for the floor, and nobody who changes them\n\
         hours: 1\n\
         accounts: {{count: {ACCOUNTS}, ous: [/prod], regions: [eu-west-1]}}\n\
         policy: {{defaults: {{enabled: true, floor: {{number: 1}}}}}}\n\
         groups:\n"
    );
    let spot = LOSSES / groups;
    for account in 1..=ACCOUNTS {
        for group in 1..=groups {
            let _ = writeln!(
                yaml,
                "  - {{name: group-{group}, account: prod-{account:04}, region: eu-west-1, type: m5.large, \
                 desired: {}, owner-spot: {spot}}}",
                spot + 1
            );
        }
    }
    let scenario = Scenario::read("notices.yaml", &yaml).unwrap_or_else(|problems| panic!("{problems}"));
    let organization = Organization::new(&scenario.shape(1), 1, Vec::new());
    let cloud = Arc::clone(&organization.cloud);
    let answers = organization.exec.run(async move { read(&cloud).await });
    (Arc::new(answers.unwrap_or_else(|| panic!("the simulator ended early"))), scenario.policy)
}

/// All accounts at the same time, before the simulator's own market takes anything back.
async fn read(cloud: &SimCloud) -> Answers {
    let mut answers = Answers { accounts: cloud.accounts().await.unwrap_or_default(), ..Answers::default() };
    let mut sites = Vec::new();
    for account in &answers.accounts {
        sites.extend(account.regions.iter().map(|region| Site { account: account.id, region: region.clone() }));
    }
    for region in sites.iter().map(|site| &site.region).collect::<BTreeSet<_>>() {
        answers.quotes.extend(cloud.spot(region).await.ok().map(|quotes| (region.clone(), quotes)));
    }
    let all = join_all(sites.iter().map(|site| read_site(cloud, site))).await;
    for (site, (views, seen, templates)) in sites.into_iter().zip(all) {
        answers.templates.extend(templates);
        answers.instances.insert(site.clone(), seen.into_iter().map(|row| (row.id.clone(), row)).collect());
        answers.groups.insert(site, views.into_iter().map(|view| (view.key.name.clone(), view)).collect());
    }
    answers
}

type OfSite = (Vec<GroupView>, Vec<InstanceSeen>, Vec<(GroupKey, TemplateFacts)>);

async fn read_site(cloud: &SimCloud, site: &Site) -> OfSite {
    let why = Cause::default();
    let views = cloud.groups(site, None, why).await.unwrap_or_default();
    let ids: Vec<InstanceId> = views.iter().flat_map(|view| view.members.iter().map(|m| m.id.clone())).collect();
    let seen = cloud.instances(site, &ids, why).await.unwrap_or_default();
    let template =
        async |view: &GroupView| Some((view.key.clone(), cloud.template(&view.key, &view.source, why).await.ok()?));
    let templates = join_all(views.iter().map(template)).await.into_iter().flatten().collect();
    (views, seen, templates)
}

/// Workers, and what they work on.
pub(crate) struct Stage {
    answers: Arc<Answers>,
    policy: PolicySet,
    pub(crate) queues: Arc<Queues>,
    pub(crate) done: Arc<Done>,
    store: Arc<dyn Store>,
    engines: Mutex<Vec<(Arc<Engine>, JoinHandle<()>)>>,
    letters: Mutex<u64>,
}

impl Stage {
    /// Nobody works yet.
    pub(crate) fn new(answers: &Arc<Answers>, policy: &PolicySet) -> Self {
        let store = Sqlite::memory().unwrap_or_else(|error| panic!("{error}"));
        Self {
            answers: Arc::clone(answers),
            policy: policy.clone(),
            queues: Arc::default(),
            done: Arc::default(),
            store: Arc::new(Distant(store)),
            engines: Mutex::default(),
            letters: Mutex::default(),
        }
    }

    /// Starts the workers, each with sessions, memory and limits of its own.
    pub(crate) fn start(&self) {
        for number in 1..=WORKERS {
            let (answers, done) = (Arc::clone(&self.answers), Arc::clone(&self.done));
            let settings = Settings {
                worker: format!("worker-{number}"),
                id_seed: u64::try_from(number).unwrap_or_default(),
                policy: self.policy.clone(),
                peers: true,
                ..Settings::default()
            };
            let clock: Arc<dyn Clock> = Arc::new(Wall);
            let cloud = Arc::new(Cloud { answers, done, sessions: Mutex::new(BTreeSet::new()) });
            let (wait_max, shares) = (settings.limiter_wait_max, settings.shares.clone());
            let throttled = Arc::new(Throttled::new(Arc::clone(&cloud), Arc::clone(&clock), wait_max, shares));
            let ports = Ports {
                look: throttled.clone(),
                act: Some(throttled),
                prices: Arc::clone(&cloud) as Arc<dyn Prices>,
                directory: cloud as Arc<dyn Directory>,
                store: Arc::clone(&self.store),
                inbox: Arc::clone(&self.queues) as Arc<dyn Inbox>,
                clock,
                journal: Arc::new(Silent),
                policies: None,
                commitments: None,
                placement: None,
            };
            let engine = Engine::new(ports, settings);
            let task = tokio::spawn(Arc::clone(&engine).run());
            lock(&self.engines).push((engine, task));
        }
    }

    /// Waits until every worker has swept, knows of the others and has nothing to do.
    pub(crate) async fn warm(&self) {
        let give_up = elapsed() + WARM_MAX;
        let cold = || lock(&self.engines).iter().any(|(engine, _)| engine.state().sweep_ended.is_none());
        while cold() && elapsed() < give_up {
            pause(Duration::from_millis(100)).await;
        }
        // Signs of life are read once a beat.
        pause(Duration::from_secs(11)).await;
    }

    /// A warning for each Spot member, spread over accounts and groups as they would come.
    pub(crate) fn losses(&self) -> Vec<Letter> {
        let mut by_site: Vec<Vec<(&Site, &InstanceId)>> = Vec::new();
        for (site, rows) in &self.answers.instances {
            let spot = rows.values().filter(|row| row.facts.lifecycle == Lifecycle::Spot);
            by_site.push(spot.map(|row| (site, &row.id)).collect());
        }
        let rounds = by_site.iter().map(Vec::len).max().unwrap_or_default();
        let spread = (0..rounds).flat_map(|round| by_site.iter().filter_map(move |rows| rows.get(round)));
        spread.map(|(site, id)| self.warning(site, id)).collect()
    }

    fn warning(&self, site: &Site, id: &InstanceId) -> Letter {
        let kind = "EC2 Spot Instance Interruption Warning";
        Letter { body: self.body(kind, site, id, r#""instance-action":"terminate""#), notice: Some(id.clone()) }
    }

    /// State changes, so many, every other one of an instance that nobody knows.
    pub(crate) fn state_changes(&self, count: usize) -> Vec<Letter> {
        let known: Vec<(&Site, &InstanceId)> = {
            let rows = self.answers.instances.iter();
            rows.flat_map(|(site, rows)| rows.keys().map(move |id| (site, id))).collect()
        };
        let one = |n: usize| {
            let (site, id) = known[n / 2 % known.len()];
            let stranger = InstanceId::from_number(u128::try_from(n).unwrap_or_default() + 1);
            let id = if n.is_multiple_of(2) { id } else { &stranger };
            let kind = "EC2 Instance State-change Notification";
            Letter { body: self.body(kind, site, id, r#""state":"running""#), notice: None }
        };
        (0..count).map(one).collect()
    }

    fn body(&self, kind: &str, site: &Site, id: &InstanceId, detail: &str) -> Vec<u8> {
        let number = {
            let mut letters = lock(&self.letters);
            *letters += 1;
            *letters
        };
        let (account, region, time) = (site.account, &site.region, Wall.now().to_rfc3339());
        let event = format!("00000000-0000-4000-8000-{number:012}");
        [
            format!(r#"{{"version":"0","id":"{event}","detail-type":"{kind}","source":"aws.ec2","#),
            format!(r#""account":"{account}","time":"{time}","region":"{region}","#),
            format!(r#""resources":["arn:aws:ec2:{region}:{account}:instance/{id}"],"#),
            format!(r#""detail":{{"instance-id":"{id}",{detail}}}}}"#),
        ]
        .concat()
        .into_bytes()
    }

    /// What each notice had to wait for its first changing call, from when a worker had it; and how many still wait.
    pub(crate) fn waits(&self) -> (Vec<Duration>, usize) {
        let (handed, first) = (self.queues.handed(), self.done.first());
        let wait = |(id, at): (&InstanceId, &Duration)| first.get(id).map(|then| then.saturating_sub(*at));
        let mut waits: Vec<Duration> = handed.iter().filter_map(wait).collect();
        waits.sort_unstable();
        let waiting = handed.len() - waits.len();
        (waits, waiting)
    }

    /// Normal messages that were worked off.
    pub(crate) fn worked_off(&self) -> usize {
        self.queues.deleted(Lane::Normal)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for (_, task) in lock(&self.engines).drain(..) {
            task.abort();
        }
    }
}

/// When each of these was first acted on.
pub(crate) fn last(first: &BTreeMap<InstanceId, Duration>) -> Option<Duration> {
    first.values().max().copied()
}
