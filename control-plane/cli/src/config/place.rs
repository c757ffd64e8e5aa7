//! Where the engine keeps its state: a file of its own, or a table that several workers share.

use std::path::PathBuf;

use spothub_aws::TableName;
use spothub_core::id::Region;
use spothub_hub::document::At;

/// What stands before a table's name in the setting `store`.
const TABLE: &str = "dynamodb:";

/// A place for the store.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    /// A file of SQLite, for one process.
    File(PathBuf),
    /// A DynamoDB table of the hub's account in its home region, for any number of workers.
    Table(TableName),
}

impl Place {
    /// Reads the setting; the path as it was given.
    pub(super) fn read(at: &At<'_>) -> Option<Self> {
        let text = super::draft::text(at)?;
        let Some(name) = text.strip_prefix(TABLE) else { return Some(Self::File(PathBuf::from(text))) };
        match name.parse() {
            Ok(name) => Some(Self::Table(name)),
            Err(error) => at.fail(
                format_args!("{name:?} is no table: {error}"),
                "give a path, or dynamodb: and the name of a table in the home region",
            ),
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
