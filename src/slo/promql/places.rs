//! Where `{{.window}}` may stand: it is a length of time. Within a label or a name it would be one that
//! nobody wrote, and an SLO would watch nothing.

use super::placeholders::{WINDOW, holds};
use super::{QueryError, bounds};

/// Characters that are repeated of what is refused.
const MAX_SHOWN: usize = 60;

/// Refuses a window that is no length of time where it stands. Whether the rest is PromQL is left to
/// the parser.
pub(super) fn check(template: &str) -> Result<(), QueryError> {
    let (code, strings) = bounds::split(template);
    if let Some(string) = strings.iter().find(|string| holds(string)) {
        return Err(misplaced(&format!("\"{string}\"")));
    }
    match around(&code).into_iter().find(|(before, after)| place(before, after).is_none()) {
        Some((before, after)) => Err(misplaced(&word(before, after))),
        None => Ok(()),
    }
}

/// Whether the window is the range of a selector or subquery, in a template that could be parsed.
pub(super) fn has_range(template: &str) -> bool {
    let (code, _) = bounds::split(template);
    around(&code).into_iter().any(|(before, after)| place(before, after) == Some(Place::Range))
}

/// Why a window is refused that stands within `written`.
pub(super) fn misplaced(written: &str) -> QueryError {
    let shown: String = written.chars().take(MAX_SHOWN).collect();
    let shown = if shown == WINDOW { "here it" } else { shown.as_str() };
    QueryError::new(
        format!("{WINDOW} stands for a range or an offset, and {shown} is neither"),
        "write the name or value itself; a range is rate(x[{{.window}}]), an offset x offset {{.window}}",
    )
}

/// Where a length of time may stand.
#[derive(PartialEq, Eq)]
enum Place {
    /// `[{{.window}}]`, `[{{.window}}:1m]`.
    Range,
    /// `[1h:{{.window}}]`.
    Step,
    /// `offset {{.window}}`.
    Offset,
}

/// What comes before and after each window.
fn around(code: &str) -> Vec<(&str, &str)> {
    code.split(WINDOW).zip(code.split(WINDOW).skip(1)).collect()
}

/// Where the window between these pieces of code stands.
fn place(before: &str, after: &str) -> Option<Place> {
    let (last, next) = (before.trim_end(), after.trim_start());
    if last.ends_with('[') && next.starts_with([']', ':']) {
        return Some(Place::Range);
    }
    if last.ends_with(':') && next.starts_with(']') {
        return Some(Place::Step);
    }
    let word = last.trim_end_matches(|c: char| matches!(c, '+' | '-') || c.is_whitespace());
    let is_apart = word.len() < before.len() && !after.starts_with(is_of_a_word);
    let keyword = word.rsplit(|c| !is_of_a_word(c)).next();
    let is_offset = is_apart && keyword.is_some_and(|word| word.eq_ignore_ascii_case("offset"));
    is_offset.then_some(Place::Offset)
}

fn is_of_a_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | ':' | '.')
}

/// The window with what it touches.
fn word(before: &str, after: &str) -> String {
    let begin = before.rsplit(|c| !is_of_a_word(c)).next().unwrap_or_default();
    let end = after.split(|c| !is_of_a_word(c)).next().unwrap_or_default();
    format!("{begin}{WINDOW}{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_a_range_a_step_or_an_offset_and_nothing_else() {
        for text in [
            "x[ {{.window}} ]",
            "x[{{.window}}:]",
            "x[{{.window}}:{{.window}}]",
            "x[5m] # {{.window}} \"{{.window}}",
            "x[1h :{{.window}}]",
            "x[5m] OFFSET\t-{{.window}}",
            "x[5m] offset # why\n{{.window}} + y",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
        for (text, named) in [
            ("x{on=\"a{{.window}}\"}", "\"a{{.window}}\""),
            ("x{on='a'} + y{on=~`{{.window}}`}", "\"{{.window}}\""),
            ("kind{{.window}}", "kind{{.window}}"),
            ("sum by (a{{.window}}b) (x)", "a{{.window}}b"),
            ("a:{{.window}}", "a:{{.window}}"),
            ("x[1h{{.window}}]", "1h{{.window}}"),
            ("x[{{.window}}5ms]", "{{.window}}5ms"),
            ("x[{{.window}}{{.window}}]", "here it"),
            ("x * {{.window}}", "here it"),
            ("x @ {{.window}}", "here it"),
            ("x offset{{.window}}", "offset{{.window}}"),
            ("x offset {{.window}}3ms", "{{.window}}3ms"),
            ("x_offset {{.window}}", "here it"),
        ] {
            let error = check(text).unwrap_err();
            let told = format!("{WINDOW} stands for a range or an offset, and {named} is neither");
            assert_eq!(error.message, told, "{text}");
            assert!(error.hint.unwrap().contains("x[{{.window}}]"));
        }
        let long = check(&format!("x{{a=\"{}{WINDOW}\"}}", "é".repeat(900))).unwrap_err();
        assert!(long.message.chars().count() < 150);
    }
}
