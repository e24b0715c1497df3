//! Time that people take out of SLOs, and put back: asked for through the API as rows in the store,
//! consumed by the leader in a loop of its own, so that no tick waits for it. Each change is one
//! transaction with its line of history; memory changes after it.
//!
//! Exclusions lie beside the states of alerts, under keys of their own. With each are kept the events
//! of the hours at its ends, renewed while the ledger can still tell them from the rest.

mod keep;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::{Instant, MissedTickBehavior};

pub(crate) use keep::is_readable;
pub(super) use keep::{PREFIX, restore, swap};

use super::clock;
use super::shared::Shared;
use super::state::World;
use crate::engine::ledger::{Exclusion, Wanted, exclusion};
use crate::engine::plan::Planned;
use crate::slo::time::{Span, Ts};
use crate::store::{Decisions, HistoryPut, StoreError};

/// The kind of these rows.
pub const COMMAND: &str = "exclusion";
/// How often it is looked for what was asked.
const LOOK: Duration = Duration::from_secs(1);
/// How often what is remembered of ends of exclusions is renewed.
const RENEW: Duration = Duration::from_secs(600);
/// Commands looked at at once.
const MOST: i64 = 1000;
/// What ended longer ago is forgotten: no SLO looks back so far.
const FORGET: Span = Span::from_days(402);

/// What is asked; the number of the row is that of the exclusion.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Command {
    /// Take this out.
    Exclude {
        /// Of which SLO.
        slo: String,
        /// Where it begins.
        from: Ts,
        /// Where it ends.
        to: Ts,
        /// Why.
        reason: String,
        /// Who says so.
        by: String,
    },
    /// Let it count again.
    Include {
        /// Its number.
        id: i64,
        /// Who says so.
        by: String,
    },
}

/// By SLO: what is taken out of it.
type All = BTreeMap<String, Vec<Exclusion>>;

/// Runs until shutdown.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut renewed_at, mut renewed) = (Instant::now(), keep::Renewed::new());
    let mut in_doubt = false;
    loop {
        tokio::select! {
            () = shared.shutdown.cancelled() => return,
            _ = look.tick() => {}
        }
        // What came of a commit without an answer only the store knows.
        if in_doubt {
            renewed.clear();
            if keep::reload(&shared).await.is_err() {
                continue;
            }
        }
        let mut done = consume(&shared).await;
        if done.is_ok() && renewed_at.elapsed() >= RENEW {
            renewed_at = Instant::now();
            done = keep::renew(&shared, &mut renewed).await;
        }
        in_doubt = done.is_err();
        shared.trouble("exclusions", done.err().map(|error| error.to_string()));
    }
}

/// Carries out what was asked since.
///
/// # Errors
/// The store; what was asked stays asked.
pub async fn consume(shared: &Shared) -> Result<(), StoreError> {
    let rows = shared.store.commands(MOST).await?;
    let rows: Vec<_> = rows.into_iter().filter(|row| row.kind == COMMAND).collect();
    let Some(epoch) = shared.epoch().filter(|_| !rows.is_empty()) else { return Ok(()) };
    let _alone = shared.excluding.lock().await;
    let mut all = all_of(&shared.world.read());
    let before = all.clone();
    let mut decisions = Decisions::default();
    for row in rows {
        decisions.commands_done.push(row.id);
        let said = match serde_json::from_str(&row.body) {
            Ok(command) => carry_out(shared, row.id, command, &mut all),
            Err(error) => {
                tracing::warn!(%error, "what was asked of the ledger cannot be read");
                continue;
            }
        };
        tracing::info!(kind = said.kind, subject = said.subject, body = said.body, "ledger");
        decisions.history.push(said);
    }
    keep::changes(&before, &all, &mut decisions);
    shared.store.commit(epoch, &decisions).await?;
    keep::put(&mut shared.world.write(), all);
    Ok(())
}

/// Asks for time to be taken out, where it can be once all is carried out that was asked before; gives back
/// how it would lie, under its number.
///
/// # Errors
/// In words why it cannot be, or what is wrong with the store.
pub async fn ask(
    shared: &Shared,
    slo: &str,
    wanted: Wanted,
) -> Result<Result<Exclusion, String>, StoreError> {
    // What is asked meanwhile, or carried out, would not be seen.
    let _alone = shared.excluding.lock().await;
    let waiting = shared.store.commands(MOST).await?;
    let waiting = waiting.into_iter().filter(|row| row.kind == COMMAND);
    let waiting = waiting.filter_map(|row| Some((row.id, serde_json::from_str(&row.body).ok()?)));
    let made = {
        let world = shared.world.read();
        let mut list = world.ledger.excluded(slo).map_or(Vec::new(), |excluded| excluded.list().to_vec());
        waiting.for_each(|(id, command)| foresee(&world, slo, id, command, &mut list));
        match check(&world, slo, 0, &wanted, &list) {
            Ok(made) => made,
            Err(why) => return Ok(Err(why)),
        }
    };
    let Wanted { from, to, reason, by } = wanted;
    let id = put(shared, &Command::Exclude { slo: slo.to_owned(), from, to, reason, by }).await?;
    Ok(Ok(Exclusion { id, ..made }))
}

/// Asks for time to be put back.
///
/// # Errors
/// The store.
pub async fn ask_back(shared: &Shared, id: i64, by: String) -> Result<(), StoreError> {
    put(shared, &Command::Include { id, by }).await.map(drop)
}

async fn put(shared: &Shared, command: &Command) -> Result<i64, StoreError> {
    let body = serde_json::to_string(command).unwrap_or_default();
    shared.store.put_command(COMMAND, &body, clock::now_ms()).await
}

/// What a command that waits will do to what is taken out of an SLO.
fn foresee(world: &World, slo: &str, id: i64, command: Command, list: &mut Vec<Exclusion>) {
    match command {
        Command::Exclude { slo: of, from, to, reason, by } if of == slo => {
            let made = check(world, slo, id, &Wanted { from, to, reason, by }, list);
            list.extend(made);
        }
        Command::Include { id, .. } => list.retain(|exclusion| exclusion.id != id),
        Command::Exclude { .. } => {}
    }
}

/// What is taken out now.
fn all_of(world: &World) -> All {
    let all = world.ledger.all_excluded().iter();
    all.map(|(slo, excluded)| (slo.clone(), excluded.list().to_vec())).collect()
}

/// Changes what is taken out as one command says; gives the line of history about it.
fn carry_out(shared: &Shared, id: i64, command: Command, all: &mut All) -> HistoryPut {
    let at = clock::now_ms();
    let line = |kind: &str, subject: &str, body: serde_json::Value| HistoryPut {
        at,
        kind: kind.to_owned(),
        subject: subject.to_owned(),
        body: body.to_string(),
    };
    match command {
        Command::Exclude { slo, from, to, reason, by } => {
            let wanted = Wanted { from, to, reason, by };
            let list = all.get(&slo).map_or(&[][..], Vec::as_slice);
            match check(&shared.world.read(), &slo, id, &wanted, list) {
                Ok(made) => {
                    let body = json!({
                        "id": id, "from": made.from, "to": made.to, "reason": made.reason, "by": made.by,
                    });
                    all.entry(slo.clone()).or_default().push(made);
                    line("excluded", &slo, body)
                }
                Err(why) => {
                    let body = json!({"id": id, "from": from, "to": to, "by": wanted.by, "error": why});
                    line("exclusionRefused", &slo, body)
                }
            }
        }
        Command::Include { id: taken, by } => {
            for (slo, list) in all {
                if let Some(place) = list.iter().position(|exclusion| exclusion.id == taken) {
                    let was = list.remove(place);
                    let body = json!({
                        "id": taken, "from": was.from, "to": was.to, "reason": was.reason, "by": by,
                    });
                    return line("included", slo, body);
                }
            }
            line("exclusionRefused", "ledger", json!({"id": taken, "by": by, "error": "it is not there"}))
        }
    }
}

/// The exclusion that would be made, or why it cannot be.
fn check(
    world: &World,
    slo: &str,
    id: i64,
    wanted: &Wanted,
    list: &[Exclusion],
) -> Result<Exclusion, String> {
    let planned = world.plan.slos.iter().find(|planned| planned.id == slo);
    let planned = planned.ok_or_else(|| format!("there is no SLO `{slo}`"))?;
    match of_parts(planned) {
        Some(why) => Err(why),
        None => exclusion(id, wanted, list, held(world, planned), world.now()),
    }
}

/// Why a composite has no ledger of its own; `None` of any other SLO.
pub fn of_parts(planned: &Planned) -> Option<String> {
    let parts = &planned.parts.as_ref()?.parts;
    let names: Vec<String> = parts.iter().map(|part| part.named.slo.to_string()).collect();
    Some(format!(
        "`{}` is a composite, which books nothing itself: ask about its parts, {}",
        planned.id,
        names.join(", ")
    ))
}

/// How far back an SLO looks, and how far apart its facts are.
fn held(world: &World, planned: &Planned) -> (Span, Span) {
    let signals = planned.bad.iter().chain(&planned.total);
    let keeps = signals.filter_map(|(_, ix)| world.ledger.series(*ix)).map(|series| series.keep());
    let all = keeps.map(|keep| (keep.span, keep.key.grid().max(keep.key.step.span())));
    all.reduce(|a, b| (a.0.max(b.0), a.1.max(b.1))).unwrap_or((FORGET, Span::from_mins(5)))
}

#[cfg(test)]
mod tests;
