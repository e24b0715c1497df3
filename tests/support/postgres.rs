//! A real PostgreSQL for tests: one server per test process, a fresh database per caller.
//!
//! The server lives in a folder of its own and listens on a Unix socket only. A small shell watches
//! over it: when its input closes it stops the server and removes the folder. Whoever drops the last
//! database closes it and waits for that, so that nothing outlives the test; where the test is killed
//! the kernel closes it, and the shell is in no group that is killed with the test.

use std::fmt;
use std::io::{BufRead, BufReader};
use std::ops::Deref;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// What to do when the server's programs are missing.
const INSTALL: &str = "PostgreSQL is needed for this test: apt-get install -y postgresql";

/// Set-up, and tear-down at the end of input. `fsync` is off: these tests kill processes, not machines.
/// A test that is killed while the server starts hears nothing of it any more: that must not end the shell.
const WATCH: &str = r#"
trap '' HUP INT TERM PIPE
exec 2>&1
dir=$(mktemp -d /tmp/damper-postgres.XXXXXX) || exit 1
if "$1/initdb" -D "$dir/data" -A trust -U damper -E UTF8 --locale=C --no-sync >"$dir/log" 2>&1 &&
   "$1/pg_ctl" -w -D "$dir/data" -l "$dir/log" \
       -o "-k $dir -c listen_addresses= -c fsync=off -c max_connections=200" start >>"$dir/log" 2>&1
then echo "ready $dir"; else cat "$dir/log"; fi
read -r _
"$1/pg_ctl" -m immediate -D "$dir/data" stop >/dev/null 2>&1
rm -rf "$dir"
"#;

struct Server {
    /// Its input is what keeps the server alive.
    watch: Child,
    /// Folder of the socket.
    socket: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        // Closes its input first.
        let _ = self.watch.wait();
    }
}

static SERVER: Mutex<Weak<Server>> = Mutex::new(Weak::new());
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// A database, gone with its server once nobody has one any more; as text it is its address.
pub(crate) struct Database {
    address: String,
    _server: Arc<Server>,
}

impl Deref for Database {
    type Target = str;

    fn deref(&self) -> &str {
        &self.address
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.address)
    }
}

/// A new, empty database.
pub(crate) fn fresh_database() -> Database {
    let server = server();
    let name = format!("test{}", DATABASES.fetch_add(1, Ordering::Relaxed));
    let made = Command::new(program("psql"))
        .args([
            "-h",
            &server.socket,
            "-U",
            "damper",
            "-d",
            "postgres",
            "-qc",
            &format!("create database {name}"),
        ])
        .current_dir("/")
        .output()
        .expect(INSTALL);
    assert!(made.status.success(), "create database: {}", String::from_utf8_lossy(&made.stderr));
    let address = format!("postgres://damper@localhost/{name}?host={}", server.socket);
    Database { address, _server: server }
}

fn server() -> Arc<Server> {
    let mut known = SERVER.lock().unwrap_or_else(PoisonError::into_inner);
    known.upgrade().unwrap_or_else(|| {
        let started = Arc::new(start());
        *known = Arc::downgrade(&started);
        started
    })
}

fn start() -> Server {
    let bin = program("initdb");
    let bin = bin.rsplit_once('/').expect("a path").0;
    // PostgreSQL refuses to run as root.
    let root = std::fs::metadata("/proc/self").expect("a /proc").uid() == 0;
    let mut command = if root { Command::new("setpriv") } else { Command::new("sh") };
    if root {
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "sh"]);
    }
    let mut watch = command
        .args(["-c", WATCH, "sh", bin])
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .expect("setpriv (package util-linux) or sh");
    let mut lines = BufReader::new(watch.stdout.take().expect("piped")).lines();
    let first = lines.next().and_then(Result::ok).unwrap_or_default();
    let Some(socket) = first.strip_prefix("ready ") else {
        drop(watch.stdin.take());
        let rest: Vec<_> = lines.map_while(Result::ok).collect();
        panic!("PostgreSQL did not start: {first}\n{}", rest.join("\n"));
    };
    let socket = socket.to_owned();
    Server { watch, socket }
}

/// Debian keeps the server's programs out of the path, by version; the newest is taken.
pub(crate) fn program(name: &str) -> String {
    let mut found: Vec<(u32, String)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            let path = entry.path().join("bin").join(name);
            path.exists().then(|| (version, path.display().to_string()))
        })
        .collect();
    found.sort();
    found.pop().unwrap_or_else(|| panic!("{INSTALL} (no {name} under /usr/lib/postgresql)")).1
}
