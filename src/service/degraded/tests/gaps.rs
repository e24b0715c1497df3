//! What is owed of gaps while the store takes nothing.

use super::*;
use crate::service::catchup::Debts;

/// The gap of an SLO, as the store keeps it.
fn gap_of(slo: &str) -> Debts {
    let gap = r#"{"since": 30, "found": 300, "most": 10, "before": [], "told": []}"#;
    Debts::of([(slo.to_owned(), serde_json::from_str(gap).unwrap())].into_iter().collect())
}

impl Night {
    async fn owe(&self, debts: Debts) {
        let mut commits = Commits::of(&self.shared);
        assert!(commits.commit_owing(&Delta::default(), vec![], debts).await);
    }

    /// What people know of the gap of this SLO: from when until when.
    fn known(&self, slo: &str) -> Vec<(i64, Option<i64>)> {
        let row = serde_json::to_value(&self.shared.owed.read()[slo]).unwrap();
        let told = row["told"].as_array().unwrap().iter();
        told.map(|one| (one["from"].as_i64().unwrap(), one["until"].as_i64())).collect()
    }
}

#[tokio::test]
async fn what_is_owed_of_gaps_is_in_the_store_once_it_is_back() {
    let night = Night::begin().await;
    night.owe(gap_of("shop/old")).await;
    night.degrade(fires(Page, "p", 30)).await;
    night.owe(gap_of("shop/cart")).await;
    night.owe(Debts::paid(["shop/old".to_owned()].into())).await;
    assert!(night.tick(fires(Page, "q", 60)).await);
    night.find();
    recover(&night.shared).await.unwrap();
    let night = Box::pin(night.die()).await;
    assert_eq!(night.shared.owed.read().keys().collect::<Vec<_>>(), ["shop/cart"]);
    assert_eq!(night.known("shop/cart"), [(60, None)], "people know of that alert");
}

/// Else what a gap held of it would be told again, as something that nobody was told of.
#[tokio::test]
async fn a_page_that_a_process_told_without_the_store_is_known_of_the_gap_that_the_next_one_sums_up() {
    let night = Night::begin().await;
    night.owe(gap_of("shop/cart")).await;
    night.owe(gap_of("shop/other")).await;
    night.degrade(fires(Page, "p", 90)).await;
    night.find();
    let night = Box::pin(night.die()).await;
    assert_eq!(night.fires().as_deref(), Some("p"));
    assert_eq!((night.known("shop/cart"), night.known("shop/other")), (vec![(90, None)], vec![]));
    // The store has it, with the page.
    let night = Box::pin(night.die()).await;
    assert_eq!(night.known("shop/cart"), [(90, None)]);
    assert!(night.tick(ends(Page, "p", 120)).await);
    assert_eq!(night.known("shop/cart"), [(90, Some(120))]);
}
