//! What a peer of ours is known to do wrong, each as a named group of the `messy` scenario: our engine does it right,
//! and an engine made to do as the peer does is caught.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use spothub_core::catalog::{Catalog, InstanceType};
use spothub_core::cloud::{Decrement, InstanceSeen, LaunchPool, Launched};
use spothub_core::event::{self, Signal};
use spothub_core::fault::Fault;
use spothub_core::group::Process;
use spothub_core::id::{AzId, InstanceId, Site};
use spothub_core::port::{Act, Cause, Inbox, Lane, Launch, Look, Message, Receipt};
use spothub_core::time::Span;
use spothub_hub::Ports;
use spothub_sim::delivered::{Asks, fits};
use spothub_sim::record::{By, InstanceStart, Membership, Record, What};

use crate::judge::Trace;
use crate::played::{Played, Sweeps, judged, options, play, play_tampered, scenario};
use crate::sabotage::act::{Hands, Slip};
use crate::sabotage::look::{Looks, WithoutTag};

/// Our engine in the mess, long enough for its Spot instances to be taken.
static OURS: LazyLock<Played> = LazyLock::new(|| play("messy", 1, 12));

/// The peer's way in the mess.
fn as_the_peer(hours: u32, tamper: impl Fn(Ports) -> Ports) -> Played {
    play_tampered(&scenario("messy"), &options(1, hours), tamper)
}

fn calls_into<'a>(records: &'a [Record], group: &'a str) -> impl Iterator<Item = &'a Record> {
    let changes = move |what: &What| {
        let What::Call(call) = what else { return false };
        call.changing && call.group.as_ref().is_some_and(|name| name.as_str() == group)
    };
    records.iter().filter(move |record| changes(&record.what))
}

fn starts<'a>(records: &'a [Record], group: &'a str) -> impl Iterator<Item = &'a InstanceStart> {
    records.iter().filter_map(move |record| {
        let What::InstanceStart(start) = &record.what else { return None };
        (start.group.group.as_str() == group).then_some(&**start)
    })
}

fn ended(records: &[Record], group: &str, as_what: &str) -> usize {
    let ended = |what: &What| {
        let What::Swap { group: of, state, .. } = what else { return false };
        of.group.as_str() == group && state == as_what
    };
    records.iter().filter(|record| ended(&record.what)).count()
}

fn swapped(records: &[Record], group: &str) -> usize {
    ended(records, group, "done")
}

#[test]
fn the_mess_breaks_no_law() {
    assert_eq!(OURS.violations(), [""; 0]);
    assert_eq!(Trace::parse(&OURS.text).violations(), [""; 0]);
    assert!(OURS.outcome.converged);
}

#[test]
fn an_opted_out_group_is_left_alone_when_its_spot_is_taken() {
    let mut taking = scenario("messy");
    taking.shape.market.hazard_ppm_per_hour = 400_000;
    let records = play_tampered(&taking, &options(1, 3), |ports| ports).records();
    for group in ["opted-out-with-spot", "opted-out-by-policy"] {
        assert_eq!(calls_into(&records, group).count(), 0, "{group}");
    }
    let members: Vec<_> = starts(&records, "opted-out-with-spot").map(|s| &s.instance_id).collect();
    let noticed = |what: &What| matches!(what, What::Notice { instance_id, .. } if members.contains(&instance_id));
    assert!(records.iter().any(|r| noticed(&r.what)), "AWS takes one of its Spot members in this run");
    assert_eq!(records.iter().filter(|r| ours_of(&r.what, "opted-out-with-spot")).count(), 0);

    let peer =
        as_the_peer(2, |ports| Ports { look: Looks::through(WithoutTag("spothub:enabled"), &ports.look), ..ports });
    assert!(peer.broken().contains("INV-6"), "{:?}", peer.violations());
    assert!(calls_into(&peer.records(), "opted-out-with-spot").count() > 0);
}

/// An instance of ours that was launched for a group.
fn ours_of(what: &What, group: &str) -> bool {
    matches!(what, What::InstanceStart(s) if s.by == By::Spothub && s.group.group.as_str() == group)
}

/// Ends whatever carries the tag and is in no group, as soon as it is seen.
struct EndsByTag {
    look: Arc<dyn Look>,
    act: Arc<dyn Act>,
}

#[async_trait]
impl Slip for EndsByTag {
    async fn attach(
        &self,
        inner: &dyn Act,
        group: &spothub_core::id::GroupKey,
        id: &InstanceId,
        cause: Cause<'_>,
    ) -> Result<(), Fault> {
        let tagged = self.look.managed(&group.site, Cause::default()).await?;
        let groups = self.look.groups(&group.site, None, Cause::default()).await?;
        let member = |row: &InstanceSeen| groups.iter().any(|view| view.member(&row.id).is_some());
        for row in tagged.iter().filter(|row| row.id != *id && !member(row)) {
            let orphan = Cause { orphan: true, ..Cause::default() };
            self.act.terminate(&group.site, &row.id, orphan).await.ok();
        }
        inner.attach(group, id, cause).await
    }
}

#[test]
fn spot_whose_twin_vanished_is_not_ended_by_its_tag() {
    let records = OURS.records();
    for group in ["orphans-of-ours", "orphans-of-a-former-hub"] {
        let orphans: Vec<&InstanceId> =
            starts(&records, group).filter(|s| s.by == By::Owner).map(|s| &s.instance_id).collect();
        let taken = |what: &What| {
            let What::Call(call) = what else { return false };
            call.changing && call.instance_id.as_ref().is_some_and(|id| orphans.contains(&id))
        };
        assert_eq!(records.iter().filter(|r| taken(&r.what)).count(), 0, "{group}: a tag without a record is reported");
    }
    let peer = as_the_peer(1, |ports| {
        let act = ports.act.clone().expect("a real run");
        let slip = EndsByTag { look: Arc::clone(&ports.look), act };
        Ports { act: Hands::with(slip, ports.act.as_ref()), ..ports }
    });
    assert!(peer.broken().contains("INV-3"), "{:?}", peer.violations());
}

#[test]
fn processes_are_never_left_suspended() {
    let records = OURS.records();
    let mut suspended: BTreeMap<_, Vec<Process>> = BTreeMap::new();
    for record in &records {
        let What::Membership(m) = &record.what else { continue };
        let before = suspended.insert(&m.group, m.suspended.clone());
        assert!(m.by != By::Spothub || before.is_none_or(|b| b == m.suspended), "{:?} changed by us", m.group);
    }
    for group in ["launch-left-suspended", "terminate-left-suspended"] {
        assert_eq!(calls_into(&records, group).count(), 0, "{group} is the owner's to resume");
    }
    assert!(swapped(&records, "azrebalance-left-suspended") > 0, "no swap needs AZRebalance");

    // The peer suspends around its swap, and dies before it resumes.
    let quiet = |group: &spothub_sim::record::GroupRef| group.group.as_str() == "azrebalance-left-suspended";
    let last = |r: &Record| matches!(&r.what, What::Swap { group, state, .. } if quiet(group) && state == "done");
    let at = records.iter().position(last).expect("a swap is done there");
    let state = records[..at].iter().rev().find_map(|r| {
        let What::Membership(m) = &r.what else { return None };
        quiet(&m.group).then_some(m)
    });
    let mut left: Membership = (**state.expect("the group has a state")).clone();
    (left.by, left.suspended) = (By::Spothub, vec![Process::AZRebalance, Process::Terminate]);
    let mut peer = records[..=at].to_vec();
    peer.insert(at, Record { t: records[at].t, what: What::Membership(Box::new(left)) });
    let laws = judged(&peer, Sweeps::Every(Span::mins(15)));
    let broken: Vec<_> = laws.violations().iter().filter(|v| v.law == "INV-4").collect();
    assert!(broken.iter().any(|v| v.text.contains("Terminate is suspended by us")), "{broken:?}");
}

/// Ends an instance as soon as AWS recommends to rebalance, before anything stands in for it.
struct LeavesAtOnce {
    inbox: Arc<dyn Inbox>,
    look: Arc<dyn Look>,
    act: Arc<dyn Act>,
}

impl LeavesAtOnce {
    async fn leave(&self, message: &Message) -> Option<()> {
        let event = event::parse(&message.body, message.sent_at).ok()?;
        let Signal::Rebalance { instance } = event.signal else { return None };
        let site = Site { account: event.account, region: event.region };
        let groups = self.look.groups(&site, None, Cause::default()).await.ok()?;
        let group = groups.into_iter().find(|view| view.member(&instance).is_some())?;
        self.act.retire(&group.key, &instance, Decrement::No, Cause::default()).await.ok()
    }
}

#[async_trait]
impl Inbox for LeavesAtOnce {
    async fn receive(&self, lane: Lane, max: usize) -> Result<Vec<Message>, Fault> {
        let messages = self.inbox.receive(lane, max).await?;
        for message in &messages {
            self.leave(message).await;
        }
        Ok(messages)
    }

    async fn later(&self, lane: Lane, body: String, delay: Span) -> Result<(), Fault> {
        self.inbox.later(lane, body, delay).await
    }

    async fn delete(&self, lane: Lane, receipts: &[Receipt]) -> Result<(), Fault> {
        self.inbox.delete(lane, receipts).await
    }
}

#[test]
fn a_recommendation_to_rebalance_takes_nobody_out_before_a_replacement_serves() {
    let recommended = |what: &What| {
        let What::Event { detail_type, end, .. } = what else { return false };
        detail_type.contains("Rebalance") && end != "duplicate"
    };
    let records = OURS.records();
    let events = records.iter().filter(|r| recommended(&r.what)).count();
    assert!(events > 5, "{events} recommendations in the run");

    let peer = as_the_peer(6, |ports| {
        let act = ports.act.clone().expect("a real run");
        let inbox = LeavesAtOnce { inbox: Arc::clone(&ports.inbox), look: Arc::clone(&ports.look), act };
        Ports { inbox: Arc::new(inbox), ..ports }
    });
    assert!(peer.broken().contains("INV-2"), "{:?}", peer.violations());
}

#[test]
fn a_block_device_without_a_volume_type_is_launched_as_it_stands() {
    let records = OURS.records();
    assert!(swapped(&records, "block-device-without-a-type") >= 3);
    let failed = ended(&records, "block-device-without-a-type", "failed");
    assert!(failed <= 2, "only injected faults fail there, not {failed}");
}

fn facts(name: &str) -> &'static InstanceType {
    let catalog = Catalog::embedded();
    catalog.get(catalog.by_name(name).expect("a type of the catalogue"))
}

/// The type that an instance stands in for, through all that it replaced.
fn original<'a>(start: &'a InstanceStart, starts: &BTreeMap<&'a InstanceId, &'a InstanceStart>) -> &'a str {
    let mut at = start;
    while let (By::Spothub, Some(before)) = (at.by, at.replaces.as_ref().and_then(|id| starts.get(id))) {
        at = before;
    }
    &at.kind
}

/// Why a type is no fair replacement, in the words of the peer's defects.
fn defect(old: &InstanceType, new: &InstanceType) -> Option<&'static str> {
    let gpus = |t: &InstanceType| t.gpus.iter().map(|g| (g.name.clone(), g.count)).collect::<Vec<_>>();
    match () {
        () if old.instance_storage.is_some() && new.instance_storage.is_none() => Some("has no disks"),
        () if gpus(old).iter().any(|(name, n)| !gpus(new).iter().any(|(m, k)| m == name && k >= n)) => {
            Some("has other GPUs")
        }
        () if old.accelerators.is_empty() && !new.accelerators.is_empty() => Some("is an accelerator host"),
        () if old.gpus.is_empty() && !new.gpus.is_empty() => Some("is a GPU host"),
        () if !old.burstable && new.burstable => Some("is burstable"),
        () if !old.arch.iter().any(|arch| new.arch.contains(arch)) => Some("has another architecture"),
        () if new.vcpu < old.vcpu || new.memory_mib < old.memory_mib => Some("is smaller"),
        () => None,
    }
}

/// Newcomers of ours that are no fair replacement, and how many were judged.
fn unfair(played: &Played) -> (Vec<String>, usize) {
    let records = played.records();
    let starts: BTreeMap<&InstanceId, &InstanceStart> = records
        .iter()
        .filter_map(|r| if let What::InstanceStart(s) = &r.what { Some((&s.instance_id, &**s)) } else { None })
        .collect();
    let (mut found, mut judged) = (Vec::new(), 0);
    for start in starts.values().filter(|s| s.by == By::Spothub) {
        let old = original(start, &starts);
        if Catalog::embedded().by_name(old).is_none() {
            found.push(format!("{} for an unknown type", start.kind));
            continue;
        }
        judged += 1;
        let (old, new) = (facts(old), facts(&start.kind));
        // EC2's own tolerance by default: a tenth less bandwidth of volumes.
        let asks = Asks { ebs_tolerance_percent: 10, ..Asks::default() };
        // The naive reading lets burstable types stand in for their own family only.
        let both_burst = old.burstable && new.burstable;
        let why = defect(old, new).or_else(|| (!both_burst && !fits(old, new, asks)).then_some("does not fit"));
        found.extend(why.map(|why| format!("{} for {} in {}: it {why}", new.name, old.name, start.group.group)));
    }
    (found, judged)
}

#[test]
fn every_newcomer_fits_what_it_replaces() {
    for played in [&*OURS, &*crate::played::SMALL] {
        let (found, judged) = unfair(played);
        assert_eq!(found, [""; 0]);
        assert!(judged > 50, "{judged}");
    }
    let records = OURS.records();
    for group in [
        "needs-its-disks", "needs-its-t4", "needs-its-a10g", "cpus-not-accelerators", "steady-not-burstable",
        "burstable-itself", "arm-only", "many-interfaces",
    ] {
        assert!(swapped(&records, group) > 0, "{group} is served");
    }
}

/// Launches the type that the peer would have taken.
struct Chooses(&'static [(&'static str, &'static str)]);

#[async_trait]
impl Slip for Chooses {
    async fn launch(&self, inner: &dyn Act, launch: &Launch<'_>, cause: Cause<'_>) -> Result<Launched, Fault> {
        let catalog = Catalog::embedded();
        let group = launch.group.name.as_str();
        let Some(kind) = self.0.iter().find(|(name, _)| *name == group).and_then(|(_, kind)| catalog.by_name(kind))
        else {
            return inner.launch(launch, cause).await;
        };
        let quoted = launch.pools.first().map_or(launch.max_price, |pool| pool.quoted);
        let pools = [LaunchPool { kind, quoted }];
        let high = spothub_core::money::UsdPerHour(launch.max_price.0 * 20);
        inner.launch(&Launch { pools: &pools, max_price: high, ..launch.clone() }, cause).await
    }
}

#[test]
fn a_peers_choice_of_types_is_caught() {
    let chooses: &[(&str, &str)] = &[
        ("needs-its-disks", "m5.large"),
        ("needs-its-t4", "g5.xlarge"),
        ("cpus-not-accelerators", "inf1.2xlarge"),
        ("steady-not-burstable", "t3.xlarge"),
    ];
    let peer = as_the_peer(1, |ports| Ports { act: Hands::with(Chooses(chooses), ports.act.as_ref()), ..ports });
    let (found, _) = unfair(&peer);
    for (group, kind) in chooses {
        let caught = found.iter().any(|text| text.contains(group) && text.starts_with(kind));
        assert!(caught, "{kind} in {group}: {found:?}");
    }
}

/// What the engine's own judgement of types says of the peer's favorites, wherever they are offered.
#[test]
fn a_peers_favorites_are_no_substitutes() {
    use spothub_core::catalog::{Arch, Product};
    use spothub_core::compat::{Needs, compatible};
    let needs = Needs::modern(Product::Linux, Arch::X86_64);
    for (old, new) in [
        ("m5d.large", "m5.large"),
        ("g4dn.xlarge", "g5.xlarge"),
        ("g5.xlarge", "g4dn.xlarge"),
        ("c5.2xlarge", "inf1.2xlarge"),
        ("m5.xlarge", "t3.xlarge"),
        ("c5.2xlarge", "f1.2xlarge"),
    ] {
        let Some(new) = Catalog::embedded().by_name(new).map(|id| Catalog::embedded().get(id)) else { continue };
        assert!(compatible(facts(old), new, &needs).is_err(), "{} for {old}", new.name);
        assert!(defect(facts(old), new).is_some(), "{} for {old}", new.name);
    }
    let here: AzId = "use1-az1".parse().expect("a zone");
    let inferentia = Catalog::embedded().by_name("inf1.2xlarge").expect("in the catalogue");
    assert!(Catalog::embedded().offered(&here, inferentia), "the temptation is real");
}
