//! What `policy` says for people: at most 80 columns where names allow it.

pub(crate) mod diff;
pub(crate) mod explain;

/// Without characters that move the cursor or change colors: tags and names are others' words.
pub(crate) fn visible(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
