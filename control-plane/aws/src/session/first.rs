//! The hub's own role, assumed first by whoever runs spothub with other credentials.
//!
//! Everything else is then done as the hub: its calls at home, and the roles in members, whose trust names it.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_config::identity::IdentityCache;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use spothub_core::fault::Fault;
use spothub_core::id::{Region, RoleArn};
use spothub_core::port::Clock;

use super::issue::{Ask, Issue, Refused, Sts};
use super::term::Term;
use super::{Key, Renew, Session};
use crate::action::{Action, Observer};
use crate::home::Home;

/// Hundredths of its life after which the session is refreshed. One process has one, so nothing has to be spread.
const REFRESHED_AFTER: i64 = 80;

/// Why nothing can be done as the hub.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotTheHub {
    /// STS does not tell who calls.
    #[error("the hub's role {role} was not assumed: AWS does not say who calls")]
    Nobody {
        /// The role.
        role: RoleArn,
        /// What STS answered.
        #[source]
        fault: Fault,
    },
    /// STS does not issue a session.
    #[error("the hub's role {role} cannot be assumed by {caller}")]
    Refused {
        /// The role.
        role: RoleArn,
        /// Who asked.
        caller: String,
        /// What STS answered.
        #[source]
        fault: Fault,
    },
}

impl NotTheHub {
    /// What STS answered.
    #[must_use]
    pub const fn fault(&self) -> &Fault {
        match self {
            Self::Nobody { fault, .. } | Self::Refused { fault, .. } => fault,
        }
    }
}

/// The caller's own session turned into one of the hub's role; as it is where it is one already.
///
/// Asks STS who calls, and for the role, so that it is known at once whether it can be had. The session lasts an hour,
/// which is the most for a role that was assumed from a role, and is renewed before it is over.
pub async fn as_hub(
    own: SdkConfig,
    role: &RoleArn,
    home: &Region,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
) -> Result<SdkConfig, NotTheHub> {
    let caller = Home::new(own.clone(), Arc::clone(&observer)).caller().await;
    let caller = caller.map_err(|fault| NotTheHub::Nobody { role: role.clone(), fault })?;
    if role.is_caller(&caller.arn) {
        return Ok(own);
    }
    let ask = Ask {
        account: role.account().unwrap_or(caller.account),
        role: role.to_string(),
        name: format!("spothub@{home}"),
        external_id: None,
        policy: None,
        region: home.clone(),
    };
    let first = First::new(ask, clock, Arc::new(Sts::new(aws_sdk_sts::Client::new(&own), observer)));
    first.ready().await.map_err(|fault| NotTheHub::Refused { role: role.clone(), caller: caller.arn, fault })?;
    // The session itself is what is kept; a cache in front of it would outlive a refresh.
    let config = own.into_builder().credentials_provider(SharedCredentialsProvider::new(first));
    Ok(config.identity_cache(IdentityCache::no_cache()).build())
}

/// Signs as the hub, and renews what it signs with.
pub(super) struct First {
    session: Session,
    ask: Ask,
    issue: Arc<dyn Issue>,
    clock: Arc<dyn Clock>,
}

impl First {
    pub(super) fn new(ask: Ask, clock: Arc<dyn Clock>, issue: Arc<dyn Issue>) -> Self {
        let session = Session::new(Key { account: ask.account, narrowed_to: None });
        Self { session, ask, issue, clock }
    }

    /// Sees to it that the session is good for a call.
    async fn ready(&self) -> Result<(), Fault> {
        self.session.ready(&*self.clock, self).await
    }
}

#[async_trait]
impl Renew for First {
    async fn renew(&self, session: &Session) -> Result<(), Fault> {
        let answer = self.issue.issue(&self.ask).await;
        let now = self.clock.now();
        match answer {
            Ok(issued) => {
                let term = Term::refreshed_after(REFRESHED_AFTER, now, issued.expires);
                session.keep(issued.credentials, term, now)
            }
            // A role that is lost serves until its last session is over.
            Err(Refused::Account(_)) => Err(session.failed(Fault::Denied(Action::AssumeRole.iam()), now)),
            Err(Refused::Call(fault)) => Err(session.failed(fault, now)),
        }
    }
}

impl ProvideCredentials for First {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            self.ready().await.map_err(CredentialsError::provider_error)?;
            self.session.held().ok_or_else(|| CredentialsError::not_loaded("the session is over"))
        })
    }
}

impl fmt::Debug for First {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("First").field("role", &self.ask.role).finish_non_exhaustive()
    }
}
