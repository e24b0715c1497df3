//! A child process that never outlives its test.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::wait_until;

/// A running program with its output in a file; killed, with its children, when dropped.
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`, its output appended to `folder/name.log`.
    ///
    /// `setpriv` makes it die with this thread; it becomes the program by `exec`, so the id stays.
    pub fn start(name: &str, command: &Command, folder: &Path) -> Self {
        let log = folder.join(format!("{name}.log"));
        let output = File::options().create(true).append(true).open(&log).unwrap();
        let mut wrapped = Command::new("setpriv");
        wrapped.args(["--pdeathsig", "KILL", "--"]).arg(command.get_program()).args(command.get_args());
        for (key, value) in command.get_envs() {
            match value {
                Some(value) => wrapped.env(key, value),
                None => wrapped.env_remove(key),
            };
        }
        wrapped.current_dir(command.get_current_dir().unwrap_or(folder));
        wrapped.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output).process_group(0);
        let child = wrapped.spawn().expect("setpriv (package util-linux) starts");
        Self { name: name.to_owned(), child, log }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended, and how.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Sends a signal to the program alone, as an operator would.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// `kill -9`, children included, and waits until it is gone.
    pub fn kill(&mut self) {
        if self.ended().is_none() {
            // It may end by itself in between: then there is nothing to kill.
            let _ = kill_process_group(self.pid(), Signal::KILL);
            self.child.wait().unwrap();
        }
    }

    /// Asks it to end and waits for that.
    pub async fn terminate(&mut self, limit: Duration) -> ExitStatus {
        self.signal(Signal::TERM);
        let what = format!("{} to end after SIGTERM", self.name);
        wait_until(limit, &what, async || self.ended()).await
    }

    /// What it wrote so far.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Waits until it is ready; fails at once, with its output, if it ends instead.
    pub async fn ready(&mut self, limit: Duration, mut ask: impl AsyncFnMut() -> bool) {
        let what = format!("{} to be ready", self.name);
        wait_until(limit, &what, async || {
            if let Some(status) = self.ended() {
                panic!("{} ended while starting, {status}:\n{}", self.name, self.output());
            }
            ask().await.then_some(())
        })
        .await;
    }

    /// User and system time it has used, in seconds.
    pub fn cpu_seconds(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id())).unwrap();
        // The name, in parentheses, may hold spaces; user and system ticks are fields 14 and 15 of all.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks: f64 = fields[11..13].iter().map(|field| field.parse::<f64>().unwrap()).sum();
        #[expect(clippy::cast_precision_loss, reason = "it is 100")]
        let per_second = rustix::param::clock_ticks_per_second() as f64;
        ticks / per_second
    }

    /// Memory it holds at present, in bytes.
    pub fn memory(&self) -> u64 {
        memory_of(self.id())
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

/// Memory that a process holds at present, in bytes.
pub fn memory_of(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it runs");
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() * 1024
}

impl Drop for Process {
    fn drop(&mut self) {
        let ended = self.child.try_wait();
        // Once it was waited for, its id may be another's.
        if matches!(ended, Ok(None)) {
            let _ = kill_process_group(self.pid(), Signal::KILL);
            let _ = self.child.wait();
        }
        if std::thread::panicking() {
            let output = self.output();
            let lines: Vec<&str> = output.lines().collect();
            let tail = &lines[lines.len().saturating_sub(40)..];
            eprintln!("--- {} ({ended:?}), end of its output:\n{}", self.name, tail.join("\n"));
        }
    }
}
