//! Where a SQLite store is: its path, and who may use it.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::error::StoreError;

/// The path of an address `sqlite:PATH`; `None` of any other.
pub(super) fn path_of(url: &str) -> Option<&str> {
    url.strip_prefix("sqlite:").map(|path| path.strip_prefix("//").unwrap_or(path))
}

/// For messages.
pub(super) fn name_of(path: &Path) -> String {
    format!("SQLite store {}", path.display())
}

/// The path with links resolved, so that two names of one file share one lock.
pub(super) fn real_path(text: &str) -> Result<PathBuf, StoreError> {
    let refused = |detail: String| StoreError::Open { store: format!("SQLite store {text}"), detail };
    if text.is_empty() || text.starts_with(":memory:") {
        return Err(refused("a file is needed, for example `sqlite:/var/lib/damper/damper.db`".into()));
    }
    let path = Path::new(text);
    if let Ok(real) = path.canonicalize() {
        if real.is_dir() {
            return Err(refused("this is a folder; name a file in it".into()));
        }
        return Ok(real);
    }
    let folder = folder_of(path);
    let real = folder.canonicalize().map_err(|error| {
        refused(format!("its folder {} cannot be used: {error}. Create it", folder.display()))
    })?;
    match path.file_name() {
        Some(file) => Ok(real.join(file)),
        None => Err(refused("the path ends without a file name".into())),
    }
}

/// The folder that a file is in.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Whose a file is and as whom we run, where that may be the reason of a refusal: ` (… belongs to
/// user 0, mode 644; this is user 998)`; empty where it is not known or the same user.
pub(super) fn whose(path: &Path) -> String {
    let (Ok(file), Ok(own)) = (path.metadata(), std::fs::metadata("/proc/self")) else {
        return String::new();
    };
    if own.uid() == file.uid() && file.mode() & 0o200 != 0 {
        return String::new();
    }
    format!(
        " ({} belongs to user {}, mode {:o}; this is user {})",
        path.display(),
        file.uid(),
        file.mode() & 0o7777,
        own.uid()
    )
}

/// Gives a file that an administrator's command wrote to whoever owns `like`. What is not permitted is
/// not needed: then both are the same user.
pub(super) fn give_to_owner_of(like: &Path, file: &Path) {
    let (Ok(like), Ok(own)) = (like.metadata(), file.metadata()) else { return };
    if (like.uid(), like.gid()) != (own.uid(), own.gid()) {
        let given = std::os::unix::fs::chown(file, Some(like.uid()), Some(like.gid()));
        if let Err(error) = given {
            tracing::debug!(%error, file = %file.display(), "keeps its owner");
        }
    }
}
