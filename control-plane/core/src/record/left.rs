//! What a stranded swap left behind, and the commands with which its owner puts that right.

use serde::{Deserialize, Serialize};

use super::{End, MaxIntent, Op, Stage};
use crate::group::{GroupView, MemberState};
use crate::id::{ClusterName, ContainerArn, GroupKey, InstanceId, SwapId};
use crate::time::{Span, Timestamp};

/// A launch of which nobody knows whether it happened is told of for so long: what it may have launched is an orphan,
/// and the first sweep that reaches the account ends it.
const UNKNOWN_FOR: Span = Span::hours(1);
/// Rows of one group that are kept; there is one at a time unless owners leave them.
pub const LEFT_MAX: usize = 8;

/// What stays until somebody with the rights has put it right; then it is forgotten.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Left {
    /// The swap or rescue.
    pub id: SwapId,
    /// When it ended.
    pub at: Timestamp,
    /// What it was to replace.
    pub old: InstanceId,
    /// The newcomer, while it stands.
    pub new: Option<InstanceId>,
    /// Whether that was attached, as far as is known: desired counts it since.
    pub attached: bool,
    /// Desired as our attach left it, while it stands so: whoever sets it anew, an owner or a scaling policy, has
    /// decided about our +1. Zero where nothing was added.
    pub desired: u32,
    /// MaxSize as we changed it, while it stands so.
    pub max: Option<MaxIntent>,
    /// The last call went unanswered: it may have happened.
    pub unclear: bool,
    /// The container instance of the old one, where we left it draining.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draining: Option<(ClusterName, ContainerArn)>,
}

impl Left {
    /// What this swap leaves in a group whose MaxSize we changed to `max`.
    #[must_use]
    pub fn of(op: &Op, max: Option<MaxIntent>, at: Timestamp) -> Self {
        let over = match &op.stage {
            // All was done but MaxSize.
            Stage::Restore { end } => *end != End::Stranded,
            Stage::Net { new, .. } => new.is_none(),
            Stage::Launch { .. }
            | Stage::Boot { .. }
            | Stage::Attach { .. }
            | Stage::Settle { .. }
            | Stage::Retire { .. }
            | Stage::Undo { .. }
            | Stage::LetGo => false,
        };
        Self {
            id: op.id.clone(),
            at,
            old: op.old.clone(),
            new: op.new.clone().filter(|_| !over),
            attached: op.attached,
            desired: if op.added { op.desired_after } else { 0 },
            max,
            // Only a launch without an answer can be stranded without a newcomer.
            unclear: op.unclear || op.new.is_none(),
            draining: op.set_draining().filter(|_| !over && !op.id.is_rescue()),
        }
    }

    /// Forgets what this look says was put right.
    pub fn seen(&mut self, view: &GroupView, now: Timestamp) {
        self.max = self.max.filter(|intent| intent.is_ours(view.max));
        if view.desired != self.desired {
            self.desired = 0;
        }
        if let Some(new) = &self.new {
            let member = view.member(new).is_some_and(|member| member.state != MemberState::Terminating);
            // A member is one of those that the owner wants once our +1 is gone; what was one before is none any more.
            let over = if member { self.desired == 0 } else { self.attached };
            if over {
                self.new = None;
            }
        } else if now >= self.at + UNKNOWN_FOR {
            self.unclear = false;
        }
    }

    /// The newcomer has ended.
    pub fn ended(&mut self) {
        self.new = None;
    }

    /// Whether something is left.
    #[must_use]
    pub const fn stands(&self) -> bool {
        self.new.is_some() || self.desired > 0 || self.max.is_some() || self.unclear
    }

    /// What puts it right, for a shell with the rights of the owner: in this order.
    #[must_use]
    pub fn commands(&self, group: &GroupKey) -> Vec<String> {
        let region = &group.site.region;
        let name = quoted(group.name.as_str());
        let mut commands = Vec::new();
        match &self.new {
            Some(new) => {
                let end = format!("aws ec2 terminate-instances --region {region} --instance-ids {new}");
                let take_out = format!(
                    "aws autoscaling terminate-instance-in-auto-scaling-group --region {region} --instance-id {new} \
                     --should-decrement-desired-capacity"
                );
                if self.unclear {
                    commands.push(format!(
                        "aws autoscaling describe-auto-scaling-instances --region {region} --instance-ids {} {new}",
                        self.old
                    ));
                    commands.push(format!("{take_out}  # if both are listed"));
                    commands.push(format!("{end}  # if {new} is not listed"));
                } else {
                    commands.push(if self.attached { take_out } else { end });
                }
            }
            None if self.desired > 0 => commands.push(format!(
                "aws autoscaling set-desired-capacity --region {region} --auto-scaling-group-name {name} \
                 --desired-capacity {}",
                self.desired.saturating_sub(1)
            )),
            None if self.unclear => commands.push(format!(
                "aws ec2 describe-instances --region {region} --filters Name=tag:spothub:swap,Values={}  # end what it \
                 lists",
                self.id
            )),
            None => {}
        }
        if let Some((cluster, container)) = &self.draining {
            commands.push(format!(
                "aws ecs update-container-instances-state --region {region} --cluster {cluster} \
                 --container-instances {container} --status ACTIVE"
            ));
        }
        if let Some(max) = &self.max {
            commands.push(format!(
                "aws autoscaling update-auto-scaling-group --region {region} --auto-scaling-group-name {name} \
                 --max-size {}",
                max.original
            ));
        }
        commands
    }
}

/// A text that a shell takes as it is.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@".contains(c);
    if text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::group;

    fn instance(n: u128) -> InstanceId {
        InstanceId::from_number(n)
    }

    fn left(attached: bool, desired: u32, unclear: bool) -> Left {
        Left {
            id: SwapId::from_number(7, false),
            at: Timestamp(0),
            old: instance(1),
            new: Some(instance(99)),
            attached,
            desired,
            max: Some(MaxIntent { original: 2, written: 3, before: None }),
            unclear,
            draining: None,
        }
    }

    fn key(name: &str) -> GroupKey {
        let site = crate::id::Site { account: "000000000042".parse().unwrap(), region: "eu-west-1".parse().unwrap() };
        GroupKey { site, name: name.parse().unwrap() }
    }

    #[test]
    fn commands_undo_what_stands_and_nothing_else() {
        let told = |left: &Left| left.commands(&key("web")).join("\n");
        let attached = told(&left(true, 3, false));
        assert_eq!(
            attached,
            "aws autoscaling terminate-instance-in-auto-scaling-group --region eu-west-1 --instance-id \
             i-00000000000000063 --should-decrement-desired-capacity\naws autoscaling update-auto-scaling-group \
             --region eu-west-1 --auto-scaling-group-name web --max-size 2"
        );
        let apart = told(&left(false, 0, false));
        assert!(apart.starts_with("aws ec2 terminate-instances") && !apart.contains("decrement"), "{apart}");
        let unclear = told(&left(true, 3, true));
        assert!(unclear.starts_with("aws autoscaling describe-auto-scaling-instances"), "{unclear}");
        assert!(unclear.contains("capacity  # if both are listed\n"), "{unclear}");
        let gone = Left { new: None, max: None, ..left(true, 3, false) };
        assert!(told(&gone).ends_with("--desired-capacity 2"), "{}", told(&gone));
        let unknown = Left { new: None, max: None, ..left(false, 0, true) };
        assert!(told(&unknown).contains("Values=sw-0000000000000007"));
        assert_eq!(told(&Left { unclear: false, ..unknown }), "");
        let odd = left(true, 3, false).commands(&key("it's a group")).join("\n");
        assert!(odd.contains(r"--auto-scaling-group-name 'it'\''s a group'"), "{odd}");
    }

    #[test]
    fn what_was_put_right_is_forgotten() {
        let mut view = group(2, 1);
        view.max = 2;
        let mut here = left(true, 3, false);
        view.desired = 3;
        here.seen(&view, Timestamp(0));
        assert!(here.new.is_none() && here.max.is_none(), "it is no member, and MaxSize is its owner's");
        assert!(here.stands(), "the group still wants one more");
        view.desired = 4;
        here.seen(&view, Timestamp(0));
        assert!(!here.stands(), "somebody has set it since");
        view.desired = 3;
        let mut apart = left(false, 0, false);
        apart.seen(&view, Timestamp(0));
        assert!(apart.new.is_some(), "whether it lives is not seen in the group");
        apart.ended();
        assert!(!apart.stands());
        let mut member = Left { new: Some(view.members[0].id.clone()), ..left(true, 3, false) };
        member.seen(&view, Timestamp(0));
        assert!(member.new.is_some());
        view.desired = 2;
        member.seen(&view, Timestamp(0));
        assert!(member.new.is_none(), "our +1 was taken back");
        let mut unknown = Left { new: None, max: None, ..left(false, 0, true) };
        unknown.seen(&view, Timestamp(0));
        assert!(unknown.stands());
        unknown.seen(&view, Timestamp(0) + UNKNOWN_FOR);
        assert!(!unknown.stands());
    }
}
