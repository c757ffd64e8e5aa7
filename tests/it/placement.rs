//! Spot placement scores: few questions a day for all workers, and nothing hangs on an answer.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use spothub_core::catalog::TypeId;
use spothub_core::fault::Fault;
use spothub_core::id::{AzId, Region};
use spothub_core::port::Placement;
use spothub_hub::Ports;
use spothub_sim::run::Options;
use spothub_sim::scenario::Scenario;

use crate::played::{options, play_tampered};

const HOURS: u32 = 12;

fn scenario(a_day: u32) -> Scenario {
    let text = format!(
        "about: placement scores
hours: {HOURS}
placement-scores: {a_day}
accounts:
  - {{id: \"000000000001\", name: one, ou: /one, regions: [eu-west-1]}}
  - {{id: \"000000000002\", name: two, ou: /two, regions: [eu-west-1]}}
groups:
  - {{name: web, account: one, region: eu-west-1, type: m5.large, desired: 8}}
  - {{name: api, account: two, region: eu-west-1, type: m5.xlarge, desired: 30}}
  - {{name: jobs, account: two, region: eu-west-1, type: c5.large, desired: 4}}
policy:
  defaults: {{enabled: true, interval: 20m, settle: 60s}}
"
    );
    Scenario::read("placement.yaml", &text).expect("a scenario")
}

/// Notes what is asked for, and answers with `fault` where one is given.
struct Noting {
    inner: Arc<dyn Placement>,
    fault: Option<Fault>,
    asked: Arc<Mutex<Vec<Vec<TypeId>>>>,
}

#[async_trait]
impl Placement for Noting {
    async fn scores(&self, region: &Region, types: &[TypeId]) -> Result<Vec<(AzId, u8)>, Fault> {
        self.asked.lock().unwrap().push(types.to_vec());
        match &self.fault {
            Some(fault) => Err(fault.clone()),
            None => self.inner.scores(region, types).await,
        }
    }
}

/// The questions of a run in order, and how many swaps ended well.
fn played(a_day: u32, workers: u32, fault: Option<&Fault>) -> (Vec<Vec<TypeId>>, u64) {
    let asked: Arc<Mutex<Vec<Vec<TypeId>>>> = Arc::default();
    let run = play_tampered(&scenario(a_day), &Options { workers, ..options(1, HOURS) }, |ports| {
        let noting = |inner| Noting { inner, fault: fault.cloned(), asked: Arc::clone(&asked) };
        let placement = ports.placement.map(|inner| Arc::new(noting(inner)) as Arc<dyn Placement>);
        Ports { placement, ..ports }
    });
    assert_eq!(run.violations(), [""; 0]);
    let asked = asked.lock().unwrap().clone();
    (asked, u64::from(run.outcome.swaps.completed))
}

#[test]
fn workers_share_the_questions_of_a_day() {
    let (asked, swaps) = played(2, 3, None);
    let mut different = asked.clone();
    different.sort();
    different.dedup();
    assert_eq!(different.len(), 2, "as many as are allowed, of three that are wanted");
    // Each anew after four hours, whoever of the three is first; and although a third size is wanted most by then.
    for types in &different {
        let times = asked.iter().filter(|one| *one == types).count();
        assert!((2..=4).contains(&times), "{times}");
    }
    assert!(swaps >= 18);
}

#[test]
fn one_who_may_not_ask_goes_on_as_ever() {
    let (_, without) = played(0, 1, None);
    for fault in [Fault::Denied("ec2:GetSpotPlacementScores"), Fault::Quota] {
        let (asked, swaps) = played(5, 1, Some(&fault));
        assert!(!asked.is_empty() && asked.len() <= 3 * 4, "{}", asked.len());
        assert_eq!(swaps, without);
    }
}

#[test]
fn without_a_number_nothing_is_asked() {
    assert!(played(0, 1, None).0.is_empty());
}
