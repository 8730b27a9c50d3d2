//! Moves an embedded exchange on whenever the engine has nothing left to do.

use hedge_core::Clock;
use hedge_runtime::Activity;
use hedge_sim::binance::{ExchangeError, ExchangeHandle, LockstepStep};
use tracing::warn;

use super::{clock::VenueTime, last_bar::LastBar};

/// The driver of one run.
#[derive(Debug)]
pub struct Lockstep<'a> {
    exchange: &'a ExchangeHandle,
    activity: &'a Activity,
    clock: VenueTime,
}

/// Why the driver stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driven {
    /// Every symbol has closed its last bar.
    Played,
    /// The market has no further step.
    Ended,
}

impl<'a> Lockstep<'a> {
    /// Drives that exchange for the runtime that counts in `activity`.
    pub fn new(exchange: &'a ExchangeHandle, activity: &'a Activity) -> Self {
        Self { exchange, activity, clock: VenueTime::new(exchange.clock().clone()) }
    }

    /// Plays until every symbol has closed `last`, a bar of `bar_ms`, or without end. What was closed before is known from
    /// `last`: a run that was killed between two symbols' closes plays the missing ones.
    ///
    /// After each step of the market first everything is taken in that the account stream says about it; then timers and
    /// market facts are let through. Whenever one of them sets something going, the next one waits until that has come
    /// back. So the same data leads to the same orders, here and in a backtest.
    ///
    /// Errors: [`ExchangeError`] when a step could not be kept or a client does not read.
    pub async fn play(
        &self,
        mut last: Option<LastBar>,
        bar_ms: i64,
        mut progress: impl FnMut(i64),
    ) -> Result<Driven, ExchangeError> {
        let symbols = self.exchange.symbols().len();
        self.settle().await?;
        self.let_through().await?;
        let is_played = |last: &Option<LastBar>| {
            last.as_ref().is_some_and(|last| last.is_played(self.exchange.now_ms(), symbols))
        };
        if is_played(&last) {
            return Ok(Driven::Played);
        }
        loop {
            self.activity.hold();
            let step = self.exchange.lockstep_step()?;
            if let (LockstepStep::BarClosed { open_ms, .. }, Some(last)) = (step, &mut last)
                && open_ms + bar_ms == last.until_ms()
                && let Err(error) = last.add()
            {
                warn!(%error, "a kill between the last closes could not be told from the end of the run");
            }
            self.settle().await?;
            self.let_through().await?;
            progress(self.exchange.now_ms());
            if step == LockstepStep::Ended {
                return Ok(Driven::Ended);
            }
            if is_played(&last) {
                return Ok(Driven::Played);
            }
        }
    }

    /// Lets timers and market facts through until none is left.
    async fn let_through(&self) -> Result<(), ExchangeError> {
        while self.activity.holds_work(self.clock.now()) {
            let effects = self.activity.effects_started();
            self.activity.release();
            self.activity.idle(|| self.clock.now()).await;
            if self.activity.effects_started() != effects {
                self.settle().await?;
            }
        }
        Ok(())
    }

    /// Waits until nothing is queued, in flight or unread.
    async fn settle(&self) -> Result<(), ExchangeError> {
        loop {
            self.activity.idle(|| self.clock.now()).await;
            let before = (self.activity.generation(), self.exchange.user_event_count());
            self.exchange.barrier().await?;
            self.activity.idle(|| self.clock.now()).await;
            let after = (self.activity.generation(), self.exchange.user_event_count());
            if before == after && self.exchange.requests_in_flight() == 0 {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use hedge_sim::binance::{Exchange, ExchangeConfig, Pace};

    use super::*;

    const BAR_MS: i64 = 900_000;

    #[tokio::test]
    async fn a_run_that_was_killed_between_two_last_closes_plays_the_missing_ones_and_no_more() {
        let dir = std::env::temp_dir().join(format!("hedge-last-bar-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).unwrap();
        let start = || {
            Exchange::start(ExchangeConfig {
                pace: Pace::Lockstep,
                log_path: Some(dir.join("exchange.jsonl")),
                ..ExchangeConfig::default()
            })
        };
        let activity = Activity::stepped();

        let exchange = start().await.unwrap();
        let symbols = exchange.symbols().len();
        assert!(symbols > 1, "one symbol has nothing between its closes");
        let until_ms = (exchange.now_ms().div_euclid(BAR_MS) + 3) * BAR_MS;
        loop {
            if let LockstepStep::BarClosed { open_ms, .. } = exchange.lockstep_step().unwrap()
                && open_ms + BAR_MS == until_ms
            {
                LastBar::load(&dir, until_ms).add().unwrap();
                break;
            }
        }
        exchange.shutdown().await;
        assert!(!LastBar::load(&dir, until_ms).is_played(until_ms, symbols));

        let exchange = start().await.unwrap();
        assert_eq!(exchange.now_ms(), until_ms, "the clock alone does not tell");
        for start in ["with closes missing", "with none"] {
            let mut steps = 0;
            let last = Some(LastBar::load(&dir, until_ms));
            let driven =
                Lockstep::new(&exchange, &activity).play(last, BAR_MS, |_| steps += 1).await.unwrap();
            assert_eq!((driven, exchange.now_ms()), (Driven::Played, until_ms));
            assert_eq!(steps, if start == "with none" { 0 } else { symbols - 1 }, "{start}");
        }
        assert!(LastBar::load(&dir, until_ms).is_played(until_ms, symbols));
        exchange.shutdown().await;
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
