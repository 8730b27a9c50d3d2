//! A Binance USD-M account, hedge mode or one-way.
//!
//! Rows are read as the venue types them, not through the engine's decoders: those refuse one-way positions and dated
//! contracts, and here everything that is open must be closed.

use std::time::Duration;

use async_trait::async_trait;
use hedge_binance::{
    Binance, Closing,
    filters::instrument,
    wire::{
        algo::AlgoRow,
        order::OrderRow,
        text::{LegWord, Side},
    },
};
use hedge_core::{
    BrokerError, ClientOrderId, Decimal, InstrumentId, InstrumentSpec, OrderAck, OrderRef, OrderSide,
    OrderSpace, OrderSpaces, Price, Qty, SubmitError, Symbol, Timestamp, Venue, VenueOrderId, VenueReader,
};

use super::venue::{CloseOrder, ClosingVenue, Found, Held, HeldSide, LegId, Resting, Waiting};

const DEFAULT_LIFETIME: Duration = Duration::from_secs(5);

fn malformed(what: &str, problem: String) -> BrokerError {
    BrokerError::Malformed { detail: what.to_owned(), source: problem.into() }
}

fn symbol(name: &str) -> Result<Symbol, BrokerError> {
    Symbol::parse(name).map_err(|error| malformed("symbol", error.to_string()))
}

fn leg(name: &str, word: &LegWord) -> Result<LegId, BrokerError> {
    let side = match word {
        LegWord::Long => HeldSide::Long,
        LegWord::Short => HeldSide::Short,
        LegWord::Both => HeldSide::Net,
        other => {
            let problem = format!("{name}: {:?} is not LONG, SHORT or BOTH", other.as_str());
            return Err(malformed("positionSide", problem));
        }
    };
    Ok(LegId { symbol: symbol(name)?, side })
}

fn order_side(side: &Side) -> Result<OrderSide, BrokerError> {
    match side {
        Side::Buy => Ok(OrderSide::Buy),
        Side::Sell => Ok(OrderSide::Sell),
        other => Err(malformed("side", format!("{:?} is neither BUY nor SELL", other.as_str()))),
    }
}

/// An open position; `None` for a flat row.
fn held(name: &str, word: &LegWord, amount: Decimal) -> Result<Option<Held>, BrokerError> {
    let Ok(qty) = Qty::new(amount.abs()) else { return Ok(None) };
    let leg = leg(name, word)?;
    let is_short = amount.is_sign_negative();
    // Source: fact sheet 3, sign convention: LONG is positive, SHORT negative, one-way carries its sign.
    let wanted = match leg.side {
        HeldSide::Long => false,
        HeldSide::Short => true,
        HeldSide::Net => is_short,
    };
    if is_short != wanted {
        return Err(malformed("positionAmt", format!("{amount} on {leg}")));
    }
    let closes_with = if is_short { OrderSide::Buy } else { OrderSide::Sell };
    Ok(Some(Held { leg, qty, closes_with, entry: None, mark: None, updated: None }))
}

fn price(value: Option<Decimal>) -> Option<Price> {
    value.and_then(|value| Price::new(value).ok())
}

fn stated<'a, T>(what: &str, value: &'a Option<T>) -> Result<&'a T, BrokerError> {
    value.as_ref().ok_or_else(|| malformed(what, "missing".to_owned()))
}

/// For people only: the order is cancelled by its number.
fn client_id(stated: &Option<String>) -> String {
    stated.clone().unwrap_or_else(|| "no client id".to_owned())
}

fn resting(row: &OrderRow) -> Result<Resting, BrokerError> {
    let ordered = *stated("origQty", &row.orig_qty)?;
    Ok(Resting {
        leg: leg(stated("symbol", &row.symbol)?, stated("positionSide", &row.position_side)?)?,
        order: OrderRef::Plain(VenueOrderId(row.order_id)),
        client_id: client_id(&row.client_order_id),
        side: order_side(stated("side", &row.side)?)?,
        open_qty: (ordered - row.executed_qty).max(Decimal::ZERO),
    })
}

fn waiting(row: &AlgoRow) -> Result<Waiting, BrokerError> {
    let leg_and_side = (stated("positionSide", &row.position_side)?, stated("side", &row.side)?);
    Ok(Waiting {
        symbol: symbol(stated("symbol", &row.symbol)?)?,
        order: OrderRef::Algo { id: VenueOrderId(row.algo_id), child: None },
        client_id: client_id(&row.client_algo_id),
        // Whether a one-way conditional order opens cannot be told from its row: it stays until the position is flat.
        opens: matches!(leg_and_side, (LegWord::Long, Side::Buy) | (LegWord::Short, Side::Sell)),
    })
}

fn id_of(symbol: Symbol) -> InstrumentId {
    InstrumentId::new(Venue::Binance, symbol)
}

#[async_trait]
impl ClosingVenue for Binance<Closing> {
    /// `positionRisk` v3, another way `account` v3. In both a missing leg is flat (fact sheet 4.8).
    async fn held(&self, another_way: bool) -> Result<Vec<Held>, BrokerError> {
        let mut found = Vec::new();
        if another_way {
            for row in &self.rest().account_v3().await?.positions {
                let one = held(&row.symbol, &row.position_side, row.position_amt)?;
                found.extend(one.map(|one| Held { entry: price(row.entry_price), ..one }));
            }
            return Ok(found);
        }
        for row in &self.rest().position_risk_v3(None).await? {
            let one = held(&row.symbol, &row.position_side, row.position_amt)?;
            found.extend(one.map(|one| Held {
                entry: price(Some(row.entry_price)),
                mark: price(row.mark_price),
                updated: row.update_time.map(Timestamp::from_ms),
                ..one
            }));
        }
        Ok(found)
    }

    async fn resting(&self, symbol: Option<Symbol>) -> Result<Vec<Resting>, BrokerError> {
        let rows = self.rest().open_orders(symbol.as_ref().map(Symbol::as_str)).await?;
        rows.iter().map(resting).collect()
    }

    async fn waiting(&self) -> Result<Vec<Waiting>, BrokerError> {
        let rows = self.rest().open_algo_orders(None).await?;
        // One that has fired is listed by the plain order that it became (fact sheet, appendix A).
        rows.iter().filter(|row| row.actual_order_id.is_none()).map(waiting).collect()
    }

    async fn rules(&self) -> Result<Vec<InstrumentSpec>, BrokerError> {
        let info = self.rest().exchange_info().await?;
        Ok(info.symbols.iter().filter_map(|symbol| instrument(symbol).ok()).collect())
    }

    async fn close(&self, order: &CloseOrder) -> Result<OrderAck, SubmitError> {
        match order {
            CloseOrder::Leg(close) => self.submit_close(close).await,
            CloseOrder::Net { symbol, order_side, qty, client_id } => {
                self.submit_reduce_only(&id_of(*symbol), *order_side, *qty, *client_id).await
            }
        }
    }

    async fn find(&self, symbol: Symbol, id: &ClientOrderId) -> Result<Option<Found>, BrokerError> {
        let order = OrderRef::Client { id: *id, space: OrderSpace::Plain };
        let report = self.find_order(&id_of(symbol), &order).await?;
        Ok(report.map(|report| Found { state: report.state, filled: report.filled }))
    }

    async fn cancel(&self, symbol: Symbol, order: &OrderRef) -> Result<(), BrokerError> {
        Self::cancel(self, &id_of(symbol), order).await
    }

    async fn cancel_plain(&self, symbol: Symbol) -> Result<(), BrokerError> {
        self.cancel_all(&id_of(symbol), OrderSpaces::Plain).await
    }

    async fn cancel_conditional(&self, symbol: Symbol) -> Result<(), BrokerError> {
        self.cancel_all(&id_of(symbol), OrderSpaces::Algo).await
    }

    async fn server_time(&self) -> Result<Timestamp, BrokerError> {
        VenueReader::server_time(self).await
    }

    fn venue_now(&self) -> Timestamp {
        self.rest().venue_now()
    }

    fn banned_until(&self) -> Option<Timestamp> {
        self.rest().banned_until()
    }

    fn request_lifetime(&self) -> Duration {
        // Where the venue's clock runs fast, the window that is sent is longer, and no longer in wall time.
        self.capabilities().request_deadline.unwrap_or(DEFAULT_LIFETIME).min(DEFAULT_LIFETIME)
    }

    fn visibility_delay(&self) -> Duration {
        self.capabilities().visibility_delay
    }
}
