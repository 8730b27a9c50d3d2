//! The one place where an order becomes parameters.
//!
//! `reduceOnly` in hedge mode is refused by the venue (-1106; fact sheet 3), so the flag exists only where there is no leg:
//! [`OrderLeg::OneWay`].

use hedge_core::{
    Action, ClientOrderId, Decimal, OrderSide, PositionSide, Price, Qty, Symbol,
    order::{Coverage, Entry, Exit, Leg, Order, Tif, TriggerBy},
};
use hedge_http::{Method, limiter::Priority};

use super::{
    ApiRequest, Cost, Params, Security, VenueClientId,
    params::{Pairs, Sink},
};

/// Which leg, and what the order does to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderLeg {
    /// Hedge mode: `positionSide` and the derived side, never a reduce flag.
    Hedge {
        /// LONG or SHORT.
        side: PositionSide,
        /// Opens or closes it.
        action: Action,
    },
    /// One-way mode: the side itself and the venue's flag.
    OneWay {
        /// BUY or SELL.
        order_side: OrderSide,
        /// Refuse to open or flip.
        reduce_only: bool,
    },
}

impl OrderLeg {
    /// BUY or SELL.
    pub const fn order_side(self) -> OrderSide {
        match self {
            Self::Hedge { side, action } => side.order_side(action),
            Self::OneWay { order_side, .. } => order_side,
        }
    }

    const fn closes(self) -> bool {
        match self {
            Self::Hedge { action, .. } => matches!(action, Action::Close),
            Self::OneWay { reduce_only, .. } => reduce_only,
        }
    }
}

/// A limit price and how long it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Worst acceptable price.
    pub price: Price,
    /// How long.
    pub tif: Tif,
}

/// How much a conditional order trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlgoSize {
    /// A quantity.
    Qty(Qty),
    /// Whatever the leg holds then (`closePosition`, market types only).
    WholeLeg,
}

/// The seven order types. The first two go to `/order`, the rest to `/algoOrder` (fact sheet 5.1, -4120).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderType {
    /// Now, at the market.
    Market(Qty),
    /// At a price.
    Limit(Qty, Limit),
    /// Market order once the price has gone against the leg.
    StopMarket(AlgoSize, Price, TriggerBy),
    /// Market order once the price has gone with the leg.
    TakeProfitMarket(AlgoSize, Price, TriggerBy),
    /// Limit order once the price has gone against the leg.
    Stop(Qty, Price, TriggerBy, Limit),
    /// Limit order once the price has gone with the leg.
    TakeProfit(Qty, Price, TriggerBy, Limit),
    /// Market order once the price has fallen back by so many percent.
    Trailing {
        /// Quantity.
        qty: Qty,
        /// From which price on.
        activate: Option<Price>,
        /// Percent, 0.1 to 20.
        callback_percent: Decimal,
        /// Which price is tracked.
        by: TriggerBy,
    },
}

/// An order before it is a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewOrder {
    /// Name.
    pub symbol: Symbol,
    /// Leg and effect.
    pub leg: OrderLeg,
    /// Type.
    pub order_type: OrderType,
    /// Our id.
    pub client_id: ClientOrderId,
}

impl From<&Order> for NewOrder {
    fn from(order: &Order) -> Self {
        let qty = order.qty();
        let size = |coverage: &Coverage| match coverage {
            Coverage::Qty => AlgoSize::Qty(qty),
            Coverage::WholeLeg => AlgoSize::WholeLeg,
        };
        let order_type = match order.leg() {
            Leg::Open(Entry::Market) | Leg::Close(Exit::Market, _) => OrderType::Market(qty),
            Leg::Open(Entry::Limit { price, tif }) | Leg::Close(Exit::Limit { price, tif }, _) => {
                OrderType::Limit(qty, Limit { price: *price, tif: *tif })
            }
            Leg::Close(Exit::StopMarket { trigger, by }, covers) => {
                OrderType::StopMarket(size(covers), *trigger, *by)
            }
            Leg::Close(Exit::TakeProfitMarket { trigger, by }, covers) => {
                OrderType::TakeProfitMarket(size(covers), *trigger, *by)
            }
            Leg::Close(Exit::TrailingStop { activate, callback, by }, _) => OrderType::Trailing {
                qty,
                activate: *activate,
                callback_percent: (callback.get() / Decimal::ONE_HUNDRED).normalize(),
                by: *by,
            },
        };
        Self {
            symbol: order.position().instrument.symbol,
            leg: OrderLeg::Hedge { side: order.position().side, action: order.leg().action() },
            order_type,
            client_id: *order.client_id(),
        }
    }
}

impl NewOrder {
    /// Whether it lives in the conditional id space.
    pub const fn is_algo(&self) -> bool {
        !matches!(self.order_type, OrderType::Market(_) | OrderType::Limit(..))
    }

    /// The request without timestamp and signature.
    pub fn request(&self) -> ApiRequest {
        self.request_under(self.client_id.as_str())
    }

    /// The same under a client id that need not be ours.
    pub fn request_as(&self, id: &VenueClientId) -> ApiRequest {
        self.request_under(id.as_str())
    }

    fn request_under(&self, client_id: &str) -> ApiRequest {
        let mut params = Params::for_order();
        self.write(&mut params, client_id);
        ApiRequest {
            method: Method::Post,
            path: if self.is_algo() { ALGO_PATH } else { PLAIN_PATH },
            params,
            security: Security::Signed,
            cost: Cost::Order,
            priority: self.priority(),
        }
    }

    /// `POST /fapi/v1/order/test`: the same checks, and nothing is placed. `None` for conditional orders, which the venue
    /// cannot test (fact sheet 4.4).
    pub fn test_request(&self) -> Option<ApiRequest> {
        let request = self.request();
        (!self.is_algo()).then_some(ApiRequest {
            path: "/fapi/v1/order/test",
            // Its price is not documented; one unit is what comparable reads cost.
            cost: Cost::Weight(1),
            priority: Priority::Read,
            ..request
        })
    }

    /// The parameters raw, in their order: what goes into a batch, and what the WebSocket API takes.
    pub fn pairs(&self) -> Pairs {
        let mut pairs = Pairs::with_capacity(12);
        self.write(&mut pairs, self.client_id.as_str());
        pairs
    }

    /// Share of the budgets: closes may use all of them.
    pub const fn priority(&self) -> Priority {
        if self.leg.closes() { Priority::Protect } else { Priority::Open }
    }

    fn write(&self, to: &mut impl Sink, client_id: &str) {
        if self.is_algo() {
            to.word("&algoType=", "CONDITIONAL");
        }
        to.text("&symbol=", self.symbol.as_str());
        to.word("&side=", self.leg.order_side().as_str());
        to.word("&type=", self.type_word());
        match self.leg {
            OrderLeg::Hedge { side, .. } => to.word("&positionSide=", side.as_str()),
            // Close-all orders reduce by nature; the flag beside them is refused (-4138).
            OrderLeg::OneWay { reduce_only: true, .. } if !self.covers_whole_leg() => {
                to.word("&reduceOnly=", "true");
            }
            OrderLeg::OneWay { .. } => {}
        }
        self.write_type(to);
        to.text(if self.is_algo() { "&clientAlgoId=" } else { "&newClientOrderId=" }, client_id);
        if self.answers_at_once() {
            to.word("&newOrderRespType=", "RESULT");
        }
    }

    /// Whether the venue can wait for the end of the order before it answers; one that rests is acknowledged either way.
    ///
    /// Source: fact sheet 4.5 and 7.4, `newOrderRespType`.
    const fn answers_at_once(&self) -> bool {
        !matches!(
            self.order_type,
            OrderType::Limit(_, Limit { tif: Tif::Gtc | Tif::PostOnly | Tif::Gtd { .. }, .. })
        )
    }

    const fn covers_whole_leg(&self) -> bool {
        matches!(
            self.order_type,
            OrderType::StopMarket(AlgoSize::WholeLeg, ..)
                | OrderType::TakeProfitMarket(AlgoSize::WholeLeg, ..)
        )
    }

    const fn type_word(&self) -> &'static str {
        match self.order_type {
            OrderType::Market(_) => "MARKET",
            OrderType::Limit(..) => "LIMIT",
            OrderType::StopMarket(..) => "STOP_MARKET",
            OrderType::TakeProfitMarket(..) => "TAKE_PROFIT_MARKET",
            OrderType::Stop(..) => "STOP",
            OrderType::TakeProfit(..) => "TAKE_PROFIT",
            OrderType::Trailing { .. } => "TRAILING_STOP_MARKET",
        }
    }

    fn write_type(&self, to: &mut impl Sink) {
        match self.order_type {
            OrderType::Market(qty) => to.decimal("&quantity=", qty.get()),
            OrderType::Limit(qty, limit) => {
                to.decimal("&quantity=", qty.get());
                write_limit(to, limit);
            }
            OrderType::StopMarket(size, trigger, by) | OrderType::TakeProfitMarket(size, trigger, by) => {
                match size {
                    AlgoSize::Qty(qty) => to.decimal("&quantity=", qty.get()),
                    AlgoSize::WholeLeg => to.word("&closePosition=", "true"),
                }
                to.decimal("&triggerPrice=", trigger.get());
                to.word("&workingType=", working_type(by));
            }
            OrderType::Stop(qty, trigger, by, limit) | OrderType::TakeProfit(qty, trigger, by, limit) => {
                to.decimal("&quantity=", qty.get());
                to.decimal("&triggerPrice=", trigger.get());
                to.word("&workingType=", working_type(by));
                write_limit(to, limit);
            }
            OrderType::Trailing { qty, activate, callback_percent, by } => {
                to.decimal("&quantity=", qty.get());
                if let Some(activate) = activate {
                    to.decimal("&activatePrice=", activate.get());
                }
                to.decimal("&callbackRate=", callback_percent);
                to.word("&workingType=", working_type(by));
            }
        }
    }
}

const PLAIN_PATH: &str = "/fapi/v1/order";
const ALGO_PATH: &str = "/fapi/v1/algoOrder";

fn write_limit(to: &mut impl Sink, limit: Limit) {
    to.decimal("&price=", limit.price.get());
    let word = match limit.tif {
        Tif::Gtc => "GTC",
        Tif::Ioc => "IOC",
        Tif::Fok => "FOK",
        Tif::PostOnly => "GTX",
        Tif::Gtd { .. } => "GTD",
    };
    to.word("&timeInForce=", word);
    if let Tif::Gtd { until } = limit.tif {
        to.int("&goodTillDate=", until.ms());
    }
}

const fn working_type(by: TriggerBy) -> &'static str {
    match by {
        TriggerBy::Mark => "MARK_PRICE",
        TriggerBy::Last => "CONTRACT_PRICE",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hedge_core::Timestamp;

    fn qty() -> Qty {
        Qty::parse("0.250").unwrap()
    }

    fn price(text: &str) -> Price {
        Price::parse(text).unwrap()
    }

    fn check(leg: OrderLeg, order_type: OrderType, expected: &str) {
        let order = NewOrder {
            symbol: Symbol::parse("ETHUSDT").unwrap(),
            leg,
            order_type,
            client_id: ClientOrderId::parse("h0sn8www00111s").unwrap(),
        };
        let request = order.request();
        assert_eq!(
            format!("{} {}?{}", request.method.as_str(), request.path, request.params.encoded()),
            expected
        );
    }

    const CLOSE_LONG: OrderLeg = OrderLeg::Hedge { side: PositionSide::Long, action: Action::Close };
    const OPEN_SHORT: OrderLeg = OrderLeg::Hedge { side: PositionSide::Short, action: Action::Open };

    #[test]
    fn a_market_close_of_the_long_leg_is_a_sell_without_a_reduce_flag() {
        check(
            CLOSE_LONG,
            OrderType::Market(qty()),
            "POST /fapi/v1/order?symbol=ETHUSDT&side=SELL&type=MARKET&positionSide=LONG&quantity=0.25\
             &newClientOrderId=h0sn8www00111s&newOrderRespType=RESULT",
        );
    }

    #[test]
    fn an_opening_limit_carries_price_and_time_in_force() {
        let limit = Limit { price: price("2500.10"), tif: Tif::Ioc };
        check(
            OPEN_SHORT,
            OrderType::Limit(qty(), limit),
            "POST /fapi/v1/order?symbol=ETHUSDT&side=SELL&type=LIMIT&positionSide=SHORT&quantity=0.25&price=2500.1\
             &timeInForce=IOC&newClientOrderId=h0sn8www00111s&newOrderRespType=RESULT",
        );
    }

    #[test]
    fn a_dated_limit_says_until_when() {
        let tif = Tif::Gtd { until: Timestamp::from_ms(1_795_172_400_000) };
        check(
            OPEN_SHORT,
            OrderType::Limit(qty(), Limit { price: price("1"), tif }),
            "POST /fapi/v1/order?symbol=ETHUSDT&side=SELL&type=LIMIT&positionSide=SHORT&quantity=0.25&price=1\
             &timeInForce=GTD&goodTillDate=1795172400000&newClientOrderId=h0sn8www00111s",
        );
    }

    #[test]
    fn a_close_all_stop_goes_to_the_algo_service_without_a_quantity() {
        check(
            CLOSE_LONG,
            OrderType::StopMarket(AlgoSize::WholeLeg, price("2401"), TriggerBy::Mark),
            "POST /fapi/v1/algoOrder?algoType=CONDITIONAL&symbol=ETHUSDT&side=SELL&type=STOP_MARKET&positionSide=LONG\
             &closePosition=true&triggerPrice=2401&workingType=MARK_PRICE&clientAlgoId=h0sn8www00111s\
             &newOrderRespType=RESULT",
        );
    }

    #[test]
    fn a_take_profit_by_quantity_names_it() {
        check(
            CLOSE_LONG,
            OrderType::TakeProfitMarket(AlgoSize::Qty(qty()), price("2600"), TriggerBy::Last),
            "POST /fapi/v1/algoOrder?algoType=CONDITIONAL&symbol=ETHUSDT&side=SELL&type=TAKE_PROFIT_MARKET\
             &positionSide=LONG&quantity=0.25&triggerPrice=2600&workingType=CONTRACT_PRICE\
             &clientAlgoId=h0sn8www00111s&newOrderRespType=RESULT",
        );
    }

    #[test]
    fn a_trailing_stop_states_its_callback_in_percent() {
        let order_type = OrderType::Trailing {
            qty: qty(),
            activate: Some(price("2600")),
            callback_percent: Decimal::new(15, 1),
            by: TriggerBy::Mark,
        };
        check(
            CLOSE_LONG,
            order_type,
            "POST /fapi/v1/algoOrder?algoType=CONDITIONAL&symbol=ETHUSDT&side=SELL&type=TRAILING_STOP_MARKET\
             &positionSide=LONG&quantity=0.25&activatePrice=2600&callbackRate=1.5&workingType=MARK_PRICE\
             &clientAlgoId=h0sn8www00111s&newOrderRespType=RESULT",
        );
    }

    #[test]
    fn a_conditional_limit_carries_trigger_and_price() {
        let limit = Limit { price: price("2399"), tif: Tif::Gtc };
        check(
            CLOSE_LONG,
            OrderType::Stop(qty(), price("2401"), TriggerBy::Mark, limit),
            "POST /fapi/v1/algoOrder?algoType=CONDITIONAL&symbol=ETHUSDT&side=SELL&type=STOP&positionSide=LONG\
             &quantity=0.25&triggerPrice=2401&workingType=MARK_PRICE&price=2399&timeInForce=GTC\
             &clientAlgoId=h0sn8www00111s&newOrderRespType=RESULT",
        );
    }

    #[test]
    fn only_a_one_way_order_carries_the_reduce_flag_and_not_beside_close_all() {
        let leg = OrderLeg::OneWay { order_side: OrderSide::Buy, reduce_only: true };
        check(
            leg,
            OrderType::Market(qty()),
            "POST /fapi/v1/order?symbol=ETHUSDT&side=BUY&type=MARKET&reduceOnly=true&quantity=0.25\
             &newClientOrderId=h0sn8www00111s&newOrderRespType=RESULT",
        );
        check(
            leg,
            OrderType::StopMarket(AlgoSize::WholeLeg, price("1"), TriggerBy::Mark),
            "POST /fapi/v1/algoOrder?algoType=CONDITIONAL&symbol=ETHUSDT&side=BUY&type=STOP_MARKET\
             &closePosition=true&triggerPrice=1&workingType=MARK_PRICE&clientAlgoId=h0sn8www00111s\
             &newOrderRespType=RESULT",
        );
    }

    #[test]
    fn a_close_may_use_the_whole_budget_and_an_opening_may_not() {
        let order = |leg| NewOrder {
            symbol: Symbol::parse("ETHUSDT").unwrap(),
            leg,
            order_type: OrderType::Market(qty()),
            client_id: ClientOrderId::parse("h1").unwrap(),
        };
        assert_eq!(order(CLOSE_LONG).request().priority, Priority::Protect);
        assert_eq!(order(OPEN_SHORT).request().priority, Priority::Open);
    }
}
