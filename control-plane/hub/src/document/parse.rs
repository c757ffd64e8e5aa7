//! From text to the tree: what YAML may hold here, and what is refused.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::{BYTES_MAX, DEPTH_MAX, Key, Mark, Node, Reading, Value};

/// A list or map that is not closed yet.
struct Open {
    at: Mark,
    path: String,
    kind: Kind,
}

enum Kind {
    List(Vec<Node>),
    Map {
        entries: Vec<(Key, Node)>,
        /// The line of each key: a file may have a hundred thousand in one map.
        lines: BTreeMap<String, usize>,
        key: Option<Key>,
    },
}

struct Builder<'a> {
    reading: &'a Reading<'a>,
    open: Vec<Open>,
    root: Option<Node>,
    documents: usize,
}

pub(super) fn parse(reading: &Reading<'_>) -> Option<Node> {
    if reading.text.len() > BYTES_MAX {
        let what = format!("the file has {} bytes, more than the {BYTES_MAX} that are read", reading.text.len());
        reading.note(Mark::START, "", what, "split it, or check that it is the file you meant");
        return None;
    }
    if tabs(reading) {
        return None;
    }
    let mut builder = Builder { reading, open: Vec::new(), root: None, documents: 0 };
    let mut parser = Parser::new_from_str(reading.text.trim_start_matches('\u{feff}'));
    while let Some(event) = parser.next_event() {
        match event {
            Ok((event, span)) => builder.take(event, span)?,
            Err(error) => {
                let at = Mark { line: error.marker().line().max(1), column: error.marker().col() + 1 };
                let what = format!("this is no YAML: {}", error.info());
                reading.note(at, &builder.path(), what, "check quotes, brackets and indentation before this place");
                return None;
            }
        }
    }
    let Some(root) = builder.root else {
        reading.note(Mark::START, "", "the file is empty", "");
        return None;
    };
    Some(root)
}

/// Notes the lines that a tab indents: YAML forbids it, and its own message does not say so.
fn tabs(reading: &Reading<'_>) -> bool {
    let mut found = false;
    for (index, line) in reading.text.lines().enumerate() {
        let indent = line.chars().take_while(|c| *c == ' ').count();
        if line.chars().nth(indent) == Some('\t') && !line.trim().is_empty() {
            let at = Mark { line: index + 1, column: indent + 1 };
            reading.note(at, "", "a tab indents this line, and YAML allows spaces only", "replace it by spaces");
            found = true;
        }
    }
    found
}

impl Builder<'_> {
    /// `None` where reading on makes no sense.
    fn take(&mut self, event: Event<'_>, span: Span) -> Option<()> {
        let at = Mark { line: span.start.line().max(1), column: span.start.col() + 1 };
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    self.reading.note(at, "", "a second document begins here", "keep one document in a file");
                    return None;
                }
            }
            Event::Alias(_) => {
                self.note(at, "aliases are not read: a file must show what it holds", "write the value out");
                self.put(Node { at, value: Value::Refused });
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.plain(at, anchor, tag.as_deref());
                let plain = style == ScalarStyle::Plain;
                self.put(Node { at, value: Value::Scalar { text: text.into_owned(), plain } });
            }
            Event::SequenceStart(anchor, tag) => {
                self.plain(at, anchor, tag.as_deref());
                self.open(at, Kind::List(Vec::new()))?;
            }
            Event::MappingStart(anchor, tag) => {
                self.plain(at, anchor, tag.as_deref());
                self.open(at, Kind::Map { entries: Vec::new(), lines: BTreeMap::new(), key: None })?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
        }
        Some(())
    }

    fn note(&self, at: Mark, what: &str, remedy: &str) {
        self.reading.note(at, &self.path(), what, remedy);
    }

    fn plain(&self, at: Mark, anchor: usize, tag: Option<&Tag>) {
        if anchor > 0 {
            self.note(at, "anchors are not read", "remove the word after &");
        }
        if tag.is_some() {
            self.note(at, "tags are not read: each key has one type", "remove the word after !");
        }
    }

    /// The path of the value that comes next.
    fn path(&self) -> String {
        let Some(open) = self.open.last() else { return String::new() };
        match &open.kind {
            Kind::List(items) => format!("{}[{}]", open.path, items.len()),
            Kind::Map { key: Some(key), .. } => super::fields::join(&open.path, &key.text),
            Kind::Map { key: None, .. } => open.path.clone(),
        }
    }

    fn open(&mut self, at: Mark, kind: Kind) -> Option<()> {
        if matches!(self.open.last(), Some(Open { kind: Kind::Map { key: None, .. }, .. })) {
            self.note(at, "a key must be a single word, and this is a list or a map", "quote a key that has brackets");
            return None;
        }
        if self.open.len() >= DEPTH_MAX {
            self.note(at, &format!("nested more than {DEPTH_MAX} deep"), "check the brackets before this place");
            return None;
        }
        self.open.push(Open { at, path: self.path(), kind });
        Some(())
    }

    fn close(&mut self) {
        let Some(open) = self.open.pop() else { return };
        let value = match open.kind {
            Kind::List(items) => Value::List(items),
            Kind::Map { entries, .. } => Value::Map(entries),
        };
        self.put(Node { at: open.at, value });
    }

    fn put(&mut self, node: Node) {
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return;
        };
        match &mut open.kind {
            Kind::List(items) => items.push(node),
            Kind::Map { entries, lines, key } => match key.take() {
                None => {
                    let text = if let Value::Scalar { text, .. } = node.value { text } else { String::new() };
                    *key = Some(Key { at: node.at, text });
                }
                Some(name) => match lines.get(&name.text) {
                    None => {
                        lines.insert(name.text.clone(), name.at.line);
                        entries.push((name, node));
                    }
                    Some(first) => {
                        let what = format!("the key is here a second time; the first is in line {first}");
                        let path = super::fields::join(&open.path, &name.text);
                        self.reading.note(name.at, &path, what, "keep one of the two");
                    }
                },
            },
        }
    }
}
