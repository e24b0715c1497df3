//! Doors to what is private, for `tests/fuzz` alone: bytes as they come from outside go in, what was
//! read in them comes out.
//!
//! All of them in one place, hidden and thin: nothing is decided here, and nothing else may lean on it.

use http::StatusCode;
use serde_json::Value;

use crate::cluster::{Fault, webhook};
use crate::engine::ledger::{Keep, Ledger};
use crate::engine::plan::Plan;
use crate::engine::sample::{Answer, Query};
use crate::engine::scale::Workload;
use crate::http::Reply;
use crate::slo::time::Ts;
use crate::{cli, prometheus, service};

/// What a source's answer to a query says.
pub fn answer(code: u16, body: &[u8], query: &Query) -> Answer {
    prometheus::decode(code, body, query)
}

/// What an actuator's answer says of a workload.
///
/// # Errors
/// What the answer is, if it is no workload.
pub fn workload(
    status: StatusCode,
    retry_after: Option<String>,
    body: &[u8],
    now: Ts,
) -> Result<Workload, Fault> {
    let reply = Reply { status, retry_after, location: None, date: None, body: body.to_vec() };
    webhook::workload("http://127.0.0.1", "web", reply, now)
}

/// How many of an Alertmanager's alerts its silences are about.
///
/// # Errors
/// What is not an answer of an Alertmanager.
pub fn silenced(silences: &Value, alerts: &Value) -> Result<usize, String> {
    cli::silenced(silences, alerts).map_err(|error| error.to_string())
}

/// What the ledger keeps for a plan.
pub fn keeps(plan: &Plan, now: Ts) -> Vec<Keep> {
    service::keeps(plan, now)
}

/// Books one page of the journal; says whether it could be read.
pub fn turn(page: &[u8], ledger: &mut Ledger) -> bool {
    service::turn(page, ledger)
}

/// The whole records of a spill file, written again; and how many there are.
pub fn spilled(file: &[u8]) -> (Vec<u8>, usize) {
    service::degraded::again(file)
}

/// Whether a state that is no alert's can be read.
pub fn state_is_readable(key: &str, body: &str) -> bool {
    service::kinds::is_readable(key, body).unwrap_or(false)
}
