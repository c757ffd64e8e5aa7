//! Settings as flags and `SPOTHUB_*` variables, made from the table of keys.

use std::collections::BTreeMap;
// Writing to a text cannot fail, so what `write!` gives is dropped in this file.
use std::fmt::Write as _;

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use spothub_hub::document::{Key as NodeKey, Mark, Node, Value};

use super::key::{KEYS, Key, Takes, Unset};

/// What was typed, and what stood in the environment, by key.
#[derive(Clone, Debug, Default)]
pub struct Typed {
    given: BTreeMap<&'static str, Given>,
    /// `--config` was typed, and did not come from the environment.
    file: bool,
}

/// One setting that was given so.
#[derive(Clone, Debug)]
struct Given {
    /// The flag or the variable.
    origin: String,
    values: Vec<String>,
}

/// Settings as a file would have them, with the lines that messages show.
pub(super) struct Layer {
    pub(super) text: String,
    pub(super) root: Node,
}

impl Typed {
    /// The flag or variable that gives this key.
    pub(super) fn origin(&self, path: &str) -> Option<&str> {
        self.given.get(path).map(|given| given.origin.as_str())
    }

    /// The values of this key as they were given.
    pub(super) fn text(&self, path: &str) -> String {
        self.given.get(path).map_or_else(String::new, |given| given.values.join(", "))
    }

    /// A flag that was typed for settings, where there is one.
    pub(crate) fn flag(&self) -> Option<&str> {
        let flags = self.given.values().map(|given| given.origin.as_str()).filter(|origin| origin.starts_with("--"));
        flags.chain(self.file.then_some("--config")).next()
    }

    /// As a layer over the file.
    pub(super) fn layer(&self) -> Layer {
        let (mut text, mut root) = (String::new(), Vec::new());
        for (line, (path, given)) in (1..).zip(&self.given) {
            let secret = super::key::key(path).is_some_and(Key::is_secret);
            let shown = if secret { "(not shown)".to_owned() } else { given.values.join(",") };
            let _ = writeln!(text, "{}={shown}", given.origin);
            let at = Mark { line, column: given.origin.chars().count() + 2 };
            put(&mut root, path, at, given.node(path, at));
        }
        Layer { text, root: Node { at: Mark::START, value: Value::Map(root) } }
    }
}

impl Given {
    fn node(&self, path: &str, at: Mark) -> Node {
        let scalar = |text: &String| Node { at, value: Value::Scalar { text: text.clone(), plain: false } };
        let many = super::key::key(path).is_some_and(|key| key.takes == Takes::Many);
        if many {
            return Node { at, value: Value::List(self.values.iter().filter(|v| !v.is_empty()).map(scalar).collect()) };
        }
        self.values.first().map_or(Node { at, value: Value::Refused }, scalar)
    }
}

/// Puts a value under a path of one or two keys.
fn put(entries: &mut Vec<(NodeKey, Node)>, path: &str, at: Mark, node: Node) {
    let Some((first, rest)) = path.split_once('.') else {
        entries.push((NodeKey { at, text: path.to_owned() }, node));
        return;
    };
    if let Some((_, Node { value: Value::Map(inner), .. })) = entries.iter_mut().find(|(key, _)| key.text == first) {
        put(inner, rest, at, node);
        return;
    }
    let mut inner = Vec::new();
    put(&mut inner, rest, at, node);
    entries.push((NodeKey { at, text: first.to_owned() }, Node { at, value: Value::Map(inner) }));
}

fn argument(key: &'static Key) -> Arg {
    let default = match key.unset {
        Unset::Default("[]") | Unset::Needed(_) | Unset::Nothing(_) => String::new(),
        Unset::Default(default) => format!(" [default: {default}]"),
    };
    let argument = Arg::new(key.path)
        .long(key.flag())
        .env(key.variable())
        .hide_env_values(true)
        .help(format!("{}{default}", key.about))
        .help_heading("Settings")
        .value_name("VALUE");
    match key.takes {
        Takes::One => argument.action(ArgAction::Set).hide(key.is_secret()),
        Takes::Many => argument.action(ArgAction::Append).value_delimiter(','),
        Takes::Switch => argument.action(ArgAction::Set).num_args(0..=1).default_missing_value("true"),
    }
}

impl clap::Args for Typed {
    fn augment_args(command: Command) -> Command {
        KEYS.iter().fold(command, |command, key| command.arg(argument(key)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for Typed {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = |key: &'static Key| {
            let origin = match matches.value_source(key.path)? {
                ValueSource::CommandLine => format!("--{}", key.flag()),
                ValueSource::EnvVariable => key.variable(),
                ValueSource::DefaultValue | _ => return None,
            };
            let values = matches.get_many::<String>(key.path)?.cloned().collect();
            Some((key.path, Given { origin, values }))
        };
        let named = matches.try_contains_id("config").is_ok();
        let file = named && matches.value_source("config") == Some(ValueSource::CommandLine);
        Ok(Self { given: KEYS.iter().filter_map(given).collect(), file })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.given.extend(Self::from_arg_matches(matches)?.given);
        Ok(())
    }
}
