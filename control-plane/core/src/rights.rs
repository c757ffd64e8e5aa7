//! What the member role may do, where its installation narrows it.
//!
//! IAM refuses the rest. Whoever launches first and is refused afterwards leaves an instance behind, so the engine is
//! told the same limits, and holds what they forbid before anything is begun. What the engine is not told, IAM refuses
//! all the same.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::RoleArn;
use crate::policy::{ENABLED, glob};

/// On which groups IAM lets us act, by the tag `spothub:enabled`: the condition in the member role's policy.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GroupGuard {
    /// Only where it says `true`.
    OptInTag,
    /// Except where it says anything else than `true`.
    OptOutTag,
    /// On all.
    #[default]
    None,
}

impl GroupGuard {
    /// Every guard, by its word.
    pub const WORDS: [(&'static str, Self); 3] =
        [("opt-in-tag", Self::OptInTag), ("opt-out-tag", Self::OptOutTag), ("none", Self::None)];

    /// Its word.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::OptInTag => "opt-in-tag",
            Self::OptOutTag => "opt-out-tag",
            Self::None => "none",
        }
    }

    /// Whether IAM lets us act on a group with these tags; where it does not, what the tag says, if it is there.
    ///
    /// IAM compares values without regard to case and with every blank, and it finds tags without regard to the case of
    /// their keys. Where several differ in case alone, all of them must say what is asked for.
    pub fn permits(self, tags: &BTreeMap<String, String>) -> Result<(), Option<String>> {
        let said = || tags.iter().filter(|(key, _)| key.eq_ignore_ascii_case(ENABLED)).map(|(_, value)| value);
        let other = said().find(|value| !value.eq_ignore_ascii_case("true"));
        match (self, other) {
            (Self::OptInTag | Self::OptOutTag, Some(value)) => Err(Some(value.clone())),
            (Self::OptInTag, None) if !tags.contains_key(ENABLED) => Err(None),
            (Self::OptInTag | Self::OptOutTag | Self::None, _) => Ok(()),
        }
    }
}

/// A pattern of roles: an ARN in which `*` and `?` are wildcards, as in IAM policies, or a path with them, as `/app/*`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RolePattern(String);

impl RolePattern {
    /// Whether the role has this pattern. As in IAM, no wildcard reaches over a colon before the role's path.
    #[must_use]
    pub fn matches(&self, role: &RoleArn) -> bool {
        let fits = |pattern: &str, text: &str| glob::matches(pattern.as_bytes(), text.as_bytes());
        if self.0 == "*" {
            return true;
        }
        let role = role.as_str();
        if self.0.starts_with('/') {
            return role.split_once(":role").is_some_and(|(_, path)| fits(&self.0, path));
        }
        let (mut patterns, mut parts) = (self.0.splitn(6, ':'), role.splitn(6, ':'));
        (0..6).all(|_| patterns.next().zip(parts.next()).is_some_and(|(pattern, part)| fits(pattern, part)))
    }
}

impl fmt::Display for RolePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for RolePattern {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let arn = matches!(parts[..], ["arn", _, _, _, _, role] if role.starts_with("role/") || role.starts_with('*'));
        let plain = (1..=2048).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        if plain && (arn || text == "*" || text.starts_with('/')) {
            return Ok(Self(text.to_owned()));
        }
        Err(format!("{text:?} is no pattern of roles: arn:aws:iam::*:role/app/*, or a path as /app/*"))
    }
}

/// The roles of instance profiles that the member role may pass to newcomers.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Passable {
    /// All of them, as far as is known.
    #[default]
    Any,
    /// Those that have one of these patterns.
    Only(Vec<RolePattern>),
}

impl Passable {
    /// What a list of patterns says: one `*` is all.
    #[must_use]
    pub fn of(patterns: Vec<RolePattern>) -> Self {
        if patterns.iter().any(|pattern| pattern.0 == "*") { Self::Any } else { Self::Only(patterns) }
    }

    /// Whether this role may be passed.
    #[must_use]
    pub fn permits(&self, role: &RoleArn) -> bool {
        match self {
            Self::Any => true,
            Self::Only(patterns) => patterns.iter().any(|pattern| pattern.matches(role)),
        }
    }
}

/// Whose role an instance profile gives.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Given {
    /// This one.
    Role(RoleArn),
    /// There is no such profile, it has no role, or we may not ask: nobody knows, so it is none that may be passed.
    Unknown,
}

/// All of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rights {
    /// On which groups we may act.
    pub guard: GroupGuard,
    /// Whose profiles newcomers may have.
    pub passable: Passable,
    /// Whether anything may be launched without a launch template.
    pub launch_configurations: bool,
    /// Whether an instance that AWS takes back may be replaced by one on demand. Nothing launches any; where it may
    /// not, that is the group's own business for good.
    pub on_demand_fallback: bool,
    /// Whether container instances may be looked at and drained. No installation has it unless it was asked for.
    pub ecs_draining: bool,
}

impl Default for Rights {
    /// Nothing is known to be narrowed, and nothing more than that was asked for.
    fn default() -> Self {
        Self {
            guard: GroupGuard::None,
            passable: Passable::Any,
            launch_configurations: true,
            on_demand_fallback: true,
            ecs_draining: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_guard_reads_tags_as_iam_does() {
        type Pairs<'a> = &'a [(&'a str, &'a str)];
        let none: Pairs<'_> = &[];
        let rows: [(Pairs<'_>, bool, bool); 8] = [
            (none, false, true),
            (&[("spothub:enabled", "true")], true, true),
            (&[("spothub:enabled", "TRUE")], true, true),
            (&[("spothub:enabled", " true")], false, false),
            (&[("spothub:enabled", "false")], false, false),
            (&[("spothub:enabled", "")], false, false),
            // Keys are found without regard to case, and nobody knows which of two is taken.
            (&[("SpotHub:Enabled", "false"), ("spothub:enabled", "true")], false, false),
            (&[("SpotHub:Enabled", "true")], false, true),
        ];
        for (pairs, opted_in, not_out) in rows {
            let tags = tags(pairs);
            assert_eq!(GroupGuard::OptInTag.permits(&tags).is_ok(), opted_in, "{pairs:?}");
            assert_eq!(GroupGuard::OptOutTag.permits(&tags).is_ok(), not_out, "{pairs:?}");
            assert!(GroupGuard::None.permits(&tags).is_ok());
        }
        assert_eq!(GroupGuard::OptInTag.permits(&tags(none)), Err(None));
        assert_eq!(GroupGuard::OptOutTag.permits(&tags(&[("spothub:enabled", "no")])), Err(Some("no".to_owned())));
    }

    #[test]
    fn roles_are_found_by_arn_and_by_path() {
        let role: RoleArn = "arn:aws:iam::000000000042:role/app/web".parse().unwrap();
        for (pattern, found) in [
            ("*", true),
            ("arn:aws:iam::000000000042:role/app/web", true),
            ("arn:aws:iam::*:role/app/*", true),
            ("arn:aws:iam::*:role/*", true),
            ("arn:*:iam::00000000004?:role/app/we?", true),
            ("arn:aws:iam::*:role/App/*", false),
            ("arn:aws:iam::*:role/web", false),
            ("arn:aws:iam::000000000043:role/app/*", false),
            ("arn:aws-cn:iam::*:role/app/*", false),
            ("/app/*", true),
            ("/*", true),
            ("/web", false),
            ("/ap", false),
        ] {
            assert_eq!(pattern.parse::<RolePattern>().unwrap().matches(&role), found, "{pattern}");
        }
        for wrong in ["", "app", "arn:aws:iam::*:user/x", "arn:aws:iam::*", "/a b"] {
            assert!(wrong.parse::<RolePattern>().is_err(), "{wrong}");
        }
        assert_eq!(Passable::of(vec!["/a".parse().unwrap(), "*".parse().unwrap()]), Passable::Any);
        assert!(!Passable::of(Vec::new()).permits(&role));
    }
}
