//! Kills at chosen moments: Damper dies by itself where it comes to a fail point, as by `kill -9`.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::time::Duration;

use damper::failpoint::VARIABLE;

use super::damper::Damper;
use super::wait_until;

/// `abort`'s own.
const SIGABRT: i32 = 6;

impl Damper {
    /// From its next start on its fail points can be armed.
    pub fn mortal(&mut self) {
        let file = self.fail_file();
        self.env(VARIABLE, file.to_str().unwrap());
    }

    /// It dies when it comes to this point, `PLACE/WHAT`, for the nth time.
    pub fn arm(&self, point: &str, nth: u32) {
        let new = self.path("failpoint.new");
        std::fs::write(&new, format!("{point}:{nth}")).unwrap();
        std::fs::rename(new, self.fail_file()).unwrap();
    }

    /// Waits until it has died of that; fails the test if it does not, or ends in another way.
    pub async fn died(&mut self, limit: Duration, point: &str) {
        let what = format!("the process to die at {point}");
        let status = wait_until(limit, &what, async || self.ended()).await;
        assert_eq!(status.signal(), Some(SIGABRT), "{status} instead of dying at {point}:\n{}", self.log());
        assert!(!self.fail_file().exists(), "it died of something else:\n{}", self.log());
        self.kill();
    }

    fn fail_file(&self) -> PathBuf {
        self.path("failpoint")
    }
}
