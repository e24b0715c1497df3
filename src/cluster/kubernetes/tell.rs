//! Telling on the workload: an Event that `kubectl describe` shows. Each is an object that the cluster
//! keeps for an hour, so only what people look for is told, and a reason to hold not again and again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::SecondsFormat;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::object::{Object, Reference};
use crate::cluster::order::Remark;

/// Where Events are, since Kubernetes 1.19.
pub(super) const EVENTS: &str = "/apis/events.k8s.io/v1";

/// What the API takes, in bytes.
const LONGEST_NOTE: usize = 1024;
const LONGEST_WORD: usize = 128;

/// How often a workload is told the same reason to hold, at most.
const HELD_EVERY: Duration = Duration::from_secs(300);
/// Reasons of workloads that are remembered at most.
const MOST: usize = 10_000;

/// When a workload was told a reason to hold last.
#[derive(Default)]
pub(super) struct Told(Mutex<HashMap<String, Instant>>);

impl Told {
    /// Whether this is told, which then counts as told. Every move is; a reason to hold is where somebody
    /// should look, or somebody else's move is respected.
    pub(super) fn is_told(&self, about: &str, remark: &Remark) -> bool {
        if remark.action == "Scale" {
            return true;
        }
        if !remark.is_warning && remark.reason != "SLOManualOverride" {
            return false;
        }
        let key = format!("{about} {}", remark.reason);
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if told.get(&key).is_some_and(|at| at.elapsed() < HELD_EVERY) {
            return false;
        }
        if told.len() >= MOST {
            told.clear();
        }
        told.insert(key, Instant::now());
        true
    }
}

/// The Event about an object.
pub(super) fn event(about: &Reference, object: &Object, remark: &Remark) -> Value {
    let at = remark.at.to_datetime().unwrap_or_default();
    let meta = &object.metadata;
    json!({
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"generateName": "damper-", "namespace": meta.namespace},
        "eventTime": at.to_rfc3339_opts(SecondsFormat::Micros, true),
        "type": if remark.is_warning { "Warning" } else { "Normal" },
        "reason": cut(&remark.reason, LONGEST_WORD),
        "action": cut(&remark.action, LONGEST_WORD),
        "note": cut(&remark.note, LONGEST_NOTE),
        "reportingController": "damper.dev/damper",
        "reportingInstance": "damper",
        "regarding": {
            "apiVersion": about.api_version,
            "kind": about.kind,
            "namespace": meta.namespace,
            "name": meta.name,
            "uid": meta.uid,
        },
    })
}

/// The beginning, in whole characters.
fn cut(text: &str, longest: usize) -> &str {
    if text.len() <= longest {
        return text;
    }
    let end = (0..=longest).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slo::time::Ts;

    #[test]
    fn an_event_names_its_workload_and_fits() {
        let object: Object = serde_json::from_value(json!({"metadata": {
            "name": "checkout", "namespace": "shop", "uid": "u-1", "resourceVersion": "7"}}))
        .unwrap();
        let about =
            Reference { api_version: "apps/v1".into(), kind: "Deployment".into(), name: "checkout".into() };
        let remark = Remark {
            reason: "SLOScaledUp".into(),
            action: "Scale".into(),
            note: "ü".repeat(1000),
            is_warning: false,
            at: Ts(1_780_000_000),
        };
        let event = event(&about, &object, &remark);
        assert_eq!(event["eventTime"], "2026-05-28T20:26:40.000000Z");
        assert_eq!((&event["regarding"]["uid"], &event["type"]), (&json!("u-1"), &json!("Normal")));
        let note = event["note"].as_str().unwrap();
        assert_eq!((note.len(), note.chars().count()), (1024, 512));
        assert_eq!(cut("aü", 2), "a");
    }

    #[tokio::test(start_paused = true)]
    async fn moves_are_told_and_a_reason_to_hold_now_and_then() {
        let told = Told::default();
        let is_told = |about: &str, action: &str, reason: &str, is_warning: bool| {
            let own = |text: &str| text.to_owned();
            let (reason, action, note) = (own(reason), own(action), own("x"));
            told.is_told(about, &Remark { reason, action, note, is_warning, at: Ts(1) })
        };
        assert!(!is_told("a", "Hold", "SLOHold", false), "calm is no news");
        assert!(is_told("a", "Hold", "SLOHold", true));
        assert!(!is_told("a", "Hold", "SLOHold", true), "not again so soon");
        assert!(is_told("a", "Hold", "SLOReplicaFight", true), "that is another matter");
        assert!(is_told("b", "Hold", "SLOManualOverride", false));
        for _ in 0..3 {
            assert!(is_told("a", "Scale", "SLOScaledUp", false));
        }
        tokio::time::advance(HELD_EVERY).await;
        assert!(is_told("a", "Hold", "SLOHold", true));
    }
}
