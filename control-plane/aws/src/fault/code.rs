//! What the error codes of AWS mean to us.

/// What a code means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Meaning {
    /// The API's bucket is empty.
    Throttled,
    /// The pool has none to give at this price.
    Capacity,
    /// A quota of the account is used up.
    Quota,
    /// The right for this action is missing.
    Denied,
    /// The right for another action is missing.
    DeniedFor(&'static str),
    /// Account or region are not open to us.
    Unreachable(&'static str),
    /// The session's credentials are too old.
    StaleSession,
    /// What was named is not there.
    Gone,
    /// Something else is going on with the group.
    Busy,
    /// The instance's state forbids it.
    InstanceState,
    /// Auto Scaling's word for every broken rule: the text tells which.
    Validation,
    /// The request itself is refused.
    Invalid(&'static str),
}

const NOT_ENABLED: &str = "the region is not enabled for the account";
pub(super) const NOT_ACCEPTED: &str =
    "its credentials are not accepted there: a region that is not enabled, or a closed account";
const BLOCKED: &str = "AWS has blocked the account or is still verifying it";

/// Codes by meaning. Sources: EC2, Auto Scaling, STS and Elastic Load Balancing API references, "common errors" and
/// the errors of each action.
const TABLE: &[(Meaning, &[&str])] = &[
    (
        Meaning::Throttled,
        &[
            "RequestLimitExceeded", "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled",
            "RequestThrottledException", "TooManyRequestsException", "EC2ThrottledException", "SlowDown",
            "PriorRequestNotComplete", "BandwidthLimitExceeded", "Rate exceeded",
        ],
    ),
    (
        Meaning::Capacity,
        &[
            "InsufficientInstanceCapacity", "UnfulfillableCapacity", "SpotMaxPriceTooLow", "InsufficientCapacity",
            "InsufficientHostCapacity", "ReservationCapacityExceeded",
        ],
    ),
    (
        Meaning::Quota,
        &[
            "MaxSpotInstanceCountExceeded",
            "VcpuLimitExceeded",
            "InstanceLimitExceeded",
            "MaxFleetCountExceeded",
            "MaxSpotFleetRequestCountExceeded",
            "VolumeLimitExceeded",
            "MaxIOPSLimitExceeded",
            // Too many different questions for placement scores in 24 hours.
            "MaxConfigLimitExceeded",
        ],
    ),
    (Meaning::Denied, &["UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "AuthorizationError"]),
    (
        Meaning::DeniedFor("iam:CreateServiceLinkedRole"),
        &["AuthFailure.ServiceLinkedRoleCreationNotPermitted", "ServiceLinkedRoleCreationNotPermitted"],
    ),
    (Meaning::Unreachable(NOT_ENABLED), &["RegionDisabledException", "RegionDisabled", "OptInRequired"]),
    (
        Meaning::Unreachable(NOT_ACCEPTED),
        &[
            "AuthFailure",
            "InvalidClientTokenId",
            "UnrecognizedClientException",
            "SignatureDoesNotMatch",
            "InvalidSignatureException",
            "SubscriptionRequiredException",
            "MissingAuthenticationToken",
        ],
    ),
    (Meaning::Unreachable(BLOCKED), &["PendingVerification", "Blocked", "AccountProblem"]),
    (Meaning::StaleSession, &["ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"]),
    (
        Meaning::Gone,
        &[
            "InvalidInstanceID.NotFound",
            "InvalidAMIID.NotFound",
            "InvalidAMIID.Unavailable",
            "InvalidLaunchTemplateId.NotFound",
            "InvalidLaunchTemplateId.NotFoundException",
            "InvalidLaunchTemplateId.VersionNotFound",
            "InvalidLaunchTemplateName.NotFoundException",
            "IdempotentInstanceTerminated",
            "ParameterNotFound",
            "TargetGroupNotFound",
            "LoadBalancerNotFound",
            "AccessPointNotFound",
            "InvalidInstance",
            "ClusterNotFoundException",
            "TargetGroupNotFoundException",
        ],
    ),
    (
        Meaning::Busy,
        &[
            "ResourceContention",
            "ResourceContentionFault",
            "ScalingActivityInProgress",
            "ScalingActivityInProgressFault",
            "ResourceInUse",
            "ResourceInUseFault",
            "ServiceLinkedRoleFailure",
        ],
    ),
    (Meaning::InstanceState, &["IncorrectInstanceState", "IncorrectState", "OperationNotPermitted", "InvalidTarget"]),
    (Meaning::Validation, &["ValidationError"]),
    (Meaning::Invalid("its token stands for another request"), &["IdempotentParameterMismatch"]),
    (Meaning::Invalid("the subnet has no free address"), &["InsufficientFreeAddressesInSubnet"]),
    (
        Meaning::Invalid("the type or the template's settings are not supported there"),
        &["Unsupported", "UnsupportedOperation", "UnsupportedHibernationConfiguration"],
    ),
    (
        Meaning::Invalid("a parameter is not valid"),
        &[
            "InvalidParameter", "InvalidParameterValue", "InvalidParameterCombination", "MissingParameter",
            "UnknownParameter", "InvalidFleetConfiguration", "InvalidFleetConfig", "InvalidBlockDeviceMapping",
        ],
    ),
];

/// What a code means, where this version knows it. EC2 sometimes says whose fault it is in front.
pub(crate) fn meaning(code: &str) -> Option<Meaning> {
    let code = code.strip_prefix("Client.").or_else(|| code.strip_prefix("Server.")).unwrap_or(code);
    TABLE.iter().find(|(_, codes)| codes.contains(&code)).map(|(meaning, _)| *meaning)
}

/// Whether a refusal of one pool of a fleet says that the pool has none to give: also a type that its zone does not
/// offer, which only the text tells from a template that does not fit.
pub(crate) fn lacks_capacity(code: &str, message: &str) -> bool {
    match meaning(code) {
        Some(Meaning::Capacity) => true,
        Some(Meaning::Invalid(_)) => code.ends_with("Unsupported") && message.contains("Availability Zone"),
        _ => false,
    }
}

#[cfg(test)]
pub(super) fn codes() -> impl Iterator<Item = &'static str> {
    TABLE.iter().flat_map(|(_, codes)| codes.iter().copied())
}
