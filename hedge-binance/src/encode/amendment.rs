//! A resting limit order gets another price or quantity.

use hedge_core::{
    Decimal, OrderRef, OrderReport, OrderSide, ReportedKind, ReportedSide, Symbol, order::Order,
};
use hedge_http::{Method, limiter::Priority};

use super::{
    ApiRequest, Cost, Params, Security,
    order::{NewOrder, OrderType},
    params::{Pairs, Sink},
};
use crate::wire::{
    order::OrderRow,
    text::{LegWord, OrderType as RowType, Side},
};

/// A change of a resting order into what the gate has approved.
///
/// The request names side, quantity and price, but no leg: the order keeps its own. So the order that rests is looked at
/// first, and one of another leg, side or kind is refused here, before anything is sent. Source: fact sheet 4.4 and 4.5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amendment {
    symbol: Symbol,
    leg: ReportedSide,
    side: OrderSide,
    order_id: i64,
    qty: Decimal,
    price: Decimal,
    closes: bool,
}

/// Why one order cannot become the other. Nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{order} cannot be changed into what was approved: {why}; cancel it and place the new one")]
pub struct Unfit {
    /// The order that rests.
    pub order: String,
    /// What is different.
    pub why: &'static str,
}

impl Amendment {
    /// Checks that the approved order is the resting one with another price or quantity.
    ///
    /// # Errors
    /// [`Unfit`].
    pub fn new(resting: &OrderReport, approved: &Order) -> Result<Self, Unfit> {
        let unfit = |why| Unfit { order: format!("{:?}", resting.order), why };
        let new = NewOrder::from(approved);
        let OrderType::Limit(qty, limit) = new.order_type else {
            return Err(unfit("only limit orders can be changed"));
        };
        if resting.kind != ReportedKind::Limit {
            return Err(unfit("it is not a limit order"));
        }
        let OrderRef::Plain(id) = resting.order else {
            return Err(unfit("it is not named by its number among plain orders"));
        };
        if resting.state.is_terminal() {
            return Err(unfit("it rests no more"));
        }
        if resting.instrument != approved.position().instrument {
            return Err(unfit("it is of another instrument"));
        }
        if resting.side != ReportedSide::from(approved.position().side) {
            return Err(unfit("it is of another leg"));
        }
        if resting.order_side != approved.side() {
            return Err(unfit("one opens and the other closes"));
        }
        Ok(Self {
            symbol: new.symbol,
            leg: resting.side,
            side: approved.side(),
            order_id: id.0,
            qty: qty.get(),
            price: limit.price.get(),
            closes: new.priority() == Priority::Protect,
        })
    }

    /// The order that changes.
    pub const fn order_id(&self) -> i64 {
        self.order_id
    }

    /// Whether a report is of the instrument, leg and direction that were looked at.
    pub fn is_about(&self, report: &OrderReport) -> bool {
        report.instrument.symbol == self.symbol && report.side == self.leg && report.order_side == self.side
    }

    /// Puts into an answer what it leaves out and the request has said.
    pub(crate) fn complete(&self, row: &mut OrderRow) {
        row.symbol.get_or_insert_with(|| self.symbol.to_string());
        row.side.get_or_insert_with(|| Side::from(self.side.as_str()));
        row.order_type.get_or_insert(RowType::Limit);
        if row.position_side.is_none() {
            row.position_side = Some(match self.leg {
                ReportedSide::Long => LegWord::Long,
                ReportedSide::Short => LegWord::Short,
                ReportedSide::Both => LegWord::Both,
            });
        }
        row.orig_qty.get_or_insert(self.qty);
        row.price.get_or_insert(self.price);
    }

    /// Share of the budgets: closes may use all of them.
    pub const fn priority(&self) -> Priority {
        if self.closes { Priority::Protect } else { Priority::Open }
    }

    /// `PUT /fapi/v1/order`.
    pub fn request(&self) -> ApiRequest {
        let mut params = Params::new();
        self.write(&mut params);
        ApiRequest {
            method: Method::Put,
            path: "/fapi/v1/order",
            params,
            security: Security::Signed,
            cost: Cost::Order,
            priority: self.priority(),
        }
    }

    /// The parameters raw, in their order: what goes into a batch, and what the WebSocket API takes.
    pub fn pairs(&self) -> Pairs {
        let mut pairs = Pairs::with_capacity(5);
        self.write(&mut pairs);
        pairs
    }

    fn write(&self, to: &mut impl Sink) {
        to.text("&symbol=", self.symbol.as_str());
        to.int("&orderId=", self.order_id);
        to.word("&side=", self.side.as_str());
        to.decimal("&quantity=", self.qty);
        to.decimal("&price=", self.price);
    }
}
