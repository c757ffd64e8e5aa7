//! The [`Store`] of several workers: one DynamoDB table of the hub's own account in its home region.
//!
//! Knows the table and how its calls end; knows nothing of what is kept in it. Who may write is decided by core's own
//! rules ([`Past::admit`](spothub_core::port::Past::admit)); DynamoDB is asked under a condition that is exact, so a
//! late request does nothing. The layout, its prices and its backup stand in `control-plane/docs/store.md`.

mod answer;
mod layout;
mod patience;
mod read;
mod row;
mod table;
mod write;

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::Client;
use futures::future::BoxFuture;
use spothub_core::port::{Clock, Page, Put, Store, StoreError, Stored};
use spothub_core::time::Span;

use crate::bounded::Bounded;
use crate::home::Home;
use crate::settings::{TableName, TimeOuts};
use patience::Patience;
use row::WriteId;

/// The table's format that this program writes.
pub const STORE_FORMAT: u32 = 1;
/// The way to it: the n-th leads from format n to n + 1, counted from 1.
const STEPS: &[StoreStep] = &[];
/// One step from a format to the next. Several workers may do it at once, and one may die half way: it must come to the
/// same however often it is done.
pub type StoreStep = for<'a> fn(&'a DynamoStore) -> BoxFuture<'a, Result<(), StoreError>>;

/// Keys whose last version is remembered: those that are written without naming a version, as ledger rows and notices.
/// Some 10 MB; a key that is not among them costs one refused write more.
const GUESSES_MAX: usize = 50_000;

/// Which table, and how it is asked.
#[derive(Clone, Debug)]
pub struct StoreSettings {
    /// The table.
    pub table: TableName,
    /// How long one read or write may take with all its attempts, and one attempt.
    pub time_outs: TimeOuts,
    /// Another number in each process: tells this one's writes from all others, and spreads repeats.
    pub noise: u64,
}

/// The last write of a key, as far as this process knows.
#[derive(Clone, Copy)]
struct Guess {
    version: u64,
    live: bool,
}

/// The store. Any number of processes may have one over the same table.
pub struct DynamoStore {
    home: Arc<Home>,
    clock: Arc<dyn Clock>,
    client: Client,
    settings: StoreSettings,
    /// The format that this program writes.
    known: u32,
    /// When the table's format was last found to be that one, in milliseconds since 1970.
    checked_at: AtomicI64,
    /// Writes begun, for their names.
    writes: AtomicU64,
    guesses: Mutex<Bounded<String, Guess>>,
}

impl DynamoStore {
    /// The store in a table that exists; an empty table is marked as ours, an older format is brought up to date.
    ///
    /// Refused with [`StoreError::Newer`] if a newer program made it, and with [`StoreError::Unavailable`] if the table
    /// is missing, has another key, holds something else or cannot be reached; the text says what to do.
    pub async fn open(home: Arc<Home>, clock: Arc<dyn Clock>, settings: StoreSettings) -> Result<Self, StoreError> {
        Self::open_with(home, clock, settings, STEPS).await
    }

    /// As [`Self::open`], for a program whose format is one more than there are steps.
    pub async fn open_with(
        home: Arc<Home>,
        clock: Arc<dyn Clock>,
        settings: StoreSettings,
        steps: &[StoreStep],
    ) -> Result<Self, StoreError> {
        let store = Self::over(home, clock, settings, steps.len());
        store.prepare(steps).await?;
        Ok(store)
    }

    /// The store in a table as it stands, for who only reads: nothing is marked or brought up to date. `None` where the
    /// table is there and empty.
    pub async fn found(
        home: Arc<Home>,
        clock: Arc<dyn Clock>,
        settings: StoreSettings,
    ) -> Result<Option<Self>, StoreError> {
        let store = Self::over(home, clock, settings, STEPS.len());
        Ok(store.is_begun().await?.then_some(store))
    }

    fn over(home: Arc<Home>, clock: Arc<dyn Clock>, settings: StoreSettings, steps: usize) -> Self {
        let attempt = Duration::from_millis(u64::try_from(settings.time_outs.attempt.0).unwrap_or(0).max(1));
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(attempt).operation_timeout(attempt);
        // Only who counts the attempts can tell a lost race from an own write whose answer was lost: see `write`.
        let config = aws_sdk_dynamodb::config::Builder::from(home.session())
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts.build());
        Self {
            client: Client::from_conf(config.build()),
            home,
            clock,
            settings,
            known: STORE_FORMAT + u32::try_from(steps).unwrap_or(u32::MAX - STORE_FORMAT),
            checked_at: AtomicI64::new(i64::MIN),
            writes: AtomicU64::new(0),
            guesses: Mutex::new(Bounded::new(GUESSES_MAX)),
        }
    }

    fn table(&self) -> &str {
        self.settings.table.as_str()
    }

    fn region(&self) -> &str {
        self.home.session().region().map_or("no region", AsRef::as_ref)
    }

    /// A name that no other write has.
    fn write_id(&self) -> WriteId {
        let count = self.writes.fetch_add(1, Ordering::Relaxed);
        let mut id = WriteId::default();
        id[..8].copy_from_slice(&self.settings.noise.to_be_bytes());
        id[8..].copy_from_slice(&count.to_be_bytes());
        id
    }

    fn patience(&self) -> Patience {
        let spread = self.settings.noise ^ self.writes.load(Ordering::Relaxed).rotate_left(32);
        Patience::new(self.clock.now(), self.settings.time_outs, spread)
    }

    fn guess(&self, key: &str) -> Option<Guess> {
        self.guesses.lock().unwrap_or_else(PoisonError::into_inner).get(&key.to_owned())
    }

    fn learn(&self, put: &Put, version: u64) {
        let guess = Guess { version, live: put.value.is_some() };
        self.guesses.lock().unwrap_or_else(PoisonError::into_inner).insert(put.key.clone(), guess);
    }

    /// How long ago the format was looked at.
    fn unchecked_for(&self) -> Span {
        Span(self.clock.now().0.saturating_sub(self.checked_at.load(Ordering::Relaxed)))
    }

    fn checked(&self) {
        self.checked_at.store(self.clock.now().0, Ordering::Relaxed);
    }
}

#[async_trait]
impl Store for DynamoStore {
    async fn get(&self, key: &str) -> Result<Option<Stored>, StoreError> {
        self.read(key).await
    }

    async fn query(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Page, StoreError> {
        self.page(prefix, after, limit).await
    }

    async fn write(&self, puts: &[Put]) -> Result<Vec<u64>, StoreError> {
        self.write_items(puts).await
    }
}
