//! The trace file: whole or not at all.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Bytes gathered before they are written: a line has some 300.
const BUFFER: usize = 1 << 18;

/// A file that appears under its name when it is complete; dropped before, it leaves nothing.
pub(crate) struct TraceFile {
    writer: BufWriter<File>,
    /// Where it is written, and where it belongs; `None` where the target is no ordinary file (a pipe, `/dev/null`).
    rename: Option<(PathBuf, PathBuf)>,
}

impl TraceFile {
    /// Begins a file beside its target.
    pub(crate) fn create(target: &Path) -> io::Result<Self> {
        let target = match fs::metadata(target) {
            Ok(found) if found.is_dir() => {
                return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a directory"));
            }
            Ok(found) if !found.is_file() => {
                let file = OpenOptions::new().write(true).open(target)?;
                return Ok(Self { writer: BufWriter::with_capacity(BUFFER, file), rename: None });
            }
            // Through a link, so that the link stays.
            Ok(_) => fs::canonicalize(target)?,
            Err(_) => target.to_owned(),
        };
        let Some(name) = target.file_name() else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it names no file"));
        };
        let mut hidden = OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}.tmp", std::process::id()));
        let beside = target.with_file_name(hidden);
        let file = OpenOptions::new().write(true).create_new(true).open(&beside)?;
        Ok(Self { writer: BufWriter::with_capacity(BUFFER, file), rename: Some((beside, target)) })
    }

    /// Gives the file its name.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.writer.flush()?;
        if let Some((beside, target)) = &self.rename {
            fs::rename(beside, target)?;
        }
        self.rename = None;
        Ok(())
    }
}

impl Write for TraceFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl Drop for TraceFile {
    fn drop(&mut self) {
        if let Some((beside, _)) = &self.rename {
            let _ = fs::remove_file(beside);
        }
    }
}
