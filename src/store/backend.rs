//! One body, two databases. A concern writes its functions once inside `both!` (or `each!` for
//! helpers); the macro compiles the same text for SQLite and for PostgreSQL, where `Database` names
//! the one at hand. That keeps every query static text, typed by its own driver, with no trait
//! between. Portable SQL is what makes it possible: `$1` placeholders, `bigint`, `text`, `on conflict`.

use std::future::Future;
use std::time::Duration;

use sqlx::{Pool, Postgres, Sqlite};

use super::error::{Fault, StoreError};
use super::lock::FileLock;
use super::open::Options;

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

    /// A file's one writer that does not become free is waiting for somebody; only a server's
    /// connection can be out of reach.
    fn told(&self, fault: Fault, doing: &'static str) -> StoreError {
        let is_busy = self.lock.is_some() && matches!(fault, Fault::Sql(sqlx::Error::PoolTimedOut));
        if is_busy {
            let detail = "the one connection that writes did not become free in time".into();
            return StoreError::Busy { store: self.name.clone(), doing, detail };
        }
        fault.told(&self.name, doing)
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
