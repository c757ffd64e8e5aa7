//! Reads YAML with positions, and collects every mistake instead of stopping at the first.
//!
//! Knows no key of any file: who reads a file names its keys, and what was not asked for is a mistake. Aliases,
//! anchors and tags are refused, so no file is larger inside than outside.

mod fields;
mod nearest;
mod parse;
mod problem;
#[cfg(test)]
mod tests;
mod value;

use std::cell::RefCell;
use std::fmt::Display;

pub use fields::{At, Fields};
pub use nearest::nearest;
pub use problem::{Problem, Problems};
pub use value::{Read, digits_of_account, span};

/// The largest file that is read: the policy of 10,000 groups with a rule for each has about half of it, and a larger
/// one is a mistake (a log, an archive) that would only cost memory.
pub const BYTES_MAX: usize = 1 << 20;

/// The deepest nesting that is read: our own files have seven levels.
pub const DEPTH_MAX: usize = 32;

/// Mistakes that are kept of one file: nobody reads more at once, and a wrong kind of file has one in every line.
pub const PROBLEMS_MAX: usize = 100;

/// A place in a file, both counted from 1; the column in characters.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub struct Mark {
    /// The line.
    pub line: usize,
    /// The character in it.
    pub column: usize,
}

impl Mark {
    /// The first character of a file.
    pub const START: Self = Self { line: 1, column: 1 };
}

/// One value of the tree, and where it begins.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Node {
    /// Where it begins.
    pub at: Mark,
    /// What it is.
    pub value: Value,
}

/// What a node can be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Value {
    /// A single value as it is written, without its quotes.
    Scalar {
        /// The text.
        text: String,
        /// It stands without quotes.
        plain: bool,
    },
    /// Values one after the other.
    List(Vec<Node>),
    /// Values by key, in the order of the file; no key twice.
    Map(Vec<(Key, Node)>),
    /// Something refused, whose mistake is already noted.
    Refused,
}

/// A key of a map.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Key {
    /// Where it begins.
    pub at: Mark,
    /// Its text.
    pub text: String,
}

impl Node {
    /// The value under a key, where this is a map that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        let Value::Map(entries) = &self.value else { return None };
        entries.iter().find(|(k, _)| k.text == key).map(|(_, node)| node)
    }

    /// The values of a list; none where this is no list.
    #[must_use]
    pub fn items(&self) -> &[Self] {
        if let Value::List(items) = &self.value { items } else { &[] }
    }
}

/// A file being read: its text, and the mistakes found so far.
#[derive(Debug)]
pub struct Reading<'t> {
    file: &'t str,
    text: &'t str,
    found: RefCell<Vec<Problem>>,
}

impl<'t> Reading<'t> {
    /// Begins to read; `file` is how messages name it.
    #[must_use]
    pub fn new(file: &'t str, text: &'t str) -> Self {
        Self { file, text, found: RefCell::new(Vec::new()) }
    }

    /// The tree, or as much of it as can be read; what is wrong is noted.
    #[must_use]
    pub fn parse(&self) -> Option<Node> {
        parse::parse(self)
    }

    /// Where the tree's values are read from.
    #[must_use]
    pub fn root<'a>(&'a self, node: &'a Node) -> At<'a> {
        At::new(self, String::new(), node)
    }

    /// Notes a mistake.
    pub fn note(&self, at: Mark, path: &str, what: impl Display, remedy: impl Display) {
        let problem = Problem { at, path: path.to_owned(), what: what.to_string(), remedy: remedy.to_string() };
        self.found.borrow_mut().push(problem);
    }

    /// The value if there was no mistake, else all mistakes.
    pub fn finish<T>(self, value: Option<T>) -> Result<T, Problems> {
        let found = self.found.into_inner();
        match value {
            Some(value) if found.is_empty() => Ok(value),
            _ => Err(Problems::new(self.file, self.text, found)),
        }
    }
}

/// The text of a file's bytes, or why it cannot be one.
pub fn decode(file: &str, bytes: Vec<u8>) -> Result<String, Problems> {
    if bytes.len() > BYTES_MAX {
        let what = format!("the file has {} bytes, more than the {BYTES_MAX} that are read", bytes.len());
        return Err(single(file, Mark::START, what, "split it, or check that it is the file you meant"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = String::from_utf8_lossy(&error.as_bytes()[..error.utf8_error().valid_up_to()]).into_owned();
        let line = good.matches('\n').count() + 1;
        let column = good.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        single(file, Mark { line, column }, "this byte is no UTF-8".to_owned(), "save the file as UTF-8")
    })
}

fn single(file: &str, at: Mark, what: String, remedy: &str) -> Problems {
    Problems::new(file, "", vec![Problem { at, path: String::new(), what, remedy: remedy.to_owned() }])
}
