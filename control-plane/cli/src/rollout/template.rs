//! The templates that are rolled out: embedded in the program, with the parameters that they take.
//!
//! Only their sections `Parameters` and `Metadata` are read here; they have none of CloudFormation's functions in them.

use std::collections::BTreeMap;

use anyhow::Context;
use spothub_hub::document::{Fields, Node, Reading, Value};

/// Which template.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
pub(crate) enum Part {
    /// The hub.
    Hub,
    /// Roles of a member, once in each account.
    Global,
    /// Rules of a member, in each region.
    Regional,
}

impl Part {
    /// All of them, in the order in which they are rolled out.
    pub(crate) const ALL: [Self; 3] = [Self::Hub, Self::Global, Self::Regional];

    /// The template's file.
    pub(crate) const fn file(self) -> &'static str {
        match self {
            Self::Hub => "hub.yaml",
            Self::Global => "member-global.yaml",
            Self::Regional => "member-regional.yaml",
        }
    }

    /// Its text.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Hub => include_str!("../../../../member-stackset/hub.yaml"),
            Self::Global => include_str!("../../../../member-stackset/member-global.yaml"),
            Self::Regional => include_str!("../../../../member-stackset/member-regional.yaml"),
        }
    }
}

/// What a parameter takes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Parameter {
    /// CloudFormation's type.
    pub(crate) kind: String,
    /// What it is where nothing is given; none where something has to be.
    pub(crate) default: Option<String>,
    /// All that it can be; anything where there are none.
    pub(crate) allowed: Vec<String>,
}

impl Parameter {
    /// Whether it takes several values.
    pub(crate) fn is_list(&self) -> bool {
        self.kind == "CommaDelimitedList" || self.kind.starts_with("List<")
    }

    /// What is wrong with a value, if anything can be told without CloudFormation, which also knows patterns.
    pub(crate) fn refuses(&self, name: &str, value: &str) -> Option<String> {
        let items = value.split(',').map(str::trim).filter(|item| name.ends_with("Arns") && !item.is_empty());
        // What names everything is no limit, and what is no ARN fails in each account after the hub has taken it.
        let wide = |item: &&str| !item.starts_with("arn:") || item.ends_with(":*") || item.ends_with(":role/*");
        if let Some(item) = items.into_iter().find(wide) {
            return Some(format!("{item:?} is no ARN that names something, as arn:aws:iam::*:role/app/*"));
        }
        if !self.allowed.is_empty() && !self.allowed.iter().any(|one| one == value) {
            return Some(format!("{value:?} is not one of {}", self.allowed.join(", ")));
        }
        let number = self.kind == "Number" && value.parse::<f64>().is_err();
        number.then(|| format!("{value:?} is no number"))
    }
}

/// One template.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    /// Its text, as it is sent.
    pub(crate) text: &'static str,
    /// Which version of the three templates it is.
    pub(crate) version: u32,
    /// What it takes, by name.
    pub(crate) parameters: BTreeMap<String, Parameter>,
}

impl Template {
    /// Reads an embedded template.
    pub(crate) fn of(part: Part) -> anyhow::Result<Self> {
        let text = part.text();
        let version = version(text).with_context(|| format!("the template {} has no version", part.file()))?;
        let section = section(text, "Parameters");
        let reading = Reading::new(part.file(), &section);
        let tree = reading.parse();
        let parameters = tree.as_ref().and_then(|tree| parameters(&reading, tree));
        Ok(Self { text, version, parameters: reading.finish(parameters)? })
    }
}

/// All templates.
#[derive(Clone, Debug)]
pub(crate) struct Templates(BTreeMap<Part, Template>);

impl Templates {
    /// Reads those that are embedded.
    pub(crate) fn read() -> anyhow::Result<Self> {
        Ok(Self(Part::ALL.into_iter().map(|part| Ok((part, Template::of(part)?))).collect::<anyhow::Result<_>>()?))
    }

    /// One of them.
    pub(crate) fn of(&self, part: Part) -> &Template {
        &self.0[&part]
    }
}

/// The version that a template's text says it is, also one that another program has rolled out.
pub(crate) fn version(text: &str) -> Option<u32> {
    let section = section(text, "Metadata");
    let tree = Reading::new("template", &section).parse()?;
    match &tree.get("spothub")?.get("Version")?.value {
        Value::Scalar { text, .. } => text.parse().ok(),
        Value::List(_) | Value::Map(_) | Value::Refused => None,
    }
}

fn parameters(reading: &Reading<'_>, tree: &Node) -> Option<BTreeMap<String, Parameter>> {
    let one = |fields: &Fields<'_>| {
        let text = |key: &'static str| fields.at(key).and_then(|at| at.text().map(ToOwned::to_owned));
        let allowed = fields.at("AllowedValues").and_then(|at| at.each(|one| one.text().map(ToOwned::to_owned)));
        for key in ["Description", "AllowedPattern", "ConstraintDescription", "NoEcho"] {
            let _ = fields.at(key);
        }
        for key in ["MinLength", "MaxLength", "MinValue", "MaxValue"] {
            let _ = fields.at(key);
        }
        Parameter {
            kind: text("Type").unwrap_or_default(),
            default: text("Default"),
            allowed: allowed.unwrap_or_default(),
        }
    };
    let rows = reading.root(tree).pairs()?;
    Some(rows.into_iter().filter_map(|(key, at)| Some((key.text.clone(), at.fields(one)?))).collect())
}

/// The lines of one section of a template, without its name.
fn section(text: &str, name: &str) -> String {
    let begins = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.trim_end() == ":");
    let inside = |line: &&str| line.is_empty() || line.starts_with([' ', '#']);
    text.lines().skip_while(|line| !begins(line)).skip(1).take_while(inside).flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_can_be_read() {
        let templates = Templates::read().unwrap();
        let versions: Vec<u32> = Part::ALL.iter().map(|part| templates.of(*part).version).collect();
        assert!(versions.windows(2).all(|pair| pair[0] == pair[1]), "{versions:?}");
        let global = &templates.of(Part::Global).parameters;
        assert_eq!(global["GroupGuard"].allowed, ["opt-in-tag", "opt-out-tag", "none"]);
        assert_eq!(global["GroupGuard"].default.as_deref(), Some("opt-in-tag"));
        assert!(global["PassableRoleArns"].is_list() && global["ExternalId"].default.is_none());
        for part in Part::ALL {
            assert!(part.text().len() <= 51_200, "{} is longer than what CloudFormation takes inline", part.file());
            assert!(templates.of(part).parameters.values().all(|one| !one.kind.is_empty()));
        }
    }

    #[test]
    fn values_are_held_to_what_is_allowed() {
        let text = "Metadata:\n  spothub: {Version: 7}\nParameters:\n  A:\n    Type: Number\n\n  # x\n  B: \
                    {Type: String}\nX: 1\n";
        assert_eq!(section(text, "Parameters"), "  A:\n    Type: Number\n\n  # x\n  B: {Type: String}\n");
        assert_eq!(version(text), Some(7));
        assert_eq!(version("Resources:\n  A: !Ref B\n"), None);
        let number = Parameter { kind: "Number".to_owned(), ..Parameter::default() };
        assert!(number.refuses("N", "7").is_none() && number.refuses("N", "seven").is_some());
        let word = Parameter { allowed: vec!["on".to_owned(), "off".to_owned()], ..Parameter::default() };
        assert_eq!(word.refuses("W", "of").unwrap(), "\"of\" is not one of on, off");
        let list = Parameter { kind: "CommaDelimitedList".to_owned(), ..Parameter::default() };
        for wide in ["*", "/app/*", "arn:aws:iam::*:*", "arn:aws:iam::*:role/app/x, arn:aws:iam::*:role/*"] {
            assert!(list.refuses("PassableRoleArns", wide).is_some(), "{wide}");
        }
        for narrow in ["", "arn:aws:iam::*:role/app/*", "arn:aws:iam::*:role/a, arn:aws:iam::*:role/b"] {
            assert_eq!(list.refuses("PassableRoleArns", narrow), None);
        }
    }
}
