//! Who is signed in. In memory only: a restart signs everybody out.

use std::collections::BTreeMap;

use spothub_core::time::{Span, Timestamp};

use crate::access::{Person, digest, hex};

/// A working day: then one signs in again.
const LIFE: Span = Span::hours(12);
/// Sessions of one person: some browsers and machines. One more ends the oldest of that person, and nobody else's.
const EACH_MAX: usize = 10;

/// One of them.
#[derive(Clone, Debug)]
pub struct Session {
    /// Who.
    pub person: Person,
    /// What a request that changes something has to carry beside the cookie.
    pub csrf: String,
    until: Timestamp,
}

/// All of them, by the digest of their cookie: who reads this memory's dump finds no cookie.
#[derive(Debug, Default)]
pub struct Sessions(BTreeMap<[u8; 32], Session>);

impl Sessions {
    /// Signs somebody in; gives the cookie's value. `chance` are two fresh random numbers.
    pub fn begin(&mut self, person: Person, now: Timestamp, chance: [[u8; 32]; 2]) -> String {
        self.0.retain(|_, one| now < one.until);
        let theirs = || self.0.iter().filter(|(_, one)| one.person.name == person.name);
        if theirs().count() >= EACH_MAX {
            let oldest = theirs().min_by_key(|(_, one)| one.until).map(|(key, _)| *key);
            oldest.and_then(|key| self.0.remove(&key));
        }
        let cookie = hex(&chance[0]);
        let session = Session { person, csrf: hex(&chance[1]), until: now + LIFE };
        self.0.insert(digest(cookie.as_bytes()), session);
        cookie
    }

    /// Whose cookie this is.
    #[must_use]
    pub fn who(&self, cookie: &str, now: Timestamp) -> Option<&Session> {
        self.0.get(&digest(cookie.as_bytes())).filter(|one| now < one.until)
    }

    /// Signs out.
    pub fn end(&mut self, cookie: &str) {
        self.0.remove(&digest(cookie.as_bytes()));
    }
}
