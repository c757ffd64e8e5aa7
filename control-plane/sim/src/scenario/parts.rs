//! Market, faults, bus, owners, API limits and times: numbers with their bounds.

use spothub_core::rights::{GroupGuard, Passable, Rights};
use spothub_core::time::Span;
use spothub_hub::document::{At, Fields, Read, span};

use super::accounts::region;
use crate::shape::{
    ApiShape, Bucket, BusShape, Delay, FaultShape, MarketShape, OwnerShape, Shape, StormShape, TimingShape, Window,
};

const PPM: u64 = 1_000_000;
const PERMILLE: u64 = 1000;
/// What is "usual" can be raised a hundredfold; more is the same as without limit.
const FACTOR_MAX: u64 = 100_000;
/// Episodes of the market end within six hours.
const EPISODE_MAX: Span = Span::hours(6);

pub(super) fn read(fields: &Fields<'_>, shape: &mut Shape) {
    let part = |key, read: &mut dyn FnMut(&Fields<'_>)| {
        if let Some(at) = fields.at(key) {
            let _ = at.fields(|fields| read(fields));
        }
    };
    part("market", &mut |fields| market(fields, &mut shape.market));
    part("faults", &mut |fields| faults(fields, &mut shape.faults));
    part("api", &mut |fields| api(fields, &mut shape.api));
    part("timing", &mut |fields| timing(fields, &mut shape.timing));
    if let Some(at) = fields.at("bus") {
        if at.is_map() {
            let _ = at.fields(|fields| bus(fields, &mut shape.bus));
        } else if at.word(&[("ordinary", false), ("perfect", true)]) == Some(true) {
            shape.bus = BusShape::perfect();
        }
    }
    if let Some(owner) = fields.at("owner").and_then(|at| owner(&at)) {
        shape.owner = owner;
    }
}

impl Read for Delay {
    fn read(at: &At<'_>) -> Option<Self> {
        let (text, _) = at.scalar("two lengths of time, as 30s..5m")?;
        let (low, high) = text.split_once("..").unwrap_or((text, text));
        match (span(low.trim()), span(high.trim())) {
            (Some(low), Some(high)) if low <= high => Some(Self { low, high }),
            (Some(_), Some(_)) => at.fail(format_args!("{text} ends before it begins"), "write the shorter time first"),
            _ => at.fail(format_args!("{text:?} is no range of time"), "write 30s..5m, or 30s for always the same"),
        }
    }
}

/// What the member roles grant, and whether the hub's settings say so.
pub(super) fn rights(fields: &Fields<'_>, rights: &mut Rights) -> bool {
    let mut told = true;
    if let Some(guard) = fields.at("group-guard").and_then(|at| at.word(&GroupGuard::WORDS)) {
        rights.guard = guard;
    }
    if let Some(roles) = fields.at("passable-roles").and_then(|at| at.each(At::parsed)) {
        rights.passable = Passable::of(roles);
    }
    fields.set("launch-configurations", &mut rights.launch_configurations);
    fields.set("on-demand-fallback", &mut rights.on_demand_fallback);
    fields.set("ecs-draining", &mut rights.ecs_draining);
    fields.set("told", &mut told);
    told
}

/// A part of the run: `always`, or from and until as `2h..5h`.
pub(super) fn window(at: &At<'_>) -> Option<Window> {
    if at.text()? == "always" {
        return Some(Window::ALWAYS);
    }
    let Delay { low, high } = Delay::read(at)?;
    if low == high {
        return at.fail("the window is empty", "write always, or from and until as 2h..5h");
    }
    Some(Window { from: low, until: high })
}

fn market(fields: &Fields<'_>, market: &mut MarketShape) {
    fields.set_within("capacity-permille", 0..=FACTOR_MAX, &mut market.capacity_permille);
    fields.set_within("dead-permille", 0..=PERMILLE, &mut market.dead_permille);
    fields.set_within("episodes-permille", 0..=FACTOR_MAX, &mut market.episodes_permille);
    if let Some(left) = fields.at("left-permille").and_then(|at| range(&at)) {
        market.left_permille = left;
    }
    fields.set("episode", &mut market.episode);
    if market.episode.high > EPISODE_MAX || market.episode.low <= Span::ZERO {
        fields.note("episode", "an episode lasts between nothing and six hours", "");
    }
    if let Some(storms) = fields.at("storms").and_then(|at| at.each(|one| one.fields(storm)?)) {
        market.storms = storms;
    }
    fields.set_within("price-permille", 1..=FACTOR_MAX, &mut market.price_permille);
    fields.set_within("expensive-permille", 0..=PERMILLE, &mut market.expensive_permille);
    fields.set_within("hazard-ppm-per-hour", 0..=PPM, &mut market.hazard_ppm_per_hour);
    fields.set_within("silent-permille", 0..=PERMILLE, &mut market.silent_permille);
    fields.set_within("rebalance-permille", 0..=PERMILLE, &mut market.rebalance_permille);
    fields.set("cluster", &mut market.cluster);
}

/// Two shares in thousandths, as `0..600`.
fn range(at: &At<'_>) -> Option<(u32, u32)> {
    let (text, _) = at.scalar("two shares in thousandths, as 0..600")?;
    let parsed = text.split_once("..").and_then(|(low, high)| Some((low.parse().ok()?, high.parse().ok()?)));
    match parsed {
        Some((low, high)) if low <= high && high <= 1000 => Some((low, high)),
        _ => at.fail(format_args!("{text:?} is no range in thousandths"), "write it as 0..600, at most 1000"),
    }
}

fn storm(fields: &Fields<'_>) -> Option<StormShape> {
    let at: Option<Span> = fields.require("at");
    let (mut spread, mut length) = (Span::mins(5), Span::hours(1));
    fields.set("spread", &mut spread);
    fields.set("length", &mut length);
    let (mut pools, mut left) = (500, 0);
    fields.set_within("pools-permille", 0..=PERMILLE, &mut pools);
    fields.set_within("left-permille", 0..=PERMILLE, &mut left);
    let regions = fields.at("regions").and_then(|at| at.each(region)).unwrap_or_default();
    Some(StormShape { at: at?, spread, length, pools_permille: pools, left_permille: left, regions })
}

fn faults(fields: &Fields<'_>, faults: &mut FaultShape) {
    let FaultShape { broken_ppm, lost_ppm, lost_done_ppm, throttled_ppm, .. } = faults;
    fields.set_within("broken-ppm", 0..=PPM, broken_ppm);
    fields.set_within("lost-ppm", 0..=PPM, lost_ppm);
    fields.set_within("lost-done-ppm", 0..=PPM, lost_done_ppm);
    fields.set_within("throttled-ppm", 0..=PPM, throttled_ppm);
    let sum = [*broken_ppm, *lost_ppm, *lost_done_ppm, *throttled_ppm].map(u64::from).iter().sum::<u64>();
    if sum >= PPM {
        fields.note("", "together no call would ever succeed", "keep the sum of the rates under 1000000");
    }
    fields.set_within("busy-ppm", 0..=PPM, &mut faults.busy_ppm);
    fields.set_within("stillborn-ppm", 0..=PPM, &mut faults.stillborn_ppm);
    fields.set_within("dud-ppm", 0..=PPM, &mut faults.dud_ppm);
    fields.set_within("hub-reads-ppm", 0..=PPM, &mut faults.hub_reads_ppm);
}

fn bus(fields: &Fields<'_>, bus: &mut BusShape) {
    fields.set_within("lost-ppm", 0..=PPM, &mut bus.lost_ppm);
    fields.set_within("late-ppm", 0..=PPM, &mut bus.late_ppm);
    fields.set("late", &mut bus.late);
    fields.set_within("duplicate-ppm", 0..=PPM, &mut bus.duplicate_ppm);
    fields.set_within("disorder-ppm", 0..=PPM, &mut bus.disorder_ppm);
    fields.set("latency", &mut bus.latency);
    fields.set_within("junk-ppm", 0..=PPM, &mut bus.junk_ppm);
    fields.set("visibility", &mut bus.visibility);
}

/// Owners by a word, or by rates that change those of a word.
pub(super) fn owner(at: &At<'_>) -> Option<OwnerShape> {
    if !at.is_map() {
        return like(at);
    }
    at.fields(|fields| {
        let mut owner = fields.at("like").and_then(|at| like(&at)).unwrap_or_default();
        fields.set_within("refresh-permille", 0..=PERMILLE, &mut owner.refresh_permille);
        let rates: [(&'static str, &mut u32); 11] = [
            ("scale-out-ppm", &mut owner.scale_out_ppm),
            ("scale-in-ppm", &mut owner.scale_in_ppm),
            ("deploy-ppm", &mut owner.deploy_ppm),
            ("suspend-ppm", &mut owner.suspend_ppm),
            ("protect-ppm", &mut owner.protect_ppm),
            ("opt-out-ppm", &mut owner.opt_out_ppm),
            ("standby-ppm", &mut owner.standby_ppm),
            ("terminate-ppm", &mut owner.terminate_ppm),
            ("resize-ppm", &mut owner.resize_ppm),
            ("detach-ppm", &mut owner.detach_ppm),
            ("failure-ppm", &mut owner.failure_ppm),
        ];
        for (key, into) in rates {
            // An owner can act more than once an hour.
            fields.set_within(key, 0..=100 * PPM, into);
        }
        owner
    })
}

fn like(at: &At<'_>) -> Option<OwnerShape> {
    type Preset = fn() -> OwnerShape;
    const PRESETS: [(&str, Preset); 3] =
        [("none", OwnerShape::default), ("ordinary", OwnerShape::ordinary), ("racing", OwnerShape::racing)];
    at.word(&PRESETS).map(|preset| preset())
}

fn bucket(fields: &Fields<'_>, key: &'static str, into: &mut Bucket) {
    if let Some(at) = fields.at(key) {
        let _ = at.fields(|fields| {
            fields.set_within("size", 1..=1_000_000, &mut into.size);
            fields.set_within("per-second", 1..=1_000_000, &mut into.per_second);
        });
    }
}

fn api(fields: &Fields<'_>, api: &mut ApiShape) {
    bucket(fields, "ec2-read", &mut api.ec2_read);
    bucket(fields, "ec2-change", &mut api.ec2_change);
    bucket(fields, "run", &mut api.run);
    bucket(fields, "terminate", &mut api.terminate);
    bucket(fields, "launched", &mut api.launched);
    bucket(fields, "asg-read", &mut api.asg_read);
    bucket(fields, "asg-change", &mut api.asg_change);
    bucket(fields, "elb", &mut api.elb);
    bucket(fields, "iam", &mut api.iam);
    fields.set("leg", &mut api.leg);
    fields.set("launch", &mut api.launch);
    fields.set("lost-after", &mut api.lost_after);
    fields.set("consistent-after", &mut api.consistent_after);
}

fn timing(fields: &Fields<'_>, timing: &mut TimingShape) {
    fields.set("linux-running", &mut timing.linux_running);
    fields.set("linux-checked", &mut timing.linux_checked);
    fields.set("windows-running", &mut timing.windows_running);
    fields.set("windows-checked", &mut timing.windows_checked);
    fields.set("in-service", &mut timing.in_service);
    fields.set("attach", &mut timing.attach);
    fields.set("register", &mut timing.register);
    fields.set("drain", &mut timing.drain);
    fields.set("shutdown", &mut timing.shutdown);
    fields.set("react", &mut timing.react);
    fields.set("notice", &mut timing.notice);
    fields.set("rebalance", &mut timing.rebalance);
    fields.set("hook", &mut timing.hook);
    fields.set("refresh", &mut timing.refresh);
    fields.set("remember", &mut timing.remember);
}
