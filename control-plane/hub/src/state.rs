//! What a worker does and knows now, for status pages, metrics and the summary of a pass. Reads memory only.

use std::collections::BTreeMap;

use spothub_core::fault::Fault;
use spothub_core::id::{Region, Site};
use spothub_core::time::{Span, Timestamp};

use crate::engine::Engine;

/// One worker at one moment.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Accounts that the directory names as enrolled; none before it was read.
    pub accounts: usize,
    /// Why the directory did not answer when it was last asked.
    pub directory: Option<Fault>,
    /// Sites that were not read in full, or refused us, when they were last asked.
    pub failing: Vec<(Site, Fault)>,
    /// Regions whose prices could not be read when they were last asked.
    pub unpriced: Vec<(Region, Fault)>,
    /// Swaps and rescues in flight by the label of their stage; of several workers, those that this one drives.
    pub in_flight: BTreeMap<&'static str, usize>,
    /// Holds in force by the label of their reason.
    pub holds: BTreeMap<&'static str, usize>,
    /// When the last sweep began.
    pub sweep_began: Option<Timestamp>,
    /// When the last whole sweep was over.
    pub sweep_ended: Option<Timestamp>,
    /// How long that one took.
    pub sweep_took: Option<Span>,
    /// Since when the published policy cannot be read, where it cannot.
    pub policy_unreadable: Option<Timestamp>,
    /// A published policy waits for approval.
    pub policy_waits: bool,
}

impl Engine {
    /// What this worker does and knows now.
    #[must_use]
    pub fn state(&self) -> State {
        let memory = self.memory();
        let (mut in_flight, mut holds) = (BTreeMap::new(), BTreeMap::new());
        for kept in memory.records.values() {
            for op in kept.record.ops.iter().filter(|_| self.drives(&kept.record)) {
                *in_flight.entry(op.stage.label()).or_default() += 1;
            }
            for row in &kept.record.holds {
                *holds.entry(row.reason.label()).or_default() += 1;
            }
        }
        State {
            accounts: memory.accounts.len(),
            directory: memory.directory.clone(),
            failing: memory.failing.iter().map(|(site, fault)| (site.clone(), fault.clone())).collect(),
            unpriced: memory.unpriced.iter().map(|(region, fault)| (region.clone(), fault.clone())).collect(),
            in_flight,
            holds,
            sweep_began: memory.sweep_began,
            sweep_ended: memory.sweep_ended.map(|(_, ended)| ended),
            sweep_took: memory.sweep_ended.map(|(began, ended)| ended.since(began)),
            policy_unreadable: memory.published.state.problem.as_ref().map(|problem| problem.since),
            policy_waits: memory.published.state.waits(),
        }
    }
}
