//! A book that another market tells level by level, in the place of the made-up one.
//!
//! What a taker eats of it stays eaten until the next quote. Levels that a quote passes are gone.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::command::SymbolId;
use super::error::{Refusal, VenueError};
use super::exchange::Venue;
use super::vocabulary::Side;

/// Levels of another market's book, in ticks and lot steps; zero steps take a level away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookChange {
    /// Instrument.
    pub symbol: SymbolId,
    /// Whether these levels are the whole book; otherwise they change the one that is there.
    pub whole: bool,
    /// Bids: price and quantity.
    pub bids: Vec<(i64, i64)>,
    /// Asks: price and quantity.
    pub asks: Vec<(i64, i64)>,
}

/// The levels of a told book.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct GivenBook {
    bids: BTreeMap<i64, i64>,
    asks: BTreeMap<i64, i64>,
}

impl GivenBook {
    fn change(&mut self, change: &BookChange) {
        if change.whole {
            *self = Self::default();
        }
        for (side, levels) in [(&mut self.bids, &change.bids), (&mut self.asks, &change.asks)] {
            for &(ticks, steps) in levels {
                if steps > 0 {
                    side.insert(ticks, steps)
                } else {
                    side.remove(&ticks)
                };
            }
        }
    }

    /// Forgets what stands across the best prices.
    pub(super) fn trim(&mut self, bid: i64, ask: i64) {
        while self.bids.last_key_value().is_some_and(|(ticks, _)| *ticks > bid) {
            self.bids.pop_last();
        }
        while self.asks.first_key_value().is_some_and(|(ticks, _)| *ticks < ask) {
            self.asks.pop_first();
        }
    }

    /// What stands at a price.
    pub(super) fn steps(&self, side: Side, ticks: i64) -> i64 {
        let levels = if side == Side::Buy { &self.bids } else { &self.asks };
        levels.get(&ticks).copied().unwrap_or(0)
    }

    /// The first price of a side that is `from` or behind it.
    pub(super) fn next(&self, side: Side, from: i64) -> Option<i64> {
        let found = match side {
            Side::Buy => self.bids.range(..=from).next_back(),
            Side::Sell => self.asks.range(from..).next(),
        };
        found.map(|(ticks, _)| *ticks)
    }
}

impl Venue {
    /// Takes over levels of another market's book. Best bid and ask are told by a quote.
    pub(super) fn give_book(&mut self, change: &BookChange) -> Result<(), VenueError> {
        let symbol = self.listed(change.symbol)?;
        let market = &self.markets[symbol];
        let fits =
            |&(ticks, steps): &(i64, i64)| market.holds_ticks(ticks) && (0..i64::MAX / 4).contains(&steps);
        if !change.bids.iter().chain(&change.asks).all(fits) {
            return Err(Refusal::InvalidValue.into());
        }
        let market = &mut self.markets[symbol];
        market.given.get_or_insert_default().change(change);
        market.book_seq += 1;
        Ok(())
    }

    /// Whether the book of an instrument is another market's.
    pub fn has_given_book(&self, symbol: SymbolId) -> bool {
        self.markets.get(usize::from(symbol.0)).is_some_and(|market| market.given.is_some())
    }
}
