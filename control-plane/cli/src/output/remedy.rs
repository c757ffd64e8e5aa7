//! What to do about a failure, by its stable label: a recording has no more of it.

/// What to do about a fault with this label.
pub(crate) fn of(label: &str) -> &'static str {
    match label {
        "denied" => "give the role this right, or look for a control policy that forbids it",
        "unreachable" => {
            "check that the member role exists there, trusts the hub and asks for this external id; a closed or \
             suspended account, or a region that is not enabled, leaves with its own settings"
        }
        "throttled" => "others use up the account's API limits; the next look tries again",
        "broken" | "unclear" => {
            "no good answer came: check the hub's credentials (AWS_PROFILE, the instance or task role), home-region, \
             AWS_ENDPOINT_URL and the network; -vv shows what the SDK says"
        }
        "no-capacity" | "quota" => "the next look tries again; a quota can be raised at Service Quotas",
        _ => "-v shows what AWS said; the next look tries again",
    }
}

#[cfg(test)]
mod tests {
    use spothub_core::fault::{Conflict, Fault};

    use super::*;

    #[test]
    fn every_fault_has_one() {
        let general = of("?");
        for fault in [
            Fault::Throttled { after: None },
            Fault::NoCapacity(Vec::new()),
            Fault::Quota,
            Fault::Denied("ec2:DescribeInstances"),
            Fault::Unreachable("the role refuses us"),
            Fault::Unclear,
            Fault::Broken,
        ] {
            assert_ne!(of(fault.label()), general, "{}", fault.label());
        }
        for fault in [Fault::Gone, Fault::Conflict(Conflict::Busy), Fault::Invalid("x")] {
            assert_eq!(of(fault.label()), general, "{}", fault.label());
        }
    }
}
