//! Reads definition files from paths and folders, under bounds: count, depth, size, and never from what could hang.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::slo::problem::{Level, Problem};
use crate::slo::{MAX_FILE, SourceFile};

const MAX_FILES: usize = 10_000;
const MAX_ENTRIES: usize = 200_000;
const MAX_DEPTH: usize = 16;
const MAX_TOTAL: usize = 256 * 1024 * 1024;

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// Read files, sorted by path, each once.
    pub files: Vec<SourceFile>,
    /// What could not be read, and why.
    pub problems: Vec<Problem>,
    /// Given paths that do not exist.
    pub missing: Vec<PathBuf>,
}

/// Files as given; folders with all `*.yaml` and `*.yml` in and below them. Names that begin with
/// a dot are skipped: a mounted ConfigMap keeps its files twice, in `..data` and as links into it.
pub fn files(paths: &[PathBuf]) -> Found {
    let mut walk = Walk::default();
    for path in paths {
        match fs::metadata(path) {
            Ok(meta) if meta.is_dir() => walk.folder(path, 0),
            Ok(meta) => walk.file(path, &meta),
            Err(error) if error.kind() == io::ErrorKind::NotFound => walk.found.missing.push(path.clone()),
            Err(error) => walk.unreadable(path, &error),
        }
    }
    walk.found.files.sort_by(|a, b| a.path.cmp(&b.path));
    walk.found
}

#[derive(Default)]
struct Walk {
    found: Found,
    /// Real paths of files and folders, so that links and repeated arguments read nothing twice.
    seen: HashSet<PathBuf>,
    entries: usize,
    bytes: usize,
    full: bool,
}

impl Walk {
    fn folder(&mut self, folder: &Path, depth: usize) {
        if depth > MAX_DEPTH {
            return self.problem(folder, format!("nested deeper than {MAX_DEPTH} folders"), None);
        }
        if !self.first_time(folder) {
            return;
        }
        let names = match self.names(folder) {
            Ok(names) => names,
            Err(error) => return self.unreadable(folder, &error),
        };
        for path in names {
            // Follows links; one that leads nowhere is a problem only where it would be a definition.
            match fs::metadata(&path) {
                Ok(meta) if meta.is_dir() => self.folder(&path, depth + 1),
                Ok(meta) if is_yaml(&path) => self.file(&path, &meta),
                Err(error) if is_yaml(&path) => self.unreadable(&path, &error),
                _ => {}
            }
        }
    }

    /// Sorted paths of a folder's entries without those that begin with a dot.
    fn names(&mut self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            self.entries += 1;
            if self.entries > MAX_ENTRIES {
                return Err(io::Error::other(format!("more than {MAX_ENTRIES} entries; not read further")));
            }
            if !entry.file_name().as_encoded_bytes().starts_with(b".") {
                names.push(entry.path());
            }
        }
        names.sort();
        Ok(names)
    }

    fn file(&mut self, path: &Path, meta: &fs::Metadata) {
        if !meta.is_file() {
            let hint = Some("definitions are read from regular files and folders".to_owned());
            return self.problem(path, "not a regular file".into(), hint);
        }
        if self.full || !self.first_time(path) {
            return;
        }
        if self.found.files.len() >= MAX_FILES || self.bytes > MAX_TOTAL {
            self.full = true;
            let what = format!("more than {MAX_FILES} files or {MAX_TOTAL} bytes; the rest is not read");
            return self.problem(path, what, None);
        }
        match read(path) {
            Ok(text) => {
                self.bytes += text.len();
                self.found.files.push(SourceFile { path: path.display().to_string(), text });
            }
            Err((what, hint)) => self.problem(path, what, hint),
        }
    }

    fn first_time(&mut self, path: &Path) -> bool {
        self.seen.insert(path.canonicalize().unwrap_or_else(|_| path.to_owned()))
    }

    fn unreadable(&mut self, path: &Path, error: &io::Error) {
        let (what, hint) = unreadable(error);
        self.problem(path, what, hint);
    }

    fn problem(&mut self, path: &Path, what: String, hint: Option<String>) {
        let file = path.display().to_string();
        self.found.problems.push(Problem { file, line: 1, column: 1, level: Level::Error, what, hint });
    }
}

fn is_yaml(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("yaml") || e.eq_ignore_ascii_case("yml"))
}

fn read(path: &Path) -> Result<String, (String, Option<String>)> {
    let limit = u64::try_from(MAX_FILE).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(limit.saturating_add(1)).read_to_end(&mut bytes))
        .map_err(|error| unreadable(&error))?;
    if bytes.len() > MAX_FILE {
        return Err((format!("larger than {MAX_FILE} bytes"), Some("split the file".into())));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        (format!("not UTF-8 text, from byte {at} on"), Some("save the file as UTF-8".into()))
    })
}

/// What the system says, and where it refuses, to whom.
fn unreadable(error: &io::Error) -> (String, Option<String>) {
    let hint = (error.kind() == io::ErrorKind::PermissionDenied).then(|| {
        let own = fs::metadata("/proc/self").map(|own| format!("user {}", own.uid()));
        let who = own.unwrap_or_else(|_| "who runs this".to_owned());
        format!("let {who} read it and enter the folders above it (`ls -ld` shows who may), or run this as somebody who may")
    });
    (format!("cannot be read: {error}"), hint)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn write(path: impl AsRef<Path>, bytes: &[u8]) {
        fs::create_dir_all(path.as_ref().parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn names(found: &Found, root: &Path) -> Vec<String> {
        let prefix = format!("{}/", root.display());
        found.files.iter().map(|f| f.path.replace(&prefix, "")).collect()
    }

    #[test]
    fn folders_are_read_sorted_and_only_for_yaml() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.yaml", "a.yml", "sub/deep/c.yaml", "readme.md", ".hidden.yaml", ".git/d.yaml"] {
            write(dir.path().join(name), b"a: 1");
        }
        let found = files(&[dir.path().to_owned()]);
        assert_eq!(names(&found, dir.path()), ["a.yml", "b.yaml", "sub/deep/c.yaml"]);
        assert!(found.problems.is_empty() && found.missing.is_empty());
    }

    #[test]
    fn a_mounted_config_map_is_read_once() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path().join("..2026_11/slo.yaml"), b"a: 1");
        symlink("..2026_11", dir.path().join("..data")).unwrap();
        symlink("..data/slo.yaml", dir.path().join("slo.yaml")).unwrap();
        let found = files(&[dir.path().to_owned(), dir.path().join("slo.yaml")]);
        assert_eq!(names(&found, dir.path()), ["slo.yaml"]);
    }

    #[test]
    fn circles_of_links_end() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path().join("sub/a.yaml"), b"a: 1");
        symlink(dir.path(), dir.path().join("sub/up")).unwrap();
        symlink("loop.yaml", dir.path().join("loop.yaml")).unwrap();
        let found = files(&[dir.path().to_owned()]);
        assert_eq!(names(&found, dir.path()), ["sub/a.yaml"]);
        assert_eq!(found.problems.len(), 1, "{:?}", found.problems);
    }

    #[test]
    fn what_is_not_a_readable_text_file_is_told() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path().join("binary.yaml"), &[b'a', 0xff, 0xfe]);
        write(dir.path().join("large.yaml"), &vec![b'#'; MAX_FILE + 1]);
        symlink("nowhere", dir.path().join("dangling.yaml")).unwrap();
        let made = std::process::Command::new("mkfifo").arg(dir.path().join("pipe.yaml")).status().unwrap();
        assert!(made.success());
        let found = files(&[dir.path().to_owned(), dir.path().join("gone")]);
        let what: Vec<&str> = found.problems.iter().map(|p| p.what.as_str()).collect();
        assert_eq!(what.len(), 4, "{what:?}");
        assert!(what[0].contains("not UTF-8 text, from byte 1 on"));
        assert!(what[1].contains("cannot be read: No such file"));
        assert!(what[2].contains("larger than"));
        assert!(what[3].contains("not a regular file"));
        assert_eq!(found.missing, [dir.path().join("gone")]);
    }

    #[test]
    fn what_may_not_be_read_is_told_with_who_may_not() {
        let (what, hint) = unreadable(&io::Error::from(io::ErrorKind::PermissionDenied));
        assert_eq!(what, "cannot be read: permission denied");
        let own = fs::metadata("/proc/self").unwrap().uid();
        assert!(hint.unwrap().contains(&format!("let user {own} read it")));
        assert_eq!(unreadable(&io::Error::from(io::ErrorKind::TimedOut)).1, None);
    }

    #[test]
    fn too_deep_folders_are_told() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path().join("d/".repeat(MAX_DEPTH + 2)).join("a.yaml"), b"a: 1");
        let found = files(&[dir.path().to_owned()]);
        assert!(found.files.is_empty());
        assert!(found.problems[0].what.contains("deeper"));
    }
}
