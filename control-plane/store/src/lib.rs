//! The embedded [`Store`]: SQLite, in a file or in memory.
//!
//! Knows tables and transactions; knows nothing of what is kept in them. SQLite is called inline, on the caller's
//! thread, so that a simulated run has one order of things. Nothing here reads a clock or draws a number.

mod schema;
mod table;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use rusqlite::Connection;
use spothub_core::port::{Page, Put, Store, StoreError, Stored};

/// The embedded store. One connection, used by one caller at a time.
pub struct Sqlite {
    /// `None` once a store in memory broke in the middle of a write: it has no way back to what it held before.
    connection: Mutex<Option<Connection>>,
    kept: Kept,
    reads: AtomicU64,
    writes: AtomicU64,
    items: AtomicU64,
}

/// Where the items are.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Kept {
    InMemory,
    InFile,
}

impl Sqlite {
    /// An empty store that ends with this value; refused only where memory is short.
    pub fn memory() -> Result<Self, StoreError> {
        let mut connection = Connection::open_in_memory().map_err(unavailable)?;
        schema::prepare(&mut connection, None, schema::MIGRATIONS)?;
        Ok(Self::over(connection, Kept::InMemory))
    }

    /// The store in a file, made if it is absent, and migrated after a backup beside it if it is older.
    ///
    /// Refused with [`StoreError::Newer`] if a newer program made it, and with [`StoreError::Unavailable`] if the
    /// file cannot be read or written, or holds something else.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let told = |error: StoreError| match error {
            StoreError::Unavailable(why) => StoreError::Unavailable(format!("{}: {why}", path.display())),
            other @ (StoreError::Lost(_)
            | StoreError::Fenced(_)
            | StoreError::TooLarge(_)
            | StoreError::Newer { .. }) => other,
        };
        let mut connection = Connection::open(path).map_err(unavailable).map_err(told)?;
        schema::prepare(&mut connection, Some(path), schema::MIGRATIONS).map_err(told)?;
        Ok(Self::over(connection, Kept::InFile))
    }

    /// A store in memory with the same items, versions and fences, deleted keys included: a backup of this moment.
    pub fn copy(&self) -> Result<Self, StoreError> {
        let copy = Self::memory()?;
        table::copy(self.held()?.as_ref().ok_or_else(broken)?, copy.held()?.as_ref().ok_or_else(broken)?)?;
        Ok(copy)
    }

    /// How many times something was looked up since this value was made: a get or one page of a query.
    #[must_use]
    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    /// How many atomic writes took effect since this value was made.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }

    /// How many items these writes held; DynamoDB would bill by this number.
    #[must_use]
    pub fn items_written(&self) -> u64 {
        self.items.load(Ordering::Relaxed)
    }

    fn over(connection: Connection, kept: Kept) -> Self {
        Self {
            connection: Mutex::new(Some(connection)),
            kept,
            reads: AtomicU64::new(0),
            writes: AtomicU64::new(0),
            items: AtomicU64::new(0),
        }
    }

    /// Exclusive use of the connection. A call that panicked half-way may have left it in any state.
    fn held(&self) -> Result<MutexGuard<'_, Option<Connection>>, StoreError> {
        self.connection.lock().map_err(|_| broken())
    }
}

#[async_trait]
impl Store for Sqlite {
    async fn get(&self, key: &str) -> Result<Option<Stored>, StoreError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        table::get(self.held()?.as_ref().ok_or_else(broken)?, key)
    }

    async fn query(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Page, StoreError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        table::query(self.held()?.as_ref().ok_or_else(broken)?, prefix, after, limit)
    }

    async fn write(&self, puts: &[Put]) -> Result<Vec<u64>, StoreError> {
        let mut held = self.held()?;
        let done = table::write(held.as_ref().ok_or_else(broken)?, puts);
        if self.kept == Kept::InMemory && matches!(done, Err(StoreError::Unavailable(_))) {
            *held = None;
        }
        let versions = done?;
        if !puts.is_empty() {
            self.writes.fetch_add(1, Ordering::Relaxed);
            self.items.fetch_add(versions.len() as u64, Ordering::Relaxed);
        }
        Ok(versions)
    }
}

fn broken() -> StoreError {
    StoreError::Unavailable("an earlier call broke off in the middle".to_owned())
}

/// What SQLite says becomes a text here, once; nobody above matches on it.
#[expect(clippy::needless_pass_by_value, reason = "the signature that `map_err` asks for")]
fn unavailable(error: rusqlite::Error) -> StoreError {
    StoreError::Unavailable(error.to_string())
}
