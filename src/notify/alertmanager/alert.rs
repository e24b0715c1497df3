//! One alert in the form of Alertmanager's API v2.

use serde::Serialize;

use crate::engine::notice::Alert;
use crate::notify::fingerprint::fingerprint;
use crate::notify::links::generator_url;
use crate::slo::model::Labels;
use crate::slo::time::{Span, Ts};

/// A firing alert ends at least this far ahead, so that Damper's death does not soon read as "resolved".
const HOLD: Span = Span::from_mins(15);

/// The present state of one alert.
#[derive(Clone, PartialEq, Debug)]
pub struct AmAlert {
    /// Labels with names and values Alertmanager accepts.
    pub labels: Labels,
    /// Annotations, names likewise.
    pub annotations: Labels,
    /// When it began to fire.
    pub starts_at: Ts,
    /// When it was resolved; `None` while firing.
    pub ends_at: Option<Ts>,
    /// A link for people; empty when there is none.
    pub generator_url: String,
}

/// What Alertmanager knows an alert by: the fingerprint of its labels, as they are told.
pub fn subject(labels: &Labels) -> String {
    fingerprint(&told(labels))
}

/// With names that are accepted. A label without a value is as good as none to an Alertmanager, and
/// takes no name from another one.
fn told(labels: &Labels) -> Labels {
    let mut labels = labels.clone();
    labels.retain(|_, value| !value.is_empty());
    valid_names(&labels)
}

/// On the wire.
#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub(super) struct AlertJson<'a> {
    labels: &'a Labels,
    annotations: &'a Labels,
    starts_at: String,
    ends_at: String,
    #[serde(rename = "generatorURL", skip_serializing_if = "str::is_empty")]
    generator_url: &'a str,
}

impl AmAlert {
    /// From an alert as the engine keeps it. `external_url` is where people reach Damper.
    pub fn new(alert: &Alert, external_url: &str) -> Self {
        Self {
            labels: told(&alert.labels),
            annotations: valid_names(&alert.annotations),
            starts_at: alert.starts_at,
            ends_at: alert.ends_at,
            generator_url: generator_url(external_url, alert),
        }
    }

    /// As told at `now`, to be told again after `resend`: a firing alert ends
    /// `max(15m, 4 · resend)` ahead, a resolved one when it was resolved, none before it began. What
    /// would begin or end later was decided by a clock that was ahead: a resolve would wait for it.
    pub(super) fn json(&self, resend: Span, now: Ts) -> AlertJson<'_> {
        let four = Span::from_secs_saturating(resend.secs().saturating_mul(4));
        let starts_at = self.starts_at.min(now);
        let ends_at = match self.ends_at {
            Some(ended) => ended.min(now).max(starts_at),
            None => now.plus(HOLD.max(four)),
        };
        AlertJson {
            labels: &self.labels,
            annotations: &self.annotations,
            starts_at: starts_at.to_string(),
            ends_at: ends_at.to_string(),
            generator_url: &self.generator_url,
        }
    }
}

/// Names that Alertmanager before UTF-8 support accepts, `[a-zA-Z_][a-zA-Z0-9_]*`: other characters
/// become `_`. A name that is then taken gets another `_`, so that no label is lost.
fn valid_names(labels: &Labels) -> Labels {
    let mut valid: Labels =
        labels.iter().filter(|(name, _)| is_valid(name)).map(|(n, v)| (n.clone(), v.clone())).collect();
    for (name, value) in labels.iter().filter(|(name, _)| !is_valid(name)) {
        let mut new: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        if !new.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            new.insert(0, '_');
        }
        while valid.contains_key(&new) {
            new.push('_');
        }
        valid.insert(new, value.clone());
    }
    valid
}

fn is_valid(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::testing::{NOW, firing, labels, resolved};

    #[test]
    fn a_firing_alert_ends_well_ahead_and_a_resolved_one_when_it_did() {
        let alert = AmAlert::new(&firing().alert, "http://damper");
        let ends = |alert: &AmAlert, resend| alert.json(resend, NOW).ends_at;
        assert_eq!(ends(&alert, Span::from_mins(1)), NOW.plus(Span::from_mins(15)).to_string());
        assert_eq!(ends(&alert, Span::from_mins(10)), NOW.plus(Span::from_mins(40)).to_string());
        let mut alert = AmAlert::new(&resolved().alert, "http://damper");
        let later = alert.json(Span::from_mins(1), NOW.plus(Span::from_hours(1))).ends_at;
        assert_eq!(later, NOW.plus(Span::from_mins(10)).to_string());
        alert.ends_at = Some(Ts(5));
        assert_eq!(ends(&alert, Span::from_mins(1)), alert.starts_at.to_string());
    }

    #[test]
    fn what_was_decided_by_a_clock_that_was_ahead_begins_and_ends_now() {
        let mut alert = AmAlert::new(&firing().alert, "");
        alert.starts_at = NOW.plus(Span::from_hours(1));
        let told = |alert: &AmAlert| {
            let json = alert.json(Span::from_mins(1), NOW);
            (json.starts_at, json.ends_at)
        };
        assert_eq!(told(&alert), (NOW.to_string(), NOW.plus(Span::from_mins(15)).to_string()));
        alert.ends_at = Some(alert.starts_at);
        assert_eq!(told(&alert), (NOW.to_string(), NOW.to_string()));
    }

    #[test]
    fn names_and_values_are_made_acceptable_without_losing_one() {
        let mut alert = firing().alert;
        alert.labels = labels(&[("http.route", "/pay"), ("http_route", "x"), ("1st", "y"), ("größe", "z")]);
        let alert = AmAlert::new(&alert, "");
        let expected = labels(&[("http_route", "x"), ("http_route_", "/pay"), ("_1st", "y"), ("gr__e", "z")]);
        assert_eq!(alert.labels, expected);
        assert_eq!(alert.generator_url, "");
    }

    #[test]
    fn a_label_without_a_value_is_as_good_as_none() {
        let mut alert = firing().alert;
        let without = labels(&[("http.route", "/pay")]);
        alert.labels = labels(&[("http.route", "/pay"), ("http_route", ""), ("none", "")]);
        assert_eq!(AmAlert::new(&alert, "").labels, labels(&[("http_route", "/pay")]));
        assert_eq!(subject(&alert.labels), subject(&without), "one alert by either");
    }
}
