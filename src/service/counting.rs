//! Questions of a tick that count events: query groups, or parts of them where some member fails.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use super::asking::Asked;
use super::gather::{Gathered, gather};
use super::linked::settle_doubts;
use super::parts::Part;
use super::reach::Reach;
use super::shared::Shared;
use super::waits::Question;
use crate::engine::fact::{SeriesIx, Tier};
use crate::engine::plan::{Form, Plan, QueryGroup};
use crate::prometheus::Priority;
use crate::slo::time::Ts;

/// Queries asked besides to find the member at fault, in one tick and of one part.
const MOST_MORE: usize = 16;

/// What to ask of one source.
pub(super) struct Task {
    /// Query groups, or parts of such.
    pub parts: Vec<Part>,
    /// From where.
    pub reach: Reach,
    /// Up to where.
    pub at: Ts,
    /// When the answers must be there.
    pub end: Instant,
    /// The plan, where only all parts together can tell something.
    pub linked: Option<Arc<Plan>>,
}

/// A part that rests: nothing is known, and nothing is asked.
pub(super) fn at_rest(part: &Part, at: Ts) -> Asked {
    let settles = series_of(&part.group).map(|series| (Question::Series(series), false)).collect();
    Asked { source: part.group.source.clone(), at, settles, ..Asked::default() }
}

/// Asks all parts at once, within the same time. One that its source refuses is asked in halves.
pub(super) async fn ask(shared: &Shared, task: Task) -> Asked {
    let Task { mut parts, reach, at, end, linked } = task;
    let source = parts.first().map(|part| part.group.source.clone()).unwrap_or_default();
    let mut asked = Asked { source, at, wide: reach.wide, ..Asked::default() };
    let mut more = MOST_MORE;
    while !parts.is_empty() {
        let asks = parts.iter().map(|part| ask_part(shared, part, (reach.from, at), end));
        let answers = join_all(asks).await;
        let mut halves = Vec::new();
        for (part, gathered) in parts.into_iter().zip(answers) {
            let refused = gathered.failure.as_ref().is_some_and(|failure| !failure.kind.is_of_source());
            if let Some(two) = part.halves().filter(|_| refused) {
                asked.split.push(part.id);
                if more >= two.len() && !left(end).is_zero() {
                    more -= two.len();
                    halves.extend(two);
                    continue;
                }
            }
            note(&mut asked, part, gathered, (reach.from, at));
        }
        parts = halves;
    }
    if let Some(plan) = linked {
        settle_doubts(shared, &plan, &mut asked.facts, Priority::FollowUp, left(end)).await;
    }
    asked
}

async fn ask_part(shared: &Shared, part: &Part, range: (Ts, Ts), end: Instant) -> Gathered {
    let tier = if matches!(part.group.form, Form::Direct { .. }) { Tier::FiveMinutes } else { Tier::Fine };
    gather(shared, &part.group, tier, range, Priority::Tick, left(end)).await
}

fn note(asked: &mut Asked, part: Part, gathered: Gathered, range: (Ts, Ts)) {
    // Each series for itself: one that is not known blinds no SLO but its own.
    let known = |series| (Question::Series(series), gathered.knows(&part.group, series, range));
    asked.settles.extend(series_of(&part.group).map(known));
    asked.tally.count(series_of(&part.group).count(), gathered.failure.as_ref());
    if let Some(failure) = &gathered.left_open {
        let what = part.group.selector();
        let told =
            || format!("what is new among {what} is left out and asked for again: {}", failure.message);
        asked.left_open.get_or_insert_with(told);
    }
    asked.outcomes.push((part, gathered.failure));
    asked.facts.extend(gathered.facts);
}

/// The series of a query group.
pub(super) fn series_of(group: &QueryGroup) -> impl Iterator<Item = SeriesIx> {
    group.members.iter().flat_map(|member| &member.wanted).map(|wanted| wanted.series)
}

fn left(end: Instant) -> Duration {
    end.saturating_duration_since(Instant::now())
}
