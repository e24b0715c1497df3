//! Carries the questions of one query group to its source and the answers back, until the facts are there.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use super::clock::left;
use super::shared::Shared;
use crate::engine::collect::{Ask, Collect, LookUp};
use crate::engine::fact::{Facts, SeriesIx, SlotState, Tier};
use crate::engine::plan::{Form, QueryGroup};
use crate::engine::sample::{Answer, Failure};
use crate::prometheus::Priority;
use crate::slo::time::{Span, Ts};

/// What became of one query group.
pub(super) struct Gathered {
    /// What is known now.
    pub facts: Vec<Facts>,
    /// Why the main question has no answer, if it has none.
    pub failure: Option<Failure>,
    /// Why a question that followed from its answer has none: what it was about is left out.
    pub left_open: Option<Failure>,
    /// Slots known without that, by series.
    pub open: Vec<(SeriesIx, Ts)>,
}

/// Whether everything asked after `from` is known up to `at` for a series of the group.
pub(super) fn knows(group: &QueryGroup, facts: &Facts, (from, at): (Ts, Ts)) -> bool {
    let grid = match &group.form {
        Form::Timeslice { slice, .. } => (*slice).max(group.step.span()),
        Form::Direct { .. } => Span::from_mins(5),
        _ => group.step.span(),
    };
    let newest = at.floor_to(grid);
    // Between two ends nothing new can be known.
    let is_old = newest <= from;
    is_old || facts.slots.last().is_some_and(|slot| slot.end >= newest && slot.state != SlotState::Unknown)
}

/// Fills the slots after `from` up to `to`; ends within `limit`, with what is known by then. History fills
/// gaps alone.
pub(super) async fn gather(
    shared: &Shared,
    group: &Arc<QueryGroup>,
    tier: Tier,
    (from, to): (Ts, Ts),
    priority: Priority,
    limit: Duration,
) -> Gathered {
    let end = Instant::now() + limit;
    let (mut collect, mut asks) = match priority {
        Priority::Background => Collect::fill(group, tier, from, to),
        Priority::Tick | Priority::FollowUp => Collect::begin(group, tier, from, to),
    };
    let (mut failure, mut left_open) = (None, None);
    let (mut first, mut priority) = (true, priority);
    while !asks.is_empty() {
        let answers = join_all(asks.iter().map(|ask| answer(shared, ask, priority, end, limit))).await;
        let mut next = Vec::new();
        for (ask, answer) in asks.iter().zip(answers) {
            if let Answer::Failed(failed) = &answer {
                let unanswered = if first { &mut failure } else { &mut left_open };
                unanswered.get_or_insert_with(|| failed.clone());
            }
            let world = shared.world.read();
            let past = |series: SeriesIx, labels: &_, at: Ts| world.ledger.past(series, labels, tier, at);
            let past: LookUp<'_> = &past;
            next.extend(collect.answer(ask.id, answer, past));
        }
        first = false;
        priority = priority.of_follow_up();
        asks = next;
    }
    let open = collect.open();
    Gathered { facts: collect.finish(), failure, left_open, open }
}

async fn answer(shared: &Shared, ask: &Ask, priority: Priority, end: Instant, limit: Duration) -> Answer {
    let left = match priority {
        Priority::Tick | Priority::FollowUp => left(end),
        Priority::Background => limit,
    };
    super::linked::ask(shared, ask.query.clone(), priority, left).await
}
