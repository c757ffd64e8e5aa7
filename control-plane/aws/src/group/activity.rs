//! What a scaling activity says of a member that was taken out.
//!
//! The service tells it in sentences only; these are the ones it has used for a decade.

use aws_sdk_autoscaling::types::Activity as Row;
use spothub_core::id::InstanceId;
use spothub_core::port::Activity;
use spothub_core::time::Timestamp;

/// When an activity began.
pub(super) fn started_at(row: &Row) -> Option<Timestamp> {
    row.start_time()?.to_millis().ok().map(Timestamp)
}

/// The departure of a member that this activity is, if it is one.
pub(super) fn departure(row: &Row) -> Option<Activity> {
    let description = row.description()?;
    let named = ["Terminating EC2 instance: ", "Detaching EC2 instance: "];
    let rest = named.iter().find_map(|start| description.strip_prefix(start))?;
    let instance: InstanceId = rest.split([' ', ',']).next()?.parse().ok()?;
    let cause = row.cause().unwrap_or_default();
    let by_request = cause.contains("in response to a user request");
    Some(Activity {
        instance,
        at: started_at(row)?,
        by_request_with_decrement: by_request && cause.contains("shrinking the capacity"),
    })
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::DateTime;

    use super::*;

    fn check(description: &str, cause: &str) -> Option<(String, bool)> {
        let row = Row::builder().description(description).cause(cause).start_time(DateTime::from_millis(5)).build();
        departure(&row).map(|found| (found.instance.to_string(), found.by_request_with_decrement))
    }

    #[test]
    fn sentences_are_read() {
        let id = "i-0123456789abcdef0";
        let taken =
            format!("At 2026-01-01T00:00:00Z instance {id} was taken out of service in response to a user request");
        let going = format!("Terminating EC2 instance: {id}");
        assert_eq!(
            check(&going, &format!("{taken}, shrinking the capacity from 3 to 2.")),
            Some((id.to_owned(), true))
        );
        assert_eq!(check(&going, &format!("{taken}.")), Some((id.to_owned(), false)));
        let sick = "At 2026-01-01T00:00:00Z an instance was taken out of service in response to an EC2 health check";
        assert_eq!(check(&going, sick), Some((id.to_owned(), false)));
        let detached = format!(
            "At 2026-01-01T00:00:00Z instance {id} was detached in response to a user request, \
             shrinking the capacity from 3 to 2."
        );
        assert_eq!(check(&format!("Detaching EC2 instance: {id}"), &detached), Some((id.to_owned(), true)));
        assert_eq!(check(&format!("Launching a new EC2 instance: {id}"), &taken), None);
        assert_eq!(check("Terminating EC2 instance: odd", &taken), None);
        assert_eq!(departure(&Row::builder().build()), None);
    }
}
