//! Who takes part: customers, the shop and what runs it, Prometheus, Damper, and the webhook that is
//! told; on free ports, in a fresh folder.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use super::customers::Customers;
use super::platform::Platform;
use super::process::Process;
use super::replicas::Replicas;
use super::support::port;
use super::webhook::Webhook;
use super::{QUIET, REPLICAS, Result};

/// Longest start of one of them, on a busy computer.
const START: Duration = Duration::from_secs(60);

/// Everything that runs. Fields are dropped in this order: the folder last.
pub(crate) struct Cast {
    pub(crate) customers: Customers,
    damper_process: Process,
    prometheus_process: Process,
    pub(crate) platform: Platform,
    pub(crate) replicas: Replicas,
    pub(crate) webhook: Webhook,
    pub(crate) damper: String,
    pub(crate) prometheus: String,
    pub(crate) folder: TempDir,
}

impl Cast {
    /// Starts all of them and waits until each answers.
    pub(crate) async fn start(kube: bool) -> Result<Self> {
        let (prometheus_program, shop_program, damper_program) =
            (prometheus_program()?, built("examples/shop")?, built("damper")?);
        let folder = tempfile::Builder::new().prefix("damper-demo-").tempdir()?;
        let path = folder.path();
        println!("demo: everything lies in {}", path.display());

        let replicas = Replicas::new(shop_program, path)?;
        println!("demo: starting {}", if kube { "Kubernetes, without nodes" } else { "the process manager" });
        let platform = Platform::start(kube, replicas.clone(), REPLICAS).await?;
        until("the shop", async || Ok(replicas.ready().len() == REPLICAS)).await?;
        let customers = Customers::start(replicas.clone(), QUIET).await?;
        let webhook = Webhook::start().await?;

        let (prometheus, damper) = (free_address(), free_address());
        let settings = include_str!("damper.yaml")
            .replace("127.0.0.1:9090", &prometheus)
            .replace("127.0.0.1:9095", &damper)
            .replace("127.0.0.1:5001", webhook.address());
        std::fs::write(path.join("damper.yaml"), platform.settings(&settings))?;
        std::fs::write(path.join("prometheus.yml"), include_str!("prometheus.yml"))?;
        std::fs::create_dir(path.join("slos"))?;
        std::fs::write(path.join("slos/shop.yaml"), include_str!("slos/shop.yaml"))?;
        let policy = platform.policy(include_str!("slos/policy.yaml"));
        std::fs::write(path.join("slos/policy.yaml"), policy)?;

        let listen = format!("--web.listen-address={prometheus}");
        let arguments = ["--config.file=prometheus.yml", "--storage.tsdb.path=data", &listen];
        let prometheus = format!("http://{prometheus}");
        let ready = format!("{prometheus}/-/ready");
        let prometheus_process = begin("prometheus", &prometheus_program, &arguments, path, &ready).await?;
        let arguments = ["run", "--config", "damper.yaml"];
        let damper = format!("http://{damper}");
        let ready = format!("{damper}/readyz");
        let damper_process = begin("damper", &damper_program, &arguments, path, &ready).await?;
        println!("demo: Damper scales {}", platform.name());
        Ok(Self {
            customers,
            damper_process,
            prometheus_process,
            platform,
            replicas,
            webhook,
            damper,
            prometheus,
            folder,
        })
    }

    /// Asks something of the policy, as `damper scale` does.
    pub(crate) async fn ask(&self, word: &str) -> Result<()> {
        let url = format!("{}/api/v1/scale/shop/{word}", self.damper);
        reqwest::Client::new().post(url).timeout(START).send().await?.error_for_status()?;
        Ok(())
    }

    /// An error if one of them has ended.
    pub(crate) fn alive(&mut self) -> Result<()> {
        self.damper_process.alive()?;
        self.prometheus_process.alive()?;
        self.replicas.alive()
    }

    /// Ends them in order, Damper first; it must end cleanly.
    pub(crate) async fn end(mut self) -> Result<()> {
        let status = self.damper_process.end().await?;
        if !status.success() {
            return Err(format!("damper ended with {status} after SIGTERM").into());
        }
        // How Prometheus ends is not ours to judge.
        self.prometheus_process.end().await?;
        Ok(())
    }
}

/// Starts a program and waits until it answers.
async fn begin(
    name: &str,
    program: &Path,
    arguments: &[&str],
    folder: &Path,
    ready: &str,
) -> Result<Process> {
    println!("demo: starting {name}");
    let mut process = Process::start(name, program, arguments, folder)?;
    let client = reqwest::Client::builder().timeout(Duration::from_secs(3)).build()?;
    until(name, async || {
        process.alive()?;
        Ok(client.get(ready).send().await.is_ok_and(|answer| answer.status().is_success()))
    })
    .await?;
    Ok(process)
}

async fn until(what: &str, mut ready: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + START;
    while Instant::now() < deadline {
        if ready().await? {
            return Ok(());
        }
        sleep(Duration::from_millis(100)).await;
    }
    Err(format!("{what} did not answer within {START:?}").into())
}

/// Prometheus as `tests/setup.sh` unpacked it.
fn prometheus_program() -> Result<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache")));
    let program = cache.ok_or("HOME is not set")?.join("damper/prometheus3/usr/bin/prometheus");
    if program.exists() {
        return Ok(program);
    }
    Err(format!("{} is missing; get it with: tests/setup.sh prometheus3", program.display()).into())
}

/// A program of this project, built beside this one.
pub(crate) fn built(name: &str) -> Result<PathBuf> {
    let here = std::env::current_exe()?;
    let target = here.parent().and_then(Path::parent).ok_or("the demo lies in no target folder")?;
    let program = target.join(name);
    if program.exists() {
        return Ok(program);
    }
    Err(format!("{} is missing; `make demo` builds it", program.display()).into())
}

/// `127.0.0.1:PORT` that nobody uses now.
pub(crate) fn free_address() -> String {
    format!("127.0.0.1:{}", port::free())
}
