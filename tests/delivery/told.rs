//! What a webhook receiver was told, and whether that is what was owed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use damper::store::{Options, OutboxFilter, Status, Store};

use super::truth::one_incident_per_phase;
use crate::support::receiver::{Receiver, Request};
use crate::support::shop::Phase;

/// One message as it arrived, perhaps not for the first time.
#[derive(Clone, Debug)]
pub struct Told {
    /// Its `Idempotency-Key`.
    pub key: String,
    /// `damper.incident`.
    pub incident: String,
    /// `damper.event`.
    pub event: String,
    /// When the alert began, as told.
    pub starts_at: String,
    /// When it ended, as told; of one that fires far ahead.
    ends_at: String,
    /// The alert's labels.
    pub labels: Value,
    /// What is told of several incidents as one: how many they were.
    several: Option<String>,
    /// Whether the receiver took it.
    pub accepted: bool,
    body: Vec<u8>,
}

impl Told {
    /// Reads a request; fails the test if it is no webhook message.
    pub fn read(request: &Request) -> Self {
        let json = request.json();
        let alert = &json["alerts"][0];
        let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("no text in {json}")).to_owned();
        let told = Self {
            key: request.header("idempotency-key").expect("a key").to_owned(),
            incident: text(&alert["damper"]["incident"]),
            event: text(&alert["damper"]["event"]),
            starts_at: text(&alert["startsAt"]),
            ends_at: text(&alert["endsAt"]),
            labels: alert["labels"].clone(),
            several: alert["annotations"]["times"].as_str().map(str::to_owned),
            accepted: request.accepted,
            body: request.body.to_vec(),
        };
        assert_eq!(text(&alert["damper"]["id"]), told.key, "the key in the body");
        told
    }

    /// When the alert began, in milliseconds since the epoch.
    pub fn began(&self) -> i64 {
        millis(&self.starts_at)
    }

    /// When it ended, if it is told that it did.
    pub fn ended(&self) -> Option<i64> {
        (self.event != "firing").then(|| millis(&self.ends_at))
    }

    /// How many incidents it is about: `It fired 3 times between …`.
    pub fn times(&self) -> usize {
        let number = |text: &String| text.split(' ').find_map(|word| word.parse().ok());
        self.several.as_ref().map_or(1, |text| number(text).expect("how many they were"))
    }
}

fn millis(time: &str) -> i64 {
    chrono::DateTime::parse_from_rfc3339(time).unwrap().timestamp_millis()
}

/// A transition that was decided: incident and event.
pub type Transition = (String, String);

/// The event that stands beside the firing of an incident which was late, so that its end told both.
const LATE: &str = "late";

/// The event that tells an incident which came and went unseen.
const MISSED: &str = "missed";

fn is_late(incident: &str, decided: &BTreeSet<Transition>) -> bool {
    decided.contains(&(incident.to_owned(), LATE.to_owned()))
}

/// Fails the test unless everything owed was told, nothing else was, each transition under one key,
/// and each incident as a firing before its resolve.
pub async fn check(store: &str, receiver: &Receiver, phases: &[Phase]) -> BTreeSet<Transition> {
    let decided = check_late(store, receiver, phases).await;
    assert_eq!(missed(&decided), 0, "{decided:?}");
    decided
}

/// The same where nobody may have watched for longer than a service failed: it may be told as missed.
pub async fn check_late(store: &str, receiver: &Receiver, phases: &[Phase]) -> BTreeSet<Transition> {
    let told: Vec<Told> = receiver.requests().iter().map(Told::read).collect();
    let decided = decided(store).await;
    let taken = told.iter().filter(|told| told.accepted).count();
    eprintln!("{} transitions, {taken} messages taken, {} refused", decided.len(), told.len() - taken);
    same_message_under_one_key(&told);
    told_is_owed(&told, &decided);
    firing_then_resolved(&told, &decided);
    assert!(
        decided.iter().all(|(_, event)| ["firing", "resolved", LATE, MISSED].contains(&event.as_str())),
        "{decided:?}"
    );
    one_incident_per_phase(&told, phases);
    decided
}

/// How many incidents were told only once they were over.
pub fn missed(decided: &BTreeSet<Transition>) -> usize {
    decided.iter().filter(|(_, event)| event == MISSED).count()
}

/// What may still have to be told of gaps, of a store which nobody may have open: what came and went in one
/// is told once history has filled it.
pub async fn owed(store: &str) -> Vec<(String, String)> {
    let store = Store::open(store, Options::default()).await.unwrap();
    let owed = store.states_under("owed/").await.unwrap();
    store.close().await;
    owed
}

/// Every transition in the history of a store, which nobody may have open; each must be there once.
pub async fn decided(store: &str) -> BTreeSet<Transition> {
    let store = Store::open(store, Options::default()).await.unwrap();
    let (mut all, mut before) = (BTreeSet::new(), None);
    loop {
        let lines = store.history(None, before, 1000).await.unwrap();
        for line in lines.items {
            let body: Value = serde_json::from_str(&line.body).unwrap();
            let incident = body["incident"].as_str().unwrap().to_owned();
            assert!(all.insert((incident, line.kind.clone())), "decided twice: {line:?}");
        }
        before = lines.next;
        if before.is_none() {
            break;
        }
    }
    loop {
        let messages = store.outbox(&OutboxFilter::default(), before, 1000).await.unwrap();
        for row in messages.items {
            if row.status == Status::Superseded && row.event == "firing" {
                all.insert((row.incident, LATE.to_owned()));
                continue;
            }
            assert_eq!(row.status, Status::Delivered, "{row:?}");
        }
        before = messages.next;
        if before.is_none() {
            break;
        }
    }
    store.close().await;
    all
}

/// The same of the fallback, which is told some of it: what it was told was decided, each transition
/// under one key, and whoever was told "firing" was told "resolved". Gives back how many incidents.
pub fn stood_in(receiver: &Receiver, decided: &BTreeSet<Transition>) -> usize {
    let told: Vec<Told> = receiver.requests().iter().map(Told::read).collect();
    same_message_under_one_key(&told);
    let all: BTreeSet<Transition> = told.iter().map(|t| (t.incident.clone(), t.event.clone())).collect();
    assert!(all.is_subset(decided), "told but never decided: {:?}", all.difference(decided));
    firing_then_resolved(&told, decided)
}

/// Fails the test unless the outbox of a store, which nobody may have open, holds exactly the messages
/// that its only receiver took.
pub async fn stored(store: &str, receiver: &Receiver) {
    let store = Store::open(store, Options::default()).await.unwrap();
    let rows = store.outbox(&OutboxFilter::default(), None, 1000).await.unwrap();
    assert_eq!(rows.next, None, "all of it");
    store.close().await;
    let stored: BTreeSet<String> = rows.items.into_iter().map(|row| row.id).collect();
    let told: BTreeSet<String> = receiver.accepted().iter().map(|request| Told::read(request).key).collect();
    assert_eq!(stored, told, "stored, and told");
}

/// Fails the test unless the history of a store, which nobody may have open, tells of so many incidents,
/// each of which began and ended.
pub async fn begun_and_ended(store: &str, incidents: usize) {
    let decided = decided(store).await;
    let of = |wanted: &str| -> BTreeSet<&str> {
        decided.iter().filter(|(_, event)| event == wanted).map(|(incident, _)| &**incident).collect()
    };
    assert_eq!(of("firing"), of("resolved"), "{decided:?}");
    assert_eq!((of("firing").len(), decided.len()), (incidents, 2 * incidents), "{decided:?}");
}

fn same_message_under_one_key(told: &[Told]) {
    let mut by_key: BTreeMap<&str, &Told> = BTreeMap::new();
    let mut by_transition: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    for one in told {
        let first = by_key.entry(&one.key).or_insert(one);
        assert_eq!(
            String::from_utf8_lossy(&first.body),
            String::from_utf8_lossy(&one.body),
            "two messages under one key"
        );
        let key = by_transition.entry((&one.incident, &one.event)).or_insert(&one.key);
        assert_eq!(*key, one.key, "two keys for one transition");
    }
}

fn told_is_owed(told: &[Told], decided: &BTreeSet<Transition>) {
    let tried: BTreeSet<Transition> = told.iter().map(|t| (t.incident.clone(), t.event.clone())).collect();
    let invented: Vec<_> = tried.difference(decided).collect();
    assert!(invented.is_empty(), "told but never decided: {invented:?}");
    let taken = told.iter().filter(|t| t.accepted);
    let taken: BTreeSet<Transition> = taken.map(|t| (t.incident.clone(), t.event.clone())).collect();
    let by_end = |one: &Transition| one.1 != "resolved" && is_late(&one.0, decided);
    let lost: Vec<_> = decided.difference(&taken).filter(|one| !by_end(one)).collect();
    assert!(lost.is_empty(), "decided but never told: {lost:?}");
}

fn firing_then_resolved(told: &[Told], decided: &BTreeSet<Transition>) -> usize {
    let mut incidents: BTreeMap<&str, Vec<&Told>> = BTreeMap::new();
    for one in told.iter().filter(|t| t.accepted) {
        incidents.entry(&one.incident).or_default().push(one);
    }
    let count = incidents.len();
    for (incident, told) in incidents {
        let mut events: Vec<&str> = told.iter().map(|t| t.event.as_str()).collect();
        events.dedup();
        if events != [MISSED] && (events != ["resolved"] || !is_late(incident, decided)) {
            assert_eq!(events, ["firing", "resolved"], "incident {incident}: {told:?}");
        }
        for one in &told {
            assert_eq!((&one.labels, &one.starts_at), (&told[0].labels, &told[0].starts_at));
        }
    }
    count
}
