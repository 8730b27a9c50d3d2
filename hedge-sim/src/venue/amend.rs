//! The record of amendments: what each one changed.
//!
//! Source: fact sheet 4.4 (`orderAmendment`), 4.5 (`PUT order`).

use super::command::{AccountId, OrderRef};
use super::error::VenueError;
use super::exchange::Venue;
use super::view::{AmendmentView, Window};
use super::vocabulary::{PriceMatch, Side};

impl Venue {
    /// Amendments of a symbol, of one order or of all, by id. `window.from_id` means the amendment id.
    ///
    /// # Errors
    /// `-1121` unknown symbol.
    pub fn amendments(
        &self,
        account: AccountId,
        symbol: &str,
        order: Option<&OrderRef>,
        window: Window,
    ) -> Result<Vec<AmendmentView>, VenueError> {
        let ax = self.account_index(account)?;
        self.symbol_index(symbol)?;
        let wanted = |row: &&AmendmentView| {
            let of_order = order.is_none_or(|order| match order {
                OrderRef::Id(id) => row.order_id == *id,
                OrderRef::Client(text) => row.client_order_id == *text,
            });
            row.symbol == symbol && of_order
        };
        let rows = self.accounts[ax].amendments.iter().filter(wanted);
        Ok(window.cut(rows, |row| (row.amendment_id, row.time_ms)).into_iter().cloned().collect())
    }

    /// The price that `priceMatch` stands for right now.
    ///
    /// # Errors
    /// `-1121` unknown symbol, `-5041` when the book has no such level.
    pub fn price_of_match(
        &self,
        symbol: &str,
        side: Side,
        price_match: PriceMatch,
    ) -> Result<rust_decimal::Decimal, VenueError> {
        self.matched_price(self.symbol_index(symbol)?, side, price_match)
    }

    /// Notes what an amendment did to an order. `before` are its ticks and steps until now.
    pub(super) fn note_amendment(&mut self, order_id: u64, before: (i64, i64), modify_id: Option<i64>) {
        let Some(order) = self.orders.get(&order_id) else { return };
        let rules = &self.markets[order.symbol].rules;
        let account = &self.accounts[order.ax()];
        let row = AmendmentView {
            amendment_id: account.amendments.len() as u64 + 1,
            symbol: rules.symbol.clone(),
            order_id,
            client_order_id: order.client_id.to_string(),
            time_ms: self.now_ms,
            price_before: rules.price_of(before.0),
            price_after: rules.price_of(order.ticks),
            qty_before: rules.qty_of(before.1),
            qty_after: rules.qty_of(order.steps),
            count: order.amendments,
            modify_id,
        };
        let ax = order.ax();
        self.accounts[ax].amendments.push(row);
    }
}
