//! The settings file with every key, its default and what it is for: made from the table that is read by.

// Writing to a text cannot fail, so what `write!` gives is dropped in this file.
use std::fmt::Write as _;

use super::key::{KEYS, Key, Takes, Unset};

/// Columns of a comment.
const WIDTH: usize = 96;

/// The example. Keys without a default stand as comments, or, where they are needed, with a value to replace.
pub(super) fn text() -> String {
    let mut lines = vec![
        "# Settings of `spothub run`. Each key can also be given as a flag (--hub-id) or a variable".to_owned(),
        "# (SPOTHUB_HUB_ID); a flag is stronger than a variable, and that than this file.".to_owned(),
        "# Lengths of time have a unit: 150ms, 90s, 5m, 2h. Files are looked for beside this one.".to_owned(),
        "# Keys that are comments have no default; the others stand here with theirs, but for those that are needed."
            .to_owned(),
    ];
    let mut map = "";
    for key in KEYS {
        let (above, name) = key.path.split_once('.').unwrap_or(("", key.path));
        lines.push(String::new());
        if above != map && !above.is_empty() {
            lines.push(format!("{above}:"));
        }
        map = above;
        let pad = if above.is_empty() { "" } else { "  " };
        lines.extend(about(key).map(|line| format!("{pad}# {line}")));
        let (mark, value) = match key.unset {
            Unset::Needed(value) | Unset::Default(value) => ("", value),
            Unset::Nothing(value) => ("# ", value),
        };
        lines.push(format!("{pad}{mark}{name}: {value}"));
    }
    lines.join("\n") + "\n"
}

fn about(key: &Key) -> std::vec::IntoIter<String> {
    let mut text = key.about.to_owned();
    match key.unset {
        Unset::Needed(_) => text.push_str(" Needed."),
        Unset::Nothing(_) => {}
        Unset::Default(_) => {
            if key.takes == Takes::Many {
                text.push_str(" A list.");
            }
        }
    }
    if let Some(floor) = key.floor {
        let _ = write!(text, " At least {floor}.");
    }
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + word.chars().count() < WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.into_iter()
}
