//! AWS Marketplace Metering: what the hourly task asks, in the SDK's words.
//!
//! Knows the API's shapes; what its answers mean is `spothub_usage::meter`'s. Never repeats a call: an answer that was
//! lost to a first attempt would be lost to the ledger, too (INV-8).

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_sdk_marketplacemetering::Client;
use aws_sdk_marketplacemetering::types::{Tag, UsageAllocation, UsageRecord, UsageRecordResultStatus};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::DateTime;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use spothub_usage::meter::{ALLOCATION_TAG, Allocation, Meter, MeterFault, Processed, Quantity, Usage};

use crate::fault::{Heard, Reach};

/// The code that answers a dry run of what would be allowed; the API models no exception for it.
const WOULD_BE_ALLOWED: &str = "DryRunOperation";
/// The status of a record of a batch that was metered.
const SUCCESS: &str = "Success";
/// The version of the public key that `RegisterUsage` signs its answer with; the only one that there is.
const KEY_VERSION: i32 = 1;

/// The Marketplace, as the session's account and region reach it.
pub struct Marketplace {
    client: Client,
}

impl Marketplace {
    /// Calls with this session, each once.
    #[must_use]
    pub fn new(session: &SdkConfig) -> Self {
        let once = session.to_builder().retry_config(RetryConfig::disabled()).build();
        Self { client: Client::new(&once) }
    }

    async fn send(&self, usage: &Usage, dry_run: bool) -> Result<String, MeterFault> {
        let allocations = usage.allocations.iter().map(|part| allocation(part, usage.quantity));
        let allocations: Vec<UsageAllocation> = allocations.collect::<Result<_, _>>()?;
        let call = self
            .client
            .meter_usage()
            .product_code(&usage.product_code)
            .timestamp(DateTime::from_millis(usage.hour.0))
            .usage_dimension(&usage.dimension)
            .usage_quantity(whole(usage.quantity)?)
            .set_usage_allocations((!allocations.is_empty()).then_some(allocations))
            .set_dry_run(dry_run.then_some(true));
        let answer = call.send().await.map_err(|error| fault(&error))?;
        // Accepted without an id: it was metered, and only the seller's report can say as what.
        answer.metering_record_id.ok_or_else(|| MeterFault::Unclear("an answer without a record id".to_owned()))
    }
}

/// The quantity as this API's model takes it: whole units.
fn whole(quantity: Quantity) -> Result<i32, MeterFault> {
    let refuse = |why: &str| MeterFault::Broken(format!("{quantity} {why}"));
    if quantity.places != 0 {
        return Err(refuse("has decimals, which this SDK cannot send: set places to 0 and price smaller units"));
    }
    i32::try_from(quantity.units).map_err(|_| refuse("is more than one record holds"))
}

fn allocation(part: &Allocation, of: Quantity) -> Result<UsageAllocation, MeterFault> {
    let units = whole(Quantity { units: part.units, places: of.places })?;
    let tag = part.account.map(|account| Tag::builder().key(ALLOCATION_TAG).value(account.to_string()).build());
    let tag = tag.transpose().map_err(|error| MeterFault::Allocations(error.to_string()))?;
    let built = UsageAllocation::builder().allocated_usage_quantity(units).set_tags(tag.map(|tag| vec![tag])).build();
    built.map_err(|error| MeterFault::Allocations(error.to_string()))
}

fn fault<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> MeterFault {
    let heard = Heard::new(error);
    let told = || heard.silent.clone().unwrap_or_default();
    match heard.reach {
        Reach::Unsent => MeterFault::NotSent(told()),
        Reach::Unanswered => MeterFault::Unclear(told()),
        Reach::Answered => MeterFault::of_code(heard.code.unwrap_or_default(), heard.message.unwrap_or_default()),
    }
}

#[async_trait]
impl Meter for Marketplace {
    async fn meter(&self, usage: &Usage) -> Result<String, MeterFault> {
        self.send(usage, false).await
    }

    async fn probe(&self, usage: &Usage) -> Result<(), MeterFault> {
        match self.send(usage, true).await {
            Ok(id) => Err(MeterFault::Unclear(format!("a dry run was metered as {id}"))),
            Err(MeterFault::Unclear(told)) if told.starts_with(WOULD_BE_ALLOWED) => Ok(()),
            Err(fault) => Err(fault),
        }
    }

    async fn register(&self, product_code: &str) -> Result<(), MeterFault> {
        let call = self.client.register_usage().product_code(product_code).public_key_version(KEY_VERSION);
        call.send().await.map(drop).map_err(|error| fault(&error))
    }

    async fn batch(&self, product_code: &str, usages: &[Usage]) -> Result<Vec<Processed>, MeterFault> {
        let records = usages.iter().map(record).collect::<Result<Vec<_>, _>>()?;
        let call = self.client.batch_meter_usage().product_code(product_code).set_usage_records(Some(records));
        let answer = call.send().await.map_err(|error| fault(&error))?;
        let of = |usage: &Usage| {
            let same = |record: &UsageRecord| is(record, usage);
            let done = answer.results().iter().find(|result| result.usage_record().is_some_and(same));
            if let Some(result) = done {
                let status = result.status().map(UsageRecordResultStatus::as_str).unwrap_or_default();
                return match result.metering_record_id() {
                    Some(id) if status == SUCCESS => Ok(id.to_owned()),
                    _ => Err(MeterFault::of_code(status, "of a record in a batch")),
                };
            }
            if answer.unprocessed_records().iter().any(same) {
                return Err(MeterFault::Throttled);
            }
            Err(MeterFault::Unclear("the answer tells nothing of this record".to_owned()))
        };
        Ok(usages.iter().map(of).collect())
    }
}

fn record(usage: &Usage) -> Result<UsageRecord, MeterFault> {
    let allocations = usage.allocations.iter().map(|part| allocation(part, usage.quantity));
    let allocations: Vec<UsageAllocation> = allocations.collect::<Result<_, _>>()?;
    let customer = usage.customer.as_ref();
    let built = UsageRecord::builder()
        .timestamp(DateTime::from_millis(usage.hour.0))
        .dimension(&usage.dimension)
        .quantity(whole(usage.quantity)?)
        .set_customer_aws_account_id(customer.map(|customer| customer.account.to_string()))
        .set_license_arn(customer.map(|customer| customer.license_arn.clone()))
        .set_usage_allocations((!allocations.is_empty()).then_some(allocations))
        .build();
    built.map_err(|error| MeterFault::Broken(error.to_string()))
}

/// Whether an answer speaks of this record.
fn is(record: &UsageRecord, usage: &Usage) -> bool {
    let customer = usage.customer.as_ref();
    record.dimension() == usage.dimension
        && record.timestamp().to_millis().is_ok_and(|at| at == usage.hour.0)
        && record.customer_aws_account_id() == customer.map(|customer| customer.account.to_string()).as_deref()
        && record.license_arn() == customer.map(|customer| customer.license_arn.as_str())
}
