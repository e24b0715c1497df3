//! One round: look, decide, commit, act.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::act::{self, Move};
use super::commands::Commands;
use super::look::{Looked, look};
use super::news::{self, Told};
use super::state::{Kept, Last};
use super::{inherit, keep, removed};
use crate::cluster::Actuators;
use crate::engine::plan::Plan;
#[cfg(debug_assertions)]
use crate::engine::scale::Verdict;
use crate::engine::scale::{Alone, Brake, Decision, Fleet, Reason, Room, State, Workload, decide};
use crate::engine::step::{Delta, Inputs, Scaled, step_scaling};
use crate::service::clock;
use crate::service::decide::commit;
use crate::service::shared::Shared;
use crate::slo::policy::ScalePolicy;
use crate::slo::time::Ts;
use crate::store::{Decisions, StatePut, StoreError};

/// The round after the tick for the slice that ends at `at`.
pub(super) async fn round(
    shared: &Arc<Shared>,
    actuators: &Arc<Actuators>,
    at: Ts,
) -> Result<(), StoreError> {
    let Some(epoch) = shared.epoch() else { return Ok(()) };
    if shared.scaling.read().in_doubt {
        settle(shared, epoch).await?;
    }
    let plan = Arc::clone(&shared.world.read().plan);
    let mut commands = Commands::read(shared).await?;
    if plan.policies.is_empty() && shared.scaling.read().policies.is_empty() && commands.ids.is_empty() {
        return Ok(());
    }
    // Before the look: what Damper puts back is no count that somebody else set.
    let late = removed::release(shared, actuators, &plan, &commands).await;
    commands.put_off(&late, clock::now());
    let Some(looked) = look(shared, actuators, &plan, at).await else { return Ok(()) };
    shared.world.write().observed.asleep = asleep(&plan, &looked, at);
    let now = shared.world.read().now();
    let decided = decide_all(shared, &plan, looked, &commands, now);
    let delta = alerts(shared, &plan, &decided, now);
    let notes = notes(shared, &plan, &decided);
    let more = decisions(shared, &plan, &decided, &notes, &commands);
    shared.scaling.write().in_doubt = true;
    during!(of_first(&decided, &commands), commit(shared, epoch, &delta, more)).await?;
    let moves = remember(shared, &plan, decided, notes);
    act::act(shared, actuators, epoch, moves).await?;
    removed::forget(shared, actuators, epoch, &plan).await
}

/// SLOs whose workloads are all at zero replicas.
fn asleep(plan: &Plan, looked: &[Looked], at: Ts) -> BTreeMap<String, Ts> {
    let mut slos: BTreeMap<String, bool> = BTreeMap::new();
    for (policy, looked) in plan.policies.iter().zip(looked) {
        let workload = looked.observed.workload.as_ref();
        let is_at_zero = workload.is_some_and(|workload| (workload.wanted, workload.ready) == (0, 0));
        for watched in &policy.slos {
            *slos.entry(watched.slo.to_string()).or_insert(true) &= is_at_zero;
        }
    }
    slos.into_iter().filter(|(_, asleep)| *asleep).map(|(slo, _)| (slo, at)).collect()
}

/// What is decided first, for tests that end the process there.
#[cfg(debug_assertions)]
fn of_first(decided: &Decided, commands: &Commands) -> &'static str {
    let mut moves = decided.each.iter().filter_map(|one| match one.decision.verdict {
        Verdict::Scale { from, to } => Some(if to > from { "scaling up" } else { "scaling down" }),
        Verdict::Hold => None,
    });
    let asked = (!commands.ids.is_empty()).then_some("carrying out a command");
    asked.or_else(|| moves.next()).unwrap_or("holding")
}

/// After a commit without an answer: what the store holds is what was decided.
async fn settle(shared: &Shared, epoch: i64) -> Result<(), StoreError> {
    // Waits for one that is still being written: both lock the lease.
    shared.store.commit(epoch, &Decisions::default()).await?;
    let control = crate::service::restart::control(shared).await?;
    keep::restore(shared).await?;
    shared.world.write().control.take_scaling(&control);
    Ok(())
}

/// What was decided of all policies, in the plan's order.
struct Decided {
    each: Vec<One>,
    fleet: Fleet,
    stopped: Option<String>,
    brake: Option<Brake>,
}

pub(super) struct One {
    pub looked: Looked,
    pub state: State,
    pub decision: Decision,
}

fn decide_all(shared: &Shared, plan: &Plan, looked: Vec<Looked>, commands: &Commands, now: Ts) -> Decided {
    let (before, mut fleet, stopped) = {
        let scaling = shared.scaling.read();
        (inherit::states(plan, &scaling), scaling.fleet.clone(), scaling.stopped.clone())
    };
    let stopped = commands.stopped(stopped);
    let valid = shared.settings.step.span();
    let each = |looked: Vec<Looked>, brake: Option<&Brake>, short: &BTreeMap<usize, Room>| -> Vec<One> {
        let one = |(ix, ((policy, before), mut looked)): (usize, ((&Arc<ScalePolicy>, &State), Looked))| {
            let mut state = before.clone();
            commands.apply(policy, looked.observed.workload.as_ref(), now, &mut state);
            (looked.observed.brake, looked.observed.room) = (brake.cloned(), short.get(&ix).copied());
            let (after, decision) = decide(now, valid, &looked.observed, &state, policy);
            let state = if inherit::may_begin(&looked.observed, before) { after } else { state };
            One { looked, state, decision }
        };
        plan.policies.iter().zip(&before).zip(looked).enumerate().map(one).collect()
    };
    let again = |all: Vec<One>| all.into_iter().map(|one| one.looked).collect();
    let stop = stop_of(shared, stopped.as_ref()).map(|by| Brake::Stopped { by });
    let mut all = each(looked, stop.as_ref(), &BTreeMap::new());
    let limits = shared.settings.scaling.limits;
    let common = fleet.brake(now, &alone(plan, &all), limits);
    if common.is_some() && stop.is_none() {
        all = each(again(all), common.as_ref(), &BTreeMap::new());
    }
    let short = fleet.short(&alone(plan, &all), limits);
    if !short.is_empty() {
        all = each(again(all), None, &short);
    }
    for (policy, one) in plan.policies.iter().zip(&all) {
        fleet.note(policy, &one.decision);
    }
    Decided { each: all, fleet, stopped, brake: common }
}

fn alone<'a>(plan: &'a Plan, all: &'a [One]) -> Vec<Alone<'a>> {
    plan.policies.iter().zip(all).map(|(policy, one)| (&**policy, &one.decision)).collect()
}

/// The kill switch: by command, or by the file of the settings. Where it cannot be said whether the
/// file is there, it is.
pub(super) fn stop_of(shared: &Shared, stopped: Option<&String>) -> Option<String> {
    let file = shared.settings.scaling.stop_file.as_ref();
    let file = file.filter(|file| file.try_exists().unwrap_or(true));
    stopped.cloned().or_else(|| file.map(|file| format!("the file {}", file.display())))
}

fn alerts(shared: &Shared, plan: &Plan, decided: &Decided, now: Ts) -> Delta {
    let world = shared.world.read();
    let mut all = Vec::with_capacity(decided.each.len());
    for (policy, one) in plan.policies.iter().zip(&decided.each) {
        let pages = one.looked.observed.burns.iter().any(|burn| burn.pages);
        all.push(Scaled { policy, state: &one.state, decision: &one.decision, pages });
    }
    let common = decided.brake.as_ref().filter(|brake| matches!(brake, Brake::CommonCause { .. }));
    let common = common.map(Reason::from);
    let inputs = Inputs {
        at: now,
        step: shared.settings.step.span(),
        observed: &world.observed,
        external: &shared.settings.external_labels,
        receivers: &shared.told,
        shadow: shared.settings.alerting.shadow(),
    };
    step_scaling(&all, &plan.held_policies, common.as_ref(), &world.control, &inputs)
}

/// What is to be written of one policy.
struct Note {
    state: Option<StatePut>,
    news: Option<Told>,
}

fn notes(shared: &Shared, plan: &Plan, decided: &Decided) -> Vec<Note> {
    let scaling = shared.scaling.read();
    let note = |(policy, one): (&Arc<ScalePolicy>, &One)| {
        let told = scaling.policies.get(&keep::id(policy)).and_then(|kept| kept.told.as_ref());
        let state = keep::policy(policy, &one.state, one.decision.at);
        Note { state, news: Told::of(told, &one.decision) }
    };
    plan.policies.iter().zip(&decided.each).map(note).collect()
}

fn decisions(
    shared: &Shared,
    plan: &Plan,
    decided: &Decided,
    notes: &[Note],
    commands: &Commands,
) -> Decisions {
    let scaling = shared.scaling.read();
    let mut more = Decisions { commands_done: commands.ids.clone(), ..Decisions::default() };
    for ((policy, one), note) in plan.policies.iter().zip(&decided.each).zip(notes) {
        let before = scaling.policies.get(&keep::id(policy));
        let is_new = before.is_none_or(|kept| kept.stored != note.state);
        more.states.extend(note.state.clone().filter(|_| is_new));
        let at = one.looked.observed.workload.as_ref().map(Workload::position);
        let found = before.and_then(|kept| news::found_out(&policy.name, &kept.state, &one.state, at));
        more.history.extend(found);
        if note.news.is_some() {
            more.history.push(news::decided(&policy.name, policy.mode, &one.decision, &one.looked.seen));
        }
    }
    if scaling.fleet != decided.fleet || scaling.stopped != decided.stopped {
        more.states.extend(keep::all(&decided.fleet, decided.stopped.as_ref()));
    }
    more.history.extend(news::asked(commands));
    more
}

/// Takes over what was committed; what is to be moved.
fn remember(shared: &Shared, plan: &Plan, decided: Decided, notes: Vec<Note>) -> Vec<Move> {
    let mut scaling = shared.scaling.write();
    (scaling.fleet, scaling.stopped, scaling.in_doubt) = (decided.fleet, decided.stopped, false);
    let mut moves = Vec::new();
    for ((policy, one), note) in plan.policies.iter().zip(decided.each).zip(notes) {
        let before = scaling.policies.get(&keep::id(policy)).cloned();
        let before = before.unwrap_or_else(|| Kept::of(State::default(), policy.target.clone()));
        moves.extend(Move::of(policy, &one, note.news.is_some(), before.renewed));
        let kept = Kept {
            looked: one.looked.observed.workload.is_some().then(clock::now).or(before.looked),
            stored: note.state,
            told: note.news.or(before.told),
            last: Some(Last { seen: one.looked.seen, decision: one.decision }),
            state: one.state,
            target: policy.target.clone(),
            renewed: before.renewed,
        };
        scaling.policies.insert(keep::id(policy), kept);
    }
    moves
}
