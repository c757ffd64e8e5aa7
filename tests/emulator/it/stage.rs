//! The hands of a case on the emulator: owners act through the ordinary API, AWS and the network through controls.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_autoscaling::types::LifecycleState;
use aws_sdk_cloudwatch::types as watch;
use aws_sdk_ec2::types as ec2;
use serde_json::{Value, json};
use spothub_aws::QueueUrls;
use spothub_core::catalog::Catalog;
use spothub_core::commitment::{Commitment, Terms};
use spothub_core::group::Process;
use spothub_core::id::{AccountId, ClusterName, GroupKey, GroupName, InstanceId, Site};
use spothub_core::market::Pool;
use spothub_core::port::Lane;
use spothub_tests::cloud::{Obstacle, PAUSES_MAX, Stage, Wanted};
use tokio::sync::Mutex as AsyncMutex;

use crate::clients::Clients;
use crate::clock::wait;
use crate::emulator::{Emulator, HERE, THERE, VISIBILITY_S, region};
use crate::groups::Maker;

/// The pause between two questions.
const PAUSE: Duration = Duration::from_millis(60);
/// A part of the adapter's user agent: faults hit its calls, and nobody else's.
const ADAPTER: &str = "spothub";
/// Calls that change something in a member account, with their services.
const CHANGES: [(&str, &str); 7] = [
    ("ec2", "CreateFleet"),
    ("ec2", "RunInstances"),
    ("ec2", "TerminateInstances"),
    ("autoscaling", "AttachInstances"),
    ("ecs", "UpdateContainerInstancesState"),
    ("autoscaling", "TerminateInstanceInAutoScalingGroup"),
    ("autoscaling", "UpdateAutoScalingGroup"),
];

/// Millionths of a USD: each new price is another one.
static PRICE: AtomicU64 = AtomicU64::new(40_000);

pub(crate) struct EmulatorStage {
    emulator: &'static Emulator,
    account: AccountId,
    neighbor: OnceLock<AccountId>,
    urls: QueueUrls,
    sites: AsyncMutex<BTreeMap<Site, &'static Clients>>,
    networks: AsyncMutex<BTreeMap<Site, Value>>,
    faults: Mutex<Vec<u64>>,
    drained: Mutex<BTreeMap<Pool, u64>>,
}

impl EmulatorStage {
    pub(crate) fn new(emulator: &'static Emulator, account: AccountId, urls: QueueUrls) -> Self {
        Self {
            emulator,
            account,
            neighbor: OnceLock::new(),
            urls,
            sites: AsyncMutex::default(),
            networks: AsyncMutex::default(),
            faults: Mutex::default(),
            drained: Mutex::default(),
        }
    }

    /// Clients of a site, made once; a test binary has as many as it has cases.
    async fn clients(&self, site: &Site) -> &'static Clients {
        let mut sites = self.sites.lock().await;
        if let Some(known) = sites.get(site) {
            return known;
        }
        let made: &'static Clients = Box::leak(Box::new(self.emulator.clients(site).await));
        sites.insert(site.clone(), made);
        made
    }

    /// The network of a site: seeded, or made now for one of the few cases that go there.
    async fn network(&self, site: &Site) -> Value {
        let mut networks = self.networks.lock().await;
        if let Some(known) = networks.get(site) {
            return known.clone();
        }
        let seeded = self.emulator.seeded(site);
        let network = if seeded.is_null() {
            crate::groups::network(self.clients(site).await, &site.region).await
        } else {
            seeded.clone()
        };
        networks.insert(site.clone(), network.clone());
        network
    }

    /// Waits until all members of a group are in service.
    async fn settled(&self, key: &GroupKey, members: u32) {
        let clients = self.clients(&key.site).await;
        for _ in 0..PAUSES_MAX {
            let request = clients.groups.describe_auto_scaling_groups().auto_scaling_group_names(key.name.as_str());
            let answer = request.send().await.unwrap();
            let rows = answer.auto_scaling_groups()[0].instances();
            let serving = rows.iter().filter(|row| row.lifecycle_state() == Some(&LifecycleState::InService));
            if serving.count() == members as usize && self.running(clients, rows).await {
                return;
            }
            self.pause().await;
        }
        panic!("{key} does not come into service");
    }

    async fn running(&self, clients: &Clients, rows: &[aws_sdk_autoscaling::types::Instance]) -> bool {
        let ids: Vec<String> = rows.iter().filter_map(|row| row.instance_id().map(ToOwned::to_owned)).collect();
        if ids.is_empty() {
            return true;
        }
        let request = clients.ec2.describe_instance_status().set_instance_ids(Some(ids.clone()));
        let answer = request.send().await.unwrap();
        answer.instance_statuses().len() == ids.len()
    }

    /// The stack that made a group, being changed or at rest; what CloudFormation tags the group with.
    async fn stack(&self, key: &GroupKey, updating: bool) -> BTreeMap<String, String> {
        let status = if updating { "UPDATE_IN_PROGRESS" } else { "UPDATE_COMPLETE" };
        let name: String = key.name.as_str().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let site = &key.site;
        let asked = json!({"account": site.account, "region": site.region, "name": name, "status": status});
        let made = self.emulator.control.post("/stack", &asked).await;
        let tags = [
            ("aws:cloudformation:stack-name", name.as_str()),
            ("aws:cloudformation:stack-id", made["id"].as_str().unwrap()),
        ];
        tags.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    async fn fault(&self, mut rule: Value) {
        rule["agent"] = Value::from(ADAPTER);
        rule["count"] = Value::Null;
        let made = self.emulator.control.post("/faults", &rule).await;
        self.faults.lock().unwrap().push(made["id"].as_u64().unwrap());
    }

    /// A fault for each changing call to a site.
    async fn on_changes(&self, site: &Site, rule: impl Fn(&str) -> Value) {
        for (service, action) in CHANGES {
            let mut rule = rule(service);
            rule["service"] = Value::from(service);
            rule["action"] = Value::from(action);
            rule["account"] = Value::from(site.account.to_string());
            self.fault(rule).await;
        }
    }

    /// A fault for each call to a site, by service.
    async fn on_all(&self, site: &Site, rows: [(&str, &str); 3]) {
        for (service, code) in rows {
            let account = site.account.to_string();
            self.fault(json!({"service": service, "account": account, "code": code})).await;
        }
    }

    fn price_row(pool: &Pool, at: &str) -> Value {
        let usd = PRICE.fetch_add(137, Ordering::Relaxed);
        let kind = &Catalog::embedded().get(pool.kind).name;
        json!({"region": at, "zone": pool.az.as_str(), "type": &**kind, "usd": format!("0.{usd:06}")})
    }
}

#[async_trait]
impl Stage for EmulatorStage {
    fn site(&self) -> Site {
        Site { account: self.account, region: region(HERE) }
    }

    fn neighbor(&self) -> Site {
        Site { account: *self.neighbor.get_or_init(|| self.emulator.neighbor()), region: region(HERE) }
    }

    fn elsewhere(&self) -> Site {
        Site { account: self.account, region: region(THERE) }
    }

    async fn make(&self, key: &GroupKey, wanted: &Wanted) {
        let clients = self.clients(&key.site).await;
        let maker = Maker { clients, site: &self.network(&key.site).await };
        let stack = match wanted.stack {
            Some(updating) => self.stack(key, updating).await,
            None => BTreeMap::new(),
        };
        let tags = wanted.tags.iter().map(|(name, value)| (name.clone(), value.clone())).chain(stack).collect();
        Box::pin(maker.make(key, &Wanted { tags, ..wanted.clone() })).await;
        self.settled(key, wanted.desired).await;
        for process in &wanted.suspended {
            self.suspend(key, *process, true).await;
        }
    }

    async fn make_empty(&self, names: &[GroupName]) {
        let site = self.site();
        let clients = self.clients(&site).await;
        let maker = Maker { clients, site: &self.network(&site).await };
        let template = maker.template(&Wanted::new("all")).await;
        let launch = aws_sdk_autoscaling::types::LaunchTemplateSpecification::builder();
        let launch = launch.launch_template_id(template).version("1").build();
        for name in names {
            let request = clients.groups.create_auto_scaling_group().auto_scaling_group_name(name.as_str());
            let request = request.min_size(0).max_size(1).desired_capacity(0).launch_template(launch.clone());
            request.availability_zones(format!("{}a", site.region)).send().await.unwrap();
        }
    }

    async fn suspend(&self, key: &GroupKey, process: Process, suspended: bool) {
        let groups = &self.clients(&key.site).await.groups;
        let process = format!("{process:?}");
        let name = key.name.as_str();
        if suspended {
            let request = groups.suspend_processes().auto_scaling_group_name(name).scaling_processes(process);
            request.send().await.unwrap();
        } else {
            let request = groups.resume_processes().auto_scaling_group_name(name).scaling_processes(process);
            request.send().await.unwrap();
        }
    }

    async fn alarm(&self, site: &Site, name: &str, red: bool) {
        let alarms = &self.clients(site).await.alarms;
        let request = alarms.put_metric_alarm().alarm_name(name).namespace("web").metric_name("errors");
        let request = request.statistic(watch::Statistic::Sum).period(60).evaluation_periods(1).threshold(1.0);
        let request = request.comparison_operator(watch::ComparisonOperator::GreaterThanThreshold);
        request.send().await.unwrap();
        let state = if red { watch::StateValue::Alarm } else { watch::StateValue::Ok };
        let request = alarms.set_alarm_state().alarm_name(name).state_value(state).state_reason("a case");
        request.send().await.unwrap();
    }

    async fn register(&self, key: &GroupKey, cluster: &ClusterName, id: &InstanceId) {
        self.clients(&key.site).await.register(cluster.as_str(), &id.to_string()).await;
    }

    async fn drain(&self, pool: &Pool, drained: bool) {
        let control = &self.emulator.control;
        if drained {
            let kind = &Catalog::embedded().get(pool.kind).name;
            let rule = json!({
                "account": self.account.to_string(), "zone": pool.az.as_str(), "type": &**kind, "market": "spot",
            });
            let made = control.post("/capacity", &rule).await;
            self.drained.lock().unwrap().insert(pool.clone(), made["id"].as_u64().unwrap());
        } else {
            let id = self.drained.lock().unwrap().remove(pool).expect("it was drained");
            control.delete("/capacity", id).await;
        }
    }

    async fn buy(&self, commitment: &Commitment) {
        let account = commitment.account.to_string();
        let (path, given) = match &commitment.terms {
            Terms::Reserved { region, kind, count, .. } => {
                let row = json!({"instanceType": &*Catalog::embedded().get(*kind).name, "instanceCount": count});
                ("/reserved-instances", json!({"account": account, "region": region.as_str(), "rows": [row]}))
            }
            Terms::ComputePlan { hourly } => {
                let plan = json!({"savingsPlanType": "Compute", "state": "active", "commitment": hourly.to_string()});
                ("/savings-plans", json!({"account": account, "plans": [plan]}))
            }
            Terms::InstancePlan { .. } => panic!("no case buys one"),
        };
        self.emulator.control.post(path, &given).await;
    }

    async fn move_price(&self, pool: &Pool) {
        // Prices are told by the second: the next change must come in another one.
        wait(Duration::from_millis(1100)).await;
        self.emulator.control.post("/spot-prices", &Self::price_row(pool, HERE)).await;
        wait(Duration::from_millis(1100)).await;
    }

    async fn run_by_hand(&self, key: &GroupKey) -> InstanceId {
        let clients = self.clients(&key.site).await;
        let site = self.network(&key.site).await;
        let subnet = site["subnets"].as_object().unwrap().values().next().unwrap().as_str().unwrap();
        let request = clients.ec2.run_instances().image_id("ami-0aaaaaaaaaaaaaaa1").subnet_id(subnet);
        let request = request.instance_type(ec2::InstanceType::M5Large).min_count(1).max_count(1);
        let made = request.send().await.unwrap();
        made.instances()[0].instance_id().unwrap().parse().unwrap()
    }

    async fn end_by_hand(&self, site: &Site, id: &InstanceId) {
        let clients = self.clients(site).await;
        clients.ec2.terminate_instances().instance_ids(id.to_string()).send().await.unwrap();
    }

    async fn take(&self, site: &Site, id: &InstanceId) {
        let asked = json!({"account": site.account, "region": site.region, "instance": id, "warning": false});
        self.emulator.control.post("/interruptions", &asked).await;
    }

    async fn obstruct(&self, site: &Site, obstacle: Obstacle) {
        match obstacle {
            Obstacle::NoRole => {
                let role = format!("::{}:role/", site.account);
                self.fault(json!({"action": "AssumeRole", "contains": role, "code": "AccessDenied"})).await;
            }
            Obstacle::NoRights => {
                let code = |service: &str| if service == "ec2" { "UnauthorizedOperation" } else { "AccessDenied" };
                self.on_changes(site, |service| json!({"code": code(service)})).await;
            }
            Obstacle::Throttled => {
                let codes = [
                    ("ec2", "RequestLimitExceeded"),
                    ("autoscaling", "Throttling"),
                    ("elasticloadbalancing", "Throttling"),
                ];
                self.on_all(site, codes).await;
            }
            Obstacle::Broken => {
                let codes = [
                    ("ec2", "InternalError"),
                    ("autoscaling", "InternalFailure"),
                    ("elasticloadbalancing", "InternalFailure"),
                ];
                self.on_all(site, codes).await;
            }
            Obstacle::Busy => {
                self.on_changes(site, |_| json!({"code": "ScalingActivityInProgress", "status": 400})).await;
            }
            Obstacle::LostCalls => self.on_changes(site, |_| json!({"answer": "close"})).await,
            Obstacle::LostAnswers => self.on_changes(site, |_| json!({"answer": "close", "effect": true})).await,
        }
    }

    async fn clear(&self) {
        let ids: Vec<u64> = self.faults.lock().unwrap().drain(..).collect();
        for id in ids {
            self.emulator.control.delete("/faults", id).await;
        }
    }

    async fn send(&self, lane: Lane, body: &str) {
        let url = match lane {
            Lane::Urgent => &self.urls.urgent,
            Lane::Normal => &self.urls.normal,
        };
        self.emulator.queues().send_message().queue_url(url).message_body(body).send().await.unwrap();
    }

    fn closed(&self) -> AccountId {
        self.emulator.accounts("gone").next().unwrap()
    }

    fn unenrolled(&self) -> AccountId {
        self.emulator.accounts("lab").next().unwrap()
    }

    async fn pause(&self) {
        wait(PAUSE).await;
    }

    async fn outlast_visibility(&self) {
        wait(Duration::from_millis(VISIBILITY_S * 1000 + 300)).await;
    }
}
