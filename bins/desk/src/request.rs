//! What the live client would send for an order or a setting, as text: nothing is sent, no key is read.
//!
//! The requests come from the encoder that the client uses.

pub use hedge_binance::encode::{ApiRequest, VenueClientId};

use hedge_binance::{
    RecvWindow,
    encode::{self, AlgoSize, Limit, NewOrder, OrderLeg, OrderType},
};
use hedge_core::{
    Action, ClientOrderId, Decimal, Leverage, MarginMode, OrderRef, OrderSpace, PositionMode, PositionSide,
    Price, Qty, Symbol, Timestamp, VenueOrderId,
    order::{Tif, TriggerBy},
};
use serde::{Serialize, Serializer};

/// How an order is executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Now.
    Market,
    /// At a price or better.
    Limit(Price, Tif),
    /// At the market once the price has gone against the leg.
    Stop(Price),
    /// At the market once the price has gone with the leg.
    Take(Price),
    /// At the market once the price has fallen back by so many percent.
    Trail(Decimal),
}

/// An order as a person asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderWish {
    /// Which symbol.
    pub symbol: Symbol,
    /// Which leg.
    pub leg: PositionSide,
    /// What it does to the leg.
    pub action: Action,
    /// How much; a closing stop or take-profit without it closes the whole leg.
    pub qty: Option<Qty>,
    /// How.
    pub style: Style,
    /// Which price triggers.
    pub by: TriggerBy,
    /// Under which client id; made from the time where there is none.
    pub client_id: Option<VenueClientId>,
}

/// A wish that is no order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The quantity is missing.
    #[error(
        "--qty is missing; only a closing --stop or --take may go without it, and then closes the whole leg"
    )]
    NoQty,
    /// The distance of a trailing stop.
    #[error("--trail {0} is not usable: expected 0.1 to 20 percent in steps of 0.1")]
    Trail(Decimal),
    /// No client id can be made of this time.
    #[error("--timestamp {0} is not usable: expected milliseconds since 1970")]
    Timestamp(i64),
}

/// The request of an order.
///
/// # Errors
/// [`RequestError`].
pub fn order(wish: &OrderWish, now: Timestamp) -> Result<ApiRequest, RequestError> {
    let whole_leg = || match wish.action {
        Action::Close => Ok(AlgoSize::WholeLeg),
        Action::Open => Err(RequestError::NoQty),
    };
    let qty = wish.qty.ok_or(RequestError::NoQty);
    let size = || wish.qty.map_or_else(whole_leg, |qty| Ok(AlgoSize::Qty(qty)));
    let order_type = match wish.style {
        Style::Market => OrderType::Market(qty?),
        Style::Limit(price, tif) => OrderType::Limit(qty?, Limit { price, tif }),
        Style::Stop(trigger) => OrderType::StopMarket(size()?, trigger, wish.by),
        Style::Take(trigger) => OrderType::TakeProfitMarket(size()?, trigger, wish.by),
        Style::Trail(percent) => {
            OrderType::Trailing { qty: qty?, activate: None, callback_percent: trail(percent)?, by: wish.by }
        }
    };
    let new = NewOrder {
        symbol: wish.symbol,
        leg: OrderLeg::Hedge { side: wish.leg, action: wish.action },
        order_type,
        client_id: made_of(now)?,
    };
    Ok(wish.client_id.as_ref().map_or_else(|| new.request(), |id| new.request_as(id)))
}

/// Source: Binance USD-M docs, new algo order, `callbackRate`; fact sheet 5.2.
fn trail(percent: Decimal) -> Result<Decimal, RequestError> {
    let is_usable =
        percent >= Decimal::new(1, 1) && percent <= Decimal::from(20) && percent.normalize().scale() <= 1;
    is_usable.then(|| percent.normalize()).ok_or(RequestError::Trail(percent))
}

/// A client id that nobody else has: no order of a run begins so.
fn made_of(now: Timestamp) -> Result<ClientOrderId, RequestError> {
    ClientOrderId::parse(&format!("manual{}", now.ms())).map_err(|_| RequestError::Timestamp(now.ms()))
}

/// Which order is cancelled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// By the venue's number.
    Number(i64),
    /// By client id.
    ClientId(VenueClientId),
    /// Every open order.
    All,
}

/// The request of a cancel, in one of both id spaces.
pub fn cancel(symbol: Symbol, space: OrderSpace, target: &Target) -> ApiRequest {
    match (target, space) {
        (Target::Number(id), OrderSpace::Plain) => {
            encode::cancel(symbol.as_str(), &OrderRef::Plain(VenueOrderId(*id)))
        }
        (Target::Number(id), OrderSpace::Algo) => {
            encode::cancel(symbol.as_str(), &OrderRef::Algo { id: VenueOrderId(*id), child: None })
        }
        (Target::ClientId(id), space) => encode::cancel_named(symbol.as_str(), space, id),
        (Target::All, space) => encode::cancel_all(symbol.as_str(), space),
    }
}

/// The request that sets the leverage of a symbol.
pub fn leverage(symbol: Symbol, leverage: Leverage) -> ApiRequest {
    encode::set_leverage(symbol.as_str(), leverage)
}

/// The request that sets the margin of a symbol.
pub fn margin_type(symbol: Symbol, mode: MarginMode) -> ApiRequest {
    encode::set_margin_mode(symbol.as_str(), mode)
}

/// The request that sets the position mode of the account.
pub fn position_mode(mode: PositionMode) -> ApiRequest {
    encode::set_position_mode(mode)
}

/// A request as it would travel at an instant, without its signature.
#[derive(Debug, Serialize)]
pub struct Shown {
    method: &'static str,
    path: &'static str,
    #[serde(serialize_with = "in_order")]
    parameters: Vec<(String, String)>,
    signature_payload: String,
}

impl Shown {
    /// With the window that the client uses unless it is configured otherwise.
    pub fn new(request: &ApiRequest, now: Timestamp) -> Self {
        let window_ms = RecvWindow::default().ms();
        let timing = [("recvWindow", window_ms.to_string()), ("timestamp", now.ms().to_string())];
        let mut parameters = request.params.pairs();
        parameters.extend(timing.map(|(name, value)| (name.to_owned(), value)));
        Self {
            method: request.method.as_str(),
            path: request.path,
            parameters,
            signature_payload: request.payload(window_ms, now.ms()),
        }
    }
}

/// An object whose fields stand in the order in which they are signed.
fn in_order<S: Serializer>(pairs: &[(String, String)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().map(|(name, value)| (name, value)))
}
