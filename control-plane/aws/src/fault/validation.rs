//! Which rule of Auto Scaling a `ValidationError` says is broken.
//!
//! The service has one code for all of them, so the text decides. What is not recognised is `Invalid`, and in the
//! log: guessing would hide a wrong request behind a wait.

use spothub_core::fault::{Conflict, Fault};
use spothub_core::id::InstanceId;

/// What a text speaks of, in the order in which it is asked.
const RULES: &[(Rule, &[&[&str]])] = &[
    // First, since the text names the group, and a name may hold any word: "AutoScalingGroup by name N has min-size=1,
    // max-size=2, desired-size=2. To attach 1 more instance, please update the AutoScalingGroup sizes appropriately."
    (Rule::AtMax, &[&["max-size=", "to attach"]]),
    (Rule::Gone, &[&["group", "not found"], &["group", "does not exist"], &["no managed instance found"]]),
    (Rule::Gone, &[&["configuration", "not found"], &["is not part of"], &["not a member"]]),
    (Rule::LaunchSuspended, &[&["suspend"]]),
    (
        Rule::AtMin,
        &[&["equals minsize"], &["min size constraint"], &["below min"], &["less than min"], &["below the min"]],
    ),
    (
        Rule::AtMax,
        &[
            &["exceed", "max"],
            &["above max"],
            &["above the max"],
            &["greater than", "max"],
            &["more than", "max"],
            &["increase", "max"],
        ],
    ),
    (Rule::Busy, &[&["in progress"], &["pending delete"], &["is being deleted"]]),
    (
        Rule::InstanceState,
        &[
            &["already part of"],
            &["instance", "state"],
            &["instance", "not in inservice"],
            &["is not in", "running"],
            &["invalid instance"],
            &["instance", "not found"],
            &["instance", "terminat"],
            &["instance", "is in"],
        ],
    ),
];

#[derive(Clone, Copy)]
enum Rule {
    Gone,
    LaunchSuspended,
    AtMin,
    AtMax,
    Busy,
    InstanceState,
}

/// The fault that this text is, for a call about `instance`.
pub(super) fn judge(message: &str, instance: Option<&InstanceId>) -> Fault {
    let text = message.to_lowercase();
    let says = |all: &[&str]| all.iter().all(|part| text.contains(part));
    let found = RULES.iter().find(|(_, any)| any.iter().any(|all| says(all)));
    match (found.map(|(rule, _)| *rule), instance) {
        (Some(Rule::Gone), _) => Fault::Gone,
        (Some(Rule::LaunchSuspended), _) => Fault::Conflict(Conflict::LaunchSuspended),
        (Some(Rule::AtMin), _) => Fault::Conflict(Conflict::AtMin),
        (Some(Rule::AtMax), _) => Fault::Conflict(Conflict::AtMax),
        (Some(Rule::Busy), _) => Fault::Conflict(Conflict::Busy),
        (Some(Rule::InstanceState), Some(id)) => Fault::Conflict(Conflict::InstanceState(id.clone())),
        (Some(Rule::InstanceState) | None, _) => Fault::Invalid("a rule of Auto Scaling; the text is in the log"),
    }
}
