//! `spothub policy approve`: somebody other than its writer answers for the policy that the hub has seen.

use std::sync::Arc;

use anyhow::Context;
use serde_json::json;
use spothub_aws::{Home, Uncounted};
use spothub_core::port::{Clock, Store};
use spothub_hub::policy_file;
use spothub_hub::published::{self, Approval, PolicyState, Seen, short};

use crate::args::{Approve, Format};
use crate::brake::{author, find, open, run};
use crate::clock::WallClock;
use crate::config::Kept;
use crate::output::status as table;
use crate::{Exit, Streams};

/// What the store holds of the policy that is to be approved.
enum Asked {
    /// It cannot be, and why.
    Refused(String),
    /// It is approved now; with the names of the rings that it goes through.
    Approved(Approval, Vec<String>),
}

/// Approves what was seen last, where that is what was meant.
pub(super) fn approve(args: &Approve, streams: &mut Streams<'_>) -> anyhow::Result<Exit> {
    let Some(kept) = find(&args.hub.at, streams)? else { return Ok(Exit::Usage) };
    let by = author(args.by.as_deref());
    let asked = run(async {
        let store = open(&kept).await?;
        let state = published::state(&*store).await.context("the state of policy cannot be read")?;
        // Who has published by a session of AWS is told apart from who approves by one, too.
        let arn =
            state.seen.as_ref().and_then(|seen| seen.author.as_deref()).is_some_and(|who| who.starts_with("arn:"));
        let by = if arn { caller(&kept).await? } else { by };
        match meant(&state, &args.digest, &by) {
            Ok(seen) => let_out(&*store, seen, args, by).await,
            Err(text) => Ok(Asked::Refused(text)),
        }
    })?;
    let (approval, rings) = match asked {
        Asked::Approved(approval, rings) => (approval, rings),
        Asked::Refused(text) => {
            writeln!(streams.err, "error: {text}")?;
            return Ok(Exit::Usage);
        }
    };
    match args.hub.output {
        Format::Json => writeln!(streams.out, "{}", json!({"approved": approval, "rings": rings}))?,
        Format::Table => write!(streams.out, "{}", table::approved(&approval, &rings))?,
    }
    Ok(Exit::Done)
}

/// The identity of the session in use: nothing that is typed can stand for it, nor the hub's own role, which is one for
/// all who may assume it.
async fn caller(kept: &Kept) -> anyhow::Result<String> {
    let region = kept.home.as_ref().context("home-region is not set\n   = name the hub's settings with --config")?;
    let home = Home::new(spothub_aws::load(region, kept.time_outs).await, Arc::new(Uncounted));
    Ok(home.caller().await.context("AWS does not say who approves: sts:GetCallerIdentity failed")?.arn)
}

async fn let_out(store: &dyn Store, seen: &Seen, args: &Approve, by: String) -> anyhow::Result<Asked> {
    // The text is what is let out: what the store does not have in whole, nobody can answer for.
    let files = published::files(store, &seen.digest).await.context("the policy's text cannot be read")?;
    let set = policy_file::combine(&files).ok().filter(|_| published::digest(&files) == seen.digest);
    let Some(set) = set else {
        let digest = short(&seen.digest);
        let remedy = "wait until a worker has read it once more, and publish it anew where it stays so";
        return Ok(Asked::Refused(format!("the store does not have the whole text of {digest}...\n   = {remedy}")));
    };
    // The clock of this machine may be behind the worker's, and an approval from before it was seen does not count.
    let at = WallClock::default().now().max(seen.at);
    let approval = Approval { digest: seen.digest.clone(), by, why: args.why.clone(), at };
    published::approve(store, &approval).await.context("the approval could not be stored")?;
    Ok(Asked::Approved(approval, set.rollout().rings.iter().map(|ring| ring.name.clone()).collect()))
}

/// The published policy that these digits mean, where it waits for somebody other than its writer.
fn meant<'s>(state: &'s PolicyState, digits: &str, by: &str) -> Result<&'s Seen, String> {
    let Some(seen) = &state.seen else {
        return Err(match &state.problem {
            Some(problem) => format!(
                "no policy could be read yet: {}\n   = mend what is published; spothub policy check tells the same",
                problem.text
            ),
            None => "the hub has not seen any policy yet\n   = publish one, name it in the hub's settings, and wait \
                     until a worker has read it: spothub status says so"
                .to_owned(),
        });
    };
    let digest = short(&seen.digest);
    if !seen.digest.starts_with(digits) {
        let other = if state.waits() {
            format!("{digest}... waits for approval: spothub policy approve {digest} --why TEXT")
        } else {
            format!("{digest}... is in force, and nothing waits; a policy just published is seen within a minute")
        };
        return Err(format!("{} is not the policy that the hub has seen last\n   = {other}", short(digits)));
    }
    if !state.waits() {
        let going = match &state.out {
            Some(out) => format!("{digest}... was approved, and is on its way: ring {} is reached", out.reached),
            None => format!("{digest}... is in force already"),
        };
        return Err(format!("{going}; nothing waits for approval\n   = spothub status says what is in force"));
    }
    let Some(author) = seen.author.as_deref() else {
        let remedy = "allow the hub ssm:GetParameterHistory, which tells who published it";
        return Err(format!(
            "nobody knows who wrote {digest}..., so nobody can be told from its writer\n   = {remedy}"
        ));
    };
    if published::same(author, by) {
        let remedy = "let somebody else look at it and approve it";
        return Err(format!("{by} wrote {digest}..., and who writes a policy does not approve it\n   = {remedy}"));
    }
    Ok(seen)
}

#[cfg(test)]
mod tests {
    use spothub_core::time::Timestamp;
    use spothub_hub::published::Out;

    use super::*;

    const DIGEST: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn waiting() -> PolicyState {
        let (digest, version, author) = (DIGEST.to_owned(), "v1".to_owned(), Some("ann".to_owned()));
        PolicyState { seen: Some(Seen { digest, version, author, at: Timestamp(5) }), ..PolicyState::default() }
    }

    fn refusal(state: &PolicyState, digits: &str, by: &str) -> String {
        meant(state, digits, by).unwrap_err()
    }

    #[test]
    fn what_was_seen_is_approved_by_another() {
        assert_eq!(meant(&waiting(), &DIGEST[..12], "bob").unwrap().digest, DIGEST);
        assert!(refusal(&waiting(), DIGEST, "ann").contains("ann wrote 0123456789ab"));
    }

    #[test]
    fn what_does_not_wait_is_not_approved() {
        assert!(refusal(&PolicyState::default(), DIGEST, "bob").contains("has not seen any policy"));
        let other = refusal(&waiting(), "ffffffffffff", "bob");
        assert!(other.contains("0123456789ab... waits for approval"), "{other}");
        let in_force = PolicyState { chain: vec![DIGEST.to_owned()], ..waiting() };
        assert!(refusal(&in_force, DIGEST, "bob").contains("is in force already"));
        assert!(refusal(&in_force, "ffffffffffff", "bob").contains("nothing waits"));
        let out = Out { digest: DIGEST.to_owned(), reached: 1, since: Timestamp(6), ended: 0, bad: 0, halted: None };
        let going = PolicyState { out: Some(out.clone()), ..waiting() };
        assert!(refusal(&going, DIGEST, "bob").contains("on its way: ring 1"));
        let halted = PolicyState { out: Some(Out { halted: Some("alarm".to_owned()), ..out }), ..waiting() };
        assert!(meant(&halted, DIGEST, "bob").is_ok(), "another approval begins anew");
    }
}
