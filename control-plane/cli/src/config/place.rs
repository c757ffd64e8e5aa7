//! Where the engine keeps its state: a file of its own, or a table that several workers share.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use spothub_aws::{TableName, TimeOuts};
use spothub_core::id::{Region, RoleArn};
use spothub_hub::document::At;

/// What stands before a table's name in the setting `store`.
const TABLE: &str = "dynamodb:";
const REMEDY: &str = "give a path, or dynamodb: and the name of a table in the home region";

/// A place for the store.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    /// A file of SQLite, for one process.
    File(PathBuf),
    /// A DynamoDB table of the hub's account in its home region, for any number of workers.
    Table(TableName),
}

/// A place with what is needed to reach it.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) place: Place,
    /// Where a table is; there for every table.
    pub(crate) home: Option<Region>,
    /// The hub's own role, where it is to be assumed first.
    pub(crate) hub_role: Option<RoleArn>,
    pub(crate) time_outs: TimeOuts,
}

impl FromStr for Place {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let Some(name) = text.strip_prefix(TABLE) else { return Ok(Self::File(PathBuf::from(text))) };
        name.parse().map(Self::Table).map_err(|error| format!("{name:?} is no table: {error}\n   = {REMEDY}"))
    }
}

impl Place {
    /// Reads the setting; the path as it was given.
    pub(super) fn read(at: &At<'_>) -> Option<Self> {
        match super::draft::text(at)?.parse::<Self>() {
            Ok(place) => Some(place),
            Err(text) => at.fail(text.lines().next().unwrap_or_default(), REMEDY),
        }
    }

    /// A path relative to the settings file, as its writer sees it.
    pub(super) fn beside(self, file: Option<&Path>) -> Self {
        match self {
            Self::File(path) => Self::File(super::beside(file, path)),
            Self::Table(_) => self,
        }
    }

    /// In words, for `config check`.
    pub(super) fn told(&self, home: &Region) -> String {
        match self {
            Self::File(path) => format!("store: the file {}, for one process on this machine", path.display()),
            Self::Table(name) => format!(
                "store: the DynamoDB table {name} in {home}, for any number of workers; \
                 it must be there when they start (control-plane/docs/store.md)"
            ),
        }
    }
}
