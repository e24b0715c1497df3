//! Repeatable randomness: a test prints its seed, and `TEST_DAMPER_SEED` gives it back.

/// xorshift64* (Vigna, 2016).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// From a seed.
    pub const fn of(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// `TEST_DAMPER_SEED`, or a new one; shown when the test fails.
    pub fn seed() -> u64 {
        let given = std::env::var("TEST_DAMPER_SEED").ok().map(|text| text.parse().expect("a number"));
        let seed = given.unwrap_or_else(|| u64::try_from(super::now_ms()).unwrap());
        eprintln!("TEST_DAMPER_SEED={seed}");
        seed
    }

    /// A number from `low` up to but not `high`.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        low + i64::try_from(number).unwrap() % (high - low)
    }

    /// One of several.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        let place = self.between(0, i64::try_from(from.len()).unwrap());
        &from[usize::try_from(place).unwrap()]
    }
}
