//! A row of DescribeSpotInstanceRequests as the engine sees it.

use aws_sdk_ec2::types::SpotInstanceRequest;
use spothub_core::id::InstanceId;
use spothub_core::time::Timestamp;

/// Status codes of requests whose instance is being taken, and runs on for about two minutes. That the second group is
/// said before the end is what aws-facts 4.1 has from AWS's documentation; an instance that has ended is no member.
pub(super) const MARKED: [&str; 4] = [
    "marked-for-termination",
    "instance-terminated-no-capacity",
    "instance-terminated-capacity-oversubscribed",
    "instance-terminated-by-price",
];

/// The instance of a request, and when its status was said; `None` where the row lacks either, or says another one.
pub(super) fn row(row: &SpotInstanceRequest) -> Option<(InstanceId, Timestamp)> {
    let status = row.status()?;
    let said = status.code().is_some_and(|code| MARKED.contains(&code));
    let at = Timestamp(status.update_time()?.to_millis().ok()?);
    said.then_some((row.instance_id()?.parse().ok()?, at))
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::SpotInstanceStatus;
    use aws_smithy_types::DateTime;

    use super::*;

    #[test]
    fn only_what_is_being_taken_is_marked() {
        let read = |code: &str, id: &str| {
            let status = SpotInstanceStatus::builder().code(code).update_time(DateTime::from_millis(7000)).build();
            row(&SpotInstanceRequest::builder().instance_id(id).status(status).build())
        };
        let id = "i-0123456789abcdef0";
        for code in MARKED {
            assert_eq!(read(code, id), Some((id.parse().unwrap(), Timestamp(7000))), "{code}");
        }
        for (code, id) in [("fulfilled", id), ("instance-terminated-by-user", id), (MARKED[0], "nonsense")] {
            assert_eq!(read(code, id), None, "{code} {id}");
        }
        assert_eq!(row(&SpotInstanceRequest::builder().instance_id(id).build()), None);
    }
}
