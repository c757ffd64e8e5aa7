//! What is in force, what was seen and what waits: steps of a small state, each a function of what was read.

use serde::{Deserialize, Serialize};
use spothub_core::policy::{CHAIN_MAX, Rollout};
use spothub_core::time::Timestamp;

/// Policy as the store has it.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PolicyState {
    /// Digests of all policies that bind, the oldest first; none where nothing was ever approved.
    pub chain: Vec<String>,
    /// The last one that was published and could be read.
    pub seen: Option<Seen>,
    /// Why what is published now cannot be read.
    pub problem: Option<Trouble>,
    /// The last approval that counted.
    pub approved: Option<Approval>,
    /// An approval that did not count, since who gave it wrote the policy.
    pub refused: Option<Approval>,
    /// An approved policy on its way through its rings.
    pub out: Option<Out>,
    /// Too many changes wait for approval: everything is held.
    pub crowded: bool,
}

/// A policy that was published.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// Its digest.
    pub digest: String,
    /// Which state of its files it is.
    pub version: String,
    /// Who wrote it last, where that is known.
    pub author: Option<String>,
    /// When it was first seen.
    pub at: Timestamp,
}

/// What is published cannot be read.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Trouble {
    /// What is wrong.
    pub text: String,
    /// Since when.
    pub since: Timestamp,
}

/// Somebody answers for a policy.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Approval {
    /// Its digest.
    pub digest: String,
    /// Who.
    pub by: String,
    /// Why.
    pub why: String,
    /// When.
    pub at: Timestamp,
}

/// An approved policy on its way.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Out {
    /// Its digest.
    pub digest: String,
    /// Rings that it has reached.
    pub reached: usize,
    /// When it reached the last of them.
    pub since: Timestamp,
    /// Swaps that ended there.
    pub ended: u32,
    /// Those of them that ended undone, failed or stranded.
    pub bad: u32,
    /// Why it stopped: then nothing of it is in force, and it waits for another approval.
    pub halted: Option<String>,
}

/// Characters of a problem that are kept: a screenful.
const TROUBLE_MAX: usize = 4_000;

impl Seen {
    /// Whether this was read after `other`, and is something else: then `other` is of no account any more.
    #[must_use]
    pub fn supersedes(&self, other: &Self) -> bool {
        self.digest != other.digest && self.at > other.at
    }
}

impl PolicyState {
    /// A policy was published. It binds from now on; `restricts`: it is plainly stricter than the one in force.
    pub fn see(&mut self, seen: &Seen, restricts: bool) {
        self.problem = None;
        if let Some(last) = self.seen.as_mut().filter(|last| last.digest == seen.digest) {
            // Who wrote it may be told only later.
            if last.author.is_none() {
                last.author.clone_from(&seen.author);
            }
            return;
        }
        self.seen = Some(seen.clone());
        self.refused = None;
        if self.out.as_ref().is_some_and(|out| out.digest != seen.digest) {
            // What was on its way was approved, and its rings fall back: nobody approved what is published now.
            self.out = None;
        }
        if self.chain.is_empty() || self.chain.contains(&seen.digest) {
            return;
        }
        if restricts && self.chain.len() == 1 {
            self.chain = vec![seen.digest.clone()];
        } else if self.chain.len() < CHAIN_MAX {
            self.chain.push(seen.digest.clone());
        } else {
            self.crowded = true;
        }
    }

    /// What is published cannot be read: everything stays as it is.
    pub fn trouble(&mut self, text: &str, now: Timestamp) {
        let text: String = text.chars().take(TROUBLE_MAX).collect();
        if self.problem.as_ref().is_none_or(|problem| problem.text != text) {
            self.problem = Some(Trouble { text, since: now });
        }
    }

    /// Whoever runs it answers for what is published, as it stands.
    pub fn as_it_stands(&mut self, digest: &str) {
        if self.chain != [digest] {
            (self.chain, self.out, self.crowded) = (vec![digest.to_owned()], None, false);
        }
    }

    /// Somebody approves what is published. It counts once, for what was seen, and not from who wrote it.
    pub fn approve(&mut self, approval: Approval, rollout: &Rollout, now: Timestamp) {
        let Some(seen) = self.seen.as_ref().filter(|seen| seen.digest == approval.digest) else { return };
        // An approval of the time before the policy was seen here was of another time that it was published.
        if self.approved.as_ref() == Some(&approval) || approval.at < seen.at {
            return;
        }
        // Who might be anybody might be who wrote it.
        if seen.author.as_deref().is_none_or(|author| same(author, &approval.by)) {
            self.refused = Some(approval);
            return;
        }
        let digest = approval.digest.clone();
        (self.approved, self.refused, self.crowded) = (Some(approval), None, false);
        if rollout.rings.is_empty() || self.chain.first() == Some(&digest) {
            // The first of the chain was approved before, and has been everywhere.
            (self.chain, self.out) = (vec![digest], None);
        } else {
            // Outside of its rings it binds beside the one before it, and what nobody approved in between is over.
            if !self.chain.is_empty() {
                self.chain.truncate(1);
                self.chain.push(digest.clone());
            }
            self.out = Some(Out { digest, reached: 1, since: now, ended: 0, bad: 0, halted: None });
        }
    }

    /// Swaps have ended in the rings, and an alarm may have gone red there.
    pub fn count(&mut self, ended: u32, bad: u32, alarm: Option<String>) {
        if let Some(out) = self.out.as_mut().filter(|out| out.halted.is_none()) {
            out.ended = out.ended.saturating_add(ended);
            out.bad = out.bad.saturating_add(bad);
            out.halted = alarm.map(|alarm| format!("the alarm {alarm} went red"));
        }
    }

    /// Goes on to the next ring, or halts.
    pub fn advance(&mut self, rollout: &Rollout, now: Timestamp) {
        let Some(out) = self.out.as_mut().filter(|out| out.halted.is_none()) else { return };
        let share = u64::from(out.bad) * 100;
        if out.ended >= rollout.halt_after && share >= u64::from(out.ended) * u64::from(rollout.halt_share.value()) {
            out.halted = Some(format!("{} of {} swaps did not end well", out.bad, out.ended));
            return;
        }
        let wait = rollout.rings.get(out.reached.saturating_sub(1)).map(|ring| ring.wait);
        if wait.is_some_and(|wait| now < out.since + wait) {
            return;
        }
        if out.reached >= rollout.rings.len() {
            self.chain = vec![out.digest.clone()];
            self.out = None;
        } else {
            (out.reached, out.since) = (out.reached + 1, now);
        }
    }

    /// Whether what is published waits for approval, in part or in whole.
    #[must_use]
    pub fn waits(&self) -> bool {
        let Some(seen) = &self.seen else { return false };
        let going = self.out.as_ref().is_some_and(|out| out.halted.is_none() && out.digest == seen.digest);
        !going && self.chain != [seen.digest.clone()]
    }
}

/// Whether two names are one principal's. `ann` and `ann@laptop` are, since a file's owner has no machine. So are two
/// sessions of one role, whose names are theirs to choose, but not those that IAM Identity Center names by person.
#[must_use]
pub fn same(author: &str, approver: &str) -> bool {
    let principal = |arn| {
        // The role's name says it, never the session's, which whoever assumes the role makes up.
        let chosen = str::contains(arn, ":assumed-role/") && !str::contains(arn, ":assumed-role/AWSReservedSSO_");
        if chosen { arn.rsplit_once('/').map_or(arn, |(role, _)| role) } else { arn }
    };
    principal(author) == principal(approver) || approver.split_once('@').is_some_and(|(user, _)| user == author)
}

#[cfg(test)]
mod tests {
    use spothub_core::policy::{Block, Ring};
    use spothub_core::time::Span;

    use super::*;

    fn seen(digest: &str, at: i64) -> Seen {
        Seen { digest: digest.to_owned(), version: "1".to_owned(), author: Some("ann".to_owned()), at: Timestamp(at) }
    }

    fn approval(digest: &str, by: &str, at: i64) -> Approval {
        Approval { digest: digest.to_owned(), by: by.to_owned(), why: "reviewed".to_owned(), at: Timestamp(at) }
    }

    fn rings(count: usize) -> Rollout {
        let ring = Ring { name: "r".to_owned(), only: Block::default(), wait: Span::secs(10) };
        Rollout { rings: vec![ring; count], ..Rollout::default() }
    }

    fn in_force(digest: &str) -> PolicyState {
        let mut state = PolicyState::default();
        state.see(&seen(digest, 0), false);
        assert_eq!(state.chain, Vec::<String>::new(), "nothing is in force before somebody approved it");
        state.approve(approval(digest, "bob", 1), &rings(0), Timestamp(1));
        assert_eq!((state.chain.as_slice(), state.waits()), (&[digest.to_owned()][..], false));
        state
    }

    #[test]
    fn a_change_binds_beside_what_was_in_force_until_it_is_approved() {
        let mut state = in_force("a");
        state.see(&seen("b", 10), false);
        assert_eq!((state.chain.join(" ").as_str(), state.waits()), ("a b", true));
        state.see(&seen("a", 20), false);
        assert_eq!((state.chain.join(" ").as_str(), state.waits()), ("a b", true), "going back loosens too");
        state.approve(approval("b", "bob", 21), &rings(0), Timestamp(21));
        assert_eq!(state.chain.join(" "), "a b", "it is not what is published");
        state.approve(approval("a", "bob", 1), &rings(0), Timestamp(21));
        assert_eq!(state.chain.join(" "), "a b", "that was said of the first time");
        state.approve(approval("a", "bob", 22), &rings(0), Timestamp(22));
        assert_eq!((state.chain.join(" ").as_str(), state.waits()), ("a", false));
    }

    #[test]
    fn what_only_restricts_waits_for_nobody() {
        let mut state = in_force("a");
        state.see(&seen("b", 10), true);
        assert_eq!((state.chain.join(" ").as_str(), state.waits()), ("b", false));
    }

    #[test]
    fn who_wrote_it_does_not_approve_it() {
        let mut state = in_force("a");
        state.see(&seen("b", 10), false);
        state.approve(approval("b", "ann", 11), &rings(0), Timestamp(11));
        assert_eq!(state.chain.join(" "), "a b");
        assert_eq!(state.refused.as_ref().map(|refused| refused.by.as_str()), Some("ann"));
    }

    #[test]
    fn what_nobody_signed_cannot_be_approved() {
        let mut state = in_force("a");
        state.see(&Seen { author: None, ..seen("b", 10) }, false);
        state.approve(approval("b", "bob", 11), &rings(0), Timestamp(11));
        assert!(state.chain.join(" ") == "a b" && state.refused.is_some());
        state.see(&seen("b", 12), false);
        state.approve(approval("b", "bob", 13), &rings(0), Timestamp(13));
        assert_eq!(state.chain.join(" "), "b", "its author is known now");
    }

    #[test]
    fn the_approved_base_stays_first() {
        let mut state = in_force("a");
        state.see(&seen("x", 10), false);
        state.see(&seen("a", 20), false);
        state.approve(approval("a", "bob", 21), &rings(1), Timestamp(21));
        assert_eq!((state.chain.join(" ").as_str(), state.out.is_none()), ("a", true), "it was everywhere before");
        state.see(&seen("b", 30), false);
        state.approve(approval("b", "bob", 31), &rings(1), Timestamp(31));
        assert_eq!(state.chain.join(" "), "a b");
    }

    #[test]
    fn sessions_of_one_role_are_one_principal() {
        let role = |name: &str, session: &str| format!("arn:aws:sts::123456789012:assumed-role/{name}/{session}");
        assert!(same(&role("deploy", "a"), &role("deploy", "b")) && !same(&role("deploy", "a"), &role("admin", "a")));
        let person = |who: &str| role("AWSReservedSSO_Platform_0123456789abcdef", who);
        assert!(same(&person("ann"), &person("ann")) && !same(&person("ann"), &person("bob")));
        assert!(same(&role("deploy", "a"), &role("deploy", "AWSReservedSSO_b")), "a session may be called anything");
        assert!(same("ann", "ann@laptop") && !same("ann", "bob@laptop") && !same("an", "ann"));
    }

    #[test]
    fn what_cannot_be_read_changes_nothing() {
        let mut state = in_force("a");
        state.trouble("no file", Timestamp(5));
        state.trouble("no file", Timestamp(6));
        assert_eq!((state.chain.join(" ").as_str(), state.problem.clone().unwrap().since), ("a", Timestamp(5)));
        state.see(&seen("a", 7), false);
        assert_eq!(state.problem, None);
    }

    #[test]
    fn rings_are_reached_one_after_the_other() {
        let mut state = in_force("a");
        state.see(&seen("b", 10), false);
        state.approve(approval("b", "bob", 11), &rings(2), Timestamp(11));
        let reached = |state: &PolicyState| state.out.as_ref().map(|out| out.reached);
        assert_eq!((reached(&state), state.chain.join(" ").as_str()), (Some(1), "a b"));
        state.advance(&rings(2), Timestamp(10_000));
        assert_eq!(reached(&state), Some(1));
        state.advance(&rings(2), Timestamp(10_011));
        assert_eq!(reached(&state), Some(2));
        state.advance(&rings(2), Timestamp(20_011));
        assert_eq!((reached(&state), state.chain.join(" ").as_str()), (None, "b"));
    }

    #[test]
    fn too_many_bad_ends_or_an_alarm_halt_it() {
        let mut state = in_force("a");
        state.see(&seen("b", 10), false);
        state.approve(approval("b", "bob", 11), &rings(1), Timestamp(11));
        let fresh = state.clone();
        state.count(9, 9, None);
        state.advance(&rings(1), Timestamp(12));
        assert_eq!(state.out.as_ref().unwrap().halted, None, "nine say little");
        state.count(1, 0, None);
        state.advance(&rings(1), Timestamp(60_000));
        assert_eq!(state.out.as_ref().unwrap().halted.as_deref(), Some("9 of 10 swaps did not end well"));
        assert!(state.waits() && state.chain.join(" ") == "a b");
        let mut state = fresh;
        state.count(1, 0, Some("errors".to_owned()));
        state.advance(&rings(1), Timestamp(60_000));
        assert!(state.out.as_ref().unwrap().halted.as_deref().unwrap().contains("errors"));
        state.approve(approval("b", "bob", 70_000), &rings(1), Timestamp(70_000));
        assert_eq!(state.out.as_ref().unwrap().halted, None, "another approval begins anew");
    }

    #[test]
    fn too_many_changes_hold_everything() {
        let mut state = in_force("a");
        for number in 1..CHAIN_MAX {
            state.see(&seen(&format!("c{number}"), 10), false);
        }
        assert!(!state.crowded && state.chain.len() == CHAIN_MAX);
        state.see(&seen("more", 11), false);
        assert!(state.crowded);
        let mut ringed = state.clone();
        ringed.approve(approval("more", "bob", 12), &rings(1), Timestamp(12));
        assert!(!ringed.crowded && ringed.chain == ["a", "more"], "its restrictions bind outside of its rings, too");
        state.approve(approval("more", "bob", 12), &rings(0), Timestamp(12));
        assert!(!state.crowded && state.chain == ["more"]);
        let mut first = PolicyState::default();
        first.see(&seen("a", 0), false);
        first.approve(approval("a", "bob", 1), &rings(1), Timestamp(1));
        assert!(first.chain.is_empty() && first.out.is_some(), "nothing is in force outside of the first rings");
    }
}
