//! Wakes the reload loop when something changes in the folders of the definitions.
//!
//! Folders are watched, not files: a ConfigMap is replaced by swapping a link beside its files,
//! and an editor writes a new file and renames it; neither touches the file that was watched.
//! Where a path to the definitions leads through a link, the folder that holds the link is watched
//! too, because whole trees are replaced by swapping such a link.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};

use super::shared::Shared;
use crate::store;

/// Folders watched at most.
const MOST: usize = 1000;

/// Device and inode: a folder that was replaced has the same path and others.
type Identity = (u64, u64);

/// Keeps the watch while it lives.
pub(super) struct Watch {
    watcher: Option<RecommendedWatcher>,
    watched: BTreeMap<PathBuf, Identity>,
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
        let watcher = notify::recommended_watcher(woken).inspect_err(|error| {
            tracing::warn!(%error, "files cannot be watched; they are read every minute and on SIGHUP");
        });
        let mut watch = Self { watcher: watcher.ok(), watched: BTreeMap::new() };
        watch.refresh(&shared.settings.definitions);
        watch
    }

    /// Takes up folders that are new or were replaced, and lets go of those that are gone. To be
    /// called before the files are read, so that no change falls between.
    pub(super) fn refresh(&mut self, definitions: &[PathBuf]) {
        let Some(watcher) = &mut self.watcher else { return };
        let wanted = folders(definitions);
        self.watched.retain(|folder, identity| {
            let stays = wanted.get(folder) == Some(identity);
            if !stays {
                // A folder that was removed has taken its watch along.
                let _ = watcher.unwatch(folder);
            }
            stays
        });
        for (folder, identity) in wanted {
            if self.watched.contains_key(&folder) {
                continue;
            }
            match watcher.watch(&folder, RecursiveMode::NonRecursive) {
                Ok(()) => drop(self.watched.insert(folder, identity)),
                Err(error) => {
                    tracing::warn!(folder = %folder.display(), %error, "a folder cannot be watched; it is read every minute");
                }
            }
        }
    }
}

/// The folders that hold the definitions, those in them, and those that hold links on the way.
fn folders(paths: &[PathBuf]) -> BTreeMap<PathBuf, Identity> {
    let mut folders = BTreeMap::new();
    let mut open: Vec<PathBuf> = paths.iter().map(|path| folder_of(path)).collect();
    while let Some(folder) = open.pop() {
        let Some(identity) = identity(&folder).filter(|_| folders.len() < MOST) else { continue };
        if folders.insert(folder.clone(), identity).is_some() {
            continue;
        }
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        let inside = entries.filter_map(Result::ok).filter(|e| e.file_type().is_ok_and(|t| t.is_dir()));
        open.extend(inside.map(|entry| entry.path()));
    }
    for holder in paths.iter().flat_map(|path| holders_of_links(path)) {
        if let Some(identity) = identity(&holder) {
            folders.entry(holder).or_insert(identity);
        }
    }
    folders
}

fn identity(folder: &Path) -> Option<Identity> {
    std::fs::metadata(folder).ok().map(|folder| store::identity(&folder))
}

fn folder_of(path: &Path) -> PathBuf {
    if path.is_dir() { path.to_owned() } else { parent(path) }
}

/// The folders of the links among a path and its parents.
fn holders_of_links(path: &Path) -> BTreeSet<PathBuf> {
    let links = path.ancestors().filter(|part| part.is_symlink());
    links.map(parent).collect()
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn folders_below_and_holders_of_links_are_watched() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        std::fs::create_dir_all(root.join("first/slos/team")).unwrap();
        symlink("first", root.join("current")).unwrap();
        let found = folders(&[root.join("current/slos")]);
        let found: Vec<&PathBuf> = found.keys().collect();
        assert_eq!(found, [root, &root.join("current/slos"), &root.join("current/slos/team")]);
    }

    #[test]
    fn a_folder_behind_a_swapped_link_is_another_one() {
        let dir = tempfile::tempdir().unwrap();
        let slos = dir.path().join("slos");
        std::fs::create_dir(dir.path().join("a")).unwrap();
        std::fs::create_dir(dir.path().join("b")).unwrap();
        symlink("a", &slos).unwrap();
        let before = folders(std::slice::from_ref(&slos));
        std::fs::remove_file(&slos).unwrap();
        symlink("b", &slos).unwrap();
        assert_ne!(before.get(&slos), folders(std::slice::from_ref(&slos)).get(&slos));
    }
}
