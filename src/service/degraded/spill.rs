//! The spill file: what was told while the store took nothing, for the next process. Written at the
//! end only, and on the disk before a page leaves; bounded, and empty while the store is well. One that
//! is lost while it is used is made anew, and nothing that cannot be read is written over.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, TryLockError as Held};
use std::time::Duration;

use super::record::{Found, HEADER, Record, decode, encode, file};
use crate::store::{Store, beside, identity};

/// Bytes of the file at most: the pages of more than a thousand alerts. Half of what the store keeps
/// in reserve, so that on a full disk there is as much left for the commit of it.
const MOST: u64 = 8 << 20;
/// A disk may hang; a page does not wait for it longer.
const LIMIT: Duration = Duration::from_secs(2);

/// An open spill file.
#[derive(Debug)]
pub(super) struct Spill {
    path: PathBuf,
    inner: Arc<Mutex<Inner>>,
    /// One at a time.
    turn: tokio::sync::Mutex<()>,
    /// Whether something is not in it that was to be.
    lacks: AtomicBool,
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    file: File,
    /// Bytes that are whole.
    len: u64,
}

/// Where a file is kept that could not be read.
pub(super) fn unread(path: &Path) -> PathBuf {
    beside(path, ".unread")
}

impl Spill {
    /// Opens it, or makes it, and reads what an earlier process left. What cannot be read is kept as
    /// [`unread`]. A file that belongs to another process is an error, and so is one that cannot be
    /// read while another one is kept already.
    pub(super) fn open(path: &Path) -> io::Result<(Self, Vec<Record>)> {
        let mut inner = Inner { path: path.to_owned(), file: locked(path)?, len: 0 };
        let mut bytes = Vec::new();
        (&mut inner.file).take(2 * MOST).read_to_end(&mut bytes)?;
        let found = decode(&bytes);
        inner.len = found.whole as u64;
        match (found.unread, found.whole) {
            (0, 0) => inner.clear()?,
            (0, whole) if whole < bytes.len() => {
                let lost = bytes.len() - whole;
                tracing::warn!(path = %path.display(), lost, "the spill file's end is not whole; it is left out");
            }
            (0, _) => {}
            _ => inner.set_aside(&found)?,
        }
        let (turn, lacks) = Default::default();
        let inner = Arc::new(Mutex::new(inner));
        Ok((Self { path: path.to_owned(), inner, turn, lacks }, found.records))
    }

    /// Appends records and waits until the disk has them; of none it only looks whether the file is
    /// still there. Where it is not, or does not have what was to be appended before, it is made anew
    /// with `all` records. On a full disk the store's reserve is freed for them.
    pub(super) async fn append(
        &self,
        store: &Store,
        records: &[Record],
        all: impl FnOnce() -> Vec<Record>,
    ) -> Result<(), String> {
        let bytes: Vec<u8> = records.iter().flat_map(encode).collect();
        let noted = async {
            let _turn = self.turn.lock().await;
            let is_whole = !self.lacks.swap(false, Ordering::AcqRel);
            if is_whole && self.freeing(store, move |inner| inner.append(&bytes)).await? {
                return Ok(());
            }
            let bytes = file(&all());
            self.freeing(store, move |inner| inner.again(&bytes)).await
        };
        let noted = tokio::time::timeout(LIMIT, noted).await.unwrap_or_else(|_| Err(hangs()));
        if noted.is_err() {
            self.lacks.store(true, Ordering::Release);
        }
        noted.map_err(|error| self.told(&error))
    }

    /// Empties it: the store has everything.
    pub(super) async fn clear(&self) -> Result<(), String> {
        let cleared = async {
            let _turn = self.turn.lock().await;
            self.lacks.store(false, Ordering::Release);
            self.work(Inner::clear).await
        };
        let cleared = tokio::time::timeout(LIMIT, cleared).await.unwrap_or_else(|_| Err(hangs()));
        cleared.map_err(|error| self.told(&error))
    }

    async fn freeing<T: Send + 'static>(
        &self,
        store: &Store,
        work: impl FnOnce(&mut Inner) -> io::Result<T> + Clone + Send + 'static,
    ) -> io::Result<T> {
        match self.work(work.clone()).await {
            Err(error) if error.kind() == ErrorKind::StorageFull && store.free_reserve() => {
                self.work(work).await
            }
            done => done,
        }
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Inner) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let inner = Arc::clone(&self.inner);
        let task = tokio::task::spawn_blocking(move || match inner.try_lock() {
            Ok(mut inner) => work(&mut inner),
            Err(Held::Poisoned(inner)) => work(&mut inner.into_inner()),
            // What was begun before and not waited for.
            Err(Held::WouldBlock) => Err(hangs()),
        });
        task.await.unwrap_or_else(|_| Err(io::Error::other("the task that writes it died")))
    }

    fn told(&self, error: &io::Error) -> String {
        format!("{}: {error}", self.path.display())
    }
}

fn hangs() -> io::Error {
    io::Error::new(ErrorKind::TimedOut, "the disk did not answer in time")
}

impl Inner {
    /// `false` where the file is not the one any more that is open, or was cut.
    fn append(&mut self, bytes: &[u8]) -> io::Result<bool> {
        if !self.is_in_place()? {
            return Ok(false);
        }
        let after = self.len + bounded(self.len, bytes)?;
        if !bytes.is_empty() {
            // Of what an attempt before left half-written nothing stays behind it.
            self.file.set_len(self.len)?;
            self.file.seek(SeekFrom::Start(self.len))?;
            self.file.write_all(bytes)?;
            self.file.sync_data()?;
        }
        self.len = after;
        Ok(true)
    }

    fn clear(&mut self) -> io::Result<()> {
        if !self.is_in_place()? {
            return self.again(HEADER);
        }
        self.len = 0;
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(HEADER)?;
        self.file.sync_data()?;
        self.len = HEADER.len() as u64;
        Ok(())
    }

    fn is_in_place(&self) -> io::Result<bool> {
        let own = self.file.metadata()?;
        match self.path.metadata() {
            Ok(found) => Ok(identity(&found) == identity(&own) && own.len() >= self.len),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Writes all of it once more. What was put in its place is somebody's, and is kept.
    fn again(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (own, found) = (self.file.metadata()?, self.path.metadata());
        if found.is_ok_and(|found| identity(&found) != identity(&own)) {
            let mut start = Vec::new();
            locked(&self.path)?.take(HEADER.len() as u64 + 1).read_to_end(&mut start)?;
            if !HEADER.starts_with(&start) {
                keep(&self.path)?;
            }
        }
        self.anew(bytes)
    }

    /// Keeps a file that cannot be read, or not in whole, and goes on with what can be read of it.
    fn set_aside(&mut self, found: &Found) -> io::Result<()> {
        let (path, bytes) = (self.path.display().to_string(), found.unread);
        match keep(&self.path).and_then(|()| self.anew(&file(&found.records))) {
            Ok(()) => {
                tracing::error!(path, bytes, "the spill file cannot be read in whole; it is kept aside")
            }
            Err(error) if found.whole == 0 => return Err(error),
            Err(error) => tracing::error!(path, bytes, %error, "the spill file cannot be read in whole"),
        }
        Ok(())
    }

    /// Puts a new file with these bytes in place of what is there, in one step.
    fn anew(&mut self, bytes: &[u8]) -> io::Result<()> {
        let len = bounded(0, bytes)?;
        let part = beside(&self.path, ".part");
        let made = || -> io::Result<File> {
            let mut file = locked(&part)?;
            file.set_len(0)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            std::fs::rename(&part, &self.path)?;
            let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
            Ok(file)
        };
        let made = made();
        if made.is_err() {
            // It is of no use, and may be what fills the disk.
            let _ = std::fs::remove_file(&part);
        }
        (self.file, self.len) = (made?, len);
        Ok(())
    }
}

/// How long these bytes are, if there is room for them behind `len` others.
fn bounded(len: u64, bytes: &[u8]) -> io::Result<u64> {
    let more = bytes.len() as u64;
    if len + more > MOST {
        return Err(io::Error::other(format!("it holds its limit of {MOST} bytes")));
    }
    Ok(more)
}

/// Opens a file, or makes it, for this process alone.
fn locked(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => io::Error::other("another process uses it"),
        TryLockError::Error(error) => error,
    })?;
    Ok(file)
}

/// Gives a file that cannot be read a second name, so that it can be replaced. One that is kept already
/// is never written over.
fn keep(path: &Path) -> io::Result<()> {
    let to = unread(path);
    std::fs::hard_link(path, &to).or_else(|error| match (path.metadata(), to.metadata()) {
        // A process that died between this and the replacing.
        (Ok(one), Ok(other)) if identity(&one) == identity(&other) => Ok(()),
        (_, Ok(_)) => Err(io::Error::other(format!(
            "it cannot be read, and {} is one that could not be read before: look at both and move them away",
            to.display()
        ))),
        _ => Err(error),
    })
}

#[cfg(test)]
mod tests;
