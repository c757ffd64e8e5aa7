//! The shared suite of the store on DynamoDB, and what only DynamoDB can show: lost answers, throttling, what a write
//! costs, and the table itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use async_trait::async_trait;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
    TimeToLiveSpecification,
};
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::{Value, json};
use spothub_aws::{DynamoStore, STORE_FORMAT, StoreSettings, StoreStep, TimeOuts};
use spothub_core::port::{Clock, Expect, Put, Store, StoreError};
use spothub_core::time::{Span, Timestamp};
use spothub_tests::store::{Stores, delete, fenced, fill, fill_many, item, lost, off, plays, put};

use crate::clock::WallClock;
use crate::emulator::{emulator, run};

mod calls;
mod opening;

/// Numbers tables, and tells workers apart.
static NUMBERS: AtomicU64 = AtomicU64::new(1);

/// A table of one case.
#[derive(Clone)]
struct Table {
    name: String,
    client: aws_sdk_dynamodb::Client,
}

/// The machine's time, and as much as a test lets pass.
#[derive(Default)]
struct Shifted(AtomicI64);

#[async_trait]
impl Clock for Shifted {
    fn now(&self) -> Timestamp {
        WallClock.now() + Span(self.0.load(Ordering::Relaxed))
    }

    async fn sleep_until(&self, until: Timestamp) {
        WallClock.sleep_until(until - Span(self.0.load(Ordering::Relaxed))).await;
    }
}

impl Table {
    /// A name that nothing has yet.
    fn unmade() -> Self {
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        Self { name: format!("hub-{number:04}"), client: emulator().tables() }
    }

    /// A table as `control-plane/docs/store.md` says to make it.
    async fn make() -> Self {
        Self::with_key("p", "k").await
    }

    async fn with_key(partition: &str, sort: &str) -> Self {
        let table = Self::unmade();
        let attribute = |name| {
            let builder = AttributeDefinition::builder().attribute_name(name);
            builder.attribute_type(ScalarAttributeType::S).build().unwrap()
        };
        let key = |name, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap();
        let call = table.client.create_table().table_name(&table.name).billing_mode(BillingMode::PayPerRequest);
        let call = call.attribute_definitions(attribute(partition)).attribute_definitions(attribute(sort));
        let call = call.key_schema(key(partition, KeyType::Hash)).key_schema(key(sort, KeyType::Range));
        call.send().await.unwrap();
        table
    }

    fn settings(&self) -> StoreSettings {
        let noise = NUMBERS.fetch_add(1, Ordering::Relaxed);
        StoreSettings { table: self.name.parse().unwrap(), time_outs: TimeOuts::default(), noise }
    }

    /// A worker's store in it.
    async fn open(&self) -> Result<DynamoStore, StoreError> {
        DynamoStore::open(emulator().home(), Arc::new(WallClock), self.settings()).await
    }

    async fn open_with(&self, steps: &[StoreStep], clock: Arc<dyn Clock>) -> Result<DynamoStore, StoreError> {
        DynamoStore::open_with(emulator().home(), clock, self.settings(), steps).await
    }

    async fn stores(&self) -> Stores {
        Stores { one: Arc::new(self.open().await.unwrap()), two: Arc::new(self.open().await.unwrap()) }
    }

    /// Calls of this table that fit are done to as the fault says.
    async fn fault(&self, mut fault: Value) -> u64 {
        fault["service"] = json!("dynamodb");
        fault["contains"] = json!(self.name);
        fault["agent"] = json!("spothub");
        emulator().control.post("/faults", &fault).await["id"].as_u64().unwrap()
    }

    async fn cursor() -> u64 {
        emulator().control.get("/calls?after=999999999").await["cursor"].as_u64().unwrap()
    }

    /// The calls about this table since a cursor.
    async fn calls(&self, after: u64) -> Vec<Value> {
        let told = emulator().control.get(&format!("/calls?after={after}&service=dynamodb&agent=spothub")).await;
        let rows = told["calls"].as_array().unwrap().iter();
        rows.filter(|row| row["params"].to_string().contains(&self.name)).cloned().collect()
    }

    /// Their actions.
    async fn actions(&self, after: u64) -> Vec<String> {
        let calls = self.calls(after).await;
        calls.iter().map(|row| row["action"].as_str().unwrap().to_owned()).collect()
    }

    /// An item as it lies there.
    async fn raw(&self, partition: &str, key: &str) -> Option<Vec<(String, AttributeValue)>> {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let call = self.client.get_item().table_name(&self.name).key("p", text(partition)).key("k", text(key));
        let found = call.consistent_read(true).send().await.unwrap().item?;
        let mut all: Vec<_> = found.into_iter().collect();
        all.sort_by(|one, other| one.0.cmp(&other.0));
        Some(all)
    }

    /// What DynamoDB itself does once an item's time to live is over.
    async fn expire(&self, partition: &str, key: &str) {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let call = self.client.delete_item().table_name(&self.name).key("p", text(partition)).key("k", text(key));
        call.send().await.unwrap();
    }
}

/// For the list of differences.
pub(crate) async fn items_never_expire() {
    let table = Table::make().await;
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let over = AttributeValue::N((WallClock.now().0 / 1000 - 86_400).to_string());
    let call = table.client.put_item().table_name(&table.name).item("p", text("p")).item("k", text("k"));
    call.item("x", over).send().await.unwrap();
    let live = TimeToLiveSpecification::builder().attribute_name("x").enabled(true).build().unwrap();
    let call = table.client.update_time_to_live().table_name(&table.name).time_to_live_specification(live);
    call.send().await.unwrap();
    assert!(table.raw("p", "k").await.is_some());
}

/// Runs a job there. The emulator is started before: it cannot be from within.
fn on_emulator<T: Send + 'static>(job: impl Future<Output = T> + Send + 'static) -> T {
    emulator();
    run(job)
}

/// Runs one case on a table of its own.
fn play<F>(case: impl FnOnce(Stores) -> F + Send + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    on_emulator(async move { case(Table::make().await.stores().await).await });
}

macro_rules! on_dynamodb {
    ($($module:ident { $($case:ident,)* })*) => {
        $(mod $module {
            $(#[test]
            fn $case() {
                super::play(spothub_tests::store::$module::$case);
            })*
        })*
    };
}

spothub_tests::store_cases!(on_dynamodb);

/// As on SQLite, with fewer plays: each takes a table and some seconds' worth of calls.
#[test]
fn any_sequence_is_answered_as_the_model_does() {
    let config = Config { cases: 12, failure_persistence: None, ..Config::default() };
    let play = |steps: Vec<(bool, plays::Step)>| {
        on_emulator(async move { plays::play(&Table::make().await.stores().await, &steps).await });
        Ok::<(), TestCaseError>(())
    };
    TestRunner::new(config).run(&plays::steps(30), play).unwrap();
}
