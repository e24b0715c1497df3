//! Time that people took out of an SLO, and the events in it, kept apart from the raw ones.
//!
//! Slices stay as they are told, for other SLOs count them too. Of each exclusion the events are
//! summed once, piece by piece: five minutes while the ledger holds five minutes, hours where it holds
//! hours, and the parts of the hours at its two ends, which cannot be told apart later, are remembered.
//! An hour that a calendar period begins in is two pieces, as its group remembers where to cut it.
//! With running sums over the pieces, what a window must leave out is the difference of two of them,
//! however many exclusions there are.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::group::Group;
use super::series::Series;
use super::track::{FINE_REACH, FIVE_REACH};
use crate::engine::fact::SlotFact;
use crate::slo::model::Labels;
use crate::slo::time::{Span, Ts};
use crate::slo::unit::Events;

const FIVE: Span = Span::from_mins(5);
const HOUR: Span = Span::from_hours(1);
/// Ends remembered at most of one exclusion: of all series and groups that an SLO ever had.
const MOST_EDGES: usize = 100_000;

/// One stretch of time that does not count for one SLO.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Exclusion {
    /// Its number, over all SLOs.
    pub id: i64,
    /// Where it begins, on the grid that the ledger held when it was made.
    pub from: Ts,
    /// Where it ends.
    pub to: Ts,
    /// Why, as somebody wrote it.
    pub reason: String,
    /// Who said so.
    pub by: String,
    /// When.
    pub at: Ts,
    /// What of the hours at its ends lies inside.
    #[serde(default)]
    pub edges: Vec<Edge>,
}

impl Exclusion {
    /// Whether what is remembered of its ends can still change: not where it consists of whole hours, nor
    /// once the ledger holds nothing finer of them.
    pub fn may_change(&self, newest: Ts) -> bool {
        !is_whole(self) && newest.since(self.to).secs() < FIVE_REACH.secs() + 24 * HOUR.secs()
    }
}

/// Of one series and group: events inside of an exclusion, of the hours that it begins and ends in.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Edge {
    /// The id of the series.
    pub series: u64,
    /// The group's label values.
    pub group: Labels,
    /// Up to the first full hour, or all of an exclusion that none lies in.
    pub head: Events,
    /// From the last full hour on.
    pub tail: Events,
    /// Of the last five minutes, where it ends within them.
    #[serde(default)]
    pub last: Events,
    /// Of `head`, where that begins inside an hour: up to each beginning of a calendar period in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cuts: Vec<(Ts, Events)>,
}

/// What one SLO leaves out.
#[derive(Clone, Debug, Default)]
pub struct Excluded {
    /// Oldest first; none touch time of another.
    list: Vec<Exclusion>,
    /// The ids of the series it reads.
    series: Vec<u64>,
    pieces: Vec<Piece>,
    /// Seconds of all pieces up to each.
    seconds: Vec<i64>,
    /// By series and group: thousandths of all pieces up to each.
    sums: BTreeMap<u64, BTreeMap<Labels, Vec<i64>>>,
}

/// Where an exclusion asked for would lie: outward to five minutes, to hours where the ledger holds no
/// less, and to whole facts, which are `facts` apart. Never into what is still to come, or errors that
/// begin meanwhile would page nobody: there it ends with the newest fact.
pub fn rounded((from, to): (Ts, Ts), facts: Span, now: Ts) -> (Ts, Ts) {
    let grid = |at: Ts| if is_recent(at.floor_to(HOUR), now) { FIVE.max(facts) } else { HOUR };
    let floor = to.floor_to(grid(to));
    let end = if floor == to { to } else { floor.plus(grid(to)) };
    (from.floor_to(grid(from)), if end > now { to.floor_to(facts) } else { end })
}

/// Whether five minutes are held of an hour that begins then, with an hour to spare.
fn is_recent(hour: Ts, newest: Ts) -> bool {
    newest.since(hour).secs() < FIVE_REACH.secs() - HOUR.secs()
}

impl Excluded {
    pub(super) fn new(mut list: Vec<Exclusion>, series: Vec<u64>) -> Self {
        list.sort_by_key(|exclusion| exclusion.from);
        Self { list, series, ..Self::default() }
    }

    /// What is excluded, oldest first.
    pub fn list(&self) -> &[Exclusion] {
        &self.list
    }

    /// Seconds of `(from, to]` that are left out.
    pub fn seconds(&self, from: Ts, to: Ts) -> i64 {
        let until = |at: Ts| {
            let place = self.pieces.partition_point(|piece| piece.1 <= at.0);
            let inside = self.pieces.get(place).map_or(0, |piece| (at.0 - piece.0).max(0));
            before(&self.seconds, place) + inside
        };
        until(to) - until(from)
    }

    /// The running sums of one group; `None` where nothing of it is left out.
    pub fn sums(&self, series: u64, group: &Labels) -> Option<&[i64]> {
        self.sums.get(&series)?.get(group).map(Vec::as_slice)
    }

    /// Events of a group in `(from, to]` that are left out; `sums` are its own.
    pub fn events(&self, sums: &[i64], group: &Group, from: Ts, to: Ts) -> Events {
        let until = |at: Ts| {
            let place = self.pieces.partition_point(|piece| piece.1 <= at.0);
            let whole = Events::from_thousandths(before(sums, place));
            match self.pieces.get(place) {
                Some(piece) if piece.0 < at.0 => whole.plus(group.sum(Ts(piece.0), at)),
                _ => whole,
            }
        };
        until(to).minus(until(from))
    }

    /// Whether one of these slots of one of its series lies inside.
    pub(super) fn is_about(&self, series: u64, slots: &[SlotFact]) -> bool {
        let inside = |end: Ts| {
            let place = self.list.partition_point(|exclusion| exclusion.to < end);
            self.list.get(place).is_some_and(|exclusion| exclusion.from < end)
        };
        self.series.contains(&series) && slots.iter().any(|slot| inside(slot.end))
    }

    /// Sums everything anew, as of the newest slot that is known.
    pub(super) fn sum_up<'a>(&mut self, newest: Ts, find: impl Fn(u64) -> Option<&'a Series>) {
        (self.pieces, self.seconds, self.sums) = <_>::default();
        let mut list = std::mem::take(&mut self.list);
        let all: Vec<&Series> = self.series.iter().filter_map(|id| find(*id)).collect();
        let groups = all.iter().flat_map(|series| series.groups());
        let begins: BTreeSet<Ts> = groups.flat_map(Group::begins_inside_hours).collect();
        for exclusion in &mut list {
            let pieces: Vec<(Piece, Vec<Ts>)> =
                pieces(exclusion, newest).into_iter().map(|piece| (piece, inside(&begins, piece))).collect();
            let known = std::mem::take(&mut exclusion.edges);
            let mut known: BTreeMap<(u64, Labels), Edge> =
                known.into_iter().map(|edge| ((edge.series, edge.group.clone()), edge)).collect();
            for series in &all {
                for group in series.groups() {
                    let place = (series.id(), group.labels.clone());
                    let edge = edge(exclusion, series.id(), group, known.get(&place), newest);
                    let sums = self.sums.entry(series.id()).or_default();
                    let sums = sums.entry(group.labels.clone()).or_default();
                    // A group may not have been there yet when the exclusions before were summed up.
                    sums.resize(self.pieces.len(), before(sums, sums.len()));
                    for (piece, cuts) in &pieces {
                        let sum = before(sums, sums.len());
                        let whole = held(exclusion, &edge, group, *piece);
                        let parts = cuts.iter().map(|at| held_until(&edge, group, *piece, *at, whole));
                        sums.extend(parts.chain([whole]).map(|part| sum.saturating_add(part.thousandths())));
                    }
                    known.insert(place, edge);
                }
            }
            // Whole hours can always be told. Ends of series that are not there for the moment, as while
            // their definition is moved to another file, stay: nobody could tell them again.
            let edges = known.into_values().take(if is_whole(exclusion) { 0 } else { MOST_EDGES });
            exclusion.edges = edges.collect();
            for ((from, to), cuts) in &pieces {
                let mut from = *from;
                for to in cuts.iter().map(|at| at.0).chain([*to]) {
                    self.seconds.push(before(&self.seconds, self.seconds.len()) + to - from);
                    self.pieces.push((from, to));
                    from = to;
                }
            }
        }
        let most = self.pieces.len();
        for sums in self.sums.values_mut().flat_map(BTreeMap::values_mut) {
            sums.resize(most, before(sums, sums.len()));
        }
        self.list = list;
    }
}

/// The sum of all before a place.
fn before(sums: &[i64], place: usize) -> i64 {
    place.checked_sub(1).and_then(|last| sums.get(last)).copied().unwrap_or(0)
}

/// Where a piece begins and ends.
type Piece = (i64, i64);

/// Five minutes where they are held, else hours and the parts of hours at the ends.
fn pieces(exclusion: &Exclusion, newest: Ts) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut at = exclusion.from;
    while at < exclusion.to {
        let unit = if is_recent(at.floor_to(HOUR), newest) { FIVE } else { HOUR };
        let next = at.floor_to(unit).plus(unit).min(exclusion.to);
        pieces.push((at.0, next.0));
        at = next;
    }
    pieces
}

/// Where calendar periods begin inside of a piece.
fn inside(begins: &BTreeSet<Ts>, (from, to): Piece) -> Vec<Ts> {
    begins.range(Ts(from)..Ts(to)).copied().filter(|at| at.0 > from).collect()
}

/// Whether it begins and ends with an hour.
fn is_whole(exclusion: &Exclusion) -> bool {
    [exclusion.from, exclusion.to].iter().all(|at| at.floor_to(HOUR) == *at)
}

/// The ends as they are now, or as they were when they could still be told.
fn edge(exclusion: &Exclusion, series: u64, group: &Group, known: Option<&Edge>, newest: Ts) -> Edge {
    let (head, tail) = ends(exclusion);
    let five = exclusion.to.floor_to(FIVE);
    let last = match known {
        _ if five == exclusion.to => Events::ZERO,
        _ if newest.since(five).secs() < FINE_REACH.secs() - HOUR.secs() => group.sum(five, exclusion.to),
        Some(known) => known.last,
        None => group.sum(five, five.plus(FIVE)),
    };
    let sum = |from: Ts, to: Ts| match to.floor_to(FIVE) == to {
        true => group.sum(from, to),
        false => group.sum(from, five).plus(last),
    };
    let told = |(from, to): (Ts, Ts), known: Option<Events>| {
        let whole = from.floor_to(HOUR) == from && to.floor_to(HOUR) == to;
        match known {
            _ if from >= to => Events::ZERO,
            _ if whole || is_recent(from.floor_to(HOUR), newest) => sum(from, to),
            // Nobody counted it then: of a series that was defined since, the hour goes as a whole.
            None => group.sum(from.floor_to(HOUR), from.floor_to(HOUR).plus(HOUR)),
            Some(known) => known,
        }
    };
    let cut = |at: Ts| match known {
        _ if is_recent(head.0.floor_to(HOUR), newest) => Some((at, group.sum(head.0, at))),
        Some(known) => known.cuts.iter().find(|(cut, _)| *cut == at).copied(),
        None => None,
    };
    let cuts = group.begins_inside_hours().filter(|at| head.0 < *at && *at < head.1);
    let cuts = if head.0.floor_to(HOUR) == head.0 { Vec::new() } else { cuts.filter_map(cut).collect() };
    Edge {
        series,
        group: group.labels.clone(),
        head: told(head, known.map(|edge| edge.head)),
        tail: told(tail, known.map(|edge| edge.tail)),
        last,
        cuts,
    }
}

/// The part up to the first full hour, and that from the last one on.
fn ends(exclusion: &Exclusion) -> ((Ts, Ts), (Ts, Ts)) {
    let (from, to) = (exclusion.from, exclusion.to);
    let first = from.floor_to(HOUR).plus(HOUR).min(to);
    ((from, first), (to.floor_to(HOUR).max(first), to))
}

/// What a piece holds.
fn held(exclusion: &Exclusion, edge: &Edge, group: &Group, (from, to): Piece) -> Events {
    let piece = (Ts(from), Ts(to));
    let (head, tail) = ends(exclusion);
    if piece == head {
        edge.head
    } else if piece == tail {
        edge.tail
    } else if piece.1.floor_to(FIVE) != piece.1 {
        edge.last
    } else {
        group.sum(piece.0, piece.1)
    }
}

/// What a piece holds up to the beginning of a calendar period in it, of its `whole`. Where nobody noted that in
/// time no sum begins there either, but for a group that came later: its share by time.
fn held_until(edge: &Edge, group: &Group, (from, to): Piece, at: Ts, whole: Events) -> Events {
    let known = match Ts(from).floor_to(HOUR) == Ts(from) {
        true => group.hour_until(at),
        false => edge.cuts.iter().find(|(cut, _)| *cut == at).map(|(_, events)| *events),
    };
    known.unwrap_or_else(|| whole.scaled(at.0 - from, to - from))
}
