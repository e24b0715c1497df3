//! Who takes part: Prometheus, the shop, the webhook and Damper, on free ports, in a fresh folder.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use super::Result;
use super::process::Process;
use super::webhook::Webhook;

/// Everything that runs. Fields are dropped in this order: the folder last.
pub(crate) struct Cast {
    processes: Vec<Process>,
    pub(crate) webhook: Webhook,
    pub(crate) damper: String,
    prometheus: String,
    shop: String,
    client: reqwest::Client,
    _folder: TempDir,
}

impl Cast {
    /// Starts all of them and waits until each answers.
    pub(crate) async fn start() -> Result<Self> {
        let (prometheus_program, shop_program, damper_program) =
            (prometheus_program()?, built("examples/shop")?, built("damper")?);
        let folder = tempfile::Builder::new().prefix("damper-demo-").tempdir()?;
        let (prometheus, shop, damper) = (free_address()?, free_address()?, free_address()?);
        let webhook = Webhook::start().await?;
        println!("demo: everything lies in {}", folder.path().display());

        write(&folder, "prometheus.yml", include_str!("prometheus.yml"), &[("127.0.0.1:8080", &shop)])?;
        let addresses = [
            ("127.0.0.1:9090", prometheus.as_str()),
            ("127.0.0.1:9095", &damper),
            ("127.0.0.1:5001", webhook.address()),
        ];
        write(&folder, "damper.yaml", include_str!("damper.yaml"), &addresses)?;
        std::fs::create_dir(folder.path().join("slos"))?;
        write(&folder, "slos/shop.yaml", include_str!("slos/shop.yaml"), &[])?;

        let client = reqwest::Client::builder().timeout(Duration::from_secs(3)).build()?;
        let mut cast = Self {
            processes: Vec::new(),
            webhook,
            damper: format!("http://{damper}"),
            prometheus: format!("http://{prometheus}"),
            shop: format!("http://{shop}"),
            client,
            _folder: folder,
        };
        let listen = format!("--listen={shop}");
        cast.add("shop", &shop_program, &[&listen], &format!("{}/metrics", cast.shop)).await?;
        let listen = format!("--web.listen-address={prometheus}");
        let arguments = ["--config.file=prometheus.yml", "--storage.tsdb.path=data", &listen];
        cast.add("prometheus", &prometheus_program, &arguments, &format!("{}/-/ready", cast.prometheus))
            .await?;
        let arguments = ["run", "--config", "damper.yaml"];
        cast.add("damper", &damper_program, &arguments, &format!("{}/readyz", cast.damper)).await?;
        Ok(cast)
    }

    /// Lets this share of the shop's checkouts fail.
    pub(crate) async fn shop_errors(&self, ratio: f64) -> Result<()> {
        let request = self.client.post(format!("{}/errors?ratio={ratio}", self.shop));
        request.send().await?.error_for_status()?;
        Ok(())
    }

    /// An error if one of them has ended.
    pub(crate) fn alive(&mut self) -> Result<()> {
        self.processes.iter_mut().try_for_each(Process::alive)
    }

    /// Ends them in order, Damper first; it must end cleanly.
    pub(crate) async fn end(mut self) -> Result<()> {
        while let Some(mut process) = self.processes.pop() {
            let status = process.end().await?;
            // The shop knows no orderly end, and Prometheus's is not ours to judge.
            if self.processes.len() == 2 && !status.success() {
                return Err(format!("damper ended with {status} after SIGTERM").into());
            }
        }
        Ok(())
    }

    /// For those who stay.
    pub(crate) fn what_to_try(&self) -> String {
        let Self { damper, prometheus, shop, .. } = self;
        format!(
            "\nIt all stays up until Ctrl-C. To try:\n\
             \n  curl -X POST '{shop}/errors?ratio=0.2'      errors again; ratio=0 ends them\
             \n  curl {damper}/api/v1/slos\
             \n  curl {damper}/api/v1/alerts\
             \n  curl {damper}/healthz\
             \n  {prometheus}                                Prometheus\n"
        )
    }

    async fn add(
        &mut self,
        name: &'static str,
        program: &Path,
        arguments: &[&str],
        ready: &str,
    ) -> Result<()> {
        println!("demo: starting {name}");
        let folder = self._folder.path();
        self.processes.push(Process::start(name, program, arguments, folder)?);
        let deadline = Instant::now() + Duration::from_secs(30);
        while Instant::now() < deadline {
            self.alive()?;
            if self.client.get(ready).send().await.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            sleep(Duration::from_millis(100)).await;
        }
        Err(format!("{name} did not answer {ready} within 30s").into())
    }
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
fn built(name: &str) -> Result<PathBuf> {
    let here = std::env::current_exe()?;
    let target = here.parent().and_then(Path::parent).ok_or("the demo lies in no target folder")?;
    let program = target.join(name);
    if program.exists() {
        return Ok(program);
    }
    Err(format!("{} is missing; `make demo` builds it", program.display()).into())
}

/// `127.0.0.1:PORT` that nobody uses now.
fn free_address() -> Result<String> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.to_string())
}

/// Writes a file of the example with other addresses in it.
fn write(folder: &TempDir, name: &str, text: &str, addresses: &[(&str, &str)]) -> Result<()> {
    let mut text = text.to_owned();
    for (example, real) in addresses {
        text = text.replace(example, real);
    }
    Ok(std::fs::write(folder.path().join(name), text)?)
}
