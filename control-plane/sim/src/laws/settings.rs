//! The numbers of the laws, each with its default.

use std::collections::BTreeMap;

use spothub_core::time::Span;

/// What the laws measure by.
#[derive(Clone, Debug)]
pub struct LawSettings {
    /// The oldest look that a take-out may rest on (INV-2).
    pub look_age: Span,
    /// How long a change of policy or tags may stay unread (INV-6; also for floors, intervals and budgets).
    pub opt_out_grace: Span,
    /// By how much two starts may lie closer than the interval: the first sign of a swap in the records may lag
    /// behind the stored start by the latency of one call.
    pub interval_slack: Span,
    /// The youngest orphan that may be ended (INV-3).
    pub orphan_age: Span,
    /// The oldest that an orphan may become: its age, one sweep, and an account that cannot be reached for a while.
    pub orphan_bound: Span,
    /// With more orphans than this in an account, they are reported and not ended.
    pub orphans_max: usize,
    /// How long after it was sent an event may be under way when the run ends (INV-9).
    pub event_bound: Span,
    /// Whether all copies of an event reach the same worker, which knows what it has seen (INV-9). Several workers know
    /// each for itself; what an event does is the same however often.
    pub one_memory: bool,
    /// Limits of API calls per account, region and family; `None` judges none (INV-10).
    pub api: Option<BTreeMap<Family, Bucket>>,
}

impl Default for LawSettings {
    fn default() -> Self {
        Self {
            look_age: Span::secs(30),
            opt_out_grace: Span::secs(60),
            interval_slack: Span::secs(1),
            orphan_age: Span::mins(10),
            orphan_bound: Span::mins(45),
            orphans_max: 5,
            event_bound: Span::mins(30),
            one_memory: true,
            api: None,
        }
    }
}

/// API actions that share one limit.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub enum Family {
    /// `ec2:RunInstances`, `ec2:CreateFleet`.
    Run,
    /// `ec2:TerminateInstances`.
    Terminate,
    /// Any other changing call of EC2.
    Ec2Write,
    /// Reads of EC2.
    Ec2Read,
    /// Changing calls of Auto Scaling.
    GroupWrite,
    /// Reads of Auto Scaling.
    GroupRead,
    /// Calls of Elastic Load Balancing.
    LoadBalancing,
    /// Everything else.
    Other,
}

impl Family {
    /// The family of an action in IAM's form.
    #[must_use]
    pub fn of(action: &str) -> Self {
        let (service, name) = action.split_once(':').unwrap_or(("", action));
        let reads = name.starts_with("Describe") || name.starts_with("Get") || name.starts_with("List");
        match (service, name) {
            ("ec2", "RunInstances" | "CreateFleet") => Self::Run,
            ("ec2", "TerminateInstances") => Self::Terminate,
            ("ec2", _) if reads => Self::Ec2Read,
            ("ec2", _) => Self::Ec2Write,
            ("autoscaling", _) if reads => Self::GroupRead,
            ("autoscaling", _) => Self::GroupWrite,
            ("elasticloadbalancing", _) => Self::LoadBalancing,
            _ => Self::Other,
        }
    }
}

/// A token bucket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Bucket {
    /// Calls that may come at once.
    pub burst: u32,
    /// Calls a second from then on.
    pub per_second: u32,
}
