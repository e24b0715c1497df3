//! The journal: what was appended comes back in order, damage is told and skipped.

use super::home::Home;
use super::on_both;
use crate::store::{DamagedSlices, ImageRow, SliceBlob, Store};

on_both! {
    slices_come_back_in_order_page_by_page
    a_damaged_row_is_told_and_skipped
    images_replace_each_other_and_damage_is_told
    pruning_is_by_tier_and_time
}

fn blob(tier: i16, at: i64) -> SliceBlob {
    SliceBlob { tier, at, blob: at.to_be_bytes().to_vec() }
}

async fn slices_come_back_in_order_page_by_page(home: &Home) {
    let (store, epoch) = home.lead().await;
    for n in 0..6_i64 {
        let rows: Vec<_> = (0..200).map(|k| blob(0, n * 200 + k)).chain([blob(1, n)]).collect();
        store.append_slices(epoch, &rows, &[]).await.unwrap();
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
    store.append_slices(epoch, &odd, &[]).await.unwrap();
    let page = store.load_slices(7, i64::MIN, 0).await.unwrap();
    assert_eq!(page.slices.iter().map(|row| &row.blob).collect::<Vec<_>>(), [&odd[0].blob, &odd[1].blob]);
}

async fn a_damaged_row_is_told_and_skipped(home: &Home) {
    let (store, epoch) = home.lead().await;
    store.append_slices(epoch, &[blob(0, 1), blob(0, 2), blob(0, 3)], &[]).await.unwrap();
    let damage = "update journal set blob = (select blob from journal where seq = 1) where seq = 2";
    match &store {
        Store::Sqlite(db) => drop(sqlx::raw_sql(damage).execute(&db.writer).await.unwrap()),
        Store::Postgres(db) => drop(sqlx::raw_sql(damage).execute(&db.writer).await.unwrap()),
    }
    let page = store.load_slices(0, 0, 0).await.unwrap();
    assert_eq!(page.slices.iter().map(|row| row.seq).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(page.damaged, [DamagedSlices { seq: 2, at: 2 }]);
}

async fn images_replace_each_other_and_damage_is_told(home: &Home) {
    let (store, epoch) = home.lead().await;
    let image = |id: i64, at: i64| ImageRow { id, at, blob: vec![7; 10] };
    // Ids are hashes: every 64-bit number may come.
    let ids = [i64::MIN, -1, 0, 1, i64::MAX];
    store.append_slices(epoch, &[blob(0, 1)], &ids.map(|id| image(id, 1))).await.unwrap();
    store.append_slices(epoch, &[], &[image(0, 9)]).await.unwrap();
    let page = store.load_images(None).await.unwrap();
    assert_eq!(
        page.images.iter().map(|i| (i.id, i.at)).collect::<Vec<_>>(),
        [(i64::MIN, 1), (-1, 1), (0, 9), (1, 1), (i64::MAX, 1)]
    );
    assert_eq!(store.load_images(Some(0)).await.unwrap().images.len(), 2);
    let damage = "update images set at = 2 where id = 1";
    match &store {
        Store::Sqlite(db) => drop(sqlx::raw_sql(damage).execute(&db.writer).await.unwrap()),
        Store::Postgres(db) => drop(sqlx::raw_sql(damage).execute(&db.writer).await.unwrap()),
    }
    assert_eq!(store.load_images(None).await.unwrap().damaged, [1]);
    assert_eq!(store.prune_images(epoch, 9).await.unwrap(), 4);
    assert_eq!(store.load_images(None).await.unwrap().images, [image(0, 9)]);
}

async fn pruning_is_by_tier_and_time(home: &Home) {
    let (store, epoch) = home.lead().await;
    let rows: Vec<_> = (0..10).flat_map(|at| [blob(0, at), blob(1, at)]).collect();
    store.append_slices(epoch, &rows, &[]).await.unwrap();
    assert_eq!(store.prune_slices(epoch, 0, 7).await.unwrap(), 7);
    assert_eq!(store.prune_slices(epoch, 0, 7).await.unwrap(), 0);
    assert_eq!(store.load_slices(0, 0, 0).await.unwrap().slices.len(), 3);
    assert_eq!(store.load_slices(1, 0, 0).await.unwrap().slices.len(), 10);
    // Numbers go on after everything was pruned: a page's `after` never skips new rows.
    store.prune_slices(epoch, 0, 100).await.unwrap();
    store.prune_slices(epoch, 1, 100).await.unwrap();
    store.append_slices(epoch, &[blob(0, 50)], &[]).await.unwrap();
    assert_eq!(store.load_slices(0, 0, 20).await.unwrap().slices[0].at, 50);
}
