//! Space kept for the worst day: a file of some MiB beside a SQLite file, freed when the disk is full so
//! that decisions can still be committed, and made again once there is space for it and as much more.

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::fs::{FallocateFlags, fallocate, statvfs};

use super::backend::Store;
use super::decisions::{Committed, Decisions};
use super::error::StoreError;
use super::lock::beside;

/// A disk that does not say in time how full it is says nothing.
const LIMIT: Duration = Duration::from_secs(2);

/// The file, and whether it is there.
#[derive(Debug)]
pub(super) struct Reserve {
    path: PathBuf,
    bytes: u64,
    is_held: AtomicBool,
    /// Whether it was freed for want of space, and nothing but decisions is to be written.
    is_freed: AtomicBool,
}

impl Reserve {
    /// Keeps `bytes` beside the file at `path`, if there is space.
    pub(super) fn take(path: &Path, bytes: u64) -> Arc<Self> {
        let path = beside(path, ".reserve");
        let reserve = Self { path, bytes, is_held: AtomicBool::default(), is_freed: AtomicBool::default() };
        reserve.keep();
        Arc::new(reserve)
    }

    /// Whether something was freed.
    fn free(&self) -> bool {
        if !self.is_held.swap(false, Ordering::AcqRel) {
            return false;
        }
        let freed = std::fs::remove_file(&self.path).is_ok();
        tracing::error!(path = %self.path.display(), bytes = self.bytes, freed, "the disk is full: its reserve is freed for decisions");
        self.is_freed.store(true, Ordering::Release);
        freed
    }

    /// Whether the disk is full or nearly so; where it is not, what was freed is kept anew.
    fn is_short(&self) -> bool {
        let is_held = self.is_held.load(Ordering::Acquire);
        let needed = if is_held { self.bytes } else { 2 * self.bytes };
        // Unprivileged users have less of it than there is; what cannot be read says nothing.
        let enough = self.space().is_none_or(|space| space >= needed);
        if enough && !is_held {
            self.keep();
        }
        !enough || (self.is_freed.load(Ordering::Acquire) && !self.is_held.load(Ordering::Acquire))
    }

    fn keep(&self) {
        match allocate(&self.path, self.bytes) {
            Ok(()) => {
                self.is_held.store(true, Ordering::Release);
                self.is_freed.store(false, Ordering::Release);
            }
            Err(error) => {
                // Half of it would only take space from others.
                drop(std::fs::remove_file(&self.path));
                let path = self.path.display();
                tracing::debug!(%path, %error, "no space is kept in reserve for a full disk");
            }
        }
    }

    fn space(&self) -> Option<u64> {
        let disk = statvfs(self.path.parent()?).ok()?;
        Some(disk.f_bavail.saturating_mul(disk.f_frsize))
    }
}

/// Real blocks, not a hole. Where a file system cannot allocate ahead nothing is kept.
fn allocate(path: &Path, bytes: u64) -> io::Result<()> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
    fallocate(&file, FallocateFlags::empty(), 0, bytes)?;
    file.sync_all()
}

impl Store {
    /// Writes everything or nothing. Where the disk is full, the reserve is freed for it.
    ///
    /// After an error it may have been written all the same: read the states again before anything
    /// else is decided, behind an empty commit, which waits for this one.
    pub async fn commit(&self, epoch: i64, decisions: &Decisions) -> Result<Committed, StoreError> {
        match self.commit_once(epoch, decisions).await {
            Err(StoreError::DiskFull { .. }) if self.free_reserve() => {
                self.commit_once(epoch, decisions).await
            }
            done => done,
        }
    }

    /// Frees what is kept for a full disk; whether there was something.
    pub fn free_reserve(&self) -> bool {
        self.reserve().is_some_and(|reserve| reserve.free())
    }

    /// Whether the disk is full or nearly so, and only decisions are to be written. Once it is not, the
    /// reserve is made again. A server's disk is not known.
    pub async fn is_short(&self) -> bool {
        let Some(reserve) = self.reserve().map(Arc::clone) else { return false };
        let asked = tokio::task::spawn_blocking(move || reserve.is_short());
        matches!(tokio::time::timeout(LIMIT, asked).await, Ok(Ok(true)))
    }

    fn reserve(&self) -> Option<&Arc<Reserve>> {
        match self {
            Self::Sqlite(db) => db.reserve.as_ref(),
            Self::Postgres(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn it_takes_real_space_is_freed_once_and_kept_again() {
        let folder = tempfile::tempdir().unwrap();
        let reserve = Reserve::take(&folder.path().join("damper.db"), 1 << 20);
        let file = folder.path().join("damper.db.reserve");
        assert!(file.metadata().unwrap().blocks() * 512 >= 1 << 20, "a hole keeps nothing");
        assert!(!reserve.is_short());
        assert!(reserve.free() && !reserve.free());
        assert!(!file.exists());
        assert!(!reserve.is_short(), "there is space again");
        assert!(file.exists());
    }

    #[test]
    fn without_space_for_it_nothing_is_left_half_made() {
        let folder = tempfile::tempdir().unwrap();
        let reserve = Reserve::take(&folder.path().join("damper.db"), 1 << 60);
        assert!(!folder.path().join("damper.db.reserve").exists());
        assert!(reserve.is_short() && !reserve.free());
    }
}
