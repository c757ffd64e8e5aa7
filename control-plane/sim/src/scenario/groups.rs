//! Groups described one by one.

use std::collections::BTreeSet;

use spothub_core::catalog::{Arch, BootMode, Catalog, Product, TypeId, Virtualization};
use spothub_core::group::Process;
use spothub_core::id::{AccountId, AzId, GroupName, Region, Site};
use spothub_hub::document::{At, Fields, digits_of_account, nearest};

use super::{accounts, parts};
use crate::shape::{AccountShape, AlarmShape, EcsShape, GroupShape, ImageShape, OrphanShape, SourceShape, VersionPin};

/// The largest group: what Auto Scaling allows without a raised quota is less.
pub(super) const MEMBERS_MAX: u64 = 10_000;

const SOURCES: [(&str, SourceShape); 6] = [
    ("template", SourceShape::Template(VersionPin::Fixed)),
    ("latest", SourceShape::Template(VersionPin::Latest)),
    ("configuration", SourceShape::Configuration),
    ("mixed", SourceShape::Mixed),
    ("mixed-on-demand", SourceShape::MixedOnDemand(VersionPin::Fixed)),
    ("mixed-on-demand-latest", SourceShape::MixedOnDemand(VersionPin::Latest)),
];

const PRODUCTS: [(&str, Product); 4] =
    [("linux", Product::Linux), ("windows", Product::Windows), ("rhel", Product::Rhel), ("suse", Product::Suse)];

const PROCESSES: [(&str, Process); 9] = [
    ("Launch", Process::Launch),
    ("Terminate", Process::Terminate),
    ("AddToLoadBalancer", Process::AddToLoadBalancer),
    ("AlarmNotification", Process::AlarmNotification),
    ("AZRebalance", Process::AZRebalance),
    ("HealthCheck", Process::HealthCheck),
    ("InstanceRefresh", Process::InstanceRefresh),
    ("ReplaceUnhealthy", Process::ReplaceUnhealthy),
    ("ScheduledActions", Process::ScheduledActions),
];

pub(super) fn read(at: &At<'_>, known: &[AccountShape]) -> Option<Vec<GroupShape>> {
    let mut seen = BTreeSet::new();
    at.each(|at| {
        let group = at.fields(|fields| one(fields, known))??;
        if !seen.insert((group.site.clone(), group.name.clone())) {
            return at.fail(format_args!("{} has two groups named {}", group.site, group.name), "rename one");
        }
        Some(group)
    })
}

/// CloudWatch alarms, each with the parts of the run in which it is red.
pub(super) fn alarms(at: &At<'_>, known: &[AccountShape]) -> Option<Vec<AlarmShape>> {
    let one = |fields: &Fields<'_>| {
        let name: Option<String> = fields.require("name");
        let account = fields.need("account").and_then(|at| account(&at, known));
        let region = fields.need("region").and_then(|at| accounts::region(&at));
        let red = fields.at("red").and_then(|at| at.each(parts::window)).unwrap_or_default();
        Some(AlarmShape { name: name?, site: Site { account: account?, region: region? }, red })
    };
    at.each(|at| at.fields(one)?)
}

fn one(fields: &Fields<'_>, known: &[AccountShape]) -> Option<GroupShape> {
    let name: Option<GroupName> = fields.need("name").and_then(|at| at.parsed());
    let account = fields.need("account").and_then(|at| account(&at, known));
    let region = fields.need("region").and_then(|at| accounts::region(&at));
    let kind = kind(fields);
    let desired = fields.need("desired").and_then(|at| at.within(0..=MEMBERS_MAX)).and_then(|n| u32::try_from(n).ok());
    // Everything is read before the first `?`, so that no key of a wrong group is called unknown.
    let mut group = GroupShape::new(placeholder()?, "x".parse().ok()?, "", desired.unwrap_or(0));
    sizes(fields, &mut group);
    features(fields, &mut group);
    fields.set("tags", &mut group.tags);
    fields.set("age", &mut group.age);
    group.policy.boot = fields.get("boot");
    group.owner = fields.at("owner").and_then(|at| parts::owner(&at));
    let zones = fields.at("zones").and_then(|at| at.each(At::parsed::<AzId>)).unwrap_or_default();
    let spread = fields.at("spread").and_then(|at| at.each(|n| n.within(0..=MEMBERS_MAX))).unwrap_or_default();
    group.spread = spread.into_iter().filter_map(|n| u32::try_from(n).ok()).collect();
    let (name, account, region, kind, _) = (name?, account?, region?, kind?, desired?);
    group.kind.clone_from(&kind);
    group.zones = zones;
    (group.name, group.site) = (name, Site { account, region });
    fits(fields, &group);
    Some(group)
}

fn placeholder() -> Option<Site> {
    Some(Site { account: AccountId::from_number(0)?, region: "none".parse().ok()? })
}

/// An account by its name, or by its id in quotes.
fn account(at: &At<'_>, known: &[AccountShape]) -> Option<AccountId> {
    let text = at.text()?;
    if let Some(found) = known.iter().find(|a| a.name == text || a.id.to_string() == text) {
        return Some(found.id);
    }
    let meant = digits_of_account(text).and_then(|id| known.iter().find(|a| a.id == id)).map(|a| a.name.as_str());
    let meant = meant.or_else(|| nearest(text, known.iter().map(|a| a.name.as_str())));
    let remedy = meant.map_or("list it under accounts".to_owned(), |name| format!("did you mean {name}?"));
    at.fail(format_args!("the organization has no account {text:?}"), remedy)
}

/// The type's name: known to the catalogue under `type`, and not under `unknown-type`.
fn kind(fields: &Fields<'_>) -> Option<String> {
    let catalog = Catalog::in_use();
    if let Some(at) = fields.at("unknown-type") {
        let text = at.text()?;
        if fields.at("type").is_some() {
            fields.note("type", "a group has either type or unknown-type", "remove one");
        }
        if catalog.by_name(text).is_some() {
            return at.fail(format_args!("the catalogue knows {text}"), "give it under type");
        }
        return Some(text.to_owned());
    }
    let at = fields.need("type")?;
    known_type(&at, " (or unknown-type, where that is the point)").map(|_| at.text().unwrap_or_default().to_owned())
}

/// A type that the catalogue knows; `hint` ends the remedy.
pub(super) fn known_type(at: &At<'_>, hint: &str) -> Option<TypeId> {
    let (catalog, text) = (Catalog::in_use(), at.text()?);
    catalog.by_name(text).or_else(|| {
        let what = format_args!("the catalogue does not know the type {text:?}");
        match nearest(text, catalog.types().map(|(_, t)| t.name.as_ref())) {
            Some(meant) => at.fail(what, format_args!("did you mean {meant}?{hint}")),
            None => at.fail(what, format_args!("give a type as m5.large{hint}")),
        }
    })
}

fn sizes(fields: &Fields<'_>, group: &mut GroupShape) {
    fields.set_within("min", 0..=MEMBERS_MAX, &mut group.min);
    fields.set_within("max", 0..=MEMBERS_MAX, &mut group.max);
    fields.set_within("target-groups", 0..=10, &mut group.target_groups);
    fields.set_within("classic-balancers", 0..=10, &mut group.classic_balancers);
    fields.set_within("protected", 0..=MEMBERS_MAX, &mut group.protected);
    fields.set_within("standby", 0..=MEMBERS_MAX, &mut group.standby);
    fields.set_within("older", 0..=MEMBERS_MAX, &mut group.older);
    fields.set_within("owner-spot", 0..=MEMBERS_MAX, &mut group.owner_spot);
    let (desired, least, most) = (group.desired, group.min, group.max);
    if least > most {
        fields.note("min", format_args!("min {least} is over max {most}"), "");
    } else if !(least..=most).contains(&desired) {
        fields.note("desired", format_args!("desired {desired} is not between min {least} and max {most}"), "");
    }
    for (key, count) in [("protected", group.protected), ("older", group.older), ("owner-spot", group.owner_spot)] {
        if count > desired {
            fields.note(key, format_args!("{count} members of a group that has {desired}"), "");
        }
    }
}

fn features(fields: &Fields<'_>, group: &mut GroupShape) {
    if let Some(product) = fields.at("os").and_then(|at| at.word(&PRODUCTS)) {
        group.product = product;
    }
    if let Some(source) = fields.at("source").and_then(|at| at.word(&SOURCES)) {
        group.source = source;
    }
    let overrides = fields.at("overrides").and_then(|at| at.each(|one| known_type(one, "").and(one.text())));
    group.overrides = overrides.unwrap_or_default().into_iter().map(ToOwned::to_owned).collect();
    if let Some(image) = fields.at("image").and_then(|at| at.fields(image)) {
        group.image = image;
    }
    let suspended = fields.at("suspended").and_then(|at| at.each(|one| one.word(&PROCESSES)));
    group.suspended = suspended.unwrap_or_default().into_iter().collect();
    fields.set("new-protected", &mut group.new_protected);
    fields.set("health-check-grace", &mut group.health_check_grace);
    fields.set("default-warmup", &mut group.default_warmup);
    fields.set("warm-pool", &mut group.warm_pool);
    fields.set("launch-hook", &mut group.launch_hook);
    fields.set("terminate-hook", &mut group.terminate_hook);
    fields.set("hook-name", &mut group.hook_name);
    group.stack_updating = fields.at("stack-updating").and_then(|at| parts::window(&at));
    fields.set("operator", &mut group.operator);
    fields.set("cluster-placement", &mut group.cluster_placement);
    fields.set("dedicated", &mut group.dedicated);
    fields.set("reserved", &mut group.reserved);
    group.ecs = fields.at("ecs").and_then(|at| at.fields(ecs));
    group.refresh_until = fields.get("refresh-until");
    group.orphans = fields.at("orphans").and_then(|at| at.fields(orphans)).flatten();
}

fn image(fields: &Fields<'_>) -> ImageShape {
    let mut image = ImageShape {
        arch: fields.at("arch").and_then(|at| at.parsed::<Arch>()),
        virtualization: fields.at("virtualization").and_then(|at| at.parsed::<Virtualization>()),
        boot_mode: fields.at("boot-mode").and_then(|at| at.parsed::<BootMode>()),
        ..ImageShape::default()
    };
    fields.set("ena", &mut image.ena);
    fields.set_within("network-interfaces", 1..=15, &mut image.network_interfaces);
    fields.set_within("volumes", 1..=100, &mut image.volumes);
    fields.set("block-device-without-type", &mut image.block_device_without_type);
    fields.set("not-on-spot", &mut image.not_on_spot);
    image.profile = fields.at("instance-profile").and_then(|at| at.parsed());
    image.profile_role = image.profile.as_ref().map(ToString::to_string);
    if let Some(role) = fields.get::<String>("profile-role") {
        image.profile_role = Some(role).filter(|role| role != "none");
    }
    image
}

/// The ECS cluster that a group serves.
fn ecs(fields: &Fields<'_>) -> EcsShape {
    let mut ecs = EcsShape { cluster: fields.at("cluster").and_then(|at| at.parsed()), ..EcsShape::default() };
    fields.set_within("tasks", 0..=1000, &mut ecs.tasks);
    fields.set("register", &mut ecs.register);
    fields.set("drain", &mut ecs.drain);
    fields.set_within("slow-ppm", 0..=1_000_000, &mut ecs.slow_ppm);
    fields.set("slow", &mut ecs.slow);
    ecs
}

fn orphans(fields: &Fields<'_>) -> Option<OrphanShape> {
    let count = fields.need("count").and_then(|at| at.within(1..=1000)).and_then(|n| u32::try_from(n).ok());
    let hub = fields.need("hub").and_then(|at| at.word(&[("this", true), ("former", false)]));
    Some(OrphanShape { count: count?, this_hub: hub? })
}

/// Whether zones, members by zone and type agree.
fn fits(fields: &Fields<'_>, group: &GroupShape) {
    let (catalog, region) = (Catalog::in_use(), &group.site.region);
    let (all, kind) = (catalog.zones(region), catalog.by_name(&group.kind));
    for zone in &group.zones {
        if !all.contains(zone) {
            let ids: Vec<&str> = all.iter().map(AzId::as_str).collect();
            fields.note(
                "zones",
                format_args!("{region} has no zone {zone}"),
                format_args!("it has {}", ids.join(", ")),
            );
        } else if kind.is_some_and(|kind| !catalog.offered(zone, kind)) {
            fields.note("zones", format_args!("{zone} does not offer {}", group.kind), offered_in(region, kind));
        }
    }
    if kind.is_some_and(|kind| all.iter().all(|zone| !catalog.offered(zone, kind))) {
        fields.note("type", format_args!("no zone of {region} offers {}", group.kind), "give another type or region");
    }
    if kind.is_none() && group.orphans.is_some() {
        fields.note("orphans", "there is no Spot market for a type that the catalogue does not know", "give it a type");
    }
    let (sum, zones) = (group.spread.iter().map(|n| u64::from(*n)).sum::<u64>(), group.zones.len());
    if sum > u64::from(group.desired) {
        fields.note("spread", format_args!("{sum} members in zones, and desired is {}", group.desired), "");
    }
    if !group.spread.is_empty() && group.spread.len() > zones {
        let what = format_args!("members for {} zones, and zones names {zones}", group.spread.len());
        fields.note("spread", what, "name the zones that they are in");
    }
}

fn offered_in(region: &Region, kind: Option<TypeId>) -> String {
    let catalog = Catalog::in_use();
    let offers = |zone: &&AzId| kind.is_some_and(|kind| catalog.offered(zone, kind));
    let zones: Vec<&str> = catalog.zones(region).iter().filter(offers).map(AzId::as_str).collect();
    if zones.is_empty() { "give another type".to_owned() } else { format!("offered in {}", zones.join(", ")) }
}
