//! Questions that are asked whole or not at all: whether targets are up, and direct windows.

use tokio::time::Instant;

use super::asking::Asked;
use super::blind::failure;
use super::clock::left;
use super::linked::ask as ask_source;
use super::parts::PartId;
use super::shared::Shared;
use super::waits::Question;
use crate::engine::plan::{AliveGroup, Direct, DirectIx, Plan, Planned, QueryGroup, Read};
use crate::engine::sample::{Answer, Failure};
use crate::engine::step::DirectSeen;
use crate::prometheus::Priority;
use crate::slo::listed::listed;
use crate::slo::time::{Span, Ts};

/// One of them as it was asked.
pub(super) struct Single {
    pub id: PartId,
    /// How often it is asked while it is answered.
    pub every: Span,
    /// Whom it is for, in words.
    pub what: String,
    /// Why it has no answer.
    pub failure: Option<Failure>,
}

/// What a plan asks in this way.
pub(super) fn ids(plan: &Plan) -> impl Iterator<Item = PartId> {
    plan.alive_groups.iter().map(alive_id).chain(plan.direct.iter().map(direct_id))
}

pub(super) fn alive_id(group: &AliveGroup) -> PartId {
    PartId::of(&["targets", &group.source, &group.query(Ts(0)).promql], 1)
}

pub(super) fn direct_id(direct: &Direct) -> PartId {
    let how = format!("{} every {} by {:?}", direct.window, direct.every, direct.by);
    PartId::of(&["direct", &direct.source, &direct.template, &how], 1)
}

/// Asks whether targets are up.
pub(super) async fn ask_alive(shared: &Shared, plan: &Plan, place: usize, at: Ts, end: Instant) -> Asked {
    let Some(group) = plan.alive_groups.get(place) else { return Asked::default() };
    let answer = ask_source(shared, group.query(at), Priority::Tick, left(end)).await;
    let mut asked = outcome(&group.source, at, Question::Alive(place), &answer);
    asked.tally.hear(failure(&answer));
    for (ix, reading) in group.read(&answer) {
        match reading {
            Some(reading) => asked.alive.push((ix, reading)),
            None => asked.alive_unknown.push(ix),
        }
    }
    let slos = || named(plan.readers_of(group.members().iter().map(|ix| Read::Alive(*ix))));
    let what = || format!("whether targets are up, without which no alert resolves, of {}", slos());
    asked.single = Some(single(alive_id(group), shared.settings.step.span(), what, &answer));
    asked
}

/// Asks a direct window.
pub(super) async fn ask_direct(shared: &Shared, plan: &Plan, place: usize, at: Ts, end: Instant) -> Asked {
    let Some(direct) = plan.direct.get(place) else { return Asked::default() };
    let answer = ask_source(shared, direct.query(at), Priority::Tick, left(end)).await;
    let mut asked = outcome(&direct.source, at, Question::Direct(place), &answer);
    asked.tally.count(1, failure(&answer));
    let ix = DirectIx(u32::try_from(place).unwrap_or(u32::MAX));
    if matches!(answer, Answer::Frames { .. }) {
        let twice = Span::from_secs_saturating(direct.every.secs() * 2);
        asked
            .direct
            .push((ix, DirectSeen { at, fresh_until: at.plus(twice), reading: direct.read(&answer) }));
    }
    let slos = || named(plan.readers_of([Read::Direct(ix)]));
    let what = || format!("the ratio over {} of {}", direct.window, slos());
    asked.single = Some(single(direct_id(direct), direct.every, what, &answer));
    asked
}

/// One that is not asked now: what is known of it stays.
pub(super) fn not_now(source: &str, question: Question, at: Ts) -> Asked {
    Asked { source: source.to_owned(), at, settles: vec![(question, true)], ..Asked::default() }
}

/// The SLOs that a query group is for.
pub(super) fn slos_of(plan: &Plan, group: &QueryGroup) -> String {
    named(plan.readers_of(group.series().map(Read::Series)))
}

/// `shop/availability`, or `shop/availability and 2 more`.
fn named<'a>(slos: impl Iterator<Item = &'a Planned>) -> String {
    let ids: Vec<&str> = slos.map(|planned| planned.id.as_str()).collect();
    if ids.is_empty() { "no SLO".to_owned() } else { listed(&ids, 1) }
}

fn single(id: PartId, every: Span, what: impl FnOnce() -> String, answer: &Answer) -> Single {
    let failure = failure(answer).cloned();
    let what = if failure.is_some() { what() } else { String::new() };
    Single { id, every, what, failure }
}

fn outcome(source: &str, at: Ts, question: Question, answer: &Answer) -> Asked {
    let settles = vec![(question, matches!(answer, Answer::Frames { .. }))];
    Asked { source: source.to_owned(), at, settles, ..Asked::default() }
}
