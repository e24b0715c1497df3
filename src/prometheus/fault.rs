//! What went wrong on the way to an answer, in words a person can act on.

use std::error::Error;
use std::io;

use rustls::{AlertDescription, CertificateError, Error as TlsError};

use super::http::CONNECT_TIMEOUT;
use crate::engine::sample::{Failure, FailureKind};

/// A failed attempt.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) failure: Failure,
    /// Whether asking again at once may help: a reset connection, not a refused certificate.
    pub(super) retry: bool,
}

impl Fault {
    pub(super) fn lasting(kind: FailureKind, message: String) -> Self {
        Self { failure: Failure { kind, message }, retry: false }
    }
}

/// From the HTTP client's error. Whatever fails below HTTP speaks against the source.
pub(super) fn from_transport(error: &reqwest::Error) -> Fault {
    if let Some(tls) = find::<TlsError>(error) {
        return Fault::lasting(FailureKind::Unreachable, tls_words(tls));
    }
    if error.is_timeout() {
        let message = format!(
            "cannot be connected to within {}s; check that it runs and that no firewall drops packets",
            CONNECT_TIMEOUT.as_secs()
        );
        return Fault::lasting(FailureKind::Unreachable, message);
    }
    if error.is_decode() {
        let message = format!("answered with a broken compression: {}", innermost(error));
        return Fault::lasting(FailureKind::Garbage, message);
    }
    let message = match find::<io::Error>(error).map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionRefused) => {
            "refuses connections; is it running, and is the port right?".to_owned()
        }
        _ if error.is_dns() => {
            format!("cannot be found by its name: {}; check the host in `url`", innermost(error))
        }
        _ if error.is_connect() => format!("cannot be connected to: {}", innermost(error)),
        _ => format!("broke off: {}", innermost(error)),
    };
    Fault { failure: Failure { kind: FailureKind::Unreachable, message }, retry: true }
}

fn tls_words(error: &TlsError) -> String {
    let refused = |why: &str| format!("has a certificate that is refused: {why}");
    match error {
        TlsError::InvalidCertificate(why) => match why {
            // A signature is bad when another authority of the same name was given.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                refused("it is not signed by a trusted authority; give the right one in `tls.ca`")
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                refused("it has expired; renew it on the server")
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                refused("it is not valid yet; check both clocks")
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                refused(&format!("{why}; set `tls.serverName` to a name it carries"))
            }
            other => refused(&other.to_string()),
        },
        TlsError::AlertReceived(AlertDescription::CertificateRequired) => {
            "wants a client certificate; give `tls.cert` and `tls.key`".to_owned()
        }
        TlsError::AlertReceived(alert) => {
            format!("refused our TLS connection ({alert:?}); check `tls.cert`, its authority and its dates")
        }
        TlsError::InvalidMessage(_) => {
            "does not speak TLS; should `url` begin with http:// instead of https://?".to_owned()
        }
        other => format!("cannot agree on TLS: {other}"),
    }
}

/// The first error of this type in the chain. I/O errors are looked into: they wrap others without
/// naming them as their source.
fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    None
}

fn innermost(error: &reqwest::Error) -> String {
    let mut inner: &dyn Error = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}
