//! A file that is moved, exchanged or damaged while it is used is told from then on, and a look beside it
//! harms nothing.

use std::time::Duration;

use super::home::{Home, due, lead, message, owing, state};
use super::keep::{at, names, some, with_backup};
use crate::store::{Backup, Decisions, Options, Store, StoreError};

#[tokio::test]
async fn a_file_that_loses_its_name_while_it_is_used_takes_no_more_decisions() {
    let home = Home::sqlite();
    let (store, epoch) = home.lead().await;
    store.commit(epoch, &some()).await.unwrap();
    let (file, away) = (home.file("damper.db"), home.file("away.db"));
    std::fs::rename(&file, &away).unwrap();
    for _ in 0..2 {
        for error in [
            store.commit(epoch, &some()).await.unwrap_err(),
            store.ping().await.unwrap_err(),
            store.renew(epoch, 0, 1).await.unwrap_err(),
            store.sound().unwrap_err(),
        ] {
            assert!(matches!(error, StoreError::Gone { .. }) && error.is_retryable(), "{error:?}");
            assert!(error.to_string().contains("was removed or moved while Damper uses it"), "{error}");
        }
        assert_eq!(due(&store, 0).await, ["m"], "what is owed can still be read");
        assert_eq!(store.history(None, None, 10).await.unwrap().items, []);
        assert!(!file.exists(), "and nothing is made in its place");
    }
    // What it holds is kept, all of it.
    let kept = store.back_up(at(), usize::MAX).await.unwrap();
    assert_eq!(store.newest_backup(), Some(Backup { at: at(), path: kept.clone() }));
    names(&store.ping().await.unwrap_err().to_string(), &kept);
    let copy = Store::look(&format!("sqlite:{}", kept.display()), Options::default()).await.unwrap();
    assert_eq!(copy.states().await.unwrap().len(), 300);

    let other = Home::sqlite();
    with_backup(&other).await;
    std::fs::copy(other.file("damper.db"), &file).unwrap();
    for error in [store.commit(epoch, &some()).await.unwrap_err(), store.sound().unwrap_err()] {
        assert!(error.to_string().contains("exchanged for another one"), "{error}");
    }

    std::fs::rename(&away, &file).unwrap();
    store.sound().unwrap();
    store.commit(epoch, &owing(&[message("n", "j", 0)])).await.unwrap();
    assert_eq!(due(&store, 0).await, ["m", "n"]);

    std::fs::remove_file(home.file("damper.db-wal")).unwrap();
    for error in [store.commit(epoch, &some()).await.unwrap_err(), store.sound().unwrap_err()] {
        assert!(error.to_string().contains("damper.db-wal was removed"), "{error}");
    }
}

/// As `cp` does, which keeps the file and its name.
#[tokio::test]
async fn an_older_copy_that_is_written_into_the_file_is_noticed_and_nothing_is_added_to_it() {
    let home = Home::sqlite();
    let (store, epoch) = home.lead().await;
    let Store::Sqlite(db) = &store else { panic!("SQLite") };
    let (file, copy) = (home.file("damper.db"), home.file("copy.db"));
    let go_on = async || {
        store.commit(epoch, &some()).await.unwrap();
        store.renew(epoch, 0, 60_000).await.unwrap();
        sqlx::raw_sql("pragma wal_checkpoint(truncate)").execute(&db.writer).await.unwrap();
        store.sound().unwrap();
    };
    go_on().await;
    let length = std::fs::copy(&file, &copy).unwrap();
    go_on().await;
    let backup = store.back_up(at(), 1).await.unwrap();
    let good = std::fs::read(&backup).unwrap();
    store.commit(epoch, &owing(&[message("n", "j", 0)])).await.unwrap();
    assert_eq!(std::fs::copy(&copy, &file).unwrap(), length, "nothing else tells them apart");
    for error in [
        store.commit(epoch, &some()).await.unwrap_err(),
        store.renew(epoch, 0, 1).await.unwrap_err(),
        store.due("hook", 0, 10).await.unwrap_err(),
        store.sound().unwrap_err(),
        store.ping().await.unwrap_err(),
        store.back_up(at() + Duration::from_secs(1), 1).await.unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
        assert!(error.to_string().contains("another copy was written over the file"), "{error}");
        names(&error.to_string(), &backup);
    }
    assert_eq!(std::fs::read_dir(home.file("backups")).unwrap().count(), 1, "no copy of what is there now");
    assert_eq!(std::fs::read(&backup).unwrap(), good);
    assert_eq!(std::fs::read(&file).unwrap(), std::fs::read(&copy).unwrap());
}

#[tokio::test]
async fn damage_that_is_met_while_it_is_used_is_told_from_then_on() {
    let home = Home::sqlite();
    with_backup(&home).await;
    let store = home.open().await;
    let epoch = lead(&store, 100_000).await;
    let Store::Sqlite(db) = &store else { panic!("SQLite") };
    let root = "select rootpage from sqlite_master where name = 'outbox'";
    let root: i64 = sqlx::query_scalar(root).fetch_one(&db.reader).await.unwrap();
    let file = std::fs::File::options().write(true).open(home.file("damper.db")).unwrap();
    let at = u64::try_from(root - 1).unwrap() * 4096;
    std::os::unix::fs::FileExt::write_all_at(&file, &[0xa5; 4096], at).unwrap();
    store.ping().await.unwrap();
    let error = store.due("hook", 0, 10).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    let error = store.ping().await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "it does not go away: {error}");
    assert!(error.to_string().contains("damper store restore --store sqlite:"), "{error}");
    // What is not damaged is still of use: a page can be decided.
    let decisions = Decisions { states: vec![state("a", "b")], ..Decisions::default() };
    store.commit(epoch, &decisions).await.unwrap();
    assert_eq!(store.states().await.unwrap().len(), 301);
}

#[tokio::test]
async fn a_look_beside_a_store_in_use_changes_nothing_and_cannot() {
    let home = Home::sqlite();
    let (store, epoch) = home.lead().await;
    store.commit(epoch, &some()).await.unwrap();
    let look = Store::look(&home.url, Options::default()).await.unwrap();
    assert_eq!(look.used_by(), Some(format!(" (process {})", std::process::id())));
    assert_eq!(look.states().await.unwrap().len(), 300);
    assert_eq!(look.wrong_pages().await.unwrap(), [""; 0]);
    let error = look.commit(epoch, &some()).await.unwrap_err();
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
    store.commit(epoch, &owing(&[message("n", "j", 0)])).await.unwrap();
    assert_eq!(due(&look, 0).await, ["m", "n"], "the same store, as it is now");

    // A copy of it, by either, is whole and of this moment.
    let to = look.backup(&home.file(""), at()).await.unwrap();
    assert_eq!(to, home.file("damper-20261122T020005Z.db"));
    let copy = Store::look(&format!("sqlite:{}", to.display()), Options::default()).await.unwrap();
    assert_eq!(due(&copy, 0).await, ["m", "n"]);
    assert_eq!(copy.used_by(), None);
    store.close().await;
    assert_eq!(look.used_by(), None);

    let server = Home::postgres();
    server.open().await.close().await;
    let look = Store::look(&server.url, Options::default()).await.unwrap();
    assert_eq!(look.states().await.unwrap(), []);
    let error = look.put_command("x", "{}", 0).await.unwrap_err();
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
    assert_eq!((look.newest_backup(), look.used_by()), (None, None));
}
