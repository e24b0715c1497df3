//! Writing a lever: compare and set, in one request.

use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::api::{Api, Ask};
use super::object::Object;
use super::writer::MANAGER;
use crate::cluster::fault::Fault;
use crate::cluster::order::Order;

/// A write that meets another writer of the same object, though not of the lever, is made again.
const ATTEMPTS: usize = 3;

/// Makes a patch at `path` that moves the lever of an order, and finds out what happened where the
/// API server did not make it: a failed `test` and a value it does not accept are both 422.
pub(super) async fn compare_and_set<F: Future<Output = Result<u32, Fault>>>(
    api: &Api,
    path: &str,
    order: &Order,
    patch: &Value,
    read: impl Fn() -> F,
) -> Result<(), Fault> {
    let path = format!("{path}?fieldManager={MANAGER}");
    let ask = Ask::Patch(patch.clone());
    let mut last = None;
    for _ in 0..ATTEMPTS {
        let fault = match api.ask::<IgnoredAny>(&ask, &path).await {
            Ok(_) => return Ok(()),
            Err(fault) => fault,
        };
        let is_refused = fault.status() == Some(422);
        if !is_refused && !matches!(fault, Fault::Conflict { .. }) {
            return Err(fault);
        }
        match read().await? {
            at if at == order.from && is_refused => return Err(fault),
            at if at == order.from => last = Some(fault),
            // Made before its answer was lost, or somebody else wanted the same.
            at if at == order.to => return Ok(()),
            at => return Err(moved(order, at)),
        }
    }
    Err(last.unwrap_or_else(|| Fault::unreachable("no attempt was made")))
}

/// Somebody else moved the lever.
pub(super) fn moved(order: &Order, at: u32) -> Fault {
    let why = format!("it stands at {at}, not at {} any more: somebody else moved it", order.from);
    Fault::Conflict { at: Some(at), why }
}

/// Sets the count through the scale subresource at `path`.
pub(super) async fn count(api: &Api, path: &str, order: &Order) -> Result<(), Fault> {
    let patch = json!([
        {"op": "test", "path": "/spec/replicas", "value": order.from},
        {"op": "replace", "path": "/spec/replicas", "value": order.to},
    ]);
    let read = || async { Ok(wanted(&api.ask(&Ask::Get, path).await?)) };
    compare_and_set(api, path, order, &patch, read).await
}

/// The count in the answer of a scale subresource, which leaves out a zero.
pub(super) fn wanted(scale: &Object) -> u32 {
    scale.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or_default()
}
