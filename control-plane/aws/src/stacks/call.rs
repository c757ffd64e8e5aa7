//! What all calls have in common: counting, parameters and tags, and names for requests.

use std::hash::{DefaultHasher, Hash, Hasher};

use aws_sdk_cloudformation::types as aws;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use tracing::debug;

use super::{Named, StackError};
use crate::action::Action;
use crate::home::Home;

/// Counts one answer; a refusal in AWS's own words.
pub(super) fn heard<T, E>(
    home: &Home,
    action: Action,
    answer: Result<T, SdkError<E, HttpResponse>>,
) -> Result<T, StackError>
where
    E: ProvideErrorMetadata,
{
    let answer = answer.map_err(|error| StackError::new(action, &error));
    home.told(action, &answer.as_ref().map(|_| ()).map_err(|error| error.fault.clone()));
    if let Err(error) = &answer {
        debug!(action = action.iam(), code = error.code, said = error.said, "a call was refused");
    }
    answer
}

/// A name for one request: the same content gives the same name, so that a request whose answer was lost is recognized
/// when it is sent again. Letters and digits, as all of CloudFormation's tokens allow.
#[must_use]
pub fn token(parts: &[&str]) -> String {
    let half = |salt: &str| {
        let mut hasher = DefaultHasher::new();
        (salt, parts).hash(&mut hasher);
        hasher.finish()
    };
    format!("spothub-{:016x}{:016x}", half("first"), half("second"))
}

pub(super) fn given(parameters: &Named) -> Vec<aws::Parameter> {
    let one =
        |(key, value): (&String, &String)| aws::Parameter::builder().parameter_key(key).parameter_value(value).build();
    parameters.iter().map(one).collect()
}

/// Parameters with the values that they have.
pub(super) fn kept(parameters: &Named) -> Vec<aws::Parameter> {
    let one = |key: &String| aws::Parameter::builder().parameter_key(key).use_previous_value(true).build();
    parameters.keys().map(one).collect()
}

pub(super) fn tagged(tags: &Named) -> Vec<aws::Tag> {
    tags.iter().map(|(key, value)| aws::Tag::builder().key(key).value(value).build()).collect()
}

pub(super) fn parameters(rows: &[aws::Parameter]) -> Named {
    let pair = |row: &aws::Parameter| Some((row.parameter_key()?.to_owned(), row.parameter_value()?.to_owned()));
    rows.iter().filter_map(pair).collect()
}

pub(super) fn tags(rows: &[aws::Tag]) -> Named {
    let pair = |row: &aws::Tag| Some((row.key()?.to_owned(), row.value()?.to_owned()));
    rows.iter().filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_content_has_the_same_name() {
        let one = token(&["set", "update", "a"]);
        assert_eq!(one, token(&["set", "update", "a"]));
        assert_ne!(one, token(&["set", "updat", "ea"]));
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
        assert!(one.len() <= 128 && one.chars().all(fits) && one.starts_with(|c: char| c.is_ascii_alphabetic()));
    }
}
