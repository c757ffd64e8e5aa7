//! A scenario from a recording: the organization as it was seen, and for all that a recording does not say the defaults
//! of the shape. What these are is told with the result, and in `docs/scenarios.md`.

use std::collections::{BTreeMap, BTreeSet};
// Writing to a text cannot fail, so what `write!` gives is dropped in this file.
use std::fmt::Write as _;

use spothub_core::catalog::{Arch, Catalog, Product, TypeId};
use spothub_core::group::{GroupView, Lifecycle, Member, MemberState, Source};
use spothub_core::id::{AzId, GroupKey, Region};
use spothub_core::market::Quotes;
use spothub_core::policy::PolicySet;
use spothub_core::time::{Span, Timestamp};
use spothub_hub::snapshot::{Recorded, Snapshot};

use super::groups::MEMBERS_MAX;
use super::{HOURS_DEFAULT, SETTLE_BOUND_DEFAULT, Scenario};
use crate::shape::{
    AccountShape, GroupShape, ImageShape, Launched, MarketShape, MemberShape, OwnerShape, Shape, SourceShape,
    VersionPin, Window,
};

/// How long an instance refresh lasts that was under way: a recording does not say when it will be done.
const REFRESH: Span = Span::hours(1);
/// The longest grace period and warm-up: AWS documents no bound, and a run is rarely longer.
const WAIT_MAX: Span = Span::hours(24);
/// The greatest age of a member: older ones are as old as this.
const AGE_MAX: Span = Span::hours(24 * 3650);
/// Times of recordings that can be lived on from: 2006, when EC2 began, to 2100.
const TAKEN: std::ops::RangeInclusive<Timestamp> = Timestamp(1_136_073_600_000)..=Timestamp(4_102_444_800_000);
/// Target groups of one group, at most: AWS attaches no more.
const TARGET_GROUPS_MAX: usize = 50;
/// The type that a group launches where it had no member to tell, by the architecture of its image.
const TYPES_DEFAULT: [(Arch, &str); 2] = [(Arch::X86_64, "m5.large"), (Arch::Arm64, "m6g.large")];
/// The type's name where no member's type is known to the catalogue.
const TYPE_UNKNOWN: &str = "unknown.large";

/// Why a recording cannot be lived on from.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// Its time is out of range.
    #[error("taken_at: {0} is no time to begin at\n  = record it anew; snapshots are not meant to be edited")]
    Time(Timestamp),
    /// No group is at a place that can be simulated.
    #[error(
        "it has no group in a region whose zones are known\n  = record an organization with Auto Scaling groups, and \
         let instance types be read: time-outs.catalogue is not 0"
    )]
    Empty,
    /// A group that cannot be.
    #[error("group {group}: {what}\n  = record it anew; snapshots are not meant to be edited")]
    Group {
        /// Which.
        group: GroupKey,
        /// What is wrong.
        what: String,
    },
}

impl Scenario {
    /// The organization of a recording under a policy, from the time of its recording on. Chance decides what its
    /// owners and the market do from then on; `name` is how results name it.
    pub fn recorded(name: &str, snapshot: &Snapshot, policy: PolicySet) -> Result<Self, RecordingError> {
        if !TAKEN.contains(&snapshot.taken_at) {
            return Err(RecordingError::Time(snapshot.taken_at));
        }
        let catalog = Catalog::in_use();
        let known = |group: &&Recorded| !catalog.zones(&group.view.key.site.region).is_empty();
        let groups: Vec<GroupShape> = snapshot
            .groups
            .iter()
            .filter(known)
            .map(|group| shape(group, snapshot.taken_at))
            .collect::<Result<_, _>>()?;
        if groups.is_empty() {
            return Err(RecordingError::Empty);
        }
        let about = about(snapshot, snapshot.groups.len() - groups.len());
        let account = |account: &spothub_core::cloud::Account| {
            let regions = account.regions.iter().cloned().collect();
            let shape = AccountShape::new(account.id, &account.name, account.ou.clone(), regions);
            AccountShape { active: account.active, ..shape }
        };
        let shape = Shape {
            start: snapshot.taken_at,
            accounts: snapshot.accounts.iter().map(account).collect(),
            groups,
            market: MarketShape { usual_permille: usual(&snapshot.quotes), ..MarketShape::default() },
            owner: OwnerShape::ordinary(),
            ..Shape::default()
        };
        let mut scenario = Self {
            name: name.to_owned(),
            about,
            hours: HOURS_DEFAULT,
            shape,
            policy,
            rights_told: true,
            sweep: None,
            placement_scores: 0,
            brakes: Vec::new(),
            settle_bound: SETTLE_BOUND_DEFAULT,
            shows: Vec::new(),
        };
        scenario.settle_bound = settle_bound(&scenario.shape(0));
        Ok(scenario)
    }
}

/// What a swap takes at most beside the waits that group and policy ask for: a launch, a boot and a removal.
const SWAP: Span = Span::mins(40);
/// The longest that a run waits for rest: two months.
const SETTLE_MAX: Span = Span::hours(24 * 60);

/// The time in which every group can have been converted, one swap after the other. A real group may have hundreds of
/// members with minutes of grace each: the bound of scenarios, whose groups are small, would call that unrest.
fn settle_bound(shape: &Shape) -> Span {
    let (mut longest, mut all, mut at_once) = (0, 0_i64, u32::MAX);
    for group in &shape.groups {
        let members = group.members.as_ref().map_or(0, Vec::len).max(group.desired as usize);
        let policy = &group.policy;
        let one = SWAP + policy.settle + policy.interval + group.health_check_grace.max(group.default_warmup);
        let swaps = one.0.saturating_mul(i64::try_from(members).unwrap_or(i64::MAX));
        // A share of the group in each hour: so many hours for all of it.
        let hourly = Span::hours(100 / i64::from(policy.share_percent.max(1)));
        longest = longest.max(swaps.saturating_add(hourly.0));
        all = all.saturating_add(swaps);
        at_once = policy.in_flight_max.into_iter().fold(at_once, u32::min);
    }
    let queued = all / i64::from(at_once.max(1));
    Span(SETTLE_BOUND_DEFAULT.0.saturating_add(longest.max(queued))).min(SETTLE_MAX)
}

fn about(snapshot: &Snapshot, left_out: usize) -> String {
    let mut text = format!(
        "As recorded at {} by {}: accounts, units, groups with their members, tags and templates, and prices. Assumed, \
         since a recording does not say: ordinary owners, capacity and interruptions, prices that drift about the \
         recorded ones, and groups that launch the commonest type of their members into the zones of these.",
        snapshot.taken_at.to_rfc3339(),
        snapshot.by.chars().filter(|c| !c.is_control()).take(64).collect::<String>(),
    );
    if left_out > 0 {
        let _ = write!(text, " Left out: {left_out} groups in regions whose zones are not known.");
    }
    if !snapshot.missed.is_empty() {
        let _ = write!(text, " {} reads had failed: what they would have shown is not here.", snapshot.missed.len());
    }
    text
}

fn shape(recorded: &Recorded, taken_at: Timestamp) -> Result<GroupShape, RecordingError> {
    let (view, template) = (&recorded.view, recorded.template.as_ref());
    check(view)?;
    let mut group = GroupShape::new(view.key.site.clone(), view.key.name.clone(), "", view.desired);
    (group.min, group.max) = (view.min, view.max);
    group.desired = view.desired.clamp(view.min, view.max);
    group.product = template.map_or(Product::Linux, |template| template.product);
    group.image = template.map_or_else(ImageShape::default, |template| ImageShape {
        arch: Some(template.arch),
        virtualization: Some(template.virtualization),
        boot_mode: template.boot_mode,
        ena: template.ena,
        network_interfaces: template.network_interfaces,
        volumes: template.volumes,
        block_device_without_type: false,
        not_on_spot: template.not_on_spot,
        profile: template.profile.clone(),
        profile_role: template.profile.as_ref().map(ToString::to_string),
        same_type_only: template.same_type_only,
    });
    group.kind = kind(view, group.image.arch.unwrap_or(Arch::X86_64));
    let pin = |version: Option<u64>| if version.is_some() { VersionPin::Fixed } else { VersionPin::Latest };
    group.source = match &view.source {
        Source::Template { version, .. } if view.mixed_on_demand => SourceShape::MixedOnDemand(pin(*version)),
        Source::Template { version, .. } => SourceShape::Template(pin(*version)),
        Source::Configuration(_) => SourceShape::Configuration,
        Source::Mixed => SourceShape::Mixed,
    };
    let current = template.map_or(&view.source, |template| &template.source);
    let members: Vec<MemberShape> = view.members.iter().filter_map(|m| member(m, current, taken_at)).collect();
    group.older = count(members.iter().filter(|member| member.launched == Launched::Earlier));
    group.zones = zones(&view.key.site.region, &members);
    group.members = Some(members);
    group.target_groups = count(&view.target_groups);
    group.classic_balancers = count(&view.load_balancers);
    group.new_protected = view.new_protected;
    group.suspended.clone_from(&view.suspended);
    group.health_check_grace = view.health_check_grace.clamp(Span::ZERO, WAIT_MAX);
    group.default_warmup = view.default_warmup.clamp(Span::ZERO, WAIT_MAX);
    group.warm_pool = view.warm_pool;
    group.operator = view.operator;
    group.cluster_placement = view.cluster_placement;
    let mut facts = view.members.iter().filter_map(|member| member.facts.as_ref());
    group.dedicated = facts.clone().any(|facts| facts.dedicated);
    group.reserved = facts.any(|facts| facts.reserved);
    group.launch_hook = view.extras.as_ref().is_some_and(|extras| !extras.launch_hooks.is_empty());
    if let Some(name) = view.extras.as_ref().and_then(|extras| extras.launch_hooks.first()) {
        group.hook_name.clone_from(name);
    }
    let updating = view.extras.as_ref().is_some_and(|extras| extras.stack_updating);
    group.stack_updating = updating.then_some(Window { from: Span::ZERO, until: REFRESH });
    group.refresh_until = view.extras.as_ref().filter(|extras| extras.refresh_active).map(|_| REFRESH);
    group.tags.clone_from(&view.tags);
    Ok(group)
}

/// Sizes that no group of AWS has would be launched here one by one.
fn check(view: &GroupView) -> Result<(), RecordingError> {
    let refuse = |what: String| Err(RecordingError::Group { group: view.key.clone(), what });
    if view.min > view.max {
        return refuse(format!("min {} is over max {}", view.min, view.max));
    }
    let members = u64::from(view.desired).max(u64::from(view.min)).max(view.members.len() as u64);
    if members > MEMBERS_MAX {
        return refuse(format!("{members} members, and {MEMBERS_MAX} are simulated at most"));
    }
    if view.target_groups.len() > TARGET_GROUPS_MAX {
        return refuse(format!("{} target groups", view.target_groups.len()));
    }
    Ok(())
}

/// The commonest type of its on-demand members, else of all; the first by name of those that are as common.
fn kind(view: &GroupView, arch: Arch) -> String {
    let catalog = Catalog::in_use();
    let commonest = |of: &dyn Fn(&&Member) -> bool| {
        let mut counts = BTreeMap::<&str, u32>::new();
        for kind in view.members.iter().filter(of).filter_map(|member| member.kind) {
            *counts.entry(&catalog.get(kind).name).or_default() += 1;
        }
        counts.into_iter().max_by_key(|(name, count)| (*count, std::cmp::Reverse(*name))).map(|(name, _)| name)
    };
    let on_demand = |member: &&Member| member.lifecycle() == Some(Lifecycle::OnDemand);
    let by_arch = TYPES_DEFAULT.iter().find(|(of, _)| *of == arch).unwrap_or(&TYPES_DEFAULT[0]).1;
    let none = if view.members.is_empty() { by_arch } else { TYPE_UNKNOWN };
    commonest(&on_demand).or_else(|| commonest(&|_| true)).unwrap_or(none).to_owned()
}

/// A member that stays; `current` is what the group launches from.
fn member(member: &Member, current: &Source, taken_at: Timestamp) -> Option<MemberShape> {
    let standby = match member.state {
        MemberState::InService | MemberState::Pending => false,
        MemberState::Standby => true,
        MemberState::Terminating | MemberState::Detaching | MemberState::Unknown => return None,
    };
    let launched = match (&member.source, current) {
        (None, _) => Launched::Untold,
        // Which version the group would launch was not read, or it names none by itself.
        (Some(_), Source::Mixed | Source::Template { version: None, .. }) => Launched::Current,
        (Some(source), current) if source == current => Launched::Current,
        (Some(_), _) => Launched::Earlier,
    };
    let age = member.facts.as_ref().map_or(0, |facts| taken_at.0.saturating_sub(facts.launched_at.0));
    Some(MemberShape {
        kind: member.kind,
        az: member.az.clone(),
        spot: member.lifecycle() == Some(Lifecycle::Spot),
        age: Span(age).clamp(Span::ZERO, AGE_MAX),
        standby,
        healthy: member.healthy,
        protected: member.protected,
        launched,
    })
}

/// The zones of its members that the region has.
fn zones(region: &Region, members: &[MemberShape]) -> Vec<AzId> {
    let known = Catalog::in_use().zones(region);
    let zones: BTreeSet<&AzId> = members.iter().map(|member| &member.az).filter(|az| known.contains(az)).collect();
    zones.into_iter().cloned().collect()
}

/// What hardware cost when it was recorded, in thousandths of on-demand, by zone and type: of Linux where that was
/// read, and otherwise of what another system's price leaves without its licence.
fn usual(quotes: &BTreeMap<Region, std::sync::Arc<Quotes>>) -> BTreeMap<AzId, BTreeMap<TypeId, u16>> {
    let catalog = Catalog::in_use();
    let mut usual = BTreeMap::<AzId, BTreeMap<TypeId, u16>>::new();
    for (region, quotes) in quotes {
        for (pool, price) in quotes.iter() {
            let linux = catalog.on_demand(region, Product::Linux, pool.kind);
            let own = catalog.on_demand(region, pool.product, pool.kind);
            let (Some(linux), Some(own)) = (linux, own) else { continue };
            let hardware = price.0.saturating_sub(own.0.saturating_sub(linux.0).max(0));
            let permille = hardware.saturating_mul(1000).checked_div(linux.0).unwrap_or(0).clamp(1, 1000);
            let Ok(permille) = u16::try_from(permille) else { continue };
            let kinds = usual.entry(pool.az.clone()).or_default();
            // Pools of a zone come product by product, Linux first.
            kinds.entry(pool.kind).or_insert(permille);
        }
    }
    usual
}

fn count<T>(all: impl IntoIterator<Item = T>) -> u32 {
    u32::try_from(all.into_iter().count()).unwrap_or(u32::MAX)
}
