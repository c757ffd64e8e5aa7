//! Published policy: a parameter of Systems Manager that names versions of objects in S3.
//!
//! Knows where policy is, who published it and how to read it; knows nothing of what it says. A version of an object
//! never changes, so the parameter alone decides which policy is published, and its own history tells by whom.

mod pointer;
mod refusal;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_ssm::types::{Parameter, ParameterType};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use futures::future::{Either, select};
use futures::stream::{self, StreamExt};
use spothub_core::fault::Fault;
use spothub_core::id::{AccountId, Region};
use spothub_core::port::{Clock, Policies, Published, Unpublished};
use spothub_core::time::Span;
use tokio::sync::Mutex;
use tracing::{debug, warn};

use crate::action::Action;
use crate::fault::{Heard, judge_own};
use crate::home::Home;
use crate::settings::ParameterName;
use pointer::{Place, Pointer};
use refusal::Asked;

/// Bytes of one file that are read: one more than the hub takes, which still tells that it was too long.
const FILE_BYTES_MAX: usize = (1 << 20) + 1;
/// Bytes of all files together: what the hub takes.
const ALL_BYTES_MAX: usize = 4 << 20;
/// Objects that are read at once.
const AT_ONCE: usize = 8;
/// One reading with all its calls. The time-outs of calls end when an answer begins, not when it has been read.
const READ_MAX: Span = Span::secs(30);
/// Versions in one page of the history: the API's most. It keeps 100 of them.
const HISTORY_ROWS: i32 = 50;
/// Pages of the history that are asked for: pages may be shorter than asked, but not without end.
const HISTORY_PAGES_MAX: usize = 20;
/// Characters of an author that are kept: an ARN has at most so many.
const AUTHOR_CHARS_MAX: usize = 2048;

/// Policy that is published by changing a parameter.
///
/// While nothing changes, a reading is one GetParameter: objects and the author are remembered until the parameter
/// names others. So a version that was deleted after it was read is missed only by who reads it for the first time.
pub struct SsmPolicies {
    home: Arc<Home>,
    clock: Arc<dyn Clock>,
    parameters: aws_sdk_ssm::Client,
    objects: aws_sdk_s3::Client,
    name: ParameterName,
    /// Whose bucket it must be; the hub's own account where none is named.
    owner: Option<AccountId>,
    /// Held while reading, so that all who ask meanwhile do not ask for the same objects.
    kept: Mutex<Kept>,
}

/// What need not be asked again.
#[derive(Default)]
struct Kept {
    own: Option<AccountId>,
    author: Option<(Change, Option<String>)>,
    /// Only what the parameter named last, so at most [`ALL_BYTES_MAX`].
    objects: BTreeMap<Place, Arc<[u8]>>,
}

/// One change of the parameter. Who deletes it and makes it anew begins again at version 1, at another time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Change {
    version: i64,
    at: Option<(i64, u32)>,
}

impl SsmPolicies {
    /// Policy of this parameter in the home region, in objects of a bucket there that belongs to `owner`, or else to
    /// the hub's own account: names of buckets are free for anybody once they were given up.
    #[must_use]
    pub fn new(home: Arc<Home>, clock: Arc<dyn Clock>, name: ParameterName, owner: Option<AccountId>) -> Self {
        let parameters = aws_sdk_ssm::Client::new(home.session());
        let objects = aws_sdk_s3::Client::new(home.session());
        Self { home, clock, parameters, objects, name, owner, kept: Mutex::default() }
    }

    fn asked(&self) -> Asked<'_> {
        Asked { parameter: self.name.as_str(), region: self.home.session().region().map_or("no region", AsRef::as_ref) }
    }

    /// Counts one answer; a failure with what it means, and in words.
    fn heard<T, E: ProvideErrorMetadata>(
        &self,
        action: Action,
        answer: Result<T, SdkError<E, HttpResponse>>,
        words: impl FnOnce(&Heard<'_>, Option<&Region>) -> String,
    ) -> Result<T, (Fault, String)> {
        let error = match answer {
            Ok(answer) => {
                self.home.told(action, &Ok(()));
                return Ok(answer);
            }
            Err(error) => error,
        };
        let heard = Heard::new(&error);
        let fault = judge_own(&heard, action, None);
        self.home.told::<()>(action, &Err(fault.clone()));
        let (code, said) = heard.told();
        // Whoever reads policy tells its operator; this is asked again every few seconds.
        debug!(action = action.iam(), fault = fault.label(), code, said, "published policy cannot be read");
        // S3 tells where a bucket is also where it refuses.
        let region = error.raw_response().and_then(|raw| raw.headers().get("x-amz-bucket-region"));
        let region = region.and_then(|text| text.parse().ok());
        Err((fault, words(&heard, region.as_ref())))
    }

    async fn parameter(&self) -> Result<Parameter, Unpublished> {
        let asked = self.asked();
        let answer = self.parameters.get_parameter().name(asked.parameter).send().await;
        let answer = self.heard(Action::GetParameter, answer, |heard, _| asked.parameter_refused(heard));
        let unpublished = |(fault, words)| {
            if fault == Fault::Gone { Unpublished::Absent(words) } else { Unpublished::Unreadable(words) }
        };
        answer.map_err(unpublished)?.parameter.ok_or_else(|| Unpublished::Absent(asked.no_parameter()))
    }

    /// Who made this change: the parameter's history names the author of each version. DescribeParameters has only
    /// the last version's, which may be another one by now, and cannot be allowed for one parameter alone.
    async fn author(&self, kept: &mut Kept, change: Change) -> Result<Option<String>, String> {
        if let Some((known, author)) = &kept.author
            && *known == change
        {
            return Ok(author.clone());
        }
        let author = match self.history(change.version).await {
            Ok(author) => author,
            // An author who is left out is left out for good, so not for a fault that passes.
            Err((Fault::Throttled { .. } | Fault::Broken | Fault::Unclear | Fault::Unable(_), words)) => {
                return Err(words);
            }
            Err((fault, _)) => {
                let (parameter, action) = (self.name.as_str(), Action::GetParameterHistory.iam());
                warn!(parameter, action, fault = fault.label(), "who published the policy is not known");
                None
            }
        };
        kept.author = Some((change, author.clone()));
        Ok(author)
    }

    async fn history(&self, version: i64) -> Result<Option<String>, (Fault, String)> {
        let asked = self.asked();
        let mut next = None;
        for _ in 0..HISTORY_PAGES_MAX {
            let call = self.parameters.get_parameter_history().name(asked.parameter).max_results(HISTORY_ROWS);
            let answer = call.set_next_token(next).send().await;
            let answer = self.heard(Action::GetParameterHistory, answer, |heard, _| asked.history_refused(heard))?;
            if let Some(row) = answer.parameters().iter().find(|row| row.version() == version) {
                return Ok(row.last_modified_user().and_then(author));
            }
            next = answer.next_token.filter(|token| !token.is_empty());
            if next.is_none() {
                break;
            }
        }
        Ok(None)
    }

    /// The account that the bucket must belong to.
    async fn owner(&self, kept: &mut Kept) -> Result<AccountId, String> {
        if let Some(owner) = self.owner.or(kept.own) {
            return Ok(owner);
        }
        let caller = self.home.caller().await.map_err(|fault| Asked::no_caller(&fault))?;
        kept.own = Some(caller.account);
        Ok(caller.account)
    }

    /// All that the pointer names, in its order.
    async fn files(&self, kept: &mut Kept, pointer: &Pointer) -> Result<Vec<(String, Vec<u8>)>, String> {
        let places: Vec<Place> = pointer.places().collect();
        kept.objects.retain(|place, _| places.contains(place));
        let missing: Vec<Place> = places.iter().filter(|place| !kept.objects.contains_key(place)).cloned().collect();
        if !missing.is_empty() {
            let owner = self.owner(kept).await?;
            let mut total: usize = kept.objects.values().map(|bytes| bytes.len()).sum();
            let mut reads = stream::iter(missing).map(|place| self.object(place, owner)).buffered(AT_ONCE);
            while let Some(read) = reads.next().await {
                let (place, bytes) = read?;
                total += bytes.len();
                if total > ALL_BYTES_MAX {
                    return Err(self.asked().too_much(ALL_BYTES_MAX));
                }
                kept.objects.insert(place, bytes.into());
            }
        }
        let file = |place: Place| {
            let bytes = kept.objects.get(&place).map_or_else(Vec::new, |bytes| bytes.to_vec());
            (place.name(), bytes)
        };
        Ok(places.into_iter().map(file).collect())
    }

    /// The bytes of one version, and not many more than are taken where it is too long.
    async fn object(&self, place: Place, owner: AccountId) -> Result<(Place, Vec<u8>), String> {
        let asked = self.asked();
        let call = self.objects.get_object().bucket(&place.bucket).key(&place.key).version_id(&place.version);
        let answer = call.expected_bucket_owner(owner.to_string()).send().await;
        let refused = |heard: &Heard<'_>, region: Option<&Region>| asked.object_refused(heard, &place, owner, region);
        let answer = self.heard(Action::GetObjectVersion, answer, refused).map_err(|(_, words)| words)?;
        if answer.version_id() != Some(place.version.as_str()) {
            return Err(asked.other_version(&place, answer.version_id()));
        }
        let (mut body, mut bytes) = (answer.body, Vec::new());
        while bytes.len() < FILE_BYTES_MAX {
            match body.next().await {
                None => break,
                Some(Ok(part)) => bytes.extend_from_slice(&part),
                Some(Err(error)) => return Err(Asked::cut_off(&place, &error)),
            }
        }
        bytes.truncate(FILE_BYTES_MAX);
        Ok((place, bytes))
    }

    async fn read_now(&self) -> Result<Published, Unpublished> {
        let mut kept = self.kept.lock().await;
        let found = self.parameter().await?;
        self.published(&mut kept, &found).await.map_err(Unpublished::Unreadable)
    }

    /// What the parameter's value names.
    async fn published(&self, kept: &mut Kept, found: &Parameter) -> Result<Published, String> {
        let asked = self.asked();
        match found.r#type() {
            // In all others the value is something else than what was written.
            Some(ParameterType::String) => {}
            other => return Err(asked.not_text(other.map_or("no type", ParameterType::as_str))),
        }
        let pointer = Pointer::read(found.value().unwrap_or_default()).map_err(|wrong| asked.wrong(&wrong))?;
        let at = found.last_modified_date().map(|at| (at.secs(), at.subsec_nanos()));
        let files = self.files(kept, &pointer).await?;
        let author = self.author(kept, Change { version: found.version(), at }).await?;
        Ok(Published { version: pointer.told(found.version()), author, files })
    }
}

/// An author in one line, whole.
fn author(text: &str) -> Option<String> {
    let text: String = text.chars().filter(|c| !c.is_control()).take(AUTHOR_CHARS_MAX).collect();
    (!text.is_empty()).then_some(text)
}

#[async_trait]
impl Policies for SsmPolicies {
    async fn read(&self) -> Result<Published, Unpublished> {
        let late = self.clock.sleep_until(self.clock.now() + READ_MAX);
        match select(Box::pin(self.read_now()), late).await {
            Either::Left((read, _)) => read,
            Either::Right(_) => Err(Unpublished::Unreadable(self.asked().late(READ_MAX))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authors_are_whole_and_in_one_line() {
        let session = "arn:aws:sts::000000000042:assumed-role/policy-pipeline/ann@example.com";
        assert_eq!(author(session).as_deref(), Some(session));
        assert_eq!(author("ann\n\u{1b}[2J").as_deref(), Some("ann[2J"));
        assert_eq!(author(""), None);
        assert_eq!(author(&"x".repeat(5000)).map(|text| text.len()), Some(AUTHOR_CHARS_MAX));
    }
}
