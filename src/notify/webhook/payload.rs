//! The body: Alertmanager's webhook version "4", each notice a group of one alert, so that every
//! receiver made for Alertmanager works, plus the object `damper` in each alert.

use serde::Serialize;

use super::evidence::EvidenceJson;
use crate::engine::notice::{Event, Notice};
use crate::engine::recipient::MARK;
use crate::notify::fingerprint::fingerprint;
use crate::notify::links::generator_url;
use crate::slo::model::Labels;

/// Go's zero time, which Alertmanager sends as the end of an alert that fires.
const NOT_ENDED: &str = "0001-01-01T00:00:00Z";

#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    version: &'static str,
    group_key: String,
    truncated_alerts: u64,
    status: &'static str,
    receiver: &'a str,
    group_labels: &'a Labels,
    common_labels: &'a Labels,
    common_annotations: &'a Labels,
    #[serde(rename = "externalURL")]
    external_url: &'a str,
    alerts: [AlertJson<'a>; 1],
}

#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
struct AlertJson<'a> {
    status: &'static str,
    labels: &'a Labels,
    annotations: &'a Labels,
    starts_at: String,
    ends_at: String,
    #[serde(rename = "generatorURL")]
    generator_url: String,
    fingerprint: String,
    damper: Damper<'a>,
}

#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
struct Damper<'a> {
    id: &'a str,
    incident: &'a str,
    event: &'static str,
    severity: &'static str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    shadow: bool,
    at: String,
    evidence: Option<EvidenceJson<'a>>,
}

/// The JSON text of a notice.
pub(super) fn body(notice: &Notice, external_url: &str) -> Result<Vec<u8>, serde_json::Error> {
    let alert = &notice.alert;
    let (status, ends_at) = match notice.event {
        Event::Firing => ("firing", NOT_ENDED.to_owned()),
        Event::Resolved | Event::Missed => {
            ("resolved", alert.ends_at.unwrap_or(notice.at).max(alert.starts_at).to_string())
        }
    };
    serde_json::to_vec(&Body {
        version: "4",
        group_key: group_key(&alert.labels),
        truncated_alerts: 0,
        status,
        receiver: &notice.receiver,
        group_labels: &alert.labels,
        common_labels: &alert.labels,
        common_annotations: &alert.annotations,
        external_url,
        alerts: [AlertJson {
            status,
            labels: &alert.labels,
            annotations: &alert.annotations,
            starts_at: alert.starts_at.to_string(),
            ends_at,
            generator_url: generator_url(external_url, alert),
            fingerprint: fingerprint(&alert.labels),
            damper: Damper {
                id: &notice.id,
                incident: &notice.incident,
                event: notice.event.as_str(),
                severity: if notice.shadow { MARK } else { alert.severity.as_str() },
                shadow: notice.shadow,
                at: notice.at.to_string(),
                evidence: alert.evidence.as_ref().map(EvidenceJson::from),
            },
        }],
    })
}

/// As Alertmanager writes the key of a group by all labels: `{}:{a="b", c="d"}`.
fn group_key(labels: &Labels) -> String {
    let pairs: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{{}}:{{{}}}", pairs.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::testing::{firing, resolved};
    use crate::slo::time::Ts;

    fn pretty(notice: &Notice) -> String {
        let body: serde_json::Value =
            serde_json::from_slice(&body(notice, "http://damper:9095/").unwrap()).unwrap();
        serde_json::to_string_pretty(&body).unwrap()
    }

    #[test]
    fn the_body_of_a_firing_alert() {
        let mut notice = firing();
        notice.alert.evidence.as_mut().unwrap().rules.truncate(1);
        insta::assert_snapshot!(pretty(&notice), @r#"
        {
          "alerts": [
            {
              "annotations": {
                "runbook": "https://run/checkout",
                "summary": "checkout/availability burns"
              },
              "damper": {
                "at": "2026-05-28T20:26:40Z",
                "event": "firing",
                "evidence": {
                  "at": "2026-05-28T20:26:40Z",
                  "badQuery": "sum(rate(http_requests_total{job=\"checkout\",code=~\"5..\"}[5m]))",
                  "budgetRemaining": 0.632,
                  "exhaustsIn": "1d4h",
                  "group": {
                    "route": "/pay"
                  },
                  "objective": "99.9",
                  "rules": [
                    {
                      "holds": true,
                      "long": {
                        "bad": 1440.0,
                        "burn": 27.526092441793782,
                        "coverage": 1.0,
                        "from": "2026-05-28T19:26:40Z",
                        "to": "2026-05-28T20:26:40Z",
                        "total": 52314.0,
                        "window": "1h"
                      },
                      "rule": "page 13.44",
                      "severity": "page",
                      "short": {
                        "bad": 131.0,
                        "burn": 30.46511627906977,
                        "coverage": 1.0,
                        "from": "2026-05-28T20:21:40Z",
                        "to": "2026-05-28T20:26:40Z",
                        "total": 4300.0,
                        "window": "5m"
                      },
                      "threshold": 13.44
                    }
                  ],
                  "slo": "checkout/availability",
                  "timeWeighted": false,
                  "totalQuery": "sum(rate(http_requests_total{job=\"checkout\"}[5m]))"
                },
                "id": "checkout/availability:page:1779999990:firing:oncall",
                "incident": "checkout/availability:page:1779999990",
                "severity": "page"
              },
              "endsAt": "0001-01-01T00:00:00Z",
              "fingerprint": "45549c4b4434f448",
              "generatorURL": "http://damper:9095/api/v1/slos/checkout/availability",
              "labels": {
                "alertname": "ErrorBudgetBurn",
                "route": "/pay",
                "service": "checkout",
                "severity": "page",
                "slo": "availability"
              },
              "startsAt": "2026-05-28T20:26:30Z",
              "status": "firing"
            }
          ],
          "commonAnnotations": {
            "runbook": "https://run/checkout",
            "summary": "checkout/availability burns"
          },
          "commonLabels": {
            "alertname": "ErrorBudgetBurn",
            "route": "/pay",
            "service": "checkout",
            "severity": "page",
            "slo": "availability"
          },
          "externalURL": "http://damper:9095/",
          "groupKey": "{}:{alertname=\"ErrorBudgetBurn\", route=\"/pay\", service=\"checkout\", severity=\"page\", slo=\"availability\"}",
          "groupLabels": {
            "alertname": "ErrorBudgetBurn",
            "route": "/pay",
            "service": "checkout",
            "severity": "page",
            "slo": "availability"
          },
          "receiver": "oncall",
          "status": "firing",
          "truncatedAlerts": 0,
          "version": "4"
        }
        "#);
    }

    #[test]
    fn the_body_of_a_resolved_alert_without_evidence() {
        let mut notice = resolved();
        notice.alert.evidence = None;
        insta::assert_snapshot!(pretty(&notice), @r#"
        {
          "alerts": [
            {
              "annotations": {
                "runbook": "https://run/checkout",
                "summary": "checkout/availability burns"
              },
              "damper": {
                "at": "2026-05-28T20:36:40Z",
                "event": "resolved",
                "evidence": null,
                "id": "checkout/availability:page:1779999990:resolved:oncall",
                "incident": "checkout/availability:page:1779999990",
                "severity": "page"
              },
              "endsAt": "2026-05-28T20:36:40Z",
              "fingerprint": "45549c4b4434f448",
              "generatorURL": "http://damper:9095",
              "labels": {
                "alertname": "ErrorBudgetBurn",
                "route": "/pay",
                "service": "checkout",
                "severity": "page",
                "slo": "availability"
              },
              "startsAt": "2026-05-28T20:26:30Z",
              "status": "resolved"
            }
          ],
          "commonAnnotations": {
            "runbook": "https://run/checkout",
            "summary": "checkout/availability burns"
          },
          "commonLabels": {
            "alertname": "ErrorBudgetBurn",
            "route": "/pay",
            "service": "checkout",
            "severity": "page",
            "slo": "availability"
          },
          "externalURL": "http://damper:9095/",
          "groupKey": "{}:{alertname=\"ErrorBudgetBurn\", route=\"/pay\", service=\"checkout\", severity=\"page\", slo=\"availability\"}",
          "groupLabels": {
            "alertname": "ErrorBudgetBurn",
            "route": "/pay",
            "service": "checkout",
            "severity": "page",
            "slo": "availability"
          },
          "receiver": "oncall",
          "status": "resolved",
          "truncatedAlerts": 0,
          "version": "4"
        }
        "#);
    }

    #[test]
    fn an_alert_that_ended_before_it_began_ends_when_it_began() {
        let mut notice = resolved();
        notice.alert.ends_at = Some(Ts(0));
        let body: serde_json::Value = serde_json::from_slice(&body(&notice, "").unwrap()).unwrap();
        assert_eq!(body["alerts"][0]["endsAt"], body["alerts"][0]["startsAt"]);
    }

    #[test]
    fn what_is_only_shown_is_marked() {
        let text = pretty(&Notice { shadow: true, ..firing() });
        assert!(text.contains("\"shadow\": true") && text.contains("\"severity\": \"shadow\""), "{text}");
        assert!(!pretty(&firing()).contains("shadow"));
    }
}
