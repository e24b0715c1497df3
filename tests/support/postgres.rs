//! A real PostgreSQL for tests: one server per test process, a fresh database per caller.
//!
//! The server lives in a folder of its own and listens on a Unix socket only. A small shell watches
//! over it: when the test process ends, however it ends, the shell's input closes, and it stops the
//! server and removes the folder.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// What to do when the server's programs are missing.
const INSTALL: &str = "PostgreSQL is needed for this test: apt-get install -y postgresql";

/// Set-up, and tear-down at the end of input. `fsync` is off: these tests kill processes, not machines.
const WATCH: &str = r#"
trap '' INT
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
    _watch: Child,
    /// Folder of the socket.
    socket: String,
}

static SERVER: OnceLock<Server> = OnceLock::new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// The address of a new, empty database.
pub(crate) fn fresh_database() -> String {
    let server = SERVER.get_or_init(start);
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
    format!("postgres://damper@localhost/{name}?host={}", server.socket)
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
    Server { _watch: watch, socket }
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
