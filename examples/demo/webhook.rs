//! The receiver: prints what Damper sends, and remembers who was told what.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::Value;
use tokio::task::JoinSet;

use super::{Result, say, server};

/// Name and severity of an alert, and how often it was said to fire and to be resolved.
type Told = Arc<Mutex<BTreeMap<(String, String), (usize, usize)>>>;

/// A webhook receiver; gone when dropped.
pub(crate) struct Webhook {
    address: String,
    told: Told,
    _tasks: JoinSet<()>,
}

impl Webhook {
    /// Listens on a free port.
    pub(crate) async fn start() -> Result<Self> {
        let told = Told::default();
        let router = Router::new().route("/alerts", post(take)).with_state(Arc::clone(&told));
        let mut tasks = JoinSet::new();
        let address = server::serve(router, &mut tasks).await?;
        Ok(Self { address, told, _tasks: tasks })
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// How many pages for the error budget came.
    pub(crate) fn pages(&self) -> usize {
        let page = ("ErrorBudgetBurn".to_owned(), "page".to_owned());
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.get(&page).map_or(0, |(firing, _)| *firing)
    }

    /// Whether something fires whose end was not told yet.
    pub(crate) fn is_open(&self) -> bool {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.values().any(|(firing, resolved)| firing > resolved)
    }
}

async fn take(State(told): State<Told>, headers: HeaderMap, Json(body): Json<Value>) {
    let key = headers.get("Idempotency-Key").and_then(|key| key.to_str().ok()).unwrap_or("none");
    let alerts = body.get("alerts").and_then(Value::as_array);
    for alert in alerts.into_iter().flatten() {
        let status = text(alert, "/status");
        let (name, severity) = (text(alert, "/labels/alertname"), text(alert, "/labels/severity"));
        let fires = status == "firing";
        let summary = text(alert, "/annotations/summary");
        say(&format!("✉ {severity} {}: {name}. {summary}", status.to_uppercase()));
        if fires && severity == "page" {
            for line in text(alert, "/annotations/description").lines() {
                println!("         │ {line}");
            }
            println!("         │ Runbook: {}", text(alert, "/annotations/runbook"));
            println!("         │ Idempotency-Key: {key}");
        }
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        let (firing, resolved) = told.entry((name, severity)).or_default();
        *(if fires { firing } else { resolved }) += 1;
    }
}

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}
