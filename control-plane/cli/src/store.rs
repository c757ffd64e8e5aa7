//! The hub's store, wherever the settings keep it.

use std::sync::Arc;

use anyhow::Context;
use spothub_aws::{DynamoStore, Home, Observer, StoreSettings};
use spothub_core::port::{Clock, Store};
use spothub_store::Sqlite;

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
        Place::File(path) => Ok(Arc::new(Sqlite::open(path).with_context(|| {
            let path = path.display();
            format!("the store {path} cannot be opened: check that it may be written and is a store of spothub")
        })?)),
        Place::Table(table) => {
            let home = kept.home.as_ref().context("a table needs the home region")?;
            let home = Home::new(spothub_aws::load(home, kept.time_outs).await, observer);
            let settings = StoreSettings { table: table.clone(), time_outs: kept.time_outs, noise: seed };
            let store = DynamoStore::open(home, clock, settings).await;
            Ok(Arc::new(store.with_context(|| format!("the store dynamodb:{table} cannot be opened"))?))
        }
    }
}
