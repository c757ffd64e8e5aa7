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
        "no-credentials" => {
            "give the hub credentials: AWS_PROFILE, AWS_ACCESS_KEY_ID and its secret, or a role of the instance or task"
        }
        "not-accepted" => {
            "renew the hub's credentials: they are wrong or over; where it is one region alone, enable that region in \
             the hub's account, or leave it out of `regions`"
        }
        "no-host" => {
            "check home-region and regions for a name that AWS does not have, AWS_ENDPOINT_URL, and how this machine \
             resolves names"
        }
        "no-connection" => {
            "check AWS_ENDPOINT_URL, and the way out of this network: routes, firewall, proxy, VPC endpoints"
        }
        "broken" | "unclear" => {
            "no good answer came, and the next look tries again; where it stays so, -vv shows what the SDK says"
        }
        "no-capacity" | "quota" => "the next look tries again; a quota can be raised at Service Quotas",
        _ => "-v shows what AWS said; the next look tries again",
    }
}

#[cfg(test)]
mod tests {
    use spothub_core::fault::{Conflict, Fault, Unable};

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
            Fault::Unable(Unable::NoCredentials),
            Fault::Unable(Unable::NotAccepted),
            Fault::Unable(Unable::NoHost),
            Fault::Unable(Unable::NoConnection),
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
