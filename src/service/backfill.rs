//! Fills what is not known: the history of new series, and every gap that an outage, a restart or a
//! failed query left. Each source has its own loop, so that a dead one stops no other; of one source
//! one piece at a time is asked, which takes no place from a tick's queries, with a rest after it of
//! as long as it took, up to `PAUSE`. What is known need not be asked again, so it goes on where it
//! stopped.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use super::asking::moment;
use super::doubts::settle_doubts;
use super::gather::gather;
use super::journal::Journal;
use super::reach::settling;
use super::shared::Shared;
use super::state::{BackfillView, Guarded, World};
use super::units::{Job, Lacking, Units};
use crate::engine::fact::{Facts, Tier};
use crate::engine::plan::Plan;
use crate::engine::sample::{Failure, FailureKind};
use crate::prometheus::Priority;
use crate::slo::time::{Span, Ts};

/// How long one query may take.
const LIMIT: Duration = Duration::from_secs(60);
/// Pause when there is nothing to do, or the source does not answer; the longest rest after a piece.
const PAUSE: Duration = Duration::from_secs(5);

/// Runs until shutdown.
pub(super) async fn run(shared: Arc<Shared>) {
    let views = Views::default();
    join_all(shared.sources.keys().map(|source| of_source(&shared, source, &views))).await;
}

async fn of_source(shared: &Shared, source: &str, views: &Views) {
    let mut journal = Journal::default();
    let mut units = Units::of(&Arc::default(), source);
    let mut given_up = false;
    loop {
        let plan = Arc::clone(&shared.world.read().plan);
        if !Arc::ptr_eq(&units.plan, &plan) {
            units = Units::of(&plan, source);
            given_up = false;
        }
        let began = Instant::now();
        let (job, lacking) = {
            let world = shared.world.read();
            units.next(&world.ledger, newest(shared, source, &world), began)
        };
        views.lacking(shared, source, lacking);
        let pause = match job {
            None => PAUSE,
            Some(job) => {
                let asked = tokio::select! {
                    asked = ask(shared, &plan, &job) => asked,
                    () = shared.shutdown.cancelled() => return,
                };
                match asked {
                    Ok(facts) => {
                        book(shared, &plan, &mut journal, &facts).await;
                        let lost = units.answered(&job, &shared.world.read().ledger, Instant::now());
                        if lost > 0 && !std::mem::replace(&mut given_up, true) {
                            tracing::warn!(
                                source,
                                seconds = lost,
                                "history that is never told is given up; more of it is not logged"
                            );
                        }
                        views.done(shared, source, job.piece.to.since(job.piece.from));
                        began.elapsed().min(PAUSE)
                    }
                    Err(failure) => {
                        let pause = fail(&mut units, &job, &failure);
                        views.waits(shared, source, failure.message);
                        pause
                    }
                }
            }
        };
        tokio::select! {
            () = shared.shutdown.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// The end of the newest slot that is history: what comes after it is asked by the next tick.
pub(super) fn newest(shared: &Shared, source: &str, world: &World) -> Ts {
    let step = shared.settings.step;
    let now = step.floor(world.now());
    let at =
        shared.sources.get(source).map_or(now, |source| moment(now, step, source.delay(), source.ahead()));
    at.minus(settling(step))
}

/// What a failure means for the queries of a source, and how long to wait before the next one.
fn fail(units: &mut Units, job: &Job, failure: &Failure) -> Duration {
    let now = Instant::now();
    match failure.kind {
        FailureKind::Unreachable | FailureKind::BreakerOpen | FailureKind::Clock => {
            units.passed(job, now);
            PAUSE
        }
        FailureKind::QueryError | FailureKind::TooLarge => {
            tracing::warn!(error = failure.message, "a query for history is at fault and waits");
            units.failed(job, now, true);
            Duration::ZERO
        }
        _ => {
            units.failed(job, now, false);
            PAUSE
        }
    }
}

/// Asks a piece of all that is judged together.
pub(super) async fn ask(shared: &Shared, plan: &Plan, job: &Job) -> Result<Vec<Facts>, Failure> {
    let piece = job.piece;
    let from = piece.from.minus(before(shared, job));
    let mut facts = Vec::new();
    for part in &job.parts {
        let gathered = gather(shared, part, piece.tier, (from, piece.to), Priority::Background, LIMIT).await;
        if let Some(failure) = gathered.failure {
            return Err(failure);
        }
        not_whole(job, gathered.left_open)?;
        facts.extend(gathered.facts);
    }
    not_whole(job, settle_doubts(shared, plan, &mut facts, Priority::Background, LIMIT).await)?;
    if from < piece.from {
        facts.iter_mut().for_each(|facts| facts.slots.retain(|slot| slot.end != piece.from));
    }
    Ok(facts)
}

/// A piece is asked again where a question that followed has no answer; at last it is booked without
/// what that was about.
fn not_whole(job: &Job, left_open: Option<Failure>) -> Result<(), Failure> {
    let Some(failure) = left_open.filter(|_| job.whole) else { return Ok(()) };
    let message = format!("a question that followed has no answer: {}", failure.message);
    Err(Failure { kind: FailureKind::Partial, message })
}

/// Of a series of which nothing older is known, the slot before the piece is asked too, and left
/// out: in the very first slot births cannot be told from older lives, and would be withheld.
fn before(shared: &Shared, job: &Job) -> Span {
    let world = shared.world.read();
    let mut series = job.parts.iter().flat_map(|part| part.series());
    let begun = |first: Option<Ts>| first.is_some_and(|first| first < job.piece.from);
    let all_begun = series.all(|ix| world.ledger.series(ix).is_none_or(|series| begun(series.first_known())));
    match job.piece.tier {
        _ if all_begun => Span::ZERO,
        Tier::Fine => shared.settings.step.span(),
        Tier::FiveMinutes => Span::from_mins(5),
    }
}

/// Books history, and writes it.
pub(super) async fn book(shared: &Shared, plan: &Arc<Plan>, journal: &mut Journal, facts: &[Facts]) {
    reach!(Asked, "history");
    journal.book_history(shared, plan, facts);
    reach!(Booked, "history");
    // The store takes nothing, which ticks tell: what is learned and decided stays in memory until it is back.
    if shared.degraded.is_on() {
        return;
    }
    if let Err(error) = during!("writing history", journal.write_facts(shared)).await {
        tracing::warn!(%error, "backfilled slices were not written; they are kept in memory");
    }
}

/// How each source's history goes; people see the sum.
#[derive(Default)]
struct Views(Guarded<BTreeMap<String, BackfillView>>);

impl Views {
    fn lacking(&self, shared: &Shared, source: &str, lacking: Lacking) {
        self.change(shared, source, |view| {
            (view.series_left, view.left_seconds) = (lacking.series, lacking.seconds);
            if lacking.seconds == 0 {
                view.waiting = None;
            }
        });
    }

    fn done(&self, shared: &Shared, source: &str, span: Span) {
        self.change(shared, source, |view| {
            view.done_seconds += span.secs();
            view.waiting = None;
        });
    }

    fn waits(&self, shared: &Shared, source: &str, error: String) {
        self.change(shared, source, |view| view.waiting = Some(error));
    }

    fn change(&self, shared: &Shared, source: &str, change: impl FnOnce(&mut BackfillView)) {
        let mut views = self.0.write();
        change(views.entry(source.to_owned()).or_default());
        let mut all = BackfillView::default();
        for view in views.values() {
            all.series_left += view.series_left;
            all.done_seconds += view.done_seconds;
            all.left_seconds += view.left_seconds;
            all.waiting = all.waiting.or_else(|| view.waiting.clone());
        }
        *shared.backfill.write() = all;
    }
}
