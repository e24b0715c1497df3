//! One SMTP conversation, from connecting to the server's word that it has the mail.
//!
//! Recipients are named one by one, because lettre's own `send` gives the mail up when one of them
//! is refused: somebody's deleted account would silence everybody else's pages.

use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, Message};

use super::settings::{EmailConfig, Encryption};
use crate::http::{chain, is_tls, told};
use crate::notify::outcome::{Outcome, Reason};

/// The server has the mail for some at least.
pub(super) struct Taken {
    /// Those it is for.
    pub(super) by: Vec<Address>,
    /// What was said about the others who may be tried again: grey-listing, a full mailbox.
    pub(super) later: Option<String>,
    /// What was said about those who were refused for good.
    pub(super) refused: Option<String>,
    /// To be closed.
    pub(super) connection: AsyncSmtpConnection,
}

/// Sends the mail to the recipients named in `to`. Has no timeout of its own: the caller limits the whole.
pub(super) async fn converse(
    who: &str,
    config: &EmailConfig,
    tls: Option<&TlsParameters>,
    login: Option<Credentials>,
    message: &Message,
    to: &[Address],
) -> Result<Taken, Outcome> {
    let failed = |error: Error| judge(who, "", &error);
    let mut connection = connect(who, config, tls).await?;
    if let Some(login) = login {
        connection.auth(DEFAULT_MECHANISMS, &login).await.map_err(|error| refused_login(who, &error))?;
    }
    let from = message.envelope().from().cloned();
    connection.command(Mail::new(from, Vec::new())).await.map_err(failed)?;
    let (mut by, mut refusals) = (Vec::new(), Vec::new());
    for address in to {
        match connection.command(Rcpt::new(address.clone(), Vec::new())).await {
            Ok(_) => by.push(address.clone()),
            // Without a status the connection itself is broken.
            Err(error) if error.status().is_none() => return Err(judge(who, "", &error)),
            Err(error) => refusals.push(judge(who, &format!(" for {address}"), &error)),
        }
    }
    if by.is_empty() {
        return Err(worst(who, refusals));
    }
    connection.command(Data).await.map_err(failed)?;
    connection.message(&message.formatted()).await.map_err(failed)?;
    let (later, refused): (Vec<Outcome>, Vec<Outcome>) =
        refusals.into_iter().partition(|refusal| matches!(refusal, Outcome::Retry { .. }));
    Ok(Taken { by, later: said(&later), refused: said(&refused), connection })
}

fn said(refusals: &[Outcome]) -> Option<String> {
    let said: Vec<&str> = refusals.iter().filter_map(|refusal| Some(refusal.failure()?.1)).collect();
    (!said.is_empty()).then(|| said.join("; "))
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
