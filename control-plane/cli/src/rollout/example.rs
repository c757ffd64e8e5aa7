//! `spothub rollout example`: the file to begin with, filled in by AWS where that is asked for.

use anyhow::anyhow;
use spothub_aws::stacks::{organization, role_of};
use spothub_aws::{Caller, Home, TimeOuts, Uncounted};

use super::file::{Known, example};
use super::refused;
use crate::args::RolloutExample;
use crate::output::remedy;
use crate::{Exit, Streams, brake};

/// Where STS is asked by who names no region.
const FIRST: &str = "us-east-1";

/// Prints it.
pub(super) fn show(args: &RolloutExample, streams: &mut Streams<'_>) -> anyhow::Result<Exit> {
    let known = if args.from_aws { brake::run(known())? } else { Known::default() };
    write!(streams.out, "{}", example(&known))?;
    Ok(Exit::Done)
}

async fn known() -> anyhow::Result<Known> {
    let base = spothub_aws::load_anywhere(&FIRST.parse()?, TimeOuts::default()).await;
    let region = base.region().map(ToString::to_string);
    let home = Home::new(base, std::sync::Arc::new(Uncounted));
    let caller = home.caller().await.map_err(|fault| {
        let remedy = remedy::of(fault.label());
        anyhow!("AWS does not say who you are: sts:GetCallerIdentity: {fault}\n   = {remedy}")
    })?;
    let organized = organization(&home).await.map_err(|error| refused(&error))?;
    let operator = operator(&home, &caller).await;
    let delegated = caller.account != organized.management;
    let (organization, account) = (Some(organized.id), Some(caller.account.to_string()));
    Ok(Known { organization, account, region, operator, delegated })
}

/// The role or user that the session is of; nothing for the account's root, which may assume no role.
async fn operator(home: &Home, caller: &Caller) -> Option<String> {
    let parts: Vec<&str> = caller.arn.splitn(6, ':').collect();
    let [arn, partition, service, _, account, identity] = parts[..] else { return None };
    match (service, identity.split('/').collect::<Vec<_>>().as_slice()) {
        ("iam", ["user", ..]) => Some(caller.arn.clone()),
        ("sts", ["assumed-role", name, ..]) => {
            // A session does not tell its role's path.
            let whole = role_of(home, name).await;
            Some(whole.unwrap_or_else(|| format!("{arn}:{partition}:iam::{account}:role/{name}")))
        }
        _ => None,
    }
}
