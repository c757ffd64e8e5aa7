//! Whether a hold is true, by the scenario, the market and what the trace says of the group at that time.
//!
//! Shares no function with `plan`. A reason whose cause no record shows is not judged.

use std::collections::BTreeMap;

use spothub_core::catalog::Catalog;
use spothub_core::group::{Lifecycle, Process};
use spothub_core::id::{AccountId, InstanceId, Region, SwapId};
use spothub_core::time::Span;
use spothub_sim::delivered::{Asks, fits};
use spothub_sim::record::{By, Call, GroupRef, InstanceStart, Membership, Outcome, PolicyLine, Record, What};
use spothub_sim::scenario::Scenario;
use spothub_sim::shape::{AccountShape, FaultShape, GroupShape, SourceShape};

use super::stall::{Asked, Stall};

/// How old a look may be on which a hold rests: one of the sweep, parked behind a full lane.
const LOOKED_WITHIN: Span = Span::secs(60);
/// Virtual milliseconds by which what the engine remembers of its own deeds lags behind them.
const LAG: i64 = 10_000;

/// A hold that began.
#[derive(Clone, Debug)]
pub(super) struct Held {
    t: i64,
    group: GroupRef,
    instance: Option<InstanceId>,
    pub(super) reason: String,
}

/// From its first to its last record.
struct Flight {
    id: SwapId,
    group: GroupRef,
    from: i64,
    until: Option<i64>,
    done: bool,
}

/// A run with all that holds can be judged by.
pub(super) struct Case<'a> {
    records: &'a [Record],
    shapes: BTreeMap<GroupRef, GroupShape>,
    accounts: BTreeMap<AccountId, AccountShape>,
    faults: FaultShape,
    refreshes: bool,
    states: BTreeMap<&'a GroupRef, Vec<(i64, &'a Membership)>>,
    policies: BTreeMap<&'a GroupRef, Vec<(i64, &'a PolicyLine)>>,
    starts: BTreeMap<&'a InstanceId, (i64, &'a InstanceStart)>,
    flights: Vec<Flight>,
    refusals: Vec<(i64, &'a Call)>,
    stall: Stall,
}

impl<'a> Case<'a> {
    pub(super) fn new(scenario: &Scenario, seed: u64, records: &'a [Record]) -> Self {
        let shape = scenario.shape(seed);
        let mut case = Self {
            records,
            refreshes: shape.owner.refresh_permille > 0,
            shapes: shape.groups.iter().map(|group| (place(group), group.clone())).collect(),
            accounts: shape.accounts.iter().map(|account| (account.id, account.clone())).collect(),
            faults: shape.faults.clone(),
            states: BTreeMap::new(),
            policies: BTreeMap::new(),
            starts: BTreeMap::new(),
            flights: Vec::new(),
            refusals: Vec::new(),
            stall: Stall::new(scenario, seed, records),
        };
        for record in records {
            case.read(record.t, &record.what);
        }
        case
    }

    fn read(&mut self, t: i64, what: &'a What) {
        if let What::Membership(m) = what {
            self.states.entry(&m.group).or_default().push((t, m));
        } else if let What::Policy(p) = what {
            self.policies.entry(&p.group).or_default().push((t, p));
        } else if let What::InstanceStart(start) = what {
            self.starts.insert(&start.instance_id, (t, start));
        } else if let What::Call(call) = what
            && call.outcome != Outcome::Ok
        {
            self.refusals.push((t, call));
        } else if let What::Swap { swap, group, state, .. } = what {
            self.fly(t, swap, group, state);
        }
    }

    fn fly(&mut self, t: i64, swap: &SwapId, group: &GroupRef, state: &str) {
        let last = matches!(state, "done" | "undone" | "failed" | "stranded");
        let done = state == "done";
        match self.flights.iter_mut().rev().find(|flight| flight.id == *swap) {
            Some(flight) if last => (flight.until, flight.done) = (Some(t), done),
            Some(_) => {}
            None => {
                let (id, group, until) = (swap.clone(), group.clone(), last.then_some(t));
                self.flights.push(Flight { id, group, from: t, until, done });
            }
        }
    }

    /// Holds that began before then.
    pub(super) fn holds(&self, until: Span) -> Vec<Held> {
        let held = |record: &Record| {
            let What::Hold { group, instance_id, reason: Some(reason) } = &record.what else { return None };
            let (group, instance, reason) = (group.clone(), instance_id.clone(), reason.clone());
            (record.t < until.0).then_some(Held { t: record.t, group, instance, reason })
        };
        self.records.iter().filter_map(held).collect()
    }

    /// Whether it was true at any time that the look may be of; `None` where no record can tell.
    pub(super) fn is_true(&mut self, hold: &Held) -> Option<bool> {
        if let Some(made_so) = self.made_so(hold) {
            return Some(made_so);
        }
        let states = lately(self.states.get(&hold.group)?, hold.t);
        let policies = lately(self.policies.get(&hold.group)?, hold.t);
        let state = |test: &dyn Fn(&Membership) -> bool| Some(states.iter().any(|s| test(s)));
        let policy = |test: &dyn Fn(&PolicyLine) -> bool| Some(policies.iter().any(|p| test(p)));
        let moving = |m: &Membership| {
            m.members.iter().any(|l| l.state != "Terminating" && (l.state != "InService" || !l.healthy))
        };
        match hold.reason.as_str() {
            "not-enabled" => policy(&|p| !p.enabled && p.opted_out_by.is_none()),
            "opted-out" => policy(&|p| p.opted_out_by.is_some()),
            "standby-member" => state(&|m| m.members.iter().any(|l| l.state.contains("Standby"))),
            "process-suspended" => state(&|m| {
                [Process::Launch, Process::Terminate, Process::AddToLoadBalancer]
                    .iter()
                    .any(|p| m.suspended.contains(p))
            }),
            "in-transition" => state(&moving),
            "below-desired" => state(&|m| m.in_service < m.owner_desired),
            "on-demand-floor" => state(&|m| policies.iter().any(|p| m.on_demand <= floor(p, m.owner_desired))),
            "protected-member" => {
                state(&|m| m.members.iter().any(|l| l.protected && hold.instance.as_ref() == Some(&l.id)))
            }
            "swap-interval" => {
                let launched = self.launched(&hold.group, hold.t).max()?;
                policy(&|p| hold.t <= launched + p.interval_s * 1000 + LAG)
            }
            "group-share" => {
                let lately = self.launched(&hold.group, hold.t).filter(|t| hold.t <= t + 3_600_000 + LAG).count();
                let share =
                    |p: &PolicyLine, m: &Membership| (m.owner_desired * u32::from(p.share_percent) / 100).max(1);
                state(&|m| policies.iter().any(|p| lately >= usize::try_from(share(p, m)).unwrap()))
            }
            "budget" => Some(self.budget_is_used(hold, policies.last()?)),
            _ => self.by_market(hold).or_else(|| self.by_calls(hold)),
        }
    }

    /// Reasons that lie in how a group is made.
    fn made_so(&self, hold: &Held) -> Option<bool> {
        let shape = self.shapes.get(&hold.group)?;
        let catalog = Catalog::embedded();
        let kind = catalog.by_name(&shape.kind);
        Some(match hold.reason.as_str() {
            "mixed-instances" => shape.source == SourceShape::Mixed,
            "warm-pool" => shape.warm_pool,
            "launch-hook" => shape.launch_hook && !shape.hook_name.starts_with("CodeDeploy-"),
            "code-deploy" => shape.launch_hook && shape.hook_name.starts_with("CodeDeploy-"),
            "stack-updating" => shape.stack_updating.is_some(),
            "operator" => shape.operator,
            "cluster-placement" => shape.cluster_placement,
            "dedicated" => shape.dedicated,
            "capacity-reservation" => shape.reserved,
            "not-on-spot" => shape.image.not_on_spot,
            "unknown-type" => kind.is_none(),
            "no-on-demand-price" => {
                kind.is_some_and(|kind| catalog.on_demand(&shape.site.region, shape.product, kind).is_none())
            }
            "instance-refresh" if !self.refreshes => {
                shape.refresh_until.is_some_and(|until| hold.t <= until.0 + 600_000)
            }
            "template-changed" if shape.older > 0 => {
                hold.instance.as_ref().and_then(|id| self.starts.get(id)).is_some_and(|(t, _)| *t <= hold.t)
            }
            "outside-schedule" => {
                shape.name.as_str() == "only-by-night" && !(20..23).contains(&(hold.t / 3_600_000 % 24))
            }
            "no-compatible-type" if shape.name.as_str() == "allows-nothing-that-fits" => {
                let facts = |name| catalog.get(catalog.by_name(name).unwrap());
                !fits(facts(&shape.kind), facts("t3.nano"), Asks::default())
            }
            "no-pool" if shape.name.as_str() == "allows-what-is-not-here" => {
                let only = catalog.by_name("c8a.xlarge").unwrap();
                catalog.on_demand(&shape.site.region, shape.product, only).is_none()
            }
            "quota-used" => self.accounts.get(&hold.group.account).is_some_and(|a| a.spot_vcpu_quota.is_some()),
            // Before the first read of the market, and where reads fail.
            "no-quote" => hold.t < 60_000 || self.faults.hub_reads_ppm > 0,
            "stale-quote" => self.faults.hub_reads_ppm > 0 && hold.t > 1_800_000,
            _ => return None,
        })
    }

    /// The market says so itself.
    fn by_market(&mut self, hold: &Held) -> Option<bool> {
        let shape = self.shapes.get(&hold.group)?;
        let (_, start) = self.starts.get(hold.instance.as_ref()?)?;
        let (_, policy) = self.policies.get(&hold.group)?.iter().rfind(|(t, _)| *t <= hold.t)?;
        let asked = Asked {
            kind: start.kind.clone(),
            os: start.os.clone(),
            az: start.az_id.clone(),
            on_demand: (start.lifecycle == Lifecycle::OnDemand).then_some(start.usd_per_hour)?,
            min_saving_percent: policy.min_saving_percent,
        };
        let asks = Asks {
            network_interfaces: shape.image.network_interfaces.into(),
            volumes: shape.image.volumes.into(),
            ..Asks::default()
        };
        // Prices are read each five minutes, or later where reads fail.
        let read_within: i64 = if self.faults.hub_reads_ppm > 0 { 35 } else { 6 };
        let mut moments = (0..=read_within).map(|minutes| hold.t - minutes * 60_000);
        match hold.reason.as_str() {
            "saving-too-small" => Some(moments.any(|t| self.stall.affordable(&asked, t, asks).is_empty())),
            "no-capacity" => {
                let found = moments.any(|t| !self.stall.affordable_widely(&asked, t, asks).is_empty());
                Some(found && self.refused_or_taken_before(&hold.group.region, hold.t))
            }
            _ => None,
        }
    }

    /// What earlier calls were answered, and what earlier swaps came to.
    fn by_calls(&self, hold: &Held) -> Option<bool> {
        let own = || self.flights.iter().filter(|flight| flight.group == hold.group && flight.from <= hold.t);
        match hold.reason.as_str() {
            "rescue-in-flight" => {
                Some(own().any(|f| f.id.is_rescue() && f.until.is_none_or(|until| hold.t <= until + LAG)))
            }
            "backing-off" => Some(own().any(|f| !f.done && f.until.is_some_and(|until| until <= hold.t))),
            "access-denied" => {
                let denied = |call: &Call| call.account == hold.group.account && call.outcome == Outcome::Denied;
                Some(self.refusals.iter().any(|(t, call)| *t <= hold.t && denied(call)))
            }
            _ => None,
        }
    }

    /// Somebody learnt that capacity is short there: a launch was refused, or an instance was announced to be taken.
    fn refused_or_taken_before(&self, region: &Region, t: i64) -> bool {
        let launches = ["ec2:CreateFleet", "ec2:RunInstances"];
        let refused = self.refusals.iter().any(|(at, c)| {
            *at <= t && c.region == *region && launches.contains(&c.action.as_str()) && c.outcome == Outcome::Error
        });
        let taken = |what: &What| {
            if let What::Notice { instance_id, .. } = what {
                return self.starts.get(instance_id).is_some_and(|(_, start)| start.group.region == *region);
            }
            matches!(what, What::Event { detail_type, region: Some(of), .. }
                if detail_type.contains("Rebalance") && of == region)
        };
        refused || self.records.iter().take_while(|r| r.t <= t).any(|r| taken(&r.what))
    }

    /// When swaps by choice of a group launched, up to a time.
    fn launched(&self, group: &GroupRef, until: i64) -> impl Iterator<Item = i64> {
        let ours = |s: &InstanceStart| s.by == By::Spothub && s.swap.as_ref().is_some_and(|id| !id.is_rescue());
        let all = self.starts.values().filter(move |(t, s)| *t <= until && s.group == *group && ours(s));
        all.map(|(t, _)| *t).collect::<Vec<_>>().into_iter()
    }

    /// As many swaps in flight as the tightest policy of a scope allows.
    fn budget_is_used(&self, hold: &Held, own: &PolicyLine) -> bool {
        let unit = |group: &GroupRef| self.policies.get(group).and_then(|p| p.last()).map(|(_, p)| &p.ou);
        let open = |f: &&Flight| !f.id.is_rescue() && f.from <= hold.t && f.until.is_none_or(|t| hold.t <= t + LAG);
        let flights: Vec<&Flight> = self.flights.iter().filter(open).collect();
        let within = |scope: usize, group: &GroupRef| match scope {
            0 => true,
            1 => unit(group) == Some(&own.ou),
            _ => group.account == hold.group.account,
        };
        (0..3).any(|scope| {
            let inside: Vec<_> = flights.iter().filter(|f| within(scope, &f.group)).collect();
            let limits = inside.iter().filter_map(|f| self.policies.get(&f.group)?.last());
            let least = limits.map(|(_, p)| p.in_flight_max[scope]).chain([own.in_flight_max[scope]]).min();
            least.is_some_and(|least| inside.len() >= usize::try_from(least).unwrap())
        })
    }
}

/// What was so at any time that a look may be of.
fn lately<T: Copy>(lines: &[(i64, T)], t: i64) -> Vec<T> {
    let until = lines.partition_point(|(at, _)| *at <= t);
    let from = lines.partition_point(|(at, _)| *at <= t - LOOKED_WITHIN.0).saturating_sub(1);
    lines[from.min(until)..until].iter().map(|(_, line)| *line).collect()
}

fn place(group: &GroupShape) -> GroupRef {
    GroupRef { account: group.site.account, region: group.site.region.clone(), group: group.name.clone() }
}

/// On-demand members to keep of those wanted.
fn floor(policy: &PolicyLine, want: u32) -> u32 {
    (want * u32::from(policy.floor_percent)).div_ceil(100).max(policy.floor_number)
}
