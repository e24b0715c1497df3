//! The receiver: prints what Damper sends, and remembers who was told what.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::Value;
use tokio::task::JoinSet;

use super::Result;

/// Severity and status, once per alert that arrived.
type Told = Arc<Mutex<Vec<(String, String)>>>;

/// A webhook receiver; gone when dropped.
pub(crate) struct Webhook {
    address: String,
    told: Told,
    _server: JoinSet<()>,
}

impl Webhook {
    /// Listens on a free port.
    pub(crate) async fn start() -> Result<Self> {
        let told = Told::default();
        let router = Router::new().route("/alerts", post(take)).with_state(Arc::clone(&told));
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?.to_string();
        let mut server = JoinSet::new();
        // It ends only with the demo.
        server.spawn(async move { drop(axum::serve(listener, router).await) });
        Ok(Self { address, told, _server: server })
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Whether an alert of this severity arrived with this status.
    pub(crate) fn told(&self, (severity, status): (&str, &str)) -> bool {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.iter().any(|(s, t)| s == severity && t == status)
    }
}

async fn take(State(told): State<Told>, headers: HeaderMap, Json(body): Json<Value>) {
    let key = headers.get("Idempotency-Key").and_then(|key| key.to_str().ok()).unwrap_or("none");
    let alerts = body.get("alerts").and_then(Value::as_array);
    for alert in alerts.into_iter().flatten() {
        let status = text(alert, "/status");
        let severity = text(alert, "/labels/severity");
        println!("\n  ┌─ the webhook received: {} {severity}, Idempotency-Key {key}", status.to_uppercase());
        if status == "firing" {
            show(alert, 0);
        } else {
            println!("  │ {}", text(alert, "/annotations/summary"));
        }
        println!("  └─\n");
        told.lock().unwrap_or_else(PoisonError::into_inner).push((severity, status));
    }
}

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Prints JSON so that it can be read: what is short stays on one line.
fn show(value: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    let fields: Vec<(String, &Value)> = match value {
        Value::Object(map) => map.iter().map(|(name, value)| (format!("{name}: "), value)).collect(),
        Value::Array(items) => items.iter().map(|value| ("- ".to_owned(), value)).collect(),
        _ => Vec::new(),
    };
    for (name, value) in fields {
        let line = value.to_string();
        let nested = matches!(value, Value::Object(_) | Value::Array(_));
        if nested && line.len() > 90 {
            println!("  │ {indent}{}", name.trim_end());
            show(value, depth + 1);
        } else {
            println!("  │ {indent}{name}{}", value.as_str().unwrap_or(&line));
        }
    }
}
