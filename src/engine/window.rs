//! Windows of one SLO and group: bad and total events with coverage, summed from the ledger.

use super::fact::SeriesIx;
use super::ledger::{Group, Intervals, Ledger, Series, edge};
use crate::slo::model::Labels;
use crate::slo::time::{Span, Ts};
use crate::slo::unit::Events;

/// A weighted sum of series; weights in millionths.
pub type Signal = Vec<(i64, SeriesIx)>;

const WEIGHT_ONE: i64 = 1_000_000;

/// What a window held.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Counts {
    /// The real old edge, rounded outward.
    pub from: Ts,
    /// The new edge.
    pub to: Ts,
    /// Bad events, not below zero.
    pub bad: Events,
    /// All events, not below zero.
    pub total: Events,
    /// Seconds of the window in which both are known.
    pub covered: i64,
    /// Seconds in which the source answered that no series of total exists.
    pub absent: i64,
}

impl Counts {
    /// Length between the real edges, in seconds.
    pub fn span(&self) -> i64 {
        self.to.0.saturating_sub(self.from.0).max(0)
    }

    /// Known share of the window, 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "seconds of at most 136 years")]
    pub fn coverage(&self) -> f64 {
        if self.span() == 0 { 0.0 } else { self.covered as f64 / self.span() as f64 }
    }

    /// Seconds neither known nor absent.
    pub fn missing(&self) -> i64 {
        (self.span() - self.covered - self.absent).max(0)
    }

    /// Events of `seconds` at the mean traffic of what is known; zero where nothing is.
    pub fn mean_traffic(&self, seconds: i64) -> Events {
        if self.covered == 0 { Events::ZERO } else { self.total.scaled(seconds, self.covered) }
    }
}

/// The part of the ledger that one SLO and group reads.
pub struct Book<'a> {
    /// The coarsest distance between facts of its series; nothing is known between.
    grid: Span,
    bad: Vec<Entry<'a>>,
    total: Vec<Entry<'a>>,
}

struct Entry<'a> {
    weight: i64,
    series: &'a Series,
    group: Option<&'a Group>,
}

impl<'a> Book<'a> {
    /// `None` when a series is not of this ledger.
    pub fn open(ledger: &'a Ledger, bad: &Signal, total: &Signal, group: &Labels) -> Option<Self> {
        let entries = |signal: &Signal| {
            signal
                .iter()
                .map(|(weight, ix)| {
                    let series = ledger.series(*ix)?;
                    Some(Entry { weight: *weight, series, group: series.group(group) })
                })
                .collect::<Option<Vec<_>>>()
        };
        let (bad, total) = (entries(bad)?, entries(total)?);
        let grid = bad.iter().chain(&total).map(|e| e.series.keep().key.grid()).max()?;
        Some(Self { grid, bad, total })
    }

    /// The newest moment at or before `at` up to which facts can be there: a time slice that has
    /// not ended has no verdict yet.
    pub fn settled(&self, at: Ts) -> Ts {
        at.floor_to(self.grid)
    }

    /// The window of nominal length `window` that ends at `to`.
    pub fn window(&self, window: Span, to: Ts) -> Counts {
        let to = self.settled(to);
        self.between(edge(to.minus(window), to), to)
    }

    /// The window `(from, to]`; `from` must be an edge that [`edge`] gives.
    pub fn between(&self, from: Ts, to: Ts) -> Counts {
        Counts {
            bad: sum_by(&self.bad, |group| group.sum(from, to)),
            total: sum_by(&self.total, |group| group.sum(from, to)),
            ..self.between_edges(from, to)
        }
    }

    /// How much of `(from, to]` is known, without its events.
    fn between_edges(&self, from: Ts, to: Ts) -> Counts {
        let known = self.answered(from, to);
        let absent = self.absent(from, to);
        let unsure = self.entries().filter_map(|e| e.group).map(|g| g.unsure(from, to)).max().unwrap_or(0);
        Counts {
            from,
            to,
            bad: Events::ZERO,
            total: Events::ZERO,
            covered: (known - absent - unsure).max(0),
            absent,
        }
    }

    /// What has been since a calendar period began at `start`.
    pub fn since(&self, start: Ts, to: Ts) -> Counts {
        let to = self.settled(to);
        let began = self.entries().filter_map(|e| e.group).map(|g| g.since(start, to).0).min();
        let mut counts = self.between(edge(start, to), to);
        if began == Some(start) {
            counts = self.between_edges(start, to);
            counts.bad = sum_by(&self.bad, |group| group.since(start, to).1);
            counts.total = sum_by(&self.total, |group| group.since(start, to).1);
        }
        counts
    }

    /// Where the source's answers about all series begin.
    pub fn begun(&self) -> Option<Ts> {
        self.entries().map(|e| e.series.answered().first()).collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    /// Where the source's answers about all series end.
    pub fn known_until(&self) -> Option<Ts> {
        self.entries().map(|e| e.series.answered().last()).collect::<Option<Vec<_>>>()?.into_iter().min()
    }

    /// What the slice that ends at `at` says.
    pub fn slice(&self, at: Ts) -> Slice {
        let at = self.settled(at);
        if !self.entries().all(|e| e.series.answered().contains(at)) {
            return Slice::Unknown;
        }
        if self.total.iter().all(|e| e.series.absent().contains(at)) {
            let born = self.total.iter().any(|e| e.series.was_born());
            return Slice::Absent { born };
        }
        if self.total.iter().filter_map(|e| e.group).any(|g| g.is_stale(at)) {
            return Slice::Unknown;
        }
        let bad_absent = self.bad.iter().all(|e| e.series.absent().contains(at));
        let bad_born = self.bad.iter().any(|e| e.series.was_born());
        Slice::Counted { bad_absent, bad_born }
    }

    /// Seconds of `(from, to]` in which the source answered for every series.
    fn answered(&self, from: Ts, to: Ts) -> i64 {
        overlap(self.entries().map(|e| e.series), Series::answered, from, to)
    }

    /// Seconds of `(from, to]` in which no series of total existed.
    fn absent(&self, from: Ts, to: Ts) -> i64 {
        overlap(self.total.iter().map(|e| e.series), Series::absent, from, to)
    }

    fn entries(&self) -> impl Iterator<Item = &Entry<'a>> {
        self.total.iter().chain(&self.bad)
    }
}

/// What one slice says about an SLO and group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Slice {
    /// Events counted, with a young sample.
    Counted {
        /// No series of bad exists.
        bad_absent: bool,
        /// A series of bad was seen at least once.
        bad_born: bool,
    },
    /// No series of total exists.
    Absent {
        /// One was seen before.
        born: bool,
    },
    /// Nothing can be concluded.
    Unknown,
}

fn sum_by(entries: &[Entry<'_>], events: impl Fn(&Group) -> Events) -> Events {
    let add = |sum: Events, e: &Entry<'_>| match e.group {
        Some(group) if e.weight == WEIGHT_ONE => sum.plus(events(group)),
        Some(group) => sum.plus(events(group).scaled(e.weight, WEIGHT_ONE)),
        None => sum,
    };
    entries.iter().fold(Events::ZERO, add).clamped()
}

/// Seconds of `(from, to]` in the set of every series; the usual one and two series cost no allocation.
fn overlap<'a>(
    series: impl Iterator<Item = &'a Series>,
    set: impl Fn(&'a Series) -> &'a Intervals,
    from: Ts,
    to: Ts,
) -> i64 {
    let mut sets = series.map(set);
    let Some(first) = sets.next() else { return 0 };
    let mut rest = sets.filter(|s| !std::ptr::eq(*s, first));
    match (rest.next(), rest.next()) {
        (None, _) => first.overlap(from, to),
        (Some(second), None) => first.overlap_both(second, from, to),
        (Some(second), Some(third)) => {
            let begin = first.intersection(second, from, to).intersection(third, from, to);
            rest.fold(begin, |common, next| common.intersection(next, from, to)).overlap(from, to)
        }
    }
}
