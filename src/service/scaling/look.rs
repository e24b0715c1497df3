//! What a decision reads: burn from the ledger, answers of sources, workloads from their APIs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::fair::fairly;
use super::fits::unfit;
use super::state::{Seen, SeenBurn, SeenWorkload};
use crate::cluster::Actuators;
use crate::engine::plan::{Plan, Planned};
use crate::engine::sample::{Answer, Query, Reading};
use crate::engine::scale::{Burn, Observed, Workload};
use crate::prometheus::Priority;
use crate::service::asking::moment;
use crate::service::clock::{self, left};
use crate::service::linked::ask;
use crate::service::shared::Shared;
use crate::service::state::World;
use crate::slo::policy::{ScalePolicy, Target, Watched};
use crate::slo::time::{Span, Ts};
use crate::slo::unit::Finite;

/// All of it takes no longer.
const LONGEST: Duration = Duration::from_secs(10);
/// What a look at one workload may take of it: others of the same API come after it.
const LOOK: Duration = Duration::from_secs(5);
/// An SLO whose newest judgement is older than this says nothing about now.
const JUDGED_WITHIN: Span = Span::from_mins(2);

/// What was observed of one policy, and the same for people.
pub(super) struct Looked {
    pub observed: Observed,
    pub seen: Seen,
}

/// A query of a policy and the source that is asked.
type Asked = (String, String);

/// Looks at everything that the policies of a plan need, in their order; `None` where another plan came
/// into force meanwhile: what is known then lies at other places than this one says.
pub(super) async fn look(
    shared: &Shared,
    actuators: &Actuators,
    plan: &Arc<Plan>,
    at: Ts,
) -> Option<Vec<Looked>> {
    let end = Instant::now() + LONGEST.min(half(shared.settings.step.span()));
    let slos: BTreeMap<&str, &Planned> = plan.slos.iter().map(|slo| (slo.id.as_str(), slo)).collect();
    let (answers, workloads) =
        tokio::join!(answers(shared, plan, &slos, at, end), workloads(actuators, plan, end));
    let world = shared.world.read();
    if !Arc::ptr_eq(&world.plan, plan) {
        return None;
    }
    let of = |policy: &Arc<ScalePolicy>, misfit: Option<String>, workload: Result<Workload, String>| {
        let burns: Vec<Burn> =
            policy.slos.iter().map(|watched| burn(watched, policy, &slos, &world, shared, at)).collect();
        let source = source_of(policy, &slos);
        let answer = |query: &String| answers.get(&(source.clone(), query.clone()));
        let mut missing = Vec::new();
        let mut value = |query: &String| match answer(query) {
            Some(Ok(value)) => Some(*value),
            Some(Err(why)) => {
                missing.push(format!("`{query}`: {why}"));
                None
            }
            None => None,
        };
        let saturation = policy.saturation.as_ref().and_then(|saturation| value(&saturation.query));
        let vetoes = policy.unless.iter().map(|veto| value(&veto.query)).collect();
        let workload = workload.map_err(|why| missing.push(why)).ok();
        let observed = Observed { burns, workload, saturation, vetoes, misfit, ..Observed::default() };
        Looked { seen: seen(&observed, at, missing), observed }
    };
    let all = plan.policies.iter().zip(unfit(plan)).zip(workloads);
    Some(all.map(|((policy, misfit), workload)| of(policy, misfit, workload)).collect())
}

fn half(step: Span) -> Duration {
    Duration::from_secs(u64::try_from(step.secs()).unwrap_or(0)) / 2
}

/// An SLO that is not in force, or whose newest judgement is old, says nothing about now.
fn burn(
    watched: &Watched,
    policy: &ScalePolicy,
    slos: &BTreeMap<&str, &Planned>,
    world: &World,
    shared: &Shared,
    at: Ts,
) -> Burn {
    let id = watched.slo.to_string();
    let planned = slos.get(id.as_str());
    let newest = planned.map_or(at, |planned| newest(shared, &planned.source, at));
    let judged = world.judged.get(&id).copied().filter(|judged| newest.since(*judged) <= JUDGED_WITHIN);
    let (Some(planned), Some(judged)) = (planned, judged) else {
        let why = "it was not judged lately".to_owned();
        return Burn { slo: id, known: None, why, pages: false };
    };
    let World { ledger, control, observed, .. } = world;
    let mut burn = Burn::read(watched, policy.windows, planned, ledger, control, observed, judged);
    if let Some(unanswered) = observed.unanswered.get(&id) {
        (burn.known, burn.why) = (None, format!("its query was not answered: {}", unanswered.why));
    }
    burn
}

/// The end of the newest slice that a source can know: one that is late by design misses nothing.
fn newest(shared: &Shared, source: &str, at: Ts) -> Ts {
    let source = shared.sources.get(source);
    source.map_or(at, |source| moment(at, shared.settings.step, source.delay(), source.ahead()))
}

/// The source of the policy's first SLO: it knows the workload's numbers too.
fn source_of(policy: &ScalePolicy, slos: &BTreeMap<&str, &Planned>) -> String {
    let planned = policy.slos.iter().find_map(|watched| slos.get(watched.slo.to_string().as_str()));
    planned.map(|planned| planned.source.clone()).unwrap_or_default()
}

async fn answers(
    shared: &Shared,
    plan: &Plan,
    slos: &BTreeMap<&str, &Planned>,
    at: Ts,
    end: Instant,
) -> BTreeMap<Asked, Result<Finite, String>> {
    let queries = plan.policies.iter().flat_map(|policy| {
        let source = source_of(policy, slos);
        let saturation = policy.saturation.iter().map(|saturation| &saturation.query);
        let vetoes = policy.unless.iter().map(|veto| &veto.query);
        saturation.chain(vetoes).map(move |query| (source.clone(), query.clone()))
    });
    let queries: BTreeSet<Asked> = queries.collect();
    let one = |(source, promql): Asked| {
        let now = newest(shared, &source, at);
        let every = Span::from_secs(1);
        let query = Query { source: source.clone(), promql: promql.clone(), start: now, end: now, every };
        let of = source.clone();
        // Its SLOs are not known either, so that its policies hold; the others do not wait for it.
        let is_blind = shared.world.read().observed.is_blind(&source);
        let answer = async move {
            if is_blind {
                return ((source, promql), Err("its source does not answer".to_owned()));
            }
            let answer = ask(shared, query, Priority::Tick, left(end)).await;
            ((source, promql), number(&answer))
        };
        (of, answer)
    };
    fairly(queries.into_iter().map(one)).await.into_iter().collect()
}

/// The one number of an answer.
fn number(answer: &Answer) -> Result<Finite, String> {
    let frames = match answer {
        Answer::Failed(failure) => return Err(failure.message.clone()),
        Answer::Frames { frames, .. } => frames,
    };
    match &**frames {
        [] => Err("has no value".to_owned()),
        [frame] => match frame.points.last() {
            Some((_, Reading::Value(value))) => Ok(*value),
            _ => Err("has no number".to_owned()),
        },
        several => Err(format!("gives {} series and must give one; write max(…) around it", several.len())),
    }
}

async fn workloads(actuators: &Actuators, plan: &Plan, end: Instant) -> Vec<Result<Workload, String>> {
    let one = |target: Target| async move {
        let look = actuators.look(&target, clock::now());
        match tokio::time::timeout_at(end.min(Instant::now() + LOOK), look).await {
            Ok(Ok(workload)) => Ok(workload),
            Ok(Err(fault)) => Err(fault.to_string()),
            Err(_) => Err("the workload's API did not answer in time".to_owned()),
        }
    };
    let targets = plan.policies.iter().map(|policy| &policy.target);
    fairly(targets.map(|target| (target.actuator(), one(target.clone())))).await
}

fn seen(observed: &Observed, at: Ts, missing: Vec<String>) -> Seen {
    let burn = |burn: &Burn| {
        let rates = burn.known.as_ref().map(crate::engine::scale::Burning::rates);
        SeenBurn {
            slo: burn.slo.clone(),
            short: rates.map(|rates| rates.0),
            long: rates.map(|rates| rates.1),
            bad: burn.known.as_ref().map(|known| known.bad().as_f64()),
            budget_left: burn.known.as_ref().and_then(|known| known.budget_left).map(Finite::get),
            pages: burn.pages,
        }
    };
    let workload = |workload: &Workload| SeenWorkload {
        wanted: workload.wanted,
        ready: workload.ready,
        position: workload.position(),
        owner: workload.owner().map(str::to_owned),
        most: workload.owner().map(|_| workload.most()),
        version: workload.version.as_ref().map(|version| version.name.clone()),
        since: workload.version.as_ref().map(|version| version.since),
        writer: workload.writer.as_ref().map(|writer| writer.name.clone()),
    };
    Seen {
        at,
        burns: observed.burns.iter().map(burn).collect(),
        workload: observed.workload.as_ref().map(workload),
        saturation: observed.saturation.map(Finite::get),
        vetoes: observed.vetoes.iter().map(|value| value.map(Finite::get)).collect(),
        missing,
    }
}
