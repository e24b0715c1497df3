//! What the rows of the store's `states` are, by how their keys begin. The rest are alerts.

use super::{catchup, changed, exclusions, scaling};

type IsReadable = fn(key: &str, body: &str) -> bool;

/// How keys begin, and whether a row under one can be read.
const KINDS: [(&str, IsReadable); 4] = [
    (scaling::PREFIX, scaling::is_readable),
    (exclusions::PREFIX, |_, body| exclusions::is_readable(body)),
    (catchup::PREFIX, |_, body| catchup::is_readable(body)),
    (changed::PREFIX, |_, body| changed::is_readable(body)),
];

/// Whether a row is an alert's.
pub(super) fn is_alert(key: &str) -> bool {
    !KINDS.iter().any(|(prefix, _)| key.starts_with(prefix))
}

/// Whether a row can be read that is none; `None` of an alert.
pub(crate) fn is_readable(key: &str, body: &str) -> Option<bool> {
    let (_, is_readable) = KINDS.iter().find(|(prefix, _)| key.starts_with(prefix))?;
    Some(is_readable(key, body))
}
