//! Where Damper is killed, and what brings it there.

use std::collections::BTreeSet;

use damper::failpoint::Place;

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
