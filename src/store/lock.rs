//! The advisory lock beside a SQLite file. While it is held no other process of this host uses the
//! file, so the lease in it can be taken over at once: the kernel drops the lock with its process,
//! however that died.
//!
//! The file also remembers which store is used here, so that one that went away, was emptied or was
//! exchanged is not begun anew in silence.

use std::ffi::OsString;
use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::error::StoreError;
use super::place::{folder_of, give_to_owner_of, whose};

/// Held until dropped. The file stays: removing it would let two processes lock two files of one name.
#[derive(Debug)]
pub(super) struct FileLock {
    file: File,
    /// Which store was used here last, if any.
    knows: Option<i64>,
}

/// What the lock file says: the process that locked it last, and the store that was used here last.
#[derive(Default)]
struct Note {
    process: Option<u32>,
    store: Option<i64>,
}

/// Locks `<path>.lock`; `store` names the database in messages.
pub(super) fn take(path: &Path, store: &str) -> Result<FileLock, StoreError> {
    let lock_path = lock_path(path);
    let is_new = !lock_path.exists();
    let refused = |error: std::io::Error| StoreError::Open {
        store: store.to_owned(),
        detail: format!(
            "cannot lock {}: {error}{}. Its folder must be a local disk, writable for this user",
            lock_path.display(),
            whose(if is_new { folder_of(&lock_path) } else { &lock_path }),
        ),
    };
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&lock_path)
        .map_err(refused)?;
    let note = read(&mut file);
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let by = note.process.map(|process| format!(" (process {process})")).unwrap_or_default();
            return Err(StoreError::InUse { store: store.to_owned(), by });
        }
        Err(TryLockError::Error(error)) => return Err(refused(error)),
    }
    if is_new {
        give_to_owner_of(if path.exists() { path } else { folder_of(path) }, &lock_path);
    }
    let lock = FileLock { file, knows: note.store };
    lock.note(note.store);
    Ok(lock)
}

/// Who uses a store: ` (process 123)`, empty while that is not known; `None` when nobody does.
pub(super) fn user_of(path: &Path) -> Option<String> {
    let mut file = File::open(lock_path(path)).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => {
            let process = read(&mut file).process;
            Some(process.map(|process| format!(" (process {process})")).unwrap_or_default())
        }
        Ok(()) | Err(TryLockError::Error(_)) => None,
    }
}

/// Which store was used here last, if any.
pub(super) fn known_store(path: &Path) -> Option<i64> {
    read(&mut File::open(lock_path(path)).ok()?).store
}

/// The file that is locked.
pub(super) fn lock_path(path: &Path) -> PathBuf {
    beside(path, ".lock")
}

impl FileLock {
    /// Which store was used here last, if any.
    pub(super) fn knows(&self) -> Option<i64> {
        self.knows
    }

    /// Remembers which store is used here.
    pub(super) fn remember(&mut self, store: i64) {
        self.knows = Some(store);
        self.note(self.knows);
    }

    /// Whose lock it is helps the person who reads a refusal, and which store is here whoever looks for
    /// it later; a full disk must not stop us from starting.
    fn note(&self, store: Option<i64>) {
        let store = store.map(|store| format!("store {store}\n")).unwrap_or_default();
        let text = format!("{}\n{store}", std::process::id());
        let mut file = &self.file;
        // Written over what is there, and cut only then: a full disk does not take what was known.
        let noted = file.rewind().and_then(|()| file.write_all(text.as_bytes()));
        let noted = noted.and_then(|()| file.set_len(u64::try_from(text.len()).unwrap_or(u64::MAX)));
        if let Err(error) = noted.and_then(|()| file.sync_all()) {
            tracing::debug!(%error, "the lock file could not be written");
        }
    }
}

fn read(file: &mut File) -> Note {
    let mut text = String::new();
    // Bounded: it may be anybody's file.
    if file.take(200).read_to_string(&mut text).is_err() {
        return Note::default();
    }
    let mut lines = text.lines();
    let process = lines.next().and_then(|line| line.trim().parse().ok());
    let store = lines.find_map(|line| line.strip_prefix("store ")?.parse().ok());
    Note { process, store }
}

/// By what a file is known, whatever it is called: its device and number.
pub(crate) fn identity(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

/// The path with something appended to its file name.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
