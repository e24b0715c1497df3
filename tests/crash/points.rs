//! Where Damper is killed, and what brings it there.

use std::collections::BTreeSet;

use damper::failpoint::Place;

use super::{clock, handover};

/// The three moments of a transaction.
const WRITTEN: &[Place] = &[Place::Begin, Place::Inside, Place::Committed];
/// Around a request.
const SENT: &[Place] = &[Place::Send, Place::Taken];
/// Around the ledger.
const COUNTED: &[Place] = &[Place::Asked, Place::Booked];
/// Around a plan that comes into force.
const PLANNED: &[Place] = &[Place::Swap, Place::Swapped];

/// What must happen for Damper to come to a point.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Story {
    /// Services fail and recover, and time passes.
    Wait,
    /// The receiver refuses what it is told.
    Refuse,
    /// A definition is edited.
    Edit,
    /// A definition comes that needs history.
    New,
    /// Damper is started.
    Start,
    /// Damper is stopped.
    Stop,
}

/// A point to be killed at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Point {
    pub story: Story,
    pub place: Place,
    pub doing: &'static str,
}

impl Point {
    /// As it is armed.
    pub fn name(self) -> String {
        format!("{}/{}", self.place.name(), self.doing)
    }
}

type Row = (&'static [Place], &'static str, Story);

/// With a webhook as receiver.
const WEBHOOK: &[Row] = &[
    (WRITTEN, "firing", Story::Wait),
    (WRITTEN, "resolved", Story::Wait),
    (SENT, "firing", Story::Wait),
    (SENT, "resolved", Story::Wait),
    (WRITTEN, "marking a delivery", Story::Wait),
    (WRITTEN, "marking a failed delivery", Story::Refuse),
    (WRITTEN, "owing in another's stead", Story::Refuse),
    (WRITTEN, "recording definitions", Story::Edit),
    (PLANNED, "a plan", Story::Edit),
    (COUNTED, "history", Story::New),
    (WRITTEN, "writing history", Story::New),
    (COUNTED, "a slice", Story::Wait),
    (WRITTEN, "appending slices", Story::Wait),
    (WRITTEN, "renewing images of series", Story::Wait),
    (WRITTEN, "pruning slices", Story::Wait),
    (WRITTEN, "asking for the lease", Story::Start),
    (&[Place::Begin, Place::Inside], "correcting when something is due", Story::Start),
    (WRITTEN, "renewing the lease", Story::Wait),
    (WRITTEN, "releasing the lease", Story::Stop),
];
/// With an Alertmanager.
const LEVELS: &[Row] = &[
    (WRITTEN, "firing", Story::Wait),
    (WRITTEN, "resolved", Story::Wait),
    (SENT, "states", Story::Wait),
    (WRITTEN, "marking levels as told", Story::Wait),
    (WRITTEN, "marking levels as failed", Story::Refuse),
    (WRITTEN, "pruning levels", Story::Wait),
];
/// On PostgreSQL, where a transaction's end is a server's word.
const POSTGRES: &[Row] = &[
    (WRITTEN, "firing", Story::Wait),
    (WRITTEN, "resolved", Story::Wait),
    (&[Place::Taken], "firing", Story::Wait),
    (&[Place::Inside, Place::Committed], "marking a delivery", Story::Wait),
    (&[Place::Inside, Place::Committed], "marking a failed delivery", Story::Refuse),
    (&[Place::Inside, Place::Committed], "asking for the lease", Story::Start),
];

fn all(rows: &[Row]) -> Vec<Point> {
    let of = |(places, doing, story): &Row| {
        let (doing, story) = (*doing, *story);
        places.iter().map(move |place| Point { story, place: *place, doing }).collect::<Vec<_>>()
    };
    rows.iter().flat_map(of).collect()
}

pub fn webhook() -> Vec<Point> {
    all(WEBHOOK)
}

pub fn levels() -> Vec<Point> {
    all(LEVELS)
}

pub fn postgres() -> Vec<Point> {
    all(POSTGRES)
}

/// A run of the matrix kills at each of its points and fails where one is not reached.
#[test]
fn every_place_is_one_of_the_matrix() {
    let reached: BTreeSet<Place> = webhook().into_iter().chain(levels()).map(|point| point.place).collect();
    assert_eq!(reached, Place::ALL.iter().copied().collect());
}

/// Named by what is decided wherever it is made: firing, resolved, a fallback that is owed, a move.
const NAMED_OTHERWISE: &str = "committing decisions";

/// Whoever adds a transaction to the store lets it be killed at, here or in a test beside this one.
#[test]
fn every_transaction_of_the_store_is_killed_at() {
    let mut transactions = BTreeSet::new();
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/store")).unwrap() {
        let path = file.unwrap().path();
        let text = if path.is_file() { std::fs::read_to_string(path).unwrap() } else { String::new() };
        for function in text.split(" while \"").skip(1) {
            let (name, body) = function.split_once('"').unwrap();
            if body.contains("Self::end(tx)") {
                transactions.insert(name.to_owned());
            }
        }
    }
    let rows = [WEBHOOK, LEVELS, POSTGRES].concat();
    let killed: BTreeSet<&str> =
        rows.iter().map(|row| row.1).chain(clock::FORGETS).chain(handover::KILLED).collect();
    let left = transactions.iter().filter(|name| !killed.contains(name.as_str()));
    assert_eq!(left.collect::<Vec<_>>(), [NAMED_OTHERWISE]);
}
