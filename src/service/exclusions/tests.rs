//! Commands consumed over a real store.

use super::*;
use crate::engine::window::{Book, Counts};
use crate::service::testing::{Rig, Source, slo};
use crate::slo::model::Labels;

/// Ten requests a second, one in ten bad.
async fn rig() -> (Rig, Source) {
    let source = Source::start(|query, part, t| match part {
        "a" | "m" if query.contains("500") => Some(t),
        "a" | "m" => Some(t * 10),
        "d" => Some(0),
        _ => Some(1),
    })
    .await;
    let mut rig = Rig::of(&slo("cart"), &source.url).await;
    rig.at = rig.at.minus(Span::from_mins(31));
    while rig.at < rig.shared.settings.step.floor(clock::now()) {
        rig.tick().await;
    }
    (rig, source)
}

fn window(rig: &Rig) -> Counts {
    let world = rig.shared.world.read();
    let book = Book::of(&world.ledger, &world.plan.slos[0], &Labels::new()).unwrap();
    book.window(Span::from_mins(30), rig.at)
}

async fn say(rig: &Rig, command: &Command) -> i64 {
    let body = serde_json::to_string(command).unwrap();
    let id = rig.shared.store.put_command(COMMAND, &body, clock::now_ms()).await.unwrap();
    consume(&rig.shared).await.unwrap();
    id
}

fn out(rig: &Rig, from: i64, to: i64) -> Command {
    let at = |mins: i64| Ts(rig.at.0 - mins * 60);
    let (slo, by) = ("shop/cart".to_owned(), "ann".to_owned());
    Command::Exclude { slo, from: at(from), to: at(to), reason: "load test".into(), by }
}

/// What history says of it, newest first.
async fn history(rig: &Rig, subject: &str) -> Vec<(String, serde_json::Value)> {
    let page = rig.shared.store.history(Some(subject), None, 100).await.unwrap();
    let line = |row: crate::store::HistoryRow| (row.kind, serde_json::from_str(&row.body).unwrap());
    page.items.into_iter().map(line).collect()
}

#[tokio::test]
async fn what_is_taken_out_does_not_count_and_counts_again_when_it_is_put_back() {
    let (rig, _source) = rig().await;
    let raw = window(&rig);
    assert!(raw.covered == 1800 && raw.bad.as_f64() > 1700.0, "{raw:?}");
    let id = say(&rig, &out(&rig, 20, 10)).await;
    let told = window(&rig);
    assert!((600..=1200).contains(&told.excluded), "{told:?}");
    assert_eq!(told.covered + told.excluded, raw.covered);
    let out = told.excluded;
    assert_eq!(raw.bad.minus(told.bad), crate::slo::unit::Events::whole(out));
    assert_eq!(raw.total.minus(told.total), crate::slo::unit::Events::whole(10 * out));

    // A restart knows it, and a plan that is swapped keeps it.
    keep::reload(&rig.shared).await.unwrap();
    swap(&mut rig.shared.world.write());
    assert_eq!(window(&rig), told);
    keep::renew(&rig.shared, &mut keep::Renewed::new()).await.unwrap();
    assert_eq!(window(&rig), told);

    assert!(say(&rig, &Command::Include { id, by: "bob".into() }).await > id);
    assert_eq!(window(&rig), raw);
    keep::reload(&rig.shared).await.unwrap();
    assert_eq!(window(&rig), raw);
    let lines = history(&rig, "shop/cart").await;
    let kinds: Vec<&str> = lines.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["included", "excluded"]);
    assert_eq!((&lines[0].1["by"], &lines[1].1["by"]), (&json!("bob"), &json!("ann")));
    assert_eq!((&lines[1].1["id"], &lines[1].1["reason"]), (&json!(id), &json!("load test")));
    assert!(rig.shared.store.commands(10).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_cannot_be_is_refused_in_history_and_changes_nothing() {
    let (rig, _source) = rig().await;
    let raw = window(&rig);
    say(&rig, &out(&rig, 10, -10)).await;
    say(&rig, &Command::Include { id: 99, by: "ann".into() }).await;
    rig.shared.store.put_command(COMMAND, "nonsense", clock::now_ms()).await.unwrap();
    consume(&rig.shared).await.unwrap();
    assert_eq!(window(&rig), raw);
    assert_eq!(history(&rig, "shop/cart").await[0].0, "exclusionRefused");
    assert_eq!(history(&rig, "ledger").await[0].0, "exclusionRefused");
    assert!(rig.shared.store.commands(10).await.unwrap().is_empty(), "nothing is tried for ever");
}

#[tokio::test]
async fn what_is_remembered_of_ends_is_written_once_and_not_read_to_be_compared() {
    let (rig, _source) = rig().await;
    let id = say(&rig, &out(&rig, 20, 10)).await;
    let row = async || {
        let rows = rig.shared.store.states_under(keep::PREFIX).await.unwrap();
        rows.into_iter().find(|(key, _)| *key == format!("{}{id}", keep::PREFIX)).unwrap().1
    };
    let mut renewed = keep::Renewed::new();
    keep::renew(&rig.shared, &mut renewed).await.unwrap();
    assert!(row().await.contains("\"head\""), "{}", row().await);
    let put = crate::store::StatePut { key: format!("{}{id}", keep::PREFIX), body: "another one's".into() };
    let decisions = Decisions { states: vec![put], ..Decisions::default() };
    rig.shared.store.commit(rig.epoch, &decisions).await.unwrap();
    keep::renew(&rig.shared, &mut renewed).await.unwrap();
    assert_eq!(row().await, "another one's");
    // After a commit without an answer nobody knows what is written.
    renewed.clear();
    keep::renew(&rig.shared, &mut renewed).await.unwrap();
    assert!(row().await.contains("\"head\""));
}
