//! The hub's store, wherever the settings keep it.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use spothub_aws::{DynamoStore, Home, Observer, StoreSettings};
use spothub_core::id::Region;
use spothub_core::port::{Clock, Store};
use spothub_store::Sqlite;

use crate::compose;
use crate::config::{Kept, Place};

/// Opens it. A file is made where it is absent; a table has to be there.
///
/// `seed` is another number in each process.
pub(crate) async fn open(
    kept: &Kept,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
    seed: u64,
) -> anyhow::Result<Arc<dyn Store>> {
    match &kept.place {
        Place::File(path) => file(path),
        Place::Table(table) => {
            let home = kept.home.as_ref().context("a table needs the home region")?;
            let home = session(kept, home, &clock, observer).await?;
            let settings = StoreSettings { table: table.clone(), time_outs: kept.time_outs, noise: seed };
            let store = DynamoStore::open(home, clock, settings).await;
            Ok(Arc::new(store.with_context(|| format!("the store dynamodb:{table} cannot be opened"))?))
        }
    }
}

/// The same for who only reads: nothing is made and nothing is marked as ours. `None` where nobody has used it yet.
pub(crate) async fn found(
    kept: &Kept,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
    seed: u64,
) -> anyhow::Result<Option<Arc<dyn Store>>> {
    match &kept.place {
        Place::File(path) if !path.exists() => Ok(None),
        Place::File(path) => file(path).map(Some),
        Place::Table(table) => {
            let home = kept.home.as_ref().context("a table needs the home region")?;
            let home = session(kept, home, &clock, observer).await?;
            let settings = StoreSettings { table: table.clone(), time_outs: kept.time_outs, noise: seed };
            let store = DynamoStore::found(home, clock, settings).await;
            let store = store.with_context(|| format!("the store dynamodb:{table} cannot be opened"))?;
            Ok(store.map(|store| Arc::new(store) as Arc<dyn Store>))
        }
    }
}

async fn session(
    kept: &Kept,
    home: &Region,
    clock: &Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
) -> anyhow::Result<Arc<Home>> {
    let role = kept.hub_role.as_ref();
    let session = compose::session(home, role, kept.time_outs, Arc::clone(clock), Arc::clone(&observer)).await?;
    Ok(Home::new(session, observer))
}

fn file(path: &Path) -> anyhow::Result<Arc<dyn Store>> {
    Ok(Arc::new(Sqlite::open(path).with_context(|| {
        let path = path.display();
        format!("the store {path} cannot be opened: check that it may be written and is a store of spothub")
    })?))
}
