//! The advisory lock beside a SQLite file. While it is held no other process of this host uses the
//! file, so the lease in it can be taken over at once: the kernel drops the lock with its process,
//! however that died.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::error::StoreError;

/// Held until dropped. The file stays: removing it would let two processes lock two files of one name.
#[derive(Debug)]
pub(super) struct FileLock {
    _file: File,
}

/// Locks `<path>.lock`; `store` names the database in messages.
pub(super) fn take(path: &Path, store: &str) -> Result<FileLock, StoreError> {
    let lock_path = beside(path, ".lock");
    let refused = |error: std::io::Error| StoreError::Open {
        store: store.to_owned(),
        detail: format!(
            "cannot lock {}: {error}. Its folder must be a local disk, writable for this user",
            lock_path.display()
        ),
    };
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&lock_path)
        .map_err(refused)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(StoreError::InUse { store: store.to_owned(), by: owner(&mut file) });
        }
        Err(TryLockError::Error(error)) => return Err(refused(error)),
    }
    // Whose lock it is helps the person who reads the refusal; a full disk must not stop us from starting.
    let noted =
        file.set_len(0).and_then(|()| file.rewind()).and_then(|()| write!(file, "{}", std::process::id()));
    if let Err(error) = noted {
        tracing::debug!(%error, "the process id could not be noted in the lock file");
    }
    Ok(FileLock { _file: file })
}

fn owner(file: &mut File) -> String {
    let mut text = String::new();
    match file.take(20).read_to_string(&mut text) {
        Ok(_) if text.parse::<u32>().is_ok() => format!(" (process {text})"),
        _ => String::new(),
    }
}

/// The path with something appended to its file name.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
