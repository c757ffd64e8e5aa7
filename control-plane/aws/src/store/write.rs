//! Writes: one item under its condition, several in one transaction.
//!
//! The condition of each item names the exact version that is replaced, so the new one is known before it is sent.
//! Where the caller names none, the last version that this process knows is taken; a refusal shows the true one, and
//! the write is made again over that.

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types as aws;
use spothub_core::port::{Expect, Past, Put, StoreError, within_limits};

use super::DynamoStore;
use super::answer::Trouble;
use super::row::{Condition, Row, WriteId, attributes, row};
use crate::action::Action;

/// How often a write without a version of its own is made over what another writer left. Only who has no rival writes
/// so: more than this is a mistake somewhere.
const ROUNDS_MAX: u32 = 8;

/// What came of one attempt to write one item.
enum Answer {
    Written,
    /// The condition did not hold; what is there instead.
    Refused(Option<Row>),
}

/// What a refusal says.
#[derive(Debug, Eq, PartialEq)]
enum Told {
    /// An earlier attempt had written it after all; its version.
    Own(u64),
    /// An earlier attempt may have written it, and others may have written since.
    Doubtful,
    /// It was not written; this is what is there.
    Others(Past),
}

/// Judges a refusal of a write that was to replace version `replaces`, `unclear` where an earlier attempt had no
/// answer.
fn judge(found: Option<&Row>, replaces: Option<u64>, id: WriteId, unclear: bool) -> Told {
    let Some(found) = found else { return Told::Others(Past::NEVER) };
    if found.id == Some(id) {
        return Told::Own(found.past.version);
    }
    // Ours would have been the next version. Where that one is another's, ours did not happen.
    let next = replaces.unwrap_or(0).saturating_add(1);
    if unclear && found.past.version > next { Told::Doubtful } else { Told::Others(found.past) }
}

fn doubtful(key: &str) -> StoreError {
    StoreError::Unavailable(format!("{key} was changed by others while an answer was lost"))
}

fn unsteady(key: &str) -> StoreError {
    StoreError::Unavailable(format!("{key} changes faster than it can be written without naming its version"))
}

impl DynamoStore {
    /// Writes all of `puts`, or nothing; see the port.
    pub(super) async fn write_items(&self, puts: &[Put]) -> Result<Vec<u64>, StoreError> {
        within_limits(puts)?;
        if puts.is_empty() {
            return Ok(Vec::new());
        }
        self.check_format().await?;
        let versions = match puts {
            [put] => vec![self.write_one(put).await?],
            several => self.write_several(several).await?,
        };
        for (put, version) in puts.iter().zip(&versions) {
            // A group's record is always written over the version that its worker read: no need to remember it.
            if !matches!(put.expect, Expect::Version(_)) {
                self.learn(put, *version);
            }
        }
        Ok(versions)
    }

    /// What the put is taken to follow on: true, or else refused without effect.
    fn assumed(&self, put: &Put) -> Past {
        let past = |version, live| Past { version, fence: 0, live };
        match put.expect {
            Expect::Version(version) => past(version, true),
            Expect::Absent => {
                self.guess(&put.key).filter(|g| !g.live).map_or(Past::NEVER, |guess| past(guess.version, false))
            }
            Expect::Anything => self.guess(&put.key).map_or(Past::NEVER, |guess| past(guess.version, guess.live)),
        }
    }

    async fn write_one(&self, put: &Put) -> Result<u64, StoreError> {
        let (id, mut patience) = (self.write_id(), self.patience());
        let (mut past, mut unclear, mut rounds) = (self.assumed(put), false, 0);
        loop {
            let (condition, version) = (Condition::of(put, past), past.version.saturating_add(1));
            match self.put_item(put, condition, version, id).await {
                Ok(Answer::Written) => return Ok(version),
                Ok(Answer::Refused(found)) => match judge(found.as_ref(), condition.replaces, id, unclear) {
                    Told::Own(version) => return Ok(version),
                    Told::Doubtful => return Err(doubtful(&put.key)),
                    Told::Others(found) => {
                        found.admit(put)?;
                        (past, unclear, rounds) = (found, false, rounds + 1);
                        if rounds > ROUNDS_MAX {
                            return Err(unsteady(&put.key));
                        }
                    }
                },
                Err(Trouble::Over(error)) => return Err(error),
                Err(Trouble::Busy(why)) => patience.wait(&*self.clock, why).await?,
                Err(Trouble::Unclear(why)) => {
                    unclear = true;
                    patience.wait(&*self.clock, why).await?;
                }
            }
        }
    }

    /// One attempt at one item.
    async fn put_item(&self, put: &Put, condition: Condition, version: u64, id: WriteId) -> Result<Answer, Trouble> {
        let mut call = self.client.put_item().table_name(self.table()).condition_expression(condition.text());
        call = call.return_values_on_condition_check_failure(aws::ReturnValuesOnConditionCheckFailure::AllOld);
        for (name, value) in attributes(put, version, id, self.clock.now()) {
            call = call.item(name, value);
        }
        for (name, value) in condition.values() {
            call = call.expression_attribute_values(name, value);
        }
        let answer = call.send().await;
        let failed = answer.as_ref().err().and_then(|error| error.as_service_error());
        if let Some(PutItemError::ConditionalCheckFailedException(refusal)) = failed {
            self.home.told(Action::PutItem, &Ok(()));
            return Ok(Answer::Refused(refusal.item().map(row).transpose()?));
        }
        self.heard(Action::PutItem, answer)?;
        Ok(Answer::Written)
    }

    async fn write_several(&self, puts: &[Put]) -> Result<Vec<u64>, StoreError> {
        let mut patience = self.patience();
        let mut pasts: Vec<Past> = puts.iter().map(|put| self.assumed(put)).collect();
        let mut token = self.write_id();
        let mut rounds = 0;
        loop {
            match self.transact(puts, &pasts, token).await {
                Ok(None) => return Ok(pasts.iter().map(|past| past.version.saturating_add(1)).collect()),
                Ok(Some(found)) => {
                    for ((put, past), found) in puts.iter().zip(&mut pasts).zip(found) {
                        if let Some(found) = found {
                            found.admit(put)?;
                            *past = found;
                        }
                    }
                    // Another request now, so it needs another token; the one before was refused for good.
                    (token, rounds) = (self.write_id(), rounds + 1);
                    if rounds > ROUNDS_MAX {
                        return Err(unsteady(&puts[0].key));
                    }
                }
                Err(Trouble::Over(error)) => return Err(error),
                // With its token it takes effect once, also where it already did.
                Err(Trouble::Busy(why) | Trouble::Unclear(why)) => patience.wait(&*self.clock, why).await?,
            }
        }
    }

    /// One attempt at all items: `None` if it is done; otherwise what stands where a condition did not hold.
    async fn transact(
        &self,
        puts: &[Put],
        pasts: &[Past],
        token: WriteId,
    ) -> Result<Option<Vec<Option<Past>>>, Trouble> {
        let mut call = self.client.transact_write_items().client_request_token(hexadecimal(token));
        for (put, past) in puts.iter().zip(pasts) {
            let (condition, version) = (Condition::of(put, *past), past.version.saturating_add(1));
            let mut item = aws::Put::builder().table_name(self.table()).condition_expression(condition.text());
            item = item.return_values_on_condition_check_failure(aws::ReturnValuesOnConditionCheckFailure::AllOld);
            for (name, value) in attributes(put, version, token, self.clock.now()) {
                item = item.item(name, value);
            }
            for (name, value) in condition.values() {
                item = item.expression_attribute_values(name, value);
            }
            let item = item.build().map_err(|error| StoreError::Unavailable(error.to_string()))?;
            call = call.transact_items(aws::TransactWriteItem::builder().put(item).build());
        }
        let answer = call.send().await;
        let failed = answer.as_ref().err().and_then(|error| error.as_service_error());
        if let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = failed {
            let found = reasons(cancelled.cancellation_reasons(), cancelled.message())?;
            self.home.told(Action::PutItem, &Ok(()));
            return Ok(Some(found));
        }
        self.heard(Action::PutItem, answer)?;
        Ok(None)
    }
}

/// What stands where a condition did not hold, item by item. A transaction that was cancelled for other reasons alone
/// may be sent again where these pass by.
fn reasons(reasons: &[aws::CancellationReason], message: Option<&str>) -> Result<Vec<Option<Past>>, Trouble> {
    let refused = |reason: &aws::CancellationReason| reason.code() == Some("ConditionalCheckFailed");
    if reasons.iter().any(refused) {
        let past = |reason: &aws::CancellationReason| match reason.item() {
            _ if !refused(reason) => Ok(None),
            Some(item) => row(item).map(|found| Some(found.past)),
            None => Ok(Some(Past::NEVER)),
        };
        return Ok(reasons.iter().map(past).collect::<Result<_, _>>()?);
    }
    let codes: Vec<&str> = reasons.iter().filter_map(|r| r.code()).filter(|code| *code != "None").collect();
    let text = format!("a transaction was cancelled: {} ({})", codes.join(", "), message.unwrap_or_default());
    let passing = ["TransactionConflict", "ProvisionedThroughputExceeded", "ThrottlingError", "RequestLimitExceeded"];
    if !codes.is_empty() && codes.iter().all(|code| passing.contains(code)) {
        return Err(Trouble::Busy(text));
    }
    Err(Trouble::Over(StoreError::Unavailable(text)))
}

/// A token of 32 characters; DynamoDB takes 36.
fn hexadecimal(id: WriteId) -> String {
    format!("{:032x}", u128::from_be_bytes(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: WriteId = [1; 16];
    const OTHER: WriteId = [2; 16];

    fn row_of(version: u64, id: WriteId) -> Row {
        Row { past: Past { version, fence: 0, live: true }, id: Some(id) }
    }

    #[test]
    fn an_own_write_is_told_from_a_lost_race() {
        let others = |version| Told::Others(row_of(version, OTHER).past);
        let cases = [
            (Some(row_of(5, OWN)), Some(4), true, Told::Own(5)),
            (Some(row_of(5, OTHER)), Some(4), true, others(5)),
            (Some(row_of(6, OTHER)), Some(4), true, Told::Doubtful),
            (Some(row_of(6, OTHER)), Some(4), false, others(6)),
            (Some(row_of(3, OTHER)), Some(4), true, others(3)),
            (Some(row_of(1, OTHER)), None, true, others(1)),
            (Some(row_of(2, OTHER)), None, true, Told::Doubtful),
            (None, Some(4), true, Told::Others(Past::NEVER)),
        ];
        for (found, replaces, unclear, told) in cases {
            assert_eq!(judge(found.as_ref(), replaces, OWN, unclear), told, "{found:?} {replaces:?} {unclear}");
        }
    }

    fn reason(code: &str) -> aws::CancellationReason {
        aws::CancellationReason::builder().code(code).build()
    }

    #[test]
    fn what_cancelled_a_transaction_is_told_apart() {
        let told = |codes: &[&str]| {
            let all: Vec<_> = codes.iter().map(|code| reason(code)).collect();
            reasons(&all, Some("words"))
        };
        assert_eq!(told(&["None", "ConditionalCheckFailed"]), Ok(vec![None, Some(Past::NEVER)]));
        assert_eq!(told(&["TransactionConflict", "ConditionalCheckFailed"]), Ok(vec![None, Some(Past::NEVER)]));
        assert!(matches!(told(&["None", "TransactionConflict"]), Err(Trouble::Busy(_))));
        assert!(matches!(told(&["ThrottlingError", "ProvisionedThroughputExceeded"]), Err(Trouble::Busy(_))));
        assert!(matches!(told(&["TransactionConflict", "ValidationError"]), Err(Trouble::Over(_))));
        assert!(matches!(told(&[]), Err(Trouble::Over(_))));
        assert_eq!(hexadecimal(OWN).len(), 32);
    }
}
