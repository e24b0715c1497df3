//! Programs that a kubeconfig names to log in with, and that take longer than a request may.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use damper::cluster::KubernetesSettings;
use damper::cluster::kubernetes::Kubernetes as Actuator;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{checkout, shop};
use crate::support::kubernetes::Kubernetes;
use crate::support::kubernetes::objects::deployment;
use crate::support::wait::pass;

/// A kubeconfig whose user is a program that is asked for the token of `direct`. It notes each call.
fn kubeconfig(kubernetes: &Kubernetes, folder: &Path, body: &str) -> KubernetesSettings {
    let (program, file) = (folder.join("login"), folder.join("config"));
    let script = format!(
        "#!/bin/sh\necho call >> {}\n{body}\nuntil=$(date -u -d '+12 seconds' +%Y-%m-%dT%H:%M:%SZ)\n\
         echo \"{{\\\"status\\\": {{\\\"token\\\": \\\"token-of-direct\\\", \
         \\\"expirationTimestamp\\\": \\\"$until\\\"}}}}\"\n",
        folder.join("calls").display()
    );
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let text = format!(
        "{{apiVersion: v1, kind: Config, current-context: c, \
         clusters: [{{name: c, cluster: {{server: '{}', insecure-skip-tls-verify: true}}}}], \
         contexts: [{{name: c, context: {{cluster: c, user: u}}}}], \
         users: [{{name: u, user: {{exec: {{apiVersion: client.authentication.k8s.io/v1, \
         command: '{}', interactiveMode: Never}}}}}}]}}",
        kubernetes.url(),
        program.display()
    );
    std::fs::write(&file, text).unwrap();
    KubernetesSettings { kubeconfig: Some(file), context: None }
}

fn calls(folder: &Path) -> usize {
    std::fs::read_to_string(folder.join("calls")).unwrap_or_default().lines().count()
}

#[tokio::test]
async fn a_login_that_takes_longer_than_a_request_is_renewed_while_requests_go_on() {
    let kubernetes = shop().await;
    kubernetes.admin().create(&deployment("shop", "checkout", 2)).await.ok();
    let folder = tempfile::tempdir().unwrap();
    let settings = kubeconfig(&kubernetes, folder.path(), "sleep 6");
    let stop = CancellationToken::new();
    let damper = Actuator::connect("x", &settings, damper::service::clock::now, &TaskTracker::new(), &stop)
        .await
        .unwrap();
    let began = Instant::now();
    while calls(folder.path()) < 3 {
        assert!(began.elapsed() < Duration::from_secs(90), "{} calls", calls(folder.path()));
        damper.look(&checkout()).await.unwrap();
        pass(Duration::from_millis(200)).await;
    }
    stop.cancel();
}

#[tokio::test]
async fn a_login_that_comes_late_is_used_once_it_is_there() {
    let kubernetes = shop().await;
    kubernetes.admin().create(&deployment("shop", "checkout", 2)).await.ok();
    let folder = tempfile::tempdir().unwrap();
    let ready = folder.path().join("ready");
    let body = format!("test -e {} || {{ echo no DNS yet >&2; exit 1; }}", ready.display());
    let settings = kubeconfig(&kubernetes, folder.path(), &body);
    let stop = CancellationToken::new();
    let damper = Actuator::new(&settings, damper::service::clock::now, &TaskTracker::new(), &stop);
    pass(Duration::from_millis(200)).await;
    assert_eq!(calls(folder.path()), 0, "nobody asked for the cluster yet");
    let why = damper.look(&checkout()).await.unwrap_err().to_string();
    assert!(why.contains("failed (exit status: 1): no DNS yet"), "{why}");
    std::fs::write(&ready, "").unwrap();
    super::seen(&damper, &checkout(), "the login", |_| true).await;
    stop.cancel();
}
