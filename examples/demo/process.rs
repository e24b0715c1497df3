//! A child process that ends with the demo, whatever way the demo ends.

use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};

use super::Result;

/// A running program, its output in a file; killed when dropped.
pub(crate) struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `program` in `folder`. `setpriv` lets the kernel kill it should the demo be killed; a
    /// group of its own keeps the terminal's Ctrl-C from it, so that it is ended in order.
    pub(crate) fn start(
        name: &str,
        program: &Path,
        arguments: &[impl AsRef<std::ffi::OsStr>],
        folder: &Path,
    ) -> Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let output = File::create(&log)?;
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(program).args(arguments).current_dir(folder);
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output).process_group(0);
        let child = command.spawn().map_err(|error| {
            format!("cannot run setpriv: {error}; install it with: apt-get install util-linux")
        })?;
        Ok(Self { name: name.to_owned(), child, log })
    }

    /// An error with the end of its output, once it has ended.
    pub(crate) fn alive(&mut self) -> Result<()> {
        let Some(status) = self.child.try_wait()? else { return Ok(()) };
        let output = std::fs::read(&self.log).unwrap_or_default();
        let output = String::from_utf8_lossy(&output);
        let mut tail: Vec<&str> = output.lines().rev().take(15).collect();
        tail.reverse();
        Err(format!("{} ended, {status}; its last words:\n{}", self.name, tail.join("\n")).into())
    }

    /// Asks it to end, and waits for that a while.
    pub(crate) async fn end(&mut self) -> Result<ExitStatus> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            sleep(Duration::from_millis(50)).await;
        }
        Err(format!("{} did not end within 10s of SIGTERM", self.name).into())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
