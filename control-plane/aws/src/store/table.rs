//! The table itself: whether it is one that the store can live in, its format number, and the way from an older format.
//!
//! A table's format is read before anything in it is changed. A newer one is refused as it stands.

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types as aws;
use spothub_core::port::StoreError;
use spothub_core::time::Span;

use super::answer::Trouble;
use super::read::again;
use super::row::{Item, KEY, PARTITION, format_of, format_row, place_in};
use super::{DynamoStore, StoreStep, layout};
use crate::action::Action;

/// How long a worker goes on before it looks again whether a newer program has taken over the table: one read unit a
/// minute.
const CHECK_EVERY: Span = Span::mins(1);

impl DynamoStore {
    /// Makes sure of the table, and brings it to the newest format.
    pub(super) async fn prepare(&self, steps: &[StoreStep]) -> Result<(), StoreError> {
        self.check_table().await?;
        let mut found = match self.format().await? {
            Some(found) => found,
            None => self.begin().await?,
        };
        // The n-th step leads on from format n.
        for (format, step) in (1..).zip(steps) {
            if format == found {
                step(self).await?;
                found = self.raise(format).await?;
            }
        }
        match found {
            newer if newer > self.known => Err(StoreError::Newer { found, known: self.known }),
            older if older < self.known => Err(self.lost_format()),
            _ => {
                self.checked();
                Ok(())
            }
        }
    }

    /// Whether somebody has begun to keep a store here, of a format that this program reads.
    pub(super) async fn is_begun(&self) -> Result<bool, StoreError> {
        self.check_table().await?;
        match self.format().await? {
            Some(found) if found > self.known => Err(StoreError::Newer { found, known: self.known }),
            Some(_) => Ok(true),
            None if self.is_empty().await? => Ok(false),
            None => Err(self.lost_format()),
        }
    }

    /// Before a write: refused once a newer program has taken over the table.
    pub(super) async fn check_format(&self) -> Result<(), StoreError> {
        if self.unchecked_for() < CHECK_EVERY {
            return Ok(());
        }
        let found = self.format().await?.ok_or_else(|| self.lost_format())?;
        if found > self.known {
            return Err(StoreError::Newer { found, known: self.known });
        }
        self.checked();
        Ok(())
    }

    async fn check_table(&self) -> Result<(), StoreError> {
        let mut patience = self.patience();
        let answer = loop {
            let call = self.client.describe_table().table_name(self.table());
            match self.heard(Action::DescribeTable, call.send().await) {
                Ok(answer) => break answer,
                Err(trouble) => patience.wait(&*self.clock, again(trouble)?).await?,
            }
        };
        let table = answer.table.unwrap_or_else(|| aws::TableDescription::builder().build());
        let (name, region) = (self.table(), self.region());
        let found = shown(table.key_schema(), table.attribute_definitions());
        if found != KEYS {
            return Err(StoreError::Unavailable(format!(
                "the DynamoDB table {name} in {region} has the key {found}, and the store needs {KEYS}: \
                 name another table in the setting store, or create one as control-plane/docs/store.md says"
            )));
        }
        match table.table_status() {
            None | Some(aws::TableStatus::Active | aws::TableStatus::Updating) => Ok(()),
            Some(other) => Err(StoreError::Unavailable(format!(
                "the DynamoDB table {name} in {region} is {other}: wait until it is ACTIVE"
            ))),
        }
    }

    /// The table's format; `None` where nothing tells one.
    async fn format(&self) -> Result<Option<u32>, StoreError> {
        let mut patience = self.patience();
        loop {
            match self.get_item(place_in(layout::META, "format")).await {
                Ok(None) => return Ok(None),
                Ok(Some(row)) => return format_of(&row).map(Some).ok_or_else(|| self.lost_format()),
                Err(trouble) => patience.wait(&*self.clock, again(trouble)?).await?,
            }
        }
    }

    /// Marks an empty table as ours; the format that it has then.
    async fn begin(&self) -> Result<u32, StoreError> {
        if !self.is_empty().await? {
            // Another worker may have begun it between the two looks.
            return self.format().await?.ok_or_else(|| self.lost_format());
        }
        self.set_format(None, self.known).await?;
        self.format().await?.ok_or_else(|| self.lost_format())
    }

    /// Notes that a step was done, unless another worker was faster; the format that the table has then.
    async fn raise(&self, from: u32) -> Result<u32, StoreError> {
        self.set_format(Some(from), from + 1).await?;
        self.format().await?.ok_or_else(|| self.lost_format())
    }

    /// Sets the format where it still is `from`; otherwise somebody else has set it.
    async fn set_format(&self, from: Option<u32>, to: u32) -> Result<(), StoreError> {
        let mut patience = self.patience();
        loop {
            let mut call = self.client.put_item().table_name(self.table());
            call = format_row(to).into_iter().fold(call, |call, (name, value)| call.item(name, value));
            call = match from {
                None => call.condition_expression("attribute_not_exists(n)"),
                Some(from) => call
                    .condition_expression("n = :n")
                    .expression_attribute_values(":n", aws::AttributeValue::N(from.to_string())),
            };
            let answer = call.send().await;
            let failed = answer.as_ref().err().and_then(|error| error.as_service_error());
            if failed.is_some_and(PutItemError::is_conditional_check_failed_exception) {
                self.home.told(Action::PutItem, &Ok(()));
                return Ok(());
            }
            match self.heard(Action::PutItem, answer) {
                Ok(_) => return Ok(()),
                Err(trouble) => patience.wait(&*self.clock, again(trouble)?).await?,
            }
        }
    }

    async fn is_empty(&self) -> Result<bool, StoreError> {
        let mut patience = self.patience();
        loop {
            let call = self.client.scan().table_name(self.table()).consistent_read(true).limit(1);
            let answer: Result<_, Trouble> = self.heard(Action::Scan, call.send().await);
            match answer {
                Ok(answer) => return Ok(answer.items.as_ref().is_none_or(Vec::<Item>::is_empty)),
                Err(trouble) => patience.wait(&*self.clock, again(trouble)?).await?,
            }
        }
    }

    fn lost_format(&self) -> StoreError {
        StoreError::Unavailable(format!(
            "the DynamoDB table {} in {} holds something else than a store, or its format number is gone: \
             name an empty table in the setting store, or restore this one from a backup",
            self.table(),
            self.region()
        ))
    }
}

/// The key that the table has to have, as [`shown`] shows it.
const KEYS: &str = "p (S, HASH), k (S, RANGE)";

/// A table's key in words.
fn shown(schema: &[aws::KeySchemaElement], attributes: &[aws::AttributeDefinition]) -> String {
    debug_assert!(KEYS.starts_with(PARTITION) && KEYS.contains(&format!(" {KEY} ")));
    let kind = |name: &str| {
        let found = attributes.iter().find(|attribute| attribute.attribute_name() == name);
        found.map_or("?", |attribute| attribute.attribute_type().as_str())
    };
    let part = |key: &aws::KeySchemaElement| {
        let name = key.attribute_name();
        format!("{name} ({}, {})", kind(name), key.key_type().as_str())
    };
    schema.iter().map(part).collect::<Vec<_>>().join(", ")
}
