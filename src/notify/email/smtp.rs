//! One SMTP conversation, from connecting to the server's word that it has the mail.
//!
//! Recipients are named one by one, because lettre's own `send` gives the mail up when one of them
//! is refused: somebody's deleted account would silence everybody else's pages.

use lettre::Message;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;

use super::settings::{EmailConfig, Encryption};
use crate::notify::cause::{chain, is_tls, told};
use crate::notify::outcome::{Outcome, Reason};

/// The server has the mail: what it said about recipients it refused, and the connection to close.
pub(super) struct Taken {
    pub(super) refused: Option<String>,
    pub(super) connection: AsyncSmtpConnection,
}

/// Has no timeout of its own: the caller limits the whole.
pub(super) async fn converse(
    who: &str,
    config: &EmailConfig,
    tls: Option<&TlsParameters>,
    login: Option<Credentials>,
    message: &Message,
) -> Result<Taken, Outcome> {
    let failed = |error: Error| judge(who, "", &error);
    let mut connection = connect(who, config, tls).await?;
    if let Some(login) = login {
        connection.auth(DEFAULT_MECHANISMS, &login).await.map_err(|error| refused_login(who, &error))?;
    }
    let envelope = message.envelope();
    connection.command(Mail::new(envelope.from().cloned(), Vec::new())).await.map_err(failed)?;
    let mut refusals = Vec::new();
    for address in envelope.to() {
        if let Err(error) = connection.command(Rcpt::new(address.clone(), Vec::new())).await {
            let refusal = judge(who, &format!(" for {address}"), &error);
            // Without a status the connection itself is broken.
            if error.status().is_none() {
                return Err(refusal);
            }
            refusals.push(refusal);
        }
    }
    if refusals.len() == envelope.to().len() {
        return Err(worst(who, refusals));
    }
    connection.command(Data).await.map_err(failed)?;
    connection.message(&message.formatted()).await.map_err(failed)?;
    let said: Vec<_> = refusals.iter().filter_map(|refusal| Some(refusal.failure()?.1)).collect();
    let refused = (!said.is_empty()).then(|| said.join("; "));
    Ok(Taken { refused, connection })
}

async fn connect(
    who: &str,
    config: &EmailConfig,
    tls: Option<&TlsParameters>,
) -> Result<AsyncSmtpConnection, Outcome> {
    let failed = |error: Error| judge(who, "", &error);
    let helo = config.helo.clone().map_or_else(ClientId::default, ClientId::Domain);
    let server = (config.host.as_str(), config.port);
    let wrapped = if config.encryption == Encryption::Implicit { tls.cloned() } else { None };
    let mut connection =
        AsyncSmtpConnection::connect_tokio1(server, None, &helo, wrapped, None).await.map_err(failed)?;
    if config.encryption == Encryption::Starttls {
        let Some(tls) = tls.filter(|_| connection.can_starttls()) else {
            let error = format!(
                "{who} offers no STARTTLS, so nothing was sent; use tls: implicit, or the server's submission port"
            );
            return Err(Outcome::retry(Reason::Tls, error));
        };
        connection.starttls(tls.clone(), &helo).await.map_err(failed)?;
    }
    Ok(connection)
}

/// No recipient was taken: worth a retry if it is for any of them.
fn worst(who: &str, mut refusals: Vec<Outcome>) -> Outcome {
    let temporary = refusals.iter().position(|refusal| matches!(refusal, Outcome::Retry { .. })).unwrap_or(0);
    if refusals.is_empty() {
        return Outcome::permanent(Reason::ClientError, format!("{who}: nobody to send to"));
    }
    refusals.swap_remove(temporary)
}

/// A login that was refused for good is the login's fault; anything else is judged as always.
fn refused_login(who: &str, error: &Error) -> Outcome {
    if error.is_client() || error.is_permanent() {
        let error = format!("{who} did not accept the login: {}", told(error));
        return Outcome::permanent(Reason::AuthError, error);
    }
    judge(who, "", error)
}

/// SMTP 4xx and the network may pass; 5xx and what lettre refuses to send will not.
fn judge(who: &str, what: &str, error: &Error) -> Outcome {
    let text = format!("{who}{what}: {}", told(error));
    if let Some(code) = error.status() {
        return match u16::from(code) {
            530 | 534 | 535 | 538 => Outcome::permanent(Reason::AuthError, text),
            500.. => Outcome::permanent(Reason::ClientError, text),
            _ => Outcome::retry(Reason::ServerError, text),
        };
    }
    if error.is_tls() || chain(error).any(is_tls) {
        return Outcome::retry(Reason::Tls, text);
    }
    if error.is_timeout() {
        return Outcome::retry(Reason::Timeout, text);
    }
    if error.is_client() {
        return Outcome::permanent(Reason::ClientError, text);
    }
    let reason = if error.is_response() { Reason::Garbage } else { Reason::Unreachable };
    Outcome::retry(reason, text)
}
