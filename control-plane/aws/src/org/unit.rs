//! Organizational units by id and by name, and the paths that Organizations gives of an account.
//!
//! Knows spellings only; who calls whom is the directory's business.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use spothub_core::id::OuPath;

/// A root (`r-ab12`) or an organizational unit (`ou-ab12-cdef3456`).
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub struct UnitId(String);

/// A text that is no [`UnitId`].
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0:?} is no organizational unit: it is written as r-ab12 or ou-ab12-cdef3456")]
pub struct UnitIdError(String);

impl UnitId {
    /// Whether this is the organization's root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.starts_with("r-")
    }

    /// The id as AWS writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UnitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for UnitId {
    type Err = UnitIdError;
    fn from_str(text: &str) -> Result<Self, UnitIdError> {
        // AWS's own rule: 4 to 32 characters of the root's id, 8 to 32 of the unit's.
        let plain = |part: &str, least: usize| {
            (least..=32).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        };
        let good = match text.split('-').collect::<Vec<_>>()[..] {
            ["r", root] => plain(root, 4),
            ["ou", root, unit] => plain(root, 4) && plain(unit, 8),
            _ => false,
        };
        if good { Ok(Self(text.to_owned())) } else { Err(UnitIdError(text.chars().take(64).collect())) }
    }
}

/// Root and units above an account, from the top; the root first.
pub(super) type Chain = Vec<UnitId>;

/// Reads `o-1/r-2/ou-2-3/ou-2-4/123456789012/`; `None` where no root stands in it.
pub(super) fn chain(path: &str) -> Option<Chain> {
    let chain: Chain = path.split('/').filter_map(|part| part.parse().ok()).collect();
    chain.first().is_some_and(UnitId::is_root).then_some(chain)
}

/// The path by names that policies are written for. `None` where a name is missing, or the path is no path.
///
/// A slash within a name becomes an underscore: otherwise whoever may name a unit could place it under another's
/// policy.
pub(super) fn path(chain: &[UnitId], names: &BTreeMap<UnitId, String>) -> Option<OuPath> {
    let mut text = String::new();
    for unit in chain.iter().filter(|unit| !unit.is_root()) {
        let name = names.get(unit).filter(|name| !name.is_empty())?;
        text.push('/');
        text.push_str(&name.replace('/', "_"));
    }
    if text.is_empty() {
        text.push('/');
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_roots_and_units() {
        for good in ["r-ab12", "ou-ab12-cdef3456"] {
            assert_eq!(good.parse::<UnitId>().unwrap().as_str(), good);
        }
        for bad in
            ["", "r-", "r-AB12", "ou-ab12", "ou-ab12-cdef345", "o-a1b2c3d4e5", "123456789012", "ou-ab12-cdef3456-x"]
        {
            assert!(bad.parse::<UnitId>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn chains_come_from_the_top() {
        let cases = [
            ("o-a1b2c3d4e5/r-ab12/", Some(vec!["r-ab12"])),
            (
                "o-a1b2c3d4e5/r-ab12/ou-ab12-11111111/ou-ab12-22222222/123456789012/",
                Some(vec!["r-ab12", "ou-ab12-11111111", "ou-ab12-22222222"]),
            ),
            ("o-a1b2c3d4e5/r-ab12/ou-ab12-11111111", Some(vec!["r-ab12", "ou-ab12-11111111"])),
            ("ou-ab12-11111111/123456789012/", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let found = chain(text).map(|chain| chain.iter().map(ToString::to_string).collect::<Vec<_>>());
            assert_eq!(found, expected.map(|ids| ids.iter().map(ToString::to_string).collect()), "{text}");
        }
    }

    #[test]
    fn paths_are_made_of_names() {
        let chain = chain("o-1/r-ab12/ou-ab12-11111111/ou-ab12-22222222").unwrap();
        let named = |first: &str, second: &str| {
            let names = [(chain[1].clone(), first.to_owned()), (chain[2].clone(), second.to_owned())].into();
            path(&chain, &names).map(|path| path.to_string())
        };
        assert_eq!(named("prod", "web shop").as_deref(), Some("/prod/web shop"));
        assert_eq!(named("dev", "x/prod").as_deref(), Some("/dev/x_prod"), "a slash in a name opens no level");
        assert_eq!(named("prod", ""), None);
        assert_eq!(path(&chain[..1], &BTreeMap::new()).unwrap().as_str(), "/");
        assert_eq!(path(&chain, &BTreeMap::new()), None, "unknown is not the root");
    }
}
