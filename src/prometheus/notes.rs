//! What a source says about expressions besides answering them. It says nothing about data, so nothing
//! is concluded from it; people are told, once.

use std::collections::BTreeMap;

use super::refusal::excerpt;
use crate::slo::time::{Span, Ts};

/// A note that was not repeated for so long is over: the expression was mended, or its series changed.
const KEPT: Span = Span::from_mins(10);
/// Notes kept at most; they name metrics, and so are as many as there are expressions.
const MOST: usize = 10;

/// Notes, and when each was last given.
#[derive(Debug, Default)]
pub(super) struct Notes(BTreeMap<String, Ts>);

impl Notes {
    /// Remembers the notes of an answer; a new one is told in the log.
    pub(super) fn note(&mut self, source: &str, promql: &str, notes: &[String], now: Ts) {
        if notes.is_empty() {
            return;
        }
        self.0.retain(|_, last| now.since(*last) < KEPT);
        for note in notes {
            if let Some(last) = self.0.get_mut(note) {
                *last = now;
            } else if self.0.len() < MOST {
                self.0.insert(note.clone(), now);
                tracing::warn!(source, query = excerpt(promql), note, "the source warns about a query");
            }
        }
    }

    /// Those of the last minutes.
    pub(super) fn since(&self, now: Ts) -> Vec<String> {
        let young = self.0.iter().filter(|(_, last)| now.since(**last) < KEPT);
        young.map(|(note, _)| note.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::LogFormat;
    use crate::telemetry::logs::testing::logged;

    #[test]
    fn a_note_is_in_the_log_once_until_it_was_over() {
        let mut notes = Notes::default();
        let mut lines = |times: std::ops::Range<i64>, what: &[&str]| {
            let what: Vec<String> = what.iter().map(|&note| note.to_owned()).collect();
            let text = logged(LogFormat::Text, "info", || {
                times.step_by(30).for_each(|at| notes.note("local", "rate(up[5m])", &what, Ts(at)));
            });
            text.lines().map(str::to_owned).collect::<Vec<_>>()
        };
        let said = lines(0..3600, &["PromQL warning: odd"]);
        assert_eq!(said.len(), 1, "{said:?}");
        for part in ["WARN", "local", "rate(up[5m])", "PromQL warning: odd"] {
            assert!(said[0].contains(part), "{part}: {said:?}");
        }
        let other = lines(3600..4200, &["PromQL warning: odd", "PromQL warning: odder"]);
        assert!(other.len() == 1 && other[0].contains("odder"), "{other:?}");
        assert_eq!(lines(4200..4800, &[]).len(), 0);
        assert_eq!(lines(4800..5400, &["PromQL warning: odd"]).len(), 1, "it was over");
    }

    #[test]
    fn notes_are_bounded_and_forgotten_when_they_are_not_repeated() {
        let mut notes = Notes::default();
        let say = |notes: &mut Notes, what: &[String], at: i64| notes.note("local", "up", what, Ts(at));
        let many: Vec<String> = (0..100).map(|n| format!("PromQL warning: {n:02}")).collect();
        say(&mut notes, &many, 0);
        assert_eq!(notes.since(Ts(599)), many[..MOST]);
        say(&mut notes, &many[..1], 300);
        assert_eq!(notes.since(Ts(600)), many[..1]);
        say(&mut notes, &many[50..51], 700);
        assert_eq!(notes.since(Ts(700)), [many[0].clone(), many[50].clone()], "there is room again");
        assert_eq!(notes.since(Ts(1300)), [""; 0]);
    }
}
