//! Reads records into the facts.

use std::collections::BTreeSet;

use spothub_core::group::Lifecycle;
use spothub_core::id::{AccountId, InstanceId, Region, SwapId};
use spothub_core::money::UsdPerHour;

use super::{
    Close, Facts, Group, GroupIx, Instance, InstanceIx, Look, Policy, Scope, Seat, Shot, Site, SiteIx, State, Swap,
    SwapIx,
};
use crate::record::{
    By, Call, Ended, GroupRef, InstanceStart, MemberLine, Membership, Outcome, PolicyLine, Record, What,
};

/// How long looks and states are kept: longer than any look may be relied on.
const KEPT_MS: i64 = 120_000;
/// An hour: how far back launches of a group count.
const HOUR_MS: i64 = 3_600_000;
/// What a change of policy may take to be read.
const GRACE_MS: i64 = 60_000;

impl Facts {
    /// Takes one record.
    pub(in crate::laws) fn take(&mut self, record: &Record) {
        self.seq += 1;
        self.now = record.t;
        match &record.what {
            What::InstanceStart(start) => self.start(start),
            What::InstanceEnd { instance_id, why } => self.end(instance_id, *why),
            What::Policy(line) => self.policy(line),
            What::Membership(membership) => self.membership(membership),
            What::Notice { instance_id, .. } => {
                let ix = self.intern_instance(instance_id);
                self.instances[ix.0 as usize].noticed = true;
            }
            What::Recommendation { instance_id } => {
                let ix = self.intern_instance(instance_id);
                self.instances[ix.0 as usize].recommended = true;
            }
            What::Call(call) => self.call(call),
            What::Swap { swap, group, state, .. } => self.swap_state(swap, group, state),
            What::Price { instance_id, usd_per_hour } => {
                let ix = self.intern_instance(instance_id);
                let dearest = &mut self.instances[ix.0 as usize].dearest;
                *dearest = (*dearest).max(*usd_per_hour);
            }
            What::Container(_)
            | What::Hold { .. }
            | What::EventSent { .. }
            | What::Event { .. }
            | What::Brake { .. }
            | What::End => {}
        }
    }

    fn start(&mut self, start: &InstanceStart) {
        let group_ix = self.intern_group(&start.group);
        let ix = self.intern_instance(&start.instance_id);
        let swap = start.swap.as_ref().map(|id| self.intern_swap(id));
        let announced = start.replaces.as_ref().is_some_and(|old| self.announced(old));
        let now = self.now;
        let instance = &mut self.instances[ix.0 as usize];
        instance.group = Some(group_ix);
        instance.by = start.by;
        instance.lifecycle = start.lifecycle;
        instance.started = now;
        instance.dearest = start.usd_per_hour;
        instance.swap = swap;
        let Some(swap_ix) = swap.filter(|_| start.by == By::Spothub) else { return };
        let swap = &mut self.swaps[swap_ix.0 as usize];
        swap.newcomers.push(ix);
        swap.group = Some(group_ix);
        swap.by_choice |= !announced;
        let (first_launch, open, by_choice) = (swap.launched.is_none(), swap.closed.is_none(), swap.by_choice);
        swap.launched.get_or_insert(now);
        let group = &mut self.groups[group_ix.0 as usize];
        if open && !group.open.contains(&swap_ix) {
            group.open.push(swap_ix);
        }
        if by_choice && first_launch {
            group.launched.push_back(swap_ix);
            while group.launched.len() > 1
                && group.launched.front().is_some_and(|&s| self.swaps[s.0 as usize].first < now - HOUR_MS)
            {
                group.launched.pop_front();
            }
        }
        if open && by_choice && self.in_flight.insert(swap_ix) {
            let group = &self.groups[group_ix.0 as usize];
            let unit = group.policies.back().map(|p| Scope::Unit(p.ou.clone()));
            let scopes: Vec<_> = unit.into_iter().chain([Scope::Account(group.key.account)]).collect();
            for scope in &scopes {
                *self.in_flight_of.entry(scope.clone()).or_default() += 1;
            }
            self.swaps[swap_ix.0 as usize].scopes = scopes;
        }
        self.restray(ix);
    }

    /// Whether AWS said that it will take the instance, or took it.
    fn announced(&self, id: &InstanceId) -> bool {
        self.instance(id).is_some_and(|ix| {
            let old = &self[ix];
            old.noticed || matches!(old.ended, Some((_, Ended::Interrupted)))
        })
    }

    fn end(&mut self, id: &InstanceId, why: Ended) {
        let ix = self.intern_instance(id);
        let now = self.now;
        self.instances[ix.0 as usize].ended.get_or_insert((now, why));
        self.restray(ix);
    }

    fn policy(&mut self, line: &PolicyLine) {
        let ix = self.intern_group(&line.group);
        let now = self.now;
        let group = &mut self.groups[ix.0 as usize];
        let first = group.policies.is_empty();
        group.policies.push_back(Policy {
            from: now,
            interval_ms: line.interval_s.saturating_mul(1000),
            floor_number: line.floor_number,
            floor_percent: line.floor_percent,
            in_flight_max: line.in_flight_max,
            share_percent: line.share_percent,
            moves_after_ms: line.moves_after_s.map(|seconds| seconds.saturating_mul(1000)),
            ou: line.ou.clone(),
        });
        while group.policies.get(1).is_some_and(|p| p.from < now - KEPT_MS - GRACE_MS) {
            group.policies.pop_front();
        }
        // What a group says from its first day needs no time to be read: nobody acts on it before reading it.
        let grace = if first { 0 } else { GRACE_MS };
        group.closed_from = match group.closed_from {
            _ if line.enabled && line.opted_out_by.is_none() => None,
            Some(from) => Some(from),
            None => Some(now + grace),
        };
    }

    fn membership(&mut self, m: &Membership) {
        let ix = self.intern_group(&m.group);
        let (now, seq) = (self.now, self.seq);
        let mut seats: Vec<Seat> = m.members.iter().map(|line| self.seat(line)).collect();
        seats.sort_by_key(|s| s.instance);
        let shot = Shot {
            t: now,
            seq,
            min: m.min,
            max: m.max,
            owner_max: m.owner_max,
            desired: m.desired,
            owner_desired: m.owner_desired,
            in_service: m.in_service,
            on_demand: m.on_demand,
            suspended: m.suspended.clone(),
            seats: seats.into_boxed_slice(),
        };
        self.join_and_leave(ix, &shot, m.by);
        let crossed = m.by == By::Spothub && self.crosses(ix, &shot);
        let group = &mut self.groups[ix.0 as usize];
        group.crossed += u32::from(crossed);
        if let Some(before) = group.shots.back() {
            group.touched.change(before, &shot, m.by);
        }
        group.shots.push_back(shot);
        while group.shots.get(1).is_some_and(|s| s.t < now - KEPT_MS) {
            group.shots.pop_front();
        }
    }

    /// Whether our own lowering of desired met an owner's lower MaxSize that no look had shown yet.
    fn crosses(&self, ix: GroupIx, shot: &Shot) -> bool {
        let group = &self.groups[ix.0 as usize];
        let (Some((_, seen)), Some(before)) = (self.looks(ix, self.now - KEPT_MS).next(), group.shots.back()) else {
            return false;
        };
        let lowered = shot.desired + 1 == before.desired;
        let taken_back = seen.desired > seen.owner_desired && before.desired == before.owner_desired;
        lowered && taken_back && before.owner_max < seen.owner_max && before.max < seen.desired
    }

    fn seat(&mut self, line: &MemberLine) -> Seat {
        let instance = self.intern_instance(&line.id);
        self.instances[instance.0 as usize].lifecycle = line.lifecycle;
        let state = match line.state.as_str() {
            "InService" => State::InService,
            s if s.contains("Standby") || s.contains("Detach") => State::Away,
            _ => State::Other,
        };
        Seat { instance, state, healthy: line.healthy, protected: line.protected }
    }

    /// Notes who is listed and who no longer is, and whom the owner keeps away.
    fn join_and_leave(&mut self, group: GroupIx, shot: &Shot, by: By) {
        let now = self.now;
        let mut changed = Vec::new();
        for seat in &shot.seats {
            let instance = &mut self.instances[seat.instance.0 as usize];
            let joined = instance.member_of.replace(group) != Some(group);
            instance.was_member = true;
            match seat.state {
                State::Away if by == By::Owner => {
                    instance.released.get_or_insert(now);
                }
                State::InService => instance.released = None,
                State::Away | State::Other => {}
            }
            if joined {
                changed.push(seat.instance);
            }
        }
        let before = self.groups[group.0 as usize].shots.back();
        for seat in before.iter().flat_map(|s| s.seats.iter()).filter(|s| shot.seat(s.instance).is_none()) {
            let instance = &mut self.instances[seat.instance.0 as usize];
            instance.member_of = None;
            instance.left = Some((now, group));
            if by == By::Owner {
                instance.released.get_or_insert(now);
            }
            changed.push(seat.instance);
        }
        for ix in changed {
            self.restray(ix);
        }
    }

    fn call(&mut self, call: &Call) {
        if let Some(id) = &call.swap {
            self.intern_swap(id);
        }
        if call.outcome == Outcome::Denied {
            let site = self.intern_site(call.account, &call.region);
            self.sites[site.0 as usize].denied_at = Some(self.now);
        }
        if call.action == "autoscaling:DescribeAutoScalingGroups" && call.outcome == Outcome::Ok && call.took_effect {
            let ix = self.intern_site(call.account, &call.region);
            let names = match &call.group {
                Some(name) if call.looked_at.is_empty() => vec![name.clone()],
                _ => call.looked_at.clone(),
            };
            let site = &mut self.sites[ix.0 as usize];
            site.looks.push_back(Look { t: self.now, seq: self.seq, names });
            while site.looks.front().is_some_and(|look| look.t < self.now - KEPT_MS) {
                site.looks.pop_front();
            }
        }
    }

    fn swap_state(&mut self, id: &SwapId, key: &GroupRef, state: &str) {
        let ix = self.intern_swap(id);
        let group_ix = self.intern_group(key);
        let close = match state {
            "done" => Some(Close::Done),
            "stranded" => Some(self.stranding(ix, group_ix)),
            "undone" | "failed" => Some(Close::Otherwise),
            _ => None,
        };
        let now = self.now;
        let group = &mut self.groups[group_ix.0 as usize];
        let swap = &mut self.swaps[ix.0 as usize];
        swap.group = Some(group_ix);
        let Some(close) = close.filter(|_| swap.closed.is_none()) else {
            if swap.closed.is_none() && !group.open.contains(&ix) {
                group.open.push(ix);
            }
            return;
        };
        swap.closed = Some((now, close));
        group.open.retain(|&s| s != ix);
        group.stranded += i64::from(close == Close::Stranded);
        if self.in_flight.remove(&ix) {
            for scope in &swap.scopes {
                if let Some(count) = self.in_flight_of.get_mut(scope) {
                    *count -= 1;
                }
            }
        }
        for newcomer in swap.newcomers.clone() {
            self.restray(newcomer);
        }
    }

    /// An engine may call a swap stranded only where AWS denied it something since the swap began.
    fn stranding(&self, swap: SwapIx, group: GroupIx) -> Close {
        let denied_at = self.site(self[group].site).and_then(|site| site.denied_at);
        if denied_at.is_some_and(|t| t >= self[swap].first) { Close::Stranded } else { Close::Otherwise }
    }

    /// Whether the instance is a stray, now that something about it changed.
    fn restray(&mut self, ix: InstanceIx) {
        let now = self.now;
        let instance = &self[ix];
        let closed = instance.swap.map_or(Some(Close::Otherwise), |s| self[s].closed.map(|(_, close)| close));
        let stray = instance.by == By::Spothub
            && instance.ended.is_none()
            && instance.member_of.is_none()
            && instance.released.is_none()
            && closed.is_some_and(|close| close != Close::Stranded);
        if stray && self.strays.insert(ix) {
            self.instances[ix.0 as usize].stray_since = Some(now);
        } else if !stray {
            self.strays.remove(&ix);
        }
    }

    fn intern_site(&mut self, account: AccountId, region: &Region) -> SiteIx {
        let regions = self.site_ix.entry(account).or_default();
        if let Some(&ix) = regions.get(region) {
            return ix;
        }
        let ix = SiteIx(number(self.sites.len()));
        regions.insert(region.clone(), ix);
        self.sites.push(Site::default());
        ix
    }

    fn intern_group(&mut self, key: &GroupRef) -> GroupIx {
        let site = self.intern_site(key.account, &key.region);
        let groups = &mut self.sites[site.0 as usize].groups;
        if let Some(&ix) = groups.get(&key.group) {
            return ix;
        }
        let ix = GroupIx(number(self.groups.len()));
        groups.insert(key.group.clone(), ix);
        self.groups.push(Group {
            key: key.clone(),
            site,
            shots: std::collections::VecDeque::new(),
            policies: std::collections::VecDeque::new(),
            closed_from: None,
            open: Vec::new(),
            launched: std::collections::VecDeque::new(),
            stranded: 0,
            crossed: 0,
            touched: super::Touched::default(),
        });
        ix
    }

    fn intern_instance(&mut self, id: &InstanceId) -> InstanceIx {
        if let Some(&ix) = self.instance_ix.get(id) {
            return ix;
        }
        let ix = InstanceIx(number(self.instances.len()));
        self.instance_ix.insert(id.clone(), ix);
        self.instances.push(Instance {
            dearest: UsdPerHour(0),
            id: id.clone(),
            group: None,
            by: By::Owner,
            lifecycle: Lifecycle::OnDemand,
            started: self.now,
            ended: None,
            noticed: false,
            recommended: false,
            swap: None,
            member_of: None,
            was_member: false,
            left: None,
            released: None,
            stray_since: None,
        });
        ix
    }

    fn intern_swap(&mut self, id: &SwapId) -> SwapIx {
        if let Some(&ix) = self.swap_ix.get(id) {
            return ix;
        }
        let ix = SwapIx(number(self.swaps.len()));
        self.swap_ix.insert(id.clone(), ix);
        self.swaps.push(Swap {
            id: id.clone(),
            group: None,
            first: self.now,
            launched: None,
            by_choice: !id.is_rescue(),
            closed: None,
            newcomers: Vec::new(),
            scopes: Vec::new(),
        });
        ix
    }
}

impl super::Touched {
    /// Follows one change: what we changed is noted, what anyone changed since is theirs.
    fn change(&mut self, before: &Shot, after: &Shot, by: By) {
        let ours = by == By::Spothub;
        let was: BTreeSet<_> = before.suspended.iter().copied().collect();
        let is: BTreeSet<_> = after.suspended.iter().copied().collect();
        self.suspended.retain(|process| is.contains(process));
        if ours {
            self.suspended.extend(is.difference(&was));
        }
        if before.min != after.min {
            self.min = if ours { Some(self.min.unwrap_or(before.min)) } else { None };
        }
        for seat in &after.seats {
            let Some(old) = before.seat(seat.instance).filter(|old| old.protected != seat.protected) else { continue };
            if ours {
                self.protection.entry(seat.instance).or_insert(old.protected);
            } else {
                self.protection.remove(&seat.instance);
            }
        }
    }
}

/// Numbers are dense and far fewer than four billion; memory ends first.
fn number(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
