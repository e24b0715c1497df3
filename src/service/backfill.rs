//! Fills the history of new series: the last twelve hours by slices, everything older by five
//! minutes, newest first, slowly, and never before a tick. What is known need not be asked again,
//! so it goes on where it stopped.

use std::sync::Arc;
use std::time::Duration;

use super::clock;
use super::gather::gather;
use super::journal::Journal;
use super::linked::{clusters, settle_doubts};
use super::shared::Shared;
use super::state::BackfillView;
use crate::engine::fact::{Facts, Tier};
use crate::engine::ledger::FINE_REACH;
use crate::engine::plan::{Form, Plan, QueryGroup};
use crate::prometheus::Priority;
use crate::slo::time::{Span, Step, Ts};

/// Points asked in one query.
const POINTS: i64 = 500;
/// How long one backfill query may take.
const LIMIT: Duration = Duration::from_secs(60);
/// Pause when there is nothing to do, or the source does not answer.
const PAUSE: Duration = Duration::from_secs(5);
/// A piece that failed by itself is tried again after this many rounds over the others.
const MOST_FAILURES: u32 = 5;

/// One range of one query group.
#[derive(Clone, PartialEq, Debug)]
struct Piece {
    group: usize,
    tier: Tier,
    from: Ts,
    to: Ts,
}

/// Runs until shutdown.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut journal = Journal::default();
    let mut failures: Vec<(Piece, u32)> = Vec::new();
    let mut last = None;
    loop {
        let pause = match next(&shared, &failures) {
            None => PAUSE,
            // Asked and still not known: the answer holds no number that can be counted.
            Some(piece) if last.as_ref() == Some(&piece) => {
                fail(&mut failures, piece);
                last = None;
                PAUSE
            }
            Some(piece) => {
                let plan = Arc::clone(&shared.world.read().plan);
                // At last it is booked without what follow-up questions were not answered about.
                let whole = failures.iter().all(|(p, times)| *p != piece || *times + 1 < MOST_FAILURES);
                match fill(&shared, &plan, (&piece, whole), &mut journal).await {
                    Ok(()) => {
                        last = Some(piece);
                        Duration::ZERO
                    }
                    Err((of_source, error)) => {
                        shared.backfill.write().waiting = Some(error);
                        if !of_source {
                            fail(&mut failures, piece);
                        }
                        PAUSE
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

async fn fill(
    shared: &Shared,
    plan: &Arc<Plan>,
    (piece, whole): (&Piece, bool),
    journal: &mut Journal,
) -> Result<(), (bool, String)> {
    let facts = tokio::select! {
        facts = ask(shared, plan, piece, whole) => facts?,
        () = shared.shutdown.cancelled() => return Ok(()),
    };
    journal.book(shared, plan, &facts);
    if let Err(error) = journal.write_facts(shared).await {
        tracing::warn!(%error, "backfilled slices were not written; they are kept in memory");
    }
    let mut view = shared.backfill.write();
    view.done_seconds += piece.to.since(piece.from).secs();
    view.waiting = None;
    Ok(())
}

/// Asks a piece, with the groups that only together can be judged.
async fn ask(shared: &Shared, plan: &Plan, piece: &Piece, whole: bool) -> Result<Vec<Facts>, (bool, String)> {
    let clusters = clusters(plan);
    let cluster = clusters.iter().find(|cluster| cluster.contains(&piece.group));
    let mut facts = Vec::new();
    for group in cluster.into_iter().flatten().filter_map(|place| plan.groups.get(*place)) {
        let range = (piece.from, piece.to);
        let gathered = gather(shared, group, piece.tier, range, Priority::Background, LIMIT).await;
        if let Some(failure) = gathered.failure {
            return Err((failure.kind.is_of_source(), failure.message));
        }
        if let Some(failure) = gathered.left_open.filter(|_| whole) {
            return Err((false, failure.message));
        }
        facts.extend(gathered.facts);
    }
    settle_doubts(shared, plan, &mut facts, Priority::Background, LIMIT).await;
    Ok(facts)
}

/// The next piece to ask, page windows first: the newest unknown stretch of any series.
fn next(shared: &Shared, failures: &[(Piece, u32)]) -> Option<Piece> {
    let world = shared.world.read();
    let step = shared.settings.step;
    let now = step.floor(clock::now()).minus(Span::from_secs_saturating(step.secs() * 4));
    let mut view =
        BackfillView { done_seconds: shared.backfill.read().done_seconds, ..BackfillView::default() };
    let mut best: Option<Piece> = None;
    for (place, group) in world.plan.groups.iter().enumerate() {
        let Some((from, to, left)) = unknown(&world, group, now) else { continue };
        view.left_seconds += left;
        view.series_left += group.members.iter().map(|m| m.wanted.len()).sum::<usize>();
        let piece = piece(place, group, from, to, now, step);
        let failed = failures.iter().any(|(p, n)| *p == piece && *n >= MOST_FAILURES);
        if !failed && best.as_ref().is_none_or(|b| piece.to > b.to) {
            best = Some(piece);
        }
    }
    view.waiting.clone_from(&shared.backfill.read().waiting);
    *shared.backfill.write() = view;
    best
}

/// The newest stretch that some series of the group lacks, and how many seconds it lacks in all.
fn unknown(world: &super::state::World, group: &QueryGroup, now: Ts) -> Option<(Ts, Ts, i64)> {
    let wanted = group.members.iter().flat_map(|m| &m.wanted);
    let series = wanted.filter_map(|w| world.ledger.series(w.series));
    let stretches = series.filter_map(|series| {
        let span = series.keep().span;
        let begin = now.minus(span).floor_to(Span::from_hours(1));
        let (from, to) = series.answered().newest_gap(begin, now, Span::from_mins(5))?;
        let left = now.since(begin).secs() - series.answered().overlap(begin, now);
        Some((from, to, left))
    });
    stretches.max_by_key(|(_, to, _)| *to)
}

/// The newest part of a stretch that one query may ask, on one grid.
fn piece(group: usize, form: &QueryGroup, from: Ts, to: Ts, now: Ts, step: Step) -> Piece {
    let five = Span::from_mins(5);
    let coarse_before = now.minus(FINE_REACH).plus(five).floor_to(five);
    let direct = matches!(form.form, Form::Direct { .. });
    if to > coarse_before && !direct {
        let reach = Span::from_secs_saturating(POINTS * step.secs());
        return Piece { group, tier: Tier::Fine, from: from.max(to.minus(reach)).max(coarse_before), to };
    }
    let to = if to.floor_to(five) == to { to } else { to.floor_to(five).plus(five) };
    let spacing = form.spacing(five).secs().max(1);
    let reach = Span::from_secs_saturating((POINTS * spacing).max(300));
    Piece { group, tier: Tier::FiveMinutes, from: from.max(to.minus(reach)).floor_to(five), to }
}

fn fail(failures: &mut Vec<(Piece, u32)>, piece: Piece) {
    if let Some((_, times)) = failures.iter_mut().find(|(p, _)| *p == piece) {
        *times += 1;
    } else if failures.len() < 1000 {
        failures.push((piece, 1));
    }
}
