//! Codes and texts by table.

use std::collections::BTreeSet;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::result::ConnectorError;

use super::*;

fn heard<'a>(code: &'a str, message: &'a str, status: u16) -> Heard<'a> {
    Heard {
        reach: Reach::Answered,
        code: Some(code),
        message: Some(message),
        status: Some(status),
        silent: None,
        unable: None,
        after: None,
    }
}

fn id() -> InstanceId {
    InstanceId::from_number(7)
}

fn check(code: &str, action: Action, expected: &Fault) {
    assert_eq!(judge(&heard(code, "", 400), action, Some(&id())), *expected, "{code}");
}

#[test]
fn each_code_stands_once() {
    let all: Vec<&str> = code::codes().collect();
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
}

#[test]
fn codes_become_faults() {
    let run = Action::RunInstances;
    let state = Fault::Conflict(Conflict::InstanceState(id()));
    let rows: [(&str, Fault); 24] = [
        ("RequestLimitExceeded", Fault::Throttled { after: None }),
        ("Client.RequestLimitExceeded", Fault::Throttled { after: None }),
        ("Throttling", Fault::Throttled { after: None }),
        ("ThrottlingException", Fault::Throttled { after: None }),
        ("EC2ThrottledException", Fault::Throttled { after: None }),
        ("InsufficientInstanceCapacity", Fault::NoCapacity(vec![])),
        ("Server.InsufficientInstanceCapacity", Fault::NoCapacity(vec![])),
        ("SpotMaxPriceTooLow", Fault::NoCapacity(vec![])),
        ("MaxSpotInstanceCountExceeded", Fault::Quota),
        ("VcpuLimitExceeded", Fault::Quota),
        ("UnauthorizedOperation", Fault::Denied("ec2:RunInstances")),
        ("AccessDenied", Fault::Denied("ec2:RunInstances")),
        ("AuthFailure.ServiceLinkedRoleCreationNotPermitted", Fault::Denied("iam:CreateServiceLinkedRole")),
        ("ExpiredToken", Fault::Broken),
        ("RequestExpired", Fault::Broken),
        ("InvalidInstanceID.NotFound", Fault::Gone),
        ("InvalidAMIID.NotFound", Fault::Gone),
        ("IdempotentInstanceTerminated", Fault::Gone),
        ("ScalingActivityInProgress", Fault::Conflict(Conflict::Busy)),
        ("ResourceContention", Fault::Conflict(Conflict::Busy)),
        ("IncorrectInstanceState", state.clone()),
        ("OperationNotPermitted", state),
        ("IdempotentParameterMismatch", Fault::Invalid("its token stands for another request")),
        ("InsufficientFreeAddressesInSubnet", Fault::Invalid("the subnet has no free address")),
    ];
    for (code, fault) in &rows {
        check(code, run, fault);
    }
    for code in ["OptInRequired", "AuthFailure", "InvalidClientTokenId", "Blocked", "RegionDisabledException"] {
        assert!(matches!(judge(&heard(code, "", 401), run, None), Fault::Unreachable(_)), "{code}");
    }
}

#[test]
fn what_may_have_happened_is_unclear() {
    let cases = [
        (Reach::Unsent, None, Action::AttachInstances, Fault::Broken),
        (Reach::Unanswered, None, Action::AttachInstances, Fault::Unclear),
        (Reach::Unanswered, None, Action::DescribeInstances, Fault::Broken),
        (Reach::Answered, Some(500), Action::CreateFleet, Fault::Unclear),
        (Reach::Answered, Some(503), Action::TerminateInstances, Fault::Unclear),
        (Reach::Answered, Some(500), Action::DescribeInstances, Fault::Broken),
        (Reach::Answered, None, Action::RunInstances, Fault::Unclear),
        (Reach::Answered, Some(403), Action::RunInstances, Fault::Denied("ec2:RunInstances")),
        (Reach::Answered, Some(429), Action::RunInstances, Fault::Throttled { after: None }),
        (Reach::Answered, Some(400), Action::RunInstances, Fault::Invalid("for a reason that is in the log")),
    ];
    for (reach, status, action, fault) in cases {
        for code in [None, Some("NeverHeardOf")] {
            let heard = Heard { reach, code, message: None, status, silent: None, unable: None, after: None };
            assert_eq!(judge(&heard, action, None), fault, "{reach:?} {status:?} {action} {code:?}");
        }
    }
    // A busy service that says so is no lost answer, whatever its status.
    let busy = judge(&heard("ResourceContention", "", 500), Action::AttachInstances, None);
    assert_eq!(busy, Fault::Conflict(Conflict::Busy));
}

#[test]
fn broken_rules_of_a_group_are_told_apart() {
    let state = Fault::Conflict(Conflict::InstanceState(id()));
    let invalid = Fault::Invalid("a rule of Auto Scaling; the text is in the log");
    let rows = [
        ("AutoScalingGroup name not found - AutoScalingGroup web not found", Fault::Gone),
        ("Instance Id not found - No managed instance found for instance ID: i-00000000000000007", Fault::Gone),
        (
            "Currently, desiredSize equals minSize (2). Terminating instance without replacement will violate \
             group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower group's \
             min size.",
            Fault::Conflict(Conflict::AtMin),
        ),
        (
            "New SetDesiredCapacity value 5 is above max value 4 for the AutoScalingGroup.",
            Fault::Conflict(Conflict::AtMax),
        ),
        ("The number of instances would exceed the group's max size", Fault::Conflict(Conflict::AtMax)),
        (
            "AutoScalingGroup by name suspended has min-size=1, max-size=2, desired-size=2. To attach 1 more instance, \
             please update the AutoScalingGroup sizes appropriately.",
            Fault::Conflict(Conflict::AtMax),
        ),
        ("Launch process is suspended for the group", Fault::Conflict(Conflict::LaunchSuspended)),
        ("Instance i-00000000000000007 is already part of AutoScalingGroup:web", state.clone()),
        ("Instance i-00000000000000007 is not in correct state. Instance must be running", state.clone()),
        ("Invalid Instance ID(s): [i-00000000000000007] specified", state.clone()),
        ("The instance i-00000000000000007 is not in InService or Standby.", state),
        ("1 validation error detected: Value at 'maxSize' failed", invalid.clone()),
        ("", invalid),
    ];
    for (text, fault) in rows {
        let found = judge(&heard("ValidationError", text, 400), Action::AttachInstances, Some(&id()));
        assert_eq!(found, fault, "{text}");
    }
}

#[test]
fn hints_are_bounded_and_refusals_stay_short() {
    assert_eq!(seconds("3"), Some(Span::secs(3)));
    for wrong in ["-1", "86400", "soon", ""] {
        assert_eq!(seconds(wrong), None, "{wrong}");
    }
    let encoded = heard("UnauthorizedOperation", "Encoded authorization failure message: abc", 403);
    assert_eq!(encoded.told(), ("UnauthorizedOperation", String::new()));
    let long = "x\n".repeat(1000);
    assert_eq!(heard("InvalidParameterValue", &long, 400).told().1.len(), 300);
    assert!(heard("ExpiredToken", "", 400).spoils_session());
    assert!(!heard("UnauthorizedOperation", "", 403).spoils_session());
}

#[test]
fn a_pool_that_its_zone_does_not_offer_counts_as_empty() {
    let text = "Your requested instance type is not supported in your requested Availability Zone (eu-west-1a).";
    assert!(code::lacks_capacity("Unsupported", text));
    assert!(!code::lacks_capacity("Unsupported", "The instance type does not support Nitro Enclaves."));
    assert!(code::lacks_capacity("UnfulfillableCapacity", ""));
    assert!(!code::lacks_capacity("InvalidParameterValue", text));
}

/// What the SDK makes of a request that never left.
fn silence(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> SdkError<Never, HttpResponse> {
    SdkError::dispatch_failure(ConnectorError::other(cause.into(), None))
}

/// An answer that no test here gives.
#[derive(Debug, thiserror::Error)]
#[error("never")]
struct Never;

impl ProvideErrorMetadata for Never {
    fn meta(&self) -> &aws_smithy_types::error::ErrorMetadata {
        unreachable!("the service never answers here")
    }
}

/// A layer with a cause below, as connectors make them.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Layer(&'static str, #[source] std::io::Error);

#[test]
fn what_the_operator_must_put_right_is_told_apart() {
    use std::io::{Error as Io, ErrorKind};
    let looked_up = || Io::other("failed to lookup address information: Name or service not known");
    let refused = || Io::from(ErrorKind::ConnectionRefused);
    let late = Io::new(ErrorKind::TimedOut, "HTTP connect timeout occurred after 3.1s");
    let rows = [
        (silence(CredentialsError::not_loaded("no providers in chain provided credentials")), Unable::NoCredentials),
        (silence(CredentialsError::provider_timed_out(std::time::Duration::from_secs(5))), Unable::NoCredentials),
        (silence(Layer("dns error", looked_up())), Unable::NoHost),
        (silence(Layer("client error (Connect)", looked_up())), Unable::NoHost),
        (silence(Layer("tcp connect error", refused())), Unable::NoConnection),
        (silence(refused()), Unable::NoConnection),
        (silence(Layer("client error (Connect)", late)), Unable::NoConnection),
    ];
    for (error, unable) in &rows {
        let heard = Heard::new(error);
        let judged = |action| judge(&heard, action, None);
        assert_eq!(judged(Action::DescribeInstances), Fault::Unable(*unable), "{error:?}");
        assert_eq!(judge_own(&heard, Action::AssumeRole, None), Fault::Unable(*unable), "{error:?}");
        assert_eq!(judged(Action::RunInstances), Fault::Unclear, "an earlier attempt may have passed: {error:?}");
        assert!(!heard.told().1.is_empty(), "the log has the SDK's words: {error:?}");
    }
    // A connection that broke may have carried the request.
    let broken = silence(Layer("connection error", Io::from(ErrorKind::ConnectionReset)));
    assert_eq!(judge(&Heard::new(&broken), Action::DescribeInstances, None), Fault::Broken);
    let late = SdkError::<Never, HttpResponse>::timeout_error("no answer");
    assert_eq!(judge(&Heard::new(&late), Action::DescribeInstances, None), Fault::Broken);
}

#[test]
fn the_hub_s_own_credentials_say_nothing_of_an_account() {
    for code in ["InvalidClientTokenId", "UnrecognizedClientException", "AuthFailure", "ExpiredToken", "RequestExpired"]
    {
        let own = judge_own(&heard(code, "", 403), Action::ListAccounts, None);
        assert_eq!(own, Fault::Unable(Unable::NotAccepted), "{code}");
        assert_ne!(judge(&heard(code, "", 403), Action::DescribeInstances, None), own, "{code}");
    }
    let disabled = judge_own(&heard("OptInRequired", "", 401), Action::DescribeSpotPriceHistory, None);
    assert!(matches!(disabled, Fault::Unreachable(_)), "{disabled:?}");
    let denied = judge_own(&heard("AccessDeniedException", "", 400), Action::ListAccounts, None);
    assert_eq!(denied, Fault::Denied("organizations:ListAccounts"));
}
