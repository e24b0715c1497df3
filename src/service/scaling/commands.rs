//! What people asked of policies through the API of any replica: rows in the store, which the leader
//! consumes with its next decision.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::engine::scale::{Overridden, State, Workload};
use crate::service::shared::Shared;
use crate::slo::policy::ScalePolicy;
use crate::slo::time::Ts;
use crate::store::StoreError;

/// The kind of these rows.
pub const COMMAND: &str = "scale";
/// Commands looked at at once.
const MOST: i64 = 100;

/// What is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Word {
    /// Decide nothing until `resume`.
    Pause,
    /// Go on: also where somebody else set the count, where adding did not help, or where a new
    /// version is suspect.
    Resume,
    /// Put a raised floor back to where it was, and leave it alone for a while.
    Release,
    /// Stop all scaling; names no policy.
    Stop,
    /// Scale again; names no policy.
    Start,
}

/// One row's body.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Command {
    /// What is asked.
    pub word: Word,
    /// Of which policy; `None` of all.
    pub policy: Option<String>,
}

/// What waits to be consumed.
#[derive(Default, Debug)]
pub(super) struct Commands {
    pub ids: Vec<i64>,
    pub all: Vec<Command>,
}

impl Commands {
    /// Reads it from the store. A row that says nothing known is consumed and told.
    pub(super) async fn read(shared: &Shared) -> Result<Self, StoreError> {
        let mut commands = Self::default();
        for row in shared.store.commands(MOST).await?.into_iter().filter(|row| row.kind == COMMAND) {
            commands.ids.push(row.id);
            match serde_json::from_str(&row.body) {
                Ok(command) => commands.all.push(command),
                Err(error) => tracing::warn!(%error, "a scaling command cannot be read"),
            }
        }
        Ok(commands)
    }

    /// Who stopped all scaling after these.
    pub(super) fn stopped(&self, before: Option<String>) -> Option<String> {
        self.all.iter().fold(before, |stopped, command| match command.word {
            Word::Stop => Some("`damper scale stop`".to_owned()),
            Word::Start => None,
            Word::Pause | Word::Resume | Word::Release => stopped,
        })
    }

    /// The policies of which a floor is to be put back.
    pub(super) fn released(&self) -> impl Iterator<Item = &str> {
        let release = self.all.iter().filter(|command| command.word == Word::Release);
        release.filter_map(|command| command.policy.as_deref())
    }

    /// Does to a policy's state what was asked of it.
    pub(super) fn apply(
        &self,
        policy: &ScalePolicy,
        workload: Option<&Workload>,
        now: Ts,
        state: &mut State,
    ) {
        for command in self.all.iter().filter(|command| command.policy.as_deref() == Some(&policy.name)) {
            match command.word {
                Word::Pause => state.paused = true,
                Word::Resume => resume(workload, state),
                Word::Release => release(policy, workload, now, state),
                Word::Stop | Word::Start => {}
            }
        }
    }
}

fn resume(workload: Option<&Workload>, state: &mut State) {
    state.paused = false;
    (state.overridden, state.fight, state.useless) = (None, None, None);
    state.reverts.clear();
    state.trusted = workload.and_then(|workload| Some(workload.version.as_ref()?.since)).or(state.trusted);
}

/// The floor was put back already, where its API answered.
fn release(policy: &ScalePolicy, workload: Option<&Workload>, now: Ts, state: &mut State) {
    let until = now.plus(policy.respect_override);
    let at = workload.map(Workload::position);
    let base = at.map(|at| policy.replicas.clamp(at)).into_iter().chain(state.base).min();
    let to = at.or(base).unwrap_or_default();
    *state = State { seen: at, base, intent: None, last: None, trial: None, ..state.clone() };
    state.overridden = Some(Overridden { by: Some("`damper scale release`".to_owned()), to, until });
}

/// By policy: what is said of it in one round, newest last, for history.
pub(super) fn words(commands: &Commands) -> BTreeMap<&str, Vec<Word>> {
    let mut words: BTreeMap<&str, Vec<Word>> = BTreeMap::new();
    for command in &commands.all {
        words.entry(command.policy.as_deref().unwrap_or("scaling")).or_default().push(command.word);
    }
    words
}
