//! What is wrong with a file, where, and what to do: the one shape every check reports in.
//!
//! Checks never stop at the first problem; they write into a [`Report`] and go on with what is left.

use std::fmt::Write as _;

use serde::Serialize;

/// Problems reported for one document at most; more help nobody.
pub const MAX_PROBLEMS: usize = 100;

/// One thing to know about a definition.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// The file, as given.
    pub file: String,
    /// Line in the file, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Whether the document is refused.
    pub level: Level,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub hint: Option<String>,
}

/// Whether a document is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The document is refused.
    Error,
    /// It is accepted, and this is worth knowing.
    Notice,
}

/// A line and a column of a file, both from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct At {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
}

/// Collects the problems of one document, at most [`MAX_PROBLEMS`].
#[derive(Debug)]
pub struct Report {
    file: String,
    problems: Vec<Problem>,
    errors: usize,
}

impl Report {
    /// An empty report about a file.
    pub fn about(file: &str) -> Self {
        Self { file: file.to_owned(), problems: Vec::new(), errors: 0 }
    }

    /// The document is refused because of `what`.
    pub fn error(&mut self, at: At, what: impl Into<String>, hint: Option<String>) {
        self.errors += 1;
        self.add(at, Level::Error, what.into(), hint);
    }

    /// Worth knowing.
    pub fn notice(&mut self, at: At, what: impl Into<String>, hint: Option<String>) {
        self.add(at, Level::Notice, what.into(), hint);
    }

    /// Errors so far, also those beyond the limit.
    pub fn errors(&self) -> usize {
        self.errors
    }

    /// Whether further problems would not be shown; looking for more of a kind can stop.
    pub fn is_full(&self) -> bool {
        self.problems.len() >= MAX_PROBLEMS
    }

    /// All problems in the order of the file.
    pub fn finish(mut self) -> Vec<Problem> {
        self.problems.sort_by_key(|p| (p.line, p.column));
        self.problems
    }

    fn add(&mut self, at: At, level: Level, what: String, hint: Option<String>) {
        if self.is_full() {
            return;
        }
        let (what, hint) = if self.problems.len() + 1 == MAX_PROBLEMS {
            ("too many problems in this document; the rest is not shown".to_owned(), None)
        } else {
            (what, hint)
        };
        self.problems.push(Problem {
            file: self.file.clone(),
            line: at.line,
            column: at.column,
            level,
            what,
            hint,
        });
    }
}

/// Widest part of a source line that is shown.
const SHOWN: usize = 120;

/// The problem as a terminal shows it: message, `file:line:column`, the line, a caret, the hint.
/// `text` is the whole file's text. Control characters of the file are never printed.
pub fn render(problem: &Problem, text: &str) -> String {
    let level = match problem.level {
        Level::Error => "error",
        Level::Notice => "notice",
    };
    let number = problem.line.to_string();
    let pad = " ".repeat(number.len());
    let mut out = format!("{level}: {}\n{pad}--> ", plain(&problem.what));
    let _ = writeln!(out, "{}:{number}:{}", plain(&problem.file), problem.column);
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if let Some(line) = text.lines().nth(problem.line.saturating_sub(1)) {
        let (shown, offset, width) = excerpt(line, problem.column.saturating_sub(1));
        let _ = writeln!(out, "{pad} |\n{number} | {}", shown.trim_end());
        let _ = writeln!(out, "{pad} | {}{}", " ".repeat(offset), "^".repeat(width));
    }
    if let Some(hint) = &problem.hint {
        let _ = writeln!(out, "{pad} = hint: {}", plain(hint));
    }
    out
}

/// A readable part of `line` around the character `at`, where `at` is in it, and how many carets it gets.
fn excerpt(line: &str, at: usize) -> (String, usize, usize) {
    let skip = if at >= SHOWN { at - SHOWN / 4 } else { 0 };
    let shown = plain(&line.chars().skip(skip).take(SHOWN).collect::<String>());
    let word = line.chars().skip(at).take_while(|c| !c.is_whitespace() && !",:{}[]".contains(*c)).count();
    (shown, at - skip, word.clamp(1, SHOWN / 2))
}

fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(line: usize, column: usize) -> Problem {
        Problem {
            file: "slos/a.yaml".into(),
            line,
            column,
            level: Level::Error,
            what: "unknown field `windwo` in spec".into(),
            hint: Some("did you mean `window`?".into()),
        }
    }

    #[test]
    fn a_problem_shows_its_line_and_points_at_the_word() {
        let text = "kind: x\r\nspec:\r\n  windwo: 28d\r\n";
        insta::assert_snapshot!(render(&problem(3, 3), text), @r"
        error: unknown field `windwo` in spec
         --> slos/a.yaml:3:3
          |
        3 |   windwo: 28d
          |   ^^^^^^
          = hint: did you mean `window`?
        ");
    }

    #[test]
    fn long_lines_are_cut_and_control_characters_are_not_printed() {
        let text = format!("a: {}\u{1b}[31mb", "x".repeat(500));
        let shown = render(&problem(1, 504), &text);
        assert!(!shown.contains('\u{1b}'));
        assert!(shown.lines().all(|l| l.chars().count() < 140), "{shown}");
    }

    #[test]
    fn a_place_outside_the_text_renders_without_a_line() {
        assert!(render(&problem(99, 1), "a: b").contains("slos/a.yaml:99:1"));
        let _ = render(&problem(0, 0), "");
        let _ = render(&problem(1, 9999), "a");
    }

    #[test]
    fn a_report_is_bounded_but_counts_every_error() {
        let mut report = Report::about("a");
        for line in 0..500 {
            report.error(At { line, column: 1 }, "x", None);
        }
        assert_eq!(report.errors(), 500);
        let problems = report.finish();
        assert_eq!(problems.len(), MAX_PROBLEMS);
        assert!(problems[MAX_PROBLEMS - 1].what.contains("too many"));
    }
}
