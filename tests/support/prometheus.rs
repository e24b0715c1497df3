//! A real Prometheus: Debian 12's 2.42 or the newest of Debian sid.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::process::Process;
use super::program::Program;
use super::{port, tsdb};

/// Which Prometheus.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Version {
    /// 2.42, from Debian 12.
    Old,
    /// 3.x, from Debian sid.
    New,
}

impl Version {
    /// Both, for tests that must hold on either.
    pub const ALL: [Self; 2] = [Self::Old, Self::New];

    const fn server(self) -> &'static str {
        match self {
            Self::Old => "prometheus2",
            Self::New => "prometheus3",
        }
    }

    /// Since 3.9 the feature flag does nothing and a setting takes its place, which older ones refuse.
    fn asks_for_native_histograms_per_job(self) -> bool {
        let said = Program::find(self.server(), "usr/bin/prometheus").run(&["--version"], Path::new("/"));
        let number = said.split("version ").nth(1).unwrap_or_default();
        let mut parts = number.split('.').map_while(|part| part.parse::<u32>().ok());
        (parts.next(), parts.next()) >= (Some(3), Some(9))
    }

    /// `promtool` of this version.
    pub fn promtool(self) -> Program {
        Program::find(self.server(), "usr/bin/promtool")
    }
}

/// What to start; see [`Prometheus::of`].
pub struct Builder {
    version: Version,
    folder: TempDir,
    config: String,
    /// The fields of each scrape job.
    jobs: Vec<String>,
    native_histograms: bool,
    flags: Vec<String>,
    retention: String,
}

impl Builder {
    /// Scrapes `targets` (`host:port`) at `path`, under the job name `job`.
    ///
    /// Prometheus takes up to 5s to begin: it collects newly found targets that long.
    pub fn scrape(mut self, job: &str, targets: &[String], path: &str, interval: Duration) -> Self {
        // A timeout above the interval is refused.
        let interval = interval.as_millis();
        self.jobs.push(format!(
            "job_name: {job}, scrape_interval: {interval}ms, scrape_timeout: {interval}ms, \
             metrics_path: {path}, static_configs: [{{targets: [{}]}}]",
            targets.join(", ")
        ));
        self
    }

    /// Adds a top-level part to the configuration, such as `rule_files: [x.yml]`; relative paths are in [`Self::folder`].
    pub fn config(mut self, yaml: &str) -> Self {
        self.config.push_str(yaml.trim_end());
        self.config.push('\n');
        self
    }

    /// Adds a command-line flag.
    pub fn flag(mut self, flag: &str) -> Self {
        self.flags.push(flag.to_owned());
        self
    }

    /// Accepts remote write.
    pub fn receives_remote_write(self) -> Self {
        self.flag("--web.enable-remote-write-receiver")
    }

    /// Scrapes and stores native histograms.
    pub fn native_histograms(mut self) -> Self {
        self.native_histograms = true;
        self.flag("--enable-feature=native-histograms")
    }

    /// How far an instant query looks back; Prometheus's default is 5m.
    pub fn lookback(self, span: &str) -> Self {
        self.flag(&format!("--query.lookback-delta={span}"))
    }

    /// How long data is kept; unless set, nothing a test writes expires.
    pub fn retention(mut self, span: &str) -> Self {
        span.clone_into(&mut self.retention);
        self
    }

    /// Puts series of the past into its data before it starts.
    pub fn data(self, series: &[tsdb::Series]) -> Self {
        tsdb::write(self.version, series, &self.folder.path().join("data"));
        self
    }

    /// Its folder, for rule files and the like.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts it and waits until it is ready.
    pub async fn start(self) -> Prometheus {
        let Self { version, folder, config, mut jobs, native_histograms, flags, retention } = self;
        if native_histograms && version.asks_for_native_histograms_per_job() {
            jobs.iter_mut().for_each(|job| job.push_str(", scrape_native_histograms: true"));
        }
        let jobs: Vec<String> = jobs.iter().map(|job| format!("  - {{{job}}}\n")).collect();
        let config = format!("{config}scrape_configs:\n{}", jobs.concat());
        std::fs::write(folder.path().join("prometheus.yml"), config).unwrap();
        let program = Program::find(version.server(), "usr/bin/prometheus");
        let port = port::free();
        let mut command = program.command();
        command.args([
            "--config.file=prometheus.yml".to_owned(),
            "--storage.tsdb.path=data".to_owned(),
            format!("--storage.tsdb.retention.time={retention}"),
            format!("--web.listen-address=127.0.0.1:{port}"),
            "--web.enable-lifecycle".to_owned(),
            "--web.enable-admin-api".to_owned(),
        ]);
        command.args(flags).current_dir(folder.path());
        let process = Process::start(version.server(), &command, folder.path());
        let client = reqwest::Client::builder().timeout(Duration::from_secs(60)).build().unwrap();
        let mut prometheus = Prometheus { version, port, folder, command, process: Some(process), client };
        prometheus.ready().await;
        prometheus
    }
}

/// A running Prometheus, or a stopped one that can be started again on the same port and data.
pub struct Prometheus {
    /// Which one it is.
    pub version: Version,
    port: u16,
    command: Command,
    // Before the folder: fields are dropped in this order, and a failing test still reads its log there.
    process: Option<Process>,
    folder: TempDir,
    client: reqwest::Client,
}

impl Prometheus {
    /// Begins to describe one.
    pub fn of(version: Version) -> Builder {
        Builder {
            version,
            folder: TempDir::new().unwrap(),
            config: String::new(),
            jobs: Vec::new(),
            native_histograms: false,
            flags: Vec::new(),
            retention: "10y".to_owned(),
        }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Its data folder.
    pub fn data_folder(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// `kill -9`: nothing listens on its port any more.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// A clean stop.
    pub async fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.terminate(Duration::from_secs(30)).await;
        }
    }

    /// Starts it again on the same port and data.
    pub async fn start_again(&mut self) {
        assert!(self.process.is_none(), "it still runs");
        self.process = Some(Process::start(self.version.server(), &self.command, self.folder.path()));
        self.ready().await;
    }

    /// Stops it so that connections hang instead of being refused; [`Self::thaw`] goes on.
    pub fn freeze(&self) {
        self.process().signal(rustix::process::Signal::STOP);
    }

    /// Goes on after [`Self::freeze`].
    pub fn thaw(&self) {
        self.process().signal(rustix::process::Signal::CONT);
    }

    /// Processor time used so far, in seconds.
    pub fn cpu_seconds(&self) -> f64 {
        self.process().cpu_seconds()
    }

    /// Samples that its queries have read so far, by its own count, which 2.42 does not keep.
    pub async fn samples_read(&self) -> Option<f64> {
        self.own_metric("prometheus_engine_query_samples_total").await
    }

    /// One of its own metrics, by exact name and labels as in its exposition.
    pub async fn own_metric(&self, name: &str) -> Option<f64> {
        let answer = self.client.get(format!("{}/metrics", self.url())).send().await.unwrap();
        let text = answer.text().await.unwrap();
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
    }

    /// `GET path?parameters`: the `data` of a successful answer; fails the test on any other.
    pub async fn get(&self, path: &str, parameters: &[(&str, String)]) -> Value {
        let request = self.client.get(format!("{}{path}", self.url())).query(parameters);
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        assert_eq!(answer["status"], "success", "{path} {parameters:?}: {answer}");
        answer["data"].clone()
    }

    fn process(&self) -> &Process {
        self.process.as_ref().expect("it runs")
    }

    async fn ready(&mut self) {
        let url = format!("{}/-/ready", self.url());
        let client = self.client.clone();
        let ask = async || client.get(&url).send().await.is_ok_and(|answer| answer.status().is_success());
        self.process.as_mut().expect("it runs").ready(Duration::from_secs(60), ask).await;
    }
}
