//! A real Alertmanager.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::port;
use super::process::Process;
use super::program::Program;

/// Which Alertmanager.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Version {
    /// 0.25, from Debian 12.
    Old,
    /// 0.33 or later, from Debian sid.
    New,
}

impl Version {
    /// Both, for tests that must hold on either.
    pub const ALL: [Self; 2] = [Self::Old, Self::New];

    const fn server(self) -> &'static str {
        match self {
            Self::Old => "alertmanager",
            Self::New => "alertmanager3",
        }
    }
}

/// A running Alertmanager, or a stopped one that can be started again on the same port and data.
pub struct Alertmanager {
    version: Version,
    port: u16,
    command: Command,
    // Before the folder: fields are dropped in this order, and a failing test still reads its log there.
    process: Option<Process>,
    folder: TempDir,
    client: reqwest::Client,
}

impl Alertmanager {
    /// Starts one that tells `webhook` (a URL) at once; without it, nobody.
    pub async fn start(version: Version, webhook: Option<&str>) -> Self {
        let folder = TempDir::new().unwrap();
        let receiver = webhook.map_or(String::new(), |url| format!(", webhook_configs: [{{url: '{url}'}}]"));
        let config = format!(
            "route: {{receiver: test, group_by: ['...'], group_wait: 0s, group_interval: 1s}}\n\
             receivers: [{{name: test{receiver}}}]\n"
        );
        std::fs::write(folder.path().join("alertmanager.yml"), config).unwrap();
        let port = port::free();
        let program = Program::find(version.server(), "usr/bin/prometheus-alertmanager");
        // Where it looks for its templates, see `tests/setup.sh`.
        let usr = program.path.ancestors().nth(2).unwrap();
        std::os::unix::fs::symlink(usr, folder.path().join(".usr")).unwrap();
        let mut command = program.command();
        command.current_dir(folder.path()).args([
            "--config.file=alertmanager.yml",
            "--storage.path=data",
            "--cluster.listen-address=",
            &format!("--web.listen-address=127.0.0.1:{port}"),
        ]);
        let client = reqwest::Client::builder().timeout(Duration::from_secs(10)).build().unwrap();
        let mut alertmanager = Self { version, port, folder, command, process: None, client };
        alertmanager.start_again().await;
        alertmanager
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Starts it again after [`Self::kill`].
    pub async fn start_again(&mut self) {
        assert!(self.process.is_none(), "it still runs");
        let mut process = Process::start(self.version.server(), &self.command, self.folder.path());
        let url = format!("{}/-/ready", self.url());
        let ask =
            async || self.client.get(&url).send().await.is_ok_and(|answer| answer.status().is_success());
        process.ready(Duration::from_secs(60), ask).await;
        self.process = Some(process);
    }

    /// Silences alerts of this name for an hour from now on.
    pub async fn silence(&self, alertname: &str) {
        let (from, to) = (chrono::Utc::now(), chrono::Utc::now() + chrono::TimeDelta::hours(1));
        let silence = serde_json::json!({
            "matchers": [{"name": "alertname", "value": alertname, "isRegex": false, "isEqual": true}],
            "startsAt": from, "endsAt": to, "createdBy": "test", "comment": "known",
        });
        let request = self.client.post(format!("{}/api/v2/silences", self.url())).json(&silence);
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }

    /// Alerts that are active now (resolved ones are not), as its API shows them.
    pub async fn alerts(&self) -> Vec<Value> {
        let answer = self.client.get(format!("{}/api/v2/alerts", self.url())).send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{status}: {text}");
        serde_json::from_str(&text).unwrap()
    }
}
