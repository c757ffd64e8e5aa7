//! Whether CloudFormation changes the stack that made a group.

use aws_sdk_cloudformation::types::StackStatus;
use spothub_core::fault::Fault;

use crate::action::Action;
use crate::cloud::Line;

/// How the states of a stack end in which CloudFormation works on it. Source: StackStatus in its API reference.
const WORKING: &str = "_IN_PROGRESS";
/// States that end so, and in which nothing happens: a change set of a new stack waits to be executed.
const IDLE: &str = "REVIEW_IN_PROGRESS";
/// The code for a stack that does not exist (any more).
const NO_SUCH: &str = "ValidationError";

impl Line<'_> {
    /// Whether the stack of this ARN is being changed; a group without one is in no stack, and costs no call.
    pub(super) async fn updating(&self, stack: Option<&str>) -> Result<bool, Fault> {
        let Some(stack) = stack else { return Ok(false) };
        // Few groups ask, and seldom: no client is kept.
        let client = aws_sdk_cloudformation::Client::new(self.client.config());
        match self.call(Action::DescribeStacks, None, client.describe_stacks().stack_name(stack).send()).await {
            Ok(answer) => Ok(answer.stacks().iter().filter_map(|stack| stack.stack_status()).any(working)),
            Err(failed) if failed.code == NO_SUCH => Ok(false),
            Err(failed) => Err(failed.fault),
        }
    }
}

/// Whether CloudFormation works on a stack in this state; one that this version does not know goes by its name.
fn working(status: &StackStatus) -> bool {
    status.as_str().ends_with(WORKING) && status.as_str() != IDLE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_is_worked_on_in_its_states_in_progress() {
        let works = |word: &str| working(&StackStatus::from(word));
        for word in [
            "CREATE_IN_PROGRESS",
            "UPDATE_IN_PROGRESS",
            "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
            "UPDATE_ROLLBACK_IN_PROGRESS",
            "DELETE_IN_PROGRESS",
            "IMPORT_IN_PROGRESS",
            "NEWER_IN_PROGRESS",
        ] {
            assert!(works(word), "{word}");
        }
        for word in ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_FAILED", "REVIEW_IN_PROGRESS"] {
            assert!(!works(word), "{word}");
        }
    }
}
