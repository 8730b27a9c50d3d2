//! Moves an embedded exchange on whenever the engine has nothing left to do.

use hedge_core::Clock;
use hedge_runtime::Activity;
use hedge_sim::binance::{ExchangeError, ExchangeHandle, LockstepStep};

use super::clock::VenueTime;

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

    /// Plays until every symbol has closed the bar that ends at `until_ms`, or without end.
    ///
    /// After each step of the market first everything is taken in that the account stream says about it; then timers and
    /// market facts are let through. Whenever one of them sets something going, the next one waits until that has come
    /// back. So the same data leads to the same orders, here and in a backtest.
    ///
    /// Errors: [`ExchangeError`] when a step could not be kept or a client does not read.
    pub async fn play(
        &self,
        until_ms: Option<i64>,
        bar_ms: i64,
        mut progress: impl FnMut(i64),
    ) -> Result<Driven, ExchangeError> {
        let symbols = self.exchange.symbols().len();
        let mut at_the_end = 0;
        self.settle().await?;
        self.let_through().await?;
        if until_ms.is_some_and(|until_ms| self.exchange.now_ms() >= until_ms) {
            return Ok(Driven::Played);
        }
        loop {
            self.activity.hold();
            let step = self.exchange.lockstep_step()?;
            self.settle().await?;
            self.let_through().await?;
            progress(self.exchange.now_ms());
            match step {
                LockstepStep::Ended => return Ok(Driven::Ended),
                LockstepStep::BarClosed { open_ms, .. } => {
                    at_the_end += usize::from(until_ms.is_some_and(|until_ms| open_ms + bar_ms >= until_ms));
                    if at_the_end >= symbols {
                        return Ok(Driven::Played);
                    }
                }
                LockstepStep::UserEvents | LockstepStep::Funding { .. } => {}
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
