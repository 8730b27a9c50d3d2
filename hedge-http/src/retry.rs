//! Repeating reads. Commands are never repeated here: the caller asks the venue first.

use std::{future::Future, num::NonZeroU32, time::Duration};

/// Where jitter comes from. Injected, so that a seed reproduces a run.
pub trait RandomSource: Send {
    /// The next 64 random bits.
    fn next_u64(&mut self) -> u64;
}

/// A small seeded generator (splitmix64): spreads retries, is not for secrets.
#[derive(Debug, Clone)]
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// Starts from a seed; the same seed gives the same sequence.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }
}

impl RandomSource for SplitMix64 {
    fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }
}

/// Exponential backoff between `half` and `whole` of a doubling step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// First step.
    pub base: Duration,
    /// No step is longer than this.
    pub cap: Duration,
}

impl Backoff {
    /// The wait before attempt `attempt + 1`, where the first attempt is 1.
    pub fn delay(&self, attempt: u32, random: &mut dyn RandomSource) -> Duration {
        let doublings = attempt.saturating_sub(1).min(31);
        let step = self.base.saturating_mul(1_u32 << doublings).min(self.cap);
        let half_ms = u64::try_from(step.as_millis() / 2).unwrap_or(u64::MAX / 2);
        Duration::from_millis(half_ms + random.next_u64() % (half_ms + 1))
    }
}

/// What the caller makes of a failed read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadFailure {
    /// Another attempt may succeed.
    Transient {
        /// The server asked for at least this pause.
        retry_after: Option<Duration>,
    },
    /// Another attempt gives the same answer.
    Final,
}

/// How often and how patiently a read is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts in all, the first one included.
    pub max_attempts: NonZeroU32,
    /// Spacing.
    pub backoff: Backoff,
    /// A server that asks for a longer pause than this ends the retries instead.
    pub max_wait: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: NonZeroU32::MIN.saturating_add(3),
            backoff: Backoff { base: Duration::from_millis(200), cap: Duration::from_secs(5) },
            max_wait: Duration::from_secs(10),
        }
    }
}

impl RetryPolicy {
    /// The pause before the next attempt, or `None` to give up after attempt number `attempt` (the first is 1).
    pub fn next_delay(
        &self,
        attempt: u32,
        failure: ReadFailure,
        random: &mut dyn RandomSource,
    ) -> Option<Duration> {
        let ReadFailure::Transient { retry_after } = failure else { return None };
        if attempt >= self.max_attempts.get() {
            return None;
        }
        let wait = self.backoff.delay(attempt, random).max(retry_after.unwrap_or_default());
        (wait <= self.max_wait).then_some(wait)
    }
}

/// Repeats a **read** until it succeeds, fails for good, or the policy ends.
///
/// `read` is called afresh for each attempt, so that a signed read gets a new timestamp.
///
/// *Cancel safety*: dropping the future stops after the attempt under way.
///
/// # Errors
/// The last error of `read`.
pub async fn retry_read<T, E, F>(
    policy: &RetryPolicy,
    random: &mut dyn RandomSource,
    classify: impl Fn(&E) -> ReadFailure,
    mut read: impl FnMut() -> F,
) -> Result<T, E>
where
    F: Future<Output = Result<T, E>>,
{
    let mut attempt = 1;
    loop {
        let error = match read().await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let Some(wait) = policy.next_delay(attempt, classify(&error), random) else { return Err(error) };
        tokio::time::sleep(wait).await;
        attempt += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const TRANSIENT: ReadFailure = ReadFailure::Transient { retry_after: None };

    #[test]
    fn delays_double_stay_in_the_upper_half_and_stop_at_the_cap() {
        let backoff = Backoff { base: Duration::from_millis(200), cap: Duration::from_millis(1_000) };
        let mut random = SplitMix64::new(7);
        for (attempt, step_ms) in [(1, 200), (2, 400), (3, 800), (4, 1_000), (60, 1_000)] {
            let ms = backoff.delay(attempt, &mut random).as_millis();
            assert!(ms >= step_ms / 2 && ms <= step_ms, "attempt {attempt}: {ms} ms");
        }
    }

    #[test]
    fn the_server_may_ask_for_a_longer_pause_than_the_backoff() {
        let failure = ReadFailure::Transient { retry_after: Some(Duration::from_secs(9)) };
        let wait = RetryPolicy::default().next_delay(1, failure, &mut SplitMix64::new(1));
        assert_eq!(wait, Some(Duration::from_secs(9)));
    }

    #[test]
    fn a_pause_above_the_limit_ends_the_retries() {
        let failure = ReadFailure::Transient { retry_after: Some(Duration::from_secs(600)) };
        assert_eq!(RetryPolicy::default().next_delay(1, failure, &mut SplitMix64::new(1)), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_is_tried_four_times_at_most() {
        let calls = Cell::new(0);
        let result: Result<(), &str> = retry_read(
            &RetryPolicy::default(),
            &mut SplitMix64::new(1),
            |_| TRANSIENT,
            || {
                calls.set(calls.get() + 1);
                async { Err("busy") }
            },
        )
        .await;
        assert_eq!((result, calls.get()), (Err("busy"), 4));
    }

    #[tokio::test(start_paused = true)]
    async fn a_final_failure_is_not_repeated() {
        let calls = Cell::new(0);
        let result: Result<(), &str> = retry_read(
            &RetryPolicy::default(),
            &mut SplitMix64::new(1),
            |_| ReadFailure::Final,
            || {
                calls.set(calls.get() + 1);
                async { Err("no such symbol") }
            },
        )
        .await;
        assert_eq!((result, calls.get()), (Err("no such symbol"), 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_that_recovers_returns_its_value() {
        let calls = Cell::new(0);
        let result: Result<i32, &str> = retry_read(
            &RetryPolicy::default(),
            &mut SplitMix64::new(1),
            |_| TRANSIENT,
            || {
                calls.set(calls.get() + 1);
                let now = calls.get();
                async move { if now < 3 { Err("busy") } else { Ok(now) } }
            },
        )
        .await;
        assert_eq!(result, Ok(3));
    }
}
