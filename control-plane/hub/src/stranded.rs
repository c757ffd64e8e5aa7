//! Ends that nobody planned: the group is gone, or access to it; and what that leaves until somebody puts it right.

use spothub_core::fault::Fault;
use spothub_core::group::GroupView;
use spothub_core::port::{Cause, RunState};
use spothub_core::record::{End, Left, Newcomer, Stage, Why};
use spothub_core::time::Timestamp;

use crate::engine::Engine;
use crate::held::{Halt, Held};
use crate::observe::during;
use crate::saga::READ_AGAIN;

impl Engine {
    /// The group itself is gone: nothing is left to give back but the newcomer.
    pub(crate) async fn group_gone(&self, held: &mut Held, index: usize) -> Result<Option<Timestamp>, Halt> {
        let op = &mut held.record().ops[index];
        op.added = false;
        match op.stage.clone() {
            Stage::Boot { new } | Stage::Attach { new } => {
                let end = match self.ended_apart(held, index, &new).await? {
                    Ok(()) => End::Undone { why: Why::OldGone },
                    Err(Fault::Denied(_) | Fault::Unreachable(_)) => End::Stranded,
                    Err(_) => return Ok(Some(self.now() + READ_AGAIN)),
                };
                self.close(held, index, end).await?;
            }
            // What an unanswered launch may have brought is an orphan: the sweep ends it.
            Stage::Launch { .. } => self.close(held, index, End::Failed { why: Why::OldGone }).await?,
            Stage::Settle { .. }
            | Stage::Retire { .. }
            | Stage::Net { .. }
            | Stage::Undo { .. }
            | Stage::LetGo
            | Stage::Restore { .. } => self.close(held, index, End::Undone { why: Why::OldGone }).await?,
        }
        Ok(None)
    }

    /// Access is gone: nothing launched is a failure; a newcomer that was never attached is ended where that is still
    /// allowed; anything else is the owner's to finish.
    pub(crate) async fn stranded(&self, held: &mut Held, index: usize) -> Result<Option<Timestamp>, Halt> {
        let op = &held.kept.record.ops[index];
        let clean = op.new.is_none() && !op.unclear;
        let apart = matches!(op.stage, Stage::Boot { .. } | Stage::Attach { .. }) && !op.unclear;
        let apart = op.stage.newcomer().filter(|_| apart).cloned();
        let end = match apart {
            _ if clean => End::Failed { why: Why::Denied },
            Some(new) if held.kept.record.max.is_none() && self.ended_apart(held, index, &new).await?.is_ok() => {
                End::Undone { why: Why::Denied }
            }
            _ => End::Stranded,
        };
        self.close(held, index, end).await?;
        Ok(None)
    }

    /// Ends a newcomer that was never attached, without a look at its group.
    async fn ended_apart(&self, held: &mut Held, index: usize, new: &Newcomer) -> Result<Result<(), Fault>, Halt> {
        let op = &held.kept.record.ops[index];
        let (id, step, group) = (op.id.clone(), op.step(), held.kept.record.group.clone());
        self.save_leased(held).await?;
        self.within_lease(held)?;
        let Some(act) = &self.ports.act else { return Ok(Err(Fault::Broken)) };
        Ok(act.terminate(&group.site, &new.id, during(&id, &group, step)).await)
    }

    /// Forgets what stranded swaps left, as far as somebody has put it right.
    pub(crate) async fn settle_stranded(&self, held: &mut Held, view: &GroupView) {
        if held.kept.record.stranded.is_empty() {
            return;
        }
        let (now, before) = (self.now(), held.kept.record.stranded.clone());
        let mut left = before.clone();
        for one in &mut left {
            one.seen(view, now);
            let apart = one.new.clone().filter(|new| view.member(new).is_none());
            let Some(new) = apart else { continue };
            let seen = self.read_instances(&view.key.site, std::slice::from_ref(&new), Cause::default()).await;
            if seen.is_ok_and(|rows| rows.iter().all(|row| row.state == RunState::Ended)) {
                one.ended();
            }
        }
        left.retain(Left::stands);
        if left != before {
            held.record().stranded = left;
        }
    }
}
