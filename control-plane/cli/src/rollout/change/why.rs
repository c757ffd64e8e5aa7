//! Why something is changed, in words that a table and JSON share.

use std::collections::BTreeSet;
use std::fmt;

use spothub_aws::stacks::Named;

use crate::rollout::template::{Parameter, Template, version};

/// Characters of a value that are shown.
const VALUE_MAX: usize = 60;
/// What is configuration, and yet shown to nobody who did not look for it.
const UNSHOWN: &str = "ExternalId";

/// One reason.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Why {
    /// It is not there.
    Absent { version: u32 },
    /// The template's text differs.
    Template { from: Option<u32>, to: u32 },
    /// A parameter differs.
    Parameter { name: String, from: Option<String>, to: Option<String> },
    /// Tags differ: these names.
    Tags(Vec<String>),
    /// Automatic deployment is to be on, or off.
    Auto { wanted: bool },
    /// Automatic deployment is to wait for this set.
    After(String),
    /// Other roles are to deploy.
    Roles,
    /// It was made for the other mode.
    OtherMode { service: bool },
    /// CloudFormation's status.
    Status(String),
    /// Its creation failed and was undone.
    Undone,
    /// Somebody's change set waits.
    Reviewed,
    /// A change of it failed, and so did undoing that.
    Stuck(String, Option<String>),
    /// Units that are not deployed to yet.
    NewUnits(usize),
    /// Places without an instance.
    Missing(usize),
    /// Places where the last operation failed, with what was said of some.
    Failed(usize, Vec<String>),
    /// Places that are not wanted any more.
    Unwanted(usize),
    /// Places whose deletion failed.
    Inoperable(Vec<String>),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent { version } => write!(f, "is not there; version {version}"),
            Self::Template { from: Some(from), to } if from != to => write!(f, "version {from} becomes {to}"),
            Self::Template { from: Some(_), to } => write!(f, "its template is another text of version {to}"),
            Self::Template { from: None, to } => write!(f, "its template is not ours; it becomes version {to}"),
            Self::Parameter { name, .. } if name == UNSHOWN => write!(f, "{name} is another"),
            Self::Parameter { name, from, to } => {
                write!(f, "{name}: {} becomes {}", value(from.as_deref()), value(to.as_deref()))
            }
            Self::Tags(names) => write!(f, "tags: {}", names.join(", ")),
            Self::Auto { wanted: true } => f.write_str("automatic deployment is off, and is to be on"),
            Self::Auto { wanted: false } => f.write_str("automatic deployment is on, and is to be off"),
            Self::After(set) => write!(f, "automatic deployment is to wait for {set}"),
            Self::Roles => f.write_str("other roles are to deploy"),
            Self::OtherMode { service } => {
                let (is, other) = if *service { ("service", "self") } else { ("self", "service") };
                write!(f, "it is {is}-managed, and the file says {other}-managed: {OTHER_MODE}")
            }
            Self::Status(status) => f.write_str(status),
            Self::Undone => f.write_str("its creation failed and was undone (ROLLBACK_COMPLETE)"),
            Self::Reviewed => f.write_str(REVIEWED),
            Self::Stuck(status, said) => {
                let said = said.as_deref().map(|said| format!(", {said}")).unwrap_or_default();
                write!(f, "{status}{said}: continue its rollback or delete it in CloudFormation, then try again")
            }
            Self::NewUnits(1) => f.write_str("a unit is not deployed to yet"),
            Self::NewUnits(number) => write!(f, "{number} units are not deployed to yet"),
            Self::Missing(number) => write!(f, "{number} not there"),
            Self::Failed(number, said) => write!(f, "{number} failed: {}", said.join("; ")),
            Self::Unwanted(number) => write!(f, "{number} not wanted any more"),
            Self::Inoperable(places) => write!(f, "its deletion failed in {}: {GIVE_UP}", places.join(", ")),
        }
    }
}

const OTHER_MODE: &str = "remove it with the old file first, or name other stack sets";
const REVIEWED: &str = "somebody's change set for it waits (REVIEW_IN_PROGRESS): execute it, or delete the stack, then \
                        try again";
const GIVE_UP: &str = "mend what keeps it there, then give these instances up with `aws cloudformation \
                       delete-stack-instances --retain-stacks`";

fn value(text: Option<&str>) -> String {
    match text {
        None => "nothing".to_owned(),
        Some("") => "empty".to_owned(),
        Some(text) if text.chars().count() > VALUE_MAX => text.chars().take(VALUE_MAX).chain("...".chars()).collect(),
        Some(text) => text.to_owned(),
    }
}

/// What differs in template, parameters and tags.
pub(super) fn content(template: &Template, wanted: (&Named, &Named), seen: (&str, &Named, &Named)) -> Vec<Why> {
    let mut found = Vec::new();
    if template.text.trim_end() != seen.0.trim_end() {
        found.push(Why::Template { from: version(seen.0), to: template.version });
    }
    for name in names(wanted.0, seen.1) {
        let (from, to) = (seen.1.get(name), wanted.0.get(name));
        let list = template.parameters.get(name).is_some_and(Parameter::is_list);
        if !same(from, to, list) {
            found.push(Why::Parameter { name: name.clone(), from: from.cloned(), to: to.cloned() });
        }
    }
    let differs = |name: &&String| wanted.1.get(*name) != seen.2.get(*name);
    let tags: Vec<String> = names(wanted.1, seen.2).into_iter().filter(differs).cloned().collect();
    if !tags.is_empty() {
        found.push(Why::Tags(tags));
    }
    found
}

/// Lists are the same whatever blanks stand in them.
fn same(a: Option<&String>, b: Option<&String>, list: bool) -> bool {
    let items = |text: Option<&String>| text.map(|text| text.split(',').map(str::trim).map(str::to_owned).collect());
    let (one, other): (Option<Vec<String>>, Option<Vec<String>>) = (items(a), items(b));
    if list { one == other } else { a == b }
}

fn names<'a>(a: &'a Named, b: &'a Named) -> BTreeSet<&'a String> {
    a.keys().chain(b.keys()).collect()
}
