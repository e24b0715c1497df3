//! Whether a SQLite file is still the one that was opened. SQLite does not notice that its file was
//! removed or exchanged: it goes on writing to what has no name any more, and all of that is gone with
//! the process.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::lock::beside;

/// Device and number of a file.
type Id = (u64, u64);

/// The files of an open store.
#[derive(Debug)]
pub(super) struct InUse {
    path: PathBuf,
    log: PathBuf,
    /// The file, since it was opened.
    file: Id,
    /// Its write-ahead log; `None` until it was seen.
    seen_log: Mutex<Option<Id>>,
    /// Damage that was met; it does not go away by itself.
    damage: Mutex<Option<String>>,
}

impl InUse {
    /// Of a file that is open; `None` where it is gone already.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let log = beside(path, "-wal");
        Some(Self {
            path: path.to_owned(),
            log,
            file: id(path).ok()?,
            seen_log: Mutex::default(),
            damage: Mutex::default(),
        })
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Why this is not the store any more that was opened. Asks the file system, which has the answer
    /// in memory.
    pub(super) fn wrong(&self) -> Option<String> {
        match id(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Some("the file was removed or moved while Damper uses it".into());
            }
            Ok(found) if found != self.file => {
                return Some("the file was exchanged for another one while Damper uses it".into());
            }
            // A disk that does not answer says nothing about names.
            Err(_) => return None,
            Ok(_) => {}
        }
        let found = id(&self.log).ok();
        let mut seen = self.seen_log.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.is_none() {
            *seen = found;
        }
        (*seen != found).then(|| {
            let log = self.log.display();
            format!("its write-ahead log {log} was removed or exchanged while Damper uses it")
        })
    }

    /// Notes damage that was met.
    pub(super) fn met(&self, damage: &str) {
        let mut met = self.damage.lock().unwrap_or_else(PoisonError::into_inner);
        met.get_or_insert_with(|| damage.to_owned());
    }

    /// Damage that was met since the file was opened.
    pub(super) fn damage(&self) -> Option<String> {
        self.damage.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A connection was made anew, and the log may have been as well.
    pub(super) fn log_is_new(&self) {
        *self.seen_log.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

fn id(path: &Path) -> std::io::Result<Id> {
    path.metadata().map(|file| (file.dev(), file.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_removed_or_exchanged_is_noticed_and_one_that_comes_back_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let log = folder.path().join("a.db-wal");
        assert!(InUse::of(&path).is_none());
        std::fs::write(&path, "x").unwrap();
        let used = InUse::of(&path).unwrap();
        assert_eq!(used.wrong(), None);
        std::fs::write(&log, "x").unwrap();
        assert_eq!(used.wrong(), None, "the log appears with the first write");
        std::fs::write(&path, "longer").unwrap();
        assert_eq!(used.wrong(), None, "written to");

        let away = folder.path().join("away");
        std::fs::rename(&path, &away).unwrap();
        assert!(used.wrong().unwrap().contains("removed or moved"));
        std::fs::write(&path, "other").unwrap();
        assert!(used.wrong().unwrap().contains("exchanged for another one"));
        std::fs::rename(&away, &path).unwrap();
        assert_eq!(used.wrong(), None);

        std::fs::rename(&log, &away).unwrap();
        assert!(used.wrong().unwrap().contains("a.db-wal was removed"));
        std::fs::write(&log, "x").unwrap();
        assert!(used.wrong().unwrap().contains("a.db-wal was removed or exchanged"));
        used.log_is_new();
        assert_eq!(used.wrong(), None);
    }
}
