//! `email:` in the settings.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use lettre::message::Mailbox;
use serde::Deserialize;

use crate::http::{self, Problems};
use crate::secret::Secret;

/// As written.
#[derive(Clone, Deserialize, Debug)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct EmailSettings {
    to: Vec<String>,
    from: String,
    smtp: SmtpSettings,
    timeout: Option<String>,
}

/// `smtp:`
#[derive(Clone, Deserialize, Debug)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SmtpSettings {
    host: String,
    port: Option<u16>,
    #[serde(default)]
    tls: Encryption,
    #[serde(default)]
    allow_plaintext: bool,
    username: Option<String>,
    password: Option<Secret>,
    password_file: Option<PathBuf>,
    ca: Option<PathBuf>,
    helo: Option<String>,
}

/// How the conversation is encrypted.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, Default, Debug)]
#[serde(rename_all = "lowercase")]
pub enum Encryption {
    /// After `STARTTLS`, which is required: without it nothing is sent.
    #[default]
    Starttls,
    /// From the first byte.
    Implicit,
    /// Not at all: only to this machine, unless `allowPlaintext` is set.
    None,
}

/// Checked.
#[derive(Clone, Debug)]
pub struct EmailConfig {
    /// Who is told; not empty.
    pub to: Vec<Mailbox>,
    /// Who tells.
    pub from: Mailbox,
    /// Server name or address; the certificate must be for it.
    pub host: String,
    /// Server port.
    pub port: u16,
    /// How the conversation is encrypted.
    pub encryption: Encryption,
    /// User and password.
    pub login: Option<(String, Secret)>,
    /// The only authorities trusted, instead of the system's.
    pub ca: Option<PathBuf>,
    /// The name said in `EHLO`; by default this machine's.
    pub helo: Option<String>,
    /// For the whole conversation.
    pub timeout: Duration,
}

impl EmailSettings {
    /// Checks every key; `None` when one is wrong, with the problems noted under `at`.
    pub fn check(self, at: &str, problems: &mut Problems) -> Option<EmailConfig> {
        let before = problems.0.len();
        if self.to.is_empty() {
            problems.add(format!("{at}.to"), "empty; write at least one address");
        }
        let to: Vec<_> = self
            .to
            .iter()
            .enumerate()
            .filter_map(|(i, text)| mailbox(text, &format!("{at}.to[{i}]"), problems))
            .collect();
        let from = mailbox(&self.from, &format!("{at}.from"), problems);
        let timeout = http::timeout(self.timeout.as_deref(), Duration::from_secs(30), at, problems);
        let smtp_at = format!("{at}.smtp");
        self.smtp.check(&smtp_at, problems);
        let login = self.smtp.login(&smtp_at, problems);
        let smtp = self.smtp;
        if problems.0.len() > before {
            return None;
        }
        Some(EmailConfig {
            to,
            from: from?,
            port: smtp.port.unwrap_or(smtp.tls.default_port()),
            host: smtp.host,
            encryption: smtp.tls,
            login: login?,
            ca: smtp.ca,
            helo: smtp.helo,
            timeout: timeout?,
        })
    }
}

impl Encryption {
    const fn default_port(self) -> u16 {
        match self {
            Self::Starttls => 587,
            Self::Implicit => 465,
            Self::None => 25,
        }
    }
}

impl SmtpSettings {
    fn check(&self, at: &str, problems: &mut Problems) {
        if !is_host(&self.host) {
            problems.add(
                format!("{at}.host"),
                "not a host name or address; write mail.example.org, the port goes into port",
            );
        }
        if self.helo.as_deref().is_some_and(|helo| !is_host(helo)) {
            problems.add(format!("{at}.helo"), "not a host name");
        }
        if self.port == Some(0) {
            problems.add(format!("{at}.port"), "a port is 1 to 65535");
        }
        let open = self.tls == Encryption::None && !is_loopback(&self.host);
        if open && !self.allow_plaintext {
            problems.add(
                format!("{at}.tls"),
                "none sends pages readable by everybody in between, so it is for this machine only; \
                 use starttls or implicit, or set allowPlaintext: true",
            );
        }
        if open && self.username.is_some() {
            problems.add(format!("{at}.username"), "a password is not sent over a network without TLS");
        }
        if self.tls == Encryption::None && self.ca.is_some() {
            problems.add(format!("{at}.ca"), "has no effect with tls: none");
        }
    }

    /// The outer `None` means a problem was noted.
    fn login(&self, at: &str, problems: &mut Problems) -> Option<Option<(String, Secret)>> {
        let password = http::secret(
            (self.password.clone(), "password"),
            (self.password_file.clone(), "passwordFile"),
            at,
            problems,
        )?;
        match (self.username.clone(), password) {
            (Some(username), Some(password)) => Some(Some((username, password))),
            (None, None) => Some(None),
            _ => {
                problems.add(at, "username and password (or passwordFile) belong together");
                None
            }
        }
    }
}

/// An address, with or without a name. Only ASCII ones, which every server takes.
fn mailbox(text: &str, at: &str, problems: &mut Problems) -> Option<Mailbox> {
    let parsed = text.parse::<Mailbox>().map_err(|error| {
        format!("{text:?} is not a mail address ({error}); write user@example.org or Name <user@example.org>")
    });
    let mailbox = problems.keep(at, parsed)?;
    let address: &str = mailbox.email.as_ref();
    if !address.is_ascii() {
        problems.add(at, format!("{address} is not ASCII; write the domain in its xn-- form"));
        return None;
    }
    Some(mailbox)
}

fn is_host(text: &str) -> bool {
    let name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    text.parse::<IpAddr>().is_ok() || (!text.is_empty() && text.chars().all(name))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str) -> Result<EmailConfig, String> {
        let settings: EmailSettings = serde_json::from_str(json).map_err(|e| e.to_string())?;
        let mut problems = Problems::default();
        let config = settings.check("mail", &mut problems);
        config.ok_or_else(|| problems.0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    }

    #[test]
    fn the_port_follows_the_encryption() {
        for (tls, port) in [("starttls", 587), ("implicit", 465)] {
            let json = format!(r#"{{"to":["a@b.c"],"from":"d@e.f","smtp":{{"host":"m","tls":"{tls}"}}}}"#);
            assert_eq!(check(&json).unwrap().port, port);
        }
        let local = r#"{"to":["A <a@b.c>"],"from":"d@e.f","smtp":{"host":"::1","tls":"none","port":2525}}"#;
        assert_eq!(check(local).unwrap().port, 2525);
    }

    #[test]
    fn every_problem_is_told_with_its_key() {
        let problems = check(
            r#"{"to":["nobody","a@b.c\r\nBcc: x@y.z","ü@b.c"],"from":"","timeout":"0s",
                "smtp":{"host":"mail:25","tls":"none","username":"u","helo":"a b","ca":"/x"}}"#,
        );
        insta::assert_snapshot!(problems.unwrap_err(), @r#"
        mail.to[0]: "nobody" is not a mail address (Invalid input); write user@example.org or Name <user@example.org>
        mail.to[1]: "a@b.c\r\nBcc: x@y.z" is not a mail address (Invalid input); write user@example.org or Name <user@example.org>
        mail.to[2]: ü@b.c is not ASCII; write the domain in its xn-- form
        mail.from: "" is not a mail address (Invalid input); write user@example.org or Name <user@example.org>
        mail.timeout: 0s is out of bounds; write 1s to 5m
        mail.smtp.host: not a host name or address; write mail.example.org, the port goes into port
        mail.smtp.helo: not a host name
        mail.smtp.tls: none sends pages readable by everybody in between, so it is for this machine only; use starttls or implicit, or set allowPlaintext: true
        mail.smtp.username: a password is not sent over a network without TLS
        mail.smtp.ca: has no effect with tls: none
        mail.smtp: username and password (or passwordFile) belong together
        "#);
        assert!(
            check(r#"{"to":[],"from":"a@b.c","smtp":{"host":"m"}}"#).unwrap_err().contains("mail.to: empty")
        );
    }
}
