//! Whether a SQLite file is still the one that was opened. SQLite does not notice that its file was
//! removed or exchanged: it goes on writing to what has no name any more, and all of that is gone with
//! the process. Nor does it notice that an older copy was written into its file (`cp old damper.db`): it
//! would mix the two with its next checkpoint.
//!
//! Only checkpoints change the file, and they take each page as it was written last. So a number in its
//! header that grows with what is written ([`InUse::stamp`]) never goes back in the file, and is never one
//! that was not written yet, unless somebody else wrote there. SQLite's own counter of changes does not
//! do: one connection writes the same one again and again to a write-ahead log.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::lock::{beside, identity};

/// Device and number of a file.
type Id = (u64, u64);
/// Where the header has `user_version`, four bytes with the highest first (sqlite.org/fileformat2.html).
const STAMP: u64 = 60;

/// What is known of the stamps of a file, and of its length, which does not go back either.
#[derive(Clone, Copy, Default, Debug)]
struct Stamps {
    /// The last one that was to be written; nothing is checked before that.
    written: Option<u32>,
    /// The last one in the file.
    seen: u32,
    /// How long the file was then.
    length: u64,
}

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
    /// The file itself, open as long as it is used: SQLite's locks are lost when a process closes a file
    /// that it has open twice. `None` where nothing is written.
    open: Option<File>,
    stamps: Mutex<Stamps>,
}

impl InUse {
    /// Of a file that is open; `None` where it is gone already.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let log = beside(path, "-wal");
        let (seen_log, damage, stamps) = Default::default();
        Some(Self { path: path.to_owned(), log, file: id(path).ok()?, seen_log, damage, open: None, stamps })
    }

    /// The same of one that is open to be written.
    pub(super) fn written(path: &Path) -> Option<Self> {
        Some(Self { open: File::open(path).ok(), ..Self::of(path)? })
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

    /// Why what is in the file is not what was written to it. Asks the file system, which has the answer
    /// in memory.
    pub(super) fn overwritten(&self) -> Option<String> {
        let file = self.open.as_ref()?;
        let mut stamps = self.stamps.lock().unwrap_or_else(PoisonError::into_inner);
        let written = stamps.written?;
        let is_ours = |(stamp, length)| stamp >= stamps.seen && stamp <= written && length >= stamps.length;
        // While a checkpoint writes it the first answer may be half of each.
        for _ in 0..2 {
            let found = header(file)?;
            if is_ours(found) {
                (stamps.seen, stamps.length) = found;
                return None;
            }
        }
        Some("another copy was written over the file while Damper uses it".into())
    }

    /// What is to be written as `user_version` after `last`, which is there now.
    pub(super) fn stamp(&self, last: i64) -> i64 {
        let next = last.saturating_add(1).clamp(1, i64::from(i32::MAX));
        let mut stamps = self.stamps.lock().unwrap_or_else(PoisonError::into_inner);
        stamps.written = u32::try_from(next).ok().max(stamps.written);
        next
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

/// The stamp of a file and its length; a disk that does not answer says nothing.
fn header(file: &File) -> Option<(u32, u64)> {
    let length = file.metadata().ok()?.len();
    let mut stamp = [0; 4];
    match file.read_exact_at(&mut stamp, STAMP) {
        Err(error) if error.kind() != ErrorKind::UnexpectedEof => None,
        _ => Some((u32::from_be_bytes(stamp), length)),
    }
}

fn id(path: &Path) -> std::io::Result<Id> {
    path.metadata().map(|file| identity(&file))
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
