//! Prices as another market states them: best bid and ask, last and mark, each where it is known.
//!
//! The other commands of the market make prices; this one takes them over, for a simulation that follows a real market.

use super::command::Moved;
use super::error::{Refusal, VenueError};
use super::event::VenueEvent;
use super::exchange::Venue;

/// Prices to be taken over. In ticks, mark in multiples of 10^-8.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quote {
    pub(super) bid: i64,
    pub(super) ask: i64,
    pub(super) last: Option<i64>,
    pub(super) mark_e8: Option<i64>,
}

impl Venue {
    /// Puts the prices where they are told and lets everything happen that they reach: resting orders that the other
    /// side has come to fill at their own price, triggers fire at the new prices, margins are looked at.
    ///
    /// Without a stated last, last goes only as far as the quote forces it: a trade happens at the bid or at the ask.
    pub(super) fn quote(
        &mut self,
        symbol: usize,
        quote: Quote,
        out: &mut Vec<VenueEvent>,
    ) -> Result<Moved, VenueError> {
        let market = &self.markets[symbol];
        if !market.holds_ticks(quote.bid) || !market.holds_ticks(quote.ask) || quote.bid >= quote.ask {
            return Err(Refusal::InvalidValue.into());
        }
        let last = quote.last.unwrap_or_else(|| market.last.clamp(quote.bid, quote.ask));
        let mark_e8 = quote.mark_e8.unwrap_or(market.mark_e8);
        self.check_target(symbol, last, mark_e8)?;
        let before = self.next_seq;
        self.markets[symbol].follow(self.now_ms, (quote.bid, quote.ask), last, mark_e8);
        self.follow_trailing(symbol);
        self.fill_crossing(symbol, out);
        self.happen(symbol, 0, last, out);
        self.find_band(symbol);
        Ok(Moved { last, reached: true, eventful: self.next_seq > before })
    }
}
