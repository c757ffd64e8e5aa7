//! One emulator for the whole test binary, with an organization in which each case takes accounts of its own.

use std::collections::BTreeSet;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, mpsc};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use serde_json::{Value, json};
use spothub_aws::{
    AwsCloud, AwsCommitments, AwsPlacement, AwsPrices, Enrolment, Home, OrgDirectory, Own, QueueUrls, Settings,
    SqsInbox, TimeOuts, Uncounted,
};
use spothub_core::catalog::Catalog;
use spothub_core::id::{AccountId, Region, Site};
use spothub_core::port::{Clock, Directory, Prices};
use spothub_tests::cloud::Scene;
use tokio::runtime::Handle;

use crate::clients;
use crate::clock::WallClock;
use crate::control::Control;
use crate::server::Server;
use crate::stage::EmulatorStage;

pub(crate) const HERE: &str = "us-east-1";
pub(crate) const THERE: &str = "eu-west-1";
/// Accounts for cases, and for their neighbors.
const CASES: usize = 130;
const NEIGHBORS: usize = 8;
/// How long the queues hide a received message, in seconds.
pub(crate) const VISIBILITY_S: u64 = 2;

pub(crate) fn region(name: &str) -> Region {
    name.parse().unwrap()
}

/// The emulator, and what all cases share.
pub(crate) struct Emulator {
    server: Server,
    pub(crate) control: Control,
    /// What the seed told.
    pub(crate) told: Value,
    /// The hub's own session: the adapter's.
    hub: SdkConfig,
    prices: Arc<dyn Prices>,
    directory: Arc<dyn Directory>,
    clock: Arc<dyn Clock>,
    cases: AtomicUsize,
    neighbors: AtomicUsize,
}

static EMULATOR: LazyLock<Emulator> = LazyLock::new(Emulator::start);

/// The one emulator, started by whoever asks first.
pub(crate) fn emulator() -> &'static Emulator {
    &EMULATOR
}

/// A runtime on a thread of its own, since SDK clients that cases share must outlast each of them.
#[expect(clippy::disallowed_methods, reason = "nothing here is simulated")]
static RUNTIME: LazyLock<Handle> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let handle = runtime.handle().clone();
    std::thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
    handle
});

fn description() -> Value {
    // One region each: few cases go to another one, and each network takes a tenth of a second.
    json!({"regions": [HERE], "accounts": [
        {"name": "case", "count": CASES, "ou": "prod/web", "forward": false},
        {"name": "neighbor", "count": NEIGHBORS, "ou": "prod", "forward": false},
        {"name": "gone", "closed": true, "forward": false},
        {"name": "lab", "ou": "sandbox", "forward": false},
    ]})
}

/// Runs a job on the runtime of all cases; a panic there is one here.
pub(crate) fn run<T: Send + 'static>(job: impl Future<Output = T> + Send + 'static) -> T {
    let (tell, told) = mpsc::channel();
    let job = RUNTIME.spawn(job);
    RUNTIME.spawn(async move { tell.send(job.await) });
    told.recv().unwrap().unwrap_or_else(|error| {
        // The runtime's thread prints where no test looks: what it said is said again here.
        let panic = error.into_panic();
        match panic.downcast_ref::<String>() {
            Some(text) => panic!("{text}"),
            None => resume_unwind(panic),
        }
    })
}

impl Emulator {
    fn start() -> Self {
        let server = Server::start();
        let told = server.seed(description());
        Self::over(server, told)
    }

    /// What a server was seeded with; the hub's keys and queues among it.
    pub(crate) fn over(server: Server, told: Value) -> Self {
        let control = Control::new(&server.url);
        let keys = &told["hub"]["keys"];
        let keys = ["AccessKeyId", "SecretAccessKey", "SessionToken"].map(|name| keys[name].as_str().unwrap());
        let plain = clients::session(&server.url, &region(HERE), keys);
        let clock: Arc<dyn Clock> = Arc::new(WallClock);
        let hub = {
            let control = control.clone();
            run(async move {
                // Short enough for tests, and long enough to be seen.
                let timings = json!({"pending": 0.8, "status_checks": 0.8, "in_service": 0.2, "target_healthy": 0.2});
                control.post("/timings", &timings).await;
                control.post("/switches", &json!({"empty_pages": true})).await;
                let quick = RetryConfig::standard().with_initial_backoff(Duration::from_millis(20));
                spothub_aws::load(&region(HERE), TimeOuts::default())
                    .await
                    .into_builder()
                    .endpoint_url(plain.endpoint_url().unwrap())
                    .credentials_provider(plain.credentials_provider().unwrap())
                    .retry_config(quick)
                    .build()
            })
        };
        let home = Home::new(hub.clone(), Arc::new(Uncounted));
        let enrolment = Enrolment { without: accounts(&told, "lab").collect(), ..Enrolment::all() };
        let regions = BTreeSet::from([HERE, THERE].map(region));
        let directory = OrgDirectory::new(Arc::clone(&home), clock.clone(), enrolment, regions);
        Self {
            server,
            control,
            prices: Arc::new(AwsPrices::new(home, clock.clone(), Catalog::embedded())),
            directory: Arc::new(directory),
            told,
            hub,
            clock,
            cases: AtomicUsize::new(1),
            neighbors: AtomicUsize::new(1),
        }
    }

    /// The accounts whose names begin so.
    pub(crate) fn accounts(&self, name: &str) -> impl Iterator<Item = AccountId> {
        accounts(&self.told, name)
    }

    /// What the seed told of a site; null where it made nothing there.
    pub(crate) fn seeded(&self, site: &Site) -> &Value {
        let rows = self.told["accounts"].as_array().unwrap();
        let row = rows.iter().find(|row| row["id"] == site.account.to_string()).unwrap();
        &row["regions"][site.region.as_str()]
    }

    fn external_id(&self) -> &str {
        self.told["external_id"].as_str().unwrap()
    }

    /// Clients of a site, for a test's own hands.
    pub(crate) async fn clients(&self, site: &Site) -> clients::Clients {
        clients::of(&self.management(), site).await
    }

    /// The hub's own session.
    pub(crate) const fn hub(&self) -> &SdkConfig {
        &self.hub
    }

    /// The management account's own session.
    pub(crate) fn management(&self) -> SdkConfig {
        clients::session(&self.server.url, &region(HERE), ["testing", "testing", ""])
    }

    /// A session of an account's administrator.
    pub(crate) async fn administrator(&self, account: AccountId) -> SdkConfig {
        clients::administrator(&self.management(), &Site { account, region: region(HERE) }).await
    }

    /// SQS of the hub.
    pub(crate) fn queues(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.management())
    }

    /// DynamoDB of the hub.
    pub(crate) fn tables(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.management())
    }

    /// Systems Manager and S3 of the hub's account, for who publishes there: with these keys, or with those of nobody.
    pub(crate) fn publisher(&self, keys: Option<&Value>) -> (aws_sdk_ssm::Client, aws_sdk_s3::Client) {
        let of = |name: &str| keys.map_or("testing", |keys| keys[name].as_str().unwrap());
        let token = keys.map_or("", |_| of("SessionToken"));
        let session =
            clients::session(&self.server.url, &region(HERE), [of("AccessKeyId"), of("SecretAccessKey"), token]);
        (aws_sdk_ssm::Client::new(&session), aws_sdk_s3::Client::new(&session))
    }

    /// The hub's own session, as the program has it.
    pub(crate) fn home(&self) -> Arc<Home> {
        Home::new(self.hub.clone(), Arc::new(Uncounted))
    }

    /// An account for a neighbor.
    pub(crate) fn neighbor(&self) -> AccountId {
        let number = self.neighbors.fetch_add(1, Ordering::Relaxed);
        self.accounts(&format!("neighbor-{number}")).next().expect("enough neighbors: raise NEIGHBORS")
    }

    /// An adapter of its own over this emulator.
    pub(crate) fn cloud(&self) -> Arc<AwsCloud> {
        let settings = Settings {
            home: region(HERE),
            hub: "contract".parse().unwrap(),
            role: "arn:aws:iam::{account}:role/spothub-member".parse().unwrap(),
            external_id: Some(self.external_id().parse().unwrap()),
            own: Own::Directly(self.told["management"].as_str().unwrap().parse().unwrap()),
            noise: 1,
        };
        let (clock, observer) = (Arc::clone(&self.clock), Arc::new(Uncounted));
        Arc::new(AwsCloud::new(self.hub.clone(), settings, Catalog::embedded(), clock, observer))
    }

    /// An adapter with an account, queues and caches of its own.
    pub(crate) async fn scene(&'static self) -> Scene {
        let number = self.cases.fetch_add(1, Ordering::Relaxed);
        let name = format!("case-{number}");
        let row = self.told["accounts"].as_array().unwrap().iter().find(|row| row["name"] == name.as_str());
        let account = row.expect("enough accounts: raise CASES")["id"].as_str().unwrap().parse().unwrap();
        let urls = self.make_queues(number).await;
        let home = Home::new(self.hub.clone(), Arc::new(Uncounted));
        let inbox = SqsInbox::new(home, Arc::clone(&self.clock), urls.clone());
        let cloud = self.cloud();
        Scene {
            look: cloud.clone(),
            act: cloud,
            prices: Arc::clone(&self.prices),
            commitments: Arc::new(AwsCommitments::new(self.cloud(), None)),
            placement: Arc::new(AwsPlacement::new(self.home(), Catalog::embedded())),
            directory: Arc::clone(&self.directory),
            inbox: Arc::new(inbox),
            clock: Arc::clone(&self.clock),
            stage: Arc::new(EmulatorStage::new(self, account, urls)),
        }
    }

    async fn make_queues(&self, number: usize) -> QueueUrls {
        let client = self.queues();
        let (urgent, normal) = (format!("case-{number}-urgent"), format!("case-{number}-normal"));
        QueueUrls { urgent: make_queue(&client, &urgent).await, normal: make_queue(&client, &normal).await }
    }
}

/// A queue that hides what was received for a short time; its URL.
async fn make_queue(client: &aws_sdk_sqs::Client, name: &str) -> String {
    let visibility = aws_sdk_sqs::types::QueueAttributeName::VisibilityTimeout;
    let request = client.create_queue().queue_name(name).attributes(visibility, VISIBILITY_S.to_string());
    request.send().await.unwrap().queue_url.unwrap()
}

fn accounts(told: &Value, name: &str) -> impl Iterator<Item = AccountId> {
    let rows = told["accounts"].as_array().unwrap().iter();
    let named = rows.filter(move |row| row["name"].as_str().unwrap() == name);
    named.map(|row| row["id"].as_str().unwrap().parse().unwrap()).collect::<Vec<_>>().into_iter()
}
