//! Typed access to the tree: each getter notes what is wrong and goes on.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use super::{Key, Node, Read, Reading, Value, nearest};

/// Words that a message lists: more of them hide the message.
const WORDS_SHOWN: usize = 10;

/// A path with one more key.
pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// One value, where it stands, and whom to tell what is wrong with it.
#[derive(Clone, Debug)]
pub struct At<'a> {
    reading: &'a Reading<'a>,
    path: String,
    node: &'a Node,
}

impl<'a> At<'a> {
    pub(super) fn new(reading: &'a Reading<'a>, path: String, node: &'a Node) -> Self {
        Self { reading, path, node }
    }

    /// The value as it stands in the tree.
    #[must_use]
    pub fn node(&self) -> &'a Node {
        self.node
    }

    /// How messages name the file.
    #[must_use]
    pub fn file(&self) -> &'a str {
        self.reading.file
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What a reader makes of this value's key, as if the key were the value.
    pub fn named<T>(&self, key: &Key, read: impl FnOnce(&At<'_>) -> Option<T>) -> Option<T> {
        let node = Node { at: key.at, value: Value::Scalar { text: key.text.clone(), plain: false } };
        read(&At { reading: self.reading, path: self.path.clone(), node: &node })
    }

    /// Notes a mistake of this value; always `None`, so that a getter can end with it.
    pub fn fail<T>(&self, what: impl Display, remedy: impl Display) -> Option<T> {
        self.reading.note(self.node.at, &self.path, what, remedy);
        None
    }

    /// The text of a single value.
    #[must_use]
    pub fn text(&self) -> Option<&'a str> {
        self.scalar("a single value").map(|(text, _)| text)
    }

    /// The text of a single value, and whether it stands without quotes; `wanted` says what was expected.
    #[must_use]
    pub fn scalar(&self, wanted: &str) -> Option<(&'a str, bool)> {
        match &self.node.value {
            Value::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null") => {
                self.fail("has no value", format_args!("give {wanted}, or leave the key out"))
            }
            Value::Scalar { text, plain } => Some((text, *plain)),
            Value::List(_) => self.fail(format_args!("is a list, not {wanted}"), "remove the brackets or dashes"),
            Value::Map(_) => self.fail(format_args!("has keys below it, and should be {wanted}"), ""),
            Value::Refused => None,
        }
    }

    /// Whether the value is a map.
    #[must_use]
    pub fn is_map(&self) -> bool {
        matches!(self.node.value, Value::Map(_))
    }

    /// One of some words.
    #[must_use]
    pub fn word<T: Copy>(&self, words: &[(&str, T)]) -> Option<T> {
        let mut all = words.iter().take(WORDS_SHOWN).map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
        if words.len() > WORDS_SHOWN {
            all.push_str(", ...");
        }
        let (text, _) = self.scalar(&format!("one of {all}"))?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        match nearest(text, words.iter().map(|(word, _)| *word)) {
            Some(meant) => {
                self.fail(format_args!("{text:?} is not one of {all}"), format_args!("did you mean {meant}?"))
            }
            None => self.fail(format_args!("{text:?} is not one of {all}"), ""),
        }
    }

    /// A text that is parsed; the parser's own words say what is wrong.
    #[must_use]
    pub fn parsed<T: FromStr<Err: Display>>(&self) -> Option<T> {
        match self.text()?.parse() {
            Ok(value) => Some(value),
            Err(error) => self.fail(error, ""),
        }
    }

    /// A whole number between two others.
    #[must_use]
    pub fn within(&self, range: RangeInclusive<u64>) -> Option<u64> {
        let wanted = format!("a whole number from {} to {}", range.start(), range.end());
        let (text, _) = self.scalar(&wanted)?;
        let digits = text.strip_prefix('-').unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return self.fail(format_args!("{text:?} is no whole number"), format_args!("give {wanted}"));
        }
        match text.parse() {
            Ok(number) if range.contains(&number) => Some(number),
            _ => self.fail(format_args!("{text} is out of range"), format_args!("give {wanted}")),
        }
    }

    /// The values of a list.
    #[must_use]
    pub fn list(&self) -> Option<Vec<At<'a>>> {
        match &self.node.value {
            Value::List(items) => {
                let at = |(index, node)| At::new(self.reading, format!("{}[{index}]", self.path), node);
                Some(items.iter().enumerate().map(at).collect())
            }
            Value::Refused => None,
            Value::Scalar { .. } | Value::Map(_) => {
                self.fail("is not a list", "write [a, b], or one value after a dash in each line")
            }
        }
    }

    /// What a closure makes of one value, or of each of a list of them.
    #[must_use]
    pub fn some<T>(&self, mut read: impl FnMut(&At<'a>) -> Option<T>) -> Option<Vec<T>> {
        if matches!(self.node.value, Value::List(_)) {
            return self.each(read);
        }
        read(self).map(|one| vec![one])
    }

    /// What a closure makes of each value of a list.
    #[must_use]
    pub fn each<T>(&self, mut read: impl FnMut(&At<'a>) -> Option<T>) -> Option<Vec<T>> {
        Some(self.list()?.iter().filter_map(&mut read).collect())
    }

    /// The values of a map whose keys are not known beforehand.
    #[must_use]
    pub fn pairs(&self) -> Option<Vec<(&'a Key, At<'a>)>> {
        let at = |(key, node): &'a (Key, Node)| (key, At::new(self.reading, join(&self.path, &key.text), node));
        self.entries().map(|entries| entries.iter().map(at).collect())
    }

    /// What a closure makes of a map; afterwards, keys that it did not ask for are mistakes.
    #[must_use]
    pub fn fields<T>(&self, read: impl FnOnce(&Fields<'a>) -> T) -> Option<T> {
        let entries = self.entries()?;
        let fields = Fields { at: self.clone(), entries, known: RefCell::default() };
        let value = read(&fields);
        fields.unknown();
        Some(value)
    }

    fn entries(&self) -> Option<&'a [(Key, Node)]> {
        match &self.node.value {
            Value::Map(entries) => Some(entries),
            Value::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null") => {
                self.fail("has nothing below it", "give its keys, or leave it out")
            }
            Value::Scalar { .. } | Value::List(_) => self.fail("is no map", "write keys with a colon below it"),
            Value::Refused => None,
        }
    }
}

/// A map whose keys are asked for one by one.
#[derive(Debug)]
pub struct Fields<'a> {
    at: At<'a>,
    entries: &'a [(Key, Node)],
    known: RefCell<Vec<&'static str>>,
}

impl<'a> Fields<'a> {
    /// The value under a key, where it is given.
    #[must_use]
    pub fn at(&self, key: &'static str) -> Option<At<'a>> {
        self.known.borrow_mut().push(key);
        let (_, node) = self.entries.iter().find(|(k, _)| k.text == key)?;
        Some(At::new(self.at.reading, join(&self.at.path, key), node))
    }

    /// The typed value under a key, where it is given and right.
    #[must_use]
    pub fn get<T: Read>(&self, key: &'static str) -> Option<T> {
        T::read(&self.at(key)?)
    }

    /// The value under a key that must be given.
    #[must_use]
    pub fn need(&self, key: &'static str) -> Option<At<'a>> {
        let found = self.at(key);
        if found.is_none() {
            self.at.reading.note(self.at.node.at, &self.at.path, format_args!("the key {key} is missing"), "");
        }
        found
    }

    /// The typed value under a key that must be given.
    #[must_use]
    pub fn require<T: Read>(&self, key: &'static str) -> Option<T> {
        T::read(&self.need(key)?)
    }

    /// Sets `into` where the key is given and right.
    pub fn set<T: Read>(&self, key: &'static str, into: &mut T) {
        if let Some(value) = self.get(key) {
            *into = value;
        }
    }

    /// Sets `into` where the key is given and its number between two others.
    pub fn set_within<N: TryFrom<u64>>(&self, key: &'static str, range: RangeInclusive<u64>, into: &mut N) {
        let found = self.at(key).and_then(|at| at.within(range)).and_then(|number| N::try_from(number).ok());
        if let Some(number) = found {
            *into = number;
        }
    }

    /// Notes a mistake of the value under a key, or of the whole map where the key is not given.
    pub fn note(&self, key: &str, what: impl Display, remedy: impl Display) {
        let found = self.entries.iter().find(|(k, _)| k.text == key);
        let (at, path) = found
            .map_or_else(|| (self.at.node.at, self.at.path.clone()), |(_, node)| (node.at, join(&self.at.path, key)));
        self.at.reading.note(at, &path, what, remedy);
    }

    /// How many keys are given, known or not.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.entries.len()
    }

    /// The map itself.
    #[must_use]
    pub fn whole(&self) -> &At<'a> {
        &self.at
    }

    fn unknown(&self) {
        let known = self.known.borrow();
        for (key, _) in self.entries.iter().filter(|(k, _)| !known.contains(&k.text.as_str())) {
            let path = join(&self.at.path, &key.text);
            let remedy = match nearest(&key.text, known.iter().copied()) {
                Some(meant) => format!("did you mean {meant}?"),
                None => format!("known here: {}", known.join(", ")),
            };
            self.at.reading.note(key.at, &path, "this key is not known", remedy);
        }
    }
}

impl Read for BTreeMap<String, String> {
    fn read(at: &At<'_>) -> Option<Self> {
        let pair = |(key, value): &(&Key, At<'_>)| Some((key.text.clone(), value.text()?.to_owned()));
        Some(at.pairs()?.iter().filter_map(pair).collect())
    }
}
