//! What Alertmanager says: silences, and which alerts it has now.

use reqwest::Url;
use serde::Deserialize;
use serde_json::Value;

use super::damper::Ours;
use super::matchers::{Matchers, Silence, written};
use super::theirs::Recorded;
use super::{CompareArgs, Notes};
use crate::cli::CommandError;
use crate::cli::remote::{Peer, read};
use crate::engine::recipient::MARK;
use crate::secret::read_capped;
use crate::slo::model::Labels;
use crate::slo::time::{Span, Ts};

/// Younger alerts may not be recorded yet.
const YOUNG: Span = Span::from_mins(5);
/// Alertmanager forgets what is over after so long unless told otherwise.
const KEPT: Span = Span::from_days(5);
/// Names in a note.
const SHOWN: usize = 5;

/// What all of them say.
#[derive(Debug, Default)]
pub(super) struct Managers {
    /// Silences, past ones too.
    pub(super) silences: Vec<Silence>,
    /// Alerts they have, with when they began.
    present: Vec<(Labels, Ts)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SilenceJson {
    matchers: Vec<MatcherJson>,
    starts_at: chrono::DateTime<chrono::Utc>,
    ends_at: chrono::DateTime<chrono::Utc>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MatcherJson {
    name: String,
    value: String,
    is_regex: bool,
    #[serde(default = "yes")]
    is_equal: bool,
}

const fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AlertJson {
    labels: Labels,
    starts_at: chrono::DateTime<chrono::Utc>,
}

/// Asks all of them; one that does not answer is noted.
pub(super) async fn ask(args: &CompareArgs, notes: &mut Notes) -> Managers {
    let mut all = Managers::default();
    if args.alertmanager.is_empty() {
        notes.say(
            "without --alertmanager nobody knows what was silenced: a silenced page of theirs counts".into(),
        );
        return all;
    }
    for url in &args.alertmanager {
        if let Err(why) = one(url, args, &mut all, notes).await {
            notes.lack(format!("an Alertmanager was not asked: {why}"));
        }
    }
    if args.since > KEPT {
        notes.say(format!("Alertmanager forgets a silence {KEPT} after its end unless it runs with a longer --data.retention; before that a silenced page of theirs counts"));
    }
    all
}

async fn one(
    url: &Url,
    args: &CompareArgs,
    all: &mut Managers,
    notes: &mut Notes,
) -> Result<(), CommandError> {
    let token = match &args.alertmanager_token_file {
        Some(path) => {
            let bytes = read_capped(path, 64 * 1024)
                .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
            Some(String::from_utf8_lossy(&bytes).trim().to_owned())
        }
        None => None,
    };
    let peer = Peer::new(url.clone(), "--alertmanager", "an Alertmanager", token);
    all.add_silences(&peer.get("api/v2/silences").await?, notes)?;
    all.add_present(&peer.get("api/v2/alerts").await?)
}

impl Managers {
    /// What `api/v2/silences` answers. One that is not understood is noted.
    pub(super) fn add_silences(&mut self, answer: &Value, notes: &mut Notes) -> Result<(), CommandError> {
        for silence in read::<Vec<SilenceJson>>(answer)? {
            let text: Vec<String> =
                silence.matchers.iter().map(|m| written(&m.name, &m.value, m.is_regex, m.is_equal)).collect();
            match Matchers::parse(&text.join(",")) {
                Ok(matchers) => self.silences.push(Silence {
                    matchers,
                    from: Ts(silence.starts_at.timestamp()),
                    to: Ts(silence.ends_at.timestamp()),
                }),
                Err(why) => notes.say(format!("a silence is left out: {why}")),
            }
        }
        Ok(())
    }

    /// What `api/v2/alerts` answers.
    pub(super) fn add_present(&mut self, answer: &Value) -> Result<(), CommandError> {
        let present = read::<Vec<AlertJson>>(answer)?;
        self.present.extend(present.into_iter().map(|alert| (alert.labels, Ts(alert.starts_at.timestamp()))));
        Ok(())
    }
}

/// How many of the alerts in one answer the silences in another are about.
pub(crate) fn silenced(silences: &Value, alerts: &Value) -> Result<usize, CommandError> {
    let mut all = Managers::default();
    all.add_silences(silences, &mut Notes::default())?;
    all.add_present(alerts)?;
    let is_silenced = |labels: &Labels| all.silences.iter().any(|silence| silence.is_about(labels));
    Ok(all.present.iter().filter(|(labels, _)| is_silenced(labels)).count())
}

/// Notes what Alertmanager has and no source recorded: the same is then true of the past. What
/// Alertmanager knows has further labels, those of the Prometheus that sent it.
pub(super) fn missing(
    managers: &Managers,
    recorded: &Recorded,
    ours: &Ours,
    now: Ts,
    only: Option<&Matchers>,
    notes: &mut Notes,
) {
    let firing: Vec<&Labels> = recorded.firing().collect();
    let names = unrecorded(&managers.present, &firing, &ours.firing, now, only);
    if names.is_empty() {
        return;
    }
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    notes.lack(format!(
        "Alertmanager has {} alerts that no source recorded in ALERTS, such as {shown}: what their rules sent before is not known either; name the server where they run with --prometheus",
        names.len()
    ));
}

fn unrecorded(
    present: &[(Labels, Ts)],
    firing: &[&Labels],
    ours: &[Labels],
    now: Ts,
    only: Option<&Matchers>,
) -> Vec<String> {
    let within =
        |part: &Labels, whole: &Labels| part.iter().all(|(n, v)| v.is_empty() || whole.get(n) == Some(v));
    let mut names: Vec<String> = present
        .iter()
        .filter(|(_, began)| now.since(*began) > YOUNG)
        .filter(|(labels, _)| labels.get(MARK).is_none_or(|mark| mark != "true"))
        .filter(|(labels, _)| only.is_none_or(|only| only.hold(labels)))
        .filter(|(labels, _)| !ours.iter().any(|own| within(own, labels)))
        .filter(|(labels, _)| !firing.iter().any(|own| within(own, labels)))
        .map(|(labels, _)| labels.get("alertname").cloned().unwrap_or_default())
        .collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::compare::episode::tests::labels;

    #[test]
    fn what_alertmanager_has_and_nobody_recorded_is_named() {
        let old = Ts(0);
        let now = Ts(1000);
        let present = [
            (labels(&[("alertname", "Known"), ("pod", "a"), ("cluster", "eu")]), old),
            (labels(&[("alertname", "Known"), ("pod", "b"), ("cluster", "eu")]), old),
            (labels(&[("alertname", "Young")]), Ts(900)),
            (labels(&[("alertname", "ErrorBudgetBurn"), ("slo", "a")]), old),
            (labels(&[("alertname", "Shown"), ("shadow", "true")]), old),
        ];
        let recorded = labels(&[("alertname", "Known"), ("pod", "a"), ("empty", "")]);
        let ours = [labels(&[("alertname", "ErrorBudgetBurn"), ("slo", "a")])];
        assert_eq!(unrecorded(&present, &[&recorded], &ours, now, None), ["Known"]);
        let only = Matchers::parse(r#"pod!="b""#).unwrap();
        assert!(unrecorded(&present, &[&recorded], &ours, now, Some(&only)).is_empty());
    }

    #[test]
    fn silences_are_read_as_alertmanager_writes_them() {
        let json = serde_json::json!([{
            "id": "x", "status": {"state": "expired"}, "comment": "c", "createdBy": "me",
            "updatedAt": "2026-11-22T09:00:00.000Z", "startsAt": "2026-11-22T09:00:00.123Z", "endsAt": "2026-11-22T10:00:00Z",
            "matchers": [{"name": "job", "value": "a.*", "isRegex": true, "isEqual": true}, {"name": "b", "value": "c", "isRegex": false}]
        }]);
        let [silence] = &read::<Vec<SilenceJson>>(&json).unwrap()[..] else { panic!() };
        assert_eq!(silence.starts_at.timestamp(), 1_795_338_000);
        let all: Vec<_> =
            silence.matchers.iter().map(|m| written(&m.name, &m.value, m.is_regex, m.is_equal)).collect();
        assert_eq!(all, [r#"job=~"a.*""#, r#"b="c""#]);
    }
}
