use super::*;
use crate::store::Options;

fn taken(id: &str) -> Record {
    Record::Taken { id: id.into(), at: 7 }
}

struct Home {
    folder: tempfile::TempDir,
    store: Store,
    path: PathBuf,
}

impl Home {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = format!("sqlite:{}", folder.path().join("damper.db").display());
        let store = Store::open(&address, Options::default()).await.unwrap();
        Self { path: folder.path().join("spill"), folder, store }
    }

    fn open(&self) -> (Spill, Vec<Record>) {
        Spill::open(&self.path).unwrap()
    }

    async fn append(&self, spill: &Spill, records: &[Record], all: &[Record]) -> Result<(), String> {
        spill.append(&self.store, records, || all.to_vec()).await
    }
}

#[tokio::test]
async fn what_was_appended_is_read_by_the_next_process_and_a_cut_tail_is_written_over() {
    let home = Home::new().await;
    let (spill, found) = home.open();
    assert_eq!(found, []);
    home.append(&spill, &[taken("a"), taken("b")], &[]).await.unwrap();
    assert!(Spill::open(&home.path).is_err(), "it belongs to one process");
    drop(spill);
    let whole = std::fs::read(&home.path).unwrap();
    std::fs::write(&home.path, &whole[..whole.len() - 3]).unwrap();
    let (spill, found) = home.open();
    assert_eq!(found, [taken("a")]);
    home.append(&spill, &[taken("c")], &[]).await.unwrap();
    drop(spill);
    let (spill, found) = home.open();
    assert_eq!(found, [taken("a"), taken("c")]);
    spill.clear().await.unwrap();
    drop(spill);
    assert_eq!(home.open().1, []);
    assert_eq!(std::fs::read(&home.path).unwrap(), HEADER);
    assert!(!unread(&home.path).exists());
}

#[tokio::test]
async fn it_is_bounded_and_made_anew_where_something_is_missing() {
    let home = Home::new().await;
    let (spill, _) = home.open();
    let big = taken(&"x".repeat(3 << 20));
    for _ in 0..2 {
        home.append(&spill, std::slice::from_ref(&big), &[]).await.unwrap();
    }
    let error = home.append(&spill, &[big], &[]).await.unwrap_err();
    assert!(error.contains("limit"), "{error}");
    let all = [taken("what was missing"), taken("new")];
    home.append(&spill, &all[1..], &all).await.unwrap();
    drop(spill);
    assert_eq!(home.open().1, all);
}

#[tokio::test]
async fn a_file_of_something_else_is_kept_and_a_second_one_left_alone() {
    let home = Home::new().await;
    std::fs::write(&home.path, "damper spill 2\nsomething").unwrap();
    let (spill, found) = home.open();
    assert_eq!(found, []);
    home.append(&spill, &[taken("a")], &[]).await.unwrap();
    drop(spill);
    let kept = std::fs::read_to_string(unread(&home.path)).unwrap();
    assert_eq!(kept, "damper spill 2\nsomething");
    assert_eq!(home.open().1, [taken("a")]);

    std::fs::write(&home.path, "another").unwrap();
    let error = Spill::open(&home.path).unwrap_err().to_string();
    assert!(error.contains("spill.unread is one that could not be read before"), "{error}");
    assert_eq!(std::fs::read_to_string(&home.path).unwrap(), "another");
    assert_eq!(std::fs::read_to_string(unread(&home.path)).unwrap(), kept);
}

#[tokio::test]
async fn what_stands_behind_damage_is_read_and_the_damage_is_kept() {
    let home = Home::new().await;
    let mut bytes = file(&[taken("a"), taken("b"), taken("c")]);
    let at = file(&[taken("a")]).len() + 12;
    bytes[at] ^= 1;
    std::fs::write(&home.path, &bytes).unwrap();
    let (spill, found) = home.open();
    assert_eq!(found, [taken("a"), taken("c")]);
    assert_eq!(std::fs::read(unread(&home.path)).unwrap(), bytes);
    home.append(&spill, &[taken("d")], &[]).await.unwrap();
    drop(spill);
    assert_eq!(home.open().1, [taken("a"), taken("c"), taken("d")]);
    assert_eq!(std::fs::read(unread(&home.path)).unwrap(), bytes);
}

#[tokio::test]
async fn one_that_is_removed_exchanged_or_cut_is_made_anew_with_all_that_is_owed() {
    let home = Home::new().await;
    let (spill, _) = home.open();
    let mut all = vec![taken("a")];
    home.append(&spill, &all, &[]).await.unwrap();
    let other = home.folder.path().join("other");
    let lost: [(&str, &dyn Fn()); 4] = [
        ("removed", &|| std::fs::remove_file(&home.path).unwrap()),
        ("cut", &|| std::fs::write(&home.path, "").unwrap()),
        ("emptied", &|| {
            std::fs::write(&other, HEADER).unwrap();
            std::fs::rename(&other, &home.path).unwrap();
        }),
        ("exchanged", &|| {
            std::fs::write(&other, "something").unwrap();
            std::fs::rename(&other, &home.path).unwrap();
        }),
    ];
    for (what, lose) in lost {
        lose();
        all.push(taken(what));
        home.append(&spill, &all[all.len() - 1..], &all).await.unwrap();
        let found = decode(&std::fs::read(&home.path).unwrap()).records;
        assert_eq!(found, all, "{what}");
        assert_eq!(unread(&home.path).exists(), what == "exchanged");
        assert!(Spill::open(&home.path).is_err(), "it is locked");
    }
    assert_eq!(std::fs::read_to_string(unread(&home.path)).unwrap(), "something");
    std::fs::remove_file(&home.path).unwrap();
    home.append(&spill, &[], &all).await.unwrap();
    drop(spill);
    assert_eq!(home.open().1, all, "a look is enough");
    assert!(!beside(&home.path, ".part").exists());
}
