//! From the settings to a client: which cluster, and as whom.

use std::path::PathBuf;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use crate::cluster::settings::KubernetesSettings;
use crate::http::told;

/// Longest wait for a connection, TLS included.
const CONNECT: Duration = Duration::from_secs(5);
/// Longest wait for the files and for the programs that a kubeconfig may name to log in.
const PATIENCE: Duration = Duration::from_secs(20);

/// Builds a client; nothing is asked yet. The error is for people.
pub(super) async fn connect(settings: &KubernetesSettings) -> Result<Client, String> {
    let settings = settings.clone();
    let place = place(&settings);
    // A kubeconfig may name programs to log in with, which are waited for without async.
    let handle = tokio::runtime::Handle::current();
    let built = tokio::task::spawn_blocking(move || handle.block_on(build(settings)));
    let built = tokio::time::timeout(PATIENCE, built).await;
    let built = built.map_err(|_| format!("{place} cannot be used: a program it logs in with hangs"))?;
    built.map_err(|error| error.to_string()).flatten().map_err(|why| format!("{place} cannot be used: {why}"))
}

async fn build(settings: KubernetesSettings) -> Result<Client, String> {
    let mut config = config(settings).await?;
    config.connect_timeout = Some(CONNECT);
    // Every request has a timeout of its own, and a watch is silent for long.
    config.read_timeout = None;
    config.write_timeout = Some(CONNECT);
    // Its own retries would wait up to a thousand seconds.
    config.default_retry = false;
    Client::try_from(config).map_err(|error| told(&error))
}

async fn config(settings: KubernetesSettings) -> Result<Config, String> {
    if is_inside(&settings) {
        return Config::incluster().map_err(|error| told(&error));
    }
    let options = KubeConfigOptions { context: settings.context, ..KubeConfigOptions::default() };
    let read = match settings.kubeconfig {
        Some(path) => Kubeconfig::read_from(path),
        None => Kubeconfig::read(),
    };
    let read = read.map_err(|error| told(&error))?;
    Config::from_custom_kubeconfig(read, &options).await.map_err(|error| told(&error))
}

fn is_inside(settings: &KubernetesSettings) -> bool {
    let is_told = settings.kubeconfig.is_some() || settings.context.is_some();
    !is_told && std::env::var_os("KUBERNETES_SERVICE_HOST").is_some()
}

/// Where the client comes from, for people.
fn place(settings: &KubernetesSettings) -> String {
    let file = || match (&settings.kubeconfig, std::env::var_os("KUBECONFIG")) {
        (Some(path), _) => format!("the kubeconfig {}", path.display()),
        (None, Some(path)) => format!("the kubeconfig {} of $KUBECONFIG", PathBuf::from(path).display()),
        (None, None) => "the kubeconfig ~/.kube/config".to_owned(),
    };
    if is_inside(settings) { "the cluster that Damper runs in".to_owned() } else { file() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_wrong_with_a_kubeconfig_is_told_with_its_path() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config");
        let settings = KubernetesSettings { kubeconfig: Some(path.clone()), context: None };
        let told = async |settings: &KubernetesSettings| connect(settings).await.err().unwrap();
        assert!(told(&settings).await.contains(&path.display().to_string()));
        std::fs::write(&path, "apiVersion: v1\nkind: Config\nclusters: []\n").unwrap();
        assert!(told(&settings).await.contains("current context"));
        let missing = KubernetesSettings { context: Some("nowhere".into()), ..settings };
        assert!(told(&missing).await.contains("nowhere"));
    }
}
