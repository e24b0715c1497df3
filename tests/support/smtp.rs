//! A real mail server (chasquid): plain with optional STARTTLS, submission with STARTTLS and AUTH,
//! and submission over implicit TLS with AUTH. What it delivers lies in a folder.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::process::Process;
use super::program::Program;
use super::{port, wait_until};

/// May log in, and receives mail.
pub const USER: &str = "damper@localhost";
/// Of [`USER`].
pub const PASSWORD: &str = "correct horse";
/// Receives mail; any other address is refused with 550.
pub const ONCALL: &str = "oncall@localhost";

/// A running mail server for the name `localhost`, or a stopped one.
pub struct Smtp {
    command: Command,
    // Before the folder: fields are dropped in this order, and a failing test still reads its log there.
    process: Option<Process>,
    folder: TempDir,
    /// Port for mail between servers: no login, STARTTLS offered.
    pub plain: u16,
    /// Submission port: STARTTLS, then login.
    pub starttls: u16,
    /// Submission port inside TLS, then login.
    pub tls: u16,
    /// The certificate that clients have to trust, PEM.
    pub certificate: String,
}

impl Smtp {
    /// Starts one with a fresh certificate.
    pub async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let (plain, starttls, tls) = (port::free(), port::free(), port::free());
        let certificate = write_certificate(&folder.path().join("certs/localhost"));
        for part in ["domains/localhost", "data", "mails"] {
            std::fs::create_dir_all(folder.path().join(part)).unwrap();
        }
        std::fs::write(folder.path().join("chasquid.conf"), config(folder.path(), plain, starttls, tls))
            .unwrap();
        let config_dir = format!("--config_dir={}", folder.path().display());
        let tool = Program::find("chasquid", "usr/bin/chasquid-util");
        for user in [USER, ONCALL] {
            let config_dir = config_dir.replace("config_dir", "configdir");
            tool.run(&[&config_dir, "user-add", user, &format!("--password={PASSWORD}")], folder.path());
        }
        let mut command = Program::find("chasquid", "usr/bin/chasquid").command();
        command.arg(config_dir);
        let mut smtp = Self { folder, command, process: None, plain, starttls, tls, certificate };
        smtp.start_again().await;
        smtp
    }

    /// `kill -9`: connections are refused.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Starts it again after [`Self::kill`].
    pub async fn start_again(&mut self) {
        assert!(self.process.is_none(), "it still runs");
        let mut process = Process::start("chasquid", &self.command, self.folder.path());
        let tls = self.tls;
        // It opens this port last.
        let ask = async || tokio::net::TcpStream::connect(("127.0.0.1", tls)).await.is_ok();
        process.ready(Duration::from_secs(60), ask).await;
        self.process = Some(process);
    }

    /// Stops it so that connections hang.
    pub fn freeze(&self) {
        self.process.as_ref().expect("it runs").signal(rustix::process::Signal::STOP);
    }

    /// Goes on after [`Self::freeze`].
    pub fn thaw(&self) {
        self.process.as_ref().expect("it runs").signal(rustix::process::Signal::CONT);
    }

    /// The mails delivered so far, whole, headers included.
    pub fn mails(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path().join("mails")).unwrap();
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "eml"));
        paths.sort();
        paths.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect()
    }

    /// Waits for a mail that contains `text`.
    pub async fn wait_for(&self, limit: Duration, text: &str) -> String {
        let what = format!("a mail with {text:?}");
        wait_until(limit, &what, async || self.mails().into_iter().find(|mail| mail.contains(text))).await
    }
}

fn config(folder: &Path, plain: u16, starttls: u16, tls: u16) -> String {
    let mails = folder.join("mails");
    let mails = mails.display();
    // A mail appears under its name only when it is whole.
    let deliver = format!("cat >{mails}/$$ && mv {mails}/$$ {mails}/$(date +%s%N).eml");
    format!(
        "hostname: \"localhost\"\n\
         smtp_address: \"127.0.0.1:{plain}\"\n\
         submission_address: \"127.0.0.1:{starttls}\"\n\
         submission_over_tls_address: \"127.0.0.1:{tls}\"\n\
         data_dir: \"{}/data\"\n\
         mail_delivery_agent_bin: \"/bin/sh\"\n\
         mail_delivery_agent_args: \"-c\"\n\
         mail_delivery_agent_args: \"{deliver}\"\n\
         mail_log_path: \"<stderr>\"\n",
        folder.display()
    )
}

/// A self-signed certificate for `localhost`, in the files that chasquid looks for.
fn write_certificate(folder: &Path) -> String {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("fullchain.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("privkey.pem"), made.signing_key.serialize_pem()).unwrap();
    made.cert.pem()
}
