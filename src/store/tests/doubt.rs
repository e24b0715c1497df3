//! What is read before anything else can be decided waits for nobody.

use super::home::{Home, lead, state};
use super::on_both;
use crate::store::{Decisions, JudgedPut, Store};

on_both! {
    however_many_listings_are_under_way_it_is_known_what_was_decided
}

async fn however_many_listings_are_under_way_it_is_known_what_was_decided(home: &Home) {
    let store = home.open().await;
    let epoch = lead(&store, 0).await;
    let judged = JudgedPut { slo: "shop/cart".into(), at: 60_000 };
    let decisions =
        Decisions { states: vec![state("a", "{}")], judged: vec![judged.clone()], ..Decisions::default() };
    store.commit(epoch, &decisions).await.unwrap();
    // Listings hold every connection they have.
    let (mut file, mut server) = (Vec::new(), Vec::new());
    match &store {
        Store::Sqlite(db) => {
            for _ in 0..db.options.connections {
                file.push(db.reader.acquire().await.unwrap());
            }
        }
        Store::Postgres(db) => {
            for _ in 0..db.options.connections {
                server.push(db.reader.acquire().await.unwrap());
            }
        }
    }
    assert_eq!(store.states().await.unwrap(), [("a".into(), "{}".into())]);
    assert_eq!(store.judged().await.unwrap(), [judged]);
}
