//! Copies of a SQLite store while it is in use, and which of them there are.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use sqlx::{ConnectOptions, Connection, Sqlite};

use super::backend::{Db, Store};
use super::backups::{self, Backup};
use super::error::{Fault, StoreError};
use super::lock::beside;
use super::place::{folder_of, give_to_owner_of, whose};
use super::sqlite::readable;
use super::words;

impl Store {
    /// Writes a whole, compact copy to `to`, or under a name with the time `now` where that is a folder,
    /// and gives its path. A copy cut short never bears its name, one that is there is never
    /// overwritten, and what was written is read again before it counts. Does not hold up decisions.
    /// PostgreSQL has its own tools, and the error says so.
    pub async fn backup(&self, to: &Path, now: DateTime<Utc>) -> Result<PathBuf, StoreError> {
        let db = self.file("backups of a PostgreSQL store are made with pg_dump")?;
        let to = if to.is_dir() { to.join(backups::name(db.path(), now)) } else { to.to_owned() };
        db.backup(&to).await?;
        Ok(to)
    }

    /// Makes a copy in the folder of backups, and then removes all but the newest `keep`.
    pub async fn back_up(&self, now: DateTime<Utc>, keep: usize) -> Result<PathBuf, StoreError> {
        let db = self.file("backups of a PostgreSQL store are made with pg_dump")?;
        let folder = db.backup_folder();
        tokio::fs::create_dir_all(&folder).await.map_err(|error| {
            db.refused(format!("its folder of backups {} cannot be made: {error}", folder.display()))
        })?;
        give_to_owner_of(db.path(), &folder);
        db.has_room(&folder)?;
        let to = self.backup(&folder, now).await?;
        for left in backups::prune(db.path(), &folder, keep) {
            tracing::warn!(left, "an old backup could not be removed");
        }
        Ok(to)
    }

    /// The newest copy in the folder of backups; `None` also for PostgreSQL.
    pub fn newest_backup(&self) -> Option<Backup> {
        let db = self.file("").ok()?;
        backups::list(db.path(), &db.backup_folder()).pop()
    }

    /// The folder of backups; `None` for PostgreSQL.
    pub fn backup_folder(&self) -> Option<PathBuf> {
        self.file("").ok().map(Db::backup_folder)
    }

    /// Whether the file is still the one that was opened, and no damage was met in it since.
    ///
    /// # Errors
    /// What became of it.
    pub fn sound(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(db) => db.sound().map_err(|fault| db.told(fault, "looking at the file")),
            Self::Postgres(_) => Ok(()),
        }
    }

    /// The database, where it is a file.
    pub(super) fn file(&self, otherwise: &str) -> Result<&Db<Sqlite>, StoreError> {
        match self {
            Self::Sqlite(db) => Ok(db),
            Self::Postgres(db) => {
                Err(StoreError::Open { store: db.name.clone(), detail: otherwise.to_owned() })
            }
        }
    }
}

impl Db<Sqlite> {
    /// The file.
    pub(super) fn path(&self) -> &Path {
        self.file.as_ref().map_or(Path::new(""), |file| file.path())
    }

    fn backup_folder(&self) -> PathBuf {
        backups::folder(self.path(), self.options.backups.as_deref())
    }

    fn refused(&self, detail: String) -> StoreError {
        StoreError::Open { store: self.name.clone(), detail }
    }

    /// A copy that fills the disk takes the store with it: as much must stay free as the copy takes.
    fn has_room(&self, folder: &Path) -> Result<(), StoreError> {
        let length = |path: PathBuf| path.metadata().map_or(0, |file| file.len());
        let size = length(self.path().to_owned()) + length(beside(self.path(), "-wal"));
        let free = rustix::fs::statvfs(folder).map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize));
        match free {
            Ok(free) if free < size.saturating_mul(2) => Err(self.refused(format!(
                "there is too little space for a backup in {}: {} MB are free, and {} MB are wanted, twice the \
                 store, so that it does not fill the disk. Free some, or name a folder elsewhere (`backups: \
                 {{folder: …}}`)",
                folder.display(),
                free >> 20,
                (size.saturating_mul(2) >> 20) + 1
            ))),
            // Where it is not known the copy is tried.
            Ok(_) | Err(_) => Ok(()),
        }
    }

    async fn backup(&self, to: &Path) -> Result<(), StoreError> {
        if to.exists() {
            let detail = format!("{} exists; name a backup that does not", to.display());
            return Err(self.refused(detail));
        }
        if let Some(why) = no_folder(to) {
            return Err(self.refused(why));
        }
        let part = beside(to, ".part");
        let made = self.copy(&part, to).await;
        if made.is_err() {
            // What is left of it is of no use, and may be what fills the disk.
            let _ = tokio::fs::remove_file(&part).await;
        }
        made
    }

    async fn copy(&self, part: &Path, to: &Path) -> Result<(), StoreError> {
        let failed = |error: std::io::Error| {
            self.refused(format!("cannot write the backup {}: {error}", part.display()))
        };
        self.write_copy(part).await?;
        // Of what somebody wrote into the file meanwhile it may be whole, and would be the newest.
        self.is_ours().map_err(|fault| self.told(fault, "writing a copy"))?;
        // The name appears only once the contents are on the disk, and stays.
        let file = tokio::fs::File::open(part).await.map_err(failed)?;
        file.sync_all().await.map_err(failed)?;
        tokio::fs::rename(part, to).await.map_err(failed)?;
        sync_folder(to).map_err(failed)
    }

    /// Everything that is committed, in a file that nobody has read before, and read again.
    pub(super) async fn write_copy(&self, part: &Path) -> Result<(), StoreError> {
        let failed = |error: std::io::Error| {
            let whose = whose(folder_of(part));
            self.refused(format!(
                "cannot write the copy {}: {error}{whose}. Its folder must be there and writable for this user",
                part.display()
            ))
        };
        match tokio::fs::remove_file(part).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let Some(target) = part.to_str() else {
            return Err(self.refused(format!("{} is not UTF-8", part.display())));
        };
        // SQLite takes an empty file too, and would not say why it cannot make one.
        tokio::fs::File::create_new(part).await.map_err(failed)?;
        // A file that lost its name is still open in the connection that writes, and in it for sure.
        let from = if self.in_place().is_ok() { &self.reader } else { &self.writer };
        let written = async {
            sqlx::query("vacuum into $1").bind(target).execute(from).await?;
            Ok::<_, Fault>(())
        };
        self.maintain("writing a copy", written).await.map_err(|error| self.of_copy(error, part))?;
        if let Ok(store) = self.path().metadata() {
            tokio::fs::set_permissions(part, store.permissions()).await.map_err(failed)?;
            give_to_owner_of(self.path(), part);
        }
        let reads = async {
            let mut copy = readable(part, &self.options).connect().await?;
            let found: Vec<String> = sqlx::query_scalar("pragma quick_check(1)").fetch_all(&mut copy).await?;
            copy.close().await?;
            Ok::<_, Fault>(found)
        };
        let found = self.maintain("reading a copy again", reads).await?;
        match words::damage(&found) {
            None => Ok(()),
            Some(damage) => Err(self.refused(format!(
                "the copy {} is not what was written ({damage}): do not trust that disk",
                part.display()
            ))),
        }
    }

    /// Where a disk is full or may not be written it is that of the copy: the store was only read.
    fn of_copy(&self, error: StoreError, part: &Path) -> StoreError {
        let at = part.display();
        match error {
            StoreError::DiskFull { .. } => self.refused(format!(
                "the disk is full: the copy {at} was not finished and is removed; nothing else changed"
            )),
            StoreError::Open { detail, .. } | StoreError::ReadOnly { detail, .. } => {
                self.refused(format!("the copy {at} cannot be written: {detail}"))
            }
            error => error,
        }
    }
}

/// Why there is no folder for a file; a name that ends like that of a folder is meant as one.
fn no_folder(to: &Path) -> Option<String> {
    let is_folder = to.as_os_str().as_encoded_bytes().ends_with(b"/");
    let folder = if is_folder { to } else { folder_of(to) };
    let why = match folder.metadata() {
        Ok(found) if found.is_dir() => return None,
        Ok(_) => "is no folder".to_owned(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => "does not exist; create it".to_owned(),
        Err(error) => format!("cannot be used: {error}"),
    };
    Some(format!("{} {why}", folder.display()))
}

/// Names are on the disk only with their folder.
pub(super) fn sync_folder(file: &Path) -> std::io::Result<()> {
    std::fs::File::open(folder_of(file))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Options;

    #[tokio::test]
    async fn a_copy_that_has_no_place_is_told_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let url = format!("sqlite:{}", at("damper.db").display());
        let store = Store::open(&url, Options::default()).await.unwrap();
        std::fs::write(at("text"), "").unwrap();
        for (to, expected) in [
            (at("none/"), format!("{}/none/ does not exist; create it", folder.path().display())),
            (at("none/x.db"), format!("{}/none does not exist; create it", folder.path().display())),
            (at("text/"), "/text/ cannot be used: Not a directory".to_owned()),
            (at("text/x.db"), "/text is no folder".to_owned()),
            (at("text"), "/text exists; name a backup that does not".to_owned()),
            ("/proc/x.db".into(), "cannot write the copy /proc/x.db.part: No such file".to_owned()),
            (at(&"x".repeat(252)), "File name too long".to_owned()),
        ] {
            let error = store.backup(&to, DateTime::UNIX_EPOCH).await.unwrap_err().to_string();
            assert!(error.contains(&expected) && !error.contains("database"), "{}: {error}", to.display());
        }
        let mut left: Vec<_> =
            std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        left.retain(|name| !name.to_string_lossy().starts_with("damper.db"));
        assert_eq!(left, ["text"]);
    }
}
