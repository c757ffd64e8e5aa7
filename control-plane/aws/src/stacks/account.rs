//! Sessions of the accounts where stacks are: the caller's own, or that of a role there; and what the organization says
//! of itself.

use std::fmt;
use std::sync::Arc;

use aws_config::SdkConfig;
use aws_config::identity::IdentityCache;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use spothub_core::id::AccountId;

use super::StackError;
use super::call::heard;
use super::refusal::clean;
use crate::action::Action;
use crate::home::Home;
use crate::org::UnitId;

/// What is asked for: an hour, since sessions that come from another role last no longer. The SDK asks again before.
const DURATION_S: i32 = 3600;

/// A session of a role, assumed with the credentials of another session.
///
/// Asks for it at once, so that a role that refuses is found before anything is begun.
pub async fn through(home: &Home, role: &str) -> Result<Arc<Home>, StackError> {
    let region = home.session().region().map_or_else(|| "none".to_owned(), ToString::to_string);
    let client = aws_sdk_sts::Client::new(home.session());
    let by = ByRole { client, role: role.to_owned(), name: format!("spothub@{region}") };
    let answer = by.ask().await;
    heard(home, Action::AssumeRole, answer)?;
    let session: SdkConfig = home
        .session()
        .to_builder()
        .credentials_provider(SharedCredentialsProvider::new(by))
        // One of its own: the other session's holds that one's credentials.
        .identity_cache(IdentityCache::lazy().build())
        .build();
    Ok(Home::new(session, home.observer()))
}

struct ByRole {
    client: aws_sdk_sts::Client,
    role: String,
    name: String,
}

type Answer = Result<
    aws_sdk_sts::operation::assume_role::AssumeRoleOutput,
    aws_sdk_sts::error::SdkError<aws_sdk_sts::operation::assume_role::AssumeRoleError>,
>;

impl ByRole {
    async fn ask(&self) -> Answer {
        let request = self.client.assume_role().role_arn(&self.role).role_session_name(&self.name);
        request.duration_seconds(DURATION_S).send().await
    }

    async fn credentials(&self) -> Result<Credentials, CredentialsError> {
        let answer = self.ask().await.map_err(CredentialsError::provider_error)?;
        let keys = answer.credentials.ok_or_else(|| CredentialsError::not_loaded("no credentials in the answer"))?;
        let over = keys.expiration.try_into().map_err(CredentialsError::provider_error)?;
        let (id, secret, token) = (keys.access_key_id, keys.secret_access_key, keys.session_token);
        Ok(Credentials::new(id, secret, Some(token), Some(over), "spothub"))
    }
}

impl fmt::Debug for ByRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByRole").field("role", &self.role).finish_non_exhaustive()
    }
}

impl ProvideCredentials for ByRole {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.credentials())
    }
}

/// What an organization says of itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Organized {
    /// Its id, as `o-exampleorgid`.
    pub id: String,
    /// Its management account.
    pub management: AccountId,
}

/// The organization of the session's account: any of its accounts may ask.
pub async fn organization(home: &Home) -> Result<Organized, StackError> {
    let action = Action::DescribeOrganization;
    let answer = aws_sdk_organizations::Client::new(home.session()).describe_organization().send().await;
    let found = heard(home, action, answer)?.organization.ok_or_else(|| StackError::odd(action, "organization"))?;
    let id = found.id().map(clean).ok_or_else(|| StackError::odd(action, "organization's id"))?;
    let management = found.master_account_id().and_then(|text| text.parse().ok());
    Ok(Organized { id, management: management.ok_or_else(|| StackError::odd(action, "management account"))? })
}

/// The organization's root.
pub async fn root(home: &Home) -> Result<UnitId, StackError> {
    let action = Action::ListRoots;
    let answer = aws_sdk_organizations::Client::new(home.session()).list_roots().send().await;
    let found = heard(home, action, answer)?;
    let id = found.roots().first().and_then(|root| root.id()).and_then(|id| id.parse().ok());
    id.ok_or_else(|| StackError::odd(action, "root"))
}

/// The ARN with its path of the role that a session is of, by the role's name; nothing where IAM does not say it.
pub async fn role_of(home: &Home, name: &str) -> Option<String> {
    let answer = aws_sdk_iam::Client::new(home.session()).get_role().role_name(name).send().await;
    let found = heard(home, Action::GetRole, answer).ok()?;
    found.role.map(|role| clean(&role.arn))
}
