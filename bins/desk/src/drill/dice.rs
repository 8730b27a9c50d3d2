//! Moments and choices: the same for the same seed.

use std::time::Duration;

/// xorshift64*.
#[derive(Clone, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) const fn new(seed: u64) -> Self {
        Self((seed ^ 0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// Less than `limit`, which is not 0.
    pub(super) const fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % limit
    }

    /// From `least` on, less than `limit`.
    pub(super) const fn between_ms(&mut self, least: u64, limit: u64) -> Duration {
        Duration::from_millis(least + self.below(limit - least))
    }
}
