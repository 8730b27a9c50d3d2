//! What a person is told: the state on the way, the verdict at the end.

use hedge_core::Symbol;
use tokio::time::Instant;

use super::{Course, Phase};
use crate::panic::verdict::{End, LegReport, Remaining, Verdict};

impl Course {
    /// Where things stand, for a person who asks.
    pub(in crate::panic) fn state(&self) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for leg in self.legs.values() {
            if let Some(held) = leg.held {
                let doubt = leg.pending.as_ref().map_or_else(String::new, |pending| {
                    format!(", close {} of {} is in doubt", pending.id, pending.qty.normalize())
                });
                lines.push(format!("{}: {} still open{doubt}", leg.id, held.qty.get().normalize()));
            }
        }
        let orders: usize = self.books.values().map(|book| book.orders.len()).sum();
        lines.push(match (lines.is_empty(), self.phase) {
            (true, Phase::Settle(_)) => {
                format!("no leg open, {orders} plain orders; waiting for the second reading")
            }
            (true, Phase::Work) if self.held.asked_at.is_none() => "positions not read yet".to_owned(),
            (true, _) => format!("no leg open, {orders} plain orders; sweeping conditional orders"),
            (false, _) => format!("{orders} plain orders; stops of open legs are untouched"),
        });
        lines
    }

    /// Named symbols that neither the rules nor any reading knows.
    pub(super) fn unseen(&self) -> Vec<Symbol> {
        let named = self.setup.symbols.iter().flatten();
        let is_known = |symbol: &&Symbol| {
            self.rules.as_ref().is_some_and(|rules| rules.knows(symbol))
                || self.legs.keys().any(|leg| leg.symbol == **symbol)
                || self.books.contains_key(*symbol)
                || self.conditional.iter().any(|waiting| waiting.symbol == **symbol)
        };
        named.filter(|symbol| !is_known(symbol)).copied().collect()
    }

    /// The story so far.
    pub(in crate::panic) fn verdict(&self, now: Instant) -> Verdict {
        let ms = |at: Instant| {
            u64::try_from(at.duration_since(self.setup.started).as_millis()).unwrap_or(u64::MAX)
        };
        let (end, because) = self.end.clone().unwrap_or((End::Interrupted, "stopped by hand".to_owned()));
        let legs: Vec<LegReport> = self
            .legs
            .values()
            .filter(|leg| leg.first_qty.is_some())
            .map(|leg| LegReport {
                symbol: leg.id.symbol,
                side: leg.id.side,
                qty: leg.first_qty.unwrap_or_default(),
                closed: leg.closed,
                closes: leg.closes,
                flat_ms: leg.flat_at.map(ms),
                left: leg.held.map(|held| held.qty.get()),
                trouble: leg.trouble.clone().filter(|_| leg.held.is_some()),
            })
            .collect();
        let flat = end == End::Flat;
        let last_leg = legs.iter().filter_map(|leg| leg.flat_ms).max();
        Verdict {
            flat,
            end,
            because,
            time_to_flat_ms: last_leg
                .or_else(|| self.flat_since.filter(|_| !legs.is_empty()).map(ms))
                .filter(|_| flat),
            took_ms: ms(now),
            remaining: Remaining {
                legs: self.legs.values().filter(|leg| leg.held.is_some()).count(),
                orders: self.books.values().map(|book| book.orders.len()).sum(),
                conditional: self.waiting.asked_at.map(|_| self.conditional.len()),
            },
            unknown: self
                .legs
                .values()
                .filter_map(|leg| leg.pending.as_ref().map(|pending| pending.id).or(leg.on_its_way))
                .map(|id| id.to_string())
                .collect(),
            unseen: self.unseen(),
            legs,
            orders_canceled: self.canceled.clone(),
            conditional_canceled: self.swept.clone(),
        }
    }
}
