//! Where policy files are published.

use async_trait::async_trait;

/// The files as they stand at one moment.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Published {
    /// Which state of them it is, in the words of where they are kept: an object's version id, a time.
    pub version: String,
    /// Who wrote them last, where that is known: an ARN, a user.
    pub author: Option<String>,
    /// Each file's name for messages, and its bytes.
    pub files: Vec<(String, Vec<u8>)>,
}

/// Why the files cannot be had, with what to do about it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unpublished {
    /// Nothing is there: nobody has published anything yet, or somebody took it away.
    #[error("{0}")]
    Absent(String),
    /// It is there, or may be, and cannot be read.
    #[error("{0}")]
    Unreadable(String),
}

/// A place where policy is published.
#[async_trait]
pub trait Policies: Send + Sync {
    /// All files as they stand now; not more than some MiB.
    async fn read(&self) -> Result<Published, Unpublished>;
}
