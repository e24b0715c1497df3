//! Clocks and medians. Processor time wherever it says what is wanted: others share the machine.

use rustix::time::{ClockId, clock_gettime};

/// Processor time of this thread so far, in seconds.
pub fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let nanoseconds = u32::try_from(time.tv_nsec).unwrap();
    f64::from(u32::try_from(time.tv_sec).unwrap()) + f64::from(nanoseconds) / 1e9
}

/// What `work` took of this thread's processor time, in seconds.
pub fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let before = cpu_seconds();
    let result = work();
    (result, cpu_seconds() - before)
}

/// The middle one; of an even number the mean of the two in the middle.
pub fn median(mut values: Vec<f64>) -> f64 {
    assert!(!values.is_empty(), "nothing was measured");
    values.sort_by(f64::total_cmp);
    f64::midpoint(values[(values.len() - 1) / 2], values[values.len() / 2])
}

/// Memory of this process that lies in RAM, in bytes.
pub fn resident() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u32 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    #[expect(clippy::cast_precision_loss, reason = "4096, or a little more")]
    let size = rustix::param::page_size() as f64;
    f64::from(pages) * size
}

/// Whole numbers that look like chance and are the same in every run (SplitMix64).
pub struct Noise(u64);

impl Noise {
    /// One sequence per seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Between 0 and `below`, `below` not included.
    pub fn below(&mut self, below: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        i64::try_from((z ^ (z >> 31)) % u64::try_from(below).unwrap()).unwrap()
    }
}
