//! `spothub policy explain`: what policy says of one group, and who says it. Field names are stable.

use std::collections::BTreeMap;

use anyhow::anyhow;
use serde::Serialize;
use spothub_core::catalog::Catalog;
use spothub_core::compat::TypeGlob;
use spothub_core::id::{AccountId, GroupName, OuPath, Region};
use spothub_core::policy::{
    AUTOSPOTTING_ENABLED, Block, Context, ENABLED, Effective, Enabled, Explained, Key, OWNERS, Origin, PolicySet,
    Standing,
};
use spothub_core::reason::OptOut;
use spothub_hub::document::nearest;
use spothub_hub::snapshot::Snapshot;

use super::{Stop, named, print, read};
use crate::args::Explain;
use crate::output::policy::explain as table;
use crate::{Streams, input};

/// Groups that are proposed where one is not found.
const NEAR_MAX: usize = 5;

/// What policy says of a group.
#[derive(Serialize)]
pub(crate) struct Report {
    pub(crate) account_id: AccountId,
    pub(crate) region: Region,
    pub(crate) group: GroupName,
    pub(crate) ou: OuPath,
    pub(crate) tags: BTreeMap<String, String>,
    /// Null where nobody read them.
    pub(crate) account_tags: Option<BTreeMap<String, String>>,
    /// Of the policy that was asked.
    pub(crate) digest: String,
    /// `enabled`, or the label of the reason why not.
    pub(crate) standing: &'static str,
    /// The same in words.
    pub(crate) told: String,
    pub(crate) remedy: Option<String>,
    pub(crate) values: Vec<Line>,
    #[serde(rename = "type")]
    pub(crate) kind: Option<KindLine>,
    /// What was taken for granted.
    pub(crate) notes: Vec<String>,
}

/// One value in force.
#[derive(Serialize)]
pub(crate) struct Line {
    #[serde(skip)]
    pub(crate) key: Key,
    #[serde(rename = "key")]
    pub(crate) name: &'static str,
    pub(crate) value: String,
    /// The least specific first.
    pub(crate) said: Vec<Said>,
}

/// One say in a value.
#[derive(Serialize)]
pub(crate) struct Said {
    #[serde(flatten)]
    pub(crate) by: By,
    pub(crate) value: String,
    /// Whether it is part of the value in force.
    pub(crate) counts: bool,
}

/// Whose.
#[derive(Clone, Serialize)]
#[serde(rename_all = "kebab-case", tag = "by")]
pub(crate) enum By {
    BuiltIn,
    File { file: String, line: u32, column: u32, rule: Option<String> },
    Tag { tag: String },
}

/// Whether a type may be used, as far as policy is asked.
#[derive(Serialize)]
pub(crate) struct KindLine {
    pub(crate) name: String,
    /// The catalogue has it.
    pub(crate) known: bool,
    pub(crate) allowed: bool,
    /// Only in place of its own kind.
    pub(crate) same_type_only: bool,
    /// What decides.
    pub(crate) because: Vec<String>,
}

/// What is known of the group.
struct Group {
    ou: OuPath,
    tags: BTreeMap<String, String>,
    account_tags: Option<BTreeMap<String, String>>,
    notes: Vec<String>,
}

/// Explains and prints.
pub(super) fn explain(args: &Explain, streams: &mut Streams<'_>) -> Result<(), Stop> {
    // First, since types are known by their place in the recording's catalogue.
    let snapshot = args.snapshot.as_deref().map(input::snapshot).transpose().map_err(Stop::Input)?;
    let paths = named(&args.policy).map_err(|text| Stop::Input(anyhow!("{text} with --policy")))?;
    let read = read(&paths)?;
    let group = group(args, snapshot.as_ref(), &read.set)?;
    let report = report(args, group, &read.set, read.digest());
    let style = streams.style;
    print(&report, args.output, |report| table::table(report, style), streams)?;
    for note in &report.notes {
        writeln!(streams.err, "note: {note}")?;
    }
    Ok(())
}

fn group(args: &Explain, snapshot: Option<&Snapshot>, set: &PolicySet) -> Result<Group, Stop> {
    let (mut tags, mut account_tags, mut ou) = (BTreeMap::new(), Some(BTreeMap::new()), args.ou.clone());
    let mut notes = Vec::new();
    if let Some(snapshot) = snapshot {
        let found = snapshot.groups.iter().map(|group| &group.view).find(|view| {
            let (site, name) = (&view.key.site, &view.key.name);
            (site.account, &site.region, name) == (args.account, &args.region, &args.group)
        });
        tags = found.ok_or_else(|| missing(args, snapshot))?.tags.clone();
        if let Some(account) = snapshot.accounts.iter().find(|account| account.id == args.account) {
            ou = ou.or_else(|| Some(account.ou.clone()));
            account_tags.clone_from(&account.tags);
        }
    } else {
        notes = untold(args, set);
    }
    if !args.account_tag.is_empty() {
        account_tags.get_or_insert_default().extend(args.account_tag.iter().cloned());
    }
    tags.extend(args.tag.iter().cloned());
    let root = || OuPath::try_from("/".to_owned()).map_err(|error| Stop::Failed(error.into()));
    Ok(Group { ou: ou.map_or_else(root, Ok)?, tags, account_tags, notes })
}

/// What rules go by and nobody told.
fn untold(args: &Explain, set: &PolicySet) -> Vec<String> {
    let goes_by = |part: fn(&Block) -> bool| {
        set.rules().iter().any(|rule| part(&rule.selector.only) || rule.selector.except.iter().any(part))
    };
    let mut notes = Vec::new();
    if args.ou.is_none() && goes_by(|block| !block.ou.is_empty()) {
        notes.push("rules go by organizational units, and the root is taken: give the account's with --ou".to_owned());
    }
    if args.account_tag.is_empty() && goes_by(|block| !block.account_tag.is_empty()) {
        notes.push("rules go by tags of accounts, and none is taken: give them with --account-tag".to_owned());
    }
    if args.tag.is_empty() && goes_by(|block| !block.tag.is_empty()) {
        notes.push("rules go by tags of groups, and none is taken: give them with --tag".to_owned());
    }
    let regions = Catalog::in_use().regions();
    if !regions.contains(&args.region) {
        let near = nearest(args.region.as_str(), regions.iter().map(Region::as_str));
        let near = near.map(|near| format!(": did you mean {near}?")).unwrap_or_default();
        notes.push(format!("the catalogue has no region {}{near}", args.region));
    }
    notes
}

/// That a group is not in the recording, and which may have been meant.
fn missing(args: &Explain, snapshot: &Snapshot) -> Stop {
    let keys = || snapshot.groups.iter().map(|group| &group.view.key);
    let here = || keys().filter(|key| key.site.account == args.account && key.site.region == args.region);
    let elsewhere = keys().filter(|key| key.name == args.group).map(ToString::to_string);
    let mut near: Vec<String> = Vec::new();
    if let Some(name) = nearest(args.group.as_str(), here().map(|key| key.name.as_str())) {
        near.push(format!("{}/{}/{name}", args.account, args.region));
    }
    near.extend(elsewhere);
    if near.is_empty() {
        near.extend(here().map(ToString::to_string));
    }
    if near.is_empty() {
        near.extend(keys().filter(|key| key.site.account == args.account).map(ToString::to_string));
    }
    near.truncate(NEAR_MAX);
    let remedy = if near.is_empty() {
        format!("the recording has {} groups, and none in this account", snapshot.groups.len())
    } else {
        format!("near ones: {}", near.join(", "))
    };
    Stop::Input(anyhow!("no group {}/{}/{} is in the recording\n   = {remedy}", args.account, args.region, args.group))
}

fn report(args: &Explain, group: Group, set: &PolicySet, digest: String) -> Report {
    let Group { ou, tags, account_tags, notes } = group;
    let context = Context {
        ou: &ou,
        account: args.account,
        account_tags: account_tags.as_ref(),
        region: &args.region,
        group: args.group.as_str(),
        tags: &tags,
    };
    let effective = set.effective(&context);
    let values = set.explain(&context).into_iter().map(|one| line(one, set)).collect::<Vec<_>>();
    let hold = effective.standing.hold();
    Report {
        standing: hold.as_ref().map_or("enabled", |reason| reason.label()),
        told: told(&effective, &values, &tags),
        remedy: remedy(&effective.standing),
        kind: args.kind.as_deref().map(|name| kind(name, &effective, &values)),
        account_id: args.account,
        region: args.region.clone(),
        group: args.group.clone(),
        values,
        digest,
        ou,
        tags,
        account_tags,
        notes,
    }
}

fn line(explained: Explained, set: &PolicySet) -> Line {
    let Explained { key, value, said } = explained;
    let said = said.into_iter().map(|one| Said { by: by(one.by, set), value: one.value, counts: one.counts });
    Line { key, name: key.name(), value, said: said.collect() }
}

fn by(origin: Origin, set: &PolicySet) -> By {
    match origin {
        Origin::BuiltIn => By::BuiltIn,
        Origin::Tag(tag) => By::Tag { tag },
        Origin::File(place) => {
            let here = |rule: &&spothub_core::policy::Rule| {
                rule.at == place || rule.places.values().any(|other| *other == place)
            };
            let rule = set.rules().iter().find(here).and_then(|rule| rule.name.clone());
            By::File { file: place.file.to_string(), line: place.line, column: place.column, rule }
        }
    }
}

impl std::fmt::Display for By {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built in"),
            Self::Tag { tag } => write!(f, "the tag {tag}"),
            Self::File { file, line, column, rule: None } => write!(f, "{file}:{line}:{column}"),
            Self::File { file, line, column, rule: Some(rule) } => write!(f, "{file}:{line}:{column} ({rule:?})"),
        }
    }
}

/// The standing in words.
fn told(effective: &Effective, values: &[Line], tags: &BTreeMap<String, String>) -> String {
    let says = |tag: &str| tags.get(tag).map(|value| format!("its tag {tag} says {value:?}"));
    let switch = || says(ENABLED).or_else(|| says(AUTOSPOTTING_ENABLED)).unwrap_or_default();
    match &effective.standing {
        Standing::Enabled if effective.policy.enabled == Enabled::True => {
            "enabled: policy takes the group, and nobody opted it out".to_owned()
        }
        Standing::Enabled => format!("enabled: policy leaves it to the owner, and {}", switch()),
        Standing::NotEnabled => {
            format!("not enabled: policy leaves it to the owner, and the group has no tag {ENABLED}")
        }
        Standing::OptedOut(OptOut::Tag) => format!("opted out by the owner: {}", switch()),
        Standing::OptedOut(OptOut::Policy) => {
            format!("opted out by policy, which wins everywhere: {}", who(values, Key::Enabled, |_| true))
        }
        Standing::Unreadable(tag) => {
            let value = tags.get(tag).map(String::as_str).unwrap_or_default();
            format!("held: the tag {tag} says {value:?}, which cannot be read")
        }
        Standing::NoPolicy => "held: rules go by tags of accounts, and this account's were not recorded".to_owned(),
    }
}

fn remedy(standing: &Standing) -> Option<String> {
    match standing {
        Standing::NoPolicy => Some("record it anew, or give them with --account-tag".to_owned()),
        Standing::Unreadable(tag) => Some(match OWNERS.iter().find(|(name, _)| name == tag) {
            Some((_, key)) => format!("mend or remove the tag; it takes what {key} takes: {}", key.about()),
            None => match nearest(tag, OWNERS.iter().map(|(name, _)| *name)) {
                Some(meant) => format!("no tag is called so: did you mean {meant}?"),
                None => "no tag is called so: remove it".to_owned(),
            },
        }),
        other @ (Standing::Enabled | Standing::NotEnabled | Standing::OptedOut(_)) => {
            other.hold().and_then(|reason| reason.remedy().map(ToOwned::to_owned))
        }
    }
}

/// Who said what counts for a key.
fn who(values: &[Line], key: Key, said: impl Fn(&Said) -> bool) -> String {
    let line = values.iter().find(|line| line.key == key);
    let counting = line.into_iter().flat_map(|line| &line.said).filter(|one| one.counts && said(one));
    let all: Vec<String> = counting.map(|one| one.by.to_string()).collect();
    all.join(", ")
}

/// What policy's rules about types say of one.
fn kind(name: &str, effective: &Effective, values: &[Line]) -> KindLine {
    let policy = &effective.policy;
    let matching = |globs: &[TypeGlob]| globs.iter().find(|glob| glob.matches(name)).cloned();
    let list = |globs: &[TypeGlob]| globs.iter().map(TypeGlob::as_str).collect::<Vec<_>>().join(", ");
    let mut because = Vec::new();
    let mut allowed = true;
    if let Some(glob) = matching(&policy.denied_types) {
        allowed = false;
        let from = who(values, Key::DeniedTypes, |said| said.value.split(", ").any(|one| one == glob.as_str()));
        because.push(format!("denied by {} from {from}", glob.as_str()));
    }
    for globs in &policy.allowed_types {
        let from = who(values, Key::AllowedTypes, |said| said.value == list(globs));
        if let Some(glob) = matching(globs) {
            because.push(format!("allowed by {} from {from}", glob.as_str()));
        } else {
            allowed = false;
            because.push(format!("not one of {} from {from}", list(globs)));
        }
    }
    if policy.same_type_only {
        let from = who(values, Key::SameTypeOnly, |_| true);
        because.push(format!("only in place of members that are {name} themselves: same-type-only from {from}"));
    }
    if because.is_empty() {
        because.push("no list restricts types".to_owned());
    }
    let known = Catalog::in_use().by_name(name).is_some();
    if !known {
        let near = nearest(name, Catalog::in_use().types().map(|(_, kind)| &*kind.name));
        let near = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        because.push(format!("the catalogue has no type {name:?}, and what it does not have is never launched{near}"));
    }
    KindLine { name: name.to_owned(), known, allowed: allowed && known, same_type_only: policy.same_type_only, because }
}
