//! REMEMBER: decisions, outbox and slices, in SQLite or PostgreSQL.
//!
//! SQLite is embedded and the default: one file, one process, no server. PostgreSQL is for several
//! replicas. Both run the same SQL text; `backend` compiles each body once per database.
//!
//! Three promises rest here. A decision is **one transaction**: new alert states, the outbox rows
//! they owe and the commands they consumed, all or nothing ([`Store::commit`]). It is written
//! **under the epoch of the lease**: a leader that was replaced writes nothing more, whatever it
//! believes ([`Store::acquire`]). And an outbox row has a **deterministic id**: deciding the same
//! thing twice owes it once.
//!
//! Slices are facts, not decisions: they are journaled afterwards, in a transaction of their own,
//! and what is lost is asked again ([`Store::append_slices`]).

mod backend;
mod backup;
mod backups;
mod check;
mod commands;
mod decisions;
mod documents;
mod error;
mod found;
mod history;
mod inuse;
mod judged;
mod lease;
mod levels;
mod lock;
mod migrate;
mod network;
mod open;
mod outbox;
mod owing;
mod place;
mod queue;
mod reserve;
mod restore;
mod shed;
mod slices;
mod sqlite;
mod standin;
#[cfg(test)]
mod tests;
mod wal;
mod words;

pub use backend::{Db, Store};
pub use backups::Backup;
pub use check::Schema;
pub use commands::Command;
pub use decisions::{Committed, Decisions, Delivered, HistoryPut, LevelPut, OutboxPut, StatePut, Superseded};
pub use documents::{Document, Revision};
pub use error::StoreError;
pub use history::HistoryRow;
pub use judged::JudgedPut;
pub use lease::Lease;
pub use levels::{LevelRow, LevelState};
pub(crate) use lock::{beside, identity};
pub use open::Options;
pub use outbox::{Backlog, OutboxFilter, OutboxRow, Page, Status};
pub use restore::{Restore, Salvaged};
pub use slices::{DamagedSlices, ImagePage, ImageRow, SliceBlob, SlicePage, StoredSlices};

/// Most rows one listing returns.
pub const PAGE: i64 = 1000;

/// Most rows one pruning call deletes, so that the single writer is never held for long; call again
/// while it deletes that many.
pub const PRUNE: u64 = 5000;
