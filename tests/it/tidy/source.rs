//! Reads the working tree, and parts Rust text into code, comments and literals. Knows no rule.

use std::fs;
use std::path::{Path, PathBuf};

/// The workspace's root folder.
pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every file of the working tree with one of these name endings, by path; build output and hidden folders apart.
pub(super) fn files(endings: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if path.is_dir() && !name.starts_with('.') && name != "target" {
                folders.push(path);
            } else if path.is_file() && endings.iter().any(|ending| name.ends_with(ending)) {
                let shown = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
                found.push(Source::new(&shown, &fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    assert!(!found.is_empty(), "no file ends in {endings:?}: is the workspace's root where it was?");
    found
}

/// One file, as it is and as Rust sees it.
pub(super) struct Source {
    /// The path from the root, with slashes.
    pub(super) path: String,
    /// All of it.
    pub(super) text: String,
    /// The same with blanks in place of comments and of what quotes hold; every byte keeps its place.
    pub(super) code: String,
    /// String literals: the byte at which each begins, and what it holds.
    pub(super) strings: Vec<(usize, String)>,
}

impl Source {
    /// Parts a text; one that is no Rust gives nonsense in `code`, and rules for Rust are not asked of it.
    pub(super) fn new(path: &str, text: &str) -> Self {
        let mut source =
            Self { path: path.to_owned(), text: text.to_owned(), code: String::new(), strings: Vec::new() };
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let length = match token(rest, source.code.chars().next_back()) {
                Token::Code => {
                    source.code.push(first);
                    first.len_utf8()
                }
                Token::Comment(length) | Token::Character(length) => {
                    source.blank(&rest[..length]);
                    length
                }
                Token::Text { length, open, close } => {
                    let held = rest[open..length - close].to_owned();
                    source.strings.push((text.len() - rest.len(), held));
                    source.blank(&rest[..length]);
                    length
                }
            };
            rest = &rest[length..];
        }
        source
    }

    /// Whether all of it is test code.
    pub(super) fn is_test(&self) -> bool {
        let path = &self.path;
        path.starts_with("tests/")
            || path.contains("/tests/")
            || path.contains("/benches/")
            || path.ends_with("tests.rs")
    }

    /// Whether it lies in one of these folders.
    pub(super) fn is_in(&self, folders: &[&str]) -> bool {
        folders.iter().any(|folder| self.path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')))
    }

    /// The line, counted from 1, in which a byte lies.
    pub(super) fn line_of(&self, byte: usize) -> usize {
        1 + self.text[..byte].matches('\n').count()
    }

    /// Bytes at which a word begins in the code, not as a part of a longer word.
    pub(super) fn words<'a>(&'a self, word: &'a str) -> impl Iterator<Item = usize> + 'a {
        self.code.match_indices(word).map(|(at, _)| at).filter(move |&at| {
            let before = self.code[..at].chars().next_back();
            let after = self.code[at + word.len()..].chars().next();
            !before.is_some_and(is_part_of_word) && !after.is_some_and(is_part_of_word)
        })
    }

    fn blank(&mut self, text: &str) {
        self.code.extend(text.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
    }
}

/// What begins at a place; lengths in bytes.
enum Token {
    Code,
    Comment(usize),
    Character(usize),
    Text { length: usize, open: usize, close: usize },
}

fn token(rest: &str, before: Option<char>) -> Token {
    let in_word = before.is_some_and(is_part_of_word);
    if rest.starts_with("//") {
        Token::Comment(rest.find('\n').unwrap_or(rest.len()))
    } else if rest.starts_with("/*") {
        Token::Comment(block_length(rest))
    } else if rest.starts_with('\'') {
        character_length(rest).map_or(Token::Code, Token::Character)
    } else if rest.starts_with('"') {
        text(rest, 1, 0)
    } else if !in_word && let Some(prefix) = ["br", "cr", "r"].iter().find(|prefix| rest.starts_with(**prefix)) {
        let hashes = rest[prefix.len()..].bytes().take_while(|&b| b == b'#').count();
        if rest[prefix.len() + hashes..].starts_with('"') {
            return text(rest, prefix.len() + hashes + 1, hashes + 1);
        }
        Token::Code
    } else {
        Token::Code
    }
}

/// A string literal whose opening has `open` bytes; `raw` is the length of a raw one's closing, 0 where escapes count.
fn text(rest: &str, open: usize, raw: usize) -> Token {
    let body = &rest[open..];
    let end = if raw > 0 { body.find(&format!("\"{}", "#".repeat(raw - 1))) } else { unescaped(body, b'"') };
    let close = raw.max(1);
    let end = end.expect("the compiler would not have taken an open literal");
    Token::Text { length: open + end + close, open, close }
}

/// The first of this byte that has no backslash before it.
fn unescaped(body: &str, byte: u8) -> Option<usize> {
    let mut escaped = false;
    body.bytes().position(|b| {
        let found = b == byte && !escaped;
        escaped = b == b'\\' && !escaped;
        found
    })
}

/// The length of a character literal; `None` for a lifetime.
fn character_length(rest: &str) -> Option<usize> {
    let mut chars = rest[1..].chars();
    match (chars.next()?, chars.next()?) {
        ('\\', _) => unescaped(&rest[1..], b'\'').map(|end| end + 2),
        (one, '\'') => Some(1 + one.len_utf8() + 1),
        _ => None,
    }
}

/// The length of a block comment with those inside it.
fn block_length(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match rest.as_bytes()[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn is_part_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The byte of the brace that closes the one at `open`, in code.
pub(super) fn closing(code: &str, open: usize) -> usize {
    let mut depth = 0;
    let end = code.as_bytes()[open..].iter().position(|byte| {
        depth += match byte {
            b'{' => 1,
            b'}' => -1,
            _ => 0,
        };
        depth == 0
    });
    end.map_or(code.len(), |end| open + end)
}

#[test]
fn code_is_told_from_comments_and_literals() {
    let check = |text: &str, code: &str, strings: &[&str]| {
        let source = Source::new("x.rs", text);
        assert_eq!(source.code, code, "{text}");
        assert_eq!(source.strings.iter().map(|(_, held)| held.as_str()).collect::<Vec<_>>(), strings, "{text}");
    };
    check("a // b", "a     ", &[]);
    check("a /* b /* c */\n */ d", "a             \n    d", &[]);
    check(r#"f("a\"b", 'c', '\'', '"') // "d""#, "f(      ,    ,     ,    )       ", &[r#"a\"b"#]);
    check("<'a> r#\"b\"c\"# 'é'", "<'a>              ", &["b\"c"]);
    check("for\"x\" br\"y\" b\"z\"", "for          b   ", &["x", "y", "z"]);
    check("r#type + bar", "r#type + bar", &[]);
}
