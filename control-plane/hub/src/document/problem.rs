//! Mistakes of a file, and how a person sees them.

use std::fmt;

use super::{Mark, PROBLEMS_MAX};

/// Characters of a line that an excerpt shows, so that it stands in one row of a terminal.
const EXCERPT_MAX: usize = 96;

/// Characters of a message that are shown: it may quote a value, and a value may be as long as the file.
const MESSAGE_MAX: usize = 500;

/// One mistake.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// Where.
    pub at: Mark,
    /// The key's path, as `rules[2].floor.percent`; empty for the file as a whole.
    pub path: String,
    /// What is wrong.
    pub what: String,
    /// What to do about it; empty where `what` says it already.
    pub remedy: String,
}

/// All mistakes of one file, by line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problems {
    /// How the file is named in messages.
    pub file: String,
    /// The mistakes that are shown.
    pub list: Vec<Problem>,
    /// Mistakes beyond [`PROBLEMS_MAX`].
    pub more: usize,
    /// For each of the list the part of its line that is shown, and the characters left out before it.
    excerpts: Vec<(String, usize)>,
}

impl std::error::Error for Problems {}

impl Problems {
    /// Problems of a file with this text, in the order of its lines.
    #[must_use]
    pub fn new(file: &str, text: &str, mut list: Vec<Problem>) -> Self {
        list.sort_by(|a, b| (a.at, &a.path).cmp(&(b.at, &b.path)));
        list.dedup();
        let more = list.len().saturating_sub(PROBLEMS_MAX);
        list.truncate(PROBLEMS_MAX);
        let lines: Vec<&str> = text.lines().collect();
        let line = |p: &Problem| lines.get(p.at.line.saturating_sub(1)).map_or("", |&line| line);
        let excerpts = list.iter().map(|p| cut(line(p), p.at.column)).collect();
        Self { file: file.to_owned(), list, more, excerpts }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.each(f)?;
        let count = self.list.len() + self.more;
        let (noun, are) = if count == 1 { ("mistake", "is") } else { ("mistakes", "are") };
        write!(f, "\n{}: {count} {noun}", self.file)?;
        if self.more > 0 { write!(f, ", of which {} {are} shown", self.list.len()) } else { Ok(()) }
    }
}

impl Problems {
    /// Each problem with its line, without their number at the end.
    #[must_use]
    pub fn listed(&self) -> String {
        struct Listed<'a>(&'a Problems);
        impl fmt::Display for Listed<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.each(f)
            }
        }
        Listed(self).to_string()
    }

    fn each(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (problem, (line, skipped))) in self.list.iter().zip(&self.excerpts).enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            let Mark { line: number, column } = problem.at;
            write!(f, "{}:{number}:{column}: ", self.file)?;
            if !problem.path.is_empty() {
                write!(f, "{}: ", message(&problem.path))?;
            }
            writeln!(f, "{}", message(&problem.what))?;
            excerpt(f, line, *skipped, problem.at)?;
            if !problem.remedy.is_empty() {
                writeln!(f, "   = {}", message(&problem.remedy))?;
            }
        }
        Ok(())
    }
}

/// The part of a long line around a place, so that the caret stays visible, and how many characters come before it.
fn cut(line: &str, column: usize) -> (String, usize) {
    let beyond = line.chars().count().saturating_sub(EXCERPT_MAX);
    let skip = column.saturating_sub(EXCERPT_MAX / 2).min(beyond).min(column - 1);
    (line.chars().skip(skip).take(EXCERPT_MAX).collect(), skip)
}

fn excerpt(f: &mut fmt::Formatter<'_>, line: &str, skipped: usize, at: Mark) -> fmt::Result {
    if line.trim().is_empty() {
        return Ok(());
    }
    let pad = at.line.to_string();
    writeln!(f, "{pad:>4} | {}", visible(line).trim_end())?;
    writeln!(f, "     | {}^", " ".repeat(at.column - 1 - skipped))
}

/// A message, cut where it is longer than anybody reads.
fn message(text: &str) -> String {
    let Some((end, _)) = text.char_indices().nth(MESSAGE_MAX) else { return visible(text) };
    visible(&text[..end]) + " ..."
}

/// Without characters that move the cursor or change colors: a file must not write to the terminal.
fn visible(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
