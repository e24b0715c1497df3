//! Reading chains of errors.

use std::error::Error;

/// An error and what caused it, outermost first.
pub(crate) fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |cause| (**cause).source())
}

/// Whether one error, or one wrapped in it as an I/O error (which hides its inner one from the chain), is of TLS.
pub(crate) fn is_tls(cause: &(dyn Error + 'static)) -> bool {
    let wrapped = || cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    cause.is::<rustls::Error>() || wrapped().is_some_and(|inner| is_tls(inner))
}

/// The whole chain on one line, without what an outer error already said.
pub(crate) fn told(error: &(dyn Error + 'static)) -> String {
    let mut told = String::new();
    for text in chain(error).map(ToString::to_string) {
        if !told.ends_with(&text) {
            told.push_str(if told.is_empty() { "" } else { ": " });
            told.push_str(&text);
        }
    }
    told
}
