//! Regular backups of a SQLite store, and what is done when its file loses its name.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::clock;
use super::shared::Shared;
use crate::store::StoreError;

/// The component in trouble when the file is gone or damaged.
pub(super) const TROUBLE: &str = "store file";
/// How often it is looked.
const LOOK: Duration = Duration::from_secs(5);
/// The first backup is made so long after the start, when what a start costs is over.
const FIRST: Duration = Duration::from_mins(10);
/// One that failed is tried again after this.
const RETRY: Duration = Duration::from_mins(10);

/// Runs until shutdown.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut due = Instant::now() + first(&shared);
    let mut told = false;
    loop {
        tokio::select! {
            () = shared.shutdown.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        tokio::select! {
            // A copy that is cut short never bears a name.
            () = shared.shutdown.cancelled() => return,
            () = look(&shared, &mut due, &mut told) => {}
        }
    }
}

async fn look(shared: &Shared, due: &mut Instant, told: &mut bool) {
    let keep = shared.settings.backups.keep;
    if keep > 0 {
        measure(shared);
    }
    if let Err(error) = shared.store.sound() {
        if !std::mem::replace(told, true) {
            tracing::error!(%error, "the store is in trouble");
            if let StoreError::Gone { .. } = error {
                rescue(shared).await;
            }
        }
        // With the backup that was made of it. A copy of what is damaged would take a good one's place.
        let trouble = shared.store.sound().err().map(|error| error.to_string());
        shared.trouble(TROUBLE, trouble);
        return;
    }
    if std::mem::take(told) {
        tracing::info!("the store's file is back");
        shared.trouble(TROUBLE, None);
    }
    if keep > 0 && *due <= Instant::now() {
        *due = Instant::now() + back_up(shared, keep).await;
        measure(shared);
    }
}

/// How old the newest backup is, for who watches Damper.
#[expect(clippy::cast_precision_loss, reason = "seconds since a backup")]
fn measure(shared: &Shared) {
    let newest = shared.store.newest_backup().map(|backup| backup.at.timestamp());
    let since = newest.unwrap_or(shared.started_at_ms.div_euclid(1000));
    let (age, every) = (clock::now().0.saturating_sub(since).max(0), shared.settings.backups.every);
    shared.metrics.backup_age_seconds.get_or_create(&[]).set(age as f64);
    shared.metrics.backup_every_seconds.get_or_create(&[]).set(every.secs() as f64);
}

/// Makes a backup; gives when the next one is due.
async fn back_up(shared: &Shared, keep: usize) -> Duration {
    let now = clock::now().to_datetime().unwrap_or_default();
    match shared.store.back_up(now, keep).await {
        Ok(path) => {
            tracing::info!(path = %path.display(), "a backup of the store is made");
            shared.trouble("backup", None);
            shared.settings.backups.every.to_duration()
        }
        Err(error) => {
            tracing::error!(%error, "no backup of the store was made; tried again in {RETRY:?}");
            shared.trouble("backup", Some(format!("No backup was made: {error}")));
            RETRY
        }
    }
}

/// What a file without a name still holds is gone with this process: it is kept as a backup. None of
/// the others is removed for it.
async fn rescue(shared: &Shared) {
    let now = clock::now().to_datetime().unwrap_or_default();
    match shared.store.back_up(now, usize::MAX).await {
        Ok(path) => {
            tracing::error!(path = %path.display(), "what the store's file still holds is kept as a backup")
        }
        Err(error) => tracing::error!(%error, "what the store's file still holds could not be kept"),
    }
}

/// So that restarts neither put a backup off for ever nor make one each time. A backup from the
/// future, of a clock that was ahead, says nothing.
fn first(shared: &Shared) -> Duration {
    let every = shared.settings.backups.every.to_duration();
    let newest = shared.store.newest_backup().map(|backup| backup.at.timestamp());
    let age = newest.and_then(|at| u64::try_from(clock::now().0 - at).ok()).map(Duration::from_secs);
    age.map_or(FIRST, |age| every.saturating_sub(age).max(FIRST))
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::service::testing::{Service, damage, wait_until};

    /// The store's file.
    fn file(shared: &Shared) -> PathBuf {
        shared.store.backup_folder().unwrap().with_file_name("damper.db")
    }

    /// Each file of a folder, by name, with its contents.
    fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
        let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut all: Vec<_> = paths.map(|path| (path.clone(), std::fs::read(path).unwrap())).collect();
        all.sort();
        all
    }

    #[tokio::test]
    async fn backups_are_made_when_they_are_due_and_a_restart_does_not_begin_anew() {
        let service = Service::start().await;
        let shared = &service.shared;
        assert_eq!(first(shared), FIRST);
        let (mut due, mut told) = (Instant::now() + FIRST, false);
        look(shared, &mut due, &mut told).await;
        assert_eq!(shared.store.newest_backup(), None);
        let says = |line: &str| shared.metrics.encode(|_, _| {}).lines().any(|said| said == line);
        assert!(says("damper_backup_every_seconds{} 21600.0"), "{}", shared.metrics.encode(|_, _| {}));
        due = Instant::now();
        look(shared, &mut due, &mut told).await;
        let newest = shared.store.newest_backup().unwrap();
        let every = shared.settings.backups.every.to_duration();
        assert!(due > Instant::now() + every / 2 && first(shared) > every / 2);
        assert!(shared.troubles.read().is_empty(), "{:?}", shared.troubles.read());

        // One that cannot be made is told, until one is made.
        let folder = newest.path.parent().unwrap().to_owned();
        std::fs::remove_dir_all(&folder).unwrap();
        std::fs::write(&folder, "no folder").unwrap();
        due = Instant::now();
        look(shared, &mut due, &mut told).await;
        let trouble = shared.troubles.read().get("backup").cloned().unwrap();
        assert!(trouble.contains("No backup was made") && trouble.contains("cannot be made"), "{trouble}");
        assert!(due <= Instant::now() + RETRY);
        std::fs::remove_file(&folder).unwrap();
        due = Instant::now();
        look(shared, &mut due, &mut told).await;
        assert!(shared.troubles.read().is_empty());
    }

    #[tokio::test]
    async fn a_file_that_loses_its_name_is_kept_once_as_a_backup_and_told_until_it_is_back() {
        let service = Service::start().await;
        let shared = &service.shared;
        let (folder, file) = (shared.store.backup_folder().unwrap(), file(shared));
        let away = file.with_extension("away");
        std::fs::rename(&file, &away).unwrap();
        let (mut due, mut told) = (Instant::now() + FIRST, false);
        for _ in 0..2 {
            look(shared, &mut due, &mut told).await;
            let trouble = shared.troubles.read().get(TROUBLE).cloned().unwrap();
            let newest = shared.store.newest_backup().unwrap();
            assert!(trouble.contains(&newest.path.display().to_string()), "{trouble}");
            assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
        }
        std::fs::rename(&away, &file).unwrap();
        look(shared, &mut due, &mut told).await;
        assert!(shared.troubles.read().is_empty());
    }

    /// Both where nobody has read the damaged page before the copy does, and where somebody has.
    #[tokio::test]
    async fn a_backup_of_a_damaged_store_is_not_made_and_the_good_one_stays() {
        let service = Service::start().await;
        let shared = &service.shared;
        let (mut due, mut told) = (Instant::now(), false);
        look(shared, &mut due, &mut told).await;
        let newest = shared.store.newest_backup().unwrap();
        let folder = newest.path.parent().unwrap().to_owned();
        let good = contents(&folder);
        assert_eq!(good.len(), 1);
        // A second one made within the same second would have the same name, and be refused for that.
        let is_later = async || clock::now().0 > newest.at.timestamp();
        wait_until(Duration::from_secs(5), "the next second", is_later).await;

        damage(&file(shared), "outbox").await;
        for is_known in [false, true] {
            assert_eq!(shared.store.sound().is_err(), is_known);
            due = Instant::now();
            look(shared, &mut due, &mut told).await;
            assert_eq!(contents(&folder), good, "no copy, no part of one, and the good one as it was");
            assert_eq!(shared.store.newest_backup().as_ref(), Some(&newest));
            let part = if is_known { TROUBLE } else { "backup" };
            let trouble = shared.troubles.read().get(part).cloned().unwrap();
            let way_out = newest.path.display().to_string();
            assert!(trouble.contains("damaged (") && trouble.contains(&way_out), "{trouble}");
        }
    }
}
