//! The shop's replicas, each a process: started and ended by name, known to Prometheus by a file.
//!
//! Who decides on them is another matter: the process manager, or the stand-in for a kubelet.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;

use super::process::Process;
use super::{CAPACITY, Result};

/// The file that `prometheus.yml` names.
const TARGETS: &str = "shop.targets.json";

/// All replicas; a clone is the same ones.
#[derive(Clone)]
pub(crate) struct Replicas {
    inner: Arc<Mutex<Inner>>,
    client: reqwest::Client,
}

struct Inner {
    program: PathBuf,
    folder: PathBuf,
    running: BTreeMap<String, Replica>,
    /// Share of checkouts that fail.
    errors: f64,
    /// Those that finish what they have begun.
    leaving: JoinSet<()>,
}

struct Replica {
    process: Process,
    address: String,
    is_ready: bool,
}

impl Replicas {
    /// None yet. Their files lie in `folder`.
    pub(crate) fn new(program: PathBuf, folder: &Path) -> Result<Self> {
        let inner = Inner {
            program,
            folder: folder.to_owned(),
            running: BTreeMap::new(),
            errors: 0.0,
            leaving: JoinSet::new(),
        };
        inner.write_targets()?;
        let client = reqwest::Client::builder().timeout(Duration::from_secs(2)).build()?;
        Ok(Self { inner: Arc::new(Mutex::new(inner)), client })
    }

    /// Starts one that is not ready yet.
    pub(crate) fn start(&self, name: &str) -> Result<()> {
        let mut inner = self.lock();
        let address = super::cast::free_address();
        let arguments = [
            format!("--listen={address}"),
            format!("--capacity={CAPACITY}"),
            format!("--errors={}", inner.errors),
        ];
        let process = Process::start(name, &inner.program, &arguments, &inner.folder)?;
        inner.running.insert(name.to_owned(), Replica { process, address, is_ready: false });
        Ok(())
    }

    /// Takes one out of service, and ends it once it has finished what it has begun.
    pub(crate) fn end(&self, name: &str) -> Result<()> {
        let mut inner = self.lock();
        let Some(Replica { mut process, .. }) = inner.running.remove(name) else { return Ok(()) };
        inner.leaving.spawn(async move { drop(process.end().await) });
        inner.write_targets()
    }

    /// Puts those into service that have begun to answer since.
    pub(crate) async fn make_ready(&self) -> Result<()> {
        let waiting: Vec<(String, String)> = {
            let inner = self.lock();
            let waiting = inner.running.iter().filter(|(_, replica)| !replica.is_ready);
            waiting.map(|(name, replica)| (name.clone(), replica.address.clone())).collect()
        };
        let mut ready = Vec::new();
        for (name, address) in waiting {
            let answer = self.client.get(format!("http://{address}/metrics")).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                ready.push(name);
            }
        }
        if !ready.is_empty() {
            let mut inner = self.lock();
            for name in &ready {
                inner.running.entry(name.clone()).and_modify(|replica| replica.is_ready = true);
            }
            inner.write_targets()?;
        }
        Ok(())
    }

    /// Whether this one is in service.
    pub(crate) fn is_ready(&self, name: &str) -> bool {
        self.lock().running.get(name).is_some_and(|replica| replica.is_ready)
    }

    /// From now on this share of all checkouts fails, on replicas to come too.
    pub(crate) async fn errors(&self, ratio: f64) -> Result<()> {
        self.lock().errors = ratio;
        let addresses: Vec<String> =
            self.lock().running.values().map(|replica| replica.address.clone()).collect();
        for address in addresses {
            let request = self.client.post(format!("http://{address}/errors?ratio={ratio}"));
            request.send().await?.error_for_status()?;
        }
        Ok(())
    }

    /// Names, in the order of the alphabet.
    pub(crate) fn names(&self) -> Vec<String> {
        self.lock().running.keys().cloned().collect()
    }

    /// Where the ready ones are.
    pub(crate) fn ready(&self) -> Vec<String> {
        let inner = self.lock();
        inner.running.values().filter(|replica| replica.is_ready).map(|r| r.address.clone()).collect()
    }

    /// An error if one of them has ended by itself.
    pub(crate) fn alive(&self) -> Result<()> {
        self.lock().running.values_mut().try_for_each(|replica| replica.process.alive())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// By rename: Prometheus never reads half of it.
    fn write_targets(&self) -> Result<()> {
        let ready = self.running.values().filter(|replica| replica.is_ready);
        let targets: Vec<&str> = ready.map(|replica| replica.address.as_str()).collect();
        let (file, fresh) = (self.folder.join(TARGETS), self.folder.join("shop.targets.new"));
        std::fs::write(&fresh, json!([{ "targets": targets }]).to_string())?;
        Ok(std::fs::rename(fresh, file)?)
    }
}
