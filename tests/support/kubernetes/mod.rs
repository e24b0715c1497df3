//! A real Kubernetes: etcd, `kube-apiserver` and `kube-controller-manager` 1.20 in the test's folder.
//!
//! There are no nodes: pods stay Pending until the test says that they are ready ([`pods`]). The roles
//! other than `admin` may do what `deploy/kubernetes` grants and nothing more ([`shipped`]).

pub mod audit;
pub mod client;
pub mod front;
mod identity;
pub mod objects;
pub mod pods;
mod servers;
pub mod shipped;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use super::port;
use super::process::Process;
use client::Client;
pub use identity::ROLES;

/// Longest wait for something that takes a second or two on a machine with nothing else to do.
pub const LIMIT: Duration = Duration::from_secs(60);

/// A running cluster.
pub struct Kubernetes {
    // Before the folder: fields are dropped in this order, and a failing test still reads the logs there.
    /// Deployments, ReplicaSets, StatefulSets, HPAs, PDBs, quotas.
    controllers: Process,
    /// `None` while it is killed.
    server: Option<Process>,
    etcd: Process,
    folder: TempDir,
    /// Where etcd answers.
    store: String,
    port: u16,
    admin: Client,
}

impl Kubernetes {
    /// Starts one and grants its roles what `deploy/` ships.
    pub async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path();
        let port = port::free();
        identity::write(path, &url(port));
        audit::write(path);
        let store = format!("http://127.0.0.1:{}", port::free());
        let peers = format!("http://127.0.0.1:{}", port::free());
        let mut etcd = Process::start("etcd", &servers::etcd(&store, &peers), path);
        let http = reqwest::Client::new();
        let health = format!("{store}/health");
        let ask = async || http.get(&health).send().await.is_ok_and(|answer| answer.status().is_success());
        etcd.ready(LIMIT, ask).await;
        let admin = Client::new(&url(port), "admin", path);
        let server = start_server(path, &store, port, &admin).await;
        let controllers = start_controllers(path).await;
        let kubernetes = Self { controllers, server: Some(server), etcd, folder, store, port, admin };
        shipped::grant(&kubernetes).await;
        kubernetes
    }

    /// `https://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        url(self.port)
    }

    /// A kubeconfig file for one of [`ROLES`].
    pub fn kubeconfig(&self, role: &str) -> PathBuf {
        assert!(ROLES.contains(&role), "there is no role {role}");
        identity::kubeconfig(self.folder.path(), role)
    }

    /// The API as one of [`ROLES`] sees it.
    pub fn client(&self, role: &str) -> Client {
        assert!(ROLES.contains(&role), "there is no role {role}");
        Client::new(&self.url(), role, self.folder.path())
    }

    /// The API with all rights.
    pub fn admin(&self) -> &Client {
        &self.admin
    }

    /// Makes a namespace.
    pub async fn namespace(&self, name: &str) {
        self.admin.create(&objects::namespace(name)).await.ok();
    }

    /// Makes custom resources known, and waits until they are served.
    pub async fn define(&self, definitions: &str) {
        for definition in shipped::documents(definitions) {
            self.admin.create(&definition).await.ok();
            let (group, names) = (text(&definition, "/spec/group"), text(&definition, "/spec/names/plural"));
            let version = text(&definition, "/spec/versions/0/name");
            let path = format!("/apis/{group}/{version}/{names}");
            let served = |answer: &Value| answer["items"].is_array().then_some(());
            self.admin.wait_for(&path, &format!("{path} to be served"), served).await;
        }
    }

    /// The API server hangs: it takes connections and answers nothing; [`Self::resume`] goes on.
    pub fn hang(&self) {
        self.server().signal(Signal::STOP);
    }

    /// Goes on after [`Self::hang`].
    pub fn resume(&self) {
        self.server().signal(Signal::CONT);
    }

    /// `kill -9` of the API server: connections are refused.
    pub fn kill(&mut self) {
        self.server = None;
    }

    /// Starts the API server again after [`Self::kill`], on the same port and data.
    pub async fn start_again(&mut self) {
        assert!(self.server.is_none(), "it still runs");
        self.server = Some(start_server(self.folder.path(), &self.store, self.port, &self.admin).await);
    }

    /// Kills the API server and starts it again.
    pub async fn restart(&mut self) {
        self.kill();
        self.start_again().await;
    }

    fn server(&self) -> &Process {
        self.server.as_ref().expect("it runs")
    }
}

fn url(port: u16) -> String {
    format!("https://127.0.0.1:{port}")
}

/// Starts the API server and waits until it has all it needs, its own roles among them.
async fn start_server(folder: &Path, store: &str, port: u16, admin: &Client) -> Process {
    let mut server = Process::start("kube-apiserver", &servers::api(store, port), folder);
    let ask = async || admin.try_get("/readyz").await.is_ok_and(|answer| answer.status.is_success());
    server.ready(LIMIT, ask).await;
    server
}

/// Starts the controllers and waits until all of them run: while they start, a server that does not
/// answer would end them.
async fn start_controllers(folder: &Path) -> Process {
    let name = "kube-controller-manager";
    let mut controllers = Process::start(name, &servers::controllers(), folder);
    let log = folder.join(format!("{name}.log"));
    let ask = async || {
        let told = std::fs::read_to_string(&log).unwrap_or_default();
        servers::CONTROLLERS.iter().all(|one| told.contains(&format!("Started \"{one}\"")))
    };
    controllers.ready(LIMIT, ask).await;
    controllers
}

fn text(object: &Value, pointer: &str) -> String {
    let found = object.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("no {pointer} in {object:#}")).to_owned()
}
