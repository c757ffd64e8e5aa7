//! What is in force while policy changes: a new file restricts at once, and loosens only where that was let out.
//!
//! Every file seen since the last one that was approved binds, each for what it allows least. So no change of a file
//! can loosen anything by itself, whatever it says, and taking a change back cannot either.

use std::sync::Arc;

use super::effective::Effective;
use super::rules::{Block, Context, PolicySet};
use super::{Budgets, Percent};
use crate::time::Span;

/// Files that bind together. Each is one more evaluation for each group, and so many changes that nobody approves or
/// takes back are a mistake, or an attack.
pub const CHAIN_MAX: usize = 16;

/// Some accounts to which an approved policy goes before all others.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Ring {
    /// What its author calls it.
    pub name: String,
    /// Which: only units and accounts are given.
    pub only: Block,
    /// How long to watch it before the next ring.
    pub wait: Span,
}

/// How an approved policy goes out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rollout {
    /// The rings, in their order; everything else comes after the last one.
    pub rings: Vec<Ring>,
    /// The share of swaps that end undone, failed or stranded at which it stops.
    pub halt_share: Percent,
    /// Swaps that must have ended before the share says anything.
    pub halt_after: u32,
}

impl Default for Rollout {
    fn default() -> Self {
        // One of five, seen over ten swaps: a pool that is empty for a while undoes fewer, a wrong image nearly all.
        Self { rings: Vec::new(), halt_share: super::percent(20), halt_after: 10 }
    }
}

/// The policy in force.
#[derive(Clone, Debug, Default)]
pub struct InForce {
    /// All of these bind; none at all means that nothing may be touched.
    chain: Vec<Arc<PolicySet>>,
    /// An approved policy on its way out, and how many of its rings it has reached.
    out: Option<(Arc<PolicySet>, usize)>,
}

impl InForce {
    /// Nothing is in force yet: every group is held.
    #[must_use]
    pub fn nothing() -> Self {
        Self::default()
    }

    /// One policy as it stands.
    #[must_use]
    pub fn just(set: PolicySet) -> Self {
        Self { chain: vec![Arc::new(set)], out: None }
    }

    /// All of these together, and an approved one in its first rings.
    #[must_use]
    pub fn new(chain: Vec<Arc<PolicySet>>, out: Option<(Arc<PolicySet>, usize)>) -> Self {
        Self { chain, out }
    }

    /// The policy in force for a group with these tags, and whether to act on it.
    #[must_use]
    pub fn effective(&self, at: &Context<'_>) -> Effective {
        if let Some((set, reached)) = &self.out
            && set.rollout().rings.iter().take(*reached).any(|ring| ring.only.matches(at))
        {
            return set.effective(at);
        }
        let each = self.chain.iter().map(|set| set.effective(at));
        each.reduce(|one, other| one.meet(&other)).unwrap_or_else(Effective::none)
    }

    /// The ring of the policy on its way out that a group is in, counted from 0; `None` where it is in none that was
    /// reached.
    #[must_use]
    pub fn ring(&self, at: &Context<'_>) -> Option<usize> {
        let (set, reached) = self.out.as_ref()?;
        set.rollout().rings.iter().take(*reached).position(|ring| ring.only.matches(at))
    }

    /// The budgets that hold where no selector says otherwise.
    #[must_use]
    pub fn budgets(&self) -> Budgets {
        let all = self.chain.iter().map(|set| set.budgets());
        all.reduce(Budgets::meet).unwrap_or_else(|| PolicySet::default().budgets())
    }

    /// The shortest interval between two swaps that any part of policy sets.
    #[must_use]
    pub fn interval_min(&self) -> Span {
        let all = self.chain.iter().chain(self.out.iter().map(|(set, _)| set)).map(|set| set.interval_min());
        all.min().unwrap_or_else(|| PolicySet::default().interval_min())
    }

    /// Whether anything is in force.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.chain.is_empty() && self.out.is_none()
    }
}

impl Budgets {
    fn meet(self, other: Self) -> Self {
        Self {
            organization: self.organization.min(other.organization),
            ou: self.ou.min(other.ou),
            account: self.account.min(other.account),
            group_share: self.group_share.min(other.group_share),
        }
    }
}
