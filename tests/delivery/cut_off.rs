//! Two replicas, one of which cannot reach PostgreSQL any more: it pages on, the other one takes over, and
//! the end of every page is told, whoever told the page.

use std::collections::BTreeSet;

use super::night::{in_the_usual_time, settings};
use super::told::{self, Told};
use super::{LIMIT, degraded, events, on, taken};
use crate::support::damper::Damper;
use crate::support::outage::Way;
use crate::support::receiver::Receiver;
use crate::support::shop::Shop;
use crate::support::{postgres, wait_until};

fn replica(shop: &Shop, receiver: &Receiver, heart: &Receiver, store: &str) -> Damper {
    on(shop, "pay", &format!("{}store: '{store}'\n", settings(receiver, heart)))
}

#[tokio::test]
async fn what_a_replica_tells_that_is_cut_off_the_one_that_leads_brings_to_its_end() {
    let shop = Shop::open(&["pay"]).await;
    let (receiver, heart) = (Receiver::start(), Receiver::start());
    let address = postgres::fresh_database();
    let mut way = Way::to(&address);
    let mut first = replica(&shop, &receiver, &heart, way.address());
    let mut second = replica(&shop, &receiver, &heart, &address);
    first.start().await;
    heart.beats_on(LIMIT).await;
    way.cut();
    degraded(&first).await;
    // A page comes and goes before anybody else leads.
    let beats = heart.requests().len();
    shop.fail("pay", true);
    let page = async || receiver.accepted().first().map(Told::read);
    let page = in_the_usual_time("the page", page).await;
    assert_eq!(page.event, "firing");
    shop.fail("pay", false);
    first.none_fires(LIMIT).await;
    assert_eq!(heart.requests().len(), beats, "a heart that beats while no page could be committed");

    second.spawn();
    let leads = async || (second.metric("damper_ticks_total").await? > 0.0).then_some(());
    wait_until(LIMIT, "the second one to lead", leads).await;
    assert!(!events(&receiver).contains(&"resolved".to_owned()));
    way.mend();
    let ended = wait_until(LIMIT, "the first one to end", async || first.ended()).await;
    assert!(!ended.success(), "it says so");
    assert_eq!(std::fs::read_to_string(first.path("damper.spill")).unwrap(), "damper spill 1\n");
    let end = taken(&receiver, "resolved").await;
    assert_eq!(end.incident, page.incident);
    second.all_told(LIMIT).await;
    second.stop().await;
    // Who did not see it begin may have summed it up.
    let mut all = events(&receiver);
    all.retain(|event| event != "missed");
    assert_eq!(all, ["firing", "resolved"]);
    let told = receiver.accepted().into_iter().map(|request| Told::read(&request));
    let told: BTreeSet<_> = told.map(|told| (told.incident, told.event)).collect();
    assert_eq!(told::decided(&address).await, told);
    told::stored(&address, &receiver).await;
}
