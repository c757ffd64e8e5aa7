//! The shared suite of the cloud ports on the simulator.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use spothub_core::catalog::{Arch, Catalog, Product};
use spothub_core::commitment::Commitment;
use spothub_core::group::Process;
use spothub_core::id::{AccountId, ClusterName, GroupKey, GroupName, InstanceId, Site};
use spothub_core::market::Pool;
use spothub_core::port::{Clock, Lane};
use spothub_core::time::Span;
use spothub_sim::bus::Bus;
use spothub_sim::market::Market;
use spothub_sim::organization::Organization;
use spothub_sim::shape::{
    AccountShape, BusShape, EcsShape, FaultShape, GroupShape, ImageShape, Shape, SourceShape, VersionPin, Window,
};
use spothub_sim::world::SharedWorld;
use spothub_tests::cloud::{Image, Obstacle, Pin, Scene, Stage, Start, Wanted};

const HERE: &str = "us-east-1";
const THERE: &str = "eu-west-1";
/// Every rate of faults that is certain.
const ALWAYS: u32 = 1_000_000;
/// The pause between two questions.
const PAUSE: Span = Span::secs(2);
/// How long the queues hide a received message.
const VISIBILITY: Span = Span::secs(30);

fn account(number: u64) -> AccountId {
    AccountId::from_number(number).unwrap()
}

fn site(number: u64, region: &str) -> Site {
    Site { account: account(number), region: region.parse().unwrap() }
}

/// Accounts 1 to 4: the case's own, its neighbor, a closed one and one that is not enrolled.
fn shape() -> Shape {
    let accounts = (1..=4).map(|number| {
        let regions = [HERE, THERE].map(|region| region.parse().unwrap()).to_vec();
        let plain =
            AccountShape::new(account(number), &format!("account-{number}"), "/prod/web".parse().unwrap(), regions);
        AccountShape { active: number != 3, enrolled: number != 4, ..plain }
    });
    // Spot prices are worked out for the products that somebody runs.
    let lab = GroupShape::new(site(4, HERE), "lab".parse().unwrap(), "m5.large", 1);
    let mut shape = Shape { accounts: accounts.collect(), groups: vec![lab], ..Shape::default() };
    let market = &mut shape.market;
    (market.episodes_permille, market.dead_permille, market.expensive_permille) = (0, 0, 0);
    market.hazard_ppm_per_hour = 0;
    shape.rights.ecs_draining = true;
    shape.bus = BusShape { visibility: VISIBILITY, ..BusShape::perfect() };
    shape
}

struct SimStage {
    world: Arc<SharedWorld>,
    market: Arc<Market>,
    bus: Arc<Bus>,
    clock: Arc<dyn Clock>,
    forbidden: Mutex<Vec<AccountId>>,
}

impl SimStage {
    fn group(key: &GroupKey, wanted: &Wanted) -> GroupShape {
        let (product, arch) = match wanted.image {
            Image::Linux => (Product::Linux, Arch::X86_64),
            Image::LinuxArm => (Product::Linux, Arch::Arm64),
            Image::Windows => (Product::Windows, Arch::X86_64),
            Image::Rhel => (Product::Rhel, Arch::X86_64),
            Image::Suse => (Product::Suse, Arch::X86_64),
        };
        let source = match wanted.start {
            Start::Template(Pin::Number) => SourceShape::Template(VersionPin::Fixed),
            Start::Template(Pin::Latest | Pin::Default) => SourceShape::Template(VersionPin::Latest),
            Start::Configuration => SourceShape::Configuration,
            Start::Mixed => SourceShape::Mixed,
            Start::MixedOnDemand(Pin::Number) => SourceShape::MixedOnDemand(VersionPin::Fixed),
            Start::MixedOnDemand(Pin::Latest | Pin::Default) => SourceShape::MixedOnDemand(VersionPin::Latest),
        };
        let image = ImageShape {
            arch: Some(arch),
            volumes: wanted.volumes,
            not_on_spot: wanted.hibernates,
            ..ImageShape::default()
        };
        GroupShape {
            min: wanted.min,
            max: wanted.max,
            product,
            source,
            image,
            target_groups: wanted.target_groups,
            classic_balancers: wanted.classic_balancers,
            ecs: wanted.cluster.clone().map(|name| EcsShape { cluster: Some(name), tasks: 0, ..EcsShape::default() }),
            launch_hook: wanted.launch_hook,
            stack_updating: wanted.stack.filter(|updating| *updating).map(|_| Window::ALWAYS),
            suspended: wanted.suspended.clone(),
            tags: wanted.tags.clone(),
            ..GroupShape::new(key.site.clone(), key.name.clone(), wanted.kind, wanted.desired)
        }
    }

    async fn wait(&self, span: Span) {
        self.clock.sleep_until(self.clock.now() + span).await;
    }
}

#[async_trait]
impl Stage for SimStage {
    fn site(&self) -> Site {
        site(1, HERE)
    }

    fn neighbor(&self) -> Site {
        site(2, HERE)
    }

    fn elsewhere(&self) -> Site {
        site(1, THERE)
    }

    async fn make(&self, key: &GroupKey, wanted: &Wanted) {
        self.world.lock().add_group(&Self::group(key, wanted));
    }

    async fn make_empty(&self, names: &[GroupName]) {
        for name in names {
            let key = GroupKey { site: self.site(), name: name.clone() };
            self.make(&key, &Wanted::new(name.as_str()).sized(0, 0, 1)).await;
        }
    }

    async fn suspend(&self, key: &GroupKey, process: Process, suspended: bool) {
        assert!(self.world.lock().suspend(key, process, suspended), "{key}");
    }

    async fn alarm(&self, site: &Site, name: &str, red: bool) {
        self.world.lock().alarm(site, name, red);
    }

    /// Its agent does so by itself.
    async fn register(&self, _: &GroupKey, _: &ClusterName, _: &InstanceId) {}

    async fn drain(&self, pool: &Pool, drained: bool) {
        let pool = self.market.pool(&pool.az, pool.kind, pool.product).unwrap();
        self.world.lock().drain(pool, drained);
    }

    async fn buy(&self, commitment: &Commitment) {
        self.world.lock().buy(commitment.clone());
    }

    async fn move_price(&self, pool: &Pool) {
        let pool = self.market.pool(&pool.az, pool.kind, pool.product).unwrap();
        let before = self.market.price_at(pool, self.clock.now());
        while self.market.price_at(pool, self.clock.now()) == before {
            self.wait(Span::hours(1)).await;
        }
    }

    async fn run_by_hand(&self, key: &GroupKey) -> InstanceId {
        self.world.lock().run_by_hand(key).unwrap()
    }

    async fn end_by_hand(&self, _site: &Site, id: &InstanceId) {
        assert!(self.world.lock().end_by_hand(id), "{id}");
    }

    async fn take(&self, _site: &Site, id: &InstanceId) {
        assert!(self.world.lock().take_silently(id), "{id}");
    }

    async fn obstruct(&self, site: &Site, obstacle: Obstacle) {
        let mut world = self.world.lock();
        let rates = |change: fn(&mut FaultShape)| {
            let mut rates = FaultShape::default();
            change(&mut rates);
            rates
        };
        match obstacle {
            Obstacle::NoRole => {
                world.change_account(site.account, |account| account.unreachable = Some(Window::ALWAYS));
            }
            Obstacle::NoRights => {
                self.forbidden.lock().unwrap().push(site.account);
                world.change_account(site.account, |account| account.denied = Some(Window::ALWAYS));
            }
            Obstacle::Throttled => world.fail(rates(|rates| rates.throttled_ppm = ALWAYS)),
            Obstacle::Broken => world.fail(rates(|rates| rates.broken_ppm = ALWAYS)),
            Obstacle::Busy => world.fail(rates(|rates| rates.busy_ppm = ALWAYS)),
            Obstacle::LostCalls => world.fail(rates(|rates| rates.lost_ppm = ALWAYS)),
            Obstacle::LostAnswers => world.fail(rates(|rates| rates.lost_done_ppm = ALWAYS)),
        }
    }

    async fn clear(&self) {
        let mut world = self.world.lock();
        world.fail(FaultShape::default());
        for account in self.forbidden.lock().unwrap().drain(..) {
            world.change_account(account, |account| account.denied = None);
        }
    }

    async fn send(&self, lane: Lane, body: &str) {
        self.bus.inject(lane, body.as_bytes());
    }

    fn closed(&self) -> AccountId {
        account(3)
    }

    fn unenrolled(&self) -> AccountId {
        account(4)
    }

    async fn pause(&self) {
        self.wait(PAUSE).await;
    }

    async fn outlast_visibility(&self) {
        self.wait(VISIBILITY + Span::secs(1)).await;
    }
}

/// Runs one case in an organization of its own.
fn play<F>(case: impl FnOnce(Scene) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let organization = Organization::new(&shape(), 1, vec![]);
    let clock: Arc<dyn Clock> = Arc::new(organization.clock());
    let stage = SimStage {
        world: organization.world.clone(),
        market: organization.market.clone(),
        bus: organization.bus.clone(),
        clock: clock.clone(),
        forbidden: Mutex::default(),
    };
    let cloud = organization.cloud.clone();
    let scene = Scene {
        look: cloud.clone(),
        act: cloud.clone(),
        prices: cloud.clone(),
        commitments: cloud.clone(),
        placement: cloud.clone(),
        directory: cloud,
        inbox: Arc::new(organization.inbox.clone()),
        clock,
        stage: Arc::new(stage),
    };
    assert_eq!(organization.exec.run(case(scene)), Some(()), "the case stands still for ever");
}

macro_rules! on_the_simulator {
    ($($module:ident { $($case:ident,)* })*) => {
        $(mod $module {
            $(#[test]
            fn $case() {
                super::play(spothub_tests::cloud::$module::$case);
            })*
        })*
    };
}

spothub_tests::cloud_cases!(on_the_simulator);

#[test]
fn the_catalogue_has_both_regions() {
    for region in [HERE, THERE] {
        assert!(Catalog::embedded().zones(&region.parse().unwrap()).len() >= 3, "{region}");
    }
}
