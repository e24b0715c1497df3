//! One entry of `receivers:`, a name and exactly one kind.

use serde::Deserialize;

use super::alertmanager::{AlertmanagerConfig, AlertmanagerSettings};
use super::email::{EmailConfig, EmailSettings};
use crate::http::{Problem, Problems, WebhookConfig, WebhookSettings};

/// As written. Each kind is a key of its own, so that errors keep their line.
#[derive(Clone, Deserialize, Debug)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ReceiverSettings {
    /// What routes and notices call it.
    pub name: String,
    webhook: Option<WebhookSettings>,
    alertmanager: Option<AlertmanagerSettings>,
    email: Option<EmailSettings>,
}

/// Checked.
#[derive(Clone, Debug)]
pub struct ReceiverConfig {
    /// What routes and notices call it.
    pub name: String,
    /// What it is.
    pub kind: ReceiverKind,
}

/// The kinds of receivers.
#[derive(Clone, Debug)]
pub enum ReceiverKind {
    /// Any HTTP service.
    Webhook(WebhookConfig),
    /// A cluster of Alertmanagers.
    Alertmanager(AlertmanagerConfig),
    /// People's mail.
    Email(EmailConfig),
}

/// Checks all receivers; what is wrong is told in one run, each with its key.
pub fn check_receivers(written: Vec<ReceiverSettings>) -> Result<Vec<ReceiverConfig>, Vec<Problem>> {
    let mut problems = Problems::default();
    let mut checked: Vec<ReceiverConfig> = Vec::new();
    let mut names = std::collections::BTreeSet::new();
    for (i, receiver) in written.into_iter().enumerate() {
        if receiver.name.trim().is_empty() || receiver.name.chars().any(char::is_control) {
            problems.add(format!("receivers[{i}].name"), "a receiver needs a name of visible characters");
            continue;
        }
        if !names.insert(receiver.name.clone()) {
            problems.add(
                format!("receivers[{i}].name"),
                format!("{:?} is taken by another receiver", receiver.name),
            );
        }
        checked.extend(receiver.check(&mut problems));
    }
    if problems.0.is_empty() { Ok(checked) } else { Err(problems.0) }
}

impl ReceiverSettings {
    fn check(self, problems: &mut Problems) -> Option<ReceiverConfig> {
        let at = format!("receivers.{}", self.name);
        let kind = match (self.webhook, self.alertmanager, self.email) {
            (Some(webhook), None, None) => {
                ReceiverKind::Webhook(webhook.check(&format!("{at}.webhook"), problems)?)
            }
            (None, Some(alertmanager), None) => {
                ReceiverKind::Alertmanager(alertmanager.check(&format!("{at}.alertmanager"), problems)?)
            }
            (None, None, Some(email)) => ReceiverKind::Email(email.check(&format!("{at}.email"), problems)?),
            (None, None, None) => {
                problems.add(at, "a kind is missing: webhook, alertmanager or email");
                return None;
            }
            _ => {
                problems.add(at, "only one kind per receiver; make two receivers of it");
                return None;
            }
        };
        Some(ReceiverConfig { name: self.name, kind })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(yaml: &str) -> Result<Vec<ReceiverConfig>, String> {
        let written: Vec<ReceiverSettings> = serde_saphyr::from_str(yaml).map_err(|e| e.to_string())?;
        check_receivers(written)
            .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    }

    #[test]
    fn every_kind_is_read_with_all_its_keys() {
        let checked = check(
            r#"
- name: oncall
  webhook:
    url: https://example.org/alerts
    headers: {X-Team: payments, X-Key: {env: TEAM_KEY}}
    hmacSecretFile: /run/secrets/hmac
    bearerToken: abc
    timeout: 20s
    tls: {ca: /ca.pem, cert: /cert.pem, key: /key.pem, insecureSkipVerify: false}
- name: alertmanager
  alertmanager:
    urls: [http://127.0.0.1:9093, http://127.0.0.1:9094]
    basicAuth: {username: damper, passwordFile: /run/secrets/am}
    resend: 30s
- name: people
  email:
    to: [Ann <ann@example.org>]
    from: damper@example.org
    smtp: {host: mail.example.org, username: damper, password: {file: /run/secrets/mail}, helo: damper.example.org}
    timeout: 1m
"#,
        );
        let checked = checked.unwrap();
        assert_eq!(checked.len(), 3);
        assert!(matches!(&checked[2].kind, ReceiverKind::Email(email) if email.port == 587));
        assert!(!format!("{checked:?}").contains("abc"), "secrets are not printed");
    }

    #[test]
    fn what_is_wrong_is_told_in_one_run() {
        let problems = check(
            r#"
- {name: " "}
- {name: a}
- {name: a, webhook: {url: "ftp://x"}}
- {name: b, webhook: {url: "http://x"}, alertmanager: {urls: []}}
- {name: c, webhook: {url: "http://x", hmacSecret: "", tls: {cert: /c}}}
"#,
        );
        insta::assert_snapshot!(problems.unwrap_err(), @r#"
        receivers[0].name: a receiver needs a name of visible characters
        receivers.a: a kind is missing: webhook, alertmanager or email
        receivers[2].name: "a" is taken by another receiver
        receivers.a.webhook.url: the URL must begin with http:// or https://
        receivers.b: only one kind per receiver; make two receivers of it
        receivers.c.webhook.hmacSecret: empty; write the secret or leave the key out
        receivers.c.webhook.tls: cert and key belong together; give both or neither
        "#);
        let unknown = check("- {name: a, webhook: {url: 'http://x', retries: 3}}").unwrap_err();
        assert!(unknown.contains("retries") && unknown.contains("line 1"), "{unknown}");
    }
}
