//! What people asked of the definitions through the API of any replica: rows in the store, which
//! the leader looks for and consumes.

use super::shared::Shared;
use crate::store::{Command, StoreError};

/// Removals that wait are meant.
pub const ACCEPT: &str = "reload-accept";
/// The files are to be read again.
pub const READ: &str = "reload";
/// A word said longer ago is not about what waits now.
const AGE_MS: i64 = 5 * 60 * 1000;
/// Commands looked at at once.
const MOST: i64 = 100;

/// What waits to be consumed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Asked {
    /// Ids, for the transaction that carries them out.
    pub ids: Vec<i64>,
    /// Whether removals are meant.
    pub accept: bool,
}

impl Asked {
    /// Reads it from the store.
    pub(super) async fn read(shared: &Shared) -> Result<Self, StoreError> {
        Ok(Self::of(&shared.store.commands(MOST).await?, super::clock::now_ms()))
    }

    fn of(commands: &[Command], now_ms: i64) -> Self {
        let mut asked = Self::default();
        for command in commands.iter().filter(|command| matches!(command.kind.as_str(), ACCEPT | READ)) {
            asked.ids.push(command.id);
            let is_fresh = now_ms.saturating_sub(command.created_at).abs() <= AGE_MS;
            asked.accept |= command.kind == ACCEPT && is_fresh;
            if !is_fresh {
                tracing::warn!(command = command.kind, "asked for too long ago to be carried out; ask again");
            }
        }
        asked
    }

    /// Whether nobody asked for anything.
    pub(super) fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(id: i64, kind: &str, created_at: i64) -> Command {
        Command { id, kind: kind.into(), body: "{}".into(), created_at }
    }

    #[test]
    fn a_word_counts_for_five_minutes_and_is_consumed_all_the_same() {
        let now = 10 * AGE_MS;
        let others = [command(1, READ, now), command(2, "silence", now)];
        assert_eq!(Asked::of(&others, now), Asked { ids: vec![1], accept: false });
        for (age, accept) in [(0, true), (AGE_MS, true), (AGE_MS + 1, false), (-AGE_MS - 1, false)] {
            let asked = Asked::of(&[command(3, ACCEPT, now - age)], now);
            assert_eq!(asked, Asked { ids: vec![3], accept }, "{age}");
        }
        assert!(Asked::of(&[], now).is_empty());
    }
}
