//! Looks at the hub's own side: queues, rules on its bus, store and policy.

use std::collections::BTreeMap;
use std::sync::Arc;

use spothub_aws::Uncounted;
use spothub_aws::doctor::RuleSeen;
use spothub_core::port::Unpublished;
use spothub_hub::{brake, published};

use super::Eyes;
use crate::compose;
use crate::config::Source;
use crate::doctor::expected::Way;
use crate::doctor::facts::{PolicyFacts, QueueFacts, Seen, StoreFacts};
use crate::store;

impl Eyes {
    pub(super) async fn queues(&self) -> BTreeMap<Way, QueueFacts> {
        let urls = &self.config.queues;
        let named = [
            (Way::Urgent, Some(&urls.urgent)),
            (Way::Normal, Some(&urls.normal)),
            (Way::Probe, self.config.probe.as_ref()),
        ];
        let mut found = BTreeMap::new();
        for (way, url) in named {
            if let Some(url) = url {
                found.insert(way, self.queue(url).await);
            }
        }
        found
    }

    async fn queue(&self, url: &str) -> QueueFacts {
        let queue = self.doctor.hub_queue(url).await;
        let (mut oldest, mut dead) = (Ok(None), None);
        if let Ok(Some(seen)) = &queue {
            if seen.waiting > 0 {
                oldest = self.doctor.oldest(&seen.name).await;
            }
            if let Some(arn) = &seen.dead_letters_arn {
                dead = Some(self.doctor.hub_queue_of(arn).await);
            }
        }
        QueueFacts { url: url.to_owned(), queue, oldest, dead }
    }

    pub(super) async fn rules(&self, bus: &str) -> BTreeMap<Way, Seen<RuleSeen>> {
        let mut rules = BTreeMap::new();
        for way in Way::ALL {
            rules.insert(way, self.doctor.hub_rule(bus, &way.rule()).await);
        }
        rules
    }

    /// Opens the store for reading: nothing is made and nothing is marked. Also which policy waits for approval in it.
    pub(super) async fn store(&self, seed: u64) -> (StoreFacts, Option<String>) {
        let store = match store::found(&self.config.kept(), self.clock.clone(), Arc::new(Uncounted), seed).await {
            Ok(Some(store)) => store,
            Ok(None) => return (StoreFacts::Unused, None),
            Err(error) => return (StoreFacts::Failed(format!("{error:#}")), None),
        };
        match brake::brakes(&*store).await {
            Err(error) => (StoreFacts::Failed(error.to_string()), None),
            Ok(mut brakes) => match brake::of_a_new_hub(&*store, self.clock.now()).await {
                Err(error) => (StoreFacts::Failed(error.to_string()), None),
                Ok(new) => {
                    brakes.0.extend(new);
                    // What cannot be read waits for nobody: the policy's own row tells of trouble.
                    let state =
                        published::state(&*store).await.ok().filter(|_| !self.config.reach.engine.policy_as_it_stands);
                    let waits = state.filter(published::PolicyState::waits).and_then(|state| state.seen);
                    (StoreFacts::Read(brakes), waits.map(|seen| published::short(&seen.digest).to_owned()))
                }
            },
        }
    }

    pub(super) async fn policy(&self) -> PolicyFacts {
        let reach = &self.config.reach;
        if matches!(reach.policies, Source::Nowhere) {
            return if reach.engine.policy_as_it_stands { PolicyFacts::BuiltIn } else { PolicyFacts::Nowhere };
        }
        let Some(policies) = compose::policies(&reach.policies, false, &self.reached.home, &self.clock) else {
            return PolicyFacts::Nowhere;
        };
        match policies.read().await {
            Err(Unpublished::Absent(words)) => PolicyFacts::Absent(words),
            Err(Unpublished::Unreadable(words)) => PolicyFacts::Failed(words),
            Ok(published) => match published::parse(&published) {
                Ok((_, files, _)) => PolicyFacts::Read { files: files.len(), version: published.version },
                Err(mistakes) => PolicyFacts::Failed(mistakes),
            },
        }
    }
}
