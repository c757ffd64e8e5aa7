//! A call that was refused, with what AWS said: whoever installs reads it.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use spothub_core::fault::Fault;

use crate::action::Action;
use crate::fault::{Heard, judge_own};

/// Characters of a message that are kept: CloudFormation lists parameters and resources in it.
const SAID_MAX: usize = 1000;

/// A call that did not succeed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{action} was refused ({code}{}{said})", if .said.is_empty() { "" } else { ": " })]
pub struct StackError {
    /// What was called.
    pub action: Action,
    /// What it means.
    pub fault: Fault,
    /// AWS's own code.
    pub code: String,
    /// AWS's own words, without control characters and cut where they are long.
    pub said: String,
}

impl StackError {
    pub(super) fn new<E: ProvideErrorMetadata>(action: Action, error: &SdkError<E, HttpResponse>) -> Self {
        let heard = Heard::new(error);
        let fault = judge_own(&heard, action, None);
        let (code, silence) = heard.told();
        let said = heard.message.map_or(silence, clean);
        Self { action, fault, code: code.to_owned(), said }
    }

    /// An answer that has not what it must have.
    pub(super) fn odd(action: Action, lacks: &str) -> Self {
        Self { action, fault: Fault::Broken, code: "an odd answer".to_owned(), said: format!("it has no {lacks}") }
    }

    /// Whether AWS answered with one of these codes.
    pub(super) fn is(&self, codes: &[&str]) -> bool {
        codes.contains(&self.code.as_str())
    }
}

/// A text in one line that ends somewhere.
pub(super) fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SAID_MAX).collect()
}
