//! Wakes the reload loop when something changes in the folders of the definitions.
//!
//! Folders are watched, not files: a ConfigMap is replaced by swapping a link beside its files,
//! and an editor writes a new file and renames it; neither touches the file that was watched.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};

use super::shared::Shared;

/// Folders watched at most.
const MOST: usize = 1000;

/// Keeps the watch while it lives.
pub(super) struct Watch {
    _watcher: Option<RecommendedWatcher>,
}

impl Watch {
    /// Watches what the settings name. Without a watch the files are still read every minute.
    pub(super) fn start(shared: &Arc<Shared>) -> Self {
        let wake = Arc::downgrade(shared);
        let woken = move |event: notify::Result<notify::Event>| {
            let matters = event.as_ref().map_or(true, |event| !event.kind.is_access());
            if let Some(shared) = wake.upgrade().filter(|_| matters) {
                shared.reload_wake.notify_one();
            }
        };
        let mut watcher = match notify::recommended_watcher(woken) {
            Ok(watcher) => watcher,
            Err(error) => {
                tracing::warn!(%error, "files cannot be watched; they are read every minute and on SIGHUP");
                return Self { _watcher: None };
            }
        };
        for folder in folders(&shared.settings.definitions) {
            if let Err(error) = watcher.watch(&folder, RecursiveMode::NonRecursive) {
                tracing::warn!(folder = %folder.display(), %error, "a folder cannot be watched; it is read every minute");
            }
        }
        Self { _watcher: Some(watcher) }
    }
}

/// The folders that hold the definitions, and those in them.
fn folders(paths: &[PathBuf]) -> BTreeSet<PathBuf> {
    let mut folders = BTreeSet::new();
    let mut open: Vec<PathBuf> = paths.iter().map(|path| folder_of(path)).collect();
    while let Some(folder) = open.pop() {
        if folders.len() >= MOST || !folders.insert(folder.clone()) {
            continue;
        }
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        let inside = entries.filter_map(Result::ok).filter(|e| e.file_type().is_ok_and(|t| t.is_dir()));
        open.extend(inside.map(|entry| entry.path()));
    }
    folders
}

fn folder_of(path: &Path) -> PathBuf {
    if path.is_dir() {
        return path.to_owned();
    }
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}
