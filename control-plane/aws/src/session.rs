//! Assumed roles: one session for looking in an account, and one for acting in each of its regions.
//!
//! A looking session serves all regions of its account. An acting one is narrowed to its region by its policy, so
//! there is one for each account and region that is acted in; each is asked for at most once in 45 minutes. An account
//! whose role cannot be assumed is set aside with its reason for a while: no call is made for it, and no other
//! account waits. Knows no client and no API but STS.

mod first;
mod issue;
mod policy;
mod term;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use spothub_core::fault::Fault;
use spothub_core::id::{AccountId, Region, Site};
use spothub_core::port::Clock;
use spothub_core::time::{Span, Timestamp};

use crate::settings::{Own, Settings};
use issue::{Ask, Issue, Refused};
use term::{Standing, Term};

pub use first::{NotTheHub, as_hub};
pub(crate) use issue::Sts;

/// How long an account is left alone after its role could not be assumed: owners repair roles by the hour, and one
/// vain call in ten minutes costs nothing.
pub const ASIDE_FOR: Span = Span::mins(10);
/// After a failure that may pass, those who waited for the same session get the same answer for so long.
const FAILED_FOR: Span = Span::secs(2);
/// After a refresh that failed while the session was still good.
const REFRESH_AGAIN: Span = Span::mins(1);

/// What a session is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub enum Kind {
    /// Reads.
    Looking,
    /// Changes, in one region.
    Acting,
}

#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd)]
struct Key {
    account: AccountId,
    narrowed_to: Option<Region>,
}

/// A lock that is never held over an await; what a panicking holder left is still whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One assumed role; whoever holds it signs with what it holds now.
pub(crate) struct Session {
    key: Key,
    state: Mutex<State>,
    /// Whose turn it is to ask STS.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    live: Option<Live>,
    failed: Option<(Timestamp, Fault)>,
}

struct Live {
    credentials: Credentials,
    term: Term,
}

impl Session {
    fn new(key: Key) -> Self {
        Self { key, state: Mutex::default(), turn: tokio::sync::Mutex::default() }
    }

    fn standing(&self, now: Timestamp) -> Standing {
        lock(&self.state).live.as_ref().map_or(Standing::Over, |live| live.term.standing(now))
    }

    /// Sees to it that it holds credentials that are good for a call.
    async fn ready(&self, clock: &dyn Clock, by: &dyn Renew) -> Result<(), Fault> {
        match self.standing(clock.now()) {
            Standing::Good => Ok(()),
            Standing::Aging => match self.turn.try_lock() {
                Ok(_turn) if self.standing(clock.now()) == Standing::Aging => self.refresh(clock, by).await,
                // Somebody else is at it, or was: what is there is good.
                _ => Ok(()),
            },
            Standing::Over => {
                let _turn = self.turn.lock().await;
                let now = clock.now();
                if self.standing(now) != Standing::Over {
                    return Ok(());
                }
                match lock(&self.state).failed.clone() {
                    Some((until, fault)) if now < until => return Err(fault),
                    _ => {}
                }
                by.renew(self).await
            }
        }
    }

    /// A refresh that fails for a passing reason leaves what is there in use.
    async fn refresh(&self, clock: &dyn Clock, by: &dyn Renew) -> Result<(), Fault> {
        match by.renew(self).await {
            Err(fault @ Fault::Unreachable(_)) => Err(fault),
            Err(_) => {
                let again = clock.now() + REFRESH_AGAIN;
                if let Some(live) = &mut lock(&self.state).live {
                    live.term.refresh_at = again;
                }
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Holds what was issued from now on.
    fn keep(&self, credentials: Credentials, term: Term, now: Timestamp) -> Result<(), Fault> {
        *lock(&self.state) = State { live: Some(Live { credentials, term }), failed: None };
        if term.standing(now) == Standing::Over {
            tracing::warn!(account = %self.key.account, "a session was over when it came: compare the clocks");
            return Err(Fault::Broken);
        }
        Ok(())
    }

    /// Nobody asks again for a moment.
    fn failed(&self, fault: Fault, now: Timestamp) -> Fault {
        lock(&self.state).failed = Some((now + FAILED_FOR, fault.clone()));
        fault
    }

    fn held(&self) -> Option<Credentials> {
        lock(&self.state).live.as_ref().map(|live| live.credentials.clone())
    }

    /// Drops credentials that AWS does not take any more.
    pub(crate) fn spoil(&self) {
        lock(&self.state).live = None;
    }
}

/// Who asks for a session's credentials anew.
#[async_trait]
trait Renew: Send + Sync {
    /// One call; what was issued is in the session then.
    async fn renew(&self, session: &Session) -> Result<(), Fault>;
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("key", &self.key).finish_non_exhaustive()
    }
}

/// Signs with what the session holds: it is made ready before a call, so nothing waits in here.
#[derive(Debug)]
pub(crate) struct Signer(pub(crate) Arc<Session>);

impl ProvideCredentials for Signer {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let held = self.0.held();
        future::ProvideCredentials::ready(held.ok_or_else(|| CredentialsError::not_loaded("the session is over")))
    }
}

/// All sessions of one worker.
pub struct Sessions {
    settings: Settings,
    clock: Arc<dyn Clock>,
    issue: Arc<dyn Issue>,
    known: Mutex<BTreeMap<Key, Arc<Session>>>,
    aside: Mutex<BTreeMap<AccountId, (Timestamp, &'static str)>>,
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Sessions {
    pub(crate) fn new(settings: Settings, clock: Arc<dyn Clock>, issue: Arc<dyn Issue>) -> Self {
        Self { settings, clock, issue, known: Mutex::default(), aside: Mutex::default() }
    }

    /// The accounts that are set aside now, with their reasons.
    #[must_use]
    pub fn set_aside(&self) -> Vec<(AccountId, &'static str)> {
        let now = self.clock.now();
        let mut aside = lock(&self.aside);
        aside.retain(|_, (until, _)| now < *until);
        aside.iter().map(|(account, (_, reason))| (*account, *reason)).collect()
    }

    /// The session for a site; `None` where the hub's own credentials serve. It may not hold anything yet.
    pub(crate) fn of(&self, site: &Site, kind: Kind) -> Option<Arc<Session>> {
        if self.settings.own == Own::Directly(site.account) {
            return None;
        }
        let narrowed_to = (kind == Kind::Acting).then(|| site.region.clone());
        let key = Key { account: site.account, narrowed_to };
        let now = self.clock.now();
        let mut known = lock(&self.known);
        if !known.contains_key(&key) {
            // The table is as large as what is in use: what is over and held by nobody goes when another comes.
            known.retain(|_, s| Arc::strong_count(s) > 1 || s.standing(now) != Standing::Over);
        }
        Some(Arc::clone(known.entry(key.clone()).or_insert_with(|| Arc::new(Session::new(key)))))
    }

    /// Sees to it that a session holds credentials that are good for a call.
    pub(crate) async fn ready(&self, session: &Session) -> Result<(), Fault> {
        self.not_aside(session.key.account, self.clock.now())?;
        session.ready(&*self.clock, self).await
    }

    fn not_aside(&self, account: AccountId, now: Timestamp) -> Result<(), Fault> {
        match lock(&self.aside).get(&account) {
            Some((until, reason)) if now < *until => Err(Fault::Unreachable(reason)),
            Some(_) | None => Ok(()),
        }
    }
}

#[async_trait]
impl Renew for Sessions {
    async fn renew(&self, session: &Session) -> Result<(), Fault> {
        let Key { account, narrowed_to } = &session.key;
        // Whoever had the turn before may have been refused.
        self.not_aside(*account, self.clock.now())?;
        let ask = Ask {
            account: *account,
            role: self.settings.role.arn(*account),
            name: format!("spothub@{}", self.settings.home),
            external_id: self.settings.external_id.clone(),
            policy: narrowed_to.as_ref().map(policy::narrowed),
            region: narrowed_to.clone().unwrap_or_else(|| self.settings.home.clone()),
        };
        let answer = self.issue.issue(&ask).await;
        let now = self.clock.now();
        match answer {
            Ok(issued) => {
                let noise = term::noise(self.settings.noise, *account, now);
                session.keep(issued.credentials, Term::new(now, issued.expires, noise), now)
            }
            Err(Refused::Account(reason)) => {
                tracing::warn!(account = %account, reason, "an account is set aside");
                lock(&self.aside).insert(*account, (now + ASIDE_FOR, reason));
                Err(Fault::Unreachable(reason))
            }
            Err(Refused::Call(fault)) => Err(session.failed(fault, now)),
        }
    }
}
