//! The exchange's numbers in the engine's words, for a driver in the same thread: every name is looked up once.

use hedge_core::{
    AccountEvent, Amount, Asset, Coverage, Fact, Fill, InstrumentId, InvalidId, OrderRef, OrderReport, Price,
    Qty, ReportedId, SignedAmount, Timestamp, TradeId,
};
use rust_decimal::Decimal;

use super::commands::ACCOUNT;
use super::reports::{facts, kind_of, number, order_side, side_of, state_of};
use crate::venue::{ExpiryReason, FillTold, OrderTold, Told, Venue, multiple_of};

/// Names of the exchange's instruments and assets by their numbers.
#[derive(Debug, Default)]
pub(crate) struct Lexicon {
    instruments: Vec<Listed>,
    assets: Vec<Asset>,
    /// The id of the order that was told of last: an order is mostly told of several times in a row.
    last: Option<(u64, ReportedId)>,
}

#[derive(Debug)]
struct Listed {
    id: InstrumentId,
    tick: Decimal,
    step: Decimal,
    asset: usize,
}

impl Lexicon {
    /// Of everything that is listed. Errors: [`InvalidId`] for names that no venue can have.
    pub(crate) fn of(venue: &Venue) -> Result<Self, InvalidId> {
        let mut lexicon = Self::default();
        for (_, rules) in venue.instruments() {
            let asset = Asset::parse(&rules.margin_asset)?;
            let known = lexicon.assets.iter().position(|known| *known == asset);
            lexicon.instruments.push(Listed {
                id: InstrumentId::binance(&rules.symbol)?,
                tick: rules.tick,
                step: rules.lot.step,
                asset: known.unwrap_or(lexicon.assets.len()),
            });
            if known.is_none() {
                lexicon.assets.push(asset);
            }
        }
        Ok(lexicon)
    }

    /// The facts in one thing told, as [`facts`] gives them for the event that it stands for.
    pub(crate) fn facts(&mut self, told: &Told, out: &mut impl FnMut(Fact)) {
        let order = match told {
            Told::Event(event) if event.account == Some(ACCOUNT) => return facts(event, out),
            Told::Event(_) => return,
            Told::Order(order) => order,
        };
        let client_id = match self.last.take().filter(|(id, _)| *id == order.id) {
            Some((_, known)) => known,
            None => ReportedId::parse(&order.client_id),
        };
        let Some(listed) = self.instruments.get(usize::from(order.symbol.0)) else { return };
        let mut account = |event: AccountEvent| out(Fact::Account { event: Box::new(event) });
        if let Some(fill) = order.fill.as_ref().and_then(|fill| self.fill(listed, order, fill, &client_id)) {
            account(AccountEvent::Fill { fill });
        }
        account(AccountEvent::Order { report: report(listed, order, client_id.clone()) });
        self.last = Some((order.id, client_id));
    }

    fn fill(
        &self,
        listed: &Listed,
        order: &OrderTold,
        fill: &FillTold,
        client_id: &ReportedId,
    ) -> Option<Fill> {
        Some(Fill {
            instrument: listed.id,
            trade_id: TradeId(i64::try_from(fill.trade_id).ok()?),
            order: number(order.id),
            client_id: Some(client_id.clone()),
            side: side_of(order.position_side),
            order_side: order_side(order.side),
            qty: Qty::new(multiple_of(listed.step, fill.steps)).ok()?,
            price: Price::new(multiple_of(listed.tick, fill.ticks)).ok()?,
            fee: Amount::new(*self.assets.get(listed.asset)?, fill.fee),
            realized: Some(SignedAmount::from_decimal(fill.realized)),
            maker: fill.maker,
            venue_time: Timestamp::from_ms(order.update_ms),
        })
    }
}

/// A plain order as a report.
fn report(listed: &Listed, order: &OrderTold, client_id: ReportedId) -> OrderReport {
    let price = |ticks: i64| (ticks > 0).then(|| Price::new(multiple_of(listed.tick, ticks)).ok()).flatten();
    let expired = !order.status.is_open() && order.expiry != ExpiryReason::None;
    OrderReport {
        instrument: listed.id,
        client_id,
        order: OrderRef::Plain(number(order.id)),
        side: side_of(order.position_side),
        order_side: order_side(order.side),
        kind: kind_of(order.order_type),
        price: price(order.ticks),
        trigger: price(order.stop_ticks),
        qty: Qty::new(multiple_of(listed.step, order.steps)).ok(),
        filled: multiple_of(listed.step, order.filled),
        average: (!order.avg_price.is_zero()).then(|| Price::new(order.avg_price).ok()).flatten(),
        covers: if order.close_position { Coverage::WholeLeg } else { Coverage::Qty },
        state: state_of(order.status),
        reason: expired.then(|| format!("expired, reason {}", order.expiry.as_str())),
        venue_time: Timestamp::from_ms(order.update_ms),
    }
}
