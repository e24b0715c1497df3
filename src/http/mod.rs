//! HTTP to addresses that users give, for whoever sends: one client, one set of settings, one
//! signature.
//!
//! Every client has a connect and a total timeout, follows no redirect, uses no proxy from the
//! environment, and reads at most [`MAX_BODY`] bytes of an answer.

mod cause;
mod client;
mod failure;
mod problem;
mod settings;
mod sign;
mod webhook;

pub(crate) use cause::{chain, is_tls, told};
pub use client::{Client, MAX_BODY, Reply};
pub(crate) use client::{origin, read, read_pem};
pub use failure::{Failure, MAX_RETRY_AFTER, Reason, retry_after};
pub(crate) use failure::{excerpt, is_temporary};
pub use problem::{Problem, Problems};
pub use settings::{
    Auth, BasicAuthSettings, HttpConfig, HttpSettings, TlsConfig, TlsSettings, secret, span, timeout, url,
};
pub(crate) use sign::hex;
pub use webhook::{Webhook, WebhookConfig, WebhookSettings};
