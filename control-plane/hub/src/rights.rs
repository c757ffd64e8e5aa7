//! What the member role may do, as far as it has to be asked: whose role an instance profile gives.

use std::collections::BTreeMap;

use spothub_core::fault::Fault;
use spothub_core::group::GroupView;
use spothub_core::id::{AccountId, ProfileName, Site};
use spothub_core::port::{Cause, TemplateFacts};
use spothub_core::rights::{Given, Passable};
use spothub_core::time::{Span, Timestamp};

use crate::engine::Engine;

/// A profile's role is asked for again after so long: owners change it with their stacks.
const KNOWN_FOR: Span = Span::hours(1);
/// Where nobody knows it, it is asked for sooner: somebody may be mending it.
const UNKNOWN_FOR: Span = Span::mins(15);
/// Profiles that are remembered: more than any organization uses at once, in some megabytes.
const PROFILES_MAX: usize = 20_000;

/// Roles of instance profiles, and until when they are believed.
#[derive(Debug, Default)]
pub(crate) struct Profiles(BTreeMap<(AccountId, ProfileName), (Timestamp, Given)>);

impl Profiles {
    fn remember(&mut self, key: (AccountId, ProfileName), given: Given, now: Timestamp) {
        if self.0.len() >= PROFILES_MAX {
            self.0.retain(|_, (until, _)| now < *until);
        }
        if self.0.len() >= PROFILES_MAX {
            self.0.clear();
        }
        let until = now + if given == Given::Unknown { UNKNOWN_FOR } else { KNOWN_FOR };
        self.0.insert(key, (until, given));
    }

    fn of(&self, key: &(AccountId, ProfileName), now: Timestamp) -> Option<Given> {
        self.0.get(key).filter(|(until, _)| now < *until).map(|(_, given)| given.clone())
    }
}

impl Engine {
    /// The role of the profile that a template gives, where it was asked for and is still believed at `now`.
    pub(crate) fn role_of(&self, site: &Site, facts: &TemplateFacts, now: Timestamp) -> Option<Given> {
        let profile = facts.profile.clone()?;
        self.memory().profiles.of(&(site.account, profile), now)
    }

    /// Asks for the role of a profile. One that may not be asked for is one that nobody knows, and says nothing of the
    /// account's other calls.
    pub(crate) async fn ask_role(&self, site: &Site, profile: &ProfileName) -> Result<(), Fault> {
        let given = match self.ports.look.profile(site, profile, Cause::default()).await {
            Ok(role) => role.map_or(Given::Unknown, Given::Role),
            Err(Fault::Denied(_) | Fault::Gone | Fault::Invalid(_)) => Given::Unknown,
            Err(fault) => return self.noting(site, Err(fault)),
        };
        let now = self.now();
        self.memory().profiles.remember((site.account, profile.clone()), given, now);
        Ok(())
    }

    /// Reads ahead what a rescue would need to know, where it is not known and matters.
    pub(crate) async fn read_role(&self, view: &GroupView) -> Result<(), Fault> {
        let Some(template) = self.template_of(view).filter(|_| self.settings.rights.passable != Passable::Any) else {
            return Ok(());
        };
        match (&template.profile, self.role_of(&view.key.site, &template, Timestamp(i64::MIN))) {
            (Some(profile), None) => self.ask_role(&view.key.site, profile).await,
            _ => Ok(()),
        }
    }
}
