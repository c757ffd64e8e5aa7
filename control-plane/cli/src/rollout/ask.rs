//! The question before anything is changed.

use std::io::{self, BufRead, IsTerminal};

use crate::Streams;

/// What came of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Answer {
    /// Go on.
    Yes,
    /// Do not; or nobody could be asked.
    No,
}

/// Asks whether to go on, unless that was said already. Only a whole `yes` is one.
pub(super) fn whether(said: bool, what: &str, streams: &mut Streams<'_>) -> anyhow::Result<Answer> {
    if said {
        return Ok(Answer::Yes);
    }
    if !io::stdin().is_terminal() {
        writeln!(streams.err, "error: there is no terminal to ask on\n   = say --yes where it is meant")?;
        return Ok(Answer::No);
    }
    write!(streams.err, "{what} Type yes to go on: ")?;
    streams.err.flush()?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    if line.trim() == "yes" {
        return Ok(Answer::Yes);
    }
    writeln!(streams.err, "nothing was begun")?;
    Ok(Answer::No)
}
