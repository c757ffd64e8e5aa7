//! AssumeRole: one question to the home region's STS.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use aws_credential_types::Credentials;
use spothub_core::fault::Fault;
use spothub_core::id::{AccountId, Region, Site};
use spothub_core::port::Cause;
use spothub_core::time::Timestamp;

use super::term::DURATION_S;
use crate::action::{Action, Observer, tell};
use crate::fault::{Heard, judge_own};
use crate::settings::ExternalId;

const NOT_ASSUMED: &str =
    "its role cannot be assumed: absent, without trust in this hub, another external id, or a control policy";
const NOT_ACCEPTED: &str = "STS does not accept the request for its role";

/// What is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(super) account: AccountId,
    pub(super) role: String,
    pub(super) name: String,
    pub(super) external_id: Option<ExternalId>,
    pub(super) policy: Option<String>,
    /// For whom it is counted: where the session will act, or home.
    pub(super) region: Region,
}

/// What was issued.
pub(crate) struct Issued {
    pub(super) credentials: Credentials,
    pub(super) expires: Timestamp,
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issued").field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// Why nothing was issued.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Refused {
    /// The account is not open to us, and asking again soon will not help.
    Account(&'static str),
    /// The call failed; the next may not.
    Call(Fault),
}

/// Who issues: STS, or a test.
#[async_trait]
pub(crate) trait Issue: Send + Sync {
    /// One call.
    async fn issue(&self, ask: &Ask) -> Result<Issued, Refused>;
}

/// The home region's STS, asked with the hub's own credentials.
pub(crate) struct Sts {
    client: aws_sdk_sts::Client,
    observer: Arc<dyn Observer>,
}

impl Sts {
    pub(crate) fn new(client: aws_sdk_sts::Client, observer: Arc<dyn Observer>) -> Self {
        Self { client, observer }
    }
}

#[async_trait]
impl Issue for Sts {
    async fn issue(&self, ask: &Ask) -> Result<Issued, Refused> {
        let request = self.client.assume_role().role_arn(&ask.role).role_session_name(&ask.name);
        let request = request.duration_seconds(DURATION_S).set_policy(ask.policy.clone());
        let request = request.set_external_id(ask.external_id.as_ref().map(|id| id.expose().to_owned()));
        let answer = request.send().await;
        let answer = answer.map_err(|error| {
            let heard = Heard::new(&error);
            let (code, message) = heard.told();
            tracing::warn!(account = %ask.account, code, said = message, "a role was not assumed");
            (refusal(&heard), judge_own(&heard, Action::AssumeRole, None))
        });
        let site = Site { account: ask.account, region: ask.region.clone() };
        let told = answer.as_ref().map(|_| ()).map_err(|(_, fault)| fault.clone());
        tell(&*self.observer, Some(&site), Action::AssumeRole, Cause::default(), None, &told);
        let issued = answer.map_err(|(refused, _)| refused)?;
        let found = issued.credentials.ok_or(Refused::Call(Fault::Broken))?;
        let expires = found.expiration.to_millis().map_err(|_| Refused::Call(Fault::Broken))?;
        let (id, secret, token) = (found.access_key_id, found.secret_access_key, found.session_token);
        // No expiry for the SDK: when a session ends is decided here, on one clock.
        let credentials = Credentials::new(id, secret, Some(token), None, "spothub");
        Ok(Issued { credentials, expires: Timestamp(expires) })
    }
}

/// Whose fault a refusal is. Codes about the caller's own credentials say nothing of the account.
fn refusal(heard: &Heard<'_>) -> Refused {
    let Some(code) = heard.code else { return Refused::Call(judge_own(heard, Action::AssumeRole, None)) };
    match (code, judge_own(heard, Action::AssumeRole, None)) {
        ("RegionDisabledException" | "RegionDisabled", Fault::Unreachable(reason)) => Refused::Account(reason),
        (_, Fault::Denied(_)) => Refused::Account(NOT_ASSUMED),
        ("MalformedPolicyDocument" | "PackedPolicyTooLarge" | "ValidationError" | "NoSuchEntity", _) => {
            Refused::Account(NOT_ACCEPTED)
        }
        (_, fault @ (Fault::Throttled { .. } | Fault::Unable(_))) => Refused::Call(fault),
        _ => Refused::Call(Fault::Broken),
    }
}

#[cfg(test)]
mod tests {
    use spothub_core::fault::Unable;

    use super::*;
    use crate::fault::Reach;

    #[test]
    fn an_account_is_set_aside_for_its_own_faults_only() {
        let rows = [
            ("AccessDenied", 403, Refused::Account(NOT_ASSUMED)),
            ("AccessDeniedException", 400, Refused::Account(NOT_ASSUMED)),
            ("PackedPolicyTooLarge", 400, Refused::Account(NOT_ACCEPTED)),
            ("InvalidClientTokenId", 403, Refused::Call(Fault::Unable(Unable::NotAccepted))),
            ("ExpiredToken", 400, Refused::Call(Fault::Unable(Unable::NotAccepted))),
            ("Throttling", 400, Refused::Call(Fault::Throttled { after: None })),
            ("InternalFailure", 500, Refused::Call(Fault::Broken)),
        ];
        for (code, status, refused) in rows {
            let heard = Heard {
                reach: Reach::Answered,
                code: Some(code),
                message: None,
                status: Some(status),
                silent: None,
                unable: None,
                after: None,
            };
            assert_eq!(refusal(&heard), refused, "{code}");
        }
        let disabled = Heard {
            reach: Reach::Answered,
            code: Some("RegionDisabledException"),
            message: None,
            status: Some(403),
            silent: None,
            unable: None,
            after: None,
        };
        assert!(matches!(refusal(&disabled), Refused::Account(_)));
        let lost = Heard {
            reach: Reach::Unanswered,
            code: None,
            message: None,
            status: None,
            silent: None,
            unable: None,
            after: None,
        };
        assert_eq!(refusal(&lost), Refused::Call(Fault::Broken));
    }
}
