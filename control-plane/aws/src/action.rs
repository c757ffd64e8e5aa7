//! The IAM action behind every SDK call, and who is told of each call.
//!
//! One closed list: what is not in it is not called, and what is in it is called. The documents in `policies/iam` are
//! checked against it, and the templates against these.

use std::fmt;

use spothub_core::fault::{Fault, Unable};
use spothub_core::id::Site;
use spothub_core::port::Cause;
use spothub_core::time::Timestamp;

/// Whose rights a call needs.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub enum Holder {
    /// The role in the member account.
    Member,
    /// The hub's own role.
    Hub,
    /// Whoever runs `spothub rollout`.
    Rollout,
}

/// Defines the list: a variant, its IAM form, whether it changes something, and who must hold the right; nobody does
/// where AWS asks for none.
macro_rules! actions {
    ($($variant:ident = $iam:literal, $changing:literal, [$($holder:ident),*];)+) => {
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

            /// Whose rights it needs.
            #[must_use]
            pub const fn holders(self) -> &'static [Holder] {
                match self {
                    $(Self::$variant => &[$(Holder::$holder),*],)+
                }
            }
        }
    };
}

actions! {
    AssumeRole = "sts:AssumeRole", false, [Hub, Rollout];
    GetCallerIdentity = "sts:GetCallerIdentity", false, [];
    DescribeAutoScalingGroups = "autoscaling:DescribeAutoScalingGroups", false, [Member];
    DescribeInstanceRefreshes = "autoscaling:DescribeInstanceRefreshes", false, [Member];
    DescribeLaunchConfigurations = "autoscaling:DescribeLaunchConfigurations", false, [Member];
    DescribeLifecycleHooks = "autoscaling:DescribeLifecycleHooks", false, [Member];
    DescribeScalingActivities = "autoscaling:DescribeScalingActivities", false, [Member];
    AttachInstances = "autoscaling:AttachInstances", true, [Member];
    TerminateInstanceInAutoScalingGroup = "autoscaling:TerminateInstanceInAutoScalingGroup", true, [Member];
    UpdateAutoScalingGroup = "autoscaling:UpdateAutoScalingGroup", true, [Member];
    CreateStack = "cloudformation:CreateStack", true, [Rollout];
    CreateStackInstances = "cloudformation:CreateStackInstances", true, [Rollout];
    CreateStackSet = "cloudformation:CreateStackSet", true, [Rollout];
    DeleteStack = "cloudformation:DeleteStack", true, [Rollout];
    DeleteStackInstances = "cloudformation:DeleteStackInstances", true, [Rollout];
    DeleteStackSet = "cloudformation:DeleteStackSet", true, [Rollout];
    DescribeOrganizationsAccess = "cloudformation:DescribeOrganizationsAccess", false, [Rollout];
    DescribeStackEvents = "cloudformation:DescribeStackEvents", false, [Rollout];
    DescribeStackSet = "cloudformation:DescribeStackSet", false, [Rollout];
    DescribeStackSetOperation = "cloudformation:DescribeStackSetOperation", false, [Rollout];
    DescribeStacks = "cloudformation:DescribeStacks", false, [Member, Rollout];
    GetTemplate = "cloudformation:GetTemplate", false, [Rollout];
    ListStackInstances = "cloudformation:ListStackInstances", false, [Rollout];
    ListStackSetOperationResults = "cloudformation:ListStackSetOperationResults", false, [Rollout];
    ListStackSetOperations = "cloudformation:ListStackSetOperations", false, [Rollout];
    UpdateStack = "cloudformation:UpdateStack", true, [Rollout];
    UpdateStackSet = "cloudformation:UpdateStackSet", true, [Rollout];
    DescribeAlarms = "cloudwatch:DescribeAlarms", false, [Member];
    GetMetricStatistics = "cloudwatch:GetMetricStatistics", false, [Hub];
    DescribeTable = "dynamodb:DescribeTable", false, [Hub];
    GetItem = "dynamodb:GetItem", false, [Hub];
    PutItem = "dynamodb:PutItem", true, [Hub];
    Query = "dynamodb:Query", false, [Hub];
    Scan = "dynamodb:Scan", false, [Hub];
    DescribeAvailabilityZones = "ec2:DescribeAvailabilityZones", false, [Member, Hub];
    DescribeImages = "ec2:DescribeImages", false, [Member];
    DescribeInstances = "ec2:DescribeInstances", false, [Member];
    DescribeInstanceStatus = "ec2:DescribeInstanceStatus", false, [Member];
    DescribeInstanceTypeOfferings = "ec2:DescribeInstanceTypeOfferings", false, [Hub];
    DescribeInstanceTypes = "ec2:DescribeInstanceTypes", false, [Hub];
    DescribeLaunchTemplateVersions = "ec2:DescribeLaunchTemplateVersions", false, [Member];
    DescribeReservedInstances = "ec2:DescribeReservedInstances", false, [Member];
    DescribeSpotInstanceRequests = "ec2:DescribeSpotInstanceRequests", false, [Member];
    DescribeSpotPriceHistory = "ec2:DescribeSpotPriceHistory", false, [Hub];
    GetSpotPlacementScores = "ec2:GetSpotPlacementScores", false, [Hub];
    CreateFleet = "ec2:CreateFleet", true, [Member];
    RunInstances = "ec2:RunInstances", true, [Member];
    TerminateInstances = "ec2:TerminateInstances", true, [Member];
    DescribeContainerInstances = "ecs:DescribeContainerInstances", false, [Member];
    ListContainerInstances = "ecs:ListContainerInstances", false, [Member];
    UpdateContainerInstancesState = "ecs:UpdateContainerInstancesState", true, [Member];
    DescribeInstanceHealth = "elasticloadbalancing:DescribeInstanceHealth", false, [Member];
    DescribeTargetHealth = "elasticloadbalancing:DescribeTargetHealth", false, [Member];
    DescribeRule = "events:DescribeRule", false, [Member, Hub];
    ListTargetsByRule = "events:ListTargetsByRule", false, [Member, Hub];
    PutEvents = "events:PutEvents", true, [Member];
    GetInstanceProfile = "iam:GetInstanceProfile", false, [Member];
    GetRole = "iam:GetRole", false, [Member, Rollout];
    DescribeOrganization = "organizations:DescribeOrganization", false, [Rollout];
    DescribeOrganizationalUnit = "organizations:DescribeOrganizationalUnit", false, [Hub, Rollout];
    ListAccounts = "organizations:ListAccounts", false, [Hub, Rollout];
    ListAccountsForParent = "organizations:ListAccountsForParent", false, [Hub, Rollout];
    ListOrganizationalUnitsForParent = "organizations:ListOrganizationalUnitsForParent", false, [Hub, Rollout];
    ListRoots = "organizations:ListRoots", false, [Hub, Rollout];
    ListTagsForResource = "organizations:ListTagsForResource", false, [Hub];
    GetProducts = "pricing:GetProducts", false, [Hub];
    GetObjectVersion = "s3:GetObjectVersion", false, [Hub];
    DescribeSavingsPlans = "savingsplans:DescribeSavingsPlans", false, [Member];
    ListServiceQuotas = "servicequotas:ListServiceQuotas", false, [Member];
    DeleteMessage = "sqs:DeleteMessage", true, [Hub];
    GetQueueAttributes = "sqs:GetQueueAttributes", false, [Member, Hub];
    GetQueueUrl = "sqs:GetQueueUrl", false, [Member, Hub];
    ReceiveMessage = "sqs:ReceiveMessage", false, [Hub];
    SendMessage = "sqs:SendMessage", true, [Hub];
    GetParameter = "ssm:GetParameter", false, [Hub];
    GetParameterHistory = "ssm:GetParameterHistory", false, [Hub];
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
    use std::fs;
    use std::path::{Path, PathBuf};

    use serde_json::Value;

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

    /// Rights that AWS asks for behind a call, without a call of their own.
    const BEHIND: [(&str, Holder); 6] = [
        ("ec2:CreateTags", Holder::Member),
        ("iam:CreateServiceLinkedRole", Holder::Member),
        ("iam:PassRole", Holder::Member),
        ("kms:CreateGrant", Holder::Member),
        ("organizations:ListDelegatedAdministrators", Holder::Rollout),
        ("ssm:GetParameters", Holder::Member),
    ];

    fn project() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
    }

    /// The actions that the documents of these names allow.
    fn allowed(is_one: impl Fn(&str) -> bool) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for entry in fs::read_dir(project().join("policies/iam")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|e| e != "json") || !is_one(path.file_stem().unwrap().to_str().unwrap()) {
                continue;
            }
            let document: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
            for statement in document["Statement"].as_array().unwrap().iter().filter(|s| s["Effect"] == "Allow") {
                let named = &statement["Action"];
                let named = named.as_array().map_or(std::slice::from_ref(named), Vec::as_slice);
                found.extend(named.iter().map(|action| action.as_str().unwrap().to_owned()));
            }
        }
        found
    }

    fn needed(holder: Holder) -> BTreeSet<String> {
        let called = Action::ALL.iter().filter(|action| action.holders().contains(&holder)).map(|action| action.iam());
        let behind = BEHIND.iter().filter(|(_, by)| *by == holder).map(|(action, _)| *action);
        called.chain(behind).map(ToOwned::to_owned).collect()
    }

    #[test]
    fn members_grant_what_is_called_and_nothing_more() {
        let granted = allowed(|name| name.starts_with("member") && !name.ends_with("trust"));
        assert_eq!(granted, needed(Holder::Member));
    }

    #[test]
    fn the_hub_is_granted_what_it_calls_and_nothing_more() {
        assert_eq!(allowed(|name| name == "hub"), needed(Holder::Hub));
    }

    #[test]
    fn rollout_is_granted_what_it_calls() {
        // And what CloudFormation does in its name, which is no call of ours.
        let granted = allowed(|name| name == "rollout");
        let missing: Vec<_> = needed(Holder::Rollout).into_iter().filter(|action| !granted.contains(action)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn what_is_on_the_list_is_called() {
        fn read(folder: &Path, into: &mut String) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    read(&path, into);
                } else if !path.ends_with("action.rs") {
                    into.push_str(&fs::read_to_string(&path).unwrap());
                }
            }
        }
        let mut code = String::new();
        read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut code);
        let is_called = |action: &Action| {
            let name = format!("Action::{action:?}");
            code.match_indices(&name).any(|(at, _)| !code[at + name.len()..].starts_with(char::is_alphanumeric))
        };
        let idle: Vec<_> = Action::ALL.iter().filter(|action| !is_called(action)).collect();
        assert!(idle.is_empty(), "{idle:?}");
    }

    #[test]
    fn faults_have_outcomes() {
        assert_eq!(Outcome::of(&Fault::Unclear).label(), "lost");
        assert_eq!(Outcome::of(&Fault::Denied("ec2:RunInstances")).label(), "denied");
        assert_eq!(Outcome::of(&Fault::Gone).label(), "error");
    }
}
