//! Backups by name: a folder of copies `NAME-20261122T020005Z.db`, where `NAME` is that of the store's
//! file. The name says when a copy was made, so that no clock of a file system is believed.

use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDateTime, Utc};

use super::place::folder_of;

const TIME: &str = "%Y%m%dT%H%M%SZ";

/// A copy of a store.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Backup {
    /// When it was made.
    pub at: DateTime<Utc>,
    /// Where it is.
    pub path: PathBuf,
}

/// Where backups of a store are kept: in the folder of the settings, or in `backups` beside it.
pub(super) fn folder(store: &Path, set: Option<&Path>) -> PathBuf {
    // Absolute, as it is named in commands that are pasted elsewhere.
    set.map_or_else(
        || folder_of(store).join("backups"),
        |set| std::path::absolute(set).unwrap_or_else(|_| set.to_owned()),
    )
}

/// The name of a copy that is made at a moment.
pub(super) fn name(store: &Path, at: DateTime<Utc>) -> String {
    format!("{}-{}.db", stem(store), at.format(TIME))
}

/// The copies of a store in a folder, the oldest first. A folder that cannot be read has none.
pub(super) fn list(store: &Path, folder: &Path) -> Vec<Backup> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<Backup> = entries
        .filter_map(|entry| {
            let name = entry.file_name();
            let time = name.to_str()?.strip_prefix(&stem(store))?.strip_prefix('-')?.strip_suffix(".db")?;
            let at = NaiveDateTime::parse_from_str(time, TIME).ok()?.and_utc();
            entry.file_type().ok()?.is_file().then(|| Backup { at, path: entry.path() })
        })
        .collect();
    found.sort();
    found
}

/// Removes all but the newest copies, and what was cut short; gives what could not be removed.
pub(super) fn prune(store: &Path, folder: &Path, keep: usize) -> Vec<String> {
    let copies = list(store, folder);
    let old = copies.iter().rev().skip(keep.max(1)).map(|backup| backup.path.clone());
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let parts = entries.map(|entry| entry.path()).filter(|path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with(&format!("{}-", stem(store))) && name.ends_with(".db.part")
    });
    let failed = old.chain(parts).filter_map(|path| {
        let error = std::fs::remove_file(&path).err()?;
        Some(format!("{}: {error}", path.display()))
    });
    failed.collect()
}

/// `2026-11-22 02:00:05 UTC`.
pub(super) fn tell(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// The command that restores a copy, to be pasted.
pub(super) fn command(store: &Path, from: &Path) -> String {
    format!(
        "damper store restore --store {} {}",
        quoted(&format!("sqlite:{}", store.display())),
        quoted(&from.display().to_string())
    )
}

/// The command that keeps what can be read of a store, to be pasted.
pub(super) fn salvage_command(store: &Path) -> String {
    format!("damper store restore --store {} --salvage", quoted(&format!("sqlite:{}", store.display())))
}

fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/:._-+@%=".contains(c);
    if text.chars().all(is_plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

fn stem(store: &Path) -> String {
    store.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn only_whole_copies_of_this_store_count_and_the_newest_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let store = Path::new("/var/lib/damper/damper.db");
        let times = ["2026-11-22T02:00:05Z", "2026-11-22T08:00:05Z", "2025-12-31T23:59:59Z"].map(at);
        for time in times {
            std::fs::write(folder.path().join(name(store, time)), "").unwrap();
        }
        for other in [
            "damper-20261122T090000Z.db.part",
            "damper-20261122T100000Z.sqlite",
            "damper-2026.db",
            "damper2-20261122T100000Z.db",
            "damper.db",
        ] {
            std::fs::write(folder.path().join(other), "").unwrap();
        }
        std::fs::create_dir(folder.path().join("damper-20270101T000000Z.db")).unwrap();
        let found: Vec<_> = list(store, folder.path()).iter().map(|backup| backup.at).collect();
        assert_eq!(found, [times[2], times[0], times[1]]);

        assert_eq!(prune(store, folder.path(), 2), [""; 0]);
        let found: Vec<_> = list(store, folder.path()).iter().map(|backup| backup.at).collect();
        assert_eq!(found, [times[0], times[1]]);
        let mut left: Vec<_> =
            std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left.len(), 7, "{left:?}");
        assert!(!left.contains(&"damper-20261122T090000Z.db.part".into()));
        prune(store, folder.path(), 0);
        assert_eq!(list(store, folder.path()).len(), 1, "the last one is never removed");
    }

    #[test]
    fn commands_can_be_pasted() {
        let plain =
            command(Path::new("/var/lib/damper/damper.db"), Path::new("/b/damper-20261122T020005Z.db"));
        assert_eq!(
            plain,
            "damper store restore --store sqlite:/var/lib/damper/damper.db /b/damper-20261122T020005Z.db"
        );
        let odd = salvage_command(Path::new("/my disk/it's.db"));
        assert_eq!(odd, r"damper store restore --store 'sqlite:/my disk/it'\''s.db' --salvage");
    }

    #[test]
    fn the_default_folder_lies_beside_the_store() {
        let store = Path::new("/var/lib/damper/damper.db");
        assert_eq!(folder(store, None), Path::new("/var/lib/damper/backups"));
        assert_eq!(folder(store, Some(Path::new("/mnt/b"))), Path::new("/mnt/b"));
        assert!(folder(store, Some(Path::new("b"))).is_absolute());
    }
}
