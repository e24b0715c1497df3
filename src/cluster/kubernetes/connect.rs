//! From the settings to a client: which cluster, and as whom.

use std::path::PathBuf;
use std::time::Duration;

use http::Uri;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use super::Clock;
use super::program::log_in;
use crate::cluster::settings::KubernetesSettings;
use crate::http::told;

/// Longest wait for a connection, TLS included.
const CONNECT: Duration = Duration::from_secs(5);
/// Longest wait for a program that a kubeconfig names to log in with.
const PROGRAM: Duration = Duration::from_secs(60);

/// A login.
pub(super) struct Session {
    pub(super) client: Client,
    /// For how long, where that is known. Tokens in files are read anew by the client itself.
    pub(super) lasts: Option<Duration>,
}

/// Reads the files, logs in and builds a client; the cluster is asked nothing yet. The error is for people.
pub(super) async fn connect(settings: &KubernetesSettings, clock: Clock) -> Result<Session, String> {
    let hint = match settings {
        KubernetesSettings { kubeconfig: None, context: None } if !is_inside(settings) => {
            "; name one with --kubeconfig FILE of a command or as scaling.kubernetes in the settings, or run Damper inside of the cluster"
        }
        _ => "",
    };
    let place = place(settings);
    session(settings.clone(), clock).await.map_err(|why| format!("{place} cannot be used: {why}{hint}"))
}

async fn session(settings: KubernetesSettings, clock: Clock) -> Result<Session, String> {
    let handle = tokio::runtime::Handle::current();
    let mut config = aside(move || handle.block_on(config(settings))).await?;
    config.connect_timeout = Some(CONNECT);
    // Every request has a timeout of its own, and a watch is silent for long.
    config.read_timeout = None;
    config.write_timeout = Some(CONNECT);
    // Its own retries would wait up to a thousand seconds.
    config.default_retry = false;
    let lasts = log_in(&mut config.auth_info, PROGRAM, clock).await?;
    let client = aside(move || Client::try_from(config).map_err(|error| told(&error))).await?;
    Ok(Session { client, lasts })
}

/// Files are read without async.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    tokio::task::spawn_blocking(work).await.map_err(|error| error.to_string()).flatten()
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
    let proxy = proxy(&read, options.context.as_deref())?;
    let mut config = Config::from_custom_kubeconfig(read, &options).await.map_err(|error| told(&error))?;
    config.proxy_url = proxy;
    Ok(config)
}

/// The proxy that the file names for its cluster. Those of the environment are not used, as nowhere in
/// Damper; kube would, whatever `NO_PROXY` says of the cluster.
fn proxy(file: &Kubeconfig, context: Option<&str>) -> Result<Option<Uri>, String> {
    let name = context.or(file.current_context.as_deref());
    let context = file.contexts.iter().find(|one| Some(one.name.as_str()) == name);
    let cluster = context.and_then(|one| Some(&one.context.as_ref()?.cluster));
    let cluster = file.clusters.iter().find(|one| Some(&one.name) == cluster);
    let url = cluster.and_then(|one| one.cluster.as_ref()?.proxy_url.as_deref()).unwrap_or_default();
    if url.is_empty() {
        return Ok(None);
    }
    url.parse().map(Some).map_err(|error| format!("its proxy-url is no address: {error}"))
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
        let told = async |settings: &KubernetesSettings| {
            connect(settings, crate::service::clock::now).await.err().unwrap()
        };
        assert!(told(&settings).await.contains(&path.display().to_string()));
        std::fs::write(&path, "apiVersion: v1\nkind: Config\nclusters: []\n").unwrap();
        assert!(told(&settings).await.contains("current context"));
        let missing = KubernetesSettings { context: Some("nowhere".into()), ..settings };
        assert!(told(&missing).await.contains("nowhere"));
    }

    #[tokio::test]
    async fn the_proxy_that_a_kubeconfig_names_is_used_and_no_other_scheme() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config");
        let settings = KubernetesSettings { kubeconfig: Some(path.clone()), context: None };
        for (proxy, expected) in [
            ("http://127.0.0.1:3128", None),
            ("https://user:p@127.0.0.1:3128", None),
            ("socks5://127.0.0.1:1080", None),
            ("ftp://127.0.0.1", Some("ftp")),
        ] {
            let text = format!(
                "{{apiVersion: v1, kind: Config, current-context: c, \
                 clusters: [{{name: k, cluster: {{server: 'https://127.0.0.1:9', proxy-url: '{proxy}'}}}}], \
                 contexts: [{{name: c, context: {{cluster: k, user: u}}}}], \
                 users: [{{name: u, user: {{token: x}}}}]}}"
            );
            std::fs::write(&path, text).unwrap();
            let read = config(settings.clone()).await.unwrap();
            assert_eq!(read.proxy_url, Some(proxy.parse().unwrap()));
            let why = connect(&settings, crate::service::clock::now).await.err();
            let is_so = why.as_deref().zip(expected).is_some_and(|(why, expected)| why.contains(expected));
            assert!(is_so || (why.is_none() && expected.is_none()), "{proxy}: {why:?}");
        }
    }
}
