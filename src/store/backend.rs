//! One body, two databases. A concern writes its functions once inside `both!` (or `each!` for
//! helpers); the macro compiles the same text for SQLite and for PostgreSQL, where `Database` names
//! the one at hand. That keeps every query static text, typed by its own driver, with no trait
//! between. Portable SQL is what makes it possible: `$1` placeholders, `bigint`, `text`, `on conflict`.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use sqlx::{Pool, Postgres, Sqlite};

use super::error::{Fault, StoreError};
use super::inuse::InUse;
use super::lock::FileLock;
use super::open::Options;
use super::reserve::Reserve;

/// Where Damper keeps what it must not forget. See [`Store::open`].
#[derive(Debug)]
pub enum Store {
    /// One file of this process.
    Sqlite(Db<Sqlite>),
    /// A server shared by several replicas.
    Postgres(Db<Postgres>),
}

/// Connections to one database. Writes go through `writer`, what the loops read through `queue`, and
/// what people and restarts read through `reader`: no number of slow listings delays a delivery, and
/// neither does a file that cannot be written.
#[derive(Debug)]
pub struct Db<D: sqlx::Database> {
    pub(super) writer: Pool<D>,
    pub(super) queue: Pool<D>,
    pub(super) reader: Pool<D>,
    /// For messages: the file, or the server without its password.
    pub(super) name: String,
    pub(super) options: Options,
    /// Proof that no other process of this host uses the file; `None` for PostgreSQL.
    pub(super) lock: Option<FileLock>,
    /// Space for decisions on a full disk; `None` for PostgreSQL, and where nothing is written.
    pub(super) reserve: Option<Arc<Reserve>>,
    /// The file that is open; `None` for PostgreSQL.
    pub(super) file: Option<Arc<InUse>>,
}

impl<D: sqlx::Database> Db<D> {
    /// Waits for what runs.
    pub(super) async fn close(&self) {
        self.reader.close().await;
        self.queue.close().await;
        self.writer.close().await;
    }

    /// Runs a body under the statement limit and names the store in its error.
    pub(super) async fn within<T>(
        &self,
        doing: &'static str,
        work: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, StoreError> {
        self.limited(self.options.statement, doing, work).await
    }

    /// The same under the limit for long work.
    pub(super) async fn maintain<T>(
        &self,
        doing: &'static str,
        work: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, StoreError> {
        self.limited(self.options.maintenance, doing, work).await
    }

    /// Whether the file is still the one that was opened, with what was written to it; a server's
    /// database always is.
    pub(super) fn in_place(&self) -> Result<(), Fault> {
        match self.file.as_ref().and_then(|file| file.wrong()) {
            Some(why) => Err(Fault::Gone(why)),
            None => self.is_ours(),
        }
    }

    /// Whether what is in the file, whatever it is called, is what was written to it. What is read from
    /// a mixture of two was delivered long ago, and a copy of it is a bad backup.
    pub(super) fn is_ours(&self) -> Result<(), Fault> {
        match self.file.as_ref().and_then(|file| file.overwritten()) {
            Some(why) => Err(Fault::Damaged(why)),
            None => Ok(()),
        }
    }

    /// The same, and whether no damage was met in it since: what is read there may be anything, or
    /// nothing, and a start would be refused.
    pub(super) fn sound(&self) -> Result<(), Fault> {
        self.in_place()?;
        match self.file.as_ref().and_then(|file| file.damage()) {
            Some(damage) => Err(Fault::Damaged(damage)),
            None => Ok(()),
        }
    }

    /// A file's one writer that does not become free is waiting for somebody; only a server's
    /// connection can be out of reach. Of a file that is gone nothing else that fails is worth telling.
    pub(super) fn told(&self, fault: Fault, doing: &'static str) -> StoreError {
        let fault = self.in_place().err().unwrap_or(fault);
        let is_busy = self.lock.is_some() && matches!(fault, Fault::Sql(sqlx::Error::PoolTimedOut));
        if is_busy {
            let detail = "the one connection that writes did not become free in time".into();
            return StoreError::Busy { store: self.name.clone(), doing, detail };
        }
        let error = fault.told(&self.name, doing);
        if let (Some(file), StoreError::Corrupt { detail, .. }) = (&self.file, &error) {
            file.met(detail);
        }
        match &self.file {
            Some(file) => error.with_way_out(file.path(), self.options.backups.as_deref()),
            None => error,
        }
    }

    async fn limited<T>(
        &self,
        limit: Duration,
        doing: &'static str,
        work: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, StoreError> {
        match tokio::time::timeout(limit, transaction!(doing, work)).await {
            Ok(done) => done.map_err(|fault| self.told(fault, doing)),
            Err(_) => Err(StoreError::Timeout { store: self.name.clone(), doing, limit }),
        }
    }
}

/// Compiles items twice, with `Database` as [`Sqlite`] and as [`Postgres`].
macro_rules! each {
    ($($items:tt)*) => {
        const _: () = {
            type Database = sqlx::Sqlite;
            $($items)*
        };
        const _: () = {
            type Database = sqlx::Postgres;
            $($items)*
        };
    };
}

/// Compiles `async` functions twice as methods of [`Db`], and once as methods of [`Store`] that call
/// the right one under the statement limit. The text after `while` says in messages what is being done.
macro_rules! both {
    ($(
        $(#[$attribute:meta])*
        $vis:vis async fn $name:ident(&$this:ident $(, $arg:ident: $kind:ty)* $(,)?) -> Result<$out:ty>
        while $doing:literal $body:block
    )*) => {
        $crate::store::backend::each! {
            impl $crate::store::backend::Db<Database> {
                $(async fn $name(&$this $(, $arg: $kind)*) -> Result<$out, $crate::store::error::Fault> $body)*
            }
        }
        impl $crate::store::backend::Store {
            $(
                $(#[$attribute])*
                $vis async fn $name(&$this $(, $arg: $kind)*) -> Result<$out, $crate::store::error::StoreError> {
                    match $this {
                        Self::Sqlite(db) => db.within($doing, db.$name($($arg),*)).await,
                        Self::Postgres(db) => db.within($doing, db.$name($($arg),*)).await,
                    }
                }
            )*
        }
    };
}

pub(super) use {both, each};
