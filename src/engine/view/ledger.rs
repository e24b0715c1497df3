//! What of one SLO is booked, what of that was taken out by hand, and what is left to count.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Look;
use super::series::{fitting, unit_at};
use crate::engine::burn::Budget;
use crate::engine::ledger::Exclusion;
use crate::engine::plan::Planned;
use crate::engine::step::{budget_of, groups, objective_of};
use crate::engine::window::Book;
use crate::slo::model::Labels;
use crate::slo::time::{Span, Ts};
use crate::slo::unit::Events;

/// Groups that are listed at most.
const MOST_GROUPS: usize = 50;

/// One SLO's part of the ledger.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LedgerView {
    /// `service/name`.
    pub slo: String,
    /// Until when it was judged, in seconds since the epoch.
    pub at: i64,
    /// What is taken out, oldest first.
    pub exclusions: Vec<ExclusionView>,
    /// Its groups over the budget's period; one without labels where it is not grouped.
    pub groups: Vec<LedgerGroup>,
    /// Groups left out of the list, which are too many.
    pub groups_folded: usize,
    /// Slot by slot, where a range was asked for.
    pub slots: Vec<SlotView>,
}

/// Time that does not count.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExclusionView {
    /// Its number: `damper ledger include` takes it back.
    pub id: i64,
    /// Where it begins, in seconds since the epoch.
    pub from: i64,
    /// Where it ends.
    pub to: i64,
    /// Why.
    pub reason: String,
    /// Who said so.
    pub by: String,
    /// When.
    pub at: i64,
    /// What it holds, of all groups.
    pub events: EventsView,
}

/// Bad and all events.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct EventsView {
    /// Bad ones.
    pub bad: f64,
    /// All.
    pub total: f64,
}

/// One group over the period.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LedgerGroup {
    /// The group's label values.
    pub labels: Labels,
    /// Where all of this begins, in seconds since the epoch: with the period, or with the first data in it.
    /// Null while nothing is known.
    pub from: Option<i64>,
    /// All that was booked.
    pub raw: EventsView,
    /// What of it was taken out.
    pub excluded: EventsView,
    /// What counts.
    pub counted: EventsView,
    /// Seconds taken out.
    pub excluded_seconds: i64,
    /// Known share of the time that counts; null while nothing is known.
    pub coverage: Option<f64>,
    /// Budget left; null while nothing is known, or nothing counts.
    pub budget_remaining: Option<f64>,
    /// What were left if nothing was taken out.
    pub budget_remaining_raw: Option<f64>,
}

/// One slot as it is booked.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SlotView {
    /// Where it begins, in seconds since the epoch.
    pub from: i64,
    /// Where it ends.
    pub to: i64,
    /// Bad events as booked; null where nothing is known.
    pub bad: Option<f64>,
    /// All events as booked.
    pub total: Option<f64>,
    /// Known share of it, 0 to 1.
    pub coverage: f64,
    /// Seconds of it that are taken out.
    pub excluded: i64,
}

/// An SLO's part of the ledger, without slots; of its groups all, or one. `None` when a series of it is
/// not of this ledger.
pub fn ledger_view(planned: &Planned, only: Option<&Labels>, look: &Look<'_>) -> Option<LedgerView> {
    let all = groups(planned, look.ledger);
    let books: Vec<(&Labels, Book<'_>)> = all
        .iter()
        .map(|group| Some((*group, Book::of(look.ledger, planned, group)?)))
        .collect::<Option<_>>()?;
    let list = look.ledger.excluded(&planned.id).map_or(&[][..], |excluded| excluded.list());
    let wanted: Vec<_> =
        books.into_iter().filter(|(labels, _)| only.is_none_or(|only| only == *labels)).collect();
    let shown = wanted.iter().take(MOST_GROUPS);
    Some(LedgerView {
        slo: planned.id.clone(),
        at: look.at.0,
        exclusions: list.iter().map(|exclusion| exclusion_view(exclusion, &wanted)).collect(),
        groups: shown.map(|(labels, book)| group(planned, labels, book, look)).collect::<Option<_>>()?,
        groups_folded: wanted.len().saturating_sub(MOST_GROUPS),
        slots: Vec::new(),
    })
}

fn exclusion_view(exclusion: &Exclusion, books: &[(&Labels, Book<'_>)]) -> ExclusionView {
    let taken = books.iter().map(|(_, book)| book.taken_out(exclusion.from, exclusion.to));
    let add = |(a, b): (Events, Events), (c, d): (Events, Events)| (a.plus(c), b.plus(d));
    ExclusionView {
        id: exclusion.id,
        from: exclusion.from.0,
        to: exclusion.to.0,
        reason: exclusion.reason.clone(),
        by: exclusion.by.clone(),
        at: exclusion.at.0,
        events: events(taken.fold((Events::ZERO, Events::ZERO), add)),
    }
}

fn group(planned: &Planned, labels: &Labels, book: &Book<'_>, look: &Look<'_>) -> Option<LedgerGroup> {
    let raw_book = Book::open(look.ledger, &planned.bad, &planned.total, labels)?;
    let objective = objective_of(&planned.slo, labels);
    let raw = budget_of(planned, &raw_book, objective, look.at);
    let net = budget_of(planned, book, objective, look.at);
    let of =
        |budget: &Option<Budget>| budget.map(|b| events((b.counts.bad, b.counts.total))).unwrap_or_default();
    let span = raw.map(|raw| (raw.counts.from, raw.counts.to));
    let taken = span.map(|(from, to)| events(book.taken_out(from, to))).unwrap_or_default();
    Some(LedgerGroup {
        labels: labels.clone(),
        from: span.map(|(from, _)| raw_book.begun().map_or(from, |begun| from.max(begun)).0),
        raw: of(&raw),
        excluded: taken,
        counted: of(&net),
        excluded_seconds: span.map_or(0, |(from, to)| book.seconds_taken_out(from, to)),
        coverage: net.map(|net| net.coverage),
        budget_remaining: net.map(|net| net.remaining),
        budget_remaining_raw: raw.map(|raw| raw.remaining),
    })
}

fn events((bad, total): (Events, Events)) -> EventsView {
    EventsView { bad: bad.as_f64(), total: total.as_f64() }
}

/// The slots of one group between two moments, as fine as they are kept and 1,000 at most.
pub fn slots(
    planned: &Planned,
    labels: &Labels,
    (from, to): (Ts, Ts),
    look: &Look<'_>,
) -> Option<Vec<SlotView>> {
    let book = Book::of(look.ledger, planned, labels)?;
    let raw = Book::open(look.ledger, &planned.bad, &planned.total, labels)?;
    let keep = look.ledger.series(planned.total.first()?.1)?.keep();
    let oldest = look.at.minus(keep.span);
    let to = to.clamp(oldest, look.at);
    let from = from.clamp(oldest, to);
    let unit = unit_at(from, look.at, keep.key.grid());
    let step = fitting(Span::ZERO, unit, to.since(from));
    let (first, last) = (from.floor_to(step), to.floor_to(step));
    let count = last.since(first).secs() / step.secs().max(1);
    let slot = |n: i64| {
        let end = Ts(first.0 + n * step.secs());
        let begin = end.minus(step);
        let counts = raw.between(begin, end);
        let known = |events: Events| (counts.covered > 0).then(|| events.as_f64());
        SlotView {
            from: begin.0,
            to: end.0,
            bad: known(counts.bad),
            total: known(counts.total),
            coverage: counts.coverage(),
            excluded: book.seconds_taken_out(begin, end),
        }
    };
    Some((1..=count.min(super::MOST_POINTS)).map(slot).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ledger::Wanted;
    use crate::engine::ledger::exclusion;
    use crate::engine::view::testing::{Example, S, START};

    #[test]
    fn raw_taken_out_and_counted_events_add_up() {
        let mut example = Example::well(200);
        for _ in 0..20 {
            example.tick(100, 50);
        }
        let planned = example.slos[0].clone();
        let at = Ts(example.now);
        let wanted = Wanted { from: Ts(at.0 - 20 * S), to: at, reason: "load test".into(), by: "ann".into() };
        let made =
            exclusion(5, &wanted, &[], (Span::from_days(28), Span::from_secs_saturating(S)), at).unwrap();
        let series: Vec<_> = planned.bad.iter().chain(&planned.total).map(|(_, ix)| *ix).collect();
        example.ledger.exclude(&planned.id, vec![made], &series);
        let view = ledger_view(&planned, None, &example.look()).unwrap();
        let group = &view.groups[0];
        assert_eq!(group.raw, EventsView { bad: 1000.0, total: 22_000.0 });
        assert_eq!(view.exclusions[0].events, group.excluded);
        let out = group.excluded.total;
        assert_eq!(group.excluded, EventsView { bad: 1000.0, total: out }, "outward to five minutes");
        assert_eq!(group.counted, EventsView { bad: 0.0, total: group.raw.total - out });
        assert!(group.budget_remaining == Some(1.0) && group.budget_remaining_raw < Some(0.0), "{group:?}");
        assert_eq!((group.from, group.coverage), (Some(START), Some(1.0)), "not of days before its first");

        let slots = slots(&planned, &Labels::new(), (Ts(at.0 - 40 * S), at), &example.look()).unwrap();
        assert_eq!((slots.len(), slots[39].bad, slots[39].excluded), (40, Some(50.0), S));
        assert_eq!((slots[0].bad, slots[0].excluded), (Some(0.0), 0));
    }
}
