//! What people asked of policies through the API of any replica: rows in the store, which the leader
//! consumes with its next decision.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::engine::scale::{Overridden, State, Workload};
use crate::service::shared::Shared;
use crate::slo::policy::ScalePolicy;
use crate::slo::time::{Span, Ts};
use crate::store::StoreError;

/// The kind of these rows.
pub const COMMAND: &str = "scale";
/// Commands looked at at once.
const MOST: i64 = 10_000;
/// How long a release is tried that its API refuses or does not answer.
const PATIENCE: Span = Span::from_hours(1);

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

/// What waits to be consumed, in the order in which it was said.
///
/// It counts however long ago it was said: while nobody consumed it, no leader decided anything that
/// it could be too late for, and the last word of a person is what they mean until they say another.
/// What is lost with age is only what `resume` trusts: a version that came after the word is not what
/// the word was about. A count that somebody set after it is found by the same decision, and respected.
#[derive(Default, Debug)]
pub(super) struct Commands {
    pub ids: Vec<i64>,
    pub all: Vec<Said>,
}

/// A command, and when it was said.
#[derive(Debug)]
pub(super) struct Said {
    id: i64,
    pub command: Command,
    pub at: Ts,
}

impl Commands {
    /// Reads it from the store. A row that says nothing known is consumed and told.
    pub(super) async fn read(shared: &Shared) -> Result<Self, StoreError> {
        let mut commands = Self::default();
        for row in shared.store.commands(MOST).await?.into_iter().filter(|row| row.kind == COMMAND) {
            commands.ids.push(row.id);
            match serde_json::from_str(&row.body) {
                Ok(command) => {
                    let at = Ts(row.created_at.div_euclid(1000));
                    commands.all.push(Said { id: row.id, command, at });
                }
                Err(error) => tracing::warn!(%error, "a scaling command cannot be read"),
            }
        }
        Ok(commands)
    }

    /// Who stopped all scaling after these.
    pub(super) fn stopped(&self, before: Option<String>) -> Option<String> {
        self.all.iter().fold(before, |stopped, said| match said.command.word {
            Word::Stop => Some("`damper scale stop`".to_owned()),
            Word::Start => None,
            Word::Pause | Word::Resume | Word::Release => stopped,
        })
    }

    /// The policies of which a floor is to be put back.
    pub(super) fn released(&self) -> impl Iterator<Item = &str> {
        let release = self.all.iter().filter(|said| said.command.word == Word::Release);
        release.filter_map(|said| said.command.policy.as_deref())
    }

    /// A release that could not be carried out waits for the next round, for a while.
    pub(super) fn put_off(&mut self, late: &BTreeSet<String>, now: Ts) {
        // What was said of the same policy afterwards is what is meant.
        let last: BTreeMap<Option<String>, i64> =
            self.all.iter().map(|said| (said.command.policy.clone(), said.id)).collect();
        let waits = |said: &Said| {
            let is_late = said.command.policy.as_ref().is_some_and(|policy| late.contains(policy));
            let is_last = last.get(&said.command.policy) == Some(&said.id);
            is_late && is_last && said.command.word == Word::Release && now.since(said.at) < PATIENCE
        };
        let (put_off, all): (Vec<Said>, Vec<Said>) =
            std::mem::take(&mut self.all).into_iter().partition(waits);
        self.all = all;
        self.ids.retain(|id| put_off.iter().all(|said| said.id != *id));
    }

    /// Does to a policy's state what was asked of it.
    pub(super) fn apply(
        &self,
        policy: &ScalePolicy,
        workload: Option<&Workload>,
        now: Ts,
        state: &mut State,
    ) {
        for said in self.all.iter().filter(|said| said.command.policy.as_deref() == Some(&policy.name)) {
            match said.command.word {
                Word::Pause => state.paused = true,
                Word::Resume => resume(workload, said.at, state),
                Word::Release => release(policy, workload, now, state),
                Word::Stop | Word::Start => {}
            }
        }
    }
}

fn resume(workload: Option<&Workload>, at: Ts, state: &mut State) {
    state.paused = false;
    (state.overridden, state.fight, state.useless) = (None, None, None);
    state.reverts.clear();
    let version = workload.and_then(|workload| Some(workload.version.as_ref()?.since));
    state.trusted = version.filter(|since| *since <= at).or(state.trusted);
}

/// The floor was put back already, where its API answered.
fn release(policy: &ScalePolicy, workload: Option<&Workload>, now: Ts, state: &mut State) {
    let until = now.plus(policy.respect_override);
    let at = workload.map(Workload::position);
    let base = at.into_iter().chain(state.base).min();
    let to = at.or(base).unwrap_or_default();
    // Where it was seen is kept: to see it anew would forget the override.
    *state = State { seen: at, base, intent: None, last: None, trial: None, ..state.clone() };
    state.overridden = Some(Overridden { by: Some("`damper scale release`".to_owned()), to, until });
}

/// By policy: what is said of it in one round, newest last, for history.
pub(super) fn words(commands: &Commands) -> BTreeMap<&str, Vec<Word>> {
    let mut words: BTreeMap<&str, Vec<Word>> = BTreeMap::new();
    for Said { command, .. } in &commands.all {
        words.entry(command.policy.as_deref().unwrap_or("scaling")).or_default().push(command.word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::scale::{Lever, Version};
    use crate::service::testing::{Service, policy};
    use crate::slo::time::{Span, Step};
    use crate::slo::{Context, SourceFile, load_accepted};

    const NOW: Ts = Ts(1_790_000_000);

    fn web() -> ScalePolicy {
        let file = SourceFile { path: "p".into(), text: policy("web", "one") };
        let loaded = load_accepted(&file, &Context::without_settings(Step::DEFAULT));
        loaded.policies().next().unwrap().clone()
    }

    fn said(words: &[(Word, i64)]) -> Commands {
        let said = |(id, (word, ago)): (i64, &(Word, i64))| {
            let policy = (!matches!(word, Word::Stop | Word::Start)).then(|| "web".to_owned());
            Said { id, command: Command { word: *word, policy }, at: Ts(NOW.0 - ago) }
        };
        let all: Vec<Said> = (0..).zip(words).map(said).collect();
        Commands { ids: all.iter().map(|said| said.id).collect(), all }
    }

    fn workload(version: i64) -> Workload {
        Workload {
            wanted: 5,
            ready: 5,
            lever: Lever::Count,
            blocked: None,
            rolling: false,
            version: Some(Version { since: Ts(version), name: "revision 2".into() }),
            paused: None,
            writer: None,
            must_stay: 0,
        }
    }

    #[test]
    fn the_last_word_counts_however_long_ago_it_was_said() {
        let hour = Span::from_hours(1).secs();
        assert!(said(&[(Word::Start, 2 * hour), (Word::Stop, hour)]).stopped(None).is_some());
        let started = said(&[(Word::Stop, 2 * hour), (Word::Start, hour)]);
        assert_eq!(started.stopped(Some("somebody".into())), None);
        let mut state = State::default();
        said(&[(Word::Resume, 2 * hour), (Word::Pause, hour)]).apply(&web(), None, NOW, &mut state);
        assert!(state.paused);
    }

    #[test]
    fn a_release_that_is_not_done_yet_waits_for_an_hour_unless_something_else_was_said_since() {
        let waits = |words: &[(Word, i64)]| {
            let mut commands = said(words);
            commands.put_off(&BTreeSet::from(["web".to_owned()]), NOW);
            assert_eq!(commands.ids.len(), commands.all.len());
            words.len() - commands.ids.len()
        };
        assert_eq!(waits(&[(Word::Release, 60), (Word::Stop, 30)]), 1);
        assert_eq!(waits(&[(Word::Release, 60), (Word::Resume, 30)]), 0);
        assert_eq!(waits(&[(Word::Release, 3600)]), 0);
    }

    #[test]
    fn a_word_trusts_no_version_that_came_after_it() {
        let resumed = |version: i64| {
            let mut state = State { paused: true, ..State::default() };
            said(&[(Word::Resume, 3600)]).apply(&web(), Some(&workload(version)), NOW, &mut state);
            assert!(!state.paused);
            state.trusted
        };
        assert_eq!(resumed(NOW.0 - 3601), Some(Ts(NOW.0 - 3601)));
        assert_eq!(resumed(NOW.0 - 60), None);
    }

    #[tokio::test]
    async fn what_was_said_while_nobody_led_is_read_with_its_time() {
        let service = Service::start().await;
        let body = serde_json::to_string(&Command { word: Word::Stop, policy: None }).unwrap();
        service.shared.store.put_command(COMMAND, &body, 1_790_000_000_999).await.unwrap();
        service.shared.store.put_command(COMMAND, "nonsense", 0).await.unwrap();
        let commands = Commands::read(&service.shared).await.unwrap();
        assert_eq!((commands.ids.len(), commands.all.len(), commands.all[0].at), (2, 1, NOW));
        assert!(commands.stopped(None).is_some());
    }
}
