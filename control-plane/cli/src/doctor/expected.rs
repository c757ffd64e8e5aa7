//! What is right: names, patterns and ages as this version's templates have them.

use serde_json::Value;
use spothub_core::time::Span;

use super::row::Check;

/// The version of the templates that belong to this program.
pub(crate) const TEMPLATE_VERSION: u32 = 1;
/// The tag of the member role that tells the template's version.
pub(super) const VERSION_TAG: &str = "spothub:template-version";
/// How a rule's description ends that tells it: `(template 1)`.
const VERSION_WORD: &str = "(template ";
/// The bus of a hub whose settings name none.
pub(super) const HUB_BUS: &str = "spothub";
/// Where members' rules put what they cannot forward.
pub(super) const DEAD_LETTERS: &str = "spothub-forward-dead";
/// The stack set of what stands in each region.
pub(super) const REGIONAL: &str = "spothub-member-regional";
/// The stack set of roles.
pub(super) const GLOBAL: &str = "spothub-member-global";

/// Patterns of the rules, one copy for templates and programs.
const EVENTS: &str = include_str!("../../../../member-stackset/events.json");

/// One of the three ways of events, the same in members and at the hub.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub(super) enum Way {
    Urgent,
    Normal,
    Probe,
}

impl Way {
    pub(super) const ALL: [Self; 3] = [Self::Urgent, Self::Normal, Self::Probe];

    /// Its word in names.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Urgent => "urgent",
            Self::Normal => "normal",
            Self::Probe => "probe",
        }
    }

    /// Its rules' name.
    pub(super) fn rule(self) -> String {
        format!("spothub-{}", self.word())
    }

    /// For how long a member's rule tries to forward: an older warning is of no use, an older probe is nobody's.
    pub(super) const fn age_max(self) -> Span {
        match self {
            Self::Urgent | Self::Probe => Span::secs(300),
            Self::Normal => Span::secs(3600),
        }
    }

    /// The pattern of its members' rules.
    pub(super) fn pattern(self) -> Value {
        events()[self.word()].clone()
    }

    pub(super) const fn member_check(self) -> Check {
        match self {
            Self::Urgent => Check::RuleUrgent,
            Self::Normal => Check::RuleNormal,
            Self::Probe => Check::RuleProbe,
        }
    }

    pub(super) const fn hub_check(self) -> Check {
        match self {
            Self::Urgent => Check::HubRuleUrgent,
            Self::Normal => Check::HubRuleNormal,
            Self::Probe => Check::HubRuleProbe,
        }
    }

    pub(super) const fn queue_check(self) -> Check {
        match self {
            Self::Urgent => Check::QueueUrgent,
            Self::Normal => Check::QueueNormal,
            Self::Probe => Check::QueueProbe,
        }
    }
}

fn events() -> Value {
    // A test reads them; without them every pattern would be told to be another.
    serde_json::from_str(EVENTS).unwrap_or_default()
}

/// The source of probes, as the member role may put it and as rules take it.
pub(super) const PROBE_SOURCE: &str = "spothub.probe";
/// Their detail-type.
pub(super) const PROBE_TYPE: &str = "Spothub Probe";

/// Whether two patterns say the same: order and blanks do not count.
pub(super) fn same(wanted: &Value, found: &str) -> bool {
    serde_json::from_str::<Value>(found).is_ok_and(|found| sorted(&found) == sorted(wanted))
}

/// A pattern with its lists in one order: each is a set of alternatives.
fn sorted(pattern: &Value) -> Value {
    match pattern {
        Value::Object(map) => Value::Object(map.iter().map(|(key, value)| (key.clone(), sorted(value))).collect()),
        Value::Array(all) => {
            let mut all: Vec<Value> = all.iter().map(sorted).collect();
            all.sort_by_cached_key(Value::to_string);
            Value::Array(all)
        }
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => other.clone(),
    }
}

/// The template's version that a description tells.
pub(super) fn version_in(description: &str) -> Option<u32> {
    let (_, rest) = description.rsplit_once(VERSION_WORD)?;
    rest.strip_suffix(')')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use serde_json::json;

    use super::*;

    #[test]
    fn every_way_has_a_pattern() {
        for way in Way::ALL {
            assert!(way.pattern().is_object(), "{}", way.word());
        }
        let probe = Way::Probe.pattern();
        assert_eq!(probe["source"], json!([PROBE_SOURCE]));
        assert!(probe["detail-type"].is_null() || probe["detail-type"] == json!([PROBE_TYPE]));
    }

    #[test]
    fn the_templates_have_this_version() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../member-stackset");
        for name in ["member-global.yaml", "member-regional.yaml", "hub.yaml"] {
            let text = fs::read_to_string(folder.join(name)).unwrap();
            let (_, rest) = text.split_once("spothub: {Version: ").unwrap();
            assert_eq!(rest.split('}').next().unwrap().parse(), Ok(TEMPLATE_VERSION), "{name}");
        }
    }

    #[test]
    fn patterns_are_compared_as_sets() {
        let wanted = json!({"source": ["aws.ec2", "aws.autoscaling"], "detail": {"state": ["running"]}});
        assert!(same(&wanted, r#"{"detail":{"state":["running"]},  "source":["aws.autoscaling","aws.ec2"]}"#));
        for other in [
            r#"{"source":["aws.ec2"],"detail":{"state":["running"]}}"#,
            r#"{"source":["aws.ec2","aws.autoscaling"]}"#,
            r#"{"source":["aws.ec2","aws.autoscaling"],"detail":{"state":["running","stopped"]}}"#,
            "{",
            "",
        ] {
            assert!(!same(&wanted, other), "{other}");
        }
    }

    #[test]
    fn versions_stand_at_the_end() {
        assert_eq!(version_in("Forwards warnings to the hub (template 12)"), Some(12));
        for none in ["", "(template 1) and more", "(template x)", "template 1"] {
            assert_eq!(version_in(none), None, "{none}");
        }
    }
}
