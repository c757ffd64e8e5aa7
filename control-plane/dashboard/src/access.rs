//! Who may see and do what: the access file, which holds digests of tokens and never a token.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};
use spothub_core::id::AccountId;

/// People in one access file: an organization's operators and its teams; each may hold some sessions in memory.
pub(crate) const PEOPLE_MAX: usize = 1000;
/// Characters of a token: shorter ones could be guessed, since only their plain SHA-256 is kept.
pub(crate) const TOKEN_MIN: usize = 32;
/// Characters of a token that are looked at.
pub(crate) const TOKEN_MAX: usize = 256;

/// What somebody may do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Role {
    /// Sees everything.
    OrgViewer,
    /// Sees these accounts and nothing of others.
    AccountViewer(BTreeSet<AccountId>),
    /// Sees everything, and may pause and resume.
    Operator,
}

/// What somebody sees: answers are made once for all who see the same.
#[derive(Clone, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub enum Sight {
    /// Everything.
    All,
    /// These accounts.
    Accounts(BTreeSet<AccountId>),
}

impl Sight {
    /// Whether an account is seen.
    #[must_use]
    pub fn sees(&self, account: AccountId) -> bool {
        match self {
            Self::All => true,
            Self::Accounts(some) => some.contains(&account),
        }
    }
}

impl Role {
    /// What it sees.
    #[must_use]
    pub fn sight(&self) -> Sight {
        match self {
            Self::OrgViewer | Self::Operator => Sight::All,
            Self::AccountViewer(some) => Sight::Accounts(some.clone()),
        }
    }

    /// Whether it may pull and release brakes.
    #[must_use]
    pub const fn operates(&self) -> bool {
        match self {
            Self::Operator => true,
            Self::OrgViewer | Self::AccountViewer(_) => false,
        }
    }

    /// The stable label.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::OrgViewer => "org-viewer",
            Self::AccountViewer(_) => "account-viewer",
            Self::Operator => "operator",
        }
    }
}

/// Somebody who may sign in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Person {
    /// As it stands on brakes.
    pub name: String,
    /// What is allowed.
    pub role: Role,
}

/// Everybody who may sign in, by the digest of their token.
#[derive(Clone, Debug, Default)]
pub struct Access(BTreeMap<[u8; 32], Person>);

impl Access {
    /// Reads an access file: a line for each person, `NAME ROLE SHA256 [ACCOUNT,...]`; `#` begins a comment.
    ///
    /// Gives all mistakes at once, each with its line. A file without anybody is one.
    pub fn parse(text: &str) -> Result<Self, Vec<String>> {
        let (mut people, mut names, mut mistakes) = (BTreeMap::new(), BTreeSet::new(), Vec::new());
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.split('#').next().unwrap_or("").trim();
            if line.is_empty() {
                continue;
            }
            match person(line) {
                Ok((digest, person)) => {
                    if !names.insert(person.name.clone()) {
                        mistakes.push(format!("line {number}: {:?} is there twice", person.name));
                    }
                    if people.insert(digest, person).is_some() {
                        mistakes.push(format!("line {number}: this token is somebody else's already"));
                    }
                }
                Err(why) => mistakes.push(format!("line {number}: {why}")),
            }
        }
        if people.is_empty() && mistakes.is_empty() {
            mistakes.push("nobody is listed".to_owned());
        }
        if people.len() > PEOPLE_MAX {
            mistakes.push(format!("{} people are listed, and {PEOPLE_MAX} is the most", people.len()));
        }
        if mistakes.is_empty() { Ok(Self(people)) } else { Err(mistakes) }
    }

    /// Whose token this is. Looked up by its digest: how long that takes tells nothing of any token.
    #[must_use]
    pub fn who(&self, token: &str) -> Option<&Person> {
        let good = (TOKEN_MIN..=TOKEN_MAX).contains(&token.len());
        self.0.get(&digest(token.as_bytes())).filter(|_| good)
    }
}

/// SHA-256.
pub(crate) fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

fn person(line: &str) -> Result<([u8; 32], Person), String> {
    let mut parts = line.split_whitespace();
    let (Some(name), Some(role), Some(digest)) = (parts.next(), parts.next(), parts.next()) else {
        return Err("write NAME ROLE SHA256, and for an account-viewer its accounts".to_owned());
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.@+".contains(c);
    if name.len() > 64 || !name.chars().all(plain) {
        return Err(format!("{name:?} is no name: at most 64 letters, digits and -_.@+"));
    }
    let accounts = parts.next();
    let role = match (role, accounts) {
        ("org-viewer", None) => Role::OrgViewer,
        ("operator", None) => Role::Operator,
        ("account-viewer", Some(list)) => {
            let read = |id: &str| id.parse::<AccountId>().map_err(|_| format!("{id:?} is no account"));
            Role::AccountViewer(list.split(',').map(read).collect::<Result<_, _>>()?)
        }
        ("account-viewer", None) => return Err("name the accounts, with commas between them".to_owned()),
        ("org-viewer" | "operator", Some(more)) => return Err(format!("{more:?}: this role takes no accounts")),
        (other, _) => return Err(format!("{other:?} is no role: org-viewer, account-viewer or operator")),
    };
    if let Some(more) = parts.next() {
        return Err(format!("{more:?} is one too many"));
    }
    let digest = unhex(digest).ok_or("the third is the token's SHA-256: 64 hexadecimal digits")?;
    Ok((digest, Person { name: name.to_owned(), role }))
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 32];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(bytes)
}

/// Hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |four: u8| char::from_digit(u32::from(four), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
