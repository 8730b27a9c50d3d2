//! When all is quiet: book, journal and venue are one.

use std::collections::{BTreeMap, BTreeSet};

use hedge_core::{Decimal, OrderState};
use hedge_sim::venue::{Venue, Window};

use super::{Auditor, LegName, ledger::is_ours};
use crate::swarm::{exchange::WALLET_USDT, words::ACCOUNT};

/// An order that the engine believes live.
#[derive(Clone, Debug)]
pub(in crate::swarm) struct OrderLook {
    pub(in crate::swarm) id: String,
    pub(in crate::swarm) state: OrderState,
    /// What the engine wants to know about it, if anything.
    pub(in crate::swarm) asks: bool,
}

/// What the engine believes, in plain numbers.
#[derive(Clone, Debug, Default)]
pub(in crate::swarm) struct BookLook {
    pub(in crate::swarm) legs: Vec<(LegName, Decimal)>,
    pub(in crate::swarm) live: Vec<OrderLook>,
    /// Filled quantity of every order that was ever decided.
    pub(in crate::swarm) filled: Vec<(String, Decimal)>,
    pub(in crate::swarm) wallet: Decimal,
    /// Whether the account stream is connected.
    pub(in crate::swarm) connected: bool,
}

impl Auditor {
    /// Compares legs and money. `last` compares every order as well: by then each has an end.
    pub(in crate::swarm) fn quiet(&mut self, book: &BookLook, venue: &Venue, last: bool) {
        let doubtful = book.live.iter().any(|order| order.asks);
        if doubtful && !last {
            return;
        }
        self.compare_legs(book, venue);
        self.compare_money(book, venue);
        if last {
            self.compare_orders(book, venue);
            self.compare_histories(venue);
        }
    }

    fn compare_legs(&mut self, book: &BookLook, venue: &Venue) {
        let rows = venue.positions(ACCOUNT, None).unwrap_or_default();
        let held: BTreeMap<LegName, Decimal> = rows
            .iter()
            .filter_map(|row| Some((LegName::of(&row.symbol, row.position_side)?, row.qty.abs())))
            .collect();
        for (name, believed) in &book.legs {
            let there = held.get(name).copied().unwrap_or_default();
            self.check(3, *believed == there, || {
                format!("{name} is {believed} in the book and {there} at the venue")
            });
            let folded = self.journal.leg(name);
            self.check(3, folded == there, || {
                format!("{name} is {folded} by the executions in the journal and {there} at the venue")
            });
        }
    }

    fn compare_money(&mut self, book: &BookLook, venue: &Venue) {
        let wallet: Decimal =
            venue.assets(ACCOUNT).unwrap_or_default().iter().map(|asset| asset.wallet_balance).sum();
        let ledger = venue.income(ACCOUNT, None, None, Window::default()).unwrap_or_default();
        let flowed: Decimal = ledger.iter().map(|row| row.income).sum();
        let start = Decimal::from(WALLET_USDT);
        self.check(8, wallet == start + flowed, || {
            format!("the venue's wallet is {wallet}, its ledger says {}", start + flowed)
        });
        self.check(8, book.wallet == wallet, || {
            format!("the wallet is {} in the book and {wallet} at the venue", book.wallet)
        });
        let folded = self.journal.wallet.unwrap_or_default();
        self.check(8, folded == wallet, || {
            format!("the wallet is {folded} by the flows in the journal and {wallet} at the venue")
        });
    }

    fn compare_orders(&mut self, book: &BookLook, venue: &Venue) {
        let mut there: BTreeSet<String> = BTreeSet::new();
        let plain = venue.open_orders(ACCOUNT, None).unwrap_or_default();
        there.extend(plain.into_iter().map(|order| order.client_order_id));
        let algos = venue.open_algos(ACCOUNT, None).unwrap_or_default();
        there.extend(algos.into_iter().map(|algo| algo.client_algo_id));
        for order in &book.live {
            let (id, state) = (&order.id, order.state);
            let holds = there.contains(id) || (state == OrderState::Unknown && order.asks);
            self.check(9, holds, || format!("order {id} is {state:?} in the book and not open at the venue"));
        }
        let believed: BTreeSet<&str> = book.live.iter().map(|order| order.id.as_str()).collect();
        for id in there.iter().filter(|id| is_ours(id)) {
            self.check(9, believed.contains(id.as_str()), || {
                format!("order {id} is open at the venue and done in the book")
            });
        }
        let executed: BTreeMap<String, Decimal> =
            self.ledger.executed().into_iter().map(|(id, qty)| (id.to_owned(), qty)).collect();
        for (id, filled) in &book.filled {
            let there = executed.get(id).copied().unwrap_or_default();
            self.check(3, *filled == there, || {
                format!("order {id} has filled {filled} in the book and {there} at the venue")
            });
        }
        self.check(9, book.connected, || "the account stream has not come back".to_owned());
    }

    /// Every execution and every flow is in the journal.
    fn compare_histories(&mut self, venue: &Venue) {
        let lost = self
            .ledger
            .trades
            .iter()
            .find(|(symbol, id)| !self.journal.trades.contains(&(symbol.clone(), *id as i64)))
            .cloned();
        self.check(8, lost.is_none(), || {
            let (symbol, id) = lost.unwrap_or_default();
            format!("execution {id} of {symbol} is not in the journal")
        });
        let rows = venue.income(ACCOUNT, None, None, Window::default()).unwrap_or_default();
        let flows = rows.iter().filter_map(crate::swarm::words::flow_of);
        let missing = flows.map(|flow| flow.id).find(|id| !self.journal.flows.contains(id));
        self.check(8, missing.is_none(), || {
            format!("flow {} is not in the journal", missing.unwrap_or_default())
        });
    }
}
