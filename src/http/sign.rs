//! The signature of a request's body.

use aws_lc_rs::hmac;

use crate::slo::time::Ts;

/// `t=<unix seconds>,v1=<hex of HMAC-SHA256(key, "<t>." + body)>`.
pub(super) fn signature(key: &[u8], now: Ts, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let mut context = hmac::Context::with_key(&key);
    context.update(now.0.to_string().as_bytes());
    context.update(b".");
    context.update(body);
    format!("t={},v1={}", now.0, hex(context.sign().as_ref()))
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_what_other_tools_compute() {
        // printf '1780000000.{"a":1}' | openssl dgst -sha256 -hmac 'It is a secret'
        assert_eq!(
            signature(b"It is a secret", Ts(1_780_000_000), br#"{"a":1}"#),
            "t=1780000000,v1=661fcb22547516634635ee827769ec429f2e482c15904c7cc1ce1d5b52d87ac7"
        );
    }
}
