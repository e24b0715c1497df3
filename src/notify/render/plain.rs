//! The words without any template: what is sent when one fails.

use std::fmt::Write;

use super::view::View;
use crate::engine::notice::Notice;

/// `[FIRING] page checkout/availability burn rate 27.5 over 1h`.
pub(super) fn subject(notice: &Notice) -> String {
    let view = View::new(notice, "");
    let mark = if view.shadow { "[SHADOW] " } else { "" };
    format!("{mark}[{}] {} {} {}", view.state, view.severity, view.subject, view.speed)
}

/// Everything, line by line.
pub(super) fn text(notice: &Notice, external_url: &str) -> String {
    let view = View::new(notice, external_url);
    let mark = if view.shadow { "Shadow mode: nobody is paged.\n\n" } else { "" };
    let mut text = format!("{mark}{}\n\n{}\n{}\n", view.headline, view.when, view.budget);
    for rule in &view.rules {
        let verdict = if rule.holds { "holds" } else { "does not hold" };
        let _ = writeln!(text, "\n{} {verdict}:", rule.title);
        for window in &rule.windows {
            let _ = writeln!(text, "- {}", window.sentence);
        }
    }
    for part in &view.parts {
        let _ = writeln!(text, "- {part}");
    }
    text.push('\n');
    if let Some(runbook) = &view.runbook {
        let _ = writeln!(text, "Runbook: {runbook}");
    }
    for (name, query) in &view.queries {
        let _ = writeln!(text, "{name}: {query}");
    }
    for (name, value) in view.annotations.iter().chain(&view.labels) {
        let _ = writeln!(text, "{name}: {value}");
    }
    let _ = writeln!(text, "Incident: {}", view.incident);
    text
}
