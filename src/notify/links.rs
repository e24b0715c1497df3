//! Addresses that people can follow.

use crate::engine::notice::Alert;

/// Where the alert's SLO is shown, or Damper itself for alerts that are not about one.
/// Empty when nobody said under which address Damper is reached.
pub(super) fn generator_url(external_url: &str, alert: &Alert) -> String {
    let base = external_url.trim_end_matches('/');
    match &alert.evidence {
        Some(evidence) if !base.is_empty() => format!("{base}/api/v1/slos/{}", evidence.slo),
        _ => base.to_owned(),
    }
}

/// The runbook, if it is an address that can be shown as a link.
pub(super) fn runbook(alert: &Alert) -> Option<&str> {
    ["runbook_url", "runbook"]
        .into_iter()
        .filter_map(|name| alert.annotations.get(name))
        .map(String::as_str)
        .find(|url| url.starts_with("https://") || url.starts_with("http://"))
}
