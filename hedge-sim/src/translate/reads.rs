//! Reads of the engine's account on the exchange, in the engine's words.

use hedge_core::{
    Balance, Fill, InstrumentId, OrderRef, OrderReport, OrderSpace, Position, PositionKey, Price, Qty,
    Timestamp,
};

use super::{
    commands::ACCOUNT,
    reports::{algo_report, balance, leg_size, past_fill, report_of},
};
use crate::venue::{self, Venue, Window};

/// One order in its id space, open or ended.
pub(crate) fn order(venue: &Venue, instrument: &InstrumentId, target: &OrderRef) -> Option<OrderReport> {
    let plain = |order: venue::OrderRef| {
        let found = venue.order(ACCOUNT, instrument.symbol.as_str(), &order).ok()?;
        report_of(&found, None)
    };
    let algo = |order: venue::AlgoRef| {
        let found = venue.algo(ACCOUNT, &order).ok()?;
        algo_report(&found)
    };
    match target {
        OrderRef::Client { id, space: OrderSpace::Algo } => {
            algo(venue::AlgoRef::Client(id.as_str().to_owned()))
        }
        OrderRef::Algo { id, .. } => algo(venue::AlgoRef::Id(id.0.unsigned_abs())),
        OrderRef::Client { id, space: OrderSpace::Plain } => {
            plain(venue::OrderRef::Client(id.as_str().to_owned()))
        }
        OrderRef::Plain(id) => plain(venue::OrderRef::Id(id.0.unsigned_abs())),
    }
}

/// Open orders of both id spaces.
pub(crate) fn open_orders(venue: &Venue) -> Vec<OrderReport> {
    let plain = venue.open_orders(ACCOUNT, None).unwrap_or_default();
    let algos = venue.open_algos(ACCOUNT, None).unwrap_or_default();
    plain
        .iter()
        .filter_map(|view| report_of(view, None))
        .chain(algos.iter().filter_map(algo_report))
        .collect()
}

/// Executions at or after an instant, oldest first.
pub(crate) fn fills(venue: &Venue, symbol: &str, since: Timestamp) -> Vec<Fill> {
    let window = Window { start_ms: Some(since.ms()), ..Window::default() };
    let trades = venue.user_trades(ACCOUNT, symbol, None, window).unwrap_or_default();
    trades.iter().filter_map(past_fill).collect()
}

/// Open legs.
pub(crate) fn positions(venue: &Venue) -> Vec<Position> {
    let rows = venue.positions(ACCOUNT, None).unwrap_or_default();
    rows.iter().filter_map(position).collect()
}

/// An open leg; `None` for a flat one.
pub(crate) fn position(view: &venue::PositionView) -> Option<Position> {
    let leg = leg_size(view)?;
    let key = PositionKey::new(leg.instrument, leg.side.leg()?);
    Some(Position::new(key, Qty::new(leg.qty).ok()?, leg.entry?))
}

/// An open leg with mark and liquidation price, as a venue's account shows it.
pub fn position_with_prices(view: &venue::PositionView) -> Option<Position> {
    let prices = (Price::new(view.mark_price).ok(), Price::new(view.liquidation_price).ok());
    Some(position(view)?.with_prices(prices.0, prices.1))
}

/// Every asset's balance.
pub(crate) fn balances(venue: &Venue) -> Vec<Balance> {
    venue.assets(ACCOUNT).unwrap_or_default().iter().filter_map(balance).collect()
}
