//! Moves levers, after the decision is durable; and tells on the workload.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::fair::fairly;
use super::keep;
use super::news::written;
use super::round::One;
use crate::cluster::{Actuators, Fault, Order, Remark};
use crate::engine::digest::Digest;
use crate::engine::scale::{Decision, Intent, Lever, Verdict};
use crate::engine::step::Delta;
use crate::service::clock;
use crate::service::decide::commit;
use crate::service::shared::Shared;
use crate::slo::policy::{ScaleMode, ScalePolicy};
use crate::slo::time::{Span, Ts};
use crate::store::{Decisions, StoreError};
use crate::telemetry::labels::OutcomeLabels;

/// How long one write may take: admission of a cluster may think for ten seconds.
const WRITE: Duration = Duration::from_secs(15);
/// A raised floor that nobody says anything more about is meant for so long.
const FLOOR_FOR: Span = Span::from_hours(1);
/// How often a raised floor is said to be still meant.
const RENEW_EVERY: Duration = Duration::from_mins(15);
/// How long the renewals of one round may take.
const RENEW: Duration = Duration::from_secs(20);
/// How long the Events of one round may take.
const TELL: Duration = Duration::from_secs(5);

/// What is to be done about one policy.
pub(super) struct Move {
    policy: Arc<ScalePolicy>,
    /// The write that was decided.
    order: Option<(Intent, Order)>,
    /// A floor that is still meant.
    renew: Option<Order>,
    remark: Option<Remark>,
}

impl Move {
    /// What follows from a decision, if anything.
    pub(super) fn of(
        policy: &Arc<ScalePolicy>,
        one: &One,
        is_news: bool,
        renewed: Option<Instant>,
    ) -> Option<Self> {
        let One { looked, state, decision } = one;
        let workload = looked.observed.workload.as_ref()?;
        let is_auto = policy.mode == ScaleMode::Auto;
        let order = |from: u32, to: u32, at: Ts| Order {
            id: Digest::of(&[&policy.name, &at.0.to_string(), &from.to_string(), &to.to_string()]).hex(),
            policy: policy.name.clone(),
            lever: workload.lever.clone(),
            from,
            to,
            until: clock::now().plus(FLOOR_FOR),
        };
        let moves = matches!(decision.verdict, Verdict::Scale { .. }) && is_auto;
        let write =
            state.intent.filter(|_| moves).map(|intent| (intent, order(intent.from, intent.to, intent.at)));
        let is_raised =
            matches!(workload.lever, Lever::Floor { .. }) && state.raised() == Some(workload.position());
        let is_due = renewed.is_none_or(|at| at.elapsed() >= RENEW_EVERY);
        let at = workload.position();
        let renew = (is_raised && is_due && write.is_none() && is_auto).then(|| order(at, at, decision.at));
        let remark = (is_news && is_auto).then(|| remark(decision));
        let all = Self { policy: Arc::clone(policy), order: write, renew, remark };
        (all.order.is_some() || all.renew.is_some() || all.remark.is_some()).then_some(all)
    }
}

/// Makes the writes, and commits what came of them.
pub(super) async fn act(
    shared: &Arc<Shared>,
    actuators: &Arc<Actuators>,
    epoch: i64,
    moves: Vec<Move>,
) -> Result<(), StoreError> {
    let decided = Instant::now();
    let writes = moves.iter().filter_map(|one| Some((one, one.order.as_ref()?)));
    let write = |(one, (intent, order)): (&Move, &(Intent, Order))| {
        let (policy, intent, order) = (Arc::clone(&one.policy), *intent, order.clone());
        async move {
            let outcome = write(shared, actuators, epoch, &policy, &intent, decided, &order).await;
            (policy, intent, outcome)
        }
    };
    let outcomes = fairly(writes.map(|one| (one.0.policy.target.actuator(), write(one)))).await;
    if !outcomes.is_empty() {
        record(shared, epoch, outcomes).await?;
    }
    renew(shared, actuators, &moves).await;
    tell(actuators, &moves).await;
    Ok(())
}

/// A write is void once another leads, or its time has passed.
async fn write(
    shared: &Shared,
    actuators: &Actuators,
    epoch: i64,
    policy: &ScalePolicy,
    intent: &Intent,
    decided: Instant,
    order: &Order,
) -> Result<(), Fault> {
    // By the time since the decision: its own clock is that of the sources, and may be late by design.
    let valid = Duration::from_secs(u64::try_from(intent.until.since(intent.at).secs()).unwrap_or(0));
    let left = valid.saturating_sub(decided.elapsed());
    if shared.epoch() != Some(epoch) || left.is_zero() {
        let why = "the order expired before it was written".to_owned();
        return Err(Fault::Conflict { at: None, why });
    }
    let limit = left.min(WRITE);
    reach!(Send, direction(order));
    let write = actuators.write(&policy.target, order, clock::now());
    let why = || Fault::Unreachable { why: "the workload's API did not answer in time".to_owned() };
    let written = tokio::time::timeout(limit, write).await.unwrap_or_else(|_| Err(why()));
    reach!(Taken, direction(order));
    written
}

/// Where a lever moves, for tests that end the process there.
#[cfg(debug_assertions)]
const fn direction(order: &Order) -> &'static str {
    if order.to > order.from { "a move up" } else { "a move down" }
}

type Outcome = (Arc<ScalePolicy>, Intent, Result<(), Fault>);

/// What came of the writes: made, not made, or not known; then the next look tells.
async fn record(shared: &Shared, epoch: i64, outcomes: Vec<Outcome>) -> Result<(), StoreError> {
    let mut more = Decisions::default();
    let mut states = Vec::new();
    let (mut fleet, stopped) = {
        let scaling = shared.scaling.read();
        (scaling.fleet.clone(), scaling.stopped.clone())
    };
    for (policy, intent, outcome) in outcomes {
        let id = keep::id(&policy);
        let known = shared.scaling.read().policies.get(&id).map(|kept| kept.state.clone());
        let Some(mut state) = known else { continue };
        match &outcome {
            Ok(()) => state.arrived(intent),
            Err(Fault::Unreachable { .. }) => {}
            Err(fault @ Fault::Throttled { after, .. }) => {
                state.was_put_off(clock::now().plus(wish(*after)), fault.to_string());
            }
            Err(fault @ Fault::Refused { .. }) => state.was_refused(fault.to_string()),
            Err(Fault::Conflict { .. }) => state.never_came(),
        }
        if !matches!(&outcome, Ok(()) | Err(Fault::Unreachable { .. })) {
            fleet.forget(&policy.name, intent.at);
        }
        let (from, to) = (intent.from, intent.to);
        let error = outcome.as_ref().err();
        match error {
            None => tracing::info!(policy = policy.name, from, to, "replicas moved"),
            Some(error) => tracing::warn!(policy = policy.name, from, to, %error, "replicas not moved"),
        }
        let outcome = error.map_or("done", Fault::kind);
        shared.metrics.scale_writes.get_or_create(&OutcomeLabels::new(outcome)).inc();
        more.history.push(written(&policy.name, &intent, outcome, error.map(ToString::to_string)));
        let put = keep::policy(&policy, &state, clock::now());
        more.states.extend(put.clone());
        states.push((id, state, put, outcome == "done"));
    }
    more.states.extend(keep::all(&fleet, stopped.as_ref()));
    shared.scaling.write().in_doubt = true;
    during!("recording a move", commit(shared, epoch, &Delta::default(), more)).await?;
    let mut scaling = shared.scaling.write();
    (scaling.fleet, scaling.in_doubt) = (fleet, false);
    for (id, state, stored, is_done) in states {
        if let Some(kept) = scaling.policies.get_mut(&id) {
            (kept.state, kept.stored) = (state, stored);
            kept.renewed = if is_done { Some(Instant::now()) } else { kept.renewed };
        }
    }
    Ok(())
}

/// How long an API asks to be left alone; what asks for more than an hour is asked again.
fn wish(after: Option<Duration>) -> Span {
    let secs = after.unwrap_or_default().as_secs();
    Span::from_secs_saturating(i64::try_from(secs).unwrap_or(i64::MAX)).min(Span::from_hours(1))
}

/// Says of raised floors that they are still meant.
async fn renew(shared: &Shared, actuators: &Actuators, moves: &[Move]) {
    let due = moves.iter().filter_map(|one| Some((&one.policy, one.renew.as_ref()?)));
    let one = async |policy: &ScalePolicy, order: &Order| {
        reach!(Send, "a floor that is still meant");
        let write = actuators.write(&policy.target, order, clock::now());
        match tokio::time::timeout(WRITE, write).await {
            Ok(Ok(())) => {
                reach!(Taken, "a floor that is still meant");
                if let Some(kept) = shared.scaling.write().policies.get_mut(&keep::id(policy)) {
                    kept.renewed = Some(Instant::now());
                }
            }
            Ok(Err(error)) => {
                tracing::warn!(policy = policy.name, %error, "a raised floor was not renewed");
            }
            Err(_) => tracing::warn!(policy = policy.name, "a raised floor was not renewed in time"),
        }
    };
    let all = fairly(due.map(|(policy, order)| (policy.target.actuator(), one(policy, order))));
    if tokio::time::timeout(RENEW, all).await.is_err() {
        tracing::warn!("not all raised floors were renewed in time; the next round goes on");
    }
}

/// Events on workloads: one that is lost is lost.
async fn tell(actuators: &Actuators, moves: &[Move]) {
    let remarks = moves.iter().filter_map(|one| Some((&one.policy, one.remark.as_ref()?)));
    let one = async |policy: &ScalePolicy, remark: &Remark| {
        if let Err(error) = actuators.tell(&policy.target, remark).await {
            tracing::debug!(policy = policy.name, %error, "no Event on the workload");
        }
    };
    let all = fairly(remarks.map(|(policy, remark)| (policy.target.actuator(), one(policy, remark))));
    if tokio::time::timeout(TELL, all).await.is_err() {
        tracing::debug!("not all Events on workloads were taken in time");
    }
}

fn remark(decision: &Decision) -> Remark {
    let (reason, action) = match decision.verdict {
        Verdict::Scale { from, to } if to > from => ("SLOScaledUp", "Scale"),
        Verdict::Scale { .. } => ("SLOScaledDown", "Scale"),
        Verdict::Hold => (decision.reason.event(), "Hold"),
    };
    let note = match decision.verdict {
        Verdict::Scale { .. } => decision.reason.say(),
        Verdict::Hold => format!("{} To change it: {}.", decision.reason.say(), decision.reason.changes()),
    };
    Remark {
        reason: reason.to_owned(),
        action: action.to_owned(),
        note,
        is_warning: decision.reason.is_warning(),
        at: decision.at,
    }
}
