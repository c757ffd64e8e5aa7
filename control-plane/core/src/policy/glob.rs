//! Patterns for names of groups and values of tags.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A pattern of group names or tag values: `*` for any run of characters, `?` for one.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NameGlob(String);

impl FromStr for NameGlob {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.chars().count() > 255 {
            return Err(format!("{text:?} is no pattern: 1 to 255 characters"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for NameGlob {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<NameGlob> for String {
    fn from(glob: NameGlob) -> Self {
        glob.0
    }
}

impl fmt::Display for NameGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl NameGlob {
    /// Whether `name` has this pattern.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        matches(self.0.as_bytes(), name.as_bytes())
    }

    /// The texts between its wildcards, which stand in every name that has it.
    pub(super) fn literals(&self) -> impl Iterator<Item = &str> {
        self.0.split(['*', '?'])
    }

    /// The one name that has it, where it has no wildcard.
    pub(super) fn whole(&self) -> Option<&str> {
        if self.0.contains(['*', '?']) { None } else { Some(&self.0) }
    }

    /// Whether some name has both patterns.
    #[must_use]
    pub fn meets(&self, other: &Self) -> bool {
        meets(&self.0.chars().collect::<Vec<_>>(), &other.0.chars().collect::<Vec<_>>())
    }

    /// Whether every name that has `other` has this pattern too, as far as that is plain: the two are equal, this is
    /// `*`, or `other` is a whole name.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self == other || self.0.bytes().all(|b| b == b'*') || (!other.0.contains(['*', '?']) && self.matches(&other.0))
    }
}

/// Linear in both lengths but for one remembered star: no pattern makes it slow. A `?` stands for one character,
/// however many bytes it has.
pub(crate) fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if p < pattern.len() && pattern[p] == b'*' {
            star = Some((p, t));
            p += 1;
        } else if p < pattern.len() && pattern[p] == b'?' {
            p += 1;
            t += width(text[t]);
        } else if p < pattern.len() && pattern[p] == text[t] {
            p += 1;
            t += 1;
        } else if let Some((sp, st)) = star {
            let next = st + width(text[st]);
            star = Some((sp, next));
            p = sp + 1;
            t = next;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|&b| b == b'*')
}

/// Bytes of the character that begins with this byte.
const fn width(first: u8) -> usize {
    match first {
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xff => 4,
        _ => 1,
    }
}

/// Both patterns read side by side; at most the product of their lengths in steps.
fn meets(one: &[char], other: &[char]) -> bool {
    let mut open = vec![false; other.len() + 1];
    open[0] = true;
    let run = |row: &mut Vec<bool>| {
        for j in 0..other.len() {
            row[j + 1] |= row[j] && other[j] == '*';
        }
    };
    run(&mut open);
    for &here in one {
        let mut next = vec![false; other.len() + 1];
        for j in 0..=other.len() {
            if here == '*' {
                // It stands for nothing, or swallows what the other one has.
                next[j] |= open[j];
                if j > 0 {
                    next[j] |= next[j - 1];
                }
                continue;
            }
            if j < other.len() && open[j] {
                if other[j] == '*' {
                    next[j] = true;
                } else if here == '?' || other[j] == '?' || here == other[j] {
                    next[j + 1] = true;
                }
            }
            if j > 0 && other[j - 1] == '*' && open[j] {
                next[j] = true;
            }
        }
        run(&mut next);
        open = next;
    }
    open[other.len()]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn glob(text: &str) -> NameGlob {
        text.parse().unwrap()
    }

    #[test]
    fn globs() {
        let is = |p: &str, t: &str| glob(p).matches(t);
        assert!(is("web-*", "web-1") && is("*", "") && is("a?c", "abc") && is("*b*", "abc") && is("a*b*c", "aXbYbZc"));
        assert!(!is("web-*", "db-1") && !is("a?c", "ac") && !is("*b", "abc"));
        assert!(is("a?c", "aäc") && is("*ä?", "xä🦀") && !is("a??c", "aäc"));
    }

    #[test]
    fn what_two_patterns_share() {
        for (one, other, share) in [
            ("web-*", "*-prod", true),
            ("web-*", "db-*", false),
            ("a?c", "a*", true),
            ("a", "b*", false),
            ("*", "x", true),
            ("a*b", "a*c", false),
            ("?*", "*", true),
            ("ab", "a?", true),
            ("a*", "*b*c", true),
            ("abc", "abcd", false),
        ] {
            assert_eq!(glob(one).meets(&glob(other)), share, "{one} {other}");
            assert_eq!(glob(other).meets(&glob(one)), share, "{other} {one}");
        }
    }

    proptest! {
        #[test]
        fn a_name_that_has_both_patterns_shows_that_they_meet(
            one in "[ab*?]{1,6}", other in "[ab*?]{1,6}", name in "[ab]{0,5}",
        ) {
            let (one, other) = (glob(&one), glob(&other));
            if one.matches(&name) && other.matches(&name) {
                prop_assert!(one.meets(&other));
            }
            if one.covers(&other) && other.matches(&name) {
                prop_assert!(one.matches(&name));
            }
        }

        #[test]
        fn patterns_that_meet_share_a_short_name(one in "[ab*?]{1,4}", other in "[ab*?]{1,4}") {
            let (one, other) = (glob(&one), glob(&other));
            // A shared name needs no more characters than both patterns have together.
            let mut names = vec![String::new()];
            let mut from = 0;
            for _ in 0..8 {
                let until = names.len();
                for index in from..until {
                    for letter in ["a", "b"] {
                        names.push(format!("{}{letter}", names[index]));
                    }
                }
                from = until;
            }
            let shared = names.iter().any(|name| one.matches(name) && other.matches(name));
            prop_assert_eq!(one.meets(&other), shared);
        }
    }
}
