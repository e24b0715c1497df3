//! `backups:`: regular copies of a SQLite store.

use std::path::PathBuf;

use super::StoreAddress;
use super::check::Check;
use super::written::WrittenBackups;
use crate::slo::time::Span;

const MAX_KEEP: u32 = 1000;

/// Regular copies of a SQLite store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BackupConfig {
    /// Where they are kept; by default in `backups` beside the store.
    pub folder: Option<PathBuf>,
    /// How often one is made.
    pub every: Span,
    /// How many are kept; with 0 none are made.
    pub keep: usize,
}

impl Default for BackupConfig {
    fn default() -> Self {
        Self { folder: None, every: Span::from_hours(6), keep: 2 }
    }
}

impl Check<'_> {
    /// All of `backups:`.
    pub(super) fn backups(&mut self, written: Option<WrittenBackups>, store: &StoreAddress) -> BackupConfig {
        let default = BackupConfig::default();
        let Some(written) = written else { return default };
        if !store.is_file() {
            let what =
                "are for a SQLite store; backups of a PostgreSQL server are made by its own tools. Remove it";
            self.add("backups", what);
        }
        if written.folder.as_ref().is_some_and(|folder| folder.trim().is_empty()) {
            self.add("backups.folder", "is empty; write a folder, or leave the key out");
        }
        let every = self.parse("backups.every", written.every).unwrap_or(default.every);
        if !(Span::from_mins(10)..=Span::from_days(30)).contains(&every) {
            self.add("backups.every", "must be between 10m and 30d; to make none write `keep: 0`");
        }
        let keep = written.keep.filter(|keep| *keep <= MAX_KEEP);
        if written.keep.is_some() && keep.is_none() {
            self.add("backups.keep", format!("must be at most {MAX_KEEP}"));
        }
        let keep = keep.and_then(|keep| usize::try_from(keep).ok()).unwrap_or(default.keep);
        BackupConfig { folder: written.folder.map(PathBuf::from), every, keep }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    fn parse(text: &str) -> Result<BackupConfig, String> {
        let text = format!("prometheus: {{url: 'http://127.0.0.1:9090'}}\ndefinitions: [slos]\n{text}\n");
        let settings = Settings::parse("damper.yaml", &text, [], &[]);
        settings.map(|settings| settings.backups).map_err(|error| error.to_string())
    }

    #[test]
    fn backups_are_made_unless_somebody_says_otherwise() {
        let default = parse("").unwrap();
        assert_eq!(default, BackupConfig { folder: None, every: Span::from_hours(6), keep: 2 });
        let set = parse("backups: {folder: /mnt/b, every: 1d, keep: 0}").unwrap();
        assert_eq!(set, BackupConfig { folder: Some("/mnt/b".into()), every: Span::from_days(1), keep: 0 });
        assert_eq!(parse("store: postgres://u@h/d").unwrap(), default);
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        for (text, expected) in [
            ("backups: {folder: ' '}", "backups.folder: is empty"),
            ("backups: {every: 5m}", "backups.every: must be between 10m and 30d"),
            ("backups: {keep: 1001}", "backups.keep: must be at most 1000"),
            ("backups: {keeps: 1}", "unknown key `keeps`"),
            ("store: postgres://u@h/d\nbackups: {keep: 1}", "backups: are for a SQLite store"),
        ] {
            let told = parse(text).unwrap_err();
            assert!(told.contains(expected), "{text}: {told}");
        }
    }
}
