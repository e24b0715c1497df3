//! Damper itself: the real binary with a `damper.yaml` in a folder of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use reqwest::StatusCode;
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use super::process::Process;
use super::{port, wait_until};

/// A running Damper, or a stopped one that can be started again on the same port, settings and store.
pub struct Damper {
    port: u16,
    command: Command,
    // Before the folder: fields are dropped in this order, and a failing test still reads its log there.
    process: Option<Process>,
    folder: TempDir,
    client: reqwest::Client,
}

impl Damper {
    /// Prepares one: `settings` is its `damper.yaml` without `listen`, `definitions` and `store`, which
    /// are added: a free port, the folder `slos`, and SQLite in the same folder (unless `store` is given).
    pub fn new(settings: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let port = port::free();
        let mut command = Command::new(env!("CARGO_BIN_EXE_damper"));
        command.args(["run", "--config", "damper.yaml"]).current_dir(folder.path());
        let client = reqwest::Client::builder().timeout(Duration::from_secs(10)).build().unwrap();
        let damper = Self { port, folder, command, process: None, client };
        std::fs::create_dir(damper.path("slos")).unwrap();
        damper.settings(settings);
        damper
    }

    /// Replaces its settings; they count from the next start or reload.
    pub fn settings(&self, settings: &str) {
        let mut text = format!("listen: 127.0.0.1:{}\ndefinitions: [slos]\n{settings}\n", self.port);
        if !settings.lines().any(|line| line.starts_with("store:")) {
            text.push_str("store: sqlite:damper.db\n");
        }
        std::fs::write(self.path("damper.yaml"), text).unwrap();
    }

    /// Writes `slos/name` in one step, as a careful editor does.
    pub fn definition(&self, name: &str, yaml: &str) {
        let new = self.path(".new");
        std::fs::write(&new, yaml).unwrap();
        std::fs::rename(new, self.path("slos").join(name)).unwrap();
    }

    /// A path in its folder.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs another command of the same program in its folder; exit code and what it says.
    pub fn command(&self, arguments: &[&str]) -> (i32, String) {
        let mut command = Command::new(self.command.get_program());
        let output = command.args(arguments).current_dir(self.folder.path()).output().unwrap();
        let text =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.code().unwrap(), text)
    }

    /// Overwrites the first page of a table of its store with noise.
    pub async fn damage(&self, table: &str) {
        use sqlx::Connection as _;
        let file = self.path("damper.db");
        let address = format!("sqlite:{}", file.display());
        let mut store = sqlx::SqliteConnection::connect(&address).await.unwrap();
        // A page that is in the log too is read from there: it must be empty, whoever reads it now.
        let mut is_busy = true;
        while is_busy {
            let done = sqlx::query_as("pragma wal_checkpoint(truncate)").fetch_one(&mut store).await;
            let (busy, _, _): (i64, i64, i64) = done.unwrap();
            is_busy = busy != 0;
        }
        let page: i64 = sqlx::query_scalar("select rootpage from sqlite_master where name = $1")
            .bind(table)
            .fetch_one(&mut store)
            .await
            .unwrap();
        store.close().await.unwrap();
        let at = u64::try_from(page - 1).unwrap() * 4096;
        let file = std::fs::File::options().write(true).open(file).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, &[0xa5; 4096], at).unwrap();
    }

    /// Adds an environment variable for the next start.
    pub fn env(&mut self, name: &str, value: &str) {
        self.command.env(name, value);
    }

    /// Has it started by a shell that does this first, in its own mount namespace where it may mount.
    pub fn begin_with(&mut self, script: &str, own_mounts: bool) {
        let mut command = Command::new(if own_mounts { "unshare" } else { "sh" });
        if own_mounts {
            // What setpriv asked for is forgotten with the user that one was.
            command.args(["--user", "--map-root-user", "--mount", "setpriv", "--pdeathsig", "KILL", "sh"]);
        }
        command.arg("-c").arg(format!("{script} && exec \"$@\"")).arg("sh");
        command.arg(self.command.get_program()).args(self.command.get_args());
        command.current_dir(self.folder.path());
        self.command = command;
    }

    /// Starts it (again) and waits until it is ready.
    pub async fn start(&mut self) {
        self.spawn();
        let (url, client) = (self.url("/readyz"), self.client.clone());
        let ask = async || client.get(&url).send().await.is_ok_and(|answer| answer.status().is_success());
        self.process.as_mut().expect("it was started").ready(Duration::from_secs(60), ask).await;
    }

    /// Starts it without waiting for anything.
    pub fn spawn(&mut self) {
        assert!(self.process.is_none(), "it still runs");
        self.process = Some(Process::start("damper", &self.command, self.folder.path()));
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.process().ended()
    }

    /// The process, to signal or to watch.
    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("it runs")
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// SIGTERM, and waits for a clean end.
    pub async fn stop(&mut self) {
        let mut process = self.process.take().expect("it runs");
        let status = process.terminate(Duration::from_secs(30)).await;
        assert!(status.success(), "{status} after SIGTERM:\n{}", process.output());
    }

    /// SIGHUP: reads settings and definitions again.
    pub fn reload(&mut self) {
        self.process().signal(Signal::HUP);
    }

    /// Everything it logged, over all starts.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path("damper.log")).unwrap_or_default()
    }

    /// Where a path of its API is.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// `GET path`: status and body; `None` while nobody answers.
    pub async fn try_get(&self, path: &str) -> Option<(StatusCode, String)> {
        let answer = self.client.get(self.url(path)).send().await.ok()?;
        Some((answer.status(), answer.text().await.ok()?))
    }

    /// `GET path` as JSON; fails the test unless it is a success.
    pub async fn get(&self, path: &str) -> Value {
        let (status, text) = self.try_get(path).await.unwrap_or_else(|| panic!("nobody answers {path}"));
        assert!(status.is_success(), "{path}: {status}: {text}");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}: {text}"))
    }

    /// Waits until the JSON at `path` satisfies `is`, which picks what the test wants from it.
    pub async fn wait_for<T>(
        &self,
        limit: Duration,
        path: &str,
        what: &str,
        is: impl Fn(&Value) -> Option<T>,
    ) -> T {
        wait_until(limit, what, async || {
            let (status, text) = self.try_get(path).await?;
            status.is_success().then(|| serde_json::from_str(&text).ok().as_ref().and_then(&is))?
        })
        .await
    }

    /// One of its own metrics, by exact name and labels as in its exposition.
    pub async fn metric(&self, name: &str) -> Option<f64> {
        let (_, text) = self.try_get("/metrics").await?;
        let mut lines = text.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.split(' ').next()?.parse().ok())
    }
}
