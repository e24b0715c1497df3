//! Programs that a kubeconfig names to log in with: run to their end within a time, killed after it.
//!
//! kube would run them inside of a request, on a thread that waits for as long as the program likes,
//! and forget the login where the request is given up before. The protocol is
//! `client.authentication.k8s.io`: what is asked is in an environment variable, the answer is JSON.

use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::DateTime;
use kube::config::{AuthInfo, ExecConfig, ExecInteractiveMode};
use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;
use tokio::time::timeout;

use super::Clock;
use crate::http::excerpt;
use crate::slo::time::Ts;

/// Most bytes that are read of what a program says.
const LONGEST: u64 = 1024 * 1024;

#[derive(Deserialize)]
struct Credential {
    status: Option<Status>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    token: Option<String>,
    client_certificate_data: Option<String>,
    client_key_data: Option<String>,
    expiration_timestamp: Option<String>,
}

/// Replaces the program in `auth` by what it answered within `limit`, and says for how long that lasts,
/// where the program said. Without a program nothing is done. The error is for people.
pub(super) async fn log_in(
    auth: &mut AuthInfo,
    limit: Duration,
    clock: Clock,
) -> Result<Option<Duration>, String> {
    if auth.auth_provider.as_ref().is_some_and(|provider| provider.config.contains_key("cmd-path")) {
        let why = "its user logs in by an auth-provider with a command, which Kubernetes has no more since \
                   1.26; log in anew with a kubectl of today, which writes exec instead";
        return Err(why.to_owned());
    }
    // As kube reads it: what is written is taken before a program is asked.
    let is_written = auth.token.is_some()
        || auth.token_file.is_some()
        || (auth.username.is_some() && auth.password.is_some());
    let Some(exec) = auth.exec.take_if(|_| !is_written) else { return Ok(None) };
    let name = exec.command.clone().unwrap_or_default();
    let said = timeout(limit, run(&exec, &name)).await;
    let said = said.map_err(|_| format!("{name}, which it logs in with, did not end within {limit:?}"))??;
    let why = |what: &str| format!("{name}, which it logs in with, answered {what}");
    let credential: Credential =
        serde_json::from_slice(&said).map_err(|error| why(&format!("no ExecCredential: {error}")))?;
    let status = credential.status.ok_or_else(|| why("without a status"))?;
    let lasts = status.expiration_timestamp.as_deref().map(|until| left(until, clock()));
    let lasts = lasts.transpose().map_err(|until| why(&format!("that it lasts until {until:?}")))?;
    let certificate = status.client_certificate_data.zip(status.client_key_data);
    if status.token.is_none() && certificate.is_none() {
        return Err(why("neither a token nor a certificate with its key"));
    }
    auth.token = status.token.map(Into::into);
    if let Some((certificate, key)) = certificate {
        auth.client_certificate_data = Some(BASE64.encode(certificate));
        auth.client_key_data = Some(BASE64.encode(key).into());
    }
    Ok(lasts)
}

fn left(until: &str, now: Ts) -> Result<Duration, String> {
    let at = DateTime::parse_from_rfc3339(until).map_err(|_| until.to_owned())?;
    let left = Ts(at.timestamp()).since(now).secs();
    Ok(Duration::from_secs(u64::try_from(left).unwrap_or(0)))
}

/// What it wrote on its standard output. It ends with this future.
async fn run(exec: &ExecConfig, name: &str) -> Result<Vec<u8>, String> {
    if exec.interactive_mode == Some(ExecInteractiveMode::Always) {
        return Err(format!("{name}, which it logs in with, asks a person, and there is none"));
    }
    let variables = exec.env.iter().flatten().filter_map(|one| Some((one.get("name")?, one.get("value")?)));
    let info = json!({
        "apiVersion": exec.api_version,
        "kind": "ExecCredential",
        "spec": {"interactive": false, "cluster": exec.cluster},
    });
    let mut command = Command::new(name);
    command.args(exec.args.iter().flatten()).envs(variables).env("KUBERNETES_EXEC_INFO", info.to_string());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| {
        let hint = exec.install_hint.as_deref().unwrap_or_default();
        format!("{name}, which it logs in with, cannot be started: {error}. {hint}").trim_end().to_owned()
    })?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let (out, err) = tokio::join!(all(out), all(err));
    let status = child.wait().await.map_err(|error| error.to_string())?;
    if !status.success() {
        return Err(format!("{name}, which it logs in with, failed ({status}): {}", excerpt(&err)));
    }
    Ok(out)
}

/// What a pipe brings, up to a length. One that breaks is one that ended.
async fn all(pipe: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        let _ = pipe.take(LONGEST).read_to_end(&mut bytes).await;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use crate::service::clock;
    use tokio::time::Instant;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);

    fn runs(script: &str) -> AuthInfo {
        let exec = json!({"apiVersion": "client.authentication.k8s.io/v1", "command": "/bin/sh",
                          "args": ["-c", script], "env": [{"name": "WHO", "value": "damper"}]});
        serde_json::from_value(json!({"exec": exec})).unwrap()
    }

    fn told(auth: &AuthInfo) -> serde_json::Value {
        serde_json::to_value(auth).unwrap()
    }

    #[tokio::test]
    async fn a_program_is_asked_once_and_its_answer_stands_in_its_place() {
        let until = clock::now().plus(crate::slo::time::Span::from_mins(10)).to_datetime().unwrap();
        let mut auth = runs(&format!(
            "echo '{{\"status\": {{\"token\": \"'$WHO'\", \"expirationTimestamp\": \"{}\"}}}}'",
            until.to_rfc3339()
        ));
        let lasts = log_in(&mut auth, LIMIT, clock::now).await.unwrap().unwrap();
        assert!(lasts > Duration::from_secs(500) && lasts <= Duration::from_secs(600), "{lasts:?}");
        assert!(auth.exec.is_none() && auth.token.is_some(), "kube would run it again");
        assert_eq!(log_in(&mut auth, LIMIT, clock::now).await, Ok(None));
    }

    #[tokio::test]
    async fn a_certificate_is_handed_on_as_kube_reads_it() {
        let mut auth =
            runs(r#"echo '{"status": {"clientCertificateData": "CERT", "clientKeyData": "KEY"}}'"#);
        assert_eq!(log_in(&mut auth, LIMIT, clock::now).await, Ok(None));
        assert_eq!(told(&auth)["client-certificate-data"], "Q0VSVA==");
    }

    #[tokio::test]
    async fn a_program_that_hangs_is_ended() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pid");
        let mut auth = runs(&format!("echo $$ > {}; exec sleep 1000", file.display()));
        let began = Instant::now();
        let why = log_in(&mut auth, Duration::from_secs(2), clock::now).await.unwrap_err();
        assert!(why.contains("/bin/sh, which it logs in with, did not end within 2s"), "{why}");
        assert!(began.elapsed() < Duration::from_secs(20));
        let pid: i32 = std::fs::read_to_string(&file).unwrap().trim().parse().unwrap();
        let status = || std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let is_over = || status().is_empty() || status().contains("State:\tZ");
        while !is_over() {
            assert!(began.elapsed() < Duration::from_secs(30), "it runs on: {}", status());
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn what_goes_wrong_with_a_program_is_told_without_its_answer() {
        for (script, expected) in [
            ("echo no login here >&2; exit 3", "failed (exit status: 3): no login here"),
            ("echo s3cret", "answered no ExecCredential"),
            ("echo '{}'", "answered without a status"),
            ("echo '{\"status\": {}}'", "answered neither a token"),
            (
                "echo '{\"status\": {\"token\": \"s3cret\", \"expirationTimestamp\": \"soon\"}}'",
                "until \"soon\"",
            ),
        ] {
            let why = log_in(&mut runs(script), LIMIT, clock::now).await.unwrap_err();
            assert!(why.contains(expected) && !why.contains("s3cret"), "{script}: {why}");
        }
        let mut auth: AuthInfo =
            serde_json::from_value(json!({"exec": {"command": "/nowhere", "installHint": "Get it."}}))
                .unwrap();
        let why = log_in(&mut auth, LIMIT, clock::now).await.unwrap_err();
        assert!(why.contains("/nowhere") && why.ends_with("Get it."), "{why}");
        let mut auth: AuthInfo =
            serde_json::from_value(json!({"auth-provider": {"name": "gcp", "config": {"cmd-path": "x"}}}))
                .unwrap();
        assert!(log_in(&mut auth, LIMIT, clock::now).await.unwrap_err().contains("auth-provider"));
    }
}
