//! `plan` for one group of 20 members over three zones against a full region's market.
//!
//! `cargo bench -p spothub-core --bench plan` prints the warm figure; the cold first plan (nothing remembered of who
//! may stand in for whom) stands beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use spothub_core::catalog::{Arch, Catalog, Product, Virtualization};
use spothub_core::compat::Substitutes;
use spothub_core::group::{Extras, GroupView, InstanceFacts, Lifecycle, Member, MemberState, Source};
use spothub_core::id::{GroupKey, InstanceId, Region, Site};
use spothub_core::market::{Market, Pool, Quotes, SpotPrice};
use spothub_core::money::UsdPerHour;
use spothub_core::plan::{Ask, Load, plan};
use spothub_core::policy::{Effective, Policy, Standing};
use spothub_core::port::{Route, TemplateFacts};
use spothub_core::record::GroupRecord;
use spothub_core::rights::Rights;
use spothub_core::time::{Span, Timestamp};

const NOW: Timestamp = Timestamp(1_767_225_600_000);

/// Every type of the catalogue in every zone, at 40 % of its on-demand price, give or take by its number. A type
/// without a price there counts as one of its size: the point is how many there are to look through.
fn market(catalog: &Catalog, region: &Region) -> (Market, usize) {
    let mut rows = Vec::new();
    for az in catalog.zones(region) {
        for (kind, facts) in catalog.types() {
            let by_size = UsdPerHour(i64::from(facts.vcpu) * 50_000);
            let price = catalog.on_demand(region, Product::Linux, kind).unwrap_or(by_size);
            let price = UsdPerHour(price.0 * (40 + i64::from(kind.0 % 13)) / 100);
            let pool = Pool { az: az.clone(), kind, product: Product::Linux };
            rows.push(SpotPrice { pool, price, at: NOW });
        }
    }
    let kinds: BTreeSet<_> = rows.iter().map(|row| row.pool.kind).collect();
    let mut market = Market::unknown(region.clone());
    market.quotes = Some(Arc::new(Quotes::new(NOW, rows)));
    (market, kinds.len())
}

fn view(catalog: &Catalog, region: &Region) -> GroupView {
    let source = Source::Template { id: "lt-00000001".parse().expect("an id"), version: Some(1) };
    let kind = catalog.by_name("m5.large");
    let member = |n: u128| Member {
        id: InstanceId::from_number(n),
        kind,
        az: catalog.zones(region)[usize::try_from(n % 3).unwrap_or(0)].clone(),
        state: MemberState::InService,
        healthy: true,
        protected: false,
        source: Some(source.clone()),
        facts: Some(Arc::new(InstanceFacts {
            lifecycle: if n < 12 { Lifecycle::OnDemand } else { Lifecycle::Spot },
            subnet: "subnet-00000001".parse().expect("an id"),
            launched_at: NOW - Span::hours(5),
            swap: None,
            dedicated: false,
            reserved: false,
        })),
    };
    let site = Site { account: "000000000001".parse().expect("an id"), region: region.clone() };
    GroupView {
        key: GroupKey { site, name: "web".parse().expect("a name") },
        seen_at: NOW,
        min: 0,
        max: 30,
        desired: 20,
        members: (0..20).map(member).collect(),
        suspended: BTreeSet::new(),
        tags: BTreeMap::new(),
        source,
        target_groups: Vec::new(),
        load_balancers: Vec::new(),
        health_check_grace: Span::ZERO,
        default_warmup: Span::ZERO,
        warm_pool: false,
        operator: false,
        cluster_placement: false,
        capacity_rebalance: false,
        mixed_on_demand: false,
        new_protected: false,
        extras: Some(Extras::default()),
    }
}

fn bench(c: &mut Criterion) {
    let catalog = Catalog::embedded();
    let region: Region = "us-east-1".parse().expect("a region");
    let (market, types) = market(catalog, &region);
    let view = view(catalog, &region);
    let template = TemplateFacts {
        source: view.source.clone(),
        product: Product::Linux,
        arch: Arch::X86_64,
        virtualization: Virtualization::Hvm,
        boot_mode: None,
        ena: true,
        network_interfaces: 1,
        volumes: 1,
        not_on_spot: false,
        profile: None,
        same_type_only: false,
        route: Route::Fleet,
    };
    let record = GroupRecord::new(view.key.clone());
    let effective = Effective { policy: Policy::default(), standing: Standing::Enabled };
    let rights = Rights::default();
    let decide = |substitutes: &Substitutes| {
        let plan = plan(&Ask {
            view: black_box(&view),
            record: &record,
            template: Some(&template),
            role: None,
            market: &market,
            effective: &effective,
            rights: &rights,
            origins: spothub_core::plan::NO_ORIGINS,
            recommended: spothub_core::plan::NONE_RECOMMENDED,
            reverting: None,
            load: Load::default(),
            shares: None,
            commitments: spothub_core::commitment::Known::Unasked,
            catalog,
            substitutes,
            now: NOW,
        });
        assert!(plan.swap.is_some(), "a plan that holds measures nothing");
        plan
    };
    let warm = Substitutes::new(catalog);
    let _ = decide(&warm);
    c.bench_function(&format!("plan, 20 members, 3 zones, {types} types, warm"), |b| b.iter(|| decide(&warm)));
    c.bench_function("plan, cold", |b| {
        b.iter_batched(|| Substitutes::new(catalog), |cold| decide(&cold), BatchSize::SmallInput);
    });
}

criterion_group!(benches, bench);
criterion_main!(benches);
