//! How the container instance of a member drains before the member goes.

use serde::{Deserialize, Serialize};

use crate::id::{ClusterName, ContainerArn};
use crate::policy::Policy;
use crate::rights::Rights;
use crate::time::Timestamp;

use super::{FORMAT, GroupRecord, Op};

/// The format of a group's record while something in flight there drains, or is to. A program that knows nothing of
/// draining would end an instance with its tasks, or leave one that takes none for good: it leaves the group alone.
pub const FORMAT_DRAINS: u16 = 2;

/// The draining that belongs to one op.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Drain {
    /// The cluster, as policy named it when the op began.
    pub cluster: ClusterName,
    /// When AWS takes the instance; `None` for a swap by choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// How far it is.
    pub state: Drained,
}

/// How far draining is. What is asked for is on the record before the call.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "drained")]
pub enum Drained {
    /// Nothing was asked for yet.
    Ahead,
    /// DRAINING is about to be set, or was and that was not answered.
    Asked {
        /// The container instance.
        container: ContainerArn,
    },
    /// It drains.
    On {
        /// The container instance.
        container: ContainerArn,
        /// We set it, and not somebody before us: only then it is ours to set back.
        ours: bool,
        /// From then on, what is read of its tasks counts.
        since: Timestamp,
        /// Waited for until then.
        until: Timestamp,
    },
    /// There is nothing to drain, or it cannot be drained: nobody waits.
    Over,
}

impl Drain {
    /// What is ahead of an op in a group with this policy; AWS takes its old one at `deadline`, if it does. `None`
    /// where there is no cluster, or no right.
    #[must_use]
    pub fn ahead(policy: &Policy, rights: &Rights, deadline: Option<Timestamp>) -> Option<Self> {
        let cluster = policy.ecs_cluster.clone().filter(|_| rights.ecs_draining)?;
        Some(Self { cluster, deadline, state: Drained::Ahead })
    }
}

impl Op {
    /// Until when its draining is, or was, waited for.
    #[must_use]
    pub fn drains_until(&self) -> Option<Timestamp> {
        match &self.drain.as_ref()?.state {
            Drained::On { until, .. } => Some(*until),
            Drained::Ahead | Drained::Asked { .. } | Drained::Over => None,
        }
    }

    /// The container instance that it set to DRAINING, or perhaps did, with its cluster.
    #[must_use]
    pub fn set_draining(&self) -> Option<(ClusterName, ContainerArn)> {
        let drain = self.drain.as_ref()?;
        match &drain.state {
            Drained::Asked { container } | Drained::On { container, ours: true, .. } => {
                Some((drain.cluster.clone(), container.clone()))
            }
            Drained::Ahead | Drained::On { ours: false, .. } | Drained::Over => None,
        }
    }

    /// From when on its present stage waits for nothing but the group.
    #[must_use]
    pub fn ready_since(&self) -> Timestamp {
        self.drains_until().map_or(self.entered_at, |until| until.max(self.entered_at))
    }
}

impl GroupRecord {
    /// The format that the record has to be written in.
    #[must_use]
    pub fn format_needed(&self) -> u16 {
        if self.ops.iter().any(|op| op.drain.is_some()) { FORMAT_DRAINS } else { FORMAT }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_stored_by_their_words() {
        let container: ContainerArn = "arn:aws:ecs:eu-west-1:000000000042:container-instance/c/1".parse().unwrap();
        let on = Drained::On { container, ours: true, since: Timestamp(1), until: Timestamp(2) };
        let drain = Drain { cluster: "c".parse().unwrap(), deadline: None, state: on };
        let text = serde_json::to_string(&drain).unwrap();
        assert!(text.starts_with(r#"{"cluster":"c","state":{"drained":"on","container":"arn:"#), "{text}");
        assert_eq!(serde_json::from_str::<Drain>(&text).unwrap(), drain);
    }
}
