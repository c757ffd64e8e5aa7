//! Waiting for CloudFormation: it is asked again after a while that grows, to an end that is far away.

use spothub_aws::stacks::{Phase, Progress, Stacks};
use spothub_core::port::Clock;
use spothub_core::time::{Span, Timestamp};

use super::{Failure, Halt, Walk};

/// The first pause, and the longest: a role takes half a minute, and thousands of accounts hours.
const PAUSE_MIN: Span = Span::millis(200);
const PAUSE_MAX: Span = Span::secs(10);
/// How long one stack is waited for: a service that does not come up is given up by CloudFormation after three hours.
const STACK_MAX: Span = Span::hours(4);
/// How long one operation is waited for: 10,000 accounts in 20 regions take half a day at a hundred stacks at once.
const OPERATION_MAX: Span = Span::hours(24);
/// Places up to which each is asked for at every turn; beyond, only at the end.
const PLACES_MAX: usize = 2_000;

/// The pauses of one wait.
struct Pauses {
    until: Timestamp,
    next: Span,
}

impl Walk<'_> {
    fn pauses(&self, max: Span) -> Pauses {
        Pauses { until: self.clock.now() + max, next: PAUSE_MIN }
    }

    async fn pause(&self, pauses: &mut Pauses, what: &str) -> Result<(), Halt> {
        let now = self.clock.now();
        if now >= pauses.until {
            return Err(Halt::Late(what.to_owned()));
        }
        let span = pauses.next;
        pauses.next = (span + span).min(PAUSE_MAX);
        let stop = self.stop.clone();
        tokio::select! {
            biased;
            () = stop.asked() => Err(Halt::Asked),
            () = self.clock.sleep_until(now + span) => Ok(()),
        }
    }

    /// Waits until nothing goes on with a stack; its status then.
    pub(super) async fn stack_settled(&mut self, stacks: &Stacks, name: &str) -> Result<String, Halt> {
        let mut pauses = self.pauses(STACK_MAX);
        loop {
            let Some((phase, status)) = stacks.status(name).await? else { return Ok("it is gone".to_owned()) };
            self.shown.status(&status);
            if phase != Phase::Busy {
                return Ok(status);
            }
            self.pause(&mut pauses, name).await?;
        }
    }

    /// Waits until a stack is gone; the status in which it stays where its deletion failed.
    pub(in crate::rollout) async fn stack_gone(&mut self, stacks: &Stacks, id: &str) -> Result<Option<String>, Halt> {
        let mut pauses = self.pauses(STACK_MAX);
        loop {
            let Some((phase, status)) = stacks.status(id).await? else { return Ok(None) };
            self.shown.status(&status);
            // Right after the request it may still be as it was.
            if phase == Phase::Stuck {
                return Ok(Some(status));
            }
            self.pause(&mut pauses, id).await?;
        }
    }

    /// Waits until no operation of a set runs.
    pub(in crate::rollout) async fn idle(&mut self, set: &str) -> Result<(), Halt> {
        let mut pauses = self.pauses(OPERATION_MAX);
        while let Some(running) = self.running(set).await? {
            self.shown.status(&format!("the operation {running} is running"));
            self.pause(&mut pauses, set).await?;
        }
        Ok(())
    }

    async fn running(&self, set: &str) -> Result<Option<String>, Halt> {
        let all = self.world.sets.operations(set).await?;
        Ok(all.into_iter().find(|one| one.progress == Progress::Running).map(|one| one.id))
    }

    /// Waits until an operation has ended, and keeps what failed of it as a whole: each place tells its own reason.
    pub(in crate::rollout) async fn operation_ended(&mut self, set: &str, id: &str) -> Result<(), Halt> {
        let mut pauses = self.pauses(OPERATION_MAX);
        let mut places = 0;
        loop {
            let operation = self.world.sets.operation(set, id).await?;
            let ended = operation.progress != Progress::Running;
            if ended || places <= PLACES_MAX {
                let rows = self.world.sets.results(set, id).await?;
                self.shown.rows(&rows);
                places = rows.len();
            }
            if ended {
                if let (Progress::Failed, Some(said)) = (operation.progress, operation.reason) {
                    self.shown.line(&format!("  failed: {said}"));
                    self.failures.push(Failure { what: format!("an operation of {set}"), place: None, said });
                }
                return Ok(());
            }
            self.pause(&mut pauses, set).await?;
        }
    }
}
