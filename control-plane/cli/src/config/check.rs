//! `spothub config check|example`.

use std::path::Path;

use comfy_table::{ContentArrangement, Table, presets};
use spothub_hub::document::{Node, Value};

use super::key::{KEYS, Key, Unset};
use super::{Found, Mistakes, Source, Sources, Typed, example};
use crate::{Exit, Streams};

/// Columns of the smallest terminal that people have.
const WIDTH: u16 = 100;

/// Prints the example file.
pub(crate) fn show_example(streams: &mut Streams<'_>) -> anyhow::Result<Exit> {
    write!(streams.out, "{}", example::text())?;
    Ok(Exit::Done)
}

/// Reads all files, and says what is in force and where it comes from.
pub(crate) fn check(sources: &Sources<'_>, streams: &mut Streams<'_>) -> anyhow::Result<Exit> {
    let found = match super::read(sources) {
        Ok(found) => found,
        Err(mistakes) => return tell(&mistakes, streams),
    };
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
    table.set_header(["key", "value", "from"]);
    for key in KEYS {
        let (value, from) = in_force(key, found.tree.as_ref(), sources.file, sources.typed);
        table.add_row([key.path.to_owned(), value, from]);
    }
    writeln!(streams.out, "{}", table.trim_fmt())?;
    writeln!(streams.out, "{}", found.config.store.told(&found.config.reach.home))?;
    policies(&found, streams)?;
    writeln!(streams.err, "the settings are good; no call was made")?;
    Ok(Exit::Done)
}

/// Prints all mistakes; nothing was begun.
pub(crate) fn tell(mistakes: &Mistakes, streams: &mut Streams<'_>) -> anyhow::Result<Exit> {
    for mistake in &mistakes.0 {
        writeln!(streams.err, "error: {mistake}\n")?;
    }
    writeln!(streams.err, "nothing was begun")?;
    Ok(Exit::Usage)
}

fn policies(found: &Found, streams: &mut Streams<'_>) -> anyhow::Result<()> {
    for policy in &found.policies {
        let defaults = if policy.defaults { "defaults and " } else { "" };
        let noun = if policy.rules == 1 { "rule" } else { "rules" };
        writeln!(streams.out, "policy {}: {defaults}{} {noun}", policy.file, policy.rules)?;
    }
    let stands = found.config.reach.engine.policy_as_it_stands;
    match &found.config.reach.policies {
        Source::Nowhere if stands => {
            writeln!(streams.out, "no policy: groups take part by their tag spothub:enabled=true alone")?;
        }
        Source::Nowhere => writeln!(
            streams.out,
            "no policy: everything is held; name policies, or say policy-as-it-stands for the built-in one"
        )?,
        Source::Parameter(name) => {
            writeln!(streams.out, "policy is where the parameter {} points, not read here", name.as_str())?;
        }
        Source::Files(_) if stands => writeln!(streams.out, "policy is in force as it stands, without approval")?,
        Source::Files(_) => {
            writeln!(streams.out, "what loosens policy waits for spothub policy approve by another than its writer")?;
        }
    }
    Ok(())
}

fn in_force(key: &Key, tree: Option<&Node>, file: Option<&Path>, typed: &Typed) -> (String, String) {
    let secret = |value: String| if key.is_secret() { "(not shown)".to_owned() } else { value };
    if let Some(origin) = typed.origin(key.path) {
        return (secret(typed.text(key.path)), origin.to_owned());
    }
    let node = tree.and_then(|tree| key.path.split('.').try_fold(tree, Node::get));
    if let Some(node) = node {
        let file = file.map_or_else(String::new, |file| file.display().to_string());
        return (secret(shown(node)), format!("{file}:{}", node.at.line));
    }
    match key.unset {
        Unset::Default(value) => (value.to_owned(), "default".to_owned()),
        Unset::Needed(_) | Unset::Nothing(_) => (String::new(), "not set".to_owned()),
    }
}

fn shown(node: &Node) -> String {
    match &node.value {
        Value::Scalar { text, .. } => text.clone(),
        Value::List(items) => items.iter().map(shown).collect::<Vec<_>>().join(", "),
        Value::Map(_) | Value::Refused => String::new(),
    }
}
