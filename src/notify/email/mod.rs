//! Email over SMTP: encrypted unless to this machine, text and HTML, one thread per incident.

mod message;
mod settings;
mod smtp;
mod taken;

use std::time::Duration;

use futures_util::future::BoxFuture;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, TlsParameters};

use super::outcome::{Outcome, Reason};
use super::receiver::Receiver;
use super::render::{Renderer, Sources};
use crate::engine::notice::Notice;
use crate::http::{Problem, read, read_pem};
use crate::slo::time::Ts;
pub use settings::{EmailConfig, EmailSettings, Encryption, SmtpSettings};
use taken::TakenBy;

/// Longest wait for the server's good-bye once it has the mail.
const QUIT: Duration = Duration::from_secs(1);

/// A mail receiver, ready to send. Each notice is a conversation of its own: pages are rare, and a
/// connection kept open is one more thing that may have died since.
#[derive(Debug)]
pub struct Email {
    who: String,
    config: EmailConfig,
    tls: Option<Tls>,
    renderer: Renderer,
    external_url: String,
    taken: TakenBy,
}

/// [`TlsParameters`] cannot be printed.
struct Tls(TlsParameters);

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

impl Email {
    /// Reads the authority's certificate and compiles the templates; `at` is where the settings
    /// stand, `external_url` where people reach Damper.
    pub fn new(at: &str, config: &EmailConfig, external_url: &str) -> Result<Self, Problem> {
        let problem = |key: &str, message: String| Problem { at: format!("{at}.{key}"), message };
        let tls = match config.encryption {
            Encryption::None => None,
            Encryption::Starttls | Encryption::Implicit => {
                Some(Tls(tls(config).map_err(|why| problem("smtp.ca", why))?))
            }
        };
        Ok(Self {
            who: format!("smtp://{}:{}", config.host, config.port),
            config: config.clone(),
            tls,
            renderer: Renderer::new(Sources::BUILT_IN).map_err(|why| problem("templates", why))?,
            external_url: external_url.to_owned(),
            taken: TakenBy::default(),
        })
    }

    async fn attempt(&self, notice: &Notice, now: Ts) -> Result<Outcome, Outcome> {
        let mail = self.renderer.render(notice, &self.external_url);
        if let Some(problem) = &mail.problem {
            tracing::warn!(notice = notice.id, problem, "a template failed; the mail is sent as plain text");
        }
        let message =
            message::message(notice, mail, &self.config.from, &self.config.to, now).map_err(|error| {
                Outcome::permanent(
                    Reason::Garbage,
                    format!("{}: the mail cannot be written: {error}", self.who),
                )
            })?;
        let login = match &self.config.login {
            Some((user, password)) => Some(Credentials::new(user.clone(), read(&self.who, password).await?)),
            None => None,
        };
        let tls = self.tls.as_ref().map(|tls| &tls.0);
        let to = self.taken.left(&notice.id, self.config.to.iter().map(|mailbox| mailbox.email.clone()));
        let conversation = smtp::converse(&self.who, &self.config, tls, login, &message, &to);
        let limit = self.config.timeout;
        let done = tokio::time::timeout(limit, Box::pin(conversation)).await.unwrap_or_else(|_| {
            let error = format!("{} did not finish the conversation within {limit:?}", self.who);
            Err(Outcome::retry(Reason::Timeout, error))
        });
        let mut taken = match done {
            Ok(taken) => taken,
            // As if all had been asked at once: the last ones are refused, and others have it.
            Err(Outcome::Permanent { reason: Reason::ClientError, error })
                if to.len() < self.config.to.len() =>
            {
                self.taken.forget(&notice.id);
                return Ok(Outcome::Delivered { note: Some(error) });
            }
            Err(outcome) => return Err(outcome),
        };
        // The mail is theirs now, whatever becomes of the good-bye.
        let _ = tokio::time::timeout(QUIT, taken.connection.quit()).await;
        if let Some(error) = taken.later {
            self.taken.add(&notice.id, taken.by);
            return Err(Outcome::retry(Reason::ServerError, error));
        }
        self.taken.forget(&notice.id);
        Ok(Outcome::Delivered { note: taken.refused })
    }
}

impl Receiver for Email {
    fn deliver<'a>(&'a self, notice: &'a Notice, now: Ts) -> BoxFuture<'a, Outcome> {
        Box::pin(async move { self.attempt(notice, now).await.unwrap_or_else(|outcome| outcome) })
    }
}

fn tls(config: &EmailConfig) -> Result<TlsParameters, String> {
    let mut builder = TlsParameters::builder(config.host.clone());
    if let Some(path) = &config.ca {
        let none = || format!("{} holds no PEM certificate", path.display());
        let pem = read_pem(path)?;
        if !String::from_utf8_lossy(&pem).contains("-----BEGIN CERTIFICATE-----") {
            return Err(none());
        }
        let authority = Certificate::from_pem(&pem).map_err(|_| none())?;
        builder = builder.certificate_store(CertificateStore::None).add_root_certificate(authority);
    }
    builder.build().map_err(|error| format!("TLS cannot be set up: {error}"))
}

#[cfg(test)]
mod tests;
