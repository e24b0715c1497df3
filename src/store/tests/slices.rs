//! The journal: what was appended comes back in order, damage is told and skipped.

use super::home::Home;
use super::on_both;
use crate::store::{DamagedSlices, Dictionary, GroupName, SeriesName, SliceBlob, Store};

on_both! {
    slices_come_back_in_order_page_by_page
    a_damaged_row_is_told_and_skipped
    names_are_written_with_the_slices_or_not_at_all
    pruning_is_by_tier_and_time
}

fn blob(tier: i16, at: i64) -> SliceBlob {
    SliceBlob { tier, at, blob: at.to_be_bytes().to_vec() }
}

async fn slices_come_back_in_order_page_by_page(home: &Home) {
    let (store, epoch) = home.lead().await;
    for n in 0..6_i64 {
        let rows: Vec<_> = (0..200).map(|k| blob(0, n * 200 + k)).chain([blob(1, n)]).collect();
        store.append_slices(epoch, &Dictionary::default(), &rows).await.unwrap();
    }
    let (mut seen, mut pages, mut after) = (Vec::new(), 0, 0);
    loop {
        let page = store.load_slices(0, 100, after).await.unwrap();
        assert!(page.slices.len() <= 500 && page.damaged.is_empty());
        seen.extend(
            page.slices.iter().map(|row| (row.at, i64::from_be_bytes(row.blob[..].try_into().unwrap()))),
        );
        pages += 1;
        match page.next {
            Some(next) => after = next,
            None => break,
        }
    }
    assert_eq!(pages, 3);
    assert_eq!(seen, (100..1200).map(|at| (at, at)).collect::<Vec<_>>());
    // Every byte value survives, and the empty blob.
    let odd =
        [SliceBlob { tier: 7, at: 1, blob: (0..=255).collect() }, SliceBlob { tier: 7, at: 2, blob: vec![] }];
    store.append_slices(epoch, &Dictionary::default(), &odd).await.unwrap();
    let page = store.load_slices(7, i64::MIN, 0).await.unwrap();
    assert_eq!(page.slices.iter().map(|row| &row.blob).collect::<Vec<_>>(), [&odd[0].blob, &odd[1].blob]);
}

async fn a_damaged_row_is_told_and_skipped(home: &Home) {
    let (store, epoch) = home.lead().await;
    store.append_slices(epoch, &Dictionary::default(), &[blob(0, 1), blob(0, 2), blob(0, 3)]).await.unwrap();
    let damage = "update journal set blob = (select blob from journal where seq = 1) where seq = 2";
    match &store {
        Store::Sqlite(db) => drop(sqlx::raw_sql(damage).execute(&db.writer).await.unwrap()),
        Store::Postgres(db) => drop(sqlx::raw_sql(damage).execute(&db.writer).await.unwrap()),
    }
    let page = store.load_slices(0, 0, 0).await.unwrap();
    assert_eq!(page.slices.iter().map(|row| row.seq).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(page.damaged, [DamagedSlices { seq: 2, at: 2 }]);
}

async fn names_are_written_with_the_slices_or_not_at_all(home: &Home) {
    let (store, epoch) = home.lead().await;
    let names = Dictionary {
        series: (0..1200).map(|id| SeriesName { id, key: format!("s{id}") }).collect(),
        groups: (0..1200)
            .map(|id| GroupName { id, series_id: id / 2, labels: format!("{{route={id}}}") })
            .collect(),
    };
    store.append_slices(epoch, &names, &[blob(0, 1)]).await.unwrap();
    store.append_slices(epoch, &names, &[]).await.unwrap();
    assert_eq!(store.dictionary().await.unwrap(), names);
    // A group of a series that is nowhere: refused, and its blob with it.
    let orphan = Dictionary {
        series: vec![SeriesName { id: 5000, key: "new".into() }],
        groups: vec![GroupName { id: 5000, series_id: 9999, labels: "{}".into() }],
    };
    assert!(store.append_slices(epoch, &orphan, &[blob(0, 2)]).await.is_err());
    assert_eq!(store.dictionary().await.unwrap(), names);
    assert_eq!(store.load_slices(0, 0, 0).await.unwrap().slices.len(), 1);
}

async fn pruning_is_by_tier_and_time(home: &Home) {
    let (store, epoch) = home.lead().await;
    let rows: Vec<_> = (0..10).flat_map(|at| [blob(0, at), blob(1, at)]).collect();
    store.append_slices(epoch, &Dictionary::default(), &rows).await.unwrap();
    assert_eq!(store.prune_slices(epoch, 0, 7).await.unwrap(), 7);
    assert_eq!(store.prune_slices(epoch, 0, 7).await.unwrap(), 0);
    assert_eq!(store.load_slices(0, 0, 0).await.unwrap().slices.len(), 3);
    assert_eq!(store.load_slices(1, 0, 0).await.unwrap().slices.len(), 10);
    // Numbers go on after everything was pruned: a page's `after` never skips new rows.
    store.prune_slices(epoch, 0, 100).await.unwrap();
    store.prune_slices(epoch, 1, 100).await.unwrap();
    store.append_slices(epoch, &Dictionary::default(), &[blob(0, 50)]).await.unwrap();
    assert_eq!(store.load_slices(0, 0, 20).await.unwrap().slices[0].at, 50);
}
