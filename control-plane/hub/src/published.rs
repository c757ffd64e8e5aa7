//! Published policy: read again and again, in force at once where it restricts, and waiting for approval where it
//! loosens.
//!
//! Every worker reads where policy is published and what the store says of it. What was ever in force is in the store,
//! so a file that is gone, empty or unreadable changes nothing but the status.

mod state;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use spothub_core::id::GroupKey;
use spothub_core::policy::{InForce, PolicySet};
use spothub_core::port::{Expect, Policies, Published, Put, Store, StoreError};
use spothub_core::record::{End, FORMAT};
use spothub_core::time::Span;

use crate::digest;
use crate::document::{BYTES_MAX, decode};
use crate::engine::Engine;
use crate::policy_file::{self, File};
use crate::rows::{self, ROW_FENCE};

pub use state::{Approval, Out, PolicyState, Seen, Trouble, same};

/// Between two reads: an opt-out is to hold everywhere within a minute, also where one read fails.
const READ_EVERY: Span = Span::secs(15);
/// Tries of a write that another worker was faster at.
const TRIES_MAX: usize = 5;
/// Bytes of one piece of a file in the store: below what one item may hold, as JSON may double it.
const PIECE_BYTES: usize = 128 * 1024;
/// Files of one policy: an organization's units have some each, and a directory with more is the wrong one.
pub const FILES_MAX: usize = 100;
/// Bytes of all files together: as much as some thousand rules take.
pub const ALL_BYTES_MAX: usize = 4 * BYTES_MAX;
/// Where the state is.
pub(crate) const STATE: &str = "policy/state";
const TEXTS: &str = "policy/text/";
const APPROVALS: &str = "policy/approval/";

/// What the store says of policy, as last read, and policies that were read from it.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    version: u64,
    pub(crate) state: PolicyState,
    sets: BTreeMap<String, Arc<PolicySet>>,
    ends: Ends,
    /// What was published when it was last read: it seldom changes, and rules by the thousand take long to check.
    last: Option<Last>,
}

/// What happened in rings that a new policy has reached, and was not counted in the store yet.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    ended: u32,
    bad: u32,
    alarm: Option<String>,
}

impl Ends {
    /// Adds what could not be stored to what has happened meanwhile.
    fn back(&mut self, earlier: Self) {
        self.ended = self.ended.saturating_add(earlier.ended);
        self.bad = self.bad.saturating_add(earlier.bad);
        self.alarm = earlier.alarm.or(self.alarm.take());
    }
}

/// Published files that can be in force.
#[derive(Debug)]
struct Checked {
    digest: String,
    files: Vec<File>,
    set: Arc<PolicySet>,
}

/// Published files as they came, and what was found in them.
#[derive(Debug)]
struct Last {
    raw: Vec<(String, Vec<u8>)>,
    found: Result<Arc<Checked>, String>,
}

/// What is published, read just now.
struct Fresh {
    seen: Seen,
    policy: Arc<Checked>,
}

/// One piece of a file.
#[derive(Debug, Serialize, Deserialize)]
struct Piece {
    format: u16,
    name: String,
    /// Which of the policy's files it belongs to.
    file: usize,
    text: String,
}

/// The digest of some files: of what they say, not of how they are called or in which order they come.
#[must_use]
pub fn digest(files: &[File]) -> String {
    let mut each: Vec<[u8; 32]> = files.iter().map(|file| digest::of(file.text.as_bytes())).collect();
    each.sort_unstable();
    digest::shown(&each.concat())
}

/// The policy of published files, its digest and its files; or all that is wrong with them.
pub fn parse(published: &Published) -> Result<(String, Vec<File>, PolicySet), String> {
    if published.files.is_empty() {
        return Err("there is no policy file\n   = publish one; what was in force stays in force".to_owned());
    }
    if published.files.len() > FILES_MAX {
        let found = published.files.len();
        return Err(format!("there are {found} policy files, more than the {FILES_MAX} that are read"));
    }
    let bytes: usize = published.files.iter().map(|(_, bytes)| bytes.len()).sum();
    if bytes > ALL_BYTES_MAX {
        return Err(format!("the policy files have {bytes} bytes, more than the {ALL_BYTES_MAX} that are read"));
    }
    let mut mistakes = Vec::new();
    let mut files = Vec::new();
    for (name, bytes) in &published.files {
        match decode(name, bytes.clone()) {
            Ok(text) => files.push(File { name: name.clone(), text }),
            Err(problems) => mistakes.push(problems.to_string()),
        }
    }
    // Pieces are kept by number: the same files get the same numbers, in whatever order they come.
    files.sort_by_cached_key(|file| (digest::of(file.text.as_bytes()), file.name.clone()));
    for file in &files {
        if let Some(line) = file.text.lines().position(|line| line.chars().any(|c| c.is_control() && c != '\t')) {
            let (name, line) = (&file.name, line + 1);
            mistakes.push(format!("{name}:{line}: a control character\n   = save the file as plain text"));
        }
    }
    if mistakes.is_empty() {
        match policy_file::combine(&files) {
            Ok(set) => return Ok((digest(&files), files, set)),
            Err(problems) => mistakes.extend(problems.iter().map(ToString::to_string)),
        }
    }
    Err(mistakes.join("\n"))
}

/// What the store says of policy.
pub async fn state(store: &dyn Store) -> Result<PolicyState, StoreError> {
    Ok(stored(store).await?.1)
}

/// The same with its row's version, 0 where there is none yet. A row that cannot be read is nobody's to overwrite: it
/// is a newer worker's, or damaged. Nothing is loosened by leaving all as it is.
async fn stored(store: &dyn Store) -> Result<(u64, PolicyState), StoreError> {
    let Some(row) = store.get(STATE).await? else { return Ok((0, PolicyState::default())) };
    let state = serde_json::from_slice(&row.value).map_err(|error| {
        let why = "is not understood: a newer program wrote it, or it is damaged";
        StoreError::Unavailable(format!("{STATE} {why} ({error})"))
    })?;
    Ok((row.version, state))
}

/// The files with a digest, as they were when they were seen.
pub async fn files(store: &dyn Store, digest: &str) -> Result<Vec<File>, StoreError> {
    let mut files: BTreeMap<usize, File> = BTreeMap::new();
    for row in rows::all(store, &format!("{TEXTS}{digest}/")).await? {
        let Ok(piece) = serde_json::from_slice::<Piece>(&row.value) else { continue };
        let file = files.entry(piece.file).or_insert_with(|| File { name: piece.name, text: String::new() });
        file.text.push_str(&piece.text);
    }
    Ok(files.into_values().collect())
}

/// Approves the policy with a digest; the workers let it out when they read it next.
pub async fn approve(store: &dyn Store, approval: &Approval) -> Result<(), StoreError> {
    let value = serde_json::to_vec(approval).map_err(|error| StoreError::Unavailable(error.to_string()))?;
    let key = format!("{APPROVALS}{}", approval.digest);
    store.write(&[Put { key, value: Some(value), expect: Expect::Anything, fence: ROW_FENCE }]).await.map(|_| ())
}

async fn approval(store: &dyn Store, digest: &str) -> Result<Option<Approval>, StoreError> {
    let row = store.get(&format!("{APPROVALS}{digest}")).await?;
    Ok(row.and_then(|row| serde_json::from_slice(&row.value).ok()))
}

/// Keeps the text of a policy, so that it can be in force when it is published no longer.
async fn keep(store: &dyn Store, digest: &str, files: &[File]) -> Result<(), StoreError> {
    for (number, file) in files.iter().enumerate() {
        let mut rest = file.text.as_str();
        let mut part = 0_usize;
        loop {
            let mut end = rest.len().min(PIECE_BYTES);
            while !rest.is_char_boundary(end) {
                end -= 1;
            }
            let (text, more) = rest.split_at(end);
            let piece = Piece { format: FORMAT, name: file.name.clone(), file: number, text: text.to_owned() };
            let value = serde_json::to_vec(&piece).map_err(|error| StoreError::Unavailable(error.to_string()))?;
            let key = format!("{TEXTS}{digest}/{number:03}/{part:04}");
            store.write(&[Put { key, value: Some(value), expect: Expect::Anything, fence: ROW_FENCE }]).await?;
            (rest, part) = (more, part + 1);
            if rest.is_empty() {
                break;
            }
        }
    }
    Ok(())
}

impl Engine {
    /// Reads policy as long as the worker runs.
    pub(crate) async fn policy_loop(&self) {
        if self.ports.policies.is_none() {
            return;
        }
        loop {
            self.ports.clock.sleep_until(self.now() + READ_EVERY).await;
            self.read_policy().await;
        }
    }

    /// Reads what is published and what the store says, and puts it in force.
    pub(crate) async fn read_policy(&self) {
        let Some(source) = self.ports.policies.clone() else { return };
        let read = self.published(&*source).await;
        if self.ports.act.is_none() || self.settings.policy_as_it_stands {
            // What a dry run shows is what would be done once it is approved.
            if let Ok(Fresh { policy, .. }) = &read {
                let force = InForce::new(vec![Arc::clone(&policy.set)], None);
                self.in_force(force, std::slice::from_ref(&policy.digest));
            }
            if self.ports.act.is_none() {
                if let Err(problem) = read {
                    tracing::warn!(problem, "the policy cannot be read");
                }
                return;
            }
        }
        for _ in 0..TRIES_MAX {
            match self.follow(&read).await {
                Ok(()) => return,
                Err(StoreError::Lost(_)) => {}
                Err(error) => {
                    tracing::warn!(%error, "the state of policy cannot be stored; what was in force stays");
                    return;
                }
            }
        }
    }

    async fn published(&self, source: &dyn Policies) -> Result<Fresh, String> {
        let published = source.read().await.map_err(|error| error.to_string())?;
        let policy = self.checked(&published)?;
        let Published { version, author, .. } = published;
        let seen = Seen { digest: policy.digest.clone(), version, author, at: self.now() };
        Ok(Fresh { seen, policy })
    }

    /// What was found in these files; the same as the last time where they are the same.
    fn checked(&self, published: &Published) -> Result<Arc<Checked>, String> {
        if let Some(last) = self.memory().published.last.as_ref().filter(|last| last.raw == published.files) {
            return last.found.clone();
        }
        let found = parse(published).and_then(|(digest, files, set)| {
            let mistakes = if self.settings.policy_floors { policy_file::below_floors(&set) } else { Vec::new() };
            if mistakes.is_empty() {
                Ok(Arc::new(Checked { digest, files, set: Arc::new(set) }))
            } else {
                Err(mistakes.join("\n"))
            }
        });
        self.memory().published.last = Some(Last { raw: published.files.clone(), found: found.clone() });
        found
    }

    /// One step of the state in the store: what was read is noted, approvals and rings go on.
    async fn follow(&self, read: &Result<Fresh, String>) -> Result<(), StoreError> {
        let store = &*self.ports.store;
        let (mut version, before) = stored(store).await?;
        let mut state = before.clone();
        let now = self.now();
        let mut used = None;
        match read {
            Err(text) => state.trouble(text, now),
            // Another worker has read something newer meanwhile: what this one holds is history.
            Ok(Fresh { seen, .. }) if before.seen.as_ref().is_some_and(|last| last.supersedes(seen)) => {}
            Ok(Fresh { seen, policy }) => {
                let Checked { digest, files, set } = &**policy;
                self.memory().published.sets.insert(digest.clone(), Arc::clone(set));
                let mut restricts = false;
                if state.seen.as_ref().is_none_or(|seen| seen.digest != *digest) {
                    keep(store, digest, files).await?;
                    if let [one] = before.chain.as_slice() {
                        restricts = self.set(one).await?.is_some_and(|old| set.only_restricts(&old));
                    }
                }
                state.see(seen, restricts);
                if self.settings.policy_as_it_stands {
                    state.as_it_stands(digest);
                } else if let Some(approval) = approval(store, digest).await? {
                    state.approve(approval, set.rollout(), now);
                    // It counts once: nobody comes back to it when the same is published again.
                    used = Some(rows::gone(format!("{APPROVALS}{digest}")));
                }
            }
        }
        let going = |state: &PolicyState| state.out.as_ref().map(|out| out.digest.clone());
        let out = match going(&state) {
            Some(digest) => self.set(&digest).await?,
            None => None,
        };
        // Taken where nothing can fail any more but the write.
        let ends = std::mem::take(&mut self.memory().published.ends);
        if let Some(set) = out {
            // What ended in the rings of another policy says nothing of this one.
            if going(&before) == going(&state) {
                state.count(ends.ended, ends.bad, ends.alarm.clone());
            }
            state.advance(set.rollout(), now);
        }
        if state != before {
            match self.store_state(version, &state, used).await {
                Ok(written) => version = written,
                Err(error) => {
                    self.memory().published.ends.back(ends);
                    return Err(error);
                }
            }
        }
        tell(&before, &state);
        self.compile(version, state).await
    }

    /// Writes a state over that of this version, and what goes with it.
    async fn store_state(&self, version: u64, state: &PolicyState, with: Option<Put>) -> Result<u64, StoreError> {
        let value = serde_json::to_vec(state).map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let expect = if version == 0 { Expect::Absent } else { Expect::Version(version) };
        let put = Put { key: STATE.to_owned(), value: Some(value), expect, fence: ROW_FENCE };
        let puts: Vec<Put> = [put].into_iter().chain(with).collect();
        let versions = self.ports.store.write(&puts).await?;
        Ok(versions.first().copied().unwrap_or(version))
    }

    /// Puts a state in force, if it is another one than the last.
    async fn compile(&self, version: u64, state: PolicyState) -> Result<(), StoreError> {
        {
            let kept = &self.memory().published;
            if kept.version == version && kept.state == state {
                return Ok(());
            }
        }
        let mut chain = Vec::with_capacity(state.chain.len());
        for digest in &state.chain {
            let Some(set) = self.set(digest).await? else {
                // A policy that binds and cannot be read: nothing is known of what it forbids.
                tracing::error!(digest, "the store has lost the text of a policy in force: everything is held");
                chain.clear();
                break;
            };
            chain.push(set);
        }
        let lost = chain.len() < state.chain.len();
        if state.crowded {
            chain.clear();
        }
        let mut out = None;
        if let Some(now) = &state.out
            && now.halted.is_none()
            && !lost
        {
            out = self.set(&now.digest).await?.map(|set| (set, now.reached));
        }
        let digests: BTreeSet<&String> = state.chain.iter().chain(state.out.iter().map(|out| &out.digest)).collect();
        let digests: Vec<String> = digests.into_iter().cloned().collect();
        let force = InForce::new(chain, out);
        {
            let kept = &mut self.memory().published;
            kept.sets.retain(|digest, _| digests.contains(digest));
            (kept.version, kept.state) = (version, state);
        }
        self.in_force(force, &digests);
        Ok(())
    }

    fn in_force(&self, force: InForce, digests: &[String]) {
        let mut memory = self.memory();
        memory.policy = Arc::new(force);
        memory.policy_digest = digests.iter().map(|digest| short(digest)).collect::<Vec<_>>().join("+");
    }

    /// The policy with a digest, remembered or from the store.
    async fn set(&self, digest: &str) -> Result<Option<Arc<PolicySet>>, StoreError> {
        if let Some(set) = self.memory().published.sets.get(digest) {
            return Ok(Some(Arc::clone(set)));
        }
        let found = files(&*self.ports.store, digest).await?;
        // The text may have been damaged, or is half there: then it is not what was approved.
        if found.is_empty() || self::digest(&found) != digest {
            return Ok(None);
        }
        let Ok(set) = policy_file::combine(&found) else { return Ok(None) };
        let set = Arc::new(set);
        self.memory().published.sets.insert(digest.to_owned(), Arc::clone(&set));
        Ok(Some(set))
    }

    /// Whether a new policy has reached this group by one of its rings. Rings go by no tags.
    fn in_ring(&self, group: &GroupKey) -> bool {
        let untagged = BTreeMap::new();
        self.in_context(group, &untagged, |policy, at| policy.ring(at).is_some()).unwrap_or_default()
    }

    /// A swap has ended: in a ring it counts for the policy that has reached it.
    pub(crate) fn count_for_rollout(&self, group: &GroupKey, end: End) {
        if self.in_ring(group) {
            let bad = u32::from(!matches!(end, End::Done { .. }));
            self.memory().published.ends.back(Ends { ended: 1, bad, alarm: None });
        }
    }

    /// An alarm that guards the group has gone red: in a ring it halts the policy that has reached it.
    pub(crate) fn alarm_for_rollout(&self, group: &GroupKey) {
        if self.in_ring(group) {
            self.memory().published.ends.alarm.get_or_insert_with(|| format!("that guards {group}"));
        }
    }
}

/// Logs what became of policy.
fn tell(before: &PolicyState, now: &PolicyState) {
    if now.seen != before.seen
        && let Some(seen) = &now.seen
        && before.seen.as_ref().map(|seen| &seen.digest) != Some(&seen.digest)
    {
        let waits = now.waits();
        let (digest, version, author) = (&seen.digest, &seen.version, seen.author.as_deref());
        tracing::info!(digest, version, author, waits, "another policy was published");
    }
    if now.problem.as_ref().map(|problem| &problem.text) != before.problem.as_ref().map(|problem| &problem.text)
        && let Some(Trouble { text, .. }) = &now.problem
    {
        tracing::error!(problem = text, "the published policy cannot be read; what was in force stays");
    }
    if now.approved != before.approved
        && let Some(Approval { digest, by, why, .. }) = &now.approved
    {
        tracing::info!(digest, by, why, "a policy was approved");
    }
    match (&before.out, &now.out) {
        (Some(Out { halted: None, .. }), Some(Out { halted: Some(why), digest, .. })) => {
            tracing::error!(digest, why, "the new policy has halted: what was in force before binds again");
        }
        (was, Some(Out { digest, reached, .. })) if was.as_ref().map(|was| was.reached) != Some(*reached) => {
            tracing::info!(digest, rings = reached, "the new policy has reached its next ring");
        }
        (Some(_), None) => tracing::info!("the new policy is in force everywhere"),
        _ => {}
    }
}

/// The first twelve digits, which tell two policies apart.
#[must_use]
pub fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}
