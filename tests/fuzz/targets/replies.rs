//! What others answer: an actuator about a workload, an Alertmanager about silences, anybody about when
//! to ask again.
//!
//! Parts: a status, a `Retry-After`, a body, a second body.

use std::time::Duration;

use damper::doors;
use damper::http::{MAX_RETRY_AFTER, retry_after};
use http::StatusCode;

use super::parts;
use super::plans::NOW;

pub fn run(data: &[u8]) {
    let parts: Vec<&[u8]> = parts(data).collect();
    let part = |at: usize| parts.get(at).copied().unwrap_or_default();
    let header = String::from_utf8_lossy(part(1)).into_owned();
    let after = retry_after(Some(&header), NOW);
    assert!(after.is_none_or(|after| after <= MAX_RETRY_AFTER && after >= Duration::ZERO));
    let status = StatusCode::from_bytes(part(0)).unwrap_or(StatusCode::OK);
    match doors::workload(status, Some(header), part(2), NOW) {
        Ok(workload) => {
            assert!(status.is_success());
            assert!(workload.blocked.is_none_or(|why| why.chars().count() <= 300));
        }
        Err(fault) => assert!(fault.to_string().len() < 4096, "{fault}"),
    }
    let json = |at: usize| serde_json::from_slice(part(at)).unwrap_or_default();
    if let Ok(silenced) = doors::silenced(&json(2), &json(3)) {
        assert!(silenced <= json(3).as_array().map_or(0, Vec::len));
    }
}
