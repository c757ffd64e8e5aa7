//! The session policy that narrows an acting session to its region.

use serde_json::json;
use spothub_core::id::Region;

/// What STS takes for all inline policies together.
#[cfg(test)]
const PLAIN_MAX: usize = 2048;

/// What is left of the role's rights: those in one region. Passing roles and creating the Spot role are asked of IAM,
/// which has one region of its own and cannot be narrowed by it; the role says which roles those are.
pub(super) fn narrowed(region: &Region) -> String {
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "*",
                "Resource": "*",
                "Condition": { "StringEquals": { "aws:RequestedRegion": region.as_str() } },
            },
            { "Effect": "Allow", "Action": ["iam:PassRole", "iam:CreateServiceLinkedRole"], "Resource": "*" },
        ],
    });
    policy.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_is_one_region_and_fits() {
        let text = narrowed(&"ap-southeast-5".parse().unwrap());
        let policy: serde_json::Value = serde_json::from_str(&text).unwrap();
        let condition = &policy["Statement"][0]["Condition"]["StringEquals"];
        assert_eq!(condition["aws:RequestedRegion"], "ap-southeast-5");
        assert!(text.len() < PLAIN_MAX, "{}", text.len());
    }
}
