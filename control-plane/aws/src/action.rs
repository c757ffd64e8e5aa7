//! The IAM action behind every SDK call, and who is told of each call.
//!
//! One closed list: what is not in it is not called. The member role's statements are checked against it.

use std::fmt;

use spothub_core::fault::{Fault, Unable};
use spothub_core::id::Site;
use spothub_core::port::Cause;
use spothub_core::time::Timestamp;

/// Defines the list: a variant, its IAM form, and whether it changes something.
macro_rules! actions {
    ($($variant:ident = $iam:literal, $changing:literal;)+) => {
        /// One IAM action that this crate makes.
        #[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
        pub enum Action {
            $(#[doc = concat!("`", $iam, "`")] $variant,)+
        }

        impl Action {
            /// Every action, in the order of the list.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Its IAM form, as `ec2:CreateFleet`.
            #[must_use]
            pub const fn iam(self) -> &'static str {
                match self {
                    $(Self::$variant => $iam,)+
                }
            }

            /// Whether it changes something.
            #[must_use]
            pub const fn changing(self) -> bool {
                match self {
                    $(Self::$variant => $changing,)+
                }
            }
        }
    };
}

actions! {
    AssumeRole = "sts:AssumeRole", false;
    GetCallerIdentity = "sts:GetCallerIdentity", false;
    DescribeAutoScalingGroups = "autoscaling:DescribeAutoScalingGroups", false;
    DescribeInstanceRefreshes = "autoscaling:DescribeInstanceRefreshes", false;
    DescribeLaunchConfigurations = "autoscaling:DescribeLaunchConfigurations", false;
    DescribeLifecycleHooks = "autoscaling:DescribeLifecycleHooks", false;
    DescribeScalingActivities = "autoscaling:DescribeScalingActivities", false;
    AttachInstances = "autoscaling:AttachInstances", true;
    TerminateInstanceInAutoScalingGroup = "autoscaling:TerminateInstanceInAutoScalingGroup", true;
    UpdateAutoScalingGroup = "autoscaling:UpdateAutoScalingGroup", true;
    DescribeAlarms = "cloudwatch:DescribeAlarms", false;
    DescribeTable = "dynamodb:DescribeTable", false;
    GetItem = "dynamodb:GetItem", false;
    PutItem = "dynamodb:PutItem", true;
    Query = "dynamodb:Query", false;
    Scan = "dynamodb:Scan", false;
    DescribeAvailabilityZones = "ec2:DescribeAvailabilityZones", false;
    DescribeImages = "ec2:DescribeImages", false;
    DescribeInstances = "ec2:DescribeInstances", false;
    DescribeInstanceStatus = "ec2:DescribeInstanceStatus", false;
    DescribeInstanceTypeOfferings = "ec2:DescribeInstanceTypeOfferings", false;
    DescribeInstanceTypes = "ec2:DescribeInstanceTypes", false;
    DescribeLaunchTemplateVersions = "ec2:DescribeLaunchTemplateVersions", false;
    DescribeRegions = "ec2:DescribeRegions", false;
    DescribeSpotPriceHistory = "ec2:DescribeSpotPriceHistory", false;
    CreateFleet = "ec2:CreateFleet", true;
    RunInstances = "ec2:RunInstances", true;
    TerminateInstances = "ec2:TerminateInstances", true;
    DescribeTargetHealth = "elasticloadbalancing:DescribeTargetHealth", false;
    DescribeAccount = "organizations:DescribeAccount", false;
    DescribeOrganization = "organizations:DescribeOrganization", false;
    DescribeOrganizationalUnit = "organizations:DescribeOrganizationalUnit", false;
    ListAccounts = "organizations:ListAccounts", false;
    ListAccountsForParent = "organizations:ListAccountsForParent", false;
    ListOrganizationalUnitsForParent = "organizations:ListOrganizationalUnitsForParent", false;
    ListParents = "organizations:ListParents", false;
    ListRoots = "organizations:ListRoots", false;
    ListTagsForResource = "organizations:ListTagsForResource", false;
    GetProducts = "pricing:GetProducts", false;
    GetObjectVersion = "s3:GetObjectVersion", false;
    ChangeMessageVisibility = "sqs:ChangeMessageVisibility", true;
    DeleteMessage = "sqs:DeleteMessage", true;
    GetQueueAttributes = "sqs:GetQueueAttributes", false;
    GetQueueUrl = "sqs:GetQueueUrl", false;
    ReceiveMessage = "sqs:ReceiveMessage", false;
    SendMessage = "sqs:SendMessage", true;
    GetParameter = "ssm:GetParameter", false;
    GetParameterHistory = "ssm:GetParameterHistory", false;
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.iam())
    }
}

/// How a call ended, for counting: the words of the trace.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub enum Outcome {
    /// It was answered with success.
    Ok,
    /// The API's bucket was empty.
    Throttled,
    /// The right is missing.
    Denied,
    /// It was refused or failed otherwise.
    Error,
    /// No answer came.
    Lost,
}

impl Outcome {
    /// The outcome of a call that gave this fault.
    #[must_use]
    pub const fn of(fault: &Fault) -> Self {
        match fault {
            Fault::Throttled { .. } => Self::Throttled,
            Fault::Denied(_) | Fault::Unreachable(_) | Fault::Unable(Unable::NotAccepted) => Self::Denied,
            Fault::Unclear => Self::Lost,
            Fault::NoCapacity(_)
            | Fault::Quota
            | Fault::Unable(Unable::NoCredentials | Unable::NoHost | Unable::NoConnection)
            | Fault::Gone
            | Fault::Conflict(_)
            | Fault::Invalid(_)
            | Fault::Broken => Self::Error,
        }
    }

    /// A stable label for metrics and traces.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Throttled => "throttled",
            Self::Denied => "denied",
            Self::Error => "error",
            Self::Lost => "lost",
        }
    }
}

/// One call that was made, and how it ended.
#[derive(Clone, Copy, Debug)]
pub struct Called<'a> {
    /// The member account and region; `None` for the hub's own account.
    pub site: Option<&'a Site>,
    /// What was called.
    pub action: Action,
    /// How it ended.
    pub outcome: Outcome,
    /// For whom.
    pub cause: Cause<'a>,
    /// When it was sent; known of calls to members.
    pub sent_at: Option<Timestamp>,
}

/// Is told of every call once it has ended; retries of the SDK within one call are not told apart.
pub trait Observer: Send + Sync {
    /// Takes one call. Must return at once.
    fn called(&self, call: &Called<'_>);
}

/// Keeps nothing: for who does not count.
#[derive(Clone, Copy, Debug, Default)]
pub struct Uncounted;

impl Observer for Uncounted {
    fn called(&self, _: &Called<'_>) {}
}

/// Tells the observer and the log of a call that has ended.
pub(crate) fn tell<T>(
    observer: &dyn Observer,
    site: Option<&Site>,
    action: Action,
    cause: Cause<'_>,
    sent_at: Option<Timestamp>,
    answer: &Result<T, Fault>,
) {
    let outcome = answer.as_ref().map_or_else(Outcome::of, |_| Outcome::Ok);
    let (account, region) = (site.map(|s| tracing::field::display(s.account)), site.map(|s| s.region.as_str()));
    tracing::trace!(account, region, action = action.iam(), outcome = outcome.label(), "call");
    observer.called(&Called { site, action, outcome, cause, sent_at });
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_action_stands_once_and_changing_ones_are_not_reads() {
        let names: BTreeSet<&str> = Action::ALL.iter().map(|a| a.iam()).collect();
        assert_eq!(names.len(), Action::ALL.len());
        for action in Action::ALL {
            let (_, verb) = action.iam().split_once(':').unwrap();
            let read = ["Describe", "List", "Get", "AssumeRole", "Receive", "Query", "Scan"]
                .iter()
                .any(|v| verb.starts_with(v));
            assert_eq!(read, !action.changing(), "{action}");
        }
    }

    #[test]
    fn faults_have_outcomes() {
        assert_eq!(Outcome::of(&Fault::Unclear).label(), "lost");
        assert_eq!(Outcome::of(&Fault::Denied("ec2:RunInstances")).label(), "denied");
        assert_eq!(Outcome::of(&Fault::Gone).label(), "error");
    }
}
