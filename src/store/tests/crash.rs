//! `kill -9` between any two instructions: what is there afterwards is whole decisions.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::home::{Home, lead, message, state};
use super::on_both;
use crate::store::{Decisions, HistoryPut, Options, OutboxFilter, Store};

on_both! {
    a_killed_process_leaves_whole_decisions
}

/// Tells a second process of this test program which store to write to.
const STORE: &str = "TEST_DAMPER_KILL_STORE";

async fn a_killed_process_leaves_whole_decisions(home: &Home) {
    let mut done = 0;
    for round in 1..=5_i64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store::tests::crash::the_process_to_be_killed", "--nocapture"])
            .env(STORE, format!("{} {}", round * 1_000_000, home.url))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let told: Vec<i64> = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok)
            .filter_map(|line| line.parse().ok())
            .take(10)
            .collect();
        child.kill().unwrap();
        child.wait().unwrap();

        // At once: the kernel has dropped the file's lock with the process.
        let store = home.open().await;
        lead(&store, round * 1_000_000 + 500_000).await;
        let last: i64 = store
            .states()
            .await
            .unwrap()
            .into_iter()
            .find(|(key, _)| key == "last")
            .unwrap()
            .1
            .parse()
            .unwrap();
        assert!(told.len() == 10 && told[0] == done + 1 && last >= told[9], "{told:?} {last}");
        assert_eq!(count(&store).await, 3 * last, "messages of {last} decisions");
        let line = &store.history(None, None, 1).await.unwrap().items[0];
        assert_eq!(line.at, last);
        assert_eq!(store.load_slices(0, last + 1, 0).await.unwrap().slices, []);
        store.close().await;
        done = last;
    }
}

async fn count(store: &Store) -> i64 {
    let (mut count, mut before) = (0, None);
    loop {
        let page = store.outbox(&OutboxFilter::default(), before, 1000).await.unwrap();
        count += i64::try_from(page.items.len()).unwrap();
        before = page.next;
        if before.is_none() {
            return count;
        }
    }
}

/// Commits without end when it is started by the test above; alone it has nothing to do.
#[tokio::test]
async fn the_process_to_be_killed() {
    let Ok(told) = std::env::var(STORE) else { return };
    let (now, url) = told.split_once(' ').unwrap();
    let store = Store::open(url, Options::default()).await.unwrap();
    let epoch = lead(&store, now.parse().unwrap()).await;
    let states = store.states().await.unwrap();
    let last: i64 = states.iter().find(|(key, _)| key == "last").map_or(0, |(_, body)| body.parse().unwrap());
    println!();
    for n in last + 1.. {
        let decisions = Decisions {
            states: (0..200)
                .map(|k| state(&k.to_string(), "filler"))
                .chain([state("last", &n.to_string())])
                .collect(),
            outbox: (0..3).map(|k| message(&format!("{n}-{k}"), "i", n)).collect(),
            history: vec![HistoryPut { at: n, kind: "test".into(), subject: "s".into(), body: "{}".into() }],
            ..Decisions::default()
        };
        store.commit(epoch, &decisions).await.unwrap();
        println!("{n}");
    }
}
