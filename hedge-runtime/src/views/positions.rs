//! Open legs as operators read them.

use hedge_core::{Book, Decimal, OrderRecord, Timestamp};
use serde::Serialize;

use super::nav::tidy;

/// `positions.json`: one row a leg.
#[derive(Debug, Serialize)]
pub struct PositionsView {
    /// Open legs in instrument order, LONG before SHORT.
    pub positions: Vec<PositionRow>,
}

/// One open leg.
#[derive(Debug, Serialize)]
pub struct PositionRow {
    /// The venue's symbol.
    pub symbol: String,
    /// `LONG` or `SHORT`.
    pub side: &'static str,
    /// Unsigned quantity.
    pub qty: Decimal,
    /// Average entry price.
    pub entry: Option<Decimal>,
    /// Mark price, once known.
    pub mark: Option<Decimal>,
    /// Unrealised profit at the mark.
    #[serde(rename = "uPnl")]
    pub u_pnl: Option<Decimal>,
}

/// Renders the open legs of a book.
pub fn positions(book: &Book) -> PositionsView {
    let row = |leg: &hedge_core::LegState| {
        let mark = book.mark_of(&leg.key.instrument).map(|(mark, _)| mark);
        PositionRow {
            symbol: leg.key.instrument.symbol.to_string(),
            side: leg.key.side.as_str(),
            qty: leg.qty.normalize(),
            entry: leg.entry().map(|entry| tidy(entry.get())),
            mark: mark.map(|mark| tidy(mark.get())),
            u_pnl: mark.map(|mark| tidy(leg.unrealized(mark))),
        }
    };
    PositionsView { positions: book.open_legs().map(row).collect() }
}

/// `synced_state.json`: what the book holds after the last comparison with the venue, legs and live orders.
#[derive(Debug, Serialize)]
pub(crate) struct SyncedView {
    at: String,
    venue_time: String,
    mode: Option<hedge_core::PositionMode>,
    positions: Vec<PositionRow>,
    orders: Vec<OrderRow>,
    foreign_orders: usize,
}

#[derive(Debug, Serialize)]
struct OrderRow {
    client_id: String,
    symbol: String,
    side: &'static str,
    purpose: hedge_core::OrderPurpose,
    qty: Decimal,
    filled: Decimal,
    state: hedge_core::OrderState,
    strategy: Option<String>,
}

pub(crate) fn synced(book: &Book, at: Timestamp) -> SyncedView {
    let order = |order: &OrderRecord| OrderRow {
        client_id: order.client_id.to_string(),
        symbol: order.position.instrument.symbol.to_string(),
        side: order.position.side.as_str(),
        purpose: order.purpose,
        qty: order.qty.get().normalize(),
        filled: order.filled.normalize(),
        state: order.state,
        strategy: order.strategy.map(|strategy| strategy.to_string()),
    };
    SyncedView {
        at: at.to_string(),
        venue_time: book.last_venue_time().to_string(),
        mode: book.mode(),
        positions: positions(book).positions,
        orders: book.live_orders().map(order).collect(),
        foreign_orders: book.foreign_orders().len(),
    }
}
