//! One finding: what was checked where, how it stands, what was found and what to do about it.

use serde::{Serialize, Serializer};
use spothub_core::fault::Fault;
use spothub_core::id::{AccountId, Region, Site};
use spothub_core::time::Span;

use crate::output::remedy;

/// Defines the list: a variant and its stable label.
macro_rules! checks {
    ($($variant:ident = $label:literal;)+) => {
        /// Everything that is checked, in the order in which it is told: the hub, accounts, and their regions.
        #[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
        pub(crate) enum Check {
            $(#[doc = concat!("`", $label, "`")] $variant,)+
        }

        impl Check {
            /// Every check.
            #[cfg(test)]
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable label.
            pub(crate) const fn label(self) -> &'static str {
                match self {
                    $(Self::$variant => $label,)+
                }
            }
        }
    };
}

checks! {
    Identity = "hub-identity";
    Clock = "clock";
    Directory = "directory";
    QueueUrgent = "queue-urgent";
    QueueNormal = "queue-normal";
    QueueProbe = "queue-probe";
    HubRuleUrgent = "hub-rule-urgent";
    HubRuleNormal = "hub-rule-normal";
    HubRuleProbe = "hub-rule-probe";
    HubVersion = "hub-version";
    Store = "store";
    Brake = "brake";
    Policy = "policy";
    Fallback = "on-demand-fallback";
    Enrolment = "enrolment";
    Role = "role";
    ExternalId = "external-id";
    RoleVersion = "role-version";
    SpotRole = "spot-role";
    ScalingRole = "auto-scaling-role";
    Region = "region";
    RuleUrgent = "rule-urgent";
    RuleNormal = "rule-normal";
    RuleProbe = "rule-probe";
    RulesVersion = "rules-version";
    DeadLetters = "dead-letters";
    Probe = "probe";
    Quota = "spot-quota";
    Groups = "groups";
    IamGuard = "iam-guard";
    LaunchConfiguration = "launch-configuration-not-allowed";
    PassRole = "profile-not-passable";
}

impl Serialize for Check {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.label())
    }
}

/// How something stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    /// As it should be.
    Ok,
    /// It works, and somebody should know.
    Warning,
    /// It is not there, or not as it should be: something does not work without it.
    Missing,
    /// It could not be found out.
    Unknown,
}

impl State {
    /// All of them, in the order of columns.
    pub(crate) const ALL: [Self; 4] = [Self::Ok, Self::Warning, Self::Missing, Self::Unknown];

    /// The stable label.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Missing => "missing",
            Self::Unknown => "unknown",
        }
    }
}

/// Where it was looked: the hub, an account, or a region of it.
#[derive(Clone, Debug, Default, Eq, PartialEq, Ord, PartialOrd, Serialize)]
pub(crate) struct Place {
    pub(crate) account: Option<AccountId>,
    pub(crate) region: Option<Region>,
}

impl Place {
    /// The hub.
    pub(crate) const HUB: Self = Self { account: None, region: None };
}

impl From<AccountId> for Place {
    fn from(account: AccountId) -> Self {
        Self { account: Some(account), region: None }
    }
}

impl From<&Site> for Place {
    fn from(site: &Site) -> Self {
        Self { account: Some(site.account), region: Some(site.region.clone()) }
    }
}

/// Whose rights a refused call lacks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Whose {
    Hub,
    Member,
}

/// One finding.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub(crate) struct Row {
    pub(crate) check: Check,
    #[serde(flatten)]
    pub(crate) place: Place,
    pub(crate) state: State,
    /// What was found, in words.
    pub(crate) found: String,
    /// What to do about it; there wherever the state is not `ok`.
    pub(crate) remedy: Option<String>,
    /// From sending a probe to receiving it, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) latency_ms: Option<i64>,
    /// Good, and all the same told in the table.
    #[serde(skip)]
    pub(crate) told: bool,
}

impl Row {
    fn new(check: Check, place: Place, state: State, found: String, remedy: Option<String>) -> Self {
        Self { check, place, state, found, remedy, latency_ms: None, told: false }
    }

    /// As it should be.
    pub(crate) fn ok(check: Check, place: impl Into<Place>, found: impl Into<String>) -> Self {
        Self::new(check, place.into(), State::Ok, found.into(), None)
    }

    /// As it should be, and to be told of.
    pub(crate) fn told(check: Check, place: impl Into<Place>, found: impl Into<String>) -> Self {
        Self { told: true, ..Self::ok(check, place, found) }
    }

    /// A probe that came back.
    pub(crate) fn came(place: impl Into<Place>, after: Span) -> Self {
        let found = format!("came after {} ms", after.0);
        Self { latency_ms: Some(after.0), ..Self::ok(Check::Probe, place, found) }
    }

    /// It works, and somebody should know.
    pub(crate) fn warning(
        check: Check,
        place: impl Into<Place>,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::new(check, place.into(), State::Warning, found.into(), Some(remedy.into()))
    }

    /// Something does not work without it.
    pub(crate) fn missing(
        check: Check,
        place: impl Into<Place>,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::new(check, place.into(), State::Missing, found.into(), Some(remedy.into()))
    }

    /// It could not be found out.
    pub(crate) fn unknown(
        check: Check,
        place: impl Into<Place>,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::new(check, place.into(), State::Unknown, found.into(), Some(remedy.into()))
    }

    /// It could not be found out, since a call failed.
    pub(crate) fn failed(check: Check, place: impl Into<Place>, fault: &Fault, whose: Whose) -> Self {
        let remedy = match (fault, whose) {
            (Fault::Denied(action), Whose::Member) => format!(
                "allow {action} to the member role: this version's template does; or look for a control policy that \
                 forbids it"
            ),
            (Fault::Denied(action), Whose::Hub) => format!(
                "allow {action} to whoever runs this: the hub's role has it, so give hub-role in the settings, or run \
                 it as the hub"
            ),
            (fault, _) => remedy::of(fault.label()).to_owned(),
        };
        Self::unknown(check, place, fault.to_string(), remedy)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;

    #[test]
    fn labels_are_plain_and_stand_once() {
        let labels: BTreeSet<&str> = Check::ALL.iter().map(|check| check.label()).collect();
        assert_eq!(labels.len(), Check::ALL.len());
        assert!(labels.iter().all(|label| label.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')), "{labels:?}");
        for state in State::ALL {
            assert_eq!(json!(state), state.label());
        }
    }

    #[test]
    fn rows_have_stable_names() {
        let site = Site { account: "000000000001".parse().unwrap(), region: "eu-west-1".parse().unwrap() };
        assert_eq!(
            json!(Row::missing(Check::RuleUrgent, &site, "absent", "make it")),
            json!({"check": "rule-urgent", "account": "000000000001", "region": "eu-west-1", "state": "missing",
                "found": "absent", "remedy": "make it"})
        );
        assert_eq!(
            json!(Row::ok(Check::Clock, Place::HUB, "0 s")),
            json!({"check": "clock", "account": null, "region": null, "state": "ok", "found": "0 s", "remedy": null})
        );
        assert_eq!(json!(Row::came(&site, Span::millis(412)))["latency_ms"], 412);
    }

    #[test]
    fn a_refused_call_says_whose_right_it_is() {
        let place: AccountId = "000000000001".parse().unwrap();
        let row = |whose| Row::failed(Check::RoleVersion, place, &Fault::Denied("iam:GetRole"), whose);
        assert!(row(Whose::Member).remedy.unwrap().contains("iam:GetRole to the member role"));
        assert!(row(Whose::Hub).remedy.unwrap().contains("hub-role"));
        let row = Row::failed(Check::Role, place, &Fault::Throttled { after: None }, Whose::Member);
        assert_eq!((row.state, row.remedy.as_deref()), (State::Unknown, Some(remedy::of("throttled"))));
    }
}
