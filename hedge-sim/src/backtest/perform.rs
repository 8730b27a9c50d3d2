//! What the engine wants done, done at the exchange; and what it asks, answered from there.

use hedge_core::{
    AccountSnapshot, Effect, Fact, InstrumentId, Order, OrderRef, PositionKey, PositionMode, QueryAnswer,
    ReportedState, Timestamp, VenueSnapshot,
};
use rust_decimal::Decimal;

use super::{BacktestError, play::Backtest};
use crate::{
    translate,
    venue::{Command, Reply, SymbolId, VenueError},
};

impl Backtest {
    pub(super) fn perform(&mut self, at: Timestamp, effect: Effect) {
        match effect {
            Effect::Submit(approved) => {
                self.orders += 1;
                let order = approved.get();
                let result = self.send(at.ms(), order);
                self.queue.push_back(translate::answer_taken(*order.client_id(), result));
            }
            Effect::Cancel { order, instrument, target } => {
                let command = translate::cancel(&instrument, &target);
                let fact = match self.venue.apply(at.ms(), &command, &mut Vec::new()) {
                    Ok(_) => Fact::CancelAcked { order },
                    Err(error) => Fact::CancelFailed {
                        order,
                        outcome: hedge_core::Outcome::Rejected,
                        reason: Some(translate::reason_of(error.code)),
                        message: error.to_string(),
                        retry_at: None,
                    },
                };
                self.queue.push_back(fact);
            }
            Effect::Query { order, position, target, since } => {
                let answer = self.answer(at, &position, &target, since);
                self.queue.push_back(Fact::QueryAnswered { order, answer: Box::new(answer) });
            }
            Effect::Snapshot { since } => {
                let snapshot = self.snapshot(at.ms(), since);
                self.queue.push_back(Fact::Snapshot { snapshot: Box::new(snapshot) });
            }
        }
        self.collect_events();
    }

    /// Places an order and says where it stands.
    fn send(
        &mut self,
        at_ms: i64,
        order: &Order,
    ) -> Result<Option<(OrderRef, ReportedState, Decimal)>, VenueError> {
        let instrument = order.position().instrument;
        let known = self.sent_for.filter(|(known, _)| *known == instrument);
        let symbol = known.map(|(_, symbol)| symbol).or_else(|| self.symbol_of(&instrument));
        if let Some(symbol) = symbol
            && translate::fill_in(&mut self.sent, order, known.is_some())
        {
            self.sent_for = Some((instrument, symbol));
            let taken = self.venue.place_briefly(at_ms, symbol, &self.sent)?;
            let text = self.sent.client_order_id.as_deref().unwrap_or_default();
            self.lexicon.is_of(taken.order_id, order.client_id(), text);
            return Ok(Some(translate::placed(&taken)));
        }
        let reply = self.venue.apply(at_ms, &translate::place(order), &mut Vec::new())?;
        Ok(translate::taken(&reply))
    }

    /// The exchange's number of an instrument.
    fn symbol_of(&self, instrument: &InstrumentId) -> Option<SymbolId> {
        let ix = self.engine.book().ix(instrument)?;
        self.tracks.get(usize::from(ix.0)).map(|track| track.id)
    }

    fn answer(
        &self,
        at: Timestamp,
        position: &PositionKey,
        target: &hedge_core::OrderRef,
        since: Timestamp,
    ) -> QueryAnswer {
        let report = translate::order(&self.venue, &position.instrument, target);
        let leg_qty = translate::positions(&self.venue)
            .into_iter()
            .find(|open| open.key() == position)
            .map_or(Decimal::ZERO, |open| open.qty().get());
        let fills = translate::fills(&self.venue, position.instrument.symbol.as_str(), since);
        QueryAnswer { venue_time: at, report, fills, leg_qty }
    }

    pub(super) fn snapshot(&self, at_ms: i64, since: Timestamp) -> VenueSnapshot {
        let fills = self
            .tracks
            .iter()
            .flat_map(|track| translate::fills(&self.venue, &track.rules.symbol, since))
            .collect();
        VenueSnapshot {
            account: AccountSnapshot {
                venue_time: Timestamp::from_ms(at_ms),
                balances: translate::balances(&self.venue),
                mode: PositionMode::Hedge,
                multi_assets: false,
                can_trade: Some(true),
                can_withdraw: None,
            },
            positions: translate::positions(&self.venue),
            orders: translate::open_orders(&self.venue),
            fills,
            flows: Vec::new(),
        }
    }

    pub(super) fn apply(
        &mut self,
        at_ms: i64,
        command: &Command,
        doing: &str,
    ) -> Result<Reply, BacktestError> {
        self.venue
            .apply(at_ms, command, &mut Vec::new())
            .map_err(|source| BacktestError::Venue { doing: doing.to_owned(), source })
    }
}
