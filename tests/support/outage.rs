//! Takes the PostgreSQL server of this test process away, from all or from one, and brings it back.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread::JoinHandle;

use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::oneshot;

use super::postgres::program;

/// Stops the server of this database, as a crash does.
pub fn stop(address: &str) {
    control(folder(address), &["-m", "immediate", "stop"]);
}

/// Starts it again.
pub fn start_again(address: &str) {
    let folder = folder(address);
    let options = format!("-k {folder} -c listen_addresses= -c fsync=off -c max_connections=200");
    control(folder, &["-l", &format!("{folder}/log"), "-o", &options, "start"]);
}

/// The server's own, which holds its socket and its data.
fn folder(address: &str) -> &str {
    address.rsplit_once("?host=").expect("an address with a socket").1
}

fn control(folder: &str, words: &[&str]) {
    let root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    let mut command = Command::new(if root { "setpriv" } else { "env" });
    if root {
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
    }
    command.arg(program("pg_ctl")).args(["-w", "-D", &format!("{folder}/data")]).args(words);
    // The server must not hold what the test's own output goes to.
    let done = command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    assert!(done.status().expect("pg_ctl").success(), "pg_ctl {words:?}");
}

/// PostgreSQL's name of a socket in its folder.
const SOCKET: &str = ".s.PGSQL.5432";

/// A way of its own to the server of a database, which can be cut.
pub struct Way {
    address: String,
    folder: TempDir,
    to: PathBuf,
    /// When its thread ends, so do all connections.
    open: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Way {
    /// Open.
    pub fn to(address: &str) -> Self {
        let own = tempfile::tempdir().unwrap();
        let to = PathBuf::from(folder(address)).join(SOCKET);
        let address = address.replace(folder(address), &own.path().display().to_string());
        let mut way = Self { address, folder: own, to, open: None };
        way.mend();
        way
    }

    /// The address of the database by this way.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Open again.
    pub fn mend(&mut self) {
        let listener = std::os::unix::net::UnixListener::bind(self.folder.path().join(SOCKET)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let (stop, mut stopped) = oneshot::channel();
        let to = self.to.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = UnixListener::from_std(listener).unwrap();
                loop {
                    let (mut near, _) = tokio::select! {
                        _ = &mut stopped => return,
                        near = listener.accept() => near.unwrap(),
                    };
                    let to = to.clone();
                    tokio::spawn(async move {
                        let Ok(mut far) = UnixStream::connect(to).await else { return };
                        // How it ends is nobody's business.
                        let _ = copy_bidirectional(&mut near, &mut far).await;
                    });
                }
            });
        });
        self.open = Some((stop, thread));
    }

    /// Connections end, and none is made.
    pub fn cut(&mut self) {
        let Some((stop, thread)) = self.open.take() else { return };
        let _ = stop.send(());
        thread.join().unwrap();
        std::fs::remove_file(self.folder.path().join(SOCKET)).unwrap();
    }
}
