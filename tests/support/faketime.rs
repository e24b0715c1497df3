//! A wall clock that a test sets while Damper runs: Debian's libfaketime. The clock that nobody can set
//! goes on as it is.

use std::path::PathBuf;

use super::damper::Damper;
use super::program::Program;

impl Damper {
    /// From its next start on its wall clock is what [`Self::set_clock`] says.
    pub fn with_clock(&mut self) {
        let library = format!("usr/lib/{}-linux-gnu/faketime/libfaketimeMT.so.1", std::env::consts::ARCH);
        let library = Program::find("faketime", &library).path;
        self.set_clock(0);
        let file = self.clock_file();
        for (name, value) in [
            ("LD_PRELOAD", library.to_str().unwrap()),
            ("FAKETIME_TIMESTAMP_FILE", file.to_str().unwrap()),
            ("FAKETIME_NO_CACHE", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ("DONT_FAKE_MONOTONIC", "1"),
            ("NO_FAKE_STAT", "1"),
        ] {
            self.env(name, value);
        }
    }

    /// Its clock is so many seconds ahead of ours, from now on.
    pub fn set_clock(&self, ahead: i64) {
        let new = self.path("clock.new");
        std::fs::write(&new, format!("{ahead:+}\n")).unwrap();
        std::fs::rename(new, self.clock_file()).unwrap();
    }

    fn clock_file(&self) -> PathBuf {
        self.path("clock")
    }
}
