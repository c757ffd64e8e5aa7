//! Roles of a member account: whether ours can be assumed and by whom, its tags, and roles of AWS's services.

use std::collections::BTreeMap;

use spothub_core::fault::Fault;
use spothub_core::id::{AccountId, Region, Site};

use super::{Doctor, there};
use crate::action::Action;
use crate::fault::{Meaning, meaning};

/// The shortest session there is: STS's own limit. Nothing is done with it.
const SHORTEST_S: i32 = 900;

/// An external id that the trust must not admit.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub enum Tried {
    /// Another one than the hub's.
    Wrong,
    /// None at all.
    None,
}

/// What the role's trust says to it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub enum Trust {
    /// It refuses.
    Refuses,
    /// It admits: the external id is no lock.
    Admits,
}

/// What was found of a role.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RoleSeen {
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

impl Doctor {
    /// Whether the account's role can be assumed as the hub does it. The session is kept for all that follows.
    pub async fn assumes(&self, account: AccountId, home: &Region) -> Result<(), Fault> {
        let site = Site { account, region: home.clone() };
        let line = self.line(&site);
        match &line.client.session {
            Some(session) => self.cloud.sessions().ready(session).await,
            None => Ok(()),
        }
    }

    /// Whether the trust of the account's role refuses another external id than the hub's. `nonce` makes one that
    /// nobody has.
    pub async fn tries(&self, account: AccountId, tried: Tried, nonce: &str) -> Result<Trust, Fault> {
        let client = aws_sdk_sts::Client::new(self.home.session());
        let region = self.home.session().region().map_or("home", AsRef::as_ref);
        let request = client.assume_role().role_arn(self.role.arn(account)).duration_seconds(SHORTEST_S);
        let request = request.role_session_name(format!("spothub@{region}"));
        let wrong = (tried == Tried::Wrong).then(|| format!("not-{nonce}"));
        let answer = request.set_external_id(wrong).send().await;
        match self.own(Action::AssumeRole, answer) {
            Ok(_) => Ok(Trust::Admits),
            Err(failed) if meaning(&failed.code) == Some(Meaning::Denied) => Ok(Trust::Refuses),
            Err(failed) => Err(failed.fault),
        }
    }

    /// Whether settings give an external id at all.
    #[must_use]
    pub const fn has_external_id(&self) -> bool {
        self.external_id.is_some()
    }

    /// The account's role as it describes itself; `None` where IAM knows none of this name.
    pub async fn member_role(&self, account: AccountId, home: &Region) -> Result<Option<RoleSeen>, Fault> {
        let arn = self.role.arn(account);
        // A path is part of the ARN, and not of the name.
        self.role(account, home, arn.rsplit('/').next().unwrap_or_default()).await
    }

    /// A role of the account by its name; `None` where there is none.
    pub async fn role(&self, account: AccountId, home: &Region, name: &str) -> Result<Option<RoleSeen>, Fault> {
        let site = Site { account, region: home.clone() };
        let line = self.line(&site);
        let client = aws_sdk_iam::Client::new(line.client.config());
        let answer = line.call(Action::GetRole, None, client.get_role().role_name(name).send()).await;
        let Some(role) = there(answer)?.and_then(|answer| answer.role) else { return Ok(None) };
        let tags = role.tags().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect();
        Ok(Some(RoleSeen { tags }))
    }
}
