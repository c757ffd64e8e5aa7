//! The hub's settings, as a rollout leaves them: made from the file and from what the hub's stack tells of itself.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use spothub_aws::stacks::token;
use spothub_core::id::{AccountId, Region};
use spothub_hub::document::{Node, Reading, Value};

use super::desired::{Desired, external_id, served};
use super::world::World;

/// Where settings are written where no other place is named.
const NAME: &str = "spothub.yaml";
/// What stands before a seal.
const SEAL: &str = "# seal: ";

/// What became of the settings.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Wrote {
    /// They were written; there were none, or they were to be written anew.
    Made,
    /// They stood as an earlier rollout had written them, and were brought up to date.
    Renewed,
    /// They are there, and say the same where the rollout has a say.
    Right,
    /// They are there and were left alone; these keys say something else.
    Differs(Vec<String>),
}

impl Wrote {
    /// Its word in JSON.
    pub(crate) const fn label(&self) -> &'static str {
        match self {
            Self::Made => "written",
            Self::Renewed => "renewed",
            Self::Right => "right",
            Self::Differs(_) => "different",
        }
    }
}

/// The settings' file: as named, or beside the rollout's file.
pub(super) fn place(named: Option<&Path>, file: &Path) -> PathBuf {
    named.map_or_else(|| file.parent().unwrap_or(Path::new("")).join(NAME), ToOwned::to_owned)
}

/// Writes them, unless there are some that differ: those are somebody's.
pub(super) fn write(world: &World, desired: &Desired, path: &Path, replace: bool) -> anyhow::Result<Wrote> {
    let text = text(world, desired);
    let name = path.display().to_string();
    let is = match fs::read_to_string(path) {
        Ok(is) => Some(is),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(error).with_context(|| format!("cannot read the settings {name}")),
    };
    if let Some(is) = is {
        let differs = differences(&text, &is);
        if differs.is_empty() {
            return Ok(Wrote::Right);
        }
        // Untouched settings of another hub are that hub's.
        let another = differs.iter().any(|key| ["hub-id", "home-region", "store"].contains(&key.as_str()));
        if !replace && (another || !is_untouched(&is)) {
            return Ok(Wrote::Differs(differs));
        }
        fs::write(path, sealed(&text)).with_context(|| format!("cannot write the settings {name}"))?;
        return Ok(if replace { Wrote::Made } else { Wrote::Renewed });
    }
    fs::write(path, sealed(&text)).with_context(|| format!("cannot write the settings {name}"))?;
    Ok(Wrote::Made)
}

/// A text with its seal: as long as that fits, nobody has changed it, and the rollout may write it anew.
fn sealed(text: &str) -> String {
    format!("{SEAL}{}\n{text}", token(&[text]))
}

/// Whether a file stands as a rollout had written it.
fn is_untouched(file: &str) -> bool {
    let parts = file.strip_prefix(SEAL).and_then(|rest| rest.split_once('\n'));
    parts.is_some_and(|(seal, text)| seal == token(&[text]))
}

/// Keys of the rollout's settings that are missing or other in the ones that are there. What else stands there is its
/// owner's.
fn differences(ours: &str, theirs: &str) -> Vec<String> {
    let tree = |text: &str| Reading::new(NAME, text).parse();
    let (Some(ours), Some(theirs)) = (tree(ours), tree(theirs)) else { return vec!["the whole file".to_owned()] };
    let mut found = Vec::new();
    compare("", &ours, Some(&theirs), &mut found);
    found
}

fn compare(path: &str, ours: &Node, theirs: Option<&Node>, found: &mut Vec<String>) {
    let Some(theirs) = theirs else { return found.push(path.to_owned()) };
    if let Value::Map(entries) = &ours.value {
        for (key, node) in entries {
            let path = if path.is_empty() { key.text.clone() } else { format!("{path}.{}", key.text) };
            compare(&path, node, theirs.get(&key.text), found);
        }
        return;
    }
    if plain(ours) != plain(theirs) {
        found.push(path.to_owned());
    }
}

/// A value without its place, and without its quotes.
fn plain(node: &Node) -> Vec<String> {
    match &node.value {
        Value::Scalar { text, .. } => vec![text.clone()],
        Value::List(items) => items.iter().flat_map(plain).collect(),
        Value::Map(entries) => {
            entries.iter().flat_map(|(key, node)| [vec![key.text.clone()], plain(node)].concat()).collect()
        }
        Value::Refused => Vec::new(),
    }
}

/// Their text.
fn text(world: &World, desired: &Desired) -> String {
    let (file, facts) = (&world.file, &world.facts);
    let out = |name: &str| facts.outputs.get(name).cloned().unwrap_or_default();
    let given = |name: &str| desired.sets[0].parameters.get(name).cloned().unwrap_or_default();
    let role = format!("arn:{}:iam::{{account}}:role{}{}", facts.partition, given("RolePath"), given("MemberRoleName"));
    let regions: Vec<&str> = desired.sets[1].regions.iter().map(Region::as_str).collect();
    let passable: Vec<String> =
        given("PassableRoleArns").split(',').map(str::trim).filter(|arn| !arn.is_empty()).map(quoted).collect();
    let lines = [
        "# Written by `spothub rollout apply`; `spothub config example` has every key with what it is for.".to_owned(),
        "# Whoever changes anything here owns the file: the rollout leaves it alone then.".to_owned(),
        format!("hub-id: {}", quoted(file.hub_id.as_str())),
        format!("home-region: {}", file.hub.region),
        "# Whoever works as the hub by hand assumes this role first.".to_owned(),
        format!("hub-role: {}", quoted(out("HubRoleArn"))),
        format!("member-role: {}", quoted(&role)),
        format!("external-id: {}", quoted(external_id(file, facts))),
        accounts(world, desired),
        format!("regions: [{}]", regions.join(", ")),
        "queues:".to_owned(),
        format!("  urgent: {}", quoted(out("UrgentQueueUrl"))),
        format!("  normal: {}", quoted(out("NormalQueueUrl"))),
        format!("  probe: {}", quoted(out("ProbeQueueUrl"))),
        format!("hub-bus: {}", quoted(out("BusArn"))),
        format!("store: {}", quoted(format!("dynamodb:{}", out("TableName")))),
        "# Where policy is published; until there is some, everything is held.".to_owned(),
        format!("policies: [{}]", quoted(format!("ssm:{}", out("PolicyParameter")))),
        "# What the member role may do, so that it is not tried in vain.".to_owned(),
        format!("group-guard: {}", given("GroupGuard")),
        format!("passable-roles: [{}]", passable.join(", ")),
        format!("on-demand-fallback: {}", given("AllowOnDemandFallback")),
        format!("launch-configurations: {}", given("AllowLaunchConfigurations")),
        format!("ecs-draining: {}", given("AllowEcsDraining")),
    ];
    lines.join("\n") + "\n"
}

/// Which accounts the hub serves.
fn accounts(world: &World, desired: &Desired) -> String {
    let served = served(&world.file, &world.facts, &desired.sets[0]);
    let ids = |ids: &std::collections::BTreeSet<AccountId>| {
        ids.iter().map(|id| format!("\"{id}\"")).collect::<Vec<_>>().join(", ")
    };
    if served.by_list {
        let why = "# The hub's account may not list the organization's accounts: new ones have to be named here.";
        return format!("{why}\naccounts:\n  from: list\n  only: [{}]", ids(&served.only));
    }
    let mut text = "accounts:\n  from: organization".to_owned();
    if !served.units.is_empty() {
        let units: Vec<&str> = served.units.iter().map(spothub_aws::UnitId::as_str).collect();
        text = format!("{text}\n  units: [{}]", units.join(", "));
    }
    for (key, some) in [("only", &served.only), ("without", &served.without)] {
        if !some.is_empty() {
            text = format!("{text}\n  {key}: [{}]", ids(some));
        }
    }
    text
}

fn quoted(text: impl AsRef<str>) -> String {
    format!("\"{}\"", text.as_ref().replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_rollout_says_is_compared() {
        let ours = "a: \"1\"\nqueues:\n  urgent: u\n  normal: n\nlist: [x, y]\n";
        assert!(
            differences(ours, "# mine\nlist: [x, y]\na: 1\nqueues: {normal: n, urgent: u, more: m}\nb: 2\n").is_empty()
        );
        assert_eq!(differences(ours, "a: 2\nqueues: {normal: n}\nlist: [x]\n"), ["a", "queues.urgent", "list"]);
        assert_eq!(differences(ours, "a: [\n"), ["the whole file"]);
    }

    #[test]
    fn a_seal_tells_whether_somebody_has_changed_them() {
        let text = sealed("a: 1\n");
        assert!(is_untouched(&text));
        assert!(!is_untouched(&text.replace('1', "2")) && !is_untouched("a: 1\n") && !is_untouched(""));
    }

    #[test]
    fn they_are_beside_the_file() {
        assert_eq!(place(None, Path::new("x/rollout.yaml")), Path::new("x/spothub.yaml"));
        assert_eq!(place(None, Path::new("rollout.yaml")), Path::new("spothub.yaml"));
        assert_eq!(place(Some(Path::new("y.yaml")), Path::new("x/rollout.yaml")), Path::new("y.yaml"));
    }
}
