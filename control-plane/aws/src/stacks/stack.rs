//! Ordinary stacks: read, created, updated and deleted in one account.

use std::sync::Arc;

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::types as aws;
use aws_sdk_cloudformation::types::Capability;
use spothub_core::id::Region;

use super::call::{given, heard, parameters, tagged, tags};
use super::refusal::clean;
use super::{Named, StackError};
use crate::action::Action;
use crate::home::Home;

/// Reasons of a failure that are told: the first is what went wrong, and the next few what it took along.
const REASONS_MAX: usize = 5;
/// Pages of events that are read for them, the newest first: one try of our largest stack has fewer.
const EVENT_PAGES_MAX: usize = 5;

/// How a stack stands, of all the words that CloudFormation has for it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Phase {
    /// It is as its last change made it, or as it was before one that failed.
    Settled,
    /// Something is going on.
    Busy,
    /// Its creation failed and was undone: it can only be deleted and made anew.
    Undone,
    /// Somebody made a change set for it that nobody has executed: there is no stack yet.
    Reviewed,
    /// A change failed, and so did undoing it: somebody has to look.
    Stuck,
}

impl Phase {
    fn of(status: &str) -> Self {
        match status {
            "REVIEW_IN_PROGRESS" => Self::Reviewed,
            "ROLLBACK_COMPLETE" => Self::Undone,
            busy if busy.ends_with("_IN_PROGRESS") => Self::Busy,
            settled if settled.ends_with("_COMPLETE") => Self::Settled,
            _ => Self::Stuck,
        }
    }
}

/// A stack as it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StackSeen {
    /// Its ARN.
    pub id: String,
    /// CloudFormation's word for its status.
    pub status: String,
    /// What that means.
    pub phase: Phase,
    /// What CloudFormation says about its status.
    pub reason: Option<String>,
    /// The template's text, as it was given.
    pub template: String,
    /// Parameters that were given or have a default.
    pub parameters: Named,
    /// Its own tags.
    pub tags: Named,
    /// What it tells of itself.
    pub outputs: Named,
    /// When it was last changed, as the API writes it: differs after each change.
    pub changed: String,
}

/// A stack as it is to be.
#[derive(Clone, Copy, Debug)]
pub struct StackAsk<'a> {
    /// Its name.
    pub name: &'a str,
    /// The template's text.
    pub template: &'a str,
    /// All its parameters.
    pub parameters: &'a Named,
    /// Its tags.
    pub tags: &'a Named,
    /// The same for the same request; see [`token`](super::token).
    pub token: &'a str,
}

/// The stacks of one account in one region.
pub struct Stacks {
    home: Arc<Home>,
    client: Client,
}

impl Stacks {
    /// Asks with this session.
    #[must_use]
    pub fn new(home: Arc<Home>, region: &Region) -> Self {
        Self { client: Client::new(&home.in_region(region.as_str())), home }
    }

    /// A stack by its name or id, with its template: DescribeStacks and GetTemplate.
    pub async fn find(&self, name: &str) -> Result<Option<StackSeen>, StackError> {
        let Some(row) = self.described(name).await? else { return Ok(None) };
        let status = row.stack_status().map_or("?", aws::StackStatus::as_str).to_owned();
        let phase = Phase::of(&status);
        let id = row.stack_id().unwrap_or(name).to_owned();
        // One that is only reviewed has no template yet.
        let template = if phase == Phase::Reviewed { String::new() } else { self.template(&id).await? };
        let output = |row: &aws::Output| Some((row.output_key()?.to_owned(), row.output_value()?.to_owned()));
        let changed =
            row.last_updated_time().or(row.creation_time()).map(|at| format!("{}.{}", at.secs(), at.subsec_nanos()));
        Ok(Some(StackSeen {
            phase,
            reason: row.stack_status_reason().filter(|text| !text.is_empty()).map(clean),
            template,
            parameters: parameters(row.parameters()),
            tags: tags(row.tags()),
            outputs: row.outputs().iter().filter_map(output).collect(),
            changed: changed.unwrap_or_default(),
            status,
            id,
        }))
    }

    /// Its status alone, while somebody waits: DescribeStacks. Nothing where there is no such stack any more.
    pub async fn status(&self, name: &str) -> Result<Option<(Phase, String)>, StackError> {
        let row = self.described(name).await?;
        Ok(row.map(|row| {
            let status = row.stack_status().map_or("?", aws::StackStatus::as_str);
            (Phase::of(status), status.to_owned())
        }))
    }

    async fn described(&self, name: &str) -> Result<Option<aws::Stack>, StackError> {
        let answer = self.client.describe_stacks().stack_name(name).send().await;
        match heard(&self.home, Action::DescribeStacks, answer) {
            Ok(found) => {
                let gone = |row: &aws::Stack| row.stack_status() == Some(&aws::StackStatus::DeleteComplete);
                Ok(found.stacks.unwrap_or_default().into_iter().find(|row| !gone(row)))
            }
            // CloudFormation's only sign that there is none.
            Err(error) if error.code == "ValidationError" && error.said.contains("does not exist") => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn template(&self, id: &str) -> Result<String, StackError> {
        let call = self.client.get_template().stack_name(id).template_stage(aws::TemplateStage::Original);
        Ok(heard(&self.home, Action::GetTemplate, call.send().await)?.template_body.unwrap_or_default())
    }

    /// Creates a stack. What a failed creation had made is deleted again, also what a later deletion would keep.
    pub async fn create(&self, ask: &StackAsk<'_>) -> Result<(), StackError> {
        let call = self.client.create_stack().stack_name(ask.name).template_body(ask.template);
        let call = call.set_parameters(Some(given(ask.parameters))).set_tags(Some(tagged(ask.tags)));
        let call = call.capabilities(Capability::CapabilityNamedIam).client_request_token(ask.token);
        let answer = call.retain_except_on_create(true).send().await;
        heard(&self.home, Action::CreateStack, answer).map(|_| ())
    }

    /// Updates a stack. `false` where CloudFormation finds nothing to update.
    pub async fn update(&self, ask: &StackAsk<'_>) -> Result<bool, StackError> {
        let call = self.client.update_stack().stack_name(ask.name).template_body(ask.template);
        let call = call.set_parameters(Some(given(ask.parameters))).set_tags(Some(tagged(ask.tags)));
        let call = call.capabilities(Capability::CapabilityNamedIam).client_request_token(ask.token);
        let answer = call.retain_except_on_create(true).send().await;
        match heard(&self.home, Action::UpdateStack, answer) {
            Ok(_) => Ok(true),
            Err(error) if error.code == "ValidationError" && error.said.contains("No updates are to be performed") => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Deletes a stack; one that is not there is deleted.
    pub async fn delete(&self, name: &str, token: &str) -> Result<(), StackError> {
        let answer = self.client.delete_stack().stack_name(name).client_request_token(token).send().await;
        heard(&self.home, Action::DeleteStack, answer).map(|_| ())
    }

    /// Why the last change of a stack failed, the first cause first: DescribeStackEvents.
    pub async fn reasons(&self, id: &str) -> Result<Vec<String>, StackError> {
        let (mut found, mut next) = (Vec::new(), None);
        for _ in 0..EVENT_PAGES_MAX {
            let call = self.client.describe_stack_events().stack_name(id).set_next_token(next);
            let answer = heard(&self.home, Action::DescribeStackEvents, call.send().await)?;
            for row in answer.stack_events() {
                // Events come newest first, and the stack's own beginning is where its last change began.
                let own = row.physical_resource_id() == row.stack_id();
                let status = row.resource_status().map_or("", aws::ResourceStatus::as_str);
                if own && ["CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"].contains(&status) {
                    return Ok(first(found));
                }
                // The rest is what was broken off for that one's sake.
                let said = row.resource_status_reason().unwrap_or("it is not said why");
                if status.ends_with("_FAILED") && !said.starts_with("Resource creation cancelled") && !own {
                    let resource = row.logical_resource_id().unwrap_or("?");
                    found.push(format!("{resource}: {}", clean(said)));
                }
            }
            next = answer.next_token.filter(|token| !token.is_empty());
            if next.is_none() {
                break;
            }
        }
        Ok(first(found))
    }
}

/// The oldest of what came newest first.
fn first(mut found: Vec<String>) -> Vec<String> {
    found.reverse();
    found.truncate(REASONS_MAX);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_a_phase() {
        for (status, phase) in [
            ("CREATE_COMPLETE", Phase::Settled),
            ("UPDATE_ROLLBACK_COMPLETE", Phase::Settled),
            ("IMPORT_COMPLETE", Phase::Settled),
            ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", Phase::Busy),
            ("DELETE_IN_PROGRESS", Phase::Busy),
            ("REVIEW_IN_PROGRESS", Phase::Reviewed),
            ("ROLLBACK_COMPLETE", Phase::Undone),
            ("ROLLBACK_FAILED", Phase::Stuck),
            ("DELETE_FAILED", Phase::Stuck),
            ("UPDATE_ROLLBACK_FAILED", Phase::Stuck),
            ("?", Phase::Stuck),
        ] {
            assert_eq!(Phase::of(status), phase, "{status}");
        }
    }

    #[test]
    fn the_first_cause_comes_first() {
        let found: Vec<String> = (0..9).rev().map(|n| n.to_string()).collect();
        assert_eq!(first(found), ["0", "1", "2", "3", "4"]);
    }
}
