//! The directory of accounts: AWS Organizations, or a fixed list.
//!
//! Knows who is in the organization, whether they are active, and where they stand in its tree; knows nothing of what
//! happens in an account.

mod ask;
mod enrolment;
mod pace;
mod read;
mod sdk;
#[cfg(test)]
mod tests;
mod unit;

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use spothub_core::fault::Fault;
use spothub_core::id::Region;
use spothub_core::port::{Account, Clock, Directory};
use spothub_core::time::{Span, Timestamp};
use tokio::sync::Mutex;
use tracing::{info, warn};

pub use enrolment::{Enrolment, Scope};
pub use unit::{UnitId, UnitIdError};

use crate::home::Home;
use read::{Known, Reader};

/// How long a list is good for: the organization's API bucket is shared with every other tool, and new accounts are
/// not in a hurry.
pub const LIST_AGE_MAX: Span = Span::mins(15);
/// After a failed reading the last list is served for so long before the next try: a reading of thousands of accounts
/// takes a minute, and whoever asks waits for it.
const TRY_AGAIN: Span = Span::mins(2);

/// The organization's enrolled accounts, read from Organizations and kept for [`LIST_AGE_MAX`].
///
/// Only the management account and delegated administrators may list accounts; elsewhere the session must be that of
/// a role there.
pub struct OrgDirectory {
    reader: Reader,
    clock: Arc<dyn Clock>,
    enrolment: Enrolment,
    regions: BTreeSet<Region>,
    /// Held while reading, so that all who ask meanwhile get the one answer.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    known: Known,
    list: Option<List>,
    /// Not before: set by a failed reading.
    again_at: Option<Timestamp>,
}

struct List {
    read_at: Timestamp,
    accounts: Vec<Account>,
}

impl OrgDirectory {
    /// A directory that asks with this session and gives every account these regions.
    ///
    /// The endpoint follows from the session's region by the SDK's own rules: one per partition.
    #[must_use]
    pub fn new(home: Arc<Home>, clock: Arc<dyn Clock>, enrolment: Enrolment, regions: BTreeSet<Region>) -> Self {
        Self::with(Box::new(sdk::Organizations::new(home)), clock, enrolment, regions)
    }

    fn with(
        answer: Box<dyn ask::Answer>,
        clock: Arc<dyn Clock>,
        enrolment: Enrolment,
        regions: BTreeSet<Region>,
    ) -> Self {
        let reader = Reader::new(answer, Arc::clone(&clock));
        Self { reader, clock, enrolment, regions, state: Mutex::default() }
    }

    /// When the list that is served was read; `None` before the first.
    pub async fn read_at(&self) -> Option<Timestamp> {
        self.state.lock().await.list.as_ref().map(|list| list.read_at)
    }

    /// Reads a new list into the state.
    async fn refresh(&self, state: &mut State) -> Result<Vec<Account>, Fault> {
        let began = self.clock.now();
        match self.reader.read(&self.enrolment, &self.regions, &mut state.known).await {
            Ok(listed) => {
                let (enrolled, unplaced, untagged) = (listed.accounts.len(), listed.unplaced, listed.untagged);
                info!(enrolled, unplaced, untagged, "accounts of the organization were read");
                state.list = Some(List { read_at: began, accounts: listed.accounts.clone() });
                state.again_at = None;
                Ok(listed.accounts)
            }
            Err(fault) => {
                state.again_at = Some(self.clock.now() + TRY_AGAIN);
                // However old: an account that left refuses its role, and one that joined waits. Without any list
                // the whole organization would stand still.
                let list = state.list.as_ref().ok_or_else(|| fault.clone())?;
                let age_s = self.clock.now().since(list.read_at).as_secs();
                warn!(fault = fault.label(), age_s, "accounts could not be read; the last list is served");
                Ok(list.accounts.clone())
            }
        }
    }
}

#[async_trait]
impl Directory for OrgDirectory {
    async fn accounts(&self) -> Result<Vec<Account>, Fault> {
        let mut state = self.state.lock().await;
        let now = self.clock.now();
        if let Some(list) = &state.list {
            let fresh = now.since(list.read_at) < LIST_AGE_MAX;
            if fresh || state.again_at.is_some_and(|at| now < at) {
                return Ok(list.accounts.clone());
            }
        }
        self.refresh(&mut state).await
    }
}

/// Accounts by list, for a hub that may not ask Organizations.
#[derive(Clone, Debug)]
pub struct FixedDirectory {
    accounts: Vec<Account>,
}

impl FixedDirectory {
    /// Exactly these accounts, as the settings name them.
    #[must_use]
    pub fn new(accounts: Vec<Account>) -> Self {
        Self { accounts }
    }
}

#[async_trait]
impl Directory for FixedDirectory {
    async fn accounts(&self) -> Result<Vec<Account>, Fault> {
        Ok(self.accounts.clone())
    }
}
