//! Groups drawn from a mix: so many, of such sizes, types and peculiarities.

use spothub_core::catalog::{Catalog, Product, TypeId};
use spothub_core::group::Process;
use spothub_core::id::{AzId, GroupName, Region, Site};
use spothub_core::time::Span;

use super::{AccountShape, GroupShape, PolicyShape, SourceShape, VersionPin};
use crate::seed::{Seeds, Stream};

/// How to draw groups. They go round over the sites of the enrolled, active accounts.
#[derive(Clone, Debug)]
pub struct Mix {
    /// How many. Default 0.
    pub groups: u32,
    /// Sizes: weight, from, to (members, both included). Default 3 × 1..2, 5 × 3..6, 2 × 7..15.
    pub sizes: Vec<(u32, u32, u32)>,
    /// Types: weight and name; those that a region does not offer are drawn again. Default general-purpose types.
    pub types: Vec<(u32, String)>,
    /// Peculiarities.
    pub shares: MixShares,
    /// Members of each group that are Spot from the start, in thousandths: as after months of swaps. Default 0.
    pub on_spot: u32,
    /// What policy says of all of them.
    pub policy: PolicyShape,
}

/// Shares of groups with a peculiarity, in thousandths. Groups beyond the first block are held by the engine.
#[derive(Clone, Debug)]
pub struct MixShares {
    /// Windows. Default 0.
    pub windows: u32,
    /// Launch configuration instead of a template. Default 150.
    pub configuration: u32,
    /// Template version `$Latest`. Default 200.
    pub latest: u32,
    /// At its MaxSize. Default 200.
    pub at_max: u32,
    /// With one target group, rarely two. Default 400.
    pub target_group: u32,
    /// With a grace period of 1 to 3 minutes. Default 300.
    pub grace: u32,
    /// With the tag `spothub:min-on-demand` = 1 (groups of two and more). Default 100.
    pub floor_tag: u32,
    /// New members are protected (the first swaps find unprotected ones). Default 20.
    pub new_protected: u32,

    /// Opted out by tag. Default 30.
    pub opted_out: u32,
    /// Mixed-instances policy. Default 20.
    pub mixed: u32,
    /// Warm pool. Default 10.
    pub warm_pool: u32,
    /// Launch hook. Default 20.
    pub launch_hook: u32,
    /// A member in standby. Default 10.
    pub standby: u32,
    /// Another service manages it. Default 10.
    pub operator: u32,
    /// Some members protected. Default 20.
    pub protected: u32,
    /// A process suspended for good. Default 20.
    pub suspended: u32,
    /// Some members on an older template version. Default 30.
    pub older: u32,
}

impl Default for MixShares {
    fn default() -> Self {
        Self {
            windows: 0,
            configuration: 150,
            latest: 200,
            at_max: 200,
            target_group: 400,
            grace: 300,
            floor_tag: 100,
            new_protected: 20,
            opted_out: 30,
            mixed: 20,
            warm_pool: 10,
            launch_hook: 20,
            standby: 10,
            operator: 10,
            protected: 20,
            suspended: 20,
            older: 30,
        }
    }
}

impl Default for Mix {
    fn default() -> Self {
        let types = [
            (10, "m5.large"),
            (6, "m5.xlarge"),
            (3, "m5.2xlarge"),
            (6, "c5.large"),
            (5, "c5.xlarge"),
            (4, "r5.large"),
            (3, "r5.xlarge"),
            (6, "t3.large"),
            (5, "t3.medium"),
            (4, "m6i.large"),
            (3, "c6i.xlarge"),
            (4, "m6g.large"),
            (3, "c6g.xlarge"),
            (2, "m5d.large"),
            (2, "m7i.large"),
        ];
        Self {
            groups: 0,
            sizes: vec![(3, 1, 2), (5, 3, 6), (2, 7, 15)],
            types: types.map(|(weight, name)| (weight, name.to_owned())).to_vec(),
            shares: MixShares::default(),
            on_spot: 0,
            policy: PolicyShape::default(),
        }
    }
}

const NAMES: [&str; 12] =
    ["web", "api", "worker", "batch", "search", "render", "ingest", "cache", "gateway", "builder", "report", "stream"];

/// Zones that a group of the mix has at most.
const ZONES_MAX: usize = 3;
/// Draws of a type before the last one is taken as it is.
const DRAWS_MAX: usize = 16;

impl Mix {
    /// Draws the groups. Each has a stream of its own, so one more does not change the others.
    #[must_use]
    pub fn expand(&self, seeds: Seeds, accounts: &[AccountShape]) -> Vec<GroupShape> {
        let mut sites = Vec::new();
        for account in accounts.iter().filter(|a| a.enrolled && a.active) {
            for region in &account.regions {
                sites.push(Site { account: account.id, region: region.clone() });
            }
        }
        if sites.is_empty() {
            return Vec::new();
        }
        let count = u32::try_from(sites.len()).unwrap_or(u32::MAX);
        (0..self.groups).filter_map(|n| self.group(seeds, &sites[(n % count) as usize], n)).collect()
    }

    fn group(&self, seeds: Seeds, site: &Site, number: u32) -> Option<GroupShape> {
        let mut stream = seeds.stream("mix", &format_args!("{site}/{number}"));
        let product = if stream.permille(self.shares.windows) { Product::Windows } else { Product::Linux };
        let kind = self.kind(&mut stream, &site.region, product)?;
        let drawn = stream.weighted(self.sizes.iter().map(|s| u64::from(s.0)))?;
        let (_, low, high) = self.sizes[drawn];
        let desired = u32::try_from(stream.between(i64::from(low), i64::from(high))).unwrap_or(low);
        let name: GroupName = format!("{}-{number}", NAMES[stream.index(NAMES.len())]).parse().ok()?;
        let catalog = Catalog::in_use();
        let mut group = GroupShape::new(site.clone(), name, &catalog.get(kind).name, desired);
        group.product = product;
        group.zones = zones(&mut stream, &site.region, kind);
        group.min = desired / 2;
        group.policy = self.policy.clone();
        self.ordinary(&mut stream, &mut group);
        self.peculiar(&mut stream, &mut group);
        if group.owner_spot == 0 {
            group.owner_spot = group.desired.saturating_mul(self.on_spot) / 1000;
        }
        Some(group)
    }

    fn kind(&self, stream: &mut Stream, region: &Region, product: Product) -> Option<TypeId> {
        let catalog = Catalog::in_use();
        let mut found = None;
        for _ in 0..DRAWS_MAX {
            let index = stream.weighted(self.types.iter().map(|t| u64::from(t.0)))?;
            let Some(kind) = catalog.by_name(&self.types[index].1) else { continue };
            found = Some(kind);
            let offered = catalog.zones(region).iter().filter(|az| catalog.offered(az, kind)).count();
            if offered >= 2 && catalog.on_demand(region, product, kind).is_some() {
                break;
            }
        }
        found
    }

    fn ordinary(&self, stream: &mut Stream, group: &mut GroupShape) {
        let shares = &self.shares;
        if stream.permille(shares.configuration) {
            group.source = SourceShape::Configuration;
        } else if stream.permille(shares.latest) {
            group.source = SourceShape::Template(VersionPin::Latest);
        }
        group.max = if stream.permille(shares.at_max) { group.desired } else { group.desired * 2 + 2 };
        if stream.permille(shares.target_group) {
            group.target_groups = if stream.permille(100) { 2 } else { 1 };
        }
        if stream.permille(shares.grace) {
            group.health_check_grace = Span::secs(stream.between(60, 180));
        }
        if stream.permille(shares.floor_tag) && group.desired > 1 {
            group.tags.insert("spothub:min-on-demand".to_owned(), "1".to_owned());
        }
        group.new_protected = stream.permille(shares.new_protected);
    }

    fn peculiar(&self, stream: &mut Stream, group: &mut GroupShape) {
        let shares = &self.shares;
        if stream.permille(shares.opted_out) {
            group.tags.insert("spothub:enabled".to_owned(), "false".to_owned());
        }
        if stream.permille(shares.mixed) {
            group.source = SourceShape::Mixed;
            group.owner_spot = group.desired / 2;
        }
        group.warm_pool = stream.permille(shares.warm_pool);
        group.launch_hook = stream.permille(shares.launch_hook);
        group.standby = u32::from(stream.permille(shares.standby));
        group.operator = stream.permille(shares.operator);
        if stream.permille(shares.protected) {
            group.protected = group.desired.div_ceil(2);
        }
        if stream.permille(shares.suspended) {
            let all = [Process::Launch, Process::Terminate, Process::AZRebalance, Process::AddToLoadBalancer];
            group.suspended.insert(all[stream.index(all.len())]);
        }
        if stream.permille(shares.older) && matches!(group.source, SourceShape::Template(_)) {
            group.older = group.desired.div_ceil(2);
        }
    }
}

/// Up to three zones that offer the type, beginning anywhere.
fn zones(stream: &mut Stream, region: &Region, kind: TypeId) -> Vec<AzId> {
    let catalog = Catalog::in_use();
    let mut zones: Vec<AzId> = catalog.zones(region).iter().filter(|az| catalog.offered(az, kind)).cloned().collect();
    if zones.len() > 1 {
        let by = stream.index(zones.len());
        zones.rotate_left(by);
    }
    zones.truncate(ZONES_MAX);
    zones
}
