//! Any bytes as a policy file, from decoding to every mistake and warning. The fuzz target has this same file.

use spothub_core::catalog::Catalog;
use spothub_hub::document::{PROBLEMS_MAX, decode};
use spothub_hub::policy_file::{File, check};

/// The most that one mistake may have to say: its place, its line, a caret and a remedy.
const CHARACTERS_MAX: usize = 2_000;

/// Everything that is said of these bytes; no panic, and never more than a person can scroll through.
pub(crate) fn checked(name: &str, bytes: &[u8]) -> String {
    let text = match decode(name, bytes.to_vec()) {
        Err(problems) => problems.to_string(),
        Ok(text) => {
            let checked = check(&[File { name: name.to_owned(), text }], Catalog::embedded());
            assert!(checked.set.is_some() || !checked.mistakes.is_empty(), "no policy, and nobody says why");
            let mistakes = checked.mistakes.iter().map(ToString::to_string);
            mistakes.chain(checked.warnings.iter().map(|all| format!("Warnings\n{}", all.listed()))).collect()
        }
    };
    assert!(text.chars().count() <= 2 * PROBLEMS_MAX * CHARACTERS_MAX, "{} characters", text.chars().count());
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "nothing may write to the terminal");
    text
}
