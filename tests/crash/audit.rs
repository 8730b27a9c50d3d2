//! What must hold after every kill: nothing twice, nothing lost, no leg bare, books equal.

use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
    time::{Duration, Instant},
};

use hedge_core::{Asset, ClientOrderId};
use rust_decimal::Decimal;

use super::{
    journal::Tail,
    venue::{Account, Legs, Trade, Venue},
};

/// The market moves on all the time: how long a moment is waited for in which nothing is on its way. Longer than an order
/// with an unknown outcome takes to be settled on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Compares the exchange with the journal, over all processes of a run.
#[derive(Debug)]
pub struct Audit {
    venue: Venue,
    pub tail: Tail,
    /// Executions by symbol, as far as they were asked for.
    trades: BTreeMap<String, Vec<Trade>>,
}

impl Audit {
    pub fn new(venue: Venue, tail: Tail, symbols: &[&str]) -> Self {
        let trades = symbols.iter().map(|symbol| ((*symbol).to_owned(), Vec::new())).collect();
        Self { venue, tail, trades }
    }

    /// Executions that the exchange knows of.
    pub fn trades(&self) -> usize {
        self.trades.values().map(Vec::len).sum()
    }

    /// Waits until no leg is bare. Returns how long that took.
    pub fn wait_for_cover(&self) -> Duration {
        let began = Instant::now();
        loop {
            let bare = self.venue.account(false).bare();
            if bare.is_empty() {
                return began.elapsed();
            }
            assert!(began.elapsed() < PATIENCE, "{bare:?} have no stop");
            thread::sleep(LOOK_EVERY);
        }
    }

    /// Waits for a moment in which everything agrees. Returns how long that took.
    pub fn wait_for_agreement(&mut self, with_history: bool) -> Duration {
        let began = Instant::now();
        loop {
            match self.look(with_history) {
                Ok(()) => return began.elapsed(),
                Err(what) => assert!(began.elapsed() < PATIENCE, "exchange and journal do not agree: {what}"),
            }
            thread::sleep(LOOK_EVERY);
        }
    }

    /// One look. Errors: what does not agree now; it may be on its way.
    fn look(&mut self, with_history: bool) -> Result<(), String> {
        let before = self.venue.account(false);
        self.fetch_trades();
        let history = with_history.then(|| self.venue.account(true));
        // Last, so that the journal is at least as far as the exchange: it comes first.
        self.tail.follow();
        let after = self.venue.account(false);
        if before != after {
            return Err("the account is moving".to_owned());
        }
        self.same_account(&after)?;
        let (booked, traded) = (self.tail.book.totals().fills, self.trades() as u64);
        if booked != traded {
            return Err(format!("{booked} fills are booked, {traded} were executed"));
        }
        history.map_or(Ok(()), |history| self.same_history(&history))
    }

    fn fetch_trades(&mut self) {
        for (symbol, known) in &mut self.trades {
            let from = known.last().map_or(0, |last| last.id + 1);
            known.extend(self.venue.trades(symbol, from));
        }
    }

    /// Legs, wallet, open orders and stops.
    fn same_account(&self, account: &Account) -> Result<(), String> {
        let book = &self.tail.book;
        let leg = |leg: &hedge_core::LegState| {
            let name = (leg.key.instrument.symbol.to_string(), leg.key.side.to_string());
            (name, leg.qty.normalize())
        };
        let legs: Legs = book.open_legs().map(leg).collect();
        differ("legs", &legs, &account.legs)?;
        differ("wallet", &book.wallet(&Asset::usdt()).normalize(), &account.wallet)?;
        let live: BTreeSet<&str> = book.live_orders().map(|order| order.client_id.as_str()).collect();
        differ("open orders", &live, &account.open().collect())?;
        differ("legs without a stop", &Vec::new(), &account.bare())?;
        differ("unanswered questions", &book.doubtful_orders(), &0)?;
        differ("foreign orders", &book.foreign_orders().len(), &0)?;
        differ("legs that differ", &book.differing_legs().count(), &0)?;
        differ("money taken over unexplained", &book.totals().corrections, &Decimal::ZERO)
    }

    /// Everything that the exchange has ever taken, order by order.
    fn same_history(&self, history: &Account) -> Result<(), String> {
        let mut executed: BTreeMap<u64, Decimal> = BTreeMap::new();
        for trade in self.trades.values().flatten() {
            *executed.entry(trade.order).or_default() += trade.qty;
        }
        for (id, rows) in &history.orders {
            // No waiting makes these right again.
            assert_eq!(rows.len(), 1, "{id} is there more than once: {rows:?}");
            assert!(
                self.tail.approved.contains_key(id),
                "{id} reached the exchange and is not in the journal"
            );
            let [row] = rows.as_slice() else { unreachable!("there is one") };
            let traded = row.executes.and_then(|order| executed.get(&order)).copied().unwrap_or_default();
            differ(id, &traded.normalize(), &row.executed)?;
            let order = ClientOrderId::parse(id).ok().and_then(|id| self.tail.book.order(&id));
            let order = order.unwrap_or_else(|| panic!("{id} is approved and not in the book"));
            differ(id, &order.filled.normalize(), &row.executed)?;
            let is_within = row.is_close_all || row.executed <= order.qty.get();
            assert!(is_within, "{id} took more than {}: {row:?}", order.qty);
        }
        // The other way round: what counts as filled was executed there.
        for order in self.tail.book.orders().filter(|order| !order.filled.is_zero()) {
            let id = order.client_id.as_str();
            let row = history
                .orders
                .get(id)
                .ok_or_else(|| format!("{id} is filled, and the exchange never had it"))?;
            differ(id, &order.filled.normalize(), &row[0].executed)?;
        }
        Ok(())
    }
}

fn differ<T: PartialEq + std::fmt::Debug>(what: &str, ours: &T, there: &T) -> Result<(), String> {
    if ours == there {
        Ok(())
    } else {
        Err(format!("{what}: {ours:?} in the journal, {there:?} at the exchange"))
    }
}
