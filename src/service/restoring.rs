//! A store is restored: from a backup, or from what can be read of it.
//!
//! What was decided last matters more than how old the ledger is, which is asked of Prometheus again:
//! an alert whose firing is forgotten is told twice, under another key, and its first incident never
//! ends at its receiver. So where the store that is there still gives all of its decisions, they are
//! kept, and the backup gives the ledger alone. Where it does not, they are as old as the backup, and
//! what could do harm by that is stopped: commands that waited then, and scaling, since nobody knows
//! what was moved, paused or stopped since.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use super::examine::{Examined, examine};
use super::scaling;
use crate::store::{Options, Restore, Salvaged, Store, StoreError};

/// Why nothing was restored; nothing was changed either.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The store, the place, or a Damper that runs.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The backup is of no use.
    #[error("nothing was changed: the backup {} is of no use: {why}", path.display())]
    Backup {
        /// The backup.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// What was decided cannot be read of the store.
    #[error(
        "nothing was changed: what matters most cannot be read of the store: {why}. Restore a backup; without \
         one move the file and its .lock away, and Damper begins anew: budgets are asked of Prometheus \
         again, alert states and deliveries are lost"
    )]
    Salvage {
        /// What is wrong.
        why: String,
    },
}

/// What was restored.
#[derive(Debug)]
pub struct Restored {
    /// The store.
    pub store: PathBuf,
    /// Where the files that were there are kept.
    pub kept: Option<PathBuf>,
    /// The last moment of which the ledger knows, in seconds since the epoch.
    pub ledger_until: Option<i64>,
    /// Why what was decided is not that of the present; `None` where it is.
    pub decisions_are_old: Option<String>,
    /// Alerts that fire in what was restored.
    pub firing: u64,
    /// Messages that wait in it.
    pub waiting: u64,
    /// Whether scaling is stopped until somebody starts it.
    pub scaling_is_stopped: bool,
    /// Rows of the ledger that could be read, where no backup was given.
    pub salvaged: Option<Salvaged>,
}

/// Restores the store at an address from a backup, or without one from what can be read of it.
/// `as_it_was`: what was decided is taken from the backup too, although the present could be read.
///
/// # Errors
/// Nothing was changed, or what could not be moved and where it is.
pub async fn restore(
    url: &str,
    from: Option<&Path>,
    as_it_was: bool,
    options: Options,
    now: DateTime<Utc>,
) -> Result<Restored, RestoreError> {
    Restore::place(url)?;
    let backup = match from {
        Some(path) => Some(good(path, &options).await?),
        None => None,
    };
    // Before it is locked, or its log would not be looked at.
    let present = if as_it_was { Err("it was asked for".to_owned()) } else { present(url, &options).await };
    let restore = Box::pin(Restore::begin(url, backup.as_ref(), options)).await?;
    match Box::pin(filled(&restore, backup.is_some(), present, now)).await {
        Ok(restored) => Ok(Restored { kept: restore.put_in_place(now).await?, ..restored }),
        Err(error) => {
            restore.abandon().await;
            Err(error)
        }
    }
}

/// Fills the copy with what can be taken over of the store that is there.
async fn filled(
    restore: &Restore,
    has_backup: bool,
    present: Result<(), String>,
    now: DateTime<Utc>,
) -> Result<Restored, RestoreError> {
    let (old, salvaged) = match (has_backup, present) {
        (true, Ok(())) => (restore.take_decisions().await.err(), None),
        (true, Err(why)) => (Some(why), None),
        (false, present) => {
            restore.take_decisions().await.map_err(|why| RestoreError::Salvage { why })?;
            (present.err(), Some(restore.take_ledger().await?))
        }
    };
    let states = restore.copy.states().await?;
    let found = examine(&restore.copy).await;
    if !has_backup && !found.has_decisions() {
        return Err(RestoreError::Salvage { why: told(&found) });
    }
    let has_policies = states.iter().any(|(key, _)| key.starts_with(scaling::PREFIX));
    let mut scaling_is_stopped = false;
    if old.is_some() {
        let by = format!(
            "the restore of the store at {}; `damper scale start` when you have looked at the workloads",
            now.format("%Y-%m-%dT%H:%M:%SZ")
        );
        let stop = if has_policies { scaling::stop(&states, &by) } else { None };
        scaling_is_stopped = stop.is_some();
        restore.forget_commands(&Vec::from_iter(stop)).await?;
    }
    Ok(Restored {
        store: restore.path().to_owned(),
        kept: None,
        ledger_until: found.last,
        decisions_are_old: old,
        firing: found.firing,
        waiting: found.waiting,
        scaling_is_stopped,
        salvaged,
    })
}

/// A backup, open, if it is one that can be used.
async fn good(path: &Path, options: &Options) -> Result<Store, RestoreError> {
    let useless = |why: String| RestoreError::Backup { path: path.to_owned(), why };
    let url = format!("sqlite:{}", path.display());
    let store = Store::look(&url, options.clone()).await.map_err(|error| match error {
        StoreError::Corrupt { detail, .. } => useless(detail),
        StoreError::Open { detail, .. } => useless(detail),
        error => useless(error.to_string()),
    })?;
    let found = examine(&store).await;
    match found.schema {
        Some(schema) if schema.found > schema.known => Err(useless(format!(
            "its schema is version {}, this Damper knows versions up to {}; use the newer one",
            schema.found, schema.known
        ))),
        Some(_) if found.has_decisions() => Ok(store),
        _ => Err(useless(told(&found))),
    }
}

/// Whether the store that is there can tell what was decided last; otherwise why not.
async fn present(url: &str, options: &Options) -> Result<(), String> {
    let store = Store::look(url, options.clone()).await.map_err(|error| match error {
        StoreError::Corrupt { detail, .. } => detail,
        error => error.to_string(),
    })?;
    let found = examine(&store).await;
    store.close().await;
    // Damage of pages may lie in the ledger alone: each table is looked at when it is taken.
    if found.has_decisions_but_for_pages() { Ok(()) } else { Err(told(&found)) }
}

/// What was found that matters, places of which the same is to be told together.
fn told(found: &Examined) -> String {
    let mut all: Vec<(&str, Vec<&str>)> = Vec::new();
    for finding in found.findings.iter().filter(|finding| finding.matters()) {
        match all.iter_mut().find(|(what, _)| *what == finding.what) {
            Some((_, places)) => places.push(finding.place),
            None => all.push((&finding.what, vec![finding.place])),
        }
    }
    let all: Vec<String> =
        all.iter().map(|(what, places)| format!("{}: {what}", places.join(", "))).collect();
    all.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::examine::Finding;

    #[test]
    fn what_is_the_same_in_several_places_is_told_once() {
        let finding =
            |place, what: &str| Finding { place, what: what.into(), means: "", todo: String::new() };
        let findings = vec![
            finding("pages", "page 24 is damaged"),
            finding("states", "cannot be read: x"),
            finding("outbox", "1 of 2 rows"),
            finding("levels", "cannot be read: x"),
            finding("journal", "cannot be read: x"),
        ];
        assert_eq!(
            told(&Examined { findings, ..Examined::default() }),
            "pages: page 24 is damaged; states, levels: cannot be read: x; outbox: 1 of 2 rows"
        );
    }
}
