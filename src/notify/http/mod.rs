//! HTTP to addresses that users give: one client builder, one way to send, one reading of the answer.
//!
//! Every client has a connect and a total timeout, follows no redirect, uses no proxy from the
//! environment, and reads at most [`MAX_BODY`] bytes of an answer.

mod answer;
mod client;
mod settings;

pub(in crate::notify) use answer::excerpt;
pub use answer::{judge, judge_error, retry_after};
pub use client::{Client, MAX_BODY, Reply};
pub(in crate::notify) use client::{origin, read, read_pem};
pub use settings::{
    Auth, BasicAuthSettings, HttpConfig, HttpSettings, TlsConfig, TlsSettings, secret, span, timeout, url,
};
