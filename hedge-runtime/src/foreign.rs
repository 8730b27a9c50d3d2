//! Positions of somebody else at the first start: each is protected, by its own stop or by ours, or nothing starts.

use hedge_core::{
    Book, Coverage, InstrumentId, OrderReport, Position, PositionKey, ReportedKind, VenueSnapshot,
};

use crate::{
    error::RunError,
    run::{Running, Runtime},
};

impl Runtime {
    /// Positions outside the universe can be given a stop only where the instrument is known.
    pub(crate) async fn look_after_others(&mut self, running: &mut Running) -> Result<(), RunError> {
        if self.engine.book().is_started() || self.engine.config().adopt_stop.is_none() {
            return Ok(());
        }
        for broker in self.venues.values() {
            let held = broker.positions().await.map_err(RunError::venue("reading the positions"))?;
            for instrument in held.iter().map(|position| position.key().instrument) {
                if !running.instruments.contains(&instrument) {
                    running.instruments.push(instrument);
                }
            }
        }
        Ok(())
    }

    /// Errors: [`RunError::Bare`] naming each position that would stand without a stop.
    pub(crate) fn refuse_bare(&self, first: &VenueSnapshot) -> Result<(), RunError> {
        let adopts = self.engine.config().adopt_stop.is_some();
        let bare = bare(self.engine.book(), first, adopts);
        if bare.is_empty() {
            return Ok(());
        }
        let remedy = if adopts {
            "its symbol cannot be traded here"
        } else {
            "let it be adopted (foreign.positions = adopt and engine.adopt_stop_bps above 0)"
        };
        let name = |position: &&Position| {
            let key = position.key();
            format!("{} {} {} at {}", key.side, position.qty(), key.instrument.symbol, position.entry())
        };
        let positions = bare.iter().map(name).collect::<Vec<_>>().join(", ");
        Err(RunError::Bare { positions, remedy })
    }
}

/// Positions that have no stop over the whole leg, and that the engine will not give one.
fn bare<'a>(book: &Book, found: &'a VenueSnapshot, adopts: bool) -> Vec<&'a Position> {
    let is_adopted = |instrument: &InstrumentId| adopts && book.ix(instrument).is_some();
    found
        .positions
        .iter()
        .filter(|position| !is_adopted(&position.key().instrument))
        .filter(|position| !found.orders.iter().any(|order| protects(order, position.key())))
        .collect()
}

/// Whether an order of anybody is a live stop over the whole leg.
fn protects(order: &OrderReport, key: &PositionKey) -> bool {
    order.instrument == key.instrument
        && order.side.leg() == Some(key.side)
        && order.is_close() == Some(true)
        && order.covers == Coverage::WholeLeg
        && order.kind == ReportedKind::StopMarket
        && !order.state.is_terminal()
}
