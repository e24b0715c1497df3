//! Names of things for other systems: Prometheus' label fingerprint, and digests that fit anywhere.

use aws_lc_rs::digest::{SHA256, digest};

use crate::http::hex;
use crate::slo::model::Labels;

/// The 64-bit FNV-1a hash Prometheus and Alertmanager identify a label set by, in 16 hex digits:
/// over name, `0xff`, value, `0xff` in the order of names, without empty values.
pub(super) fn fingerprint(labels: &Labels) -> String {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let mut hash = OFFSET;
    for (name, value) in labels.iter().filter(|(_, value)| !value.is_empty()) {
        for part in [name, value] {
            for byte in part.bytes().chain([0xff]) {
                hash = (hash ^ u64::from(byte)).wrapping_mul(PRIME);
            }
        }
    }
    format!("{hash:016x}")
}

/// The first 32 hex digits of a SHA-256: a stable name for any text where only letters and digits are allowed.
pub(super) fn short_digest(text: &str) -> String {
    let mut name = hex(digest(&SHA256, text.as_bytes()).as_ref());
    name.truncate(32);
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_those_of_alertmanager() {
        // Read from GET /api/v2/alerts of Alertmanager 0.25.0 for exactly these labels.
        let labels = Labels::from([
            ("alertname".into(), "ErrorBudgetBurn".into()),
            ("service".into(), "checkout".into()),
            ("empty".into(), String::new()),
        ]);
        assert_eq!(fingerprint(&labels), "b3dca0980c62b441");
        assert_eq!(fingerprint(&Labels::new()), "cbf29ce484222325");
    }

    #[test]
    fn digests_are_stable_and_plain() {
        assert_eq!(short_digest("abc"), "ba7816bf8f01cfea414140de5dae2223");
    }
}
