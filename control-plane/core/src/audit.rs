//! The log of what was done, as chains: each row names the one before it by its digest, and what is written next names
//! the last. Whoever changes or removes a row has to change all that came after it, and what others have noted.
//!
//! A group's ends of swaps and rescues are one chain, headed in the group's record; what people did with the brakes is
//! another.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::brake::Brake;

/// Where a chain stands.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd, Serialize, Deserialize)]
pub struct Link {
    /// How many rows it has, the named one included.
    pub count: u64,
    /// SHA-256 of the named row's stored bytes, in lower-case hexadecimal digits.
    pub digest: String,
}

impl Link {
    /// The link to a row that comes after `before`.
    #[must_use]
    pub fn after(before: Option<&Self>, digest: String) -> Self {
        Self { count: before.map_or(0, |link| link.count) + 1, digest }
    }
}

/// What was done with a brake.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deed {
    /// It was set, or set anew.
    Pulled,
    /// It was released.
    Released,
}

/// A row of the chain of brakes.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct BrakeRow {
    /// Format of the item.
    pub format: u16,
    /// What was done.
    pub deed: Deed,
    /// Of which scope, by whom, when and why.
    pub brake: Brake,
    /// The row before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Link>,
}

/// What of a chain can be proven.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Walk {
    /// The links from the first row to the head, all of which fit.
    pub links: Vec<Link>,
    /// The link to which there is no row, or whose count does not fit: what came before it was changed or removed.
    pub broken: Option<Link>,
    /// Digests of rows to which nothing leads: written without a chain, or cut off from it.
    pub loose: Vec<String>,
}

/// Walks a chain from its head to its beginning. `rows` are all that there are, by their digests, each with what it
/// says came before it.
#[must_use]
pub fn walk(head: Option<&Link>, rows: &BTreeMap<String, Option<Link>>) -> Walk {
    let (mut links, mut next, mut left) = (Vec::new(), head, rows.clone());
    let mut broken = None;
    while let Some(link) = next {
        // Taken out, so that a chain that leads back to itself ends here.
        let fits =
            left.remove(&link.digest).is_some_and(|before| before.map_or(0, |link| link.count) + 1 == link.count);
        if !fits {
            broken = Some(link.clone());
            break;
        }
        links.push(link.clone());
        next = rows.get(&link.digest).and_then(Option::as_ref);
    }
    links.reverse();
    Walk { links, broken, loose: left.into_keys().collect() }
}

#[cfg(test)]
mod tests;
