//! Policy files on this machine: files, and all YAML files of a directory.

use std::fs::{self, File as Opened};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use spothub_hub::document::{self, BYTES_MAX};
use spothub_hub::policy_file::File;
use spothub_hub::published::FILES_MAX;

/// Every file that is named, or lies in a directory that is named; all that is wrong at once.
pub(crate) fn files(paths: &[PathBuf]) -> Result<Vec<File>, Vec<String>> {
    let (found, mut mistakes) = walk(paths);
    let mut files = Vec::new();
    for path in found {
        let name = path.display().to_string();
        match bytes(&path).and_then(|bytes| document::decode(&name, bytes).map_err(|problems| problems.to_string())) {
            Ok(text) => files.push(File { name, text }),
            Err(mistake) => mistakes.push(mistake),
        }
    }
    if mistakes.is_empty() { Ok(files) } else { Err(mistakes) }
}

/// The paths of the files, each once, in the order of their names within a directory.
pub(crate) fn listed(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Vec<String>> {
    let (found, mistakes) = walk(paths);
    if mistakes.is_empty() { Ok(found) } else { Err(mistakes) }
}

fn walk(paths: &[PathBuf]) -> (Vec<PathBuf>, Vec<String>) {
    let (mut found, mut mistakes) = (Vec::<PathBuf>::new(), Vec::new());
    for path in paths {
        if !path.is_dir() {
            if found.contains(path) {
                mistakes.push(format!("the policy file {} is named twice\n   = name it once", path.display()));
            } else {
                found.push(path.clone());
            }
            continue;
        }
        match inside(path) {
            Ok(inside) if inside.is_empty() => {
                let name = path.display();
                mistakes.push(format!("the directory {name} has no policy file\n   = its files end in .yaml or .yml"));
            }
            Ok(inside) => found.extend(inside),
            Err(error) => mistakes.push(format!("cannot read the directory {}: {error}", path.display())),
        }
    }
    if found.len() > FILES_MAX {
        let count = found.len();
        mistakes
            .push(format!("{count} policy files are named, more than the {FILES_MAX} that are read\n   = join some"));
        found.truncate(FILES_MAX);
    }
    (found, mistakes)
}

fn inside(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut inside = Vec::new();
    for entry in fs::read_dir(path)? {
        let path = entry?.path();
        // What editors leave behind begins with a dot.
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        let yaml = path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
        if yaml && !hidden && path.is_file() {
            inside.push(path);
        }
    }
    inside.sort();
    Ok(inside)
}

/// The bytes of a file, and one more than are read where it is too long.
pub(crate) fn bytes(path: &Path) -> Result<Vec<u8>, String> {
    let limit = u64::try_from(BYTES_MAX).unwrap_or(u64::MAX) + 1;
    // A pipe would be waited for until somebody writes into it.
    if fs::metadata(path).is_ok_and(|about| !about.is_file()) {
        return Err(format!("the policy file {} is no regular file", path.display()));
    }
    let mut bytes = Vec::new();
    let read = Opened::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes));
    read.map_err(|error| format!("cannot read the policy file {}: {error}", path.display()))?;
    Ok(bytes)
}

#[cfg(feature = "aws")]
pub(crate) use published::Local;

#[cfg(feature = "aws")]
mod published {
    use std::fs;
    use std::os::unix::fs::MetadataExt as _;
    use std::path::PathBuf;

    use async_trait::async_trait;
    use spothub_core::port::{Policies, Published, Unpublished};
    use spothub_core::time::Timestamp;

    /// Policy that is published by writing files on this machine.
    pub(crate) struct Local {
        pub(crate) paths: Vec<PathBuf>,
    }

    /// A user by name, as the machine's list of users has it.
    fn named(user: u32) -> String {
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let found = users.lines().find_map(|line| {
            let mut fields = line.split(':');
            let (name, id) = (fields.next()?, fields.nth(1)?);
            (id.parse() == Ok(user)).then(|| name.to_owned())
        });
        found.unwrap_or_else(|| format!("uid {user}"))
    }

    #[async_trait]
    impl Policies for Local {
        async fn read(&self) -> Result<Published, Unpublished> {
            let paths = super::listed(&self.paths).map_err(|mistakes| Unpublished::Unreadable(mistakes.join("\n")))?;
            let (mut files, mut latest) = (Vec::with_capacity(paths.len()), None::<(i64, u32)>);
            for path in paths {
                let bytes = super::bytes(&path).map_err(Unpublished::Unreadable)?;
                if let Ok(about) = fs::metadata(&path) {
                    latest = latest.max(Some((about.mtime().saturating_mul(1000), about.uid())));
                }
                files.push((path.display().to_string(), bytes));
            }
            let version = latest.map_or_else(|| "unknown".to_owned(), |(at, _)| Timestamp(at).to_string());
            Ok(Published { version, author: latest.map(|(_, user)| named(user)), files })
        }
    }
}
