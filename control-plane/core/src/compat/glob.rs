//! Patterns for names of instance types.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Longest pattern, in characters; the longest type name has 20.
const LENGTH_MAX: usize = 64;

/// A pattern such as `m5.*` or `c?.large`: `*` is any text, `?` any one character.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TypeGlob(Arc<str>);

/// Why a text is no pattern for types.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum GlobError {
    /// Nothing at all matches no type; `*` matches every one.
    #[error("a type pattern is not empty (* matches every type)")]
    Empty,
    /// Longer than any type's name can be.
    #[error("a type pattern has at most {LENGTH_MAX} characters, not {length}")]
    TooLong {
        /// Its length, in characters.
        length: usize,
    },
    /// A character that no type's name has.
    #[error("{found:?} at character {position} of type pattern {text:?}: only a-z, 0-9, '.', '-', '*' and '?'")]
    Character {
        /// The whole pattern.
        text: String,
        /// The character.
        found: char,
        /// Where it stands, from 1.
        position: usize,
    },
}

impl TypeGlob {
    /// The pattern as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a type's name fits, from its first to its last character.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let (pattern, name) = (self.0.as_bytes(), name.as_bytes());
        let (mut p, mut n) = (0, 0);
        // Where to go back to: behind the last star, and how much of the name it has swallowed.
        let mut star: Option<(usize, usize)> = None;
        while n < name.len() {
            match pattern.get(p) {
                Some(b'*') => {
                    p += 1;
                    star = Some((p, n));
                }
                Some(&byte) if byte == b'?' || byte == name[n] => {
                    p += 1;
                    n += 1;
                }
                Some(_) | None => {
                    let Some((behind, swallowed)) = star else { return false };
                    star = Some((behind, swallowed + 1));
                    (p, n) = (behind, swallowed + 1);
                }
            }
        }
        pattern[p..].iter().all(|byte| *byte == b'*')
    }
}

impl fmt::Display for TypeGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for TypeGlob {
    type Err = GlobError;
    fn from_str(text: &str) -> Result<Self, GlobError> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-*?".contains(c);
        let length = text.chars().count();
        if length == 0 {
            return Err(GlobError::Empty);
        }
        if length > LENGTH_MAX {
            return Err(GlobError::TooLong { length });
        }
        match text.chars().zip(1..).find(|(c, _)| !allowed(*c)) {
            Some((found, position)) => Err(GlobError::Character { text: text.to_owned(), found, position }),
            None => Ok(Self(text.into())),
        }
    }
}

impl TryFrom<String> for TypeGlob {
    type Error = GlobError;
    fn try_from(text: String) -> Result<Self, GlobError> {
        text.parse()
    }
}

impl From<TypeGlob> for String {
    fn from(glob: TypeGlob) -> Self {
        glob.0.as_ref().to_owned()
    }
}
