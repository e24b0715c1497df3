//! Takes the PostgreSQL server of this test process away, and brings it back.

use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};

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
