//! A store that is restored: pages keep their keys, and who was told of a firing is told of its end.

use std::collections::BTreeSet;

use super::told::Told;
use super::{LIMIT, events, on, taken};
use crate::support::damper::Damper;
use crate::support::receiver::Receiver;
use crate::support::shop::Shop;
use crate::support::wait_until;

#[tokio::test]
async fn after_a_restore_nobody_is_told_again_under_another_key() {
    let shop = Shop::open(&["pay", "cart"]).await;
    let receiver = Receiver::start();
    let settings = format!("receivers: [{{name: oncall, webhook: {{url: '{}'}}}}]\n", receiver.url());
    let mut damper = on(&shop, "pay", &settings);
    damper.definition("cart.yaml", &Shop::slo("cart"));
    damper.start().await;
    shop.fail("pay", true);
    taken(&receiver, "firing").await;
    backup(&damper, "before.db");
    shop.fail("cart", true);
    told(&receiver, &["firing", "firing"]).await;
    damper.all_told(LIMIT).await;

    // The ledger is damaged, and what was decided since the backup is not.
    damper.stop().await;
    damper.damage("images").await;
    let text = restore(&damper, "before.db");
    assert!(text.contains("those of the store that was there: nothing of them is lost"), "{text}");
    damper.start().await;
    shop.fail("pay", false);
    shop.fail("cart", false);
    let both = ["firing", "firing", "resolved", "resolved"];
    told(&receiver, &both).await;
    damper.all_told(LIMIT).await;
    let all: Vec<Told> = receiver.accepted().iter().map(Told::read).collect();
    let of = |event: &str| -> BTreeSet<String> {
        all.iter().filter(|told| told.event == event).map(|told| told.incident.clone()).collect()
    };
    assert!(of("firing").len() == 2 && of("firing") == of("resolved"), "{all:#?}");

    // What was decided cannot be read: it is as old as the backup, in which the page still fires.
    shop.fail("pay", true);
    told(&receiver, &[&both[..], &["firing"]].concat()).await;
    damper.all_told(LIMIT).await;
    backup(&damper, "firing.db");
    shop.fail("pay", false);
    let ended = [&both[..], &["firing", "resolved"]].concat();
    told(&receiver, &ended).await;
    damper.all_told(LIMIT).await;
    damper.stop().await;
    damper.damage("states").await;
    let text = restore(&damper, "firing.db");
    assert!(text.contains("Alerts that fired then: 1.") && !text.contains("waited then"), "{text}");
    damper.start().await;
    told(&receiver, &[&ended[..], &["resolved"]].concat()).await;
    let all: Vec<Told> = receiver.accepted().iter().map(Told::read).collect();
    assert_eq!(all[6].key, all[5].key, "its end, once more under the same key");
    damper.all_told(LIMIT).await;
    damper.stop().await;
    assert_eq!(events(&receiver).len(), 7);
}

fn backup(damper: &Damper, name: &str) {
    let (code, text) = damper.command(&["store", "backup", name]);
    assert_eq!(code, 0, "{text}");
}

fn restore(damper: &Damper, name: &str) -> String {
    let (code, text) = damper.command(&["store", "restore", name]);
    assert_eq!(code, 0, "{text}");
    text
}

async fn told(receiver: &Receiver, expected: &[&str]) {
    let what = format!("{expected:?}");
    wait_until(LIMIT, &what, async || (events(receiver) == expected).then_some(())).await;
}
