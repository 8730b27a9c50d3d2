//! The exchange's numbers in the engine's words, for a driver in the same thread: every name is looked up once.

use hedge_core::{
    AccountEvent, Amount, Asset, ClientOrderId, Coverage, Fact, Fill, InstrumentId, InvalidId, OrderIds,
    OrderRef, OrderReport, Price, Qty, ReportedId, SignedAmount, Timestamp, TradeId,
};
use rust_decimal::Decimal;

use super::commands::ACCOUNT;
use super::reports::{facts, kind_of, number, order_side, side_of, state_of};
use crate::venue::{Average, ExpiryReason, FillTold, OrderTold, Told, Venue, multiple_of};

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
    /// The prices and the quantity that were said last: fills, averages and orders mostly share theirs.
    prices: [(i64, Option<Price>); 2],
    qty: (i64, Option<Qty>),
}

impl Listed {
    #[inline]
    fn price(&mut self, ticks: i64) -> Option<Price> {
        let [latest, before] = &mut self.prices;
        if latest.0 != ticks {
            std::mem::swap(latest, before);
        }
        if latest.0 != ticks {
            *latest = (ticks, Price::of(multiple_of(self.tick, ticks)));
        }
        latest.1
    }

    #[inline]
    fn qty(&mut self, steps: i64) -> Option<Qty> {
        if self.qty.0 != steps {
            self.qty = (steps, Qty::of(multiple_of(self.step, steps)));
        }
        self.qty.1
    }
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
                prices: [(0, None); 2],
                qty: (0, None),
            });
            if known.is_none() {
                lexicon.assets.push(asset);
            }
        }
        Ok(lexicon)
    }

    /// Remembers whose an order is that was just taken, before it is told of. `text` is the client id.
    pub(crate) fn is_of(&mut self, order_id: u64, client_id: &ClientOrderId, text: &str) {
        let known =
            if OrderIds::is_ours(text) { ReportedId::Ours(*client_id) } else { ReportedId::parse(text) };
        self.last = Some((order_id, known));
    }

    /// The facts in one thing told, as [`facts`] gives them for the event that it stands for.
    pub(crate) fn facts(&mut self, told: &Told, venue: &Venue, out: &mut impl FnMut(Fact)) {
        let order = match told {
            Told::Event(event) if event.account == Some(ACCOUNT) => return facts(event, out),
            Told::Event(_) => return,
            Told::Order(order) => order,
        };
        if self.last.as_ref().is_none_or(|(id, _)| *id != order.id) {
            self.last = Some((order.id, ReportedId::parse(venue.client_id_of(order.id))));
        }
        let (Some(listed), Some((_, client_id))) =
            (self.instruments.get_mut(usize::from(order.symbol.0)), &self.last)
        else {
            return;
        };
        let mut account = |event: AccountEvent| out(Fact::Account { event: Box::new(event) });
        if let (Some(told), Some(asset)) = (&order.fill, self.assets.get(listed.asset))
            && let Some(fill) = fill(listed, *asset, order, told, client_id)
        {
            account(AccountEvent::Fill { fill });
        }
        account(AccountEvent::Order { report: report(listed, order, client_id) });
    }
}

#[inline]
fn fill(
    listed: &mut Listed,
    asset: Asset,
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
        qty: listed.qty(fill.steps)?,
        price: listed.price(fill.ticks)?,
        fee: Amount::new(asset, fill.fee),
        realized: Some(SignedAmount::from_decimal(fill.realized)),
        maker: fill.maker,
        venue_time: Timestamp::from_ms(order.update_ms),
    })
}

/// A plain order as a report.
#[inline]
fn report(listed: &mut Listed, order: &OrderTold, client_id: &ReportedId) -> OrderReport {
    let expired = !order.status.is_open() && order.expiry != ExpiryReason::None;
    let mut price = |ticks: i64| if ticks > 0 { listed.price(ticks) } else { None };
    let (average, trigger) = match order.average {
        Average::None => (None, price(order.stop_ticks)),
        Average::At(ticks) => (price(ticks), price(order.stop_ticks)),
        Average::Of(value) => (Price::of(value), price(order.stop_ticks)),
    };
    OrderReport {
        instrument: listed.id,
        client_id: client_id.clone(),
        order: OrderRef::Plain(number(order.id)),
        side: side_of(order.position_side),
        order_side: order_side(order.side),
        kind: kind_of(order.order_type),
        price: if order.ticks > 0 { listed.price(order.ticks) } else { None },
        trigger,
        qty: listed.qty(order.steps),
        filled: multiple_of(listed.step, order.filled),
        average,
        covers: if order.close_position { Coverage::WholeLeg } else { Coverage::Qty },
        state: state_of(order.status),
        reason: expired.then(|| format!("expired, reason {}", order.expiry.as_str())),
        venue_time: Timestamp::from_ms(order.update_ms),
    }
}
