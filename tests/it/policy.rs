//! Central policy: what holds of any rules and tags, what AutoSpotting's options become, and what bad files are told.

mod autospotting;
mod bytes;
mod corpus;
mod drawn;
mod laws;
mod page;
mod shipped;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use spothub_core::policy::{Context, PolicySet};
use spothub_hub::policy_file::{File, combine};

/// A group, as policy is asked about it.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) ou: &'static str,
    pub(crate) account: &'static str,
    pub(crate) account_tags: Option<BTreeMap<String, String>>,
    pub(crate) region: &'static str,
    pub(crate) name: &'static str,
    pub(crate) tags: BTreeMap<String, String>,
}

impl Default for Group {
    fn default() -> Self {
        let (account_tags, tags) = (None, BTreeMap::new());
        Self { ou: "/a/b", account: "000000000001", account_tags, region: "eu-west-1", name: "web-1", tags }
    }
}

impl Group {
    /// A group with these tags, like any other.
    fn tagged(tags: &[(&str, &str)]) -> Self {
        Self {
            tags: tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            ..Self::default()
        }
    }

    /// What `ask` answers for it.
    fn ask<T>(&self, ask: impl FnOnce(&Context<'_>) -> T) -> T {
        let (ou, region) = (self.ou.parse().unwrap(), self.region.parse().unwrap());
        let (account, account_tags) = (self.account.parse().unwrap(), self.account_tags.as_ref());
        ask(&Context { ou: &ou, account, account_tags, region: &region, group: self.name, tags: &self.tags })
    }
}

fn file(name: &str, text: &str) -> File {
    File { name: name.to_owned(), text: text.to_owned() }
}

/// The policy of one text.
fn policy(text: &str) -> PolicySet {
    let shown = |problems: Vec<spothub_hub::document::Problems>| panic!("{text}\n{}", problems[0]);
    combine(&[file("p.yaml", text)]).unwrap_or_else(shown)
}

/// A folder or file of the workspace.
fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

/// Files of a folder with one of these endings, by name.
fn folder(name: &str, endings: &[&str]) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(path(name)).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), path))
        .filter(|(name, _)| endings.iter().any(|ending| name.ends_with(ending)))
        .map(|(name, path)| (name, std::fs::read(path).unwrap()))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{name} has no such file");
    files
}
