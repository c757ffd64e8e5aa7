//! That the law can fail: the two mistakes that would bill an hour twice, made on purpose, are found.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use spothub_core::port::{Page, Put, Store, StoreError, Stored};

use crate::run::{Plan, run};

/// A task that takes others' records for its own, and so sends them again.
struct Thief(Arc<dyn Store>, String);

#[async_trait]
impl Store for Thief {
    async fn get(&self, key: &str) -> Result<Option<Stored>, StoreError> {
        let mut found = self.0.get(key).await?;
        if let Some(stored) = found.as_mut().filter(|_| key.starts_with("meter/records/")) {
            let mut row: serde_json::Value = serde_json::from_slice(&stored.value).unwrap();
            if row["state"]["sending"].is_object() {
                row["state"]["sending"]["task"] = self.1.clone().into();
                stored.value = serde_json::to_vec(&row).unwrap();
            }
        }
        Ok(found)
    }

    async fn query(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Page, StoreError> {
        self.0.query(prefix, after, limit).await
    }

    async fn write(&self, puts: &[Put]) -> Result<Vec<u64>, StoreError> {
        self.0.write(puts).await
    }
}

/// A task that stores the hour only when it has the answer.
struct Hasty(Arc<dyn Store>, Mutex<Vec<Vec<Put>>>);

#[async_trait]
impl Store for Hasty {
    async fn get(&self, key: &str) -> Result<Option<Stored>, StoreError> {
        self.0.get(key).await
    }

    async fn query(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Page, StoreError> {
        self.0.query(prefix, after, limit).await
    }

    async fn write(&self, puts: &[Put]) -> Result<Vec<u64>, StoreError> {
        if puts.iter().any(|put| put.key == "meter/head") {
            self.1.lock().unwrap().push(puts.to_vec());
            return Ok(vec![1; puts.len()]);
        }
        let kept = std::mem::take(&mut *self.1.lock().unwrap());
        for puts in kept {
            self.0.write(&puts).await?;
        }
        self.0.write(puts).await
    }
}

fn finds(plan: &Plan, fault: &str) {
    let faults = (0..40).filter_map(|seed| run(&Plan { seed, ..plan.clone() }).err());
    let found: Vec<String> = faults.flatten().collect();
    assert!(found.iter().any(|told| told.contains(fault)), "{found:?}");
}

#[test]
fn a_resend_by_another_task_is_found() {
    let plan = Plan { wrap: |store, arn| Arc::new(Thief(store, arn.to_owned())), ..Plan::wild(0) };
    finds(&plan, "accepted twice");
}

#[test]
fn sending_before_the_put_is_found() {
    let plan = Plan { wrap: |store, _| Arc::new(Hasty(store, Mutex::new(vec![]))), ..Plan::wild(0) };
    finds(&plan, "is billed, and the ledger says");
}
