//! How the market goes on: by itself at a finite speed, step by step in lockstep.

use rust_decimal::Decimal;

use super::clock::Pace;
use super::listen_key::KeyChange;
use super::log::LogError;
use super::state::Core;
use super::streams::DepthPace;
use crate::market::{MarketStep, inner_path};
use crate::venue::{Command, Moved, Reply, SymbolId};

/// Wall time between two ticks. Units: milliseconds.
pub(crate) const TICK_MS: u64 = 50;
/// The book is stirred, a recorded price moved and a recorded market's trade printed on every so many ticks: five times
/// a second, so that every depth stream has something to push and a command log stays readable.
const STIR_EVERY: u64 = 4;
/// Connections are cut after a day. Source: fact sheet 8.1.
const LONGEST_CONNECTION_MS: i64 = 24 * 3_600_000;
/// A live market that lags further behind goes by minute bars instead of prints.
const BY_PRINTS_MS: i64 = 60_000;
/// Prints of one symbol that one tick pushes.
const PRINTS_PER_TICK: usize = 200;
/// Schedule steps that one tick plays before others get the lock.
const STEPS_PER_TICK: usize = 5_000;

/// What one lockstep step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockstepStep {
    /// Prices moved until something happened to the account; its events were sent.
    UserEvents,
    /// A funding settlement; its events, if the account had legs, were sent.
    Funding {
        /// Position of the symbol in [`ExchangeHandle::symbols`](super::ExchangeHandle::symbols).
        symbol_ix: u16,
    },
    /// A bar is complete: mark price and closed klines were sent.
    BarClosed {
        /// Position of the symbol in [`ExchangeHandle::symbols`](super::ExchangeHandle::symbols).
        symbol_ix: u16,
        /// Open of the bar. Units: milliseconds since 1970.
        open_ms: i64,
    },
    /// The market has no further step.
    Ended,
}

impl Core {
    /// Plays on until something is to be seen, and sends it. The clock goes there in one jump: a client whose clock it
    /// is has nothing to do at the moments between.
    pub(crate) fn lockstep(&mut self) -> Result<LockstepStep, LogError> {
        loop {
            let next_ms = self.play.next().map_or(i64::MAX, MarketStep::at_ms);
            match self.end_countdown_before(next_ms)? {
                Some(true) => return Ok(LockstepStep::UserEvents),
                Some(false) => continue,
                None => {}
            }
            match self.turn_contract_before(next_ms)? {
                Some(true) => return Ok(LockstepStep::UserEvents),
                Some(false) => continue,
                None => {}
            }
            let Some(applied) = self.play_next()? else { return Ok(LockstepStep::Ended) };
            let at_ms = applied.step.at_ms();
            let seen = match applied.step {
                MarketStep::Warmup { .. } => None,
                MarketStep::Funding { symbol_ix, .. } => Some(LockstepStep::Funding { symbol_ix }),
                MarketStep::BarClosed { symbol_ix, bar, .. } => {
                    Some(LockstepStep::BarClosed { symbol_ix, open_ms: bar.open_time.ms() })
                }
                MarketStep::Move { symbol_ix, .. } => {
                    self.print_move(symbol_ix, at_ms);
                    applied
                        .events
                        .iter()
                        .any(|event| event.account.is_some())
                        .then_some(LockstepStep::UserEvents)
                }
            };
            let Some(seen) = seen else { continue };
            self.clock.jump(at_ms);
            self.due_faults();
            self.announce(&applied.events);
            for ix in 0..self.symbol_count() {
                self.push_best(ix);
            }
            if let LockstepStep::BarClosed { symbol_ix, .. } = seen {
                self.push_bar(symbol_ix, at_ms);
            }
            return Ok(seen);
        }
    }

    /// Mark price first, then the klines that ended; book and day figures beside them.
    fn push_bar(&mut self, ix: u16, at_ms: i64) {
        for pace in DepthPace::ALL {
            self.push_depth(ix, pace);
        }
        self.push_tickers(ix);
        self.push_marks(true, Some(ix));
        self.push_marks(false, Some(ix));
        self.push_indices();
        self.push_closed_klines(ix, at_ms);
    }

    /// One tick of wall time at a finite speed; `n` counts them.
    pub(crate) fn tick(&mut self, n: u64) -> Result<(), LogError> {
        let state = self.clock.state();
        if state.paused || state.pace == Pace::Lockstep {
            return Ok(());
        }
        let now_ms = state.now_ms;
        self.tell_held_news();
        self.due_faults();
        if self.key.valid_until_ms().is_some_and(|until_ms| until_ms <= now_ms) {
            self.change_key(KeyChange::Expired)?;
        }
        self.end_countdowns(now_ms)?;
        self.turn_contracts(now_ms)?;
        self.hub.cut_older(now_ms - LONGEST_CONNECTION_MS);
        if self.play.is_recording() {
            self.recorded_ticks(now_ms)?;
        } else if self.play.is_live() {
            self.live_market(now_ms, n)?;
        } else {
            self.recorded_market(now_ms, n)?;
        }
        self.push_market(now_ms, n);
        Ok(())
    }

    /// Plays every step that fell due and puts prices where their bars' paths are now.
    fn recorded_market(&mut self, now_ms: i64, n: u64) -> Result<(), LogError> {
        for _ in 0..STEPS_PER_TICK {
            if self.play.next().is_none_or(|next| next.at_ms() > now_ms) {
                break;
            }
            if let Some(applied) = self.play_next()? {
                self.announce(&applied.events);
            }
        }
        if !n.is_multiple_of(STIR_EVERY) {
            return Ok(());
        }
        for ix in 0..self.symbol_count() {
            if let Some(price) = self.play.price_now(ix, now_ms) {
                self.go_to(ix, price, now_ms)?;
            }
            self.stir(ix, now_ms)?;
            self.print_share(ix, now_ms);
        }
        Ok(())
    }

    /// Goes through the generated market since the last tick.
    fn live_market(&mut self, now_ms: i64, n: u64) -> Result<(), LogError> {
        let since_ms = self.live_until_ms.min(now_ms);
        for ix in 0..self.symbol_count() {
            let mut from_ms = since_ms;
            for payment in self.play.funding_due(ix, since_ms, now_ms) {
                self.live_prices(ix, from_ms, payment.at_ms)?;
                from_ms = payment.at_ms;
                let funding =
                    Command::Funding { symbol: SymbolId(ix), rate: payment.rate, mark: payment.mark };
                // Funding of a symbol that left trading is refused and paid by nobody.
                let _ = self.command_at(payment.at_ms, &funding)?;
            }
            self.live_prices(ix, from_ms, now_ms)?;
            if n.is_multiple_of(STIR_EVERY) {
                self.stir(ix, now_ms)?;
            }
        }
        self.live_until_ms = now_ms;
        Ok(())
    }

    fn live_prices(&mut self, ix: u16, from_ms: i64, to_ms: i64) -> Result<(), LogError> {
        if to_ms - from_ms > BY_PRINTS_MS {
            for bar in self.play.minutes(ix, from_ms, to_ms) {
                for price in inner_path(&bar) {
                    self.go_to(ix, price, to_ms.min(bar.end().ms()))?;
                }
            }
            if let Some(price) = self.play.price_now(ix, to_ms) {
                self.go_to(ix, price, to_ms)?;
            }
        }
        let printed_from_ms = from_ms.max(to_ms - BY_PRINTS_MS / 4);
        for print in self.play.prints_between(ix, printed_from_ms, to_ms, PRINTS_PER_TICK) {
            if to_ms - from_ms <= BY_PRINTS_MS {
                let ticks = self.venue.rules(SymbolId(ix)).and_then(|rules| rules.ticks_nearest(print.price));
                if let Some(to) = ticks {
                    self.go_to_ticks(SymbolId(ix), to, print.at_ms)?;
                }
            }
            self.push_print(ix, &print);
        }
        Ok(())
    }

    /// Moves last to a price of the bars.
    fn go_to(&mut self, ix: u16, price: i64, at_ms: i64) -> Result<(), LogError> {
        match self.movement(ix, price, false) {
            Some(Command::Move { symbol, to, .. }) => self.go_to_ticks(symbol, to, at_ms),
            _ => Ok(()),
        }
    }

    /// Moves last all the way, through everything that happens on it.
    fn go_to_ticks(&mut self, symbol: SymbolId, to: i64, at_ms: i64) -> Result<(), LogError> {
        if self.venue.prices(symbol).is_some_and(|prices| prices.last_ticks == to) {
            return Ok(());
        }
        let command = Command::Move { symbol, to, mark: None };
        while let Ok(Reply::Moved(Moved { reached: false, .. })) = self.command_at(at_ms, &command)? {}
        Ok(())
    }

    fn stir(&mut self, ix: u16, now_ms: i64) -> Result<(), LogError> {
        // A symbol that left trading has no book to stir.
        let _ = self.command_at(now_ms, &Command::Stir { symbol: SymbolId(ix) })?;
        Ok(())
    }

    /// Prints what the current bar trades in the time of one print.
    fn print_share(&mut self, ix: u16, now_ms: i64) {
        let speed = match self.clock.state().pace {
            Pace::Speed(speed) => speed,
            Pace::Lockstep => 1.0,
        };
        let span_ms = (TICK_MS * STIR_EVERY) as f64 * speed;
        let share = self.play.current_bar(ix, now_ms).map(|bar| {
            let part = (span_ms / bar.interval.ms() as f64).min(1.0);
            bar.volume_decimal() * Decimal::try_from(part).unwrap_or_default()
        });
        self.print_at_last(ix, share.unwrap_or_default(), now_ms);
    }

    /// Prints a quarter of the bar's volume at a point of its path.
    fn print_move(&mut self, ix: u16, at_ms: i64) {
        if self.play.knows_prints() {
            return;
        }
        let bar = self.play.current_bar(ix, at_ms);
        let share = bar.map(|bar| bar.volume_decimal() / Decimal::from(4)).unwrap_or_default();
        self.print_at_last(ix, share, at_ms);
    }

    fn print_at_last(&mut self, ix: u16, qty: Decimal, at_ms: i64) {
        let id = SymbolId(ix);
        let (Some(prices), Some(rules)) = (self.venue.prices(id), self.venue.rules(id)) else { return };
        let step = rules.lot.step;
        let qty = ((qty / step).floor() * step).max(rules.lot.min);
        let buyer_is_maker = self.venue.best(id).is_some_and(|best| prices.last <= best.bid);
        self.print(ix, at_ms, prices.last, qty, buyer_is_maker);
    }

    /// Pushes what is due on this tick.
    fn push_market(&mut self, now_ms: i64, n: u64) {
        let every = |wall_ms: u64| n.is_multiple_of(wall_ms / TICK_MS);
        for ix in 0..self.symbol_count() {
            self.push_best(ix);
            for pace in DepthPace::ALL {
                if every(pace.wall_ms()) {
                    self.push_depth(ix, pace);
                }
            }
            self.push_closed_klines(ix, now_ms);
            if every(250) {
                self.push_forming_klines(ix);
            }
            if every(2_000) {
                self.push_tickers(ix);
            }
        }
        if every(1_000) {
            self.push_marks(true, None);
            self.push_ticker_arrays();
            self.push_indices();
            self.push_liquidations();
        }
        if every(3_000) {
            self.push_marks(false, None);
        }
        if every(5_000) {
            self.push_all_best();
        }
    }
}
