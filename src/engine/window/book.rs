//! The part of the ledger that one SLO and group reads.

use super::common::{Common, Source, common};
use super::whole::Whole;
use super::{Counts, Signal};
use crate::engine::ledger::{Excluded, Group, Ledger, Series, edge, grid, is_other};
use crate::engine::plan::Planned;
use crate::slo::model::{Labels, Overflow};
use crate::slo::time::{Span, Ts};
use crate::slo::unit::Events;

const WEIGHT_ONE: i64 = 1_000_000;

/// The part of the ledger that one SLO and group reads.
pub struct Book<'a> {
    /// The coarsest distance between facts of its series; nothing is known between.
    grid: Span,
    bad: Vec<Entry<'a>>,
    total: Vec<Entry<'a>>,
    /// Where nothing is missing.
    whole: Option<Whole>,
    /// What was taken out by hand.
    excluded: Option<&'a Excluded>,
}

struct Entry<'a> {
    weight: i64,
    series: &'a Series,
    group: Option<&'a Group>,
    /// Running sums of what was taken out of it.
    taken: Option<&'a [i64]>,
    /// What it counts: all, or from when on or until when its total is kept apart.
    span: (Ts, Ts),
}

const ALWAYS: (Ts, Ts) = (Ts(i64::MIN), Ts(i64::MAX));

impl<'a> Book<'a> {
    /// What an SLO and group counts: without what was taken out of it by hand. `None` when a series is
    /// not of this ledger.
    pub fn of(ledger: &'a Ledger, planned: &Planned, group: &Labels) -> Option<Self> {
        Some(Self::open(ledger, &planned.bad, &planned.total, group)?.without(ledger.excluded(&planned.id)))
    }

    /// Leaves out what was taken out.
    #[must_use]
    pub fn without(mut self, excluded: Option<&'a Excluded>) -> Self {
        self.excluded = excluded;
        for entry in self.bad.iter_mut().chain(&mut self.total) {
            let sums = |group: &Group| excluded?.sums(entry.series.id(), &group.labels);
            entry.taken = entry.group.and_then(sums);
        }
        self
    }

    /// All that the source told, whatever was taken out. `None` when a series is not of this ledger.
    pub fn open(ledger: &'a Ledger, bad: &Signal, total: &Signal, group: &Labels) -> Option<Self> {
        let entries = |signal: &Signal| {
            signal
                .iter()
                .map(|(weight, ix)| {
                    let series = ledger.series(*ix)?;
                    Some(Entry {
                        weight: *weight,
                        series,
                        group: series.group(group),
                        taken: None,
                        span: ALWAYS,
                    })
                })
                .collect::<Option<Vec<_>>>()
        };
        let (mut bad, mut total) = (entries(bad)?, entries(total)?);
        if is_other(group) {
            let folded = folded(&bad, &total);
            bad.extend(folded);
        } else if let Some(since) = apart_since(&total, group) {
            bad.iter_mut().chain(&mut total).for_each(|entry| entry.span.0 = since);
        }
        let grid = bad.iter().chain(&total).map(|e| e.series.keep().key.grid()).max()?;
        let whole = Whole::newest(sources(&total), sources(&bad));
        Some(Self { grid, bad, total, whole, excluded: None })
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
        self.counted(from, to, |group, a, b| group.sum(a, b))
    }

    /// What has been since a calendar period began at `start`.
    pub fn since(&self, start: Ts, to: Ts) -> Counts {
        let to = self.settled(to);
        let began = self.entries().filter_map(|e| e.group).map(|g| g.since(start, to).0).min();
        if began != Some(start) {
            return self.between(edge(start, to), to);
        }
        self.counted(start, to, |group, a, b| if a == start { group.since(a, b).1 } else { group.sum(a, b) })
    }

    /// Sums of what all series know in common; `events` of a group between two moments.
    fn counted(&self, from: Ts, to: Ts, events: impl Fn(&Group, Ts, Ts) -> Events) -> Counts {
        let excluded = self.taken(from, to);
        let events = |entry: &Entry<'_>, group: &Group, a: Ts, b: Ts| {
            let Some((a, b)) = entry.within(a, b) else { return Events::ZERO };
            match (self.excluded, entry.taken) {
                (Some(excluded), Some(sums)) => events(group, a, b).minus(excluded.events(sums, group, a, b)),
                _ => events(group, a, b),
            }
        };
        if self.whole.is_some_and(|whole| whole.holds(from, to)) {
            let all = |entry: &Entry<'_>, group: &Group| events(entry, group, from, to);
            let (bad, total) = (sum_by(&self.bad, all), sum_by(&self.total, all));
            let span = to.0 - from.0 - excluded;
            return Counts { from, to, bad, total, covered: span, summed: span, absent: 0, excluded };
        }
        let length = |a: i64, b: i64| b - a - self.taken(Ts(a), Ts(b));
        let Common { known, withheld, absent, torn } =
            common(sources(&self.total), sources(&self.bad), (from, to), &length);
        let of = |entry: &Entry<'_>, group: &Group| {
            let torn = torn.within(from, to).map(|(a, b)| events(entry, group, Ts(a), Ts(b)));
            events(entry, group, from, to).minus(torn.fold(Events::ZERO, Events::plus))
        };
        let (bad, total) = (sum_by(&self.bad, of), sum_by(&self.total, of));
        let covered = (known - absent).max(0);
        Counts { from, to, bad, total, covered, summed: covered + withheld, absent, excluded }
    }

    /// Bad and all events between two moments that were taken out.
    pub fn taken_out(&self, from: Ts, to: Ts) -> (Events, Events) {
        let of = |entry: &Entry<'_>, group: &Group| match (self.excluded, entry.taken, entry.within(from, to))
        {
            (Some(excluded), Some(sums), Some((from, to))) => excluded.events(sums, group, from, to),
            _ => Events::ZERO,
        };
        (sum_by(&self.bad, of), sum_by(&self.total, of))
    }

    /// Seconds between two moments that were taken out.
    pub fn seconds_taken_out(&self, from: Ts, to: Ts) -> i64 {
        self.taken(from, to)
    }

    fn taken(&self, from: Ts, to: Ts) -> i64 {
        self.excluded.map_or(0, |excluded| excluded.seconds(from, to))
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

    /// Whether a part of the slice that ends at `at` was withheld without proof.
    pub fn is_partial(&self, at: Ts) -> bool {
        let at = self.settled(at);
        self.entries().filter_map(|e| e.group).any(|group| group.is_partial(at))
    }

    /// Whether a part of any slice of a window was withheld without proof.
    pub fn any_partial(&self, window: Span, at: Ts) -> bool {
        let at = self.settled(at);
        let from = at.minus(window);
        self.entries().filter_map(|e| e.group).any(|group| group.partial(from, at) > 0)
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

fn sum_by(entries: &[Entry<'_>], events: impl Fn(&Entry<'_>, &Group) -> Events) -> Events {
    let add = |sum: Events, e: &Entry<'_>| match e.group {
        Some(group) if e.weight == WEIGHT_ONE => sum.plus(events(e, group)),
        Some(group) => sum.plus(events(e, group).scaled(e.weight, WEIGHT_ONE)),
        None => sum,
    };
    entries.iter().fold(Events::ZERO, add).clamped()
}

impl Entry<'_> {
    /// The part of `(from, to]` that counts.
    fn within(&self, from: Ts, to: Ts) -> Option<(Ts, Ts)> {
        let (from, to) = (from.max(self.span.0), to.min(self.span.1));
        (from < to).then_some((from, to))
    }
}

/// From when on a group is kept apart by its total, where it was counted among the others before: what
/// bad knows of it from before that belongs to them. On the grid of what is held so far back.
fn apart_since(total: &[Entry<'_>], group: &Labels) -> Option<Ts> {
    let overflowed = total.iter().filter(|e| e.series.overflowed());
    let since = |e: &Entry<'_>| {
        let (first, newest) = (e.series.group(group)?.first()?, e.series.answered().last()?);
        let grid = grid(first, newest);
        Some(first.ceil_to(grid))
    };
    overflowed.filter_map(since).max()
}

/// Groups that bad keeps apart while total counts them among the others, for as long as it does.
fn folded<'a>(bad: &[Entry<'a>], total: &[Entry<'a>]) -> Vec<Entry<'a>> {
    if total.iter().all(|e| e.series.keep().overflow == Overflow::Drop) {
        return Vec::new();
    }
    let until = |group: &Group| {
        let is_apart = total.iter().any(|e| e.series.group(&group.labels).is_some());
        if is_apart { apart_since(total, &group.labels) } else { Some(ALWAYS.1) }
    };
    let of = |e: &Entry<'a>| {
        let (weight, series, own) = (e.weight, e.series, e.group.map(|group| &group.labels));
        let others = series.groups().iter().filter(move |group| own != Some(&group.labels));
        others.map(move |group| Entry { weight, series, group: Some(group), taken: None, span: ALWAYS })
    };
    let folded = bad.iter().flat_map(of).filter_map(|entry| {
        let until = until(entry.group?)?;
        Some(Entry { span: (ALWAYS.0, until), ..entry })
    });
    folded.collect()
}

fn sources<'b>(entries: &'b [Entry<'b>]) -> impl Iterator<Item = Source<'b>> + Clone {
    entries.iter().map(|e| (e.series, e.group, e.weight < 0))
}
