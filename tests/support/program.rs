//! Where the servers are that `tests/setup.sh` unpacked.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A program of one of the servers that `tests/setup.sh` knows.
pub struct Program {
    /// The executable.
    pub path: PathBuf,
    /// Where libraries lie that were unpacked with it because the system lacks them.
    libraries: String,
}

impl Program {
    /// Fails the test with the command that installs what is missing.
    pub fn find(server: &str, executable: &str) -> Self {
        let root = cache().join(server);
        let path = root.join(executable);
        assert!(
            root.join(".complete").exists() && path.exists(),
            "{} is missing; install it with: tests/setup.sh {server}",
            path.display()
        );
        let multiarch = format!("{}-linux-gnu", std::env::consts::ARCH);
        let libraries = ["usr/lib", "lib"].map(|lib| root.join(lib).join(&multiarch).display().to_string());
        Self { path, libraries: libraries.join(":") }
    }

    /// A command that finds its libraries.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.env("LD_LIBRARY_PATH", &self.libraries);
        command
    }

    /// Runs it to its end; fails the test with its output if it fails.
    pub fn run(&self, arguments: &[&str], folder: &Path) -> String {
        let output = self.command().args(arguments).current_dir(folder).output().unwrap();
        let text =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{} {arguments:?}: {text}", self.path.display());
        text
    }
}

/// The same folder as in `tests/setup.sh`.
fn cache() -> PathBuf {
    let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let base = base.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")));
    base.expect("HOME is set").join("damper")
}
