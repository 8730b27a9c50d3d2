//! Ticks of another market taken over one by one: the quick forms of [`Command::Quote`](super::Command::Quote) for
//! replays. Mark goes with last.

use super::command::{Moved, SymbolId};
use super::error::{Refusal, VenueError};
use super::event::VenueEvent;
use super::exchange::Venue;
use super::quote::Quote;
use super::vocabulary::Side;

impl Venue {
    /// Takes over best bid and ask. Last goes only as far as they force it. The book is replenished.
    ///
    /// # Errors
    /// `-1121` for an unknown instrument, `-1130` for prices that cannot be.
    #[inline]
    pub(crate) fn follow_quote(
        &mut self,
        now_ms: i64,
        symbol: SymbolId,
        (bid, ask): (i64, i64),
        out: &mut Vec<VenueEvent>,
    ) -> Result<Moved, VenueError> {
        let before = self.next_seq;
        let dated = self.advance(now_ms, out);
        let index = usize::from(symbol.0);
        let Some(market) = self.markets.get_mut(index) else { return Err(Refusal::BadSymbol.into()) };
        let last = if bid < ask { market.last.clamp(bid, ask) } else { 0 };
        let mark_e8 = last.wrapping_mul(market.tick_e8);
        let band = &market.band;
        // Nobody's order lies between last and the quote's sides, or the sides would be outside the band.
        let quiet = band.allows(last, mark_e8) && band.last_lo < bid && ask < band.last_hi && band.uncalled;
        if quiet && !dated {
            market.follow_quietly(self.now_ms, (bid, ask), last, mark_e8);
            return Ok(Moved { last, reached: true, eventful: false });
        }
        let quote = Quote { bid, ask, last: Some(last), mark_e8: Some(mark_e8) };
        let moved = self.quote(index, quote, out)?;
        Ok(Moved { eventful: self.next_seq > before, ..moved })
    }

    /// A trade elsewhere: last goes there, and so do resting orders fill that stood in its way on the side that did
    /// not aggress. Bid and ask stay; what was eaten of the book stays eaten.
    ///
    /// # Errors
    /// As [`follow_quote`](Self::follow_quote).
    #[inline]
    pub(crate) fn follow_print(
        &mut self,
        now_ms: i64,
        symbol: SymbolId,
        (price, seller_aggressed): (i64, bool),
        out: &mut Vec<VenueEvent>,
    ) -> Result<Moved, VenueError> {
        let before = self.next_seq;
        let dated = self.advance(now_ms, out);
        let index = usize::from(symbol.0);
        let Some(market) = self.markets.get_mut(index) else { return Err(Refusal::BadSymbol.into()) };
        let mark_e8 = price.wrapping_mul(market.tick_e8);
        if market.band.allows(price, mark_e8) && market.band.uncalled && !dated {
            market.print_at(self.now_ms, price, mark_e8);
            return Ok(Moved { last: price, reached: true, eventful: false });
        }
        self.check_target(index, price, mark_e8)?;
        self.markets[index].print_at(self.now_ms, price, mark_e8);
        self.follow_trailing(index);
        let rests = if seller_aggressed { Side::Buy } else { Side::Sell };
        self.fill_touched(index, rests, price, out);
        self.happen(index, 0, price, out);
        self.find_band(index);
        Ok(Moved { last: price, reached: true, eventful: self.next_seq > before })
    }
}
