//! Checked settings of one worker, each with its default, its unit and the reason for its limit.

use spothub_core::policy::PolicySet;
use spothub_core::rights::Rights;
use spothub_core::saga::Timings;
use spothub_core::time::Span;

use crate::limit::{START_INTERVAL_MIN, Shares};

/// AWS allows few different questions for placement scores in 24 hours and documents no number; where it is more,
/// the settings may say so.
const SCORES_A_DAY: u32 = 10;

/// Settings of one worker.
#[expect(clippy::struct_excessive_bools, reason = "independent yes-or-no facts, each under its own name")]
#[derive(Clone, Debug)]
pub struct Settings {
    /// Names this process among workers; also the seed of swap ids, so it must differ at every start.
    pub worker: String,
    /// Mixed into swap ids, so that two workers never make the same one.
    pub id_seed: u64,
    /// Central policy, where none is published ([`Ports::policies`](crate::Ports::policies)).
    pub policy: PolicySet,
    /// Published policy is in force as it stands, without approval: for a laptop and for tests.
    pub policy_as_it_stands: bool,
    /// Published policy with times below what is safe is refused; only tests go below.
    pub policy_floors: bool,
    /// What the member role may do, where its installation narrows it.
    pub rights: Rights,
    /// Between the starts of two sweeps. Events may all be lost; then this is the engine's only pulse.
    pub sweep: Span,
    /// Between two reads of a region's prices: a pool's price changes a few times a day, and a dearer one than was
    /// counted on still costs no more than on-demand (MaxPrice).
    pub prices: Span,
    /// Whether what pools did (refused, took back, gave) is thought of when choosing among them; without it one sees
    /// what that is worth.
    pub learning: bool,
    /// Different questions for Spot placement scores in 24 hours, over all workers.
    pub scores_a_day: u32,
    /// Between two questions whether AWS takes a Spot member without having said so; more often for a while after it
    /// took one. Less than the two minutes that it leaves.
    pub marks: Span,
    /// Saga timings.
    pub timings: Timings,
    /// Lease of a group from each write of its record; must outlast one call with its retries (20 s) and the wait
    /// for a limiter ([`Settings::limiter_wait_max`]).
    pub lease: Span,
    /// The least time between the starts of two swaps of a group, whatever policy says.
    pub start_interval: Span,
    /// Whether other workers may run on the same store.
    pub peers: bool,
    /// Between two signs of life among several workers. A worker of which nothing is heard for four and a half counts
    /// as gone.
    pub beat: Span,
    /// This worker's part of the API limits.
    pub shares: Shares,
    /// The longest that one call with its retries takes: none is begun unless the lease outlasts it.
    pub call_max: Span,
    /// Groups worked on at once, half of them only where it is urgent: each holds little memory, and calls are what
    /// they wait for.
    pub reconciles_max: usize,
    /// Sites swept at once.
    pub sites_max: usize,
    /// The longest wait for a rate limiter inside a call; looks are at most 30 s old when a change is sent.
    pub limiter_wait_max: Span,
    /// The least age of an orphan that is ended.
    pub orphan_age: Span,
    /// Orphans of one account in one sweep above which none is ended: something is wrong with us, not with them.
    pub orphans_max: usize,
    /// The longest that one pass (`once`) waits for what it began: a swap takes minutes, Windows most of an hour.
    pub once_max: Span,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            worker: "worker-1".to_owned(),
            id_seed: 1,
            policy: PolicySet::default(),
            policy_as_it_stands: false,
            policy_floors: true,
            rights: Rights::default(),
            sweep: Span::mins(10),
            prices: Span::mins(15),
            learning: true,
            scores_a_day: SCORES_A_DAY,
            marks: Span::secs(90),
            timings: Timings::default(),
            lease: Span::secs(60),
            start_interval: START_INTERVAL_MIN,
            peers: false,
            beat: Span::secs(10),
            shares: Shares::default(),
            call_max: Span::secs(20),
            reconciles_max: 1024,
            sites_max: 64,
            limiter_wait_max: Span::secs(5),
            orphan_age: Span::mins(10),
            orphans_max: 5,
            once_max: Span::hours(1),
        }
    }
}
