//! The engine broken on purpose, through its ports: the laws must catch each way, and find nothing without it.

pub(crate) mod act;
pub(crate) mod look;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use spothub_core::cloud::Account;
use spothub_core::fault::Fault;
use spothub_core::port::{Directory, Inbox, Lane, Message, Page, Put, Receipt, Store, StoreError, Stored};
use spothub_core::time::Span;
use spothub_hub::Ports;
use spothub_sim::record::{Ended, What};
use spothub_sim::scenario::Scenario;

use crate::judge::Trace;
use crate::played::{Played, Sweeps, judged, options, play, play_tampered, scenario};

use act::{ForgetsMax, Hands, IgnoresToken, NeverAttaches, NeverTerminates, RetiresFirst, Slip, SwapsTwice};
use look::{AllOnDemand, Lie, Looks, NoneOfOurs, Stale, WithoutTag};

/// Enough for ramps, sweeps, and what is left over to be overdue.
const HOURS: u32 = 3;

/// Runs a scenario with tampered ports; the law must be among the broken ones, and none may be without the tampering.
fn caught(name: &str, law: &str, tamper: impl Fn(Ports) -> Ports) -> Played {
    let honest = play(name, 1, HOURS);
    assert_eq!(honest.violations(), [""; 0], "an honest engine breaks nothing on {name}");
    let broken = play_tampered(&scenario(name), &options(1, HOURS), tamper);
    assert!(broken.broken().contains(law), "{law} must be caught on {name}: {:?}", broken.violations());
    broken
}

fn slips<S: Slip + 'static>(ports: Ports, slip: S) -> Ports {
    Ports { act: Hands::with(slip, ports.act.as_ref()), ..ports }
}

fn lies<L: Lie + 'static>(ports: Ports, lie: L) -> Ports {
    Ports { look: Looks::through(lie, &ports.look), ..ports }
}

/// The laws that the independent judge finds broken.
fn independently(played: &Played) -> BTreeSet<String> {
    let found = Trace::parse(&played.text).violations();
    found.iter().filter_map(|text| text.split(' ').next()).map(ToOwned::to_owned).collect()
}

#[test]
fn retiring_before_attaching_is_caught() {
    let broken = caught("small", "INV-2", |ports| slips(ports, RetiresFirst));
    assert!(independently(&broken).contains("INV-2"));
}

#[test]
fn an_attach_that_never_happened_is_caught() {
    let broken = caught("small", "INV-2", |ports| slips(ports, NeverAttaches));
    assert!(independently(&broken).contains("INV-2"));
}

#[test]
fn a_forgotten_max_size_is_caught() {
    let broken = caught("small", "INV-4", |ports| slips(ports, ForgetsMax::default()));
    assert!(independently(&broken).contains("INV-4"));
}

#[test]
fn an_ignored_opt_out_is_caught() {
    let broken = caught("racing", "INV-6", |ports| lies(ports, WithoutTag("spothub:enabled")));
    assert!(independently(&broken).contains("INV-6"));
}

#[test]
fn two_swaps_at_once_are_caught() {
    let broken = caught("small", "INV-1", |ports| slips(ports, SwapsTwice::default()));
    assert!(independently(&broken).contains("INV-1"));
}

#[test]
fn a_skipped_floor_is_caught() {
    let broken = caught("small", "INV-5", |ports| lies(ports, WithoutTag("spothub:min-on-demand")));
    assert!(independently(&broken).contains("INV-5"));
}

#[test]
fn looks_that_are_minutes_old_are_caught() {
    let broken = caught("racing", "INV-2", |ports| {
        let stale = Stale::new(&ports.clock, Span::mins(3));
        lies(ports, stale)
    });
    assert!(independently(&broken).contains("INV-2"));
}

/// One account with one group, so that few enough are left over to have to be ended.
fn one(faults: &str) -> Scenario {
    let text = format!(
        "about: one group\nhours: 3\naccounts:\n  - {{id: \"000000000001\", name: one, ou: /one, \
         regions: [eu-west-1]}}\ngroups:\n  - {{name: one, account: one, region: eu-west-1, type: m5.large, \
         desired: 3}}\n{faults}policy:\n  defaults: {{enabled: true, min-saving: 10%, interval: 2m, settle: 60s}}\n"
    );
    Scenario::read("one.yaml", &text).expect("a scenario")
}

#[test]
fn a_forgotten_orphan_is_caught() {
    // Half of all launches never pass their checks and have to be ended.
    let duds = one("faults: {dud-ppm: 500000}\n");
    let honest = play_tampered(&duds, &options(1, HOURS), |ports| ports);
    assert_eq!(honest.violations(), [""; 0]);
    assert!(honest.outcome.api_calls.by_action.contains_key("ec2:TerminateInstances"), "{:?}", honest.outcome.swaps);
    let broken = play_tampered(&duds, &options(1, HOURS), |ports| slips(ports, NeverTerminates));
    assert!(broken.broken().contains("INV-3"), "{:?}", broken.violations());
    assert!(independently(&broken).contains("INV-3"));
}

/// A second instance under the same token, hidden from the sweep.
#[test]
fn an_ignored_token_that_nobody_cleans_up_after_is_caught() {
    let honest = play_tampered(&one(""), &options(1, HOURS), |ports| ports);
    assert_eq!((honest.violations(), honest.outcome.swaps.completed), (vec![], 3));
    let tamper = |ports| lies(slips(ports, IgnoresToken::default()), NoneOfOurs);
    let broken = play_tampered(&one(""), &options(1, HOURS), tamper);
    assert!(broken.broken().contains("INV-3"), "{:?}", broken.violations());
    assert!(independently(&broken).contains("INV-3"));
}

#[test]
fn a_second_instance_under_one_token_is_ended_by_the_sweep() {
    let healed = play_tampered(&one(""), &options(1, HOURS), |ports| slips(ports, IgnoresToken::default()));
    assert!(!healed.broken().contains("INV-3"), "{:?}", healed.violations());
    let orphans = |what: &What| matches!(what, What::InstanceEnd { why: Ended::Orphan, .. });
    assert_eq!(healed.records().iter().filter(|r| orphans(&r.what)).count(), 3);
}

#[test]
fn a_walk_down_the_price_ladder_is_caught() {
    caught("small", "INV-12", |ports| lies(ports, AllOnDemand));
}

/// Knows accounts under other units than they are in, so that the units' rules are missed.
struct Moved(Arc<dyn Directory>);

#[async_trait]
impl Directory for Moved {
    async fn accounts(&self) -> Result<Vec<Account>, Fault> {
        let mut accounts = self.0.accounts().await?;
        for account in &mut accounts {
            account.ou = "/elsewhere".parse().unwrap();
        }
        Ok(accounts)
    }
}

#[test]
fn a_budget_that_is_missed_is_caught() {
    caught("messy", "INV-10", |ports| Ports { directory: Arc::new(Moved(Arc::clone(&ports.directory))), ..ports });
}

/// Deletes each third message unread.
struct Drops(Arc<dyn Inbox>, std::sync::atomic::AtomicU32);

#[async_trait]
impl Inbox for Drops {
    async fn receive(&self, lane: Lane, max: usize) -> Result<Vec<Message>, Fault> {
        let mut messages = self.0.receive(lane, max).await?;
        let unread: Vec<Receipt> = messages
            .extract_if(.., |_| self.1.fetch_add(1, std::sync::atomic::Ordering::Relaxed).is_multiple_of(3))
            .map(|message| message.receipt)
            .collect();
        self.0.delete(lane, &unread).await?;
        Ok(messages)
    }

    async fn later(&self, lane: Lane, body: String, delay: Span) -> Result<(), Fault> {
        self.0.later(lane, body, delay).await
    }

    async fn delete(&self, lane: Lane, receipts: &[Receipt]) -> Result<(), Fault> {
        self.0.delete(lane, receipts).await
    }
}

#[test]
fn an_event_that_vanishes_is_caught() {
    caught("small", "INV-9", |ports| Ports { inbox: Arc::new(Drops(Arc::clone(&ports.inbox), 0.into())), ..ports });
}

/// Shows no brake.
struct Brakeless(Arc<dyn Store>);

#[async_trait]
impl Store for Brakeless {
    async fn get(&self, key: &str) -> Result<Option<Stored>, StoreError> {
        self.0.get(key).await
    }

    async fn query(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Page, StoreError> {
        if prefix == spothub_core::brake::KEYS {
            return Ok(Page::default());
        }
        self.0.query(prefix, after, limit).await
    }

    async fn write(&self, puts: &[Put]) -> Result<Vec<u64>, StoreError> {
        self.0.write(puts).await
    }
}

#[test]
fn an_ignored_brake_is_caught() {
    caught("racing", "INV-11", |ports| Ports { store: Arc::new(Brakeless(Arc::clone(&ports.store))), ..ports });
}

/// How the laws' verdict on a broken run depends on when they sweep: in nothing but how early they see it.
#[test]
fn broken_runs_are_judged_alike_whenever_laws_sweep() {
    type Tamper = fn(Ports) -> Ports;
    let ways: BTreeMap<&str, Tamper> = BTreeMap::from([
        ("INV-1", (|ports| slips(ports, SwapsTwice::default())) as Tamper),
        ("INV-2", |ports| slips(ports, RetiresFirst)),
        ("INV-4", |ports| slips(ports, ForgetsMax::default())),
        ("INV-5", |ports| lies(ports, WithoutTag("spothub:min-on-demand"))),
    ]);
    for (law, tamper) in ways {
        let records = play_tampered(&scenario("small"), &options(2, 1), tamper).records();
        let laws = |sweeps| judged(&records, sweeps).violations().iter().map(|v| v.law).collect::<BTreeSet<_>>();
        let stepwise = laws(Sweeps::Never);
        assert!(stepwise.contains(law), "{law} {stepwise:?}");
        assert_eq!(stepwise, laws(Sweeps::Every(Span::mins(15))), "{law}");
    }
}
