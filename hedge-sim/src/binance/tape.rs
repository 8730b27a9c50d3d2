//! Public trades, and the tape of a recorded market, whose bars do not tell them.

use std::collections::VecDeque;

use rust_decimal::Decimal;

use crate::market::GeneratedTrade;

/// Prints kept for `trades` and `aggTrades`.
const KEPT: usize = 10_000;

/// One public print: what one aggressive order traded at one price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Print {
    pub(crate) id: u64,
    pub(crate) first_trade: u64,
    pub(crate) last_trade: u64,
    pub(crate) at_ms: i64,
    pub(crate) price: Decimal,
    pub(crate) qty: Decimal,
    pub(crate) buyer_is_maker: bool,
}

impl Print {
    pub(crate) fn of_generated(trade: &GeneratedTrade, (price_scale, qty_scale): (u8, u8)) -> Self {
        Self {
            id: trade.id.unsigned_abs(),
            first_trade: trade.first_trade_id.unsigned_abs(),
            last_trade: trade.last_trade_id.unsigned_abs(),
            at_ms: trade.at_ms,
            price: Decimal::new(trade.price, u32::from(price_scale)),
            qty: Decimal::new(trade.qty, u32::from(qty_scale)),
            buyer_is_maker: trade.buyer_is_maker,
        }
    }
}

/// Prints of one symbol, oldest first; each holds one trade.
#[derive(Debug)]
pub(crate) struct Tape {
    prints: VecDeque<Print>,
    next_id: u64,
}

impl Tape {
    /// A tape whose first print has this id.
    pub(crate) const fn starting_at(next_id: u64) -> Self {
        Self { prints: VecDeque::new(), next_id }
    }

    pub(crate) fn print(&mut self, at_ms: i64, price: Decimal, qty: Decimal, buyer_is_maker: bool) -> Print {
        let id = self.next_id;
        let print = Print { id, first_trade: id, last_trade: id, at_ms, price, qty, buyer_is_maker };
        self.next_id += 1;
        if self.prints.len() == KEPT {
            self.prints.pop_front();
        }
        self.prints.push_back(print);
        print
    }

    /// Takes a print with its own ids behind the others.
    pub(crate) fn push(&mut self, print: Print) {
        self.next_id = print.id + 1;
        if self.prints.len() == KEPT {
            self.prints.pop_front();
        }
        self.prints.push_back(print);
    }

    /// Takes a print of another source as the last one.
    pub(crate) fn note(&mut self, print: Print) {
        self.next_id = print.id + 1;
        self.prints.clear();
        self.prints.push_back(print);
    }

    pub(crate) fn last(&self) -> Option<&Print> {
        self.prints.back()
    }

    /// The newest prints, oldest first.
    pub(crate) fn newest(&self, limit: usize) -> impl Iterator<Item = &Print> {
        self.prints.iter().skip(self.prints.len().saturating_sub(limit))
    }

    /// From an id on, oldest first.
    pub(crate) fn since_id(&self, id: u64, limit: usize) -> impl Iterator<Item = &Print> {
        self.prints.iter().skip_while(move |print| print.id < id).take(limit)
    }

    /// Inside a time window, oldest first.
    pub(crate) fn between(&self, start_ms: i64, end_ms: i64, limit: usize) -> impl Iterator<Item = &Print> {
        let inside = move |print: &&Print| (start_ms..=end_ms).contains(&print.at_ms);
        self.prints.iter().filter(inside).take(limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tape_answers_by_id_by_time_and_by_age() {
        let mut tape = Tape::starting_at(7);
        for at_ms in [10, 20, 30] {
            tape.print(at_ms, Decimal::ONE, Decimal::ONE, false);
        }
        let ids = |prints: &mut dyn Iterator<Item = &Print>| prints.map(|print| print.id).collect::<Vec<_>>();
        assert_eq!(ids(&mut tape.newest(2)), [8, 9]);
        assert_eq!(ids(&mut tape.since_id(8, 1)), [8]);
        assert_eq!(ids(&mut tape.between(10, 20, 9)), [7, 8]);
    }
}
