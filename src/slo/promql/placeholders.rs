//! `{{.window}}`: the one placeholder. It is filled before parsing, because the parser knows no templates;
//! Grafana's variables have no value outside Grafana and are refused.

use super::super::time::Span;
use super::{QueryError, bounds, places};

/// The placeholder in its normal spelling.
pub(super) const WINDOW: &str = "{{.window}}";

/// Stands for the window while parsing; a length hardly written, so that it is not taken for one that was.
const STAND_IN: Span = Span::from_secs(307);

/// The template with every `{{.window}}`, however spaced, replaced by a window.
pub fn with_window(template: &str, window: Span) -> String {
    spell_window(template, &window.to_string())
}

/// The template as it goes to the parser.
pub(super) fn filled(template: &str) -> Result<String, QueryError> {
    places::check(template)?;
    Ok(with_window(template, STAND_IN))
}

/// The text, trimmed, with placeholders in their normal spelling; refuses every other placeholder.
pub(super) fn normalise(text: &str) -> Result<String, QueryError> {
    let template = spell_window(text.trim(), WINDOW);
    let (code, _) = bounds::split(&with_window(&template, STAND_IN));
    if let Some(at) = code.find('$') {
        let name: String =
            code.chars().skip(code.get(..at).map_or(0, |c| c.chars().count())).take(40).collect();
        let name =
            name.split(|c: char| !c.is_ascii_alphanumeric() && !"_${}".contains(c)).next().unwrap_or("$");
        return Err(QueryError::new(
            format!("{name} is a variable of Grafana, which has no value here"),
            "for a range write {{.window}}; for anything else write the value",
        ));
    }
    if code.contains("{{") || code.contains("[[") {
        return Err(QueryError::new(
            "the query holds a placeholder other than {{.window}}",
            "{{.window}} is the only one; write the value of the others",
        ));
    }
    Ok(template)
}

/// Whether a text holds `{{.window}}` in any spacing.
pub(super) fn holds(text: &str) -> bool {
    spell_window(text, "") != text
}

/// Replaces `{{ .window }}` of any spacing.
fn spell_window(text: &str, window: &str) -> String {
    let mut spelled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        spelled.push_str(before);
        match after.split_once("}}") {
            Some((name, tail)) if name.trim() == ".window" => {
                spelled.push_str(window);
                rest = tail;
            }
            _ => {
                spelled.push_str("{{");
                rest = after;
            }
        }
    }
    spelled.push_str(rest);
    spelled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_the_window_is_understood() {
        for text in ["x[{{.window}}]", "x[{{ .window }}]", "x[{{.window  }}]", " x[{{\t.window}}]\n"] {
            let template = normalise(text).unwrap();
            assert_eq!(template, "x[{{.window}}]");
            assert_eq!(with_window(&template, Span::from_mins(90)), "x[1h30m]");
            assert_eq!(with_window(text.trim(), Span::from_days(3)), "x[3d]");
        }
    }

    #[test]
    fn other_placeholders_are_refused_with_what_to_write() {
        for (text, named) in [
            ("rate(x[$__rate_interval])", "$__rate_interval"),
            ("rate(x[$__range])", "$__range"),
            ("rate(x[${__interval}])", "${__interval}"),
            ("é + rate(x[$interval:])", "$interval"),
        ] {
            let error = normalise(text).unwrap_err();
            assert!(error.message.starts_with(named), "{}", error.message);
            assert!(error.hint.unwrap().contains("{{.window}}"));
        }
        for text in ["rate(x[{{.Window}}])", "x{{.labels}}", "rate(x[{{range}}])", "rate([[metric]][5m])"] {
            assert!(normalise(text).is_err(), "{text}");
        }
    }

    #[test]
    fn dollars_and_braces_inside_strings_and_comments_are_left_alone() {
        for text in ["x{a=~\"5..$\",b=\"{{x}}\"} # $cost {{y}}", "x{a='$Default'}", "x{a=~`[[:alpha:]]$`}"] {
            assert_eq!(normalise(text).unwrap(), text);
        }
    }
}
