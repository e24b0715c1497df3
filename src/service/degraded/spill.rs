//! The spill file: what was told while the store took nothing, for the next process. Written at the
//! end only, and on the disk before a page leaves; bounded, and empty while the store is well.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::record::{HEADER, Record, decode, encode};
use crate::store::Store;

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
}

#[derive(Debug)]
struct Inner {
    file: File,
    /// Bytes that are whole.
    len: u64,
}

impl Spill {
    /// Opens it, or makes it, and reads what an earlier process left. A file that belongs to another
    /// process is an error.
    pub(super) fn open(path: &Path) -> io::Result<(Self, Vec<Record>)> {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => io::Error::other("another process uses it"),
            TryLockError::Error(error) => error,
        })?;
        let mut bytes = Vec::new();
        (&mut file).take(2 * MOST).read_to_end(&mut bytes)?;
        let (records, whole) = decode(&bytes);
        if whole < bytes.len() {
            tracing::warn!(path = %path.display(), lost = bytes.len() - whole, "the spill file's end is not whole; it is left out");
        }
        let mut inner = Inner { file, len: whole as u64 };
        if whole == 0 {
            inner.clear()?;
        }
        Ok((Self { path: path.to_owned(), inner: Arc::new(Mutex::new(inner)) }, records))
    }

    /// Appends records and waits until the disk has them. On a full disk the store's reserve is freed
    /// for them.
    pub(super) async fn append(&self, store: &Store, records: &[Record]) -> Result<(), String> {
        let bytes: Vec<u8> = records.iter().flat_map(encode).collect();
        match self.write(bytes.clone()).await {
            Err(error) if error.kind() == io::ErrorKind::StorageFull && store.free_reserve() => {
                self.write(bytes).await.map_err(|error| self.told(&error))
            }
            written => written.map_err(|error| self.told(&error)),
        }
    }

    /// Empties it: the store has everything.
    pub(super) async fn clear(&self) -> Result<(), String> {
        self.work(Inner::clear).await.map_err(|error| self.told(&error))
    }

    async fn write(&self, bytes: Vec<u8>) -> io::Result<()> {
        self.work(move |inner| inner.append(&bytes)).await
    }

    async fn work(&self, work: impl FnOnce(&mut Inner) -> io::Result<()> + Send + 'static) -> io::Result<()> {
        let inner = Arc::clone(&self.inner);
        let task = tokio::task::spawn_blocking(move || {
            work(&mut inner.lock().unwrap_or_else(PoisonError::into_inner))
        });
        match tokio::time::timeout(LIMIT, task).await {
            Ok(Ok(done)) => done,
            Ok(Err(_)) => Err(io::Error::other("the task that writes it died")),
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the disk did not answer in time")),
        }
    }

    fn told(&self, error: &io::Error) -> String {
        format!("{}: {error}", self.path.display())
    }
}

impl Inner {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let after = self.len + bytes.len() as u64;
        if after > MOST {
            return Err(io::Error::other(format!("it holds its limit of {MOST} bytes")));
        }
        // What an attempt before left half-written is written over.
        self.file.seek(SeekFrom::Start(self.len))?;
        self.file.write_all(bytes)?;
        self.file.sync_data()?;
        self.len = after;
        Ok(())
    }

    fn clear(&mut self) -> io::Result<()> {
        self.len = 0;
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(HEADER)?;
        self.file.sync_data()?;
        self.len = HEADER.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Options;

    fn taken(id: &str) -> Record {
        Record::Taken { id: id.into(), at: 7 }
    }

    async fn store(folder: &Path) -> Store {
        let address = format!("sqlite:{}", folder.join("damper.db").display());
        Store::open(&address, Options::default()).await.unwrap()
    }

    #[tokio::test]
    async fn what_was_appended_is_read_by_the_next_process_and_a_cut_tail_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let (store, path) = (store(folder.path()).await, folder.path().join("spill"));
        let (spill, found) = Spill::open(&path).unwrap();
        assert_eq!(found, []);
        spill.append(&store, &[taken("a"), taken("b")]).await.unwrap();
        assert!(Spill::open(&path).is_err(), "it belongs to one process");
        drop(spill);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 3]).unwrap();
        let (spill, found) = Spill::open(&path).unwrap();
        assert_eq!(found, [taken("a")]);
        spill.append(&store, &[taken("c")]).await.unwrap();
        drop(spill);
        let (spill, found) = Spill::open(&path).unwrap();
        assert_eq!(found, [taken("a"), taken("c")]);
        spill.clear().await.unwrap();
        drop(spill);
        assert_eq!(Spill::open(&path).unwrap().1, []);
        assert_eq!(std::fs::read(&path).unwrap(), HEADER);
    }

    #[tokio::test]
    async fn it_is_bounded_and_a_file_of_something_else_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let (store, path) = (store(folder.path()).await, folder.path().join("spill"));
        std::fs::write(&path, "something else").unwrap();
        let (spill, found) = Spill::open(&path).unwrap();
        assert_eq!(found, []);
        let big = taken(&"x".repeat(3 << 20));
        spill.append(&store, std::slice::from_ref(&big)).await.unwrap();
        spill.append(&store, std::slice::from_ref(&big)).await.unwrap();
        let error = spill.append(&store, &[big]).await.unwrap_err();
        assert!(error.contains("limit"), "{error}");
        spill.append(&store, &[taken("small")]).await.unwrap();
        drop(spill);
        assert_eq!(Spill::open(&path).unwrap().1.len(), 3);
    }
}
