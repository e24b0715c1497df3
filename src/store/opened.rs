//! Whether a SQLite file is still the one that was opened. A program that has a file open writes on into
//! it after it was removed or replaced, without an error and into nowhere.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::error::Fault;

/// A file as it was opened.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) path: PathBuf,
    device: u64,
    inode: u64,
}

impl Opened {
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let file = path.metadata()?;
        Ok(Self { path: path.to_owned(), device: file.dev(), inode: file.ino() })
    }

    /// That what is written now is found there later.
    pub(super) fn is_there(&self) -> Result<(), Fault> {
        match self.path.metadata() {
            Ok(file) if (file.dev(), file.ino()) == (self.device, self.inode) => Ok(()),
            Ok(_) => Err(Fault::Gone("replaced by another file".to_owned())),
            Err(error) => Err(Fault::Gone(format!("removed or out of reach ({error})"))),
        }
    }
}
