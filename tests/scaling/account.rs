//! What was done to a workload, held against what Damper decided: by the workload's own record and
//! by the history in the store, which nobody may have open.

use std::collections::BTreeSet;
use std::time::Duration;

use damper::engine::digest::Digest;
use damper::store::{HistoryRow, Options, Store};
use serde_json::Value;

use crate::support::workload::Move;

/// What a policy allows.
#[derive(Clone, Copy)]
pub struct Rules {
    pub min: u32,
    pub max: u32,
    /// After a move up, and after one down.
    pub up: Duration,
    pub down: Duration,
    /// A decided write is void after so long; so much later than decided it is made at most.
    pub valid: Duration,
}

/// A move that history says was decided.
#[derive(Clone, Copy, Debug)]
struct Decided {
    /// Its place in history.
    line: usize,
    /// Seconds since the epoch.
    at: i64,
    from: u32,
    to: u32,
}

/// All of the history of one policy, oldest first.
pub async fn history(store: &Store, policy: &str) -> Vec<HistoryRow> {
    let mut lines = Vec::new();
    let mut before = None;
    loop {
        let page = store.history(Some(policy), before, 1000).await.unwrap();
        lines.extend(page.items);
        before = page.next;
        if before.is_none() {
            lines.reverse();
            return lines;
        }
    }
}

/// Opens the store that Damper has closed, or died with.
pub async fn store(address: &str) -> Store {
    Store::open(address, Options::default()).await.unwrap()
}

/// Fails the test unless every move was decided, once, inside the bounds and outside of every
/// cooldown, and history tells of each decision what became of it.
pub fn check(policy: &str, moves: &[Move], lines: &[HistoryRow], rules: &Rules) {
    let decided = decided(lines);
    let told = || format!("{policy}: moved {moves:#?}, decided {decided:#?}");
    for pair in decided.windows(2) {
        let apart = pair[1].at - pair[0].at;
        let least = cooldown(pair[0].from, pair[0].to, rules).as_secs();
        assert!(u64::try_from(apart).unwrap() >= least, "decided {apart}s apart: {pair:?} of {}", told());
    }
    // No allowance for writes that are made late: two leaders' clocks may be apart by more.
    for pair in moves.windows(2) {
        let apart = pair[1].at - pair[0].at;
        let least = cooldown(pair[0].from, pair[0].to, rules);
        assert!(apart >= least, "moved {apart:?} apart: {pair:?} of {}", told());
    }
    let mut ids = BTreeSet::new();
    for one in moves {
        assert!((rules.min..=rules.max).contains(&one.to), "outside of the bounds: {one:?} of {}", told());
        assert!(ids.insert(&one.id), "made twice: {one:?} of {}", told());
        let found = decided.iter().find(|decided| order(policy, decided) == one.id);
        let found = found.unwrap_or_else(|| panic!("not in history: {one:?} of {}", told()));
        let late = one.at_ms - found.at * 1000;
        let valid = i64::try_from(rules.valid.as_millis()).unwrap();
        assert!((0..=valid).contains(&late), "made {late} ms after it was decided: {one:?} of {}", told());
    }
    for (i, one) in decided.iter().enumerate() {
        let was_made = ids.contains(&order(policy, one));
        let outcomes = outcomes(lines, one, decided.get(i + 1));
        let last = outcomes.last().map(String::as_str);
        let is_told = if was_made { last == Some("done") } else { last.is_some() && last != Some("done") };
        assert!(is_told, "made: {was_made}, told: {outcomes:?}: {one:?} of {}", told());
    }
}

fn cooldown(from: u32, to: u32, rules: &Rules) -> Duration {
    if to > from { rules.up } else { rules.down }
}

fn decided(lines: &[HistoryRow]) -> Vec<Decided> {
    let all = lines.iter().enumerate().filter(|(_, line)| line.kind == "scale");
    let all = all.filter_map(|(line, row)| {
        let body: Value = serde_json::from_str(&row.body).unwrap();
        let moves = body["decision"]["verdict"].get("scale")?;
        let at = body["decision"]["at"].as_i64().unwrap();
        Some(Decided { line, at, from: number(&moves["from"]), to: number(&moves["to"]) })
    });
    all.collect()
}

/// What history says became of a decided move, until the `next` was decided.
fn outcomes(lines: &[HistoryRow], decided: &Decided, next: Option<&Decided>) -> Vec<String> {
    let until = next.map_or(lines.len(), |next| next.line);
    let written = lines[decided.line..until].iter().filter(|line| line.kind == "scaleWrite");
    let bodies = written.map(|line| serde_json::from_str::<Value>(&line.body).unwrap());
    let its =
        bodies.filter(|body| (number(&body["from"]), number(&body["to"])) == (decided.from, decided.to));
    its.map(|body| body["outcome"].as_str().unwrap().to_owned()).collect()
}

/// The name of a decided move, as the workload is told it.
fn order(policy: &str, decided: &Decided) -> String {
    let (at, from, to) = (decided.at.to_string(), decided.from.to_string(), decided.to.to_string());
    Digest::of(&[policy, &at, &from, &to]).hex()
}

fn number(value: &Value) -> u32 {
    u32::try_from(value.as_u64().unwrap()).unwrap()
}
